/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * An exit in words: its reason and what it carries. One function for each reason,
 * found through one table.
 */

#include <inttypes.h>

#include "lib/object.h"
#include "lib/report.h"
#include "x86/exception.h"
#include "x86/msr_names.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define DATA_SHOWN   16

static void put_bytes(struct report *report, const uint8_t *bytes, size_t count)
{
	for (size_t i = 0; i < count && i < DATA_SHOWN; i++)
		report_print(report, " %02x", bytes[i]);
	report_print(report, count > DATA_SHOWN ? " ...\n" : "\n");
}

static void put_io(struct report *report, const struct hutch_vcpu *vcpu)
{
	const struct hutch_exit *exit = &vcpu->exit;

	report_print(report, ", %s port 0x%x, %u byte%s", exit->io.write ? "OUT to" : "IN from",
		     exit->io.port, exit->io.size, exit->io.size == 1 ? "" : "s");
	if (exit->io.count != 1)
		report_print(report, ", %u times", exit->io.count);
	if (!exit->io.write) {
		report_print(report, "\n");
		return;
	}
	report_print(report, ":");
	put_bytes(report, exit->io.data, (size_t)exit->io.count * exit->io.size);
}

static void put_mmio(struct report *report, const struct hutch_vcpu *vcpu)
{
	const struct hutch_exit *exit = &vcpu->exit;

	report_print(report, ", %s guest-physical 0x%" PRIx64 ", %u byte%s",
		     exit->mmio.write ? "write to" : "read from", exit->mmio.gpa, exit->mmio.size,
		     exit->mmio.size == 1 ? "" : "s");
	if (!exit->mmio.write) {
		report_print(report, "\n");
		return;
	}
	report_print(report, ":");
	put_bytes(report, exit->mmio.data, exit->mmio.size);
}

static void put_msr(struct report *report, const struct hutch_vcpu *vcpu)
{
	const struct hutch_exit *exit = &vcpu->exit;
	const char *name = msr_name(exit->msr.index);

	report_print(report, ", MSR 0x%x (%s)", exit->msr.index, name ? name : "no known name");
	if (exit->reason == HUTCH_EXIT_MSR_WRITE)
		report_print(report, ", value 0x%" PRIx64, *exit->msr.value);
	report_print(report, "\n");
}

static void put_hypercall(struct report *report, const struct hutch_vcpu *vcpu)
{
	const struct hutch_exit *exit = &vcpu->exit;

	report_print(report, ", number 0x%" PRIx64 ", arguments", exit->hypercall.number);
	for (unsigned int i = 0; i < 6; i++)
		report_print(report, " 0x%" PRIx64, exit->hypercall.arguments[i]);
	report_print(report, "\n");
}

static void put_debug(struct report *report, const struct hutch_vcpu *vcpu)
{
	const struct hutch_exit *exit = &vcpu->exit;
	const char *name = exit->debug.exception < EXCEPTION_COUNT
				   ? exception_mnemonic((uint8_t)exit->debug.exception)
				   : "no exception";

	report_print(report, ", %s at 0x%" PRIx64 ", dr6 0x%" PRIx64 ", dr7 0x%" PRIx64 "\n", name,
		     exit->debug.rip, exit->debug.dr6, exit->debug.dr7);
}

static void put_shutdown(struct report *report, const struct hutch_vcpu *vcpu)
{
	(void)vcpu;
	report_print(report, ", triple fault\n");
}

static void put_ioapic_eoi(struct report *report, const struct hutch_vcpu *vcpu)
{
	report_print(report, ", vector 0x%x\n", vcpu->exit.ioapic_eoi.vector);
}

static void put_system_event(struct report *report, const struct hutch_vcpu *vcpu)
{
	static const char *const names[] = {
		[KVM_SYSTEM_EVENT_SHUTDOWN] = "shutdown",
		[KVM_SYSTEM_EVENT_RESET] = "reset",
		[KVM_SYSTEM_EVENT_CRASH] = "crash",
		[KVM_SYSTEM_EVENT_WAKEUP] = "wake-up",
		[KVM_SYSTEM_EVENT_SUSPEND] = "suspend",
		[KVM_SYSTEM_EVENT_SEV_TERM] = "terminated by an SEV guest",
	};
	uint32_t type = vcpu->exit.system_event.type;

	report_print(report, ", %s (type %u), flags 0x%" PRIx64 "\n",
		     type < COUNT(names) && names[type] ? names[type] : "unknown", type,
		     vcpu->exit.system_event.flags);
}

/* What KVM adds to a failed emulation: the instruction, where it had fetched it. */
static void put_emulation_failure(struct report *report, const struct kvm_run *run)
{
	unsigned int size = run->emulation_failure.insn_size;

	if (run->emulation_failure.ndata < 3 ||
	    !(run->emulation_failure.flags & KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES) ||
	    size > sizeof(run->emulation_failure.insn_bytes))
		return;
	report_print(report, "instruction:");
	put_bytes(report, run->emulation_failure.insn_bytes, size);
}

static void put_internal_error(struct report *report, const struct hutch_vcpu *vcpu)
{
	static const char *const names[] = {
		[KVM_INTERNAL_ERROR_EMULATION] = "the hypervisor cannot emulate the instruction",
		[KVM_INTERNAL_ERROR_SIMUL_EX] = "unexpected simultaneous exceptions",
		[KVM_INTERNAL_ERROR_DELIVERY_EV] = "an event could not be delivered",
		[KVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "unexpected exit of the processor",
	};
	const struct hutch_exit *exit = &vcpu->exit;
	uint32_t suberror = exit->internal_error.suberror;

	report_print(report, ", suberror %u: %s\n", suberror,
		     suberror < COUNT(names) && names[suberror] ? names[suberror] : "unknown");
	if (exit->internal_error.count) {
		report_print(report, "data");
		for (uint32_t i = 0; i < exit->internal_error.count; i++)
			report_print(report, " 0x%" PRIx64, exit->internal_error.data[i]);
		report_print(report, "\n");
	}
	if (suberror == KVM_INTERNAL_ERROR_EMULATION)
		put_emulation_failure(report, vcpu->run);
}

/* A failed entry's reason in VT-x, with bit 31 set, and in AMD-V (SDM 3, C; APM 2, C). */
#define VMX_INVALID_GUEST_STATE 0x80000021ull
#define VMX_INVALID_MSR_LOAD	0x80000022ull
#define SVM_VMEXIT_INVALID	UINT64_MAX

static void put_entry_failure(struct report *report, const struct hutch_vcpu *vcpu)
{
	uint64_t reason = vcpu->exit.entry_failure.hardware_reason;
	const char *text = "see the processor's manual";

	if (reason == VMX_INVALID_GUEST_STATE || reason == SVM_VMEXIT_INVALID)
		text = "invalid guest state";
	else if (reason == VMX_INVALID_MSR_LOAD)
		text = "an MSR could not be loaded";
	report_print(report, ", hardware reason 0x%" PRIx64 ": %s, on CPU %u\n", reason, text,
		     vcpu->exit.entry_failure.cpu);
}

static void put_unknown(struct report *report, const struct hutch_vcpu *vcpu)
{
	static const char *const names[] = {
		[KVM_EXIT_UNKNOWN] = "unknown to the hypervisor",
		[KVM_EXIT_EXCEPTION] = "exception",
		[KVM_EXIT_TPR_ACCESS] = "TPR access",
		[KVM_EXIT_NMI] = "NMI",
		[KVM_EXIT_WATCHDOG] = "watchdog",
		[KVM_EXIT_HYPERV] = "Hyper-V",
		[KVM_EXIT_DIRTY_RING_FULL] = "dirty ring full",
		[KVM_EXIT_AP_RESET_HOLD] = "AP reset hold",
		[KVM_EXIT_X86_BUS_LOCK] = "bus lock",
		[KVM_EXIT_XEN] = "Xen",
		[KVM_EXIT_NOTIFY] = "notify",
	};
	uint32_t reason = vcpu->exit.kvm_reason;

	report_print(report, ", KVM exit reason %u (%s), hardware reason 0x%" PRIx64 "\n", reason,
		     reason < COUNT(names) && names[reason] ? names[reason] : "no known name",
		     vcpu->exit.unknown.hardware_reason);
}

void report_exit(struct report *report, const struct hutch_vcpu *vcpu)
{
	static void (*const details[HUTCH_EXIT_COUNT])(struct report *,
						       const struct hutch_vcpu *) = {
		[HUTCH_EXIT_IO] = put_io,
		[HUTCH_EXIT_MMIO] = put_mmio,
		[HUTCH_EXIT_SHUTDOWN] = put_shutdown,
		[HUTCH_EXIT_HYPERCALL] = put_hypercall,
		[HUTCH_EXIT_MSR_READ] = put_msr,
		[HUTCH_EXIT_MSR_WRITE] = put_msr,
		[HUTCH_EXIT_DEBUG] = put_debug,
		[HUTCH_EXIT_IOAPIC_EOI] = put_ioapic_eoi,
		[HUTCH_EXIT_SYSTEM_EVENT] = put_system_event,
		[HUTCH_EXIT_INTERNAL_ERROR] = put_internal_error,
		[HUTCH_EXIT_ENTRY_FAILURE] = put_entry_failure,
		[HUTCH_EXIT_UNKNOWN] = put_unknown,
	};
	enum hutch_exit_reason reason = vcpu->exit.reason;

	report_print(report, "exit %s", hutch_exit_name(reason));
	if (details[reason])
		details[reason](report, vcpu);
	else
		report_print(report, "\n");
}
