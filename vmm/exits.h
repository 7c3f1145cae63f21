/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_EXITS_H
#define HUTCH_VMM_EXITS_H

/* The fifth step: answer the exit. */

#include "vmm/vcpu.h"

enum exit_answer {
	EXIT_RESUME, /* enter again */
	EXIT_END,    /* this vCPU does not run any more: the machine has been asked to end */
};

/* Answers one exit. By the vCPU's own thread, without the machine's lock. */
enum exit_answer exit_answer(struct vcpu *vcpu, struct hutch_exit *exit);

#endif
