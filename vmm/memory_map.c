/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/memory_map.h"

#include <errno.h>
#include <string.h>

/*
 * The list that a guest is given in place of asking a BIOS (INT 15h, AX=E820h): which
 * physical addresses are RAM, and which of those are not its own to use. A range that
 * is not listed holds nothing: the hole at 640K where a VGA was, and everything from
 * the end of low memory to 4 GiB, which is the devices'.
 *
 * Every boot protocol passes this same list on, each in its own format.
 */

#define PAGE_SIZE 4096

static void add_range(struct memory_map *map, uint64_t gpa, uint64_t end, enum memory_type type)
{
	map->ranges[map->count++] = (struct memory_range){
		.gpa = gpa,
		.size = end - gpa,
		.type = type,
	};
}

int memory_map_build(struct memory_map *map, uint64_t bytes)
{
	memset(map, 0, sizeof(*map));
	if (bytes % PAGE_SIZE || bytes < MEMORY_SIZE_MIN || bytes > MEMORY_SIZE_MAX)
		return -EINVAL;

	map->low_size = bytes < MEMORY_LOW_END ? bytes : MEMORY_LOW_END;
	map->high_size = bytes - map->low_size;

	add_range(map, 0, MEMORY_EBDA_GPA, MEMORY_RAM);
	add_range(map, MEMORY_EBDA_GPA, MEMORY_HOLE_GPA, MEMORY_RESERVED);
	add_range(map, MEMORY_FACS_GPA, MEMORY_ACPI_GPA, MEMORY_ACPI_NVS);
	add_range(map, MEMORY_ACPI_GPA, MEMORY_MP_TABLE_GPA, MEMORY_ACPI_RECLAIMABLE);
	add_range(map, MEMORY_MP_TABLE_GPA, MEMORY_EXTENDED_GPA, MEMORY_RESERVED);
	add_range(map, MEMORY_EXTENDED_GPA, map->low_size, MEMORY_RAM);
	if (map->high_size)
		add_range(map, MEMORY_HIGH_GPA, MEMORY_HIGH_GPA + map->high_size, MEMORY_RAM);
	return 0;
}

const char *memory_type_name(uint32_t type)
{
	switch (type) {
	case MEMORY_RAM:
		return "RAM";
	case MEMORY_RESERVED:
		return "reserved";
	case MEMORY_ACPI_RECLAIMABLE:
		return "ACPI reclaimable";
	case MEMORY_ACPI_NVS:
		return "ACPI NVS";
	default:
		return "unknown";
	}
}
