/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ORACLES_DECODE_TWIN_H
#define HUTCH_TESTS_ORACLES_DECODE_TWIN_H

/*
 * A finer #UD than ours, or an empty cell? Zydis refuses an instruction also for bits that
 * are reserved in it. So change these bits, leave the opcode, and ask again: if it now
 * accepts the twin, which must have the same length, then the opcode is defined.
 */

#include <string.h>

#include "tests/oracles/decode_case.h"

/* Where the opcode, or the prefix of a vector instruction, begins. */
static inline unsigned int opcode_at(const struct decode_case *one)
{
	unsigned int at = 0;

	while (memchr("\x26\x2e\x36\x3e\x64\x65\x66\x67\xf0\xf2\xf3", one->bytes[at], 11) ||
	       (one->mode >= DECODE_MODE_64 && (one->bytes[at] & 0xf0) == 0x40))
		at++;
	return at;
}

static inline bool accepts_twin(const struct decode_case *one, const uint8_t bytes[CASE_BYTES])
{
	ZydisDecodedInstruction twin;

	return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(one->decoder, NULL, bytes, CASE_BYTES,
							  &twin)) &&
	       twin.length == one->ours.length;
}

/* Whether ModRM.reg is a part of the opcode, so that no twin may have another. */
static inline bool reg_is_opcode(const struct instruction *ours)
{
	unsigned int opcode = ours->opcode;

	if (ours->encoding == ENCODING_LEGACY) {
		bool segments = ours->map == OPCODE_MAP_ONE_BYTE &&
				(opcode == 0x8c || opcode == 0x8e);
		bool control = ours->map == OPCODE_MAP_0F && opcode >= 0x20 && opcode <= 0x23;

		return !segments && !control;
	}
	if (ours->map == OPCODE_MAP_0F)
		return (opcode >= 0x71 && opcode <= 0x73) || opcode == 0xae;
	if (ours->map == OPCODE_MAP_0F38)
		return opcode == 0x49 || opcode == 0xc6 || opcode == 0xc7 || opcode == 0xf3;
	return ours->encoding == ENCODING_XOP && opcode < 0x80;
}

/* Prefixes without LOCK (a segment override in its place) and without REX.R. */
static inline void tame_prefixes(const struct decode_case *one, uint8_t *bytes, unsigned int end)
{
	for (unsigned int i = 0; i < end; i++) {
		if (bytes[i] == 0xf0)
			bytes[i] = 0x3e;
		else if (one->mode >= DECODE_MODE_64 && (bytes[i] & 0xf0) == 0x40)
			bytes[i] &= (uint8_t)~REX_R;
	}
}

/*
 * Twins of a legacy instruction: eight registers, and the first of all the one it has.
 */
static inline bool accepts_legacy_twin(const struct decode_case *one)
{
	unsigned int at = opcode_at(one);
	uint8_t bytes[CASE_BYTES];

	memcpy(bytes, one->bytes, sizeof(bytes));
	tame_prefixes(one, bytes, at);
	at += one->ours.map == OPCODE_MAP_ONE_BYTE ? 1 : 2;
	for (unsigned int reg = 0; reg < 8; reg++) {
		if (accepts_twin(one, bytes))
			return true;
		if (reg_is_opcode(&one->ours))
			return false;
		bytes[at] = (uint8_t)((one->bytes[at] & 0xc7) | reg << 3);
	}
	return false;
}

/*
 * Variations of a vector instruction's prefix, by number: bit 0 W, bits 1 and 2 L'L, bit 3
 * b, bit 4 a mask, bit 5 no register in vvvv; and else register 3.
 */
#define VARIATIONS 64

static inline void vary_vex(uint8_t *byte, bool has_w, unsigned int variation)
{
	*byte = (uint8_t)((*byte & 0x83) | (variation >> 1 & 1) << 2 |
			  (variation & 32 ? 0x78 : 0x60));
	if (has_w)
		*byte = (uint8_t)((*byte & 0x7f) | (variation & 1) << 7);
	else
		*byte |= 0x80;
}

static inline void vary_evex(uint8_t *prefix, unsigned int variation)
{
	prefix[2] = (uint8_t)((prefix[2] & 0x07) | (variation & 1) << 7 |
			      (variation & 32 ? 0x78 : 0x60));
	prefix[3] = (uint8_t)(0x08 | (variation >> 1 & 3) << 5 | (variation >> 3 & 1) << 4 |
			      (variation >> 4 & 1));
}

/* Registers of low and different numbers: 1 in ModRM.reg, 2 in rm, 4 as a VSIB index. */
static inline void vary_registers(const struct instruction *ours, uint8_t *modrm)
{
	if (!ours->has_modrm || reg_is_opcode(ours))
		return;
	*modrm = (uint8_t)((*modrm & 0xc7) | 1 << 3);
	if (ours->mod == 3)
		*modrm = 0xc0 | 1 << 3 | 2;
	if (ours->vsib)
		modrm[1] = (uint8_t)((modrm[1] & 0xc7) | 4 << 3);
}

static inline void vary(const struct decode_case *one, uint8_t bytes[CASE_BYTES],
			unsigned int variation)
{
	unsigned int at = opcode_at(one);

	memcpy(bytes, one->bytes, CASE_BYTES);
	if (bytes[at] == 0xc5) {
		vary_vex(bytes + at + 1, false, variation);
		vary_registers(&one->ours, bytes + at + 3);
	} else if (one->ours.encoding == ENCODING_EVEX) {
		bytes[at + 1] |= 0xf0;
		vary_evex(bytes + at, variation);
		vary_registers(&one->ours, bytes + at + 5);
	} else {
		bytes[at + 1] |= 0xe0;
		vary_vex(bytes + at + 2, true, variation);
		vary_registers(&one->ours, bytes + at + 4);
	}
}

/* Tries first what was right for the opcode the last time. */
static inline bool accepts_vector_twin(const struct decode_case *one)
{
	static uint8_t last[4][32][256][4][2];
	const struct instruction *ours = &one->ours;
	uint8_t *hint = &last[ours->encoding][ours->map][ours->opcode][ours->mandatory_prefix]
			     [ours->mod == 3];
	uint8_t bytes[CASE_BYTES];

	for (unsigned int i = 0; i < VARIATIONS; i++) {
		vary(one, bytes, *hint ^ i);
		if (accepts_twin(one, bytes)) {
			*hint ^= i;
			return true;
		}
	}
	return false;
}

static inline bool has_accepted_twin(const struct decode_case *one)
{
	return one->ours.encoding == ENCODING_LEGACY ? accepts_legacy_twin(one)
						     : accepts_vector_twin(one);
}

/*
 * For an opcode that Zydis doesn't know: whether one of the same shape, which is LAR, PSHUFB
 * or, with an immediate, PALIGNR, has the same length.
 */
static inline bool accepts_stand_in(const struct decode_case *one)
{
	const struct instruction *ours = &one->ours;
	unsigned int at = opcode_at(one);
	uint8_t bytes[CASE_BYTES];

	memcpy(bytes, one->bytes, sizeof(bytes));
	if (ours->map == OPCODE_MAP_7) /* a register and four bytes */
		return ours->mod == 3 && ours->length == at + 5 + 4;
	if (ours->encoding == ENCODING_VEX) {
		bytes[at + 2] = 0x79;
		bytes[at + 3] = ours->map == OPCODE_MAP_0F3A ? 0x0f : 0x00;
		return accepts_twin(one, bytes);
	}
	for (unsigned int i = 0; i < at; i++)
		if (bytes[i] == 0xf0 || bytes[i] == 0xf2 || bytes[i] == 0xf3)
			bytes[i] = 0x3e;
	bytes[at + (ours->map == OPCODE_MAP_0F ? 1 : 2)] = ours->map == OPCODE_MAP_0F ? 0x02 : 0x00;
	return accepts_twin(one, bytes);
}

#endif
