/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/decode.h"

#include "x86/decoder.h"

/*
 * The decoder goes through the bytes once, from left to right, as the processor does:
 * prefixes, opcode, ModRM, displacement, immediates. The opcode finds its cell in a map,
 * and the cell says which of the fields behind it are there (x86/decode_cell.h).
 */

/* ---- prefixes ------------------------------------------------------------------- */

/* ES, CS, SS and DS mean nothing in 64-bit mode: SDM 2, 2.2.1; APM 3, 1.2.4 */
static void take_segment_prefix(struct decoder *decoder, uint8_t byte)
{
	if (byte >= 0x64) /* 64, 65: FS, GS */
		decoder->instruction->segment_override = byte & 7;
	else if (!is_64_bit(decoder)) /* 26, 2E, 36, 3E: ES, CS, SS, DS */
		decoder->instruction->segment_override = byte >> 3 & 3;
}

static void take_prefix(struct decoder *decoder, uint8_t byte)
{
	struct instruction *instruction = decoder->instruction;

	switch (byte) {
	case 0xf0:
		instruction->prefixes |= PREFIX_LOCK;
		break;
	case 0x66:
		instruction->prefixes |= PREFIX_OPERAND_SIZE;
		break;
	case 0x67:
		instruction->prefixes |= PREFIX_ADDRESS_SIZE;
		break;
	case 0xf2:
		instruction->prefixes &= (uint8_t)~PREFIX_REP;
		instruction->prefixes |= PREFIX_REPNE;
		break;
	case 0xf3:
		instruction->prefixes &= (uint8_t)~PREFIX_REPNE;
		instruction->prefixes |= PREFIX_REP;
		break;
	default:
		take_segment_prefix(decoder, byte);
	}
}

/*
 * Prefixes, as many as there are, and the first byte of the opcode. A REX prefix counts
 * only right before the opcode (SDM 2, 2.2.1).
 */
static bool take_prefixes(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	uint8_t byte;

	for (;;) {
		if (!fetch_byte(decoder, &byte))
			return false;
		if (is_64_bit(decoder) && (byte & 0xf0) == 0x40) {
			instruction->rex = REX_PRESENT | (byte & 0x0f);
			continue;
		}
		if (!(decode_map_one_byte[byte] & CELL_PREFIX))
			break;
		take_prefix(decoder, byte);
		instruction->rex = 0;
	}
	instruction->opcode = byte;
	if (instruction->prefixes & PREFIX_REPNE)
		instruction->mandatory_prefix = MANDATORY_F2;
	else if (instruction->prefixes & PREFIX_REP)
		instruction->mandatory_prefix = MANDATORY_F3;
	else if (instruction->prefixes & PREFIX_OPERAND_SIZE)
		instruction->mandatory_prefix = MANDATORY_66;
	return true;
}

/* ---- VEX, EVEX, XOP ------------------------------------------------------------- */

/* Inverted R, X and B as their prefixes hold them, in bits 7 to 5. */
static void take_inverted_rxb(struct decoder *decoder, uint8_t byte)
{
	if (is_64_bit(decoder))
		decoder->instruction->rex |= (uint8_t)~byte >> 5;
}

/* W, vvvv and pp, alike in all these prefixes. */
static void take_w_vvvv_pp(struct decoder *decoder, uint8_t byte)
{
	struct instruction *instruction = decoder->instruction;

	instruction->rex |= byte & 0x80 ? REX_W : 0;
	instruction->vvvv = (uint8_t)~byte >> 3 & (is_64_bit(decoder) ? 15 : 7);
	instruction->mandatory_prefix = byte & 3;
}

/* C5: R vvvv L pp (SDM 2, 2.3.5) */
static bool take_vex2(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	uint8_t byte;

	if (!fetch_byte(decoder, &byte))
		return false;
	instruction->encoding = ENCODING_VEX;
	instruction->map = OPCODE_MAP_0F;
	take_inverted_rxb(decoder, byte | 0x60);
	take_w_vvvv_pp(decoder, byte & 0x7f);
	instruction->vector_length = byte >> 2 & 1;
	return true;
}

/* C4: R X B mmmmm, W vvvv L pp (SDM 2, 2.3.5); 8F: the same (APM 3, 1.9) */
static bool take_vex3(struct decoder *decoder, enum instruction_encoding encoding)
{
	struct instruction *instruction = decoder->instruction;
	uint8_t first, second;

	if (!fetch_byte(decoder, &first) || !fetch_byte(decoder, &second))
		return false;
	instruction->encoding = encoding;
	instruction->map = first & 0x1f;
	take_inverted_rxb(decoder, first);
	take_w_vvvv_pp(decoder, second);
	instruction->vector_length = second >> 2 & 1;
	return true;
}

/* 62: R X B R' 0 mmm, W vvvv 1 pp, z L'L b V' aaa (SDM 2, 2.7.1) */
static bool take_evex(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	uint8_t first, second, third;

	if (!fetch_byte(decoder, &first) || !fetch_byte(decoder, &second))
		return false;
	if (first & 0x08 || !(second & 0x04))
		return undefined(decoder);
	if (!fetch_byte(decoder, &third))
		return false;
	instruction->encoding = ENCODING_EVEX;
	instruction->map = first & 7;
	take_inverted_rxb(decoder, first);
	take_w_vvvv_pp(decoder, second);
	instruction->zeroing = third & 0x80;
	instruction->vector_length = third >> 5 & 3;
	instruction->broadcast = third & 0x10;
	instruction->opmask = third & 7;
	if (is_64_bit(decoder)) {
		decoder->extension |= first & 0x10 ? 0 : EXTEND_REG;
		decoder->extension |= first & 0x40 ? 0 : EXTEND_RM;
		decoder->extension |= third & 0x08 ? 0 : EXTEND_INDEX;
		instruction->vvvv |= third & 0x08 ? 0 : 16;
	}
	return true;
}

/*
 * Whether the opcode is in truth such a prefix. In 16 and 32-bit mode C4, C5 and 62 are
 * LES, LDS and BOUND, too, which have no form with a register: two bits set where ModRM
 * has mod make a prefix of them (SDM 2, 2.3.5, 2.7.1). 8F is POP unless its ModRM would
 * be a map's number from 8 on (APM 3, 1.9).
 */
static bool is_vector_prefix(const struct decoder *decoder, uint8_t next)
{
	switch (decoder->instruction->opcode) {
	case 0xc4:
	case 0xc5:
	case 0x62:
		return is_64_bit(decoder) || (next & 0xc0) == 0xc0;
	case 0x8f:
		return (next & 0x1f) >= OPCODE_MAP_XOP8;
	default:
		return false;
	}
}

static bool take_vector_prefix(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	bool taken;

	if (instruction->rex ||
	    instruction->prefixes & (PREFIX_LOCK | PREFIX_OPERAND_SIZE | PREFIX_REP | PREFIX_REPNE))
		return undefined(decoder);
	if (instruction->opcode == 0xc5)
		taken = take_vex2(decoder);
	else if (instruction->opcode == 0x62)
		taken = take_evex(decoder);
	else
		taken = take_vex3(decoder,
				  instruction->opcode == 0xc4 ? ENCODING_VEX : ENCODING_XOP);
	return taken && fetch_byte(decoder, &instruction->opcode);
}

/* ---- opcode --------------------------------------------------------------------- */

#define MAPS 16

static const uint32_t *const maps[][MAPS] = {
	[ENCODING_LEGACY] = { decode_map_one_byte, decode_map_0f, decode_map_0f38,
			      decode_map_0f3a },
	[ENCODING_VEX] = { [OPCODE_MAP_0F] = decode_map_vex1,
			   [OPCODE_MAP_0F38] = decode_map_vex2,
			   [OPCODE_MAP_0F3A] = decode_map_vex3,
			   [OPCODE_MAP_7] = decode_map_vex7 },
	[ENCODING_XOP] = { [OPCODE_MAP_XOP8] = decode_map_xop8,
			   [OPCODE_MAP_XOP9] = decode_map_xop9,
			   [OPCODE_MAP_XOPA] = decode_map_xopa },
};

static const struct evex_cell *const evex_maps[8] = {
	[OPCODE_MAP_0F] = decode_map_evex1,   [OPCODE_MAP_0F38] = decode_map_evex2,
	[OPCODE_MAP_0F3A] = decode_map_evex3, [OPCODE_MAP_5] = decode_map_evex5,
	[OPCODE_MAP_6] = decode_map_evex6,
};

static bool take_escapes(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;

	if (instruction->opcode != 0x0f)
		return true;
	instruction->map = OPCODE_MAP_0F;
	if (!fetch_byte(decoder, &instruction->opcode))
		return false;
	if (instruction->opcode == 0x38)
		instruction->map = OPCODE_MAP_0F38;
	else if (instruction->opcode == 0x3a)
		instruction->map = OPCODE_MAP_0F3A;
	else
		return true;
	return fetch_byte(decoder, &instruction->opcode);
}

/* The cell that an EVEX instruction would have in another map, for its one column. */
static uint32_t evex_cell(struct decoder *decoder)
{
	const struct instruction *instruction = decoder->instruction;
	unsigned int column = 1u << instruction->mandatory_prefix;
	uint32_t cell = CELL_EITHER(column);
	uint8_t tuple;

	if (!evex_maps[instruction->map])
		return 0;
	decoder->evex = evex_maps[instruction->map][instruction->opcode];
	tuple = decoder->evex.column[instruction->mandatory_prefix];
	if (tuple == TUPLE_NONE)
		return 0;
	if (tuple & TUPLE_MEMORY_ONLY)
		cell = CELL_MEMORY_ONLY(column);
	else if (tuple & TUPLE_REGISTER_ONLY)
		cell = CELL_REGISTER_ONLY(column);
	if (decoder->evex.has_immediate)
		cell |= CELL_IMMEDIATE(IMMEDIATE_B);
	if (decoder->evex.vsib)
		cell |= CELL_VSIB;
	return cell;
}

static bool find_cell(struct decoder *decoder)
{
	const struct instruction *instruction = decoder->instruction;

	if (instruction->encoding == ENCODING_EVEX) {
		decoder->cell = evex_cell(decoder);
	} else {
		const uint32_t *map = instruction->map < MAPS
					      ? maps[instruction->encoding][instruction->map]
					      : NULL;

		decoder->cell = map ? map[instruction->opcode] : 0;
	}
	if (!decoder->cell || decoder->cell & (is_64_bit(decoder) ? CELL_NOT_64 : CELL_ONLY_64))
		return undefined(decoder);
	return true;
}

static bool take_opcode(struct decoder *decoder)
{
	const uint8_t opcode = decoder->instruction->opcode;

	if (opcode == 0xc4 || opcode == 0xc5 || opcode == 0x62 || opcode == 0x8f) {
		if (!is_there(decoder, 1))
			return false;
		if (is_vector_prefix(decoder, decoder->bytes[decoder->at]))
			return take_vector_prefix(decoder) && find_cell(decoder);
	}
	return take_escapes(decoder) && find_cell(decoder);
}

/* ---- ModRM ---------------------------------------------------------------------- */

/* Whether there is such an instruction among those that ModRM.rm tells apart. */
static bool rm_is_defined(const struct decoder *decoder)
{
	const struct instruction *instruction = decoder->instruction;
	unsigned int reg = instruction->modrm >> 3 & 7, rm = instruction->modrm & 7;
	uint8_t columns;

	if (instruction->encoding == ENCODING_LEGACY && instruction->map == OPCODE_MAP_ONE_BYTE &&
	    instruction->opcode >= 0xd8 && instruction->opcode <= 0xdf)
		return decode_x87_registers[instruction->opcode - 0xd8][reg] >> rm & 1;
	if (instruction->encoding != ENCODING_LEGACY || instruction->map != OPCODE_MAP_0F)
		return rm == 0;
	columns = decode_group_7_registers[reg][rm];
	if (!is_64_bit(decoder))
		columns &= ~(columns >> 4);
	return columns >> instruction->mandatory_prefix & 1;
}

/* The last that is to be known of which instruction it is. */
static bool is_defined(struct decoder *decoder)
{
	const struct instruction *instruction = decoder->instruction;
	unsigned int column = 1u << instruction->mandatory_prefix;

	if (instruction->has_modrm && instruction->mod != 3)
		return decoder->cell & CELL_MEMORY(column) || undefined(decoder);
	if (!(decoder->cell & CELL_REGISTER(column)))
		return undefined(decoder);
	if (decoder->cell & CELL_BY_RM && !rm_is_defined(decoder))
		return undefined(decoder);
	if (decoder->cell & CELL_REGISTER_64 && !is_64_bit(decoder) &&
	    column & (COLUMN_3 | COLUMN_2))
		return undefined(decoder);
	return true;
}

static bool take_modrm(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	unsigned int rex = instruction->rex, group = CELL_GROUP_OF(decoder->cell);
	uint8_t modrm;

	if (!(decoder->cell & CELL_MODRM))
		return is_defined(decoder);
	if (!fetch_byte(decoder, &modrm))
		return false;
	instruction->has_modrm = true;
	instruction->modrm = modrm;
	instruction->mod = decoder->cell & CELL_IGNORE_MOD ? 3 : modrm >> 6;
	instruction->reg = (modrm >> 3 & 7) | (rex & REX_R ? 8 : 0);
	instruction->rm = (modrm & 7) | (rex & REX_B ? 8 : 0);
	if (decoder->extension & EXTEND_REG)
		instruction->reg |= 16;
	if (decoder->extension & EXTEND_RM && instruction->mod == 3)
		instruction->rm |= 16;
	if (group)
		decoder->cell |= decode_groups[group][modrm >> 3 & 7];
	if (decoder->evex.group && !(decoder->evex.group >> (modrm >> 3 & 7) & 1))
		return undefined(decoder);
	if (decoder->cell & (is_64_bit(decoder) ? CELL_NOT_64 : CELL_ONLY_64))
		return undefined(decoder);
	return is_defined(decoder);
}

/* ---- the whole ------------------------------------------------------------------ */

enum decode_status decode(struct instruction *instruction, enum decode_mode mode,
			  const uint8_t *bytes, size_t available)
{
	struct decoder decoder = {
		.instruction = instruction, .bytes = bytes, .available = available, .mode = mode
	};

	*instruction = (struct instruction){ .segment_override = SEGMENT_NUMBER_NONE,
					     .segment = SEGMENT_NUMBER_DS,
					     .base = GPR_NONE,
					     .index = GPR_NONE,
					     .scale = 1,
					     .disp8_scale = 1 };
	if (!take_prefixes(&decoder) || !take_opcode(&decoder) || !take_modrm(&decoder) ||
	    !decode_operands(&decoder))
		return decoder.status;
	instruction->length = (uint8_t)decoder.at;
	return DECODE_OK;
}
