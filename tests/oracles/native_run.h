/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ORACLES_NATIVE_RUN_H
#define HUTCH_TESTS_ORACLES_NATIVE_RUN_H

/*
 * Runs one instruction on the processor that this program runs on: all registers are
 * loaded, the instruction is executed, all registers are stored. Behind the instruction
 * stands a jump back; one that faults comes back by a signal.
 *
 * Everything that the instruction's surroundings need lies below 4 GiB at fixed
 * addresses, so that the same is possible in 32-bit and in 16-bit code, in a
 * compatibility-mode segment, with DS and ES in a small segment of the LDT.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NATIVE_CODE	    0x10000000u
#define NATIVE_CODE_SIZE    0x2000u
#define NATIVE_CONTEXT	    0x20000000u
#define NATIVE_CONTEXT_SIZE 0x4000u

/* Two pages that can be written and one that can only be read; none before and behind. */
#define NATIVE_DATA	 0x30000000u
#define NATIVE_DATA_RW	 0x2000u
#define NATIVE_DATA_SIZE 0x3000u
/* In 32 and 16-bit code DS and ES, in 16-bit code SS, begin here and have this limit. */
#define NATIVE_SEGMENT	     (NATIVE_DATA - 0x1000u)
#define NATIVE_SEGMENT_LIMIT 0x3fffu

struct native_result {
	uint64_t gpr[16];
	uint64_t rflags;
	uint64_t ymm[16][4];
};

/* Reached by absolute addresses from assembly: see the offsets there. */
struct native_context {
	struct native_result before, after;
	uint64_t host_rsp;
	uint64_t entry;
	uint64_t leave;
	uint64_t taken; /* a branch went to NATIVE_BRANCH_TARGET */
	uint32_t stack32;
	uint16_t data_selector;
	struct native_far_pointer {
		uint32_t offset;
		uint16_t selector;
	} to32, start, leave32, to64, stack;
	uint64_t back; /* from 32-bit code */
	bool running;

	/* Of a fault. */
	bool faulted;
	uint8_t vector;
	uint32_t error_code;
	uint64_t address;
};

/* Where a branch in the code under test may go, from the instruction's first byte. */
#define NATIVE_BRANCH_TARGET 64

/* Maps everything; says what is wrong and returns false if it can't. */
bool native_start(void);
struct native_context *native_context(void);

/* Makes the last page read-only: call it once there is something in it. */
void native_protect(void);

/*
 * Executes an instruction with the registers of context->before, at NATIVE_CODE; in
 * 16-bit code, at the beginning of a segment that begins there.
 */
void native_run(const uint8_t *bytes, size_t length, unsigned int bits);

#endif
