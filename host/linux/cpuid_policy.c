/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/cpuid_policy.h"

#include "core/hv.h"
#include "x86/cpuid.h"

/*
 * The policy of KVM_GET_SUPPORTED_CPUID: a leaf is shown where it is listed here, and a
 * feature where this processor has it, the kernel uses it as far as that takes a kernel,
 * and the core can virtualize it. So a feature that is new tomorrow is not offered by
 * accident. Sizes, cache geometry and names go through as they are; topology is for the
 * VMM to write.
 *
 * Not offered, with what it would take: MONITOR (an exit for each use), performance
 * counters, processor trace, SGX, VMX and SVM (guests of guests), XSAVES (IA32_XSS), AMX
 * (XFD), protection keys for supervisors, CET, 57-bit addresses (with which programs of
 * Debian's fail in the svm bed, for a reason that is not known), the APIC's deadline timer
 * (which KVM_CAP_TSC_DEADLINE_TIMER tells of in its place).
 */

/* ---- features ---------------------------------------------------------------------------- */

static const enum cpuid_feature_index offered[] = {
#define OFFER(name) CPUID_FEATURE_##name
	/* 1 EDX */
	OFFER(FPU),
	OFFER(VME),
	OFFER(DE),
	OFFER(PSE),
	OFFER(TSC),
	OFFER(MSR),
	OFFER(PAE),
	OFFER(MCE),
	OFFER(CX8),
	OFFER(APIC),
	OFFER(SEP),
	OFFER(MTRR),
	OFFER(PGE),
	OFFER(MCA),
	OFFER(CMOV),
	OFFER(PAT),
	OFFER(PSE_36),
	OFFER(CLFSH),
	OFFER(MMX),
	OFFER(FXSR),
	OFFER(SSE),
	OFFER(SSE2),
	OFFER(SS),
	OFFER(HTT),
	/* 1 ECX */
	OFFER(SSE3),
	OFFER(PCLMULQDQ),
	OFFER(SSSE3),
	OFFER(FMA),
	OFFER(CMPXCHG16B),
	OFFER(PCID),
	OFFER(SSE4_1),
	OFFER(SSE4_2),
	OFFER(MOVBE),
	OFFER(POPCNT),
	OFFER(AES),
	OFFER(XSAVE),
	OFFER(AVX),
	OFFER(F16C),
	OFFER(RDRAND),
	/* 7 EBX */
	OFFER(FSGSBASE),
	OFFER(TSC_ADJUST),
	OFFER(BMI1),
	OFFER(HLE),
	OFFER(AVX2),
	OFFER(FDP_EXCPTN_ONLY),
	OFFER(SMEP),
	OFFER(BMI2),
	OFFER(ERMS),
	OFFER(INVPCID),
	OFFER(RTM),
	OFFER(ZERO_FCS_FDS),
	OFFER(AVX512F),
	OFFER(AVX512DQ),
	OFFER(RDSEED),
	OFFER(ADX),
	OFFER(SMAP),
	OFFER(AVX512_IFMA),
	OFFER(CLFLUSHOPT),
	OFFER(CLWB),
	OFFER(AVX512CD),
	OFFER(SHA),
	OFFER(AVX512BW),
	OFFER(AVX512VL),
	/* 7 ECX */
	OFFER(AVX512_VBMI),
	OFFER(UMIP),
	OFFER(PKU),
	OFFER(AVX512_VBMI2),
	OFFER(GFNI),
	OFFER(VAES),
	OFFER(VPCLMULQDQ),
	OFFER(AVX512_VNNI),
	OFFER(AVX512_BITALG),
	OFFER(AVX512_VPOPCNTDQ),
	OFFER(RDPID),
	OFFER(CLDEMOTE),
	OFFER(MOVDIRI),
	OFFER(MOVDIR64B),
	/* 7 EDX */
	OFFER(AVX512_4VNNIW),
	OFFER(AVX512_4FMAPS),
	OFFER(FSRM),
	OFFER(AVX512_VP2INTERSECT),
	OFFER(MD_CLEAR),
	OFFER(SERIALIZE),
	OFFER(TSXLDTRK),
	OFFER(AVX512_FP16),
	OFFER(SPEC_CTRL),
	OFFER(STIBP),
	OFFER(SSBD),
	/* 7.1 */
	OFFER(SHA512),
	OFFER(SM3),
	OFFER(SM4),
	OFFER(AVX_VNNI),
	OFFER(AVX512_BF16),
	OFFER(CMPCCXADD),
	OFFER(FZRM),
	OFFER(FSRS),
	OFFER(FSRC),
	OFFER(AVX_IFMA),
	OFFER(AVX_VNNI_INT8),
	OFFER(AVX_NE_CONVERT),
	OFFER(AVX_VNNI_INT16),
	OFFER(PREFETCHI),
	/* 0xd.1 EAX */
	OFFER(XSAVEOPT),
	OFFER(XSAVEC),
	OFFER(XGETBV_ECX_1),
	/* 0x80000001 ECX */
	OFFER(LAHF_SAHF),
	OFFER(CMP_LEGACY),
	OFFER(LZCNT),
	OFFER(SSE4A),
	OFFER(MISALIGN_SSE),
	OFFER(3DNOW_PREFETCH),
	OFFER(XOP),
	OFFER(FMA4),
	OFFER(TBM),
	OFFER(TOPOLOGY_EXTENSIONS),
	/* 0x80000001 EDX */
	OFFER(SYSCALL),
	OFFER(NX),
	OFFER(MMX_EXT),
	OFFER(FFXSR),
	OFFER(PAGE_1GB),
	OFFER(RDTSCP),
	OFFER(LM),
	OFFER(3DNOW_EXT),
	OFFER(3DNOW),
	/* 0x80000007 EDX */
	OFFER(TSC_INVARIANT),
	/* 0x80000008 EBX */
	OFFER(CLZERO),
	OFFER(RSTR_FP_ERR_PTRS),
	OFFER(WBNOINVD),
	OFFER(IBPB),
	OFFER(AMD_IBRS),
	OFFER(AMD_STIBP),
	OFFER(STIBP_ALWAYS_ON),
	OFFER(AMD_SSBD),
	OFFER(SSBD_NOT_REQUIRED),
	OFFER(BTC_NO),
	/* 0x80000021 EAX */
	OFFER(NO_NESTED_DATA_BP),
	OFFER(LFENCE_ALWAYS_SERIALIZING),
	OFFER(NULL_SELECT_CLEARS_BASE),
#undef OFFER
};

/* AMD repeats most of leaf 1 EDX in 0x80000001 EDX: the bits that both have. */
#define AMD_REPEATED 0x0183f3ffu

/* The bits of a register that may be shown. */
static uint32_t offered_bits(uint32_t leaf, uint32_t subleaf, enum cpuid_register reg)
{
	uint32_t bits = 0;

	for (unsigned int i = 0; i < sizeof(offered) / sizeof(offered[0]); i++) {
		const struct cpuid_feature *feature = &cpuid_features[offered[i]];

		if (feature->leaf == leaf && feature->subleaf == subleaf && feature->reg == reg)
			bits |= 1u << feature->bit;
	}
	if (leaf == CPUID_LEAF_EXTENDED_VERSION && reg == CPUID_EDX)
		bits |= offered_bits(CPUID_LEAF_VERSION, 0, CPUID_EDX) & AMD_REPEATED;
	return bits;
}

static bool host_has(enum cpuid_feature_index index)
{
	const struct cpuid_feature *feature = &cpuid_features[index];
	uint32_t range = feature->leaf & 0x80000000;

	if (cpuid_execute(range, 0).value[CPUID_EAX] < feature->leaf)
		return false;
	return cpuid_execute(feature->leaf, feature->subleaf).value[feature->reg] >> feature->bit &
	       1;
}

/* ---- extended state -------------------------------------------------------------------------- */

#define XSTATE_FIRST 2
#define XSTATE_END   63
#define XCR0_KNOWN   0x2e7ull /* x87, SSE, AVX, the three of AVX-512, PKRU: SDM 1, 13.1 */

static uint64_t read_xcr0(void)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return low | (uint64_t)high << 32;
}

/* The kernel's own XCR0 says what it saves and restores for a thread, and so for a guest. */
uint64_t cpuid_policy_xcr0(void)
{
	return host_has(CPUID_FEATURE_OSXSAVE) ? read_xcr0() & XCR0_KNOWN : 0;
}

/* Where the last of the components ends: what XSAVE needs for all of them (SDM 1, 13.4). */
static uint32_t xsave_size(uint64_t features)
{
	uint32_t size = 512 + 64;

	for (uint32_t i = XSTATE_FIRST; i < XSTATE_END; i++) {
		struct cpuid_registers part;

		if (!(features >> i & 1))
			continue;
		part = cpuid_execute(CPUID_LEAF_XSTATE, i);
		if (part.value[CPUID_EAX] + part.value[CPUID_EBX] > size)
			size = part.value[CPUID_EAX] + part.value[CPUID_EBX];
	}
	return size;
}

/* ---- the table ---------------------------------------------------------------------------------- */

struct list {
	struct hv_cpuid *entries;
	unsigned int size, count;
	uint64_t xcr0;
};

static void add(struct list *list, uint32_t function, uint32_t index, bool indexed,
		const struct cpuid_registers *r)
{
	if (list->count < list->size)
		list->entries[list->count] = (struct hv_cpuid){
			.function = function,
			.index = index,
			.indexed = indexed,
			.eax = r->value[CPUID_EAX],
			.ebx = r->value[CPUID_EBX],
			.ecx = r->value[CPUID_ECX],
			.edx = r->value[CPUID_EDX],
		};
	list->count++;
}

static void add_as_it_is(struct list *list, uint32_t function)
{
	struct cpuid_registers r = cpuid_execute(function, 0);

	add(list, function, 0, false, &r);
}

static void add_zero(struct list *list, uint32_t function, bool indexed)
{
	const struct cpuid_registers r = { { 0 } };

	add(list, function, 0, indexed, &r);
}

/* Registers whose every bit is a feature, or reserved. */
static void mask(struct cpuid_registers *r, uint32_t leaf, uint32_t subleaf,
		 enum cpuid_register reg)
{
	r->value[reg] &= offered_bits(leaf, subleaf, reg);
}

#define LEAF_1_FEATURE(name) (1u << cpuid_features[CPUID_FEATURE_##name].bit)

static void add_version(struct list *list)
{
	struct cpuid_registers r = cpuid_execute(CPUID_LEAF_VERSION, 0);

	r.value[CPUID_EBX] &= 0x0000ffff; /* without the APIC's number and how many there are */
	mask(&r, CPUID_LEAF_VERSION, 0, CPUID_ECX);
	mask(&r, CPUID_LEAF_VERSION, 0, CPUID_EDX);
	/* Our own APIC can do x2APIC, and a VMM's as soon as it is given the MSRs. */
	r.value[CPUID_ECX] |= LEAF_1_FEATURE(HYPERVISOR) | LEAF_1_FEATURE(X2APIC);
	r.value[CPUID_EDX] |= LEAF_1_FEATURE(APIC);
	if (!list->xcr0)
		r.value[CPUID_ECX] &= ~(LEAF_1_FEATURE(XSAVE) | LEAF_1_FEATURE(AVX) |
					LEAF_1_FEATURE(FMA) | LEAF_1_FEATURE(F16C));
	add(list, CPUID_LEAF_VERSION, 0, false, &r);
}

#define CACHE_TYPE 0x1fu /* 0: no more caches (SDM 2, CPUID leaf 4) */
#define CACHES_MAX 16

static void add_caches(struct list *list, uint32_t function)
{
	for (uint32_t i = 0; i < CACHES_MAX; i++) {
		struct cpuid_registers r = cpuid_execute(function, i);

		add(list, function, i, true, &r);
		if (!(r.value[CPUID_EAX] & CACHE_TYPE))
			break;
	}
}

static void add_power(struct list *list)
{
	/* A timer that does not stop when the processor sleeps: the VMM's never does. */
	const struct cpuid_registers r = { {
		[CPUID_EAX] = 1u << cpuid_features[CPUID_FEATURE_ARAT].bit,
	} };

	add(list, CPUID_LEAF_THERMAL_POWER, 0, false, &r);
}

static void add_extended_features(struct list *list)
{
	struct cpuid_registers r = cpuid_execute(CPUID_LEAF_EXTENDED_FEATURES, 0);
	uint32_t last = r.value[CPUID_EAX] > 1 ? 1 : r.value[CPUID_EAX];

	r.value[CPUID_EAX] = last;
	mask(&r, CPUID_LEAF_EXTENDED_FEATURES, 0, CPUID_EBX);
	mask(&r, CPUID_LEAF_EXTENDED_FEATURES, 0, CPUID_ECX);
	mask(&r, CPUID_LEAF_EXTENDED_FEATURES, 0, CPUID_EDX);
	/* The core's own doing: no processor need have it. */
	r.value[CPUID_EBX] |= 1u << cpuid_features[CPUID_FEATURE_TSC_ADJUST].bit;
	if (!host_has(CPUID_FEATURE_OSPKE))
		r.value[CPUID_ECX] &= ~(1u << cpuid_features[CPUID_FEATURE_PKU].bit);
	add(list, CPUID_LEAF_EXTENDED_FEATURES, 0, true, &r);
	if (!last)
		return;
	r = cpuid_execute(CPUID_LEAF_EXTENDED_FEATURES, 1);
	mask(&r, CPUID_LEAF_EXTENDED_FEATURES, 1, CPUID_EAX);
	r.value[CPUID_EBX] = r.value[CPUID_ECX] = 0;
	mask(&r, CPUID_LEAF_EXTENDED_FEATURES, 1, CPUID_EDX);
	add(list, CPUID_LEAF_EXTENDED_FEATURES, 1, true, &r);
}

static void add_xstate(struct list *list)
{
	struct cpuid_registers r = cpuid_execute(CPUID_LEAF_XSTATE, 0);

	if (!list->xcr0)
		return;
	r.value[CPUID_EAX] = (uint32_t)list->xcr0;
	r.value[CPUID_EDX] = (uint32_t)(list->xcr0 >> 32);
	r.value[CPUID_EBX] = r.value[CPUID_ECX] = xsave_size(list->xcr0);
	add(list, CPUID_LEAF_XSTATE, 0, true, &r);
	r = cpuid_execute(CPUID_LEAF_XSTATE, 1);
	mask(&r, CPUID_LEAF_XSTATE, 1, CPUID_EAX);
	r.value[CPUID_EBX] = r.value[CPUID_ECX] = r.value[CPUID_EDX] = 0;
	add(list, CPUID_LEAF_XSTATE, 1, true, &r);
	for (uint32_t i = XSTATE_FIRST; i < XSTATE_END; i++) {
		if (!(list->xcr0 >> i & 1))
			continue;
		r = cpuid_execute(CPUID_LEAF_XSTATE, i);
		r.value[CPUID_EDX] = 0;
		add(list, CPUID_LEAF_XSTATE, i, true, &r);
	}
}

#define KVM_FEATURE(name) (1u << cpuid_features[CPUID_FEATURE_KVM_##name].bit)

/*
 * The signature by which Linux knows that its hypervisor speaks of itself here (Linux,
 * Documentation/virt/kvm/x86/cpuid.rst): it may use x2APIC without interrupt remapping,
 * need not slow its port I/O down, and finds what core/paravirtual.h has.
 */
static void add_hypervisor(struct list *list, bool steal_time)
{
	const struct cpuid_registers signature = { {
		[CPUID_EAX] = CPUID_LEAF_KVM_FEATURES,
		[CPUID_EBX] = 0x4b4d564b,
		[CPUID_ECX] = 0x564b4d56,
		[CPUID_EDX] = 0x4d,
	} };
	const struct cpuid_registers features = { {
		[CPUID_EAX] = KVM_FEATURE(CLOCKSOURCE) | KVM_FEATURE(NOP_IO_DELAY) |
			      KVM_FEATURE(CLOCKSOURCE2) | KVM_FEATURE(PV_EOI) |
			      KVM_FEATURE(PV_UNHALT) | KVM_FEATURE(PV_SEND_IPI) |
			      KVM_FEATURE(CLOCKSOURCE_STABLE) |
			      (steal_time ? KVM_FEATURE(STEAL_TIME) : 0),
	} };

	add(list, CPUID_LEAF_HYPERVISOR, 0, false, &signature);
	add(list, CPUID_LEAF_KVM_FEATURES, 0, false, &features);
}

static void add_extended_version(struct list *list)
{
	struct cpuid_registers r = cpuid_execute(CPUID_LEAF_EXTENDED_VERSION, 0);

	mask(&r, CPUID_LEAF_EXTENDED_VERSION, 0, CPUID_ECX);
	mask(&r, CPUID_LEAF_EXTENDED_VERSION, 0, CPUID_EDX);
	add(list, CPUID_LEAF_EXTENDED_VERSION, 0, false, &r);
}

#define ADDRESS_BITS_MAX 48 /* of second-level tables with four levels */

static void add_address_sizes(struct list *list)
{
	struct cpuid_registers r = cpuid_execute(CPUID_LEAF_ADDRESS_SIZES, 0);
	uint32_t physical = r.value[CPUID_EAX] & 0xff;

	if (physical > ADDRESS_BITS_MAX)
		physical = ADDRESS_BITS_MAX;
	r.value[CPUID_EAX] = physical | ADDRESS_BITS_MAX << 8;
	mask(&r, CPUID_LEAF_ADDRESS_SIZES, 0, CPUID_EBX);
	r.value[CPUID_ECX] = r.value[CPUID_EDX] = 0;
	add(list, CPUID_LEAF_ADDRESS_SIZES, 0, false, &r);
}

static void add_masked(struct list *list, uint32_t function)
{
	struct cpuid_registers r = cpuid_execute(function, 0);

	for (unsigned int reg = 0; reg < CPUID_REGISTER_COUNT; reg++)
		mask(&r, function, 0, (enum cpuid_register)reg);
	add(list, function, 0, false, &r);
}

static void add_extended_leaf(struct list *list, uint32_t leaf)
{
	switch (leaf) {
	case CPUID_LEAF_EXTENDED_VERSION:
		return add_extended_version(list);
	case CPUID_LEAF_BRAND_1:
	case CPUID_LEAF_BRAND_2:
	case CPUID_LEAF_BRAND_3:
	case CPUID_LEAF_L1_CACHE:
	case CPUID_LEAF_L2_L3_CACHE:
	case CPUID_LEAF_TLB_1G:
	case CPUID_LEAF_OPTIMIZATION:
		return add_as_it_is(list, leaf);
	case CPUID_LEAF_ADVANCED_POWER:
	case CPUID_LEAF_EXTENDED_FEATURES_2:
		return add_masked(list, leaf);
	case CPUID_LEAF_ADDRESS_SIZES:
		return add_address_sizes(list);
	case CPUID_LEAF_CACHE_TOPOLOGY:
		if (host_has(CPUID_FEATURE_TOPOLOGY_EXTENSIONS))
			add_caches(list, leaf);
		return;
	case CPUID_LEAF_PROCESSOR_TOPOLOGY:
		if (host_has(CPUID_FEATURE_TOPOLOGY_EXTENSIONS))
			add_zero(list, leaf, false);
		return;
	}
}

static void add_basic_leaf(struct list *list, uint32_t leaf)
{
	switch (leaf) {
	case CPUID_LEAF_VERSION:
		return add_version(list);
	case CPUID_LEAF_CACHE_DESCRIPTORS:
		return add_as_it_is(list, leaf);
	case CPUID_LEAF_CACHE_PARAMETERS:
		return add_caches(list, leaf);
	case CPUID_LEAF_THERMAL_POWER:
		return add_power(list);
	case CPUID_LEAF_EXTENDED_FEATURES:
		return add_extended_features(list);
	case CPUID_LEAF_TOPOLOGY:
		return add_zero(list, leaf, true);
	case CPUID_LEAF_XSTATE:
		return add_xstate(list);
	}
}

#define BASIC_LAST    CPUID_LEAF_XSTATE
#define EXTENDED_LAST CPUID_LEAF_EXTENDED_FEATURES_2

static void add_range(struct list *list, uint32_t first, uint32_t last_known,
		      void (*leaf)(struct list *list, uint32_t leaf))
{
	struct cpuid_registers r = cpuid_execute(first, 0);
	uint32_t last = r.value[CPUID_EAX] < last_known ? r.value[CPUID_EAX] : last_known;

	if ((last ^ first) & 0x80000000)
		return;
	r.value[CPUID_EAX] = last;
	add(list, first, 0, false, &r);
	for (uint32_t number = first + 1; number <= last; number++)
		leaf(list, number);
}

unsigned int cpuid_policy(struct hv_cpuid *entries, unsigned int size, bool steal_time)
{
	struct list list = { .entries = entries, .size = size, .xcr0 = cpuid_policy_xcr0() };

	add_range(&list, CPUID_LEAF_VENDOR, BASIC_LAST, add_basic_leaf);
	add_hypervisor(&list, steal_time);
	add_range(&list, CPUID_LEAF_EXTENDED, EXTENDED_LAST, add_extended_leaf);
	return list.count;
}
