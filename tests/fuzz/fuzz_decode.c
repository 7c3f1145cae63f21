/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "x86/decode.h"

/*
 * Any bytes as an instruction. The first byte of the input chooses the mode, the others are
 * decoded from a copy that ends where they end, so that AddressSanitizer sees a byte read
 * beyond.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

/* Decodes exactly @size bytes. */
static enum decode_status decode_copy(struct instruction *instruction, enum decode_mode mode,
				      const uint8_t *bytes, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	enum decode_status status;

	REQUIRE(copy);
	memcpy(copy, bytes, size);
	memset(instruction, 0xa5, sizeof(*instruction)); /* whatever was there before */
	status = decode(instruction, mode, copy, size);
	free(copy);
	return status;
}

static void check_fields(const struct instruction *instruction)
{
	REQUIRE(instruction->address_size == 2 || instruction->address_size == 4 ||
		instruction->address_size == 8);
	REQUIRE(instruction->operand_size == 2 || instruction->operand_size == 4 ||
		instruction->operand_size == 8);
	REQUIRE(instruction->segment <= SEGMENT_NUMBER_GS);
	REQUIRE(instruction->base < GPR_COUNT || instruction->base == GPR_RIP ||
		instruction->base == GPR_NONE);
	REQUIRE(instruction->index < (instruction->vsib ? 32 : GPR_COUNT) ||
		instruction->index == GPR_NONE);
	REQUIRE(!instruction->lockable || instruction->has_memory);
	REQUIRE(instruction->displacement_size + instruction->immediate_size +
			instruction->immediate2_size <
		instruction->length);
}

/* An address fits its size, and the registers' contents make no difference to that. */
static void check_address(const struct instruction *instruction)
{
	uint64_t gpr[GPR_COUNT], address;

	for (unsigned int i = 0; i < GPR_COUNT; i++)
		gpr[i] = ~0ull - i;
	address = decode_effective_address(instruction, gpr, ~0ull);
	REQUIRE(instruction->address_size == 8 || address >> (8 * instruction->address_size) == 0);
}

#define SAME(field) REQUIRE(one->field == other->field)

static void require_same(const struct instruction *one, const struct instruction *other)
{
	SAME(length);
	SAME(encoding);
	SAME(map);
	SAME(opcode);
	SAME(prefixes);
	SAME(mandatory_prefix);
	SAME(segment_override);
	SAME(rex);
	SAME(operand_size);
	SAME(address_size);
	SAME(has_modrm);
	SAME(modrm);
	SAME(mod);
	SAME(reg);
	SAME(rm);
	SAME(has_memory);
	SAME(segment);
	SAME(base);
	SAME(index);
	SAME(scale);
	SAME(has_sib);
	SAME(vsib);
	SAME(displacement_size);
	SAME(displacement);
	SAME(immediate_size);
	SAME(immediate2_size);
	SAME(immediate);
	SAME(immediate2);
	SAME(lockable);
	SAME(vector_length);
	SAME(vvvv);
	SAME(opmask);
	SAME(zeroing);
	SAME(broadcast);
	SAME(disp8_scale);
}

/* With its bytes only it is the same; with fewer it is truncated. */
static void check_length(const struct instruction *instruction, enum decode_mode mode,
			 const uint8_t *bytes)
{
	struct instruction again;

	REQUIRE(decode_copy(&again, mode, bytes, instruction->length) == DECODE_OK);
	require_same(instruction, &again);
	for (size_t size = 0; size < instruction->length; size++)
		REQUIRE(decode_copy(&again, mode, bytes, size) == DECODE_TRUNCATED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct instruction instruction;
	enum decode_status status;
	enum decode_mode mode;

	if (size == 0)
		return 0;
	mode = (enum decode_mode)(data[0] & 3);
	data++;
	size--;
	status = decode_copy(&instruction, mode, data, size);
	REQUIRE(status != DECODE_TRUNCATED || size < INSTRUCTION_LENGTH_MAX);
	if (status == DECODE_OK) {
		REQUIRE(instruction.length <= size && instruction.length <= INSTRUCTION_LENGTH_MAX);
		check_fields(&instruction);
		check_length(&instruction, mode, data);
		if (instruction.has_memory)
			check_address(&instruction);
	} else if (status != DECODE_TRUNCATED && size > INSTRUCTION_LENGTH_MAX) {
		/* What follows the longest instruction changes nothing. */
		REQUIRE(decode_copy(&instruction, mode, data, INSTRUCTION_LENGTH_MAX) == status);
	}
	return 0;
}
