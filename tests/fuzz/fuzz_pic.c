/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include "dev/pic.h"

/*
 * A guest that does anything to its 8259A pair while devices drive all inputs and the
 * processor acknowledges at any time, asked or not.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x22, 0xffff };

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	(void)size;
	(void)now;
	return pic_read(device, ports[offset]);
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	(void)size;
	(void)now;
	pic_write(device, ports[offset], (uint8_t)value);
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
	pic_reset(device);
}

/* An acknowledge gives one of the vectors that the guest programmed, or an empty bus. */
static void acknowledge(struct pic *pic)
{
	uint8_t master = pic->chips[0].base, slave = pic->chips[1].base;
	bool asked = pic_intr(pic);
	uint8_t vector = pic_acknowledge(pic);

	DEVICE_FUZZ_REQUIRE((vector & 0xf8) == master || (vector & 0xf8) == slave ||
			    vector == 0xff);
	DEVICE_FUZZ_REQUIRE(asked || vector == (master | 7));
}

static void do_input(void *device, uint8_t kind, uint8_t value, uint64_t now)
{
	(void)now;
	if (kind & 0x80)
		acknowledge(device);
	else
		pic_set_irq(device, kind & 0x1f, value & 1);
}

static void do_check(void *device, uint64_t now)
{
	const struct pic *pic = device;

	(void)now;
	DEVICE_FUZZ_REQUIRE(device_fuzz_wires.level[0] == pic_intr(pic));
	for (unsigned int i = 0; i < 2; i++) {
		const struct pic_chip *chip = &pic->chips[i];

		DEVICE_FUZZ_REQUIRE(chip->lowest < 8);
		DEVICE_FUZZ_REQUIRE(!(chip->edges & ~chip->lines));
		DEVICE_FUZZ_REQUIRE(!(chip->base & 7));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pic pic;
	const struct device_fuzz fuzz = {
		.device = &pic,
		.space = sizeof(ports) / sizeof(ports[0]),
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.input = do_input,
		.reset = do_reset,
		.check = do_check,
		.edge_limit = 4,
	};

	device_fuzz_wires.level[0] = false;
	pic_init(&pic, device_fuzz_line(0));
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
