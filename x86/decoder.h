/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_DECODER_H
#define HUTCH_X86_DECODER_H

/*
 * The decoder's state between x86/decode.c, which finds out which instruction it is, and
 * x86/decode_operand.c, which reads what belongs to it. Every step says whether to go on.
 */

#include "x86/decode.h"
#include "x86/decode_cell.h"

struct decoder {
	struct instruction *instruction;
	const uint8_t *bytes;
	size_t available;
	size_t at; /* the next byte */
	enum decode_mode mode;
	enum decode_status status; /* why a step said false */
	uint32_t cell;
	uint8_t extension; /* EXTEND_*: EVEX's further bits of register numbers */
	struct evex_cell evex;
};

/* Bit 4 of ModRM.reg (R'), of ModRM.rm naming a register (X), of a VSIB index (V'). */
#define EXTEND_REG   (1u << 0)
#define EXTEND_RM    (1u << 1)
#define EXTEND_INDEX (1u << 2)

static inline bool is_64_bit(const struct decoder *decoder)
{
	return decoder->mode == DECODE_MODE_64 || decoder->mode == DECODE_MODE_64_AMD;
}

static inline bool undefined(struct decoder *decoder)
{
	decoder->status = DECODE_INVALID;
	return false;
}

static inline bool is_there(struct decoder *decoder, unsigned int size)
{
	if (decoder->at + size <= decoder->available &&
	    decoder->at + size <= INSTRUCTION_LENGTH_MAX)
		return true;
	decoder->status = decoder->at + size > INSTRUCTION_LENGTH_MAX ? DECODE_TOO_LONG
								      : DECODE_TRUNCATED;
	return false;
}

static inline bool fetch_byte(struct decoder *decoder, uint8_t *byte)
{
	if (!is_there(decoder, 1))
		return false;
	*byte = decoder->bytes[decoder->at++];
	return true;
}

/* A little-endian number of @size bytes, sign-extended. */
static inline bool fetch_number(struct decoder *decoder, unsigned int size, int64_t *number)
{
	const uint8_t *bytes = decoder->bytes + decoder->at;
	uint64_t value = 0;

	if (!is_there(decoder, size))
		return false;
	for (unsigned int i = size; i > 0; i--)
		value = (i == size && bytes[i - 1] & 0x80 ? ~0ull : value) << 8 | bytes[i - 1];
	decoder->at += size;
	*number = (int64_t)value;
	return true;
}

/* From SIB on to the end, with the sizes that it takes: x86/decode_operand.c */
bool decode_operands(struct decoder *decoder);

#endif
