/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/pit_fixture.h"

/*
 * One counter of the 8254: the figures of the data sheet, then a counter that is clocked
 * tick by tick, as the chip is, with random programs.
 */

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

/* ---- a counter clocked tick by tick, as a count and flip-flops ------------------------ */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(figures),
		cmocka_unit_test(random_programs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
