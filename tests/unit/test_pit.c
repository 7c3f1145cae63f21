/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/pit_fixture.h"

/*
 * The 8254's ports, latches and interrupts. How its counters count is
 * tests/unit/test_pit_counter.c's matter.
 */

/* ---- access ------------------------------------------------------------------------- */

static void access_modes(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x10 | 4); /* counter 0, low byte, mode 2 */
	out(&bench, 0, 0x34);
	at_tick(&bench, 1);
	assert_int_equal(in(&bench, 0), 0x34);
	assert_int_equal(in(&bench, 0), 0x34);
	out(&bench, PIT_CONTROL, 0x20 | 4); /* high byte */
	out(&bench, 0, 0x12);
	at_tick(&bench, 2);
	assert_int_equal(in(&bench, 0), 0x12);
	at_tick(&bench, 3);
	assert_int_equal(in(&bench, 0), 0x11);
	out(&bench, PIT_CONTROL, 0x30 | 4); /* both */
	out(&bench, 0, 0x34);
	at_tick(&bench, 100); /* half a count is no count */
	out(&bench, 0, 0x12);
	at_tick(&bench, 101);
	assert_int_equal(in(&bench, 0), 0x34);
	assert_int_equal(in(&bench, 0), 0x12);
	assert_int_equal(in(&bench, PIT_CONTROL), 0xff);
}

static void a_control_word_resets_the_flip_flops(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x34);
	out(&bench, 0, 0xaa);
	out(&bench, PIT_CONTROL, 0x34);
	out(&bench, 0, 0x34);
	out(&bench, 0, 0x12);
	at_tick(&bench, 1);
	assert_int_equal(in(&bench, 0), 0x34);
	out(&bench, PIT_CONTROL, 0x34);
	write_both(&bench, 0, 0x1234);
	at_tick(&bench, 2);
	assert_int_equal(in(&bench, 0), 0x34);
	assert_int_equal(in(&bench, 0), 0x12);
}

static void latch_holds_the_count(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x34);
	write_both(&bench, 0, 0x1000);
	at_tick(&bench, 1 + 0x100);
	out(&bench, PIT_CONTROL, 0x00);
	at_tick(&bench, 1 + 0x222);
	out(&bench, PIT_CONTROL, 0x00); /* ignored: the first is unread */
	assert_int_equal(in(&bench, 0), 0x00);
	assert_int_equal(in(&bench, 0), 0x0f);
	assert_int_equal(in(&bench, 0), 0xde); /* live again */
	assert_int_equal(in(&bench, 0), 0x0d);
}

static void read_back(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	gate2(&bench, true);
	out(&bench, PIT_CONTROL, 0x34);
	out(&bench, PIT_CONTROL, 0xb0);
	write_both(&bench, 0, 0x0400);
	write_both(&bench, 2, 0x0200);
	/* Status before the clock has taken the count: null count. */
	out(&bench, PIT_CONTROL, 0xe0 | 0x0a);
	assert_int_equal(in(&bench, 0), PIT_STATUS_OUT | PIT_STATUS_NULL | 0x34);
	assert_int_equal(in(&bench, 2), PIT_STATUS_NULL | 0x30);
	at_tick(&bench, 1 + 0x10);
	/* Count and status of both: status comes first, then the count. */
	out(&bench, PIT_CONTROL, 0xc0 | 0x0a);
	at_tick(&bench, 1 + 0x300);
	out(&bench, PIT_CONTROL, 0xc0 | 0x0a); /* ignored */
	assert_int_equal(in(&bench, 0), PIT_STATUS_OUT | 0x34);
	assert_int_equal(in(&bench, 0), 0xf0);
	assert_int_equal(in(&bench, 0), 0x03);
	assert_int_equal(in(&bench, 2), 0x30);
	assert_int_equal(in(&bench, 2), 0xf0);
	assert_int_equal(in(&bench, 2), 0x01);
	out(&bench, PIT_CONTROL, 0xe0 | 0x08); /* status alone */
	assert_int_equal(in(&bench, 2), PIT_STATUS_OUT | 0x30);
	out(&bench, PIT_CONTROL, 0xd0 | 0x02); /* count alone */
	assert_int_equal(in(&bench, 0), 0x00);
	assert_int_equal(in(&bench, 0), 0x01);
}

static void null_count_until_a_new_count_is_taken(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x14);
	out(&bench, 0, 10);
	at_tick(&bench, 4);
	out(&bench, 0, 20);
	out(&bench, PIT_CONTROL, 0xe2);
	assert_int_equal(in(&bench, 0), PIT_STATUS_OUT | PIT_STATUS_NULL | 0x14);
	at_tick(&bench, 10);
	assert_int_equal(in(&bench, 0), 1);
	at_tick(&bench, 11);
	assert_int_equal(in(&bench, 0), 20);
	out(&bench, PIT_CONTROL, 0xe2);
	assert_int_equal(in(&bench, 0), PIT_STATUS_OUT | 0x14);
}

/* In mode 0 the first of two bytes already stops the counter. */
static void mode_0_first_byte(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x30);
	write_both(&bench, 0, 5);
	at_tick(&bench, 6);
	tick(&bench);
	assert_true(bench.irq.level);
	out(&bench, 0, 7);
	assert_false(bench.irq.level);
	assert_int_equal(tick(&bench), DEV_NEVER);
	out(&bench, 0, 1);
	assert_int_equal(tick(&bench), clock_moment(6 + 1 + 0x107, PIT_HZ));
}

/* ---- interrupts ----------------------------------------------------------------------- */

static void quiet_after_reset(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_false(bench.irq.level);
	assert_int_equal(tick(&bench), DEV_NEVER);
	bench.now = SECOND;
	assert_int_equal(tick(&bench), DEV_NEVER);
	assert_int_equal(bench.irq.rises, 0);
	assert_true(out2(&bench));
}

static void one_shot_interrupt(void **state)
{
	static const struct {
		uint8_t control;
		uint64_t ticks;
	} cases[] = { { 0x30, 1001 }, { 0x38, 1002 } };
	struct bench bench;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		unsigned int rises;

		make(&bench);
		out(&bench, PIT_CONTROL, cases[i].control);
		write_both(&bench, 0, 1000);
		rises = bench.irq.rises;
		assert_int_equal(tick(&bench), clock_moment(cases[i].ticks, PIT_HZ));
		bench.now = clock_moment(cases[i].ticks, PIT_HZ) - 1;
		tick(&bench);
		assert_int_equal(bench.irq.rises, rises);
		bench.now++;
		assert_int_equal(tick(&bench), DEV_NEVER);
		assert_int_equal(bench.irq.rises, rises + 1);
		bench.now += SECOND * 1000;
		assert_int_equal(tick(&bench), DEV_NEVER);
		assert_int_equal(bench.irq.rises, rises + 1);
	}
}

/* A thousand periods of 1193 ticks: no edge is lost, none drifts. */
static void periodic_interrupt(void **state)
{
	static const uint8_t controls[] = { 0x34, 0x36 };
	struct bench bench;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		make(&bench);
		out(&bench, PIT_CONTROL, controls[i]);
		write_both(&bench, 0, 1193);
		for (uint64_t n = 1; n <= 1000; n++) {
			uint64_t edge = clock_moment(1 + n * 1193, PIT_HZ);

			assert_int_equal(tick(&bench), edge);
			bench.now = edge;
			tick(&bench);
			assert_int_equal(bench.irq.rises, 1 + n);
		}
	}
}

static void late_edges_are_one(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x34);
	write_both(&bench, 0, 1193);
	bench.now = SECOND * 86400 * 365 * 10;
	assert_true(tick(&bench) > bench.now);
	assert_int_equal(bench.irq.rises, 2);
	assert_true(tick(&bench) <= bench.now + MILLISECOND);
}

static void fast_edges_are_paced(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x14);
	out(&bench, 0, 2);
	while (bench.now < 10 * MILLISECOND)
		bench.now = tick(&bench);
	assert_in_range(bench.irq.rises, 95, 105);
	/* Counts of 1 are not legal in modes 2 and 3: no edges. */
	for (uint8_t control = 0x14; control <= 0x16; control += 2) {
		out(&bench, PIT_CONTROL, control);
		out(&bench, 0, 1);
		bench.now += PIT_EDGE_INTERVAL;
		assert_int_equal(tick(&bench), DEV_NEVER);
	}
}

static void no_ticks_without_a_line(void **state)
{
	struct pit pit;

	(void)state;
	pit_init(&pit, (struct line){ 0 }, 0);
	pit_write(&pit, PIT_CONTROL, 0x34, 0);
	pit_write(&pit, 0, 0x00, 0);
	pit_write(&pit, 0, 0x10, 0);
	assert_int_equal(pit_tick(&pit, 0), DEV_NEVER);
	assert_int_equal(pit_tick(&pit, SECOND), DEV_NEVER);
}

static void reprogramming_changes_the_deadline(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x34);
	write_both(&bench, 0, 10000);
	at_tick(&bench, 5000);
	write_both(&bench, 0, 20000);
	assert_int_equal(tick(&bench), clock_moment(10001, PIT_HZ));
	at_tick(&bench, 10001);
	assert_int_equal(tick(&bench), clock_moment(30001, PIT_HZ));
	assert_int_equal(bench.irq.rises, 2);
	/* Also when nobody looked at the moment of the change. */
	write_both(&bench, 0, 40000);
	at_tick(&bench, 30001 + 40000 + 5);
	assert_int_equal(tick(&bench), clock_moment(30001 + 80000, PIT_HZ));
	assert_int_equal(bench.irq.rises, 3);
}

/* ---- port 0x61 -------------------------------------------------------------------------- */

static void port_61(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_int_equal(pit_speaker_read(&bench.pit, 0), PIT_PORT_B_OUT);
	pit_speaker_write(&bench.pit, 0xff, 0);
	assert_int_equal(pit_speaker_read(&bench.pit, 0), PIT_PORT_B_OUT | 0x0f);
	at_tick(&bench, 18);
	assert_int_equal(pit_speaker_read(&bench.pit, bench.now),
			 PIT_PORT_B_OUT | PIT_PORT_B_REFRESH | 0x0f);
	at_tick(&bench, 36);
	assert_int_equal(pit_speaker_read(&bench.pit, bench.now), PIT_PORT_B_OUT | 0x0f);
}

/* How operating systems measure the processor: counter 2, mode 0, polled through OUT. */
static void calibration_by_counter_2(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	pit_speaker_write(&bench.pit, 0x01, 0);
	out(&bench, PIT_CONTROL, 0xb0);
	write_both(&bench, 2, 59659); /* 50 ms */
	bench.now = 49999 * MICROSECOND;
	assert_false(out2(&bench));
	bench.now = 50001 * MICROSECOND;
	assert_true(out2(&bench));
}

static void ticks_are_exact_for_centuries(void **state)
{
	(void)state;
	assert_int_equal(clock_ticks(SECOND * 3600, PIT_HZ), 3600ull * PIT_HZ);
	assert_int_equal(clock_ticks(SECOND * 10000000000ull, PIT_HZ), 10000000000ull * PIT_HZ);
	assert_int_equal(clock_ticks(UINT64_MAX, PIT_HZ), 22010322987356910ull);
	for (uint64_t n = 0; n < 3ull * PIT_HZ; n += 997) {
		uint64_t moment = clock_moment(n, PIT_HZ);

		assert_int_equal(clock_ticks(moment, PIT_HZ), n);
		if (moment)
			assert_int_equal(clock_ticks(moment - 1, PIT_HZ), n - 1);
	}
	assert_int_equal(clock_moment(UINT64_MAX, PIT_HZ), DEV_NEVER);
}

static void reset_silences(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, PIT_CONTROL, 0x34);
	write_both(&bench, 0, 100);
	pit_speaker_write(&bench.pit, 0x03, 0);
	pit_reset(&bench.pit, SECOND);
	bench.now = SECOND;
	assert_int_equal(tick(&bench), DEV_NEVER);
	assert_int_equal(pit_speaker_read(&bench.pit, SECOND) & 0x0f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(access_modes),
		cmocka_unit_test(a_control_word_resets_the_flip_flops),
		cmocka_unit_test(latch_holds_the_count),
		cmocka_unit_test(read_back),
		cmocka_unit_test(null_count_until_a_new_count_is_taken),
		cmocka_unit_test(mode_0_first_byte),
		cmocka_unit_test(quiet_after_reset),
		cmocka_unit_test(one_shot_interrupt),
		cmocka_unit_test(periodic_interrupt),
		cmocka_unit_test(late_edges_are_one),
		cmocka_unit_test(fast_edges_are_paced),
		cmocka_unit_test(no_ticks_without_a_line),
		cmocka_unit_test(reprogramming_changes_the_deadline),
		cmocka_unit_test(port_61),
		cmocka_unit_test(calibration_by_counter_2),
		cmocka_unit_test(ticks_are_exact_for_centuries),
		cmocka_unit_test(reset_silences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
