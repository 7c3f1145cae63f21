/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * Which pages a guest has written since somebody last asked (Linux,
 * Documentation/virt/kvm/api.rst, 4.8 and 4.117). The core sets a bit for a page at its
 * first write and lets the next ones pass; whoever takes the bit away has the page's
 * writes seen again. A bit is taken first and the page protected after that: a write
 * between the two is one that the reader of the page, who comes later, sees.
 */

/* Of the slot's bitmap, here and in user memory. */
static uint64_t word_count(const struct hv_slot *slot)
{
	return DIV_ROUND_UP(slot->size / PAGE_SIZE, 64);
}

static uint64_t take_word(struct hv_vm *vm, const struct hv_slot *slot, uint64_t word,
			  uint64_t wanted)
{
	uint64_t taken;

	if (!(READ_ONCE(slot->dirty[word]) & wanted))
		return 0;
	taken = __atomic_fetch_and(&slot->dirty[word], ~wanted, __ATOMIC_SEQ_CST) & wanted;
	if (taken)
		hv_memory_protect(vm, slot, word * 64, taken);
	return taken;
}

static long get_log(struct hutch_vm *vm, const struct hv_slot *slot, uint64_t __user *bitmap)
{
	uint64_t word, bits;

	if (!slot || !slot->dirty)
		return -ENOENT;
	hv_memory_collect(&vm->hv);
	for (word = 0; word < word_count(slot); word++) {
		bits = vm->manual_dirty_log ? READ_ONCE(slot->dirty[word])
					    : take_word(&vm->hv, slot, word, ~0ull);
		if (put_user(bits, &bitmap[word]))
			return -EFAULT;
	}
	return 0;
}

static long clear_log(struct hutch_vm *vm, const struct hv_slot *slot, uint64_t first,
		      uint64_t count, const uint64_t __user *bitmap)
{
	uint64_t pages, word, wanted;

	if (!slot || !slot->dirty)
		return -ENOENT;
	pages = slot->size / PAGE_SIZE;
	if (first % 64 || first > pages || count > pages - first ||
	    (count % 64 && first + count != pages))
		return -EINVAL;
	for (word = first / 64; word < DIV_ROUND_UP(first + count, 64); word++) {
		if (get_user(wanted, bitmap++))
			return -EFAULT;
		take_word(&vm->hv, slot, word, wanted);
	}
	return 0;
}

/*
 * Slots change under the VM's lock only, so it keeps this one in place; the core's own
 * lock of slots must not be held while user memory is touched and a page of it faults.
 */
VM_HANDLER(vm_get_dirty_log)
{
	struct kvm_dirty_log log;
	long result;

	if (copy_from_user(&log, user_pointer(argument), sizeof(log)))
		return -EFAULT;
	if (log.slot >= HV_SLOT_MAX)
		return -EINVAL;
	mutex_lock(&vm->lock);
	result = get_log(vm, hv_memory_slot(&vm->hv, log.slot), log.dirty_bitmap);
	mutex_unlock(&vm->lock);
	return result;
}

VM_HANDLER(vm_clear_dirty_log)
{
	struct kvm_clear_dirty_log log;
	long result;

	if (copy_from_user(&log, user_pointer(argument), sizeof(log)))
		return -EFAULT;
	if (log.slot >= HV_SLOT_MAX)
		return -EINVAL;
	mutex_lock(&vm->lock);
	result = clear_log(vm, hv_memory_slot(&vm->hv, log.slot), log.first_page, log.num_pages,
			   log.dirty_bitmap);
	mutex_unlock(&vm->lock);
	return result;
}
