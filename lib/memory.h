/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_LIB_MEMORY_H
#define HUTCH_LIB_MEMORY_H

/*
 * Guest-physical memory: regions sorted by address, each one slot of the hypervisor.
 *
 * It is looked up at every access of every device and changed hardly ever. So
 * readers take no lock: they read under a sequence count, which a writer makes odd
 * before it changes anything and even again behind, and a reader that saw a change
 * looks again. A table that has grown too small is replaced by one of twice its
 * size and kept until the VM's end, since a reader may still be looking at it.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct region {
	_Atomic uint64_t gpa;
	_Atomic uint64_t size;
	_Atomic(uint8_t *) host;
	_Atomic uint32_t flags; /* enum hutch_memory_flags, and REGION_... */
	uint32_t slot;		/* the rest is for writers only */
	void *mapping;		/* what to unmap, NULL for memory of the caller */
	size_t mapping_size;
};

#define REGION_HOST_READONLY (1u << 31) /* a write through the host's address would fault */

struct region_table {
	struct region_table *outgrown; /* the one before */
	unsigned int capacity;
	atomic_uint count;
	struct region regions[];
};

struct memory {
	pthread_mutex_t lock; /* writers, one at a time */
	atomic_uint sequence; /* odd while a writer is at work */
	_Atomic(struct region_table *) table;
};

void memory_init(struct memory *memory);
/* Unmaps everything. The VM's descriptor is closed by then: its slots went with it. */
void memory_destroy(struct memory *memory);

#endif
