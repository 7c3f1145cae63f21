/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ORACLES_NATIVE_CASE_H
#define HUTCH_TESTS_ORACLES_NATIVE_CASE_H

/*
 * Random cases for the processor and the emulator: an instruction of one of the forms
 * that a program in ring 3 may use, and registers such that its operands in memory lie
 * where there is memory, or just beside it.
 */

#include <stdbool.h>
#include <stdint.h>

#include "x86/decode.h"
#include "x86/registers.h"

/* The flags that a program sees the instructions change. */
#define RFLAGS_USER \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF | RFLAGS_DF)

struct native_case {
	bool amd;	   /* the processor is AMD's */
	unsigned int bits; /* 16, 32 or 64: of the code */
	unsigned int form; /* which form it is: less than native_case_forms */
	uint8_t bytes[INSTRUCTION_LENGTH_MAX + 1];
	struct instruction instruction;

	/* Where memory must hold an address to go to, or 0: JMP, CALL and RET. */
	uint64_t pointer;
	uint64_t target;
};

extern const unsigned int native_case_forms;

/* The form in words, such as "0f bc, prefix f3". */
const char *native_case_form(unsigned int form);

void random_seed(uint64_t seed);
uint64_t random64(void);
unsigned int below(unsigned int limit);
bool one_in(unsigned int count);

/* Numbers at which things change: few bits, all bits, the signs of every size. */
uint64_t operand64(void);

/* Whether a segment register holds a small segment (native_run.h) in this case. */
bool native_case_is_small(const struct native_case *c, uint8_t segment);

/* The linear address of the top of the stack, whose pointer has 16 bits in 16-bit code. */
uint64_t native_case_stack(const struct native_case *c, uint64_t rsp);

/*
 * Makes a case of @c->bits and puts its registers into native_context()->before. False
 * where chance made one that can't be: try again.
 */
bool native_case_make(struct native_case *c);

#endif
