/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* VM-execution control fields: SDM 3, 27.2.1.1. */

#include "core/vmx/check_internal.h"

#define VMX_RULE(NAME, FIELD, text, broken) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, broken);
#define VMX_BITS(NAME, FIELD, text, bits) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, bits);

static bool ept_memory_type(const struct vmx_check *check)
{
	switch (FIELD(EPTP) & VMX_EPTP_MEMORY_TYPE) {
	case VMX_EPTP_UNCACHEABLE:
		return check->capability->ept_vpid_cap & VMX_EPT_UNCACHEABLE;
	case VMX_EPTP_WRITE_BACK:
		return check->capability->ept_vpid_cap & VMX_EPT_WRITE_BACK;
	default:
		return false;
	}
}

static bool ept_walk_length(const struct vmx_check *check)
{
	switch ((FIELD(EPTP) & VMX_EPTP_WALK_LENGTH) >> VMX_EPTP_WALK_LENGTH_SHIFT) {
	case 3:
		return check->capability->ept_vpid_cap & VMX_EPT_4_LEVELS;
	case 4:
		return check->capability->ept_vpid_cap & VMX_EPT_5_LEVELS;
	default:
		return false;
	}
}

static bool eptp_switching(const struct vmx_check *check)
{
	return SECONDARY(ENABLE_VM_FUNCTIONS) &&
	       FIELD(VM_FUNCTION_CONTROLS) & VMX_VM_FUNCTION_EPTP_SWITCHING;
}

void vmx_check_execution_controls(struct vmx_check *check)
{
#include "core/vmx/rules_execution.def"
}
