/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_LAPIC_INTERNAL_H
#define HUTCH_DEV_LAPIC_INTERNAL_H

/*
 * What the three files of the local APIC say to each other, and to nobody else but those who
 * have all of its state in their hands, as the hypervisor core has.
 */

#include "dev/lapic.h"

static inline bool lapic_hardware_enabled(const struct lapic *lapic)
{
	return lapic->base & IA32_APIC_BASE_EN;
}

static inline bool lapic_in_x2apic_mode(const struct lapic *lapic)
{
	return lapic_hardware_enabled(lapic) && (lapic->base & IA32_APIC_BASE_EXTD);
}

static inline uint32_t *lapic_lvt(struct lapic *lapic, enum lapic_register lvt)
{
	return &lapic->lvt[lvt - LAPIC_LVT_TIMER];
}

/*
 * The highest of 256 vectors, or 0 if there is none: all that count are above 15. Asked
 * several times at each exit of a guest, so without a loop.
 */
static inline unsigned int lapic_highest(const uint32_t bits[8])
{
	uint64_t wide;

	wide = (uint64_t)bits[7] << 32 | bits[6];
	if (wide)
		return 255 - (unsigned int)__builtin_clzll(wide);
	wide = (uint64_t)bits[5] << 32 | bits[4];
	if (wide)
		return 191 - (unsigned int)__builtin_clzll(wide);
	wide = (uint64_t)bits[3] << 32 | bits[2];
	if (wide)
		return 127 - (unsigned int)__builtin_clzll(wide);
	wide = (uint64_t)bits[1] << 32 | bits[0];
	return wide ? 63 - (unsigned int)__builtin_clzll(wide) : 0;
}

/* ---- lapic.c -------------------------------------------------------------- */

/* Everything as after power-on, but id, base, pins, INIT and SIPI. */
void lapic_reset_registers(struct lapic *lapic);

/* Calls @wake if more pends than it was last called for. After every change. */
void lapic_signal(struct lapic *lapic);

uint8_t lapic_ppr(const struct lapic *lapic);
bool lapic_in_service(const struct lapic *lapic, uint8_t vector);

/* Logs an error of ESR's, and interrupts for the first since ESR was written. */
void lapic_error(struct lapic *lapic, uint32_t esr_bit);

/* One of the local sources fires, as its vector table entry says. */
void lapic_deliver_local(struct lapic *lapic, enum lapic_register lvt);

/* The entry of LINT0 or LINT1 has changed: a level that waited may go out now. */
void lapic_update_lint(struct lapic *lapic, unsigned int pin);

void lapic_end_of_interrupt(struct lapic *lapic, uint64_t now);

/* IA32_APIC_BASE: false is #GP. */
bool lapic_set_base(struct lapic *lapic, uint64_t base);

/* ---- lapic_timer.c -------------------------------------------------------- */

void lapic_timer_reset(struct lapic_timer *timer);

/* Lets what is due by @now happen. Before anything that looks at or changes the timer. */
void lapic_timer_catch_up(struct lapic *lapic, uint64_t now);

/* When there is something to catch up with: after that, or after an access, at one moment. */
uint64_t lapic_timer_next(const struct lapic *lapic);

/*
 * Whether writing an x2APIC's register has nothing to do with time: then its moment may be
 * 0, and the timer stands as before. So it is for most of what a guest writes.
 */
static inline bool lapic_is_timeless(const struct lapic *lapic, uint32_t msr)
{
	switch (msr) {
	case IA32_X2APIC_FIRST + LAPIC_ICR:
	case IA32_X2APIC_FIRST + LAPIC_TPR:
	case IA32_X2APIC_FIRST + LAPIC_SELF_IPI:
		return true;
	case IA32_X2APIC_FIRST + LAPIC_EOI:
		/* The only timer that waits for an end. */
		return (lapic->lvt[0] & LAPIC_LVT_TIMER_MODE) != LAPIC_LVT_TIMER_PERIODIC;
	default:
		return false;
	}
}

/* The handler of @vector has ended. */
void lapic_timer_end_of_interrupt(struct lapic *lapic, uint8_t vector, uint64_t now);

/* After lapic_timer_catch_up() at the same moment. */
uint32_t lapic_timer_current_count(const struct lapic *lapic, uint64_t now);
void lapic_timer_set_initial_count(struct lapic *lapic, uint32_t value, uint64_t now);
void lapic_timer_set_divide(struct lapic *lapic, uint32_t value, uint64_t now);
void lapic_timer_set_lvt(struct lapic *lapic, uint32_t value);
uint64_t lapic_timer_tsc_deadline(const struct lapic *lapic);
void lapic_timer_set_tsc_deadline(struct lapic *lapic, uint64_t value, uint64_t now);

#endif
