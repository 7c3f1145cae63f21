/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/irqchip_user.h"

#include <string.h>

#include "hutch/hutch.h"
#include "vmm/vcpu.h"
#include "x86/registers.h"

/*
 * The MSRs of a local APIC, which belong to user space when the local APIC does.
 *
 * KVM raises #GP for an x2APIC's MSRs where it has no local APIC itself, and with
 * KVM_CAP_X86_USER_SPACE_MSR it asks us first (Linux, Documentation/virt/kvm/api.rst,
 * 7.22). IA32_APIC_BASE and IA32_TSC_DEADLINE it would take itself, so they are
 * filtered (4.97 KVM_X86_SET_MSR_FILTER; the filter does not reach 0x800 to 0x8ff).
 *
 * But some kernels swallow a write to IA32_TSC_DEADLINE on a fast path before they look
 * at any filter, and do so without a local APIC too. A guest that trusted in such a
 * timer would sleep for ever; so a guest of three instructions tries it out.
 */

static int ask_for_msrs(struct hutch_vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X86_USER_SPACE_MSR,
		.args = { KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_INVAL |
			  KVM_MSR_EXIT_REASON_FILTER },
	};

	return hutch_vm_ioctl(vm, KVM_ENABLE_CAP, "KVM_ENABLE_CAP (KVM_CAP_X86_USER_SPACE_MSR)",
			      &cap);
}

static int filter_msrs(struct hutch_vm *vm)
{
	uint8_t denied[8] = { 0 };
	struct kvm_msr_filter filter = {
		.flags = KVM_MSR_FILTER_DEFAULT_ALLOW,
		.ranges = {
			{ KVM_MSR_FILTER_WRITE, 1, IA32_APIC_BASE, denied },
			{ KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, 1, IA32_TSC_DEADLINE, denied },
		},
	};

	return hutch_vm_ioctl(vm, KVM_X86_SET_MSR_FILTER, "KVM_X86_SET_MSR_FILTER", &filter);
}

/* ---- the guest that tries it out ------------------------------------------------ */

/* In real mode at address 0: a write of 0 to IA32_TSC_DEADLINE, then HLT. */
static const uint8_t probe_code[] = {
	0x66, 0xb9, 0xe0, 0x06, 0x00, 0x00, /* mov $0x6e0, %ecx */
	0x66, 0x31, 0xc0,		    /* xor %eax, %eax */
	0x66, 0x31, 0xd2,		    /* xor %edx, %edx */
	0x0f, 0x30,			    /* wrmsr */
	0xf4,				    /* hlt */
};

static int start_at_zero(struct hutch_vcpu *vcpu)
{
	const struct kvm_regs regs = { .rflags = RFLAGS_FIXED };
	struct kvm_sregs sregs;
	int error = hutch_vcpu_get_sregs(vcpu, &sregs);

	if (error)
		return error;
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	error = hutch_vcpu_set_sregs(vcpu, &sregs);
	return error ? error : hutch_vcpu_set_regs(vcpu, &regs);
}

static bool write_exits(struct hutch_vcpu *vcpu)
{
	struct hutch_exit exit;

	return !start_at_zero(vcpu) && !hutch_vcpu_enter(vcpu, &exit) &&
	       exit.reason == HUTCH_EXIT_MSR_WRITE && exit.msr.index == IA32_TSC_DEADLINE;
}

static void try_tsc_deadline(struct hutch *hutch, struct user_msrs *msrs)
{
	struct hutch_vm *vm = hutch_vm_create(hutch);
	struct hutch_vcpu *vcpu;
	int khz;

	if (!vm)
		return;
	if (ask_for_msrs(vm) || filter_msrs(vm) || hutch_memory_add(vm, 0, 4096, 0) ||
	    hutch_memory_write(vm, 0, probe_code, sizeof(probe_code)))
		goto out;
	vcpu = hutch_vcpu_create(vm, 0);
	if (!vcpu)
		goto out;
	khz = hutch_vcpu_ioctl(vcpu, KVM_GET_TSC_KHZ, "KVM_GET_TSC_KHZ", NULL);
	if (khz > 0 && write_exits(vcpu)) {
		msrs->tsc_hz = (uint64_t)khz * 1000;
		msrs->tsc_deadline = true;
	}
out:
	hutch_vm_destroy(vm);
}

struct user_msrs user_msrs_claim(struct hutch *hutch, struct hutch_vm *vm)
{
	struct user_msrs msrs = { 0 };

	msrs.x2apic = hutch_capability(hutch, KVM_CAP_X86_USER_SPACE_MSR) > 0 && !ask_for_msrs(vm);
	if (!msrs.x2apic || hutch_capability(hutch, KVM_CAP_X86_MSR_FILTER) <= 0)
		return msrs;
	if (!filter_msrs(vm))
		try_tsc_deadline(hutch, &msrs);
	return msrs;
}

/* ---- one MSR at a time ------------------------------------------------------------ */

struct one_msr {
	struct kvm_msrs header;
	struct kvm_msr_entry entry;
};

bool user_msr_set(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct one_msr one = {
		.header.nmsrs = 1,
		.entry = { .index = msr, .data = value },
	};

	return hutch_vcpu_ioctl(vcpu->hutch, KVM_SET_MSRS, "KVM_SET_MSRS", &one) == 1;
}

uint64_t user_msr_read_tsc(struct vcpu *vcpu)
{
	struct one_msr one = {
		.header.nmsrs = 1,
		.entry.index = IA32_TIME_STAMP_COUNTER,
	};

	hutch_vcpu_ioctl(vcpu->hutch, KVM_GET_MSRS, "KVM_GET_MSRS", &one);
	return one.entry.data;
}
