/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/run.h"

#include "core/cpu.h"
#include "core/debug.h"
#include "core/event.h"
#include "core/extended_state.h"
#include "core/instruction.h"
#include "core/irqchip.h"
#include "core/msr_filter.h"
#include "core/paravirtual.h"
#include "core/tsc.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * The loop: enter, see why the guest left, answer, enter again. Interrupts are off only
 * from the last look at what others want of this vCPU to the exit, so that nothing of it
 * is missed: whoever wants something writes it down first and kicks second.
 */

/* Interrupts are off, and nobody wanted anything a moment ago. */
static void enter(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	const struct hv_cpu_ops *ops = vcpu->vm->ops;
	uint64_t generation = __atomic_load_n(&vcpu->vm->tlb_generation, __ATOMIC_SEQ_CST);
	uint32_t host_pkru = 0;

	if (vcpu->tlb_seen != generation) {
		vcpu->tlb_seen = generation;
		ops->flush(vcpu);
	}
	if (event_is_due(vcpu))
		event_deliver(vcpu);
	if (vcpu->debug.wanted)
		debug_enter(vcpu);
	if (vcpu->extended_state)
		host_pkru = extended_state_enter(vcpu);
	ops->enter(vcpu, exit);
	if (vcpu->extended_state)
		extended_state_leave(vcpu, host_pkru);
	if (vcpu->debug.wanted)
		debug_leave(vcpu);
}

/* Somebody has written down something for this vCPU since it last looked. */
static bool is_wanted(const struct hv_vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->requests, __ATOMIC_SEQ_CST) ||
	       (vcpu->local_apic && hv_vcpu_has_attention(vcpu));
}

/* Once into the guest and out. False: something else is to be done first. */
static bool try_enter(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	bool entered = false;

	host_interrupts_disable();
	__atomic_store_n(&vcpu->mode, HV_IN_GUEST, __ATOMIC_SEQ_CST);
	if (!is_wanted(vcpu) && !host_has_work()) {
		enter(vcpu, exit);
		entered = true;
	}
	__atomic_store_n(&vcpu->mode, HV_OUTSIDE, __ATOMIC_RELEASE);
	host_interrupts_enable();
	return entered;
}

/* With controllers of ours: takes over what pends. Negative: a signal came while it slept. */
static int prepare(struct hv_vcpu *vcpu)
{
	int error = HOST_OK;

	if (!vcpu->local_apic)
		return HOST_OK;
	while (!error && local_apic_before_entry(vcpu) == LOCAL_APIC_WAIT) {
		local_apic_sleeps(vcpu);
		error = host_wait(vcpu);
	}
	return error;
}

static int interrupted(struct hv_vcpu *vcpu)
{
	vcpu->call.kind = HV_CALL_INTERRUPTED;
	return HOST_EINTR;
}

/* Why it did not enter: false if somebody out there has to see it. */
static bool attend(struct hv_vcpu *vcpu)
{
	uint32_t requests = __atomic_exchange_n(&vcpu->requests, 0, __ATOMIC_SEQ_CST);

	paravirtual_update(vcpu, requests);
	if (requests & HV_REQUEST_MSRS)
		msr_filter_update(vcpu);
	if (requests & HV_REQUEST_SHUTDOWN) {
		vcpu->call.kind = HV_CALL_SHUTDOWN;
		return false;
	}
	if (requests & HV_REQUEST_RETURN || host_do_work(vcpu) == HOST_EINTR) {
		vcpu->failure = interrupted(vcpu);
		return false;
	}
	return true;
}

int hv_vcpu_run(struct hv_vcpu *vcpu, bool immediately)
{
	bool (*complete)(struct hv_vcpu * vcpu) = vcpu->complete;
	struct hv_exit *exit = &vcpu->call.exit;
	bool entered;

	vcpu->failure = HOST_OK;
	vcpu->complete = NULL;
	if (complete && !complete(vcpu))
		return vcpu->failure;
	if (debug_takes_step(vcpu))
		return HOST_OK;
	if (immediately)
		return interrupted(vcpu);
	for (;;) {
		if (vcpu->wants_window && hv_vcpu_takes_interrupt(vcpu)) {
			vcpu->call.kind = HV_CALL_WINDOW_OPEN;
			return HOST_OK;
		}
		if (vcpu->local_apic && vcpu->local_apic->ended && local_apic_calls(vcpu))
			return HOST_OK;
		if (prepare(vcpu))
			return interrupted(vcpu);
		entered = try_enter(vcpu, exit);
		if (vcpu->local_apic)
			local_apic_after_exit(vcpu);
		if (!entered) {
			if (!attend(vcpu))
				return vcpu->failure;
			continue;
		}
		if (vcpu->vm->ops->after_exit)
			vcpu->vm->ops->after_exit(vcpu, exit);
		if (exit_handle(vcpu, exit) == HV_TO_HOST || debug_takes_step(vcpu))
			return vcpu->failure;
	}
}

void hv_vcpu_interrupt(struct hv_vcpu *vcpu)
{
	hv_vcpu_request(vcpu, HV_REQUEST_RETURN);
}

void hv_vcpu_request(struct hv_vcpu *vcpu, uint32_t requests)
{
	__atomic_fetch_or(&vcpu->requests, requests, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->mode, __ATOMIC_SEQ_CST) == HV_IN_GUEST)
		host_kick(vcpu, false);
}

void hv_vcpu_load(struct hv_vcpu *vcpu, unsigned int cpu)
{
	if (vcpu->debug_live) {
		vcpu->debug_live = false;
		vcpu->vm->ops->debug_exits(vcpu, true);
	}
	vcpu->vm->ops->load(vcpu, cpu);
	/* By another counter, perhaps. */
	if (vcpu->deadline && vcpu->cpu_number != cpu)
		local_apic_deadline(vcpu);
	if (vcpu->tsc_lost != __atomic_load_n(&hv_tsc_lost, __ATOMIC_ACQUIRE))
		tsc_catch_up(vcpu);
	if ((vcpu->paravirtual.system_time | vcpu->paravirtual.steal_time) & 1)
		paravirtual_load(vcpu, vcpu->cpu_number != cpu);
	vcpu->cpu_number = cpu;
}

void hv_vcpu_put(struct hv_vcpu *vcpu, bool sleeps)
{
	/* A halt that the VMM is told of is its to wait for. */
	if (vcpu->paravirtual.steal_time & 1 && (sleeps || vcpu->call.kind == HV_CALL_HLT))
		steal_time_preempted(vcpu);
	vcpu->vm->ops->put(vcpu);
}
