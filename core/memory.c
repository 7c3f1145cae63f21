/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/memory.h"

#include "core/checks.h"
#include "core/cpu.h"
#include "core/table.h"

/*
 * A guest's memory is ordinary memory of its VMM: a slot says that guest physical
 * addresses from @gpa on are the VMM's addresses from @hva on. The guest's table holds
 * what has been touched, and the host may take any of it back at any time:
 *
 *	fault	the host makes the page present, as if the VMM had touched it; then the
 *		table gets an entry, unless the host has begun to take it away meanwhile
 *	take	the host announces a range; the entries go, the vCPUs forget, and until
 *		it is done no fault puts any of it back
 */

#define PAGE_BITS 12

static uint64_t hva_of(const struct hv_slot *slot, uint64_t gpa)
{
	return slot->hva + (gpa - slot->gpa);
}

struct hv_slot *memory_slot_at(const struct hv_vm *vm, uint64_t gpa)
{
	struct hv_slots *slots = vm->slots;
	unsigned int low = 0, high = slots ? slots->count : 0;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		struct hv_slot *slot = &slots->slots[middle];

		if (gpa - slot->gpa < slot->size)
			return slot;
		if (gpa < slot->gpa)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void mark_dirty(struct hv_slot *slot, uint64_t gpa)
{
	uint64_t page = (gpa - slot->gpa) >> PAGE_BITS;

	if (slot->dirty)
		__atomic_fetch_or(&slot->dirty[page / 64], 1ull << (page % 64), __ATOMIC_RELAXED);
}

void memory_flush(struct hv_vm *vm)
{
	__atomic_fetch_add(&vm->tlb_generation, 1, __ATOMIC_SEQ_CST);
	for (unsigned int i = 0; i < vm->vcpu_count; i++)
		if (__atomic_load_n(&vm->vcpus[i]->mode, __ATOMIC_SEQ_CST) == HV_IN_GUEST)
			host_kick(vm->vcpus[i], true);
}

/* ---- the log ----------------------------------------------------------------------- */

/* The lock that the array of slots is exchanged under; it needs no sleep. */
void memory_logged(struct hv_vm *vm, const uint64_t *gpas, unsigned int count)
{
	host_spin_lock(vm->table_lock);
	for (unsigned int i = 0; i < count; i++) {
		struct hv_slot *slot = memory_slot_at(vm, gpas[i]);

		if (slot)
			mark_dirty(slot, gpas[i]);
	}
	host_spin_unlock(vm->table_lock);
}

/* At an exit the log is emptied before interrupts are on: when the call returns, it has been. */
void hv_memory_collect(struct hv_vm *vm)
{
	if (!vm->logging)
		return;
	for (unsigned int i = 0; i < vm->vcpu_count; i++)
		if (__atomic_load_n(&vm->vcpus[i]->mode, __ATOMIC_SEQ_CST) == HV_IN_GUEST)
			host_kick(vm->vcpus[i], true);
}

/* ---- faults ---------------------------------------------------------------------- */

/* The largest page that is whole in the slot and lies the same way on both sides. */
static unsigned int order_in_slot(const struct hv_slot *slot, uint64_t gpa, unsigned int order)
{
	for (; order; order = order > 9 ? 9 : 0) {
		uint64_t size = HV_PAGE_SIZE << order, start = gpa & ~(size - 1);

		if (start >= slot->gpa && start + size <= slot->gpa + slot->size &&
		    (gpa & (size - 1)) == (hva_of(slot, gpa) & (size - 1)))
			break;
	}
	return order;
}

static bool is_being_taken(const struct hv_vm *vm, uint64_t sequence, uint64_t hva)
{
	return vm->invalidate_sequence != sequence ||
	       (vm->invalidating && hva >= vm->invalidate_start && hva < vm->invalidate_end);
}

/* False: the host has taken the page away meanwhile. */
static bool map(struct hv_vm *vm, struct hv_slot *slot, uint64_t gpa, struct host_frame *frame,
		uint64_t sequence, struct table_reserve *reserve)
{
	/* Written pages are logged one by one; the others may be as large as they are. */
	unsigned int order = slot->dirty ? 0 : order_in_slot(slot, gpa, frame->order);
	bool writable = frame->writable && !slot->read_only;
	bool taken, stale = false;

	host_spin_lock(vm->table_lock);
	taken = is_being_taken(vm, sequence, hva_of(slot, gpa));
	if (!taken) {
		stale = table_map(&vm->table, gpa, frame->physical, order, writable, reserve);
		/* What the guest can write from now on counts as written: mostly it will be. */
		if (writable)
			mark_dirty(slot, gpa);
	}
	host_spin_unlock(vm->table_lock);
	if (stale)
		memory_flush(vm);
	return !taken;
}

static enum memory_fault fault_in(struct hv_vcpu *vcpu, struct hv_slot *slot, uint64_t gpa,
				  bool write)
{
	struct hv_vm *vm = vcpu->vm;
	struct host_frame frame;
	bool mapped = false;

	while (!mapped) {
		uint64_t sequence;
		int error;

		if (!table_reserve(&vcpu->reserve))
			return MEMORY_NO_MEMORY;
		host_spin_lock(vm->table_lock);
		sequence = vm->invalidate_sequence;
		host_spin_unlock(vm->table_lock);
		error = host_frame_get(hva_of(slot, gpa) & ~(HV_PAGE_SIZE - 1), write, &frame);
		if (error == HOST_EINTR)
			return MEMORY_MAPPED; /* not yet: the signal goes first */
		if (error)
			return error == HOST_ENOMEM ? MEMORY_NO_MEMORY : MEMORY_BAD;
		mapped = map(vm, slot, gpa, &frame, sequence, &vcpu->reserve);
		host_frame_put(&frame, mapped && frame.writable);
	}
	return MEMORY_MAPPED;
}

enum memory_fault memory_fault(struct hv_vcpu *vcpu, uint64_t gpa, bool write)
{
	struct hv_vm *vm = vcpu->vm;
	enum memory_fault result = MEMORY_DEVICE;
	struct hv_slot *slot;

	host_read_lock(vm->slots_lock);
	slot = memory_slot_at(vm, gpa);
	if (slot && !(write && slot->read_only))
		result = fault_in(vcpu, slot, gpa, write);
	host_read_unlock(vm->slots_lock);
	return result;
}

/* ---- the host takes memory away ----------------------------------------------------- */

/* Calls @change on what the slots have of a range of the VMM's; the lock is held. */
static bool for_range(struct hv_vm *vm, uint64_t hva, uint64_t end,
		      bool (*change)(struct hv_table *table, uint64_t gpa, uint64_t end))
{
	bool any = false;

	for (unsigned int i = 0; vm->slots && i < vm->slots->count; i++) {
		const struct hv_slot *slot = &vm->slots->slots[i];
		uint64_t from = hva > slot->hva ? hva : slot->hva;
		uint64_t to = end < slot->hva + slot->size ? end : slot->hva + slot->size;

		if (from < to)
			any |= change(&vm->table, slot->gpa + (from - slot->hva),
				      slot->gpa + (to - slot->hva));
	}
	return any;
}

void hv_memory_invalidate_begin(struct hv_vm *vm, uint64_t hva, uint64_t end)
{
	bool flush;

	host_spin_lock(vm->table_lock);
	if (!vm->invalidating++) {
		vm->invalidate_start = hva;
		vm->invalidate_end = end;
	} else { /* several at once: what lies between them waits along */
		if (hva < vm->invalidate_start)
			vm->invalidate_start = hva;
		if (end > vm->invalidate_end)
			vm->invalidate_end = end;
	}
	flush = for_range(vm, hva, end, table_unmap);
	host_spin_unlock(vm->table_lock);
	if (flush)
		memory_flush(vm);
}

void hv_memory_invalidate_end(struct hv_vm *vm, uint64_t hva, uint64_t end)
{
	host_spin_lock(vm->table_lock);
	INVARIANT(vm->invalidating, "the host has given back what it did not take");
	/* A fault that began before has a page that may be gone: it begins again. */
	vm->invalidate_sequence++;
	vm->invalidating--;
	check_memory(vm, hva, end);
	host_spin_unlock(vm->table_lock);
}

static bool touched(struct hv_table *table, uint64_t gpa, uint64_t end)
{
	return table_accessed(table, gpa, end, false);
}

static bool touched_and_wiped(struct hv_table *table, uint64_t gpa, uint64_t end)
{
	return table_accessed(table, gpa, end, true);
}

bool hv_memory_touched(struct hv_vm *vm, uint64_t hva, uint64_t end, bool clear)
{
	bool any;

	host_spin_lock(vm->table_lock);
	any = for_range(vm, hva, end, clear ? touched_and_wiped : touched);
	host_spin_unlock(vm->table_lock);
	/* A translation that is remembered sets no mark: only a flush makes it new. */
	if (any && clear)
		memory_flush(vm);
	return any;
}

/* ---- copies ------------------------------------------------------------------------- */

/* How much of [@gpa, +@size) lies in one slot: its address in the VMM in *@hva; 0: none. */
static size_t piece(struct hv_vm *vm, uint64_t gpa, size_t size, bool write, uint64_t *hva)
{
	struct hv_slot *slot = memory_slot_at(vm, gpa);
	uint64_t left;

	if (!slot || (write && slot->read_only))
		return 0;
	*hva = hva_of(slot, gpa);
	left = slot->gpa + slot->size - gpa;
	return left < size ? left : size;
}

static bool copy_in_pieces(struct hv_vm *vm, uint64_t gpa, uint8_t *bytes, size_t size)
{
	bool done = true;

	while (size && done) {
		uint64_t hva;
		size_t count = piece(vm, gpa, size, false, &hva);

		done = count && host_copy_in(bytes, hva, count);
		bytes += count, gpa += count, size -= count;
	}
	return done;
}

/* Mostly an instruction or an entry of a table: it lies in one slot. */
bool memory_copy_in(struct hv_vm *vm, uint64_t gpa, void *to, size_t size)
{
	const struct hv_slot *slot;
	bool done;

	host_read_lock(vm->slots_lock);
	slot = memory_slot_at(vm, gpa);
	if (slot && size <= slot->gpa + slot->size - gpa)
		done = host_copy_in(to, hva_of(slot, gpa), size);
	else
		done = copy_in_pieces(vm, gpa, to, size);
	host_read_unlock(vm->slots_lock);
	return done;
}

bool memory_copy_out(struct hv_vm *vm, uint64_t gpa, const void *from, size_t size)
{
	const uint8_t *bytes = from;
	bool done = true;

	host_read_lock(vm->slots_lock);
	while (size && done) {
		uint64_t hva;
		size_t count = piece(vm, gpa, size, true, &hva);

		done = count && host_copy_out(hva, bytes, count);
		for (uint64_t at = gpa & ~(HV_PAGE_SIZE - 1); done && at < gpa + count;
		     at += HV_PAGE_SIZE)
			mark_dirty(memory_slot_at(vm, gpa), at);
		bytes += count, gpa += count, size -= count;
	}
	host_read_unlock(vm->slots_lock);
	return done;
}

enum host_exchange memory_exchange(struct hv_vm *vm, uint64_t gpa, unsigned int size,
				   uint64_t expected, uint64_t value)
{
	enum host_exchange result = HOST_EXCHANGE_FAULT;
	uint64_t hva = 0;

	host_read_lock(vm->slots_lock);
	if (piece(vm, gpa, size, true, &hva) == size)
		result = host_exchange(hva, size, expected, value);
	if (result == HOST_EXCHANGE_DONE)
		mark_dirty(memory_slot_at(vm, gpa), gpa);
	host_read_unlock(vm->slots_lock);
	return result;
}

uint64_t memory_place(struct hv_vm *vm, uint64_t gpa, uint64_t *generation)
{
	uint64_t hva = 0;

	host_read_lock(vm->slots_lock);
	*generation = __atomic_load_n(&vm->slots_generation, __ATOMIC_RELAXED);
	if (!piece(vm, gpa, 1, true, &hva))
		hva = 0;
	host_read_unlock(vm->slots_lock);
	return hva;
}

bool memory_writable(struct hv_vm *vm, uint64_t gpa, size_t size)
{
	uint64_t hva;
	bool writable = true;

	host_read_lock(vm->slots_lock);
	while (size && writable) {
		size_t count = piece(vm, gpa, size, true, &hva);

		writable = count;
		gpa += count, size -= count;
	}
	host_read_unlock(vm->slots_lock);
	return writable;
}
