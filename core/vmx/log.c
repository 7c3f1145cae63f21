/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "core/memory.h"

/*
 * The page-modification log (SDM 3, 29.3.6). Where an entry of EPT is marked dirty for the
 * first time, the processor notes down which page it leads to: 512 addresses in a page of
 * each vCPU, from the last to the first, and an exit when it is full. So a guest's first
 * write to a page costs an exit for 512 of them, where write protection costs one each.
 *
 * The log is emptied at every exit while it is on, with interrupts off: whoever has
 * fetched the guest out of its run finds all it has written in the slots' bitmaps.
 */

#define ENTRIES 512u
#define LAST	(ENTRIES - 1) /* where an empty log begins */

void vmx_log_probe(void)
{
	const struct vmx_capability *capability = &vmx_features.capability;

	vmx_features.log =
		hv_options.write_log && capability->ept_vpid_cap & VMX_EPT_ACCESSED_DIRTY &&
		vmx_controls_allow(capability, VMX_WORD_SECONDARY, VMX_SECONDARY_ENABLE_PML);
}

bool vmx_logs_writes(void)
{
	return vmx_features.log;
}

int vmx_log_init(struct hv_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (!vmx_features.log)
		return HOST_OK;
	vmx->log = host_pages_alloc(0);
	if (!vmx->log)
		return HOST_ENOMEM;
	vmx_set(&vmx->fields, VMCS_INDEX_PML_ADDRESS, host_physical(vmx->log));
	return HOST_OK;
}

void vmx_log_free(struct hv_vcpu *vcpu)
{
	if (vmx_vcpu(vcpu)->log)
		host_pages_free(vmx_vcpu(vcpu)->log, 0);
}

void vmx_log_switch(struct hv_vcpu *vcpu, bool on)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint64_t secondary = vmx->fields.state.secondary_controls & ~VMX_SECONDARY_ENABLE_PML;

	vmx->logging = on;
	vmx_set_here(&vmx->fields, VMCS_INDEX_SECONDARY_CONTROLS,
		     secondary | (on ? VMX_SECONDARY_ENABLE_PML : 0));
	vmx_instruction_vmwrite(VMCS_PML_INDEX, LAST);
}

void vmx_log_empty(struct hv_vcpu *vcpu)
{
	const uint64_t *log = vmx_vcpu(vcpu)->log;
	/* Where the next would go; beyond the log, FFFFH, when it is full. */
	uint64_t next = vmx_instruction_vmread(VMCS_PML_INDEX);
	unsigned int first = next > LAST ? 0 : (unsigned int)next + 1;

	if (first == ENTRIES)
		return;
	memory_logged(vcpu->vm, &log[first], ENTRIES - first);
	vmx_instruction_vmwrite(VMCS_PML_INDEX, LAST);
}
