/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_EXTENDED_STATE_H
#define HUTCH_CORE_EXTENDED_STATE_H

/*
 * XCR0 and PKRU: registers that neither processor switches with its guest, and that the
 * host, which keeps the vector registers, leaves to the core. Around each entry.
 */

#include "core/hv.h"

struct extended_state {
	bool used; /* by the guest, until its next exit: its CR4 is not its own to change */
	uint32_t pkru;
};

/* What the host's operating system uses of this; before the first entry. */
void extended_state_start(void);

/*
 * The components of XCR0 that the host has switched on for itself: it keeps these apart for
 * each thread, and no others.
 */
uint64_t extended_state_kept(void);

/* Interrupts are off. */
void extended_state_enter(struct hv_vcpu *vcpu, struct extended_state *host);
void extended_state_leave(struct hv_vcpu *vcpu, const struct extended_state *host);

#endif
