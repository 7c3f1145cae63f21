/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What is to be said about an exit that nobody handled: everything that helps to
 * find out why, and in the manual's names.
 */

#include <inttypes.h>
#include <stdio.h>

#include "lib/object.h"

int hutch_vcpu_report(struct hutch_vcpu *vcpu, char *buffer, size_t size)
{
	struct kvm_regs regs = { 0 };

	hutch_vcpu_get_regs(vcpu, &regs);
	return snprintf(buffer, size, "vCPU %u: %s exit (KVM reason %u) at rip 0x%" PRIx64 "\n",
			vcpu->id, hutch_exit_name(vcpu->exit.reason), vcpu->exit.kvm_reason,
			(uint64_t)regs.rip);
}
