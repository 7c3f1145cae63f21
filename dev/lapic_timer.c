/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/lapic_internal.h"

/*
 * The local APIC's timer (SDM 3, 11.5.4). It is not stepped: what is kept is where the
 * count stood at some moment, and everything else follows from the time. However late
 * the owner is, one division finds where a periodic timer is by now, and all that it
 * missed has become one interrupt, as on a processor that had them disabled.
 *
 * A processor outruns its own periodic timer; a guest may not, when every interrupt
 * costs exits, and would then do nothing else. So it is left alone for a moment after
 * each: the timer owes its interrupt until then.
 */

#define TIMER_LVT(lapic) ((lapic)->lvt[0])

static uint32_t mode(const struct lapic *lapic)
{
	return TIMER_LVT(lapic) & LAPIC_LVT_TIMER_MODE;
}

/* SDM 3, figure 11-10: bits 0, 1 and 3 are the power of two, less one; 7 divides by 1. */
static unsigned int divide_shift(uint32_t divide)
{
	unsigned int code = (divide & 3) | (divide >> 1 & 4);

	return (code + 1) & 7;
}

/* Counts that have gone by; a moment before @since, told by somebody late, is @since. */
static uint64_t counts_since(const struct lapic_timer *timer, uint64_t now)
{
	return now > timer->since ? (now - timer->since) >> divide_shift(timer->divide) : 0;
}

static uint64_t nanoseconds(const struct lapic_timer *timer, uint64_t counts)
{
	return counts << divide_shift(timer->divide);
}

void lapic_timer_reset(struct lapic_timer *timer)
{
	*timer = (struct lapic_timer){ .deadline = DEV_NEVER };
}

/* Brings the count to where it is at @now. It owes an interrupt if it has been at zero since. */
static void count_down(struct lapic *lapic, uint64_t now)
{
	struct lapic_timer *timer = &lapic->timer;
	uint64_t elapsed, over;

	if (!timer->count)
		return;
	elapsed = counts_since(timer, now);
	if (elapsed < timer->count)
		return;
	timer->owes = true;
	if (mode(lapic) != LAPIC_LVT_TIMER_PERIODIC || !timer->initial_count) {
		timer->count = 0;
		return;
	}
	over = (elapsed - timer->count) % timer->initial_count;
	timer->since += nanoseconds(timer, elapsed - over);
	timer->count = timer->initial_count;
}

static void deadline_passes(struct lapic_timer *timer, uint64_t now)
{
	if (timer->deadline > now)
		return;
	timer->deadline = DEV_NEVER;
	timer->tsc_deadline = 0;
	timer->owes = true;
}

/* A periodic interrupt's handler has not ended yet: the next can wait for that. */
static bool handler_runs(const struct lapic *lapic)
{
	return mode(lapic) == LAPIC_LVT_TIMER_PERIODIC &&
	       lapic_in_service(lapic, TIMER_LVT(lapic) & LAPIC_LVT_VECTOR);
}

void lapic_timer_catch_up(struct lapic *lapic, uint64_t now)
{
	struct lapic_timer *timer = &lapic->timer;

	count_down(lapic, now);
	deadline_passes(timer, now);
	if (TIMER_LVT(lapic) & LAPIC_LVT_MASK)
		timer->owes = false;
	if (!timer->owes || now < timer->not_before || handler_runs(lapic))
		return;
	timer->owes = false;
	if (mode(lapic) == LAPIC_LVT_TIMER_PERIODIC)
		timer->not_before = now + LAPIC_TIMER_PACE_NS;
	lapic_deliver_local(lapic, LAPIC_LVT_TIMER);
}

void lapic_timer_end_of_interrupt(struct lapic *lapic, uint8_t vector, uint64_t now)
{
	if (mode(lapic) == LAPIC_LVT_TIMER_PERIODIC &&
	    vector == (TIMER_LVT(lapic) & LAPIC_LVT_VECTOR))
		lapic->timer.not_before = now + LAPIC_TIMER_PACE_NS;
}

uint64_t lapic_timer_next(const struct lapic *lapic)
{
	const struct lapic_timer *timer = &lapic->timer;
	uint64_t next;

	if (TIMER_LVT(lapic) & LAPIC_LVT_MASK)
		return DEV_NEVER; /* it counts on, for those who look, but interrupts nobody */
	if (timer->owes)
		return handler_runs(lapic) ? DEV_NEVER : timer->not_before;
	next = timer->deadline;
	if (timer->count)
		next = timer->since + nanoseconds(timer, timer->count);
	return next > timer->not_before ? next : timer->not_before;
}

uint64_t lapic_tick(struct lapic *lapic, uint64_t now)
{
	lapic_timer_catch_up(lapic, now);
	lapic_signal(lapic);
	return lapic_timer_next(lapic);
}

uint32_t lapic_timer_current_count(const struct lapic *lapic, uint64_t now)
{
	const struct lapic_timer *timer = &lapic->timer;

	return timer->count ? timer->count - (uint32_t)counts_since(timer, now) : 0;
}

void lapic_timer_set_initial_count(struct lapic *lapic, uint32_t value, uint64_t now)
{
	struct lapic_timer *timer = &lapic->timer;

	if (mode(lapic) == LAPIC_LVT_TIMER_TSC_DEADLINE)
		return;
	timer->initial_count = value;
	timer->count = value;
	timer->since = now;
	timer->not_before = 0;
	timer->owes = false;
}

void lapic_timer_set_divide(struct lapic *lapic, uint32_t value, uint64_t now)
{
	struct lapic_timer *timer = &lapic->timer;

	timer->count = lapic_timer_current_count(lapic, now);
	timer->since = now;
	timer->divide = value;
}

/* Into and out of TSC-deadline mode the timer is disarmed: SDM 3, 11.5.4.1. */
void lapic_timer_set_lvt(struct lapic *lapic, uint32_t value)
{
	uint32_t before = mode(lapic);

	TIMER_LVT(lapic) = value;
	if ((before == LAPIC_LVT_TIMER_TSC_DEADLINE) !=
	    (mode(lapic) == LAPIC_LVT_TIMER_TSC_DEADLINE)) {
		uint32_t divide = lapic->timer.divide;

		lapic_timer_reset(&lapic->timer);
		lapic->timer.divide = divide;
	}
}

uint64_t lapic_timer_tsc_deadline(const struct lapic *lapic)
{
	return lapic->timer.tsc_deadline;
}

/* The moment at which the TSC, at @tsc now, reaches @deadline. */
static uint64_t moment_of(uint64_t deadline, uint64_t tsc, uint64_t tsc_hz, uint64_t now)
{
	const uint64_t most = UINT64_MAX / DEV_NS_PER_SECOND / 4;
	uint64_t ticks = deadline - tsc, seconds;

	if (deadline <= tsc)
		return now;
	seconds = ticks / tsc_hz;
	if (seconds >= most)
		return DEV_NEVER;
	return now + seconds * DEV_NS_PER_SECOND +
	       (ticks % tsc_hz * DEV_NS_PER_SECOND + tsc_hz - 1) / tsc_hz;
}

void lapic_timer_set_tsc_deadline(struct lapic *lapic, uint64_t value, uint64_t now)
{
	const struct lapic_wiring *wiring = &lapic->wiring;
	struct lapic_timer *timer = &lapic->timer;

	if (mode(lapic) != LAPIC_LVT_TIMER_TSC_DEADLINE)
		return;
	timer->tsc_deadline = value;
	timer->deadline = DEV_NEVER;
	timer->owes = false;
	if (!value)
		return;
	timer->deadline = moment_of(value, wiring->read_tsc(wiring->owner, lapic->id, now),
				    wiring->tsc_hz, now);
	lapic_timer_catch_up(lapic, now);
}

void lapic_tsc_changed(struct lapic *lapic, uint64_t tsc_hz, uint64_t now)
{
	lapic->wiring.tsc_hz = tsc_hz;
	/* What has been reached by the old one has been reached. */
	lapic_timer_catch_up(lapic, now);
	if (lapic->timer.tsc_deadline)
		lapic_timer_set_tsc_deadline(lapic, lapic->timer.tsc_deadline, now);
	lapic_signal(lapic);
}
