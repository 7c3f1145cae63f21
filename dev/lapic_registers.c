/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/lapic_internal.h"

#include <stddef.h>

/*
 * The local APIC's registers, once for both of its faces. The xAPIC's page is generous:
 * what may not be written stays as it is, and a register that does not exist is noted
 * in ESR. The x2APIC's MSRs are strict: whatever is not allowed is #GP. The table says
 * what is where (SDM 3, tables 11-1 and 11-6); behind it, one function reads and one
 * writes.
 */

enum access {
	XR = 1 << 0, /* the page: readable */
	XW = 1 << 1, /* and writable */
	MR = 1 << 2, /* the MSR: readable */
	MW = 1 << 3, /* and writable */
	R = XR | MR,
	W = XW | MW,
	RW = R | W,
};

#define LVT_READ_ONLY (LAPIC_LVT_DELIVERY_STATUS | LAPIC_LVT_REMOTE_IRR)
#define LVT_BASIC     (LAPIC_LVT_MASK | LAPIC_LVT_VECTOR)
#define LVT_LINT      (LVT_BASIC | LAPIC_LVT_DELIVERY | LAPIC_LVT_ACTIVE_LOW | LAPIC_LVT_LEVEL)
#define ICR_WRITABLE                                                                    \
	(LAPIC_ICR_VECTOR | LAPIC_ICR_DELIVERY | LAPIC_ICR_LOGICAL | LAPIC_ICR_ASSERT | \
	 LAPIC_ICR_LEVEL | LAPIC_ICR_SHORTHAND)
#define SVR_WRITABLE \
	(LAPIC_SVR_VECTOR | LAPIC_SVR_ENABLE | LAPIC_SVR_FOCUS_DISABLE | LAPIC_SVR_EOI_SUPPRESSION)

/* @ignored bits are there but read-only: writing them is no error. All others are reserved. */
struct rule {
	uint8_t access;
	uint32_t writable, ignored;
};

static const struct rule rules[LAPIC_REGISTER_COUNT] = {
	[LAPIC_ID] = { R, 0, 0 },
	[LAPIC_VERSION] = { R, 0, 0 },
	[LAPIC_TPR] = { RW, 0xff, 0 },
	[LAPIC_APR] = { XR, 0, 0 },
	[LAPIC_PPR] = { R, 0, 0 },
	[LAPIC_EOI] = { XR | W, 0, 0 },
	[LAPIC_RRD] = { XR, 0, 0 },
	[LAPIC_LDR] = { R | XW, 0xff000000, 0 },
	[LAPIC_DFR] = { XR | XW, LAPIC_DFR_MODEL, 0 },
	[LAPIC_SVR] = { RW, SVR_WRITABLE, 0 },
	[LAPIC_ISR... LAPIC_IRR + 7] = { R, 0, 0 },
	[LAPIC_ESR] = { RW, 0, 0 },
	[LAPIC_ICR] = { RW, ICR_WRITABLE, LAPIC_ICR_DELIVERY_STATUS },
	[LAPIC_ICR_HIGH] = { XR | XW, 0xff000000, 0 },
	[LAPIC_LVT_TIMER] = { RW, LVT_BASIC | LAPIC_LVT_TIMER_MODE, LVT_READ_ONLY },
	[LAPIC_LVT_THERMAL] = { RW, LVT_BASIC | LAPIC_LVT_DELIVERY, LVT_READ_ONLY },
	[LAPIC_LVT_PERFORMANCE] = { RW, LVT_BASIC | LAPIC_LVT_DELIVERY, LVT_READ_ONLY },
	[LAPIC_LVT_LINT0... LAPIC_LVT_LINT1] = { RW, LVT_LINT, LVT_READ_ONLY },
	[LAPIC_LVT_ERROR] = { RW, LVT_BASIC, LVT_READ_ONLY },
	[LAPIC_INITIAL_COUNT] = { RW, 0xffffffff, 0 },
	[LAPIC_CURRENT_COUNT] = { R, 0, 0 },
	[LAPIC_DIVIDE] = { RW, 0xb, 0 },
	[LAPIC_SELF_IPI] = { MW, 0xff, 0 },
};

/* Mode 2 of the timer is reserved where there is no TSC to compare with. */
static uint32_t writable_bits(const struct lapic *lapic, unsigned int number)
{
	uint32_t bits = rules[number].writable;

	if (number == LAPIC_LVT_TIMER && !lapic->wiring.read_tsc)
		bits &= ~LAPIC_LVT_TIMER_TSC_DEADLINE;
	return bits;
}

/* ---- reading ---------------------------------------------------------------- */

static uint32_t version(void)
{
	return LAPIC_VERSION_INTEGRATED | (LAPIC_LVT_COUNT - 1) << LAPIC_VERSION_MAX_LVT_SHIFT |
	       LAPIC_VERSION_EOI_SUPPRESSION;
}

/* A register that is neither in the three sets of 256 bits nor in the vector table. */
static uint32_t read_single(const struct lapic *lapic, unsigned int number, uint64_t now)
{
	switch (number) {
	case LAPIC_ID:
		return lapic_in_x2apic_mode(lapic) ? lapic->id : lapic->id << 24;
	case LAPIC_VERSION:
		return version();
	case LAPIC_TPR:
		return lapic->tpr;
	case LAPIC_APR:
		return lapic_apr(lapic);
	case LAPIC_PPR:
		return lapic_ppr(lapic);
	case LAPIC_LDR:
		return lapic->ldr;
	case LAPIC_DFR:
		return lapic->dfr;
	case LAPIC_SVR:
		return lapic->svr;
	case LAPIC_ESR:
		return lapic->esr;
	case LAPIC_ICR:
		return lapic->icr_low;
	case LAPIC_ICR_HIGH:
		return lapic->icr_high;
	case LAPIC_INITIAL_COUNT:
		return lapic->timer.initial_count;
	case LAPIC_CURRENT_COUNT:
		return lapic_timer_current_count(lapic, now);
	case LAPIC_DIVIDE:
		return lapic->timer.divide;
	default:
		return 0;
	}
}

static uint32_t read_register(struct lapic *lapic, unsigned int number, uint64_t now)
{
	if (number >= LAPIC_ISR && number < LAPIC_TMR)
		return lapic->isr[number - LAPIC_ISR];
	if (number >= LAPIC_TMR && number < LAPIC_IRR)
		return lapic->tmr[number - LAPIC_TMR];
	if (number >= LAPIC_IRR && number < LAPIC_ESR)
		return lapic->irr[number - LAPIC_IRR];
	if (number >= LAPIC_LVT_TIMER && number <= LAPIC_LVT_ERROR)
		return lapic->lvt[number - LAPIC_LVT_TIMER];
	lapic_timer_catch_up(lapic, now);
	return read_single(lapic, number, now);
}

/* ---- writing ---------------------------------------------------------------- */

/* While the APIC is disabled by software, every entry is masked and stays so: 11.4.7.2. */
static void write_svr(struct lapic *lapic, uint32_t value)
{
	lapic->svr = value;
	if (value & LAPIC_SVR_ENABLE)
		return;
	for (unsigned int i = 0; i < LAPIC_LVT_COUNT; i++)
		lapic->lvt[i] |= LAPIC_LVT_MASK;
}

/* Mode 3 is reserved: here it is one-shot. */
static void write_lvt_timer(struct lapic *lapic, uint32_t value)
{
	if ((value & LAPIC_LVT_TIMER_MODE) == LAPIC_LVT_TIMER_MODE)
		value &= ~LAPIC_LVT_TIMER_MODE;
	lapic_timer_set_lvt(lapic, value);
}

static void write_lvt(struct lapic *lapic, unsigned int number, uint32_t value)
{
	uint32_t *lvt = &lapic->lvt[number - LAPIC_LVT_TIMER];

	if (!(lapic->svr & LAPIC_SVR_ENABLE))
		value |= LAPIC_LVT_MASK;
	if (number == LAPIC_LVT_TIMER) {
		write_lvt_timer(lapic, value);
		return;
	}
	/* What waits for its EOI goes on to wait, unless it is no level any more. */
	if ((value & LAPIC_LVT_LEVEL) && !(value & LAPIC_LVT_DELIVERY))
		value |= *lvt & LAPIC_LVT_REMOTE_IRR;
	*lvt = value;
	if (number == LAPIC_LVT_LINT0 || number == LAPIC_LVT_LINT1)
		lapic_update_lint(lapic, number - LAPIC_LVT_LINT0);
}

static bool carries_vector(enum apic_delivery delivery)
{
	return delivery == APIC_DELIVERY_FIXED || delivery == APIC_DELIVERY_LOWEST_PRIORITY;
}

/*
 * A write to the lower half of the ICR sends (SDM 3, 11.6.1). The delivery modes that
 * are reserved there send nothing, nor does INIT level de-assert, which processors since
 * the Pentium 4 have no use for. An IPI is edge-triggered whatever the ICR says.
 */
static void send_ipi(struct lapic *lapic)
{
	uint32_t icr = lapic->icr_low;
	bool wide = lapic_in_x2apic_mode(lapic);
	struct apic_message message = {
		.destination = wide ? lapic->icr_high : lapic->icr_high >> 24,
		.shorthand = (enum apic_shorthand)((icr & LAPIC_ICR_SHORTHAND) >> 18),
		.delivery = (enum apic_delivery)((icr & LAPIC_ICR_DELIVERY) >> APIC_DELIVERY_SHIFT),
		.vector = icr & LAPIC_ICR_VECTOR,
		.logical = icr & LAPIC_ICR_LOGICAL,
		.wide = wide,
	};

	if (message.delivery == APIC_DELIVERY_REMOTE_READ ||
	    message.delivery == APIC_DELIVERY_EXTINT)
		return;
	if (message.delivery == APIC_DELIVERY_INIT && (icr & LAPIC_ICR_LEVEL) &&
	    !(icr & LAPIC_ICR_ASSERT))
		return;
	if (carries_vector(message.delivery) && message.vector < APIC_FIRST_VECTOR) {
		lapic_error(lapic, LAPIC_ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	apic_bus_send(lapic->wiring.bus, lapic, &message);
}

static void send_self_ipi(struct lapic *lapic, uint8_t vector)
{
	const struct apic_message message = {
		.shorthand = APIC_TO_SELF,
		.delivery = APIC_DELIVERY_FIXED,
		.vector = vector,
	};

	if (vector < APIC_FIRST_VECTOR)
		lapic_error(lapic, LAPIC_ESR_SEND_ILLEGAL_VECTOR);
	else
		apic_bus_send(lapic->wiring.bus, lapic, &message);
}

static void write_register(struct lapic *lapic, unsigned int number, uint32_t value, uint64_t now)
{
	lapic_timer_catch_up(lapic, now);
	switch (number) {
	case LAPIC_TPR:
		lapic->tpr = (uint8_t)value;
		break;
	case LAPIC_EOI:
		lapic_end_of_interrupt(lapic, now);
		break;
	case LAPIC_LDR:
		lapic->ldr = value;
		break;
	case LAPIC_DFR:
		lapic->dfr = value | ~LAPIC_DFR_MODEL;
		break;
	case LAPIC_SVR:
		write_svr(lapic, value);
		break;
	case LAPIC_ESR:
		lapic->esr = lapic->errors;
		lapic->errors = 0;
		break;
	case LAPIC_ICR:
		lapic->icr_low = value;
		send_ipi(lapic);
		break;
	case LAPIC_ICR_HIGH:
		lapic->icr_high = value;
		break;
	case LAPIC_LVT_TIMER ... LAPIC_LVT_ERROR:
		write_lvt(lapic, number, value);
		break;
	case LAPIC_INITIAL_COUNT:
		lapic_timer_set_initial_count(lapic, value, now);
		break;
	case LAPIC_DIVIDE:
		lapic_timer_set_divide(lapic, value, now);
		break;
	case LAPIC_SELF_IPI:
		send_self_ipi(lapic, (uint8_t)value);
		break;
	}
	lapic_signal(lapic);
}

/* ---- the page ----------------------------------------------------------------- */

/* The rule of the register at @offset; a register that is not there is an error to log. */
static const struct rule *page_rule(struct lapic *lapic, uint32_t offset)
{
	unsigned int number = offset >> 4;

	if (number < LAPIC_REGISTER_COUNT && (rules[number].access & (XR | XW)))
		return &rules[number];
	lapic_error(lapic, LAPIC_ESR_ILLEGAL_REGISTER);
	lapic_signal(lapic);
	return NULL;
}

uint32_t lapic_read(struct lapic *lapic, uint32_t offset, unsigned int size, uint64_t now)
{
	unsigned int byte = offset & 15;
	const struct rule *rule = page_rule(lapic, offset);
	uint32_t value;

	if (!rule || byte + size > 4)
		return 0;
	value = read_register(lapic, offset >> 4, now) >> (8 * byte);
	lapic_signal(lapic);
	return size < 4 ? value & ((1u << (8 * size)) - 1) : value;
}

void lapic_write(struct lapic *lapic, uint32_t offset, unsigned int size, uint32_t value,
		 uint64_t now)
{
	const struct rule *rule = page_rule(lapic, offset);

	if (rule && (rule->access & XW) && !(offset & 15) && size == 4)
		write_register(lapic, offset >> 4, value & writable_bits(lapic, offset >> 4), now);
}

/* ---- the MSRs ----------------------------------------------------------------- */

static const struct rule *msr_rule(const struct lapic *lapic, uint32_t msr, uint8_t access)
{
	uint32_t number = msr - IA32_X2APIC_FIRST;

	if (!lapic_in_x2apic_mode(lapic) || msr < IA32_X2APIC_FIRST ||
	    number >= LAPIC_REGISTER_COUNT || !(rules[number].access & access))
		return NULL;
	return &rules[number];
}

static bool read_x2apic(struct lapic *lapic, uint32_t msr, uint64_t *value, uint64_t now)
{
	if (!msr_rule(lapic, msr, MR))
		return false;
	*value = read_register(lapic, msr - IA32_X2APIC_FIRST, now);
	if (msr - IA32_X2APIC_FIRST == LAPIC_ICR)
		*value |= (uint64_t)lapic->icr_high << 32;
	return true;
}

static bool write_x2apic(struct lapic *lapic, uint32_t msr, uint64_t value, uint64_t now)
{
	const struct rule *rule = msr_rule(lapic, msr, MW);
	unsigned int number = msr - IA32_X2APIC_FIRST;
	uint32_t writable, high = (uint32_t)(value >> 32);

	if (!rule || (high && number != LAPIC_ICR))
		return false;
	writable = writable_bits(lapic, number);
	if ((uint32_t)value & ~(writable | rule->ignored))
		return false;
	if (number == LAPIC_ICR)
		lapic->icr_high = high;
	write_register(lapic, number, (uint32_t)value & writable, now);
	return true;
}

bool lapic_read_msr(struct lapic *lapic, uint32_t msr, uint64_t *value, uint64_t now)
{
	bool exists = true;

	lapic_timer_catch_up(lapic, now);
	if (msr == IA32_APIC_BASE)
		*value = lapic->base;
	else if (msr == IA32_TSC_DEADLINE && lapic->wiring.read_tsc)
		*value = lapic_timer_tsc_deadline(lapic);
	else
		exists = read_x2apic(lapic, msr, value, now);
	lapic_signal(lapic);
	return exists;
}

bool lapic_write_msr(struct lapic *lapic, uint32_t msr, uint64_t value, uint64_t now)
{
	bool done = true;

	if (msr != IA32_APIC_BASE && !(msr == IA32_TSC_DEADLINE && lapic->wiring.read_tsc))
		return write_x2apic(lapic, msr, value, now);
	lapic_timer_catch_up(lapic, now);
	if (msr == IA32_APIC_BASE)
		done = lapic_set_base(lapic, value);
	else
		lapic_timer_set_tsc_deadline(lapic, value, now);
	lapic_signal(lapic);
	return done;
}
