/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/checks.h"

#include "core/memory.h"
#include "core/table.h"

/*
 * The rules that keep a guest in its own memory, looked at from outside: whatever order
 * faults, slots and the host's taking came in, the table may only lead to what the slots
 * promise and the VMM has.
 */

bool hv_checks;

/* A page that is being taken away at this moment may still be here, or gone already. */
static bool is_in_between(const struct hv_vm *vm, uint64_t hva, uint64_t size)
{
	return vm->invalidating && hva + size > vm->invalidate_start && hva < vm->invalidate_end;
}

struct visitor {
	struct hv_vm *vm;
	uint64_t hva, end; /* what is asked about */
};

static void on_leaf(void *owner, uint64_t gpa, uint64_t physical, unsigned int order, bool writable)
{
	const struct visitor *visitor = owner;
	struct hv_vm *vm = visitor->vm;
	const struct hv_slot *slot = memory_slot_at(vm, gpa);
	uint64_t size = HV_PAGE_SIZE << order, hva;

	if (vm->identity_map && gpa == vm->identity_map && !order)
		return;
	INVARIANT(slot && gpa + size <= slot->gpa + slot->size,
		  "a guest's table leads to memory that is in none of its slots");
	if (!slot)
		return;
	INVARIANT(!writable || !slot->read_only, "a read-only slot's page can be written");
	INVARIANT(!slot->dirty || !order, "a page of a slot whose writes are logged is large");
	hva = slot->hva + (gpa - slot->gpa);
	if (hva < visitor->end && hva + size > visitor->hva && !is_in_between(vm, hva, size))
		INVARIANT(host_frame_is(vm, hva, physical),
			  "a guest's table leads to a page that its VMM has no more");
}

void check_memory(struct hv_vm *vm, uint64_t hva, uint64_t end)
{
	struct visitor visitor = { vm, hva, end };

	if (!hv_checks)
		return;
	INVARIANT(host_spin_is_held(vm->table_lock), "a table is looked at without its lock");
	INVARIANT(table_visit(&vm->table, on_leaf, &visitor) == vm->table.pages,
		  "a guest's tables are not as many as were counted");
}
