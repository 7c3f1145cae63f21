/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_EXTENDED_STATE_H
#define HUTCH_CORE_EXTENDED_STATE_H

/*
 * XCR0 and PKRU: registers that neither processor switches with its guest, and that the
 * host, which keeps the vector registers, leaves to the core. Around each entry.
 */

#include "core/hv.h"
#include "x86/registers.h"

/* What the host's operating system uses of this; before the first entry. */
void extended_state_start(void);

/*
 * The components of XCR0 that the host has switched on for itself: it keeps these apart for
 * each thread, and no others.
 */
uint64_t extended_state_kept(void);

/*
 * Whether the guest can use any of it is up to its CR4, which it changes by exits alone:
 * for core/svm and core/vmx, whenever they take a value.
 */
static inline void extended_state_follow(struct hv_vcpu *vcpu, uint64_t cr4)
{
	vcpu->extended_state = cr4 & (CR4_OSXSAVE | CR4_PKE);
}

/* Only with vcpu->extended_state, and interrupts off. The result, the host's PKRU, is for leave. */
uint32_t extended_state_enter(struct hv_vcpu *vcpu);
void extended_state_leave(struct hv_vcpu *vcpu, uint32_t host_pkru);

#endif
