/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Single bits: of an operand (BT and its kin), the first or last that is set (BSF,
 * BSR, TZCNT, LZCNT), how many are set (POPCNT), and the flags as conditions (SETcc,
 * CMOVcc) or set one by one (STC, CLD, LAHF, ...).
 */

#include "x86/emulate_handlers.h"

/* ---- BT, BTS, BTR, BTC ------------------------------------------------------------- */

/*
 * A bit number in a register is signed and reaches beyond an operand in memory: the
 * operand is then the one of its size that holds the bit (SDM 2, "BT"). One in an
 * immediate is taken modulo the operand's size, like one of a register operand.
 */
static bool bit_operand(struct execution *x, bool write, unsigned int *bit)
{
	struct operand *operand = &x->operand[0];
	unsigned int bits = x->size * 8;

	*bit = x->operand[1].value & (bits - 1);
	if (operand->place == PLACE_MEMORY && x->operand[1].place == PLACE_GPR) {
		int64_t number = (int64_t)sign_extend(x->operand[1].value, x->size);

		operand->offset += (uint64_t)((number - (int64_t)*bit) / 8);
		operand->offset &= size_mask(x->instruction->address_size);
	}
	return operand_read(x, 0, write ? EMULATE_READ_TO_WRITE : EMULATE_READ);
}

bool emulate_bt(struct execution *x)
{
	unsigned int bit;

	if (!bit_operand(x, false, &bit))
		return false;
	set_flag(x, RFLAGS_CF, x->operand[0].value >> bit & 1);
	return true;
}

/* Reads the operand, puts the bit into CF, and makes it (bit & ~clear) ^ flip. */
static bool change_bit(struct execution *x, uint64_t clear, uint64_t flip)
{
	unsigned int bit;
	uint64_t value;

	if (!bit_operand(x, true, &bit))
		return false;
	value = x->operand[0].value;
	set_flag(x, RFLAGS_CF, value >> bit & 1);
	return operand_write(x, 0, (value & ~(clear << bit)) ^ flip << bit);
}

bool emulate_bts(struct execution *x)
{
	return change_bit(x, 1, 1);
}

bool emulate_btr(struct execution *x)
{
	return change_bit(x, 1, 0);
}

bool emulate_btc(struct execution *x)
{
	return change_bit(x, 0, 1);
}

/* ---- scans and counts ---------------------------------------------------------------- */

static unsigned int lowest(uint64_t value)
{
	return (unsigned int)__builtin_ctzll(value);
}

static unsigned int highest(uint64_t value)
{
	return 63 - (unsigned int)__builtin_clzll(value);
}

/*
 * BSF and BSR of zero leave the destination as it was, all 64 bits of it: the APM's
 * promise, and what Intel's processors do (SDM 2, "BSF").
 */
static bool scan(struct execution *x, unsigned int (*find)(uint64_t value))
{
	uint64_t value = x->operand[1].value;

	set_flag(x, RFLAGS_ZF, !value);
	if (!value)
		return true;
	return operand_write(x, 0, find(value));
}

/* TZCNT and LZCNT count up to the operand's size: CF for zero, ZF for no zeros. */
static bool count_zeros(struct execution *x, uint64_t zeros)
{
	set_flag(x, RFLAGS_CF, zeros == x->size * 8);
	set_flag(x, RFLAGS_ZF, !zeros);
	return operand_write(x, 0, zeros);
}

bool emulate_bsf(struct execution *x)
{
	uint64_t value = x->operand[1].value;

	if (x->instruction->mandatory_prefix == MANDATORY_F3)
		return count_zeros(x, value ? lowest(value) : x->size * 8);
	return scan(x, lowest);
}

bool emulate_bsr(struct execution *x)
{
	uint64_t value = x->operand[1].value;

	if (x->instruction->mandatory_prefix == MANDATORY_F3)
		return count_zeros(x, x->size * 8 - (value ? highest(value) + 1 : 0));
	return scan(x, highest);
}

bool emulate_popcnt(struct execution *x)
{
	uint64_t value = x->operand[1].value;

	x->result = 0;
	for (uint64_t rest = value; rest; rest &= rest - 1)
		x->result++;
	x->state->rflags &= ~RFLAGS_ARITHMETIC;
	set_flag(x, RFLAGS_ZF, !value);
	return true;
}

/* Of 16 bits undefined (SDM 2, "BSWAP"): processors put zero there. */
bool emulate_bswap(struct execution *x)
{
	uint64_t value = x->operand[0].value;

	if (x->size == 8)
		x->result = __builtin_bswap64(value);
	else
		x->result = x->size == 4 ? __builtin_bswap32((uint32_t)value) : 0;
	return true;
}

/* ---- flags ----------------------------------------------------------------------------- */

bool condition(const struct execution *x, unsigned int code)
{
	bool holds;

	switch (code >> 1 & 7) {
	case 0: /* O */
		holds = flag(x, RFLAGS_OF);
		break;
	case 1: /* B */
		holds = flag(x, RFLAGS_CF);
		break;
	case 2: /* Z */
		holds = flag(x, RFLAGS_ZF);
		break;
	case 3: /* BE */
		holds = flag(x, RFLAGS_CF | RFLAGS_ZF);
		break;
	case 4: /* S */
		holds = flag(x, RFLAGS_SF);
		break;
	case 5: /* P */
		holds = flag(x, RFLAGS_PF);
		break;
	case 6: /* L */
		holds = flag(x, RFLAGS_SF) != flag(x, RFLAGS_OF);
		break;
	default: /* LE */
		holds = flag(x, RFLAGS_ZF) || flag(x, RFLAGS_SF) != flag(x, RFLAGS_OF);
		break;
	}
	return holds != (code & 1);
}

bool emulate_setcc(struct execution *x)
{
	x->result = condition(x, x->instruction->opcode);
	return true;
}

/* The source is read and a 32-bit destination widened whatever the condition says. */
bool emulate_cmovcc(struct execution *x)
{
	x->result = x->operand[condition(x, x->instruction->opcode)].value;
	return true;
}

/* CMC (F5), CLC (F8), STC (F9) */
bool emulate_carry(struct execution *x)
{
	bool carry = x->instruction->opcode == 0xf9;

	if (x->instruction->opcode == 0xf5)
		carry = !flag(x, RFLAGS_CF);
	set_flag(x, RFLAGS_CF, carry);
	return true;
}

/* CLD (FC), STD (FD) */
bool emulate_direction(struct execution *x)
{
	set_flag(x, RFLAGS_DF, x->instruction->opcode & 1);
	return true;
}

#define RFLAGS_OF_AH (RFLAGS_SF | RFLAGS_ZF | RFLAGS_AF | RFLAGS_PF | RFLAGS_CF)

bool emulate_lahf(struct execution *x)
{
	uint64_t ah = (x->state->rflags & RFLAGS_OF_AH) | RFLAGS_FIXED;

	gpr_write(x, GPR_RAX, 2, gpr_read(x, GPR_RAX, 1) | ah << 8);
	return true;
}

bool emulate_sahf(struct execution *x)
{
	x->state->rflags &= ~RFLAGS_OF_AH;
	x->state->rflags |= gpr_read(x, GPR_RAX, 2) >> 8 & RFLAGS_OF_AH;
	return true;
}

/* D6: AL becomes all ones or zero, as CF says (APM 3 has it no longer, processors do). */
bool emulate_salc(struct execution *x)
{
	gpr_write(x, GPR_RAX, 1, flag(x, RFLAGS_CF) ? 0xff : 0);
	return true;
}
