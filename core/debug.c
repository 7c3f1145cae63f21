/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/debug.h"

#include "core/cpu.h"
#include "core/event.h"
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

/* ---- breakpoints without a processor: SDM 3, 17.2.4 ------------------------------------ */

#define DR7_ANY_ENABLED 0xffull

static uint64_t conditions(const struct hv_vcpu *vcpu)
{
	return vcpu->debug.watches ? vcpu->debug.dr7 : vcpu->dr7;
}

bool debug_has_breakpoints(const struct hv_vcpu *vcpu)
{
	return conditions(vcpu) & DR7_ANY_ENABLED;
}

/* R/W of a breakpoint: 0 execution, 1 writes, 2 ports, 3 reads and writes. */
static bool is_meant(unsigned int condition, enum debug_access access)
{
	switch (access) {
	case DEBUG_FETCH:
		return condition == 0;
	case DEBUG_WRITE:
		return condition & 1;
	default:
		return condition == 3;
	}
}

uint32_t debug_hits(const struct hv_vcpu *vcpu, enum debug_access access, uint64_t address,
		    unsigned int size)
{
	static const uint8_t sizes[4] = { 1, 2, 8, 4 };
	const uint64_t *at = vcpu->debug.watches ? vcpu->debug.dr : vcpu->dr;
	uint64_t dr7 = conditions(vcpu);
	uint32_t bits = 0;

	for (unsigned int i = 0; i < 4; i++) {
		uint64_t length = sizes[dr7 >> (18 + 4 * i) & 3], from = at[i] & ~(length - 1);

		if (dr7 >> (2 * i) & 3 && is_meant(dr7 >> (16 + 4 * i) & 3, access) &&
		    address < from + length && from < address + size)
			bits |= 1u << i;
	}
	return bits;
}

bool debug_hit(struct hv_vcpu *vcpu, uint32_t bits)
{
	if (!vcpu->debug.watches) {
		event_raise_db(vcpu, bits);
		return false;
	}
	tell(vcpu, EXCEPTION_DB, DR6_NOTHING | bits);
	return true;
}
