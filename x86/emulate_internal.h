/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_EMULATE_INTERNAL_H
#define HUTCH_X86_EMULATE_INTERNAL_H

/*
 * What the emulator's files share. An instruction goes through four stages:
 *
 *	emulate.c		fetch, decode, then the stages below, and commit
 *	emulate_table*.c	opcode to form: a handler and its operands' kinds
 *	emulate_operand.c	operands to values; results to registers and memory
 *	emulate_memory.c	segments, pages, the log of accesses
 *
 * and between operands and results a handler computes, in one of emulate_arithmetic.c,
 * emulate_bits.c, emulate_move.c, emulate_stack.c, emulate_string.c, ...
 *
 * A function that can end the instruction returns false when it has, after saying why
 * by one of the stop_...() functions; whoever called it returns false at once.
 */

#include "x86/emulate.h"
#include "x86/exception.h"
#include "x86/registers.h"

enum operand_place {
	PLACE_NONE,
	PLACE_GPR,
	PLACE_HIGH_BYTE, /* AH, CH, DH, BH */
	PLACE_SEGMENT,
	PLACE_MEMORY,
	PLACE_IMMEDIATE,
};

/* Where an operand lies, and the value read from there. */
struct operand {
	enum operand_place place;
	uint8_t size;	 /* in bytes */
	uint8_t number;	 /* of the register */
	uint8_t segment; /* enum segment_number, and the offset in it: memory */
	uint64_t offset;
	uint64_t value;
};

struct execution;
typedef bool emulate_handler(struct execution *x);

/* How a form treats its first operand. The others are always read. */
enum form_access {
	FORM_READS,    /* it is a source: CMP */
	FORM_WRITES,   /* it becomes the result: MOV */
	FORM_MODIFIES, /* it is read and becomes the result: ADD */
	FORM_ADDRESS,  /* its place is all that the handler wants: LEA, LGDT */
};

/* Operand kinds, for the most part by the manual's letters: SDM 2, A.2.1 */
enum operand_kind {
	KIND_NONE,
	KIND_E,		/* register or memory by ModRM.rm */
	KIND_G,		/* register by ModRM.reg */
	KIND_M,		/* memory by ModRM.rm; a register is #UD */
	KIND_ADDRESS,	/* the same, and it is not read before the handler */
	KIND_R,		/* register by ModRM.rm, whatever mod says: MOV CRn */
	KIND_O,		/* memory, its offset in the instruction */
	KIND_S,		/* segment register by ModRM.reg */
	KIND_Z,		/* register in the opcode's low three bits */
	KIND_I,		/* immediate */
	KIND_ONE,	/* the number 1 */
	KIND_RAX,	/* AL, AX, EAX, RAX */
	KIND_CL,	/* always a byte */
	KIND_IMMEDIATE2 /* the second immediate */
};

enum operand_width {
	WIDTH_B, /* a byte */
	WIDTH_W, /* a word */
	WIDTH_V, /* the operand size */
	WIDTH_Z, /* the operand size, at most 4 bytes */
	WIDTH_S, /* MOVSXD's source: 4 bytes, on Intel's processors 2 with an operand of 2 */
	WIDTH_Y, /* the operand size, at least 4 bytes */
	WIDTH_N, /* the mode's own: 8 in 64-bit mode, else 4 */
	WIDTH_X, /* a register's is the operand size, memory's a word: MOV to Ew */
};

struct operand_form {
	uint8_t kind;
	uint8_t width;
};

struct form {
	emulate_handler *handler;
	const struct form *group; /* eight forms, by ModRM.reg; handler is NULL */
	struct operand_form operand[3];
	uint8_t access; /* enum form_access */
};

enum execution_mode {
	MODE_REAL,
	MODE_VIRTUAL_8086,
	MODE_PROTECTED, /* with compatibility mode */
	MODE_64,
};

/* One run through an instruction. */
struct execution {
	struct emulation *emulation;
	const struct emulate_ops *ops;
	void *context;
	const struct instruction *instruction;
	struct emulate_state *state; /* emulation->next: changed freely */
	const struct form *form;
	enum execution_mode mode;
	uint64_t next_rip;

	/* How it ended, once a function has returned false. */
	enum emulate_status status;
	bool retry;
	bool keep_rf; /* the instruction itself has set it: IRET */

	struct operand operand[3];
	uint8_t size; /* of operand[0] */
	uint64_t result;

	uint16_t position;    /* in the log: the next access to be taken from it */
	uint16_t write_count; /* in emulation->writes: what is to be written */
	bool has_vector;
	struct emulate_vector vector; /* to be written, if it has one */
	bool has_expected;	      /* CMPXCHG16B: what its 16 bytes held */
	uint64_t expected[2];
};

/* ---- how an instruction ends ------------------------------------------------ */

/* Each returns false, so that a handler can say "return stop_fault(...)". */
static inline bool stop_fault(struct execution *x, uint8_t vector, uint32_t error_code)
{
	x->status = EMULATE_FAULT;
	x->emulation->fault = (struct emulate_fault){
		.vector = vector,
		/* Real mode pushes none: SDM 3, 20.1.4 */
		.has_error_code = exception_has_error_code(vector) && x->mode != MODE_REAL,
		.error_code = error_code,
	};
	return false;
}

static inline bool stop_unsupported(struct execution *x, const char *why)
{
	x->status = EMULATE_UNSUPPORTED;
	x->emulation->why = why;
	return false;
}

static inline bool stop_ud(struct execution *x)
{
	return stop_fault(x, EXCEPTION_UD, 0);
}

static inline bool stop_gp(struct execution *x)
{
	return stop_fault(x, EXCEPTION_GP, 0);
}

/* What came of asking an operation: true for DONE, else the instruction ends. */
bool answered(struct execution *x, enum emulate_answer answer);

/* ---- emulate_table.c, emulate_table_0f.c ----------------------------------- */

/* The form of an instruction, or NULL. */
const struct form *form_find(const struct instruction *instruction, bool in_64_bit_mode);
const struct form *form_find_0f(const struct instruction *instruction);
const struct form *form_find_0f38(const struct instruction *instruction);
const struct form *form_find_vector(const struct instruction *instruction);

/* ---- emulate_memory.c ------------------------------------------------------ */

/*
 * The linear address of @size bytes at an offset in a segment, after all checks that
 * segmentation makes; alignment is checked for @alignment bytes.
 */
bool memory_linear(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size,
		   unsigned int alignment, bool write, uint64_t *linear);

/* Reads up to 8 bytes; @kind is EMULATE_READ or EMULATE_READ_TO_WRITE. */
bool memory_read(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size,
		 enum emulate_access_kind kind, uint64_t *value);

/* Has up to 8 bytes written at the end, after all checks of segmentation. */
bool memory_write(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size,
		  uint64_t value);

/* Whether they could be written, down to the page; writes nothing. */
bool memory_check(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size);

/* The same with a linear address; @implicit for descriptor tables and the like. */
bool memory_read_linear(struct execution *x, uint64_t linear, unsigned int size,
			enum emulate_access_kind kind, bool implicit, uint64_t *value);
bool memory_write_linear(struct execution *x, uint64_t linear, unsigned int size, bool implicit,
			 uint64_t value);

/* A port: at once for IN, at the end for OUT. */
bool port_in(struct execution *x, uint16_t port, unsigned int size, uint64_t *value);
bool port_out(struct execution *x, uint16_t port, unsigned int size, uint64_t value);

/* An access of any kind that the log does not yet hold, or what it holds. */
bool access_make(struct execution *x, struct emulate_access *access);

/* Makes all the writes. */
bool memory_commit(struct execution *x);

/* ---- emulate_operand.c ----------------------------------------------------- */

/* Finds the operands' places and reads those that are sources. */
bool operands_prepare(struct execution *x);

/* The operand in memory with the registers as they are now: POP computes it late. */
void operand_place_memory(const struct execution *x, struct operand *operand);
bool operand_read(struct execution *x, unsigned int index, enum emulate_access_kind kind);
bool operand_write(struct execution *x, unsigned int index, uint64_t value);

uint64_t gpr_read(const struct execution *x, unsigned int number, unsigned int size);
void gpr_write(struct execution *x, unsigned int number, unsigned int size, uint64_t value);

/* ---- small things ----------------------------------------------------------- */

static inline uint64_t size_mask(unsigned int size)
{
	return size >= 8 ? ~0ull : (1ull << (size * 8)) - 1;
}

static inline uint64_t sign_bit(unsigned int size)
{
	return 1ull << (size * 8 - 1);
}

static inline uint64_t sign_extend(uint64_t value, unsigned int size)
{
	return ((value & size_mask(size)) ^ sign_bit(size)) - sign_bit(size);
}

static inline bool flag(const struct execution *x, uint64_t bit)
{
	return x->state->rflags & bit;
}

static inline void set_flag(struct execution *x, uint64_t bit, bool value)
{
	x->state->rflags = value ? x->state->rflags | bit : x->state->rflags & ~bit;
}

static inline bool is_protected(const struct execution *x)
{
	return x->mode >= MODE_PROTECTED;
}

static inline unsigned int iopl(const struct execution *x)
{
	return (x->state->rflags & RFLAGS_IOPL) >> 12;
}

/* ---- what several files of handlers need -------------------------------------- */

#define RFLAGS_ARITHMETIC (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

/* SF, ZF and PF of a result: SDM 1, 3.4.3.1 */
void flags_result(struct execution *x, uint64_t result, unsigned int size);

/* a + b + carry, a - b - borrow, with all six flags; and AND, OR, XOR's flags. */
uint64_t flags_add(struct execution *x, uint64_t a, uint64_t b, bool carry, unsigned int size);
uint64_t flags_subtract(struct execution *x, uint64_t a, uint64_t b, bool borrow,
			unsigned int size);
uint64_t flags_logic(struct execution *x, uint64_t result, unsigned int size);

/* Whether condition @code, an opcode's low four bits, holds: SDM 1, appendix B */
bool condition(const struct execution *x, unsigned int code);

/* The stack: by its own size, with SS's checks. Writes are made at the end. */
bool stack_push(struct execution *x, unsigned int size, uint64_t value);
bool stack_pop(struct execution *x, unsigned int size, uint64_t *value);
unsigned int stack_size(const struct execution *x);

/* Through the interrupt table of real mode; @next_rip is where its handler comes back to. */
bool interrupt_real(struct execution *x, uint8_t vector);

/* A new RIP within CS, checked. */
bool jump_near(struct execution *x, uint64_t target, unsigned int size);

/* Loads a segment register but CS, with all its checks; or CS by a far transfer. */
bool segment_register_load(struct execution *x, uint8_t number, uint16_t selector);
bool code_segment_load(struct execution *x, uint16_t selector, bool is_return);

/* LLDT and LTR: a descriptor of one of the system types that are bits of @types. */
bool system_segment_load(struct execution *x, uint16_t selector, uint32_t types,
			 struct segment *segment);
bool task_segment_mark_busy(struct execution *x, struct segment *segment);

#endif
