/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Images without a header: flat ones in three modes, and firmware. */

#include "tests/unit/boot_fixture.h"

static void build_flat(struct fixture *f)
{
	for (unsigned int i = 0; i < 1000; i++)
		f->image[i] = (uint8_t)(i * 7);
	f->kernel.size = 1000;
}

static void build_boot_sector(struct fixture *f)
{
	build_flat(f);
	fixture_set(f, 510, 2, 0xaa55);
}

static void test_boot_sector_is_recognised(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_boot_sector(&f);
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "flat 16-bit");
	assert_memory_equal(f.context.ram + 0x7c00, f.image, 1000);
	assert_int_equal(fixture_ram(&f, 0x7bff, 1), 0xaa);
	assert_int_equal(fixture_ram(&f, 0x7c00 + 1000, 1), 0xaa);
	assert_int_equal(f.context.regs.rip, 0x7c00);
	assert_int_equal(f.context.regs.rsp, 0x7c00);
	assert_int_equal(f.context.regs.rflags, RFLAGS_FIXED);
	assert_int_equal(f.context.sregs.cs.selector, 0);
	assert_int_equal(f.context.sregs.cs.base, 0);
	assert_int_equal(f.context.sregs.cs.limit, 0xffff);
	assert_int_equal(f.context.sregs.cr0 & (CR0_PE | CR0_PG), 0);
	assert_int_equal(f.context.sregs.idt.base, 0);
	assert_int_equal(f.context.sregs.idt.limit, 0x3ff);
	fixture_free(&f);
}

static void test_16_elsewhere(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_flat(&f);
	f.context.flat_mode = "16";
	f.context.flat_gpa = 0x23458;
	fixture_load(&f);
	assert_memory_equal(f.context.ram + 0x23458, f.image, 1000);
	assert_int_equal(f.context.sregs.cs.base + f.context.regs.rip, 0x23458);
	assert_int_equal(f.context.sregs.cs.base, f.context.sregs.cs.selector << 4);
	assert_int_equal(f.context.sregs.ds.base, 0);

	f.context.flat_gpa = 0x500;
	fixture_load(&f);
	assert_int_equal(f.context.sregs.cs.selector, 0);
	assert_int_equal(f.context.regs.rip, 0x500);
	fixture_free(&f);
}

static void test_32(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_flat(&f);
	f.context.flat_mode = "32";
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "flat 32-bit");
	assert_memory_equal(f.context.ram + 0x100000, f.image, 1000);
	assert_int_equal(f.context.regs.rip, 0x100000);
	fixture_is_protected_mode(&f);
	fixture_free(&f);
}

static void test_64(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_flat(&f);
	f.context.flat_mode = "64";
	f.context.flat_gpa = 0x200000;
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "flat 64-bit");
	assert_memory_equal(f.context.ram + 0x200000, f.image, 1000);
	assert_int_equal(f.context.regs.rip, 0x200000);
	assert_int_equal(f.context.kernel_gpa, 0x200000);
	assert_int_equal(f.context.kernel_end_gpa, 0x200000 + 1000);
	fixture_is_long_mode(&f);
	fixture_free(&f);
}

/* An image where the tables usually lie: they give way. */
static void test_tables_give_way(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_flat(&f);
	f.kernel.size = 0x20000;
	memset(f.image, 0x77, f.kernel.size);
	f.context.flat_mode = "64";
	f.context.flat_gpa = 0x1000;
	fixture_load(&f);
	assert_memory_equal(f.context.ram + 0x1000, f.image, f.kernel.size);
	fixture_is_long_mode(&f);
	assert_true(f.context.regs.rsp >= 0x21000);
	fixture_free(&f);
}

static void refuse_flat(const char *mode, uint64_t gpa, size_t size, const char *words)
{
	struct fixture f;

	fixture_init(&f);
	build_flat(&f);
	if (size)
		f.kernel.size = size;
	f.context.flat_mode = mode;
	f.context.flat_gpa = gpa;
	fixture_refused(&f, words);
	fixture_free(&f);
}

static void test_flat_refused(void **state)
{
	(void)state;
	refuse_flat(NULL, UINT64_MAX, 0, "format not recognised");
	refuse_flat("48", UINT64_MAX, 0, "no mode 48");
	refuse_flat("16", 0x100000, 0, "beyond the 1 MiB");
	refuse_flat("16", 0x9fc00 - 999, 0, "is not all RAM");
	refuse_flat("16", 0xe0000, 0, "is not all RAM");
	refuse_flat("32", FIXTURE_RAM_SIZE - 999, 0, "is not all RAM");
	refuse_flat("32", MEMORY_HIGH_GPA, 0, "is not all RAM");
	refuse_flat("64", UINT64_MAX - 500, 0, "wrap");
	refuse_flat("64", UINT64_MAX - 1, 0, "wrap");
}

static void test_flat_has_no_modules(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_boot_sector(&f);
	f.context.initrd = &f.initrd;
	fixture_refused(&f, "leave them away");
	f.context.initrd = NULL;
	f.context.modules = f.modules;
	f.context.module_count = 1;
	fixture_refused(&f, "leave them away");
	fixture_free(&f);
}

static void test_empty_file(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	fixture_refused(&f, "the file is empty");
	fixture_free(&f);
}

/* A file of another kind is called by its name. */
static void test_strangers(void **state)
{
	static const struct {
		const char *bytes, *words;
	} cases[] = {
		{ "\x1f\x8b\x08", "packed with gzip" },
		{ "\xfd\x37zXZ", "packed with xz" },
		{ "\x28\xb5\x2f\xfd", "packed with zstd" },
		{ "BZh9", "packed with bzip2" },
		{ "!<arch>\n", "an archive" },
		{ "MZ\x90", "a program for EFI" },
		{ "#!/bin/sh", "no bzImage, no ELF kernel" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		fixture_init(&f);
		build_flat(&f);
		memcpy(f.image, cases[i].bytes, strlen(cases[i].bytes));
		fixture_refused(&f, cases[i].words);
		f.kernel.size = 1;
		fixture_refused(&f, "format not recognised");
		fixture_free(&f);
	}
}

/* ---- firmware ------------------------------------------------------------ */

static void build_firmware(struct fixture *f, size_t size)
{
	for (size_t i = 0; i < size; i++)
		f->image[i] = (uint8_t)(i * 13 + (i >> 12));
	fixture_set(f, size - 16, 1, 0xea);
	f->kernel.size = size;
	f->context.kernel = NULL;
	f->context.firmware = &f->kernel;
}

static void test_firmware(void **state)
{
	static const size_t sizes[] = { 0x1000, 0x10000, 0x20000, 0x40000 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const size_t size = sizes[i];
		struct fixture f;

		fixture_init(&f);
		build_firmware(&f, size);
		fixture_load(&f);
		assert_string_equal(f.context.protocol, "firmware");
		assert_int_equal(f.context.rom.gpa, 0x100000000 - size);
		assert_int_equal(f.context.rom.size, size);
		assert_ptr_equal(f.context.rom.bytes, f.image);
		assert_true(f.context.shadow_ram);
		assert_memory_equal(f.context.ram + 0x100000 - size, f.image, size);
		assert_int_equal(fixture_ram(&f, 0x100000 - size - 1, 1), 0xaa);
		assert_int_equal(fixture_ram(&f, 0x100000, 1), 0xaa);
		assert_int_equal(f.context.sregs.cs.base + f.context.regs.rip, 0xfffffff0);
		assert_int_equal(f.context.sregs.cs.selector, 0xf000);
		assert_int_equal(f.context.sregs.cr0, CR0_CD | CR0_NW | CR0_ET);
		fixture_free(&f);
	}
}

static void refuse_firmware(size_t size, uint8_t first_byte, const char *words)
{
	struct fixture f;

	fixture_init(&f);
	build_firmware(&f, 0x60000);
	f.kernel.size = size;
	if (size >= 16)
		f.image[size - 16] = first_byte;
	fixture_refused(&f, words);
	fixture_free(&f);
}

static void test_firmware_refused(void **state)
{
	struct fixture f;

	(void)state;
	refuse_firmware(0, 0, "not a multiple of 4096");
	refuse_firmware(0x20001, 0xea, "not a multiple of 4096");
	refuse_firmware(0x41000, 0xea, "is the most");
	refuse_firmware(0x20000, 0xff, "no code at 0x1fff0");
	refuse_firmware(0x20000, 0x00, "no code at 0x1fff0");

	fixture_init(&f);
	build_firmware(&f, 0x20000);
	f.context.kernel = &f.kernel;
	fixture_refused(&f, "leave the kernel away");
	fixture_free(&f);
}

/* What one load leaves must not be taken for the next one's. */
static void test_results_are_cleared(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_firmware(&f, 0x20000);
	fixture_load(&f);
	f.context.firmware = NULL;
	f.context.kernel = &f.kernel;
	f.context.flat_mode = "32";
	fixture_load(&f);
	assert_int_equal(f.context.rom.size, 0);
	assert_false(f.context.shadow_ram);
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_boot_sector_is_recognised),
		cmocka_unit_test(test_16_elsewhere),
		cmocka_unit_test(test_32),
		cmocka_unit_test(test_64),
		cmocka_unit_test(test_tables_give_way),
		cmocka_unit_test(test_flat_refused),
		cmocka_unit_test(test_flat_has_no_modules),
		cmocka_unit_test(test_empty_file),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_firmware),
		cmocka_unit_test(test_firmware_refused),
		cmocka_unit_test(test_results_are_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
