/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/lapic_fixture.h"

/* The local APIC's timer: SDM 3, 11.5.4. One undivided count is one nanosecond. */

#define VECTOR	    0xec
#define DIVIDE_BY_1 0xb

static uint64_t tick_at(struct fixture *f, uint64_t now)
{
	f->now = now;
	return lapic_tick(&f->cpu[0], now);
}

/* Takes and ends the timer's interrupt if it is there. */
static bool fired(struct fixture *f)
{
	int vector = take(f, 0);

	if (vector < 0)
		return false;
	assert_int_equal(vector, VECTOR);
	put(f, 0, LAPIC_EOI, 0);
	return true;
}

static void start(struct fixture *f, uint32_t lvt, uint32_t count)
{
	put(f, 0, LAPIC_DIVIDE, DIVIDE_BY_1);
	put(f, 0, LAPIC_LVT_TIMER, lvt | VECTOR);
	put(f, 0, LAPIC_INITIAL_COUNT, count);
}

static void one_shot(void **state)
{
	struct fixture *f = *state;

	f->now = 5000;
	start(f, LAPIC_LVT_TIMER_ONE_SHOT, 1000);
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 1000);
	assert_int_equal(tick_at(f, 5400), 6000);
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 600);
	assert_int_equal(tick_at(f, 5999), 6000);
	assert_false(fired(f));
	assert_true(tick_at(f, 6000) == DEV_NEVER);
	assert_true(fired(f));
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 0);
	assert_int_equal(get(f, 0, LAPIC_INITIAL_COUNT), 1000);
	assert_true(tick_at(f, SECOND) == DEV_NEVER);
	assert_false(fired(f));
}

static void zero_stops(void **state)
{
	struct fixture *f = *state;

	start(f, LAPIC_LVT_TIMER_PERIODIC, 1000000);
	put(f, 0, LAPIC_INITIAL_COUNT, 0);
	assert_true(tick_at(f, SECOND) == DEV_NEVER);
	assert_false(fired(f));
}

static void dividers(void **state)
{
	struct fixture *f = *state;
	static const uint8_t codes[] = { 0xb, 0x0, 0x1, 0x2, 0x3, 0x8, 0x9, 0xa };

	for (unsigned int i = 0; i < sizeof(codes); i++) {
		f->now = 0;
		start(f, LAPIC_LVT_TIMER_ONE_SHOT, 1000);
		put(f, 0, LAPIC_DIVIDE, codes[i]);
		assert_int_equal(lapic_tick(&f->cpu[0], 0), 1000u << i);
		f->now = 10u << i;
		assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 990);
	}
}

static void divider_changes_on_the_way(void **state)
{
	struct fixture *f = *state;

	start(f, LAPIC_LVT_TIMER_ONE_SHOT, 1000);
	f->now = 400;
	put(f, 0, LAPIC_DIVIDE, 0); /* by 2 */
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 600);
	assert_int_equal(tick_at(f, 500), 400 + 2 * 600);
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 550);
}

static void periodic(void **state)
{
	struct fixture *f = *state;

	start(f, LAPIC_LVT_TIMER_PERIODIC, 1000000);
	assert_int_equal(tick_at(f, 10), 1000000);
	assert_int_equal(tick_at(f, 1000003), 2000000);
	assert_true(fired(f));
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 1000000 - 3);
	assert_int_equal(tick_at(f, 2000000), 3000000);
	assert_true(fired(f));
	/* Late by a thousand periods and a bit: one interrupt, and still in phase. */
	assert_int_equal(tick_at(f, 1002000500), 1003000000);
	assert_true(fired(f));
	assert_false(fired(f));
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 1000000 - 500);
}

/* A guest cannot make the host spin: the count runs as told, the interrupts merge. */
static void shortest_period(void **state)
{
	struct fixture *f = *state;
	uint64_t now = 1, next;

	start(f, LAPIC_LVT_TIMER_PERIODIC, 1);
	for (unsigned int i = 0; i < 100; i++) {
		next = tick_at(f, now);
		assert_true(next >= now + LAPIC_TIMER_PACE_NS);
		assert_true(fired(f));
		assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 1);
		fired(f);
		now = next;
	}
}

/* Nor can it be held in handlers for ever: after each it has a moment for itself. */
static void slow_handlers(void **state)
{
	struct fixture *f = *state;

	start(f, LAPIC_LVT_TIMER_PERIODIC, 100000);
	tick_at(f, 100000);
	assert_int_equal(take(f, 0), VECTOR);
	f->now = 900000; /* a handler of eight periods */
	put(f, 0, LAPIC_EOI, 0);
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 100000);
	assert_int_equal(take(f, 0), -1);
	assert_int_equal(tick_at(f, 900001), 900000 + LAPIC_TIMER_PACE_NS);
	f->now += LAPIC_TIMER_PACE_NS - 2;
	get(f, 0, LAPIC_CURRENT_COUNT);
	assert_int_equal(take(f, 0), -1);
	tick_at(f, 900000 + LAPIC_TIMER_PACE_NS);
	assert_true(fired(f));
	assert_false(fired(f));
}

static void masked_counts_in_silence(void **state)
{
	struct fixture *f = *state;

	start(f, LAPIC_LVT_TIMER_PERIODIC | LAPIC_LVT_MASK, 1000000);
	assert_true(tick_at(f, 2500000) == DEV_NEVER);
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 500000);
	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_PERIODIC | VECTOR);
	assert_false(fired(f)); /* what it missed is gone */
	assert_int_equal(tick_at(f, 2500000), 3000000);
	tick_at(f, 3000000);
	assert_true(fired(f));
}

static void a_reader_sees_it_before_the_tick(void **state)
{
	struct fixture *f = *state;

	start(f, LAPIC_LVT_TIMER_ONE_SHOT, 1000);
	f->now = 1000;
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 0);
	assert_int_equal(f->wakes[0], 1);
	assert_true(fired(f));
}

static void longest_count(void **state)
{
	struct fixture *f = *state;
	const uint64_t whole = 0xffffffffull << 7;

	start(f, LAPIC_LVT_TIMER_PERIODIC, 0xffffffff);
	put(f, 0, LAPIC_DIVIDE, 0xa); /* by 128 */
	assert_true(tick_at(f, 0) == whole);
	assert_true(tick_at(f, whole - 1) == whole);
	assert_false(fired(f));
	assert_true(tick_at(f, whole) == 2 * whole);
	assert_true(fired(f));
	assert_true(tick_at(f, 1ull << 62) > 1ull << 62);
}

static bool arm(struct fixture *f, uint64_t deadline)
{
	return lapic_write_msr(&f->cpu[0], IA32_TSC_DEADLINE, deadline, f->now);
}

static uint64_t armed(struct fixture *f)
{
	uint64_t value = 1;

	assert_true(lapic_read_msr(&f->cpu[0], IA32_TSC_DEADLINE, &value, f->now));
	return value;
}

static void tsc_deadline(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR);
	f->now = 1000;
	/* 3 ticks a nanosecond; 3001 ticks are over 1000 ns: rounded up. */
	assert_true(arm(f, TSC_START + 3000 + 3001));
	assert_int_equal(armed(f), TSC_START + 6001);
	assert_int_equal(tick_at(f, 1500), 2001);
	assert_int_equal(tick_at(f, 2000), 2001);
	assert_false(fired(f));
	assert_true(tick_at(f, 2001) == DEV_NEVER);
	assert_true(fired(f));
	assert_int_equal(armed(f), 0);
}

static void tsc_deadline_in_the_past(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR);
	f->now = 1000;
	assert_true(arm(f, 1));
	assert_true(fired(f));
	assert_int_equal(armed(f), 0);
	assert_true(arm(f, TSC_START + 3 * 5000));
	assert_true(arm(f, 0)); /* disarms */
	assert_true(tick_at(f, SECOND) == DEV_NEVER);
	assert_false(fired(f));
}

static void tsc_deadline_beyond_time(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR);
	assert_true(arm(f, UINT64_MAX));
	assert_true(armed(f) == UINT64_MAX);
	assert_false(fired(f));
	assert_true(tick_at(f, SECOND) > 1000 * SECOND);
}

static void tsc_changes(void **state)
{
	struct fixture *f = *state;

	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR);
	f->now = 1000;
	assert_true(arm(f, TSC_START + 3 * 1000 + 12000));
	assert_int_equal(tick_at(f, 1000), 5000);
	/* Half as fast: what is left takes twice as long. */
	lapic_tsc_changed(&f->cpu[0], TSC_HZ / 2, f->now);
	assert_int_equal(tick_at(f, 1000), 9000);
	assert_int_equal(armed(f), TSC_START + 15000);
	assert_false(fired(f));
	/* And so fast that it has been reached. */
	f->now = 6000;
	lapic_tsc_changed(&f->cpu[0], TSC_HZ, f->now);
	assert_true(fired(f));
	assert_int_equal(armed(f), 0);
	/* One that waits for nothing has nothing to compute anew. */
	lapic_tsc_changed(&f->cpu[0], TSC_HZ, f->now);
	assert_true(tick_at(f, SECOND) == DEV_NEVER);
	assert_false(fired(f));
}

static void modes_do_not_mix(void **state)
{
	struct fixture *f = *state;

	/* No deadline while the timer counts. */
	start(f, LAPIC_LVT_TIMER_ONE_SHOT, 1000000);
	assert_true(arm(f, 1));
	assert_int_equal(armed(f), 0);
	assert_false(fired(f));
	/* No count while it compares; the way there disarms. */
	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR);
	assert_int_equal(get(f, 0, LAPIC_CURRENT_COUNT), 0);
	assert_int_equal(get(f, 0, LAPIC_DIVIDE), DIVIDE_BY_1);
	put(f, 0, LAPIC_INITIAL_COUNT, 1000);
	assert_int_equal(get(f, 0, LAPIC_INITIAL_COUNT), 0);
	assert_true(tick_at(f, SECOND) == DEV_NEVER);
	/* And the way back. */
	arm(f, TSC_START + 100 * TSC_HZ);
	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_PERIODIC | VECTOR);
	assert_int_equal(armed(f), 0);
	assert_true(tick_at(f, 200 * SECOND) == DEV_NEVER);
	assert_false(fired(f));
	/* From one-shot to periodic it counts on. */
	start(f, LAPIC_LVT_TIMER_ONE_SHOT, 1000000);
	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_PERIODIC | VECTOR);
	assert_true(tick_at(f, f->now) == 200 * SECOND + 1000000);
}

static void without_a_tsc(void **state)
{
	struct fixture *f = *state;
	uint64_t value;

	build(f, false, true);
	put(f, 0, LAPIC_SVR, 0x1ff);
	assert_false(lapic_write_msr(&f->cpu[0], IA32_TSC_DEADLINE, 1, 0));
	assert_false(lapic_read_msr(&f->cpu[0], IA32_TSC_DEADLINE, &value, 0));
	put(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR);
	assert_int_equal(get(f, 0, LAPIC_LVT_TIMER), VECTOR);
	enter_x2apic(f, 0);
	assert_false(put_msr(f, 0, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR));
}

static void reserved_mode_is_one_shot(void **state)
{
	struct fixture *f = *state;

	start(f, LAPIC_LVT_TIMER_MODE, 1000);
	assert_int_equal(get(f, 0, LAPIC_LVT_TIMER), VECTOR);
	tick_at(f, 5000);
	assert_true(fired(f));
	assert_true(tick_at(f, 9000) == DEV_NEVER);
}

static void reset_stops_it(void **state)
{
	struct fixture *f = *state;

	start(f, LAPIC_LVT_TIMER_PERIODIC, 1000000);
	lapic_take_init(&f->cpu[0]);
	assert_true(tick_at(f, SECOND) == DEV_NEVER);
	assert_int_equal(get(f, 0, LAPIC_INITIAL_COUNT), 0);
	assert_int_equal(get(f, 0, LAPIC_DIVIDE), 0);
	assert_int_equal(lapic_pending(&f->cpu[0]), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(one_shot, set_up),
		cmocka_unit_test_setup(zero_stops, set_up),
		cmocka_unit_test_setup(dividers, set_up),
		cmocka_unit_test_setup(divider_changes_on_the_way, set_up),
		cmocka_unit_test_setup(periodic, set_up),
		cmocka_unit_test_setup(shortest_period, set_up),
		cmocka_unit_test_setup(slow_handlers, set_up),
		cmocka_unit_test_setup(masked_counts_in_silence, set_up),
		cmocka_unit_test_setup(a_reader_sees_it_before_the_tick, set_up),
		cmocka_unit_test_setup(longest_count, set_up),
		cmocka_unit_test_setup(tsc_deadline, set_up),
		cmocka_unit_test_setup(tsc_deadline_in_the_past, set_up),
		cmocka_unit_test_setup(tsc_deadline_beyond_time, set_up),
		cmocka_unit_test_setup(tsc_changes, set_up),
		cmocka_unit_test_setup(modes_do_not_mix, set_up),
		cmocka_unit_test_setup(without_a_tsc, set_up),
		cmocka_unit_test_setup(reserved_mode_is_one_shot, set_up),
		cmocka_unit_test_setup(reset_stops_it, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
