/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/guest_memory.h"
#include "x86/registers.h"

#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * KVM_TRANSLATE: where a linear address of the guest's leads (Linux,
 * Documentation/virt/kvm/api.rst, 4.15).
 */

/* Outside IA-32e mode a linear address has 32 bits (SDM 3, 3.3.7). */
static bool is_linear(struct hutch_vcpu *vcpu, uint64_t address)
{
	return !(address >> 32) ||
	       vcpu->hv.vm->ops->read_control(&vcpu->hv, HV_EFER) & IA32_EFER_LMA;
}

VCPU_HANDLER(vcpu_translate)
{
	struct kvm_translation translation;
	struct paging_result result;

	if (copy_from_user(&translation, user_pointer(argument), sizeof(translation)))
		return -EFAULT;
	result = guest_translate(&vcpu->hv, translation.linear_address, 0);
	translation.valid = result.status == PAGING_MAPPED &&
			    is_linear(vcpu, translation.linear_address);
	translation.physical_address = translation.valid ? result.gpa : ~0ull;
	translation.writeable = translation.valid && result.writable;
	translation.usermode = translation.valid && result.user;
	return copy_to_user(user_pointer(argument), &translation, sizeof(translation)) ? -EFAULT
										       : 0;
}
