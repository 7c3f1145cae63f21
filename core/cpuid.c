/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/cpuid.h"

#include "core/cpu.h"
#include "core/processor.h"
#include "x86/registers.h"

/*
 * The VMM's table is sorted once, when it is given, and looked up by halving. A guest
 * that asks for one leaf many times (a serializing instruction, a benchmark) finds it
 * where it was the last time.
 */

static int compare(const struct hv_cpuid *entry, uint32_t function, uint32_t index)
{
	if (entry->function != function)
		return entry->function < function ? -1 : 1;
	if (!entry->indexed || entry->index == index)
		return 0;
	return entry->index < index ? -1 : 1;
}

/* The entry that was found last, if it is this one. */
static inline const struct hv_cpuid *find_last(const struct hv_vcpu *vcpu, uint32_t function,
					       uint32_t index)
{
	const struct hv_cpuid *last = &vcpu->cpuid[vcpu->cpuid_last];

	return vcpu->cpuid_last < vcpu->cpuid_count && !compare(last, function, index) ? last
										       : NULL;
}

static const struct hv_cpuid *find(const struct hv_vcpu *vcpu, uint32_t function, uint32_t index)
{
	unsigned int low = 0, high = vcpu->cpuid_count;

	while (low < high) {
		unsigned int middle = (low + high) / 2;
		int order = compare(&vcpu->cpuid[middle], function, index);

		if (!order)
			return &vcpu->cpuid[middle];
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

bool cpuid_bit(const struct hv_vcpu *vcpu, uint32_t function, enum cpuid_register result,
	       unsigned int bit)
{
	const struct hv_cpuid *entry = find(vcpu, function, 0);

	if (!entry)
		return false;
	switch (result) {
	case CPUID_EAX:
		return entry->eax >> bit & 1;
	case CPUID_EBX:
		return entry->ebx >> bit & 1;
	case CPUID_ECX:
		return entry->ecx >> bit & 1;
	default:
		return entry->edx >> bit & 1;
	}
}

static bool host_has_la57(void)
{
	return processor_cpuid(0, 0).eax >= 7 && processor_cpuid(7, 0).ecx >> 16 & 1;
}

/* What is asked for often; without a table, what a plain processor has. */
static void note_table(struct hv_vcpu *vcpu)
{
	const struct hv_cpuid *entry = find(vcpu, 0x80000008, 0);

	vcpu->address_bits = entry && (uint8_t)entry->eax >= 32 ? (uint8_t)entry->eax : 36;
	/* Not more than this processor has, to which such addresses are given. */
	vcpu->linear_bits = cpuid_bit(vcpu, 7, CPUID_ECX, 16) && host_has_la57() ? 57 : 48;
	vcpu->no_1g_pages = !cpuid_bit(vcpu, 0x80000001, CPUID_EDX, 26);
}

void hv_vcpu_set_cpuid(struct hv_vcpu *vcpu, struct hv_cpuid *table, unsigned int count)
{
	/* By insertion: some dozens of entries, nearly sorted. */
	for (unsigned int i = 1; i < count; i++) {
		struct hv_cpuid entry = table[i];
		unsigned int at = i;

		for (; at && (table[at - 1].function > entry.function ||
			      (table[at - 1].function == entry.function &&
			       table[at - 1].index > entry.index));
		     at--)
			table[at] = table[at - 1];
		table[at] = entry;
	}
	vcpu->cpuid = table;
	vcpu->cpuid_count = count;
	vcpu->cpuid_last = 0;
	note_table(vcpu);
}

/* SDM 2, CPUID: bits that the guest changes itself. */
#define CPUID_1_EDX_APIC	 (1u << 9)
#define CPUID_1_ECX_OSXSAVE	 (1u << 27)
#define CPUID_7_ECX_OSPKE	 (1u << 4)
#define XCR0_AREA_LEGACY	 (512 + 64)

#define CPUID_XSTATE_EAX_XSAVEC	 (1u << 1) /* of leaf 0xd, 1 */
#define CPUID_XSTATE_EAX_XSAVES	 (1u << 3)
#define CPUID_XSTATE_ECX_ALIGNED (1u << 1) /* of a component's */

/* The size for what XCR0 enables now: the end of the last component of it. */
static uint32_t standard_size(const struct hv_vcpu *vcpu)
{
	uint32_t size = XCR0_AREA_LEGACY;

	for (uint32_t i = 2; i < 63; i++) {
		const struct hv_cpuid *part = find(vcpu, 0xd, i);

		if (part && vcpu->xcr0 >> i & 1 && part->ebx + part->eax > size)
			size = part->ebx + part->eax;
	}
	return size;
}

/* Where the components follow each other, some of them at multiples of 64 (SDM 1, 13.4.3). */
static uint32_t compacted_size(const struct hv_vcpu *vcpu)
{
	uint32_t size = XCR0_AREA_LEGACY;

	for (uint32_t i = 2; i < 63; i++) {
		const struct hv_cpuid *part = find(vcpu, 0xd, i);

		if (!part || !(vcpu->xcr0 >> i & 1))
			continue;
		if (part->ecx & CPUID_XSTATE_ECX_ALIGNED)
			size = (size + 63) & ~63u;
		size += part->eax;
	}
	return size;
}

static bool follows_state(uint32_t function)
{
	return function == 1 || function == 7 || function == 0xd;
}

static void follow_state(struct hv_vcpu *vcpu, uint32_t function, uint32_t index,
			 uint32_t result[4])
{
	uint64_t cr4 = vcpu->vm->ops->read_control(vcpu, HV_CR4);

	if (function == 1) {
		result[CPUID_ECX] &= ~CPUID_1_ECX_OSXSAVE;
		if (cr4 & CR4_OSXSAVE)
			result[CPUID_ECX] |= CPUID_1_ECX_OSXSAVE;
		if (!(vcpu->apic_base & IA32_APIC_BASE_EN))
			result[CPUID_EDX] &= ~CPUID_1_EDX_APIC;
	} else if (function == 7 && index == 0) {
		result[CPUID_ECX] &= ~CPUID_7_ECX_OSPKE;
		if (cr4 & CR4_PKE)
			result[CPUID_ECX] |= CPUID_7_ECX_OSPKE;
	} else if (function == 0xd && index == 0) {
		result[CPUID_EBX] = standard_size(vcpu);
	} else if (function == 0xd && index == 1 &&
		   result[CPUID_EAX] & (CPUID_XSTATE_EAX_XSAVEC | CPUID_XSTATE_EAX_XSAVES)) {
		result[CPUID_EBX] = compacted_size(vcpu);
	}
}

/*
 * A leaf beyond the last of its range: Intel's processors answer as the last basic leaf,
 * AMD's with zeroes (SDM 2, CPUID; APM 3, CPUID).
 */
static const struct hv_cpuid *beyond(const struct hv_vcpu *vcpu, uint32_t function, uint32_t index)
{
	const struct hv_cpuid *vendor = find(vcpu, 0, 0), *last;
	uint32_t range = function & 0xffff0000;

	if (!vendor || vendor->ecx != 0x6c65746e) /* "ntel" */
		return NULL;
	last = range ? find(vcpu, range, 0) : vendor;
	if (last && function <= last->eax)
		return NULL;
	return find(vcpu, vendor->eax, index);
}

static const struct hv_cpuid nothing;

/* The entry whose values the guest gets, but for what follows its state; @nothing is one, too. */
static __attribute__((__noinline__)) const struct hv_cpuid *
look_up(struct hv_vcpu *vcpu, uint32_t function, uint32_t index)
{
	const struct hv_cpuid *found;

	if (!vcpu->cpuid_count)
		return &nothing;
	found = find(vcpu, function, index);
	if (found)
		vcpu->cpuid_last = (unsigned int)(found - vcpu->cpuid);
	else
		found = beyond(vcpu, function, index);
	return found ? found : &nothing;
}

void cpuid_look(struct hv_vcpu *vcpu, uint32_t function, uint32_t index, uint32_t result[4])
{
	const struct hv_cpuid *found = find_last(vcpu, function, index);

	if (!found)
		found = look_up(vcpu, function, index);
	result[CPUID_EAX] = found->eax;
	result[CPUID_EBX] = found->ebx;
	result[CPUID_ECX] = found->ecx;
	result[CPUID_EDX] = found->edx;
	if (follows_state(function))
		follow_state(vcpu, function, index, result);
}

static __attribute__((__noinline__)) void answer_by_state(struct hv_vcpu *vcpu, uint32_t function,
							  uint32_t index)
{
	uint32_t result[4];

	cpuid_look(vcpu, function, index, result);
	vcpu->gpr[GPR_RAX] = result[CPUID_EAX];
	vcpu->gpr[GPR_RBX] = result[CPUID_EBX];
	vcpu->gpr[GPR_RCX] = result[CPUID_ECX];
	vcpu->gpr[GPR_RDX] = result[CPUID_EDX];
}

/* An exit that is frequent where it is used to serialize: most leaves go straight through. */
void cpuid_answer(struct hv_vcpu *vcpu)
{
	uint32_t function = (uint32_t)vcpu->gpr[GPR_RAX], index = (uint32_t)vcpu->gpr[GPR_RCX];
	const struct hv_cpuid *found;

	if (follows_state(function)) {
		answer_by_state(vcpu, function, index);
		return;
	}
	found = find_last(vcpu, function, index);
	if (!found)
		found = look_up(vcpu, function, index);
	vcpu->gpr[GPR_RAX] = found->eax;
	vcpu->gpr[GPR_RBX] = found->ebx;
	vcpu->gpr[GPR_RCX] = found->ecx;
	vcpu->gpr[GPR_RDX] = found->edx;
}
