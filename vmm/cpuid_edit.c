/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/cpuid_edit.h"

#include <string.h>

/*
 * A CPUID table as KVM takes it (Documentation/virt/kvm/api.rst, KVM_SET_CPUID2): an
 * unordered list of entries, of which those with KVM_CPUID_FLAG_SIGNIFCANT_INDEX hold
 * for one subleaf and the others for all.
 */

/* CPUID numbers come in classes, each with its own highest leaf: SDM 2A, "CPUID". */
#define LEAF_CLASS 0xf0000000u

struct kvm_cpuid_entry2 *cpuid_find(const struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &table->entries[i];

		if (entry->function == leaf &&
		    (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) || entry->index == subleaf))
			return (struct kvm_cpuid_entry2 *)entry;
	}
	return NULL;
}

uint32_t *cpuid_register_of(struct kvm_cpuid_entry2 *entry, enum cpuid_register reg)
{
	switch (reg) {
	case CPUID_EAX:
		return &entry->eax;
	case CPUID_EBX:
		return &entry->ebx;
	case CPUID_ECX:
		return &entry->ecx;
	default:
		return &entry->edx;
	}
}

static void raise_highest_leaf(struct kvm_cpuid2 *table, uint32_t leaf)
{
	struct kvm_cpuid_entry2 *first = cpuid_find(table, leaf & LEAF_CLASS, 0);

	if (first && first->eax < leaf)
		first->eax = leaf;
}

struct kvm_cpuid_entry2 *cpuid_add(struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf)
{
	struct kvm_cpuid_entry2 *entry = cpuid_find(table, leaf, subleaf);

	if (entry && (subleaf == 0 || entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX))
		return entry;
	if (table->nent == CPUID_ENTRIES_MAX)
		return NULL;
	if (entry) /* until now the same for all subleaves */
		entry->flags |= KVM_CPUID_FLAG_SIGNIFCANT_INDEX;

	raise_highest_leaf(table, leaf);
	entry = &table->entries[table->nent++];
	memset(entry, 0, sizeof(*entry));
	entry->function = leaf;
	entry->index = subleaf;
	if (subleaf || cpuid_leaf_has_subleaves(leaf))
		entry->flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	return entry;
}

uint32_t cpuid_get(const struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf,
		   enum cpuid_register reg)
{
	struct kvm_cpuid_entry2 *entry = cpuid_find(table, leaf, subleaf);

	return entry ? *cpuid_register_of(entry, reg) : 0;
}

bool cpuid_set(struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf, enum cpuid_register reg,
	       uint32_t value, uint32_t mask)
{
	if ((cpuid_get(table, leaf, subleaf, reg) & mask) == value &&
	    (value == 0 || cpuid_find(table, leaf, subleaf)))
		return true;

	struct kvm_cpuid_entry2 *entry = cpuid_add(table, leaf, subleaf);
	if (!entry)
		return false;
	uint32_t *word = cpuid_register_of(entry, reg);
	*word = (*word & ~mask) | (value & mask);
	return true;
}

void cpuid_save_rules(const struct kvm_cpuid2 *table, const struct cpu_policy *policy,
		      struct cpuid_saved_rules *saved)
{
	for (unsigned int i = 0; i < policy->rule_count; i++)
		saved->words[i] = cpuid_get(table, policy->rules[i].leaf, policy->rules[i].subleaf,
					    policy->rules[i].reg);
}

bool cpuid_restore_rules(struct kvm_cpuid2 *table, const struct cpu_policy *policy,
			 const struct cpuid_saved_rules *saved, unsigned int kinds)
{
	bool fits = true;

	for (unsigned int i = 0; i < policy->rule_count; i++) {
		const struct cpu_rule *rule = &policy->rules[i];

		if (kinds >> rule->kind & 1)
			fits = cpuid_set(table, rule->leaf, rule->subleaf, rule->reg,
					 saved->words[i] & rule->mask, rule->mask) &&
			       fits;
	}
	return fits;
}

bool cpuid_has(const struct kvm_cpuid2 *table, const struct cpuid_feature *feature)
{
	uint32_t word = cpuid_get(table, feature->leaf, feature->subleaf,
				  (enum cpuid_register)feature->reg);

	return word >> feature->bit & 1;
}

void cpuid_clear(struct kvm_cpuid2 *table, enum cpuid_feature_index index)
{
	const struct cpuid_feature *feature = &cpuid_features[index];

	cpuid_set(table, feature->leaf, feature->subleaf, (enum cpuid_register)feature->reg, 0,
		  1u << feature->bit);
}

bool cpuid_is_amd(const struct kvm_cpuid2 *table)
{
	static const char names[][CPU_VENDOR_SIZE + 1] = { "AuthenticAMD", "HygonGenuine" };
	const struct kvm_cpuid_entry2 *first = cpuid_find(table, CPUID_LEAF_VENDOR, 0);

	for (size_t i = 0; first && i < sizeof(names) / sizeof(names[0]); i++)
		if (!memcmp(&first->ebx, &names[i][0], 4) &&
		    !memcmp(&first->edx, &names[i][4], 4) && !memcmp(&first->ecx, &names[i][8], 4))
			return true;
	return false;
}
