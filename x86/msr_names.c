/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Names of model-specific registers. A guest that reads an MSR which nobody answers
 * is reported by a number of 32 bits; what a reader wants to know is which it was.
 */

#include <stddef.h>

#include "x86/msr_names.h"

static const struct {
	uint32_t index;
	const char *name;
} msrs[] = {
#define MSR(name, number) { number, #name },
#include "x86/msr.def"
};

const char *msr_name(uint32_t index)
{
	size_t low = 0, high = sizeof(msrs) / sizeof(msrs[0]);

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (msrs[middle].index == index)
			return msrs[middle].name;
		if (msrs[middle].index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}
