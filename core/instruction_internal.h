/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_INSTRUCTION_INTERNAL_H
#define HUTCH_CORE_INSTRUCTION_INTERNAL_H

/* What carrying out an instruction takes, between its two files. */

#include "core/hv.h"
#include "x86/emulate.h"

struct hv_emulation {
	struct emulation emulation;
	struct hv_vcpu *vcpu;
	bool instead;	  /* the processor runs none of this guest's now */
	bool delivering;  /* not an instruction, but pending.injecting in real mode */
	bool called;	  /* for an OUT that is done: the VMM has only to hear of it */
	bool tpr_lowered; /* and the VMM wants to know */
	uint64_t run_gpa; /* where a string from a port goes */
	uint32_t hits;	  /* breakpoints, as bits of DR6: with the second operations only */
	const struct emulate_ops *operations;
};

/* What the emulator asks for: the context is a struct hv_emulation. */
extern const struct emulate_ops instruction_operations, instruction_operations_watched;

#endif
