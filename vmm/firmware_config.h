/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_FIRMWARE_CONFIG_H
#define HUTCH_VMM_FIRMWARE_CONFIG_H

/*
 * What firmware is told about the machine: by the CMOS memory, as on a PC AT, and by
 * QEMU's firmware configuration device, which SeaBIOS and kvm-unit-tests read.
 */

#include <stdint.h>

#include "dev/fw_cfg.h"
#include "dev/rtc.h"
#include "vmm/memory_map.h"

struct machine;

/* An entry of "etc/e820" (QEMU, docs/specs/fw_cfg). */
struct firmware_e820 {
	uint64_t gpa;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

/* The bytes behind the items, which the device does not copy. */
struct firmware_config {
	struct firmware_e820 e820[MEMORY_MAP_MAX];
	uint64_t serial_port;
	uint64_t boot_menu_wait;
};

/* Puts the machine's size where a PC's firmware looks for it. */
void firmware_config_cmos(const struct machine *machine, struct rtc *rtc);

/* Adds the items to @fw_cfg, which must not outlive @config. */
void firmware_config_fill(struct firmware_config *config, const struct machine *machine,
			  struct fw_cfg *fw_cfg);

#endif
