/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * KVM_GET_NESTED_STATE, KVM_SET_NESTED_STATE (Linux, Documentation/virt/kvm/api.rst, 4.114,
 * 4.115): of a guest that runs guests of its own, how far it is. Guests here have none, so
 * there is one state, a header that says so. A VMM that saves everything there is can save
 * and restore it; KVM_CAP_NESTED_STATE says 0.
 */

#define NO_ADDRESS ~0ull

static void nothing_nested(struct kvm_nested_state *state)
{
	memset(state, 0, sizeof(*state));
	state->size = sizeof(*state);
	if (hutch_ops->long_mode == DECODE_MODE_64_AMD) {
		state->format = KVM_STATE_NESTED_FORMAT_SVM;
		state->flags = KVM_STATE_NESTED_GIF_SET;
	} else {
		state->format = KVM_STATE_NESTED_FORMAT_VMX;
		state->hdr.vmx.vmxon_pa = NO_ADDRESS;
		state->hdr.vmx.vmcs12_pa = NO_ADDRESS;
	}
}

VCPU_HANDLER(vcpu_get_nested_state)
{
	struct kvm_nested_state __user *to = user_pointer(argument);
	struct kvm_nested_state state;
	uint32_t room;

	nothing_nested(&state);
	if (get_user(room, &to->size))
		return -EFAULT;
	if (room < sizeof(state))
		return put_user(state.size, &to->size) ? -EFAULT : -E2BIG;
	return copy_to_user(to, &state, sizeof(state)) ? -EFAULT : 0;
}

/* The same; AMD-V's flag may be missing, as nobody here looks at it. */
VCPU_HANDLER(vcpu_set_nested_state)
{
	struct kvm_nested_state nothing, state;

	nothing_nested(&nothing);
	if (copy_from_user(&state, user_pointer(argument), sizeof(state)))
		return -EFAULT;
	if (state.size < sizeof(state) || state.format != nothing.format ||
	    state.flags & ~nothing.flags)
		return -EINVAL;
	if (state.format == KVM_STATE_NESTED_FORMAT_VMX &&
	    (state.hdr.vmx.vmxon_pa != NO_ADDRESS || state.hdr.vmx.vmcs12_pa != NO_ADDRESS))
		return -EINVAL;
	return 0;
}
