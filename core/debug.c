/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/debug.h"

#include "core/cpu.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * What the VMM wants is in the processor only while the guest runs: TF is set and cleared
 * around every entry, and so are the VMM's breakpoints, with a DR6 that tells of them
 * alone. So whoever looks at the guest's registers meanwhile sees the guest's.
 */

#define DR6_NOTHING 0xffff0ff0ull
#define DR6_BS	    (1ull << 14) /* single step: SDM 3, 17.2.3 */

/* The guest's breakpoints and the VMM's change places. */
static void swap(struct hv_vcpu *vcpu)
{
	struct hv_debug *debug = &vcpu->debug;
	uint64_t kept;

	for (unsigned int i = 0; i < 4; i++) {
		kept = vcpu->dr[i];
		vcpu->dr[i] = debug->dr[i];
		debug->dr[i] = kept;
	}
	kept = vcpu->dr7;
	vcpu->dr7 = debug->dr7;
	debug->dr7 = kept;
	kept = vcpu->dr6;
	vcpu->dr6 = debug->dr6;
	debug->dr6 = kept;
	vcpu->vm->ops->update_debug(vcpu);
}

void debug_enter(struct hv_vcpu *vcpu)
{
	struct hv_debug *debug = &vcpu->debug;

	debug->stepping = debug->single_step && !(vcpu->rflags & RFLAGS_TF);
	if (debug->stepping)
		vcpu->rflags |= RFLAGS_TF;
	if (!debug->watches)
		return;
	debug->dr6 = DR6_NOTHING;
	swap(vcpu);
}

void debug_leave(struct hv_vcpu *vcpu)
{
	struct hv_debug *debug = &vcpu->debug;

	if (debug->watches)
		swap(vcpu);
	if (debug->stepping)
		vcpu->rflags &= ~RFLAGS_TF;
}

static void tell(struct hv_vcpu *vcpu, uint8_t vector, uint64_t dr6)
{
	vcpu->call.kind = HV_CALL_DEBUG;
	vcpu->call.debug.vector = vector;
	vcpu->call.debug.rip = vcpu->rip;
	vcpu->call.debug.dr6 = dr6;
	vcpu->call.debug.dr7 = vcpu->debug.watches ? vcpu->debug.dr7 : vcpu->dr7;
}

bool debug_takes(struct hv_vcpu *vcpu, uint8_t vector)
{
	const struct hv_debug *debug = &vcpu->debug;

	if ((vector == EXCEPTION_DB && (debug->single_step || debug->watches)) ||
	    (vector == EXCEPTION_BP && debug->breakpoints)) {
		tell(vcpu, vector, debug->watches ? debug->dr6 : vcpu->dr6);
		return true;
	}
	return false;
}

bool debug_step(struct hv_vcpu *vcpu)
{
	tell(vcpu, EXCEPTION_DB, vcpu->dr6 | DR6_BS);
	return true;
}
