/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/cpuid.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cpu_template.h"
#include "vmm/cpuid_edit.h"

/*
 * From what the hypervisor offers to what the guest is shown, in passes over one table:
 *
 *	offer		what is supported, plus and minus what this machine's own
 *			interrupt controllers make of it
 *	template	the features that the user's template leaves
 *	rules		the user's changes, from left to right
 *	names		vendor and brand
 *	consistency	what stands on something that is gone goes too, but not what
 *			the user has set by number
 *	topology	this vCPU's place
 *
 * "Offered" always means the table after the first pass.
 */

struct builder {
	const struct cpu_policy *policy;
	const struct cpuid_machine *machine;
	struct cpuid_messages *messages;
	struct kvm_cpuid2 *offered, *table;
};

/* "a, b, c" grows by one. */
static void append_name(char *text, size_t size, const char *name)
{
	size_t used = strlen(text);

	snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
}

static int fail(struct builder *builder, int error, const char *text)
{
	snprintf(builder->messages->error, sizeof(builder->messages->error), "--cpu: %s", text);
	return -error;
}

/* Warnings share one line. */
static void warn(struct builder *builder, const char *feature, const char *why,
		 const char *other_feature)
{
	char *text = builder->messages->warning;
	size_t size = sizeof(builder->messages->warning), used = strlen(text);

	snprintf(text + used, size - used, "%s%s %s%s", used ? "; " : "--cpu: ", feature, why,
		 other_feature);
}

static int fail_full(struct builder *builder)
{
	return fail(builder, EINVAL, "more CPUID entries than the 256 that a hypervisor takes");
}

static bool set_feature(struct kvm_cpuid2 *table, enum cpuid_feature_index index, bool value)
{
	const struct cpuid_feature *feature = &cpuid_features[index];
	uint32_t mask = 1u << feature->bit;

	return cpuid_set(table, feature->leaf, feature->subleaf, (enum cpuid_register)feature->reg,
			 value ? mask : 0, mask);
}

/*
 * The hypervisor's list knows nothing of whose local APICs there are. Its hypercalls
 * and shared pages for interrupts work on its own alone: with ours in their place an
 * IPI sent that way would be lost (Documentation/virt/kvm/x86/cpuid.rst).
 */
static bool offer_interrupts(struct kvm_cpuid2 *offered, const struct cpuid_machine *machine)
{
	static const enum cpuid_feature_index of_kernel_irqchip[] = {
		CPUID_FEATURE_KVM_ASYNC_PF,	   CPUID_FEATURE_KVM_ASYNC_PF_INT,
		CPUID_FEATURE_KVM_ASYNC_PF_VMEXIT, CPUID_FEATURE_KVM_PV_EOI,
		CPUID_FEATURE_KVM_PV_UNHALT,	   CPUID_FEATURE_KVM_PV_SEND_IPI,
		CPUID_FEATURE_KVM_PV_SCHED_YIELD,  CPUID_FEATURE_KVM_MSI_EXT_DEST_ID,
	};
	bool fits = set_feature(offered, CPUID_FEATURE_APIC, true) &&
		    set_feature(offered, CPUID_FEATURE_X2APIC, machine->x2apic) &&
		    set_feature(offered, CPUID_FEATURE_TSC_DEADLINE, machine->tsc_deadline) &&
		    set_feature(offered, CPUID_FEATURE_HYPERVISOR, true);

	for (size_t i = 0; i < sizeof(of_kernel_irqchip) / sizeof(of_kernel_irqchip[0]); i++)
		if (!machine->kernel_irqchip)
			cpuid_clear(offered, of_kernel_irqchip[i]);
	return fits;
}

/* Whether an entry before it already speaks for this leaf and subleaf. */
static bool is_shadowed(const struct kvm_cpuid2 *table, const struct kvm_cpuid_entry2 *entry)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		const struct kvm_cpuid_entry2 *other = &table->entries[i];

		if (other->function == entry->function &&
		    (other->index == entry->index ||
		     !(other->flags & entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
			return true;
	}
	return false;
}

/* A copy with room to grow, in which each leaf and subleaf stands once. */
static struct kvm_cpuid2 *copy(const struct kvm_cpuid2 *from)
{
	struct kvm_cpuid2 *table =
		calloc(1, sizeof(*table) + CPUID_ENTRIES_MAX * sizeof(table->entries[0]));

	for (uint32_t i = 0; table && i < from->nent; i++)
		if (!is_shadowed(table, &from->entries[i]))
			table->entries[table->nent++] = from->entries[i];
	return table;
}

/* The best level that the hypervisor could do, for the message that refuses another. */
static enum cpu_template best_level(const struct kvm_cpuid2 *offered)
{
	static const enum cpu_template levels[] = {
		CPU_TEMPLATE_V4,
		CPU_TEMPLATE_V3,
		CPU_TEMPLATE_V2,
		CPU_TEMPLATE_MINIMAL,
	};

	for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
		bool good = true;

		for (int f = 0; f < CPUID_FEATURE_COUNT; f++)
			if (cpu_template_needs(levels[i], (enum cpuid_feature_index)f) &&
			    !cpuid_has(offered, &cpuid_features[f]))
				good = false;
		if (good)
			return levels[i];
	}
	return CPU_TEMPLATE_HOST;
}

static int check_template(struct builder *builder)
{
	enum cpu_template template = builder->policy->template;
	char missing[256] = "", text[480];

	if (template == CPU_TEMPLATE_HOST)
		return 0;
	for (int f = 0; f < CPUID_FEATURE_COUNT; f++)
		if (cpu_template_needs(template, (enum cpuid_feature_index)f) &&
		    !cpuid_has(builder->offered, &cpuid_features[f]))
			append_name(missing, sizeof(missing), cpuid_features[f].name);
	if (!missing[0])
		return 0;
	snprintf(text, sizeof(text),
		 "%s needs %s, which the hypervisor does not offer; the best template it can do is "
		 "%s",
		 cpu_template_name(template), missing,
		 cpu_template_name(best_level(builder->offered)));
	return fail(builder, ENOTSUP, text);
}

/* The bits of a register that a template leaves, or all where no feature is in it. */
static uint32_t template_mask(enum cpu_template template, const struct kvm_cpuid_entry2 *entry,
			      enum cpuid_register reg)
{
	uint32_t mask = 0;
	bool any = false;

	for (int f = 0; f < CPUID_FEATURE_COUNT; f++) {
		const struct cpuid_feature *feature = &cpuid_features[f];

		if (feature->leaf != entry->function || feature->subleaf != entry->index ||
		    feature->reg != reg)
			continue;
		any = true;
		if (cpu_template_has(template, (enum cpuid_feature_index)f))
			mask |= 1u << feature->bit;
	}
	return any ? mask : UINT32_MAX;
}

/* AMD repeats bits of leaf 1 here; those of them that stay do so in both places. */
static uint32_t mirrored_mask(enum cpu_template template)
{
	const struct kvm_cpuid_entry2 original = { .function = CPUID_LEAF_VERSION };

	return template_mask(template, &original, CPUID_EDX) & CPUID_MIRRORED_BITS;
}

static void apply_template(struct builder *builder)
{
	enum cpu_template template = builder->policy->template;

	if (template == CPU_TEMPLATE_HOST)
		return;
	for (uint32_t i = 0; i < builder->table->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &builder->table->entries[i];
		bool kept = cpu_template_has_leaf(template, entry->function);

		for (int r = 0; r < CPUID_REGISTER_COUNT; r++) {
			enum cpuid_register reg = (enum cpuid_register)r;
			uint32_t mask = kept ? template_mask(template, entry, reg) : 0;

			if (entry->function == CPUID_LEAF_EXTENDED_VERSION && reg == CPUID_EDX)
				mask |= mirrored_mask(template);
			*cpuid_register_of(entry, reg) &= mask;
		}
	}
}

/* A rule that sets bits by number may go beyond what is offered: it is done, and said. */
static void warn_of_spoofing(struct builder *builder, const struct cpu_rule *rule)
{
	for (int f = 0; f < CPUID_FEATURE_COUNT; f++) {
		const struct cpuid_feature *feature = &cpuid_features[f];

		if (feature->leaf != rule->leaf || feature->subleaf != rule->subleaf ||
		    feature->reg != rule->reg || !(rule->value >> feature->bit & 1) ||
		    cpuid_has(builder->offered, feature))
			continue;
		warn(builder, feature->name,
		     "is shown to the guest although the hypervisor does not offer it", "");
	}
}

static int apply_rules(struct builder *builder)
{
	const struct cpu_policy *policy = builder->policy;
	char refused[256] = "", text[480];

	for (unsigned int i = 0; i < policy->rule_count; i++) {
		const struct cpu_rule *rule = &policy->rules[i];
		bool adds = rule->kind == CPU_RULE_ADD || rule->kind == CPU_RULE_ADD_IF_OFFERED;

		if (adds && !cpuid_has(builder->offered, rule->feature)) {
			if (rule->kind == CPU_RULE_ADD)
				append_name(refused, sizeof(refused), rule->feature->name);
			else
				warn(builder, rule->feature->name,
				     "is left out: the hypervisor does not offer it", "");
			continue;
		}
		if (rule->kind == CPU_RULE_SET)
			warn_of_spoofing(builder, rule);
		if (!cpuid_set(builder->table, rule->leaf, rule->subleaf, rule->reg, rule->value,
			       rule->mask))
			return fail_full(builder);
	}
	if (!refused[0])
		return 0;
	snprintf(text, sizeof(text),
		 "the hypervisor does not offer %s: leave it out, or put a question mark behind it "
		 "to have it where there is one",
		 refused);
	return fail(builder, ENOTSUP, text);
}

/* What the user added by name and the template lacks the ground for. */
static int check_needs(struct builder *builder)
{
	const struct cpu_policy *policy = builder->policy;
	char text[480];

	for (unsigned int i = 0; i < policy->rule_count; i++) {
		const struct cpu_rule *rule = &policy->rules[i];
		const struct cpuid_feature *missing =
			rule->feature && cpuid_has(builder->table, rule->feature)
				? cpuid_missing_need(builder->table, rule->feature)
				: NULL;

		if (!missing)
			continue;
		if (rule->kind == CPU_RULE_ADD_IF_OFFERED) {
			warn(builder, rule->feature->name, "is left out: it cannot be without ",
			     missing->name);
			continue;
		}
		snprintf(text, sizeof(text), "%s cannot be without %s: add +%s, or leave +%s out",
			 rule->feature->name, missing->name, missing->name, rule->feature->name);
		return fail(builder, EINVAL, text);
	}
	return 0;
}

/* Twelve characters in the order EBX, EDX, ECX: SDM 2A, "CPUID"; APM 3, E.3.1. */
static void set_vendor(struct kvm_cpuid_entry2 *entry, const char *vendor)
{
	memcpy(&entry->ebx, vendor, 4);
	memcpy(&entry->edx, vendor + 4, 4);
	memcpy(&entry->ecx, vendor + 8, 4);
}

/* What only AMD's processors say of their cores, for one that was theirs. */
static void silence_amd_topology(struct kvm_cpuid2 *table)
{
	for (uint32_t i = 0; i < table->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &table->entries[i];

		if (entry->function == CPUID_LEAF_ADDRESS_SIZES)
			entry->ecx = 0;
		else if (entry->function == CPUID_LEAF_CACHE_TOPOLOGY ||
			 entry->function == CPUID_LEAF_PROCESSOR_TOPOLOGY)
			entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
	}
}

static int apply_names(struct builder *builder)
{
	const struct cpu_policy *policy = builder->policy;
	static const char no_vendor[CPU_VENDOR_SIZE];
	struct kvm_cpuid_entry2 *entry;

	if (policy->has_vendor) {
		entry = cpuid_add(builder->table, CPUID_LEAF_VENDOR, 0);
		if (!entry)
			return fail_full(builder);
		set_vendor(entry, policy->vendor);
		/* AMD says its name in the extended leaves once more; for Intel they are reserved. */
		entry = cpuid_add(builder->table, CPUID_LEAF_EXTENDED, 0);
		if (!entry)
			return fail_full(builder);
		set_vendor(entry, cpuid_is_amd(builder->table) ? policy->vendor : no_vendor);
		if (!cpuid_is_amd(builder->table))
			silence_amd_topology(builder->table);
	}
	for (unsigned int i = 0; policy->has_brand && i < CPU_BRAND_SIZE / 16; i++) {
		entry = cpuid_add(builder->table, CPUID_LEAF_BRAND_1 + i, 0);
		if (!entry)
			return fail_full(builder);
		for (int r = 0; r < CPUID_REGISTER_COUNT; r++)
			memcpy(cpuid_register_of(entry, (enum cpuid_register)r),
			       policy->brand + 16 * i + 4 * (size_t)r, 4);
	}
	return 0;
}

/* An entry of zeros says nothing that its absence does not say as well. */
static void drop_empty(struct kvm_cpuid2 *table)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < table->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &table->entries[i];

		if (entry->eax | entry->ebx | entry->ecx | entry->edx)
			table->entries[kept++] = *entry;
	}
	table->nent = kept;
}

static int build(struct builder *builder)
{
	struct cpuid_saved_rules saved;
	int error;

	if (!offer_interrupts(builder->offered, builder->machine))
		return fail_full(builder);
	memcpy(builder->table->entries, builder->offered->entries,
	       CPUID_ENTRIES_MAX * sizeof(builder->table->entries[0]));
	builder->table->nent = builder->offered->nent;

	error = check_template(builder);
	if (error)
		return error;
	apply_template(builder);
	drop_empty(builder->table);
	error = apply_rules(builder);
	if (error)
		return error;
	error = check_needs(builder);
	if (error)
		return error;
	error = apply_names(builder);
	if (error)
		return error;
	cpuid_save_rules(builder->table, builder->policy, &saved);
	cpuid_make_consistent(builder->table);
	drop_empty(builder->table);
	if (!cpuid_restore_rules(builder->table, builder->policy, &saved, CPUID_RULES_SET) ||
	    !cpuid_add_topology(builder->table))
		return fail_full(builder);
	cpuid_for_vcpu(builder->table, builder->policy, 0, builder->machine->cpu_count);
	return 0;
}

struct kvm_cpuid2 *cpuid_build(const struct cpu_policy *policy, const struct cpuid_machine *machine,
			       struct cpuid_messages *messages)
{
	struct builder builder = { .policy = policy, .machine = machine, .messages = messages };
	int error;

	memset(messages, 0, sizeof(*messages));
	if (machine->supported->nent > CPUID_ENTRIES_MAX) {
		fail_full(&builder);
		errno = EINVAL;
		return NULL;
	}
	builder.offered = copy(machine->supported);
	builder.table = builder.offered ? copy(builder.offered) : NULL;
	error = builder.table ? build(&builder) : fail(&builder, ENOMEM, "out of memory");
	free(builder.offered);
	if (error) {
		free(builder.table);
		errno = -error;
		return NULL;
	}
	return builder.table;
}
