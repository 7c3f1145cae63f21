/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <string.h>

#include "vmm/cpuid_edit.h"

/*
 * No processor has AVX2 without AVX, or AVX without XSAVE, and programs count on that.
 * When features are taken away from a guest's processor, those that stand on them must
 * go, and the leaves that describe what is gone must fall silent.
 */

#define FEATURE(name) CPUID_FEATURE_##name

/*
 * Which feature cannot be without which other: SDM 1, chapters 10 to 18; APM 3,
 * appendix D. A row's need stands above it, so that one pass from top to bottom
 * carries a loss all the way up.
 */
static const struct {
	enum cpuid_feature_index feature, needs;
} needs[] = {
	{ FEATURE(SSE), FEATURE(FXSR) },
	{ FEATURE(SSE2), FEATURE(SSE) },
	{ FEATURE(SSE3), FEATURE(SSE2) },
	{ FEATURE(SSSE3), FEATURE(SSE3) },
	{ FEATURE(SSE4_1), FEATURE(SSSE3) },
	{ FEATURE(SSE4_2), FEATURE(SSE4_1) },
	{ FEATURE(SSE4A), FEATURE(SSE3) },
	{ FEATURE(MISALIGN_SSE), FEATURE(SSE) },
	{ FEATURE(AES), FEATURE(SSE2) },
	{ FEATURE(PCLMULQDQ), FEATURE(SSE2) },
	{ FEATURE(SHA), FEATURE(SSE2) },
	{ FEATURE(GFNI), FEATURE(SSE2) },
	{ FEATURE(MMX_EXT), FEATURE(MMX) },
	{ FEATURE(3DNOW), FEATURE(MMX) },
	{ FEATURE(3DNOW_EXT), FEATURE(3DNOW) },
	{ FEATURE(FFXSR), FEATURE(FXSR) },

	{ FEATURE(OSXSAVE), FEATURE(XSAVE) },
	{ FEATURE(XSAVEOPT), FEATURE(XSAVE) },
	{ FEATURE(XSAVEC), FEATURE(XSAVE) },
	{ FEATURE(XGETBV_ECX_1), FEATURE(XSAVE) },
	{ FEATURE(XSAVES), FEATURE(XSAVEC) },
	{ FEATURE(XFD), FEATURE(XSAVE) },
	{ FEATURE(MPX), FEATURE(XSAVE) },
	{ FEATURE(PKU), FEATURE(XSAVE) },
	{ FEATURE(OSPKE), FEATURE(PKU) },
	{ FEATURE(CET_SS), FEATURE(XSAVES) },
	{ FEATURE(CET_IBT), FEATURE(XSAVES) },
	{ FEATURE(CET_SSS), FEATURE(CET_SS) },
	{ FEATURE(LWP), FEATURE(XSAVE) },

	{ FEATURE(AVX), FEATURE(XSAVE) },
	{ FEATURE(F16C), FEATURE(AVX) },
	{ FEATURE(FMA), FEATURE(AVX) },
	{ FEATURE(FMA4), FEATURE(AVX) },
	{ FEATURE(XOP), FEATURE(AVX) },
	{ FEATURE(VAES), FEATURE(AVX) },
	{ FEATURE(VPCLMULQDQ), FEATURE(AVX) },
	{ FEATURE(AVX2), FEATURE(AVX) },
	{ FEATURE(AVX_VNNI), FEATURE(AVX2) },
	{ FEATURE(AVX_IFMA), FEATURE(AVX2) },
	{ FEATURE(AVX_VNNI_INT8), FEATURE(AVX2) },
	{ FEATURE(AVX_VNNI_INT16), FEATURE(AVX2) },
	{ FEATURE(AVX_NE_CONVERT), FEATURE(AVX2) },
	{ FEATURE(SM3), FEATURE(AVX) },
	{ FEATURE(SM4), FEATURE(AVX2) },
	{ FEATURE(SHA512), FEATURE(AVX2) },

	{ FEATURE(AVX512F), FEATURE(AVX2) },
	{ FEATURE(AVX512CD), FEATURE(AVX512F) },
	{ FEATURE(AVX512BW), FEATURE(AVX512F) },
	{ FEATURE(AVX512DQ), FEATURE(AVX512F) },
	{ FEATURE(AVX512VL), FEATURE(AVX512F) },
	{ FEATURE(AVX512PF), FEATURE(AVX512F) },
	{ FEATURE(AVX512ER), FEATURE(AVX512F) },
	{ FEATURE(AVX512_IFMA), FEATURE(AVX512F) },
	{ FEATURE(AVX512_VBMI), FEATURE(AVX512F) },
	{ FEATURE(AVX512_VBMI2), FEATURE(AVX512F) },
	{ FEATURE(AVX512_VNNI), FEATURE(AVX512F) },
	{ FEATURE(AVX512_BITALG), FEATURE(AVX512F) },
	{ FEATURE(AVX512_VPOPCNTDQ), FEATURE(AVX512F) },
	{ FEATURE(AVX512_4VNNIW), FEATURE(AVX512F) },
	{ FEATURE(AVX512_4FMAPS), FEATURE(AVX512F) },
	{ FEATURE(AVX512_VP2INTERSECT), FEATURE(AVX512F) },
	{ FEATURE(AVX512_BF16), FEATURE(AVX512F) },
	{ FEATURE(AVX512_FP16), FEATURE(AVX512BW) },
	{ FEATURE(AVX10), FEATURE(AVX512F) },

	{ FEATURE(AMX_TILE), FEATURE(XSAVE) },
	{ FEATURE(AMX_BF16), FEATURE(AMX_TILE) },
	{ FEATURE(AMX_INT8), FEATURE(AMX_TILE) },
	{ FEATURE(AMX_FP16), FEATURE(AMX_TILE) },
	{ FEATURE(AMX_COMPLEX), FEATURE(AMX_TILE) },

	{ FEATURE(NX), FEATURE(PAE) },
	{ FEATURE(LM), FEATURE(PAE) },
	{ FEATURE(PAGE_1GB), FEATURE(LM) },
	{ FEATURE(LA57), FEATURE(LM) },
	{ FEATURE(PCID), FEATURE(LM) },
	{ FEATURE(INVPCID), FEATURE(PCID) },
	{ FEATURE(X2APIC), FEATURE(APIC) },
	{ FEATURE(TSC_DEADLINE), FEATURE(APIC) },

	{ FEATURE(SGX_LC), FEATURE(SGX) },
	{ FEATURE(SEV_ES), FEATURE(SEV) },
	{ FEATURE(SEV_SNP), FEATURE(SEV_ES) },
	{ FEATURE(VMPL), FEATURE(SEV_SNP) },
	{ FEATURE(KVM_PV_TLB_FLUSH), FEATURE(KVM_STEAL_TIME) },
	{ FEATURE(KVM_ASYNC_PF_INT), FEATURE(KVM_ASYNC_PF) },
};

const struct cpuid_feature *cpuid_missing_need(const struct kvm_cpuid2 *table,
					       const struct cpuid_feature *feature)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (&cpuid_features[needs[i].feature] == feature &&
		    !cpuid_has_index(table, needs[i].needs))
			return &cpuid_features[needs[i].needs];
	return NULL;
}

static void drop_what_lost_its_ground(struct kvm_cpuid2 *table)
{
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++)
		if (!cpuid_has_index(table, needs[i].needs))
			cpuid_clear(table, needs[i].feature);
}

/* Leaves that describe one feature: all zeros without it. */
static const struct {
	uint32_t leaf;
	enum cpuid_feature_index feature;
} descriptions[] = {
	{ CPUID_LEAF_SGX, FEATURE(SGX) },
	{ CPUID_LEAF_PROCESSOR_TRACE, FEATURE(INTEL_PT) },
	{ CPUID_LEAF_KEY_LOCKER, FEATURE(KL) },
	{ CPUID_LEAF_PCONFIG, FEATURE(PCONFIG) },
	{ CPUID_LEAF_LAST_BRANCH_RECORDS, FEATURE(ARCH_LBR) },
	{ CPUID_LEAF_TILE, FEATURE(AMX_TILE) },
	{ CPUID_LEAF_TMUL, FEATURE(AMX_TILE) },
	{ CPUID_LEAF_HRESET, FEATURE(HRESET) },
	{ CPUID_LEAF_AVX10, FEATURE(AVX10) },
	{ CPUID_LEAF_SVM, FEATURE(SVM) },
	{ CPUID_LEAF_INSTRUCTION_SAMPLING, FEATURE(IBS) },
	{ CPUID_LEAF_LIGHTWEIGHT_PROFILING, FEATURE(LWP) },
};

static void silence(struct kvm_cpuid_entry2 *entry)
{
	entry->eax = entry->ebx = entry->ecx = entry->edx = 0;
}

static void silence_descriptions(struct kvm_cpuid2 *table)
{
	for (uint32_t i = 0; i < table->nent; i++)
		for (size_t d = 0; d < sizeof(descriptions) / sizeof(descriptions[0]); d++)
			if (table->entries[i].function == descriptions[d].leaf &&
			    !cpuid_has_index(table, descriptions[d].feature))
				silence(&table->entries[i]);
}

/* State components: SDM 1, 13.1 (XCR0), 13.2 and SDM 3, 2.6 (IA32_XSS). */
static const struct {
	enum cpuid_feature_index feature;
	uint64_t components;
} states[] = {
	{ FEATURE(AVX), 1ull << 2 },	   { FEATURE(MPX), 3ull << 3 },
	{ FEATURE(AVX512F), 7ull << 5 },   { FEATURE(INTEL_PT), 1ull << 8 },
	{ FEATURE(PKU), 1ull << 9 },	   { FEATURE(ENQCMD), 1ull << 10 },
	{ FEATURE(CET_SS), 3ull << 11 },   { FEATURE(UINTR), 1ull << 14 },
	{ FEATURE(ARCH_LBR), 1ull << 15 }, { FEATURE(HWP), 1ull << 16 },
	{ FEATURE(AMX_TILE), 3ull << 17 }, { FEATURE(LWP), 1ull << 62 },
};

#define STATE_LEGACY	 3ull /* x87 and SSE */
#define STATE_CET	 (3ull << 11)
#define STATE_FIRST	 2
#define STATE_COUNT	 63
#define XSAVE_HEADER_END 576u /* the legacy region and the header: SDM 1, 13.4 */

static uint64_t visible_states(const struct kvm_cpuid2 *table)
{
	uint64_t hidden = 0;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (!cpuid_has_index(table, states[i].feature))
			hidden |= states[i].components;
	if (cpuid_has_index(table, FEATURE(CET_IBT)))
		hidden &= ~STATE_CET;
	return ~hidden;
}

/*
 * Leaf 0xd tells which register states XSAVE knows, where each lies and how large the
 * whole is. EBX of its first two subleaves follows what the guest has enabled, and
 * that is the hypervisor's to keep.
 */
static void restrict_states(struct kvm_cpuid2 *table)
{
	struct kvm_cpuid_entry2 *user = cpuid_find(table, CPUID_LEAF_XSTATE, 0);
	struct kvm_cpuid_entry2 *more = cpuid_find(table, CPUID_LEAF_XSTATE, 1);
	uint64_t visible = cpuid_has_index(table, FEATURE(XSAVE)) ? visible_states(table) : 0;
	uint64_t supervisor = cpuid_has_index(table, FEATURE(XSAVES)) ? visible : 0;
	uint64_t present = 0;
	uint32_t end = XSAVE_HEADER_END;

	if (!user)
		return;
	user->eax &= (uint32_t)visible;
	user->edx &= (uint32_t)(visible >> 32);
	present = user->eax | (uint64_t)user->edx << 32;
	if (more) {
		more->ecx &= (uint32_t)supervisor;
		more->edx &= (uint32_t)(supervisor >> 32);
		present |= more->ecx | (uint64_t)more->edx << 32;
	}
	for (uint32_t i = STATE_FIRST; i < STATE_COUNT; i++) {
		struct kvm_cpuid_entry2 *state = cpuid_find(table, CPUID_LEAF_XSTATE, i);

		if (!state || state->index != i)
			continue;
		if (!(present >> i & 1))
			silence(state);
		else if (i < 32 ? user->eax >> i & 1 : user->edx >> (i - 32) & 1)
			end = state->ebx + state->eax > end ? state->ebx + state->eax : end;
	}
	user->ecx = present & STATE_LEGACY ? end : 0;
	user->ebx = user->ebx < user->ecx ? user->ebx : user->ecx;
	if (!cpuid_has_index(table, FEATURE(XSAVE)) && more)
		silence(more);
}

static void restrict_mirror(struct kvm_cpuid2 *table)
{
	uint32_t original = cpuid_get(table, CPUID_LEAF_VERSION, 0, CPUID_EDX);

	cpuid_set(table, CPUID_LEAF_EXTENDED_VERSION, 0, CPUID_EDX, 0,
		  CPUID_MIRRORED_BITS & ~original);
}

/* A guest that shall not know of the hypervisor must not find its leaves either. */
static void hide_hypervisor(struct kvm_cpuid2 *table)
{
	for (uint32_t i = 0; i < table->nent; i++)
		if (table->entries[i].function >> 28 == CPUID_LEAF_HYPERVISOR >> 28)
			silence(&table->entries[i]);
}

void cpuid_make_consistent(struct kvm_cpuid2 *table)
{
	drop_what_lost_its_ground(table);
	silence_descriptions(table);
	restrict_states(table);
	restrict_mirror(table);
	if (!cpuid_has_index(table, FEATURE(HYPERVISOR)))
		hide_hypervisor(table);
}
