/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vmm/memory_map.h"

/* The map that a guest is given: what must hold for every size, and the sizes at the edges. */

#define MIB (1ull << 20)
#define GIB (1ull << 30)

static const struct memory_range *range_at(const struct memory_map *map, uint64_t gpa)
{
	for (unsigned int i = 0; i < map->count; i++)
		if (gpa >= map->ranges[i].gpa && gpa - map->ranges[i].gpa < map->ranges[i].size)
			return &map->ranges[i];
	return NULL;
}

static uint64_t ram_above_1m(const struct memory_map *map)
{
	uint64_t sum = 0;

	for (unsigned int i = 0; i < map->count; i++)
		if (map->ranges[i].type == MEMORY_RAM && map->ranges[i].gpa >= MIB)
			sum += map->ranges[i].size;
	return sum;
}

static void check_map(uint64_t bytes)
{
	struct memory_map map;

	assert_int_equal(memory_map_build(&map, bytes), 0);
	assert_true(map.count <= MEMORY_MAP_MAX);
	for (unsigned int i = 0; i < map.count; i++) {
		assert_true(map.ranges[i].size > 0);
		if (i > 0)
			assert_true(map.ranges[i].gpa >=
				    map.ranges[i - 1].gpa + map.ranges[i - 1].size);
	}
	assert_true(map.low_size + map.high_size == bytes);
	assert_true(map.low_size <= MEMORY_LOW_END);
	assert_true(ram_above_1m(&map) == bytes - MIB);

	assert_int_equal(range_at(&map, 0)->type, MEMORY_RAM);
	assert_int_equal(range_at(&map, MEMORY_EBDA_GPA - 1)->type, MEMORY_RAM);
	assert_int_equal(range_at(&map, MEMORY_EBDA_GPA)->type, MEMORY_RESERVED);
	assert_null(range_at(&map, MEMORY_HOLE_GPA));
	assert_null(range_at(&map, MEMORY_BIOS_GPA - 1));
	assert_int_equal(range_at(&map, MEMORY_FACS_GPA)->type, MEMORY_ACPI_NVS);
	assert_int_equal(range_at(&map, MEMORY_ACPI_GPA)->type, MEMORY_ACPI_RECLAIMABLE);
	assert_int_equal(range_at(&map, MEMORY_MP_TABLE_GPA)->type, MEMORY_RESERVED);
	assert_int_equal(range_at(&map, MEMORY_EXTENDED_GPA - 1)->type, MEMORY_RESERVED);
	assert_int_equal(range_at(&map, MEMORY_EXTENDED_GPA)->type, MEMORY_RAM);
	assert_null(range_at(&map, MEMORY_LOW_END));
	assert_null(range_at(&map, MEMORY_IOAPIC_GPA));
	assert_null(range_at(&map, MEMORY_LAPIC_GPA));
	assert_null(range_at(&map, MEMORY_4G - 1));
}

static void holds_for_every_size(void **state)
{
	(void)state;
	const uint64_t sizes[] = {
		2 * MIB,	16 * MIB, 256 * MIB, 3 * GIB - 4096, 3 * GIB,
		3 * GIB + 4096, 4 * GIB,  64 * GIB,  4096 * GIB,
	};

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		check_map(sizes[i]);
}

static void spills_above_4g(void **state)
{
	(void)state;
	struct memory_map map;

	assert_int_equal(memory_map_build(&map, 3 * GIB), 0);
	assert_null(range_at(&map, MEMORY_HIGH_GPA));
	assert_int_equal(memory_map_build(&map, 3 * GIB + 4096), 0);
	const struct memory_range *high = range_at(&map, MEMORY_HIGH_GPA);
	assert_non_null(high);
	assert_true(high->gpa == MEMORY_HIGH_GPA && high->size == 4096);
	assert_true(map.low_size == 3 * GIB && map.high_size == 4096);
}

static void refuses_impossible_sizes(void **state)
{
	(void)state;
	const uint64_t sizes[] = {
		0,
		4096,
		2 * MIB - 4096,
		2 * MIB + 1,
		4096 * GIB + 4096,
		UINT64_MAX,
		UINT64_MAX - 4095,
	};
	struct memory_map map;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(memory_map_build(&map, sizes[i]), -EINVAL);
		assert_int_equal(map.count, 0);
	}
}

static void names_types(void **state)
{
	(void)state;
	assert_string_equal(memory_type_name(MEMORY_RAM), "RAM");
	assert_string_equal(memory_type_name(MEMORY_RESERVED), "reserved");
	assert_string_equal(memory_type_name(MEMORY_ACPI_RECLAIMABLE), "ACPI reclaimable");
	assert_string_equal(memory_type_name(MEMORY_ACPI_NVS), "ACPI NVS");
	assert_string_equal(memory_type_name(0), "unknown");
	assert_string_equal(memory_type_name(5), "unknown");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(holds_for_every_size),
		cmocka_unit_test(spills_above_4g),
		cmocka_unit_test(refuses_impossible_sizes),
		cmocka_unit_test(names_types),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
