/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/bus.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/*
 * Ranges are kept sorted while they are added, which happens a few dozen times, so
 * that they are found quickly, which happens at every exit. An access that is wider
 * than its device is cut in halves until it fits, which is what a PC's bus bridges do
 * with a 32-bit access to an 8-bit card.
 */

/* How many ranges lie wholly below @address. */
static unsigned int ranges_below(const struct bus *bus, enum bus_space space, uint64_t address)
{
	unsigned int low = 0, high = bus->count[space];

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (bus->ranges[space][middle].last < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int add_range(struct bus *bus, enum bus_space space, const struct bus_range *range)
{
	struct bus_range *ranges = bus->ranges[space];
	unsigned int count = bus->count[space];
	unsigned int place = ranges_below(bus, space, range->first);

	if (range->last < range->first)
		return -EINVAL;
	if (place < count && ranges[place].first <= range->last)
		return -EEXIST;
	if (count == BUS_RANGES_MAX)
		return -ENOSPC;
	memmove(&ranges[place + 1], &ranges[place], (count - place) * sizeof(*ranges));
	ranges[place] = *range;
	bus->count[space]++;
	return 0;
}

int bus_add(struct bus *bus, enum bus_space space, uint64_t first, uint64_t last,
	    bus_handler *handler, void *owner, const char *name)
{
	return add_range(bus, space,
			 &(struct bus_range){
				 .first = first,
				 .last = last,
				 .width = space == BUS_PORT ? 1 : 8,
				 .handler = handler,
				 .owner = owner,
				 .name = name,
			 });
}

int bus_add_ports(struct bus *bus, uint16_t first, uint16_t last, unsigned int width,
		  bus_handler *handler, void *owner, const char *name)
{
	return add_range(bus, BUS_PORT,
			 &(struct bus_range){
				 .first = first,
				 .last = last,
				 .width = width,
				 .handler = handler,
				 .owner = owner,
				 .name = name,
			 });
}

int bus_add_movable(struct bus *bus, bus_handler *handler, void *owner, const char *name)
{
	if (bus->movable.handler)
		return -EEXIST;
	bus->movable = (struct bus_range){
		.last = UINT64_MAX,
		.width = 8,
		.handler = handler,
		.owner = owner,
		.name = name,
	};
	return 0;
}

const struct bus_range *bus_find(const struct bus *bus, enum bus_space space, uint64_t address)
{
	unsigned int place = ranges_below(bus, space, address);
	const struct bus_range *range = &bus->ranges[space][place];

	return place < bus->count[space] && range->first <= address ? range : NULL;
}

static uint64_t all_ones(unsigned int size)
{
	return size >= 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
}

static bool access_part(struct bus *bus, enum bus_space space, struct vcpu *vcpu,
			struct bus_access *access);

static bool access_halves(struct bus *bus, enum bus_space space, struct vcpu *vcpu,
			  struct bus_access *access)
{
	unsigned int half = access->size / 2;
	struct bus_access low = {
		.address = access->address,
		.value = access->value & all_ones(half),
		.size = half,
		.write = access->write,
	};
	struct bus_access high = {
		.address = access->address + half,
		.value = access->value >> 8 * half,
		.size = half,
		.write = access->write,
	};
	bool answered = access_part(bus, space, vcpu, &low);

	answered |= access_part(bus, space, vcpu, &high);
	if (!access->write)
		access->value = low.value | high.value << 8 * half;
	return answered;
}

static bool access_part(struct bus *bus, enum bus_space space, struct vcpu *vcpu,
			struct bus_access *access)
{
	const struct bus_range *range = bus_find(bus, space, access->address);

	if (!range && space == BUS_MMIO && bus->movable.handler)
		range = &bus->movable;
	/* The port after 0xffff is port 0 in the guest's eyes, but no device's. */
	if (space == BUS_PORT && access->size > (range ? range->width : 1))
		return access_halves(bus, space, vcpu, access);
	if (range && range->handler(range->owner, vcpu, access)) {
		if (!access->write)
			access->value &= all_ones(access->size);
		return true;
	}
	if (!access->write)
		access->value = all_ones(access->size);
	return false;
}

bool bus_access(struct bus *bus, enum bus_space space, struct vcpu *vcpu, struct bus_access *access)
{
	bool answered = access_part(bus, space, vcpu, access);

	if (!answered)
		atomic_fetch_add_explicit(&bus->unclaimed[space], 1, memory_order_relaxed);
	return answered;
}
