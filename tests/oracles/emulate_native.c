/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The emulator against the processor. Random instructions of every form that a program
 * in ring 3 may use, on random operands, are carried out twice: by the processor that
 * this runs on (native_run.h) and by the emulator, on a copy of the same registers and
 * memory. Results, flags, memory and faults must be the same, but for what the manual
 * leaves undefined (emulate_undefined.h).
 *
 *	emulate_native [CASES [SEED]]
 *
 * prints "N cases, N differ" and is non-zero if any did. The first few differences are
 * shown in full.
 */

#include <cpuid.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/oracles/emulate_undefined.h"
#include "tests/oracles/native_run.h"
#include "x86/emulate.h"
#include "x86/exception.h"
#include "x86/registers.h"

#define CASES_DEFAULT 2000000
#define SHOWN_MAX     10

/* ---- what is generated ------------------------------------------------------------------ */

enum {
	MODRM = 1 << 0,	   /* a ModRM byte follows; @reg restricts its reg field */
	LOCKABLE = 1 << 1, /* gets a LOCK prefix now and then */
	NOT_64 = 1 << 2,
	ONLY_64 = 1 << 3,
	STRING = 1 << 4,  /* REP prefixes; rSI, rDI, rCX are prepared */
	STACK = 1 << 5,	  /* rSP is prepared */
	BRANCH = 1 << 6,  /* the immediate is a displacement */
	BIT_FAR = 1 << 7, /* a bit number that may reach out of the operand */
	DIVIDES = 1 << 8,
	AVX = 1 << 9, /* a VEX prefix stands before the opcode */
	VECTOR = 1 << 10,
	NO_66 = 1 << 11,
	TABLE = 1 << 12, /* XLAT */
};

#define ANY_REG 0xff

struct template
{
	uint8_t map; /* 0: one byte, 1: 0F, 2: 0F 38 */
	uint8_t opcode;
	uint8_t count;	/* so many opcodes in a row */
	uint8_t prefix; /* mandatory: 0, 66, F2, F3 */
	uint8_t reg;	/* a set of values of ModRM.reg, as bits */
	uint16_t flags;
};

static const struct template templates[] = {
#define ALU(opcode, lock)                             \
	{ 0, opcode, 4, 0, ANY_REG, MODRM | (lock) }, \
	{                                             \
		0, (opcode) + 4, 2, 0, 0, 0           \
	}
	ALU(0x00, LOCKABLE),
	ALU(0x08, LOCKABLE),
	ALU(0x10, LOCKABLE),
	ALU(0x18, LOCKABLE),
	ALU(0x20, LOCKABLE),
	ALU(0x28, LOCKABLE),
	ALU(0x30, LOCKABLE),
	ALU(0x38, 0),
	{ 0, 0x27, 1, 0, 0, NOT_64 },
	{ 0, 0x2f, 1, 0, 0, NOT_64 },
	{ 0, 0x37, 1, 0, 0, NOT_64 },
	{ 0, 0x3f, 1, 0, 0, NOT_64 },
	{ 0, 0x40, 16, 0, 0, NOT_64 },
	{ 0, 0x50, 16, 0, 0, STACK },
	{ 0, 0x60, 2, 0, 0, STACK | NOT_64 },
	{ 0, 0x63, 1, 0, ANY_REG, MODRM | ONLY_64 },
	{ 0, 0x68, 1, 0, 0, STACK },
	{ 0, 0x69, 1, 0, ANY_REG, MODRM },
	{ 0, 0x6a, 1, 0, 0, STACK },
	{ 0, 0x6b, 1, 0, ANY_REG, MODRM },
	{ 0, 0x70, 16, 0, 0, BRANCH | NO_66 },
	{ 0, 0x80, 2, 0, ANY_REG, MODRM | LOCKABLE },
	{ 0, 0x83, 1, 0, ANY_REG, MODRM | LOCKABLE },
	{ 0, 0x84, 2, 0, ANY_REG, MODRM },
	{ 0, 0x86, 2, 0, ANY_REG, MODRM | LOCKABLE },
	{ 0, 0x88, 4, 0, ANY_REG, MODRM },
	{ 0, 0x8d, 1, 0, ANY_REG, MODRM },
	{ 0, 0x8f, 1, 0, 1, MODRM | STACK },
	{ 0, 0x90, 8, 0, 0, 0 },
	{ 0, 0x98, 2, 0, 0, 0 },
	{ 0, 0x9c, 2, 0, 0, STACK },
	{ 0, 0x9e, 2, 0, 0, 0 },
	{ 0, 0xa0, 4, 0, 0, 0 },
	{ 0, 0xa4, 4, 0, 0, STRING },
	{ 0, 0xa8, 2, 0, 0, 0 },
	{ 0, 0xaa, 6, 0, 0, STRING },
	{ 0, 0xb0, 16, 0, 0, 0 },
	{ 0, 0xc0, 2, 0, ANY_REG, MODRM },
	{ 0, 0xc6, 2, 0, 1, MODRM },
	{ 0, 0xc8, 1, 0, 0, STACK },
	{ 0, 0xc9, 1, 0, 0, STACK },
	{ 0, 0xd0, 4, 0, ANY_REG, MODRM },
	{ 0, 0xd4, 2, 0, 0, NOT_64 },
	{ 0, 0xd7, 1, 0, 0, TABLE },
	{ 0, 0xe0, 4, 0, 0, BRANCH | NO_66 },
	{ 0, 0xe8, 1, 0, 0, BRANCH | STACK | NO_66 },
	{ 0, 0xe9, 1, 0, 0, BRANCH | NO_66 },
	{ 0, 0xeb, 1, 0, 0, BRANCH | NO_66 },
	{ 0, 0xf5, 1, 0, 0, 0 },
	{ 0, 0xf6, 2, 0, 0x0d, MODRM | LOCKABLE },
	{ 0, 0xf6, 2, 0, 0x30, MODRM },
	{ 0, 0xf6, 2, 0, 0xc0, MODRM | DIVIDES },
	{ 0, 0xf8, 2, 0, 0, 0 },
	{ 0, 0xfc, 2, 0, 0, 0 },
	{ 0, 0xfe, 2, 0, 3, MODRM | LOCKABLE },
	{ 0, 0xff, 1, 0, 0x40, MODRM | STACK },
	{ 1, 0x0d, 1, 0, ANY_REG, MODRM },
	{ 1, 0x18, 1, 0, 0x0f, MODRM },
	{ 1, 0x1f, 1, 0, ANY_REG, MODRM },
	{ 1, 0x40, 16, 0, ANY_REG, MODRM },
	{ 1, 0x80, 16, 0, 0, BRANCH | NO_66 },
	{ 1, 0x90, 16, 0, ANY_REG, MODRM },
	{ 1, 0xa3, 1, 0, ANY_REG, MODRM | BIT_FAR },
	{ 1, 0xa4, 2, 0, ANY_REG, MODRM },
	{ 1, 0xab, 1, 0, ANY_REG, MODRM | BIT_FAR | LOCKABLE },
	{ 1, 0xac, 2, 0, ANY_REG, MODRM },
	{ 1, 0xaf, 1, 0, ANY_REG, MODRM },
	{ 1, 0xb0, 2, 0, ANY_REG, MODRM | LOCKABLE },
	{ 1, 0xb3, 1, 0, ANY_REG, MODRM | BIT_FAR | LOCKABLE },
	{ 1, 0xb6, 2, 0, ANY_REG, MODRM },
	{ 1, 0xb8, 1, 0xf3, ANY_REG, MODRM },
	{ 1, 0xba, 1, 0, 0xf0, MODRM | LOCKABLE },
	{ 1, 0xbb, 1, 0, ANY_REG, MODRM | BIT_FAR | LOCKABLE },
	{ 1, 0xbc, 2, 0, ANY_REG, MODRM },
	{ 1, 0xbc, 2, 0xf3, ANY_REG, MODRM },
	{ 1, 0xbe, 2, 0, ANY_REG, MODRM },
	{ 1, 0xc0, 2, 0, ANY_REG, MODRM | LOCKABLE },
	{ 1, 0xc3, 1, 0, ANY_REG, MODRM | NO_66 },
	{ 1, 0xc7, 1, 0, 2, MODRM | LOCKABLE | NO_66 },
	{ 1, 0xc8, 8, 0, 0, 0 },
	{ 2, 0xf0, 2, 0, ANY_REG, MODRM },
#define MOVES(flags)                                                                        \
	{ 1, 0x10, 2, 0, ANY_REG, flags }, { 1, 0x10, 2, 0x66, ANY_REG, flags },            \
		{ 1, 0x10, 2, 0xf3, ANY_REG, flags }, { 1, 0x10, 2, 0xf2, ANY_REG, flags }, \
		{ 1, 0x12, 2, 0x66, ANY_REG, flags }, { 1, 0x16, 2, 0x66, ANY_REG, flags }, \
		{ 1, 0x13, 1, 0, ANY_REG, flags }, { 1, 0x17, 1, 0, ANY_REG, flags },       \
		{ 1, 0x28, 2, 0, ANY_REG, flags }, { 1, 0x28, 2, 0x66, ANY_REG, flags },    \
		{ 1, 0x2b, 1, 0, ANY_REG, flags }, { 1, 0x2b, 1, 0x66, ANY_REG, flags },    \
		{ 1, 0x6e, 2, 0x66, ANY_REG, flags }, { 1, 0x6f, 1, 0xf3, ANY_REG, flags }, \
		{ 1, 0x7e, 2, 0x66, ANY_REG, flags }, { 1, 0x7e, 2, 0xf3, ANY_REG, flags }, \
		{ 1, 0xd6, 1, 0x66, ANY_REG, flags }, { 1, 0xe7, 1, 0x66, ANY_REG, flags }, \
		{ 1, 0xf0, 1, 0xf2, ANY_REG, flags },                                       \
	{                                                                                   \
		2, 0x2a, 1, 0x66, ANY_REG, flags                                            \
	}
	MOVES(MODRM | VECTOR | ONLY_64),
	MOVES(MODRM | VECTOR | AVX | ONLY_64),
};

#define TEMPLATE_COUNT (sizeof(templates) / sizeof(templates[0]))

static unsigned long long seen[TEMPLATE_COUNT];

/* ---- a case ------------------------------------------------------------------------------- */

struct test {
	const struct template *template;
	bool code32;
	uint8_t bytes[INSTRUCTION_LENGTH_MAX + 1];
	struct instruction instruction;
	struct emulation emulation;
	uint8_t memory[NATIVE_DATA_SIZE]; /* the emulator's */
	uint64_t ymm[16][4];
	uint64_t read_at; /* where memory was touched last: shown with a difference */
};

static struct test test;
static uint64_t random_state;
static bool amd;

/* xorshift64* (Vigna, 2014) */
static uint64_t random64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

static unsigned int below(unsigned int limit)
{
	return (unsigned int)((random64() >> 32) * limit >> 32);
}

static bool one_in(unsigned int count)
{
	return !below(count);
}

/* Numbers at which things change: few bits, all bits, the signs of every size. */
static uint64_t operand64(void)
{
	static const uint64_t edges[] = { 0,	      1,	  0x7f,	      0x80,
					  0xff,	      0x7fff,	  0x8000,     0xffff,
					  0x7fffffff, 0x80000000, 0xffffffff, 1ull << 63,
					  ~0ull,      ~0ull >> 1, 0x99,	      9 };

	switch (below(4)) {
	case 0:
		return edges[below(16)];
	case 1:
		return random64() & 0xff;
	case 2:
		return random64() >> below(64);
	default:
		return random64();
	}
}

/* An address in the data; now and then at the edge of a page or of the whole. */
static uint64_t data_address(void)
{
	static const uint32_t edges[] = { 0, 0x1000, NATIVE_DATA_RW, NATIVE_DATA_SIZE };

	if (one_in(8))
		return NATIVE_DATA + edges[below(4)] - 40 + below(48);
	return NATIVE_DATA + below(NATIVE_DATA_RW - 512) / (one_in(2) ? 1 : 32) + 64;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static unsigned int put_prefixes(uint8_t *at, const struct template *t)
{
	static const uint8_t segments[] = { 0x26, 0x2e, 0x36, 0x3e };
	unsigned int n = 0;

	if (one_in(8))
		at[n++] = 0x67;
	if (one_in(12) && !(t->flags & BRANCH))
		at[n++] = segments[below(4)];
	if (!t->prefix && !(t->flags & (NO_66 | VECTOR)) && one_in(3))
		at[n++] = 0x66;
	if (t->flags & LOCKABLE && one_in(6))
		at[n++] = 0xf0;
	if (t->flags & STRING && !one_in(3))
		at[n++] = one_in(2) ? 0xf3 : 0xf2;
	if (t->flags & AVX)
		return n;
	if (t->prefix)
		at[n++] = t->prefix;
	if (!test.code32 && one_in(2))
		at[n++] = 0x40 | (uint8_t)below(16);
	return n;
}

/* VEX of three bytes: R, X, B inverted and the map; W, vvvv inverted, L, pp. */
static unsigned int put_vex(uint8_t *at, const struct template *t)
{
	uint8_t pp = t->prefix == 0x66 ? 1 : t->prefix == 0xf3 ? 2 : t->prefix ? 3 : 0;
	uint8_t vvvv = one_in(3) ? (uint8_t)below(16) : 15;

	at[0] = 0xc4;
	at[1] = (uint8_t)(below(8) << 5 | t->map);
	at[2] = (uint8_t)(below(2) << 7 | vvvv << 3 | below(2) << 2 | pp);
	return 3;
}

static bool put_instruction(void)
{
	const struct template *t = test.template;
	uint8_t buffer[64];
	unsigned int n = put_prefixes(buffer, t);

	if (t->flags & AVX) {
		n += put_vex(buffer + n, t);
	} else {
		if (t->map)
			buffer[n++] = 0x0f;
		if (t->map == 2)
			buffer[n++] = 0x38;
	}
	buffer[n++] = t->opcode + (uint8_t)below(t->count);
	for (unsigned int i = n; i < n + 20; i++)
		buffer[i] = (uint8_t)random64();
	if (t->flags & MODRM) {
		uint8_t reg = (uint8_t)below(8);

		while (!(t->reg >> reg & 1))
			reg = (uint8_t)below(8);
		buffer[n] = (uint8_t)((buffer[n] & 0xc7) | reg << 3);
	}
	if (decode(&test.instruction,
		   test.code32 ? DECODE_MODE_32
		   : amd       ? DECODE_MODE_64_AMD
			       : DECODE_MODE_64,
		   buffer, n + 20) != DECODE_OK ||
	    test.instruction.map != t->map)
		return false;
	memcpy(test.bytes, buffer, test.instruction.length);
	return true;
}

/* ---- registers that make sense of the bytes --------------------------------------------------- */

static void patch_displacement(uint64_t value)
{
	const struct instruction *i = &test.instruction;
	unsigned int at = (unsigned int)i->length - i->immediate_size - i->immediate2_size -
			  i->displacement_size;

	memcpy(test.bytes + at, &value, i->displacement_size);
}

/* In 32-bit code the data segments begin at NATIVE_SEGMENT. */
static bool is_small(uint8_t segment)
{
	return test.code32 && segment != SEGMENT_NUMBER_SS && segment != SEGMENT_NUMBER_CS;
}

static uint64_t segment_base(uint8_t segment)
{
	return is_small(segment) ? NATIVE_SEGMENT : 0;
}

/* Makes the operand in memory lie at a good address. False where that can't be. */
static bool aim(uint64_t *gpr)
{
	const struct instruction *i = &test.instruction;
	uint64_t target = data_address() - segment_base(i->segment);
	uint64_t index = 0;

	if (!i->has_memory || i->opcode == 0x8d)
		return true;
	if (i->index < GPR_COUNT) {
		if (i->base == i->index || (i->base >= GPR_COUNT && i->scale != 1))
			return false;
		if (i->base < GPR_COUNT)
			gpr[i->index] = (uint64_t)below(64) - 32;
		index = gpr[i->index] * i->scale;
	}
	if (i->address_size == 2 && target > 0xffff)
		return false;
	if (i->base < GPR_COUNT)
		gpr[i->base] = target - index - (uint64_t)i->displacement;
	else if (i->index < GPR_COUNT)
		gpr[i->index] = target - (uint64_t)i->displacement;
	else if (i->base == GPR_RIP)
		patch_displacement(target - NATIVE_CODE - i->length);
	else
		patch_displacement(target);
	/* What the address size cuts off need not be zero. */
	if (i->base < GPR_COUNT && i->address_size == 4 && !test.code32)
		gpr[i->base] |= random64() << 32;
	return true;
}

static bool uses(uint8_t number)
{
	return test.instruction.has_memory &&
	       (test.instruction.base == number || test.instruction.index == number);
}

static bool aim_string(uint64_t *gpr)
{
	uint64_t mask = test.instruction.address_size == 8 ? ~0ull : 0xffffffffu;

	if (test.instruction.address_size == 2)
		mask = 0xffff;
	if (one_in(4) && !test.code32)
		mask = ~0ull; /* upper halves are to be ignored, or not */
	gpr[GPR_RSI] = (data_address() - segment_base(test.instruction.segment)) & mask;
	gpr[GPR_RDI] = (data_address() - segment_base(SEGMENT_NUMBER_ES)) & mask;
	gpr[GPR_RCX] = below(24);
	if (one_in(4))
		gpr[GPR_RCX] |= random64() & ~(test.instruction.address_size == 2   ? 0xffffull
					       : test.instruction.address_size == 4 ? 0xffffffffull
										    : ~0ull);
	/* Alike, so that comparisons go on for a while. */
	if (one_in(2))
		gpr[GPR_RDI] = gpr[GPR_RSI] + (one_in(2) ? 0 : below(16));
	return true;
}

static void aim_division(uint64_t *gpr)
{
	if (one_in(8))
		return;
	/* A small upper half seldom overflows. */
	gpr[GPR_RDX] = one_in(3) ? ~0ull : below(4);
	if (one_in(2))
		gpr[GPR_RAX] = operand64() & 0xff;
}

static bool aim_bit(uint64_t *gpr)
{
	const struct instruction *i = &test.instruction;

	if (i->has_memory && uses(i->reg))
		return false;
	if (i->has_memory)
		gpr[i->reg] = (uint64_t)(int64_t)((int)below(2048) - 1024);
	return true;
}

static bool aim_branch(void)
{
	const struct instruction *i = &test.instruction;
	uint32_t displacement = NATIVE_BRANCH_TARGET - i->length;

	if (i->immediate_size == 2)
		return false;
	memcpy(test.bytes + i->length - i->immediate_size, &displacement, i->immediate_size);
	return true;
}

/* A stack pointer is in use where it is a base, too. */
static bool aim_stack(uint64_t *gpr)
{
	const struct instruction *i = &test.instruction;

	if (uses(GPR_RSP) || uses(GPR_RBP))
		return false;
	gpr[GPR_RSP] = data_address();
	/* POPF from where its flags can be chosen (see calm_flags()). */
	if (i->map == OPCODE_MAP_ONE_BYTE && i->opcode == 0x9d &&
	    gpr[GPR_RSP] - NATIVE_DATA >= NATIVE_DATA_RW - 8)
		return false;
	if (i->map == OPCODE_MAP_ONE_BYTE && (i->opcode == 0xc8 || i->opcode == 0xc9))
		gpr[GPR_RBP] = data_address();
	return true;
}

/* ENTER with a frame of random size leaves the data: it is given a small one. */
static void tame(void)
{
	const struct instruction *i = &test.instruction;

	if (i->map == OPCODE_MAP_ONE_BYTE && i->opcode == 0xc8) {
		test.bytes[i->length - 2] = (uint8_t)below(64) & (one_in(8) ? 63 : 127);
		if (!one_in(4))
			test.bytes[i->length - 2] = 0;
		test.bytes[i->length - 3] &= 3;
		test.bytes[i->length - 1] &= 0xff;
	}
}

static bool aim_all(uint64_t *gpr)
{
	uint16_t flags = test.template->flags;

	if (!aim(gpr))
		return false;
	if (flags & STRING && !aim_string(gpr))
		return false;
	if (flags & STACK && !aim_stack(gpr))
		return false;
	if (flags & BRANCH && !aim_branch())
		return false;
	if (flags & BIT_FAR && !aim_bit(gpr))
		return false;
	if (flags & DIVIDES && !uses(GPR_RDX) && !uses(GPR_RAX))
		aim_division(gpr);
	if (flags & TABLE)
		gpr[GPR_RBX] = data_address() - segment_base(test.instruction.segment);
	tame();
	return decode(&test.instruction,
		      test.code32 ? DECODE_MODE_32
		      : amd	  ? DECODE_MODE_64_AMD
				  : DECODE_MODE_64,
		      test.bytes, test.instruction.length) == DECODE_OK;
}

/* ---- the emulator's side -------------------------------------------------------------------------- */

static struct emulate_fault page_fault(uint64_t address, uint32_t error_code)
{
	return (struct emulate_fault){ EXCEPTION_PF, true, error_code, address };
}

static uint8_t *at(uint64_t address, unsigned int size, bool write)
{
	uint64_t limit = write ? NATIVE_DATA_RW : NATIVE_DATA_SIZE;

	if (address - NATIVE_DATA >= limit || address - NATIVE_DATA + size > limit)
		return NULL;
	test.read_at = address;
	return test.memory + (address - NATIVE_DATA);
}

static enum emulate_answer refuse(uint64_t address, bool write, struct emulate_fault *fault)
{
	bool present = address - NATIVE_DATA < NATIVE_DATA_SIZE;

	*fault = page_fault(address, 4u | (write ? 2u : 0) | (present ? 1u : 0));
	return EMULATE_ANSWER_FAULT;
}

static enum emulate_answer op_read(void *context, struct emulate_access *access,
				   struct emulate_fault *fault)
{
	bool write = access->kind == EMULATE_READ_TO_WRITE;
	const uint8_t *from = at(access->address, access->size, write);

	(void)context;
	if (!from)
		return refuse(access->address, write, fault);
	access->value = 0;
	memcpy(&access->value, from, access->size);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_check(void *context, const struct emulate_access *access,
				    struct emulate_fault *fault)
{
	(void)context;
	if (!at(access->address, access->size, true))
		return refuse(access->address, true, fault);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_write(void *context, const struct emulate_access *access,
				    struct emulate_fault *fault)
{
	uint8_t *to = at(access->address, access->size, true);

	(void)context;
	if (!to)
		return refuse(access->address, true, fault);
	memcpy(to, &access->value, access->size);
	return EMULATE_ANSWER_DONE;
}

static void op_vector_read(void *context, struct emulate_vector *vector)
{
	(void)context;
	memcpy(vector->value, test.ymm[vector->index], vector->size);
}

static void op_vector_write(void *context, const struct emulate_vector *vector)
{
	(void)context;
	if (vector->kind == EMULATE_VECTOR_AVX)
		memset(test.ymm[vector->index], 0, sizeof(test.ymm[0]));
	memcpy(test.ymm[vector->index], vector->value, vector->size);
}

static const struct emulate_ops ops = {
	.read = op_read,
	.check = op_check,
	.write = op_write,
	.vector_read = op_vector_read,
	.vector_write = op_vector_write,
};

static void program_state(struct emulate_state *state)
{
	struct segment flat = { 0, 0xffffffff, SEGMENT_RIGHTS_DATA32 | SEGMENT_DPL, 0x2b };
	struct segment small = { NATIVE_SEGMENT, NATIVE_SEGMENT_LIMIT,
				 (SEGMENT_RIGHTS_DATA32 & ~SEGMENT_G) | SEGMENT_DPL, 0x0f };

	for (unsigned int i = 0; i < SEGMENT_REGISTER_COUNT; i++)
		state->segment[i] = is_small((uint8_t)i) ? small : flat;
	state->segment[SEGMENT_NUMBER_CS] = flat;
	state->segment[SEGMENT_NUMBER_CS].rights =
		(test.code32 ? SEGMENT_RIGHTS_CODE32 : SEGMENT_RIGHTS_CODE64) | SEGMENT_DPL;
	state->cr0 = CR0_PE | CR0_PG | CR0_AM | CR0_WP | CR0_NE | CR0_ET;
	state->cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXSAVE;
	state->efer = IA32_EFER_LMA | IA32_EFER_LME;
	state->xcr0 = 7;
	state->cpl = 3;
	state->rip = NATIVE_CODE;
}

/* ---- both sides, and their comparison ---------------------------------------------------------------- */

#define RFLAGS_USER \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF | RFLAGS_DF)

static bool prepare(void)
{
	struct native_context *native = native_context();
	uint64_t *gpr = native->before.gpr;

	test.template = &templates[below(TEMPLATE_COUNT)];
	if (test.template->flags & (test.code32 ? ONLY_64 : NOT_64))
		return false;
	if (!put_instruction())
		return false;
	/* FS and GS have a base of their own there, which ring 3 does not see. */
	if (test.code32 && test.instruction.segment >= SEGMENT_NUMBER_FS)
		return false;
	for (unsigned int i = 0; i < 16; i++)
		gpr[i] = operand64();
	if (!aim_all(gpr))
		return false;
	if (test.code32)
		for (unsigned int i = 0; i < 16; i++)
			gpr[i] &= i < 8 ? 0xffffffffu : 0;
	native->before.rflags = (random64() & RFLAGS_USER) | RFLAGS_FIXED | RFLAGS_IF;
	if (one_in(16))
		native->before.rflags |= RFLAGS_AC;
	return true;
}

static void share_memory(void)
{
	uint8_t *native = (uint8_t *)(uintptr_t)NATIVE_DATA;
	unsigned int from = below(NATIVE_DATA_RW - 64);

	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t value = operand64();

		memcpy(native + from + i, &value, 8);
	}
	memcpy(test.memory, native, NATIVE_DATA_RW);
}

/* POPF must not set what would trap in the middle of everything. */
static void calm_flags(void)
{
	uint64_t rsp = native_context()->before.gpr[GPR_RSP];
	uint8_t *native = (uint8_t *)(uintptr_t)NATIVE_DATA;

	if (test.instruction.map == OPCODE_MAP_ONE_BYTE && test.instruction.opcode == 0x9d) {
		native[rsp - NATIVE_DATA + 1] &= 0xbe; /* TF and NT */
		native[rsp - NATIVE_DATA + 2] &= 0xdf; /* ID */
		memcpy(test.memory, native, NATIVE_DATA_RW);
	}
}

static enum emulate_status run_emulator(void)
{
	struct emulation *e = &test.emulation;
	enum emulate_status status;

	memset(e, 0, offsetof(struct emulation, next));
	program_state(&e->state);
	e->amd = amd;
	memcpy(e->state.gpr, native_context()->before.gpr, sizeof(e->state.gpr));
	e->state.rflags = native_context()->before.rflags;
	memcpy(test.ymm, native_context()->before.ymm, sizeof(test.ymm));
	do {
		memcpy(e->bytes, test.bytes, test.instruction.length);
		e->byte_count = test.instruction.length;
		status = emulate(e, &ops, NULL);
	} while (status == EMULATE_DONE && e->repeating);
	return status;
}

/*
 * What a processor has done before it found a fault and leaves done, because doing it
 * again does no harm: what ENTER and PUSHA have pushed below rSP, registers that POPA has loaded.
 */
#define PUSHA 0x60
#define POPA  0x61
#define ENTER 0xc8

static bool faulted_midway(uint8_t opcode)
{
	return native_context()->faulted && test.instruction.map == OPCODE_MAP_ONE_BYTE &&
	       test.instruction.opcode == opcode;
}

/* Which of its two operands CMPS reads first is the processor's choice. */
#define CMPSB 0xa6
#define CMPS  0xa7

static const char *compare_fault(enum emulate_status status)
{
	const struct native_context *native = native_context();
	const struct emulate_fault *fault = &test.emulation.fault;

	if (status != EMULATE_DONE && status != EMULATE_FAULT)
		return test.emulation.why;
	if (native->faulted != (status == EMULATE_FAULT))
		return "one of the two faults";
	if (!native->faulted)
		return NULL;
	if (faulted_midway(CMPSB) || faulted_midway(CMPS))
		return NULL;
	if (native->vector != fault->vector)
		return "another vector";
	if (fault->vector == EXCEPTION_PF && (native->address != fault->address ||
					      (native->error_code & 7) != (fault->error_code & 7)))
		return "another page fault";
	return NULL;
}

/* The upper halves are nobody's business in 32-bit code (SDM 1, 3.4.1.1). */
static bool gpr_differs(unsigned int number)
{
	uint64_t difference = native_context()->after.gpr[number] ^
			      test.emulation.state.gpr[number];

	return test.code32 ? number < 8 && (uint32_t)difference : difference;
}

static const char *compare_state(void)
{
	const struct native_context *native = native_context();
	const struct emulate_state *state = &test.emulation.state;
	uint64_t compared = RFLAGS_USER | RFLAGS_AC;
	struct undefined undefined = { 0 };
	uint64_t rip = NATIVE_CODE + test.instruction.length;

	if (!native->faulted)
		undefined = undefined_of(&test.instruction, &native->before);
	compared &= ~undefined.flags;
	if ((native->after.rflags ^ state->rflags) & compared)
		return "flags";
	if (undefined.result)
		return NULL;
	for (unsigned int i = 0; i < 16; i++)
		if (gpr_differs(i) && !(faulted_midway(POPA) && i != GPR_RSP))
			return "registers";
	if (!faulted_midway(ENTER) && !faulted_midway(PUSHA) &&
	    memcmp((void *)(uintptr_t)NATIVE_DATA, test.memory, NATIVE_DATA_RW))
		return "memory";
	if (!test.code32 && !native->faulted &&
	    memcmp(native->after.ymm, test.ymm, sizeof(test.ymm)))
		return "vector registers";
	if (native->taken)
		rip = NATIVE_CODE + NATIVE_BRANCH_TARGET;
	if (!native->faulted && state->rip != rip)
		return "RIP";
	return NULL;
}

static void show(const char *what)
{
	const struct native_context *native = native_context();
	const struct emulate_state *state = &test.emulation.state;
	static const char names[16][4] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					   "r8",  "r9",	 "r10", "r11", "r12", "r13", "r14", "r15" };

	printf("# %s, %u bits:", what, test.code32 ? 32 : 64);
	for (unsigned int i = 0; i < test.instruction.length; i++)
		printf(" %02x", test.bytes[i]);
	printf("\n#   flags %04llx: native %06llx, emulated %06llx\n",
	       (unsigned long long)native->before.rflags, (unsigned long long)native->after.rflags,
	       (unsigned long long)state->rflags);
	if (native->faulted)
		printf("#   native: vector %u, error %x, address %llx\n", native->vector,
		       native->error_code, (unsigned long long)native->address);
	printf("#   emulated: vector %u, error %x, address %llx\n", test.emulation.fault.vector,
	       test.emulation.fault.error_code, (unsigned long long)test.emulation.fault.address);
	for (unsigned int i = 0; i < (test.code32 ? 8 : 16); i++)
		printf("#   %-3s %016llx: %016llx, %016llx%s\n", names[i],
		       (unsigned long long)native->before.gpr[i],
		       (unsigned long long)native->after.gpr[i], (unsigned long long)state->gpr[i],
		       gpr_differs(i) ? " <" : "");
}

/* True if both did the same. */
static bool run_case(bool shown)
{
	const char *different;
	enum emulate_status status;

	share_memory();
	calm_flags();
	/* Emulated first: the processor changes the memory that both begin with. */
	status = run_emulator();
	native_run(test.bytes, test.instruction.length, test.code32);
	different = compare_fault(status);
	if (!different)
		different = compare_state();
	if (different && shown)
		show(different);
	return !different;
}

/* A form that never got through without a fault was not compared. */
static unsigned long long report_unseen(unsigned long long cases)
{
	unsigned long long unseen = 0;

	for (size_t i = 0; cases >= 100000 && i < TEMPLATE_COUNT; i++) {
		if (seen[i])
			continue;
		printf("# never without a fault: map %u, opcode %02x, prefix %02x\n",
		       templates[i].map, templates[i].opcode, templates[i].prefix);
		unseen++;
	}
	return unseen;
}

static void random_vectors(void)
{
	struct native_context *native = native_context();

	for (unsigned int i = 0; i < 16; i++)
		for (unsigned int j = 0; j < 4; j++)
			native->before.ymm[i][j] = random64();
}

static bool is_amd(void)
{
	unsigned int eax, ebx = 0, ecx, edx;

	__get_cpuid(0, &eax, &ebx, &ecx, &edx);
	return ebx == signature_AMD_ebx;
}

int main(int argc, char **argv)
{
	unsigned long long wanted = argc > 1 ? strtoull(argv[1], NULL, 0) : CASES_DEFAULT;
	unsigned long long cases = 0, differ = 0, faults = 0, unseen;

	random_state = argc > 2 ? strtoull(argv[2], NULL, 0) | 1 : 0x9e3779b97f4a7c15ull;
	amd = is_amd();
	if (!native_start())
		return 2;
	for (size_t i = 0; i < NATIVE_DATA_SIZE; i++)
		((uint8_t *)(uintptr_t)NATIVE_DATA)[i] = (uint8_t)random64();
	memcpy(test.memory, (void *)(uintptr_t)NATIVE_DATA, NATIVE_DATA_SIZE);
	native_protect();
	random_vectors();

	while (cases < wanted) {
		test.code32 = cases % 3 == 0;
		if (!prepare())
			continue;
		cases++;
		if (!run_case(differ < SHOWN_MAX)) {
			differ++;
			memcpy((void *)(uintptr_t)NATIVE_DATA, test.memory, NATIVE_DATA_RW);
		}
		faults += native_context()->faulted;
		seen[test.template - templates] += !native_context()->faulted;
	}
	unseen = report_unseen(cases);
	printf("%llu cases, %llu differ (%llu of them faults)\n", cases, differ, faults);
	return differ || unseen ? 1 : 0;
}
