/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include "dev/acpi_pm.h"

/*
 * A guest that does anything to the power management block. Lines: 0 the SCI, 1 reset.
 * Offsets beyond the block stand for port 0xcf9.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	if (offset == ACPI_PM_PORT_COUNT)
		return acpi_pm_reset_read(device);
	return acpi_pm_read(device, offset, size, now);
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	if (offset == ACPI_PM_PORT_COUNT)
		acpi_pm_reset_write(device, (uint8_t)value);
	else
		acpi_pm_write(device, offset, size, (uint32_t)value, now);
}

static uint64_t do_tick(void *device, uint64_t now)
{
	return acpi_pm_tick(device, now);
}

static void do_reset(void *device, uint64_t now)
{
	acpi_pm_reset(device, now);
}

static void do_input(void *device, uint8_t kind, uint8_t value, uint64_t now)
{
	(void)kind;
	(void)value;
	acpi_pm_power_button(device, now);
}

static bool on_sleep(void *owner, unsigned int type)
{
	(void)owner;
	DEVICE_FUZZ_REQUIRE(type < 8);
	return type == 5;
}

static void do_check(void *device, uint64_t now)
{
	struct acpi_pm copy = *(struct acpi_pm *)device;
	uint32_t events = acpi_pm_read(&copy, ACPI_PM1_STS, 4, now);

	DEVICE_FUZZ_REQUIRE(device_fuzz_wires.level[0] == !!(events & events >> 16));
	DEVICE_FUZZ_REQUIRE(!device_fuzz_wires.level[1]);
	DEVICE_FUZZ_REQUIRE(acpi_pm_read(&copy, ACPI_PM1_CNT, 2, now) & ACPI_PM1_SCI_EN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acpi_pm pm;
	struct acpi_pm_wiring wiring = {
		.sci = device_fuzz_line(0),
		.reset = device_fuzz_line(1),
		.sleep = on_sleep,
		.timer_bits = size & 1 ? 24 : 32,
	};
	const struct device_fuzz fuzz = {
		.device = &pm,
		.space = ACPI_PM_PORT_COUNT + 1,
		.sizes = 1 | 2 | 4,
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.input = do_input,
		.reset = do_reset,
		.check = do_check,
		.edge_limit = 3,
	};

	device_fuzz_wires.level[0] = false;
	device_fuzz_wires.level[1] = false;
	acpi_pm_init(&pm, &wiring, 0);
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
