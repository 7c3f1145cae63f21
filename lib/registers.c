/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The vCPU's registers, seen from outside.
 *
 * Where the hypervisor shares them (KVM_CAP_SYNC_REGS) each exit leaves the general
 * registers in the page that also tells its reason, and each entry takes back what
 * was changed there: looking at them costs no system call. Leaving them there costs
 * the hypervisor a little at each exit, though, so it does that only for those who
 * look: the first look asks for them, and for all that follow; when many exits have
 * gone by without one, they stay where they are until the next.
 */

#include <errno.h>
#include <string.h>

#include "lib/error.h"
#include "lib/object.h"
#include "lib/system.h"

static int vcpu_ioctl(struct hutch_vcpu *vcpu, unsigned long request, const char *name,
		      const void *argument)
{
	int result = system_ioctl(vcpu->fd, request, (unsigned long)argument);

	if (result < 0)
		return hutch_fail(errno, "vCPU %u: %s: %s", vcpu->id, name, strerror(errno));
	return result;
}

/* Hands over what waits in the page for the next entry. */
static int flush(struct hutch_vcpu *vcpu)
{
	int error = 0;

	if (vcpu->run->kvm_dirty_regs & KVM_SYNC_X86_REGS)
		error = vcpu_ioctl(vcpu, KVM_SET_REGS, "KVM_SET_REGS", &vcpu->run->s.regs.regs);
	if (!error)
		vcpu->run->kvm_dirty_regs = 0;
	return error;
}

int hutch_vcpu_ioctl(struct hutch_vcpu *vcpu, unsigned long request, const char *name,
		     void *argument)
{
	int error = flush(vcpu);

	if (error)
		return error;
	if (request == KVM_SET_REGS || request == KVM_SET_SREGS || request == KVM_SET_SREGS2)
		registers_forget(vcpu);
	return vcpu_ioctl(vcpu, request, name, argument);
}

void registers_forget(struct hutch_vcpu *vcpu)
{
	vcpu->regs_current = false;
	vcpu->sregs_current = false;
}

int hutch_vcpu_get_regs(struct hutch_vcpu *vcpu, struct kvm_regs *regs)
{
	struct kvm_regs *kept = &vcpu->run->s.regs.regs;
	int error;

	vcpu->unread_exits = 0;
	if (!vcpu->regs_current) {
		error = vcpu_ioctl(vcpu, KVM_GET_REGS, "KVM_GET_REGS", kept);
		if (error)
			return error;
		vcpu->regs_current = true;
	}
	vcpu->run->kvm_valid_regs |= vcpu->vm->hutch->sync_regs & KVM_SYNC_X86_REGS;
	*regs = *kept;
	return 0;
}

/*
 * Whether the hypervisor has an instruction to finish that would take its own RIP
 * then. A write's has been finished but for the write, which changes no register.
 */
static bool instruction_waits(const struct hutch_vcpu *vcpu)
{
	switch (vcpu->exit.reason) {
	case HUTCH_EXIT_IO:
		return vcpu->pending && !vcpu->exit.io.write;
	case HUTCH_EXIT_MMIO:
		return vcpu->pending && !vcpu->exit.mmio.write;
	default:
		return vcpu->pending;
	}
}

int hutch_vcpu_set_regs(struct hutch_vcpu *vcpu, const struct kvm_regs *regs)
{
	int error;

	if (instruction_waits(vcpu) && vcpu->regs_current &&
	    regs->rip != vcpu->run->s.regs.regs.rip)
		return hutch_fail(EBUSY,
				  "vCPU %u: RIP set in the middle of an instruction; "
				  "hutch_vcpu_complete() it first",
				  vcpu->id);
	if (vcpu->regs_current && (vcpu->vm->hutch->sync_regs & KVM_SYNC_X86_REGS)) {
		vcpu->run->s.regs.regs = *regs;
		vcpu->run->kvm_dirty_regs |= KVM_SYNC_X86_REGS;
		return 0;
	}
	error = vcpu_ioctl(vcpu, KVM_SET_REGS, "KVM_SET_REGS", regs);
	vcpu->run->s.regs.regs = *regs;
	vcpu->regs_current = !error;
	return error;
}

int hutch_vcpu_get_sregs(struct hutch_vcpu *vcpu, struct kvm_sregs *sregs)
{
	struct kvm_sregs *kept = &vcpu->run->s.regs.sregs;
	int error;

	if (!vcpu->sregs_current) {
		error = vcpu_ioctl(vcpu, KVM_GET_SREGS, "KVM_GET_SREGS", kept);
		if (error)
			return error;
		vcpu->sregs_current = true;
	}
	*sregs = *kept;
	return 0;
}

/* At once and not with the next entry: the hypervisor may refuse, and that is told here. */
int hutch_vcpu_set_sregs(struct hutch_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	int error = vcpu_ioctl(vcpu, KVM_SET_SREGS, "KVM_SET_SREGS", sregs);

	vcpu->run->s.regs.sregs = *sregs;
	vcpu->sregs_current = !error;
	return error;
}

int hutch_vcpu_share_sregs(struct hutch_vcpu *vcpu, bool share)
{
	uint64_t sregs = vcpu->vm->hutch->sync_regs & KVM_SYNC_X86_SREGS;

	if (share && !sregs)
		return hutch_fail(EOPNOTSUPP,
				  "%s: shares no segment and control registers "
				  "(KVM_CAP_SYNC_REGS)",
				  vcpu->vm->hutch->device);
	vcpu->run->kvm_valid_regs &= ~(uint64_t)KVM_SYNC_X86_SREGS;
	if (share)
		vcpu->run->kvm_valid_regs |= sregs;
	return 0;
}
