/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include <string.h>

#include "dev/fw_cfg.h"

/*
 * A guest that does anything to the firmware configuration device, with 4 KiB of
 * memory in which it writes descriptors (offsets from 12 on are that memory).
 */

#define MEMORY_SIZE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t memory[MEMORY_SIZE];
static uint64_t written; /* by DMA since the last access began */

static bool on_memory_read(void *owner, uint64_t gpa, void *buffer, size_t size)
{
	(void)owner;
	DEVICE_FUZZ_REQUIRE(size <= UINT64_MAX - gpa);
	if (gpa >= MEMORY_SIZE || size > MEMORY_SIZE - gpa)
		return false;
	memcpy(buffer, memory + gpa, size);
	return true;
}

static bool on_memory_write(void *owner, uint64_t gpa, const void *buffer, size_t size)
{
	(void)owner;
	DEVICE_FUZZ_REQUIRE(size <= UINT64_MAX - gpa);
	written += size;
	if (gpa >= MEMORY_SIZE || size > MEMORY_SIZE - gpa)
		return false;
	memcpy(memory + gpa, buffer, size);
	return true;
}

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	(void)now;
	return fw_cfg_read(device, offset, size);
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	(void)now;
	written = 0;
	if (offset < FW_CFG_PORT_COUNT)
		fw_cfg_write(device, offset, size, (uint32_t)value);
	else
		memcpy(memory + (offset - FW_CFG_PORT_COUNT) * 2, &value, size);
	DEVICE_FUZZ_REQUIRE(written <= 2 * FW_CFG_ZERO_MAX);
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
	fw_cfg_reset(device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t file[300];
	static const struct fw_cfg_wiring wiring = { .memory_read = on_memory_read,
						     .memory_write = on_memory_write };
	struct fw_cfg fw_cfg;
	const struct device_fuzz fuzz = {
		.device = &fw_cfg,
		.space = FW_CFG_PORT_COUNT + 64,
		.sizes = 1 | 2 | 4,
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.reset = do_reset,
	};

	memset(memory, 0, sizeof(memory));
	fw_cfg_init(&fw_cfg, &wiring);
	fw_cfg_add_number(&fw_cfg, FW_CFG_RAM_SIZE, MEMORY_SIZE, 8);
	fw_cfg_add_file(&fw_cfg, "etc/file", file, sizeof(file));
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
