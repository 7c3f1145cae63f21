/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Transfers to another code segment: far JMP, CALL and RET, INT and IRET.
 *
 * Real mode is complete. In protected mode these go to code segments of the same ring,
 * which is what a program needs to get from real mode into protected mode; gates, tasks,
 * other rings and IRET in IA-32e mode are left to the processor. Interrupts through an
 * IDT of protected mode are the caller's to inject (EMULATE_EVENT_INTERRUPT).
 */

#include "x86/emulate_handlers.h"

/* Where the target's offset is checked against the new CS, whose size may be another. */
static bool transfer(struct execution *x, uint16_t selector, uint64_t offset, unsigned int size,
		     bool is_return)
{
	return code_segment_load(x, selector, is_return) && jump_near(x, offset, size);
}

static bool pointer_read(struct execution *x, uint64_t *offset, uint16_t *selector)
{
	const struct operand *memory = &x->operand[0];
	unsigned int size = x->size;
	uint64_t value;

	if (!memory_read(x, memory->segment, memory->offset, size, EMULATE_READ, offset) ||
	    !memory_read(x, memory->segment, memory->offset + size, 2, EMULATE_READ, &value))
		return false;
	*selector = (uint16_t)value;
	return true;
}

static bool call(struct execution *x, uint16_t selector, uint64_t offset)
{
	uint16_t old = x->state->segment[SEGMENT_NUMBER_CS].selector;
	enum execution_mode mode = x->mode, target_mode;
	unsigned int size = x->size;
	bool pushed;

	if (!transfer(x, selector, offset, size, false))
		return false;
	/* The stack is still that of the mode in which the call was made. */
	target_mode = x->mode;
	x->mode = mode;
	pushed = stack_push(x, size, old) && stack_push(x, size, x->next_rip);
	x->mode = target_mode;
	return pushed;
}

bool emulate_jmp_far(struct execution *x)
{
	return transfer(x, (uint16_t)x->operand[1].value, x->operand[0].value, x->size, false);
}

bool emulate_call_far(struct execution *x)
{
	return call(x, (uint16_t)x->operand[1].value, x->operand[0].value);
}

bool emulate_jmp_far_memory(struct execution *x)
{
	uint64_t offset;
	uint16_t selector;

	return pointer_read(x, &offset, &selector) && transfer(x, selector, offset, x->size, false);
}

bool emulate_call_far_memory(struct execution *x)
{
	uint64_t offset;
	uint16_t selector;

	return pointer_read(x, &offset, &selector) && call(x, selector, offset);
}

bool emulate_ret_far(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;
	uint64_t offset, selector;

	if (!stack_pop(x, size, &offset) || !stack_pop(x, size, &selector))
		return false;
	gpr_write(x, GPR_RSP, stack_size(x), x->state->gpr[GPR_RSP] + x->operand[0].value);
	return transfer(x, (uint16_t)selector, offset, size, true);
}

/* ---- IRET: SDM 2 ------------------------------------------------------------------- */

/* Which flags are taken from the stack. */
static uint64_t iret_flags(const struct execution *x, unsigned int size)
{
	uint64_t flags = RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_RF |
			 RFLAGS_AC | RFLAGS_ID;

	if (x->state->cpl <= iopl(x))
		flags |= RFLAGS_IF;
	if (x->state->cpl == 0)
		flags |= RFLAGS_IOPL;
	if (x->state->cpl == 0 && is_protected(x))
		flags |= RFLAGS_VIF | RFLAGS_VIP;
	return flags & size_mask(size);
}

bool emulate_iret(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;
	uint64_t offset, selector, flags, changed = iret_flags(x, size);

	if (x->state->efer & IA32_EFER_LMA)
		return stop_unsupported(x, "IRET in IA-32e mode");
	if (x->mode == MODE_VIRTUAL_8086 && iopl(x) != 3)
		return x->state->cr4 & CR4_VME
			       ? stop_unsupported(x, "virtual interrupts of virtual-8086 mode")
			       : stop_gp(x);
	if (is_protected(x) && flag(x, RFLAGS_NT))
		return stop_unsupported(x, "a return from a nested task");
	if (!stack_pop(x, size, &offset) || !stack_pop(x, size, &selector) ||
	    !stack_pop(x, size, &flags))
		return false;
	if (is_protected(x) && flags & RFLAGS_VM && x->state->cpl == 0)
		return stop_unsupported(x, "a return to virtual-8086 mode");
	if (!transfer(x, (uint16_t)selector, offset, size, true))
		return false;
	/* A 16-bit image has no RF: it ends with the instruction. */
	x->state->rflags &= ~RFLAGS_RF;
	x->state->rflags = (x->state->rflags & ~changed) | (flags & changed);
	x->keep_rf = true;
	x->emulation->event = EMULATE_EVENT_IRET;
	return true;
}

/* ---- INT ------------------------------------------------------------------------------ */

/* Through the table of real mode, four bytes for each vector: SDM 3, 20.1.4 */
bool interrupt_real(struct execution *x, uint8_t vector)
{
	uint64_t entry, linear = x->state->idtr.base + vector * 4u;
	uint16_t cs = x->state->segment[SEGMENT_NUMBER_CS].selector;

	if (vector * 4u + 3 > x->state->idtr.limit)
		return stop_gp(x);
	if (!memory_read_linear(x, linear & 0xffffffffu, 4, EMULATE_READ, true, &entry) ||
	    !stack_push(x, 2, x->state->rflags) || !stack_push(x, 2, cs) ||
	    !stack_push(x, 2, x->next_rip))
		return false;
	x->state->rflags &= ~(RFLAGS_IF | RFLAGS_TF | RFLAGS_AC);
	x->emulation->single_step = false;
	return transfer(x, (uint16_t)(entry >> 16), entry & 0xffff, 2, false);
}

static bool interrupt_report(struct execution *x, uint8_t vector)
{
	x->state->rip = x->emulation->state.rip;
	x->emulation->single_step = false;
	x->emulation->event = EMULATE_EVENT_INTERRUPT;
	x->emulation->event_address = vector;
	return true;
}

static bool interrupt(struct execution *x, uint8_t vector)
{
	return x->mode == MODE_REAL ? interrupt_real(x, vector) : interrupt_report(x, vector);
}

/* Only INT n minds IOPL: SDM 3, 21.3 */
bool emulate_int(struct execution *x)
{
	if (x->mode == MODE_VIRTUAL_8086 && iopl(x) != 3)
		return x->state->cr4 & CR4_VME
			       ? stop_unsupported(x, "virtual interrupts of virtual-8086 mode")
			       : stop_gp(x);
	return interrupt(x, (uint8_t)x->operand[0].value);
}

bool emulate_int3(struct execution *x)
{
	return x->emulation->reports_int3 ? interrupt_report(x, EXCEPTION_BP)
					  : interrupt(x, EXCEPTION_BP);
}

bool emulate_int1(struct execution *x)
{
	return interrupt(x, EXCEPTION_DB);
}

bool emulate_into(struct execution *x)
{
	return !flag(x, RFLAGS_OF) || interrupt(x, EXCEPTION_OF);
}
