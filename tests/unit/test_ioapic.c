/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/ioapic.h"

/* The IOAPIC against the 82093AA data sheet: registers, edges, levels, messages, ends. */

struct fixture {
	struct ioapic ioapic;
	struct apic_message last;
	unsigned int sent;
	unsigned int takers; /* what the bus answers */
};

static unsigned int on_send(void *owner, const struct apic_message *message)
{
	struct fixture *f = owner;

	f->last = *message;
	f->sent++;
	return f->takers;
}

static int set_up(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	fixture.takers = 1;
	ioapic_init(&fixture.ioapic, IOAPIC_VERSION_EOI, on_send, &fixture);
	*state = &fixture;
	return 0;
}

static uint32_t get(struct fixture *f, unsigned int number)
{
	ioapic_write(&f->ioapic, IOAPIC_REGSEL, 4, number);
	return ioapic_read(&f->ioapic, IOAPIC_WIN, 4);
}

static void put(struct fixture *f, unsigned int number, uint32_t value)
{
	ioapic_write(&f->ioapic, IOAPIC_REGSEL, 4, number);
	ioapic_write(&f->ioapic, IOAPIC_WIN, 4, value);
}

static void put_entry(struct fixture *f, unsigned int pin, uint64_t entry)
{
	put(f, IOREDTBL + 2 * pin + 1, (uint32_t)(entry >> 32));
	put(f, IOREDTBL + 2 * pin, (uint32_t)entry);
}

static uint64_t get_entry(struct fixture *f, unsigned int pin)
{
	return get(f, IOREDTBL + 2 * pin) | (uint64_t)get(f, IOREDTBL + 2 * pin + 1) << 32;
}

static uint64_t to(uint8_t destination)
{
	return (uint64_t)destination << IOREDTBL_DESTINATION_SHIFT;
}

static void after_power_on(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(get(f, IOAPICID), 0);
	assert_int_equal(get(f, IOAPICVER), 0x00170020);
	assert_int_equal(get(f, IOAPICARB), 0);
	for (unsigned int pin = 0; pin < IOAPIC_PIN_COUNT; pin++)
		assert_true(get_entry(f, pin) == IOREDTBL_MASK);
	ioapic_init(&f->ioapic, IOAPIC_VERSION_82093AA, on_send, f);
	assert_int_equal(get(f, IOAPICVER), 0x00170011);
}

static void registers_keep_what_is_theirs(void **state)
{
	struct fixture *f = *state;

	put(f, IOAPICID, 0xffffffff);
	assert_int_equal(get(f, IOAPICID), 0x0f000000);
	assert_int_equal(get(f, IOAPICARB), 0x0f000000);
	put(f, IOAPICARB, 0);
	put(f, IOAPICVER, 0);
	assert_int_equal(get(f, IOAPICARB), 0x0f000000);
	assert_int_equal(get(f, IOAPICVER), 0x00170020);
	put_entry(f, 3, ~0ull);
	assert_true(get_entry(f, 3) == 0xff0000000001afff);
	for (unsigned int number = 0; number < 256; number++) {
		if (number <= IOAPICARB || (number >= IOREDTBL && number < IOREDTBL + 48))
			continue;
		put(f, number, 0xffffffff);
		assert_int_equal(get(f, number), 0);
	}
}

static void accesses_of_other_sizes(void **state)
{
	struct fixture *f = *state;

	put(f, IOAPICID, 0x05000000);
	assert_int_equal(ioapic_read(&f->ioapic, IOAPIC_WIN + 3, 1), 0x05);
	assert_int_equal(ioapic_read(&f->ioapic, IOAPIC_WIN + 2, 2), 0x0500);
	assert_int_equal(ioapic_read(&f->ioapic, IOAPIC_WIN + 2, 4), 0);
	assert_int_equal(ioapic_read(&f->ioapic, IOAPIC_WIN, 8), 0);
	ioapic_write(&f->ioapic, IOAPIC_WIN, 1, 0);
	ioapic_write(&f->ioapic, IOAPIC_WIN + 3, 1, 0);
	assert_int_equal(get(f, IOAPICID), 0x05000000);
	ioapic_write(&f->ioapic, IOAPIC_REGSEL, 1, IOAPICVER);
	assert_int_equal(ioapic_read(&f->ioapic, IOAPIC_REGSEL, 4), IOAPICVER);
	assert_int_equal(ioapic_read(&f->ioapic, IOAPIC_WIN, 4), 0x00170020);
	assert_int_equal(ioapic_read(&f->ioapic, 0x20, 4), 0);
}

static void edge_sends_once(void **state)
{
	struct fixture *f = *state;

	put_entry(f, 4, 0x31 | IOREDTBL_LOGICAL | 1 << 8 | to(0x83));
	ioapic_set_irq(&f->ioapic, 4, true);
	assert_int_equal(f->sent, 1);
	assert_int_equal(f->last.vector, 0x31);
	assert_int_equal(f->last.destination, 0x83);
	assert_int_equal(f->last.delivery, APIC_DELIVERY_LOWEST_PRIORITY);
	assert_true(f->last.logical);
	assert_false(f->last.level);
	assert_false(f->last.wide);
	ioapic_set_irq(&f->ioapic, 4, true);
	ioapic_set_irq(&f->ioapic, 4, false);
	assert_int_equal(f->sent, 1);
	ioapic_set_irq(&f->ioapic, 4, true);
	assert_int_equal(f->sent, 2);
	assert_false(get_entry(f, 4) & IOREDTBL_REMOTE_IRR);
}

/* 82093AA, 3.2.4: a masked edge is "not delivered or held pending". */
static void masked_edge_is_lost(void **state)
{
	struct fixture *f = *state;

	ioapic_set_irq(&f->ioapic, 14, true);
	put_entry(f, 14, 0x40);
	assert_int_equal(f->sent, 0);
	ioapic_set_irq(&f->ioapic, 14, false);
	ioapic_set_irq(&f->ioapic, 14, true);
	assert_int_equal(f->sent, 1);
}

static void level_waits_for_its_end(void **state)
{
	struct fixture *f = *state;

	put_entry(f, 20, 0x50 | IOREDTBL_LEVEL);
	ioapic_set_irq(&f->ioapic, 20, true);
	assert_int_equal(f->sent, 1);
	assert_true(f->last.level);
	assert_true(get_entry(f, 20) & IOREDTBL_REMOTE_IRR);
	ioapic_set_irq(&f->ioapic, 20, false);
	ioapic_set_irq(&f->ioapic, 20, true);
	assert_int_equal(f->sent, 1);
	ioapic_end_of_interrupt(&f->ioapic, 0x51);
	assert_int_equal(f->sent, 1);
	ioapic_end_of_interrupt(&f->ioapic, 0x50);
	assert_int_equal(f->sent, 2); /* it is still asserted */
	ioapic_set_irq(&f->ioapic, 20, false);
	ioapic_end_of_interrupt(&f->ioapic, 0x50);
	assert_int_equal(f->sent, 2);
	assert_false(get_entry(f, 20) & IOREDTBL_REMOTE_IRR);
}

static void masked_level_goes_out_when_unmasked(void **state)
{
	struct fixture *f = *state;

	put_entry(f, 20, 0x50 | IOREDTBL_LEVEL | IOREDTBL_MASK);
	ioapic_set_irq(&f->ioapic, 20, true);
	assert_int_equal(f->sent, 0);
	put_entry(f, 20, 0x50 | IOREDTBL_LEVEL);
	assert_int_equal(f->sent, 1);
	put_entry(f, 20, 0x50 | IOREDTBL_LEVEL | IOREDTBL_MASK);
	ioapic_end_of_interrupt(&f->ioapic, 0x50);
	assert_int_equal(f->sent, 1);
	put_entry(f, 20, 0x50 | IOREDTBL_LEVEL);
	assert_int_equal(f->sent, 2);
}

static void eoi_register_ends_a_level(void **state)
{
	struct fixture *f = *state;

	put_entry(f, 9, 0x60 | IOREDTBL_LEVEL);
	ioapic_set_irq(&f->ioapic, 9, true);
	ioapic_write(&f->ioapic, IOAPIC_EOI, 4, 0x60);
	assert_int_equal(f->sent, 2);

	ioapic_init(&f->ioapic, IOAPIC_VERSION_82093AA, on_send, f);
	f->sent = 0;
	put_entry(f, 9, 0x60 | IOREDTBL_LEVEL);
	ioapic_set_irq(&f->ioapic, 9, true);
	ioapic_write(&f->ioapic, IOAPIC_EOI, 4, 0x60);
	assert_int_equal(f->sent, 1);
	assert_true(get_entry(f, 9) & IOREDTBL_REMOTE_IRR);
}

/* How kernels end an interrupt where there is no EOI register. */
static void turning_to_edge_clears_remote_irr(void **state)
{
	struct fixture *f = *state;

	put_entry(f, 9, 0x60 | IOREDTBL_LEVEL);
	ioapic_set_irq(&f->ioapic, 9, true);
	put(f, IOREDTBL + 18, 0x60 | IOREDTBL_MASK);
	assert_false(get_entry(f, 9) & IOREDTBL_REMOTE_IRR);
	put(f, IOREDTBL + 18, 0x60 | IOREDTBL_LEVEL);
	assert_int_equal(f->sent, 2);
}

static void two_pins_with_one_vector(void **state)
{
	struct fixture *f = *state;

	put_entry(f, 16, 0x70 | IOREDTBL_LEVEL);
	put_entry(f, 17, 0x70 | IOREDTBL_LEVEL);
	ioapic_set_irq(&f->ioapic, 16, true);
	ioapic_set_irq(&f->ioapic, 17, true);
	assert_int_equal(f->sent, 2);
	ioapic_set_irq(&f->ioapic, 16, false);
	ioapic_end_of_interrupt(&f->ioapic, 0x70);
	assert_int_equal(f->sent, 3);
	assert_false(get_entry(f, 16) & IOREDTBL_REMOTE_IRR);
	assert_true(get_entry(f, 17) & IOREDTBL_REMOTE_IRR);
}

static void level_that_nobody_takes_is_pending(void **state)
{
	struct fixture *f = *state;

	f->takers = 0;
	put_entry(f, 16, 0x70 | IOREDTBL_LEVEL);
	ioapic_set_irq(&f->ioapic, 16, true);
	assert_true(get_entry(f, 16) & IOREDTBL_DELIVERY_STATUS);
	assert_false(get_entry(f, 16) & IOREDTBL_REMOTE_IRR);
	f->takers = 1;
	ioapic_set_irq(&f->ioapic, 17, true);
	assert_false(get_entry(f, 16) & IOREDTBL_DELIVERY_STATUS);
	assert_true(get_entry(f, 16) & IOREDTBL_REMOTE_IRR);

	f->takers = 0;
	ioapic_end_of_interrupt(&f->ioapic, 0x70);
	assert_true(get_entry(f, 16) & IOREDTBL_DELIVERY_STATUS);
	ioapic_set_irq(&f->ioapic, 16, false);
	assert_false(get_entry(f, 16) & IOREDTBL_DELIVERY_STATUS);
}

static void nmi_and_extint_are_edges(void **state)
{
	struct fixture *f = *state;
	const enum apic_delivery modes[] = { APIC_DELIVERY_NMI, APIC_DELIVERY_INIT,
					     APIC_DELIVERY_EXTINT, APIC_DELIVERY_SMI };

	for (unsigned int i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		f->sent = 0;
		put_entry(f, 5, (uint64_t)modes[i] << 8 | IOREDTBL_LEVEL | to(1));
		ioapic_set_irq(&f->ioapic, 5, true);
		assert_int_equal(f->sent, 1);
		assert_int_equal(f->last.delivery, modes[i]);
		assert_false(f->last.level);
		assert_false(get_entry(f, 5) & IOREDTBL_REMOTE_IRR);
		ioapic_set_irq(&f->ioapic, 5, false);
	}
	/* A pin cannot send a SIPI. */
	f->sent = 0;
	put_entry(f, 5, APIC_DELIVERY_STARTUP << 8);
	ioapic_set_irq(&f->ioapic, 5, true);
	assert_int_equal(f->sent, 0);
}

static void polarity_is_the_boards(void **state)
{
	struct fixture *f = *state;

	put_entry(f, 9, 0x60 | IOREDTBL_LEVEL | IOREDTBL_ACTIVE_LOW);
	assert_true(get_entry(f, 9) & IOREDTBL_ACTIVE_LOW);
	assert_int_equal(f->sent, 0);
	ioapic_set_irq(&f->ioapic, 9, true);
	assert_int_equal(f->sent, 1);
}

static void reset_keeps_the_wires(void **state)
{
	struct fixture *f = *state;

	put(f, IOAPICID, 0x01000000);
	put_entry(f, 9, 0x60 | IOREDTBL_LEVEL);
	ioapic_set_irq(&f->ioapic, 9, true);
	ioapic_reset(&f->ioapic);
	assert_true(get_entry(f, 9) == IOREDTBL_MASK);
	assert_int_equal(get(f, IOAPICID), 0);
	put_entry(f, 9, 0x60 | IOREDTBL_LEVEL);
	assert_int_equal(f->sent, 2);
}

static void pins_that_are_not_there(void **state)
{
	struct fixture *f = *state;

	ioapic_set_irq(&f->ioapic, IOAPIC_PIN_COUNT, true);
	ioapic_set_irq(&f->ioapic, UINT32_MAX, true);
	assert_int_equal(f->sent, 0);
	assert_int_equal(f->ioapic.lines, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(after_power_on, set_up),
		cmocka_unit_test_setup(registers_keep_what_is_theirs, set_up),
		cmocka_unit_test_setup(accesses_of_other_sizes, set_up),
		cmocka_unit_test_setup(edge_sends_once, set_up),
		cmocka_unit_test_setup(masked_edge_is_lost, set_up),
		cmocka_unit_test_setup(level_waits_for_its_end, set_up),
		cmocka_unit_test_setup(masked_level_goes_out_when_unmasked, set_up),
		cmocka_unit_test_setup(eoi_register_ends_a_level, set_up),
		cmocka_unit_test_setup(turning_to_edge_clears_remote_irr, set_up),
		cmocka_unit_test_setup(two_pins_with_one_vector, set_up),
		cmocka_unit_test_setup(level_that_nobody_takes_is_pending, set_up),
		cmocka_unit_test_setup(nmi_and_extint_are_edges, set_up),
		cmocka_unit_test_setup(polarity_is_the_boards, set_up),
		cmocka_unit_test_setup(reset_keeps_the_wires, set_up),
		cmocka_unit_test_setup(pins_that_are_not_there, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
