/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reading the ACPI tables. Every checksum is verified on the way: a wrong one is the
 * same as no table, and the payload's own check then says so.
 */

#include "tests/guests/lib/acpi.h"

/* ACPI 6.4, 5.2.5.1: the BIOS read-only area, on 16-byte boundaries. */
#define BIOS_AREA     0xe0000u
#define BIOS_AREA_END 0x100000u

/* Offsets: 5.2.5.3 (RSDP), 5.2.6 (header), 5.2.9 (FADT), 5.2.12 (MADT). */
#define RSDP_LENGTH	   20
#define RSDP_XSDT	   24
#define RSDP_LENGTH_2	   36
#define HEADER_LENGTH	   4
#define HEADER_SIZE	   36
#define FADT_PM1A_CONTROL  64
#define FADT_FLAGS	   112
#define FADT_RESET_REG	   116
#define FADT_RESET_VALUE   128
#define FADT_RESET_SUPPORT (1u << 10)
#define GAS_SYSTEM_IO	   1
#define MADT_STRUCTURES	   44
#define MADT_LOCAL_APIC	   0
#define MADT_LOCAL_X2APIC  9

static uint32_t read32(const uint8_t *at)
{
	return at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint64_t read64(const uint8_t *at)
{
	return read32(at) | (uint64_t)read32(at + 4) << 32;
}

static bool sums_to_zero(const uint8_t *bytes, uint32_t size)
{
	uint8_t sum = 0;

	for (uint32_t i = 0; i < size; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum == 0;
}

static const uint8_t *rsdp_find(void)
{
	for (uintptr_t at = BIOS_AREA; at < BIOS_AREA_END; at += 16) {
		const uint8_t *rsdp = (const uint8_t *)at;

		if (!memcmp(rsdp, "RSD PTR ", 8) && sums_to_zero(rsdp, RSDP_LENGTH))
			return rsdp;
	}
	return NULL;
}

const uint8_t *acpi_table(const char *signature)
{
	const uint8_t *rsdp = rsdp_find(), *xsdt;

	if (!rsdp || !sums_to_zero(rsdp, RSDP_LENGTH_2))
		return NULL;
	xsdt = (const uint8_t *)(uintptr_t)read64(rsdp + RSDP_XSDT);
	if (memcmp(xsdt, "XSDT", 4) || !sums_to_zero(xsdt, read32(xsdt + HEADER_LENGTH)))
		return NULL;
	for (uint32_t at = HEADER_SIZE; at + 8 <= read32(xsdt + HEADER_LENGTH); at += 8) {
		const uint8_t *table = (const uint8_t *)(uintptr_t)read64(xsdt + at);

		if (!memcmp(table, signature, 4) &&
		    sums_to_zero(table, read32(table + HEADER_LENGTH)))
			return table;
	}
	return NULL;
}

uint16_t acpi_pm1a_control(void)
{
	const uint8_t *fadt = acpi_table("FACP");

	return fadt ? (uint16_t)read32(fadt + FADT_PM1A_CONTROL) : 0;
}

uint16_t acpi_reset_port(uint8_t *value)
{
	const uint8_t *fadt = acpi_table("FACP");

	if (!fadt || !(read32(fadt + FADT_FLAGS) & FADT_RESET_SUPPORT) ||
	    fadt[FADT_RESET_REG] != GAS_SYSTEM_IO)
		return 0;
	*value = fadt[FADT_RESET_VALUE];
	return (uint16_t)read64(fadt + FADT_RESET_REG + 4);
}

unsigned int acpi_processors(void)
{
	const uint8_t *madt = acpi_table("APIC");
	unsigned int count = 0;

	if (!madt)
		return 0;
	for (uint32_t at = MADT_STRUCTURES; at + 2 <= read32(madt + HEADER_LENGTH);) {
		if (madt[at] == MADT_LOCAL_APIC)
			count += read32(madt + at + 4) & 1;
		else if (madt[at] == MADT_LOCAL_X2APIC)
			count += read32(madt + at + 8) & 1;
		if (!madt[at + 1])
			break;
		at += madt[at + 1];
	}
	return count;
}
