/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What it takes to load a segment register. In real mode a selector times 16 is the
 * base, and limit and rights stay what they were: that is how a program that was in
 * protected mode for a moment keeps its 4 GiB limits ("unreal mode"). In protected mode
 * a descriptor is read from the GDT or LDT, checked, marked as accessed, and cached
 * (SDM 3, 3.4.3 and 5.6; SDM 2, "MOV").
 */

#include "x86/emulate_internal.h"

#define SELECTOR_RPL   3u
#define SELECTOR_LOCAL 4u /* TI: in the LDT */

static bool selector_fault(struct execution *x, uint8_t vector, uint16_t selector)
{
	return stop_fault(x, vector, selector & ~SELECTOR_RPL);
}

static unsigned int dpl(uint32_t rights)
{
	return (rights & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT;
}

static bool is_null(uint16_t selector)
{
	return !(selector & ~SELECTOR_RPL);
}

/* Where the descriptor lies; @vector is the fault for one beyond its table. */
static bool descriptor_address(struct execution *x, uint16_t selector, unsigned int size,
			       uint8_t vector, uint64_t *linear)
{
	uint32_t offset = selector & ~7u, limit = x->state->gdtr.limit;
	uint64_t base = x->state->gdtr.base;

	if (selector & SELECTOR_LOCAL) {
		if (x->state->ldtr.rights & SEGMENT_UNUSABLE)
			return selector_fault(x, vector, selector);
		base = x->state->ldtr.base;
		limit = x->state->ldtr.limit;
	}
	if (offset + size - 1 > limit)
		return selector_fault(x, vector, selector);
	*linear = base + offset;
	if (!(x->state->efer & IA32_EFER_LMA))
		*linear &= 0xffffffffu;
	return true;
}

static bool descriptor_read(struct execution *x, uint16_t selector, uint8_t vector,
			    struct segment *segment)
{
	uint64_t linear = 0, descriptor;

	if (!descriptor_address(x, selector, 8, vector, &linear) ||
	    !memory_read_linear(x, linear, 8, EMULATE_READ, true, &descriptor))
		return false;
	*segment = segment_load(selector, descriptor, 0);
	return true;
}

/* Sets a bit in the descriptor's byte of type and rights, if it is not set. */
static bool descriptor_mark(struct execution *x, uint32_t bit, struct segment *segment)
{
	uint64_t linear = 0;

	if (segment->rights & bit)
		return true;
	segment->rights |= bit;
	return descriptor_address(x, segment->selector, 8, EXCEPTION_GP, &linear) &&
	       memory_write_linear(x, linear + 5, 1, true, segment->rights & 0xff);
}

/* ---- real and virtual-8086 mode ---------------------------------------------------- */

static struct segment real_segment(const struct execution *x, uint8_t number, uint16_t selector)
{
	struct segment segment = x->state->segment[number];

	segment.selector = selector;
	segment.base = (uint64_t)selector << 4;
	if (x->mode == MODE_VIRTUAL_8086) {
		segment.limit = 0xffff;
		segment.rights = SEGMENT_RIGHTS_DATA16 | SEGMENT_DPL;
	} else {
		segment.rights &= ~SEGMENT_UNUSABLE;
	}
	return segment;
}

/* ---- protected mode ------------------------------------------------------------------ */

static bool stack_segment_check(struct execution *x, const struct segment *s)
{
	bool writable = (s->rights & (SEGMENT_S | SEGMENT_CODE | SEGMENT_WRITABLE)) ==
			(SEGMENT_S | SEGMENT_WRITABLE);

	if ((s->selector & SELECTOR_RPL) != x->state->cpl || !writable ||
	    dpl(s->rights) != x->state->cpl)
		return selector_fault(x, EXCEPTION_GP, s->selector);
	if (!(s->rights & SEGMENT_P))
		return selector_fault(x, EXCEPTION_SS, s->selector);
	return true;
}

static bool data_segment_check(struct execution *x, const struct segment *s)
{
	bool code = s->rights & SEGMENT_CODE;
	bool conforming = code && s->rights & SEGMENT_CONFORMING;
	unsigned int rpl = s->selector & SELECTOR_RPL;

	if (!(s->rights & SEGMENT_S) || (code && !(s->rights & SEGMENT_READABLE)))
		return selector_fault(x, EXCEPTION_GP, s->selector);
	if (!conforming && (rpl > dpl(s->rights) || x->state->cpl > dpl(s->rights)))
		return selector_fault(x, EXCEPTION_GP, s->selector);
	if (!(s->rights & SEGMENT_P))
		return selector_fault(x, EXCEPTION_NP, s->selector);
	return true;
}

/* A null selector: in SS only 64-bit mode below ring 3 may have one. */
static bool null_segment_load(struct execution *x, uint8_t number, uint16_t selector)
{
	struct segment *s = &x->state->segment[number];

	if (number == SEGMENT_NUMBER_SS &&
	    (x->mode != MODE_64 || x->state->cpl == 3 || selector != x->state->cpl))
		return stop_gp(x);
	*s = segment_load(selector, 0, 0);
	if (number == SEGMENT_NUMBER_SS)
		s->rights |= (uint32_t)x->state->cpl << SEGMENT_DPL_SHIFT;
	return true;
}

bool segment_register_load(struct execution *x, uint8_t number, uint16_t selector)
{
	struct segment segment;

	if (!is_protected(x)) {
		x->state->segment[number] = real_segment(x, number, selector);
		return true;
	}
	if (is_null(selector))
		return null_segment_load(x, number, selector);
	if (!descriptor_read(x, selector, EXCEPTION_GP, &segment))
		return false;
	if (number == SEGMENT_NUMBER_SS) {
		if (!stack_segment_check(x, &segment))
			return false;
	} else if (!data_segment_check(x, &segment)) {
		return false;
	}
	if (!descriptor_mark(x, SEGMENT_ACCESSED, &segment))
		return false;
	x->state->segment[number] = segment;
	return true;
}

/* ---- code segments: SDM 3, 5.8.1; SDM 2, "JMP", "RET" -------------------------------- */

static bool code_segment_check(struct execution *x, const struct segment *s, bool is_return)
{
	unsigned int rpl = s->selector & SELECTOR_RPL, cpl = x->state->cpl;
	bool conforming = s->rights & SEGMENT_CONFORMING;
	bool long_mode = x->state->efer & IA32_EFER_LMA;

	if (!(s->rights & SEGMENT_S) && !is_return)
		return stop_unsupported(x, "a far transfer through a gate or to a task");
	if (!(s->rights & SEGMENT_S) || !(s->rights & SEGMENT_CODE) ||
	    (long_mode && s->rights & SEGMENT_L && s->rights & SEGMENT_DB))
		return selector_fault(x, EXCEPTION_GP, s->selector);
	if (is_return && rpl > cpl)
		return stop_unsupported(x, "a return to an outer ring");
	if (is_return ? rpl < cpl : !conforming && rpl > cpl)
		return selector_fault(x, EXCEPTION_GP, s->selector);
	if (conforming ? dpl(s->rights) > cpl : dpl(s->rights) != cpl)
		return selector_fault(x, EXCEPTION_GP, s->selector);
	if (!(s->rights & SEGMENT_P))
		return selector_fault(x, EXCEPTION_NP, s->selector);
	return true;
}

bool code_segment_load(struct execution *x, uint16_t selector, bool is_return)
{
	struct segment *cs = &x->state->segment[SEGMENT_NUMBER_CS];
	struct segment segment;

	if (!is_protected(x)) {
		*cs = real_segment(x, SEGMENT_NUMBER_CS, selector);
		return true;
	}
	if (is_null(selector))
		return stop_gp(x);
	if (!descriptor_read(x, selector, EXCEPTION_GP, &segment) ||
	    !code_segment_check(x, &segment, is_return) ||
	    !descriptor_mark(x, SEGMENT_ACCESSED, &segment))
		return false;
	segment.selector = (uint16_t)((selector & ~SELECTOR_RPL) | x->state->cpl);
	*cs = segment;
	/* Only the new segment knows whether the target is one of 64-bit code. */
	x->mode = x->state->efer & IA32_EFER_LMA && segment.rights & SEGMENT_L ? MODE_64
									       : MODE_PROTECTED;
	return true;
}

/* ---- LLDT, LTR: SDM 2 ---------------------------------------------------------------- */

/*
 * A system descriptor is 16 bytes long in IA-32e mode; @types is a set of the types
 * that will do, as bits.
 */
bool system_segment_load(struct execution *x, uint16_t selector, uint32_t types,
			 struct segment *segment)
{
	bool long_mode = x->state->efer & IA32_EFER_LMA;
	uint64_t linear, low, high = 0;

	if (selector & SELECTOR_LOCAL)
		return selector_fault(x, EXCEPTION_GP, selector);
	if (!descriptor_address(x, selector, long_mode ? 16 : 8, EXCEPTION_GP, &linear) ||
	    !memory_read_linear(x, linear, 8, EMULATE_READ, true, &low) ||
	    (long_mode && !memory_read_linear(x, linear + 8, 8, EMULATE_READ, true, &high)))
		return false;
	*segment = segment_load(selector, low, high & 0xffffffffu);
	if (segment->rights & SEGMENT_S || !(types >> (segment->rights & SEGMENT_TYPE) & 1) ||
	    high >> 40 & 0x1f)
		return selector_fault(x, EXCEPTION_GP, selector);
	if (!(segment->rights & SEGMENT_P))
		return selector_fault(x, EXCEPTION_NP, selector);
	return true;
}

/* A task that runs is busy, in its descriptor too. */
bool task_segment_mark_busy(struct execution *x, struct segment *segment)
{
	return descriptor_mark(x, SEGMENT_TSS16_BUSY & ~SEGMENT_TSS16_AVAILABLE, segment);
}
