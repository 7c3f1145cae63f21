/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_CLOCK_H
#define HUTCH_CORE_CLOCK_H

/* The guest's clock: one for each VM, in nanoseconds, from the VM's beginning on. */

#include "core/hv.h"

int clock_init(struct hv_vm *vm);
void clock_free(struct hv_vm *vm);

/* A moment at which both are known, and from which the clock goes on by the host's counter. */
struct clock_base {
	uint64_t nanoseconds, tsc;
	bool stable; /* on whatever CPU; else on this one, for a while. Pinned or not. */
};
struct clock_base clock_base(struct hv_vm *vm);

/* What is told of it is not true any more: every vCPU that has it in memory is told anew. */
void clock_tell_all(struct hv_vm *vm);

/*
 * Nanoseconds from ticks of a counter with @khz, by a multiplication: ticks * 2^shift *
 * multiplier / 2^32. The multiplier's highest bit is set, so that it is as exact as it gets.
 */
void clock_scale(uint32_t khz, uint32_t *multiplier, int8_t *shift);

#endif
