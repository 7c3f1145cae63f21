/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ORACLES_DECODE_STREAMS_H
#define HUTCH_TESTS_ORACLES_DECODE_STREAMS_H

/*
 * Where the cases come from: every opcode of every map, with prefixes and operands of
 * every kind, then bytes by chance from a seed. All of it is the same in every run.
 */

#include <string.h>

#include "tests/oracles/decode_case.h"

/* Calls @check for bytes in a mode. */
typedef void check_function(enum decode_mode mode, const uint8_t bytes[CASE_BYTES]);

/* xorshift64*: plain, good enough, and the same everywhere. */
static inline uint64_t chance(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

/* Prefixes before a legacy opcode: a count, then the bytes. */
static const uint8_t legacy_prefixes[][5] = {
	{ 0 },
	{ 1, 0x66 },
	{ 1, 0xf3 },
	{ 1, 0xf2 },
	{ 1, 0x48 },
	{ 1, 0x67 },
	{ 1, 0xf0 },
	{ 1, 0x64 },
	{ 1, 0x2e },
	{ 1, 0x47 },
	{ 2, 0x66, 0xf3 },
	{ 2, 0xf2, 0x66 },
	{ 2, 0xf3, 0xf2 },
	{ 2, 0x66, 0x48 },
	{ 2, 0xf3, 0x4d },
	{ 2, 0xf2, 0x4a },
	{ 2, 0x48, 0x66 }, /* a REX that is void */
	{ 2, 0x66, 0x67 },
	{ 4, 0x65, 0x67, 0xf3, 0x49 },
};

static const uint8_t legacy_escapes[][3] = {
	{ 0 }, { 1, 0x0f }, { 2, 0x0f, 0x38 }, { 2, 0x0f, 0x3a }
};

/* SIB bytes of every kind: no index, no base, both, either with every scale. */
static const uint8_t sibs[] = { 0x00, 0x24, 0x25, 0x4d, 0x8c, 0xe5, 0xff };

/*
 * ModRM, SIB and what follows at @at, with the numbers as different as can be. With
 * @few only those values of rm that matter: 0, 4, 5, 6.
 */
static inline void with_operands(check_function *check, enum decode_mode mode,
				 uint8_t bytes[CASE_BYTES], unsigned int at, bool few)
{
	for (unsigned int i = at + 2; i < CASE_BYTES; i++)
		bytes[i] = (uint8_t)(0x91 + 0x13 * i);
	for (unsigned int modrm = 0; modrm < 256; modrm++) {
		if (few && (modrm & 7) != 0 && ((modrm & 7) < 4 || (modrm & 7) == 7))
			continue;
		bytes[at] = (uint8_t)modrm;
		bytes[at + 1] = sibs[(modrm >> 3) % sizeof(sibs)];
		check(mode, bytes);
	}
}

static inline void every_sib(check_function *check, enum decode_mode mode, const uint8_t *opcode,
			     unsigned int count)
{
	uint8_t bytes[CASE_BYTES];

	for (unsigned int i = 0; i < 3 * 256; i++) {
		for (unsigned int n = 0; n < CASE_BYTES; n++)
			bytes[n] = (uint8_t)(0x91 + 0x13 * n);
		memcpy(bytes, opcode, count);
		bytes[count] = (uint8_t)(0x04 | i >> 8 << 6 | (i & 0x38));
		bytes[count + 1] = (uint8_t)i;
		check(mode, bytes);
	}
}

static inline void exhaustive_legacy(check_function *check, enum decode_mode mode)
{
	uint8_t bytes[CASE_BYTES];

	for (unsigned int p = 0; p < sizeof(legacy_prefixes) / sizeof(legacy_prefixes[0]); p++) {
		for (unsigned int e = 0; e < 4; e++) {
			unsigned int at = legacy_prefixes[p][0];

			memcpy(bytes, legacy_prefixes[p] + 1, at);
			memcpy(bytes + at, legacy_escapes[e] + 1, legacy_escapes[e][0]);
			at += legacy_escapes[e][0];
			for (unsigned int opcode = 0; opcode < 256; opcode++) {
				bytes[at] = (uint8_t)opcode;
				with_operands(check, mode, bytes, at + 1, p > 4);
			}
		}
	}
	every_sib(check, mode, (const uint8_t[]){ 0x8b }, 1);
	every_sib(check, mode, (const uint8_t[]){ 0x67, 0x8b }, 2);
	every_sib(check, mode, (const uint8_t[]){ 0x4f, 0x8b }, 2);
	every_sib(check, mode, (const uint8_t[]){ 0xc4, 0xe2, 0x7d, 0x92 }, 4);
}

/* 0F 0F with every suffix. */
static inline void exhaustive_3dnow(check_function *check, enum decode_mode mode)
{
	for (unsigned int suffix = 0; suffix < 256; suffix++) {
		const uint8_t bytes[CASE_BYTES] = { 0x0f, 0x0f, 0xc1, (uint8_t)suffix };
		const uint8_t memory[CASE_BYTES] = { 0x0f, 0x0f, 0x40, 0x12, (uint8_t)suffix };

		check(mode, bytes);
		check(mode, memory);
	}
}

/* VEX with three bytes and XOP, every W, L and pp, two vvvv. */
static inline void exhaustive_vex(check_function *check, enum decode_mode mode)
{
	static const uint8_t prefixes[][2] = {
		{ 0xc4, 0xe1 }, { 0xc4, 0xe2 }, { 0xc4, 0xe3 }, { 0xc4, 0xe7 }, { 0x8f, 0xe8 },
		{ 0x8f, 0xe9 }, { 0x8f, 0xea }, { 0xc4, 0x01 }, { 0xc4, 0xe0 }, { 0x8f, 0xeb },
	};
	uint8_t bytes[CASE_BYTES];

	for (unsigned int p = 0; p < sizeof(prefixes) / 2; p++) {
		memcpy(bytes, prefixes[p], 2);
		for (unsigned int i = 0; i < 16; i++) {
			bytes[2] = (uint8_t)((i & 8 ? 0x80 : 0) | (i & 7));
			for (unsigned int opcode = 0; opcode < 256; opcode++) {
				bytes[3] = (uint8_t)opcode;
				bytes[2] |= 0x78;
				with_operands(check, mode, bytes, 4, true);
				bytes[2] ^= opcode & 0x78;
				if (p < 3)
					with_operands(check, mode, bytes, 4, true);
			}
		}
	}
	for (unsigned int second = 0; second < 256; second++) {
		for (unsigned int opcode = 0; opcode < 256; opcode++) {
			bytes[0] = 0xc5;
			bytes[1] = (uint8_t)second;
			bytes[2] = (uint8_t)opcode;
			for (unsigned int i = 3; i < CASE_BYTES; i++)
				bytes[i] = (uint8_t)(opcode + second * i);
			check(mode, bytes);
		}
	}
}

/* Every map, W, pp, L'L and b. */
static inline void exhaustive_evex(check_function *check, enum decode_mode mode)
{
	uint8_t bytes[CASE_BYTES] = { 0x62 };

	for (unsigned int i = 0; i < 8 * 64; i++) {
		bytes[1] = (uint8_t)(0xf0 | i >> 6);
		bytes[2] = (uint8_t)(0x7c | (i & 4 ? 0x80 : 0) | (i & 3));
		bytes[3] = (uint8_t)(0x08 | (i & 8 ? 0x10 : 0) | (i >> 4 & 3) << 5);
		for (unsigned int opcode = 0; opcode < 256; opcode++) {
			bytes[4] = (uint8_t)opcode;
			for (unsigned int n = 6; n < CASE_BYTES; n++)
				bytes[n] = (uint8_t)(0x91 + 0x13 * n);
			for (unsigned int modrm = 0; modrm < 256; modrm += 3) {
				bytes[3] = (uint8_t)((bytes[3] & ~1) | (modrm >> 3 & 1)); /* aaa */
				bytes[5] = (uint8_t)modrm;
				check(mode, bytes);
			}
		}
	}
}

/* Prefixes until an instruction is too long. */
static inline void with_many_prefixes(check_function *check, enum decode_mode mode)
{
	static const uint8_t instructions[][CASE_BYTES] = {
		{ 0x90 },
		{ 0x8b, 0x00 },
		{ 0x0f, 0x38, 0xf1, 0x84, 0x24 },
		{ 0x81, 0x84, 0x48 },
		{ 0xc7, 0x04, 0x25 },
		{ 0xc4, 0xe3, 0x79, 0x0f, 0x40 },
		{ 0x62, 0xf3, 0x7d, 0x08, 0x0f, 0x84, 0x25 },
		{ 0x0f, 0x0f, 0x40, 0x12, 0x9e },
	};
	static const uint8_t prefixes[] = { 0x2e, 0x67, 0x64, 0x66 };
	uint8_t bytes[CASE_BYTES];

	for (unsigned int p = 0; p < sizeof(prefixes); p++) {
		for (unsigned int i = 0; i < sizeof(instructions) / CASE_BYTES; i++) {
			for (unsigned int count = 0; count < CASE_BYTES; count++) {
				memset(bytes, prefixes[p], count);
				memcpy(bytes + count, instructions[i], CASE_BYTES - count);
				check(mode, bytes);
			}
		}
	}
}

static inline void exhaustive(check_function *check)
{
	for (enum decode_mode mode = DECODE_MODE_16; mode <= DECODE_MODE_64_AMD; mode++) {
		exhaustive_legacy(check, mode);
		with_many_prefixes(check, mode);
		if (mode == DECODE_MODE_64_AMD)
			continue; /* it differs only in legacy encodings */
		exhaustive_3dnow(check, mode);
		exhaustive_vex(check, mode);
		if (mode != DECODE_MODE_16)
			exhaustive_evex(check, mode);
	}
}

/*
 * Bytes by chance. Chance alone makes mostly one-byte opcodes, so half of the cases begin
 * with prefixes, and half of these with an escape or a vector prefix.
 */
static inline void by_chance(check_function *check, uint64_t seed, unsigned long count)
{
	static const uint8_t prefixes[] = { 0x66, 0xf2, 0xf3, 0x67, 0x2e, 0x36,
					    0x64, 0xf0, 0x48, 0x41, 0x4f, 0x40 };
	static const uint8_t begins[] = { 0x0f, 0x0f, 0xc4, 0xc5, 0x62, 0x62, 0x8f, 0x0f };
	uint64_t state = seed ? seed : 1;

	for (unsigned long i = 0; i < count; i++) {
		uint64_t low = chance(&state), high = chance(&state), how = chance(&state);
		uint8_t bytes[CASE_BYTES];
		unsigned int at = 0;

		memcpy(bytes, &low, 8);
		memcpy(bytes + 8, &high, 8);
		if (how & 1)
			for (unsigned int n = how >> 8 & 3; n > 0; n--)
				bytes[at++] = prefixes[(how >> (8 + 8 * n)) % sizeof(prefixes)];
		if (how & 2)
			bytes[at++] = begins[(how >> 4) & 7];
		check((enum decode_mode)(how >> 60 & 3), bytes);
	}
}

#endif
