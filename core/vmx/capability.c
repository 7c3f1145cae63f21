/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Reading what VT-x can do. Of the capability MSRs only the first ten are always there;
 * each of the others exists where one of those before it says so (SDM 3, appendix A),
 * and reading one that does not is a general-protection fault.
 */

#include "core/vmx/capability.h"

#include "x86/registers.h"

struct vmx_controls vmx_controls(const struct vmx_capability *capability,
				 enum vmx_control_word word)
{
	bool has_true = capability->basic & VMX_BASIC_TRUE_CONTROLS;
	uint64_t halves = 0;

	switch (word) {
	case VMX_WORD_PIN:
		halves = has_true ? capability->true_pinbased_ctls : capability->pinbased_ctls;
		break;
	case VMX_WORD_PRIMARY:
		halves = has_true ? capability->true_procbased_ctls : capability->procbased_ctls;
		break;
	case VMX_WORD_SECONDARY:
		halves = capability->procbased_ctls2;
		break;
	case VMX_WORD_EXIT:
		halves = has_true ? capability->true_exit_ctls : capability->exit_ctls;
		break;
	case VMX_WORD_ENTRY:
		halves = has_true ? capability->true_entry_ctls : capability->entry_ctls;
		break;
	/* These are 64 bits wide, and none of them can be forced to 1 (SDM 3, A.3.4, A.4.2). */
	case VMX_WORD_TERTIARY:
		return (struct vmx_controls){ 0, capability->procbased_ctls3 };
	case VMX_WORD_EXIT2:
		return (struct vmx_controls){ 0, capability->exit_ctls2 };
	case VMX_WORD_COUNT:
		break;
	}
	return (struct vmx_controls){ halves & UINT32_MAX, halves >> 32 };
}

static void read_optional(struct vmx_capability *capability,
			  uint64_t (*rdmsr)(void *owner, uint32_t index), void *owner)
{
	if (vmx_controls_allow(capability, VMX_WORD_PRIMARY,
			       VMX_PRIMARY_ACTIVATE_SECONDARY_CONTROLS))
		capability->procbased_ctls2 = rdmsr(owner, IA32_VMX_PROCBASED_CTLS2);
	if (vmx_controls_allow(capability, VMX_WORD_PRIMARY,
			       VMX_PRIMARY_ACTIVATE_TERTIARY_CONTROLS))
		capability->procbased_ctls3 = rdmsr(owner, IA32_VMX_PROCBASED_CTLS3);
	if (vmx_controls_allow(capability, VMX_WORD_EXIT, VMX_EXIT_ACTIVATE_SECONDARY_CONTROLS))
		capability->exit_ctls2 = rdmsr(owner, IA32_VMX_EXIT_CTLS2);
	if (vmx_controls_allow(capability, VMX_WORD_SECONDARY, VMX_SECONDARY_ENABLE_EPT) ||
	    vmx_controls_allow(capability, VMX_WORD_SECONDARY, VMX_SECONDARY_ENABLE_VPID))
		capability->ept_vpid_cap = rdmsr(owner, IA32_VMX_EPT_VPID_CAP);
	if (vmx_controls_allow(capability, VMX_WORD_SECONDARY, VMX_SECONDARY_ENABLE_VM_FUNCTIONS))
		capability->vmfunc = rdmsr(owner, IA32_VMX_VMFUNC);
}

void vmx_capability_read(struct vmx_capability *capability,
			 uint64_t (*rdmsr)(void *owner, uint32_t index), void *owner)
{
	capability->basic = rdmsr(owner, IA32_VMX_BASIC);
	capability->pinbased_ctls = rdmsr(owner, IA32_VMX_PINBASED_CTLS);
	capability->procbased_ctls = rdmsr(owner, IA32_VMX_PROCBASED_CTLS);
	capability->exit_ctls = rdmsr(owner, IA32_VMX_EXIT_CTLS);
	capability->entry_ctls = rdmsr(owner, IA32_VMX_ENTRY_CTLS);
	capability->misc = rdmsr(owner, IA32_VMX_MISC);
	capability->cr0_fixed0 = rdmsr(owner, IA32_VMX_CR0_FIXED0);
	capability->cr0_fixed1 = rdmsr(owner, IA32_VMX_CR0_FIXED1);
	capability->cr4_fixed0 = rdmsr(owner, IA32_VMX_CR4_FIXED0);
	capability->cr4_fixed1 = rdmsr(owner, IA32_VMX_CR4_FIXED1);
	capability->vmcs_enum = rdmsr(owner, IA32_VMX_VMCS_ENUM);
	capability->procbased_ctls2 = capability->procbased_ctls3 = 0;
	capability->exit_ctls2 = capability->ept_vpid_cap = capability->vmfunc = 0;
	capability->true_pinbased_ctls = capability->true_procbased_ctls = 0;
	capability->true_exit_ctls = capability->true_entry_ctls = 0;
	if (capability->basic & VMX_BASIC_TRUE_CONTROLS) {
		capability->true_pinbased_ctls = rdmsr(owner, IA32_VMX_TRUE_PINBASED_CTLS);
		capability->true_procbased_ctls = rdmsr(owner, IA32_VMX_TRUE_PROCBASED_CTLS);
		capability->true_exit_ctls = rdmsr(owner, IA32_VMX_TRUE_EXIT_CTLS);
		capability->true_entry_ctls = rdmsr(owner, IA32_VMX_TRUE_ENTRY_CTLS);
	}
	read_optional(capability, rdmsr, owner);
}
