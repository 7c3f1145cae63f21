/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_PIT_FIXTURE_H
#define HUTCH_TESTS_UNIT_PIT_FIXTURE_H

/*
 * A timer on the bench: its interrupt line is probed, its time set by ticks.
 */

#include "tests/unit/device_test.h"

#include "dev/clock.h"
#include "dev/pit.h"

struct bench {
	struct pit pit;
	struct probe irq;
	uint64_t now;
};

static inline void make(struct bench *bench)
{
	*bench = (struct bench){ 0 };
	pit_init(&bench->pit, probe_line(&bench->irq, 0), 0);
}

/* To the first nanosecond of a tick. */
static inline void at_tick(struct bench *bench, uint64_t tick)
{
	bench->now = clock_moment(tick, PIT_HZ);
}

static inline uint8_t in(struct bench *bench, unsigned int offset)
{
	return pit_read(&bench->pit, offset, bench->now);
}

static inline void out(struct bench *bench, unsigned int offset, uint8_t value)
{
	pit_write(&bench->pit, offset, value, bench->now);
}

static inline void write_both(struct bench *bench, unsigned int offset, uint16_t value)
{
	out(bench, offset, value & 0xff);
	out(bench, offset, (uint8_t)(value >> 8));
}

static inline uint64_t tick(struct bench *bench)
{
	return pit_tick(&bench->pit, bench->now);
}

static inline bool out2(struct bench *bench)
{
	return pit_speaker_read(&bench->pit, bench->now) & PIT_PORT_B_OUT;
}

static inline void gate2(struct bench *bench, bool level)
{
	pit_speaker_write(&bench->pit, level ? PIT_PORT_B_GATE : 0, bench->now);
}

#endif
