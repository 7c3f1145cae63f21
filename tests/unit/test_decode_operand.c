/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* What the decoder says of operands: sizes, registers, addresses, immediates. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "x86/decode.h"

#define M16		   DECODE_MODE_16
#define M32		   DECODE_MODE_32
#define M64		   DECODE_MODE_64
#define AMD		   DECODE_MODE_64_AMD
#define DECODED(mode, ...) decoded(mode, (const uint8_t[16]){ __VA_ARGS__ })

static struct instruction decoded(enum decode_mode mode, const uint8_t bytes[16])
{
	struct instruction instruction;

	assert_int_equal(decode(&instruction, mode, bytes, 16), DECODE_OK);
	return instruction;
}

static void knows_operand_sizes(void **state)
{
	(void)state;
	assert_int_equal(DECODED(M16, 0x89, 0xc0).operand_size, 2);
	assert_int_equal(DECODED(M16, 0x66, 0x89, 0xc0).operand_size, 4);
	assert_int_equal(DECODED(M32, 0x66, 0x89, 0xc0).operand_size, 2);
	assert_int_equal(DECODED(M64, 0x66, 0x48, 0x89, 0xc0).operand_size, 8);
	assert_int_equal(DECODED(M64, 0x48, 0x66, 0x89, 0xc0).operand_size, 2);
	assert_int_equal(DECODED(M64, 0x50).operand_size, 8);
	assert_int_equal(DECODED(M64, 0x66, 0x50).operand_size, 2);
	assert_int_equal(DECODED(M64, 0x66, 0xff, 0x10).operand_size, 8);
	assert_int_equal(DECODED(AMD, 0x66, 0xff, 0x10).operand_size, 2);
	assert_int_equal(DECODED(M64, 0x66, 0xff, 0x30).operand_size, 2);
	assert_int_equal(DECODED(M64, 0xff, 0x00).operand_size, 4);
	assert_int_equal(DECODED(M64, 0x48, 0xed).operand_size, 4);
	assert_int_equal(DECODED(M64, 0x66, 0xed).operand_size, 2);
	assert_int_equal(DECODED(M64, 0xf3, 0x48, 0x6d).operand_size, 4);
	assert_int_equal(DECODED(M16, 0x0f, 0x20, 0xc0).operand_size, 4);
	assert_int_equal(DECODED(M64, 0x66, 0x0f, 0x20, 0xc0).operand_size, 8);
	assert_int_equal(DECODED(M64, 0x0f, 0x01, 0x18).operand_size, 8);
	assert_int_equal(DECODED(M16, 0x0f, 0x01, 0x18).operand_size, 2);
	assert_int_equal(DECODED(M16, 0x0f, 0xc3, 0x00).operand_size, 4);
	assert_int_equal(DECODED(M64, 0x48, 0x0f, 0xc7, 0x08).operand_size, 8);
}

static void knows_address_sizes(void **state)
{
	(void)state;
	assert_int_equal(DECODED(M16, 0xac).address_size, 2);
	assert_int_equal(DECODED(M16, 0x67, 0xac).address_size, 4);
	assert_int_equal(DECODED(M32, 0x67, 0xac).address_size, 2);
	assert_int_equal(DECODED(M64, 0xe3, 0).address_size, 8);
	assert_int_equal(DECODED(M64, 0x67, 0xe3, 0).address_size, 4);
}

static void widens_registers(void **state)
{
	struct instruction instruction = DECODED(M64, 0x4d, 0x89, 0xc8);

	(void)state;
	assert_int_equal(instruction.reg, GPR_R9);
	assert_int_equal(instruction.rm, GPR_R8);
	assert_int_equal(instruction.rex, REX_PRESENT | REX_W | REX_R | REX_B);
	instruction = DECODED(M64, 0x62, 0x01, 0x7c, 0x40, 0x58, 0xff);
	assert_int_equal(instruction.reg, 31);
	assert_int_equal(instruction.rm, 31);
	assert_int_equal(instruction.vvvv, 16);
	instruction = DECODED(M32, 0xc5, 0xd0, 0x58, 0xc8);
	assert_int_equal(instruction.vvvv, 5);
	assert_int_equal(instruction.reg, 1);
	assert_int_equal(instruction.rex, 0);
}

static void tells_segments(void **state)
{
	(void)state;
	assert_int_equal(DECODED(M64, 0x8b, 0x00).segment, SEGMENT_NUMBER_DS);
	assert_int_equal(DECODED(M64, 0x8b, 0x04, 0x24).segment, SEGMENT_NUMBER_SS);
	assert_int_equal(DECODED(M64, 0x8b, 0x45, 0).segment, SEGMENT_NUMBER_SS);
	assert_int_equal(DECODED(M64, 0x41, 0x8b, 0x45, 0).segment, SEGMENT_NUMBER_DS);
	assert_int_equal(DECODED(M64, 0x8b, 0x04, 0x25).segment, SEGMENT_NUMBER_DS);
	assert_int_equal(DECODED(M16, 0x8b, 0x02).segment, SEGMENT_NUMBER_SS);
	assert_int_equal(DECODED(M16, 0x8b, 0x06).segment, SEGMENT_NUMBER_DS);
	assert_int_equal(DECODED(M16, 0x26, 0x8b, 0x02).segment, SEGMENT_NUMBER_ES);
	assert_int_equal(DECODED(M16, 0x2e, 0x36, 0xa4).segment, SEGMENT_NUMBER_SS);
	assert_int_equal(DECODED(M64, 0x2e, 0x8b, 0x00).segment, SEGMENT_NUMBER_DS);
	assert_int_equal(DECODED(M64, 0x2e, 0x8b, 0x00).segment_override, SEGMENT_NUMBER_NONE);
	assert_int_equal(DECODED(M64, 0x65, 0x2e, 0x8b, 0x00).segment, SEGMENT_NUMBER_GS);
	assert_int_equal(DECODED(M64, 0x65, 0xa1).segment, SEGMENT_NUMBER_GS);
}

static const uint64_t gpr[GPR_COUNT] = {
	[GPR_RAX] = 0x1111111111111111, [GPR_RBX] = 0x000000000000fff0,
	[GPR_RSP] = 0xffff800000001000, [GPR_RBP] = 0x0000000012340008,
	[GPR_RSI] = 0x0000000000000021, [GPR_R12] = 0x0000001200000000,
	[GPR_R13] = 0x00000013ffffffff, [GPR_R15] = 0x0000000000000100,
};

static uint64_t address(enum decode_mode mode, const uint8_t bytes[16])
{
	struct instruction instruction = decoded(mode, bytes);

	assert_true(instruction.has_memory);
	return decode_effective_address(&instruction, gpr, 0x100000010);
}

#define ADDRESS(mode, ...) address(mode, (const uint8_t[16]){ __VA_ARGS__ })

static void forms_addresses(void **state)
{
	(void)state;
	/* [rax], [rsp - 8], [r12], [r13 + 1], [rbp + r15 * 8] */
	assert_int_equal(ADDRESS(M64, 0x8b, 0x00), 0x1111111111111111);
	assert_int_equal(ADDRESS(M64, 0x8b, 0x44, 0x24, 0xf8), 0xffff800000000ff8);
	assert_int_equal(ADDRESS(M64, 0x41, 0x8b, 0x04, 0x24), 0x1200000000);
	assert_int_equal(ADDRESS(M64, 0x41, 0x8b, 0x45, 1), 0x1400000000);
	assert_int_equal(ADDRESS(M64, 0x42, 0x8b, 0x44, 0xfd, 0), 0x12340808);
	/* [rip - 16], [eip - 16], [r13d + 1], [disp32], [disp32] by SIB */
	assert_int_equal(ADDRESS(M64, 0x8b, 0x05, 0xf0, 0xff, 0xff, 0xff), 0x100000000);
	assert_int_equal(ADDRESS(M64, 0x67, 0x8b, 0x05, 0xf0, 0xff, 0xff, 0xff), 0);
	assert_int_equal(ADDRESS(M64, 0x67, 0x41, 0x8b, 0x45, 1), 0);
	assert_int_equal(ADDRESS(M32, 0x8b, 0x05, 0xf0, 0xff, 0xff, 0xff), 0xfffffff0);
	assert_int_equal(ADDRESS(M64, 0x8b, 0x04, 0x25, 0xf0, 0xff, 0xff, 0xff), ~0ull << 4);
	/* Base 101 with mod 0 is none, whatever B: [r15 * 2 + 1] */
	assert_int_equal(ADDRESS(M64, 0x43, 0x8b, 0x04, 0x7d, 1), 0x201);
	/* [bx + si], which wraps; [bp + 1]; [0xfff0] */
	assert_int_equal(ADDRESS(M16, 0x8b, 0x00), 0x11);
	assert_int_equal(ADDRESS(M16, 0x8b, 0x46, 1), 9);
	assert_int_equal(ADDRESS(M16, 0x8b, 0x06, 0xf0, 0xff), 0xfff0);
	/* moffs are not sign-extended */
	assert_int_equal(ADDRESS(M64, 0xa1, 1, 2, 3, 4, 5, 6, 7, 0x88), 0x8807060504030201);
	assert_int_equal(ADDRESS(M64, 0x67, 0xa1, 1, 2, 3, 0x84), 0x84030201);
	assert_int_equal(ADDRESS(M16, 0xa1, 1, 0x82), 0x8201);
}

static void tells_an_index_from_none(void **state)
{
	struct instruction instruction = DECODED(M64, 0x8b, 0x04, 0x60);

	(void)state;
	assert_int_equal(instruction.index, GPR_NONE);
	instruction = DECODED(M64, 0x42, 0x8b, 0x04, 0x60);
	assert_int_equal(instruction.index, GPR_R12);
	assert_int_equal(instruction.scale, 2);
	instruction = DECODED(M64, 0xc4, 0xe2, 0x7d, 0x92, 0x04, 0x60);
	assert_true(instruction.vsib);
	assert_int_equal(instruction.index, 4);
	instruction = DECODED(M64, 0x62, 0xb2, 0x7d, 0x41, 0x92, 0x04, 0x60);
	assert_int_equal(instruction.index, 28);
}

static void reads_immediates(void **state)
{
	struct instruction instruction = DECODED(M64, 0x83, 0xc0, 0xff);

	(void)state;
	assert_int_equal(instruction.immediate, -1);
	assert_int_equal(instruction.immediate_size, 1);
	instruction = DECODED(M64, 0xc8, 0x34, 0x12, 3);
	assert_int_equal(instruction.immediate, 0x1234);
	assert_int_equal(instruction.immediate2, 3);
	instruction = DECODED(M32, 0xea, 1, 0, 0, 0, 8, 0);
	assert_int_equal(instruction.immediate, 1);
	assert_int_equal(instruction.immediate_size, 4);
	assert_int_equal(instruction.immediate2, 8);
	assert_int_equal(instruction.immediate2_size, 2);
	instruction = DECODED(M64, 0xeb, 0xfe);
	assert_int_equal(instruction.immediate, -2);
	instruction = DECODED(M64, 0x48, 0xc7, 0xc0, 0, 0, 0, 0x80);
	assert_int_equal(instruction.immediate, INT32_MIN);
}

static void takes_the_last_repeat_prefix(void **state)
{
	struct instruction instruction = DECODED(M64, 0xf2, 0xf3, 0xa4);

	(void)state;
	assert_int_equal(instruction.prefixes, PREFIX_REP);
	instruction = DECODED(M64, 0xf3, 0x66, 0xf2, 0xa4);
	assert_int_equal(instruction.prefixes, PREFIX_REPNE | PREFIX_OPERAND_SIZE);
	assert_int_equal(instruction.mandatory_prefix, MANDATORY_F2);
	assert_int_equal(DECODED(M64, 0x66, 0xf3, 0x0f, 0xb8, 0xc1).mandatory_prefix, MANDATORY_F3);
}

static void knows_what_can_be_locked(void **state)
{
	(void)state;
	assert_true(DECODED(M64, 0x01, 0x00).lockable);
	assert_true(DECODED(M64, 0xf0, 0x0f, 0xb1, 0x08).lockable);
	assert_true(DECODED(M64, 0x0f, 0xba, 0x28, 1).lockable);
	assert_false(DECODED(M64, 0x01, 0xc0).lockable);
	assert_false(DECODED(M64, 0x03, 0x00).lockable);
	assert_false(DECODED(M64, 0x83, 0x38, 1).lockable);
	assert_false(DECODED(M64, 0x0f, 0xba, 0x20, 1).lockable);
}

/* SDM 2, 2.7.5: N is 64, 4 for a broadcast, 32 for half a vector, 8 for VMOVDDUP's xmm */
static void scales_displacements(void **state)
{
	struct instruction instruction = DECODED(M64, 0x62, 0xf1, 0x7c, 0x48, 0x58, 0x40, 0xff);

	(void)state;
	assert_int_equal(instruction.displacement, -64);
	assert_int_equal(instruction.disp8_scale, 64);
	assert_int_equal(instruction.vector_length, 2);
	instruction = DECODED(M64, 0x62, 0xf1, 0x7c, 0x58, 0x58, 0x40, 1);
	assert_int_equal(instruction.displacement, 4);
	assert_true(instruction.broadcast);
	instruction = DECODED(M64, 0x62, 0xf2, 0x7d, 0x48, 0x13, 0x40, 1);
	assert_int_equal(instruction.displacement, 32);
	instruction = DECODED(M64, 0x62, 0xf1, 0xff, 0x08, 0x12, 0x40, 2);
	assert_int_equal(instruction.displacement, 16);
	instruction = DECODED(M64, 0x62, 0xf1, 0x7c, 0x48, 0x58, 0x80, 1);
	assert_int_equal(instruction.displacement, 1);
	assert_int_equal(instruction.disp8_scale, 1);
	instruction = DECODED(M64, 0x62, 0xf1, 0x7c, 0xcb, 0x58, 0xc0);
	assert_int_equal(instruction.opmask, 3);
	assert_true(instruction.zeroing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_operand_sizes),
		cmocka_unit_test(knows_address_sizes),
		cmocka_unit_test(widens_registers),
		cmocka_unit_test(tells_segments),
		cmocka_unit_test(forms_addresses),
		cmocka_unit_test(tells_an_index_from_none),
		cmocka_unit_test(reads_immediates),
		cmocka_unit_test(takes_the_last_repeat_prefix),
		cmocka_unit_test(knows_what_can_be_locked),
		cmocka_unit_test(scales_displacements),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
