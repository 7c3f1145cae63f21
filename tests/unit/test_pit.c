/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/clock.h"
#include "dev/pit.h"

/*
 * The 8254 against the figures of its data sheet, then against a counter that is
 * clocked tick by tick, as the chip is, with random programs.
 */

struct bench {
	struct pit pit;
	struct probe irq;
	uint64_t now;
};

static void make(struct bench *bench)
{
	*bench = (struct bench){ 0 };
	pit_init(&bench->pit, probe_line(&bench->irq, 0), 0);
}

/* To the first nanosecond of a tick. */
static void at_tick(struct bench *bench, uint64_t tick)
{
	bench->now = clock_moment(tick, PIT_HZ);
}

static uint8_t in(struct bench *bench, unsigned int offset)
{
	return pit_read(&bench->pit, offset, bench->now);
}

static void out(struct bench *bench, unsigned int offset, uint8_t value)
{
	pit_write(&bench->pit, offset, value, bench->now);
}

static uint64_t tick(struct bench *bench)
{
	return pit_tick(&bench->pit, bench->now);
}

static bool out2(struct bench *bench)
{
	return pit_speaker_read(&bench->pit, bench->now) & PIT_PORT_B_OUT;
}

static void gate2(struct bench *bench, bool level)
{
	pit_speaker_write(&bench->pit, level ? PIT_PORT_B_GATE : 0, bench->now);
}

/*
 * Counter 2 in a mode with a count, low byte only, written at tick 0 with the gate as
 * said: its output and count at ticks 1, 2, 3...
 */
static void expect_figure(unsigned int mode, uint8_t count, bool trigger, const char *outputs,
			  const uint8_t *counts)
{
	struct bench bench;

	make(&bench);
	gate2(&bench, !trigger);
	out(&bench, PIT_CONTROL, (uint8_t)(0x80 | PIT_ACCESS_LOW | mode << PIT_MODE_SHIFT));
	out(&bench, 2, count);
	if (trigger)
		gate2(&bench, true);
	for (size_t i = 0; outputs[i]; i++) {
		at_tick(&bench, i + 1);
		assert_int_equal(in(&bench, 2), counts[i]);
		assert_int_equal(out2(&bench), outputs[i] == 'H');
	}
}

/* 8254, figures 15 to 20. */
static void figures(void **state)
{
	(void)state;
	expect_figure(0, 4, false, "LLLLHHH", (const uint8_t[]){ 4, 3, 2, 1, 0, 0xff, 0xfe });
	expect_figure(1, 3, true, "LLLHHH", (const uint8_t[]){ 3, 2, 1, 0, 0xff, 0xfe });
	expect_figure(2, 3, false, "HHLHHLH", (const uint8_t[]){ 3, 2, 1, 3, 2, 1, 3 });
	expect_figure(3, 4, false, "HHLLHHLLH", (const uint8_t[]){ 4, 2, 4, 2, 4, 2, 4, 2, 4 });
	expect_figure(3, 5, false, "HHHLLHHHLLH",
		      (const uint8_t[]){ 4, 2, 0, 4, 2, 4, 2, 0, 4, 2, 4 });
	expect_figure(4, 3, false, "HHHLHH", (const uint8_t[]){ 3, 2, 1, 0, 0xff, 0xfe });
	expect_figure(5, 3, true, "HHHLHH", (const uint8_t[]){ 3, 2, 1, 0, 0xff, 0xfe });
	expect_figure(6, 3, false, "HHLHHLH", (const uint8_t[]){ 3, 2, 1, 3, 2, 1, 3 });
	expect_figure(7, 4, false, "HHLLH", (const uint8_t[]){ 4, 2, 4, 2, 4 });
}

/* ---- a counter clocked tick by tick --------------------------------------------------- */

struct reference {
	unsigned int mode;
	uint32_t range;
	uint32_t cr, ce, loaded_count;
	bool gate, out, load_due, counting, odd_extra, strobe;
};

static void reference_load(struct reference *r)
{
	r->ce = r->cr;
	r->loaded_count = r->cr;
	r->load_due = false;
	r->counting = true;
	if (r->mode == 3) {
		r->ce &= ~1u;
		r->odd_extra = r->loaded_count & 1;
	}
	if (r->mode == 1)
		r->out = false;
	r->strobe = r->mode >= 4;
}

static void reference_count_down(struct reference *r)
{
	r->ce = (r->ce + r->range - 1) % r->range;
	if (r->ce == 0 && r->mode < 2)
		r->out = true;
	if (r->mode >= 4) {
		r->out = !(r->ce == 0 && r->strobe);
		if (r->ce == 0)
			r->strobe = false;
	}
}

static void reference_clock(struct reference *r)
{
	bool gated = !r->gate && r->mode != 1 && r->mode != 5;

	if (r->load_due) {
		r->out = r->mode == 0 ? false : true;
		reference_load(r);
		return;
	}
	if (!r->counting || gated)
		return;
	if (r->mode == 2) {
		if (r->ce == 1) {
			reference_load(r);
			r->out = true;
		} else {
			r->ce--;
			r->out = r->ce != 1;
		}
	} else if (r->mode == 3) {
		/* High halves of odd counts last one clock more, at 0. */
		if (r->ce == 2 && r->out && r->odd_extra) {
			r->ce = 0;
		} else if (r->ce == 2 || r->ce == 0) {
			r->out = !r->out;
			reference_load(r);
		} else {
			r->ce -= 2;
		}
	} else {
		reference_count_down(r);
	}
}

static void reference_write(struct reference *r, uint32_t count)
{
	bool fresh = !r->counting && !r->load_due && r->gate;

	r->cr = count;
	if (r->mode == 0)
		r->out = false;
	if (r->mode == 0 || r->mode == 4 || ((r->mode == 2 || r->mode == 3) && fresh))
		r->load_due = true;
}

static void reference_gate(struct reference *r, bool gate)
{
	bool rises = gate && !r->gate;

	r->gate = gate;
	if ((r->mode == 2 || r->mode == 3) && !gate)
		r->out = true;
	if (rises && r->mode != 0 && r->mode != 4 && r->cr)
		r->load_due = true;
	if (!gate && (r->mode == 2 || r->mode == 3))
		r->load_due = false;
}

static uint32_t random_state;

static uint32_t random_below(uint32_t limit)
{
	random_state = random_state * 1664525u + 1013904223u;
	return (random_state >> 8) % limit;
}

static uint16_t as_bcd(uint32_t value)
{
	return (uint16_t)(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
			  value % 10);
}

static void write_both(struct bench *bench, unsigned int offset, uint16_t value)
{
	out(bench, offset, value & 0xff);
	out(bench, offset, (uint8_t)(value >> 8));
}

/* One random act of the guest on counter 2 and the reference alike. */
static void random_act(struct bench *bench, struct reference *r, bool bcd)
{
	uint32_t count = 2 + random_below(random_below(2) ? 12 : 300);

	switch (random_below(8)) {
	case 0:
		write_both(bench, 2, bcd ? as_bcd(count) : (uint16_t)count);
		reference_write(r, count);
		break;
	case 1: { /* high or low; a change takes effect with the next clock */
		bool gate = random_below(2);

		gate2(bench, gate);
		reference_gate(r, gate);
		break;
	}
	default:
		break;
	}
}

static void random_program(unsigned int mode, bool bcd)
{
	struct reference r = {
		.mode = mode, .range = bcd ? 10000 : 65536, .gate = true, .out = mode != 0
	};
	struct bench bench;
	uint64_t now = 0;

	make(&bench);
	gate2(&bench, true);
	out(&bench, PIT_CONTROL,
	    (uint8_t)(0x80 | PIT_ACCESS_BOTH | mode << PIT_MODE_SHIFT | (bcd ? PIT_BCD : 0)));
	for (unsigned int i = 0; i < 400; i++) {
		random_act(&bench, &r, bcd);
		for (unsigned int n = 1 + random_below(40); n; n--) {
			uint16_t expected, count;

			reference_clock(&r);
			expected = bcd ? as_bcd(r.ce) : (uint16_t)r.ce;
			at_tick(&bench, ++now);
			assert_int_equal(out2(&bench), r.out);
			if (!r.counting)
				continue;
			count = in(&bench, 2);
			count |= (uint16_t)(in(&bench, 2) << 8);
			assert_int_equal(count, expected);
		}
	}
}

static void random_programs(void **state)
{
	(void)state;
	for (random_state = 1; random_state < 40;) {
		uint32_t seed = random_state;

		for (unsigned int mode = 0; mode < 6; mode++) {
			random_state = seed;
			random_program(mode, seed & 1);
		}
		random_state = seed + 1;
	}
}

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
	assert_true(bench.irq.level);
	assert_int_equal(tick(&bench), DEV_NEVER);
	bench.now = SECOND;
	assert_int_equal(tick(&bench), DEV_NEVER);
	assert_int_equal(bench.irq.rises, 1);
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
		cmocka_unit_test(figures),
		cmocka_unit_test(random_programs),
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
