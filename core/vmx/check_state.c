/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* What a guest is besides its registers, such as halted or blocked: SDM 3, 27.3.1.5. */

#include "core/vmx/check_internal.h"

#include "x86/exception.h"

#define VMX_RULE(NAME, FIELD, text, broken) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, broken);
#define VMX_BITS(NAME, FIELD, text, bits) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, bits);

#define LINK_POINTER_NONE UINT64_MAX
#define DEBUGCTL_BTF	  (1ull << 1) /* SDM 3, 18.4.1 */

static bool activity_supported(const struct vmx_check *check)
{
	switch (FIELD(GUEST_ACTIVITY_STATE)) {
	case VMX_ACTIVITY_HLT:
		return check->capability->misc & VMX_MISC_ACTIVITY_HLT;
	case VMX_ACTIVITY_SHUTDOWN:
		return check->capability->misc & VMX_MISC_ACTIVITY_SHUTDOWN;
	case VMX_ACTIVITY_WAIT_FOR_SIPI:
		return check->capability->misc & VMX_MISC_ACTIVITY_SIPI;
	default:
		return true;
	}
}

static bool event_is_exception(const struct vmx_check *check, enum exception_vector vector)
{
	return check->event_type == VMX_EVENT_HARDWARE_EXCEPTION &&
	       (check->event & VMX_EVENT_VECTOR) == vector;
}

/* Interrupts, NMIs, #DB, #MC, and a pending MTF exit. */
static bool event_ends_hlt(const struct vmx_check *check)
{
	return check->event_type == VMX_EVENT_EXTERNAL_INTERRUPT ||
	       check->event_type == VMX_EVENT_NMI || event_is_exception(check, EXCEPTION_DB) ||
	       event_is_exception(check, EXCEPTION_MC) ||
	       (check->event_type == VMX_EVENT_OTHER && !(check->event & VMX_EVENT_VECTOR));
}

static bool event_ends_shutdown(const struct vmx_check *check)
{
	return check->event_type == VMX_EVENT_NMI || event_is_exception(check, EXCEPTION_MC);
}

static uint64_t pending_supported(const struct vmx_check *check)
{
	return VMX_PENDING_B0_TO_B3 | VMX_PENDING_BREAKPOINT | VMX_PENDING_BS | VMX_PENDING_RTM |
	       (check->capability->has_bus_lock_trap ? VMX_PENDING_BLD : 0);
}

/* In these states a trap after the last instruction is still to come. */
static bool step_is_pending(const struct vmx_check *check)
{
	return FIELD(GUEST_INTERRUPTIBILITY_STATE) &
		       (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS) ||
	       FIELD(GUEST_ACTIVITY_STATE) == VMX_ACTIVITY_HLT;
}

/* After each instruction, not only after branches. */
static bool stepping(const struct vmx_check *check)
{
	return FIELD(GUEST_RFLAGS) & RFLAGS_TF && !(FIELD(GUEST_IA32_DEBUGCTL) & DEBUGCTL_BTF);
}

static bool linked(const struct vmx_check *check)
{
	return FIELD(VMCS_LINK_POINTER) != LINK_POINTER_NONE;
}

static bool link_known(const struct vmx_check *check)
{
	return linked(check) && check->around->link_known;
}

void vmx_check_guest_state(struct vmx_check *check)
{
	const uint64_t activity = FIELD(GUEST_ACTIVITY_STATE);
	const uint64_t blocked = FIELD(GUEST_INTERRUPTIBILITY_STATE);
	const uint64_t pending = FIELD(GUEST_PENDING_DEBUG_EXCEPTIONS);

#include "core/vmx/rules_state.def"
}
