/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A kernel that is unpacked already: its segments lie where they belong, every place that holds
 * an address is moved by the same number, and whatever is not as it should be is left
 * to the image's own unpacker, with nothing written.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/loader.h"

#define RAM_SIZE	(64u << 20)
#define LINKED		0x1000000ull
#define VIRTUAL		(0xffffffff80000000ull + LINKED)
#define GPA		0x1400000ull
#define ROOM		0x800000ull
#define TEXT_OFFSET	0x200
#define TEXT_SIZE	0x100
#define BSS_SIZE	0x1000
#define DATA_PADDR	(LINKED + 0x4000)
#define DATA_OFFSET	(TEXT_OFFSET + TEXT_SIZE)
#define DATA_SIZE	0x80
#define SECTIONS_OFFSET (DATA_OFFSET + DATA_SIZE)
#define LIST_OFFSET	(SECTIONS_OFFSET + 2 * sizeof(Elf64_Shdr))

/* Places that hold addresses: where they are in memory, counted from LINKED. */
#define PLACE_64      0x10
#define PLACE_INVERSE 0x20
#define PLACE_32      0x4008 /* in the second segment */

struct fixture {
	uint8_t bytes[LIST_OFFSET + 6 * 4];
	struct boot_file file;
	struct memory_map map;
	struct boot_context context;
};

static Elf64_Ehdr *elf_of(struct fixture *fixture)
{
	return (Elf64_Ehdr *)fixture->bytes;
}

static Elf64_Phdr *segment_of(struct fixture *fixture, unsigned int index)
{
	return (Elf64_Phdr *)(fixture->bytes + sizeof(Elf64_Ehdr)) + index;
}

static uint32_t *list_of(struct fixture *fixture)
{
	return (uint32_t *)(fixture->bytes + LIST_OFFSET);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	const uint64_t value_64 = VIRTUAL + 0x123;
	const uint32_t value_32 = (uint32_t)VIRTUAL + 0x456, value_inverse = 0x1000;

	assert_non_null(fixture);
	*elf_of(fixture) = (Elf64_Ehdr){
		.e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB },
		.e_machine = EM_X86_64,
		.e_entry = LINKED + 0x40,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_phnum = 2,
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_shoff = SECTIONS_OFFSET,
		.e_shnum = 2,
		.e_shentsize = sizeof(Elf64_Shdr),
	};
	*segment_of(fixture, 0) = (Elf64_Phdr){ .p_type = PT_LOAD,
						.p_offset = TEXT_OFFSET,
						.p_paddr = LINKED,
						.p_vaddr = VIRTUAL,
						.p_filesz = TEXT_SIZE,
						.p_memsz = TEXT_SIZE };
	*segment_of(fixture, 1) = (Elf64_Phdr){ .p_type = PT_LOAD,
						.p_offset = DATA_OFFSET,
						.p_paddr = DATA_PADDR,
						.p_filesz = DATA_SIZE,
						.p_memsz = DATA_SIZE + BSS_SIZE };
	memset(fixture->bytes + TEXT_OFFSET, 0x11, TEXT_SIZE);
	memset(fixture->bytes + DATA_OFFSET, 0x22, DATA_SIZE);
	memcpy(fixture->bytes + TEXT_OFFSET + PLACE_64, &value_64, 8);
	memcpy(fixture->bytes + TEXT_OFFSET + PLACE_INVERSE, &value_inverse, 4);
	memcpy(fixture->bytes + DATA_OFFSET + PLACE_32 - 0x4000, &value_32, 4);
	list_of(fixture)[0] = 0;
	list_of(fixture)[1] = (uint32_t)VIRTUAL + PLACE_64;
	list_of(fixture)[2] = 0;
	list_of(fixture)[3] = (uint32_t)VIRTUAL + PLACE_INVERSE;
	list_of(fixture)[4] = 0;
	list_of(fixture)[5] = (uint32_t)VIRTUAL + PLACE_32;

	fixture->file = (struct boot_file){ .name = "unpacked",
					    .bytes = fixture->bytes,
					    .size = sizeof(fixture->bytes) };
	assert_int_equal(memory_map_build(&fixture->map, RAM_SIZE), 0);
	fixture->context = (struct boot_context){ .unpacked = &fixture->file,
						  .command_line = "console=ttyS0",
						  .ram = calloc(1, RAM_SIZE),
						  .ram_size = RAM_SIZE,
						  .map = &fixture->map };
	assert_non_null(fixture->context.ram);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	free(fixture->context.ram);
	free(fixture);
	return 0;
}

static bool load(struct fixture *fixture, uint64_t *entry, bool *moved)
{
	return boot_unpacked_load(&fixture->context, GPA, ROOM, entry, moved);
}

static uint64_t read_ram(const struct fixture *fixture, uint64_t place, size_t size)
{
	uint64_t value = 0;

	memcpy(&value, fixture->context.ram + GPA + place, size);
	return value;
}

static void assert_nothing_written(const struct fixture *fixture)
{
	static const uint8_t zeros[0x6000];

	assert_memory_equal(fixture->context.ram + GPA, zeros, sizeof(zeros));
}

static void test_segments(void **state)
{
	struct fixture *fixture = *state;
	uint64_t entry;
	bool moved;

	assert_true(load(fixture, &entry, &moved));
	assert_false(moved);
	assert_int_equal(entry, GPA + 0x40);
	assert_memory_equal(fixture->context.ram + GPA, fixture->bytes + TEXT_OFFSET, TEXT_SIZE);
	assert_memory_equal(fixture->context.ram + GPA + 0x4000, fixture->bytes + DATA_OFFSET,
			    DATA_SIZE);
	assert_int_equal(read_ram(fixture, 0x4000 + DATA_SIZE, 8), 0);
}

/* The three kinds move by the same number: up, down, and up in 64 bits. */
static void test_moves_every_place(void **state)
{
	struct fixture *fixture = *state;
	uint64_t entry, delta;
	bool moved;

	fixture->context.random = 5;
	assert_true(load(fixture, &entry, &moved));
	assert_true(moved);
	assert_int_equal(entry, GPA + 0x40); /* physically it stays */
	delta = read_ram(fixture, PLACE_64, 8) - (VIRTUAL + 0x123);
	assert_int_equal(delta, 5 * (2u << 20));
	assert_int_equal(read_ram(fixture, PLACE_32, 4), (uint32_t)(VIRTUAL + 0x456 + delta));
	assert_int_equal(read_ram(fixture, PLACE_INVERSE, 4), (uint32_t)(0x1000 - delta));
	assert_int_equal(read_ram(fixture, PLACE_64 + 8, 8), 0x1111111111111111ull);
}

/* However large the random number is, the kernel stays in its gigabyte. */
static void test_stays_in_its_gigabyte(void **state)
{
	struct fixture *fixture = *state;
	const uint64_t randoms[] = { 1, 503, 504, 505, 1ull << 40, UINT64_MAX };

	for (size_t i = 0; i < sizeof(randoms) / sizeof(randoms[0]); i++) {
		uint64_t entry, delta;
		bool moved;

		fixture->context.random = randoms[i];
		assert_true(load(fixture, &entry, &moved));
		delta = read_ram(fixture, PLACE_64, 8) - (VIRTUAL + 0x123);
		assert_int_equal(delta % (2u << 20), 0);
		assert_true(LINKED + delta + 0x6000 <= 1u << 30);
		assert_int_equal(moved, delta != 0);
	}
}

static void test_nokaslr(void **state)
{
	static const struct {
		const char *command_line;
		bool moves;
	} cases[] = {
		{ "nokaslr", false },	       { "quiet nokaslr", false },
		{ "nokaslr quiet", false },    { "a nokaslr b", false },
		{ "nokaslr2", true },	       { "xnokaslr", true },
		{ "xnokaslr nokaslr", false }, { "", true },
	};
	struct fixture *fixture = *state;

	fixture->context.random = 7;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t entry;
		bool moved;

		fixture->context.command_line = cases[i].command_line;
		assert_true(load(fixture, &entry, &moved));
		assert_int_equal(moved, cases[i].moves);
	}
}

/* No list, or what cannot be one: loaded all the same, but not moved. */
static void test_without_a_list(void **state)
{
	struct fixture *fixture = *state;
	const size_t sizes[] = { LIST_OFFSET, LIST_OFFSET + 8, LIST_OFFSET + 13 };

	fixture->context.random = 7;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		uint64_t entry;
		bool moved;

		fixture->file.size = sizes[i];
		assert_true(load(fixture, &entry, &moved));
		assert_false(moved);
		assert_int_equal(read_ram(fixture, PLACE_64, 8), VIRTUAL + 0x123);
	}
}

static void test_torn_list_is_left_alone(void **state)
{
	struct fixture *fixture = *state;
	const uint32_t breaks[][2] = {
		{ 5, (uint32_t)VIRTUAL - 1 }, /* before the kernel */
		{ 5, (uint32_t)VIRTUAL + 0x4000 + DATA_SIZE + BSS_SIZE - 3 }, /* over its end */
		{ 1, (uint32_t)VIRTUAL + 0x4000 + DATA_SIZE + BSS_SIZE - 7 },
		{ 3, 0x7fffffff },	  /* user space */
		{ 2, (uint32_t)VIRTUAL }, /* a kind without an end */
	};

	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++) {
		uint32_t saved[6];
		uint64_t entry;
		bool moved;

		memcpy(saved, list_of(fixture), sizeof(saved));
		list_of(fixture)[breaks[i][0]] = breaks[i][1];
		fixture->context.random = 7;
		assert_false(load(fixture, &entry, &moved));
		assert_nothing_written(fixture);
		memcpy(list_of(fixture), saved, sizeof(saved));
	}
}

static void test_odd_images_are_left_alone(void **state)
{
	struct fixture *fixture = *state;
	const struct fixture whole = *fixture;
	uint64_t entry;
	bool moved;

#define REFUSED(break)                                       \
	do {                                                 \
		break;                                       \
		assert_false(load(fixture, &entry, &moved)); \
		assert_nothing_written(fixture);             \
		*fixture = whole;                            \
		fixture->file.bytes = fixture->bytes;        \
		fixture->context.unpacked = &fixture->file;  \
	} while (0)

	REFUSED(fixture->context.unpacked = NULL);
	REFUSED(fixture->file.size = 63);
	REFUSED(fixture->file.size = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr));
	REFUSED(fixture->bytes[0] = 0);
	REFUSED(elf_of(fixture)->e_ident[EI_CLASS] = ELFCLASS32);
	REFUSED(elf_of(fixture)->e_machine = EM_386);
	REFUSED(elf_of(fixture)->e_phentsize = 32);
	REFUSED(elf_of(fixture)->e_phoff = UINT64_MAX - 8);
	REFUSED(elf_of(fixture)->e_phnum = 0);
	REFUSED(elf_of(fixture)->e_phnum = UINT16_MAX);
	REFUSED(elf_of(fixture)->e_entry = LINKED - 1);
	REFUSED(elf_of(fixture)->e_entry = DATA_PADDR + DATA_SIZE + BSS_SIZE);
	REFUSED(segment_of(fixture, 0)->p_filesz = TEXT_SIZE + 1);
	REFUSED(segment_of(fixture, 1)->p_offset = UINT64_MAX);
	REFUSED(segment_of(fixture, 1)->p_paddr = 1ull << 40);
	REFUSED(segment_of(fixture, 1)->p_memsz = ROOM);
	REFUSED(segment_of(fixture, 1)->p_memsz = UINT64_MAX);
	assert_false(boot_unpacked_load(&fixture->context, GPA + 4096, ROOM, &entry, &moved));
	assert_false(boot_unpacked_load(&fixture->context, GPA, 0x4000, &entry, &moved));
#undef REFUSED
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_segments, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_moves_every_place, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_stays_in_its_gigabyte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nokaslr, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_without_a_list, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_torn_list_is_left_alone, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_odd_images_are_left_alone, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
