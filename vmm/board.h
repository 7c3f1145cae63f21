/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_BOARD_H
#define HUTCH_VMM_BOARD_H

/*
 * Between devices.c, which makes the devices and wires their pins, and board.c, which
 * knows at which port or address each of them answers. Nobody else includes this.
 */

#include "dev/acpi_pm.h"
#include "dev/debug_ports.h"
#include "dev/fw_cfg.h"
#include "dev/i8042.h"
#include "dev/pit.h"
#include "dev/rtc.h"
#include "dev/testdev.h"
#include "dev/uart.h"
#include "vmm/bus.h"
#include "vmm/firmware_config.h"
#include "vmm/machine.h"

#define BOARD_IRQ_NONE (-1)
/* The ISA lines of a PC. */
#define BOARD_IRQ_TIMER	   0
#define BOARD_IRQ_KEYBOARD 1
#define BOARD_IRQ_COM1	   4
#define BOARD_IRQ_RTC	   8

/* IBM PS/2 Hardware Interface Technical Reference: system control port A. */
#define SYSTEM_CONTROL_A     0x92
#define SYSTEM_CONTROL_RESET 0x01 /* its rising edge resets */
#define SYSTEM_CONTROL_A20   0x02

#define BOARD_ROWS_MAX	     24

struct board_row;

/* A row of the board in use, and when it wants to be ticked. */
struct board_slot {
	struct devices *devices;
	const struct board_row *row; /* NULL: behind the last */
	uint64_t due;
};

struct devices {
	struct machine *machine;
	struct board_slot slots[BOARD_ROWS_MAX];
	struct uart uart;
	struct i8042 i8042;
	struct rtc rtc;
	struct pit pit;
	struct acpi_pm acpi_pm;
	struct debug_ports debug_ports;
	struct fw_cfg fw_cfg;
	struct firmware_config firmware_config; /* what fw_cfg shows */
	struct testdev testdev;
	void *testdev_memory; /* a mapping, or NULL */
	uint8_t system_control_a;
	unsigned int waiting; /* vCPUs that wait for the console */
};

/* Claims the ports and addresses of all devices that this machine has. 0 or a negative errno. */
int board_plug_in(struct devices *devices);

/* Ticks what is due; returns the next moment. */
uint64_t board_tick(struct devices *devices, uint64_t now);

/* The interrupt of the device whose range this is, or BOARD_IRQ_NONE. */
int board_irq(const struct bus_range *range);

#endif
