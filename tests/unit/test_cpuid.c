/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/cpuid.h"

/*
 * What the guest's processor looks like. The hypervisors here are made up of the CPUID
 * of two real kinds of processor, as KVM would offer them: an Intel server with
 * AVX-512 and an AMD server without.
 */

#define ENTRIES_MAX 300

struct table {
	struct kvm_cpuid2 head;
	struct kvm_cpuid_entry2 entries[ENTRIES_MAX];
};

static void put(struct table *table, uint32_t leaf, int subleaf, uint32_t eax, uint32_t ebx,
		uint32_t ecx, uint32_t edx)
{
	struct kvm_cpuid_entry2 entry = {
		.function = leaf,
		.index = subleaf < 0 ? 0 : (uint32_t)subleaf,
		.flags = subleaf < 0 ? 0 : KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		.eax = eax,
		.ebx = ebx,
		.ecx = ecx,
		.edx = edx,
	};

	assert_true(table->head.nent < ENTRIES_MAX);
	memcpy(&table->head.entries[table->head.nent++], &entry, sizeof(entry));
}

static void intel(struct table *table)
{
	memset(table, 0, sizeof(*table));
	put(table, 0x0, -1, 0x1f, 0x756e6547, 0x6c65746e, 0x49656e69);
	put(table, 0x1, -1, 0x00050654, 0x00100800, 0x77fa3203, 0x1fcbfbff);
	put(table, 0x4, 0, 0x1c004121, 0x01c0003f, 0x3f, 0);
	put(table, 0x4, 1, 0x1c004122, 0x01c0003f, 0x3f, 0);
	put(table, 0x4, 2, 0x1c004143, 0x03c0003f, 0x3ff, 0);
	put(table, 0x4, 3, 0x1c03c163, 0x0280003f, 0x7fff, 4);
	put(table, 0x5, -1, 0, 0, 0, 0);
	put(table, 0x6, -1, 4, 0, 0, 0);
	put(table, 0x7, 0, 1, 0xd19f47eb, 0x0000000c, 0xac000400);
	put(table, 0x7, 1, 0, 0, 0, 0);
	put(table, 0xa, -1, 0x07300404, 0, 0, 0x603);
	put(table, 0xb, 0, 0, 0, 0, 0);
	put(table, 0xd, 0, 0x2e7, 0x240, 0xa88, 0);
	put(table, 0xd, 1, 0xf, 0x240, 0, 0);
	put(table, 0xd, 2, 0x100, 0x240, 0, 0);
	put(table, 0xd, 5, 0x40, 0x440, 0, 0);
	put(table, 0xd, 6, 0x200, 0x480, 0, 0);
	put(table, 0xd, 7, 0x400, 0x680, 0, 0);
	put(table, 0xd, 9, 0x8, 0xa80, 0, 0);
	put(table, 0x14, 0, 1, 0xf, 7, 0);
	put(table, 0x1f, 0, 0, 0, 0, 0);
	put(table, 0x40000000, -1, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	put(table, 0x40000001, -1, 0x01007efb, 0, 0, 0);
	put(table, 0x80000000, -1, 0x80000008, 0, 0, 0);
	put(table, 0x80000001, -1, 0, 0, 0x121, 0x2c100800);
	put(table, 0x80000002, -1, 0x65746e49, 0x2952286c, 0x6f655820, 0x2952286e);
	put(table, 0x80000003, -1, 0x55504320, 0x20402020, 0x30302e32, 0x007a4847);
	put(table, 0x80000007, -1, 0, 0, 0, 0x100);
	put(table, 0x80000008, -1, 0x302e, 0, 0, 0);
}

static void amd(struct table *table)
{
	memset(table, 0, sizeof(*table));
	put(table, 0x0, -1, 0xd, 0x68747541, 0x444d4163, 0x69746e65);
	put(table, 0x1, -1, 0x00830f10, 0x00100800, 0x76da3203, 0x178bfbff);
	put(table, 0x7, 0, 0, 0x219c01a9, 0x00400004, 0);
	put(table, 0xd, 0, 0x7, 0x240, 0x340, 0);
	put(table, 0xd, 1, 0xf, 0x340, 0, 0);
	put(table, 0xd, 2, 0x100, 0x240, 0, 0);
	put(table, 0x40000000, -1, 0x40000001, 0x4b4d564b, 0x564b4d56, 0x4d);
	put(table, 0x40000001, -1, 0x01007efb, 0, 0, 0);
	put(table, 0x80000000, -1, 0x8000001f, 0x68747541, 0x444d4163, 0x69746e65);
	put(table, 0x80000001, -1, 0x00830f10, 0, 0x004003f7, 0x2fd3fbff);
	put(table, 0x80000008, -1, 0x3030, 0x0108d205, 0x7007, 0);
	put(table, 0x8000000a, -1, 1, 16, 0, 0x4b);
	put(table, 0x8000001d, 0, 0x00004121, 0x01c0003f, 0x3f, 0);
	put(table, 0x8000001d, 2, 0x00004143, 0x01c0003f, 0x3ff, 2);
	put(table, 0x8000001d, 3, 0x0001c163, 0x03c0003f, 0x3fff, 1);
	put(table, 0x8000001e, -1, 0, 0, 0, 0);
}

static struct cpuid_messages messages;
static struct cpu_policy policy;

static struct kvm_cpuid2 *build_for(const struct table *supported, const char *text,
				    unsigned int cpus, bool kernel_irqchip)
{
	const struct cpuid_machine machine = {
		.supported = &supported->head,
		.cpu_count = cpus,
		.kernel_irqchip = kernel_irqchip,
		.tsc_deadline = true,
		.x2apic = true,
	};
	char error[256];

	if (cpu_policy_parse(text, &policy, error, sizeof(error)))
		fail_msg("%s: %s", text, error);
	return cpuid_build(&policy, &machine, &messages);
}

static struct kvm_cpuid2 *build(const struct table *supported, const char *text)
{
	struct kvm_cpuid2 *table = build_for(supported, text, 4, true);

	if (!table)
		fail_msg("%s: %s", text, messages.error);
	assert_string_equal(messages.error, "");
	return table;
}

static void refused(const struct table *supported, const char *text, int error, const char *part)
{
	assert_null(build_for(supported, text, 4, true));
	assert_int_equal(errno, error);
	if (!strstr(messages.error, part))
		fail_msg("%s: '%s' without '%s'", text, messages.error, part);
	assert_null(strchr(messages.error, '\n'));
}

static uint32_t get(const struct kvm_cpuid2 *table, uint32_t leaf, uint32_t subleaf,
		    enum cpuid_register reg)
{
	struct kvm_cpuid_entry2 *entry = cpuid_find(table, leaf, subleaf);

	return entry ? *cpuid_register_of(entry, reg) : 0;
}

static bool has(const struct kvm_cpuid2 *table, enum cpuid_feature_index feature)
{
	return cpuid_has(table, &cpuid_features[feature]);
}

/* ---- the words of CPUID ------------------------------------------------ */

static void names_are_unique_and_lead_back(void **state)
{
	(void)state;
	for (int i = 0; i < CPUID_FEATURE_COUNT; i++) {
		const struct cpuid_feature *feature = &cpuid_features[i];

		assert_true(strlen(feature->name) < CPUID_NAME_MAX && feature->bit < 32);
		assert_ptr_equal(cpuid_feature_find(feature->name, strlen(feature->name)), feature);
		assert_ptr_equal(cpuid_feature_at(feature->leaf, feature->subleaf,
						  (enum cpuid_register)feature->reg, feature->bit),
				 feature);
		assert_non_null(cpuid_leaf_about(feature->leaf));
	}
	for (size_t i = 0; i < cpuid_alias_count; i++)
		assert_ptr_equal(
			cpuid_feature_find(cpuid_aliases[i].name, strlen(cpuid_aliases[i].name)),
			&cpuid_features[cpuid_aliases[i].feature]);
}

static void names_are_forgiving(void **state)
{
	(void)state;
	assert_ptr_equal(cpuid_feature_find("SSE4.1", 6), &cpuid_features[CPUID_FEATURE_SSE4_1]);
	assert_ptr_equal(cpuid_feature_find("avx512-vnni-and-more", 11),
			 &cpuid_features[CPUID_FEATURE_AVX512_VNNI]);
	assert_null(cpuid_feature_find("", 0));
	assert_null(cpuid_feature_find("--", 2));
	assert_null(cpuid_feature_find("avx3", 4));
	assert_null(cpuid_feature_nearest("zzzzzzzzzz", 10));
	assert_ptr_equal(cpuid_feature_nearest("avx512ff", 8),
			 &cpuid_features[CPUID_FEATURE_AVX512F]);
	assert_null(cpuid_feature_at(1, 0, CPUID_ECX, 16)); /* reserved */
	assert_true(cpuid_leaf_has_subleaves(0xd));
	assert_false(cpuid_leaf_has_subleaves(1));
	assert_string_equal(cpuid_register_name(CPUID_EDX), "EDX");
}

static void the_instruction_agrees_with_the_table(void **state)
{
	(void)state;
	/* Whatever runs this is an x86-64. */
	struct cpuid_registers version = cpuid_execute(CPUID_LEAF_VERSION, 0);

	assert_true(version.value[CPUID_EDX] >> cpuid_features[CPUID_FEATURE_SSE2].bit & 1);
	assert_true(cpuid_execute(CPUID_LEAF_VENDOR, 0).value[CPUID_EAX] >= 1);
}

/* ---- templates and rules ------------------------------------------------ */

static void host_shows_all_there_is(void **state)
{
	(void)state;
	struct table supported;

	intel(&supported);
	struct kvm_cpuid2 *table = build(&supported, "host");

	assert_int_equal(get(table, 7, 0, CPUID_EBX), 0xd19f47eb);
	assert_int_equal(get(table, 0xd, 0, CPUID_EAX), 0x2e7);
	assert_int_equal(get(table, 0xd, 0, CPUID_ECX), 0xa88);
	assert_null(cpuid_find(table, 0x14, 0)); /* nothing to trace with */
	assert_int_equal(get(table, 0xa, 0, CPUID_EAX), 0x07300404);
	assert_true(has(table, CPUID_FEATURE_HYPERVISOR) && has(table, CPUID_FEATURE_X2APIC));
	assert_int_equal(get(table, 0x40000001, 0, CPUID_EAX), 0x01007efb);
	assert_string_equal(messages.warning, "");
	free(table);
}

static void template_leaves_its_level_and_no_more(void **state)
{
	(void)state;
	struct table supported;

	intel(&supported);
	struct kvm_cpuid2 *table = build(&supported, "x86-64-v3");

	assert_true(has(table, CPUID_FEATURE_AVX2) && has(table, CPUID_FEATURE_MOVBE) &&
		    has(table, CPUID_FEATURE_SMEP));
	assert_false(has(table, CPUID_FEATURE_AVX512F) || has(table, CPUID_FEATURE_AES) ||
		     has(table, CPUID_FEATURE_RTM) || has(table, CPUID_FEATURE_PKU));
	assert_int_equal(get(table, 0xd, 0, CPUID_EAX), 7);
	assert_int_equal(get(table, 0xd, 0, CPUID_ECX), 0x340);
	assert_null(cpuid_find(table, 0xd, 6));
	assert_null(cpuid_find(table, 0xa, 0));
	assert_null(cpuid_find(table, 0x14, 0));
	assert_true(has(table, CPUID_FEATURE_KVM_CLOCKSOURCE2));
	free(table);

	table = build(&supported, "minimal");
	assert_int_equal(get(table, 7, 0, CPUID_EBX), 0);
	assert_null(cpuid_find(table, 0xd, 0));
	assert_true(has(table, CPUID_FEATURE_SSE2) && has(table, CPUID_FEATURE_LM) &&
		    has(table, CPUID_FEATURE_NX) && has(table, CPUID_FEATURE_HYPERVISOR));
	assert_false(has(table, CPUID_FEATURE_SSE3) || has(table, CPUID_FEATURE_XSAVE));
	free(table);
}

static void template_is_refused_by_what_is_missing(void **state)
{
	(void)state;
	struct table supported;

	amd(&supported);
	refused(&supported, "x86-64-v4", ENOTSUP, "avx512f");
	refused(&supported, "x86-64-v4", ENOTSUP, "the best template it can do is x86-64-v3");
	struct kvm_cpuid2 *table = build(&supported, "compat");
	assert_true(has(table, CPUID_FEATURE_AES) && has(table, CPUID_FEATURE_ADX));
	assert_false(has(table, CPUID_FEATURE_SSE4A) || has(table, CPUID_FEATURE_SHA) ||
		     has(table, CPUID_FEATURE_CLZERO));
	/* AMD's second copy of leaf 1's EDX says the same as the first. */
	assert_int_equal(get(table, 0x80000001, 0, CPUID_EDX) & 0x0183f3ff,
			 get(table, 1, 0, CPUID_EDX) & 0x0183f3ff);
	free(table);
}

static void compat_is_the_same_everywhere(void **state)
{
	(void)state;
	struct table one, other;

	intel(&one);
	amd(&other);
	struct kvm_cpuid2 *left = build(&one, "compat"), *right = build(&other, "compat");

	for (int i = 0; i < CPUID_FEATURE_COUNT; i++) {
		/* Vendors differ in how they tell topology and time. */
		if (i == CPUID_FEATURE_CMP_LEGACY || i == CPUID_FEATURE_TOPOLOGY_EXTENSIONS ||
		    i == CPUID_FEATURE_ALT_MOV_CR8 || i == CPUID_FEATURE_TSC_INVARIANT ||
		    i == CPUID_FEATURE_ARAT)
			continue;
		if (has(left, (enum cpuid_feature_index)i) !=
		    has(right, (enum cpuid_feature_index)i))
			fail_msg("%s differs", cpuid_features[i].name);
	}
	free(left);
	free(right);
}

static void features_are_added_and_removed(void **state)
{
	(void)state;
	struct table supported;

	intel(&supported);
	struct kvm_cpuid2 *table = build(&supported, "x86-64-v2,+aes,-popcnt,+aes,-pcid");

	assert_true(has(table, CPUID_FEATURE_AES));
	assert_false(has(table, CPUID_FEATURE_POPCNT) || has(table, CPUID_FEATURE_PCID));
	assert_false(has(table, CPUID_FEATURE_INVPCID)); /* goes with PCID */
	free(table);

	table = build(&supported, "x86-64-v2,+xsave,+avx,+avx2");
	assert_int_equal(get(table, 0xd, 0, CPUID_EAX), 7);
	assert_true(has(table, CPUID_FEATURE_AVX2));
	free(table);

	table = build(&supported, "host,+avx,-avx");
	assert_false(has(table, CPUID_FEATURE_AVX) || has(table, CPUID_FEATURE_AVX2) ||
		     has(table, CPUID_FEATURE_FMA) || has(table, CPUID_FEATURE_AVX512VL));
	free(table);
}

static void what_is_not_offered_is_refused_by_name(void **state)
{
	(void)state;
	struct table supported;

	amd(&supported);
	refused(&supported, "host,+avx512f,+pku,+avx", ENOTSUP, "does not offer avx512f, pku:");
	refused(&supported, "host,+avx512f,+pku,+avx", ENOTSUP, "question mark");
	refused(&supported, "minimal,+avx2", EINVAL, "avx2 cannot be without avx: add +avx");
	refused(&supported, "minimal,+avx2,+avx", EINVAL, "avx cannot be without xsave");

	struct kvm_cpuid2 *table = build(&supported, "host,+avx512f?,+aes?");
	assert_string_equal(messages.warning,
			    "--cpu: avx512f is left out: the hypervisor does not offer it");
	assert_true(has(table, CPUID_FEATURE_AES));
	free(table);
	table = build(&supported, "minimal,+avx2?");
	assert_string_equal(messages.warning, "--cpu: avx2 is left out: it cannot be without avx");
	assert_false(has(table, CPUID_FEATURE_AVX2));
	free(table);
}

static void registers_are_set_whatever_else(void **state)
{
	(void)state;
	struct table supported;

	amd(&supported);
	/* A feature that is not there, one that has no ground, a leaf beyond the highest, topology. */
	struct kvm_cpuid2 *table = build(&supported,
					 "minimal,0x7:0:ecx=0x8/0x8,0x7:0:ebx=0x20/0x20,"
					 "0x15:0:eax=2,0x1:0:ebx=0x7/0xff,"
					 "0x1:0:ebx=0x99000000/0xff000000");

	assert_true(has(table, CPUID_FEATURE_PKU) && has(table, CPUID_FEATURE_AVX2));
	assert_non_null(strstr(messages.warning, "pku is shown to the guest"));
	assert_null(strstr(messages.warning, "avx2"));
	assert_int_equal(get(table, 0x15, 0, CPUID_EAX), 2);
	assert_true(get(table, 0, 0, CPUID_EAX) >= 0x15);
	assert_int_equal(get(table, 1, 0, CPUID_EBX), 0x99040807);
	cpuid_for_vcpu(table, &policy, 3, 4);
	assert_int_equal(get(table, 1, 0, CPUID_EBX), 0x99040807);
	assert_int_equal(get(table, 0xb, 0, CPUID_EDX), 3);
	free(table);

	/* The last word wins, also over the topology's own bits. */
	table = build(&supported, "host,0x1:0:ecx=0/1,+sse3,-htt");
	cpuid_for_vcpu(table, &policy, 1, 4);
	assert_true(has(table, CPUID_FEATURE_SSE3));
	assert_false(has(table, CPUID_FEATURE_HTT));
	free(table);
}

static void full_tables_are_refused(void **state)
{
	(void)state;
	struct table supported;

	amd(&supported);
	while (supported.head.nent < 256)
		put(&supported, 0x20000000 + supported.head.nent, -1, 1, 1, 1, 1);
	refused(&supported, "host,0x30000000:0:eax=1", EINVAL, "256");
	put(&supported, 0x20000000, -1, 1, 1, 1, 1);
	refused(&supported, "host", EINVAL, "256");
}

static void vendor_and_brand_are_spoofed(void **state)
{
	(void)state;
	struct table supported;

	amd(&supported);
	struct kvm_cpuid2 *table =
		build(&supported, "host,vendor=GenuineIntel,brand=\"Hutch, at your service\"");
	struct kvm_cpuid_entry2 *first = cpuid_find(table, 0, 0);

	assert_true(first->ebx == 0x756e6547 && first->edx == 0x49656e69 &&
		    first->ecx == 0x6c65746e);
	assert_int_equal(get(table, 0x80000000, 0, CPUID_EBX), 0);
	assert_int_equal(get(table, 0x80000002, 0, CPUID_EAX), 0x63747548); /* "Hutc" */
	assert_int_equal(get(table, 0x80000008, 0, CPUID_ECX), 0);
	assert_null(cpuid_find(table, 0x8000001e, 0));
	free(table);

	intel(&supported);
	table = build(&supported, "host,vendor=AuthenticAMD,brand=");
	assert_true(get(table, 0x80000000, 0, CPUID_EBX) == 0x68747541);
	assert_null(cpuid_find(table, 0x80000002, 0));
	free(table);
}

static void hidden_hypervisor_leaves_no_trace(void **state)
{
	(void)state;
	struct table supported;

	intel(&supported);
	struct kvm_cpuid2 *table = build(&supported, "host,-hypervisor");

	assert_false(has(table, CPUID_FEATURE_HYPERVISOR));
	assert_null(cpuid_find(table, 0x40000000, 0));
	assert_null(cpuid_find(table, 0x40000001, 0));
	free(table);
}

/* ---- the machine -------------------------------------------------------- */

static void own_irqchip_has_no_hypercalls(void **state)
{
	(void)state;
	struct table supported;

	intel(&supported);
	struct kvm_cpuid2 *table = build_for(&supported, "host", 2, false);

	assert_non_null(table);
	assert_false(has(table, CPUID_FEATURE_KVM_PV_SEND_IPI) ||
		     has(table, CPUID_FEATURE_KVM_PV_UNHALT) ||
		     has(table, CPUID_FEATURE_KVM_PV_EOI) ||
		     has(table, CPUID_FEATURE_KVM_ASYNC_PF_INT));
	assert_true(has(table, CPUID_FEATURE_KVM_CLOCKSOURCE2) &&
		    has(table, CPUID_FEATURE_KVM_STEAL_TIME));
	free(table);

	/* What the local APICs lack is not shown, and cannot be asked for. */
	const struct cpuid_machine machine = { .supported = &supported.head, .cpu_count = 1 };
	char error[256];
	assert_int_equal(cpu_policy_parse("host", &policy, error, sizeof(error)), 0);
	table = cpuid_build(&policy, &machine, &messages);
	assert_non_null(table);
	assert_false(has(table, CPUID_FEATURE_X2APIC) || has(table, CPUID_FEATURE_TSC_DEADLINE));
	assert_true(has(table, CPUID_FEATURE_APIC));
	free(table);
	assert_int_equal(cpu_policy_parse("host,+x2apic", &policy, error, sizeof(error)), 0);
	assert_null(cpuid_build(&policy, &machine, &messages));
	assert_non_null(strstr(messages.error, "x2apic"));
}

static void topology_of_intel(void **state)
{
	(void)state;
	struct table supported;

	intel(&supported);
	struct kvm_cpuid2 *table = build_for(&supported, "host", 6, true);

	assert_non_null(table);
	for (unsigned int id = 0; id < 6; id++) {
		cpuid_for_vcpu(table, &policy, id, 6);
		assert_int_equal(get(table, 1, 0, CPUID_EBX), id << 24 | 6 << 16 | 0x800);
		for (uint32_t leaf = 0xb; leaf <= 0x1f; leaf += 0x14) {
			assert_int_equal(get(table, leaf, 0, CPUID_EAX), 0);
			assert_int_equal(get(table, leaf, 0, CPUID_EBX), 1);
			assert_int_equal(get(table, leaf, 0, CPUID_ECX), 0x100);
			assert_int_equal(get(table, leaf, 0, CPUID_EDX), id);
			assert_int_equal(get(table, leaf, 1, CPUID_EAX), 3);
			assert_int_equal(get(table, leaf, 1, CPUID_EBX), 6);
			assert_int_equal(get(table, leaf, 1, CPUID_ECX), 0x201);
			assert_int_equal(get(table, leaf, 1, CPUID_EDX), id);
		}
	}
	assert_true(has(table, CPUID_FEATURE_HTT));
	assert_int_equal(get(table, 4, 0, CPUID_EAX), 0x1c000121);
	assert_int_equal(get(table, 4, 3, CPUID_EAX), 7u << 26 | 7u << 14 | 0x163);
	free(table);

	table = build_for(&supported, "host", 1, true);
	assert_false(has(table, CPUID_FEATURE_HTT));
	assert_int_equal(get(table, 0xb, 1, CPUID_EAX), 0);
	assert_int_equal(get(table, 4, 3, CPUID_EAX), 0x163);
	free(table);
}

static void topology_of_amd(void **state)
{
	(void)state;
	struct table supported;

	amd(&supported);
	struct kvm_cpuid2 *table = build_for(&supported, "host", 300, true);

	assert_non_null(table);
	cpuid_for_vcpu(table, &policy, 299, 300);
	assert_int_equal(get(table, 1, 0, CPUID_EBX), (299u & 0xff) << 24 | 255 << 16 | 0x800);
	assert_int_equal(get(table, 0xb, 0, CPUID_EDX), 299);
	assert_int_equal(get(table, 0xb, 1, CPUID_EAX), 9);
	assert_int_equal(get(table, 0x80000008, 0, CPUID_ECX), 0x90ff);
	assert_int_equal(get(table, 0x8000001e, 0, CPUID_EAX), 299);
	assert_int_equal(get(table, 0x8000001e, 0, CPUID_EBX), 299 & 0xff);
	assert_int_equal(get(table, 0x8000001d, 0, CPUID_EAX), 0x121);
	assert_int_equal(get(table, 0x8000001d, 3, CPUID_EAX), 299u << 14 | 0x163);
	assert_true(has(table, CPUID_FEATURE_CMP_LEGACY));
	free(table);
}

/* An empty hypervisor offers nothing; the table that comes out is small but sound. */
static void almost_nothing_is_enough(void **state)
{
	(void)state;
	struct table supported;

	memset(&supported, 0, sizeof(supported));
	struct kvm_cpuid2 *table = build(&supported, "host");

	assert_non_null(cpuid_find(table, 1, 0));
	assert_true(has(table, CPUID_FEATURE_APIC));
	free(table);
	refused(&supported, "minimal", ENOTSUP, "the best template it can do is host");
}

/* ---- reports -------------------------------------------------------------- */

static void printed_for_people(void **state)
{
	(void)state;
	struct table supported;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	intel(&supported);
	struct kvm_cpuid2 *table = build(&supported, "x86-64-v2");
	cpuid_print(out, table);
	fclose(out);
	assert_non_null(strstr(text, "GenuineIntel, family 6, model 85, stepping 4\n"));
	assert_non_null(strstr(text, "brand     Intel(R) Xeon(R) CPU  @ 2.00GHz\n"));
	assert_non_null(strstr(text, " sse4_2 "));
	assert_null(strstr(text, "avx"));
	assert_non_null(strstr(text, "0x0000000b        1 00000002 00000004 00000201 00000000"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 100);
	free(text);
	free(table);
}

static void all_words_are_printed(void **state)
{
	(void)state;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	cpu_policy_print_words(out);
	fclose(out);
	for (int i = 0; i < CPU_TEMPLATE_COUNT; i++)
		assert_non_null(strstr(text, cpu_template_name((enum cpu_template)i)));
	for (int i = 0; i < CPUID_FEATURE_COUNT; i++)
		if (!strstr(text, cpuid_features[i].name))
			fail_msg("%s is not there", cpuid_features[i].name);
	assert_non_null(strstr(text, "\n  0x7            0 EBX fsgsbase tsc_adjust"));
	assert_non_null(strstr(text, "pni                  sse3\n"));
	for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		assert_true(strlen(line) <= 100);
	free(text);
}

/* A hypervisor that takes no AVX2, and no leaf 0x15 at all. */
static bool picky(void *context, const struct kvm_cpuid2 *candidate)
{
	(*(unsigned int *)context)++;
	return !has(candidate, CPUID_FEATURE_AVX2) && !get(candidate, 0x15, 0, CPUID_EBX);
}

static bool stubborn(void *context, const struct kvm_cpuid2 *candidate)
{
	(void)context;
	(void)candidate;
	return false;
}

static void refused_bits_are_found(void **state)
{
	(void)state;
	struct table supported;
	unsigned int tries = 0;
	char text[512];

	amd(&supported);
	supported.head.entries[2].ebx &= ~0x20u;
	struct kvm_cpuid2 *table =
		build(&supported, "host,0x7:0:ebx=0x20/0x20,0x15:0:ebx=3,-rdseed,+aes");

	assert_int_equal(
		cpuid_find_refused(table, &supported.head, picky, &tries, text, sizeof(text)), 3);
	assert_string_equal(text, "avx2 (leaf 0x7:0 EBX bit 5), leaf 0x15:0 EBX bit 0, "
				  "leaf 0x15:0 EBX bit 1");
	assert_true(tries < 200);
	assert_int_equal(
		cpuid_find_refused(table, &supported.head, stubborn, NULL, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	free(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_unique_and_lead_back),
		cmocka_unit_test(names_are_forgiving),
		cmocka_unit_test(the_instruction_agrees_with_the_table),
		cmocka_unit_test(host_shows_all_there_is),
		cmocka_unit_test(template_leaves_its_level_and_no_more),
		cmocka_unit_test(template_is_refused_by_what_is_missing),
		cmocka_unit_test(compat_is_the_same_everywhere),
		cmocka_unit_test(features_are_added_and_removed),
		cmocka_unit_test(what_is_not_offered_is_refused_by_name),
		cmocka_unit_test(registers_are_set_whatever_else),
		cmocka_unit_test(full_tables_are_refused),
		cmocka_unit_test(vendor_and_brand_are_spoofed),
		cmocka_unit_test(hidden_hypervisor_leaves_no_trace),
		cmocka_unit_test(own_irqchip_has_no_hypercalls),
		cmocka_unit_test(topology_of_intel),
		cmocka_unit_test(topology_of_amd),
		cmocka_unit_test(almost_nothing_is_enough),
		cmocka_unit_test(printed_for_people),
		cmocka_unit_test(all_words_are_printed),
		cmocka_unit_test(refused_bits_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
