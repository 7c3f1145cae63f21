/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_EVENT_H
#define HUTCH_CORE_EVENT_H

/* What is delivered through a guest's IDT, and when: SDM 3, 6.9 and 25.6; APM 2, 8.5. */

#include "core/hv.h"
#include "core/irqchip.h"

/*
 * The guest's instruction raised an exception. One that meets another on its way becomes
 * a double fault, or the end (SDM 3, table 6-5). True: a triple fault, call the host.
 */
bool event_raise(struct hv_vcpu *vcpu, uint8_t vector, bool has_error_code, uint32_t error_code);

void event_raise_ud(struct hv_vcpu *vcpu);
void event_raise_gp(struct hv_vcpu *vcpu, uint32_t error_code);
/* Also sets CR2. */
void event_raise_pf(struct hv_vcpu *vcpu, uint64_t address, uint32_t error_code);
/* A debug exception with these bits of DR6. */
void event_raise_db(struct hv_vcpu *vcpu, uint64_t dr6);

void event_nmi(struct hv_vcpu *vcpu);

/*
 * Chooses what the next entry delivers, by priority, and asks for windows for what has to
 * wait. Right before the entry.
 */
void event_deliver(struct hv_vcpu *vcpu);
/* Whether there is anything to choose from: mostly there is not. */
static inline bool event_is_due(const struct hv_vcpu *vcpu)
{
	const struct hv_pending *pending = &vcpu->pending;

	return pending->injecting.valid | pending->exception.valid | pending->interrupt |
		       vcpu->wants_window ||
	       pending->nmis || (vcpu->local_apic && vcpu->local_apic->window);
}

/* Whether the next entry can deliver an interrupt that is not there yet. */
bool event_takes_interrupt(const struct hv_vcpu *vcpu);

#endif
