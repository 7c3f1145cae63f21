/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Moves of MMX, SSE and AVX registers: what compilers and kernels use to copy to and
 * from a framebuffer or a device's memory. Nothing computes here; a value of up to 32
 * bytes goes from memory to a register or back, in pieces of 8 bytes.
 *
 * An encoding is told by map, opcode and mandatory prefix, and the VEX form of each
 * does the same with 16 or 32 bytes and clears what stands above (SDM 2, 2.3.10.1).
 */

#include "x86/emulate_handlers.h"

#define XCR0_SSE_AVX 6u /* SDM 1, 13.3 */

/* The size of what is moved, where it is not the register's. */
#define SIZE_FULL    0
#define SIZE_GENERAL 1 /* that of a general register: 4 or 8 bytes */

struct vector_form;
typedef bool vector_handler(struct execution *x, const struct vector_form *form);

struct vector_form {
	uint8_t map;
	uint8_t opcode;
	uint8_t mandatory_prefix;
	uint8_t size;
	bool aligned;	  /* memory must be, to its size: #GP */
	bool memory_only; /* a register as ModRM.rm is #UD or another instruction */
	bool mmx;
	bool no_vex;
	vector_handler *handler;
};

static vector_handler emulate_vector_load, emulate_vector_store, emulate_vector_load_low,
	emulate_vector_load_half, emulate_vector_store_half, emulate_vector_from_gpr,
	emulate_vector_to_gpr;

/* clang-format off */
#define FULL(op, prefix, what)      { 1, op, prefix, SIZE_FULL, .handler = (what) }
#define ALIGNED(op, prefix, what)   { 1, op, prefix, SIZE_FULL, true, .handler = (what) }
#define STREAMING(op, prefix, what) { 1, op, prefix, SIZE_FULL, true, true, .handler = (what) }
#define PART(op, prefix, size, what) { 1, op, prefix, size, .handler = (what) }
#define HALF(op, prefix, what)      { 1, op, prefix, 8, false, true, .handler = (what) }
#define MMX(op, size, memory, what) \
	{ 1, op, MANDATORY_NONE, size, false, memory, true, true, (what) }
/* clang-format on */

static const struct vector_form vector_forms[] = {
	FULL(0x10, MANDATORY_NONE, emulate_vector_load),      /* MOVUPS */
	FULL(0x10, MANDATORY_66, emulate_vector_load),	      /* MOVUPD */
	PART(0x10, MANDATORY_F3, 4, emulate_vector_load_low), /* MOVSS */
	PART(0x10, MANDATORY_F2, 8, emulate_vector_load_low), /* MOVSD */
	FULL(0x11, MANDATORY_NONE, emulate_vector_store),
	FULL(0x11, MANDATORY_66, emulate_vector_store),
	PART(0x11, MANDATORY_F3, 4, emulate_vector_store),
	PART(0x11, MANDATORY_F2, 8, emulate_vector_store),
	HALF(0x12, MANDATORY_NONE, emulate_vector_load_half), /* MOVLPS */
	HALF(0x12, MANDATORY_66, emulate_vector_load_half),   /* MOVLPD */
	HALF(0x13, MANDATORY_NONE, emulate_vector_store_half),
	HALF(0x13, MANDATORY_66, emulate_vector_store_half),
	HALF(0x16, MANDATORY_NONE, emulate_vector_load_half), /* MOVHPS */
	HALF(0x16, MANDATORY_66, emulate_vector_load_half),   /* MOVHPD */
	HALF(0x17, MANDATORY_NONE, emulate_vector_store_half),
	HALF(0x17, MANDATORY_66, emulate_vector_store_half),
	ALIGNED(0x28, MANDATORY_NONE, emulate_vector_load), /* MOVAPS */
	ALIGNED(0x28, MANDATORY_66, emulate_vector_load),   /* MOVAPD */
	ALIGNED(0x29, MANDATORY_NONE, emulate_vector_store),
	ALIGNED(0x29, MANDATORY_66, emulate_vector_store),
	STREAMING(0x2b, MANDATORY_NONE, emulate_vector_store),	 /* MOVNTPS */
	STREAMING(0x2b, MANDATORY_66, emulate_vector_store),	 /* MOVNTPD */
	MMX(0x6e, SIZE_GENERAL, false, emulate_vector_from_gpr), /* MOVD, MOVQ */
	PART(0x6e, MANDATORY_66, SIZE_GENERAL, emulate_vector_from_gpr),
	MMX(0x6f, 8, false, emulate_vector_load),	  /* MOVQ */
	ALIGNED(0x6f, MANDATORY_66, emulate_vector_load), /* MOVDQA */
	FULL(0x6f, MANDATORY_F3, emulate_vector_load),	  /* MOVDQU */
	MMX(0x7e, SIZE_GENERAL, false, emulate_vector_to_gpr),
	PART(0x7e, MANDATORY_66, SIZE_GENERAL, emulate_vector_to_gpr),
	PART(0x7e, MANDATORY_F3, 8, emulate_vector_load), /* MOVQ */
	MMX(0x7f, 8, false, emulate_vector_store),
	ALIGNED(0x7f, MANDATORY_66, emulate_vector_store),
	FULL(0x7f, MANDATORY_F3, emulate_vector_store),
	PART(0xd6, MANDATORY_66, 8, emulate_vector_store),   /* MOVQ */
	MMX(0xe7, 8, true, emulate_vector_store),	     /* MOVNTQ */
	STREAMING(0xe7, MANDATORY_66, emulate_vector_store), /* MOVNTDQ */
	{ 1, 0xf0, MANDATORY_F2, SIZE_FULL, false, true,
	  .handler = emulate_vector_load }, /* LDDQU */
	{ 2, 0x2a, MANDATORY_66, SIZE_FULL, true, true,
	  .handler = emulate_vector_load }, /* MOVNTDQA */
};

static const struct vector_form *find(const struct instruction *instruction)
{
	if (instruction->encoding != ENCODING_LEGACY && instruction->encoding != ENCODING_VEX)
		return NULL;
	for (size_t i = 0; i < sizeof(vector_forms) / sizeof(vector_forms[0]); i++) {
		const struct vector_form *form = &vector_forms[i];

		if (form->map != instruction->map || form->opcode != instruction->opcode ||
		    form->mandatory_prefix != instruction->mandatory_prefix)
			continue;
		if ((form->memory_only && !instruction->has_memory) ||
		    (form->no_vex && instruction->encoding != ENCODING_LEGACY))
			return NULL;
		return form;
	}
	return NULL;
}

const struct form *form_find_vector(const struct instruction *instruction)
{
	static const struct form form = { .handler = emulate_vector };

	return find(instruction) ? &form : NULL;
}

/* ---- registers -------------------------------------------------------------------- */

static bool is_vex(const struct execution *x)
{
	return x->instruction->encoding == ENCODING_VEX;
}

static struct emulate_vector vector_register(const struct execution *x,
					     const struct vector_form *form, uint8_t number)
{
	struct emulate_vector vector = { .kind = EMULATE_VECTOR_SSE, .index = number, .size = 16 };

	if (form->mmx) {
		vector.kind = EMULATE_VECTOR_MMX;
		vector.index = number & 7;
		vector.size = 8;
	} else if (is_vex(x)) {
		vector.kind = EMULATE_VECTOR_AVX;
		vector.size = x->instruction->vector_length ? 32 : 16;
	}
	return vector;
}

static struct emulate_vector vector_get(const struct execution *x, const struct vector_form *form,
					uint8_t number)
{
	struct emulate_vector vector = vector_register(x, form, number);

	x->ops->vector_read(x->context, &vector);
	for (unsigned int i = vector.size / 8; i < 4; i++)
		vector.value[i] = 0;
	return vector;
}

static bool vector_put(struct execution *x, const struct vector_form *form, uint8_t number,
		       const uint64_t value[4])
{
	x->vector = vector_register(x, form, number);
	for (unsigned int i = 0; i < 4; i++)
		x->vector.value[i] = value[i];
	x->has_vector = true;
	return true;
}

/* ---- whether it may be used: SDM 2, 2.4 ---------------------------------------------- */

static bool vex_allowed(struct execution *x, const struct vector_form *form)
{
	const struct instruction *instruction = x->instruction;
	bool merges = (form->size && form->size <= 8 && !instruction->has_memory &&
		       form->handler == emulate_vector_load_low) ||
		      form->handler == emulate_vector_load_half ||
		      (form->handler == emulate_vector_store && instruction->opcode == 0x11 &&
		       form->size && !instruction->has_memory);
	bool scalar = form->handler == emulate_vector_load_low ||
		      (instruction->opcode == 0x11 && form->size);

	if (!is_protected(x) || !(x->state->cr4 & CR4_OSXSAVE) ||
	    (x->state->xcr0 & XCR0_SSE_AVX) != XCR0_SSE_AVX)
		return stop_ud(x);
	/* A second source where there is none; 256 bits where there are 128 at most. */
	if ((instruction->vvvv && !merges) ||
	    (instruction->vector_length && form->size != SIZE_FULL && !scalar))
		return stop_ud(x);
	return true;
}

static bool vector_allowed(struct execution *x, const struct vector_form *form)
{
	if (is_vex(x)) {
		if (!vex_allowed(x, form))
			return false;
	} else if (x->state->cr0 & CR0_EM || (!form->mmx && !(x->state->cr4 & CR4_OSFXSR))) {
		return stop_ud(x);
	}
	if (x->state->cr0 & CR0_TS)
		return stop_fault(x, EXCEPTION_NM, 0);
	if (!x->ops->vector_read || !x->ops->vector_write)
		return stop_unsupported(x, "the caller has no operation for it");
	return true;
}

bool emulate_vector(struct execution *x)
{
	const struct vector_form *form = find(x->instruction);

	return vector_allowed(x, form) && form->handler(x, form);
}

/* ---- memory ------------------------------------------------------------------------------ */

static unsigned int moved_size(const struct execution *x, const struct vector_form *form)
{
	if (form->size)
		return form->size;
	return is_vex(x) && x->instruction->vector_length ? 32 : 16;
}

/*
 * To what must be aligned only #GP applies; to the rest, like to any operand, #AC
 * (SDM 2, tables 2-19 and 2-22: types 1 and 4), of 16 bytes at most.
 */
static bool vector_linear(struct execution *x, const struct vector_form *form, bool write,
			  uint64_t *linear)
{
	unsigned int size = moved_size(x, form), natural = size < 16 ? size : 16;
	struct operand memory;

	operand_place_memory(x, &memory);
	if (!memory_linear(x, memory.segment, memory.offset, size, form->aligned ? 1 : natural,
			   write, linear))
		return false;
	return !form->aligned || *linear % size == 0 || stop_gp(x);
}

static bool memory_get(struct execution *x, const struct vector_form *form, uint64_t value[4])
{
	unsigned int size = moved_size(x, form), step = size < 8 ? size : 8;
	uint64_t linear;

	for (unsigned int i = 0; i < 4; i++)
		value[i] = 0;
	if (!vector_linear(x, form, false, &linear))
		return false;
	for (unsigned int i = 0; i < size / step; i++)
		if (!memory_read_linear(x, linear + i * 8, step, EMULATE_READ, false, &value[i]))
			return false;
	return true;
}

static bool memory_put(struct execution *x, const struct vector_form *form, const uint64_t *value)
{
	unsigned int size = moved_size(x, form), step = size < 8 ? size : 8;
	uint64_t linear;

	if (!vector_linear(x, form, true, &linear))
		return false;
	for (unsigned int i = 0; i < size / step; i++)
		if (!memory_write_linear(x, linear + i * 8, step, false, value[i]))
			return false;
	return true;
}

/* ---- the moves ------------------------------------------------------------------------------ */

static bool emulate_vector_load(struct execution *x, const struct vector_form *form)
{
	struct emulate_vector source;

	if (x->instruction->has_memory) {
		if (!memory_get(x, form, source.value))
			return false;
	} else {
		source = vector_get(x, form, x->instruction->rm);
		if (form->size == 8) /* MOVQ: what stands above becomes zero */
			source.value[1] = 0;
	}
	return vector_put(x, form, x->instruction->reg, source.value);
}

/* MOVSS, MOVSD between registers: the rest comes from the destination, or VEX.vvvv. */
static bool merge_low(struct execution *x, const struct vector_form *form, uint8_t to, uint8_t from)
{
	struct emulate_vector rest = vector_get(x, form, is_vex(x) ? x->instruction->vvvv : to);
	struct emulate_vector low = vector_get(x, form, from);
	uint64_t mask = size_mask(form->size);

	rest.value[0] = (rest.value[0] & ~mask) | (low.value[0] & mask);
	rest.value[2] = rest.value[3] = 0;
	return vector_put(x, form, to, rest.value);
}

static bool emulate_vector_load_low(struct execution *x, const struct vector_form *form)
{
	uint64_t value[4];

	if (!x->instruction->has_memory)
		return merge_low(x, form, x->instruction->reg, x->instruction->rm);
	return memory_get(x, form, value) && vector_put(x, form, x->instruction->reg, value);
}

static bool emulate_vector_store(struct execution *x, const struct vector_form *form)
{
	const struct instruction *instruction = x->instruction;
	struct emulate_vector source;

	if (!instruction->has_memory && instruction->opcode == 0x11 && form->size)
		return merge_low(x, form, instruction->rm, instruction->reg);
	source = vector_get(x, form, instruction->reg);
	if (instruction->has_memory)
		return memory_put(x, form, source.value);
	if (form->size == 8) /* MOVQ */
		source.value[1] = 0;
	return vector_put(x, form, instruction->rm, source.value);
}

/* MOVLPS, MOVLPD (12, 13) are about the lower half, MOVHPS, MOVHPD (16, 17) the upper. */
static bool emulate_vector_load_half(struct execution *x, const struct vector_form *form)
{
	const struct instruction *instruction = x->instruction;
	struct emulate_vector rest =
		vector_get(x, form, is_vex(x) ? instruction->vvvv : instruction->reg);
	uint64_t value[4];

	if (!memory_get(x, form, value))
		return false;
	rest.value[instruction->opcode == 0x16] = value[0];
	rest.value[2] = rest.value[3] = 0;
	return vector_put(x, form, instruction->reg, rest.value);
}

static bool emulate_vector_store_half(struct execution *x, const struct vector_form *form)
{
	struct emulate_vector source = vector_get(x, form, x->instruction->reg);

	return memory_put(x, form, &source.value[x->instruction->opcode == 0x17]);
}

/* MOVD and MOVQ: four bytes, eight with W in 64-bit mode. */
static void general_operand(struct execution *x)
{
	struct operand *operand = &x->operand[0];

	operand->size = x->mode == MODE_64 && x->instruction->rex & REX_W ? 8 : 4;
	operand->place = PLACE_GPR;
	operand->number = x->instruction->rm & 15;
	if (x->instruction->has_memory)
		operand_place_memory(x, operand);
}

static bool emulate_vector_from_gpr(struct execution *x, const struct vector_form *form)
{
	uint64_t value[4] = { 0 };

	general_operand(x);
	if (!operand_read(x, 0, EMULATE_READ))
		return false;
	value[0] = x->operand[0].value;
	return vector_put(x, form, x->instruction->reg, value);
}

static bool emulate_vector_to_gpr(struct execution *x, const struct vector_form *form)
{
	struct emulate_vector source = vector_get(x, form, x->instruction->reg);

	general_operand(x);
	return operand_write(x, 0, source.value[0]);
}
