/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cpuid.h"

/*
 * --cpu with any text, applied to any hypervisor. The input is a table of CPUID
 * entries, as many as its first byte says, and the policy's text behind them. What
 * comes out must be whole: no feature by name that was not offered, and only what was
 * asked for by number beyond that.
 */

static void check(bool good, const char *what)
{
	if (!good) {
		fprintf(stderr, "broken promise: %s\n", what);
		abort();
	}
}

static bool set_by_number(const struct cpu_policy *policy, const struct cpuid_feature *feature)
{
	for (unsigned int i = 0; i < policy->rule_count; i++) {
		const struct cpu_rule *rule = &policy->rules[i];

		if (rule->kind == CPU_RULE_SET && rule->leaf == feature->leaf &&
		    rule->reg == feature->reg && rule->value >> feature->bit & 1)
			return true;
	}
	return false;
}

static void check_table(const struct kvm_cpuid2 *table, const struct kvm_cpuid2 *supported,
			const struct cpu_policy *policy)
{
	static const enum cpuid_feature_index machine_own[] = {
		CPUID_FEATURE_APIC,	  CPUID_FEATURE_X2APIC, CPUID_FEATURE_TSC_DEADLINE,
		CPUID_FEATURE_HYPERVISOR, CPUID_FEATURE_HTT,	CPUID_FEATURE_CMP_LEGACY,
	};

	check(table->nent <= 256, "256 entries");
	for (int f = 0; f < CPUID_FEATURE_COUNT; f++) {
		const struct cpuid_feature *feature = &cpuid_features[f];
		bool fine = !cpuid_has(table, feature) || cpuid_has(supported, feature) ||
			    set_by_number(policy, feature);

		for (size_t i = 0; i < sizeof(machine_own) / sizeof(machine_own[0]); i++)
			fine = fine || machine_own[i] == (enum cpuid_feature_index)f;
		check(fine, feature->name);
	}
}

static bool accepts_offered(void *context, const struct kvm_cpuid2 *candidate)
{
	const struct kvm_cpuid2 *supported = context;

	for (int f = 0; f < CPUID_FEATURE_COUNT; f++)
		if (cpuid_has(candidate, &cpuid_features[f]) &&
		    !cpuid_has(supported, &cpuid_features[f]))
			return false;
	return true;
}

static void try_policy(const struct kvm_cpuid2 *supported, const char *text, unsigned int cpus,
		       unsigned int flags)
{
	const struct cpuid_machine machine = {
		.supported = supported,
		.cpu_count = cpus,
		.kernel_irqchip = flags & 1,
		.tsc_deadline = flags & 2,
		.x2apic = flags & 4,
	};
	struct cpuid_messages messages;
	struct cpu_policy policy;
	struct kvm_cpuid2 *table;
	char error[128], refused[256];

	if (cpu_policy_parse(text, &policy, error, sizeof(error))) {
		check(error[0] && !strchr(error, '\n'), "an error is one line");
		return;
	}
	table = cpuid_build(&policy, &machine, &messages);
	if (!table) {
		check(messages.error[0], "a refusal says why");
		return;
	}
	check_table(table, supported, &policy);
	cpuid_for_vcpu(table, &policy, cpus - 1, cpus);
	check_table(table, supported, &policy);
	cpuid_find_refused(table, supported, accepts_offered, (void *)supported, refused,
			   sizeof(refused));
	free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const size_t entry_size = sizeof(struct kvm_cpuid_entry2);
	struct kvm_cpuid2 *supported;
	size_t count;
	char *text;

	if (size < 3)
		return 0;
	count = data[0] < (size - 3) / entry_size ? data[0] : (size - 3) / entry_size;
	supported = calloc(1, sizeof(*supported) + count * entry_size);
	text = calloc(1, size);
	if (supported && text) {
		supported->nent = (uint32_t)count;
		memcpy(supported->entries, data + 3, count * entry_size);
		memcpy(text, data + 3 + count * entry_size, size - 3 - count * entry_size);
		try_policy(supported, text, 1 + data[1] * 5u, data[2]);
	}
	free(text);
	free(supported);
	return 0;
}
