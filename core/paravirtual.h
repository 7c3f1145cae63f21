/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_PARAVIRTUAL_H
#define HUTCH_CORE_PARAVIRTUAL_H

/*
 * What a guest that knows its hypervisor can have of it beyond a processor's services, as
 * Linux's KVM has defined it (Linux, Documentation/virt/kvm/x86/msr.rst, cpuid.rst and
 * hypercalls.rst). CPUID shows what is there; an MSR switches each of them on and says
 * where in the guest's memory the two meet.
 *
 *	paravirtual.c	the MSRs, and how such a place is written while others read it
 *	pvclock.c	the time: of the VM, and of the day it began
 *	steal_time.c	how long others have had the vCPU's CPU
 *	pv_eoi.c	ends of interrupt without an exit
 *	hypercall.c	IPIs to many at once, a kick for one that sleeps
 *
 * What is written for the guest goes through its memory slots, so that a log of dirty
 * pages has it; and by the vCPU's own thread before it enters, where it may sleep.
 */

#include "core/hv.h"

/* Bits of CPUID 0x40000001 EAX. */
enum paravirtual_feature {
	PARAVIRTUAL_CLOCK = 0, /* with the first numbers of its MSRs */
	PARAVIRTUAL_CLOCK_NEW = 3,
	PARAVIRTUAL_STEAL_TIME = 5,
	PARAVIRTUAL_EOI = 6,
	PARAVIRTUAL_UNHALT = 7,
	PARAVIRTUAL_SEND_IPI = 11,
};

/* Whether the guest may use it: unless the VMM has asked for that, CPUID does not matter. */
bool paravirtual_has(struct hv_vcpu *vcpu, enum paravirtual_feature feature);

/* All MSRs of these. False: #GP. */
bool paravirtual_read(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t *value);
bool paravirtual_write(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t value);
/* Its processor is reset: all of it is off. */
void paravirtual_reset(struct hv_vcpu *vcpu);

/* The vCPU comes to a CPU, with any of it switched on; pinned. */
void paravirtual_load(struct hv_vcpu *vcpu, bool moved);
/* Sees to these HV_REQUEST_*. May sleep. */
void paravirtual_update(struct hv_vcpu *vcpu, uint32_t requests);

/*
 * Writes what readers find whole: a version of 32 bits, at @version in it, is odd as long as
 * it is not. The version that stands in @image is the last one. False: there is no memory.
 */
bool paravirtual_publish(struct hv_vm *vm, uint64_t gpa, void *image, size_t size, size_t version);

void pvclock_update(struct hv_vcpu *vcpu);
void pvclock_write_wall(struct hv_vm *vm, uint64_t gpa);

void steal_time_begin(struct hv_vcpu *vcpu);
/* Whether there is something to tell. */
bool steal_time_is_old(const struct hv_vcpu *vcpu);
void steal_time_update(struct hv_vcpu *vcpu);
/* It leaves its CPU: tells the other vCPUs that it is not running. Pinned. */
void steal_time_preempted(struct hv_vcpu *vcpu);

/* Right before an entry: the guest may end its interrupt by itself; and after it: has it? */
void pv_eoi_offer(struct hv_vcpu *vcpu);
void pv_eoi_take(struct hv_vcpu *vcpu);

/* The guest's VMCALL or VMMCALL: what becomes of RAX. */
void hypercall_answer(struct hv_vcpu *vcpu);

#endif
