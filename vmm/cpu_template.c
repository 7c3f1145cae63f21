/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/cpu_template.h"

#include <string.h>

/*
 * Which features make a template. Programs are compiled for the levels that the x86-64
 * psABI defines (section 3.1.1, table 3.1), so a level here is exactly that set of
 * instructions. What only a kernel sees (paging, protection, time, mitigations)
 * changes no program's ways and is left in where the hypervisor offers it, but not in
 * two templates: "minimal" is for finding out what a guest needs, and "compat" is to
 * be the same on every host.
 */

#define BIT(template) (1u << CPU_TEMPLATE_##template)
#define FROM_V4	      BIT(V4)
#define FROM_V3	      (FROM_V4 | BIT(V3) | BIT(COMPAT))
#define FROM_V2	      (FROM_V3 | BIT(V2))
#define ALL	      (FROM_V2 | BIT(MINIMAL))
#define LEVELS	      (BIT(V2) | BIT(V3) | BIT(V4))
#define NONE	      0u

struct membership {
	enum cpuid_feature_index feature;
	unsigned int needed_by, taken_by; /* sets of templates */
};

#define NEED(feature, templates)                         \
	{                                                \
		CPUID_FEATURE_##feature, templates, NONE \
	}
#define TAKE(feature, templates)                         \
	{                                                \
		CPUID_FEATURE_##feature, NONE, templates \
	}
#define NEED_TAKE(feature, need, take)              \
	{                                           \
		CPUID_FEATURE_##feature, need, take \
	}

static const struct membership members[] = {
	/* x86-64-v1, and what long mode cannot be without */
	NEED(FPU, ALL),
	NEED(TSC, ALL),
	NEED(MSR, ALL),
	NEED(PAE, ALL),
	NEED(CX8, ALL),
	NEED(PSE, ALL),
	NEED(PGE, ALL),
	NEED(CMOV, ALL),
	NEED(MMX, ALL),
	NEED(FXSR, ALL),
	NEED(SSE, ALL),
	NEED(SSE2, ALL),
	NEED(SYSCALL, ALL),
	NEED(LM, ALL),
	/* what those processors had beside it */
	TAKE(VME, ALL),
	TAKE(DE, ALL),
	TAKE(MCE, ALL),
	TAKE(APIC, ALL),
	TAKE(SEP, ALL),
	TAKE(MTRR, ALL),
	TAKE(MCA, ALL),
	TAKE(PAT, ALL),
	TAKE(PSE_36, ALL),
	TAKE(CLFSH, ALL),
	TAKE(NX, ALL),
	/* the machine's own: interrupts, time, topology, paravirtualization */
	TAKE(X2APIC, ALL),
	TAKE(TSC_DEADLINE, ALL),
	TAKE(HYPERVISOR, ALL),
	TAKE(ARAT, ALL),
	TAKE(TSC_INVARIANT, ALL),
	TAKE(HTT, ALL),
	TAKE(CMP_LEGACY, ALL),
	TAKE(TOPOLOGY_EXTENSIONS, ALL),
	TAKE(ALT_MOV_CR8, ALL),
	/* x86-64-v2 */
	NEED(SSE3, FROM_V2),
	NEED(SSSE3, FROM_V2),
	NEED(SSE4_1, FROM_V2),
	NEED(SSE4_2, FROM_V2),
	NEED(CMPXCHG16B, FROM_V2),
	NEED(POPCNT, FROM_V2),
	NEED(LAHF_SAHF, FROM_V2),
	/* x86-64-v3 */
	NEED(XSAVE, FROM_V3),
	NEED(AVX, FROM_V3),
	NEED(AVX2, FROM_V3),
	NEED(BMI1, FROM_V3),
	NEED(BMI2, FROM_V3),
	NEED(F16C, FROM_V3),
	NEED(FMA, FROM_V3),
	NEED(LZCNT, FROM_V3),
	NEED(MOVBE, FROM_V3),
	/* x86-64-v4 */
	NEED(AVX512F, FROM_V4),
	NEED(AVX512BW, FROM_V4),
	NEED(AVX512CD, FROM_V4),
	NEED(AVX512DQ, FROM_V4),
	NEED(AVX512VL, FROM_V4),
	/* compat: what Broadwell and Zen share, and all that came after them */
	NEED(AES, BIT(COMPAT)),
	NEED(PCLMULQDQ, BIT(COMPAT)),
	NEED(RDRAND, BIT(COMPAT)),
	NEED(RDSEED, BIT(COMPAT)),
	NEED(ADX, BIT(COMPAT)),
	NEED(3DNOW_PREFETCH, BIT(COMPAT)),
	NEED_TAKE(FSGSBASE, BIT(COMPAT), LEVELS),
	NEED_TAKE(SMEP, BIT(COMPAT), LEVELS),
	NEED_TAKE(SMAP, BIT(COMPAT), LEVELS),
	NEED_TAKE(PAGE_1GB, BIT(COMPAT), LEVELS),
	NEED_TAKE(RDTSCP, BIT(COMPAT), LEVELS),
	NEED_TAKE(XSAVEOPT, BIT(COMPAT), BIT(V3) | BIT(V4)),
	/* for kernels: memory, time, the saving of states */
	TAKE(PCID, LEVELS),
	TAKE(INVPCID, LEVELS),
	TAKE(UMIP, LEVELS),
	TAKE(TSC_ADJUST, LEVELS),
	TAKE(ERMS, LEVELS),
	TAKE(FSRM, LEVELS),
	TAKE(FDP_EXCPTN_ONLY, LEVELS),
	TAKE(ZERO_FCS_FDS, LEVELS),
	TAKE(RSTR_FP_ERR_PTRS, LEVELS),
	TAKE(NULL_SELECT_CLEARS_BASE, LEVELS),
	TAKE(XSAVEC, BIT(V3) | BIT(V4)),
	TAKE(XGETBV_ECX_1, BIT(V3) | BIT(V4)),
	TAKE(XSAVES, BIT(V3) | BIT(V4)),
	/* for kernels: what defends against the processor's own weaknesses */
	TAKE(SPEC_CTRL, LEVELS),
	TAKE(STIBP, LEVELS),
	TAKE(SSBD, LEVELS),
	TAKE(MD_CLEAR, LEVELS),
	TAKE(L1D_FLUSH, LEVELS),
	TAKE(ARCH_CAPABILITIES, LEVELS),
	TAKE(PSFD, LEVELS),
	TAKE(IPRED_CTRL, LEVELS),
	TAKE(RRSBA_CTRL, LEVELS),
	TAKE(BHI_CTRL, LEVELS),
	TAKE(MCDT_NO, LEVELS),
	TAKE(IBPB, LEVELS),
	TAKE(AMD_IBRS, LEVELS),
	TAKE(AMD_STIBP, LEVELS),
	TAKE(IBRS_ALWAYS_ON, LEVELS),
	TAKE(STIBP_ALWAYS_ON, LEVELS),
	TAKE(IBRS_PREFERRED, LEVELS),
	TAKE(IBRS_SAME_MODE, LEVELS),
	TAKE(AMD_SSBD, LEVELS),
	TAKE(SSBD_VIRT_SPEC_CTRL, LEVELS),
	TAKE(SSBD_NOT_REQUIRED, LEVELS),
	TAKE(AMD_PSFD, LEVELS),
	TAKE(BTC_NO, LEVELS),
	TAKE(IBPB_RET, LEVELS),
	TAKE(LFENCE_ALWAYS_SERIALIZING, LEVELS),
	TAKE(AUTOMATIC_IBRS, LEVELS),
	TAKE(SBPB, LEVELS),
	TAKE(IBPB_BRTYPE, LEVELS),
	TAKE(SRSO_NO, LEVELS),
};

/*
 * The leaves that all templates keep. Those that describe one feature are among them,
 * for the case that the user adds it; without it they fall silent later. The rest
 * tells of this very processor, down to its performance counters.
 */
static const uint32_t kept_leaves[] = {
	CPUID_LEAF_VENDOR,
	CPUID_LEAF_VERSION,
	CPUID_LEAF_CACHE_DESCRIPTORS,
	CPUID_LEAF_CACHE_PARAMETERS,
	CPUID_LEAF_THERMAL_POWER,
	CPUID_LEAF_EXTENDED_FEATURES,
	CPUID_LEAF_TOPOLOGY,
	CPUID_LEAF_XSTATE,
	CPUID_LEAF_TOPOLOGY_V2,
	CPUID_LEAF_TSC_FREQUENCY,
	CPUID_LEAF_HYPERVISOR,
	CPUID_LEAF_KVM_FEATURES,
	CPUID_LEAF_HYPERVISOR_TIMING,
	CPUID_LEAF_EXTENDED,
	CPUID_LEAF_EXTENDED_VERSION,
	CPUID_LEAF_BRAND_1,
	CPUID_LEAF_BRAND_2,
	CPUID_LEAF_BRAND_3,
	CPUID_LEAF_L1_CACHE,
	CPUID_LEAF_L2_L3_CACHE,
	CPUID_LEAF_ADVANCED_POWER,
	CPUID_LEAF_ADDRESS_SIZES,
	CPUID_LEAF_CACHE_TOPOLOGY,
	CPUID_LEAF_PROCESSOR_TOPOLOGY,
	CPUID_LEAF_EXTENDED_FEATURES_2,
	CPUID_LEAF_SGX,
	CPUID_LEAF_PROCESSOR_TRACE,
	CPUID_LEAF_KEY_LOCKER,
	CPUID_LEAF_PCONFIG,
	CPUID_LEAF_LAST_BRANCH_RECORDS,
	CPUID_LEAF_TILE,
	CPUID_LEAF_TMUL,
	CPUID_LEAF_HRESET,
	CPUID_LEAF_AVX10,
	CPUID_LEAF_SVM,
	CPUID_LEAF_INSTRUCTION_SAMPLING,
	CPUID_LEAF_LIGHTWEIGHT_PROFILING,
};

static const struct {
	const char *name, *summary;
} templates[CPU_TEMPLATE_COUNT] = {
	[CPU_TEMPLATE_HOST] = { "host", "all that the hypervisor offers" },
	[CPU_TEMPLATE_MINIMAL] = { "minimal", "the first x86-64 processors, and nothing newer" },
	[CPU_TEMPLATE_V2] = { "x86-64-v2", "SSE4.2, CMPXCHG16B, POPCNT" },
	[CPU_TEMPLATE_V3] = { "x86-64-v3", "AVX2, BMI, FMA, MOVBE" },
	[CPU_TEMPLATE_V4] = { "x86-64-v4", "AVX-512" },
	[CPU_TEMPLATE_COMPAT] = { "compat", "what Intel's and AMD's processors since 2017 share" },
};

enum cpu_template cpu_template_find(const char *name, size_t length)
{
	unsigned int i = 0;

	while (i < CPU_TEMPLATE_COUNT && (strlen(templates[i].name) != length ||
					  memcmp(templates[i].name, name, length) != 0))
		i++;
	return (enum cpu_template)i;
}

const char *cpu_template_name(enum cpu_template template)
{
	return templates[template].name;
}

const char *cpu_template_summary(enum cpu_template template)
{
	return templates[template].summary;
}

static const struct membership *membership_of(enum cpuid_feature_index feature)
{
	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++)
		if (members[i].feature == feature)
			return &members[i];
	return NULL;
}

bool cpu_template_needs(enum cpu_template template, enum cpuid_feature_index feature)
{
	const struct membership *membership = membership_of(feature);

	return membership && membership->needed_by & 1u << template;
}

bool cpu_template_has(enum cpu_template template, enum cpuid_feature_index feature)
{
	const struct membership *membership = membership_of(feature);

	if (template == CPU_TEMPLATE_HOST)
		return true;
	/*
	 * What the hypervisor itself brings is as it says: it is not a matter of processors.
	 * What SVM can do is as it is, if there is SVM at all.
	 */
	if (cpuid_features[feature].leaf == CPUID_LEAF_KVM_FEATURES ||
	    cpuid_features[feature].leaf == CPUID_LEAF_SVM)
		return true;
	return membership && (membership->needed_by | membership->taken_by) & 1u << template;
}

bool cpu_template_has_leaf(enum cpu_template template, uint32_t leaf)
{
	if (template == CPU_TEMPLATE_HOST)
		return true;
	for (size_t i = 0; i < sizeof(kept_leaves) / sizeof(kept_leaves[0]); i++)
		if (kept_leaves[i] == leaf)
			return true;
	return false;
}
