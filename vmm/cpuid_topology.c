/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/cpuid_edit.h"

/*
 * Where a vCPU stands among the others. The machine is one package of so many cores
 * with one thread each; a core's APIC id is its number. Intel and AMD tell it in ways
 * of their own, and both in leaf 0xb, so all are filled in that the table has:
 *
 *	0x1, 0x4, 0xb, 0x1f		SDM 2A, "CPUID"; SDM 3, 9.9
 *	0x80000008, 0x8000001d, 0x8000001e	APM 3, E.4.7, E.4.15, E.4.16
 */

/* Levels of leaf 0xb, in ECX[15:8] */
#define LEVEL_THREAD	 1u
#define LEVEL_CORE	 2u

#define CACHE_TYPE(eax)	 ((eax)&0x1f)
#define CACHE_LEVEL(eax) ((eax) >> 5 & 7)
/* Caches from this level on are the package's; nearer ones are each core's own. */
#define CACHE_SHARED_LEVEL 3

static uint32_t at_most(uint32_t value, uint32_t limit)
{
	return value < limit ? value : limit;
}

/* How many bits of an APIC id number the cores: the logarithm of their count, rounded up. */
static uint32_t core_bits(unsigned int cpu_count)
{
	uint32_t bits = 0;

	while (bits < 31 && 1u << bits < cpu_count)
		bits++;
	return bits;
}

static void set_field(struct kvm_cpuid2 *table, uint32_t leaf, enum cpuid_register reg,
		      unsigned int shift, uint32_t mask, uint32_t value)
{
	/* Cannot fail: the entry is there, by cpuid_add_topology() or because it was asked for first. */
	cpuid_set(table, leaf, 0, reg, (value & mask) << shift, mask << shift);
}

static void set_version(struct kvm_cpuid2 *table, unsigned int vcpu_id, unsigned int cpu_count)
{
	const uint32_t htt = 1u << cpuid_features[CPUID_FEATURE_HTT].bit;

	set_field(table, CPUID_LEAF_VERSION, CPUID_EBX, 24, 0xff, vcpu_id);
	set_field(table, CPUID_LEAF_VERSION, CPUID_EBX, 16, 0xff, at_most(cpu_count, 255));
	cpuid_set(table, CPUID_LEAF_VERSION, 0, CPUID_EDX, cpu_count > 1 ? htt : 0, htt);
}

static void set_extended_topology(struct kvm_cpuid2 *table, uint32_t leaf, unsigned int vcpu_id,
				  unsigned int cpu_count)
{
	struct kvm_cpuid_entry2 *thread = cpuid_find(table, leaf, 0);
	struct kvm_cpuid_entry2 *core = cpuid_find(table, leaf, 1);

	if (!thread || !core || thread == core)
		return;
	thread->eax = 0;
	thread->ebx = 1;
	thread->ecx = LEVEL_THREAD << 8;
	thread->edx = vcpu_id;
	core->eax = core_bits(cpu_count);
	core->ebx = at_most(cpu_count, 0xffff);
	core->ecx = LEVEL_CORE << 8 | 1;
	core->edx = vcpu_id;
}

static void set_intel_caches(struct kvm_cpuid2 *table, uint32_t ids)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];
		uint32_t sharing;

		if (entry->function != CPUID_LEAF_CACHE_PARAMETERS || !CACHE_TYPE(entry->eax))
			continue;
		sharing = CACHE_LEVEL(entry->eax) >= CACHE_SHARED_LEVEL ? ids - 1 : 0;
		entry->eax &= 0x3fff;
		entry->eax |= at_most(sharing, 0xfff) << 14 | at_most(ids - 1, 0x3f) << 26;
	}
}

static void set_amd_caches(struct kvm_cpuid2 *table, unsigned int cpu_count)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];
		uint32_t sharing;

		if (entry->function != CPUID_LEAF_CACHE_TOPOLOGY || !CACHE_TYPE(entry->eax))
			continue;
		sharing = CACHE_LEVEL(entry->eax) >= CACHE_SHARED_LEVEL ? cpu_count - 1 : 0;
		entry->eax = (entry->eax & 0x3fff) | at_most(sharing, 0xfff) << 14;
	}
}

static void set_amd_topology(struct kvm_cpuid2 *table, unsigned int vcpu_id, unsigned int cpu_count)
{
	const uint32_t legacy = 1u << cpuid_features[CPUID_FEATURE_CMP_LEGACY].bit;
	struct kvm_cpuid_entry2 *entry = cpuid_find(table, CPUID_LEAF_PROCESSOR_TOPOLOGY, 0);

	if (cpuid_find(table, CPUID_LEAF_EXTENDED_VERSION, 0))
		cpuid_set(table, CPUID_LEAF_EXTENDED_VERSION, 0, CPUID_ECX,
			  cpu_count > 1 ? legacy : 0, legacy);
	if (cpuid_find(table, CPUID_LEAF_ADDRESS_SIZES, 0)) {
		set_field(table, CPUID_LEAF_ADDRESS_SIZES, CPUID_ECX, 0, 0xff,
			  at_most(cpu_count - 1, 0xff));
		set_field(table, CPUID_LEAF_ADDRESS_SIZES, CPUID_ECX, 12, 0xf,
			  at_most(core_bits(cpu_count), 0xf));
	}
	if (entry) {
		entry->eax = vcpu_id;
		entry->ebx = vcpu_id & 0xff; /* core id; one thread in each */
		entry->ecx = 0;		     /* one node */
	}
}

bool cpuid_add_topology(struct kvm_cpuid2 *table)
{
	bool has_x2apic = cpuid_has(table, &cpuid_features[CPUID_FEATURE_X2APIC]);
	uint32_t highest = cpuid_get(table, CPUID_LEAF_VENDOR, 0, CPUID_EAX);
	bool fits = cpuid_add(table, CPUID_LEAF_VERSION, 0);

	/* An x2APIC id fits nowhere but into leaf 0xb. */
	if (has_x2apic || highest >= CPUID_LEAF_TOPOLOGY)
		fits = fits && cpuid_add(table, CPUID_LEAF_TOPOLOGY, 0) &&
		       cpuid_add(table, CPUID_LEAF_TOPOLOGY, 1);
	if (highest >= CPUID_LEAF_TOPOLOGY_V2)
		fits = fits && cpuid_add(table, CPUID_LEAF_TOPOLOGY_V2, 0) &&
		       cpuid_add(table, CPUID_LEAF_TOPOLOGY_V2, 1);
	if (cpuid_is_amd(table) &&
	    cpuid_has(table, &cpuid_features[CPUID_FEATURE_TOPOLOGY_EXTENSIONS]))
		fits = fits && cpuid_add(table, CPUID_LEAF_PROCESSOR_TOPOLOGY, 0);
	return fits;
}

void cpuid_for_vcpu(struct kvm_cpuid2 *table, const struct cpu_policy *policy, unsigned int vcpu_id,
		    unsigned int cpu_count)
{
	struct cpuid_saved_rules saved;

	cpuid_save_rules(table, policy, &saved);
	set_version(table, vcpu_id, cpu_count);
	set_extended_topology(table, CPUID_LEAF_TOPOLOGY, vcpu_id, cpu_count);
	set_extended_topology(table, CPUID_LEAF_TOPOLOGY_V2, vcpu_id, cpu_count);
	set_intel_caches(table, 1u << core_bits(cpu_count));
	if (cpuid_is_amd(table)) {
		set_amd_caches(table, cpu_count);
		set_amd_topology(table, vcpu_id, cpu_count);
	}
	cpuid_restore_rules(table, policy, &saved, CPUID_RULES_ALL);
}
