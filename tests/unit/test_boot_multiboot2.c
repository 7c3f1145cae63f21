/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Multiboot 2: the header's tags, one by one and torn, and the information's. */

#include "tests/unit/boot_elf.h"

#define MAGIC	  0xe85250d6u
#define HEADER_AT (TEXT_OFFSET + 0x100)
#define OPTIONAL  (1u << 16)

/* Where the next header tag goes; set_header() starts anew, end_header() closes it. */
static size_t tag_at;

static void set_tag(struct fixture *f, uint32_t type_and_flags, uint32_t size)
{
	fixture_set(f, tag_at, 4, type_and_flags);
	fixture_set(f, tag_at + 4, 4, size);
	tag_at += (size + 7) & ~7u;
}

static void set_lengths(struct fixture *f, size_t at, uint32_t architecture, uint32_t length)
{
	fixture_set(f, at, 4, MAGIC);
	fixture_set(f, at + 4, 4, architecture);
	fixture_set(f, at + 8, 4, length);
	fixture_set(f, at + 12, 4, -(MAGIC + architecture + length));
}

static void end_header(struct fixture *f, size_t at)
{
	set_tag(f, 0, 8);
	set_lengths(f, at, 0, (uint32_t)(tag_at - at));
}

static void build(struct fixture *f)
{
	build_elf64(f);
	tag_at = HEADER_AT + 16;
	end_header(f, HEADER_AT);
}

static void build_addresses(struct fixture *f)
{
	for (unsigned int i = 0; i < 0x400; i++)
		f->image[i] = (uint8_t)(i * 5 + 3);
	tag_at = 0x40 + 16;
	set_tag(f, 2, 24); /* at 0x50 */
	fixture_set(f, 0x58, 4, 0x100040);
	fixture_set(f, 0x5c, 4, 0x100000);
	fixture_set(f, 0x60, 4, 0x100400);
	fixture_set(f, 0x64, 4, 0x102000);
	set_tag(f, 3, 12); /* at 0x68 */
	fixture_set(f, 0x70, 4, 0x100080);
	end_header(f, 0x40);
	f->kernel.size = 0x400;
}

/* The payload of the information's tag of @type, or 0; its size in @size. */
static uint64_t find_information(const struct fixture *f, uint32_t type, uint32_t *size)
{
	const uint64_t info = f->context.regs.rbx;
	const uint64_t end = info + fixture_ram(f, info, 4);

	assert_int_equal(info % 8, 0);
	for (uint64_t at = info + 8; at < end;) {
		const uint32_t length = (uint32_t)fixture_ram(f, at + 4, 4);

		assert_true(length >= 8 && at + length <= end);
		if (fixture_ram(f, at, 4) == type) {
			*size = length - 8;
			return at + 8;
		}
		if (fixture_ram(f, at, 4) == 0) {
			assert_int_equal(at + 8, end);
			return 0;
		}
		at += (length + 7) & ~7u;
	}
	fail_msg("the information has no end tag");
	return 0;
}

static void test_elf(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "Multiboot 2");
	elf_is_loaded(&f, 0);
	fixture_is_protected_mode(&f);
	assert_int_equal(f.context.regs.rip, ELF_ENTRY);
	assert_int_equal(f.context.regs.rax, 0x36d76289);
	assert_int_equal(f.context.regs.rbx, BOOT_PARAMETERS_GPA);
	fixture_free(&f);
}

static void test_information(void **state)
{
	static const uint32_t absent[] = { 3, 5, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21 };
	struct fixture f;
	uint64_t at;
	uint32_t size = 0;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_load(&f);
	at = find_information(&f, 1, &size);
	assert_string_equal((char *)f.context.ram + at, "console=ttyS0 quiet");
	assert_int_equal(size, sizeof("console=ttyS0 quiet"));
	at = find_information(&f, 2, &size);
	assert_string_equal((char *)f.context.ram + at, "hutch");
	at = find_information(&f, 4, &size);
	assert_int_equal(fixture_ram(&f, at, 4), 639);
	assert_int_equal(fixture_ram(&f, at + 4, 4), (FIXTURE_RAM_SIZE >> 10) - 1024);

	at = find_information(&f, 6, &size);
	assert_int_equal(size, 8 + 24 * f.map.count);
	assert_int_equal(fixture_ram(&f, at, 8), 24);
	for (unsigned int i = 0; i < f.map.count; i++) {
		assert_int_equal(fixture_ram(&f, at + 8 + i * 24, 8), f.map.ranges[i].gpa);
		assert_int_equal(fixture_ram(&f, at + 16 + i * 24, 8), f.map.ranges[i].size);
		assert_int_equal(fixture_ram(&f, at + 24 + i * 24, 8), f.map.ranges[i].type);
	}

	at = find_information(&f, 14, &size);
	assert_int_equal(size, 20);
	assert_memory_equal(f.context.ram + at, f.rsdp, 20);
	at = find_information(&f, 15, &size);
	assert_int_equal(size, sizeof(f.rsdp));
	assert_memory_equal(f.context.ram + at, f.rsdp, sizeof(f.rsdp));
	for (unsigned int i = 0; i < sizeof(absent) / sizeof(absent[0]); i++)
		assert_int_equal(find_information(&f, absent[i], &size), 0);

	f.context.rsdp = NULL;
	fixture_load(&f);
	assert_int_equal(find_information(&f, 14, &size), 0);
	assert_int_equal(find_information(&f, 15, &size), 0);
	fixture_free(&f);
}

static void test_modules(void **state)
{
	static const uint8_t bytes[2][5000] = { { 1, 2, 3 }, { 4, 5, 6 } };
	struct fixture f;
	uint64_t at;
	uint32_t size = 0;

	(void)state;
	fixture_init(&f);
	build(&f);
	f.initrd = (struct boot_file){ .name = "first", .bytes = bytes[0], .size = 5000 };
	f.modules[0] = (struct boot_file){ .name = "second a b", .bytes = bytes[1], .size = 77 };
	f.context.initrd = &f.initrd;
	f.context.modules = f.modules;
	f.context.module_count = 1;
	fixture_load(&f);
	at = find_information(&f, 3, &size);
	assert_int_equal(fixture_ram(&f, at, 4) % 4096, 0);
	assert_int_equal(fixture_ram(&f, at + 4, 4) - fixture_ram(&f, at, 4), 5000);
	assert_memory_equal(f.context.ram + fixture_ram(&f, at, 4), bytes[0], 5000);
	assert_string_equal((char *)f.context.ram + at + 8, "first");
	at = (at + size + 7) & ~7ull; /* the next tag */
	assert_int_equal(fixture_ram(&f, at, 4), 3);
	assert_memory_equal(f.context.ram + fixture_ram(&f, at + 8, 4), bytes[1], 77);
	assert_string_equal((char *)f.context.ram + at + 16, "second a b");
	fixture_free(&f);
}

/* A symbol table and its strings are put into memory; a debug section is not. */
static void test_symbols(void **state)
{
	const Elf64_Shdr sections[] = {
		{ .sh_type = SHT_NULL },
		{ .sh_type = SHT_PROGBITS, .sh_flags = SHF_ALLOC, .sh_addr = 0x1234 },
		{ .sh_type = SHT_SYMTAB, .sh_offset = 0x2800, .sh_size = 48 },
		{ .sh_type = SHT_STRTAB, .sh_offset = 0x2900, .sh_size = 16 },
		{ .sh_type = SHT_PROGBITS, .sh_offset = 0x2a00, .sh_size = 16 },
	};
	struct fixture f;
	uint64_t at, address;
	uint32_t size = 0;

	(void)state;
	fixture_init(&f);
	build(&f);
	memset(f.image + 0x2800, 0x53, 48);
	memset(f.image + 0x2900, 0x54, 16);
	memcpy(f.image + NOTE_OFFSET - sizeof(sections), sections, sizeof(sections));
	fixture_set(&f, EHDR64(e_shoff), 8, NOTE_OFFSET - sizeof(sections));
	fixture_set(&f, EHDR64(e_shentsize), 2, sizeof(sections[0]));
	fixture_set(&f, EHDR64(e_shnum), 2, 5);
	fixture_set(&f, EHDR64(e_shstrndx), 2, 3);
	fixture_load(&f);
	at = find_information(&f, 9, &size);
	assert_int_equal(size, 12 + sizeof(sections));
	assert_int_equal(fixture_ram(&f, at, 4), 5);
	assert_int_equal(fixture_ram(&f, at + 4, 4), 64);
	assert_int_equal(fixture_ram(&f, at + 8, 4), 3);
	at += 12;
	assert_int_equal(fixture_ram(&f, at + 64 + 16, 8), 0x1234);
	address = fixture_ram(&f, at + 2 * 64 + 16, 8);
	assert_memory_equal(f.context.ram + address, f.image + 0x2800, 48);
	address = fixture_ram(&f, at + 3 * 64 + 16, 8);
	assert_memory_equal(f.context.ram + address, f.image + 0x2900, 16);
	assert_int_equal(fixture_ram(&f, at + 4 * 64 + 16, 8), 0);

	fixture_set(&f, EHDR64(e_shstrndx), 2, 5);
	fixture_refused(&f, "e_shstrndx at 0x3e is 5");
	fixture_set(&f, EHDR64(e_shstrndx), 2, 3);
	fixture_set(&f, EHDR64(e_shentsize), 2, 40);
	fixture_refused(&f, "e_shentsize at 0x3a is 40");
	fixture_set(&f, EHDR64(e_shentsize), 2, 64);
	fixture_set(&f, EHDR64(e_shnum), 2, 0xffff);
	fixture_refused(&f, "e_shoff at 0x28");
	fixture_set(&f, EHDR64(e_shnum), 2, 5);
	fixture_set(&f, NOTE_OFFSET - 3 * 64 + 32, 8, UINT64_MAX); /* the symbols' sh_size */
	fixture_refused(&f, "section header 2 at 0x2f40: sh_offset 0x2800");
	fixture_free(&f);
}

static void test_addresses(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_addresses(&f);
	fixture_load(&f);
	assert_memory_equal(f.context.ram + 0x100000, f.image, 0x400);
	assert_int_equal(fixture_ram(&f, 0x101fff, 1), 0);
	assert_int_equal(fixture_ram(&f, 0x102000, 1), 0xaa);
	assert_int_equal(f.context.regs.rip, 0x100080);

	/* load_addr -1: the file from its beginning */
	fixture_set(&f, 0x5c, 4, 0xffffffff);
	fixture_set(&f, 0x58, 4, 0x200040);
	fixture_set(&f, 0x60, 8, 0);
	fixture_set(&f, 0x70, 4, 0x2003ff);
	fixture_load(&f);
	assert_memory_equal(f.context.ram + 0x200000, f.image, 0x400);
	assert_int_equal(f.context.kernel_end_gpa, 0x200400);
	fixture_free(&f);
}

static void test_entry_tag(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_elf64(&f);
	tag_at = HEADER_AT + 16;
	set_tag(&f, 3, 12);
	fixture_set(&f, HEADER_AT + 24, 4, TEXT_GPA + 0x10);
	end_header(&f, HEADER_AT);
	fixture_load(&f);
	assert_int_equal(f.context.regs.rip, TEXT_GPA + 0x10);
	fixture_set(&f, HEADER_AT + 24, 4, 0x1000);
	fixture_refused(&f, "entry_addr at 0x1118 is 0x1000");
	fixture_free(&f);
}

static void build_relocatable(struct fixture *f, uint32_t min, uint32_t max, uint32_t align,
			      uint32_t preference)
{
	build_elf64(f);
	tag_at = HEADER_AT + 16;
	set_tag(f, 10, 24);
	fixture_set(f, HEADER_AT + 24, 4, min);
	fixture_set(f, HEADER_AT + 28, 4, max);
	fixture_set(f, HEADER_AT + 32, 4, align);
	fixture_set(f, HEADER_AT + 36, 4, preference);
	end_header(f, HEADER_AT);
}

static void relocated_to(uint32_t min, uint32_t max, uint32_t align, uint32_t preference,
			 uint64_t expected)
{
	struct fixture f;
	uint64_t at;
	uint32_t size = 0;

	fixture_init(&f);
	build_relocatable(&f, min, max, align, preference);
	fixture_load(&f);
	elf_is_loaded(&f, expected - TEXT_GPA);
	assert_int_equal(f.context.regs.rip, ELF_ENTRY + expected - TEXT_GPA);
	at = find_information(&f, 21, &size);
	assert_int_equal(size, 4);
	assert_int_equal(fixture_ram(&f, at, 4), expected);
	fixture_free(&f);
}

static void test_relocation(void **state)
{
	struct fixture f;

	(void)state;
	relocated_to(0, 0xffffffff, 0x1000, 0, TEXT_GPA);
	relocated_to(0, 0xffffffff, 0, 0, TEXT_GPA);
	relocated_to(0, 0xffffffff, 0x1000, 1, 0x100000);
	relocated_to(0x612345, 0xffffffff, 0x1000, 1, 0x613000);
	relocated_to(0x400000, 0xffffffff, 0x1000, 0, 0x400000);
	relocated_to(0, 0xffffffff, 0x400000, 0, 0x400000);
	relocated_to(0, 0x1ffffff, 0x200000, 2, 0x1e00000);
	relocated_to(0, 0xffffffff, 0x200000, 2, FIXTURE_RAM_SIZE - 0x200000);

	fixture_init(&f);
	build_relocatable(&f, 0, 0xffffffff, 0x3000, 0);
	fixture_refused(&f, "align at 0x1120 is 0x3000");
	build_relocatable(&f, 2, 1, 0x1000, 0);
	fixture_refused(&f, "min_addr 0x2 is above max_addr 0x1");
	build_relocatable(&f, 0, 0x100000, 0x1000, 0);
	fixture_refused(&f, "no room for 0x105432 bytes");
	build_relocatable(&f, FIXTURE_RAM_SIZE, 0xffffffff, 0x1000, 2);
	fixture_refused(&f, "no room for 0x105432 bytes");
	fixture_free(&f);
}

/* A kernel at the end of memory: its modules go below it. */
static void test_modules_of_a_high_kernel(void **state)
{
	static const uint8_t bytes[5000] = { 1, 2, 3 };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_relocatable(&f, 0, 0xffffffff, 0x200000, 2);
	f.initrd = (struct boot_file){ .name = "first", .bytes = bytes, .size = 5000 };
	f.context.initrd = &f.initrd;
	fixture_load(&f);
	assert_int_equal(f.context.kernel_gpa, FIXTURE_RAM_SIZE - 0x200000);
	assert_int_equal(f.context.initrd_gpa, FIXTURE_RAM_SIZE - 0x200000 + 0x106000);
	f.initrd.bytes = f.image;
	f.initrd.size = 0x100000;
	fixture_load(&f);
	assert_int_equal(f.context.initrd_gpa, 0x100000);
	fixture_free(&f);
}

/* One tag with a payload of 16 zero bytes but for its first word. */
static void build_one_tag(struct fixture *f, uint32_t type_and_flags, uint32_t size, uint32_t word)
{
	build_elf64(f);
	tag_at = HEADER_AT + 16;
	memset(f->image + HEADER_AT, 0, 64);
	set_tag(f, type_and_flags, size);
	fixture_set(f, HEADER_AT + 24, 4, word);
	end_header(f, HEADER_AT);
}

static void test_tags_taken_or_refused(void **state)
{
	static const struct {
		uint32_t type, size, word;
		const char *words; /* NULL: taken */
	} cases[] = {
		{ 1, 12, 6, NULL },
		{ 1, 8, 0, NULL },
		{ 1, 12, 8, "requires information of type 8," },
		{ 1, 12, 4242, "requires information of type 4242" },
		{ 1 | OPTIONAL, 12, 8, NULL },
		{ 1, 12, 15, NULL },
		{ 4, 12, 1, "requires a text console" },
		{ 4, 12, 2, NULL },
		{ 4 | OPTIONAL, 12, 1, NULL },
		{ 5, 20, 1024, "type 5 at 0x1110 requires a framebuffer" },
		{ 5 | OPTIONAL, 20, 1024, NULL },
		{ 6, 8, 0, NULL },
		{ 7, 8, 0, NULL },
		{ 8, 12, 0, NULL },
		{ 9, 12, 0, NULL },
		{ 11, 8, 0, "type 11 at 0x1110 is not known" },
		{ 11 | OPTIONAL, 8, 0, NULL },
		{ 0xffff, 8, 0, "type 65535 at 0x1110 is not known" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct fixture f;

		fixture_init(&f);
		build_one_tag(&f, cases[i].type, cases[i].size, cases[i].word);
		if (cases[i].words)
			fixture_refused(&f, cases[i].words);
		else
			fixture_load(&f);
		fixture_free(&f);
	}
}

static void test_rsdp_required_and_absent(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_one_tag(&f, 1, 12, 15);
	f.context.rsdp = NULL;
	fixture_refused(&f, "requires information of type 15");
	fixture_free(&f);
}

static void test_damaged_tags(void **state)
{
	static const uint32_t sizes[] = { 0, 8, 24, 12, 12, 20, 8, 8, 12, 12, 24 };
	struct fixture f;

	(void)state;
	fixture_init(&f);
	for (uint32_t type = 1; type <= 10; type++) {
		if (sizes[type] == 8)
			continue;
		build_one_tag(&f, type | OPTIONAL, sizes[type] - 1, 0);
		fixture_refused(&f, "less than the");
	}
	build_one_tag(&f, 1 | OPTIONAL, 8, 0);
	fixture_set(&f, HEADER_AT + 20, 4, 0);
	fixture_refused(&f, "tag of type 1 at 0x1110: its size is 0");
	fixture_set(&f, HEADER_AT + 20, 4, 7);
	fixture_refused(&f, "tag of type 1 at 0x1110: its size is 0x7");
	fixture_set(&f, HEADER_AT + 20, 4, 0xffffffff);
	fixture_refused(&f, "tag of type 1 at 0x1110: its size is 0xffffffff");
	fixture_set(&f, HEADER_AT + 20, 4, 16); /* ends where the header ends */
	fixture_refused(&f, "without a tag of type 0");
	fixture_set(&f, HEADER_AT + 20, 4, 11); /* aligned up beyond it */
	fixture_refused(&f, "without a tag of type 0");

	set_lengths(&f, HEADER_AT, 4, 32);
	fixture_refused(&f, "architecture at 0x1104 is 4");
	set_lengths(&f, HEADER_AT, 0, 15);
	fixture_refused(&f, "header_length at 0x1108 is 0xf");
	set_lengths(&f, HEADER_AT, 0, 16);
	fixture_refused(&f, "without a tag of type 0");
	set_lengths(&f, HEADER_AT, 0, 0xfffffff0);
	fixture_refused(&f, "header_length at 0x1108 is 0xfffffff0");
	set_lengths(&f, HEADER_AT, 0, ELF_SIZE - HEADER_AT + 1);
	fixture_refused(&f, "header_length at 0x1108");
	fixture_free(&f);
}

static void test_search(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build_elf64(&f);
	f.kernel.size = 0x10000;
	tag_at = 32768 - 24 + 16;
	end_header(&f, 32768 - 24);
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "Multiboot 2");

	/* Too late or at a wrong alignment it is not found; with a wrong sum it is damaged. */
	memset(f.image + 32768 - 24, 0, 24);
	tag_at = 32768 - 8 + 16;
	end_header(&f, 32768 - 8);
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "vmlinux 64-bit");
	tag_at = 0x4004 + 16;
	end_header(&f, 0x4004);
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "vmlinux 64-bit");
	tag_at = 0x5000 + 16;
	end_header(&f, 0x5000);
	fixture_set(&f, 0x500c, 4, 0);
	fixture_refused(&f, "Multiboot2 header at 0x5000: checksum at 0x500c is 0, and 0x17adaf12");
	fixture_free(&f);
}

static void test_damaged_addresses(void **state)
{
	static const struct damage damages[] = {
		{ .words = "address tag at 0x50: header_addr at 0x58",
		  .offset = 0x58,
		  .size = 8,
		  .value = 0xffffffff0000003f },
		{ .words = "load_addr at 0x5c", .offset = 0x5c, .size = 4, .value = 0x100041 },
		{ .words = "load_addr at 0x5c", .offset = 0x5c, .size = 4, .value = 0xfffff },
		{ .words = "load_end_addr at 0x60", .offset = 0x60, .size = 4, .value = 0x100401 },
		{ .words = "bss_end_addr at 0x64", .offset = 0x64, .size = 4, .value = 0x1003ff },
		{ .words = "is not all RAM", .offset = 0x64, .size = 4, .value = 0xf0000000 },
		{ .words = "entry_addr at 0x70", .offset = 0x70, .size = 4, .value = 0x102000 },
		{ .words = "without an entry address tag", .offset = 0x68, .size = 2, .value = 6 },
	};
	struct fixture f;

	(void)state;
	fixture_damages(damages, sizeof(damages) / sizeof(damages[0]), build_addresses);
	fixture_init(&f);
	tag_at = 16;
	end_header(&f, 0);
	f.kernel.size = 0x100;
	fixture_refused(&f, "nothing says where to load it");
	fixture_free(&f);
}

/* Multiboot 2 is believed before Multiboot 1. */
static void test_priority(void **state)
{
	struct fixture f;

	(void)state;
	fixture_init(&f);
	build(&f);
	fixture_set(&f, TEXT_OFFSET, 4, 0x1badb002);
	fixture_set(&f, TEXT_OFFSET + 8, 4, -0x1badb002u);
	fixture_set(&f, TEXT_OFFSET + 4, 4, 0);
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "Multiboot 2");
	fixture_set(&f, HEADER_AT, 4, 0);
	fixture_load(&f);
	assert_string_equal(f.context.protocol, "Multiboot 1");
	fixture_free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_elf),
		cmocka_unit_test(test_information),
		cmocka_unit_test(test_modules),
		cmocka_unit_test(test_symbols),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_entry_tag),
		cmocka_unit_test(test_relocation),
		cmocka_unit_test(test_modules_of_a_high_kernel),
		cmocka_unit_test(test_tags_taken_or_refused),
		cmocka_unit_test(test_rsdp_required_and_absent),
		cmocka_unit_test(test_damaged_tags),
		cmocka_unit_test(test_search),
		cmocka_unit_test(test_damaged_addresses),
		cmocka_unit_test(test_priority),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
