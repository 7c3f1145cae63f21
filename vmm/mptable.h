/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_MPTABLE_H
#define HUTCH_VMM_MPTABLE_H

/*
 * The MP configuration table (Intel MultiProcessor Specification 1.4): how a kernel
 * without ACPI finds the other processors and learns how interrupts are wired.
 */

#include <stdint.h>

struct mptable_machine {
	unsigned int cpu_count;	  /* at least one; the first is the boot processor */
	const uint32_t *apic_ids; /* of each processor; NULL: 0, 1, 2, ... */
	uint8_t ioapic_id;	  /* differs from every APIC id */
	uint32_t cpu_signature;	  /* CPUID leaf 1, EAX */
	uint32_t cpu_features;	  /* CPUID leaf 1, EDX */
};

/* The APIC id is a byte here, and 255 addresses everybody. */
#define MPTABLE_APIC_ID_MAX 254

/*
 * Writes the table at MEMORY_MP_TABLE_GPA, the floating pointer that leads to it in
 * the EBDA, and the two words of the BIOS data area that lead to the EBDA. @ram is
 * the host's view of guest memory from 0 to at least 1 MiB. Returns how many
 * processors the table describes: those with an APIC id above MPTABLE_APIC_ID_MAX
 * cannot be named and are left out.
 */
unsigned int mptable_build(const struct mptable_machine *machine, uint8_t *ram);

#endif
