/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_LIMITS_H
#define HUTCH_VMM_LIMITS_H

/*
 * Limits on the whole process, by control groups: --cpu-limit and --mem-limit. A group
 * is made below the one in which the process was started, the process moves into it,
 * and at the end it moves back and the group is removed.
 */

#include <stddef.h>
#include <stdint.h>

struct limits {
	unsigned int cpu_percent; /* of one processor: 150 is one and a half; 0: no limit */
	uint64_t memory_bytes;	  /* 0: no limit */
};

/*
 * Sets the limits, before any thread is made. 0, or a negative errno with one line in
 * @error that says which step failed and what to do, and no group left behind.
 */
int limits_apply(const struct limits *limits, char *error, size_t size);

/* Moves back and removes what limits_apply() made. Fine without it, and more than once. */
void limits_remove(void);

/*
 * Lets this process have @count files open if its hard limit does (each vCPU is one);
 * if it doesn't, the vCPU that is one too many says so.
 */
void limits_allow_files(unsigned int count);

#endif
