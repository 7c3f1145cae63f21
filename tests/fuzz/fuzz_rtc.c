/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include "dev/rtc.h"

/*
 * A guest that does anything to its clock. Offsets 0 and 1 are the index and the data
 * port; the registers proper are reached straight by 2 to 15, so that few bytes of
 * input say much.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	(void)size;
	if (offset >= 2)
		rtc_write(device, RTC_INDEX, (uint8_t)(offset - 2), now);
	return rtc_read(device, offset ? RTC_DATA : RTC_INDEX, now);
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	(void)size;
	if (offset >= 2)
		rtc_write(device, RTC_INDEX, (uint8_t)(offset - 2), now);
	rtc_write(device, offset ? RTC_DATA : RTC_INDEX, (uint8_t)value, now);
}

static uint64_t do_tick(void *device, uint64_t now)
{
	return rtc_tick(device, now);
}

static void do_reset(void *device, uint64_t now)
{
	rtc_reset(device, now);
}

static void do_input(void *device, uint8_t kind, uint8_t value, uint64_t now)
{
	(void)now;
	rtc_set_nvram(device, kind, value);
}

/* The line is IRQF, a high line asks for no tick, and reading C lets it fall. */
static void do_check(void *device, uint64_t now)
{
	struct rtc copy = *(struct rtc *)device;
	uint8_t c;

	copy.irq = (struct line){ 0 };
	if (device_fuzz_wires.level[0])
		DEVICE_FUZZ_REQUIRE(rtc_tick(&copy, now) == DEV_NEVER);
	rtc_write(&copy, RTC_INDEX, RTC_C, now);
	c = rtc_read(&copy, RTC_DATA, now);
	DEVICE_FUZZ_REQUIRE(device_fuzz_wires.level[0] == !!(c & RTC_C_IRQF));
	DEVICE_FUZZ_REQUIRE(rtc_read(&copy, RTC_DATA, now) == 0);
	DEVICE_FUZZ_REQUIRE(!copy.level);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct rtc rtc;
	const struct device_fuzz fuzz = {
		.device = &rtc,
		.space = 2 + RTC_D + 1,
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.input = do_input,
		.reset = do_reset,
		.check = do_check,
		.edge_limit = 2,
	};

	device_fuzz_wires.level[0] = false;
	rtc_init(&rtc, device_fuzz_line(0), 1700000000, 0);
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
