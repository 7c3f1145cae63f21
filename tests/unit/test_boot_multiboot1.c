/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Multiboot 1, as its specification's chapter 3 has it: 32-bit and 64-bit ELF and address fields. */

#include "tests/unit/boot_elf.h"

#define MAGIC	  0x1badb002u
#define HEADER_AT (TEXT_OFFSET + 0x100)

static void set_header(struct fixture *f, size_t at, uint32_t flags)
{
	fixture_set(f, at, 4, MAGIC);
	fixture_set(f, at + 4, 4, flags);
	fixture_set(f, at + 8, 4, -(MAGIC + flags));
}

static void build(struct fixture *f)
{
	build_elf32(f);
	set_header(f, HEADER_AT, 3);
}

static void build_64(struct fixture *f)
{
	build_elf64(f);
	set_header(f, HEADER_AT, 3);
}

/* The whole file at 1 MiB, with the header at 0x20 and some zeroed memory behind it. */
#define KLUDGE_GPA  0x100000u
#define KLUDGE_SIZE 0x400u
static void build_addresses(struct fixture *f)
{
	for (unsigned int i = 0; i < KLUDGE_SIZE; i++)
		f->image[i] = (uint8_t)(i * 5 + 3);
	set_header(f, 0x20, 0x10003);
	fixture_set(f, 0x2c, 4, KLUDGE_GPA + 0x20);	   /* header_addr */
	fixture_set(f, 0x30, 4, KLUDGE_GPA);		   /* load_addr */
	fixture_set(f, 0x34, 4, KLUDGE_GPA + KLUDGE_SIZE); /* load_end_addr */
	fixture_set(f, 0x38, 4, KLUDGE_GPA + 0x2000);	   /* bss_end_addr */
	fixture_set(f, 0x3c, 4, KLUDGE_GPA + 0x80);	   /* entry_addr */
	f->kernel.size = KLUDGE_SIZE;
}

static void test_elf(void **state)
{
	void (*const builds[])(struct fixture *) = { build, build_64 };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct fixture f;

		fixture_init(&f);
		builds[i](&f);
		fixture_load(&f);
		assert_string_equal(f.context.protocol, "Multiboot 1");
		elf_is_loaded(&f, 0);
		fixture_is_protected_mode(&f);
		assert_int_equal(f.context.regs.rip, ELF_ENTRY);
		assert_int_equal(f.context.regs.rax, 0x2badb002);
		assert_int_equal(f.context.regs.rbx, BOOT_PARAMETERS_GPA);
		fixture_free(&f);
	}
}

static void test_information(void **state)
{
	struct fixture f;
	uint64_t info, map;

	(void)state;
	fixture_init(&f);
	build(&f);
	f.kernel.name = "x86/smptest.flat";
	f.context.command_line = "a=1 b";
	fixture_load(&f);
	info = f.context.regs.rbx;
	assert_int_equal(fixture_ram(&f, info, 4), 1 << 0 | 1 << 2 | 1 << 3 | 1 << 6 | 1 << 9);
	assert_int_equal(fixture_ram(&f, info + 4, 4), 639);
	assert_int_equal(fixture_ram(&f, info + 8, 4), (FIXTURE_RAM_SIZE >> 10) - 1024);
	assert_string_equal((char *)f.context.ram + fixture_ram(&f, info + 16, 4),
			    "x86/smptest.flat a=1 b");
	assert_int_equal(fixture_ram(&f, info + 20, 4), 0); /* modules */
	assert_string_equal((char *)f.context.ram + fixture_ram(&f, info + 64, 4), "hutch");
	for (unsigned int i = 72; i < 116; i++)
		assert_int_equal(fixture_ram(&f, info + i, 1), 0); /* video */

	assert_int_equal(fixture_ram(&f, info + 44, 4), f.map.count * 24);
	map = fixture_ram(&f, info + 48, 4);
	for (unsigned int i = 0; i < f.map.count; i++, map += 24) {
		assert_int_equal(fixture_ram(&f, map, 4), 20);
		assert_int_equal(fixture_ram(&f, map + 4, 8), f.map.ranges[i].gpa);
		assert_int_equal(fixture_ram(&f, map + 12, 8), f.map.ranges[i].size);
		assert_int_equal(fixture_ram(&f, map + 20, 4), f.map.ranges[i].type);
	}
	fixture_free(&f);
}

static void test_modules(void **state)
{
	static const uint8_t bytes[3][5000] = { { 1, 2, 3 }, { 4, 5, 6 }, { 7, 8, 9 } };
	static const char *const strings[] = { "env", "second with arguments", "third" };
	static const size_t sizes[] = { 5000, 4096, 0 };
	struct fixture f;
	uint64_t info, entry;

	(void)state;
	fixture_init(&f);
	build(&f);
	f.initrd = (struct boot_file){ .name = "env", .bytes = bytes[0], .size = 5000 };
	f.modules[0] = (struct boot_file){ .name = "second with arguments",
					   .arguments = "with arguments",
					   .bytes = bytes[1],
					   .size = 4096 };
	f.modules[1] = (struct boot_file){ .name = "third", .bytes = bytes[2], .size = 0 };
	f.context.initrd = &f.initrd;
	f.context.modules = f.modules;
	f.context.module_count = 2;
	fixture_load(&f);
	info = f.context.regs.rbx;
	assert_int_equal(fixture_ram(&f, info + 20, 4), 3);
	entry = fixture_ram(&f, info + 24, 4);
	for (unsigned int i = 0; i < 3; i++, entry += 16) {
		const uint64_t start = fixture_ram(&f, entry, 4);

		assert_int_equal(fixture_ram(&f, entry + 4, 4) - start, sizes[i]);
		assert_memory_equal(f.context.ram + start, bytes[i], sizes[i]);
		assert_int_equal(start % 4096, 0);
		if (sizes[i])
			assert_true(start >= f.context.kernel_end_gpa);
		assert_string_equal((char *)f.context.ram + fixture_ram(&f, entry + 8, 4),
				    strings[i]);
		assert_int_equal(fixture_ram(&f, entry + 12, 4), 0);
	}
	assert_int_equal(f.context.initrd_size, 5000);

	f.modules[0].size = FIXTURE_RAM_SIZE;
	fixture_refused(&f, "module second with arguments: no room");
	f.context.module_count = 1000;
	fixture_refused(&f, "modules: 1001 are more than");
	fixture_free(&f);
}

/* A kernel that lies where the tables usually do, as kvm-unit-tests' realmode test. */
static void test_low_kernel(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_set(&f, PHDR32(0, p_paddr), 4, 0x1000);
	fixture_set(&f, PHDR32(0, p_memsz), 4, 0x20000);
	fixture_load(&f);
	assert_memory_equal(f.context.ram + 0x1000, f.image + TEXT_OFFSET, TEXT_SIZE);
	assert_true(f.context.regs.rbx >= 0x21000);
	assert_true(f.context.sregs.gdt.base >= 0x21000);
	assert_true(fixture_ram(&f, f.context.regs.rbx + 16, 4) >= 0x21000);
	fixture_free(&f);
}

static void test_addresses(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_addresses(&f);
	fixture_load(&f);
	assert_memory_equal(f.context.ram + KLUDGE_GPA, f.image, KLUDGE_SIZE);
	for (unsigned int i = KLUDGE_SIZE; i < 0x2000; i++)
		assert_int_equal(fixture_ram(&f, KLUDGE_GPA + i, 1), 0);
	assert_int_equal(fixture_ram(&f, KLUDGE_GPA + 0x2000, 1), 0xaa);
	assert_int_equal(f.context.regs.rip, KLUDGE_GPA + 0x80);
	fixture_is_protected_mode(&f);

	/* Part of the file; no end given: all of it and nothing behind. */
	memset(f.context.ram, 0xaa, FIXTURE_RAM_SIZE);
	fixture_set(&f, 0x30, 4, KLUDGE_GPA + 0x10);
	fixture_set(&f, 0x34, 4, 0);
	fixture_set(&f, 0x38, 4, 0);
	fixture_load(&f);
	assert_int_equal(fixture_ram(&f, KLUDGE_GPA + 0xf, 1), 0xaa);
	assert_memory_equal(f.context.ram + KLUDGE_GPA + 0x10, f.image + 0x10, KLUDGE_SIZE - 0x10);
	assert_int_equal(fixture_ram(&f, KLUDGE_GPA + KLUDGE_SIZE, 1), 0xaa);
	assert_int_equal(f.context.kernel_end_gpa, KLUDGE_GPA + KLUDGE_SIZE);
	fixture_free(&f);
}

/* In the last place of the first 8 KiB it counts; after that, or off by a byte, it doesn't. */
static void test_search(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_elf32(&f);
	set_header(&f, 8192 - 12, 0);
	fixture_load(&f);
	memset(f.image + 8192 - 12, 0, 12);
	set_header(&f, 8192 - 8, 0);
	fixture_refused(&f, "neither a Multiboot header nor a PVH note");
	memset(f.image + 8192 - 12, 0, 12);
	set_header(&f, HEADER_AT + 2, 0);
	fixture_refused(&f, "neither a Multiboot header nor a PVH note");
	set_header(&f, HEADER_AT, 0x10000);
	fixture_set(&f, HEADER_AT + 8, 4, 1);
	fixture_refused(&f,
			"Multiboot header at 0x1100: checksum at 0x1108 is 0x1, and 0xe4514ffe");
	fixture_free(&f);
}

static void test_unknown_flags(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	set_header(&f, HEADER_AT, 7); /* video: known, and answered by no video information */
	fixture_load(&f);
	set_header(&f, HEADER_AT, 1 << 20); /* unknown and optional */
	fixture_load(&f);
	set_header(&f, HEADER_AT, 1 << 5);
	fixture_refused(&f, "Multiboot header at 0x1100: flags at 0x1104 are 0x20");
	fixture_free(&f);
}

static void test_damaged_elf32(void **state)
{
	static const struct damage damages[] = {
		{ .words = "EI_CLASS at 0x4", .offset = 4, .size = 1, .value = 3 },
		{ .words = "EI_DATA at 0x5", .offset = 5, .size = 1, .value = 2 },
		{ .words = "EI_VERSION at 0x6", .offset = 6, .size = 1, .value = 0 },
		{ .words = "e_type at 0x10 is 1", .offset = 0x10, .size = 2, .value = ET_REL },
		{ .words = "e_machine at 0x12", .offset = 0x12, .size = 2, .value = EM_ARM },
		{ .words = "e_entry at 0x18", .offset = 0x18, .size = 4, .value = 0x12345678 },
		{ .words = "e_phoff at 0x1c", .offset = 0x1c, .size = 4, .value = ELF_SIZE - 95 },
		{ .words = "e_phoff at 0x1c", .offset = 0x1c, .size = 4, .value = 0xffffffff },
		{ .words = "e_phentsize at 0x2a", .offset = 0x2a, .size = 2, .value = 56 },
		{ .words = "e_phnum at 0x2c", .offset = 0x2c, .size = 2, .value = 0 },
		{ .words = "e_phnum at 0x2c", .offset = 0x2c, .size = 2, .value = 0xffff },
		{ .words = "p_offset",
		  .offset = PHDR32(0, p_offset),
		  .size = 4,
		  .value = ELF_SIZE },
		{ .words = "p_filesz",
		  .offset = PHDR32(0, p_filesz),
		  .size = 4,
		  .value = ELF_SIZE },
		{ .words = "larger than p_memsz",
		  .offset = PHDR32(1, p_memsz),
		  .size = 4,
		  .value = DATA_SIZE - 1 },
		{ .words = "not all RAM",
		  .offset = PHDR32(1, p_memsz),
		  .size = 4,
		  .value = 0xffffffff },
		{ .words = "not all RAM",
		  .offset = PHDR32(0, p_paddr),
		  .size = 4,
		  .value = 0xe0000 },
		{ .words = "not all RAM",
		  .offset = PHDR32(0, p_paddr),
		  .size = 4,
		  .value = 0xfffff000 },
		{ .words = "overlaps the kernel",
		  .offset = PHDR32(0, p_paddr),
		  .size = 4,
		  .value = DATA_GPA + 0x100 },
	};

	(void)state;
	fixture_damages(damages, sizeof(damages) / sizeof(damages[0]), build);
}

static void test_damaged_addresses(void **state)
{
	static const struct damage damages[] = {
		{ .words = "address fields: it is torn", .cut = 0x3f },
		{ .words = "load_end_addr at 0x34", .cut = KLUDGE_SIZE - 1 },
		{ .words = "load_addr at 0x30 is 0, which belongs", .offset = 0x30, .size = 4 },
		{ .words = "load_addr at 0x30 is 0x100021, above",
		  .offset = 0x30,
		  .size = 4,
		  .value = KLUDGE_GPA + 0x21 },
		{ .words = "header_addr at 0x2c",
		  .offset = 0x2c,
		  .size = 8,
		  .value = 0xffffffff00000000 },
		{ .words = "load_end_addr at 0x34",
		  .offset = 0x34,
		  .size = 4,
		  .value = KLUDGE_GPA - 1 },
		{ .words = "leaves nothing", .offset = 0x34, .size = 8, .value = KLUDGE_GPA },
		{ .words = "load_end_addr at 0x34",
		  .offset = 0x34,
		  .size = 4,
		  .value = 0xffffffff },
		{ .words = "bss_end_addr at 0x38",
		  .offset = 0x38,
		  .size = 4,
		  .value = KLUDGE_GPA + KLUDGE_SIZE - 1 },
		{ .words = "is not all RAM", .offset = 0x38, .size = 4, .value = 0xffffffff },
		{ .words = "entry_addr at 0x3c",
		  .offset = 0x3c,
		  .size = 4,
		  .value = KLUDGE_GPA + 0x2000 },
		{ .words = "entry_addr at 0x3c", .offset = 0x3c, .size = 4, .value = 0 },
	};

	(void)state;
	fixture_damages(damages, sizeof(damages) / sizeof(damages[0]), build_addresses);
}

static void test_neither_elf_nor_addresses(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	set_header(&f, 0x20, 3);
	f.kernel.size = 0x100;
	fixture_refused(&f, "nothing says where to load it");
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_information),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_low_kernel),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_unknown_flags),
		cmocka_unit_test(test_damaged_elf32),
		cmocka_unit_test(test_damaged_addresses),
		cmocka_unit_test(test_neither_elf_nor_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
