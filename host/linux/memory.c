/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * The VMM's memory becomes the guest's: slots (Linux, Documentation/virt/kvm/api.rst,
 * 4.35), and the kernel's word to us when it takes any of that memory away again, to swap,
 * merge or move it, or because the VMM has (Linux, mm/mmu_notifier.c).
 */

/* ---- slots -------------------------------------------------------------------------------- */

#define SLOT_FLAGS (KVM_MEM_LOG_DIRTY_PAGES | KVM_MEM_READONLY)
#define PAGES_MAX  ((1ull << 31) - 1)

static int check(const struct kvm_userspace_memory_region *region)
{
	const void __user *begin = user_pointer(region->userspace_addr);

	/* The upper half is an address space, of which there is one. */
	if (region->slot >= HV_SLOT_MAX || region->flags & ~SLOT_FLAGS)
		return -EINVAL;
	if ((region->guest_phys_addr | region->memory_size | region->userspace_addr) % PAGE_SIZE)
		return -EINVAL;
	if (region->memory_size / PAGE_SIZE > PAGES_MAX ||
	    region->guest_phys_addr + region->memory_size < region->guest_phys_addr)
		return -EINVAL;
	if (region->memory_size && !access_ok(begin, region->memory_size))
		return -EINVAL;
	return 0;
}

VM_HANDLER(vm_set_memory)
{
	struct kvm_userspace_memory_region region;
	struct hv_slot slot;
	int error;

	if (copy_from_user(&region, user_pointer(argument), sizeof(region)))
		return -EFAULT;
	error = check(&region);
	if (error)
		return error;
	slot = (struct hv_slot){
		.id = region.slot,
		.gpa = region.guest_phys_addr,
		.size = region.memory_size,
		.hva = region.userspace_addr,
		.read_only = region.flags & KVM_MEM_READONLY,
	};
	mutex_lock(&vm->lock);
	error = hv_memory_set(&vm->hv, &slot, region.flags & KVM_MEM_LOG_DIRTY_PAGES);
	mutex_unlock(&vm->lock);
	return error;
}

/* ---- what the kernel tells ------------------------------------------------------------------ */

static struct hutch_vm *vm_of(struct mmu_notifier *notifier)
{
	return container_of(notifier, struct hutch_vm, notifier);
}

static int invalidate_begin(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	hv_memory_invalidate_begin(&vm_of(notifier)->hv, range->start, range->end);
	return 0;
}

static void invalidate_end(struct mmu_notifier *notifier, const struct mmu_notifier_range *range)
{
	hv_memory_invalidate_end(&vm_of(notifier)->hv, range->start, range->end);
}

static int clear_flush_young(struct mmu_notifier *notifier, struct mm_struct *mm,
			     unsigned long start, unsigned long end)
{
	return hv_memory_touched(&vm_of(notifier)->hv, start, end, true);
}

static int test_young(struct mmu_notifier *notifier, struct mm_struct *mm, unsigned long address)
{
	return hv_memory_touched(&vm_of(notifier)->hv, address, address + PAGE_SIZE, false);
}

/* The VMM's address space ends; nothing of it may be seen by a guest that still stands. */
static void release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct hv_vm *vm = &vm_of(notifier)->hv;

	hv_memory_invalidate_begin(vm, 0, ~0ull);
	hv_memory_invalidate_end(vm, 0, ~0ull);
}

static const struct mmu_notifier_ops notifier_operations = {
	.invalidate_range_start = invalidate_begin,
	.invalidate_range_end = invalidate_end,
	.clear_flush_young = clear_flush_young,
	.clear_young = clear_flush_young,
	.test_young = test_young,
	.release = release,
};

int memory_watch(struct hutch_vm *vm)
{
	vm->notifier.ops = &notifier_operations;
	return mmu_notifier_register(&vm->notifier, vm->mm);
}

/* When it returns, no notification is under way and none will come. */
void memory_unwatch(struct hutch_vm *vm)
{
	mmu_notifier_unregister(&vm->notifier, vm->mm);
}
