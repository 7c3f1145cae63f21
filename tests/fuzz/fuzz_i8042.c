/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include "dev/i8042.h"

/*
 * A guest that does anything to its keyboard controller while somebody types. Lines: 0
 * the interrupt, 1 reset, 2 A20. Offsets 0 and 1 stand for ports 0x60 and 0x64.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	(void)size;
	return i8042_read(device, offset * I8042_COMMAND, now);
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	(void)size;
	i8042_write(device, offset * I8042_COMMAND, (uint8_t)value, now);
}

static uint64_t do_tick(void *device, uint64_t now)
{
	return i8042_tick(device, now);
}

static void do_reset(void *device, uint64_t now)
{
	i8042_reset(device, now);
}

static void do_input(void *device, uint8_t kind, uint8_t value, uint64_t now)
{
	i8042_key(device, value, kind & 1, now);
}

static void do_check(void *device, uint64_t now)
{
	struct i8042 copy = *(struct i8042 *)device;
	unsigned int bytes = 0;

	copy.wiring = (struct i8042_wiring){ 0 };
	DEVICE_FUZZ_REQUIRE(!device_fuzz_wires.level[1]);
	DEVICE_FUZZ_REQUIRE(device_fuzz_wires.level[2] == copy.a20);
	DEVICE_FUZZ_REQUIRE(copy.ram[0] & I8042_CONFIG_DISABLE_AUX);
	if (device_fuzz_wires.level[0])
		DEVICE_FUZZ_REQUIRE(i8042_read(&copy, I8042_COMMAND, now) &
				    I8042_STATUS_OUTPUT_FULL);
	/* It can be read empty: a reply, a byte in the buffer, replies and the queue. */
	while (i8042_read(&copy, I8042_COMMAND, now) & I8042_STATUS_OUTPUT_FULL) {
		i8042_read(&copy, I8042_DATA, now);
		DEVICE_FUZZ_REQUIRE(++bytes <= 2 + KEYBOARD_REPLY_MAX + KEYBOARD_QUEUE_SIZE);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct i8042 i8042;
	struct i8042_wiring wiring = {
		.irq = device_fuzz_line(0),
		.reset = device_fuzz_line(1),
		.a20 = device_fuzz_line(2),
	};
	const struct device_fuzz fuzz = {
		.device = &i8042,
		.space = 2,
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.input = do_input,
		.reset = do_reset,
		.check = do_check,
		.edge_limit = 6,
		.pace = 32 * (DEV_NS_PER_SECOND / 30), /* typematic at its fastest */
	};

	for (unsigned int i = 0; i < DEVICE_FUZZ_LINES; i++)
		device_fuzz_wires.level[i] = false;
	i8042_init(&i8042, &wiring, 0);
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
