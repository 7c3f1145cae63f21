/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_LIB_ACPI_H
#define HUTCH_TESTS_GUESTS_LIB_ACPI_H

/*
 * What a payload asks of the firmware's tables (ACPI 6.4, 5.2): where the registers
 * are that end or reset the machine, and how many processors there are.
 */

#include "tests/guests/lib/guest.h"

/* The table with this signature, its checksum verified; NULL where there is none. */
const uint8_t *acpi_table(const char *signature);

/* FADT: the port of PM1a control, which powers off; 0 without ACPI. */
uint16_t acpi_pm1a_control(void);
/* FADT: the port of the reset register and the value that resets; 0 without one. */
uint16_t acpi_reset_port(uint8_t *value);

/* MADT: enabled processors; 0 without ACPI. */
unsigned int acpi_processors(void);

#endif
