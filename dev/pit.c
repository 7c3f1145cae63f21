/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/pit.h"

#include "dev/clock.h"
#include "dev/pit_counter.h"

/*
 * Three counters behind four ports, the line of IRQ 0, and port 0x61. How a counter
 * counts stands in dev/pit_counter.c.
 */

/* The refresh request was counter 1 with 18: a toggle every 15.085 us. */
#define REFRESH_TICKS 18
#define PORT_B_MASK   0x0f

static void drive_irq(struct pit *pit, bool level)
{
	if (pit->level == level)
		return;
	pit->level = level;
	line_set(&pit->irq, level);
}

/*
 * The line after time has passed or the guest has written. Modes 0 and 1 stay low
 * while they count; the others are high but for the edge. An edge that must wait
 * keeps the line as it is.
 */
static void follow_output(struct pit *pit, uint64_t now)
{
	const struct pit_counter *counter = &pit->counters[0];
	bool level = pit_counter_mode(counter) > 1 ||
		     pit_counter_out(counter, clock_ticks(now, PIT_HZ));

	if (pit->edge_due && now >= pit->edge_after) {
		drive_irq(pit, false);
		drive_irq(pit, true);
		pit->edge_due = false;
		pit->edge_after = now + PIT_EDGE_INTERVAL;
	}
	if (!level || !pit->edge_due)
		drive_irq(pit, level);
}

static uint64_t advance(struct pit *pit, uint64_t now)
{
	uint64_t tick = clock_ticks(now, PIT_HZ);

	for (unsigned int i = 0; i < PIT_COUNTERS; i++) {
		bool rose = pit_counter_advance(&pit->counters[i], tick);

		if (i == 0 && rose)
			pit->edge_due = true;
	}
	follow_output(pit, now);
	return tick;
}

static void read_back(struct pit *pit, uint8_t command, uint64_t tick)
{
	for (unsigned int i = 0; i < PIT_COUNTERS; i++) {
		if (!(command & 2u << i))
			continue;
		if (!(command & PIT_READ_BACK_NO_COUNT))
			pit_counter_latch(&pit->counters[i], tick);
		if (!(command & PIT_READ_BACK_NO_STATUS))
			pit_counter_latch_status(&pit->counters[i], tick);
	}
}

static void write_control(struct pit *pit, uint8_t value, uint64_t tick)
{
	struct pit_counter *counter;

	if ((value & PIT_READ_BACK) == PIT_READ_BACK) {
		read_back(pit, value, tick);
		return;
	}
	counter = &pit->counters[value >> PIT_SELECT_SHIFT];
	if ((value & PIT_ACCESS_BOTH) == PIT_ACCESS_LATCH)
		pit_counter_latch(counter, tick);
	else
		pit_counter_program(counter, value, tick);
}

uint8_t pit_read(struct pit *pit, unsigned int offset, uint64_t now)
{
	uint64_t tick = advance(pit, now);

	if (offset >= PIT_CONTROL)
		return 0xff;
	return pit_counter_read(&pit->counters[offset], tick);
}

void pit_write(struct pit *pit, unsigned int offset, uint8_t value, uint64_t now)
{
	uint64_t tick = advance(pit, now);

	if (offset >= PIT_CONTROL)
		write_control(pit, value, tick);
	else
		pit_counter_write(&pit->counters[offset], value, tick);
	follow_output(pit, now);
}

uint64_t pit_tick(struct pit *pit, uint64_t now)
{
	uint64_t tick = advance(pit, now), rise;

	if (!pit->irq.set)
		return DEV_NEVER;
	if (pit->edge_due)
		return pit->edge_after;
	rise = pit_counter_next_rise(&pit->counters[0], tick);
	if (rise == DEV_NEVER)
		return DEV_NEVER;
	rise = clock_moment(rise, PIT_HZ);
	return rise > pit->edge_after ? rise : pit->edge_after;
}

uint8_t pit_speaker_read(struct pit *pit, uint64_t now)
{
	uint64_t tick = advance(pit, now);

	return pit->port_b | (tick / REFRESH_TICKS & 1 ? PIT_PORT_B_REFRESH : 0) |
	       (pit_counter_out(&pit->counters[2], tick) ? PIT_PORT_B_OUT : 0);
}

void pit_speaker_write(struct pit *pit, uint8_t value, uint64_t now)
{
	uint64_t tick = advance(pit, now);

	pit->port_b = value & PORT_B_MASK;
	pit_counter_set_gate(&pit->counters[2], value & PIT_PORT_B_GATE, tick);
}

void pit_reset(struct pit *pit, uint64_t now)
{
	uint64_t tick = clock_ticks(now, PIT_HZ);

	for (unsigned int i = 0; i < PIT_COUNTERS; i++) {
		struct pit_counter *counter = &pit->counters[i];

		/* Counter 0's mode 0 holds its output low: a rise would be an interrupt. */
		*counter = (struct pit_counter){ .gate = i != 2 };
		pit_counter_program(counter, PIT_ACCESS_BOTH | (i ? 3 : 0) << PIT_MODE_SHIFT, tick);
	}
	pit->port_b = 0;
	pit->edge_due = false;
	pit->edge_after = now;
	follow_output(pit, now);
}

void pit_init(struct pit *pit, struct line irq, uint64_t now)
{
	*pit = (struct pit){ .irq = irq };
	pit_reset(pit, now);
}
