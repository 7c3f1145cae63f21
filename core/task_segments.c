/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/task_segments.h"

#include "core/cpu.h"
#include "core/event.h"
#include "core/guest_memory.h"
#include "core/memory.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * The segments of a task begin with what their descriptors say, and each has its rules
 * (SDM 3, table 7-1). They are not those of MOV: the ring is the new task's from the
 * start, and nearly everything that is wrong is #TS.
 */

#define SELECTOR_RPL   3u
#define SELECTOR_LOCAL 4u

/* ---- faults and memory ---------------------------------------------------------------- */

bool task_fault(struct task *task, uint8_t vector, uint16_t selector)
{
	event_raise(task->vcpu, vector, true, (selector & ~SELECTOR_RPL) | task->external);
	return false;
}

/* Where it is, up to the end of its page. */
static bool translate(struct task *task, uint64_t linear, bool write, uint64_t *gpa)
{
	uint32_t access = (write ? PAGE_FAULT_W : 0) | (task->user ? PAGE_FAULT_U : 0);
	struct paging_result result = guest_access(task->vcpu, (uint32_t)linear, access);

	*gpa = result.gpa;
	if (result.status == PAGING_MAPPED)
		return true;
	event_raise_pf(task->vcpu, (uint32_t)linear, result.error_code);
	return false;
}

static unsigned int in_page(uint64_t linear, unsigned int size)
{
	unsigned int left = HV_PAGE_SIZE - linear % HV_PAGE_SIZE;

	return left < size ? left : size;
}

bool task_reach(struct task *task, uint64_t linear, unsigned int size, bool write)
{
	uint64_t gpa;

	while (size) {
		unsigned int count = in_page(linear, size);

		if (!translate(task, linear, write, &gpa))
			return false;
		linear += count;
		size -= count;
	}
	return true;
}

bool task_read(struct task *task, uint64_t linear, void *to, unsigned int size)
{
	uint8_t *bytes = to;
	uint64_t gpa;

	while (size) {
		unsigned int count = in_page(linear, size);

		if (!translate(task, linear, false, &gpa))
			return false;
		if (!memory_copy_in(task->vcpu->vm, gpa, bytes, count))
			host_memset(bytes, 0xff, count);
		linear += count;
		bytes += count;
		size -= count;
	}
	return true;
}

bool task_write(struct task *task, uint64_t linear, const void *from, unsigned int size)
{
	const uint8_t *bytes = from;
	uint64_t gpa;

	while (size) {
		unsigned int count = in_page(linear, size);

		if (!translate(task, linear, true, &gpa))
			return false;
		memory_copy_out(task->vcpu->vm, gpa, bytes, count);
		linear += count;
		bytes += count;
		size -= count;
	}
	return true;
}

uint64_t task_descriptor_address(const struct task *task, uint16_t selector)
{
	return task->system.gdtr.base + (selector & ~7u);
}

/* SDM 3, 5.3: an expand-down segment is what its limit leaves. */
bool task_offset_is_inside(const struct segment *segment, uint64_t offset, unsigned int size)
{
	uint64_t last = offset + size - 1;

	if (segment->rights & SEGMENT_CODE || !(segment->rights & SEGMENT_EXPAND_DOWN))
		return last <= segment->limit;
	return offset > segment->limit &&
	       last <= (segment->rights & SEGMENT_DB ? UINT32_MAX : UINT16_MAX);
}

/* ---- before they are qualified ----------------------------------------------------------- */

static unsigned int ring_of(const struct task *task)
{
	if (task->vcpu->rflags & RFLAGS_VM)
		return 3;
	return task->system.segments[SEGMENT_NUMBER_CS].selector & SELECTOR_RPL;
}

/* SDM 3, 21.1.1 */
static void virtual_8086(struct segment *segment)
{
	segment->base = (uint64_t)segment->selector << 4;
	segment->limit = UINT16_MAX;
	segment->rights = SEGMENT_RIGHTS_DATA16 | SEGMENT_DPL;
}

void task_segments_begin(struct task *task)
{
	struct segment *segments = task->system.segments;
	uint32_t ring = ring_of(task) << SEGMENT_DPL_SHIFT;

	if (task->vcpu->rflags & RFLAGS_VM) {
		for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
			virtual_8086(&segments[i]);
		return;
	}
	/* Of one byte: a fault's handler that wants this stack gets a double fault. */
	segments[SEGMENT_NUMBER_CS].rights = SEGMENT_RIGHTS_CODE16 | ring;
	segments[SEGMENT_NUMBER_SS].rights = SEGMENT_RIGHTS_DATA16 | ring;
}

/* ---- descriptors ---------------------------------------------------------------------------- */

static unsigned int dpl(const struct segment *segment)
{
	return (segment->rights & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT;
}

static bool is_null(uint16_t selector)
{
	return !(selector & ~SELECTOR_RPL);
}

static bool descriptor_address(struct task *task, uint16_t selector, uint64_t *address)
{
	const struct segment *ldtr = &task->system.ldtr;
	uint64_t base = task->system.gdtr.base;
	uint32_t limit = task->system.gdtr.limit;

	if (selector & SELECTOR_LOCAL) {
		if (ldtr->rights & SEGMENT_UNUSABLE)
			return task_fault(task, EXCEPTION_TS, selector);
		base = ldtr->base;
		limit = ldtr->limit;
	}
	if ((selector | 7u) > limit)
		return task_fault(task, EXCEPTION_TS, selector);
	*address = base + (selector & ~7u);
	return true;
}

static bool descriptor_read(struct task *task, uint16_t selector, struct segment *segment)
{
	uint64_t address = 0, descriptor;

	if (!descriptor_address(task, selector, &address) ||
	    !task_read(task, address, &descriptor, 8))
		return false;
	*segment = segment_load(selector, descriptor, 0);
	return true;
}

static bool mark_accessed(struct task *task, struct segment *segment)
{
	uint64_t address = 0;
	uint8_t type;

	if (segment->rights & SEGMENT_ACCESSED)
		return true;
	segment->rights |= SEGMENT_ACCESSED;
	type = (uint8_t)segment->rights;
	return descriptor_address(task, segment->selector, &address) &&
	       task_write(task, address + 5, &type, 1);
}

static bool qualify_ldtr(struct task *task)
{
	uint16_t selector = task->system.ldtr.selector;
	struct segment ldtr;

	if (is_null(selector))
		return true;
	if (selector & SELECTOR_LOCAL)
		return task_fault(task, EXCEPTION_TS, selector);
	if (!descriptor_read(task, selector, &ldtr))
		return false;
	if ((ldtr.rights & (SEGMENT_S | SEGMENT_TYPE)) != SEGMENT_LDT || !(ldtr.rights & SEGMENT_P))
		return task_fault(task, EXCEPTION_TS, selector);
	task->system.ldtr = ldtr;
	return true;
}

static bool check_code(struct task *task, const struct segment *s)
{
	unsigned int rpl = s->selector & SELECTOR_RPL;

	if ((s->rights & (SEGMENT_S | SEGMENT_CODE)) != (SEGMENT_S | SEGMENT_CODE) ||
	    (s->rights & SEGMENT_CONFORMING ? dpl(s) > rpl : dpl(s) != rpl))
		return task_fault(task, EXCEPTION_TS, s->selector);
	return s->rights & SEGMENT_P || task_fault(task, EXCEPTION_NP, s->selector);
}

static bool check_stack(struct task *task, const struct segment *s)
{
	const uint32_t kind = SEGMENT_S | SEGMENT_CODE | SEGMENT_WRITABLE;
	unsigned int ring = ring_of(task);

	if ((s->rights & kind) != (SEGMENT_S | SEGMENT_WRITABLE) || dpl(s) != ring ||
	    (s->selector & SELECTOR_RPL) != ring)
		return task_fault(task, EXCEPTION_TS, s->selector);
	return s->rights & SEGMENT_P || task_fault(task, EXCEPTION_SS, s->selector);
}

static bool check_data(struct task *task, const struct segment *s)
{
	bool code = s->rights & SEGMENT_CODE;
	bool conforming = code && s->rights & SEGMENT_CONFORMING;

	if (!(s->rights & SEGMENT_S) || (code && !(s->rights & SEGMENT_READABLE)) ||
	    (!conforming && (dpl(s) < ring_of(task) || dpl(s) < (s->selector & SELECTOR_RPL))))
		return task_fault(task, EXCEPTION_TS, s->selector);
	return s->rights & SEGMENT_P || task_fault(task, EXCEPTION_NP, s->selector);
}

static bool qualify(struct task *task, enum segment_number number,
		    bool (*check)(struct task *task, const struct segment *s))
{
	struct segment *place = &task->system.segments[number], segment;

	if (is_null(place->selector)) /* which only data segments may be */
		return check == check_data || task_fault(task, EXCEPTION_TS, place->selector);
	if (!descriptor_read(task, place->selector, &segment) || !check(task, &segment) ||
	    !mark_accessed(task, &segment))
		return false;
	*place = segment;
	return true;
}

bool task_segments_qualify(struct task *task)
{
	if (!qualify_ldtr(task))
		return false;
	return task->vcpu->rflags & RFLAGS_VM || (qualify(task, SEGMENT_NUMBER_CS, check_code) &&
						  qualify(task, SEGMENT_NUMBER_SS, check_stack) &&
						  qualify(task, SEGMENT_NUMBER_DS, check_data) &&
						  qualify(task, SEGMENT_NUMBER_ES, check_data) &&
						  qualify(task, SEGMENT_NUMBER_FS, check_data) &&
						  qualify(task, SEGMENT_NUMBER_GS, check_data));
}
