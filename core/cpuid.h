/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_CPUID_H
#define HUTCH_CORE_CPUID_H

/* CPUID as the guest sees it: the VMM's table, and a few bits that follow the guest's state. */

#include "core/hv.h"

enum cpuid_register {
	CPUID_EAX,
	CPUID_EBX,
	CPUID_ECX,
	CPUID_EDX,
};

/* Carries out CPUID: leaf in EAX, subleaf in ECX. */
void cpuid_answer(struct hv_vcpu *vcpu);

/* The four results for a leaf that the guest may ask for; CR4 and the APIC are looked at. */
void cpuid_look(struct hv_vcpu *vcpu, uint32_t function, uint32_t index, uint32_t result[4]);

bool cpuid_bit(const struct hv_vcpu *vcpu, uint32_t function, enum cpuid_register result,
	       unsigned int bit);

#endif
