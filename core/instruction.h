/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_INSTRUCTION_H
#define HUTCH_CORE_INSTRUCTION_H

/*
 * The guest's instruction at RIP: stepped over where the core has carried it out, or
 * carried out by the emulator where it can't be done in one piece.
 */

#include "core/hv.h"

/* Of the instruction that left: counted by the processor, or decoded; 0: it can't be. */
unsigned int instruction_length(struct hv_vcpu *vcpu, const struct hv_exit *exit);

/*
 * The one place where RIP advances: past the instruction that made the guest leave. Ends
 * the shadow before it, and raises #DB where the guest steps through itself.
 */
enum hv_verdict instruction_skip(struct hv_vcpu *vcpu, const struct hv_exit *exit);

/*
 * The emulator carries it out (x86/emulate.h), page by page of the guest's own tables.
 * What has to be done by the VMM is in vcpu->call; the rest follows at the next run.
 */
enum hv_verdict instruction_emulate(struct hv_vcpu *vcpu);

/*
 * The same where the processor runs no instruction of this guest's at all; breakpoints in
 * data are as it would have them (core/debug.h).
 */
enum hv_verdict instruction_emulate_instead(struct hv_vcpu *vcpu);

/*
 * Delivers pending.injecting through the table of real mode (SDM 3, 21.1.4), by the same
 * means.
 */
enum hv_verdict instruction_deliver_real(struct hv_vcpu *vcpu);

/* The instruction that was emulated last, as far as it could be decoded. */
const struct instruction *instruction_emulated(const struct hv_vcpu *vcpu);

/* HLT has been carried out: nothing more is to be done before something wakes the guest. */
enum hv_verdict instruction_halt(struct hv_vcpu *vcpu);

/* Nobody here can: HV_CALL_UNEMULATED, with what can be read of its bytes. */
enum hv_verdict instruction_unemulated(struct hv_vcpu *vcpu);

/* Forgets an instruction that waits for the VMM: the guest's state is being set. */
void instruction_cancel(struct hv_vcpu *vcpu);

int instruction_init(struct hv_vcpu *vcpu);
void instruction_free(struct hv_vcpu *vcpu);

#endif
