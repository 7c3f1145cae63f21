/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/* Machine checks that the VMM gives to the guest (Linux, Documentation/virt/kvm/api.rst, 4.104 to 4.106). */

SYSTEM_HANDLER(system_mce_capabilities)
{
	const uint64_t supported = HV_MCE_CAP_SUPPORTED;

	return copy_to_user(user_pointer(argument), &supported, sizeof(supported)) ? -EFAULT : 0;
}

VCPU_HANDLER(vcpu_setup_mce)
{
	uint64_t cap;

	if (copy_from_user(&cap, user_pointer(argument), sizeof(cap)))
		return -EFAULT;
	return hv_vcpu_set_machine_check_cap(&vcpu->hv, cap) ? 0 : -EINVAL;
}

VCPU_HANDLER(vcpu_set_mce)
{
	struct hv_machine_error error;
	struct kvm_x86_mce mce;

	if (copy_from_user(&mce, user_pointer(argument), sizeof(mce)))
		return -EFAULT;
	error = (struct hv_machine_error){
		.status = mce.status,
		.address = mce.addr,
		.misc = mce.misc,
		.global_status = mce.mcg_status,
		.bank = mce.bank,
	};
	return hv_vcpu_machine_check(&vcpu->hv, &error) ? 0 : -EINVAL;
}
