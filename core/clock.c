/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/clock.h"

#include "core/tsc.h"

/*
 * Where all CPUs of the host have one time-stamp counter, the guest's clock is that
 * counter: one moment at which both were read is kept, and everything else follows from
 * it, for every vCPU the same. A guest that is told the moment computes the time itself,
 * and never hears of us again.
 *
 * Where they have not, there is a new such moment each time that somebody asks, and a vCPU
 * is told one whenever it comes to a CPU.
 */

#define NS_PER_SECOND 1000000000ull

/* 2^32 * numerator / denominator, which is below 2^32; both below 2^63. */
static uint32_t fraction(uint64_t numerator, uint64_t denominator)
{
	uint32_t result = 0;

	for (unsigned int i = 0; i < 32; i++) {
		numerator <<= 1;
		result <<= 1;
		if (numerator < denominator)
			continue;
		numerator -= denominator;
		result |= 1;
	}
	return result;
}

void clock_scale(uint32_t khz, uint32_t *multiplier, int8_t *shift)
{
	uint64_t numerator = NS_PER_SECOND, denominator = (uint64_t)(khz ? khz : 1) * 1000;

	*shift = 0;
	for (; numerator >= denominator; denominator <<= 1)
		++*shift;
	for (; 2 * numerator < denominator; numerator <<= 1)
		--*shift;
	*multiplier = fraction(numerator, denominator);
}

static uint64_t ticks_to_ns(const struct hv_clock *clock, uint64_t ticks)
{
	ticks = clock->shift < 0 ? ticks >> -clock->shift : ticks << clock->shift;
	return (uint64_t)((unsigned __int128)ticks * clock->multiplier >> 32);
}

/* ---- the moment; the lock is held ------------------------------------------------------- */

static void begin_anew(struct hv_clock *clock, int64_t offset)
{
	struct host_clock host;

	clock->changes = host_clock_changes();
	host_clock_read(&host);
	clock->offset = offset;
	clock->nanoseconds = host.nanoseconds + (uint64_t)offset;
	clock->tsc = host.tsc;
	clock->stable = host.stable;
}

/* Makes it one from which can be gone on. True: it is stable now and was not, or the reverse. */
static bool follow(struct hv_clock *clock)
{
	bool was = clock->stable;

	if (!clock->stable || clock->changes != host_clock_changes())
		begin_anew(clock, clock->offset);
	return clock->stable != was;
}

/* ---- who asks ------------------------------------------------------------------------------ */

int clock_init(struct hv_vm *vm)
{
	struct hv_clock *clock = &vm->clock;
	struct host_clock host;

	clock->lock = host_spinlock_new();
	if (!clock->lock)
		return HOST_ENOMEM;
	vm->tsc_khz = host_tsc_khz();
	clock_scale(vm->tsc_khz, &clock->multiplier, &clock->shift);
	host_clock_read(&host);
	begin_anew(clock, -(int64_t)host.nanoseconds);
	return HOST_OK;
}

void clock_free(struct hv_vm *vm)
{
	host_spinlock_free(vm->clock.lock);
}

void clock_tell_all(struct hv_vm *vm)
{
	unsigned int count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	for (unsigned int i = 0; i < count; i++)
		if (__atomic_load_n(&vm->vcpus[i]->paravirtual.system_time, __ATOMIC_RELAXED) & 1)
			hv_vcpu_request(vm->vcpus[i], HV_REQUEST_CLOCK);
}

struct clock_base clock_base(struct hv_vm *vm)
{
	struct hv_clock *clock = &vm->clock;
	struct clock_base base;
	bool changed;

	host_spin_lock(clock->lock);
	changed = follow(clock);
	base = (struct clock_base){ clock->nanoseconds, clock->tsc, clock->stable };
	host_spin_unlock(clock->lock);
	if (changed)
		clock_tell_all(vm);
	return base;
}

void hv_clock_get(struct hv_vm *vm, struct hv_clock_reading *reading)
{
	struct hv_clock *clock = &vm->clock;
	struct host_clock host;
	bool changed;

	host_spin_lock(clock->lock);
	changed = follow(clock);
	host_clock_read(&host);
	reading->nanoseconds =
		clock->stable ? clock->nanoseconds + ticks_to_ns(clock, host.tsc - clock->tsc)
			      : host.nanoseconds + (uint64_t)clock->offset;
	reading->wall = host.wall;
	reading->tsc = host.tsc;
	reading->stable = clock->stable && tsc_all_agree(vm);
	host_spin_unlock(clock->lock);
	if (changed)
		clock_tell_all(vm);
}

void hv_clock_set(struct hv_vm *vm, uint64_t nanoseconds, const uint64_t *wall)
{
	struct hv_clock *clock = &vm->clock;
	struct host_clock host;

	host_spin_lock(clock->lock);
	host_clock_read(&host);
	/* Time has gone by since the clock was read, on whatever machine that was. */
	if (wall && host.wall > *wall)
		nanoseconds += host.wall - *wall;
	begin_anew(clock, (int64_t)(nanoseconds - host.nanoseconds));
	host_spin_unlock(clock->lock);
	clock_tell_all(vm);
}
