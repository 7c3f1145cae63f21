/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/sched/stat.h>
#include <linux/timekeeping.h>
#include <asm/tsc.h>

/*
 * The host's time for the core (core/host.h). What a guest's clock is made of goes on at
 * the counter's own rate: Linux's CLOCK_MONOTONIC_RAW, which nobody steers, plus the time
 * that the host has slept.
 */

uint32_t host_tsc_khz(void)
{
	return tsc_khz;
}

/*
 * Linux does not say by which hardware it counts. But with the time it gives the count it
 * read: one that lies between two of the time-stamp counter is the time-stamp counter's.
 */
void host_clock_read(struct host_clock *clock)
{
	struct system_time_snapshot snapshot;
	unsigned long flags;
	uint64_t before, after;

	local_irq_save(flags);
	before = rdtsc_ordered();
	ktime_get_snapshot(&snapshot);
	after = rdtsc_ordered();
	local_irq_restore(flags);
	clock->nanoseconds = ktime_to_ns(ktime_mono_to_any(snapshot.raw, TK_OFFS_BOOT));
	clock->wall = ktime_to_ns(snapshot.real);
	clock->stable = !check_tsc_unstable() && snapshot.cycles >= before &&
			snapshot.cycles <= after;
	clock->tsc = clock->stable ? snapshot.cycles : before;
}

static unsigned int sleeps;

void host_clock_slept(void)
{
	WRITE_ONCE(sleeps, sleeps + 1);
}

uint32_t host_clock_changes(void)
{
	return 2 * READ_ONCE(sleeps) + !!check_tsc_unstable();
}

/* ---- the scheduler's counts -------------------------------------------------------------- */

bool host_counts_run_delay(void)
{
	return sched_info_on();
}

uint64_t host_run_delay(void)
{
#ifdef CONFIG_SCHED_INFO
	return current->sched_info.run_delay;
#else
	return 0;
#endif
}
