/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/exit.h"

#include "core/control.h"
#include "core/cpu.h"
#include "core/cpuid.h"
#include "core/debug.h"
#include "core/emulation.h"
#include "core/event.h"
#include "core/guest_memory.h"
#include "core/instruction.h"
#include "core/irqchip.h"
#include "core/memory.h"
#include "core/mmio.h"
#include "core/msr.h"
#include "core/paravirtual.h"
#include "core/processor.h"
#include "core/run.h"
#include "core/task_switch.h"
#include "core/tsc.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * What is done about each reason to leave a guest: one handler for each, for both
 * processors, found in one table. A handler answers the guest and resumes it, or writes
 * into vcpu->call what its VMM has to do.
 */

static enum hv_verdict to_host(struct hv_vcpu *vcpu, enum hv_call_kind kind)
{
	vcpu->call.kind = kind;
	return HV_TO_HOST;
}

/* ---- nothing to do but go on ------------------------------------------------------- */

static enum hv_verdict exit_resume(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)vcpu, (void)exit;
	return HV_RESUME;
}

static enum hv_verdict exit_skip(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	return instruction_skip(vcpu, exit);
}

/* Whom it waits for may be another vCPU that this one keeps from running. */
static enum hv_verdict exit_pause(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	if (vcpu->vm->vcpu_count > 1)
		host_yield();
	return instruction_skip(vcpu, exit);
}

static enum hv_verdict exit_ud(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	event_raise_ud(vcpu);
	return HV_RESUME;
}

static enum hv_verdict exit_gp(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	event_raise_gp(vcpu, 0);
	return HV_RESUME;
}

static enum hv_verdict exit_emulate(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	return instruction_emulate(vcpu);
}

/* ---- events -------------------------------------------------------------------------- */

static enum hv_verdict exit_host_nmi(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)vcpu, (void)exit;
	return HV_RESUME;
}

/*
 * VMCALL or VMMCALL, whichever this processor has not: a guest that comes from the other
 * maker's means the same.
 */
static bool is_others_hypercall(struct hv_vcpu *vcpu)
{
	uint8_t code[3];

	return guest_read_code(vcpu, guest_code(vcpu).address, code, sizeof(code)) == 3 &&
	       code[0] == 0x0f && code[1] == 0x01 && (code[2] == 0xc1 || code[2] == 0xd9);
}

static enum hv_verdict exit_hypercall(struct hv_vcpu *vcpu, struct hv_exit *exit);

static enum hv_verdict exit_exception(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	uint8_t vector = exit->exception.vector;

	if (debug_takes(vcpu, vector))
		return to_host(vcpu, HV_CALL_DEBUG);
	if (vector == EXCEPTION_MC) {
		host_handle_machine_check();
		return HV_RESUME;
	}
	if (vector == EXCEPTION_UD && is_others_hypercall(vcpu)) {
		exit->length = 3;
		return exit_hypercall(vcpu, exit);
	}
	/*
	 * The others are looked at only because their delivery could go on for ever inside
	 * the processor, with nothing to interrupt it (#AC and #DB on a stack that raises
	 * the same again): from here it is interruptible.
	 */
	if (event_raise(vcpu, vector, exception_has_error_code(vector), exit->exception.error_code))
		return HV_TO_HOST;
	return HV_RESUME;
}

static enum hv_verdict exit_shutdown(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	return to_host(vcpu, HV_CALL_SHUTDOWN);
}

/* ---- instructions --------------------------------------------------------------------- */

static enum hv_verdict exit_cpuid(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	cpuid_answer(vcpu);
	return instruction_skip(vcpu, exit);
}

static enum hv_verdict exit_hlt(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	if (instruction_skip(vcpu, exit) == HV_TO_HOST)
		return HV_TO_HOST;
	return instruction_halt(vcpu);
}

/* The bytes that the VMM has read from the port: SDM 2, IN. */
static bool complete_in(struct hv_vcpu *vcpu)
{
	uint64_t *rax = &vcpu->gpr[GPR_RAX];

	switch (vcpu->call.io.size) {
	case 1:
		*rax = (*rax & ~0xffull) | vcpu->data[0];
		break;
	case 2:
		*rax = (*rax & ~0xffffull) | *(uint16_t *)vcpu->data;
		break;
	default:
		*rax = *(uint32_t *)vcpu->data;
	}
	return instruction_skip(vcpu, &vcpu->call.exit) == HV_RESUME;
}

/* A port of the core's own interrupt controllers. */
static bool io_in_core(struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	uint32_t value = (uint8_t)vcpu->gpr[GPR_RAX];

	if (!irqchip_port(vcpu, exit->io.port, exit->io.size, !exit->io.in, &value))
		return false;
	if (exit->io.in)
		vcpu->gpr[GPR_RAX] = (vcpu->gpr[GPR_RAX] & ~0xffull) | (value & 0xff);
	return true;
}

static enum hv_verdict exit_io(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	struct hv_call *call = &vcpu->call;

	if (exit->io.string)
		return instruction_emulate(vcpu);
	if (vcpu->vm->irqchip && io_in_core(vcpu, exit))
		return instruction_skip(vcpu, exit);
	call->io.port = exit->io.port;
	call->io.size = exit->io.size;
	call->io.in = exit->io.in;
	call->io.count = 1;
	if (exit->io.in) {
		vcpu->complete = complete_in;
	} else {
		*(uint32_t *)vcpu->data = (uint32_t)vcpu->gpr[GPR_RAX];
		if (instruction_skip(vcpu, exit) == HV_TO_HOST)
			return HV_TO_HOST;
	}
	return to_host(vcpu, HV_CALL_IO);
}

static enum hv_verdict exit_msr(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	return msr_instruction(vcpu, exit);
}

static enum hv_verdict exit_hypercall(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	hypercall_answer(vcpu);
	return instruction_skip(vcpu, exit);
}

static enum hv_verdict exit_rdtsc(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	uint64_t tsc = tsc_now(vcpu);

	vcpu->gpr[GPR_RAX] = (uint32_t)tsc;
	vcpu->gpr[GPR_RDX] = tsc >> 32;
	if (exit->reason == HV_EXIT_RDTSCP)
		vcpu->gpr[GPR_RCX] = (uint32_t)vcpu->tsc_aux;
	return instruction_skip(vcpu, exit);
}

static enum hv_verdict exit_task_switch(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	return task_switch(vcpu, exit);
}

static enum hv_verdict exit_xsetbv(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	uint64_t value = (uint32_t)vcpu->gpr[GPR_RAX] | vcpu->gpr[GPR_RDX] << 32;

	if (vcpu->vm->ops->cpl(vcpu) || (uint32_t)vcpu->gpr[GPR_RCX] ||
	    !hv_vcpu_set_xcr0(vcpu, value)) {
		event_raise_gp(vcpu, 0);
		return HV_RESUME;
	}
	return instruction_skip(vcpu, exit);
}

/*
 * A guest that touches its debug registers will do so again: it gets them, for as long as
 * it stays loaded. Not while the VMM has breakpoints of its own in them.
 */
static enum hv_verdict exit_debug_register(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	if (!vcpu->vm->ops->debug_exits || vcpu->debug.wanted || vcpu->debug.breakpoints)
		return instruction_emulate(vcpu);
	vcpu->debug_live = true;
	vcpu->vm->ops->debug_exits(vcpu, false);
	return HV_RESUME;
}

/* ---- memory ------------------------------------------------------------------------------ */

static enum hv_verdict exit_memory(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	switch (memory_fault(vcpu, exit->memory.gpa, exit->memory.write)) {
	case MEMORY_MAPPED:
		return HV_RESUME;
	case MEMORY_DEVICE:
		/* Code in a device's registers, or nowhere: nothing that could be run. */
		if (exit->memory.fetch)
			return instruction_unemulated(vcpu);
		return mmio_handle(vcpu, exit);
	case MEMORY_NO_MEMORY:
		vcpu->failure = HOST_ENOMEM;
		break;
	case MEMORY_BAD:
		vcpu->failure = HOST_EFAULT;
		break;
	}
	return to_host(vcpu, HV_CALL_NONE);
}

static enum hv_verdict exit_apic_write(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	local_apic_written(vcpu, exit->apic.offset);
	return HV_RESUME;
}

static enum hv_verdict exit_eoi(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	local_apic_ended(vcpu, exit->apic.vector);
	return HV_RESUME;
}

/* The guest's timer; or nothing but that no guest runs for ever. */
static enum hv_verdict exit_deadline(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	if (vcpu->deadline && processor_tsc() >= vcpu->deadline)
		local_apic_deadline(vcpu);
	return HV_RESUME;
}

/* Whoever has the local APIC hears of it: this one has, after each exit. */
static enum hv_verdict exit_tpr_below(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	return vcpu->local_apic ? HV_RESUME : to_host(vcpu, HV_CALL_TPR_LOWERED);
}

static enum hv_verdict exit_emulation(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	return emulation_run(vcpu);
}

/* ---- what can't go on ----------------------------------------------------------------------- */

static enum hv_verdict exit_entry_failure(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	return to_host(vcpu, HV_CALL_ENTRY_FAILED);
}

static enum hv_verdict exit_unknown(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	(void)exit;
	return to_host(vcpu, HV_CALL_UNKNOWN);
}

/* ---- the table --------------------------------------------------------------------------- */

typedef enum hv_verdict exit_handler(struct hv_vcpu *vcpu, struct hv_exit *exit);

static exit_handler *const handlers[HV_EXIT_COUNT] = {
	[HV_EXIT_HOST_INTERRUPT] = exit_resume,
	[HV_EXIT_HOST_NMI] = exit_host_nmi,
	[HV_EXIT_INTERRUPT_WINDOW] = exit_resume,
	[HV_EXIT_NMI_WINDOW] = exit_resume,
	[HV_EXIT_EXCEPTION] = exit_exception,
	[HV_EXIT_CPUID] = exit_cpuid,
	[HV_EXIT_HLT] = exit_hlt,
	[HV_EXIT_PAUSE] = exit_pause,
	[HV_EXIT_IO] = exit_io,
	[HV_EXIT_MSR] = exit_msr,
	[HV_EXIT_CONTROL_REGISTER] = exit_emulate,
	[HV_EXIT_DEBUG_REGISTER] = exit_debug_register,
	[HV_EXIT_MEMORY] = exit_memory,
	[HV_EXIT_SHUTDOWN] = exit_shutdown,
	[HV_EXIT_INIT] = exit_resume,
	[HV_EXIT_HYPERCALL] = exit_hypercall,
	[HV_EXIT_RDTSC] = exit_rdtsc,
	[HV_EXIT_RDTSCP] = exit_rdtsc,
	[HV_EXIT_RDPMC] = exit_gp,
	[HV_EXIT_INVALIDATE_CACHE] = exit_skip, /* nothing here is uncached but devices */
	[HV_EXIT_INVALIDATE_PAGE] = exit_emulate,
	[HV_EXIT_MONITOR] = exit_ud, /* CPUID does not show it */
	[HV_EXIT_MWAIT] = exit_ud,
	[HV_EXIT_XSETBV] = exit_xsetbv,
	[HV_EXIT_TASK_SWITCH] = exit_task_switch,
	[HV_EXIT_VIRTUALIZATION] = exit_ud,
	[HV_EXIT_DESCRIPTOR_TABLE] = exit_emulate,
	[HV_EXIT_DEADLINE] = exit_deadline,
	[HV_EXIT_SINGLE_STEP] = exit_resume,
	[HV_EXIT_APIC_ACCESS] = exit_emulate,
	[HV_EXIT_APIC_WRITE] = exit_apic_write,
	[HV_EXIT_EOI] = exit_eoi,
	[HV_EXIT_TPR_BELOW] = exit_tpr_below,
	[HV_EXIT_LOG_FULL] = exit_resume,
	[HV_EXIT_EMULATION] = exit_emulation,
	[HV_EXIT_ENTRY_FAILURE] = exit_entry_failure,
	[HV_EXIT_UNKNOWN] = exit_unknown,
};

bool hv_tracing;

enum hv_verdict exit_handle(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	vcpu->exits[exit->reason]++;
	if (hv_tracing)
		host_trace_exit(vcpu, exit);
	return handlers[exit->reason](vcpu, exit);
}

static const char *const names[HV_EXIT_COUNT] = {
#define EXIT(name) #name,
#include "core/exit.def"
#undef EXIT
};

const char *hv_exit_name(enum hv_exit_reason reason)
{
	return reason < HV_EXIT_COUNT ? names[reason] : "none";
}
