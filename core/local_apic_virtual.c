/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/irqchip.h"

#include "core/cpu.h"
#include "dev/lapic_internal.h"

/*
 * A local APIC in the processor's own hands (SDM 3, chapter 30). A processor that can do
 * this keeps the registers in a page: it delivers what is in the IRR there as soon as the
 * guest can take it, and sees to most ends of interrupt, with no exit for either.
 *
 * There is one truth at any time. The model of dev/ is lent to the processor before an
 * entry and recalled by whoever wants to know or change it; in between IRR, ISR and TPR
 * are the page's, exits or not. What arrives meanwhile is kept in the model's IRR, fetches
 * the guest, and goes into the page at the next entry.
 *
 * All of this is done with the controllers' lock held.
 */

#define DEFAULT_PAGE 0xfee00000ull

static uint32_t *word(struct hv_local_apic *local, unsigned int number)
{
	return (uint32_t *)(local->page + number * 16);
}

static enum hv_apic_mode mode_of(const struct hv_vcpu *vcpu)
{
	const struct lapic *lapic = &vcpu->local_apic->lapic;

	if (!vcpu->local_apic->page || !lapic_hardware_enabled(lapic))
		return HV_APIC_EMULATED;
	if (lapic_in_x2apic_mode(lapic))
		return HV_APIC_X2APIC;
	return lapic_page(lapic) == DEFAULT_PAGE ? HV_APIC_PAGE : HV_APIC_EMULATED;
}

void local_apic_virtual_init(struct hv_vcpu *vcpu)
{
	const struct hv_cpu_ops *ops = vcpu->vm->ops;
	struct hv_local_apic *local = vcpu->local_apic;

	local->page = ops->apic_page ? ops->apic_page(vcpu) : NULL;
	if (!local->page)
		return;
	*word(local, LAPIC_VERSION) = lapic_read(&local->lapic, LAPIC_VERSION * 16, 4, 0);
	/* As it is after power-on. */
	local->mode = HV_APIC_PAGE;
	ops->apic_mode(vcpu, HV_APIC_PAGE);
}

/* ---- there ---------------------------------------------------------------------------- */

static void write_registers(struct hv_local_apic *local)
{
	const struct lapic *lapic = &local->lapic;

	*word(local, LAPIC_ID) = lapic_in_x2apic_mode(lapic) ? lapic->id : lapic->id << 24;
	*word(local, LAPIC_TPR) = lapic->tpr;
	*word(local, LAPIC_LDR) = lapic->ldr;
	*word(local, LAPIC_DFR) = lapic->dfr;
	*word(local, LAPIC_SVR) = lapic->svr;
	*word(local, LAPIC_ESR) = lapic->esr;
	*word(local, LAPIC_ICR) = lapic->icr_low;
	*word(local, LAPIC_ICR_HIGH) = lapic->icr_high;
	*word(local, LAPIC_INITIAL_COUNT) = lapic->timer.initial_count;
	*word(local, LAPIC_DIVIDE) = lapic->timer.divide;
	for (unsigned int i = 0; i < LAPIC_LVT_COUNT; i++)
		*word(local, LAPIC_LVT_TIMER + i) = lapic->lvt[i];
}

/* Somebody waits for these vectors' ends: a source of levels, or a timer with a pace. */
static void watch_ends(const struct lapic *lapic, uint32_t watched[8])
{
	const uint32_t timer = lapic->lvt[0];

	for (unsigned int i = 0; i < 8; i++)
		watched[i] = lapic->tmr[i];
	if ((timer & LAPIC_LVT_TIMER_MODE) == LAPIC_LVT_TIMER_PERIODIC)
		watched[(timer & LAPIC_LVT_VECTOR) / 32] |= 1u << (timer & 31);
}

void local_apic_lend(struct hv_vcpu *vcpu)
{
	struct hv_local_apic *local = vcpu->local_apic;
	struct lapic *lapic = &local->lapic;
	uint8_t requested = (uint8_t)lapic_highest(lapic->irr);
	uint8_t in_service = (uint8_t)lapic_highest(lapic->isr);
	uint32_t watched[8];

	write_registers(local);
	watch_ends(lapic, watched);
	for (unsigned int i = 0; i < 8; i++) {
		*word(local, LAPIC_ISR + i) = lapic->isr[i];
		*word(local, LAPIC_TMR + i) = lapic->tmr[i];
		*word(local, LAPIC_IRR + i) = lapic->irr[i];
		lapic->irr[i] = 0;
	}
	lapic->lent = true;
	lapic_signal(lapic);
	vcpu->vm->ops->apic_lend(vcpu, requested, in_service, watched);
}

void local_apic_choose(struct hv_vcpu *vcpu)
{
	enum hv_apic_mode mode = mode_of(vcpu);

	if (mode == vcpu->local_apic->mode)
		return;
	vcpu->local_apic->mode = mode;
	vcpu->vm->ops->apic_mode(vcpu, mode);
}

/* ---- and back ---------------------------------------------------------------------------- */

void local_apic_take_back(struct hv_vcpu *vcpu)
{
	struct hv_local_apic *local = vcpu->local_apic;
	struct lapic *lapic = &local->lapic;

	lapic->lent = false;
	for (unsigned int i = 0; i < 8; i++) {
		lapic->irr[i] |= *word(local, LAPIC_IRR + i);
		lapic->isr[i] = *word(local, LAPIC_ISR + i);
	}
	/* Its upper half is CR8, which is the vCPU's when it is out. */
	if (*word(local, LAPIC_TPR) >> 4 == lapic_cr8(lapic))
		lapic->tpr = (uint8_t)*word(local, LAPIC_TPR);
	/* These the guest writes by itself: an IPI to itself, and a register without effect. */
	if (!lapic_in_x2apic_mode(lapic)) {
		lapic->icr_low = *word(local, LAPIC_ICR);
		lapic->icr_high = *word(local, LAPIC_ICR_HIGH);
	}
	/* It is lent again before the next entry. */
	__atomic_store_n(&local->attention, 1, __ATOMIC_SEQ_CST);
}

/* ---- exits ----------------------------------------------------------------------------------- */

void local_apic_ended(struct hv_vcpu *vcpu, uint8_t vector)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;

	host_spin_lock(irqchip->lock);
	local_apic_recall(vcpu);
	irqchip->accessing = vcpu;
	lapic_ended(&vcpu->local_apic->lapic, vector, irqchip_now(irqchip));
	irqchip->accessing = NULL;
	local_apic_timer_changed(vcpu);
	host_spin_unlock(irqchip->lock);
}

/* Only IPIs to itself come this way in x2APIC mode: those with a vector that is none. */
void local_apic_written(struct hv_vcpu *vcpu, uint16_t offset)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	struct lapic *lapic = &vcpu->local_apic->lapic;
	uint32_t value = *word(vcpu->local_apic, offset / 16);
	uint64_t now = irqchip_now(irqchip);

	host_spin_lock(irqchip->lock);
	local_apic_recall(vcpu);
	irqchip->accessing = vcpu;
	if (lapic_in_x2apic_mode(lapic))
		lapic_write_msr(lapic, IA32_X2APIC_FIRST + offset / 16, value, now);
	else
		lapic_write(lapic, offset & ~15u, 4, value, now);
	irqchip->accessing = NULL;
	local_apic_timer_changed(vcpu);
	host_spin_unlock(irqchip->lock);
}
