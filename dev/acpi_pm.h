/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_ACPI_PM_H
#define HUTCH_DEV_ACPI_PM_H

/*
 * ACPI's fixed hardware (ACPI 6.4, 4.8.3): the PM1a event and control registers with
 * the power button and the sleep request, the power management timer, and the reset
 * register that chipsets have at port 0xcf9.
 *
 * To wire it: give acpi_pm_init() the level-triggered line of the SCI, the reset line
 * (pulsed high, then low, as the last thing that a write does) and the sleep callback;
 * send the twelve ports of the block to acpi_pm_read() and acpi_pm_write(), whole, for
 * the timer is read as 32 bits; port 0xcf9 to acpi_pm_reset_read() and
 * acpi_pm_reset_write(); call acpi_pm_tick() after each access and at the moment it
 * last returned.
 *
 *	0	PM1_STS	status, a 1 written clears
 *	2	PM1_EN	what raises the SCI
 *	4	PM1_CNT	sleep control; SCI_EN reads 1, for there is no legacy mode to leave
 *	8	PM_TMR	3.579545 MHz, 24 or 32 bits: the FADT's TMR_VAL_EXT must agree
 *
 * Sleep states: @sleep is called with SLP_TYP when SLP_EN is written. If it returns
 * false the state is one that the machine does not have, and the guest wakes at once
 * (WAK_STS), rather than wait for ever.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dev/line.h"

#define ACPI_PM_PORT_COUNT 12
#define ACPI_PM_TIMER_HZ   3579545

/* Offsets in the block. */
#define ACPI_PM1_STS 0
#define ACPI_PM1_EN  2
#define ACPI_PM1_CNT 4
#define ACPI_PM_TMR  8

/* PM1_STS and PM1_EN (4.8.3.1). */
#define ACPI_PM1_TMR	0x0001
#define ACPI_PM1_GBL	0x0020
#define ACPI_PM1_PWRBTN 0x0100
#define ACPI_PM1_SLPBTN 0x0200
#define ACPI_PM1_RTC	0x0400
#define ACPI_PM1_WAK	0x8000 /* status only */

/* PM1_CNT (4.8.3.2). */
#define ACPI_PM1_SCI_EN	       0x0001
#define ACPI_PM1_BM_RLD	       0x0002
#define ACPI_PM1_GBL_RLS       0x0004 /* write only */
#define ACPI_PM1_SLP_TYP       0x1c00
#define ACPI_PM1_SLP_TYP_SHIFT 10
#define ACPI_PM1_SLP_EN	       0x2000 /* write only */

/* Port 0xcf9: setting RST_CPU resets, by the kind that SYS_RST and FULL_RST say. */
#define ACPI_RESET_SYS_RST  0x02
#define ACPI_RESET_RST_CPU  0x04
#define ACPI_RESET_FULL_RST 0x08

struct acpi_pm_wiring {
	struct line sci;
	struct line reset;
	bool (*sleep)(void *owner, unsigned int type); /* may be NULL: no sleep states */
	void *owner;
	unsigned int timer_bits; /* 24 or 32 */
};

struct acpi_pm {
	struct acpi_pm_wiring wiring;
	uint16_t status, enable, control;
	uint8_t reset_control;
	bool sci;	/* what the line carries */
	uint64_t wraps; /* changes of the timer's highest bit that have been told */
};

void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_wiring *wiring, uint64_t now);
void acpi_pm_reset(struct acpi_pm *pm, uint64_t now);

/* @size bytes (1, 2 or 4) at @offset; bytes that are no register read as 0. */
uint32_t acpi_pm_read(struct acpi_pm *pm, unsigned int offset, unsigned int size, uint64_t now);
void acpi_pm_write(struct acpi_pm *pm, unsigned int offset, unsigned int size, uint32_t value,
		   uint64_t now);
uint64_t acpi_pm_tick(struct acpi_pm *pm, uint64_t now);

/* Somebody presses the power button. False if the guest has not asked to hear of it. */
bool acpi_pm_power_button(struct acpi_pm *pm, uint64_t now);

/* Port 0xcf9. */
uint8_t acpi_pm_reset_read(const struct acpi_pm *pm);
void acpi_pm_reset_write(struct acpi_pm *pm, uint8_t value);

#endif
