/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_ACPI_H
#define HUTCH_VMM_ACPI_H

/*
 * ACPI's static tables: what firmware leaves in memory so that an operating system
 * need not guess what the machine is made of. They describe what vmm/ and dev/
 * really have, and nothing else.
 *
 * The fixed hardware below is where the tables say it is; the machine puts the power
 * management model at these ports.
 */

#include <stddef.h>
#include <stdint.h>

/* ACPI 6.4, 4.8.3: fixed hardware registers. */
#define ACPI_PM1A_EVT_PORT 0x600 /* PM1_STS, then PM1_EN: 16 bits each */
#define ACPI_PM1A_EVT_SIZE 4
#define ACPI_PM1A_CNT_PORT 0x604 /* PM1_CNT: 16 bits; SCI_EN always reads 1 */
#define ACPI_PM1A_CNT_SIZE 2
#define ACPI_PM_TMR_PORT   0x608 /* 32 bits at 3.579545 MHz */
#define ACPI_PM_TMR_SIZE   4

/* 4.8.3.6: the reset register, here the one that PCI chipsets have. */
#define ACPI_RESET_PORT	 0xcf9
#define ACPI_RESET_VALUE 0x06 /* RST_CPU and SYS_RST */

/* The system control interrupt: level triggered, active high. */
#define ACPI_SCI_GSI 9

/* What \_S5 in vmm/dsdt.asl asks to be written to SLP_TYP of PM1_CNT to power off. */
#define ACPI_S5_SLP_TYP 5

struct acpi_machine {
	unsigned int cpu_count;	  /* at least one */
	const uint32_t *apic_ids; /* of each processor; NULL: 0, 1, 2, ... */
	uint8_t ioapic_id;
};

#define ACPI_TABLE_MAX 8

struct acpi_tables {
	uint64_t rsdp_gpa;
	const void *rsdp; /* in the @ram that was given */
	size_t rsdp_size;
	/* Every structure that was written, for --dry-run and for tests. */
	struct {
		char signature[5];
		uint64_t gpa;
		uint32_t size;
	} table[ACPI_TABLE_MAX];
	unsigned int count;
};

/*
 * Writes the tables into guest memory, of which @ram is the host's view from
 * guest-physical 0 to at least 1 MiB: the FACS at MEMORY_FACS_GPA, the RSDP at
 * MEMORY_ACPI_GPA and the rest behind it, all below MEMORY_MP_TABLE_GPA.
 * Allocates nothing. -ENOSPC, with nothing written, where the processors' entries
 * do not fit (from about 7000 on).
 */
int acpi_build(const struct acpi_machine *machine, uint8_t *ram, struct acpi_tables *tables);

#endif
