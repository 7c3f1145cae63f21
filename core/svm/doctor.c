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

static struct svm_capability capability(void)
{
	struct svm_capability capability = {
		.physical_address_bits = processor_cpuid(0x80000008, 0).eax & 0xff,
		.has_long_mode = true,
		.asid_count = svm_features.asids,
		.features = processor_cpuid(0x8000000a, 0).edx,
		/* Which bits of these are reserved differs by model: all are taken for known. */
		.cr4_supported = UINT64_MAX,
		.efer_supported = UINT64_MAX,
	};

	return capability;
}

void svm_doctor(struct hv_vcpu *vcpu)
{
	const struct svm_vcpu *svm = svm_vcpu(vcpu);
	const struct svm_capability known = capability();
	const struct svm_surroundings around = {
		.host_paging = true,
		.host_efer = processor_read_msr(IA32_EFER),
		.vm_hsave_pa = processor_read_msr(AMD_VM_HSAVE_PA),
		.vmcb_pa = svm->vmcb_physical,
	};
	struct visit *visit = host_alloc(sizeof(*visit));
	struct diagnosis diagnosis;

	if (!visit)
		return;
	diagnosis = (struct diagnosis){ visit->violations, VIOLATIONS_SHOWN, 0 };
	svm_check(svm->vmcb, &known, &around, &diagnosis);
	for (size_t i = 0; i < diagnosis_kept(&diagnosis); i++) {
		violation_text(&visit->violations[i], visit->text, sizeof(visit->text));
		host_log(visit->text);
	}
	if (!diagnosis.count)
		host_log("the entry doctor finds no rule broken");
	host_free(visit, sizeof(*visit));
}
