/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/memory_map.h"
#include "vmm/mptable.h"

/*
 * The MP table, found as a kernel finds it (MP specification 1.4, chapter 4): the
 * EBDA's segment, the floating pointer in its first KiB, the table, entry by entry.
 */

#define RAM_SIZE (1u << 20)

static uint64_t number(const uint8_t *ram, uint64_t gpa, size_t size)
{
	uint64_t value = 0;

	assert_true(gpa + size <= RAM_SIZE);
	memcpy(&value, ram + gpa, size);
	return value;
}

static uint8_t sum(const uint8_t *ram, uint64_t gpa, size_t size)
{
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += ram[gpa + i];
	return total;
}

static uint8_t *build(unsigned int cpus, const uint32_t *ids, uint8_t ioapic_id,
		      unsigned int described)
{
	const struct mptable_machine machine = {
		.cpu_count = cpus,
		.apic_ids = ids,
		.ioapic_id = ioapic_id,
		.cpu_signature = 0x000306c3,
		.cpu_features = 0x078bfbff,
	};
	uint8_t *ram = calloc(1, RAM_SIZE);

	assert_non_null(ram);
	assert_int_equal(mptable_build(&machine, ram), described);
	return ram;
}

static uint64_t find_table(const uint8_t *ram)
{
	uint64_t ebda = number(ram, 0x40e, 2) << 4;

	assert_true(ebda == MEMORY_EBDA_GPA);
	assert_int_equal(number(ram, 0x413, 2), 639);
	assert_int_equal(number(ram, ebda, 1), 1); /* its size in KiB */
	for (uint64_t gpa = ebda; gpa < ebda + 1024; gpa += 16) {
		if (memcmp(ram + gpa, "_MP_", 4) != 0)
			continue;
		assert_int_equal(number(ram, gpa + 8, 1), 1);
		assert_int_equal(number(ram, gpa + 9, 1), 4);
		assert_int_equal(sum(ram, gpa, 16), 0);
		assert_int_equal(number(ram, gpa + 11, 4), 0); /* a table is there, no IMCR */
		return number(ram, gpa + 4, 4);
	}
	fail_msg("no floating pointer");
	return 0;
}

struct seen {
	unsigned int count[5];
	unsigned int boot_processors;
	uint32_t last_apic_id;
	uint8_t pin_of_irq[16];
};

static void see_interrupt(struct seen *seen, const uint8_t *ram, uint64_t at, uint8_t ioapic_id)
{
	uint8_t irq = (uint8_t)number(ram, at + 5, 1);

	assert_int_equal(number(ram, at + 1, 1), 0); /* vectored */
	assert_int_equal(number(ram, at + 2, 2), 0);
	assert_int_equal(number(ram, at + 6, 1), ioapic_id);
	assert_true(irq < 16);
	seen->pin_of_irq[irq] = (uint8_t)number(ram, at + 7, 1);
}

static struct seen read_table(const uint8_t *ram, uint8_t ioapic_id)
{
	struct seen seen = { .boot_processors = 0 };
	uint64_t table = find_table(ram), at = table + 44;
	unsigned int type = 0;

	memset(seen.pin_of_irq, 0xff, sizeof(seen.pin_of_irq));
	assert_memory_equal(ram + table, "PCMP", 4);
	assert_true(table >= MEMORY_MP_TABLE_GPA);
	assert_true(table + number(ram, table + 4, 2) <= MEMORY_EXTENDED_GPA);
	assert_int_equal(sum(ram, table, number(ram, table + 4, 2)), 0);
	assert_int_equal(number(ram, table + 36, 4), 0xfee00000);
	for (unsigned int i = 0; i < number(ram, table + 34, 2); i++) {
		assert_true(number(ram, at, 1) >= type); /* sorted by type */
		type = (unsigned int)number(ram, at, 1);
		assert_true(type < 5);
		seen.count[type]++;
		if (type == 0) {
			seen.last_apic_id = (uint32_t)number(ram, at + 1, 1);
			assert_int_equal(number(ram, at + 3, 1) & 1, 1);
			seen.boot_processors += number(ram, at + 3, 1) >> 1;
			assert_int_equal(number(ram, at + 4, 4), 0x000306c3);
			assert_int_equal(number(ram, at + 8, 4), 0x078bfbff);
		} else if (type == 1) {
			assert_memory_equal(ram + at + 2, "ISA   ", 6);
		} else if (type == 2) {
			assert_int_equal(number(ram, at + 1, 1), ioapic_id);
			assert_int_equal(number(ram, at + 3, 1), 1);
			assert_int_equal(number(ram, at + 4, 4), 0xfec00000);
		} else if (type == 3) {
			see_interrupt(&seen, ram, at, ioapic_id);
		} else {
			/* ExtINT at LINT0, NMI at LINT1 of all */
			assert_int_equal(number(ram, at + 6, 1), 0xff);
			assert_int_equal(number(ram, at + 1, 1), number(ram, at + 7, 1) ? 1 : 3);
		}
		at += type == 0 ? 20 : 8;
	}
	assert_int_equal(at - table, number(ram, table + 4, 2));
	return seen;
}

static void describes_processors_and_wiring(void **state)
{
	(void)state;
	const unsigned int counts[] = { 1, 2, 40, 254 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		uint8_t ioapic_id = (uint8_t)counts[i];
		uint8_t *ram = build(counts[i], NULL, ioapic_id, counts[i]);
		struct seen seen = read_table(ram, ioapic_id);

		assert_int_equal(seen.count[0], counts[i]);
		assert_int_equal(seen.last_apic_id, counts[i] - 1);
		assert_int_equal(seen.boot_processors, 1);
		assert_int_equal(seen.count[1], 1);
		assert_int_equal(seen.count[2], 1);
		assert_int_equal(seen.count[3], 15);
		assert_int_equal(seen.count[4], 2);
		for (uint8_t irq = 0; irq < 16; irq++)
			assert_int_equal(seen.pin_of_irq[irq], irq == 0	  ? 2
							       : irq == 2 ? 0xff
									  : irq);
		free(ram);
	}
}

static void leaves_out_what_has_no_byte_for_a_name(void **state)
{
	(void)state;
	uint8_t *ram = build(400, NULL, 255, 255);
	struct seen seen = read_table(ram, 255);

	assert_int_equal(seen.count[0], 255);
	assert_int_equal(seen.last_apic_id, 254);
	free(ram);

	const uint32_t ids[] = { 0, 255, 4, 256 + 4, 8 };

	ram = build(5, ids, 1, 3);
	seen = read_table(ram, 1);
	assert_int_equal(seen.count[0], 3);
	assert_int_equal(seen.last_apic_id, 8);
	free(ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(describes_processors_and_wiring),
		cmocka_unit_test(leaves_out_what_has_no_byte_for_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
