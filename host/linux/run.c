/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include "host/linux/compat.h"

#include <linux/sched/signal.h>
#include <linux/signal.h>
#include <linux/uaccess.h>

#include "host/linux/trace.h"

/*
 * KVM_RUN: takes the VMM's answer to the last exit out of kvm_run, lets the core run the
 * guest, and writes down there why it came back (Linux, Documentation/virt/kvm/api.rst,
 * 5). A write that an eventfd or the ring of coalesced writes takes is no reason to.
 *
 * The page is the VMM's to scribble in while we read it: each value is read once, and
 * nothing that was written there is believed later.
 */

/* ---- what the VMM says -------------------------------------------------------------------- */

static int take_registers(struct hutch_vcpu *vcpu, uint64_t dirty)
{
	struct kvm_run *run = vcpu->run;
	int error = 0;

	if (dirty & KVM_SYNC_X86_REGS) {
		struct kvm_regs regs = run->s.regs.regs;

		regs_set(vcpu, &regs);
	}
	if (dirty & KVM_SYNC_X86_SREGS) {
		struct kvm_sregs sregs = run->s.regs.sregs;

		error = sregs_set(vcpu, &sregs);
	}
	if (!error && dirty & KVM_SYNC_X86_EVENTS) {
		struct kvm_vcpu_events events = run->s.regs.events;

		error = events_set(vcpu, &events);
	}
	if (!error)
		run->kvm_dirty_regs = 0;
	return error;
}

static void take_answer(struct hutch_vcpu *vcpu)
{
	struct hv_call *call = &vcpu->hv.call;
	struct kvm_run *run = vcpu->run;

	if (!vcpu->answering)
		return;
	vcpu->answering = false;
	switch (call->kind) {
	case HV_CALL_MMIO:
		if (!call->mmio.write)
			memcpy(call->mmio.bytes, run->mmio.data, sizeof(call->mmio.bytes));
		break;
	case HV_CALL_MSR:
		call->msr.value = READ_ONCE(run->msr.data);
		call->msr.failed = READ_ONCE(run->msr.error);
		break;
	default:
		break;
	}
}

static int take(struct hutch_vcpu *vcpu)
{
	uint64_t dirty = READ_ONCE(vcpu->run->kvm_dirty_regs), cr8 = READ_ONCE(vcpu->run->cr8);
	int error;

	if ((dirty | READ_ONCE(vcpu->run->kvm_valid_regs)) & ~(uint64_t)SYNC_FIELDS)
		return -EINVAL;
	if (dirty) {
		error = take_registers(vcpu, dirty);
		if (error)
			return error;
	}
	/* Local APICs of ours know it better. */
	if (!vcpu->hv.local_apic) {
		if (cr8 > 0xf)
			return -EINVAL;
		vcpu->hv.cr8 = cr8;
	}
	vcpu->hv.wants_window = vcpu->vm->irqchip_kind != IRQCHIP_FULL &&
				READ_ONCE(vcpu->run->request_interrupt_window);
	take_answer(vcpu);
	return 0;
}

/* ---- what it is told ------------------------------------------------------------------------ */

static void tell_io(struct kvm_run *run, const struct hv_call *call)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = call->io.in ? KVM_EXIT_IO_IN : KVM_EXIT_IO_OUT;
	run->io.size = call->io.size;
	run->io.port = call->io.port;
	run->io.count = call->io.count;
	run->io.data_offset = VCPU_PAGE_PORT * PAGE_SIZE;
}

static void tell_mmio(struct kvm_run *run, const struct hv_call *call)
{
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = call->mmio.gpa;
	run->mmio.len = call->mmio.size;
	run->mmio.is_write = call->mmio.write;
	memcpy(run->mmio.data, call->mmio.bytes, sizeof(run->mmio.data));
}

static uint32_t msr_reason(const struct hv_call *call)
{
	if (call->msr.why & HV_MSR_FILTERED)
		return KVM_MSR_EXIT_REASON_FILTER;
	return hv_msr_exists(call->msr.index) ? KVM_MSR_EXIT_REASON_INVAL
					      : KVM_MSR_EXIT_REASON_UNKNOWN;
}

static void tell_msr(struct kvm_run *run, const struct hv_call *call)
{
	run->exit_reason = call->msr.write ? KVM_EXIT_X86_WRMSR : KVM_EXIT_X86_RDMSR;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = msr_reason(call);
	run->msr.index = call->msr.index;
	run->msr.data = call->msr.write ? call->msr.value : 0;
}

static void tell_debug(struct kvm_run *run, const struct hv_call *call)
{
	run->exit_reason = KVM_EXIT_DEBUG;
	run->debug.arch.exception = call->debug.vector;
	run->debug.arch.pad = 0;
	run->debug.arch.pc = call->debug.rip;
	run->debug.arch.dr6 = call->debug.dr6;
	run->debug.arch.dr7 = call->debug.dr7;
}

/* The hardware's own words, for whoever reads the VMM's report. */
static uint32_t tell_hardware(__u64 *data, const struct hutch_vcpu *vcpu)
{
	const struct hv_exit *exit = &vcpu->hv.call.exit;

	data[0] = exit->number;
	data[1] = exit->details[0];
	data[2] = exit->details[1];
	data[3] = vcpu->hv.rip;
	data[4] = vcpu->hv.cpu_number;
	return 5;
}

#define INSTRUCTION_WORDS 3 /* flags, and an instruction's length and 15 bytes */

static void tell_unemulated(struct kvm_run *run, const struct hutch_vcpu *vcpu)
{
	const struct hv_call *call = &vcpu->hv.call;

	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	run->emulation_failure.flags =
		call->code.count ? KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES : 0;
	run->emulation_failure.insn_size = call->code.count;
	memcpy(run->emulation_failure.insn_bytes, call->code.bytes, sizeof(call->code.bytes));
	run->emulation_failure.ndata =
		INSTRUCTION_WORDS + tell_hardware(&run->internal.data[INSTRUCTION_WORDS], vcpu);
}

static void tell_unknown(struct kvm_run *run, const struct hutch_vcpu *vcpu)
{
	run->exit_reason = KVM_EXIT_INTERNAL_ERROR;
	run->internal.suberror = KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON;
	run->internal.ndata = tell_hardware(run->internal.data, vcpu);
}

static void tell_entry_failed(struct kvm_run *run, const struct hutch_vcpu *vcpu)
{
	run->exit_reason = KVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = vcpu->hv.call.exit.number;
	run->fail_entry.cpu = vcpu->hv.cpu_number;
}

static void tell_call(struct hutch_vcpu *vcpu)
{
	const struct hv_call *call = &vcpu->hv.call;
	struct kvm_run *run = vcpu->run;

	vcpu->answering = call->kind == HV_CALL_IO || call->kind == HV_CALL_MMIO ||
			  call->kind == HV_CALL_MSR;
	switch (call->kind) {
	case HV_CALL_IO:
		return tell_io(run, call);
	case HV_CALL_MMIO:
		return tell_mmio(run, call);
	case HV_CALL_MSR:
		return tell_msr(run, call);
	case HV_CALL_DEBUG:
		return tell_debug(run, call);
	case HV_CALL_UNEMULATED:
		return tell_unemulated(run, vcpu);
	case HV_CALL_ENTRY_FAILED:
		return tell_entry_failed(run, vcpu);
	case HV_CALL_HLT:
		run->exit_reason = KVM_EXIT_HLT;
		return;
	case HV_CALL_SHUTDOWN:
		run->exit_reason = KVM_EXIT_SHUTDOWN;
		return;
	case HV_CALL_INTERRUPTED:
		run->exit_reason = KVM_EXIT_INTR;
		return;
	case HV_CALL_TPR_LOWERED:
		run->exit_reason = KVM_EXIT_SET_TPR;
		return;
	case HV_CALL_EOI:
		run->exit_reason = KVM_EXIT_IOAPIC_EOI;
		run->eoi.vector = call->eoi.vector;
		return;
	case HV_CALL_WINDOW_OPEN:
		run->exit_reason = KVM_EXIT_IRQ_WINDOW_OPEN;
		return;
	default:
		return tell_unknown(run, vcpu);
	}
}

/* With every return, whatever its reason. */
static void tell_state(struct hutch_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	uint64_t valid = READ_ONCE(run->kvm_valid_regs);

	run->if_flag = !!(vcpu->hv.rflags & X86_EFLAGS_IF);
	run->ready_for_interrupt_injection = vcpu->vm->irqchip_kind == IRQCHIP_FULL ||
					     hv_vcpu_takes_interrupt(&vcpu->hv);
	run->flags = 0;
	run->cr8 = vcpu->hv.cr8;
	run->apic_base = vcpu->hv.apic_base;
	if (valid & KVM_SYNC_X86_REGS)
		regs_get(vcpu, &run->s.regs.regs);
	if (valid & KVM_SYNC_X86_SREGS)
		sregs_get(vcpu, &run->s.regs.sregs);
	if (valid & KVM_SYNC_X86_EVENTS)
		events_get(vcpu, &run->s.regs.events);
}

/* ---- writes that somebody here takes ---------------------------------------------------------- */

static bool somebody_listens(const struct hutch_vm *vm)
{
	return !list_empty(&vm->event_ranges) || !list_empty(&vm->coalesced_ranges);
}

static bool port_write_is_taken(struct hutch_vcpu *vcpu)
{
	const struct hv_call *call = &vcpu->hv.call;

	/* A string is one exit for many writes: it goes to the VMM as one. */
	if (call->io.in || call->io.count != 1 || !somebody_listens(vcpu->vm))
		return false;
	return event_signal(vcpu->vm, true, call->io.port, call->io.size, vcpu->hv.data) ||
	       coalesced_write(vcpu->vm, true, call->io.port, call->io.size, vcpu->hv.data);
}

static bool mmio_write_is_taken(struct hutch_vcpu *vcpu)
{
	const struct hv_call *call = &vcpu->hv.call;

	if (!call->mmio.write || !somebody_listens(vcpu->vm))
		return false;
	return event_signal(vcpu->vm, false, call->mmio.gpa, call->mmio.size, call->mmio.bytes) ||
	       coalesced_write(vcpu->vm, false, call->mmio.gpa, call->mmio.size, call->mmio.bytes);
}

/*
 * The VMM may have asked for MSRs that are unknown and not for values that are wrong, or
 * the reverse; the core makes no such difference.
 */
static bool msr_is_refused(struct hutch_vcpu *vcpu)
{
	struct hv_call *call = &vcpu->hv.call;

	if (READ_ONCE(vcpu->vm->msr_reasons) & msr_reason(call))
		return false;
	call->msr.failed = true;
	return true;
}

static bool is_taken_here(struct hutch_vcpu *vcpu)
{
	switch (vcpu->hv.call.kind) {
	case HV_CALL_IO:
		return port_write_is_taken(vcpu);
	case HV_CALL_MMIO:
		return mmio_write_is_taken(vcpu);
	case HV_CALL_MSR:
		return msr_is_refused(vcpu);
	default:
		return false;
	}
}

/* ---- KVM_RUN ------------------------------------------------------------------------------------ */

static void signals_open(struct hutch_vcpu *vcpu)
{
	if (vcpu->has_signal_mask)
		sigprocmask(SIG_SETMASK, &vcpu->signal_mask, &current->real_blocked);
}

static void signals_close(struct hutch_vcpu *vcpu)
{
	if (!vcpu->has_signal_mask)
		return;
	sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
	sigemptyset(&current->real_blocked);
}

static int enter(struct hutch_vcpu *vcpu)
{
	int result;

	/* Between here and there, what is in the FPU's registers is the guest's. */
	fpu_swap_kvm_fpstate(&vcpu->fpu, true);
	do {
		result = hv_vcpu_run(&vcpu->hv, compat_immediate_exit(vcpu->run));
		trace_hutch_call(vcpu->hv.id, vcpu->hv.rip, &vcpu->hv.call);
	} while (!result && is_taken_here(vcpu));
	fpu_swap_kvm_fpstate(&vcpu->fpu, false);
	return result;
}

/*
 * No signal, but something else that the kernel sees to on its way to user mode: there
 * the system call begins anew, and the VMM never knows (as a signal that turns out to be
 * none).
 */
static int restart(struct hutch_vcpu *vcpu)
{
	if (compat_immediate_exit(vcpu->run) || signal_pending(current) ||
	    !test_thread_flag(TIF_NOTIFY_RESUME))
		return -EINTR;
	return -ERESTARTNOINTR;
}

VCPU_HANDLER(vcpu_run)
{
	int result;

	if (argument)
		return -EINVAL;
	signals_open(vcpu);
	result = take(vcpu);
	if (result)
		goto out;
	result = enter(vcpu);
	if (!result || result == -EINTR)
		tell_call(vcpu);
	tell_state(vcpu);
	if (result == -EINTR)
		result = restart(vcpu);
	if (vcpu->notify_again)
		set_thread_flag(TIF_NOTIFY_RESUME);
	vcpu->notify_again = false;
out:
	signals_close(vcpu);
	/* After the masks, which count the pending signals anew. */
	if (result == -ERESTARTNOINTR)
		set_thread_flag(TIF_SIGPENDING);
	return result;
}

VCPU_HANDLER(vcpu_set_signal_mask)
{
	struct kvm_signal_mask header;
	sigset_t mask;

	if (!argument) {
		vcpu->has_signal_mask = false;
		return 0;
	}
	if (copy_from_user(&header, user_pointer(argument), sizeof(header)))
		return -EFAULT;
	if (header.len != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, user_pointer(argument + sizeof(header)), sizeof(mask)))
		return -EFAULT;
	sigdelsetmask(&mask, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->signal_mask = mask;
	vcpu->has_signal_mask = true;
	return 0;
}
