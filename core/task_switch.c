/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/task_switch.h"

#include "core/cpu.h"
#include "core/event.h"
#include "core/guest_memory.h"
#include "core/instruction.h"
#include "core/memory.h"
#include "core/task_segments.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * A task is a segment, the TSS, with a picture of the registers in it. To switch is to
 * save them into the old one and to load them from the new one (SDM 3, 7.3; APM 2, 12.3):
 *
 *	look	the new TSS's descriptor is good, and all that will be written can be;
 *		what fails here is a fault of the old task, and nothing has happened
 *	save	registers into the old TSS, the way back into the new one, busy bits
 *	load	registers from the new TSS; from here on we are in the new task
 *	qualify	the descriptors of its segments (core/task_segments.c); what fails here is a
 *		fault of the new task, before its first instruction
 *
 * Instructions lead here (CALL, JMP, IRET) and task gates in the IDT; what came through
 * one is pending.injecting, and is delivered when the switch is done.
 */

#define SELECTOR_RPL   3u
#define SELECTOR_LOCAL 4u
#define TSS_BUSY       2u /* of a TSS descriptor's type */
#define TSS_32BIT      8u
#define TSS_LINK       0
#define TSS32_CR3      0x1c
#define TSS32_TRAP     0x64
#define TSS_BYTES_MAX  104

#define DR6_BT	       (1ull << 15)
#define DR7_LOCAL      0x155ull /* L0 to L3 and LE: SDM 3, 17.2.4 */

#define RFLAGS_KNOWN                                                                           \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_IF |   \
	 RFLAGS_DF | RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | \
	 RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)

/*
 * The part of a TSS that is saved is the same in both sizes: IP, FLAGS, eight general
 * registers and the segments, each as wide as the task (SDM 3, figures 7-2 and 7-10).
 */
#define SAVED_BEFORE_SEGMENTS 10

struct layout {
	unsigned int size, width; /* in bytes */
	unsigned int saved;	  /* where IP is */
	unsigned int segments;
	unsigned int ldt;
};

static const struct layout layout16 = { 44, 2, 14, 4, 42 };
static const struct layout layout32 = { TSS_BYTES_MAX, 4, 32, 6, 96 };

static const struct layout *layout_of(const struct segment *tss)
{
	return tss->rights & TSS_32BIT ? &layout32 : &layout16;
}

static unsigned int saved_size(const struct layout *layout)
{
	return (SAVED_BEFORE_SEGMENTS + layout->segments) * layout->width;
}

static bool is_nested(const struct task *task)
{
	return task->source == HV_TASK_CALL || task->source == HV_TASK_GATE;
}

/* ---- looking ------------------------------------------------------------------------- */

static bool new_tss_read(struct task *task, uint16_t selector, struct segment *tss)
{
	uint8_t vector = task->source == HV_TASK_IRET ? EXCEPTION_TS : EXCEPTION_GP;
	uint32_t busy = task->source == HV_TASK_IRET ? TSS_BUSY : 0;
	uint64_t descriptor;

	if (selector & SELECTOR_LOCAL || !(selector & ~SELECTOR_RPL) ||
	    (selector | 7u) > task->system.gdtr.limit)
		return task_fault(task, vector, selector);
	if (!task_read(task, task_descriptor_address(task, selector), &descriptor, 8))
		return false;
	*tss = segment_load(selector, descriptor, 0);
	if ((tss->rights & (SEGMENT_S | SEGMENT_TYPE) & ~TSS_32BIT) !=
	    (SEGMENT_TSS16_AVAILABLE | busy))
		return task_fault(task, vector, selector);
	if (!(tss->rights & SEGMENT_P))
		return task_fault(task, EXCEPTION_NP, selector);
	if (tss->limit < layout_of(tss)->size - 1)
		return task_fault(task, EXCEPTION_TS, selector);
	return true;
}

/* Everything that will be touched before the new task has begun. */
static bool all_present(struct task *task, const struct segment *tss)
{
	const struct segment *old = &task->system.tr;
	const struct layout *layout = layout_of(old);

	return task_reach(task, task_descriptor_address(task, old->selector), 8, true) &&
	       task_reach(task, task_descriptor_address(task, tss->selector), 8, true) &&
	       task_reach(task, old->base + layout->saved, saved_size(layout), true) &&
	       task_reach(task, tss->base, layout_of(tss)->size, false) &&
	       (!is_nested(task) || task_reach(task, tss->base + TSS_LINK, 2, true));
}

/* ---- saving -------------------------------------------------------------------------- */

static bool set_busy(struct task *task, uint16_t selector, bool busy)
{
	uint64_t address = task_descriptor_address(task, selector) + 5;
	uint8_t rights = 0;

	if (!task_read(task, address, &rights, 1))
		return false;
	rights = busy ? rights | TSS_BUSY : rights & ~TSS_BUSY;
	return task_write(task, address, &rights, 1);
}

static void put(uint8_t *image, const struct layout *layout, unsigned int position, uint64_t value,
		unsigned int size)
{
	host_memcpy(image + position * layout->width, &value, size);
}

/* The unused halves of the segments' fields stay as they are. */
static bool save(struct task *task)
{
	const struct hv_vcpu *vcpu = task->vcpu;
	const struct layout *layout = layout_of(&task->system.tr);
	uint64_t at = task->system.tr.base + layout->saved, flags = vcpu->rflags;
	uint8_t image[TSS_BYTES_MAX];

	if (!task_read(task, at, image, saved_size(layout)))
		return false;
	if (task->source == HV_TASK_IRET)
		flags &= ~RFLAGS_NT;
	put(image, layout, 0, vcpu->rip + task->length, layout->width);
	put(image, layout, 1, flags, layout->width);
	for (unsigned int i = 0; i < 8; i++)
		put(image, layout, 2 + i, vcpu->gpr[i], layout->width);
	for (unsigned int i = 0; i < layout->segments; i++)
		put(image, layout, SAVED_BEFORE_SEGMENTS + i, task->system.segments[i].selector, 2);
	return task_write(task, at, image, saved_size(layout));
}

/* ---- loading ------------------------------------------------------------------------- */

static uint32_t get(const uint8_t *image, unsigned int offset, unsigned int size)
{
	uint32_t value = 0;

	host_memcpy(&value, image + offset, size);
	return value;
}

static void load_registers(struct task *task, const struct layout *layout, const uint8_t *image)
{
	struct hv_vcpu *vcpu = task->vcpu;
	const uint8_t *saved = image + layout->saved;

	vcpu->rip = get(saved, 0, layout->width);
	vcpu->rflags = (get(saved, layout->width, layout->width) & RFLAGS_KNOWN) | RFLAGS_FIXED;
	if (is_nested(task))
		vcpu->rflags |= RFLAGS_NT;
	for (unsigned int i = 0; i < 8; i++)
		vcpu->gpr[i] = get(saved, (2 + i) * layout->width, layout->width);
	vcpu->dr7 &= ~DR7_LOCAL;
	vcpu->vm->ops->update_debug(vcpu);
}

/* Selectors alone; what they lead to is looked at in the new task. */
static void load_selectors(struct task *task, const struct layout *layout, const uint8_t *image)
{
	const uint8_t *saved = image + layout->saved;

	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		task->system.segments[i] = (struct segment){
			.selector = (uint16_t)(i < layout->segments ? get(saved,
									  (SAVED_BEFORE_SEGMENTS +
									   i) * layout->width,
									  2)
								    : 0),
			.rights = SEGMENT_UNUSABLE,
		};
	task->system.ldtr = (struct segment){ .selector = (uint16_t)get(image, layout->ldt, 2),
					      .rights = SEGMENT_UNUSABLE };
}

static bool load(struct task *task, struct segment *tss)
{
	const struct layout *layout = layout_of(tss);
	struct hv_vcpu *vcpu = task->vcpu;
	uint8_t image[TSS_BYTES_MAX];

	if (!task_read(task, tss->base, image, layout->size))
		return false;
	tss->rights |= TSS_BUSY;
	task->system.tr = *tss;
	task->system.cr0 |= CR0_TS;
	if (layout == &layout32 && task->system.cr0 & CR0_PG)
		task->system.cr3 = get(image, TSS32_CR3, 4);
	load_registers(task, layout, image);
	load_selectors(task, layout, image);
	task_segments_begin(task);
	vcpu->vm->ops->set_system(vcpu, &task->system);
	vcpu->vm->ops->flush(vcpu);
	task->trap = layout == &layout32 && image[TSS32_TRAP] & 1;
	return true;
}

/* ---- in the new task ------------------------------------------------------------------ */

/* An exception's error code, on the new task's stack and as wide as the task. */
static bool push_error_code(struct task *task)
{
	const struct segment *ss = &task->system.segments[SEGMENT_NUMBER_SS];
	uint64_t mask = ss->rights & SEGMENT_DB ? UINT32_MAX : UINT16_MAX;
	unsigned int width = layout_of(&task->system.tr)->width;
	uint64_t *rsp = &task->vcpu->gpr[GPR_RSP], top = (*rsp - width) & mask;

	if (!task_offset_is_inside(ss, top, width))
		return task_fault(task, EXCEPTION_SS, 0);
	if (!task_write(task, ss->base + top, &task->exit->task.error_code, width))
		return false;
	*rsp = (*rsp & ~mask) | top;
	return true;
}

static bool begin(struct task *task)
{
	struct hv_vcpu *vcpu = task->vcpu;
	bool qualified = task_segments_qualify(task);

	vcpu->vm->ops->set_system(vcpu, &task->system);
	if (!qualified)
		return false;
	task->user = vcpu->vm->ops->cpl(vcpu) == 3;
	if (task->exit->task.has_error_code && !push_error_code(task))
		return false;
	if (vcpu->rip > task->system.segments[SEGMENT_NUMBER_CS].limit)
		return task_fault(task, EXCEPTION_GP, 0);
	return true;
}

/* ---- all of it ------------------------------------------------------------------------- */

static bool switch_to(struct task *task)
{
	struct hv_vcpu *vcpu = task->vcpu;
	uint16_t selector = task->exit->task.selector, back = task->system.tr.selector;
	struct segment tss = { 0 };

	if (!new_tss_read(task, selector, &tss) || !all_present(task, &tss))
		return false;
	if (!is_nested(task) && !set_busy(task, back, false))
		return false;
	if (!save(task) || (is_nested(task) && !task_write(task, tss.base + TSS_LINK, &back, 2)))
		return false;
	if (task->source != HV_TASK_IRET && !set_busy(task, selector, true))
		return false;
	if (!load(task, &tss))
		return false;
	vcpu->shadow = 0;
	vcpu->stepped = true;
	if (task->source == HV_TASK_IRET)
		vcpu->pending.nmi_blocked = false;
	return begin(task);
}

/*
 * What came through the gate is delivered, or lost to a fault on its way; but two
 * exceptions make a double fault, which event_raise() sees to.
 */
static void end_delivery(struct task *task)
{
	struct hv_event *event = &task->vcpu->pending.injecting;

	if (!task->vcpu->pending.exception.valid || event->type != HV_EVENT_EXCEPTION)
		event->valid = false;
}

enum hv_verdict task_switch(struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	struct task task = {
		.vcpu = vcpu,
		.exit = exit,
		.source = exit->task.source,
	};
	bool done;

	vcpu->call.kind = HV_CALL_NONE;
	if (exit->task.instruction) {
		task.length = instruction_length(vcpu, exit);
		if (!task.length)
			return instruction_unemulated(vcpu);
	} else {
		task.external = 1;
	}
	vcpu->vm->ops->get_system(vcpu, &task.system);
	done = switch_to(&task);
	end_delivery(&task);
	if (done && task.trap)
		event_raise_db(vcpu, DR6_BT);
	return vcpu->call.kind == HV_CALL_SHUTDOWN ? HV_TO_HOST : HV_RESUME;
}
