/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/acpi.h"
#include "vmm/memory_map.h"

/*
 * The ACPI tables, read back as a guest reads them: from the RSDP's signature down,
 * by the offsets of the specification (ACPI 6.4, chapter 5), not by the structs that
 * wrote them. At the end ACPI's own disassembler has to accept every one.
 */

#define RAM_SIZE (1u << 20)
#define GUARD	 0xa5

struct guest {
	uint8_t *ram;
	struct acpi_tables tables;
};

static uint64_t number(const struct guest *guest, uint64_t gpa, size_t size)
{
	uint64_t value = 0;

	assert_true(gpa + size <= RAM_SIZE);
	memcpy(&value, guest->ram + gpa, size);
	return value;
}

static uint8_t sum(const struct guest *guest, uint64_t gpa, size_t size)
{
	uint8_t total = 0;

	for (size_t i = 0; i < size; i++)
		total += guest->ram[gpa + i];
	return total;
}

static void build(struct guest *guest, unsigned int cpus, const uint32_t *ids)
{
	const struct acpi_machine machine = { .cpu_count = cpus, .apic_ids = ids, .ioapic_id = 0 };

	guest->ram = malloc(RAM_SIZE);
	assert_non_null(guest->ram);
	memset(guest->ram, GUARD, RAM_SIZE);
	assert_int_equal(acpi_build(&machine, guest->ram, &guest->tables), 0);
}

static uint64_t find_rsdp(const struct guest *guest)
{
	for (uint64_t gpa = MEMORY_BIOS_GPA; gpa < MEMORY_EXTENDED_GPA; gpa += 16)
		if (!memcmp(guest->ram + gpa, "RSD PTR ", 8))
			return gpa;
	fail_msg("no RSDP");
	return 0;
}

/* The table of this signature, by the XSDT or by the RSDT; both must agree. */
static uint64_t find_table(const struct guest *guest, const char *signature)
{
	uint64_t rsdp = find_rsdp(guest);
	uint64_t rsdt = number(guest, rsdp + 16, 4), xsdt = number(guest, rsdp + 24, 8);
	size_t count = (number(guest, xsdt + 4, 4) - 36) / 8;

	assert_memory_equal(guest->ram + rsdt, "RSDT", 4);
	assert_memory_equal(guest->ram + xsdt, "XSDT", 4);
	assert_int_equal((number(guest, rsdt + 4, 4) - 36) / 4, count);
	for (size_t i = 0; i < count; i++) {
		uint64_t gpa = number(guest, xsdt + 36 + 8 * i, 8);

		assert_true(gpa == number(guest, rsdt + 36 + 4 * i, 4));
		if (!memcmp(guest->ram + gpa, signature, 4))
			return gpa;
	}
	fail_msg("no %s", signature);
	return 0;
}

static void root_is_found_and_sound(void **state)
{
	(void)state;
	struct guest guest;

	build(&guest, 1, NULL);
	uint64_t rsdp = find_rsdp(&guest);

	assert_true(rsdp == guest.tables.rsdp_gpa);
	assert_ptr_equal(guest.tables.rsdp, guest.ram + rsdp);
	assert_int_equal(guest.tables.rsdp_size, 36);
	assert_int_equal(number(&guest, rsdp + 15, 1), 2); /* revision */
	assert_int_equal(number(&guest, rsdp + 20, 4), 36);
	assert_int_equal(sum(&guest, rsdp, 20), 0);
	assert_int_equal(sum(&guest, rsdp, 36), 0);
	free(guest.ram);
}

static void every_table_has_a_checksum_and_stays_in_its_area(void **state)
{
	(void)state;
	const unsigned int counts[] = { 1, 2, 255, 256, 1024, 4096 };

	for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		struct guest guest;

		build(&guest, counts[i], NULL);
		for (unsigned int t = 0; t < guest.tables.count; t++) {
			uint64_t gpa = guest.tables.table[t].gpa;
			uint32_t size = guest.tables.table[t].size;

			assert_memory_equal(guest.ram + gpa,
					    strcmp(guest.tables.table[t].signature, "RSDP")
						    ? guest.tables.table[t].signature
						    : "RSD ",
					    4);
			if (!strcmp(guest.tables.table[t].signature, "FACS")) {
				assert_true(gpa == MEMORY_FACS_GPA && size == 64);
				continue;
			}
			assert_true(gpa >= MEMORY_ACPI_GPA && gpa + size <= MEMORY_MP_TABLE_GPA);
			assert_int_equal(gpa % 16, 0);
			assert_int_equal(sum(&guest, gpa, size), 0);
		}
		assert_int_equal(guest.tables.count, 7);
		assert_int_equal(guest.ram[MEMORY_MP_TABLE_GPA], GUARD);
		assert_int_equal(guest.ram[MEMORY_FACS_GPA - 1], GUARD);
		free(guest.ram);
	}
}

static void fadt_describes_the_fixed_hardware(void **state)
{
	(void)state;
	struct guest guest;

	build(&guest, 1, NULL);
	uint64_t fadt = find_table(&guest, "FACP");

	assert_int_equal(number(&guest, fadt + 4, 4), 276);
	assert_int_equal(number(&guest, fadt + 8, 1), 6);
	uint64_t facs = number(&guest, fadt + 36, 4);
	assert_memory_equal(guest.ram + facs, "FACS", 4);
	assert_int_equal(facs % 64, 0);
	uint64_t dsdt = number(&guest, fadt + 40, 4);
	assert_memory_equal(guest.ram + dsdt, "DSDT", 4);
	assert_true(number(&guest, fadt + 140, 8) == dsdt);
	assert_int_equal(number(&guest, fadt + 132, 8), 0);	    /* X_FIRMWARE_CTRL */
	assert_int_equal(number(&guest, fadt + 46, 2), 9);	    /* SCI_INT */
	assert_int_equal(number(&guest, fadt + 48, 4), 0);	    /* SMI_CMD */
	assert_int_equal(number(&guest, fadt + 56, 4), 0x600);	    /* PM1a_EVT_BLK */
	assert_int_equal(number(&guest, fadt + 64, 4), 0x604);	    /* PM1a_CNT_BLK */
	assert_int_equal(number(&guest, fadt + 76, 4), 0x608);	    /* PM_TMR_BLK */
	assert_int_equal(number(&guest, fadt + 88, 4), 0x04000204); /* their lengths */
	assert_int_equal(number(&guest, fadt + 109, 2), 0x1f);	    /* IAPC_BOOT_ARCH */
	uint32_t flags = (uint32_t)number(&guest, fadt + 112, 4);
	assert_true(flags & 1u << 10);	/* RESET_REG_SUP */
	assert_false(flags & 1u << 4);	/* PWR_BUTTON: fixed */
	assert_false(flags & 1u << 20); /* HW_REDUCED_ACPI */
	assert_int_equal(number(&guest, fadt + 116, 4), 0x01000801);
	assert_int_equal(number(&guest, fadt + 120, 8), 0xcf9);
	assert_int_equal(number(&guest, fadt + 128, 1), 6);
	assert_int_equal(number(&guest, fadt + 152, 8), 0x600);
	assert_int_equal(number(&guest, fadt + 176, 8), 0x604);
	assert_int_equal(number(&guest, fadt + 212, 8), 0x608);
	free(guest.ram);
}

/* What the entries of a MADT say. */
struct madt_seen {
	unsigned int local, x2apic, ioapic, nmi, x2apic_nmi, overrides;
	uint32_t last_id, last_uid;
};

static struct madt_seen read_madt(const struct guest *guest)
{
	struct madt_seen seen = { .local = 0 };
	uint64_t madt = find_table(guest, "APIC");
	uint64_t end = madt + number(guest, madt + 4, 4);

	assert_int_equal(number(guest, madt + 36, 4), 0xfee00000);
	assert_int_equal(number(guest, madt + 40, 4), 1);
	for (uint64_t at = madt + 44; at < end; at += number(guest, at + 1, 1)) {
		assert_true(number(guest, at + 1, 1) >= 2);
		switch (number(guest, at, 1)) {
		case 0:
			seen.local++;
			seen.last_uid = (uint32_t)number(guest, at + 2, 1);
			seen.last_id = (uint32_t)number(guest, at + 3, 1);
			assert_true(seen.last_id < 255 && seen.last_uid < 255);
			assert_int_equal(number(guest, at + 4, 4), 1);
			break;
		case 1:
			seen.ioapic++;
			assert_int_equal(number(guest, at + 4, 4), 0xfec00000);
			assert_int_equal(number(guest, at + 8, 4), 0);
			break;
		case 2:
			seen.overrides++;
			assert_int_equal(number(guest, at + 2, 1), 0);
			if (number(guest, at + 3, 1) == 0) {
				assert_int_equal(number(guest, at + 4, 4), 2);
				assert_int_equal(number(guest, at + 8, 2), 0);
			} else {
				assert_int_equal(number(guest, at + 3, 1), 9);
				assert_int_equal(number(guest, at + 4, 4), 9);
				assert_int_equal(number(guest, at + 8, 2), 0x0d);
			}
			break;
		case 4:
			seen.nmi++;
			assert_int_equal(number(guest, at + 2, 1), 0xff);
			assert_int_equal(number(guest, at + 5, 1), 1);
			break;
		case 9:
			seen.x2apic++;
			seen.last_id = (uint32_t)number(guest, at + 4, 4);
			seen.last_uid = (uint32_t)number(guest, at + 12, 4);
			break;
		case 10:
			seen.x2apic_nmi++;
			assert_int_equal(number(guest, at + 4, 4), 0xffffffff);
			assert_int_equal(number(guest, at + 8, 1), 1);
			break;
		default:
			fail_msg("an entry of unknown type %u", (unsigned int)number(guest, at, 1));
		}
	}
	return seen;
}

static void madt_names_every_processor(void **state)
{
	(void)state;
	const struct {
		unsigned int cpus, local, x2apic;
	} cases[] = {
		{ 1, 1, 0 }, { 4, 4, 0 }, { 255, 255, 0 }, { 256, 255, 1 }, { 300, 255, 45 }
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct guest guest;

		build(&guest, cases[i].cpus, NULL);
		struct madt_seen seen = read_madt(&guest);

		assert_int_equal(seen.local, cases[i].local);
		assert_int_equal(seen.x2apic, cases[i].x2apic);
		assert_int_equal(seen.ioapic, 1);
		assert_int_equal(seen.overrides, 2);
		assert_int_equal(seen.nmi, 1);
		assert_int_equal(seen.x2apic_nmi, cases[i].x2apic ? 1 : 0);
		assert_int_equal(seen.last_id, cases[i].cpus - 1);
		free(guest.ram);
	}
}

static void madt_takes_given_ids(void **state)
{
	(void)state;
	const uint32_t ids[] = { 0, 2, 254, 255, 70000 };
	struct guest guest;

	build(&guest, 5, ids);
	struct madt_seen seen = read_madt(&guest);

	assert_int_equal(seen.local, 3);
	assert_int_equal(seen.x2apic, 2);
	assert_int_equal(seen.last_id, 70000);
	assert_int_equal(seen.last_uid, 4);
	free(guest.ram);
}

static void refuses_more_processors_than_fit(void **state)
{
	(void)state;
	const struct acpi_machine machine = { .cpu_count = 100000 };
	struct acpi_tables tables;

	/* Nothing may be written, so there is nothing to write to. */
	assert_int_equal(acpi_build(&machine, NULL, &tables), -ENOSPC);
	assert_int_equal(tables.count, 0);
}

/* \_S5 is a package whose first element is the sleep type (ACPI 6.4, 7.4.2). */
static void s5_is_what_the_header_promises(void **state)
{
	(void)state;
	struct guest guest;
	/* NameOp, the name, PackageOp, PkgLength, four elements, BytePrefix, the value */
	const uint8_t expected[] = { 0x08, '_', 'S', '5', '_', 0x12, 7, 4, 0x0a, ACPI_S5_SLP_TYP };
	bool found = false;

	build(&guest, 1, NULL);
	uint64_t dsdt = number(&guest, find_table(&guest, "FACP") + 40, 4);
	uint64_t size = number(&guest, dsdt + 4, 4);

	for (uint64_t at = dsdt; at + sizeof(expected) < dsdt + size; at++)
		if (!memcmp(guest.ram + at, expected, sizeof(expected)))
			found = true;
	assert_true(found);
	free(guest.ram);
}

/* Disassembles one table; the disassembler's own words are shown where it balks. */
static void check_with_iasl(const struct guest *guest, const char *folder, unsigned int table)
{
	char path[128], command[512], line[512];
	const char *signature = guest->tables.table[table].signature;

	snprintf(path, sizeof(path), "%s/%s.aml", folder, signature);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	fwrite(guest->ram + guest->tables.table[table].gpa, guest->tables.table[table].size, 1,
	       file);
	assert_int_equal(fclose(file), 0);

	snprintf(command, sizeof(command), "iasl -d %s 2>&1 && cat %s/%s.dsl", path, folder,
		 signature);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	while (fgets(line, sizeof(line), pipe))
		if (strstr(line, "rror") || strstr(line, "ncorrect") || strstr(line, "nknown") ||
		    strstr(line, "arning") || strstr(line, "nvalid "))
			fail_msg("%s: %s", signature, line);
	assert_int_equal(pclose(pipe), 0);
}

static void disassembler_accepts_every_table(void **state)
{
	(void)state;
	char folder[] = "/tmp/hutch-acpi-XXXXXX", command[64];
	struct guest guest;

	assert_non_null(mkdtemp(folder));
	build(&guest, 260, NULL);
	for (unsigned int i = 0; i < guest.tables.count; i++)
		if (strcmp(guest.tables.table[i].signature, "RSDP") != 0) /* it reads tables only */
			check_with_iasl(&guest, folder, i);
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	assert_int_equal(system(command), 0);
	free(guest.ram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(root_is_found_and_sound),
		cmocka_unit_test(every_table_has_a_checksum_and_stays_in_its_area),
		cmocka_unit_test(fadt_describes_the_fixed_hardware),
		cmocka_unit_test(madt_names_every_processor),
		cmocka_unit_test(madt_takes_given_ids),
		cmocka_unit_test(refuses_more_processors_than_fit),
		cmocka_unit_test(s5_is_what_the_header_promises),
		cmocka_unit_test(disassembler_accepts_every_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
