/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_MEMORY_MAP_H
#define HUTCH_VMM_MEMORY_MAP_H

/*
 * The machine's physical address space: what a PC has had since 1981, less what
 * nobody asks for any more.
 *
 *	0x0000_0000  RAM: the loaders' small tables (vmm/boot/boot.h)
 *	0x0009_fc00  RAM, reserved: extended BIOS data area, with the MP floating pointer
 *	0x000a_0000  nothing (where a VGA's memory was)
 *	0x000c_0000  RAM that the guest is not told of, all zeroes: no option ROMs
 *	0x000e_0000  RAM, kept: ACPI's FACS (type 4, the guest may write to it)
 *	0x000e_1000  RAM, kept: the other ACPI tables (type 3, the guest's once it has read them)
 *	0x000f_e000  RAM, reserved: the MP configuration table
 *		     with firmware, its last part (256K at most) ends at 1 MiB instead
 *	0x0010_0000  RAM, to the end of memory or 3 GiB
 *	0xc000_0000  devices
 *	  0xfec0_0000  IOAPIC
 *	  0xfee0_0000  local APIC
 *	  0xfffc_0000  firmware (--firmware), ending at 4 GiB
 *	0x1_0000_0000  RAM, what is left of it
 */

#include <stdint.h>

#define MEMORY_LOW_END	    0x000c0000000ull /* where RAM below 4 GiB ends at the latest */
#define MEMORY_HIGH_GPA	    0x00100000000ull
#define MEMORY_EBDA_GPA	    0x0000009fc00ull
#define MEMORY_HOLE_GPA	    0x000000a0000ull
#define MEMORY_ROM_GPA	    0x000000c0000ull
#define MEMORY_BIOS_GPA	    0x000000e0000ull
#define MEMORY_FACS_GPA	    0x000000e0000ull
#define MEMORY_ACPI_GPA	    0x000000e1000ull
#define MEMORY_MP_TABLE_GPA 0x000000fe000ull
#define MEMORY_EXTENDED_GPA 0x00000100000ull
#define MEMORY_IOAPIC_GPA   0x000fec00000ull
#define MEMORY_LAPIC_GPA    0x000fee00000ull
#define MEMORY_4G	    0x00100000000ull

/* ACPI 6.4, 15: address range types, the same in e820, PVH and Multiboot. */
enum memory_type {
	MEMORY_RAM = 1,
	MEMORY_RESERVED = 2,
	MEMORY_ACPI_RECLAIMABLE = 3,
	MEMORY_ACPI_NVS = 4,
};

struct memory_range {
	uint64_t gpa;
	uint64_t size;
	uint32_t type;
};

#define MEMORY_MAP_MAX 16

/* What the guest is told (e820): sorted, without overlaps. */
struct memory_map {
	struct memory_range ranges[MEMORY_MAP_MAX];
	unsigned int count;
	uint64_t low_size;  /* RAM below 4 GiB, from 0 */
	uint64_t high_size; /* RAM from 4 GiB up */
};

#define MEMORY_SIZE_MIN (2ull << 20)
#define MEMORY_SIZE_MAX (4ull << 40)

/*
 * Lays out @bytes of RAM: below 4 GiB as much as fits under MEMORY_LOW_END, the rest
 * from 4 GiB up. The span from the hole at 640K to 1 MiB counts as RAM, as on a PC.
 * -EINVAL, with the map empty, unless @bytes is a multiple of 4096, at least
 * MEMORY_SIZE_MIN and at most MEMORY_SIZE_MAX.
 */
int memory_map_build(struct memory_map *map, uint64_t bytes);

/* "RAM", "reserved", "ACPI reclaimable", "ACPI NVS"; "unknown" for any other number. */
const char *memory_type_name(uint32_t type);

#endif
