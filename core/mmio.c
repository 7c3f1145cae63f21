/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/mmio.h"

#include "core/control.h"
#include "core/cpu.h"
#include "core/guest_memory.h"
#include "core/instruction.h"
#include "core/irqchip.h"

/*
 * An access to a device's registers in memory. Nearly all that drivers use is a MOV of
 * one register or constant, and the processor has checked it up to the address already:
 * such a MOV is carried out here. All else is the emulator's.
 */

/* What a MOV moves between memory and where. */
struct move {
	struct instruction instruction;
	unsigned int size;
	bool write;
	bool immediate;
	bool zero_extends; /* into a whole register: MOVZX */
};

/* SDM 2, MOV and MOVZX: the forms with an operand in memory. */
static bool is_move(const struct instruction *i, struct move *move)
{
	if (i->encoding != ENCODING_LEGACY || !i->has_memory || i->prefixes & PREFIX_LOCK)
		return false;
	*move = (struct move){ .size = i->operand_size };
	if (i->map == OPCODE_MAP_0F) {
		move->zero_extends = true;
		move->size = i->opcode & 1 ? 2 : 1;
		return i->opcode == 0xb6 || i->opcode == 0xb7;
	}
	if (i->map != OPCODE_MAP_ONE_BYTE)
		return false;
	if (!(i->opcode & 1))
		move->size = 1;
	switch (i->opcode) {
	case 0x88: /* r/m, r */
	case 0x89:
	case 0xa2: /* rAX to an offset */
	case 0xa3:
		move->write = true;
		return true;
	case 0x8a: /* r, r/m */
	case 0x8b:
	case 0xa0: /* and back */
	case 0xa1:
		return true;
	case 0xc6: /* r/m, immediate */
	case 0xc7:
		move->write = move->immediate = true;
		return i->reg == 0;
	default:
		return false;
	}
}

/*
 * The address that the processor reported is the operand's first byte, and all of the
 * operand lies in its page.
 */
static bool is_whole(struct hv_vcpu *vcpu, const struct move *move, uint64_t gpa)
{
	uint64_t next = vcpu->rip + move->instruction.length;
	uint64_t linear = decode_effective_address(&move->instruction, vcpu->gpr, next);
	struct segment segment;

	vcpu->vm->ops->read_segment(vcpu, move->instruction.segment, &segment);
	linear += segment.base; /* 0 in 64-bit mode, but for FS and GS */
	return !((linear ^ gpa) % HV_PAGE_SIZE) && gpa % HV_PAGE_SIZE + move->size <= HV_PAGE_SIZE;
}

/* AH, CH, DH, BH have the numbers 4 to 7 where no REX prefix has taken them. */
static bool is_high_byte(const struct move *move)
{
	return move->size == 1 && !move->zero_extends && move->instruction.reg >= 4 &&
	       move->instruction.reg < 8 && !(move->instruction.rex & REX_PRESENT);
}

static uint64_t source(const struct hv_vcpu *vcpu, const struct move *move)
{
	if (move->immediate)
		return (uint64_t)move->instruction.immediate;
	if (is_high_byte(move))
		return vcpu->gpr[move->instruction.reg - 4] >> 8;
	return vcpu->gpr[move->instruction.reg];
}

static uint64_t cut(uint64_t value, unsigned int size)
{
	return size == 8 ? value : value & ((1ull << (8 * size)) - 1);
}

static void destine(struct hv_vcpu *vcpu, const struct move *move, uint64_t value)
{
	unsigned int size = move->zero_extends ? move->instruction.operand_size : move->size;
	uint64_t *gpr = &vcpu->gpr[move->instruction.reg];

	value = cut(value, move->size);
	if (is_high_byte(move)) {
		gpr = &vcpu->gpr[move->instruction.reg - 4];
		*gpr = (*gpr & ~0xff00ull) | value << 8;
	} else if (size >= 4) {
		*gpr = value; /* 32 bits clear the upper half: SDM 1, 3.4.1.1 */
	} else {
		*gpr = (*gpr & ~cut(UINT64_MAX, size)) | value;
	}
}

static bool decode_move(struct hv_vcpu *vcpu, uint64_t gpa, struct move *move)
{
	uint8_t bytes[INSTRUCTION_LENGTH_MAX];
	struct guest_code code = guest_code(vcpu);
	struct instruction instruction;
	size_t count = guest_read_code(vcpu, code.address, bytes, sizeof(bytes));

	if (decode(&instruction, code.mode, bytes, count) != DECODE_OK ||
	    !is_move(&instruction, move))
		return false;
	move->instruction = instruction;
	return is_whole(vcpu, move, gpa);
}

/* The device has answered. */
static bool complete_read(struct hv_vcpu *vcpu)
{
	uint64_t value = 0;
	struct move move;

	/* The guest's memory may have changed meanwhile: then it is another instruction. */
	if (!decode_move(vcpu, vcpu->call.mmio.gpa, &move) || move.write)
		return true;
	host_memcpy(&value, vcpu->call.mmio.bytes, sizeof(value));
	destine(vcpu, &move, value);
	vcpu->call.exit.length = move.instruction.length;
	return instruction_skip(vcpu, &vcpu->call.exit) == HV_RESUME;
}

static enum hv_verdict call(struct hv_vcpu *vcpu, const struct hv_exit *exit,
			    const struct move *move, uint64_t value)
{
	struct hv_call *wanted = &vcpu->call;
	struct hv_exit stepped = *exit;

	stepped.length = move->instruction.length;
	if (irqchip_mmio(vcpu, exit->memory.gpa, move->size, move->write, &value)) {
		if (!move->write)
			destine(vcpu, move, value);
		return instruction_skip(vcpu, &stepped);
	}
	wanted->kind = HV_CALL_MMIO;
	wanted->mmio.gpa = exit->memory.gpa;
	wanted->mmio.size = (uint8_t)move->size;
	wanted->mmio.write = move->write;
	host_memcpy(wanted->mmio.bytes, &value, sizeof(value));
	if (move->write)
		instruction_skip(vcpu, &stepped);
	else
		vcpu->complete = complete_read;
	return HV_TO_HOST;
}

enum hv_verdict mmio_handle(struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	struct move move;

	if (exit->memory.table || exit->memory.fetch || vcpu->pending.injecting.valid ||
	    !decode_move(vcpu, exit->memory.gpa, &move) || move.write != exit->memory.write)
		return instruction_emulate(vcpu);
	return call(vcpu, exit, &move, move.write ? cut(source(vcpu, &move), move.size) : 0);
}
