/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/svm/svm.h"

#include "core/processor.h"
#include "core/svm/check.h"
#include "x86/registers.h"

/*
 * VMRUN has refused a VMCB, and said no more than that. The VMCB is still what it
 * refused: it is judged by the manual's rules, and each that is broken is a line in the
 * host's log.
 */

#define VIOLATIONS_SHOWN 16

struct visit {
	struct violation violations[VIOLATIONS_SHOWN];
	char text[VIOLATION_TEXT_MAX];
};

/* ---- what this processor has ---------------------------------------------------------- */

/* CR4's bits that are no newer than AMD-V, and those of which CPUID tells. */
static uint64_t cr4_supported(void)
{
	const struct cpuid_registers one = processor_cpuid(1, 0), seven = processor_cpuid(7, 0);
	const struct {
		uint64_t bit;
		uint32_t word;
		unsigned int shown_by;
	} features[] = {
		{ CR4_UMIP, seven.ecx, 2 },	{ CR4_LA57, seven.ecx, 16 },
		{ CR4_FSGSBASE, seven.ebx, 0 }, { CR4_PCIDE, one.ecx, 17 },
		{ CR4_OSXSAVE, one.ecx, 26 },	{ CR4_SMEP, seven.ebx, 7 },
		{ CR4_SMAP, seven.ebx, 20 },	{ CR4_PKE, seven.ecx, 3 },
		{ CR4_CET, seven.ecx, 7 },	{ CR4_PKS, seven.ecx, 31 },
	};
	uint64_t supported = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE |
			     CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	for (unsigned int i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].word >> features[i].shown_by & 1)
			supported |= features[i].bit;
	return supported;
}

/* EFER's: APM 2, 3.1.7. */
#define EFER_LMSLE   (1ull << 13)
#define EFER_TCE     (1ull << 15)
#define EFER_MCOMMIT (1ull << 17)
#define EFER_INTWB   (1ull << 18)
#define EFER_UAIE    (1ull << 20)
#define EFER_AIBRSE  (1ull << 21)

static uint64_t efer_supported(void)
{
	const struct cpuid_registers one = processor_cpuid(0x80000001, 0);
	const struct cpuid_registers eight = processor_cpuid(0x80000008, 0);
	const uint32_t more = processor_cpuid(0x80000000, 0).eax >= 0x80000021
				      ? processor_cpuid(0x80000021, 0).eax
				      : 0;
	const struct {
		uint64_t bit;
		uint32_t word;
		unsigned int shown_by;
	} features[] = {
		{ IA32_EFER_SCE, one.edx, 11 },	 { IA32_EFER_NXE, one.edx, 20 },
		{ AMD_EFER_FFXSR, one.edx, 25 }, { IA32_EFER_SVME, one.ecx, 2 },
		{ EFER_TCE, one.ecx, 17 },	 { EFER_MCOMMIT, eight.ebx, 8 },
		{ EFER_INTWB, eight.ebx, 13 },	 { EFER_LMSLE, ~eight.ebx, 20 },
		{ EFER_UAIE, more, 7 },		 { EFER_AIBRSE, more, 8 },
	};
	uint64_t supported = 0;

	for (unsigned int i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (features[i].word >> features[i].shown_by & 1)
			supported |= features[i].bit;
	return supported;
}

static struct svm_capability known;

void svm_doctor_start(void)
{
	known = (struct svm_capability){
		.physical_address_bits = processor_cpuid(0x80000008, 0).eax & 0xff,
		.has_long_mode = true,
		.asid_count = svm_features.asids,
		.features = processor_cpuid(0x8000000a, 0).edx,
		.cr4_supported = cr4_supported(),
		.efer_supported = efer_supported(),
	};
}

/* ---- the visit --------------------------------------------------------------------------- */

static void examine(const struct hv_vcpu *vcpu, struct diagnosis *diagnosis)
{
	const struct svm_vcpu *svm = vcpu->cpu;
	const struct svm_surroundings around = {
		.host_paging = true,
		.host_efer = processor_read_msr(IA32_EFER),
		.vm_hsave_pa = processor_read_msr(AMD_VM_HSAVE_PA),
		.vmcb_pa = svm->vmcb_physical,
	};

	svm_check(svm->vmcb, &known, &around, diagnosis);
}

/* With one violation there is enough to doubt; nothing may be allocated here. */
void svm_doctor_before(struct hv_vcpu *vcpu)
{
	struct violation violation;
	struct diagnosis diagnosis = { &violation, 1, 0 };

	examine(vcpu, &diagnosis);
	svm_vcpu(vcpu)->doubt = diagnosis.count ? violation.rule : NULL;
}

void svm_doctor_after(struct hv_vcpu *vcpu)
{
	const struct svm_vcpu *svm = svm_vcpu(vcpu);

	if (!svm->doubt)
		return;
	host_log("VMRUN has taken a guest that breaks this rule:");
	host_log(svm->doubt);
}

void svm_doctor(struct hv_vcpu *vcpu)
{
	struct visit *visit = host_alloc(sizeof(*visit));
	struct diagnosis diagnosis;

	if (!visit)
		return;
	diagnosis = (struct diagnosis){ visit->violations, VIOLATIONS_SHOWN, 0 };
	examine(vcpu, &diagnosis);
	for (size_t i = 0; i < diagnosis_kept(&diagnosis); i++) {
		violation_text(&visit->violations[i], visit->text, sizeof(visit->text));
		host_log(visit->text);
	}
	if (!diagnosis.count)
		host_log("the entry doctor finds no rule broken");
	host_free(visit, sizeof(*visit));
}
