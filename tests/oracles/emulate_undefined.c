/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Two kinds: opcodes after which some flags are undefined whatever the operands are, a
 * table; and shifts and rotates, where it depends on the count.
 */

#include "tests/oracles/emulate_undefined.h"

#include "x86/registers.h"

#define CF RFLAGS_CF
#define PF RFLAGS_PF
#define AF RFLAGS_AF
#define ZF RFLAGS_ZF
#define SF RFLAGS_SF
#define OF RFLAGS_OF

static const struct {
	uint8_t map, first, last;
	uint8_t reg; /* a set of values of ModRM.reg, as bits */
	uint64_t flags;
} always[] = {
	{ 0, 0x08, 0x0d, 0xff, AF },			      /* "OR": AF */
	{ 0, 0x20, 0x25, 0xff, AF },			      /* "AND": AF */
	{ 0, 0x30, 0x35, 0xff, AF },			      /* "XOR": AF */
	{ 0, 0x80, 0x83, 0x52, AF },			      /* OR, AND, XOR with an immediate */
	{ 0, 0x84, 0x85, 0xff, AF },			      /* "TEST": AF */
	{ 0, 0xa8, 0xa9, 0xff, AF },			      /* TEST with an immediate */
	{ 0, 0xf6, 0xf7, 0x03, AF },			      /* the same */
	{ 0, 0xf6, 0xf7, 0x30, SF | ZF | AF | PF },	      /* "MUL", "IMUL" */
	{ 0, 0xf6, 0xf7, 0xc0, CF | OF | SF | ZF | AF | PF }, /* "DIV", "IDIV" */
	{ 0, 0x69, 0x69, 0xff, SF | ZF | AF | PF },	      /* "IMUL" */
	{ 0, 0x6b, 0x6b, 0xff, SF | ZF | AF | PF },	      /* "IMUL" */
	{ 1, 0xaf, 0xaf, 0xff, SF | ZF | AF | PF },	      /* "IMUL" */
	{ 0, 0x27, 0x27, 0xff, OF },			      /* "DAA" */
	{ 0, 0x2f, 0x2f, 0xff, OF },			      /* "DAS" */
	{ 0, 0x37, 0x37, 0xff, OF | SF | ZF | PF },	      /* "AAA" */
	{ 0, 0x3f, 0x3f, 0xff, OF | SF | ZF | PF },	      /* "AAS" */
	{ 0, 0xd4, 0xd5, 0xff, OF | AF | CF },		      /* "AAM", "AAD" */
	{ 1, 0xa3, 0xa3, 0xff, OF | SF | AF | PF },	      /* "BT" */
	{ 1, 0xab, 0xab, 0xff, OF | SF | AF | PF },	      /* "BTS" */
	{ 1, 0xb3, 0xb3, 0xff, OF | SF | AF | PF },	      /* "BTR" */
	{ 1, 0xbb, 0xbb, 0xff, OF | SF | AF | PF },	      /* "BTC" */
	{ 1, 0xba, 0xba, 0xf0, OF | SF | AF | PF },	      /* the same */
	{ 1, 0xbc, 0xbd, 0xff, OF | SF | AF | PF },	      /* "TZCNT", "LZCNT"; BSF and BSR: */
};

/* The count of a shift or rotate, as the processor masks it. */
static unsigned int shift_count(const struct instruction *instruction,
				const struct native_result *before)
{
	bool by_one = instruction->opcode == 0xd0 || instruction->opcode == 0xd1;
	bool by_cl = instruction->opcode == 0xd2 || instruction->opcode == 0xd3 ||
		     instruction->opcode == 0xa5 || instruction->opcode == 0xad;
	uint64_t count = (uint64_t)instruction->immediate;

	if (by_one)
		count = 1;
	if (by_cl)
		count = before->gpr[1];
	return count & (instruction->rex & REX_W ? 63 : 31);
}

/* "RCL/RCR/ROL/ROR" and "SAL/SAR/SHL/SHR" */
static struct undefined of_shift(const struct instruction *instruction,
				 const struct native_result *before)
{
	unsigned int count = shift_count(instruction, before);
	unsigned int bits = instruction->opcode & 1 ? instruction->operand_size * 8u : 8;
	unsigned int operation = instruction->reg & 7;
	struct undefined undefined = { 0 };

	if (!count)
		return undefined;
	if (count != 1)
		undefined.flags |= OF;
	if (operation >= 4)
		undefined.flags |= AF;
	if (operation >= 4 && operation != 7 && count >= bits)
		undefined.flags |= CF;
	return undefined;
}

/* "SHLD", "SHRD": with a count above the operand's size even the result. */
static struct undefined of_double_shift(const struct instruction *instruction,
					const struct native_result *before)
{
	unsigned int count = shift_count(instruction, before);
	struct undefined undefined = { 0 };

	if (!count)
		return undefined;
	undefined.flags = count == 1 ? AF : AF | OF;
	if (count > instruction->operand_size * 8u) {
		undefined.flags = CF | PF | AF | ZF | SF | OF;
		undefined.result = true;
	}
	return undefined;
}

struct undefined undefined_of(const struct instruction *instruction,
			      const struct native_result *before)
{
	uint8_t opcode = instruction->opcode;
	struct undefined undefined = { 0 };

	if (instruction->encoding != ENCODING_LEGACY)
		return undefined;
	if (instruction->map == 0 && ((opcode & 0xfe) == 0xc0 || (opcode & 0xfc) == 0xd0))
		return of_shift(instruction, before);
	if (instruction->map == 1 && (opcode & 0xf6) == 0xa4)
		return of_double_shift(instruction, before);
	for (unsigned int i = 0; i < sizeof(always) / sizeof(always[0]); i++)
		if (always[i].map == instruction->map && opcode >= always[i].first &&
		    opcode <= always[i].last && always[i].reg >> (instruction->reg & 7) & 1)
			undefined.flags |= always[i].flags;
	/* "BSF", "BSR": CF, too. */
	if (instruction->map == 1 && (opcode & 0xfe) == 0xbc &&
	    instruction->mandatory_prefix != MANDATORY_F3)
		undefined.flags |= CF;
	/* "BSWAP": "the result is undefined" of 16 bits. */
	undefined.result = instruction->map == 1 && (opcode & 0xf8) == 0xc8 &&
			   instruction->operand_size == 2;
	return undefined;
}
