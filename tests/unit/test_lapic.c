/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/lapic_fixture.h"

/*
 * The local APIC against SDM 3, chapter 11: priorities, local sources, errors, modes,
 * the two sets of registers. IPIs and destinations are test_apic_bus.c's, the timer is
 * test_lapic_timer.c's.
 */

#define NMI    (APIC_DELIVERY_NMI << APIC_DELIVERY_SHIFT)
#define EXTINT (APIC_DELIVERY_EXTINT << APIC_DELIVERY_SHIFT)
#define BASE   0xfee00000ull

static bool receive(struct fixture *f, uint8_t vector, bool level)
{
	const struct apic_message message = {
		.delivery = APIC_DELIVERY_FIXED,
		.vector = vector,
		.level = level,
	};

	return lapic_receive(&f->cpu[0], &message);
}

/* ---- priorities ---------------------------------------------------------- */

static void highest_vector_first(void **state)
{
	struct fixture *f = *state;

	assert_true(receive(f, 0x31, false));
	assert_true(receive(f, 0x52, false));
	assert_true(receive(f, 0x51, false));
	assert_int_equal(get(f, 0, LAPIC_IRR + 2), 0x00060000);
	assert_int_equal(take(f, 0), 0x52);
	assert_int_equal(get(f, 0, LAPIC_IRR + 2), 0x00020000);
	assert_int_equal(get(f, 0, LAPIC_ISR + 2), 0x00040000);
	assert_int_equal(get(f, 0, LAPIC_PPR), 0x50);
	assert_int_equal(take(f, 0), -1); /* 0x51 is of the same class */
	receive(f, 0x61, false);
	assert_int_equal(take(f, 0), 0x61);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(get(f, 0, LAPIC_PPR), 0x50);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(take(f, 0), 0x51);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(take(f, 0), 0x31);
	put(f, 0, LAPIC_EOI, 0);
	put(f, 0, LAPIC_EOI, 0); /* nothing in service: does nothing */
	assert_int_equal(get(f, 0, LAPIC_PPR), 0);
	assert_int_equal(f->ends, 0);
}

static void one_vector_is_latched_twice_at_most(void **state)
{
	struct fixture *f = *state;

	receive(f, 0x40, false);
	receive(f, 0x40, false);
	assert_int_equal(take(f, 0), 0x40);
	receive(f, 0x40, false);
	receive(f, 0x40, false);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(take(f, 0), 0x40);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(take(f, 0), -1);
}

static void task_priority(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_TPR, 0x45);
	assert_int_equal(lapic_cr8(&f->cpu[0]), 4);
	assert_int_equal(get(f, 0, LAPIC_PPR), 0x45);
	receive(f, 0x4f, false);
	assert_int_equal(take(f, 0), -1);
	/* CR8 may have fallen by now: the processor is asked, */
	assert_int_equal(f->wakes[0], 1);
	lapic_set_cr8(&f->cpu[0], 3);
	/* and told. */
	assert_int_equal(f->wakes[0], 2);
	assert_int_equal(get(f, 0, LAPIC_TPR), 0x30);
	assert_int_equal(take(f, 0), 0x4f);
	lapic_set_cr8(&f->cpu[0], 15);
	receive(f, 0xff, false);
	assert_int_equal(take(f, 0), -1);
}

/* SDM 3, 11.9: what was offered may be gone at INTA. */
static void spurious_vector(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xef);
	receive(f, 0x30, false);
	lapic_set_cr8(&f->cpu[0], 9);
	assert_int_equal(lapic_acknowledge(&f->cpu[0]), 0xef);
	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(get(f, 0, LAPIC_ISR + i), 0);
	assert_int_equal(get(f, 0, LAPIC_IRR + 1), 0x00010000);
}

static void arbitration_priority(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_TPR, 0x73);
	assert_int_equal(get(f, 0, LAPIC_APR), 0x73);
	receive(f, 0x91, false);
	assert_int_equal(get(f, 0, LAPIC_APR), 0x90);
	take(f, 0);
	/* Not above what is in service: the classes' AND. */
	assert_int_equal(get(f, 0, LAPIC_APR), 0x70 & 0x90);
}

/* ---- level-triggered, and its end ------------------------------------------ */

static void level_is_broadcast_at_its_end(void **state)
{
	struct fixture *f = *state;

	receive(f, 0x41, true);
	receive(f, 0x31, false);
	assert_int_equal(get(f, 0, LAPIC_TMR + 2), 0x2);
	take(f, 0);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(f->ends, 1);
	assert_int_equal(f->last_end, 0x41);
	take(f, 0);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(f->ends, 1);
	receive(f, 0x41, false);
	assert_int_equal(get(f, 0, LAPIC_TMR + 2), 0);
}

static void broadcast_can_be_suppressed(void **state)
{
	struct fixture *f = *state;

	assert_true(get(f, 0, LAPIC_VERSION) & LAPIC_VERSION_EOI_SUPPRESSION);
	put(f, 0, LAPIC_SVR, LAPIC_SVR_ENABLE | LAPIC_SVR_EOI_SUPPRESSION | 0xff);
	receive(f, 0x41, true);
	take(f, 0);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(f->ends, 0);
	assert_int_equal(get(f, 0, LAPIC_PPR), 0);
}

/* ---- the local vector table -------------------------------------------------- */

static void lint0_carries_the_8259(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_LINT0, EXTINT);
	lapic_set_lint(&f->cpu[0], 0, true);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_EXTINT);
	assert_int_equal(f->wakes[0], 1);
	lapic_take_extint(&f->cpu[0]);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_EXTINT); /* the pin says when it ends */
	lapic_set_cr8(&f->cpu[0], 15);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_EXTINT); /* and TPR has no say */
	lapic_set_lint(&f->cpu[0], 0, false);
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
	lapic_set_lint(&f->cpu[0], 0, true);
	put(f, 0, LAPIC_LVT_LINT0, EXTINT | LAPIC_LVT_MASK);
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
	put(f, 0, LAPIC_LVT_LINT0, EXTINT);
	assert_int_equal(f->wakes[0], 3);
}

static void lint1_is_nmi(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_LINT1, NMI);
	lapic_set_lint(&f->cpu[0], 1, true);
	lapic_set_lint(&f->cpu[0], 1, true);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_NMI);
	lapic_take_nmi(&f->cpu[0]);
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
	lapic_set_lint(&f->cpu[0], 1, false);
	lapic_set_lint(&f->cpu[0], 1, true);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_NMI);
}

static void lint_edge_and_level(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_LINT0, 0x44);
	lapic_set_lint(&f->cpu[0], 0, true);
	assert_int_equal(take(f, 0), 0x44);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(take(f, 0), -1);

	put(f, 0, LAPIC_LVT_LINT0, 0x45 | LAPIC_LVT_LEVEL); /* it is high already */
	assert_int_equal(take(f, 0), 0x45);
	assert_true(get(f, 0, LAPIC_LVT_LINT0) & LAPIC_LVT_REMOTE_IRR);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(take(f, 0), 0x45);
	lapic_set_lint(&f->cpu[0], 0, false);
	put(f, 0, LAPIC_EOI, 0);
	assert_false(get(f, 0, LAPIC_LVT_LINT0) & LAPIC_LVT_REMOTE_IRR);
	assert_int_equal(take(f, 0), -1);
	/* LINT1 does not know levels. */
	put(f, 0, LAPIC_LVT_LINT1, 0x46 | LAPIC_LVT_LEVEL);
	lapic_set_lint(&f->cpu[0], 1, true);
	assert_int_equal(take(f, 0), 0x46);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(take(f, 0), -1);
}

static void other_local_sources(void **state)
{
	struct fixture *f = *state;

	lapic_local_event(&f->cpu[0], LAPIC_LVT_THERMAL);
	assert_int_equal(take(f, 0), -1); /* masked */
	put(f, 0, LAPIC_LVT_THERMAL, 0x80);
	put(f, 0, LAPIC_LVT_PERFORMANCE, NMI);
	lapic_local_event(&f->cpu[0], LAPIC_LVT_THERMAL);
	assert_int_equal(take(f, 0), 0x80);
	lapic_local_event(&f->cpu[0], LAPIC_LVT_PERFORMANCE);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_NMI);
	assert_int_equal(get(f, 0, LAPIC_LVT_PERFORMANCE), NMI | LAPIC_LVT_MASK);
}

static void errors_are_logged_and_told_once(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_ERROR, 0xfe);
	assert_int_equal(get(f, 0, LAPIC_ESR), 0);
	assert_false(receive(f, 0x0f, false));
	assert_int_equal(take(f, 0), 0xfe);
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(get(f, 0, LAPIC_ESR), 0); /* only a write shows it */
	get(f, 0, 0x00);
	assert_int_equal(take(f, 0), -1); /* told already */
	put(f, 0, LAPIC_ESR, 0x55);
	assert_int_equal(get(f, 0, LAPIC_ESR),
			 LAPIC_ESR_RECEIVE_ILLEGAL_VECTOR | LAPIC_ESR_ILLEGAL_REGISTER);
	put(f, 0, LAPIC_ESR, 0);
	assert_int_equal(get(f, 0, LAPIC_ESR), 0);
	put(f, 0, LAPIC_ICR, 0x0f);
	assert_int_equal(take(f, 0), 0xfe);
	put(f, 0, LAPIC_ESR, 0);
	assert_int_equal(get(f, 0, LAPIC_ESR), LAPIC_ESR_SEND_ILLEGAL_VECTOR);
}

/* An error entry with an illegal vector is an error that cannot be told. */
static void error_in_the_error_entry(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_ERROR, 0x05);
	put(f, 0, LAPIC_ICR, 0x03);
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
	put(f, 0, LAPIC_ESR, 0);
	assert_int_equal(get(f, 0, LAPIC_ESR),
			 LAPIC_ESR_SEND_ILLEGAL_VECTOR | LAPIC_ESR_RECEIVE_ILLEGAL_VECTOR);
}

/* ---- registers ----------------------------------------------------------------- */

static void after_power_on(void **state)
{
	struct fixture *f = *state;
	uint64_t base;

	for (unsigned int i = 0; i < CPUS; i++) {
		assert_true(lapic_read_msr(&f->cpu[i], IA32_APIC_BASE, &base, 0));
		assert_int_equal(base, BASE | IA32_APIC_BASE_EN | (i ? 0 : IA32_APIC_BASE_BSP));
		assert_int_equal(get(f, i, LAPIC_ID), i << 24);
		assert_int_equal(get(f, i, LAPIC_VERSION), 0x01050014);
		assert_int_equal(get(f, i, LAPIC_SVR), 0xff);
		assert_int_equal(get(f, i, LAPIC_DFR), 0xffffffff);
		assert_int_equal(get(f, i, LAPIC_LDR), 0);
		for (unsigned int n = LAPIC_LVT_TIMER; n <= LAPIC_LVT_ERROR; n++)
			assert_int_equal(get(f, i, n), LAPIC_LVT_MASK);
		assert_int_equal(f->cpu[i].waits_for_sipi, i != 0);
	}
}

static void page_keeps_reserved_bits_clear(void **state)
{
	struct fixture *f = *state;
	static const struct {
		unsigned int number;
		uint32_t reads;
	} expected[] = {
		{ LAPIC_ID, 0 },
		{ LAPIC_VERSION, 0x01050014 },
		{ LAPIC_TPR, 0xff },
		{ LAPIC_PPR, 0xff },
		{ LAPIC_RRD, 0 },
		{ LAPIC_LDR, 0xff000000 },
		{ LAPIC_DFR, 0xffffffff },
		{ LAPIC_SVR, 0x13ff },
		{ LAPIC_ICR_HIGH, 0xff000000 },
		{ LAPIC_LVT_THERMAL, 0x107ff },
		{ LAPIC_LVT_PERFORMANCE, 0x107ff },
		{ LAPIC_LVT_LINT0, 0x1a7ff },
		{ LAPIC_LVT_LINT1, 0x1a7ff },
		{ LAPIC_LVT_ERROR, 0x100ff },
		{ LAPIC_INITIAL_COUNT, 0xffffffff },
		{ LAPIC_DIVIDE, 0xb },
	};

	put(f, 0, LAPIC_SVR, 0xffffffff);
	for (unsigned int i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
		put(f, 0, expected[i].number, 0xffffffff);
		assert_int_equal(get(f, 0, expected[i].number), expected[i].reads);
	}
	put(f, 0, LAPIC_DFR, 0);
	assert_int_equal(get(f, 0, LAPIC_DFR), 0x0fffffff);
	put(f, 0, LAPIC_ICR, 0x000cfaff & ~0x700u);
	assert_int_equal(get(f, 0, LAPIC_ICR), 0x000cc8ff);
}

/* SDM 3, 11.4.1: 32 bits at multiples of 16. */
static void accesses_of_other_sizes(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_TPR, 0x20);
	lapic_write(&f->cpu[0], LAPIC_TPR * 16, 1, 0x30, 0);
	lapic_write(&f->cpu[0], LAPIC_TPR * 16, 2, 0x30, 0);
	lapic_write(&f->cpu[0], LAPIC_TPR * 16 + 1, 4, 0x30, 0);
	lapic_write(&f->cpu[0], LAPIC_TPR * 16 + 4, 4, 0x30, 0);
	lapic_write(&f->cpu[0], LAPIC_TPR * 16, 8, 0x30, 0);
	assert_int_equal(get(f, 0, LAPIC_TPR), 0x20);
	assert_int_equal(lapic_read(&f->cpu[0], LAPIC_VERSION * 16 + 2, 1, 0), 0x05);
	assert_int_equal(lapic_read(&f->cpu[0], LAPIC_VERSION * 16 + 2, 2, 0), 0x0105);
	assert_int_equal(lapic_read(&f->cpu[0], LAPIC_VERSION * 16 + 2, 4, 0), 0);
	assert_int_equal(lapic_read(&f->cpu[0], LAPIC_VERSION * 16, 8, 0), 0);
	assert_int_equal(lapic_read(&f->cpu[0], LAPIC_VERSION * 16 + 8, 4, 0), 0);
	put(f, 0, LAPIC_ESR, 0);
	assert_int_equal(get(f, 0, LAPIC_ESR), 0); /* the register was there each time */
}

static void registers_that_are_not_there(void **state)
{
	struct fixture *f = *state;
	const unsigned int numbers[] = {
		0x00, 0x01, 0x04, 0x07, 0x29, 0x2f, 0x3a, 0x3f, 0x40, 0xff
	};

	for (unsigned int i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		put(f, 0, LAPIC_ESR, 0);
		put(f, 0, numbers[i], 0xffffffff);
		assert_int_equal(get(f, 0, numbers[i]), 0);
		put(f, 0, LAPIC_ESR, 0);
		assert_int_equal(get(f, 0, LAPIC_ESR), LAPIC_ESR_ILLEGAL_REGISTER);
	}
}

/* What each x2APIC MSR allows: SDM 3, table 11-6. */
static void x2apic_msrs(void **state)
{
	struct fixture *f = *state;
	const char *kind[0x100] = {
		[LAPIC_ID] = "r",
		[LAPIC_VERSION] = "r",
		[LAPIC_TPR] = "rw",
		[LAPIC_PPR] = "r",
		[LAPIC_EOI] = "w",
		[LAPIC_LDR] = "r",
		[LAPIC_SVR] = "rw",
		[LAPIC_ESR] = "rw",
		[LAPIC_ICR] = "rw",
		[LAPIC_LVT_TIMER] = "rw",
		[LAPIC_LVT_THERMAL] = "rw",
		[LAPIC_LVT_PERFORMANCE] = "rw",
		[LAPIC_LVT_LINT0] = "rw",
		[LAPIC_LVT_LINT1] = "rw",
		[LAPIC_LVT_ERROR] = "rw",
		[LAPIC_INITIAL_COUNT] = "rw",
		[LAPIC_CURRENT_COUNT] = "r",
		[LAPIC_DIVIDE] = "rw",
	};
	uint64_t value;

	for (unsigned int n = 0; n < 0x100; n++) {
		assert_false(get_msr(f, 0, n, &value)); /* xAPIC mode has none */
		assert_false(put_msr(f, 0, n, 0));
	}
	enter_x2apic(f, 0);
	for (unsigned int n = 0; n < 0x100; n++) {
		const char *k = kind[n] ? kind[n] : n >= LAPIC_ISR && n < LAPIC_ESR ? "r" : "";

		assert_int_equal(get_msr(f, 0, n, &value), !!strchr(k, 'r'));
		if (n == LAPIC_SVR)
			assert_true(put_msr(f, 0, n, 0x1ff));
		else if (n == LAPIC_SELF_IPI)
			assert_true(put_msr(f, 0, n, 0x20));
		else
			assert_int_equal(put_msr(f, 0, n, 0), !!strchr(k, 'w'));
		assert_false(put_msr(f, 0, n, 1ull << 32) && n != LAPIC_ICR);
	}
}

static void x2apic_reserved_bits_fault(void **state)
{
	struct fixture *f = *state;
	static const struct {
		unsigned int number;
		uint32_t allowed;
	} rules[] = {
		{ LAPIC_TPR, 0xff },
		{ LAPIC_EOI, 0 },
		{ LAPIC_SVR, 0x13ff },
		{ LAPIC_ESR, 0 },
		{ LAPIC_ICR, 0x000cdfff },
		{ LAPIC_LVT_TIMER, 0x750ff },
		{ LAPIC_LVT_THERMAL, 0x157ff },
		{ LAPIC_LVT_PERFORMANCE, 0x157ff },
		{ LAPIC_LVT_LINT0, 0x1f7ff },
		{ LAPIC_LVT_LINT1, 0x1f7ff },
		{ LAPIC_LVT_ERROR, 0x150ff },
		{ LAPIC_INITIAL_COUNT, 0xffffffff },
		{ LAPIC_DIVIDE, 0xb },
		{ LAPIC_SELF_IPI, 0xff },
	};

	enter_x2apic(f, 0);
	for (unsigned int i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		for (unsigned int bit = 0; bit < 32; bit++)
			assert_int_equal(put_msr(f, 0, rules[i].number, 1u << bit),
					 rules[i].allowed >> bit & 1);
}

static void x2apic_registers_change_shape(void **state)
{
	struct fixture *f = *state;
	uint64_t value;

	put(f, 3, LAPIC_LDR, 0x08000000);
	put(f, 3, LAPIC_ICR_HIGH, 0x02000000);
	put(f, 3, LAPIC_TPR, 0x30);
	enter_x2apic(f, 3);
	assert_true(get_msr(f, 3, LAPIC_ID, &value));
	assert_int_equal(value, 3);
	assert_true(get_msr(f, 3, LAPIC_LDR, &value));
	assert_int_equal(value, 8);
	assert_true(get_msr(f, 3, LAPIC_ICR, &value));
	assert_int_equal(value, 0);
	assert_true(get_msr(f, 3, LAPIC_TPR, &value)); /* the rest stays */
	assert_int_equal(value, 0x30);
	assert_true(put_msr(f, 3, LAPIC_ICR, 0x1234567800000045));
	assert_true(get_msr(f, 3, LAPIC_ICR, &value));
	assert_true(value == 0x1234567800000045);
	assert_false(lapic_has_page(&f->cpu[3]));
}

/* ---- modes ------------------------------------------------------------------------ */

static void ways_between_the_modes(void **state)
{
	struct fixture *f = *state;
	const uint64_t off = BASE, xapic = BASE | IA32_APIC_BASE_EN,
		       x2apic = xapic | IA32_APIC_BASE_EXTD, invalid = BASE | IA32_APIC_BASE_EXTD;

	assert_false(put_base(f, 1, invalid));
	assert_true(put_base(f, 1, xapic));
	assert_true(put_base(f, 1, x2apic));
	assert_true(put_base(f, 1, x2apic));
	assert_false(put_base(f, 1, xapic));
	assert_false(put_base(f, 1, invalid));
	assert_true(put_base(f, 1, off));
	assert_false(put_base(f, 1, x2apic));
	assert_true(put_base(f, 1, off));
	assert_true(put_base(f, 1, xapic));
	for (unsigned int bit = 0; bit < 64; bit++) {
		if (bit == 8 || bit == 10 || bit == 11 || (bit >= 12 && bit < 52))
			continue;
		assert_false(put_base(f, 1, xapic | 1ull << bit));
	}
	assert_true(put_base(f, 1, 0x123456000 | IA32_APIC_BASE_EN));
	assert_true(lapic_page(&f->cpu[1]) == 0x123456000);

	build(f, false, false);
	assert_false(put_base(f, 0, x2apic));
}

static void disabled_forgets_everything(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LDR, 0x01000000);
	put(f, 0, LAPIC_LVT_LINT0, EXTINT);
	receive(f, 0x40, false);
	assert_true(put_base(f, 0, BASE | IA32_APIC_BASE_BSP));
	assert_false(lapic_has_page(&f->cpu[0]));
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
	assert_false(receive(f, 0x40, false));
	/* Without an APIC the pins are INTR and NMI. */
	lapic_set_lint(&f->cpu[0], 0, true);
	lapic_set_lint(&f->cpu[0], 1, true);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_EXTINT | LAPIC_NMI);
	lapic_take_nmi(&f->cpu[0]);
	assert_true(put_base(f, 0, BASE | IA32_APIC_BASE_BSP | IA32_APIC_BASE_EN));
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
	assert_int_equal(get(f, 0, LAPIC_SVR), 0xff);
	assert_int_equal(get(f, 0, LAPIC_LDR), 0);
	assert_int_equal(get(f, 0, LAPIC_LVT_LINT0), LAPIC_LVT_MASK);
	assert_int_equal(get(f, 0, LAPIC_ID), 0);
}

/* SDM 3, 11.4.7.2 */
static void disabled_by_software(void **state)
{
	struct fixture *f = *state;
	const struct apic_message nmi = { .delivery = APIC_DELIVERY_NMI };

	put(f, 0, LAPIC_LVT_THERMAL, 0x50);
	receive(f, 0x40, false);
	put(f, 0, LAPIC_SVR, 0xff);
	assert_int_equal(get(f, 0, LAPIC_LVT_THERMAL), 0x50 | LAPIC_LVT_MASK);
	put(f, 0, LAPIC_LVT_THERMAL, 0x51);
	assert_int_equal(get(f, 0, LAPIC_LVT_THERMAL), 0x51 | LAPIC_LVT_MASK);
	assert_false(receive(f, 0x41, false));
	assert_true(lapic_receive(&f->cpu[0], &nmi));
	assert_int_equal(take(f, 0), 0x40); /* what was there already is held */
	put(f, 0, LAPIC_SVR, 0x1ff);
	assert_int_equal(get(f, 0, LAPIC_LVT_THERMAL), 0x51 | LAPIC_LVT_MASK);
}

static void virtual_wire(void **state)
{
	struct fixture *f = *state;

	lapic_set_lint(&f->cpu[0], 0, true);
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
	lapic_virtual_wire(&f->cpu[0]);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_EXTINT);
	lapic_set_lint(&f->cpu[0], 1, true);
	assert_int_equal(lapic_pending(&f->cpu[0]), LAPIC_EXTINT | LAPIC_NMI);
	assert_int_equal(get(f, 0, LAPIC_SVR), 0x1ff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(highest_vector_first, set_up),
		cmocka_unit_test_setup(one_vector_is_latched_twice_at_most, set_up),
		cmocka_unit_test_setup(task_priority, set_up),
		cmocka_unit_test_setup(spurious_vector, set_up),
		cmocka_unit_test_setup(arbitration_priority, set_up),
		cmocka_unit_test_setup(level_is_broadcast_at_its_end, set_up),
		cmocka_unit_test_setup(broadcast_can_be_suppressed, set_up),
		cmocka_unit_test_setup(lint0_carries_the_8259, set_up),
		cmocka_unit_test_setup(lint1_is_nmi, set_up),
		cmocka_unit_test_setup(lint_edge_and_level, set_up),
		cmocka_unit_test_setup(other_local_sources, set_up),
		cmocka_unit_test_setup(errors_are_logged_and_told_once, set_up),
		cmocka_unit_test_setup(error_in_the_error_entry, set_up),
		cmocka_unit_test_setup(after_power_on, set_up_power_on),
		cmocka_unit_test_setup(page_keeps_reserved_bits_clear, set_up),
		cmocka_unit_test_setup(accesses_of_other_sizes, set_up),
		cmocka_unit_test_setup(registers_that_are_not_there, set_up),
		cmocka_unit_test_setup(x2apic_msrs, set_up),
		cmocka_unit_test_setup(x2apic_reserved_bits_fault, set_up),
		cmocka_unit_test_setup(x2apic_registers_change_shape, set_up),
		cmocka_unit_test_setup(ways_between_the_modes, set_up),
		cmocka_unit_test_setup(disabled_forgets_everything, set_up),
		cmocka_unit_test_setup(disabled_by_software, set_up),
		cmocka_unit_test_setup(virtual_wire, set_up_power_on),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
