/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Moves between registers and memory: plain ones, widening ones, exchanging ones, those
 * of segment registers, addresses (LEA), table look-up (XLAT), and the hints that move
 * nothing.
 */

#include "x86/emulate_handlers.h"

/* MOV, also from a segment register; MOVZX (values come without sign); MOVNTI */
bool emulate_mov(struct execution *x)
{
	x->result = x->operand[1].value;
	return true;
}

/* MOVSX, MOVSXD */
bool emulate_movsx(struct execution *x)
{
	x->result = sign_extend(x->operand[1].value, x->operand[1].size);
	return true;
}

bool emulate_movbe(struct execution *x)
{
	uint64_t swapped = __builtin_bswap64(x->operand[1].value);

	x->result = swapped >> (64 - x->size * 8);
	return true;
}

bool emulate_xchg(struct execution *x)
{
	x->result = x->operand[1].value;
	return operand_write(x, 1, x->operand[0].value);
}

/* 90 is NOP, or PAUSE after F3, unless REX.B makes a register of its own of it. */
bool emulate_xchg_rax(struct execution *x)
{
	const struct instruction *instruction = x->instruction;

	if (instruction->opcode == 0x90 && !(instruction->rex & REX_B)) {
		if (instruction->prefixes & PREFIX_REP)
			x->emulation->event = EMULATE_EVENT_PAUSE;
		return true;
	}
	return operand_write(x, 0, x->operand[1].value) && operand_write(x, 1, x->operand[0].value);
}

bool emulate_lea(struct execution *x)
{
	x->result = x->operand[1].offset;
	return true;
}

bool emulate_mov_to_segment(struct execution *x)
{
	uint8_t number = x->operand[0].number;

	if (number == SEGMENT_NUMBER_SS)
		x->emulation->shadow = EMULATE_SHADOW_MOV_SS;
	return segment_register_load(x, number, (uint16_t)x->operand[1].value);
}

/* LES (C4), LDS (C5), LSS (0F B2), LFS (0F B4), LGS (0F B5) */
bool emulate_load_far_pointer(struct execution *x)
{
	static const uint8_t segments[] = {
		[0] = SEGMENT_NUMBER_NONE,
		[2] = SEGMENT_NUMBER_SS,
		[4] = SEGMENT_NUMBER_FS,
		[5] = SEGMENT_NUMBER_GS,
	};
	const struct operand *memory = &x->operand[1];
	unsigned int size = x->size;
	uint64_t offset, selector;
	uint8_t number;

	if (x->instruction->map == OPCODE_MAP_ONE_BYTE)
		number = x->instruction->opcode & 1 ? SEGMENT_NUMBER_DS : SEGMENT_NUMBER_ES;
	else
		number = segments[x->instruction->opcode & 7];
	if (!memory_read(x, memory->segment, memory->offset, size, EMULATE_READ, &offset) ||
	    !memory_read(x, memory->segment, memory->offset + size, 2, EMULATE_READ, &selector) ||
	    !segment_register_load(x, number, (uint16_t)selector))
		return false;
	x->result = offset;
	return true;
}

/* AL becomes the byte at segment : rBX + AL. */
bool emulate_xlat(struct execution *x)
{
	uint64_t offset = x->state->gpr[GPR_RBX] + gpr_read(x, GPR_RAX, 1), value;

	offset &= size_mask(x->instruction->address_size);
	if (!memory_read(x, x->instruction->segment, offset, 1, EMULATE_READ, &value))
		return false;
	gpr_write(x, GPR_RAX, 1, value);
	return true;
}

/* Hints (PREFETCH, NOP Ev) take an address and never fault over it: SDM 2, "PREFETCHh" */
bool emulate_nop(struct execution *x)
{
	(void)x;
	return true;
}

/* 0F 0D; with a register it is a NOP to Intel's processors, to AMD's nothing. */
bool emulate_prefetchw(struct execution *x)
{
	return x->instruction->has_memory || !x->emulation->amd || stop_ud(x);
}

/*
 * 0F AE: fences in register form, the flushes of a cache line in memory form, which
 * need a readable byte (SDM 2, "CLFLUSH"). The rest of the group is about FPU state and
 * FS and GS bases.
 */
bool emulate_fence(struct execution *x)
{
	const struct instruction *instruction = x->instruction;
	unsigned int reg = instruction->reg & 7;
	bool no_prefix = instruction->mandatory_prefix == MANDATORY_NONE;
	uint64_t value;

	if (!instruction->has_memory) {
		if (no_prefix && reg >= 5)
			return true; /* LFENCE, MFENCE, SFENCE */
		return stop_unsupported(x, "it is about FS and GS bases or user-mode waiting");
	}
	/* CLFLUSH; with 66 CLFLUSHOPT, and CLWB */
	if ((reg == 7 && instruction->mandatory_prefix <= MANDATORY_66) ||
	    (reg == 6 && instruction->mandatory_prefix == MANDATORY_66))
		return memory_read(x, x->operand[0].segment, x->operand[0].offset, 1, EMULATE_READ,
				   &value);
	return stop_unsupported(x, "it saves or restores the FPU's state");
}
