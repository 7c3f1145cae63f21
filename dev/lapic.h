/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_LAPIC_H
#define HUTCH_DEV_LAPIC_H

/*
 * The local APIC (SDM 3, chapter 11): what stands between one processor and everybody
 * who wants to interrupt it. Messages come in from the bus, edges from its own timer
 * and its two pins; it remembers them, ranks them, and offers the processor the best
 * that the priority of the work in hand lets through. It also sends: the ICR is how
 * one processor interrupts, resets and starts another.
 *
 *	lapic.c			what pends, priorities, delivery, modes and resets
 *	lapic_registers.c	the same as registers: the xAPIC's page, the x2APIC's MSRs
 *	lapic_timer.c		the timer, computed from the time and never stepped
 *
 * The processor's side: lapic_pending() says what it has to see before its next
 * instruction; then lapic_acknowledge() and the lapic_take_...() functions hand it
 * over, one at a time. @wake in the wiring is called when something is added to what
 * pends, so a processor that runs or sleeps can be fetched.
 *
 * Locks. Messages reach a local APIC from whatever processor or device sends them, and
 * leave it into others. So one lock, chosen by the owner, is held around every call
 * here for all local APICs of one bus, and @wake is called with it held. What another
 * processor changes is only: irr, tmr, errors, nmi, init, sipi, sipi_vector, extint,
 * signalled (through lapic_receive()), and what it reads: id, base, svr, ldr, dfr, and
 * tpr and isr for arbitration. All the rest belongs to the processor alone.
 *
 * Time (dev/line.h): one count of the undivided timer is one nanosecond, so the bus
 * clock is 1 GHz; CPUID leaf 15H can say that to the guest.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dev/apic_bus.h"
#include "dev/line.h"
#include "x86/apic.h"
#include "x86/registers.h"

#define LAPIC_TIMER_HZ DEV_NS_PER_SECOND

/*
 * A periodic timer interrupts this long after its last interrupt's beginning and end at
 * the earliest; those that would have come meanwhile are one.
 */
#define LAPIC_TIMER_PACE_NS 200000ull

/* What pends for the processor: bits of lapic_pending(). */
enum lapic_event {
	LAPIC_INTERRUPT = 1 << 0, /* lapic_acknowledge() has a vector */
	LAPIC_EXTINT = 1 << 1,	  /* the 8259A pair has one: lapic_take_extint() */
	LAPIC_NMI = 1 << 2,
	LAPIC_INIT = 1 << 3,
	LAPIC_SIPI = 1 << 4, /* only ever while the processor waits for it */
	/* Never in lapic_pending(), but @wake is called for it: lapic_tpr_threshold(). */
	LAPIC_BELOW_TPR = 1 << 5,
	/* The same: lapic_offer_silent_end(). */
	LAPIC_BEHIND_SILENT_END = 1 << 6,
};

/* What a local APIC is connected to, and what its model can do. */
struct lapic_wiring {
	struct apic_bus *bus;
	void (*wake)(void *owner, uint32_t id); /* may be NULL */
	/*
	 * The guest's time-stamp counter at @now, and its rate. It is asked only from
	 * inside lapic_write_msr(IA32_TSC_DEADLINE) and lapic_tsc_changed(), so by the
	 * processor itself; then the deadline is a moment of dev/line.h's time. NULL: there
	 * is no TSC-deadline mode.
	 */
	uint64_t (*read_tsc)(void *owner, uint32_t id, uint64_t now);
	uint64_t tsc_hz;
	void *owner;
	bool x2apic; /* the mode exists (CPUID leaf 1 ECX bit 21) */
};

#define LAPIC_LVT_COUNT 6 /* LVT timer to LVT error: without CMCI */

struct lapic_timer {
	uint32_t initial_count;
	uint32_t divide; /* the register */
	/* Counting: at @since it stood at @count. A count of 0 stands still. */
	uint64_t since;
	uint32_t count;
	uint64_t not_before;   /* when the next interrupt may go out: LAPIC_TIMER_PACE_NS */
	bool owes;	       /* one that waits for that moment */
	uint64_t tsc_deadline; /* the MSR; 0: not armed */
	uint64_t deadline;     /* the same as a moment, or DEV_NEVER */
};

struct lapic {
	struct lapic_wiring wiring;
	uint32_t id;
	uint64_t base; /* IA32_APIC_BASE */
	uint32_t irr[8], isr[8], tmr[8];
	uint32_t svr, ldr, dfr;
	uint32_t esr, errors; /* what is read, and what has happened since it was written */
	uint32_t icr_low, icr_high;
	uint32_t lvt[LAPIC_LVT_COUNT];
	uint8_t tpr;
	bool lint[2]; /* the pins */
	bool nmi, init, sipi, extint;
	bool waits_for_sipi;
	bool silent_end; /* offered */
	uint8_t sipi_vector;
	/*
	 * The processor has taken IRR, ISR and TPR with it, and ranks by itself: what is in
	 * this IRR came since, and it is called for each time. The others are old.
	 */
	bool lent;
	uint32_t signalled; /* what of lapic_pending() @wake was called for */
	struct lapic_timer timer;
};

/*
 * Power-on: RESET with LINT0 and LINT1 low. The bootstrap processor runs; any other
 * waits for its SIPI. @id must be its place in the bus's table.
 */
void lapic_init(struct lapic *lapic, uint32_t id, bool bootstrap,
		const struct lapic_wiring *wiring);

/*
 * As a PC's firmware leaves the bootstrap processor: software-enabled, LINT0 takes the
 * 8259A pair's interrupts, LINT1 is NMI (MultiProcessor Specification 1.4, 3.6.2.2).
 */
void lapic_virtual_wire(struct lapic *lapic);

/* ---- the processor's side ------------------------------------------------ */

uint32_t lapic_pending(const struct lapic *lapic);
/* The same, with those that are never in it. */
uint32_t lapic_events(const struct lapic *lapic);

/* INTA: the best vector is in service now; the spurious vector if there is none any more. */
uint8_t lapic_acknowledge(struct lapic *lapic);

/* A processor that has all this itself has ended @vector: what follows from that. */
void lapic_ended(struct lapic *lapic, uint8_t vector, uint64_t now);

/*
 * The processor takes an external interrupt: now it asks the 8259A pair for the vector.
 * A message with that delivery mode is used up; LINT0 is the pair's to lower.
 */
void lapic_take_extint(struct lapic *lapic);
void lapic_take_nmi(struct lapic *lapic);

/*
 * The processor goes through INIT: its local APIC is reset except for its id, base and
 * mode (SDM 3, 11.4.7.3). True when it then has to wait for a SIPI, as all but the
 * bootstrap processor do.
 */
bool lapic_take_init(struct lapic *lapic);

/* The processor starts at this vector's page: CS base and RIP from SDM 3, 9.4.3. */
uint8_t lapic_take_sipi(struct lapic *lapic);

/* Something would come if only the task priority were lower: than this class, else 0. */
unsigned int lapic_tpr_threshold(const struct lapic *lapic);

/* CR8 is TPR's upper half (SDM 3, 11.8.6). */
static inline uint8_t lapic_cr8(const struct lapic *lapic)
{
	return lapic->tpr >> 4;
}
void lapic_set_cr8(struct lapic *lapic, uint8_t cr8);

/* A handler of some vector runs. Any; without the lock it may be a moment old. */
bool lapic_is_serving(const struct lapic *lapic);

/*
 * The processor may end the handler that runs without a word: there is nothing that waits
 * for its end, here or at an IOAPIC. Until that is taken back, and told whether it has, the
 * owner is woken for whatever comes. False: it has to write EOI as ever.
 */
bool lapic_offer_silent_end(struct lapic *lapic);
void lapic_take_silent_end(struct lapic *lapic, bool ended, uint64_t now);

/* ---- registers ------------------------------------------------------------ */

/* The xAPIC's page answers: enabled and not in x2APIC mode; at this address. */
bool lapic_has_page(const struct lapic *lapic);
uint64_t lapic_page(const struct lapic *lapic);

/*
 * An access of @size bytes at @offset in the page. Only bytes 0 to 3 of every 16 are
 * there (SDM 3, 11.4.1): a read beside them gives 0, and a write is taken only whole.
 */
uint32_t lapic_read(struct lapic *lapic, uint32_t offset, unsigned int size, uint64_t now);
void lapic_write(struct lapic *lapic, uint32_t offset, unsigned int size, uint32_t value,
		 uint64_t now);

/*
 * IA32_APIC_BASE, IA32_TSC_DEADLINE and 0x800 to 0x8ff. False: #GP, nothing changed.
 * A reserved bit, a register that is not there or not in this direction, or a change
 * of mode that the state machine of SDM 3, 11.12.5 does not have.
 */
bool lapic_read_msr(struct lapic *lapic, uint32_t msr, uint64_t *value, uint64_t now);
bool lapic_write_msr(struct lapic *lapic, uint32_t msr, uint64_t value, uint64_t now);

/*
 * The time-stamp counter says something else than before, or goes at another rate: what it
 * is waited for comes sooner or later by that.
 */
void lapic_tsc_changed(struct lapic *lapic, uint64_t tsc_hz, uint64_t now);

/* ---- the world's side ------------------------------------------------------ */

uint64_t lapic_tick(struct lapic *lapic, uint64_t now);

/* LINT0 or LINT1; @level says asserted: the board has inverted what is active low. */
void lapic_set_lint(struct lapic *lapic, unsigned int pin, bool level);

/*
 * The processor's own sources: LAPIC_LVT_THERMAL and LAPIC_LVT_PERFORMANCE. The latter
 * masks itself (SDM 3, 20.6.3.5.8).
 */
void lapic_local_event(struct lapic *lapic, enum lapic_register lvt);

/* A message from the bus. False: not accepted (disabled, illegal vector, not waited for). */
bool lapic_receive(struct lapic *lapic, const struct apic_message *message);

/* For the bus: takes part (SVR and IA32_APIC_BASE), is meant, and how busy it is. */
bool lapic_enabled(const struct lapic *lapic);
bool lapic_matches_logical(const struct lapic *lapic, uint32_t destination);
uint8_t lapic_apr(const struct lapic *lapic);

#endif
