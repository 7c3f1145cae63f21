/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include "dev/ioapic.h"

/*
 * A guest that does anything to its IOAPIC while devices drive all pins, local APICs
 * accept messages or do not, and ends of interrupt come in for any vector.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SENDS_PER_CALL (2 * IOAPIC_PIN_COUNT + 2)

static unsigned int takers, sends;

static unsigned int on_send(void *owner, const struct apic_message *message)
{
	const struct ioapic *ioapic = owner;

	DEVICE_FUZZ_REQUIRE(ioapic->lines);
	DEVICE_FUZZ_REQUIRE(message->destination <= APIC_BROADCAST);
	DEVICE_FUZZ_REQUIRE(message->delivery != APIC_DELIVERY_STARTUP);
	DEVICE_FUZZ_REQUIRE(++sends <= SENDS_PER_CALL);
	return takers;
}

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	(void)now;
	return ioapic_read(device, offset, size);
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	(void)now;
	sends = 0;
	ioapic_write(device, offset, size, (uint32_t)value);
}

static uint64_t do_tick(void *device, uint64_t now)
{
	(void)device;
	(void)now;
	return DEV_NEVER;
}

static void do_reset(void *device, uint64_t now)
{
	(void)now;
	ioapic_reset(device);
}

static void do_input(void *device, uint8_t kind, uint8_t value, uint64_t now)
{
	(void)now;
	sends = 0;
	if (kind & 0x80)
		ioapic_end_of_interrupt(device, value);
	else if (kind & 0x40)
		takers = value & 1;
	else
		ioapic_set_irq(device, kind & 0x1f, value & 1);
}

static void do_check(void *device, uint64_t now)
{
	const struct ioapic *ioapic = device;

	(void)now;
	DEVICE_FUZZ_REQUIRE(!(ioapic->waiting & ~ioapic->lines));
	DEVICE_FUZZ_REQUIRE(ioapic->lines < 1u << IOAPIC_PIN_COUNT);
	for (unsigned int pin = 0; pin < IOAPIC_PIN_COUNT; pin++) {
		uint64_t entry = ioapic->redirection[pin];
		bool waits = ioapic->waiting >> pin & 1;

		if (entry & IOREDTBL_REMOTE_IRR)
			DEVICE_FUZZ_REQUIRE((entry & IOREDTBL_LEVEL) && !waits);
		if (waits)
			DEVICE_FUZZ_REQUIRE(!(entry & IOREDTBL_MASK) && (entry & IOREDTBL_LEVEL));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct ioapic ioapic;
	const struct device_fuzz fuzz = {
		.device = &ioapic,
		.space = 0x50,
		.sizes = 1 | 2 | 4 | 8,
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.input = do_input,
		.reset = do_reset,
		.check = do_check,
	};

	takers = 1;
	ioapic_init(&ioapic, size & 1 ? IOAPIC_VERSION_EOI : IOAPIC_VERSION_82093AA, on_send,
		    &ioapic);
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
