/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The stack: PUSH and POP in all their forms, PUSHA, PUSHF, ENTER and LEAVE.
 *
 * Two sizes are at work: that of what is pushed, by the instruction's operand size, and
 * that of the stack pointer, by SS.B (SDM 1, 6.2.3). rSP moves in the state's copy;
 * what was pushed reaches memory when the instruction is over.
 */

#include "x86/emulate_handlers.h"

unsigned int stack_size(const struct execution *x)
{
	if (x->mode == MODE_64)
		return 8;
	return x->state->segment[SEGMENT_NUMBER_SS].rights & SEGMENT_DB ? 4 : 2;
}

static uint64_t stack_pointer(const struct execution *x)
{
	return gpr_read(x, GPR_RSP, stack_size(x));
}

static void stack_move(struct execution *x, uint64_t bytes)
{
	gpr_write(x, GPR_RSP, stack_size(x), x->state->gpr[GPR_RSP] + bytes);
}

bool stack_push(struct execution *x, unsigned int size, uint64_t value)
{
	stack_move(x, -(uint64_t)size);
	return memory_write(x, SEGMENT_NUMBER_SS, stack_pointer(x), size, value);
}

bool stack_pop(struct execution *x, unsigned int size, uint64_t *value)
{
	if (!memory_read(x, SEGMENT_NUMBER_SS, stack_pointer(x), size, EMULATE_READ, value))
		return false;
	stack_move(x, size);
	return true;
}

bool emulate_push(struct execution *x)
{
	return stack_push(x, x->size, x->operand[0].value);
}

/* An address with rSP in it is that after the POP: SDM 2, "POP" */
bool emulate_pop(struct execution *x)
{
	uint64_t value;

	if (!stack_pop(x, x->size, &value))
		return false;
	if (x->operand[0].place == PLACE_MEMORY)
		operand_place_memory(x, &x->operand[0]);
	return operand_write(x, 0, value);
}

bool emulate_pusha(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;
	uint64_t rsp = x->state->gpr[GPR_RSP];

	for (unsigned int i = GPR_RAX; i <= GPR_RDI; i++)
		if (!stack_push(x, size, i == GPR_RSP ? rsp : x->state->gpr[i]))
			return false;
	return true;
}

bool emulate_popa(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;
	uint64_t value;

	for (unsigned int i = 0; i < 8; i++) {
		unsigned int number = GPR_RDI - i;

		if (!stack_pop(x, size, &value))
			return false;
		if (number != GPR_RSP)
			gpr_write(x, number, size, value);
	}
	return true;
}

/* ---- flags ----------------------------------------------------------------------- */

/* In virtual-8086 mode IF is the system's, unless IOPL is 3: SDM 3, 21.2.7 */
static bool flags_allowed(struct execution *x)
{
	if (x->mode != MODE_VIRTUAL_8086 || iopl(x) == 3)
		return true;
	if (x->state->cr4 & CR4_VME)
		return stop_unsupported(x, "virtual interrupts of virtual-8086 mode");
	return stop_gp(x);
}

bool emulate_pushf(struct execution *x)
{
	return flags_allowed(x) && stack_push(x, x->instruction->operand_size,
					      x->state->rflags & ~(RFLAGS_VM | RFLAGS_RF));
}

bool emulate_popf(struct execution *x)
{
	uint64_t changed = RFLAGS_ARITHMETIC | RFLAGS_TF | RFLAGS_DF | RFLAGS_NT | RFLAGS_AC |
			   RFLAGS_ID;
	unsigned int size = x->instruction->operand_size;
	uint64_t value;

	if (!flags_allowed(x) || !stack_pop(x, size, &value))
		return false;
	if (x->state->cpl <= iopl(x))
		changed |= RFLAGS_IF;
	if (x->state->cpl == 0)
		changed |= RFLAGS_IOPL;
	changed &= size_mask(size);
	x->state->rflags = (x->state->rflags & ~changed) | (value & changed);
	return true;
}

/* ---- segment registers ------------------------------------------------------------ */

/* PUSH ES, CS, SS, DS (06, 0E, 16, 1E), FS (0F A0), GS (0F A8); POP is one more. */
static uint8_t segment_of_opcode(const struct execution *x)
{
	return x->instruction->opcode >> 3 & 7;
}

/*
 * Of a doubleword Intel's processors write only the selector's two bytes (SDM 2,
 * "PUSH"), AMD's all four.
 */
bool emulate_push_segment(struct execution *x)
{
	uint16_t selector = x->state->segment[segment_of_opcode(x)].selector;
	unsigned int size = x->instruction->operand_size;

	if (size != 4 || x->emulation->amd)
		return stack_push(x, size, selector);
	stack_move(x, -(uint64_t)size);
	return memory_write(x, SEGMENT_NUMBER_SS, stack_pointer(x), 2, selector);
}

bool emulate_pop_segment(struct execution *x)
{
	uint8_t number = segment_of_opcode(x);
	uint64_t value;

	if (!stack_pop(x, x->instruction->operand_size, &value))
		return false;
	if (number == SEGMENT_NUMBER_SS)
		x->emulation->shadow = EMULATE_SHADOW_MOV_SS;
	return segment_register_load(x, number, (uint16_t)value);
}

/* ---- frames ------------------------------------------------------------------------- */

/* A push after which there can be a fault: it must find its own first. */
static bool push_checked(struct execution *x, unsigned int size, uint64_t value)
{
	return stack_push(x, size, value) &&
	       memory_check(x, SEGMENT_NUMBER_SS, stack_pointer(x), size);
}

/* Pushes the frame pointers of @level - 1 outer procedures: SDM 1, 6.6 */
static bool push_display(struct execution *x, unsigned int level, unsigned int size)
{
	uint64_t rbp = x->state->gpr[GPR_RBP], pointer;

	for (unsigned int i = 1; i < level; i++) {
		rbp -= size;
		if (!memory_read(x, SEGMENT_NUMBER_SS, rbp & size_mask(stack_size(x)), size,
				 EMULATE_READ, &pointer) ||
		    !push_checked(x, size, pointer))
			return false;
	}
	return true;
}

bool emulate_enter(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;
	unsigned int level = (unsigned int)x->operand[1].value & 31;
	uint64_t frame;

	if (!push_checked(x, size, x->state->gpr[GPR_RBP]))
		return false;
	frame = x->state->gpr[GPR_RSP];
	if (level && (!push_display(x, level, size) || !push_checked(x, size, frame)))
		return false;
	stack_move(x, -(x->operand[0].value & 0xffff));
	gpr_write(x, GPR_RBP, size, frame);
	/* The new top of the stack must be writable: SDM 2, "ENTER" */
	return memory_check(x, SEGMENT_NUMBER_SS, stack_pointer(x), size);
}

bool emulate_leave(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;
	uint64_t value;

	gpr_write(x, GPR_RSP, stack_size(x), x->state->gpr[GPR_RBP]);
	if (!stack_pop(x, size, &value))
		return false;
	gpr_write(x, GPR_RBP, size, value);
	return true;
}
