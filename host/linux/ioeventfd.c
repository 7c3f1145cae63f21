/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include "host/linux/compat.h"

#include <linux/eventfd.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/*
 * ioeventfd: a write to a port or an address that signals an eventfd and is done (Linux,
 * Documentation/virt/kvm/api.rst, 4.59). Who rings such a doorbell does not wait for the
 * VMM.
 */

struct event_range {
	struct list_head list;
	struct eventfd_ctx *event;
	uint64_t address;
	uint32_t size; /* 0: any */
	bool port, has_value;
	uint64_t value;
};

static bool matches(const struct event_range *range, bool port, uint64_t address, unsigned int size,
		    const void *data)
{
	uint64_t value = 0;

	if (range->port != port || range->address != address)
		return false;
	if (range->size && range->size != size)
		return false;
	if (!range->has_value)
		return true;
	memcpy(&value, data, min_t(size_t, size, sizeof(value)));
	return value == range->value;
}

bool event_signal(struct hutch_vm *vm, bool port, uint64_t address, unsigned int size,
		  const void *data)
{
	struct event_range *range;
	bool found = false;

	if (list_empty(&vm->event_ranges))
		return false;
	down_read(&vm->devices_lock);
	list_for_each_entry(range, &vm->event_ranges, list)
	{
		if (!matches(range, port, address, size, data))
			continue;
		compat_eventfd_signal(range->event);
		found = true;
		break;
	}
	up_read(&vm->devices_lock);
	return found;
}

static void range_free(struct event_range *range)
{
	list_del(&range->list);
	eventfd_ctx_put(range->event);
	own_free(range);
}

void event_destroy(struct hutch_vm *vm)
{
	struct event_range *range, *next;

	list_for_each_entry_safe(range, next, &vm->event_ranges, list) range_free(range);
}

static bool is_same(const struct event_range *a, const struct event_range *b)
{
	return a->port == b->port && a->address == b->address && a->size == b->size &&
	       a->has_value == b->has_value && a->value == b->value;
}

/* Of two that would both be signalled only one could be. */
static bool collides(const struct event_range *a, const struct event_range *b)
{
	return a->port == b->port && a->address == b->address &&
	       (!a->size || !b->size ||
		(a->size == b->size && (!a->has_value || !b->has_value || a->value == b->value)));
}

static long assign(struct hutch_vm *vm, const struct event_range *wanted)
{
	struct event_range *range, *other;
	long result = 0;

	range = own_alloc(sizeof(*range));
	if (!range)
		return -ENOMEM;
	*range = *wanted;
	down_write(&vm->devices_lock);
	list_for_each_entry(other, &vm->event_ranges, list) if (collides(range, other))
		result = -EEXIST;
	if (!result)
		list_add_tail(&range->list, &vm->event_ranges);
	up_write(&vm->devices_lock);
	if (result)
		own_free(range);
	return result;
}

/* @wanted's reference is to the same eventfd, if it is the right one. */
static long deassign(struct hutch_vm *vm, const struct event_range *wanted)
{
	struct event_range *range, *next;
	long result = -ENOENT;

	down_write(&vm->devices_lock);
	list_for_each_entry_safe(range, next, &vm->event_ranges, list)
	{
		if (range->event != wanted->event || !is_same(range, wanted))
			continue;
		range_free(range);
		result = 0;
		break;
	}
	up_write(&vm->devices_lock);
	return result;
}

static int check(const struct kvm_ioeventfd *from)
{
	const uint32_t known = KVM_IOEVENTFD_FLAG_DATAMATCH | KVM_IOEVENTFD_FLAG_PIO |
			       KVM_IOEVENTFD_FLAG_DEASSIGN;

	if (from->flags & ~known || from->addr + from->len < from->addr)
		return -EINVAL;
	switch (from->len) {
	case 0:
		return from->flags & KVM_IOEVENTFD_FLAG_DATAMATCH ? -EINVAL : 0;
	case 1:
	case 2:
	case 4:
	case 8:
		return 0;
	}
	return -EINVAL;
}

VM_HANDLER(vm_ioeventfd)
{
	struct kvm_ioeventfd from;
	struct event_range range;
	long result;

	if (copy_from_user(&from, user_pointer(argument), sizeof(from)))
		return -EFAULT;
	result = check(&from);
	if (result)
		return result;
	range = (struct event_range){
		.event = eventfd_ctx_fdget(from.fd),
		.address = from.addr,
		.size = from.len,
		.port = from.flags & KVM_IOEVENTFD_FLAG_PIO,
		.has_value = from.flags & KVM_IOEVENTFD_FLAG_DATAMATCH,
		.value = from.flags & KVM_IOEVENTFD_FLAG_DATAMATCH ? from.datamatch : 0,
	};
	if (IS_ERR(range.event))
		return PTR_ERR(range.event);
	if (from.flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		result = deassign(vm, &range);
	else
		result = assign(vm, &range);
	/* The range that was made has this reference for its own. */
	if (result || from.flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		eventfd_ctx_put(range.event);
	return result;
}
