/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_CPUID_EDIT_H
#define HUTCH_VMM_CPUID_EDIT_H

/*
 * What the files that make a CPUID table share, and nobody else needs: getting at an
 * entry that may not be there yet, changing bits, and the passes that follow each
 * other in cpuid_build().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/cpuid.h"

/* KVM_MAX_CPUID_ENTRIES of Linux: the room of a table that is being made. */
#define CPUID_ENTRIES_MAX 256

/* AMD shows most of leaf 1's EDX a second time, in 0x80000001: APM 3, E.4.2. */
#define CPUID_MIRRORED_BITS 0x0183f3ffu

/*
 * The entry for a leaf and subleaf; one of zeros is added where there is none, and the
 * highest leaf is raised where that is needed to make it visible. NULL when full.
 */
struct kvm_cpuid_entry2 *cpuid_add(struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf);

/* A register of the table; 0 where the entry is absent. */
uint32_t cpuid_get(const struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf,
		   enum cpuid_register reg);

/* Replaces the bits of @mask by those of @value. False when the table is full. */
bool cpuid_set(struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf, enum cpuid_register reg,
	       uint32_t value, uint32_t mask);

/*
 * What the policy's rules have made of their bits, so that a pass may change them and
 * give them back after it: those of the rules whose kind is in the set @kinds.
 */
struct cpuid_saved_rules {
	uint32_t words[CPU_POLICY_RULES_MAX];
};
#define CPUID_RULES_SET (1u << CPU_RULE_SET)
#define CPUID_RULES_ALL (~0u)
void cpuid_save_rules(const struct kvm_cpuid2 *table, const struct cpu_policy *policy,
		      struct cpuid_saved_rules *saved);
bool cpuid_restore_rules(struct kvm_cpuid2 *table, const struct cpu_policy *policy,
			 const struct cpuid_saved_rules *saved, unsigned int kinds);

/* Clears a feature's bit, if it is there. */
void cpuid_clear(struct kvm_cpuid2 *table, enum cpuid_feature_index feature);

static inline bool cpuid_has_index(const struct kvm_cpuid2 *table, enum cpuid_feature_index feature)
{
	return cpuid_has(table, &cpuid_features[feature]);
}

/* AMD's way of telling topology and caches: AuthenticAMD, HygonGenuine. */
bool cpuid_is_amd(const struct kvm_cpuid2 *table);

/* The feature that @feature cannot be without and that is missing; NULL where all is well. */
const struct cpuid_feature *cpuid_missing_need(const struct kvm_cpuid2 *table,
					       const struct cpuid_feature *feature);

/*
 * Makes one whole of a table from which features were taken: what cannot be without
 * them goes too, and so do the states and leaves that described them.
 */
void cpuid_make_consistent(struct kvm_cpuid2 *table);

/* Adds the entries that cpuid_for_vcpu() fills in. False when the table is full. */
bool cpuid_add_topology(struct kvm_cpuid2 *table);

#endif
