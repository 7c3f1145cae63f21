/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * Interrupts, NMIs and exceptions on their way into the guest, as the VMM gives, takes
 * and keeps them (Linux, Documentation/virt/kvm/api.rst, 4.16, 4.31, 4.64). The core
 * makes one difference that the ABI does not: what was being delivered when the guest
 * left, and what waits.
 */

static bool is_exception(uint8_t type)
{
	return type == HV_EVENT_EXCEPTION || type == HV_EVENT_PRIVILEGED_EXCEPTION ||
	       type == HV_EVENT_SOFT_EXCEPTION;
}

static void exception_get(const struct hv_event *event, struct kvm_vcpu_events *to)
{
	to->exception.injected = 1;
	to->exception.nr = event->vector;
	to->exception.has_error_code = event->has_error_code;
	to->exception.error_code = event->error_code;
}

static void injecting_get(const struct hv_event *event, struct kvm_vcpu_events *to)
{
	if (is_exception(event->type)) {
		exception_get(event, to);
	} else if (event->type == HV_EVENT_NMI) {
		to->nmi.injected = 1;
	} else {
		to->interrupt.injected = 1;
		to->interrupt.nr = event->vector;
		to->interrupt.soft = event->type == HV_EVENT_SOFT_INTERRUPT;
	}
}

void events_get(struct hutch_vcpu *vcpu, struct kvm_vcpu_events *events)
{
	const struct hv_pending *pending = &vcpu->hv.pending;

	memset(events, 0, sizeof(*events));
	events->flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW;
	if (pending->exception.valid)
		exception_get(&pending->exception, events);
	if (pending->interrupt) {
		events->interrupt.injected = 1;
		events->interrupt.nr = pending->vector;
	}
	if (pending->injecting.valid)
		injecting_get(&pending->injecting, events);
	events->interrupt.shadow =
		(vcpu->hv.shadow & HV_SHADOW_MOV_SS ? KVM_X86_SHADOW_INT_MOV_SS : 0) |
		(vcpu->hv.shadow & HV_SHADOW_STI ? KVM_X86_SHADOW_INT_STI : 0);
	events->nmi.pending = pending->nmis;
	events->nmi.masked = pending->nmi_blocked;
}

#define EVENT_FLAGS (KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW)
#define NMIS_MAX    2

static int events_check(const struct kvm_vcpu_events *events)
{
	if (events->flags & ~EVENT_FLAGS)
		return -EINVAL;
	/* Exceptions are vectors below 32, and 2 is the NMI's own. */
	if (events->exception.injected && (events->exception.nr > 31 || events->exception.nr == 2))
		return -EINVAL;
	return 0;
}

static void exception_set(struct hv_pending *pending, const struct kvm_vcpu_events *events)
{
	pending->exception = (struct hv_event){
		.valid = events->exception.injected,
		.type = HV_EVENT_EXCEPTION,
		.vector = events->exception.nr,
		.has_error_code = events->exception.has_error_code,
		.error_code = events->exception.error_code,
	};
}

/*
 * What was on its way goes on first, whatever the guest's flags say by now. Of two, the
 * one that began last: an exception inside the delivery of an interrupt, say.
 */
static void injecting_set(struct hv_pending *pending, const struct kvm_vcpu_events *events)
{
	struct hv_event event = { 0 };

	pending->interrupt = false;
	if (events->nmi.injected) {
		event = (struct hv_event){ .valid = true, .type = HV_EVENT_NMI, .vector = 2 };
	} else if (events->interrupt.injected) {
		event = (struct hv_event){ .valid = true,
					   .type = HV_EVENT_INTERRUPT,
					   .vector = events->interrupt.nr };
	}
	if (events->exception.injected && event.valid && event.type == HV_EVENT_INTERRUPT) {
		pending->interrupt = true;
		pending->vector = event.vector;
		event.valid = false;
	}
	pending->injecting = event;
}

int events_set(struct hutch_vcpu *vcpu, const struct kvm_vcpu_events *events)
{
	struct hv_pending *pending = &vcpu->hv.pending;
	int error = events_check(events);

	if (error)
		return error;
	exception_set(pending, events);
	injecting_set(pending, events);
	if (events->flags & KVM_VCPUEVENT_VALID_SHADOW)
		vcpu->hv.shadow =
			(events->interrupt.shadow & KVM_X86_SHADOW_INT_MOV_SS ? HV_SHADOW_MOV_SS
									      : 0) |
			(events->interrupt.shadow & KVM_X86_SHADOW_INT_STI ? HV_SHADOW_STI : 0);
	if (events->flags & KVM_VCPUEVENT_VALID_NMI_PENDING)
		pending->nmis = min_t(uint8_t, events->nmi.pending, NMIS_MAX);
	pending->nmi_blocked = events->nmi.masked;
	return 0;
}

VCPU_HANDLER(vcpu_get_events)
{
	struct kvm_vcpu_events events;

	events_get(vcpu, &events);
	return copy_to_user(user_pointer(argument), &events, sizeof(events)) ? -EFAULT : 0;
}

VCPU_HANDLER(vcpu_set_events)
{
	struct kvm_vcpu_events events;

	if (copy_from_user(&events, user_pointer(argument), sizeof(events)))
		return -EFAULT;
	return events_set(vcpu, &events);
}

VCPU_HANDLER(vcpu_interrupt)
{
	struct kvm_interrupt interrupt;

	if (copy_from_user(&interrupt, user_pointer(argument), sizeof(interrupt)))
		return -EFAULT;
	if (interrupt.irq >= KVM_NR_INTERRUPTS)
		return -EINVAL;
	/* The VMM's 8259A pair speaks; one of ours needs no help. */
	if (vcpu->vm->irqchip_kind == IRQCHIP_FULL)
		return -ENXIO;
	if (vcpu->hv.local_apic && vcpu->hv.pending.interrupt)
		return -EEXIST;
	vcpu->hv.pending.interrupt = true;
	vcpu->hv.pending.vector = interrupt.irq;
	return 0;
}

VCPU_HANDLER(vcpu_nmi)
{
	if (vcpu->hv.pending.nmis < NMIS_MAX)
		vcpu->hv.pending.nmis++;
	return 0;
}
