/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "core/processor.h"
#include "core/vmx/check.h"

/*
 * An entry has failed, and the processor has said no more than a number. The VMCS is
 * still what it refused: it is read whole and judged by the manual's rules.
 */

#define VIOLATIONS_SHOWN 16

struct visit {
	struct vmcs_state state;
	struct violation violations[VIOLATIONS_SHOWN];
	char text[VIOLATION_TEXT_MAX];
};

/* Not vmx_get(): some of what was refused is forgotten already. */
static uint64_t read_field(void *owner, uint32_t encoding)
{
	struct vmx_vcpu *vmx = owner;
	uint64_t flags = processor_interrupts_off(), value = 0;

	if (vmx->fields.readable)
		value = vmx_instruction_vmread(encoding);
	processor_interrupts_back(flags);
	return value;
}

static void examine(struct hv_vcpu *vcpu, struct visit *visit, struct diagnosis *diagnosis)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	const struct vmx_surroundings around = {
		.long_mode = true,
		.current_vmcs = vmx->vmcs_physical,
		.vtpr_known = true,
		.vtpr = vmx->virtual_apic[VMX_APIC_TPR],
	};

	*diagnosis = (struct diagnosis){ visit->violations, VIOLATIONS_SHOWN, 0 };
	vmcs_state_read(&visit->state, &vmx_features.capability, read_field, vmx);
	vmx_check(&visit->state, &vmx_features.capability, &around, diagnosis);
}

/* One at a time: he has one room for those who can't wait, and asks no one in twice. */
void vmx_doctor_before(struct hv_vcpu *vcpu)
{
	static struct visit visit;
	static bool busy;
	struct diagnosis diagnosis;

	vmx_vcpu(vcpu)->doubt = NULL;
	if (__atomic_exchange_n(&busy, true, __ATOMIC_ACQUIRE))
		return;
	examine(vcpu, &visit, &diagnosis);
	if (diagnosis.count)
		vmx_vcpu(vcpu)->doubt = visit.violations[0].rule;
	__atomic_store_n(&busy, false, __ATOMIC_RELEASE);
}

void vmx_doctor_after(struct hv_vcpu *vcpu)
{
	const struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (!vmx->doubt)
		return;
	host_log("VM entry has taken a guest that breaks this rule:");
	host_log(vmx->doubt);
}

void vmx_doctor(struct hv_vcpu *vcpu)
{
	struct visit *visit = host_alloc(sizeof(*visit));
	struct diagnosis diagnosis;

	if (!visit)
		return;
	examine(vcpu, visit, &diagnosis);
	for (size_t i = 0; i < diagnosis_kept(&diagnosis); i++) {
		violation_text(&visit->violations[i], visit->text, sizeof(visit->text));
		host_log(visit->text);
	}
	if (!diagnosis.count)
		host_log("the entry doctor finds no rule broken");
	host_free(visit, sizeof(*visit));
}
