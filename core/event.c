/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/event.h"

#include "core/cpu.h"
#include "core/exit.h"
#include "core/irqchip.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * The order is the processor's own (SDM 3, table 6-2): what was on its way when the
 * guest left goes first, as it has begun already; then an exception, which belongs to the
 * instruction before; an NMI; an interrupt. What can't be delivered yet gets a window: the
 * guest leaves as soon as it can.
 */

/* SDM 3, table 6-4: these two together are a double fault. */
static bool is_contributory(uint8_t vector)
{
	return vector == EXCEPTION_DE || (vector >= EXCEPTION_TS && vector <= EXCEPTION_GP) ||
	       vector == EXCEPTION_CP;
}

static bool makes_double_fault(uint8_t first, uint8_t second)
{
	if (first == EXCEPTION_PF)
		return second == EXCEPTION_PF || is_contributory(second);
	return is_contributory(first) && is_contributory(second);
}

bool event_raise(struct hv_vcpu *vcpu, uint8_t vector, bool has_error_code, uint32_t error_code)
{
	struct hv_pending *pending = &vcpu->pending;
	struct hv_event *exception = &pending->exception;
	const struct hv_event *first = exception->valid ? exception : &pending->injecting;

	if (first->valid && first->type == HV_EVENT_EXCEPTION) {
		if (first->vector == EXCEPTION_DF &&
		    (is_contributory(vector) || vector == EXCEPTION_PF)) {
			vcpu->call.kind = HV_CALL_SHUTDOWN;
			return true;
		}
		if (makes_double_fault(first->vector, vector)) {
			vector = EXCEPTION_DF;
			has_error_code = true;
			error_code = 0;
		}
	}
	/* A benign pair is handled one after the other: the first is raised anew, by itself. */
	if (pending->injecting.valid && pending->injecting.type == HV_EVENT_EXCEPTION)
		pending->injecting.valid = false;
	*exception = (struct hv_event){
		.valid = true,
		.type = HV_EVENT_EXCEPTION,
		.vector = vector,
		/* Real mode has no error codes: SDM 3, 21.1.4 */
		.has_error_code = has_error_code &&
				  vcpu->vm->ops->read_control(vcpu, HV_CR0) & CR0_PE,
		.error_code = error_code,
	};
	return false;
}

void event_raise_ud(struct hv_vcpu *vcpu)
{
	event_raise(vcpu, EXCEPTION_UD, false, 0);
}

void event_raise_gp(struct hv_vcpu *vcpu, uint32_t error_code)
{
	event_raise(vcpu, EXCEPTION_GP, true, error_code);
}

void event_raise_pf(struct hv_vcpu *vcpu, uint64_t address, uint32_t error_code)
{
	if (!event_raise(vcpu, EXCEPTION_PF, true, error_code))
		vcpu->vm->ops->set_fault_address(vcpu, address);
}

void event_raise_db(struct hv_vcpu *vcpu, uint64_t dr6)
{
	/* SDM 3, 17.2.3: B0 to B3 are set anew, the others stay until cleared. */
	vcpu->dr6 = (vcpu->dr6 & ~0xfull) | dr6;
	event_raise(vcpu, EXCEPTION_DB, false, 0);
}

void event_nmi(struct hv_vcpu *vcpu)
{
	if (vcpu->pending.nmis < 2)
		vcpu->pending.nmis++;
}

static void inject(struct hv_vcpu *vcpu, const struct hv_event *event)
{
	if (hv_tracing)
		host_trace_inject(vcpu, event);
	vcpu->vm->ops->inject(vcpu, event);
}

static bool deliver_nmi(struct hv_vcpu *vcpu)
{
	struct hv_pending *pending = &vcpu->pending;
	const struct hv_event nmi = { .valid = true,
				      .type = HV_EVENT_NMI,
				      .vector = EXCEPTION_NMI };

	/* While one is handled, the others are latched as one (SDM 3, 6.7.1). */
	if (pending->nmi_blocked && pending->nmis > 1)
		pending->nmis = 1;
	if (!pending->nmis || pending->nmi_blocked || vcpu->shadow)
		return false;
	pending->nmis--;
	pending->nmi_blocked = true;
	inject(vcpu, &nmi);
	return true;
}

static bool deliver_interrupt(struct hv_vcpu *vcpu)
{
	const struct hv_event interrupt = {
		.valid = true,
		.type = HV_EVENT_INTERRUPT,
		.vector = vcpu->pending.vector,
	};

	if (!vcpu->pending.interrupt || !(vcpu->rflags & RFLAGS_IF) || vcpu->shadow)
		return false;
	vcpu->pending.interrupt = false;
	inject(vcpu, &interrupt);
	return true;
}

/* For the guest's flags alone: a local APIC that keeps it out opens no window. */
static bool vmm_waits(const struct hv_vcpu *vcpu)
{
	return vcpu->wants_window && (!vcpu->local_apic || hv_vcpu_accepts_extint(vcpu));
}

/*
 * The flags that a fault's handler finds on its stack have RF, so that an instruction
 * breakpoint there is not hit again (SDM 3, 17.3.1.1). The processor sets it where it
 * raises the fault itself.
 */
static void set_resume_flag(struct hv_vcpu *vcpu, uint8_t vector)
{
	switch (vector) {
	case EXCEPTION_DB:
	case EXCEPTION_BP:
	case EXCEPTION_OF:
	case EXCEPTION_DF:
	case EXCEPTION_MC:
		break;
	default:
		vcpu->rflags |= RFLAGS_RF;
	}
}

void event_deliver(struct hv_vcpu *vcpu)
{
	const struct hv_cpu_ops *ops = vcpu->vm->ops;
	struct hv_pending *pending = &vcpu->pending;

	if (pending->injecting.valid) {
		inject(vcpu, &pending->injecting);
		pending->injecting.valid = false;
	} else if (pending->exception.valid) {
		set_resume_flag(vcpu, pending->exception.vector);
		inject(vcpu, &pending->exception);
		pending->exception.valid = false;
	} else if (!deliver_nmi(vcpu)) {
		deliver_interrupt(vcpu);
	}
	if (pending->nmis)
		ops->nmi_window(vcpu, true);
	if (pending->interrupt || vmm_waits(vcpu) || (vcpu->local_apic && vcpu->local_apic->window))
		ops->interrupt_window(vcpu, true);
}

bool event_takes_interrupt(const struct hv_vcpu *vcpu)
{
	return vcpu->rflags & RFLAGS_IF && !vcpu->shadow && !vcpu->pending.interrupt &&
	       !vcpu->pending.injecting.valid && !vcpu->pending.exception.valid;
}

/* With a local APIC the VMM's interrupts are the 8259A pair's, which it may keep out. */
bool hv_vcpu_takes_interrupt(struct hv_vcpu *vcpu)
{
	return event_takes_interrupt(vcpu) && (!vcpu->local_apic || hv_vcpu_accepts_extint(vcpu));
}
