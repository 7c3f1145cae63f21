/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/irqchip.h"

#include "core/cpu.h"
#include "core/event.h"
#include "core/paravirtual.h"
#include "core/processor.h"
#include "core/tsc.h"
#include "dev/lapic_internal.h"
#include "x86/registers.h"

/*
 * A vCPU and its local APIC. Before an entry what pends is looked at and taken over: INIT
 * and SIPI change the vCPU, an NMI and the best interrupt go to core/event.c. What the
 * guest can't take yet stays where it is, and the guest leaves when it can.
 */

static struct lapic *lapic_of(struct hv_vcpu *vcpu)
{
	return &vcpu->local_apic->lapic;
}

/* ---- from others, and from the timer -------------------------------------------------- */

static void attend(struct hv_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->local_apic->attention, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->mode, __ATOMIC_SEQ_CST) == HV_IN_GUEST)
		host_kick(vcpu, false);
	host_wake(vcpu);
}

void local_apic_wake(struct hv_vcpu *vcpu)
{
	attend(vcpu);
}

/* The one whose local APIC has this id: only those that are in the table speak. */
static struct hv_vcpu *vcpu_behind(const struct hv_irqchip *irqchip, uint32_t id)
{
	return ((struct hv_local_apic *)irqchip->lapics[id])->vcpu;
}

/* What the vCPU finds while it looks, it has found. */
static void on_wake(void *owner, uint32_t id)
{
	struct hv_vcpu *vcpu = vcpu_behind(owner, id);

	if (!vcpu->local_apic->looking)
		attend(vcpu);
}

bool hv_vcpu_has_attention(const struct hv_vcpu *vcpu)
{
	return __atomic_load_n(&vcpu->local_apic->attention, __ATOMIC_SEQ_CST);
}

void hv_vcpu_timer_due(struct hv_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->local_apic->timer_due, 1, __ATOMIC_SEQ_CST);
	attend(vcpu);
}

/*
 * The timer is the host's, or, where the processor has one that makes the guest leave, that
 * one: nothing has to be armed then, no interrupt of the host's comes, and the guest leaves
 * once where it would leave for the interrupt. It runs only with the guest; but a vCPU that
 * has lost its CPU or is with its VMM has nothing to be told before it enters again, and
 * then it leaves at once. One that sleeps has to be woken: by the host's timer, which then
 * goes on until there is another moment to wait for.
 */

/* Longer than this the two clocks are not trusted to agree: then it is asked once more. */
#define LONGEST_DEADLINE_NS DEV_NS_PER_SECOND

static uint64_t deadline_of(uint64_t due, uint64_t now)
{
	uint64_t left = due > now ? due - now : 0;

	if (due == DEV_NEVER)
		return 0;
	if (left > LONGEST_DEADLINE_NS)
		left = LONGEST_DEADLINE_NS;
	return processor_tsc() + left * host_tsc_khz() / 1000000 + 1;
}

static void host_timer_change(struct hv_vcpu *vcpu, uint64_t due)
{
	struct hv_local_apic *local = vcpu->local_apic;

	local->timer_set = due != DEV_NEVER;
	host_timer_set(local->timer, due == DEV_NEVER ? DEV_NEVER : due + vcpu->vm->irqchip->epoch);
}

/* @due is what the model says at @now. */
static void timer_changed(struct hv_vcpu *vcpu, uint64_t due, uint64_t now)
{
	struct hv_local_apic *local = vcpu->local_apic;

	if (due == local->due)
		return;
	local->due = due;
	if (local->in_processor)
		vcpu->deadline = deadline_of(due, now);
	if (!local->in_processor)
		host_timer_change(vcpu, due);
	else if (local->timer_set)
		host_timer_change(vcpu, DEV_NEVER);
}

void local_apic_deadline(struct hv_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->local_apic->timer_due, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&vcpu->local_apic->attention, 1, __ATOMIC_SEQ_CST);
}

void local_apic_sleeps(struct hv_vcpu *vcpu)
{
	struct hv_local_apic *local = vcpu->local_apic;

	if (local->due != DEV_NEVER && !local->timer_set)
		host_timer_change(vcpu, local->due);
}

void local_apic_timer_changed(struct hv_vcpu *vcpu)
{
	uint64_t now = irqchip_now(vcpu->vm->irqchip);

	timer_changed(vcpu, lapic_tick(lapic_of(vcpu), now), now);
}

/* ---- registers --------------------------------------------------------------------------- */

bool local_apic_msr(struct hv_vcpu *vcpu, uint32_t index, bool write, uint64_t *value)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	struct lapic *lapic = lapic_of(vcpu);
	bool timeless = write && lapic_is_timeless(lapic, index);
	uint64_t now = timeless ? 0 : irqchip_now(irqchip);
	bool done;

	host_spin_lock(irqchip->lock);
	local_apic_recall(vcpu);
	irqchip->accessing = vcpu;
	done = write ? lapic_write_msr(lapic, index, *value, now)
		     : lapic_read_msr(lapic, index, value, now);
	irqchip->accessing = NULL;
	/* In another mode somebody else may have the registers. */
	if (vcpu->apic_base != lapic->base)
		__atomic_store_n(&vcpu->local_apic->attention, 1, __ATOMIC_SEQ_CST);
	vcpu->apic_base = lapic->base;
	if (!timeless)
		timer_changed(vcpu, lapic_timer_next(lapic), now);
	host_spin_unlock(irqchip->lock);
	return done;
}

/* The guest's way from one mode to another may have a third between: SDM 3, 11.12.5. */
bool local_apic_set_base(struct hv_vcpu *vcpu, uint64_t value)
{
	const uint64_t extd = IA32_APIC_BASE_EXTD, modes = extd | IA32_APIC_BASE_EN;
	uint64_t steps[2] = { value & ~modes, value & ~extd };
	uint64_t before = vcpu->apic_base;
	bool done = local_apic_msr(vcpu, IA32_APIC_BASE, true, &value);

	for (unsigned int i = 0; !done && i < 2; i++)
		done = local_apic_msr(vcpu, IA32_APIC_BASE, true, &steps[i]) &&
		       local_apic_msr(vcpu, IA32_APIC_BASE, true, &value);
	if (!done)
		local_apic_msr(vcpu, IA32_APIC_BASE, true, &before);
	return done;
}

void local_apic_cr8(struct hv_vcpu *vcpu)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;

	if (vcpu->cr8 == lapic_cr8(lapic_of(vcpu)))
		return;
	host_spin_lock(irqchip->lock);
	lapic_set_cr8(lapic_of(vcpu), (uint8_t)vcpu->cr8);
	host_spin_unlock(irqchip->lock);
}

/* ---- before an entry ------------------------------------------------------------------------ */

static void take_init(struct hv_vcpu *vcpu)
{
	lapic_take_init(lapic_of(vcpu));
	vcpu->halted = false;
	hv_vcpu_reset(vcpu, false);
}

/* SDM 3, 9.4.3: the vector is the number of the page at which the processor begins. */
static void take_sipi(struct hv_vcpu *vcpu)
{
	uint8_t vector = lapic_take_sipi(lapic_of(vcpu));
	struct hv_system system;

	vcpu->vm->ops->get_system(vcpu, &system);
	system.segments[SEGMENT_NUMBER_CS].selector = (uint16_t)(vector << 8);
	system.segments[SEGMENT_NUMBER_CS].base = (uint64_t)vector << 12;
	vcpu->vm->ops->set_system(vcpu, &system);
	vcpu->rip = 0;
}

/* The 8259A pair's INTR goes past the local APIC and its priorities; so it goes first. */
static uint8_t acknowledge(struct hv_vcpu *vcpu, uint32_t events)
{
	if (!(events & LAPIC_EXTINT))
		return lapic_acknowledge(lapic_of(vcpu));
	lapic_take_extint(lapic_of(vcpu));
	return pic_acknowledge(&vcpu->vm->irqchip->pic);
}

bool hv_vcpu_accepts_extint(const struct hv_vcpu *vcpu)
{
	const struct lapic *lapic = &vcpu->local_apic->lapic;
	uint32_t lint0 = lapic->lvt[LAPIC_LVT_LINT0 - LAPIC_LVT_TIMER];

	if (!(lapic->base & IA32_APIC_BASE_EN))
		return true;
	return !(lint0 & LAPIC_LVT_MASK) &&
	       (lint0 & LAPIC_LVT_DELIVERY) >> APIC_DELIVERY_SHIFT == APIC_DELIVERY_EXTINT;
}

/* What goes past the local APIC ends a HLT, too: given by the VMM, or cut short by an exit. */
static bool has_other_events(const struct hv_vcpu *vcpu)
{
	const struct hv_pending *pending = &vcpu->pending;

	return pending->injecting.valid || pending->exception.valid ||
	       (pending->nmis && !pending->nmi_blocked) ||
	       (pending->interrupt && vcpu->rflags & RFLAGS_IF);
}

/* A halted vCPU stands behind its HLT, where no shadow reaches. */
static bool is_ready(struct hv_vcpu *vcpu)
{
	if (vcpu->halted)
		vcpu->shadow = 0;
	return event_takes_interrupt(vcpu);
}

/* What goes to the processor or changes it at once. The result: all that pends afterwards. */
static uint32_t take_events(struct hv_vcpu *vcpu)
{
	struct lapic *lapic = lapic_of(vcpu);

	/* A SIPI that came after an INIT is for the processor that this INIT has reset. */
	while (lapic->signalled & LAPIC_INIT)
		take_init(vcpu);
	if (lapic->signalled & LAPIC_SIPI)
		take_sipi(vcpu);
	if (lapic->signalled & LAPIC_NMI) {
		lapic_take_nmi(lapic);
		event_nmi(vcpu);
		vcpu->halted = false;
	}
	return lapic->signalled;
}

/* With @looking, so that the model keeps what pends in @signalled, and calls nobody for it. */
static void look(struct hv_vcpu *vcpu)
{
	/* Those that are for us to deliver: the processor does so with its own. */
	uint32_t interrupts = LAPIC_EXTINT | LAPIC_INTERRUPT;
	struct hv_local_apic *local = vcpu->local_apic;
	struct lapic *lapic = lapic_of(vcpu);
	uint32_t events;

	if (__atomic_exchange_n(&local->timer_due, 0, __ATOMIC_SEQ_CST)) {
		local->due = 0; /* it has run out, whoever kept it */
		local_apic_timer_changed(vcpu);
	} else {
		lapic_signal(lapic);
	}
	events = take_events(vcpu);
	local->window = false;
	if (lapic->waits_for_sipi)
		return;
	if (local->page)
		local_apic_choose(vcpu);
	if (local_apic_is_virtual(vcpu))
		interrupts = LAPIC_EXTINT;
	if (events & (LAPIC_EXTINT | LAPIC_INTERRUPT) && is_ready(vcpu)) {
		vcpu->halted = false;
		if (events & interrupts) {
			vcpu->pending.vector = acknowledge(vcpu, events);
			vcpu->pending.interrupt = true;
		}
	}
	if (local_apic_is_virtual(vcpu))
		local_apic_lend(vcpu);
	events = lapic->signalled;
	local->window = events & interrupts;
	vcpu->vm->ops->tpr_exits(vcpu, events & LAPIC_BELOW_TPR ? lapic_tpr_threshold(lapic) : 0);
}

/* By another vCPU, which holds that it has slept enough; also before it slept. */
static bool was_kicked(struct hv_vcpu *vcpu)
{
	return __atomic_exchange_n(&vcpu->paravirtual.unhalted, 0, __ATOMIC_SEQ_CST);
}

enum local_apic_next local_apic_before_entry(struct hv_vcpu *vcpu)
{
	struct hv_local_apic *local = vcpu->local_apic;
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;

	/* What the processor has not delivered yet may end the HLT. */
	if (local->window || (vcpu->halted && local->lapic.lent) ||
	    __atomic_load_n(&local->attention, __ATOMIC_SEQ_CST)) {
		host_spin_lock(irqchip->lock);
		local_apic_recall(vcpu);
		/* After the recall, which asks for this; before the look, so that nothing is lost. */
		__atomic_store_n(&local->attention, 0, __ATOMIC_SEQ_CST);
		local->looking = true;
		look(vcpu);
		local->looking = false;
		host_spin_unlock(irqchip->lock);
	}
	vcpu->cr8 = lapic_cr8(&local->lapic);
	if (vcpu->halted && (has_other_events(vcpu) || was_kicked(vcpu)))
		vcpu->halted = false;
	if (vcpu->halted || local->lapic.waits_for_sipi)
		return LOCAL_APIC_WAIT;
	if (vcpu->paravirtual.eoi)
		pv_eoi_offer(vcpu);
	return LOCAL_APIC_ENTER;
}

void local_apic_after_exit(struct hv_vcpu *vcpu)
{
	if (vcpu->paravirtual.eoi_offered)
		pv_eoi_take(vcpu);
	local_apic_cr8(vcpu);
}

bool local_apic_calls(struct hv_vcpu *vcpu)
{
	struct hv_local_apic *local = vcpu->local_apic;

	if (!local->ended)
		return false;
	local->ended = false;
	vcpu->call.kind = HV_CALL_EOI;
	vcpu->call.eoi.vector = local->ended_vector;
	return true;
}

/* ---- making it ------------------------------------------------------------------------------------ */

static uint64_t read_tsc(void *owner, uint32_t id, uint64_t now)
{
	struct hv_irqchip *irqchip = owner;
	const struct hv_vcpu *vcpu = vcpu_behind(irqchip, id);
	uint64_t tsc = tsc_now(vcpu);
	uint64_t late = irqchip_now(irqchip) - now;

	/* The counter is read a little after @now: rather too much off than too little. */
	return tsc - late * vcpu->tsc_khz / 1000000;
}

void local_apic_tsc_changed(struct hv_vcpu *vcpu)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	uint64_t now = irqchip_now(irqchip);

	host_spin_lock(irqchip->lock);
	local_apic_recall(vcpu);
	lapic_tsc_changed(lapic_of(vcpu), (uint64_t)vcpu->tsc_khz * 1000, now);
	timer_changed(vcpu, lapic_timer_next(lapic_of(vcpu)), now);
	host_spin_unlock(irqchip->lock);
}

int local_apic_init(struct hv_vcpu *vcpu)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	const struct lapic_wiring wiring = {
		.bus = irqchip ? &irqchip->bus : NULL,
		.wake = on_wake,
		.read_tsc = read_tsc,
		.tsc_hz = (uint64_t)host_tsc_khz() * 1000,
		.owner = irqchip,
		.x2apic = true,
	};

	if (!irqchip)
		return HOST_OK;
	vcpu->local_apic = host_alloc(sizeof(*vcpu->local_apic));
	if (!vcpu->local_apic)
		return HOST_ENOMEM;
	vcpu->local_apic->timer = host_timer_new(vcpu->vm, vcpu);
	if (!vcpu->local_apic->timer) {
		host_free(vcpu->local_apic, sizeof(*vcpu->local_apic));
		return HOST_ENOMEM;
	}
	vcpu->local_apic->vcpu = vcpu;
	vcpu->local_apic->due = DEV_NEVER;
	vcpu->local_apic->in_processor = vcpu->vm->ops->has_deadlines &&
					 vcpu->vm->ops->has_deadlines();
	vcpu->local_apic->attention = 1;
	host_spin_lock(irqchip->lock);
	irqchip->lapics[vcpu->id] = lapic_of(vcpu);
	lapic_init(lapic_of(vcpu), vcpu->id, vcpu->id == vcpu->vm->bootstrap, &wiring);
	local_apic_virtual_init(vcpu);
	if (vcpu->id == vcpu->vm->bootstrap)
		lapic_virtual_wire(lapic_of(vcpu));
	if (irqchip->bus.count <= vcpu->id)
		irqchip->bus.count = vcpu->id + 1;
	lapic_set_lint(lapic_of(vcpu), 0, irqchip->pic.intr_level);
	vcpu->apic_base = lapic_of(vcpu)->base;
	host_spin_unlock(irqchip->lock);
	return HOST_OK;
}

void local_apic_free(struct hv_vcpu *vcpu)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;

	if (!vcpu->local_apic)
		return;
	host_spin_lock(irqchip->lock);
	irqchip->lapics[vcpu->id] = NULL;
	host_spin_unlock(irqchip->lock);
	host_timer_free(vcpu->local_apic->timer);
	host_free(vcpu->local_apic, sizeof(*vcpu->local_apic));
}
