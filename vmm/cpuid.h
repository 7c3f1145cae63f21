/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_CPUID_H
#define HUTCH_VMM_CPUID_H

/*
 * The processor that the guest sees: the table that KVM_SET_CPUID2 is given for each
 * vCPU. It starts from all that the hypervisor offers, says what this machine adds or
 * lacks, obeys the user's policy, and gets each vCPU's place in the topology last.
 *
 *	cpuid_build()		once for the machine
 *	cpuid_for_vcpu()	for each vCPU, in turn, on the same table
 */

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/cpu_policy.h"

struct cpuid_machine {
	const struct kvm_cpuid2 *supported; /* hutch_supported_cpuid() */
	unsigned int cpu_count;
	bool kernel_irqchip; /* the hypervisor runs the local APICs: its own hypercalls know them */
	bool tsc_deadline;   /* they have it: KVM_CAP_TSC_DEADLINE_TIMER, or the model of dev/ */
	bool x2apic;	     /* they have it */
};

/* What was thought of the policy: one line each, without a newline, empty where nothing was. */
struct cpuid_messages {
	char error[512];
	char warning[512];
};

/*
 * The machine's CPUID table: malloc()ed, the caller's to free(); that of vCPU 0. NULL
 * with a line in @messages->error where the policy asks for what the hypervisor does
 * not offer (errno ENOTSUP), what contradicts itself or does not fit (EINVAL), or
 * where memory ran out (ENOMEM).
 */
struct kvm_cpuid2 *cpuid_build(const struct cpu_policy *policy, const struct cpuid_machine *machine,
			       struct cpuid_messages *messages);

/*
 * Writes into @table what tells one vCPU from another: its APIC id (equal to its vCPU
 * id), and its place among @cpu_count cores of one package. What the policy says of
 * those registers stays as it says. @table must come from cpuid_build().
 */
void cpuid_for_vcpu(struct kvm_cpuid2 *table, const struct cpu_policy *policy, unsigned int vcpu_id,
		    unsigned int cpu_count);

/* The entry for a leaf and subleaf, or NULL. */
struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_cpuid2 *table, uint32_t leaf,
				    uint32_t subleaf);
/* One register of an entry. */
uint32_t *cpuid_register_of(struct kvm_cpuid_entry2 *entry, enum cpuid_register reg);

bool cpuid_has(const struct kvm_cpuid2 *table, const struct cpuid_feature *feature);

/* Vendor, brand, features by name and every entry, as text: --dry-run. */
void cpuid_print(FILE *out, const struct kvm_cpuid2 *table);

/*
 * Which bits of @table a hypervisor refuses that takes @supported. @accepts tries one
 * table (KVM_SET_CPUID2) and says whether it was taken. Writes one line to @text:
 * "avx512f (leaf 0x7:0 EBX bit 16), ...". Returns how many bits it found, 0 where even
 * @supported is refused, or the reason is no single bit.
 */
unsigned int cpuid_find_refused(const struct kvm_cpuid2 *table, const struct kvm_cpuid2 *supported,
				bool (*accepts)(void *context, const struct kvm_cpuid2 *candidate),
				void *context, char *text, size_t size);

#endif
