/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_EMULATION_H
#define HUTCH_CORE_EMULATION_H

/* A guest in a state that the processor does not run (HV_EXIT_EMULATION). */

#include "core/exit.h"

struct hv_vcpu;

/*
 * In the processor's place: delivers what waits to be injected, then carries out a number
 * of instructions, as long as the guest stays in such a state and nobody wants anything of
 * it. Each counts as one exit.
 */
enum hv_verdict emulation_run(struct hv_vcpu *vcpu);

#endif
