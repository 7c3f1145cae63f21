/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include "dev/ioapic.h"
#include "dev/lapic.h"

/*
 * Three processors' local APICs and an IOAPIC on one bus. A guest does anything to the
 * first one's page and MSRs, and so to the others by IPIs; pins move, messages arrive,
 * and the processors take what pends or do not.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CPUS	    3
#define MSR_SPACE   0x800 /* offsets: the page below, then 0x800 to 0x8ff, then two more */
#define OFFSET_BASE 0x900
#define OFFSET_TSC  0x901
#define SPACE	    0x902

static struct lapic cpus[CPUS];
static struct lapic *table[CPUS] = { &cpus[0], &cpus[1], &cpus[2] };
static struct apic_bus bus;
static struct ioapic ioapic;
static unsigned int woken;

static void on_wake(void *owner, uint32_t id)
{
	(void)owner;
	DEVICE_FUZZ_REQUIRE(id < CPUS);
	woken |= 1u << id;
}

static uint64_t on_read_tsc(void *owner, uint32_t id, uint64_t now)
{
	(void)owner;
	return now * 2 + id;
}

static unsigned int on_send(void *owner, const struct apic_message *message)
{
	return apic_bus_send(owner, NULL, message);
}

static void on_end(void *owner, uint8_t vector)
{
	ioapic_end_of_interrupt(owner, vector);
}

static uint32_t msr_of(uint32_t offset)
{
	if (offset == OFFSET_BASE)
		return IA32_APIC_BASE;
	return offset == OFFSET_TSC ? IA32_TSC_DEADLINE : offset;
}

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	uint64_t value = 0;

	if (offset < MSR_SPACE)
		return lapic_has_page(device) ? lapic_read(device, offset, size, now) : 0;
	lapic_read_msr(device, msr_of(offset), &value, now);
	return value;
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	if (offset >= MSR_SPACE)
		lapic_write_msr(device, msr_of(offset), value, now);
	else if (lapic_has_page(device))
		lapic_write(device, offset, size, (uint32_t)value, now);
}

/* The earliest of all, as the owner of several would compute it. */
static uint64_t do_tick(void *device, uint64_t now)
{
	uint64_t earliest = DEV_NEVER;

	(void)device;
	for (unsigned int i = 0; i < CPUS; i++) {
		uint64_t next = lapic_tick(&cpus[i], now);

		earliest = next < earliest ? next : earliest;
	}
	return earliest;
}

/* A processor takes what pends, in the order in which it would. */
static void take(struct lapic *lapic)
{
	uint32_t events = lapic_pending(lapic);
	uint8_t class = lapic_cr8(lapic);

	if (events & LAPIC_INIT)
		lapic_take_init(lapic);
	else if (events & LAPIC_SIPI)
		lapic_take_sipi(lapic);
	else if (events & LAPIC_NMI)
		lapic_take_nmi(lapic);
	else if (events & LAPIC_EXTINT)
		lapic_take_extint(lapic);
	else if (events & LAPIC_INTERRUPT)
		DEVICE_FUZZ_REQUIRE(lapic_acknowledge(lapic) >> 4 > class);
	else
		DEVICE_FUZZ_REQUIRE(lapic_acknowledge(lapic) == (lapic->svr & 0xff));
}

static void do_input(void *device, uint8_t kind, uint8_t value, uint64_t now)
{
	const struct apic_message message = {
		.destination = kind & 0x0f,
		.delivery = (enum apic_delivery)(value & 7),
		.vector = value,
		.logical = kind & 0x10,
		.level = kind & 1,
	};

	(void)now;
	switch (kind >> 5) {
	case 0:
		lapic_set_lint(device, kind & 3, value & 1);
		break;
	case 1:
		take(&cpus[value % CPUS]);
		break;
	case 2:
		apic_bus_send(&bus, NULL, &message);
		break;
	case 3:
		lapic_set_cr8(device, value & 15);
		break;
	case 4:
		lapic_local_event(device, LAPIC_LVT_THERMAL + (value & 1));
		break;
	case 5:
		ioapic_set_irq(&ioapic, kind & 0x1f, value & 1);
		break;
	case 6:
		ioapic_write(&ioapic, IOAPIC_REGSEL, 4, kind & 1 ? 0x10 + value : value);
		break;
	default:
		ioapic_write(&ioapic, IOAPIC_WIN, 4, (uint32_t)(kind & 0x1f) << 11 | value);
		break;
	}
}

/* Whoever has something pending has been woken for it; no vector is an exception's. */
static void do_check(void *device, uint64_t now)
{
	(void)device;
	(void)now;
	for (unsigned int i = 0; i < CPUS; i++) {
		const struct lapic *lapic = &cpus[i];
		uint32_t pending = lapic_pending(lapic);

		DEVICE_FUZZ_REQUIRE(
			lapic->signalled ==
			(lapic_tpr_threshold(lapic) ? pending | LAPIC_BELOW_TPR : pending));
		DEVICE_FUZZ_REQUIRE(!pending || (woken >> i & 1));
		DEVICE_FUZZ_REQUIRE(!((lapic->irr[0] | lapic->isr[0]) & 0xffff));
		if (!(lapic->base & IA32_APIC_BASE_EN))
			DEVICE_FUZZ_REQUIRE(!(pending & LAPIC_INTERRUPT));
		if (!(lapic->svr & LAPIC_SVR_ENABLE))
			DEVICE_FUZZ_REQUIRE(lapic->lvt[0] & LAPIC_LVT_MASK);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct lapic_wiring wiring = {
		.bus = &bus,
		.wake = on_wake,
		.read_tsc = size & 1 ? on_read_tsc : NULL,
		.tsc_hz = 2000000000,
		.x2apic = size & 2,
	};
	const struct device_fuzz fuzz = {
		.device = &cpus[0],
		.space = SPACE,
		.sizes = 1 | 2 | 4 | 8,
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.input = do_input,
		.check = do_check,
		.pace = 1000000,
	};

	woken = 0;
	bus = (struct apic_bus){ table, CPUS, on_end, &ioapic, 0 };
	ioapic_init(&ioapic, IOAPIC_VERSION_EOI, on_send, &bus);
	for (unsigned int i = 0; i < CPUS; i++)
		lapic_init(&cpus[i], i, i == 0, &wiring);
	lapic_virtual_wire(&cpus[0]);
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
