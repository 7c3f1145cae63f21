/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The first step of five: build memory.
 *
 * What the guest believes to be its physical memory is ordinary memory of this
 * process: a mapping that the hypervisor is told of (KVM_SET_USER_MEMORY_REGION).
 * The guest's page costs a page once it is touched, by either side, and nothing
 * before. How regions are found without a lock is told in lib/memory.h.
 */

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/error.h"
#include "lib/mapping.h"
#include "lib/object.h"
#include "lib/system.h"

#define TABLE_FIRST 16 /* regions in the first table */
#define KNOWN_FLAGS \
	(HUTCH_MEMORY_READONLY | HUTCH_MEMORY_HUGE | HUTCH_MEMORY_SHARED | HUTCH_MEMORY_LOG_DIRTY)

void memory_init(struct memory *memory)
{
	pthread_mutex_init(&memory->lock, NULL);
}

void memory_destroy(struct memory *memory)
{
	struct region_table *table = memory->table;

	for (unsigned int i = 0; table && i < table->count; i++)
		if (table->regions[i].mapping)
			munmap(table->regions[i].mapping, table->regions[i].mapping_size);
	while (table) {
		struct region_table *outgrown = table->outgrown;

		free(table);
		table = outgrown;
	}
	pthread_mutex_destroy(&memory->lock);
}

/* ---- reading ------------------------------------------------------------- */

/* What a reader takes away from a region, all of one moment. */
struct span {
	uint8_t *host;
	uint64_t size; /* from the address asked for to the region's end; 0: no memory there */
	uint32_t flags;
};

/* The first region that ends above @gpa. */
static unsigned int region_position(const struct region_table *table, uint64_t gpa)
{
	unsigned int low = 0, high = atomic_load_explicit(&table->count, memory_order_relaxed);

	while (low < high) {
		unsigned int middle = low + (high - low) / 2;
		const struct region *region = &table->regions[middle];
		uint64_t last = atomic_load_explicit(&region->gpa, memory_order_relaxed) +
				atomic_load_explicit(&region->size, memory_order_relaxed) - 1;

		if (last < gpa)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct span span_in_table(const struct region_table *table, uint64_t gpa)
{
	const struct region *region;
	struct span span = { 0 };
	unsigned int position;
	uint64_t first;

	if (!table)
		return span;
	position = region_position(table, gpa);
	if (position >= atomic_load_explicit(&table->count, memory_order_relaxed))
		return span;
	region = &table->regions[position];
	first = atomic_load_explicit(&region->gpa, memory_order_relaxed);
	if (first > gpa)
		return span;
	span.size = atomic_load_explicit(&region->size, memory_order_relaxed) - (gpa - first);
	span.host = atomic_load_explicit(&region->host, memory_order_relaxed) + (gpa - first);
	span.flags = atomic_load_explicit(&region->flags, memory_order_relaxed);
	return span;
}

static struct span span_at(const struct memory *memory, uint64_t gpa)
{
	struct span span;
	unsigned int before, after;

	do {
		before = atomic_load_explicit(&memory->sequence, memory_order_acquire);
		span = span_in_table(atomic_load_explicit(&memory->table, memory_order_acquire),
				     gpa);
		atomic_thread_fence(memory_order_acquire);
		after = atomic_load_explicit(&memory->sequence, memory_order_relaxed);
	} while (before != after || (before & 1));
	return span;
}

void *hutch_memory_at(const struct hutch_vm *vm, uint64_t gpa, uint64_t size)
{
	struct span span = span_at(&vm->memory, gpa);

	return span.size && size <= span.size ? span.host : NULL;
}

/*
 * Copies between guest memory and @buffer, region by region; with no @buffer it only
 * looks whether it could.
 */
static bool copy(const struct memory *memory, uint64_t gpa, uint8_t *buffer, size_t size,
		 bool write)
{
	while (size) {
		struct span span = span_at(memory, gpa);
		size_t part = span.size < size ? span.size : size;

		if (!span.size || (write && (span.flags & REGION_HOST_READONLY)))
			return false;
		if (buffer) {
			memcpy(write ? span.host : buffer, write ? buffer : span.host, part);
			buffer += part;
		}
		gpa += part;
		size -= part;
		if (!gpa && size) /* past the end of the address space, not round it */
			return false;
	}
	return true;
}

static int checked_copy(const struct hutch_vm *vm, uint64_t gpa, uint8_t *buffer, size_t size,
			bool write)
{
	if (!copy(&vm->memory, gpa, NULL, size, write) ||
	    !copy(&vm->memory, gpa, buffer, size, write))
		return hutch_fail(EFAULT,
				  "%s of 0x%zx bytes at guest-physical 0x%" PRIx64
				  ": not all of it is %smemory",
				  write ? "write" : "read", size, gpa, write ? "writable " : "");
	return 0;
}

int hutch_memory_read(const struct hutch_vm *vm, uint64_t gpa, void *buffer, size_t size)
{
	return checked_copy(vm, gpa, buffer, size, false);
}

int hutch_memory_write(const struct hutch_vm *vm, uint64_t gpa, const void *buffer, size_t size)
{
	return checked_copy(vm, gpa, (uint8_t *)(uintptr_t)buffer, size, true);
}

/* ---- changing: with the lock held ---------------------------------------- */

static void change_begin(struct memory *memory)
{
	atomic_fetch_add_explicit(&memory->sequence, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
}

static void change_end(struct memory *memory)
{
	atomic_fetch_add_explicit(&memory->sequence, 1, memory_order_release);
}

static void region_move(struct region *to, const struct region *from)
{
	atomic_store_explicit(&to->gpa, from->gpa, memory_order_relaxed);
	atomic_store_explicit(&to->size, from->size, memory_order_relaxed);
	atomic_store_explicit(&to->host, from->host, memory_order_relaxed);
	atomic_store_explicit(&to->flags, from->flags, memory_order_relaxed);
	to->slot = from->slot;
	to->mapping = from->mapping;
	to->mapping_size = from->mapping_size;
}

static int reserve_entry(struct memory *memory)
{
	struct region_table *table = memory->table, *larger;
	unsigned int capacity = table ? 2 * table->capacity : TABLE_FIRST;

	if (table && table->count < table->capacity)
		return 0;
	larger = system_calloc(1, sizeof(*larger) + capacity * sizeof(larger->regions[0]));
	if (!larger)
		return hutch_fail(ENOMEM, "guest memory: out of memory for %u regions", capacity);
	larger->outgrown = table;
	larger->capacity = capacity;
	for (unsigned int i = 0; table && i < table->count; i++)
		region_move(&larger->regions[i], &table->regions[i]);
	larger->count = table ? (unsigned int)table->count : 0;
	atomic_store_explicit(&memory->table, larger, memory_order_release);
	return 0;
}

/* The lowest slot that no region has: with n regions, one of the first n + 1. */
static uint32_t free_slot(const struct region_table *table)
{
	uint32_t slot = 0;
	bool taken;

	do {
		taken = false;
		for (unsigned int i = 0; i < table->count && !taken; i++)
			taken = table->regions[i].slot == slot;
		slot += taken;
	} while (taken);
	return slot;
}

static int set_slot(struct hutch_vm *vm, uint32_t slot, const struct memory_request *request,
		    uint64_t size)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = (request->flags & HUTCH_MEMORY_READONLY ? KVM_MEM_READONLY : 0) |
			 (request->flags & HUTCH_MEMORY_LOG_DIRTY ? KVM_MEM_LOG_DIRTY_PAGES : 0),
		.guest_phys_addr = request->gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)request->host,
	};

	if (system_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, (unsigned long)&region))
		return hutch_fail(errno, RANGE_FORMAT ": KVM_SET_USER_MEMORY_REGION: %s",
				  RANGE(request), strerror(errno));
	return 0;
}

static void insert(struct memory *memory, const struct memory_request *request, uint32_t slot)
{
	struct region_table *table = memory->table;
	unsigned int position = region_position(table, request->gpa);
	const struct region added = {
		.gpa = request->gpa,
		.size = request->size,
		.host = request->host,
		.flags = request->flags,
		.slot = slot,
		.mapping = request->mapping,
		.mapping_size = request->mapping_size,
	};

	change_begin(memory);
	for (unsigned int i = table->count; i > position; i--)
		region_move(&table->regions[i], &table->regions[i - 1]);
	region_move(&table->regions[position], &added);
	atomic_store_explicit(&table->count, table->count + 1, memory_order_relaxed);
	change_end(memory);
}

/* Tells the hypervisor of a mapped request and puts it into the table. */
static int enter_region(struct hutch_vm *vm, const struct memory_request *request)
{
	struct memory *memory = &vm->memory;
	const struct region_table *table;
	unsigned int position;
	uint32_t slot;
	int error;

	pthread_mutex_lock(&memory->lock);
	error = reserve_entry(memory);
	if (error)
		goto out;
	table = memory->table;
	position = region_position(table, request->gpa);
	if (position < table->count &&
	    table->regions[position].gpa <= request->gpa + (request->size - 1)) {
		error = hutch_fail(EEXIST,
				   RANGE_FORMAT ": overlaps the region at 0x%" PRIx64 ", 0x%" PRIx64
						" bytes",
				   RANGE(request), table->regions[position].gpa,
				   table->regions[position].size);
		goto out;
	}
	slot = free_slot(table);
	error = set_slot(vm, slot, request, request->size);
	if (!error)
		insert(memory, request, slot);
out:
	pthread_mutex_unlock(&memory->lock);
	return error;
}

/* ---- the API --------------------------------------------------------------- */

static int check_range(const struct hutch_vm *vm, const struct memory_request *request)
{
	if (!request->size)
		return hutch_fail(EINVAL, RANGE_FORMAT ": empty", RANGE(request));
	if (request->gpa % PAGE_SIZE || request->size % PAGE_SIZE)
		return hutch_fail(EINVAL, RANGE_FORMAT ": not in whole pages of 4096 bytes",
				  RANGE(request));
	if (request->gpa + (request->size - 1) < request->gpa || request->size > SIZE_MAX / 2)
		return hutch_fail(EINVAL, RANGE_FORMAT ": wraps round the address space",
				  RANGE(request));
	if (request->flags & ~KNOWN_FLAGS)
		return hutch_fail(EINVAL, RANGE_FORMAT ": unknown flags 0x%x", RANGE(request),
				  request->flags & ~KNOWN_FLAGS);
	if ((request->flags & HUTCH_MEMORY_READONLY) &&
	    !hutch_capability(vm->hutch, KVM_CAP_READONLY_MEM))
		return hutch_fail(EOPNOTSUPP,
				  RANGE_FORMAT ": %s lacks KVM_CAP_READONLY_MEM, which read-only "
					       "memory needs",
				  RANGE(request), vm->hutch->device);
	return 0;
}

static int add_mapped(struct hutch_vm *vm, struct memory_request *request)
{
	int error = check_range(vm, request);

	if (error)
		return error;
	error = mapping_make(request);
	if (error)
		return error;
	error = enter_region(vm, request);
	if (error)
		mapping_undo(request);
	return error;
}

int hutch_memory_add(struct hutch_vm *vm, uint64_t gpa, uint64_t size, unsigned int flags)
{
	struct memory_request request = { .gpa = gpa, .size = size, .flags = flags, .fd = -1 };

	return add_mapped(vm, &request);
}

int hutch_memory_add_file(struct hutch_vm *vm, uint64_t gpa, uint64_t size, unsigned int flags,
			  int fd, uint64_t offset)
{
	struct memory_request request = {
		.gpa = gpa, .size = size, .flags = flags, .fd = fd, .offset = offset
	};

	if (fd < 0)
		return hutch_fail(EBADF, RANGE_FORMAT ": file: %s", gpa, size, strerror(EBADF));
	return add_mapped(vm, &request);
}

int hutch_memory_add_host(struct hutch_vm *vm, uint64_t gpa, uint64_t size, unsigned int flags,
			  void *host)
{
	struct memory_request request = {
		.gpa = gpa, .size = size, .flags = flags, .fd = -1, .host = host
	};
	int error = check_range(vm, &request);

	if (error)
		return error;
	if ((uintptr_t)host % PAGE_SIZE)
		return hutch_fail(EINVAL, RANGE_FORMAT ": host address %p is not at a page's begin",
				  gpa, size, host);
	if (flags & HUTCH_MEMORY_HUGE)
		madvise(host, size, MADV_HUGEPAGE);
	return enter_region(vm, &request);
}

int hutch_memory_remove(struct hutch_vm *vm, uint64_t gpa)
{
	struct memory *memory = &vm->memory;
	struct region_table *table;
	struct memory_request request = { .gpa = gpa };
	struct region removed;
	unsigned int position;
	int error = 0;

	pthread_mutex_lock(&memory->lock);
	table = memory->table;
	position = table ? region_position(table, gpa) : 0;
	if (!table || position == table->count || table->regions[position].gpa != gpa) {
		error = hutch_fail(ENOENT, "memory at 0x%" PRIx64 ": no region begins there", gpa);
		goto out;
	}
	region_move(&removed, &table->regions[position]);
	error = set_slot(vm, removed.slot, &request, 0);
	if (error)
		goto out;
	change_begin(memory);
	for (unsigned int i = position; i + 1 < table->count; i++)
		region_move(&table->regions[i], &table->regions[i + 1]);
	atomic_store_explicit(&table->count, table->count - 1, memory_order_relaxed);
	change_end(memory);
	if (removed.mapping)
		munmap(removed.mapping, removed.mapping_size);
out:
	pthread_mutex_unlock(&memory->lock);
	return error;
}
