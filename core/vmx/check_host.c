/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* The host-state area, to which the next exit leads: SDM 3, 27.2.2 to 27.2.4. */

#include "core/vmx/check_internal.h"

#define VMX_RULE(NAME, FIELD, text, broken) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, broken);
#define VMX_BITS(NAME, FIELD, text, bits) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, bits);

void vmx_check_host(struct vmx_check *check)
{
#include "core/vmx/rules_host.def"
}
