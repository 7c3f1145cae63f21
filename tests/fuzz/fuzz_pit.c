/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include "dev/pit.h"

/*
 * A guest that does anything to its timer. Offsets 0 to 3 are ports 0x40 to 0x43, 4 is
 * port 0x61.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	(void)size;
	return offset < PIT_PORT_COUNT ? pit_read(device, offset, now)
				       : pit_speaker_read(device, now);
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	(void)size;
	if (offset < PIT_PORT_COUNT)
		pit_write(device, offset, (uint8_t)value, now);
	else
		pit_speaker_write(device, (uint8_t)value, now);
}

static uint64_t do_tick(void *device, uint64_t now)
{
	return pit_tick(device, now);
}

static void do_reset(void *device, uint64_t now)
{
	pit_reset(device, now);
}

/* Looking changes nothing: every counter reads the same twice, and fits its notation. */
static void do_check(void *device, uint64_t now)
{
	struct pit copy = *(struct pit *)device;

	copy.irq = (struct line){ 0 };
	for (unsigned int i = 0; i < PIT_COUNTERS; i++) {
		const struct pit_counter *counter = &copy.counters[i];
		uint8_t bytes[4], status;

		pit_write(&copy, PIT_CONTROL, (uint8_t)(0xe0 | 2u << i), now);
		status = pit_read(&copy, i, now);
		DEVICE_FUZZ_REQUIRE(status & PIT_ACCESS_BOTH);
		for (unsigned int n = 0; n < 4; n++)
			bytes[n] = pit_read(&copy, i, now);
		if (!((struct pit *)device)->counters[i].latched)
			DEVICE_FUZZ_REQUIRE(bytes[0] == bytes[2] && bytes[1] == bytes[3]);
		DEVICE_FUZZ_REQUIRE(counter->count <= 65536);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pit pit;
	const struct device_fuzz fuzz = {
		.device = &pit,
		.space = PIT_PORT_COUNT + 1,
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.reset = do_reset,
		.check = do_check,
		.edge_limit = 4,
		.pace = 20 * PIT_EDGE_INTERVAL,
	};

	device_fuzz_wires.level[0] = false;
	pit_init(&pit, device_fuzz_line(0), 0);
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
