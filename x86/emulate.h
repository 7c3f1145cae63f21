/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_EMULATE_H
#define HUTCH_X86_EMULATE_H

/*
 * Carries out one instruction of a guest in software, where the processor cannot:
 * the instruction touches a device's registers in memory, moves a string through a
 * port, or the guest runs in real mode on a processor without unrestricted guests.
 *
 * The emulator is a pure function of the guest's state and of what the accesses
 * answer. It changes a copy of the state; only when nothing can go wrong any more
 * are the instruction's writes made and the copy put in place. So an instruction that
 * faults has changed nothing (SDM 3, 6.5: a fault leaves the state from before it).
 *
 * It reaches the world through operations that its caller gives it. An access that
 * has to be made elsewhere, in a device model in user space, ends the call:
 *
 *	while ((status = emulate(e, &ops, context)) == EMULATE_NEEDS_VMM)
 *		emulate_answer(e, what_the_device_says(&e->access));
 *
 * Between the two calls any amount of time may pass. Every access that was made stands
 * in a log; the second call carries out the same instruction from its start, takes
 * from the log what was read, leaves out what was written, and goes on with the first
 * access that the log does not hold. There are no points of resumption to keep.
 *
 * The guest is taken to have POPCNT, LZCNT, TZCNT and MOVBE: to hide them in its CPUID
 * changes nothing here, as it changes nothing on the processor.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x86/decode.h"
#include "x86/segment.h"

/* ES, CS, SS, DS, FS, GS. */
#define SEGMENT_REGISTER_COUNT 6

/* GDTR and IDTR. */
struct descriptor_table {
	uint64_t base;
	uint16_t limit;
};

/* The guest's registers, as far as instructions of the emulator's kind see them. */
struct emulate_state {
	uint64_t gpr[GPR_COUNT]; /* by enum gpr_number */
	uint64_t rip, rflags;
	struct segment segment[SEGMENT_REGISTER_COUNT]; /* by enum segment_number */
	struct segment ldtr, tr;
	struct descriptor_table gdtr, idtr;
	uint64_t cr0, cr4, efer, xcr0;
	uint8_t cpl; /* 0 in real mode, 3 in virtual-8086 mode */
};

enum emulate_status {
	/* Done, and the state is that after the instruction (see @repeating, @event). */
	EMULATE_DONE,
	/* It raised @fault; the state is that before it. */
	EMULATE_FAULT,
	/* It waits for the answer to @access, or to @run where its kind says so. */
	EMULATE_NEEDS_VMM,
	/* It is none of the emulator's: @instruction says which, @why a reason. */
	EMULATE_UNSUPPORTED,
};

/* What an operation of the caller says of the access it was asked for. */
enum emulate_answer {
	EMULATE_ANSWER_DONE,
	EMULATE_ANSWER_FAULT,	/* nothing was done; the fault is filled in */
	EMULATE_ANSWER_VMM,	/* it is made elsewhere, the answer comes later */
	EMULATE_ANSWER_CHANGED, /* exchange only: memory no longer holds the old value */
};

struct emulate_fault {
	uint8_t vector; /* enum exception_vector */
	bool has_error_code;
	uint32_t error_code;
	uint64_t address; /* of #PF: what CR2 gets */
};

enum emulate_access_kind {
	EMULATE_READ,
	EMULATE_READ_TO_WRITE, /* what is read will be written: it must be writable */
	EMULATE_WRITE,
	EMULATE_PORT_IN,
	EMULATE_PORT_OUT,
	EMULATE_CR_READ,
	EMULATE_CR_WRITE,
	EMULATE_DR_READ,
	EMULATE_DR_WRITE,
	EMULATE_MSR_READ,
	EMULATE_MSR_WRITE,
	EMULATE_RUN, /* many elements of a string at once: struct emulate_run */
};

/*
 * One access. In memory it has 1 to 8 bytes and never crosses a page: larger ones
 * come in pieces, lowest address first.
 */
struct emulate_access {
	enum emulate_access_kind kind;
	uint8_t size;
	bool user;	  /* made with the rights of ring 3 */
	bool implicit;	  /* made by the processor itself, for a table: SDM 3, 4.6.1 */
	uint64_t address; /* linear; or the number of a port, a CR, a DR, an MSR */
	uint64_t value;	  /* to write, or what was read */
};

enum emulate_run_kind {
	EMULATE_RUN_MOVS,
	EMULATE_RUN_STOS,
	EMULATE_RUN_INS,
	EMULATE_RUN_OUTS,
};

/*
 * Elements of a repeated string instruction that can be moved in one go: @count of
 * @size bytes each, the first at the given linear addresses, the next above it, or
 * below it if @backwards. All elements lie in one page at each end, whole and within
 * the segment's limit. Where source and destination overlap the order counts.
 */
struct emulate_run {
	enum emulate_run_kind kind;
	uint8_t size;
	bool backwards;
	bool user;
	uint16_t port;	      /* INS and OUTS */
	uint64_t source;      /* MOVS and OUTS */
	uint64_t destination; /* MOVS, STOS and INS */
	uint64_t value;	      /* STOS */
	uint32_t count;
	uint32_t done; /* by the operation: how many it moved */
};

/* A locked read-modify-write of 1 to 16 bytes in one page. */
struct emulate_exchange {
	uint64_t address;
	uint8_t size;
	bool user;
	uint64_t expected[2];
	uint64_t desired[2];
};

enum emulate_vector_kind {
	EMULATE_VECTOR_MMX,
	EMULATE_VECTOR_SSE, /* 16 bytes; what stands above them stays */
	EMULATE_VECTOR_AVX, /* 16 or 32 bytes; all above them becomes zero */
};

/* The contents of a vector register: XMMn is the lower half of YMMn. */
struct emulate_vector {
	enum emulate_vector_kind kind;
	uint8_t index;
	uint8_t size; /* 8, 16 or 32 */
	uint64_t value[4];
};

enum emulate_x87_kind {
	EMULATE_X87_READ,
	EMULATE_X87_LOAD_CONTROL, /* FLDCW, of @control */
	EMULATE_X87_CLEAR,	  /* FNCLEX */
	EMULATE_X87_RESET,	  /* FNINIT */
};

/* The FPU's control and status words. */
struct emulate_x87 {
	enum emulate_x87_kind kind;
	uint16_t control, status;
};

/*
 * What the emulator asks of its caller; @context is handed through. Where an
 * operation is NULL the instructions that want it are EMULATE_UNSUPPORTED, but for
 * @exchange and @run, which only make things atomic or fast.
 */
struct emulate_ops {
	/* Reads @size bytes of code, up to 15, in one page. Never answers VMM. */
	enum emulate_answer (*fetch)(void *context, uint64_t linear, unsigned int size,
				     uint8_t *bytes, struct emulate_fault *fault);

	/* Reads memory: fills in access->value. Bytes above the size do not matter. */
	enum emulate_answer (*read)(void *context, struct emulate_access *access,
				    struct emulate_fault *fault);

	/* Whether a write would fault. Has no effect; DONE also where the VMM would write. */
	enum emulate_answer (*check)(void *context, const struct emulate_access *access,
				     struct emulate_fault *fault);

	enum emulate_answer (*write)(void *context, const struct emulate_access *access,
				     struct emulate_fault *fault);

	/*
	 * Writes if memory still holds what is expected, atomically. VMM: this is no
	 * memory, and is to be written by @write. CHANGED: the instruction is begun anew.
	 */
	enum emulate_answer (*exchange)(void *context, const struct emulate_exchange *exchange,
					struct emulate_fault *fault);

	/* Elements of a string at once; run->done of 0 declines, and they come singly. */
	enum emulate_answer (*run)(void *context, struct emulate_run *run,
				   struct emulate_fault *fault);

	enum emulate_answer (*port)(void *context, struct emulate_access *access,
				    struct emulate_fault *fault);

	/*
	 * MOV to and from CRn and DRn, and MSRs (also for RDTSC and RDTSCP). A write makes
	 * all checks of the value itself, and updates @state where the register lies in it
	 * (CR0, CR4, EFER, a segment's base).
	 */
	enum emulate_answer (*control)(void *context, struct emulate_state *state,
				       struct emulate_access *access, struct emulate_fault *fault);
	enum emulate_answer (*debug)(void *context, struct emulate_state *state,
				     struct emulate_access *access, struct emulate_fault *fault);
	enum emulate_answer (*msr)(void *context, struct emulate_state *state,
				   struct emulate_access *access, struct emulate_fault *fault);

	/* CPUID: EAX, EBX, ECX, EDX; in come leaf and subleaf in the first and third. */
	void (*cpuid)(void *context, uint32_t registers[4]);

	/* Kind, index and size are filled in; @vector_read fills in the value. */
	void (*vector_read)(void *context, struct emulate_vector *vector);
	void (*vector_write)(void *context, const struct emulate_vector *vector);

	/* Reads both words, or does what @kind says. No exception of the FPU's waits then. */
	void (*x87)(void *context, struct emulate_x87 *x87);
};

/* What an instruction wants beyond its effect on registers and memory. */
enum emulate_event {
	EMULATE_EVENT_NONE,
	EMULATE_EVENT_HLT,
	EMULATE_EVENT_INVLPG, /* of @event_address */
	EMULATE_EVENT_INVD,
	EMULATE_EVENT_WBINVD,
	EMULATE_EVENT_PAUSE,
	EMULATE_EVENT_IRET, /* which ends the blocking of NMIs: SDM 3, 6.7.1 */
	/*
	 * INT n, INT3, INTO or INT1 through an IDT of protected mode: the vector is in
	 * @event_address. Nothing was done and RIP stands at the instruction; the caller
	 * injects it as a software interrupt of @instruction's length.
	 */
	EMULATE_EVENT_INTERRUPT,
};

/* Interrupts that are held off for one instruction: SDM 3, 6.8.3; APM 2, 15.21.5. */
enum emulate_shadow {
	EMULATE_SHADOW_NONE,
	EMULATE_SHADOW_STI,
	EMULATE_SHADOW_MOV_SS,
};

/*
 * ENTER with 31 levels has the most accesses: it reads 30 frame pointers and writes 32
 * (SDM 2, "ENTER"), and each can lie across two pages.
 */
#define EMULATE_WRITES_MAX 32
#define EMULATE_LOG_MAX	   128

/* An access that was made: whether it was a write, and what was read. */
struct emulate_log_entry {
	uint64_t address;
	uint64_t value;
	uint8_t kind;
	uint8_t size;
};

/*
 * One guest's emulation. Make it all zeros once; before each instruction fill in
 * @state, and @bytes where the processor has delivered them already.
 */
struct emulation {
	struct emulate_state state;
	bool amd;	   /* the guest's processor is AMD's, where the two makers differ */
	bool reports_int3; /* as EMULATE_EVENT_INTERRUPT in real mode, too: a debugger's */

	/* The instruction's bytes, as many as are known; the emulator fetches the rest. */
	uint8_t bytes[INSTRUCTION_LENGTH_MAX];
	uint8_t byte_count;

	/* What came of it, valid until the next call. */
	struct instruction instruction;
	bool repeating;	  /* DONE, but RIP still stands at it: elements are left */
	bool single_step; /* RFLAGS.TF was set before it: #DB with DR6.BS is due */
	enum emulate_shadow shadow;
	enum emulate_event event;
	uint64_t event_address;
	struct emulate_fault fault;
	struct emulate_access access;
	struct emulate_run run;
	const char *why;

	/* The emulator's own: what it did so far, and the state it works on. */
	struct emulate_state next;
	struct emulate_access writes[EMULATE_WRITES_MAX];
	struct emulate_log_entry log[EMULATE_LOG_MAX];
	uint16_t logged;
};

/*
 * Carries out the instruction at CS:RIP, or, of a repeated string instruction, a
 * number of its elements, after each of which the state is a valid one.
 */
enum emulate_status emulate(struct emulation *emulation, const struct emulate_ops *ops,
			    void *context);

/*
 * Delivers an interrupt or exception through the table of real mode (SDM 3, 21.1.4), as
 * the processor does between two instructions; ends as emulate() does, but for
 * EMULATE_UNSUPPORTED. The state must be one of real mode.
 */
enum emulate_status emulate_interrupt(struct emulation *emulation, const struct emulate_ops *ops,
				      void *context, uint8_t vector);

/*
 * Answers the access of a call that ended with EMULATE_NEEDS_VMM: @value is what was
 * read; for EMULATE_RUN how many elements were moved, at least one; for a write it
 * does not matter. The state must not change until emulate() is called again.
 */
void emulate_answer(struct emulation *emulation, uint64_t value);

/*
 * Forgets an instruction that waits for an answer, because the guest was reset or
 * given other registers. What it wrote stays written.
 */
void emulate_cancel(struct emulation *emulation);

#endif
