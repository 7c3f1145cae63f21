/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/lapic_internal.h"

/*
 * What pends and who comes first. A vector's upper half is its priority class. The IRR
 * holds the vectors that ask, the ISR those whose handlers run; the processor priority
 * (PPR) is the class of the best handler that runs or of TPR, whichever is higher, and
 * a vector gets through only if its class is above that (SDM 3, 11.8.3).
 *
 * NMI, INIT and SIPI know no priorities: each is one bit, as the processor latches at
 * most one of them. What the 8259A pair asks for is a level on LINT0.
 */

static void set_bit(uint32_t bits[8], uint8_t vector)
{
	bits[vector >> 5] |= 1u << (vector & 31);
}

static void clear_bit(uint32_t bits[8], uint8_t vector)
{
	bits[vector >> 5] &= ~(1u << (vector & 31));
}

static bool test_bit(const uint32_t bits[8], uint8_t vector)
{
	return bits[vector >> 5] >> (vector & 31) & 1;
}

static enum apic_delivery delivery_of(uint32_t lvt)
{
	return (enum apic_delivery)((lvt & LAPIC_LVT_DELIVERY) >> APIC_DELIVERY_SHIFT);
}

/* ---- priorities ------------------------------------------------------------ */

/* SDM 3, 11.8.3.1 */
uint8_t lapic_ppr(const struct lapic *lapic)
{
	unsigned int in_service = lapic_highest(lapic->isr) & 0xf0;

	return (lapic->tpr & 0xf0u) >= in_service ? lapic->tpr : (uint8_t)in_service;
}

bool lapic_in_service(const struct lapic *lapic, uint8_t vector)
{
	return test_bit(lapic->isr, vector);
}

/* SDM 3, 11.6.2.4; AND of the classes is how it is written there. */
uint8_t lapic_apr(const struct lapic *lapic)
{
	unsigned int task = lapic->tpr & 0xf0;
	unsigned int requested = lapic_highest(lapic->irr) & 0xf0;
	unsigned int in_service = lapic_highest(lapic->isr) & 0xf0;
	unsigned int both = task & in_service;

	if (task >= requested && task > in_service)
		return lapic->tpr;
	return (uint8_t)(both > requested ? both : requested);
}

bool lapic_enabled(const struct lapic *lapic)
{
	return lapic_hardware_enabled(lapic) && (lapic->svr & LAPIC_SVR_ENABLE);
}

/* Whether the best vector gets through, or would if only the task priority were lower. */
static inline uint32_t rank(const struct lapic *lapic, unsigned int vector)
{
	unsigned int requested = vector & 0xf0;

	if (lapic->lent)
		return requested ? LAPIC_INTERRUPT : 0;
	if (!requested || !lapic_hardware_enabled(lapic) ||
	    requested <= (lapic_highest(lapic->isr) & 0xf0))
		return 0;
	return requested > (lapic->tpr & 0xf0u) ? LAPIC_INTERRUPT : LAPIC_BELOW_TPR;
}

/* The best vector that gets through, or 0. */
static uint8_t deliverable(const struct lapic *lapic)
{
	unsigned int vector = lapic_highest(lapic->irr);

	return rank(lapic, vector) == LAPIC_INTERRUPT ? (uint8_t)vector : 0;
}

unsigned int lapic_tpr_threshold(const struct lapic *lapic)
{
	unsigned int vector = lapic_highest(lapic->irr);

	return rank(lapic, vector) == LAPIC_BELOW_TPR ? vector >> 4 : 0;
}

/* LINT0 goes straight to the processor where there is no APIC in between: SDM 3, 11.4.3. */
static bool extint_asserted(const struct lapic *lapic)
{
	if (!lapic_hardware_enabled(lapic))
		return lapic->lint[0];
	if (!(lapic->lint[0] | lapic->lint[1]))
		return lapic->extint;
	for (unsigned int pin = 0; pin < 2; pin++) {
		uint32_t lvt = lapic->lvt[LAPIC_LVT_LINT0 - LAPIC_LVT_TIMER + pin];

		if (lapic->lint[pin] && !(lvt & LAPIC_LVT_MASK) &&
		    delivery_of(lvt) == APIC_DELIVERY_EXTINT)
			return true;
	}
	return lapic->extint;
}

uint32_t lapic_events(const struct lapic *lapic)
{
	uint32_t events = 0;

	if (lapic->init)
		events |= LAPIC_INIT;
	if (lapic->sipi)
		events |= LAPIC_SIPI;
	if (lapic->waits_for_sipi)
		return events;
	if (lapic->nmi)
		events |= LAPIC_NMI;
	if (extint_asserted(lapic))
		events |= LAPIC_EXTINT;
	/* What is in service may be so no more. */
	if (lapic->silent_end && lapic_highest(lapic->irr))
		events |= LAPIC_BEHIND_SILENT_END;
	return events | rank(lapic, lapic_highest(lapic->irr));
}

uint32_t lapic_pending(const struct lapic *lapic)
{
	return lapic_events(lapic) & ~(uint32_t)(LAPIC_BELOW_TPR | LAPIC_BEHIND_SILENT_END);
}

/* Also for LAPIC_BELOW_TPR: the TPR that stands here may be behind the processor's CR8. */
void lapic_signal(struct lapic *lapic)
{
	uint32_t events = lapic_events(lapic), added = events & ~lapic->signalled;

	lapic->signalled = events;
	if (added && lapic->wiring.wake)
		lapic->wiring.wake(lapic->wiring.owner, lapic->id);
}

/* ---- what comes in ---------------------------------------------------------- */

static bool accept(struct lapic *lapic, uint8_t vector, bool level)
{
	if (!lapic_enabled(lapic))
		return false;
	if (vector < APIC_FIRST_VECTOR) {
		lapic_error(lapic, LAPIC_ESR_RECEIVE_ILLEGAL_VECTOR);
		return false;
	}
	set_bit(lapic->irr, vector);
	if (level)
		set_bit(lapic->tmr, vector);
	else
		clear_bit(lapic->tmr, vector);
	return true;
}

static bool accept_init(struct lapic *lapic)
{
	lapic->init = true;
	lapic->sipi = false;
	return true;
}

/* SDM 3, 9.4.2: a processor that does not wait for a SIPI ignores it. */
static bool accept_sipi(struct lapic *lapic, uint8_t vector)
{
	if (!lapic->init && !lapic->waits_for_sipi)
		return false;
	lapic->sipi = true;
	lapic->sipi_vector = vector;
	return true;
}

/* There is no system management mode here: an SMI is accepted and does nothing. */
static bool take_in(struct lapic *lapic, enum apic_delivery delivery, uint8_t vector, bool level)
{
	switch (delivery) {
	case APIC_DELIVERY_FIXED:
	case APIC_DELIVERY_LOWEST_PRIORITY:
		return accept(lapic, vector, level);
	case APIC_DELIVERY_NMI:
		lapic->nmi = true;
		return true;
	case APIC_DELIVERY_INIT:
		return accept_init(lapic);
	case APIC_DELIVERY_STARTUP:
		return accept_sipi(lapic, vector);
	case APIC_DELIVERY_EXTINT:
		lapic->extint = lapic_enabled(lapic);
		return lapic->extint;
	case APIC_DELIVERY_SMI:
		return true;
	default:
		return false;
	}
}

bool lapic_receive(struct lapic *lapic, const struct apic_message *message)
{
	bool accepted;

	if (!lapic_hardware_enabled(lapic))
		return false;
	accepted = take_in(lapic, message->delivery, message->vector, message->level);
	lapic_signal(lapic);
	return accepted;
}

/* SDM 3, 11.6.2.2 and 11.12.10.2 */
bool lapic_matches_logical(const struct lapic *lapic, uint32_t destination)
{
	uint32_t own = lapic->ldr;

	if (lapic_in_x2apic_mode(lapic))
		return destination >> 16 == own >> 16 && (destination & own & 0xffff);
	if (destination > 0xff)
		return false;
	own >>= 24;
	if ((lapic->dfr & LAPIC_DFR_MODEL) == LAPIC_DFR_FLAT)
		return destination & own;
	return destination >> 4 == own >> 4 && (destination & own & 0xf);
}

void lapic_error(struct lapic *lapic, uint32_t esr_bit)
{
	bool first = !lapic->errors;

	lapic->errors |= esr_bit;
	if (first)
		lapic_deliver_local(lapic, LAPIC_LVT_ERROR);
}

void lapic_deliver_local(struct lapic *lapic, enum lapic_register lvt)
{
	uint32_t entry = *lapic_lvt(lapic, lvt);

	if (!lapic_hardware_enabled(lapic) || (entry & LAPIC_LVT_MASK))
		return;
	if (lvt == LAPIC_LVT_PERFORMANCE)
		*lapic_lvt(lapic, lvt) |= LAPIC_LVT_MASK;
	take_in(lapic, delivery_of(entry), entry & LAPIC_LVT_VECTOR, false);
}

void lapic_local_event(struct lapic *lapic, enum lapic_register lvt)
{
	lapic_deliver_local(lapic, lvt);
	lapic_signal(lapic);
}

/*
 * Only LINT0 may be level-triggered, and only with fixed delivery; then the level goes
 * out once, and again after its EOI if it is still there (SDM 3, 11.5.1).
 */
static bool is_level_entry(uint32_t lvt, unsigned int pin)
{
	return pin == 0 && (lvt & LAPIC_LVT_LEVEL) && delivery_of(lvt) == APIC_DELIVERY_FIXED;
}

void lapic_update_lint(struct lapic *lapic, unsigned int pin)
{
	uint32_t *lvt = lapic_lvt(lapic, LAPIC_LVT_LINT0 + pin);

	if (!lapic->lint[pin] || (*lvt & (LAPIC_LVT_MASK | LAPIC_LVT_REMOTE_IRR)) ||
	    !is_level_entry(*lvt, pin))
		return;
	if (accept(lapic, *lvt & LAPIC_LVT_VECTOR, true))
		*lvt |= LAPIC_LVT_REMOTE_IRR;
}

static void lint_rises(struct lapic *lapic, unsigned int pin)
{
	uint32_t lvt = *lapic_lvt(lapic, LAPIC_LVT_LINT0 + pin);

	if (!lapic_hardware_enabled(lapic)) {
		lapic->nmi = lapic->nmi || pin == 1;
		return;
	}
	if (is_level_entry(lvt, pin))
		lapic_update_lint(lapic, pin);
	else if (!(lvt & LAPIC_LVT_MASK) && delivery_of(lvt) != APIC_DELIVERY_EXTINT)
		take_in(lapic, delivery_of(lvt), lvt & LAPIC_LVT_VECTOR, false);
}

void lapic_set_lint(struct lapic *lapic, unsigned int pin, bool level)
{
	bool rises;

	if (pin > 1)
		return;
	rises = level && !lapic->lint[pin];
	lapic->lint[pin] = level;
	if (rises)
		lint_rises(lapic, pin);
	lapic_signal(lapic);
}

/* ---- what the processor takes ------------------------------------------------ */

uint8_t lapic_acknowledge(struct lapic *lapic)
{
	uint8_t vector = deliverable(lapic);

	if (!vector)
		return lapic->svr & LAPIC_SVR_VECTOR;
	clear_bit(lapic->irr, vector);
	set_bit(lapic->isr, vector);
	lapic_signal(lapic);
	return vector;
}

/* SDM 3, 11.8.5: what was level-triggered ends at its source too, unless that is suppressed. */
static void ended(struct lapic *lapic, uint8_t vector, uint64_t now)
{
	uint32_t *lint0 = lapic_lvt(lapic, LAPIC_LVT_LINT0);

	lapic_timer_end_of_interrupt(lapic, vector, now);
	if (!test_bit(lapic->tmr, vector))
		return;
	if ((*lint0 & LAPIC_LVT_REMOTE_IRR) && (*lint0 & LAPIC_LVT_VECTOR) == vector) {
		*lint0 &= ~LAPIC_LVT_REMOTE_IRR;
		lapic_update_lint(lapic, 0);
	}
	if (!(lapic->svr & LAPIC_SVR_EOI_SUPPRESSION))
		apic_bus_end_of_interrupt(lapic->wiring.bus, vector);
}

void lapic_end_of_interrupt(struct lapic *lapic, uint64_t now)
{
	uint8_t vector = (uint8_t)lapic_highest(lapic->isr);

	if (!vector)
		return;
	clear_bit(lapic->isr, vector);
	ended(lapic, vector, now);
}

void lapic_ended(struct lapic *lapic, uint8_t vector, uint64_t now)
{
	ended(lapic, vector, now);
	lapic_signal(lapic);
}

bool lapic_is_serving(const struct lapic *lapic)
{
	return lapic_highest(lapic->isr);
}

/*
 * The end of what was level-triggered goes further than to here, and that of a periodic
 * timer's is what the timer waits for.
 */
bool lapic_offer_silent_end(struct lapic *lapic)
{
	uint8_t vector = (uint8_t)lapic_highest(lapic->isr);
	uint32_t timer = *lapic_lvt(lapic, LAPIC_LVT_TIMER);

	if (!vector || lapic_highest(lapic->irr) || test_bit(lapic->tmr, vector) || lapic->lent ||
	    !lapic_hardware_enabled(lapic))
		return false;
	if ((timer & LAPIC_LVT_TIMER_MODE) == LAPIC_LVT_TIMER_PERIODIC &&
	    vector == (timer & LAPIC_LVT_VECTOR))
		return false;
	lapic->silent_end = true;
	return true;
}

void lapic_take_silent_end(struct lapic *lapic, bool ended, uint64_t now)
{
	lapic->silent_end = false;
	if (ended)
		lapic_end_of_interrupt(lapic, now);
	lapic_signal(lapic);
}

void lapic_take_extint(struct lapic *lapic)
{
	lapic->extint = false;
	lapic_signal(lapic);
}

void lapic_take_nmi(struct lapic *lapic)
{
	lapic->nmi = false;
	lapic_signal(lapic);
}

bool lapic_take_init(struct lapic *lapic)
{
	lapic->init = false;
	lapic->nmi = false;
	lapic_reset_registers(lapic);
	lapic->waits_for_sipi = !(lapic->base & IA32_APIC_BASE_BSP);
	if (!lapic->waits_for_sipi)
		lapic->sipi = false;
	lapic_signal(lapic);
	return lapic->waits_for_sipi;
}

uint8_t lapic_take_sipi(struct lapic *lapic)
{
	lapic->sipi = false;
	lapic->nmi = false; /* one that came before the processor ran is lost */
	lapic->waits_for_sipi = false;
	lapic_signal(lapic);
	return lapic->sipi_vector;
}

void lapic_set_cr8(struct lapic *lapic, uint8_t cr8)
{
	lapic->tpr = (uint8_t)(cr8 << 4);
	lapic_signal(lapic);
}

/* ---- modes and resets -------------------------------------------------------- */

bool lapic_has_page(const struct lapic *lapic)
{
	return lapic_hardware_enabled(lapic) && !lapic_in_x2apic_mode(lapic);
}

uint64_t lapic_page(const struct lapic *lapic)
{
	return lapic->base & IA32_APIC_BASE_ADDRESS;
}

/* The logical id of the x2APIC is derived from its id and read-only: SDM 3, 11.12.10.2. */
static uint32_t x2apic_ldr(uint32_t id)
{
	return id >> 4 << 16 | 1u << (id & 15);
}

/* SDM 3, 11.4.7.1 */
void lapic_reset_registers(struct lapic *lapic)
{
	for (unsigned int i = 0; i < 8; i++)
		lapic->irr[i] = lapic->isr[i] = lapic->tmr[i] = 0;
	for (unsigned int i = 0; i < LAPIC_LVT_COUNT; i++)
		lapic->lvt[i] = LAPIC_LVT_MASK;
	lapic->svr = LAPIC_SVR_VECTOR;
	lapic->ldr = lapic_in_x2apic_mode(lapic) ? x2apic_ldr(lapic->id) : 0;
	lapic->dfr = UINT32_MAX;
	lapic->esr = lapic->errors = 0;
	lapic->icr_low = lapic->icr_high = 0;
	lapic->tpr = 0;
	lapic->extint = false;
	lapic_timer_reset(&lapic->timer);
}

/*
 * The modes and the ways between them (SDM 3, 11.12.5): out of x2APIC mode only
 * through disabled, into it only from xAPIC mode, where all but LDR and the ICR's
 * upper half stays. What is disabled forgets everything.
 */
bool lapic_set_base(struct lapic *lapic, uint64_t base)
{
	const uint64_t modes = IA32_APIC_BASE_EN | IA32_APIC_BASE_EXTD;
	uint64_t from = lapic->base & modes, to = base & modes;

	if (base & ~(IA32_APIC_BASE_ADDRESS | IA32_APIC_BASE_BSP | modes))
		return false;
	if (to == IA32_APIC_BASE_EXTD || (to == modes && !lapic->wiring.x2apic))
		return false;
	if ((from == modes && to == IA32_APIC_BASE_EN) || (!from && to == modes))
		return false;
	lapic->base = base;
	if (from != to && (!from || !to))
		lapic_reset_registers(lapic);
	if (from != to && to == modes) {
		lapic->ldr = x2apic_ldr(lapic->id);
		lapic->icr_high = 0;
	}
	return true;
}

void lapic_init(struct lapic *lapic, uint32_t id, bool bootstrap, const struct lapic_wiring *wiring)
{
	*lapic = (struct lapic){
		.wiring = *wiring,
		.id = id,
		.base = 0xfee00000 | IA32_APIC_BASE_EN | (bootstrap ? IA32_APIC_BASE_BSP : 0),
		.waits_for_sipi = !bootstrap,
	};
	lapic_reset_registers(lapic);
}

void lapic_virtual_wire(struct lapic *lapic)
{
	lapic->svr |= LAPIC_SVR_ENABLE;
	*lapic_lvt(lapic, LAPIC_LVT_LINT0) = APIC_DELIVERY_EXTINT << APIC_DELIVERY_SHIFT;
	*lapic_lvt(lapic, LAPIC_LVT_LINT1) = APIC_DELIVERY_NMI << APIC_DELIVERY_SHIFT;
	lapic_signal(lapic);
}
