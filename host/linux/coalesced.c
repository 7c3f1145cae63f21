/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/slab.h>
#include <linux/uaccess.h>

/*
 * Coalesced writes: those to a device's registers that have no effect before some later
 * one are put into a ring that all vCPUs share with the VMM, and it reads them at its next
 * exit (Linux, Documentation/virt/kvm/api.rst, 4.116). The ring's page is the VMM's to
 * write: its indexes are read once, and checked.
 */

#define RING_ENTRIES KVM_COALESCED_MMIO_MAX

struct coalesced_range {
	struct list_head list;
	uint64_t address, size;
	bool port;
};

int coalesced_init(struct hutch_vm *vm)
{
	vm->ring = own_pages(0);
	return vm->ring ? 0 : -ENOMEM;
}

void coalesced_destroy(struct hutch_vm *vm)
{
	struct coalesced_range *range, *next;

	list_for_each_entry_safe(range, next, &vm->coalesced_ranges, list)
	{
		list_del(&range->list);
		own_free(range);
	}
	own_pages_free(vm->ring, 0);
}

static bool append(struct hutch_vm *vm, bool port, uint64_t address, unsigned int size,
		   const void *data)
{
	struct kvm_coalesced_mmio_ring *ring = vm->ring;
	struct kvm_coalesced_mmio *entry;
	uint32_t last, next;
	bool room;

	spin_lock(&vm->ring_lock);
	last = READ_ONCE(ring->last);
	next = (last + 1) % RING_ENTRIES;
	room = last < RING_ENTRIES && next != READ_ONCE(ring->first);
	if (room) {
		entry = &ring->coalesced_mmio[last];
		entry->phys_addr = address;
		entry->len = size;
		entry->pio = port;
		memcpy(entry->data, data, size);
		/* The entry is whole before it counts. */
		smp_store_release(&ring->last, next);
	}
	spin_unlock(&vm->ring_lock);
	return room;
}

static bool is_inside(const struct coalesced_range *range, bool port, uint64_t address,
		      unsigned int size)
{
	return range->port == port && address >= range->address && size <= range->size &&
	       address - range->address <= range->size - size;
}

bool coalesced_write(struct hutch_vm *vm, bool port, uint64_t address, unsigned int size,
		     const void *data)
{
	struct coalesced_range *range;
	bool found = false;

	if (list_empty(&vm->coalesced_ranges) || size > sizeof(vm->ring->coalesced_mmio->data))
		return false;
	down_read(&vm->devices_lock);
	list_for_each_entry(range, &vm->coalesced_ranges, list)
		found = found || is_inside(range, port, address, size);
	up_read(&vm->devices_lock);
	return found && append(vm, port, address, size, data);
}

static int read_zone(unsigned long argument, struct kvm_coalesced_mmio_zone *zone)
{
	if (copy_from_user(zone, user_pointer(argument), sizeof(*zone)))
		return -EFAULT;
	return zone->pio > 1 ? -EINVAL : 0;
}

VM_HANDLER(vm_register_coalesced)
{
	struct kvm_coalesced_mmio_zone zone;
	struct coalesced_range *range;
	int error = read_zone(argument, &zone);

	if (error)
		return error;
	range = own_alloc(sizeof(*range));
	if (!range)
		return -ENOMEM;
	range->address = zone.addr;
	range->size = zone.size;
	range->port = zone.pio;
	down_write(&vm->devices_lock);
	list_add_tail(&range->list, &vm->coalesced_ranges);
	up_write(&vm->devices_lock);
	return 0;
}

/* All ranges inside the zone; that there is none is no error. */
VM_HANDLER(vm_unregister_coalesced)
{
	struct kvm_coalesced_mmio_zone zone;
	struct coalesced_range *range, *next;
	int error = read_zone(argument, &zone);

	if (error)
		return error;
	down_write(&vm->devices_lock);
	list_for_each_entry_safe(range, next, &vm->coalesced_ranges, list)
	{
		if (range->port != zone.pio || range->address < zone.addr ||
		    range->address - zone.addr + range->size > zone.size)
			continue;
		list_del(&range->list);
		own_free(range);
	}
	up_write(&vm->devices_lock);
	return 0;
}
