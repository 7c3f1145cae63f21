/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/checks.h"
#include "core/clock.h"
#include "core/cpu.h"
#include "core/memory.h"
#include "core/table.h"

/*
 * The slots of a VM: which guest physical addresses are which of its VMM's. They change
 * rarely and are looked up all the time, so a change makes a new sorted array and takes
 * the old one's place; readers hold @slots_lock.
 */

#define ADDRESS_LIMIT (1ull << 48)

static size_t dirty_bytes(uint64_t size)
{
	return (size / HV_PAGE_SIZE + 63) / 64 * sizeof(uint64_t);
}

static size_t slots_bytes(unsigned int count)
{
	return sizeof(struct hv_slots) + count * sizeof(struct hv_slot);
}

static void slots_free(struct hv_slots *slots)
{
	if (slots)
		host_free(slots, slots_bytes(slots->count));
}

struct hv_slot *hv_memory_slot(struct hv_vm *vm, uint32_t id)
{
	for (unsigned int i = 0; vm->slots && i < vm->slots->count; i++)
		if (vm->slots->slots[i].id == id)
			return &vm->slots->slots[i];
	return NULL;
}

static int check(const struct hv_vm *vm, const struct hv_slot *slot, const struct hv_slot *old)
{
	if ((slot->gpa | slot->size | slot->hva) % HV_PAGE_SIZE ||
	    slot->gpa + slot->size < slot->gpa || slot->hva + slot->size < slot->hva ||
	    slot->gpa + slot->size > ADDRESS_LIMIT)
		return HOST_EINVAL;
	/* Another place may be given to the same memory, not the reverse. */
	if (!slot->size)
		return old ? HOST_OK : HOST_EINVAL;
	if (old &&
	    (old->size != slot->size || old->hva != slot->hva || old->read_only != slot->read_only))
		return HOST_EINVAL;
	if (!old && vm->slots && vm->slots->count == HV_SLOT_MAX)
		return HOST_ENOSPC;
	for (unsigned int i = 0; vm->slots && i < vm->slots->count; i++) {
		const struct hv_slot *other = &vm->slots->slots[i];

		if (other->id != slot->id && slot->gpa < other->gpa + other->size &&
		    other->gpa < slot->gpa + slot->size)
			return HOST_EEXIST;
	}
	return HOST_OK;
}

/* All slots but the one with @slot's id, and @slot itself unless its size is 0. */
static struct hv_slots *with(const struct hv_slots *slots, const struct hv_slot *slot,
			     unsigned int count)
{
	struct hv_slots *made = host_alloc(slots_bytes(count));
	unsigned int at = 0;
	bool placed = !slot->size;

	if (!made)
		return NULL;
	made->count = count;
	for (unsigned int i = 0; slots && i < slots->count; i++) {
		if (slots->slots[i].id == slot->id)
			continue;
		if (!placed && slot->gpa < slots->slots[i].gpa) {
			made->slots[at++] = *slot;
			placed = true;
		}
		made->slots[at++] = slots->slots[i];
	}
	if (!placed)
		made->slots[at] = *slot;
	return made;
}

/* How the next write to each page is seen. */
static bool (*see_writes(const struct hv_vm *vm))(struct hv_table *table, uint64_t gpa,
						  uint64_t end)
{
	return vm->logging ? table_clean : table_protect;
}

/*
 * The processor's log is switched on before anything is taken away for its sake, and off
 * when nobody wants it. A guest that runs meanwhile comes out, in and sees it.
 */
static void choose_log(struct hv_vm *vm, const struct hv_slots *slots)
{
	bool wanted = false;

	if (!vm->ops->logs_writes || !vm->ops->logs_writes())
		return;
	for (unsigned int i = 0; i < slots->count; i++)
		wanted |= slots->slots[i].dirty != NULL;
	if (wanted == vm->logging)
		return;
	__atomic_store_n(&vm->logging, wanted, __ATOMIC_SEQ_CST);
	memory_flush(vm);
}

/* Swaps the array, and lets nobody see what the slot @old led to. */
static void replace(struct hv_vm *vm, struct hv_slots *slots, const struct hv_slot *old,
		    bool protect)
{
	bool flush = false;

	__atomic_fetch_add(&vm->slots_generation, 1, __ATOMIC_SEQ_CST);
	host_spin_lock(vm->table_lock);
	vm->slots = slots;
	if (old)
		flush = (protect ? see_writes(vm) : table_unmap)(&vm->table, old->gpa,
								 old->gpa + old->size);
	check_memory(vm, 0, UINT64_MAX);
	host_spin_unlock(vm->table_lock);
	if (flush)
		memory_flush(vm);
}

static int set(struct hv_vm *vm, struct hv_slot *slot, bool log_dirty)
{
	struct hv_slot *found = hv_memory_slot(vm, slot->id), old = { .size = 0 };
	struct hv_slots *before = vm->slots, *slots;
	int error = check(vm, slot, found);
	bool stays;

	if (error)
		return error;
	if (found)
		old = *found;
	stays = found && slot->size && old.gpa == slot->gpa;
	slot->dirty = slot->size && log_dirty ? old.dirty : NULL;
	if (slot->size && log_dirty && !slot->dirty) {
		slot->dirty = host_alloc(dirty_bytes(slot->size));
		if (!slot->dirty)
			return HOST_ENOMEM;
	}
	slots = with(before, slot, (before ? before->count : 0) + !found - !slot->size);
	if (!slots) {
		if (slot->dirty != old.dirty)
			host_free(slot->dirty, dirty_bytes(slot->size));
		return HOST_ENOMEM;
	}
	choose_log(vm, slots);
	replace(vm, slots, found ? &old : NULL, stays);
	if (old.dirty && old.dirty != slot->dirty)
		host_free(old.dirty, dirty_bytes(old.size));
	slots_free(before);
	return HOST_OK;
}

int hv_memory_set(struct hv_vm *vm, const struct hv_slot *slot, bool log_dirty)
{
	struct hv_slot wanted = *slot;
	int error;

	host_write_lock(vm->slots_lock);
	error = set(vm, &wanted, log_dirty);
	host_write_unlock(vm->slots_lock);
	return error;
}

void hv_memory_protect(struct hv_vm *vm, const struct hv_slot *slot, uint64_t first_page,
		       uint64_t mask)
{
	bool flush = false;

	host_spin_lock(vm->table_lock);
	for (; mask; mask &= mask - 1) {
		uint64_t page = first_page + (uint64_t)__builtin_ctzll(mask);

		if (page < slot->size / HV_PAGE_SIZE)
			flush |= see_writes(vm)(&vm->table, slot->gpa + page * HV_PAGE_SIZE,
						slot->gpa + (page + 1) * HV_PAGE_SIZE);
	}
	host_spin_unlock(vm->table_lock);
	if (flush)
		memory_flush(vm);
}

/* ---- the VM --------------------------------------------------------------------------- */

static void free_memory(struct hv_vm *vm)
{
	for (unsigned int i = 0; vm->slots && i < vm->slots->count; i++)
		if (vm->slots->slots[i].dirty)
			host_free(vm->slots->slots[i].dirty, dirty_bytes(vm->slots->slots[i].size));
	slots_free(vm->slots);
	vm->slots = NULL;
	table_free(&vm->table);
}

int hv_vm_init(struct hv_vm *vm, const struct hv_cpu_ops *ops)
{
	int error = HOST_ENOMEM;

	vm->ops = ops;
	vm->slots_lock = host_rwlock_new();
	if (!vm->slots_lock)
		return error;
	vm->table_lock = host_spinlock_new();
	if (!vm->table_lock)
		goto err_slots_lock;
	if (!table_init(&vm->table, ops->table, ops->table_levels ? ops->table_levels() : 4))
		goto err_table_lock;
	error = clock_init(vm);
	if (error)
		goto err_table;
	error = ops->vm_init(vm);
	if (error)
		goto err_clock;
	return HOST_OK;
err_clock:
	clock_free(vm);
err_table:
	table_free(&vm->table);
err_table_lock:
	host_spinlock_free(vm->table_lock);
err_slots_lock:
	host_rwlock_free(vm->slots_lock);
	return error;
}

void hv_vm_free(struct hv_vm *vm)
{
	hv_irqchip_free(vm);
	vm->ops->vm_free(vm);
	clock_free(vm);
	free_memory(vm);
	host_spinlock_free(vm->table_lock);
	host_rwlock_free(vm->slots_lock);
}
