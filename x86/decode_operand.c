/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/decoder.h"

/*
 * What stands behind ModRM: SIB, a displacement, immediates; and the sizes of operand and
 * address, on which the others' sizes depend. Last, what is made of a displacement: an
 * effective address.
 */

/* ---- sizes ---------------------------------------------------------------------- */

static uint8_t address_size(const struct decoder *decoder)
{
	bool other = decoder->instruction->prefixes & PREFIX_ADDRESS_SIZE;

	if (is_64_bit(decoder))
		return other ? 4 : 8;
	return (decoder->mode == DECODE_MODE_32) != other ? 4 : 2;
}

static uint8_t operand_size_64(const struct decoder *decoder)
{
	const struct instruction *instruction = decoder->instruction;
	bool narrow = instruction->prefixes & PREFIX_OPERAND_SIZE;
	bool wide = instruction->rex & REX_W;

	switch (CELL_OPERAND_OF(decoder->cell)) {
	case OPERAND_STACK:
		return narrow && !wide ? 2 : 8;
	case OPERAND_NEAR_BRANCH:
		return narrow && !wide && decoder->mode == DECODE_MODE_64_AMD ? 2 : 8;
	case OPERAND_TABLE:
	case OPERAND_NATURAL:
		return 8;
	case OPERAND_PORT:
		return narrow && !wide ? 2 : 4;
	case OPERAND_32_64:
		return wide ? 8 : 4;
	default:
		return wide ? 8 : narrow ? 2 : 4;
	}
}

static uint8_t operand_size(const struct decoder *decoder)
{
	unsigned int kind = CELL_OPERAND_OF(decoder->cell);
	bool other = decoder->instruction->prefixes & PREFIX_OPERAND_SIZE;

	if (is_64_bit(decoder))
		return operand_size_64(decoder);
	if (decoder->instruction->encoding != ENCODING_LEGACY || kind == OPERAND_NATURAL ||
	    kind == OPERAND_32_64)
		return 4;
	return (decoder->mode == DECODE_MODE_32) != other ? 4 : 2;
}

/* ---- operand in memory ---------------------------------------------------------- */

/* SDM 2, table 2-1 */
static const struct {
	uint8_t base, index;
} addresses_16[8] = {
	{ GPR_RBX, GPR_RSI },  { GPR_RBX, GPR_RDI },  { GPR_RBP, GPR_RSI },  { GPR_RBP, GPR_RDI },
	{ GPR_RSI, GPR_NONE }, { GPR_RDI, GPR_NONE }, { GPR_RBP, GPR_NONE }, { GPR_RBX, GPR_NONE },
};

static bool take_address_16(struct decoder *decoder)
{
	static const uint8_t displacement_size[3] = { 0, 1, 2 };
	struct instruction *instruction = decoder->instruction;
	unsigned int rm = instruction->modrm & 7;

	if (decoder->cell & CELL_SIB) /* SDM 2, 2.3.12 */
		return undefined(decoder);
	instruction->base = addresses_16[rm].base;
	instruction->index = addresses_16[rm].index;
	instruction->displacement_size = displacement_size[instruction->mod];
	if (instruction->mod == 0 && rm == 6) {
		instruction->base = GPR_NONE;
		instruction->displacement_size = 2;
	}
	return true;
}

/* SDM 2, table 2-3 */
static bool take_sib(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	uint8_t sib, index;

	if (!fetch_byte(decoder, &sib))
		return false;
	instruction->has_sib = true;
	instruction->scale = (uint8_t)(1u << (sib >> 6));
	instruction->base = (sib & 7) | (instruction->rex & REX_B ? 8 : 0);
	index = (sib >> 3 & 7) | (instruction->rex & REX_X ? 8 : 0);
	if (instruction->vsib)
		instruction->index = index | (decoder->extension & EXTEND_INDEX ? 16 : 0);
	else if (index != GPR_RSP)
		instruction->index = index;
	if (instruction->mod == 0 && (sib & 7) == GPR_RBP) {
		instruction->base = GPR_NONE;
		instruction->displacement_size = 4;
	}
	return true;
}

/* SDM 2, tables 2-2 and 2-7 */
static bool take_address_32(struct decoder *decoder)
{
	static const uint8_t displacement_size[3] = { 0, 1, 4 };
	struct instruction *instruction = decoder->instruction;
	unsigned int rm = instruction->modrm & 7;

	instruction->displacement_size = displacement_size[instruction->mod];
	instruction->vsib = (decoder->cell & CELL_VSIB) == CELL_VSIB;
	if (rm == 4)
		return take_sib(decoder);
	if (decoder->cell & CELL_SIB)
		return undefined(decoder);
	instruction->base = instruction->rm;
	if (instruction->mod == 0 && rm == GPR_RBP) {
		instruction->base = is_64_bit(decoder) ? GPR_RIP : GPR_NONE;
		instruction->displacement_size = 4;
	}
	return true;
}

/* The bytes of the vector that an EVEX instruction has in memory: SDM 2, tables 2-34 and 2-35 */
static uint8_t disp8_scale(const struct instruction *instruction, enum evex_tuple tuple)
{
	unsigned int vector = 16u << instruction->vector_length;
	bool wide = instruction->rex & REX_W, broadcast = instruction->broadcast;

	switch (tuple) {
	case TUPLE_WORD_BY_W:
		return wide ? 2 : 1;
	case TUPLE_GPR_BY_W: /* operand_size is 8 by W only, and in 64-bit mode only */
		return instruction->operand_size == 8 ? 8 : 4;
	case TUPLE_QUAD_BY_W:
		return wide ? 8 : 4;
	case TUPLE_FULL:
		return broadcast ? wide ? 8 : 4 : vector;
	case TUPLE_FULL_FP16:
		return broadcast ? 2 : vector;
	case TUPLE_HALF:
		return broadcast ? 4 : vector / 2;
	case TUPLE_HALF_FP16:
		return broadcast ? 2 : vector / 2;
	case TUPLE_QUARTER_FP16:
		return broadcast ? 2 : vector / 4;
	case TUPLE_HALF_OR_FULL:
		return disp8_scale(instruction, wide ? TUPLE_FULL : TUPLE_HALF);
	case TUPLE_FULL_MEM:
		return vector;
	case TUPLE_HALF_MEM:
		return vector / 2;
	case TUPLE_QUARTER_MEM:
		return vector / 4;
	case TUPLE_EIGHTH_MEM:
		return vector / 8;
	case TUPLE_MOVDDUP:
		return instruction->vector_length ? vector : 8;
	default: /* TUPLE_1 to TUPLE_32 */
		return 1u << (tuple - TUPLE_1);
	}
}

static bool take_displacement(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	unsigned int size = instruction->displacement_size;

	if (size && !fetch_number(decoder, size, &instruction->displacement))
		return false;
	if (size != 1 || instruction->encoding != ENCODING_EVEX)
		return true;
	instruction->disp8_scale = disp8_scale(
		instruction, decoder->evex.column[instruction->mandatory_prefix] & TUPLE_TYPE);
	instruction->displacement *= instruction->disp8_scale;
	return true;
}

static bool take_memory(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	bool taken;

	if (!instruction->has_modrm || instruction->mod == 3)
		return true;
	instruction->has_memory = true;
	taken = instruction->address_size == 2 ? take_address_16(decoder)
					       : take_address_32(decoder);
	if (instruction->base == GPR_RSP || instruction->base == GPR_RBP)
		instruction->segment = SEGMENT_NUMBER_SS;
	return taken && take_displacement(decoder);
}

/* ---- immediates ----------------------------------------------------------------- */

/* The offset of MOV to and from the accumulator: SDM 2, 2.2.1.4 */
static bool take_moffs(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	unsigned int size = instruction->address_size;

	instruction->has_memory = true;
	instruction->displacement_size = (uint8_t)size;
	if (!fetch_number(decoder, size, &instruction->displacement))
		return false;
	if (size < 8)
		instruction->displacement &= (1ll << (8 * size)) - 1;
	return true;
}

static bool take_3dnow_suffix(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	uint8_t suffix;

	if (!fetch_byte(decoder, &suffix))
		return false;
	if (!(decode_3dnow_suffixes[suffix >> 5] >> (suffix & 31) & 1))
		return undefined(decoder);
	instruction->map = OPCODE_MAP_3DNOW;
	instruction->opcode = suffix;
	return true;
}

/* How many bytes an immediate has for an operand size of 2, 4, 8. */
static const uint8_t immediate_sizes[][3] = {
	[IMMEDIATE_B] = { 1, 1, 1 },  [IMMEDIATE_W] = { 2, 2, 2 },  [IMMEDIATE_D] = { 4, 4, 4 },
	[IMMEDIATE_Z] = { 2, 4, 4 },  [IMMEDIATE_V] = { 2, 4, 8 },  [IMMEDIATE_P] = { 2, 4, 4 },
	[IMMEDIATE_WB] = { 2, 2, 2 }, [IMMEDIATE_BB] = { 1, 1, 1 },
};

static bool take_immediates(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;
	unsigned int kind = CELL_IMMEDIATE_OF(decoder->cell);

	if (kind == IMMEDIATE_NONE ||
	    (kind == IMMEDIATE_BB && instruction->mandatory_prefix == MANDATORY_NONE))
		return true;
	if (kind == IMMEDIATE_O)
		return take_moffs(decoder);
	if (kind == IMMEDIATE_SUFFIX)
		return take_3dnow_suffix(decoder);
	instruction->immediate_size = immediate_sizes[kind][instruction->operand_size >> 2];
	if (!fetch_number(decoder, instruction->immediate_size, &instruction->immediate))
		return false;
	if (kind == IMMEDIATE_P)
		instruction->immediate2_size = 2;
	else if (kind == IMMEDIATE_WB || kind == IMMEDIATE_BB)
		instruction->immediate2_size = 1;
	else
		return true;
	return fetch_number(decoder, instruction->immediate2_size, &instruction->immediate2);
}

/* ---- the whole ------------------------------------------------------------------ */

bool decode_operands(struct decoder *decoder)
{
	struct instruction *instruction = decoder->instruction;

	instruction->address_size = address_size(decoder);
	instruction->operand_size = operand_size(decoder);
	if (!take_memory(decoder) || !take_immediates(decoder))
		return false;
	if (instruction->segment_override != SEGMENT_NUMBER_NONE)
		instruction->segment = instruction->segment_override;
	instruction->lockable = instruction->has_memory && decoder->cell & CELL_LOCKABLE;
	return true;
}

uint64_t decode_effective_address(const struct instruction *instruction,
				  const uint64_t gpr[GPR_COUNT], uint64_t next_rip)
{
	uint64_t address = (uint64_t)instruction->displacement;

	if (instruction->base == GPR_RIP)
		address += next_rip;
	else if (instruction->base != GPR_NONE)
		address += gpr[instruction->base];
	if (instruction->index != GPR_NONE && !instruction->vsib)
		address += gpr[instruction->index] * instruction->scale;
	if (instruction->address_size == 8)
		return address;
	return instruction->address_size == 4 ? (uint32_t)address : (uint16_t)address;
}
