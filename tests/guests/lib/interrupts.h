/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_LIB_INTERRUPTS_H
#define HUTCH_TESTS_GUESTS_LIB_INTERRUPTS_H

/*
 * Exceptions and interrupts of a payload: one table for all processors.
 *
 * An exception that nobody expects ends the guest with a line that says where it
 * was; an interrupt that nobody expects does too.
 */

#include "tests/guests/lib/guest.h"

/* Exceptions: SDM 3, 6.3.1, table 6-1 */
enum vector {
	VECTOR_DE = 0,
	VECTOR_DB = 1,
	VECTOR_NMI = 2,
	VECTOR_BP = 3,
	VECTOR_UD = 6,
	VECTOR_DF = 8,
	VECTOR_GP = 13,
	VECTOR_PF = 14,
	VECTOR_AC = 17,
};

/* What start.S pushes, lowest address first. */
struct frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss; /* what the processor pushes */
};

typedef void interrupt_handler(struct frame *frame);

/*
 * Makes the table and loads it on this processor; the boot processor calls it first.
 *
 * With "no-shadows" in the command line the processor may forget an interrupt's shadow
 * (SDM 2, STI) when an exit falls into it, as QEMU's emulated AMD-V does.
 */
void interrupts_init(void);
/* Loads the table on another processor. */
void interrupts_load(void);

/* NULL: nobody expects @vector. Returns the handler before. */
interrupt_handler *interrupts_on(unsigned int vector, interrupt_handler *handler);

/* Deliveries of @vector so far, on all processors, expected or not. */
uint32_t interrupts_count(unsigned int vector);

/*
 * Runs one WRMSR or RDMSR and returns the exception that it raised, or -1: the way
 * to ask whether something is refused.
 */
int try_write_msr(uint32_t index, uint64_t value);
int try_read_msr(uint32_t index, uint64_t *value);

static inline void interrupts_enable(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void interrupts_disable(void)
{
	asm volatile("cli" : : : "memory");
}

/* Halts with interrupts on: what comes between STI and HLT still wakes it (SDM 2, STI). */
void halt(void);

/* A few instructions with interrupts on, so that all that is pending is delivered. */
static inline void interrupts_take(void)
{
	asm volatile("sti; nop; nop; nop; nop; cli" : : : "memory");
}

#endif
