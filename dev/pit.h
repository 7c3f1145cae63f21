/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_PIT_H
#define HUTCH_DEV_PIT_H

/*
 * The 8254 programmable interval timer (Intel, 8254 data sheet, 231164) as a PC has
 * it: three counters at 1.193182 MHz; counter 0 interrupts, counter 1 once refreshed
 * the memory, counter 2 drives the speaker through port 0x61.
 *
 * To wire it: give pit_init() the line of IRQ 0; send ports 0x40 to 0x43 to pit_read()
 * and pit_write() at offsets 0 to 3, and port 0x61 to pit_speaker_read() and
 * pit_speaker_write(); call pit_tick() after each access and at the moment it last
 * returned.
 *
 * No counter runs here: a count, a status or an output level is worked out from the
 * time at which somebody looks, so a guest that polls sees every single step.
 *
 * The line carries counter 0's rising edges at their moments. What lies between is
 * simplified: in modes 2 to 5 the line stays high and falls only for the edge, for the
 * interrupt controllers want no more. Edges that come faster than PIT_EDGE_INTERVAL,
 * or that passed while nobody ticked, are delivered as one. With no line connected the
 * model asks for no ticks at all.
 *
 * The chip has no reset; pit_reset() leaves it as a machine without firmware has it:
 * nothing counts, no interrupt is requested, the speaker is off.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dev/line.h"

#define PIT_HZ	       1193182
#define PIT_COUNTERS   3
#define PIT_PORT_COUNT 4
#define PIT_CONTROL    3 /* offset of the control word */

/* IRQ 0 rises at most so often, in ns. */
#define PIT_EDGE_INTERVAL 100000ull

/* Control word (8254, figure 7). */
#define PIT_SELECT_SHIFT 6
#define PIT_READ_BACK	 0xc0
#define PIT_ACCESS_LATCH 0x00
#define PIT_ACCESS_LOW	 0x10
#define PIT_ACCESS_HIGH	 0x20
#define PIT_ACCESS_BOTH	 0x30
#define PIT_MODE_SHIFT	 1
#define PIT_BCD		 0x01

/* Read-back command: a bit that is clear asks. */
#define PIT_READ_BACK_NO_COUNT	0x20
#define PIT_READ_BACK_NO_STATUS 0x10

#define PIT_STATUS_OUT		0x80
#define PIT_STATUS_NULL		0x40 /* a count is written that the counter has not taken yet */

/* Port 0x61. */
#define PIT_PORT_B_GATE	   0x01 /* counter 2's gate */
#define PIT_PORT_B_SPEAKER 0x02
#define PIT_PORT_B_REFRESH 0x10 /* toggles every 15 us */
#define PIT_PORT_B_OUT	   0x20 /* counter 2's output */

struct pit_counter {
	uint8_t control; /* access, mode and BCD, as written */
	bool gate;
	/* The counting element: @count was in it at tick @start, if @loaded. */
	bool loaded;
	bool stopped;	 /* by the gate, @held ticks after @start */
	bool low_half;	 /* mode 3: @start begins the low half of a period */
	bool out_before; /* what OUT and the count were before @start */
	uint16_t before;
	uint32_t count; /* 1 to 65536 (BCD: to 10000); 0: none yet */
	uint64_t start;
	uint64_t held;
	/* The count register, while it holds what the counting element has yet to take. */
	uint32_t next_count; /* or 0 */
	uint64_t next_at;    /* the tick at which it does; DEV_NEVER: when triggered */
	uint64_t seen;	     /* rising edges up to this tick have been told */
	/* Access by bytes. */
	uint8_t write_low;
	bool write_high, read_high; /* the next byte is the high one */
	uint16_t latch;
	uint8_t status;
	bool latched, status_latched;
};

struct pit {
	struct line irq;
	struct pit_counter counters[PIT_COUNTERS];
	uint8_t port_b;	     /* the bits of port 0x61 that keep what was written */
	bool level;	     /* what the line carries */
	bool edge_due;	     /* counter 0's output has risen and the line has not yet */
	uint64_t edge_after; /* nor shall it before this moment */
};

void pit_init(struct pit *pit, struct line irq, uint64_t now);
void pit_reset(struct pit *pit, uint64_t now);

/* @offset: 0 to 2 the counters, 3 the control word (which reads as all ones). */
uint8_t pit_read(struct pit *pit, unsigned int offset, uint64_t now);
void pit_write(struct pit *pit, unsigned int offset, uint8_t value, uint64_t now);
uint64_t pit_tick(struct pit *pit, uint64_t now);

/* Port 0x61. */
uint8_t pit_speaker_read(struct pit *pit, uint64_t now);
void pit_speaker_write(struct pit *pit, uint8_t value, uint64_t now);

#endif
