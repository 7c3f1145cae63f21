/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_LINE_H
#define HUTCH_DEV_LINE_H

/*
 * What every device model shares.
 *
 * A device model is a struct, a read, a write, a tick(now) and output lines that it
 * is given at init. It does not allocate, print, sleep or lock: whoever owns it
 * calls it under one lock, tells it the time, and is told through its lines.
 *
 * Time is in nanoseconds since the machine was made, never goes back, and is passed
 * to every call that needs it. tick(now) does all that is due by now and returns the
 * moment at which the model wants the next tick: DEV_NEVER when nothing is pending.
 * The owner may tick early or late; a model must catch up in a bounded number of
 * steps however late it is told.
 */

#include <stdbool.h>
#include <stdint.h>

#define DEV_NEVER	  UINT64_MAX
#define DEV_NS_PER_SECOND 1000000000ull

/* An output pin: a wire from a model to whatever the owner connected it to. */
struct line {
	void (*set)(void *owner, unsigned int pin, bool level);
	void *owner;
	unsigned int pin;
};

/* A line that is connected to nothing has no @set and may be driven all the same. */
static inline void line_set(const struct line *line, bool level)
{
	if (line->set)
		line->set(line->owner, line->pin, level);
}

#endif
