/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_TASK_SEGMENTS_H
#define HUTCH_CORE_TASK_SEGMENTS_H

/*
 * A task that is being switched to: its memory, its faults, and the segments that it
 * begins with. Of core/task_switch.c alone.
 */

#include "core/hv.h"

struct task {
	struct hv_vcpu *vcpu;
	const struct hv_exit *exit;
	enum hv_task_source source;
	unsigned int length;	 /* of the instruction that led here; 0: none did */
	uint32_t external;	 /* EXT of error codes: it was no instruction */
	bool user;		 /* accesses are made with the rights of ring 3 */
	bool trap;		 /* the new TSS wants a #DB */
	struct hv_system system; /* the old task's, then the new one's */
};

/* Raises it with the selector's error code; always false. */
bool task_fault(struct task *task, uint8_t vector, uint16_t selector);

/*
 * Linear memory of the task's. False: a page fault has been raised. Where there is no
 * memory, reads give all ones and writes are lost, as on a bus without a device.
 */
bool task_reach(struct task *task, uint64_t linear, unsigned int size, bool write);
bool task_read(struct task *task, uint64_t linear, void *to, unsigned int size);
bool task_write(struct task *task, uint64_t linear, const void *from, unsigned int size);

/* In the GDT. */
uint64_t task_descriptor_address(const struct task *task, uint16_t selector);

/* Whether all of [@offset, +@size) is within the segment's limit. */
bool task_offset_is_inside(const struct segment *segment, uint64_t offset, unsigned int size);

/*
 * Segments of which the selectors alone are loaded become such that the processor takes
 * them, and that nothing can be done with: a fault may be all that comes.
 */
void task_segments_begin(struct task *task);

/* Then they get what their descriptors say. False: a fault has been raised. */
bool task_segments_qualify(struct task *task);

#endif
