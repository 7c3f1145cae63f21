/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * From struct kvm_run to struct hutch_exit.
 *
 * The hypervisor says why the guest left in a page that it shares with us
 * (Linux, Documentation/virt/kvm/api.rst, 5). Each of its reasons has one row in the
 * table below; what an exit carries stays where it is, in that page, and is only
 * pointed at: an answer written there is what the next entry hands to the guest.
 *
 * An exit is pending when the guest waits for an answer in the middle of an
 * instruction, so that the next entry first has something to finish.
 */

#include "lib/object.h"

struct decoder {
	void (*decode)(struct kvm_run *run, struct hutch_exit *exit);
	enum hutch_exit_reason reason;
	bool pending;
};

static void decode_io(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->io.data = (uint8_t *)run + run->io.data_offset;
	exit->io.count = run->io.count;
	exit->io.port = run->io.port;
	exit->io.size = run->io.size;
	exit->io.write = run->io.direction == KVM_EXIT_IO_OUT;
}

static void decode_mmio(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->mmio.data = run->mmio.data;
	exit->mmio.gpa = run->mmio.phys_addr;
	exit->mmio.size = run->mmio.len;
	exit->mmio.write = run->mmio.is_write;
}

static void decode_hypercall(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->hypercall.number = run->hypercall.nr;
	exit->hypercall.arguments = (const uint64_t *)run->hypercall.args;
	exit->hypercall.result = (uint64_t *)&run->hypercall.ret;
}

static void decode_msr(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->msr.value = (uint64_t *)&run->msr.data;
	exit->msr.index = run->msr.index;
	exit->msr.fault = (bool *)&run->msr.error;
}

static void decode_debug(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->debug.rip = run->debug.arch.pc;
	exit->debug.dr6 = run->debug.arch.dr6;
	exit->debug.dr7 = run->debug.arch.dr7;
	exit->debug.exception = run->debug.arch.exception;
}

static void decode_ioapic_eoi(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->ioapic_eoi.vector = run->eoi.vector;
}

static void decode_system_event(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->system_event.type = run->system_event.type;
	exit->system_event.flags = run->system_event.flags;
}

static void decode_internal_error(struct kvm_run *run, struct hutch_exit *exit)
{
	const uint32_t most = sizeof(run->internal.data) / sizeof(run->internal.data[0]);

	exit->internal_error.suberror = run->internal.suberror;
	exit->internal_error.count = run->internal.ndata < most ? run->internal.ndata : most;
	exit->internal_error.data = (const uint64_t *)run->internal.data;
}

static void decode_entry_failure(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->entry_failure.hardware_reason = run->fail_entry.hardware_entry_failure_reason;
	exit->entry_failure.cpu = run->fail_entry.cpu;
}

static void decode_unknown(struct kvm_run *run, struct hutch_exit *exit)
{
	exit->unknown.hardware_reason = run->hw.hardware_exit_reason;
}

static const struct decoder decoders[] = {
	[KVM_EXIT_UNKNOWN] = { decode_unknown, HUTCH_EXIT_UNKNOWN, false },
	[KVM_EXIT_IO] = { decode_io, HUTCH_EXIT_IO, true },
	[KVM_EXIT_HYPERCALL] = { decode_hypercall, HUTCH_EXIT_HYPERCALL, true },
	[KVM_EXIT_DEBUG] = { decode_debug, HUTCH_EXIT_DEBUG, false },
	[KVM_EXIT_HLT] = { NULL, HUTCH_EXIT_HLT, false },
	[KVM_EXIT_MMIO] = { decode_mmio, HUTCH_EXIT_MMIO, true },
	[KVM_EXIT_IRQ_WINDOW_OPEN] = { NULL, HUTCH_EXIT_IRQ_WINDOW, false },
	[KVM_EXIT_SHUTDOWN] = { NULL, HUTCH_EXIT_SHUTDOWN, false },
	[KVM_EXIT_FAIL_ENTRY] = { decode_entry_failure, HUTCH_EXIT_ENTRY_FAILURE, false },
	[KVM_EXIT_INTR] = { NULL, HUTCH_EXIT_INTERRUPTED, false },
	[KVM_EXIT_SET_TPR] = { NULL, HUTCH_EXIT_TPR, false },
	[KVM_EXIT_INTERNAL_ERROR] = { decode_internal_error, HUTCH_EXIT_INTERNAL_ERROR, false },
	[KVM_EXIT_SYSTEM_EVENT] = { decode_system_event, HUTCH_EXIT_SYSTEM_EVENT, false },
	[KVM_EXIT_IOAPIC_EOI] = { decode_ioapic_eoi, HUTCH_EXIT_IOAPIC_EOI, false },
	[KVM_EXIT_X86_RDMSR] = { decode_msr, HUTCH_EXIT_MSR_READ, true },
	[KVM_EXIT_X86_WRMSR] = { decode_msr, HUTCH_EXIT_MSR_WRITE, true },
};

void exit_decode(struct hutch_vcpu *vcpu)
{
	static const struct decoder no_word = { NULL, HUTCH_EXIT_UNKNOWN, false };
	struct hutch_exit *exit = &vcpu->exit;
	uint32_t reason = vcpu->run->exit_reason;
	const struct decoder *decoder = &no_word;

	/* A hole in the table reads as KVM_EXIT_UNKNOWN's reason would: tell them apart. */
	if (reason < sizeof(decoders) / sizeof(decoders[0]) &&
	    (decoders[reason].decode || decoders[reason].reason))
		decoder = &decoders[reason];
	exit->reason = decoder->reason;
	exit->kvm_reason = reason;
	exit->unknown.hardware_reason = 0;
	if (decoder->decode)
		decoder->decode(vcpu->run, exit);
	vcpu->pending = decoder->pending;
}

const char *hutch_exit_name(enum hutch_exit_reason reason)
{
	static const char *const names[] = {
		[HUTCH_EXIT_IO] = "io",
		[HUTCH_EXIT_MMIO] = "mmio",
		[HUTCH_EXIT_HLT] = "hlt",
		[HUTCH_EXIT_SHUTDOWN] = "shutdown",
		[HUTCH_EXIT_HYPERCALL] = "hypercall",
		[HUTCH_EXIT_MSR_READ] = "msr_read",
		[HUTCH_EXIT_MSR_WRITE] = "msr_write",
		[HUTCH_EXIT_DEBUG] = "debug",
		[HUTCH_EXIT_IRQ_WINDOW] = "irq_window",
		[HUTCH_EXIT_TPR] = "tpr",
		[HUTCH_EXIT_IOAPIC_EOI] = "ioapic_eoi",
		[HUTCH_EXIT_SYSTEM_EVENT] = "system_event",
		[HUTCH_EXIT_INTERRUPTED] = "interrupted",
		[HUTCH_EXIT_INTERNAL_ERROR] = "internal_error",
		[HUTCH_EXIT_ENTRY_FAILURE] = "entry_failure",
		[HUTCH_EXIT_UNKNOWN] = "unknown",
	};

	return (unsigned int)reason < HUTCH_EXIT_COUNT ? names[reason] : "invalid";
}
