/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The fifth step of five: answer the exit.
 *
 * A handler says what to do next by its verdict, not by what it calls: so the loop
 * in lib/vcpu.c is the only place where the guest goes on, and a handler cannot
 * forget it. This file finds the handler; see lib/dispatch.h for the order.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/dispatch.h"
#include "lib/error.h"
#include "lib/object.h"
#include "lib/system.h"

/* The first range that ends at @address or above: the one that holds it, if any does. */
static unsigned int range_position(const struct handler_ranges *ranges, uint64_t address)
{
	unsigned int low = 0, high = ranges->count;

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;

		if (ranges->ranges[middle].last < address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int ranges_add(struct handler_ranges *ranges, const struct handler_range *range,
		      const char *what)
{
	unsigned int position = range_position(ranges, range->first);
	const struct handler_range *next = &ranges->ranges[position];

	if (position < ranges->count && next->first <= range->last)
		return hutch_fail(EEXIST,
				  "handler for %s 0x%" PRIx64 "-0x%" PRIx64 ": 0x%" PRIx64
				  "-0x%" PRIx64 " has one already",
				  what, range->first, range->last, next->first, next->last);
	if (ranges->count == ranges->capacity) {
		unsigned int capacity = ranges->capacity ? 2 * ranges->capacity : 8;
		struct handler_range *larger = system_calloc(capacity, sizeof(*larger));

		if (!larger)
			return hutch_fail(ENOMEM, "handler for %s: out of memory", what);
		if (ranges->count)
			memcpy(larger, ranges->ranges, ranges->count * sizeof(*larger));
		free(ranges->ranges);
		ranges->ranges = larger;
		ranges->capacity = capacity;
	}
	memmove(&ranges->ranges[position + 1], &ranges->ranges[position],
		(ranges->count - position) * sizeof(*range));
	ranges->ranges[position] = *range;
	ranges->count++;
	return 0;
}

int hutch_vm_on_port(struct hutch_vm *vm, uint16_t first, uint16_t last, hutch_handler *handler,
		     void *context)
{
	const struct handler_range range = { first, last, handler, context };

	if (last < first)
		return hutch_fail(EINVAL, "handler for ports 0x%x-0x%x: ends before it begins",
				  first, last);
	return ranges_add(&vm->dispatch.ports, &range, "ports");
}

int hutch_vm_on_mmio(struct hutch_vm *vm, uint64_t gpa, uint64_t size, hutch_handler *handler,
		     void *context)
{
	const struct handler_range range = { gpa, gpa + size - 1, handler, context };

	if (!size || range.last < gpa)
		return hutch_fail(EINVAL,
				  "handler for 0x%" PRIx64 " bytes at guest-physical 0x%" PRIx64
				  ": %s",
				  size, gpa, size ? "wraps" : "empty");
	return ranges_add(&vm->dispatch.mmio, &range, "guest-physical");
}

int hutch_vm_on(struct hutch_vm *vm, enum hutch_exit_reason reason, hutch_handler *handler,
		void *context)
{
	struct reason_handler **end, *added;

	if ((unsigned int)reason >= HUTCH_EXIT_COUNT)
		return hutch_fail(EINVAL, "handler for exit reason %d: no such reason", reason);
	added = system_calloc(1, sizeof(*added));
	if (!added)
		return hutch_fail(ENOMEM, "handler for %s exits: out of memory",
				  hutch_exit_name(reason));
	*added = (struct reason_handler){ NULL, handler, context };
	for (end = &vm->dispatch.reasons[reason]; *end; end = &(*end)->next)
		;
	*end = added;
	return 0;
}

static const struct handler_range *find_range(const struct handler_ranges *ranges, uint64_t address,
					      unsigned int *hint)
{
	const struct handler_range *range = ranges->ranges + *hint;

	if (*hint < ranges->count && range->first <= address && address <= range->last)
		return range;
	*hint = range_position(ranges, address);
	range = ranges->ranges + *hint;
	return *hint < ranges->count && range->first <= address ? range : NULL;
}

static const struct handler_range *range_of(struct hutch_vcpu *vcpu, const struct hutch_exit *exit)
{
	const struct dispatch *dispatch = &vcpu->vm->dispatch;

	switch (exit->reason) {
	case HUTCH_EXIT_IO:
		return find_range(&dispatch->ports, exit->io.port, &vcpu->hint.port);
	case HUTCH_EXIT_MMIO:
		return find_range(&dispatch->mmio, exit->mmio.gpa, &vcpu->hint.mmio);
	default:
		return NULL;
	}
}

enum hutch_verdict dispatch_exit(struct hutch_vcpu *vcpu, struct hutch_exit *exit)
{
	const struct handler_range *range = range_of(vcpu, exit);
	const struct reason_handler *entry;
	enum hutch_verdict verdict = HUTCH_PASS;

	if (range)
		verdict = range->handler(vcpu, exit, range->context);
	if (verdict != HUTCH_PASS)
		return verdict;
	for (entry = vcpu->vm->dispatch.reasons[exit->reason]; entry && verdict == HUTCH_PASS;
	     entry = entry->next)
		verdict = entry->handler(vcpu, exit, entry->context);
	return verdict;
}

void dispatch_destroy(struct dispatch *dispatch)
{
	for (unsigned int reason = 0; reason < HUTCH_EXIT_COUNT; reason++) {
		struct reason_handler *entry = dispatch->reasons[reason];

		while (entry) {
			struct reason_handler *next = entry->next;

			free(entry);
			entry = next;
		}
	}
	free(dispatch->mmio.ranges);
	free(dispatch->ports.ranges);
}
