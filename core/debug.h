/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_DEBUG_H
#define HUTCH_CORE_DEBUG_H

/*
 * The VMM debugs the guest, which knows nothing of it: steps through it, stops it at
 * INT3, or has breakpoints in the debug registers while the guest's own stand aside.
 */

#include "core/hv.h"

/* Around every entry of a guest that is debugged (vcpu->debug.wanted). Interrupts off. */
void debug_enter(struct hv_vcpu *vcpu);
void debug_leave(struct hv_vcpu *vcpu);

/* An exception of the guest's: true if it is the VMM's, and vcpu->call.debug says which. */
bool debug_takes(struct hv_vcpu *vcpu, uint8_t vector);

bool debug_step(struct hv_vcpu *vcpu);

/*
 * For instructions that the core carries out where the processor runs none: which of the
 * breakpoints that are on, the VMM's or else the guest's, such an access would hit, as bits
 * of DR6. @address is linear.
 */
enum debug_access {
	DEBUG_FETCH,
	DEBUG_READ,
	DEBUG_WRITE,
};
uint32_t debug_hits(const struct hv_vcpu *vcpu, enum debug_access access, uint64_t address,
		    unsigned int size);
/* Whether any are on. */
bool debug_has_breakpoints(const struct hv_vcpu *vcpu);
/* Somebody hears of it: true, the VMM, by vcpu->call; false, the guest, by #DB. */
bool debug_hit(struct hv_vcpu *vcpu, uint32_t bits);

/* An instruction that the core has carried out for the guest is a step, too. */
static inline bool debug_takes_step(struct hv_vcpu *vcpu)
{
	bool stepped = vcpu->stepped;

	vcpu->stepped = false;
	return stepped && vcpu->debug.single_step && debug_step(vcpu);
}

#endif
