/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/firmware_config.h"

#include "dev/clock.h"
#include "vmm/machine.h"

/*
 * Firmware asks in two ways. The CMOS memory has had the size of memory since the PC
 * AT; the bytes for what lies above 16 MiB and 4 GiB were added by emulators (QEMU,
 * hw/i386/pc.c). The configuration device has everything else.
 */

#define COM1_PORT	  0x3f8
#define BOOT_MENU_WAIT_MS 2000

void firmware_config_cmos(const struct machine *machine, struct rtc *rtc)
{
	const struct memory_map *map = &machine->map;
	const uint64_t base_kib = MEMORY_HOLE_GPA >> 10, above = 16ull << 20;
	uint64_t extended = clock_earlier((map->low_size - MEMORY_EXTENDED_GPA) >> 10, 0xffff);
	uint64_t above_16m = map->low_size > above ? (map->low_size - above) >> 16 : 0;
	uint64_t high = map->high_size >> 16;
	const struct {
		uint8_t index;
		uint64_t value;
	} bytes[] = {
		{ 0x15, base_kib }, /* KiB */
		{ 0x16, base_kib >> 8 },
		{ 0x17, extended }, /* from 1 MiB, KiB */
		{ 0x18, extended >> 8 },
		{ 0x30, extended }, /* the same again */
		{ 0x31, extended >> 8 },
		{ 0x34, above_16m }, /* from 16 MiB to 4 GiB, 64 KiB */
		{ 0x35, above_16m >> 8 },
		{ 0x5b, high }, /* from 4 GiB, 64 KiB */
		{ 0x5c, high >> 8 },
		{ 0x5d, high >> 16 },
		{ 0x5f, machine->cpu_count - 1 }, /* processors beside the first */
	};

	for (unsigned int i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
		rtc_set_nvram(rtc, bytes[i].index, (uint8_t)bytes[i].value);
}

void firmware_config_fill(struct firmware_config *config, const struct machine *machine,
			  struct fw_cfg *fw_cfg)
{
	const struct memory_map *map = &machine->map;

	for (unsigned int i = 0; i < map->count; i++)
		config->e820[i] = (struct firmware_e820){
			.gpa = map->ranges[i].gpa,
			.size = map->ranges[i].size,
			.type = map->ranges[i].type,
		};
	config->serial_port = COM1_PORT;
	config->boot_menu_wait = BOOT_MENU_WAIT_MS;
	fw_cfg_add_number(fw_cfg, FW_CFG_RAM_SIZE, machine->config->memory_size, 8);
	fw_cfg_add_number(fw_cfg, FW_CFG_NOGRAPHIC, 1, 2);
	fw_cfg_add_number(fw_cfg, FW_CFG_CPU_COUNT, machine->cpu_count, 2);
	fw_cfg_add_number(fw_cfg, FW_CFG_CPU_MAX, machine->cpu_count, 2);
	fw_cfg_add_number(fw_cfg, FW_CFG_BOOT_MENU, 1, 2);
	fw_cfg_add_file(fw_cfg, "etc/e820", config->e820, map->count * sizeof(config->e820[0]));
	fw_cfg_add_file(fw_cfg, "etc/sercon-port", &config->serial_port,
			sizeof(config->serial_port));
	fw_cfg_add_file(fw_cfg, "etc/boot-menu-wait", &config->boot_menu_wait,
			sizeof(config->boot_menu_wait));
}
