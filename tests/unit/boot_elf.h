/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_BOOT_ELF_H
#define HUTCH_TESTS_UNIT_BOOT_ELF_H

/* ELF kernels for the loaders' tests, built in a fixture's image. */

#include <elf.h>

#include "tests/unit/boot_fixture.h"

/*
 * Two loadable segments: text at 2 MiB, whose first bytes are at file offset TEXT_OFFSET and
 * where Multiboot headers fit, and data with a zeroed end at 3 MiB. Virtual
 * addresses are ELF_VIRTUAL higher. A third program header is free (PT_NULL).
 */
#define TEXT_OFFSET   0x1000u
#define TEXT_GPA      0x200000u
#define TEXT_SIZE     0x800u
#define DATA_OFFSET   0x2000u
#define DATA_GPA      0x300000u
#define DATA_SIZE     0x123u
#define DATA_MEMORY   0x5432u
#define NOTE_OFFSET   0x3000u
#define ELF_SIZE      0x3100u
#define ELF_ENTRY     (TEXT_GPA + 0x40)
#define ELF32_VIRTUAL 0xc0000000u
#define ELF64_VIRTUAL 0xffffffff80000000ull

/* Offsets of the fields of program header @n. */
#define PHDR64(n, field) \
	(sizeof(Elf64_Ehdr) + (n) * sizeof(Elf64_Phdr) + offsetof(Elf64_Phdr, field))
#define PHDR32(n, field) \
	(sizeof(Elf32_Ehdr) + (n) * sizeof(Elf32_Phdr) + offsetof(Elf32_Phdr, field))
#define EHDR64(field) offsetof(Elf64_Ehdr, field)

static inline void fill_segments(struct fixture *f)
{
	for (unsigned int i = 0; i < TEXT_SIZE; i++)
		f->image[TEXT_OFFSET + i] = (uint8_t)(i * 3 + 1);
	memset(f->image + DATA_OFFSET, 0xda, DATA_SIZE);
	f->kernel.size = ELF_SIZE;
}

static inline void build_elf64(struct fixture *f)
{
	const Elf64_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_entry = ELF64_VIRTUAL + ELF_ENTRY,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	const Elf64_Phdr segments[3] = {
		{ PT_LOAD, PF_R | PF_X, TEXT_OFFSET, ELF64_VIRTUAL + TEXT_GPA, TEXT_GPA, TEXT_SIZE,
		  TEXT_SIZE, 0x1000 },
		{ PT_LOAD, PF_R | PF_W, DATA_OFFSET, ELF64_VIRTUAL + DATA_GPA, DATA_GPA, DATA_SIZE,
		  DATA_MEMORY, 0x1000 },
		{ .p_type = PT_NULL },
	};

	memcpy(f->image, &header, sizeof(header));
	memcpy(f->image + sizeof(header), segments, sizeof(segments));
	fill_segments(f);
}

static inline void build_elf32(struct fixture *f)
{
	const Elf32_Ehdr header = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS32, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_EXEC,
		.e_machine = EM_386,
		.e_version = EV_CURRENT,
		.e_entry = ELF32_VIRTUAL + ELF_ENTRY,
		.e_phoff = sizeof(header),
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf32_Phdr),
		.e_phnum = 3,
	};
	const Elf32_Phdr segments[3] = {
		{ PT_LOAD, TEXT_OFFSET, ELF32_VIRTUAL + TEXT_GPA, TEXT_GPA, TEXT_SIZE, TEXT_SIZE,
		  PF_R | PF_X, 0x1000 },
		{ PT_LOAD, DATA_OFFSET, ELF32_VIRTUAL + DATA_GPA, DATA_GPA, DATA_SIZE, DATA_MEMORY,
		  PF_R | PF_W, 0x1000 },
		{ .p_type = PT_NULL },
	};

	memcpy(f->image, &header, sizeof(header));
	memcpy(f->image + sizeof(header), segments, sizeof(segments));
	fill_segments(f);
}

/* Both segments are in memory, the zeroed end too, and nothing was written beside them. */
static inline void elf_is_loaded(const struct fixture *f, uint64_t slide)
{
	const uint8_t *ram = f->context.ram + slide;

	assert_memory_equal(ram + TEXT_GPA, f->image + TEXT_OFFSET, TEXT_SIZE);
	assert_memory_equal(ram + DATA_GPA, f->image + DATA_OFFSET, DATA_SIZE);
	for (unsigned int i = DATA_SIZE; i < DATA_MEMORY; i++)
		assert_int_equal(ram[DATA_GPA + i], 0);
	assert_int_equal(ram[TEXT_GPA - 1], 0xaa);
	assert_int_equal(ram[TEXT_GPA + TEXT_SIZE], 0xaa);
	assert_int_equal(ram[DATA_GPA - 1], 0xaa);
	assert_int_equal(ram[DATA_GPA + DATA_MEMORY], 0xaa);
	assert_int_equal(f->context.kernel_gpa, TEXT_GPA + slide);
	assert_int_equal(f->context.kernel_end_gpa, DATA_GPA + DATA_MEMORY + slide);
}

#endif
