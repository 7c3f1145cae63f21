/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* ELF kernels by their PVH note, and by their entry where they have none. */

#include "tests/unit/boot_elf.h"

#define PVH_ENTRY (TEXT_GPA + 0x80)

static void set_note(struct fixture *f, uint32_t size, uint64_t entry)
{
	fixture_set(f, NOTE_OFFSET, 4, 4);
	fixture_set(f, NOTE_OFFSET + 4, 4, 4);
	fixture_set(f, NOTE_OFFSET + 8, 4, 1); /* another note before it */
	memcpy(f->image + NOTE_OFFSET + 12, "GNU", 4);
	fixture_set(f, NOTE_OFFSET + 16, 4, 0);

	fixture_set(f, NOTE_OFFSET + 20, 4, 4);
	fixture_set(f, NOTE_OFFSET + 24, 4, size);
	fixture_set(f, NOTE_OFFSET + 28, 4, 18);
	memcpy(f->image + NOTE_OFFSET + 32, "Xen", 4);
	fixture_set(f, NOTE_OFFSET + 36, 8, entry);
}

static void build(struct fixture *f)
{
	build_elf64(f);
	fixture_set(f, PHDR64(2, p_type), 4, PT_NOTE);
	fixture_set(f, PHDR64(2, p_offset), 8, NOTE_OFFSET);
	fixture_set(f, PHDR64(2, p_filesz), 8, 44);
	fixture_set(f, PHDR64(2, p_align), 8, 4);
	set_note(f, 8, PVH_ENTRY);
}

static void build_32(struct fixture *f)
{
	build_elf32(f);
	fixture_set(f, PHDR32(2, p_type), 4, PT_NOTE);
	fixture_set(f, PHDR32(2, p_offset), 4, NOTE_OFFSET);
	fixture_set(f, PHDR32(2, p_filesz), 4, 40);
	set_note(f, 4, PVH_ENTRY);
}

static void test_pvh(void **state)
{
	void (*const builds[])(struct fixture *) = { build, build_32 };

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		struct fixture f;

		fixture_init(&f);
		builds[i](&f);
		fixture_load(&f);
		assert_string_equal(f.context.protocol, "PVH");
		elf_is_loaded(&f, 0);
		fixture_is_protected_mode(&f);
		assert_int_equal(f.context.regs.rip, PVH_ENTRY);
		assert_int_equal(f.context.regs.rbx, BOOT_PARAMETERS_GPA);
		assert_int_equal(f.context.sregs.cr0 & ~CR0_ET, CR0_PE);
		assert_int_equal(f.context.sregs.cr4, 0);
		assert_int_equal(f.context.sregs.tr.base, 0);
		assert_int_equal(f.context.sregs.tr.limit, 0x67);
		fixture_free(&f);
	}
}

static void test_start_info(void **state)
{
	static const uint8_t bytes[2][5000] = { { 1, 2, 3 }, { 4, 5, 6 } };
	struct fixture f;
	uint64_t info, entry;

	(void)state;
	fixture_init(&f);
	build(&f);
	f.initrd = (struct boot_file){ .name = "initrd", .bytes = bytes[0], .size = 5000 };
	f.modules[0] = (struct boot_file){
		.name = "module", .arguments = "x y", .bytes = bytes[1], .size = 123
	};
	f.context.initrd = &f.initrd;
	f.context.modules = f.modules;
	f.context.module_count = 1;
	fixture_load(&f);
	info = f.context.regs.rbx;
	assert_int_equal(fixture_ram(&f, info, 4), 0x336ec578);
	assert_int_equal(fixture_ram(&f, info + 4, 4), 1);
	assert_int_equal(fixture_ram(&f, info + 8, 4), 0);
	assert_int_equal(fixture_ram(&f, info + 12, 4), 2);
	assert_string_equal((char *)f.context.ram + fixture_ram(&f, info + 24, 8),
			    "console=ttyS0 quiet");
	assert_int_equal(fixture_ram(&f, info + 32, 8), FIXTURE_RSDP);
	assert_int_equal(fixture_ram(&f, info + 48, 4), f.map.count);
	assert_int_equal(fixture_ram(&f, info + 52, 4), 0);

	entry = fixture_ram(&f, info + 40, 8);
	for (unsigned int i = 0; i < f.map.count; i++, entry += 24) {
		assert_int_equal(fixture_ram(&f, entry, 8), f.map.ranges[i].gpa);
		assert_int_equal(fixture_ram(&f, entry + 8, 8), f.map.ranges[i].size);
		assert_int_equal(fixture_ram(&f, entry + 16, 8), f.map.ranges[i].type);
	}

	entry = fixture_ram(&f, info + 16, 8);
	assert_int_equal(fixture_ram(&f, entry, 8), FIXTURE_RAM_SIZE - 0x2000);
	assert_int_equal(fixture_ram(&f, entry + 8, 8), 5000);
	assert_int_equal(fixture_ram(&f, entry + 16, 8), 0);
	assert_int_equal(fixture_ram(&f, entry + 32, 8), FIXTURE_RAM_SIZE - 0x3000);
	assert_int_equal(fixture_ram(&f, entry + 40, 8), 123);
	assert_string_equal((char *)f.context.ram + fixture_ram(&f, entry + 48, 8), "x y");
	assert_memory_equal(f.context.ram + FIXTURE_RAM_SIZE - 0x2000, bytes[0], 5000);
	assert_memory_equal(f.context.ram + FIXTURE_RAM_SIZE - 0x3000, bytes[1], 123);
	assert_int_equal(f.context.initrd_gpa, FIXTURE_RAM_SIZE - 0x2000);
	fixture_free(&f);
}

static void test_vmlinux(void **state)
{
	static const uint8_t bytes[5000] = { 1, 2, 3 };
	struct fixture f;
	uint64_t page;

	(void)state;
	fixture_init(&f);
	build_elf64(&f);
	f.initrd = (struct boot_file){ .name = "initrd", .bytes = bytes, .size = 5000 };
	f.context.initrd = &f.initrd;
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "vmlinux 64-bit");
	elf_is_loaded(&f, 0);
	fixture_is_long_mode(&f);
	assert_int_equal(f.context.regs.rip, ELF_ENTRY); /* virtual in the file */
	page = f.context.regs.rsi;
	assert_int_equal(fixture_ram(&f, page + 0x1fe, 2), 0xaa55);
	assert_int_equal(fixture_ram(&f, page + 0x202, 4), 0x53726448);
	assert_int_equal(fixture_ram(&f, page + 0x210, 1), 0xff);
	assert_int_equal(fixture_ram(&f, page + 0x218, 4), FIXTURE_RAM_SIZE - 0x2000);
	assert_int_equal(fixture_ram(&f, page + 0x21c, 4), 5000);
	assert_int_equal(fixture_ram(&f, page + 0x1e8, 1), f.map.count);
	assert_string_equal((char *)f.context.ram + fixture_ram(&f, page + 0x228, 4),
			    "console=ttyS0 quiet");

	/* Linux gives the entry's physical address where the standard wants a virtual one. */
	fixture_set(&f, EHDR64(e_entry), 8, ELF_ENTRY + 4);
	fixture_load(&f);
	assert_int_equal(f.context.regs.rip, ELF_ENTRY + 4);
	fixture_free(&f);
}

static void test_32_bit_without_note(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_elf32(&f);
	fixture_refused(&f, "nothing says how to start it");
	fixture_free(&f);
}

static void test_damaged_elf64(void **state)
{
	static const struct damage damages[] = {
		{ .words = "ends inside it, after 15", .cut = 15 },
		{ .words = "ends inside it, after 63", .cut = 63 },
		{ .words = "e_phoff at 0x20", .cut = 64 + 3 * 56 - 1 },
		{ .words = "program header 0 at 0x40: p_offset", .cut = TEXT_OFFSET + 1 },
		{ .words = "EI_CLASS at 0x4", .offset = 4, .size = 1, .value = 0 },
		{ .words = "EI_DATA at 0x5", .offset = 5, .size = 1, .value = 0 },
		{ .words = "EI_VERSION at 0x6", .offset = 6, .size = 1, .value = 2 },
		{ .words = "e_type at 0x10 is 4", .offset = 0x10, .size = 2, .value = ET_CORE },
		{ .words = "e_machine at 0x12", .offset = 0x12, .size = 2, .value = EM_AARCH64 },
		{ .words = "e_phoff at 0x20", .offset = 0x20, .size = 8, .value = UINT64_MAX },
		{ .words = "e_phoff at 0x20", .offset = 0x20, .size = 8, .value = ELF_SIZE - 167 },
		{ .words = "e_phentsize at 0x36", .offset = 0x36, .size = 2, .value = 32 },
		{ .words = "e_phnum at 0x38", .offset = 0x38, .size = 2, .value = 0 },
		{ .words = "e_phoff at 0x20", .offset = 0x38, .size = 2, .value = 0xfffe },
		{ .words = "p_offset 0xffff",
		  .offset = PHDR64(0, p_offset),
		  .size = 8,
		  .value = UINT64_MAX - 100 },
		{ .words = "p_filesz 0xffff",
		  .offset = PHDR64(0, p_filesz),
		  .size = 8,
		  .value = UINT64_MAX },
		{ .words = "larger than p_memsz",
		  .offset = PHDR64(0, p_memsz),
		  .size = 8,
		  .value = TEXT_SIZE - 1 },
		{ .words = "wrap", .offset = PHDR64(1, p_memsz), .size = 8, .value = UINT64_MAX },
		{ .words = "wrap",
		  .offset = PHDR64(1, p_paddr),
		  .size = 8,
		  .value = UINT64_MAX - 100 },
		{ .words = "is not all RAM",
		  .offset = PHDR64(1, p_memsz),
		  .size = 8,
		  .value = FIXTURE_RAM_SIZE },
		{ .words = "is not all RAM",
		  .offset = PHDR64(1, p_paddr),
		  .size = 8,
		  .value = MEMORY_HIGH_GPA },
		{ .words = "is not all RAM",
		  .offset = PHDR64(1, p_paddr),
		  .size = 8,
		  .value = MEMORY_EBDA_GPA - 0x1000 },
		{ .words = "program header 1 at 0x78: p_paddr: 0x200000 to 0x205432 overlaps",
		  .offset = PHDR64(1, p_paddr),
		  .size = 8,
		  .value = TEXT_GPA },
	};
	static const struct damage unloadable[] = {
		{ .words = "e_entry at 0x18", .offset = 0x18, .size = 8, .value = 0 },
		{ .words = "e_entry at 0x18", .offset = 0x18, .size = 8, .value = UINT64_MAX },
		{ .words = "e_entry at 0x18",
		  .offset = 0x18,
		  .size = 8,
		  .value = TEXT_GPA + TEXT_SIZE },
	};

	(void)state;
	fixture_damages(damages, sizeof(damages) / sizeof(damages[0]), build);
	fixture_damages(damages, sizeof(damages) / sizeof(damages[0]), build_elf64);
	fixture_damages(unloadable, sizeof(unloadable) / sizeof(unloadable[0]), build_elf64);
}

static void test_damaged_note(void **state)
{
	static const struct damage damages[] = {
		{ .words = "PVH note at 0x3014: its descriptor has 2 bytes",
		  .offset = NOTE_OFFSET + 24,
		  .size = 4,
		  .value = 2 },
		{ .words = "PVH note at 0x3014: the entry is 0",
		  .offset = NOTE_OFFSET + 36,
		  .size = 8,
		  .value = 0 },
		{ .words = "PVH note at 0x3014: the entry is 0x1",
		  .offset = NOTE_OFFSET + 36,
		  .size = 8,
		  .value = 0x100200080 },
	};
	/* A note that cannot be read is none: the image is then taken by its entry. */
	static const struct {
		size_t offset;
		unsigned int size;
		uint64_t value;
	} unreadable[] = {
		{ PHDR64(2, p_offset), 8, ELF_SIZE }, { PHDR64(2, p_filesz), 8, UINT64_MAX },
		{ PHDR64(2, p_filesz), 8, 43 },	      { NOTE_OFFSET, 4, 0xffffffff },
		{ NOTE_OFFSET + 4, 4, 0xfffffffc },   { NOTE_OFFSET + 20, 4, 3 },
		{ NOTE_OFFSET + 24, 4, 0xffffffff },  { NOTE_OFFSET + 28, 4, 17 },
		{ NOTE_OFFSET + 32, 1, 'x' },
	};

	(void)state;
	fixture_damages(damages, sizeof(damages) / sizeof(damages[0]), build);
	for (size_t i = 0; i < sizeof(unreadable) / sizeof(unreadable[0]); i++) {
		struct fixture f;

		fixture_init(&f);
		build(&f);
		fixture_set(&f, unreadable[i].offset, unreadable[i].size, unreadable[i].value);
		fixture_load(&f);
		assert_string_equal(f.context.protocol, "vmlinux 64-bit");
		fixture_free(&f);
	}
}

static void test_nothing_to_load(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_set(&f, PHDR64(0, p_type), 4, PT_NULL);
	fixture_set(&f, PHDR64(1, p_type), 4, PT_NULL);
	fixture_refused(&f, "there is nothing to load");
	fixture_free(&f);
}

static void test_too_many_segments(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_set(&f, EHDR64(e_phoff), 8, 0x8000);
	fixture_set(&f, EHDR64(e_phnum), 2, 200);
	for (unsigned int i = 0; i < 200; i++) {
		const Elf64_Phdr segment = { .p_type = PT_LOAD,
					     .p_paddr = TEXT_GPA + i * 0x1000,
					     .p_memsz = 0x1000 };

		memcpy(f.image + 0x8000 + i * sizeof(segment), &segment, sizeof(segment));
	}
	f.kernel.size = 0x10000;
	fixture_refused(&f, "more than 128 loadable segments");
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pvh),
		cmocka_unit_test(test_start_info),
		cmocka_unit_test(test_vmlinux),
		cmocka_unit_test(test_32_bit_without_note),
		cmocka_unit_test(test_damaged_elf64),
		cmocka_unit_test(test_damaged_note),
		cmocka_unit_test(test_nothing_to_load),
		cmocka_unit_test(test_too_many_segments),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
