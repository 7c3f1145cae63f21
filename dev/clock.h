/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_CLOCK_H
#define HUTCH_DEV_CLOCK_H

/*
 * Between the machine's nanoseconds and a chip's own oscillator.
 *
 * A PC's timers run from crystals whose rates do not divide a second into whole
 * nanoseconds (1.193182 MHz, 3.579545 MHz, 32.768 kHz). Both directions are exact:
 * whole seconds are set aside first, so that nothing overflows however long the
 * machine runs, and no remainder is carried from call to call that could drift.
 */

#include <stdint.h>

#include "dev/line.h"

/* How many ticks of a @hz oscillator that started at 0 are complete at @now. */
static inline uint64_t clock_ticks(uint64_t now, uint32_t hz)
{
	return now / DEV_NS_PER_SECOND * hz + now % DEV_NS_PER_SECOND * hz / DEV_NS_PER_SECOND;
}

/*
 * The first moment at which clock_ticks() reaches @ticks: its inverse, rounded up.
 * DEV_NEVER where that lies beyond the end of time (584 years).
 */
static inline uint64_t clock_moment(uint64_t ticks, uint32_t hz)
{
	uint64_t seconds = ticks / hz;

	if (seconds >= UINT64_MAX / DEV_NS_PER_SECOND)
		return DEV_NEVER;
	return seconds * DEV_NS_PER_SECOND + (ticks % hz * DEV_NS_PER_SECOND + hz - 1) / hz;
}

static inline uint64_t clock_earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

#endif
