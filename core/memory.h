/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_MEMORY_H
#define HUTCH_CORE_MEMORY_H

/* Guest physical memory as the rest of the core uses it. */

#include "core/hv.h"

enum memory_fault {
	MEMORY_MAPPED,	  /* the guest may try again */
	MEMORY_DEVICE,	  /* there is no memory, or none that may be written: MMIO */
	MEMORY_NO_MEMORY, /* the host has none left */
	MEMORY_BAD,	  /* the VMM has nothing at the address it gave for the slot */
};

/* The one fault handler: makes @gpa present for the guest, for writing if @write. */
enum memory_fault memory_fault(struct hv_vcpu *vcpu, uint64_t gpa, bool write);

/* Copies from and to guest physical memory. False: some of it is not memory. May sleep. */
bool memory_copy_in(struct hv_vm *vm, uint64_t gpa, void *to, size_t size);
bool memory_copy_out(struct hv_vm *vm, uint64_t gpa, const void *from, size_t size);
/*
 * Puts @value, of @size 4 or 8, in the place of @expected, in one step. False: something
 * else stands there by now. What can't be written stays as it is, as in a ROM. May sleep.
 */
bool memory_exchange(struct hv_vm *vm, uint64_t gpa, unsigned int size, uint64_t expected,
		     uint64_t value);
/* Whether all of it is memory that may be written. */
bool memory_writable(struct hv_vm *vm, uint64_t gpa, size_t size);

/*
 * Where the VMM has what lies at @gpa, as long as the slots are those of *@generation; 0 if
 * it is no memory that may be written.
 */
uint64_t memory_place(struct hv_vm *vm, uint64_t gpa, uint64_t *generation);

/* The processor's log of pages that were written, with interrupts on or off. */
void memory_logged(struct hv_vm *vm, const uint64_t *gpas, unsigned int count);

/* The slot that has @gpa, or NULL; with @slots_lock or @table_lock held. */
struct hv_slot *memory_slot_at(const struct hv_vm *vm, uint64_t gpa);

/* Every vCPU forgets its translations before it next enters; returns when none is inside. */
void memory_flush(struct hv_vm *vm);

#endif
