/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The decoder on encodings taken from the manuals by hand: which are instructions, how
 * long they are, and that every beginning of one asks for more. That it is right about all
 * the others is shown by tests/oracles/decode_oracle.c.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "x86/decode.h"

#define M16	   DECODE_MODE_16
#define M32	   DECODE_MODE_32
#define M64	   DECODE_MODE_64
#define AMD	   DECODE_MODE_64_AMD
#define BYTES(...) { __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

struct encoding {
	enum decode_mode mode;
	uint8_t bytes[16];
	uint8_t length;
	const char *name;
};

/* All of them end where the bytes end. */
static const struct encoding instructions[] = {
	{ M64, BYTES(0x90), "nop" },
	{ M64, BYTES(0xf3, 0x90), "pause" },
	{ M64, BYTES(0x48, 0x89, 0xd8), "mov rax, rbx" },
	{ M64, BYTES(0x8b, 0x05, 1, 2, 3, 4), "mov eax, [rip + ...]" },
	{ M32, BYTES(0x8b, 0x05, 1, 2, 3, 4), "mov eax, [...]" },
	{ M64, BYTES(0x8b, 0x04, 0x25, 1, 2, 3, 4), "mov eax, [...]" },
	{ M64, BYTES(0x8b, 0x44, 0x24, 8), "mov eax, [rsp + 8]" },
	{ M64, BYTES(0x41, 0x8b, 0x45, 0), "mov eax, [r13]" },
	{ M64, BYTES(0x41, 0x8b, 0x04, 0x24), "mov eax, [r12]" },
	{ M16, BYTES(0x8b, 0x06, 1, 2), "mov ax, [...]" },
	{ M16, BYTES(0x8b, 0x82, 1, 2), "mov ax, [bp + si + ...]" },
	{ M16, BYTES(0x67, 0x8b, 0x04, 0x85, 1, 2, 3, 4), "mov ax, [eax * 4 + ...]" },
	{ M32, BYTES(0x67, 0x8b, 0x47, 1), "mov eax, [bx + 1]" },
	{ M64, BYTES(0x67, 0x8b, 0x47, 1), "mov eax, [edi + 1]" },
	{ M64, BYTES(0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8), "mov rax, imm64" },
	{ M64, BYTES(0x66, 0xb8, 1, 2), "mov ax, imm16" },
	{ M64, BYTES(0x66, 0x48, 0xb8, 1, 2, 3, 4, 5, 6, 7, 8), "mov rax, imm64" },
	{ M64, BYTES(0x48, 0x66, 0xb8, 1, 2), "mov ax, imm16: the REX is void" },
	{ M64, BYTES(0xa1, 1, 2, 3, 4, 5, 6, 7, 8), "mov eax, moffs64" },
	{ M64, BYTES(0x67, 0xa1, 1, 2, 3, 4), "mov eax, moffs32" },
	{ M32, BYTES(0x67, 0xa1, 1, 2), "mov eax, moffs16" },
	{ M64, BYTES(0xf6, 0x00, 1), "test byte [rax], 1" },
	{ M64, BYTES(0xf6, 0x10), "not byte [rax]" },
	{ M64, BYTES(0xf7, 0x08, 1, 2, 3, 4), "test dword [rax], imm32: the alias" },
	{ M64, BYTES(0x66, 0xf7, 0x00, 1, 2), "test word [rax], imm16" },
	{ M64, BYTES(0x48, 0xf7, 0xd8), "neg rax" },
	{ M64, BYTES(0xe8, 1, 2, 3, 4), "call rel32" },
	{ M64, BYTES(0x66, 0xe8, 1, 2, 3, 4), "call rel32: Intel ignores 66" },
	{ AMD, BYTES(0x66, 0xe8, 1, 2), "call rel16: AMD does not" },
	{ AMD, BYTES(0x66, 0x0f, 0x84, 1, 2), "jz rel16" },
	{ M64, BYTES(0x66, 0x0f, 0x84, 1, 2, 3, 4), "jz rel32" },
	{ M32, BYTES(0x66, 0xe9, 1, 2), "jmp rel16" },
	{ M16, BYTES(0xe9, 1, 2), "jmp rel16" },
	{ M64, BYTES(0xe3, 1), "jrcxz" },
	{ M32, BYTES(0x9a, 1, 2, 3, 4, 5, 6), "callf ptr16:32" },
	{ M16, BYTES(0xea, 1, 2, 3, 4), "jmpf ptr16:16" },
	{ M64, BYTES(0xc8, 1, 2, 3), "enter" },
	{ M64, BYTES(0xc2, 1, 2), "ret imm16" },
	{ M64, BYTES(0x68, 1, 2, 3, 4), "push imm32" },
	{ M64, BYTES(0x66, 0x68, 1, 2), "push imm16" },
	{ M32, BYTES(0x06), "push es" },
	{ M32, BYTES(0xd6), "salc" },
	{ M32, BYTES(0x62, 0x00), "bound" },
	{ M32, BYTES(0xc4, 0x00), "les" },
	{ M32, BYTES(0xc5, 0x40, 1), "lds" },
	{ M64, BYTES(0x8f, 0xc0), "pop rax" },
	{ M64, BYTES(0xc6, 0xf8, 1), "xabort" },
	{ M64, BYTES(0xc7, 0xf8, 1, 2, 3, 4), "xbegin" },
	{ M64, BYTES(0xd9, 0xd0), "fnop" },
	{ M64, BYTES(0xdf, 0xc0), "ffreep" },
	{ M64, BYTES(0xdb, 0x2c, 0x24), "fld tbyte [rsp]" },
	{ M64, BYTES(0x0f, 0x05), "syscall" },
	{ M64, BYTES(0x0f, 0x0b), "ud2" },
	{ M64, BYTES(0x0f, 0xb9, 0x00), "ud1" },
	{ M64, BYTES(0x0f, 0xff, 0xc0), "ud0" },
	{ M64, BYTES(0x0f, 0x22, 0x04), "mov cr0, rsp: mod is ignored" },
	{ M64, BYTES(0xf3, 0x0f, 0xb8, 0xc1), "popcnt" },
	{ M64, BYTES(0x0f, 0x01, 0xc1), "vmcall" },
	{ M64, BYTES(0x0f, 0x01, 0xd8), "vmrun" },
	{ M64, BYTES(0x0f, 0x01, 0x1c, 0x24), "lidt [rsp]" },
	{ M64, BYTES(0xf3, 0x0f, 0x1e, 0xfa), "endbr64" },
	{ M64, BYTES(0x0f, 0x1f, 0x84, 0, 0, 0, 0, 0), "nop" },
	{ M64, BYTES(0x0f, 0x78, 0xc1), "vmread" },
	{ M64, BYTES(0x66, 0x0f, 0x78, 0xc1, 1, 2), "extrq" },
	{ M64, BYTES(0xf2, 0x0f, 0x78, 0xc1, 1, 2), "insertq" },
	{ M64, BYTES(0x0f, 0x0f, 0xc1, 0x9e), "pfadd" },
	{ M64, BYTES(0x0f, 0x0f, 0x40, 1, 0xbf), "pavgusb" },
	{ M64, BYTES(0x66, 0x0f, 0x3a, 0x0f, 0xc1, 1), "palignr" },
	{ M64, BYTES(0xf2, 0x48, 0x0f, 0x38, 0xf1, 0xc1), "crc32 rax, rcx" },
	{ M64, BYTES(0xc5, 0xf8, 0x77), "vzeroupper" },
	{ M32, BYTES(0xc5, 0xf8, 0x77), "vzeroupper" },
	{ M64, BYTES(0xc4, 0xe2, 0x7d, 0x92, 0x04, 0x48), "vgatherdps" },
	{ M64, BYTES(0xc4, 0xe3, 0x7d, 0x4a, 0xc1, 0x20), "vblendvps" },
	{ M64, BYTES(0x62, 0xf1, 0x7c, 0x48, 0x58, 0x40, 1), "vaddps zmm0, zmm0, [rax + 64]" },
	{ M32, BYTES(0x62, 0xf3, 0x7d, 0x48, 0x25, 0xc0, 1), "vpternlogd" },
	{ M64, BYTES(0x62, 0xf5, 0x7c, 0x48, 0x58, 0xc1), "vaddph" },
	{ M64, BYTES(0x8f, 0xe8, 0x78, 0xa2, 0xc1, 0x10), "vpcmov" },
	{ M64, BYTES(0x8f, 0xea, 0x78, 0x10, 0xc1, 1, 2, 3, 4), "bextr imm32" },
	{ M64, BYTES(0xc4, 0xe2, 0x7b, 0x4b, 0x04, 0x08), "tileloadd" },
	{ M64, BYTES(0xc4, 0xe7, 0x7b, 0xf8, 0xc0, 1, 2, 3, 4), "urdmsr imm32" },
	{ M64, BYTES(0x0f, 0xc7, 0xf0), "rdrand" },
	{ M64, BYTES(0xf3, 0x0f, 0xc7, 0x31), "vmxon" },
	{ M64, BYTES(0xf3, 0x0f, 0x38, 0xdc, 0x08), "aesenc128kl" },
};

/* Undefined, at the latest when all the bytes are there. */
static const struct encoding undefined[] = {
	{ M64, BYTES(0x06), "push es" },
	{ M64, BYTES(0x37), "aaa" },
	{ M64, BYTES(0x60), "pusha" },
	{ M64, BYTES(0x82, 0xc0), "the alias of group 1" },
	{ M64, BYTES(0x9a), "callf" },
	{ M64, BYTES(0xea), "jmpf" },
	{ M64, BYTES(0xd6), "salc" },
	{ M64, BYTES(0x0f, 0x04), "empty" },
	{ M64, BYTES(0x0f, 0xb8, 0xc1), "jmpe" },
	{ M64, BYTES(0xfe, 0xd0), "group 4, /2" },
	{ M64, BYTES(0xff, 0xd8), "callf with a register" },
	{ M64, BYTES(0xff, 0xf8), "group 5, /7" },
	{ M64, BYTES(0x8d, 0xc0), "lea with a register" },
	{ M64, BYTES(0x8f, 0xe0), "group 1A, /4" },
	{ M64, BYTES(0xc7, 0xf9), "xbegin with another rm" },
	{ M64, BYTES(0xd9, 0xe2), "x87" },
	{ M64, BYTES(0xd9, 0x08), "x87 in memory" },
	{ M64, BYTES(0xf3, 0x0f, 0x14, 0xc0), "an empty column" },
	{ M64, BYTES(0x66, 0x0f, 0x12, 0xc0), "movlpd with a register" },
	{ M64, BYTES(0x0f, 0x0f, 0xc0, 0x00), "no suffix of 3DNow!" },
	{ M64, BYTES(0x66, 0xc5, 0xf8), "66 before VEX" },
	{ M64, BYTES(0xf0, 0xc5, 0xf8), "LOCK before VEX" },
	{ M64, BYTES(0x48, 0xc5, 0xf8), "REX before VEX" },
	{ M64, BYTES(0x66, 0x62, 0xf1), "66 before EVEX" },
	{ M64, BYTES(0xc4, 0xe4, 0x78, 0x58), "VEX map 4" },
	{ M64, BYTES(0x62, 0xf9, 0x7c), "EVEX with P0[3]" },
	{ M64, BYTES(0x62, 0xf1, 0x78), "EVEX without P1[2]" },
	{ M64, BYTES(0xc4, 0xe2, 0x7d, 0x92, 0x00), "a gather without SIB" },
	{ M32, BYTES(0x67, 0xc4, 0xe2, 0x7d, 0x92, 0x04), "a gather with 16-bit addresses" },
	{ M32, BYTES(0x0f, 0x01, 0xf8), "swapgs" },
	{ M32, BYTES(0xf3, 0x0f, 0xae, 0xc0), "rdfsbase" },
	{ M32, BYTES(0xc4, 0xe2, 0x7b, 0x4b), "tileloadd" },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void knows_the_length(void **state)
{
	struct instruction instruction;

	(void)state;
	for (size_t i = 0; i < COUNT(instructions); i++) {
		const struct encoding *one = &instructions[i];

		if (decode(&instruction, one->mode, one->bytes, sizeof(one->bytes)) != DECODE_OK ||
		    instruction.length != one->length)
			fail_msg("%s: length %u", one->name, instruction.length);
		if (decode(&instruction, one->mode, one->bytes, one->length) != DECODE_OK)
			fail_msg("%s: wants more than it has", one->name);
	}
}

static void asks_for_more(void **state)
{
	struct instruction instruction;

	(void)state;
	for (size_t i = 0; i < COUNT(instructions); i++)
		for (size_t available = 0; available < instructions[i].length; available++)
			if (decode(&instruction, instructions[i].mode, instructions[i].bytes,
				   available) != DECODE_TRUNCATED)
				fail_msg("%s: not truncated at %zu", instructions[i].name,
					 available);
}

static void refuses_the_undefined(void **state)
{
	struct instruction instruction;

	(void)state;
	for (size_t i = 0; i < COUNT(undefined); i++) {
		const struct encoding *one = &undefined[i];

		if (decode(&instruction, one->mode, one->bytes, one->length) != DECODE_INVALID)
			fail_msg("%s: not undefined", one->name);
		if (decode(&instruction, one->mode, one->bytes, sizeof(one->bytes)) !=
		    DECODE_INVALID)
			fail_msg("%s: defined by what follows", one->name);
	}
}

static void has_fifteen_bytes_at_most(void **state)
{
	struct instruction instruction;
	uint8_t bytes[20];

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	bytes[14] = 0x90;
	assert_int_equal(decode(&instruction, M64, bytes, 14), DECODE_TRUNCATED);
	assert_int_equal(decode(&instruction, M64, bytes, sizeof(bytes)), DECODE_OK);
	assert_int_equal(instruction.length, 15);
	bytes[14] = 0xb0; /* an immediate would be the sixteenth */
	assert_int_equal(decode(&instruction, M64, bytes, 15), DECODE_TOO_LONG);
	assert_int_equal(decode(&instruction, M64, bytes, sizeof(bytes)), DECODE_TOO_LONG);
	bytes[14] = 0x66;
	assert_int_equal(decode(&instruction, M64, bytes, 15), DECODE_TOO_LONG);
	assert_int_equal(decode(&instruction, M64, bytes, 14), DECODE_TRUNCATED);
}

/* The longest that is there by its fields alone: 15 bytes with two prefixes. */
static void knows_the_longest(void **state)
{
	static const uint8_t bytes[] = { 0x64, 0x67, 0xf0, 0x48, 0x81, 0x84, 0x48, 1,
					 2,    3,    4,	   5,	 6,    7,    8 };
	struct instruction instruction;

	(void)state;
	assert_int_equal(decode(&instruction, M64, bytes, sizeof(bytes)), DECODE_OK);
	assert_int_equal(instruction.length, 15);
	assert_int_equal(instruction.displacement, 0x04030201);
	assert_int_equal(instruction.immediate, 0x08070605);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(knows_the_length),
		cmocka_unit_test(asks_for_more),
		cmocka_unit_test(refuses_the_undefined),
		cmocka_unit_test(has_fifteen_bytes_at_most),
		cmocka_unit_test(knows_the_longest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
