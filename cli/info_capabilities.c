/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The capabilities that matter, each with what it is good for. The numbers' meaning
 * is in Linux, Documentation/virt/kvm/api.rst, under each call or in sections 6 to 8.
 */

#include "cli/info.h"

#define CAPABILITY(name, use)    \
	{                        \
		name, #name, use \
	}

const struct info_capability info_capabilities[] = {
	CAPABILITY(KVM_CAP_USER_MEMORY, "guest memory is memory of the process"),
	CAPABILITY(KVM_CAP_NR_MEMSLOTS, "how many memory regions a guest may have"),
	CAPABILITY(KVM_CAP_READONLY_MEM, "memory that the guest cannot write: firmware"),
	CAPABILITY(KVM_CAP_SYNC_MMU, "guest memory may be swapped, shared and mapped anew"),
	CAPABILITY(KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, "which pages changed, in parts: migration"),
	CAPABILITY(KVM_CAP_DIRTY_LOG_RING, "which pages changed, as a queue: migration"),
	CAPABILITY(KVM_CAP_NR_VCPUS, "vCPUs that are recommended at most"),
	CAPABILITY(KVM_CAP_MAX_VCPUS, "vCPUs that are possible at most"),
	CAPABILITY(KVM_CAP_IMMEDIATE_EXIT, "a vCPU can be stopped before it enters (required)"),
	CAPABILITY(KVM_CAP_SYNC_REGS, "registers travel with the exit, without a system call"),
	CAPABILITY(KVM_CAP_MP_STATE, "a processor's halt and start-up states"),
	CAPABILITY(KVM_CAP_VCPU_EVENTS, "pending exceptions, interrupts and NMIs"),
	CAPABILITY(KVM_CAP_DEBUGREGS, "the guest's debug registers"),
	CAPABILITY(KVM_CAP_XSAVE, "floating point and vector state"),
	CAPABILITY(KVM_CAP_XCRS, "XCR0, which switches that state on"),
	CAPABILITY(KVM_CAP_SREGS2, "system registers with the PAE pointers"),
	CAPABILITY(KVM_CAP_NESTED_STATE, "the state of a guest's own guests"),
	CAPABILITY(KVM_CAP_SET_GUEST_DEBUG, "breakpoints and single steps"),
	CAPABILITY(KVM_CAP_IRQCHIP, "interrupt controllers in the kernel: fewest exits"),
	CAPABILITY(KVM_CAP_SPLIT_IRQCHIP, "only the local APICs in the kernel"),
	CAPABILITY(KVM_CAP_PIT2, "the 8254 timer in the kernel"),
	CAPABILITY(KVM_CAP_USER_NMI, "NMIs from outside: the monitor's nmi command"),
	CAPABILITY(KVM_CAP_IRQFD, "interrupts from a file descriptor"),
	CAPABILITY(KVM_CAP_IOEVENTFD, "port and MMIO writes to a file descriptor"),
	CAPABILITY(KVM_CAP_SIGNAL_MSI, "message-signalled interrupts"),
	CAPABILITY(KVM_CAP_X2APIC_API, "x2APIC with 32-bit identifiers: more than 255 vCPUs"),
	CAPABILITY(KVM_CAP_TSC_DEADLINE_TIMER, "the local APIC's deadline timer"),
	CAPABILITY(KVM_CAP_TSC_CONTROL, "the guest's TSC at a frequency of its own"),
	CAPABILITY(KVM_CAP_GET_TSC_KHZ, "how fast the guest's TSC counts"),
	CAPABILITY(KVM_CAP_ADJUST_CLOCK, "the paravirtual clock, set and read"),
	CAPABILITY(KVM_CAP_X86_USER_SPACE_MSR, "MSRs that the kernel does not know are ours"),
	CAPABILITY(KVM_CAP_X86_MSR_FILTER, "MSRs of our choice are ours"),
	CAPABILITY(KVM_CAP_GET_MSR_FEATURES, "what the processor's capability MSRs would say"),
	CAPABILITY(KVM_CAP_EXIT_HYPERCALL, "hypercalls that leave to user space"),
	CAPABILITY(KVM_CAP_X86_DISABLE_EXITS, "HLT, MWAIT and PAUSE need not leave"),
	CAPABILITY(KVM_CAP_X86_TRIPLE_FAULT_EVENT, "a triple fault can be seen and given"),
	CAPABILITY(KVM_CAP_EXIT_ON_EMULATION_FAILURE, "what could not be emulated is told"),
	CAPABILITY(KVM_CAP_X86_SMM, "system management mode"),
	CAPABILITY(KVM_CAP_HYPERV, "what Windows expects of a hypervisor"),
};

const size_t info_capability_count = sizeof(info_capabilities) / sizeof(info_capabilities[0]);
