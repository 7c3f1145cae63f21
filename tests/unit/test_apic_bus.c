/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/lapic_fixture.h"

/*
 * From one local APIC to others (SDM 3, 11.6): destinations, shorthands, arbitration,
 * INIT and SIPI.
 */

#define FIXED  0u
#define LOWEST (1u << 8)
#define NMI    (4u << 8)
#define INIT   (5u << 8)
#define SIPI   (6u << 8)

static uint32_t to(unsigned int destination)
{
	return destination << 24;
}

/* Who has @vector in its IRR, as a mask; they forget it. */
static unsigned int receivers(struct fixture *f, uint8_t vector)
{
	unsigned int mask = 0;

	for (unsigned int i = 0; i < CPUS; i++) {
		uint32_t *word = &f->cpu[i].irr[vector / 32];

		mask |= (*word >> (vector % 32) & 1) << i;
		*word &= ~(1u << (vector % 32));
	}
	return mask;
}

static void physical(void **state)
{
	struct fixture *f = *state;

	send_ipi(f, 0, to(2), FIXED | 0x40);
	assert_int_equal(receivers(f, 0x40), 1 << 2);
	assert_int_equal(f->wakes[2], 1);
	send_ipi(f, 0, to(0), FIXED | 0x40);
	assert_int_equal(receivers(f, 0x40), 1 << 0);
	send_ipi(f, 0, to(CPUS), FIXED | 0x40);
	assert_int_equal(receivers(f, 0x40), 0);
	send_ipi(f, 0, to(0xff), FIXED | 0x40);
	assert_int_equal(receivers(f, 0x40), 0xf);
	assert_false(get(f, 0, LAPIC_ICR) & LAPIC_ICR_DELIVERY_STATUS);
}

static void shorthands(void **state)
{
	struct fixture *f = *state;

	send_ipi(f, 1, to(3), LAPIC_ICR_SHORTHAND_SELF | 0x40);
	assert_int_equal(receivers(f, 0x40), 1 << 1);
	send_ipi(f, 1, to(3), LAPIC_ICR_SHORTHAND_ALL | 0x40);
	assert_int_equal(receivers(f, 0x40), 0xf);
	send_ipi(f, 1, to(3), LAPIC_ICR_SHORTHAND_OTHERS | 0x40);
	assert_int_equal(receivers(f, 0x40), 0xd);
}

static void logical_flat(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < CPUS; i++)
		put(f, i, LAPIC_LDR, to(1u << i));
	send_ipi(f, 0, to(0x06), LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 0x6);
	send_ipi(f, 0, to(0xf0), LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 0);
	send_ipi(f, 0, to(0xff), LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 0xf);
}

static void logical_cluster(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < CPUS; i++) {
		put(f, i, LAPIC_DFR, LAPIC_DFR_CLUSTER);
		put(f, i, LAPIC_LDR, to((i / 2) << 4 | 1u << (i % 2)));
	}
	send_ipi(f, 0, to(0x02), LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 1 << 1);
	send_ipi(f, 0, to(0x13), LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 0xc);
	send_ipi(f, 0, to(0x21), LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 0);
}

static void x2apic_destinations(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < CPUS; i++)
		enter_x2apic(f, i);
	assert_true(put_msr(f, 0, LAPIC_ICR, 2ull << 32 | 0x40));
	assert_int_equal(receivers(f, 0x40), 1 << 2);
	assert_true(put_msr(f, 0, LAPIC_ICR, 0x5ull << 32 | LAPIC_ICR_LOGICAL | 0x40));
	assert_int_equal(receivers(f, 0x40), 0x5);
	assert_true(put_msr(f, 0, LAPIC_ICR, 0x10005ull << 32 | LAPIC_ICR_LOGICAL | 0x40));
	assert_int_equal(receivers(f, 0x40), 0); /* another cluster */
	assert_true(put_msr(f, 0, LAPIC_ICR, 0xffull << 32 | 0x40));
	assert_int_equal(receivers(f, 0x40), 0); /* eight ones are a number here */
	assert_true(put_msr(f, 0, LAPIC_ICR, 0xffffffffull << 32 | 0x40));
	assert_int_equal(receivers(f, 0x40), 0xf);
	assert_true(put_msr(f, 3, LAPIC_SELF_IPI, 0x40));
	assert_int_equal(receivers(f, 0x40), 1 << 3);
}

/* An IOAPIC speaks eight bits whatever mode the local APICs are in. */
static void narrow_messages_reach_x2apics(void **state)
{
	struct fixture *f = *state;
	struct apic_message message = { .destination = 0xff, .vector = 0x40 };

	enter_x2apic(f, 1);
	assert_int_equal(apic_bus_send(&f->bus, NULL, &message), CPUS);
	assert_int_equal(receivers(f, 0x40), 0xf);
	message.destination = 1;
	assert_int_equal(apic_bus_send(&f->bus, NULL, &message), 1);
	assert_int_equal(receivers(f, 0x40), 1 << 1);
	message.destination = 2;
	message.logical = true;
	assert_int_equal(apic_bus_send(&f->bus, NULL, &message), 1);
	assert_int_equal(receivers(f, 0x40), 1 << 1);
}

static void lowest_priority(void **state)
{
	struct fixture *f = *state;

	for (unsigned int i = 0; i < CPUS; i++) {
		put(f, i, LAPIC_LDR, to(1u << i));
		put(f, i, LAPIC_TPR, 0x20);
	}
	put(f, 2, LAPIC_TPR, 0x10);
	send_ipi(f, 0, to(0xff), LOWEST | LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 1 << 2);
	send_ipi(f, 0, to(0x0b), LOWEST | LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 1 << 3); /* equals take turns, from the last on */
	send_ipi(f, 0, to(0x0b), LOWEST | LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 1 << 0);
	send_ipi(f, 0, to(0x0b), LOWEST | LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 1 << 1);
	put(f, 1, LAPIC_SVR, 0xff);
	send_ipi(f, 0, to(0x02), LOWEST | LAPIC_ICR_LOGICAL | 0x40);
	assert_int_equal(receivers(f, 0x40), 0); /* disabled by software: takes no part */
}

static void holes_in_the_table(void **state)
{
	struct fixture *f = *state;

	f->table[2] = NULL;
	send_ipi(f, 0, to(2), FIXED | 0x40);
	send_ipi(f, 0, to(0xff), FIXED | 0x40);
	assert_int_equal(receivers(f, 0x40), 0xb);
	send_ipi(f, 0, to(0xff), LOWEST | 0x40);
	assert_int_not_equal(receivers(f, 0x40), 0);
}

static void nmi_needs_no_enabling(void **state)
{
	struct fixture *f = *state;

	put(f, 1, LAPIC_SVR, 0xff);
	put(f, 1, LAPIC_TPR, 0xff);
	send_ipi(f, 0, to(1), NMI);
	send_ipi(f, 0, to(1), NMI);
	assert_int_equal(lapic_pending(&f->cpu[1]), LAPIC_NMI);
	lapic_take_nmi(&f->cpu[1]);
	assert_int_equal(lapic_pending(&f->cpu[1]), 0);
}

/* SDM 3, 9.4.4: how a bootstrap processor starts the others. */
static void init_sipi_sipi(void **state)
{
	struct fixture *f = *state;

	send_ipi(f, 0, to(1), SIPI | LAPIC_ICR_ASSERT | 0x9a);
	assert_int_equal(lapic_pending(&f->cpu[1]), LAPIC_SIPI);
	f->cpu[1].sipi = false;
	send_ipi(f, 0, to(1), INIT | LAPIC_ICR_LEVEL | LAPIC_ICR_ASSERT);
	send_ipi(f, 0, to(1), INIT | LAPIC_ICR_LEVEL); /* de-assert: nothing */
	send_ipi(f, 0, to(1), SIPI | LAPIC_ICR_ASSERT | 0x9a);
	assert_int_equal(lapic_pending(&f->cpu[1]), LAPIC_INIT | LAPIC_SIPI);
	assert_true(f->wakes[1] > 0);
	assert_true(lapic_take_init(&f->cpu[1]));
	assert_int_equal(lapic_pending(&f->cpu[1]), LAPIC_SIPI);
	assert_int_equal(lapic_take_sipi(&f->cpu[1]), 0x9a);
	assert_int_equal(lapic_pending(&f->cpu[1]), 0);
	send_ipi(f, 0, to(1), SIPI | LAPIC_ICR_ASSERT | 0x9b);
	assert_int_equal(lapic_pending(&f->cpu[1]), 0); /* it runs: the second SIPI is ignored */
}

static void init_forgets_an_older_sipi(void **state)
{
	struct fixture *f = *state;

	send_ipi(f, 0, to(1), SIPI | 0x9a);
	send_ipi(f, 0, to(1), INIT | LAPIC_ICR_ASSERT);
	assert_int_equal(lapic_pending(&f->cpu[1]), LAPIC_INIT);
}

static void init_resets_all_but_identity(void **state)
{
	struct fixture *f = *state;

	enter_x2apic(f, 2);
	put_msr(f, 2, LAPIC_TPR, 0x50);
	put_msr(f, 2, LAPIC_SELF_IPI, 0x60);
	send_ipi(f, 0, to(2), NMI);
	send_ipi(f, 0, to(2), INIT | LAPIC_ICR_ASSERT);
	assert_true(lapic_take_init(&f->cpu[2]));
	assert_true(f->cpu[2].base & IA32_APIC_BASE_EXTD);
	assert_int_equal(f->cpu[2].ldr, 1 << 2);
	assert_int_equal(f->cpu[2].tpr, 0);
	assert_int_equal(f->cpu[2].svr, 0xff);
	assert_int_equal(receivers(f, 0x60), 0);
	assert_int_equal(lapic_pending(&f->cpu[2]), 0);
	send_ipi(f, 0, to(2), NMI); /* nobody is there to see it */
	assert_int_equal(lapic_pending(&f->cpu[2]), 0);
	send_ipi(f, 0, to(2), SIPI | 0x10);
	lapic_take_sipi(&f->cpu[2]);
	assert_int_equal(lapic_pending(&f->cpu[2]), 0);
}

/* The bootstrap processor starts again at its reset vector; it waits for nobody. */
static void init_of_the_bootstrap_processor(void **state)
{
	struct fixture *f = *state;

	send_ipi(f, 1, to(0), INIT | LAPIC_ICR_ASSERT);
	send_ipi(f, 1, to(0), SIPI | 0x10);
	assert_false(lapic_take_init(&f->cpu[0]));
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
}

static void reserved_modes_send_nothing(void **state)
{
	struct fixture *f = *state;

	send_ipi(f, 0, to(1), 3u << 8 | 0x40);
	send_ipi(f, 0, to(1), 7u << 8 | 0x40);
	assert_int_equal(lapic_pending(&f->cpu[1]), 0);
	send_ipi(f, 0, to(1), 2u << 8); /* SMI: there is no such mode to enter */
	assert_int_equal(lapic_pending(&f->cpu[1]), 0);
}

static void extint_message(void **state)
{
	struct fixture *f = *state;
	const struct apic_message message = { .destination = 1, .delivery = APIC_DELIVERY_EXTINT };

	assert_int_equal(apic_bus_send(&f->bus, NULL, &message), 1);
	assert_int_equal(lapic_pending(&f->cpu[1]), LAPIC_EXTINT);
	lapic_take_extint(&f->cpu[1]);
	assert_int_equal(lapic_pending(&f->cpu[1]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(physical, set_up),
		cmocka_unit_test_setup(shorthands, set_up),
		cmocka_unit_test_setup(logical_flat, set_up),
		cmocka_unit_test_setup(logical_cluster, set_up),
		cmocka_unit_test_setup(x2apic_destinations, set_up),
		cmocka_unit_test_setup(narrow_messages_reach_x2apics, set_up),
		cmocka_unit_test_setup(lowest_priority, set_up),
		cmocka_unit_test_setup(holes_in_the_table, set_up),
		cmocka_unit_test_setup(nmi_needs_no_enabling, set_up),
		cmocka_unit_test_setup(init_sipi_sipi, set_up_power_on),
		cmocka_unit_test_setup(init_forgets_an_older_sipi, set_up_power_on),
		cmocka_unit_test_setup(init_resets_all_but_identity, set_up),
		cmocka_unit_test_setup(init_of_the_bootstrap_processor, set_up),
		cmocka_unit_test_setup(reserved_modes_send_nothing, set_up),
		cmocka_unit_test_setup(extint_message, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
