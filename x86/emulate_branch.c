/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Near branches: within the code segment; and BOUND, a branch only where it fails. Where a branch goes is checked before it
 * goes there, so that the fault is the branch's own (SDM 2, "JMP": tempEIP).
 */

#include "x86/emulate_handlers.h"

bool jump_near(struct execution *x, uint64_t target, unsigned int size)
{
	target &= size_mask(size);
	if (x->mode == MODE_64) {
		unsigned int unused = x->state->cr4 & CR4_LA57 ? 7 : 16;

		if ((uint64_t)((int64_t)(target << unused) >> unused) != target)
			return stop_gp(x);
	} else if (target > x->state->segment[SEGMENT_NUMBER_CS].limit) {
		return stop_gp(x);
	}
	x->state->rip = target;
	return true;
}

static bool jump_relative(struct execution *x)
{
	return jump_near(x, x->next_rip + (uint64_t)x->instruction->immediate,
			 x->instruction->operand_size);
}

bool emulate_jmp(struct execution *x)
{
	return jump_near(x, x->operand[0].value, x->size);
}

bool emulate_jmp_relative(struct execution *x)
{
	return jump_relative(x);
}

bool emulate_jcc(struct execution *x)
{
	return !condition(x, x->instruction->opcode) || jump_relative(x);
}

bool emulate_call(struct execution *x)
{
	return jump_near(x, x->operand[0].value, x->size) && stack_push(x, x->size, x->next_rip);
}

bool emulate_call_relative(struct execution *x)
{
	return jump_relative(x) && stack_push(x, x->instruction->operand_size, x->next_rip);
}

/* C2 releases as many bytes of arguments; C3 has no immediate, which reads as 0. */
bool emulate_ret(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;
	uint64_t target;

	if (!stack_pop(x, size, &target))
		return false;
	gpr_write(x, GPR_RSP, stack_size(x), x->state->gpr[GPR_RSP] + x->operand[0].value);
	return jump_near(x, target, size);
}

/* LOOPNE (E0), LOOPE (E1), LOOP (E2) count by the address size. */
bool emulate_loop(struct execution *x)
{
	unsigned int size = x->instruction->address_size;
	uint64_t count = (x->state->gpr[GPR_RCX] - 1) & size_mask(size);
	uint8_t opcode = x->instruction->opcode;
	bool again = count && (opcode == 0xe2 || flag(x, RFLAGS_ZF) == (opcode == 0xe1));

	gpr_write(x, GPR_RCX, size, count);
	return !again || jump_relative(x);
}

bool emulate_jcxz(struct execution *x)
{
	return gpr_read(x, GPR_RCX, x->instruction->address_size) || jump_relative(x);
}

/* Two signed numbers in memory, and one that is to be between them: SDM 2, "BOUND" */
bool emulate_bound(struct execution *x)
{
	const struct operand *memory = &x->operand[1];
	unsigned int size = x->size;
	uint64_t low, high;
	int64_t index = (int64_t)sign_extend(x->operand[0].value, size);

	if (!memory_read(x, memory->segment, memory->offset, size, EMULATE_READ, &low) ||
	    !memory_read(x, memory->segment, memory->offset + size, size, EMULATE_READ, &high))
		return false;
	if (index < (int64_t)sign_extend(low, size) || index > (int64_t)sign_extend(high, size))
		return stop_fault(x, EXCEPTION_BR, 0);
	return true;
}
