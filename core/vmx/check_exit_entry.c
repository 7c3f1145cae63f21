/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* VM-exit and VM-entry control fields: SDM 3, 27.2.1.2 and 27.2.1.3. */

#include "core/vmx/check_internal.h"

#include "x86/exception.h"

#define VMX_RULE(NAME, FIELD, text, broken) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, broken);
#define VMX_BITS(NAME, FIELD, text, bits) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, bits);

static unsigned int event_vector(const struct vmx_check *check)
{
	return check->event & VMX_EVENT_VECTOR;
}

/* The instruction that caused it has a length, so that the handler returns behind it. */
static bool event_is_software(const struct vmx_check *check)
{
	return check->event && check->event_type >= VMX_EVENT_SOFTWARE_INTERRUPT &&
	       check->event_type <= VMX_EVENT_SOFTWARE_EXCEPTION;
}

/* Whether an error code has to be there for exactly those exceptions that have one. */
static bool error_code_matters(const struct vmx_check *check)
{
	return !(check->capability->basic & VMX_BASIC_ANY_ERROR_CODE);
}

/* The processors that are strict about error codes are older than #CP. */
static bool event_has_error_code(const struct vmx_check *check)
{
	unsigned int vector = event_vector(check);

	return vector <= EXCEPTION_AC && exception_has_error_code((uint8_t)vector);
}

static bool has_fred(const struct vmx_check *check)
{
	return check->capability->basic & VMX_BASIC_NESTED_EXCEPTION;
}

static bool may_be_nested(const struct vmx_check *check)
{
	return has_fred(check) && check->event_type == VMX_EVENT_HARDWARE_EXCEPTION;
}

void vmx_check_exit_and_entry_controls(struct vmx_check *check)
{
#include "core/vmx/rules_exit_entry.def"
}
