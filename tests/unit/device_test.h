/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_DEVICE_TEST_H
#define HUTCH_TESTS_UNIT_DEVICE_TEST_H

/*
 * What the tests of device models share: cmocka, and a probe on an output line that
 * remembers its level and counts its edges.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "dev/line.h"

#define MICROSECOND 1000ull
#define MILLISECOND 1000000ull
#define SECOND	    DEV_NS_PER_SECOND

struct probe {
	bool level;
	unsigned int rises, falls;
	unsigned int pin;
};

static inline void probe_set(void *owner, unsigned int pin, bool level)
{
	struct probe *probe = owner;

	probe->pin = pin;
	if (level && !probe->level)
		probe->rises++;
	if (!level && probe->level)
		probe->falls++;
	probe->level = level;
}

static inline struct line probe_line(struct probe *probe, unsigned int pin)
{
	return (struct line){ .set = probe_set, .owner = probe, .pin = pin };
}

#endif
