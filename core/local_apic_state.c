/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/irqchip.h"

#include "dev/lapic_internal.h"

/*
 * A local APIC as it is saved and restored: the xAPIC's page, one word for each of its
 * registers, and whether its processor runs. What a page has no word for (pins, an INIT
 * or an NMI on its way) begins anew with what is restored.
 */

static const uint8_t lvt_words[LAPIC_LVT_COUNT] = {
	LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PERFORMANCE,
	LAPIC_LVT_LINT0, LAPIC_LVT_LINT1,   LAPIC_LVT_ERROR,
};

/* Those that answer as they are: what reading them does, it has done by then. */
static const uint8_t read_words[] = {
	LAPIC_ID,  LAPIC_VERSION, LAPIC_TPR,	       LAPIC_PPR,	    LAPIC_LDR,
	LAPIC_DFR, LAPIC_SVR,	  LAPIC_ESR,	       LAPIC_ICR,	    LAPIC_ICR_HIGH,
	LAPIC_APR, LAPIC_DIVIDE,  LAPIC_INITIAL_COUNT, LAPIC_CURRENT_COUNT,
};

static uint32_t read_word(struct lapic *lapic, unsigned int number, uint64_t now)
{
	switch (number) {
	/* These two differ with the mode; the x2APIC has no DFR. */
	case LAPIC_ID:
		return lapic_in_x2apic_mode(lapic) ? lapic->id : lapic->id << 24;
	case LAPIC_DFR:
		return lapic->dfr;
	default:
		return lapic_read(lapic, number << 4, 4, now);
	}
}

void hv_vcpu_get_lapic(struct hv_vcpu *vcpu, uint32_t words[HV_LAPIC_WORDS])
{
	struct hv_irqchip *irqchip = hv_irqchip_lock(vcpu->vm);
	struct lapic *lapic = &vcpu->local_apic->lapic;
	uint64_t now = irqchip_now(irqchip);

	host_memset(words, 0, HV_LAPIC_WORDS * sizeof(words[0]));
	lapic_timer_catch_up(lapic, now);
	for (unsigned int i = 0; i < sizeof(read_words); i++)
		words[read_words[i]] = read_word(lapic, read_words[i], now);
	for (unsigned int i = 0; i < 8; i++) {
		words[LAPIC_ISR + i] = lapic->isr[i];
		words[LAPIC_TMR + i] = lapic->tmr[i];
		words[LAPIC_IRR + i] = lapic->irr[i];
	}
	for (unsigned int i = 0; i < LAPIC_LVT_COUNT; i++)
		words[lvt_words[i]] = lapic->lvt[i];
	local_apic_timer_changed(vcpu);
	hv_irqchip_unlock(vcpu->vm);
}

/* One that counts goes on where it stood; in TSC-deadline mode the MSR is set afterwards. */
static void restore_timer(struct lapic *lapic, const uint32_t *words, uint64_t now)
{
	struct lapic_timer *timer = &lapic->timer;

	lapic_timer_reset(timer);
	timer->divide = words[LAPIC_DIVIDE];
	timer->initial_count = words[LAPIC_INITIAL_COUNT];
	timer->count = words[LAPIC_CURRENT_COUNT];
	timer->since = now;
	/* Some who save it leave the count out: a period begins anew. */
	if (timer->count > timer->initial_count ||
	    (!timer->count && *lapic_lvt(lapic, LAPIC_LVT_TIMER) & LAPIC_LVT_TIMER_PERIODIC))
		timer->count = timer->initial_count;
}

void hv_vcpu_set_lapic(struct hv_vcpu *vcpu, const uint32_t words[HV_LAPIC_WORDS])
{
	struct hv_irqchip *irqchip = hv_irqchip_lock(vcpu->vm);
	struct lapic *lapic = &vcpu->local_apic->lapic;

	for (unsigned int i = 0; i < 8; i++) {
		lapic->isr[i] = words[LAPIC_ISR + i];
		lapic->tmr[i] = words[LAPIC_TMR + i];
		lapic->irr[i] = words[LAPIC_IRR + i];
	}
	/* Vectors below 16 are none. */
	lapic->isr[0] &= 0xffff0000;
	lapic->irr[0] &= 0xffff0000;
	for (unsigned int i = 0; i < LAPIC_LVT_COUNT; i++)
		lapic->lvt[i] = words[lvt_words[i]];
	lapic->tpr = (uint8_t)words[LAPIC_TPR];
	lapic->svr = words[LAPIC_SVR];
	lapic->dfr = words[LAPIC_DFR] | ~LAPIC_DFR_MODEL;
	if (!lapic_in_x2apic_mode(lapic))
		lapic->ldr = words[LAPIC_LDR];
	lapic->esr = words[LAPIC_ESR];
	lapic->errors = 0;
	lapic->icr_low = words[LAPIC_ICR];
	lapic->icr_high = words[LAPIC_ICR_HIGH];
	lapic->extint = false;
	restore_timer(lapic, words, irqchip_now(irqchip));
	vcpu->cr8 = lapic_cr8(lapic);
	lapic->signalled = 0;
	lapic_signal(lapic);
	local_apic_wake(vcpu);
	local_apic_timer_changed(vcpu);
	hv_irqchip_unlock(vcpu->vm);
}

/* ---- whether it runs --------------------------------------------------------------------- */

enum hv_activity hv_vcpu_get_activity(struct hv_vcpu *vcpu)
{
	if (vcpu->local_apic && vcpu->local_apic->lapic.waits_for_sipi)
		return HV_WAITS_FOR_SIPI;
	/* One that was kicked runs on as soon as it is let to. */
	return vcpu->halted && !vcpu->paravirtual.unhalted ? HV_HALTED : HV_RUNS;
}

void hv_vcpu_set_activity(struct hv_vcpu *vcpu, enum hv_activity activity)
{
	struct lapic *lapic;

	vcpu->halted = activity == HV_HALTED;
	if (!vcpu->local_apic)
		return;
	hv_irqchip_lock(vcpu->vm);
	lapic = &vcpu->local_apic->lapic;
	lapic->waits_for_sipi = activity == HV_WAITS_FOR_SIPI;
	/* An INIT or a SIPI that is on its way belongs to what was before. */
	lapic->init = lapic->sipi = false;
	lapic_signal(lapic);
	local_apic_wake(vcpu);
	hv_irqchip_unlock(vcpu->vm);
}
