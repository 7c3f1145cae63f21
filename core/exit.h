/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_EXIT_H
#define HUTCH_CORE_EXIT_H

/*
 * Why a guest left, said the same way for both processors: core/svm and core/vmx turn
 * what their hardware tells into one small struct hv_exit, and one handler for each
 * reason (core/exit.c) serves them both.
 */

#include <stdbool.h>
#include <stdint.h>

enum hv_exit_reason {
#define EXIT(name) HV_EXIT_##name,
#include "core/exit.def"
#undef EXIT
	HV_EXIT_COUNT
};

/* Somebody on the host's side listens: host_trace_exit(), host_trace_inject(). Set at any time. */
extern bool hv_tracing;

/* "CPUID"; never NULL. */
const char *hv_exit_name(enum hv_exit_reason reason);

/* What wants another task: SDM 3, table 28-2 */
enum hv_task_source {
	HV_TASK_CALL,
	HV_TASK_IRET,
	HV_TASK_JMP,
	HV_TASK_GATE, /* of the IDT */
};

struct hv_exit {
	enum hv_exit_reason reason;
	uint8_t length;	 /* of the instruction that left; 0: the processor did not say */
	uint64_t number; /* the hardware's own reason and its details, for reports */
	uint64_t details[2];
	union {
		struct {
			uint16_t port;
			uint8_t size;
			bool in, string;
		} io;
		struct {
			bool write;
		} msr;
		struct {
			uint8_t number;
			bool write;
		} control,
			debug; /* CRn and DRn: which register of the guest's, the decoder tells */
		struct {
			uint64_t gpa;
			bool write, fetch,
				present; /* present: the rights of what is there forbid it */
			bool table;	 /* met on the way through the guest's own page tables */
		} memory;
		struct {
			uint16_t offset; /* of APIC_WRITE: in the page */
			uint8_t vector;	 /* of EOI */
		} apic;
		struct {
			uint8_t vector;
			uint32_t error_code;
			uint64_t address; /* of a page fault */
		} exception;
		struct {
			uint16_t selector;
			uint8_t source;	  /* enum hv_task_source */
			bool instruction; /* led here, INT n too: the old task goes on behind it */
			bool has_error_code;
			uint32_t error_code;
		} task;
	};
};

/* What a handler makes of it. */
enum hv_verdict {
	HV_RESUME,  /* back into the guest */
	HV_TO_HOST, /* vcpu->call says what the VMM shall do */
};

#endif
