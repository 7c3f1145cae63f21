/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/slab.h>
#include <linux/uaccess.h>

/*
 * The VMM's filter of MSRs (Linux, Documentation/virt/kvm/api.rst, 4.97): ranges with a
 * bit for each MSR that the guest may use. A new filter takes the old one's place whole;
 * vCPUs that look meanwhile see one or the other.
 */

struct filter_range {
	uint32_t flags, base, count;
	unsigned long *allowed;
};

struct msr_filter {
	struct rcu_head rcu;
	bool allows_others;
	unsigned int count;
	struct filter_range ranges[KVM_MSR_FILTER_MAX_RANGES];
};

static void filter_free(struct msr_filter *filter)
{
	unsigned int i;

	if (!filter)
		return;
	for (i = 0; i < filter->count; i++)
		own_free(filter->ranges[i].allowed);
	own_free(filter);
}

static void filter_free_later(struct rcu_head *rcu)
{
	filter_free(container_of(rcu, struct msr_filter, rcu));
}

static bool allows(const struct msr_filter *filter, uint32_t index, bool write)
{
	uint32_t flag = write ? KVM_MSR_FILTER_WRITE : KVM_MSR_FILTER_READ;
	unsigned int i;

	for (i = 0; i < filter->count; i++) {
		const struct filter_range *range = &filter->ranges[i];

		if (range->flags & flag && index - range->base < range->count)
			return test_bit(index - range->base, range->allowed);
	}
	return filter->allows_others;
}

static bool is_allowed(struct hv_vm *hv, uint32_t index, bool write)
{
	struct hutch_vm *vm = hv->host;
	const struct msr_filter *filter;
	bool allowed;

	rcu_read_lock();
	filter = rcu_dereference(vm->msr_filter);
	allowed = !filter || allows(filter, index, write);
	rcu_read_unlock();
	return allowed;
}

static int take_range(struct msr_filter *filter, const struct kvm_msr_filter_range *from)
{
	const uint32_t known = KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE;
	struct filter_range *range = &filter->ranges[filter->count];
	size_t size = BITS_TO_LONGS((size_t)from->nmsrs) * sizeof(long);

	if (!from->nmsrs)
		return 0;
	if (!from->flags || from->flags & ~known || size > KVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	range->allowed = memdup_user((const void __user *)from->bitmap, size);
	if (IS_ERR(range->allowed))
		return PTR_ERR(range->allowed);
	account(1);
	range->flags = from->flags;
	range->base = from->base;
	range->count = from->nmsrs;
	filter->count++;
	return 0;
}

static struct msr_filter *filter_new(const struct kvm_msr_filter *from)
{
	struct msr_filter *filter = own_alloc(sizeof(*filter));
	unsigned int i;
	int error;

	if (!filter)
		return ERR_PTR(-ENOMEM);
	filter->allows_others = !(from->flags & KVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < KVM_MSR_FILTER_MAX_RANGES; i++) {
		error = take_range(filter, &from->ranges[i]);
		if (error)
			goto err;
	}
	/* To deny everything takes a range: an empty filter is none. */
	error = -EINVAL;
	if (!filter->count && !filter->allows_others)
		goto err;
	return filter;
err:
	filter_free(filter);
	return ERR_PTR(error);
}

VM_HANDLER(vm_set_msr_filter)
{
	struct msr_filter *filter, *before;
	struct kvm_msr_filter from;

	if (copy_from_user(&from, user_pointer(argument), sizeof(from)))
		return -EFAULT;
	if (from.flags & ~KVM_MSR_FILTER_DEFAULT_DENY)
		return -EINVAL;
	filter = filter_new(&from);
	if (IS_ERR(filter))
		return PTR_ERR(filter);
	mutex_lock(&vm->lock);
	before = rcu_replace_pointer(vm->msr_filter, filter, lockdep_is_held(&vm->lock));
	hv_vm_filter_msrs(&vm->hv, is_allowed);
	mutex_unlock(&vm->lock);
	if (before)
		call_rcu(&before->rcu, filter_free_later);
	return 0;
}

/* Of a VM that nobody uses any more. */
void msr_filter_destroy(struct hutch_vm *vm)
{
	filter_free(rcu_dereference_protected(vm->msr_filter, true));
	RCU_INIT_POINTER(vm->msr_filter, NULL);
}
