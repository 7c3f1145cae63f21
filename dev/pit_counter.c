/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/pit_counter.h"

#include "dev/clock.h"

/*
 * A counter is a count that stood in the counting element at some tick, and a mode.
 * With N that count and e the ticks since:
 *
 *	mode			OUT			the count reads
 *	0 terminal count	low while e < N		N - e, on below 0
 *	1 one-shot		low while e < N		N - e, on below 0
 *	2 rate generator	low when e mod N = N-1	N - e mod N
 *	3 square wave		high half, low half	down by two, twice
 *	4, 5 strobe		low when e = N		N - e, on below 0
 *
 * Modes 0 and 4 begin with the count that is written, 1 and 5 with a rising gate, 2
 * and 3 with both. A count moves from the register into the counting element with the
 * next clock, but in modes 2 and 3 at the end of the period or half period, and in
 * modes 1 and 5 with the next trigger (8254, "Mode definitions").
 */

unsigned int pit_counter_mode(const struct pit_counter *counter)
{
	unsigned int mode = counter->control >> PIT_MODE_SHIFT & 7;

	return mode > 5 ? mode - 4 : mode; /* 6 and 7 are 2 and 3 */
}

static bool periodic(const struct pit_counter *counter)
{
	unsigned int mode = pit_counter_mode(counter);

	return mode == 2 || mode == 3;
}

static bool triggered_by_gate(const struct pit_counter *counter)
{
	unsigned int mode = pit_counter_mode(counter);

	return mode == 1 || mode == 5;
}

/* A square wave of odd length is high for the longer half. */
static uint32_t high_half(uint32_t count)
{
	return count - count / 2;
}

/* Ticks since the count was loaded; meaningless before that. */
static uint64_t elapsed(const struct pit_counter *counter, uint64_t tick)
{
	return counter->stopped ? counter->held : tick - counter->start;
}

static bool has_begun(const struct pit_counter *counter, uint64_t tick)
{
	return counter->loaded && (counter->stopped || tick >= counter->start);
}

/* Mode 3: ticks since the last rise. */
static uint32_t square_phase(const struct pit_counter *counter, uint64_t tick)
{
	uint64_t shift = counter->low_half ? high_half(counter->count) : 0;

	return (uint32_t)((elapsed(counter, tick) + shift) % counter->count);
}

/* ---- what can be seen ----------------------------------------------------------------- */

static uint16_t square_count(const struct pit_counter *counter, uint64_t tick)
{
	uint32_t phase = square_phase(counter, tick), half = high_half(counter->count);

	if (phase >= half)
		phase -= half;
	return (uint16_t)((counter->count & ~1u) - 2 * phase);
}

static uint16_t to_bcd(uint32_t value)
{
	return (uint16_t)(value / 1000 % 10 << 12 | value / 100 % 10 << 8 | value / 10 % 10 << 4 |
			  value % 10);
}

static uint32_t from_bcd(uint16_t value)
{
	return (value >> 12) * 1000u + (value >> 8 & 15) * 100u + (value >> 4 & 15) * 10u +
	       (value & 15);
}

static uint16_t current_count(const struct pit_counter *counter, uint64_t tick)
{
	uint32_t range = counter->control & PIT_BCD ? 10000 : 65536, value;

	if (!has_begun(counter, tick))
		return counter->before;
	if (pit_counter_mode(counter) == 3)
		value = square_count(counter, tick);
	else if (pit_counter_mode(counter) == 2)
		value = counter->count - (uint32_t)(elapsed(counter, tick) % counter->count);
	else
		value = counter->count % range + range - (uint32_t)(elapsed(counter, tick) % range);
	value %= range;
	return counter->control & PIT_BCD ? to_bcd(value) : (uint16_t)value;
}

static bool current_out(const struct pit_counter *counter, uint64_t tick)
{
	uint64_t ticks = elapsed(counter, tick);

	if (!has_begun(counter, tick))
		return counter->out_before;
	switch (pit_counter_mode(counter)) {
	case 0:
	case 1:
		return ticks >= counter->count;
	case 2:
		return !counter->gate || ticks % counter->count != counter->count - 1;
	case 3:
		return !counter->gate || square_phase(counter, tick) < high_half(counter->count);
	default:
		return ticks != counter->count;
	}
}

static bool null_count(const struct pit_counter *counter, uint64_t tick)
{
	return counter->next_count || !has_begun(counter, tick);
}

uint64_t pit_counter_next_rise(const struct pit_counter *counter, uint64_t tick)
{
	uint64_t first = counter->start + counter->count, period = 0;

	if (!counter->loaded || counter->stopped)
		return DEV_NEVER;
	switch (pit_counter_mode(counter)) {
	case 2:
	case 3:
		if (counter->count < 2)
			return DEV_NEVER; /* not a legal count: OUT does not move */
		period = counter->count;
		if (counter->low_half)
			first -= high_half(counter->count);
		break;
	case 4:
	case 5:
		first++;
		break;
	default:
		break;
	}
	if (tick >= first)
		first = period ? first + ((tick - first) / period + 1) * period : DEV_NEVER;
	/* A count that is taken over before that changes the rest of the period. */
	return counter->next_count ? clock_earlier(first, counter->next_at) : first;
}

/* ---- what happens --------------------------------------------------------------------- */

/* With the next clock the counting element takes @count. */
static void load(struct pit_counter *counter, uint32_t count, uint64_t tick)
{
	unsigned int mode = pit_counter_mode(counter);

	counter->before = current_count(counter, tick);
	/* A new terminal count begins low; a one-shot that is triggered again stays low. */
	if (mode < 2)
		counter->out_before = mode == 1 && current_out(counter, tick);
	else
		counter->out_before = true;
	counter->loaded = true;
	counter->low_half = false;
	counter->count = count;
	counter->next_count = 0;
	counter->start = tick + 1;
	counter->held = 0;
	counter->stopped = !counter->gate && !triggered_by_gate(counter);
}

/* The first tick after @tick at which a periodic counter reloads. */
static uint64_t next_reload(const struct pit_counter *counter, uint64_t tick)
{
	uint32_t half = high_half(counter->count), phase;

	if (pit_counter_mode(counter) == 2)
		return tick + counter->count - elapsed(counter, tick) % counter->count;
	phase = square_phase(counter, tick);
	return tick + (phase < half ? half : counter->count) - phase;
}

/* Whether a count that is written now goes into the counting element with the next clock. */
static bool taken_at_once(const struct pit_counter *counter, uint64_t tick)
{
	if (periodic(counter))
		return counter->gate && !has_begun(counter, tick);
	return !triggered_by_gate(counter);
}

static void write_count(struct pit_counter *counter, uint16_t value, uint64_t tick)
{
	uint32_t count = counter->control & PIT_BCD ? from_bcd(value) : value;

	if (!count)
		count = counter->control & PIT_BCD ? 10000 : 65536;
	if (taken_at_once(counter, tick)) {
		load(counter, count, tick);
		return;
	}
	counter->next_count = count;
	counter->next_at = DEV_NEVER;
	if (periodic(counter) && counter->gate)
		counter->next_at = next_reload(counter, tick);
}

/* Takes the count whose time has come; true if OUT rose up to and with that moment. */
static bool take_next_count(struct pit_counter *counter)
{
	uint64_t at = counter->next_at;
	bool low = pit_counter_mode(counter) == 3 &&
		   square_phase(counter, at) == high_half(counter->count) && counter->count > 1;
	bool rose;

	/* The old count's own edges first: the reload may be one of them. */
	counter->next_at = DEV_NEVER;
	rose = pit_counter_next_rise(counter, counter->seen) <= at;
	counter->start = at;
	counter->count = counter->next_count;
	counter->next_count = 0;
	counter->low_half = low;
	counter->seen = at;
	return rose;
}

bool pit_counter_advance(struct pit_counter *counter, uint64_t tick)
{
	bool rose = false;

	if (counter->next_count && counter->next_at <= tick)
		rose = take_next_count(counter);
	if (pit_counter_next_rise(counter, counter->seen) <= tick)
		rose = true;
	counter->seen = tick;
	return rose;
}

bool pit_counter_out(const struct pit_counter *counter, uint64_t tick)
{
	return current_out(counter, tick);
}

void pit_counter_set_gate(struct pit_counter *counter, bool gate, uint64_t tick)
{
	uint32_t count = counter->next_count ? counter->next_count : counter->count;

	if (counter->gate == gate)
		return;
	if (!gate && counter->loaded && !triggered_by_gate(counter)) {
		counter->held = has_begun(counter, tick) ? elapsed(counter, tick) : 0;
		counter->stopped = true;
		counter->next_at = DEV_NEVER;
	}
	counter->gate = gate;
	if (!gate)
		return;
	if (periodic(counter) || triggered_by_gate(counter)) {
		if (count)
			load(counter, count, tick);
	} else if (counter->stopped) {
		counter->start = tick - counter->held;
		counter->stopped = false;
	}
}

/* ---- access by bytes -------------------------------------------------------------------- */

void pit_counter_program(struct pit_counter *counter, uint8_t control, uint64_t tick)
{
	counter->before = current_count(counter, tick);
	counter->control = control & 0x3f;
	counter->out_before = pit_counter_mode(counter) != 0;
	counter->loaded = false;
	counter->stopped = false;
	counter->count = 0;
	counter->next_count = 0;
	counter->write_high = false;
	counter->read_high = false;
	counter->latched = false;
	counter->status_latched = false;
	counter->seen = tick;
}

/* In mode 0 the first of two bytes stops the counter and OUT falls at once. */
static void write_first_byte(struct pit_counter *counter, uint8_t value, uint64_t tick)
{
	counter->write_low = value;
	counter->write_high = true;
	if (pit_counter_mode(counter) == 0) {
		counter->before = current_count(counter, tick);
		counter->out_before = false;
		counter->loaded = false;
	}
}

void pit_counter_write(struct pit_counter *counter, uint8_t value, uint64_t tick)
{
	switch (counter->control & PIT_ACCESS_BOTH) {
	case PIT_ACCESS_LOW:
		write_count(counter, value, tick);
		break;
	case PIT_ACCESS_HIGH:
		write_count(counter, (uint16_t)(value << 8), tick);
		break;
	default:
		if (!counter->write_high) {
			write_first_byte(counter, value, tick);
			break;
		}
		counter->write_high = false;
		write_count(counter, (uint16_t)(value << 8 | counter->write_low), tick);
		break;
	}
}

void pit_counter_latch(struct pit_counter *counter, uint64_t tick)
{
	if (counter->latched)
		return;
	counter->latch = current_count(counter, tick);
	counter->latched = true;
}

void pit_counter_latch_status(struct pit_counter *counter, uint64_t tick)
{
	if (counter->status_latched)
		return;
	counter->status = counter->control | (current_out(counter, tick) ? PIT_STATUS_OUT : 0) |
			  (null_count(counter, tick) ? PIT_STATUS_NULL : 0);
	counter->status_latched = true;
}

uint8_t pit_counter_read(struct pit_counter *counter, uint64_t tick)
{
	uint16_t count = counter->latched ? counter->latch : current_count(counter, tick);
	uint8_t access = counter->control & PIT_ACCESS_BOTH;
	bool high = access == PIT_ACCESS_HIGH;

	if (counter->status_latched) {
		counter->status_latched = false;
		return counter->status;
	}
	if (access == PIT_ACCESS_BOTH) {
		high = counter->read_high;
		counter->read_high = !high;
	}
	/* The last byte lets the latch follow the counter again. */
	if (high || access != PIT_ACCESS_BOTH)
		counter->latched = false;
	return high ? count >> 8 : count & 0xff;
}
