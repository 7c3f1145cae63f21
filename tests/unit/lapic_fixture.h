/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_LAPIC_FIXTURE_H
#define HUTCH_TESTS_UNIT_LAPIC_FIXTURE_H

/* Four processors' local APICs on one bus, a TSC at 3 GHz, and what they tell the world. */

#include "tests/unit/device_test.h"

#include "dev/lapic.h"

#define CPUS	  4
#define TSC_HZ	  3000000000ull
#define TSC_START 1000000ull

struct fixture {
	struct lapic cpu[CPUS];
	struct lapic *table[CPUS];
	struct apic_bus bus;
	unsigned int wakes[CPUS];
	unsigned int ends;
	uint8_t last_end;
	uint64_t now;
};

static inline void on_wake(void *owner, uint32_t id)
{
	struct fixture *f = owner;

	assert_true(id < CPUS);
	f->wakes[id]++;
}

static inline uint64_t on_read_tsc(void *owner, uint32_t id, uint64_t now)
{
	(void)owner;
	(void)id;
	return TSC_START + now * 3;
}

static inline void on_end(void *owner, uint8_t vector)
{
	struct fixture *f = owner;

	f->ends++;
	f->last_end = vector;
}

static inline uint32_t get(struct fixture *f, unsigned int cpu, unsigned int number)
{
	return lapic_read(&f->cpu[cpu], number * 16, 4, f->now);
}

static inline void put(struct fixture *f, unsigned int cpu, unsigned int number, uint32_t value)
{
	lapic_write(&f->cpu[cpu], number * 16, 4, value, f->now);
}

static inline bool get_msr(struct fixture *f, unsigned int cpu, unsigned int number,
			   uint64_t *value)
{
	return lapic_read_msr(&f->cpu[cpu], IA32_X2APIC_FIRST + number, value, f->now);
}

static inline bool put_msr(struct fixture *f, unsigned int cpu, unsigned int number, uint64_t value)
{
	return lapic_write_msr(&f->cpu[cpu], IA32_X2APIC_FIRST + number, value, f->now);
}

static inline bool put_base(struct fixture *f, unsigned int cpu, uint64_t value)
{
	return lapic_write_msr(&f->cpu[cpu], IA32_APIC_BASE, value, f->now);
}

static inline void enter_x2apic(struct fixture *f, unsigned int cpu)
{
	assert_true(put_base(f, cpu, f->cpu[cpu].base | IA32_APIC_BASE_EXTD));
}

static inline void send_ipi(struct fixture *f, unsigned int cpu, uint32_t high, uint32_t low)
{
	put(f, cpu, LAPIC_ICR_HIGH, high);
	put(f, cpu, LAPIC_ICR, low);
}

/* The vector that @cpu would take now is taken; -1 where there is none. */
static inline int take(struct fixture *f, unsigned int cpu)
{
	if (!(lapic_pending(&f->cpu[cpu]) & LAPIC_INTERRUPT))
		return -1;
	return lapic_acknowledge(&f->cpu[cpu]);
}

static inline void build(struct fixture *f, bool tsc, bool x2apic)
{
	struct lapic_wiring wiring = {
		.bus = &f->bus,
		.wake = on_wake,
		.read_tsc = tsc ? on_read_tsc : NULL,
		.tsc_hz = tsc ? TSC_HZ : 0,
		.owner = f,
		.x2apic = x2apic,
	};

	memset(f, 0, sizeof(*f));
	f->bus = (struct apic_bus){
		.lapics = f->table,
		.count = CPUS,
		.end_of_interrupt = on_end,
		.owner = f,
	};
	for (unsigned int i = 0; i < CPUS; i++) {
		f->table[i] = &f->cpu[i];
		lapic_init(&f->cpu[i], i, i == 0, &wiring);
	}
}

/* All enabled and running, as after a kernel has started them. */
static inline int set_up(void **state)
{
	static struct fixture fixture;

	build(&fixture, true, true);
	for (unsigned int i = 0; i < CPUS; i++) {
		fixture.cpu[i].waits_for_sipi = false;
		put(&fixture, i, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	}
	*state = &fixture;
	return 0;
}

static inline int set_up_power_on(void **state)
{
	static struct fixture fixture;

	build(&fixture, true, true);
	*state = &fixture;
	return 0;
}

#endif
