/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_BOOT_ELF_H
#define HUTCH_VMM_BOOT_ELF_H

/*
 * ELF files as kernels, 32-bit and 64-bit: header, segments and notes, and nothing
 * that has to do with sections' contents, symbols or dynamic linking.
 */

#include "vmm/boot/loader.h"

struct elf_image {
	const struct boot_file *file;
	bool is_64;
	uint16_t machine;			   /* EM_386 or EM_X86_64 */
	uint64_t entry;				   /* e_entry as it stands */
	uint64_t program_headers, section_headers; /* offsets into the file */
	uint16_t program_header_size, program_header_count;
	uint16_t section_header_size, section_header_count, section_names;
};

struct elf_segment {
	unsigned int index;
	uint64_t at; /* the header's own offset, for messages */
	uint32_t type;
	uint64_t offset, virtual_address, physical_address, file_size, memory_size, alignment;
};

bool elf_magic(const struct boot_file *file);

/* Reads and checks the ELF header and that the program headers are in the file. */
int elf_open(struct boot_context *context, struct elf_image *image);

/* Program header @index, unchecked. */
struct elf_segment elf_segment(const struct elf_image *image, unsigned int index);

/* The lowest and one beyond the highest physical address of all that is to be loaded. */
int elf_extent(struct boot_context *context, const struct elf_image *image, uint64_t *low,
	       uint64_t *high);

/*
 * Claims room for every loadable segment at its physical address, moved by @slide, copies it
 * there and zeroes its end; context->kernel_gpa and kernel_end_gpa.
 */
int elf_load(struct boot_layout *layout, const struct elf_image *image, int64_t slide);

/*
 * The physical address of the entry: e_entry is virtual where a segment has it so (as
 * the standard says), else physical (as Linux has it). Not moved by any slide.
 */
int elf_entry(struct boot_context *context, const struct elf_image *image, uint64_t *gpa);

struct elf_note {
	uint64_t at; /* the note's offset in the file */
	const uint8_t *descriptor;
	uint32_t size;
};

/* Finds a note in the PT_NOTE segments. A torn segment ends the search in it. */
bool elf_find_note(const struct elf_image *image, const char *owner, uint32_t type,
		   struct elf_note *note);

/* More symbol and string tables than any linker writes; those beyond stay in the file. */
#define SECTIONS_PLACED_MAX 8

/* Checks that the section headers, where there are any, are in the file. */
int elf_check_sections(struct boot_context *context, const struct elf_image *image);

/* The section headers' size in bytes; 0 where there are none. */
size_t elf_sections_size(const struct elf_image *image);

/*
 * Copies the checked section headers to @table, in guest memory that is claimed, and puts the
 * symbol and string tables that no segment holds somewhere high up, with their addresses in
 * @table. Addresses of other sections stay as linked.
 */
int elf_place_sections(struct boot_layout *layout, const struct elf_image *image, uint8_t *table);

/* Enters a loaded image as Linux's vmlinux. */
int boot_vmlinux_load(struct boot_layout *layout, const struct elf_image *image);

#endif
