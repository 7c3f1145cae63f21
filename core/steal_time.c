/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/memory.h"
#include "core/paravirtual.h"

/*
 * How long a vCPU was ready to run and others had its CPU, so that the guest does not
 * count that time as its programs' (Linux, Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_STEAL_TIME): the host's scheduler counts it for the vCPU's thread.
 *
 * One byte beside it says that the vCPU is not running now: whoever waits for a lock that
 * it holds need not spin. It is a hint, written when the thread leaves its CPU, at a moment
 * at which nothing can be waited for: where the page is not at hand there is no hint, and
 * no log hears of it. The next entry takes it back, and of that the log hears.
 */

#define PAGE_ADDRESS (~0x3full)

struct steal_time {
	uint64_t nanoseconds;
	uint32_t version, flags;
	uint8_t preempted;
	uint8_t pad[47];
};
_Static_assert(sizeof(struct steal_time) == 64, "the guest's layout");

static uint64_t address(const struct hv_vcpu *vcpu)
{
	return vcpu->paravirtual.steal_time & PAGE_ADDRESS;
}

void steal_time_begin(struct hv_vcpu *vcpu)
{
	vcpu->paravirtual.steal_hva = 0;
	if (!(vcpu->paravirtual.steal_time & 1))
		return;
	vcpu->paravirtual.run_delay = host_run_delay();
	hv_vcpu_request(vcpu, HV_REQUEST_STEAL);
}

bool steal_time_is_old(const struct hv_vcpu *vcpu)
{
	return !vcpu->paravirtual.steal_hva || vcpu->paravirtual.run_delay != host_run_delay();
}

void steal_time_update(struct hv_vcpu *vcpu)
{
	struct hv_paravirtual *own = &vcpu->paravirtual;
	uint64_t delay = host_run_delay();
	struct steal_time steal;

	own->steal_hva = 0;
	if (!memory_copy_in(vcpu->vm, address(vcpu), &steal, sizeof(steal)))
		return;
	/* Another thread of the VMM's, with a count of its own, may have it now. */
	if (delay > own->run_delay)
		steal.nanoseconds += delay - own->run_delay;
	own->run_delay = delay;
	steal.flags = 0;
	steal.preempted = 0;
	if (paravirtual_publish(vcpu->vm, address(vcpu), &steal, sizeof(steal),
				offsetof(struct steal_time, version)))
		own->steal_hva = memory_place(
			vcpu->vm, address(vcpu) + offsetof(struct steal_time, preempted),
			&own->steal_generation);
}

void steal_time_preempted(struct hv_vcpu *vcpu)
{
	struct hv_paravirtual *own = &vcpu->paravirtual;
	const uint8_t preempted = 1;

	if (own->steal_hva &&
	    own->steal_generation == __atomic_load_n(&vcpu->vm->slots_generation, __ATOMIC_SEQ_CST))
		host_copy_out_now(own->steal_hva, &preempted, sizeof(preempted));
	own->steal_hva = 0; /* until it is told anew */
}
