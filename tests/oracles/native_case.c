/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * A case begins with a template of bytes. Chance adds prefixes, ModRM, SIB and numbers;
 * the decoder tells what came of it; and registers (or the displacement, where there
 * are none) are set so that it makes sense.
 */

#include "tests/oracles/native_case.h"

#include <stdio.h>
#include <string.h>

#include "tests/oracles/native_run.h"

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
	TABLE = 1 << 12,    /* XLAT */
	INDIRECT = 1 << 13, /* goes to the address in its operand */
	RETURN = 1 << 14,   /* ... on the stack */
	MEMORY = 1 << 15,   /* with a register it is another instruction */
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
	{ 0, 0x0e, 1, 0, 0, STACK | NOT_64 },
	{ 0, 0x16, 1, 0, 0, STACK | NOT_64 },
	{ 0, 0x1e, 1, 0, 0, STACK | NOT_64 },
	{ 0, 0x27, 1, 0, 0, NOT_64 },
	{ 0, 0x2f, 1, 0, 0, NOT_64 },
	{ 0, 0x37, 1, 0, 0, NOT_64 },
	{ 0, 0x3f, 1, 0, 0, NOT_64 },
	{ 0, 0x40, 16, 0, 0, NOT_64 },
	{ 0, 0x50, 16, 0, 0, STACK },
	{ 0, 0x60, 2, 0, 0, STACK | NOT_64 },
	{ 0, 0x62, 1, 0, ANY_REG, MODRM | MEMORY | NOT_64 },
	{ 0, 0x63, 1, 0, ANY_REG, MODRM | ONLY_64 },
	{ 0, 0x63, 1, 0, ANY_REG, MODRM | NOT_64 },
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
	{ 0, 0x8c, 1, 0, 0x06, MODRM },
	{ 0, 0x8d, 1, 0, ANY_REG, MODRM },
	{ 0, 0x8f, 1, 0, 1, MODRM | STACK },
	{ 0, 0x90, 8, 0, 0, 0 },
	{ 0, 0x98, 2, 0, 0, 0 },
	{ 0, 0x9b, 1, 0, 0, 0 },
	{ 0, 0x9c, 2, 0, 0, STACK },
	{ 0, 0x9e, 2, 0, 0, 0 },
	{ 0, 0xa0, 4, 0, 0, 0 },
	{ 0, 0xa4, 4, 0, 0, STRING },
	{ 0, 0xa8, 2, 0, 0, 0 },
	{ 0, 0xaa, 6, 0, 0, STRING },
	{ 0, 0xb0, 16, 0, 0, 0 },
	{ 0, 0xc0, 2, 0, ANY_REG, MODRM },
	{ 0, 0xc2, 2, 0, 0, RETURN | STACK | NO_66 },
	{ 0, 0xc6, 2, 0, 1, MODRM },
	{ 0, 0xc8, 1, 0, 0, STACK },
	{ 0, 0xc9, 1, 0, 0, STACK },
	{ 0, 0xd0, 4, 0, ANY_REG, MODRM },
	{ 0, 0xd4, 2, 0, 0, NOT_64 },
	{ 0, 0xd6, 1, 0, 0, NOT_64 },
	{ 0, 0xd7, 1, 0, 0, TABLE },
	{ 0, 0xd9, 1, 0, 0xa0, MODRM | MEMORY },
	{ 0, 0xdd, 1, 0, 0x80, MODRM | MEMORY },
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
	{ 0, 0xff, 1, 0, 0x04, MODRM | STACK | INDIRECT | NO_66 },
	{ 0, 0xff, 1, 0, 0x10, MODRM | INDIRECT | NO_66 },
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

const unsigned int native_case_forms = TEMPLATE_COUNT;

const char *native_case_form(unsigned int form)
{
	static const char *const maps[] = { "", "0f ", "0f 38 " };
	static char text[40];
	const struct template *t = &templates[form];

	(void)snprintf(text, sizeof(text), "%s%02x, prefix %02x%s", maps[t->map], t->opcode,
		       t->prefix, t->flags & AVX ? ", VEX" : "");
	return text;
}

/* ---- chance ------------------------------------------------------------------------------- */

static uint64_t random_state;

void random_seed(uint64_t seed)
{
	random_state = seed | 1;
}

/* xorshift64* (Vigna, 2014) */
uint64_t random64(void)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return random_state * 0x2545f4914f6cdd1dull;
}

unsigned int below(unsigned int limit)
{
	return (unsigned int)((random64() >> 32) * limit >> 32);
}

bool one_in(unsigned int count)
{
	return !below(count);
}

uint64_t operand64(void)
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

/* ---- the case that is being made ------------------------------------------------------------ */

static struct native_case *current;

static const struct template *current_template(void)
{
	return &templates[current->form];
}

static enum decode_mode decode_mode(void)
{
	if (current->bits == 64)
		return current->amd ? DECODE_MODE_64_AMD : DECODE_MODE_64;
	return current->bits == 32 ? DECODE_MODE_32 : DECODE_MODE_16;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

static unsigned int put_prefixes(uint8_t *at, const struct template *t)
{
	static const uint8_t segments[] = { 0x26, 0x2e, 0x36, 0x3e };
	unsigned int n = 0;

	if (one_in(8))
		at[n++] = 0x67;
	if (one_in(12) && !(t->flags & BRANCH) && current->bits != 16)
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
	if (current->bits == 64 && one_in(2))
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
	const struct template *t = current_template();
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
	if (decode(&current->instruction, decode_mode(), buffer, n + 20) != DECODE_OK ||
	    current->instruction.map != t->map ||
	    (t->flags & MEMORY && !current->instruction.has_memory))
		return false;
	memcpy(current->bytes, buffer, current->instruction.length);
	return true;
}

/* ---- registers that make sense of the bytes --------------------------------------------------- */

static void patch_displacement(uint64_t value)
{
	const struct instruction *i = &current->instruction;
	unsigned int at = (unsigned int)i->length - i->immediate_size - i->immediate2_size -
			  i->displacement_size;

	memcpy(current->bytes + at, &value, i->displacement_size);
}

bool native_case_is_small(const struct native_case *c, uint8_t segment)
{
	if (segment == SEGMENT_NUMBER_SS)
		return c->bits == 16;
	return c->bits != 64 && segment != SEGMENT_NUMBER_CS;
}

static uint64_t segment_base(uint8_t segment)
{
	return native_case_is_small(current, segment) ? NATIVE_SEGMENT : 0;
}

/* Makes the operand in memory lie at a good address. False where that can't be. */
static bool aim(uint64_t *gpr)
{
	const struct instruction *i = &current->instruction;
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
	if (i->base < GPR_COUNT && i->address_size == 4 && current->bits == 64)
		gpr[i->base] |= random64() << 32;
	return true;
}

static bool uses(uint8_t number)
{
	return current->instruction.has_memory &&
	       (current->instruction.base == number || current->instruction.index == number);
}

static bool aim_string(uint64_t *gpr)
{
	uint64_t mask = current->instruction.address_size == 8 ? ~0ull : 0xffffffffu;

	if (current->instruction.address_size == 2)
		mask = 0xffff;
	if (one_in(4) && current->bits == 64)
		mask = ~0ull; /* upper halves are to be ignored, or not */
	gpr[GPR_RSI] = (data_address() - segment_base(current->instruction.segment)) & mask;
	gpr[GPR_RDI] = (data_address() - segment_base(SEGMENT_NUMBER_ES)) & mask;
	gpr[GPR_RCX] = below(24);
	if (one_in(4))
		gpr[GPR_RCX] |= random64() &
				~(current->instruction.address_size == 2   ? 0xffffull
				  : current->instruction.address_size == 4 ? 0xffffffffull
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
	const struct instruction *i = &current->instruction;

	if (i->has_memory && uses(i->reg))
		return false;
	if (i->has_memory)
		gpr[i->reg] = (uint64_t)(int64_t)((int)below(2048) - 1024);
	return true;
}

static bool aim_branch(void)
{
	const struct instruction *i = &current->instruction;
	uint32_t displacement = NATIVE_BRANCH_TARGET - i->length;

	memcpy(current->bytes + i->length - i->immediate_size, &displacement, i->immediate_size);
	return true;
}

uint64_t native_case_stack(const struct native_case *c, uint64_t rsp)
{
	return c->bits == 16 ? NATIVE_SEGMENT + (uint16_t)rsp : rsp;
}

/* The upper half of a 16-bit stack pointer is nobody's business, but must stay. */
static uint64_t stack_address(void)
{
	if (current->bits != 16)
		return data_address();
	return ((data_address() - NATIVE_SEGMENT) & 0xffff) | (random64() & 0xffff0000);
}

/* A stack pointer is in use where it is a base, too. */
static bool aim_stack(uint64_t *gpr)
{
	const struct instruction *i = &current->instruction;

	if (uses(GPR_RSP) || uses(GPR_RBP))
		return false;
	gpr[GPR_RSP] = stack_address();
	/* POPF from where its flags can be chosen (see calm_flags()). */
	if (i->map == OPCODE_MAP_ONE_BYTE && i->opcode == 0x9d &&
	    native_case_stack(current, gpr[GPR_RSP]) - NATIVE_DATA >= NATIVE_DATA_RW - 8)
		return false;
	if (i->map == OPCODE_MAP_ONE_BYTE && (i->opcode == 0xc8 || i->opcode == 0xc9))
		gpr[GPR_RBP] = stack_address();
	return true;
}

/*
 * Where the branch goes stands in a register or in memory. Of an operand in memory only
 * its place is known here; whoever has the memory puts the target there.
 */
static bool aim_indirect(uint64_t *gpr)
{
	const struct instruction *i = &current->instruction;
	uint64_t base = current->bits == 16 ? 0 : NATIVE_CODE;

	current->target = base + NATIVE_BRANCH_TARGET;
	if (current_template()->flags & RETURN) {
		current->pointer = native_case_stack(current, gpr[GPR_RSP]);
	} else if (i->has_memory) {
		uint64_t next_rip = base + i->length;

		current->pointer =
			segment_base(i->segment) + decode_effective_address(i, gpr, next_rip);
	} else {
		if (i->rm == GPR_RSP)
			return false;
		gpr[i->rm] = current->target;
	}
	/* Only where it can be put, so that nothing goes astray. */
	return !current->pointer || (current->pointer >= NATIVE_DATA &&
				     current->pointer + 8 <= NATIVE_DATA + NATIVE_DATA_RW);
}

/* ENTER with a frame of random size leaves the data: it is given a small one. */
static void tame(void)
{
	const struct instruction *i = &current->instruction;

	if (i->map == OPCODE_MAP_ONE_BYTE && i->opcode == 0xc8) {
		current->bytes[i->length - 2] = (uint8_t)below(64) & (one_in(8) ? 63 : 127);
		if (!one_in(4))
			current->bytes[i->length - 2] = 0;
		current->bytes[i->length - 3] &= 3;
		current->bytes[i->length - 1] &= 0xff;
	}
}

static bool aim_all(uint64_t *gpr)
{
	uint16_t flags = current_template()->flags;

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
		gpr[GPR_RBX] = data_address() - segment_base(current->instruction.segment);
	tame();
	/* The bytes have changed since. */
	if (decode(&current->instruction, decode_mode(), current->bytes,
		   current->instruction.length) != DECODE_OK)
		return false;
	current->pointer = 0;
	return !(flags & (INDIRECT | RETURN)) || aim_indirect(gpr);
}

bool native_case_make(struct native_case *c)
{
	struct native_context *native = native_context();
	uint64_t *gpr = native->before.gpr;

	current = c;
	c->form = below(TEMPLATE_COUNT);
	if (current_template()->flags & (c->bits == 64 ? NOT_64 : ONLY_64))
		return false;
	if (!put_instruction())
		return false;
	/* FS and GS have a base of their own there, which ring 3 does not see. */
	if (c->bits != 64 && c->instruction.segment >= SEGMENT_NUMBER_FS)
		return false;
	for (unsigned int i = 0; i < 16; i++)
		gpr[i] = operand64();
	if (!aim_all(gpr))
		return false;
	if (c->bits != 64)
		for (unsigned int i = 0; i < 16; i++)
			gpr[i] &= i < 8 ? 0xffffffffu : 0;
	native->before.rflags = (random64() & RFLAGS_USER) | RFLAGS_FIXED | RFLAGS_IF;
	if (one_in(16))
		native->before.rflags |= RFLAGS_AC;
	return true;
}
