/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The loader of ELF images (System V ABI, chapters 4 and 5), for every protocol whose
 * kernels come as ELF files.
 *
 * Of the whole format a loader needs one table: the program headers, each of which says
 * that some bytes of the file belong at some address, with zeroes behind them. A kernel
 * is loaded by the physical addresses, since there is no paging yet in which its
 * virtual ones would mean anything.
 */

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "vmm/boot/elf.h"

/* More than any kernel has; what a layout can hold, less what the loaders add. */
#define SEGMENTS_MAX (BOOT_CLAIMS_MAX - 64)

bool elf_magic(const struct boot_file *file)
{
	return file->size >= SELFMAG && !memcmp(file->bytes, ELFMAG, SELFMAG);
}

static int check_ident(struct boot_context *context)
{
	const struct boot_file *file = context->kernel;
	const uint8_t *ident = file->bytes;

	if (file->size < EI_NIDENT)
		return boot_refuse(context,
				   "ELF header at 0x0: the file ends inside it, after %zu bytes: "
				   "it is torn",
				   file->size);
	if (ident[EI_CLASS] != ELFCLASS32 && ident[EI_CLASS] != ELFCLASS64)
		return boot_refuse(context,
				   "ELF header at 0x0: EI_CLASS at 0x4 is %u, neither 1 (32-bit) "
				   "nor 2 (64-bit)",
				   ident[EI_CLASS]);
	if (ident[EI_DATA] != ELFDATA2LSB)
		return boot_refuse(context,
				   "ELF header at 0x0: EI_DATA at 0x5 is %u, not 1: x86 is little-"
				   "endian",
				   ident[EI_DATA]);
	if (ident[EI_VERSION] != EV_CURRENT)
		return boot_refuse(context, "ELF header at 0x0: EI_VERSION at 0x6 is %u, not 1",
				   ident[EI_VERSION]);
	return 0;
}

/* The two classes differ in nothing but the width and order of their fields. */
#define READ_HEADER(image, header)                                   \
	do {                                                         \
		(image)->machine = (header).e_machine;               \
		(image)->entry = (header).e_entry;                   \
		(image)->program_headers = (header).e_phoff;         \
		(image)->program_header_size = (header).e_phentsize; \
		(image)->program_header_count = (header).e_phnum;    \
		(image)->section_headers = (header).e_shoff;         \
		(image)->section_header_size = (header).e_shentsize; \
		(image)->section_header_count = (header).e_shnum;    \
		(image)->section_names = (header).e_shstrndx;        \
		type = (header).e_type;                              \
	} while (0)

static int read_header(struct boot_context *context, struct elf_image *image)
{
	const struct boot_file *file = context->kernel;
	uint16_t type;
	Elf32_Ehdr header32;
	Elf64_Ehdr header64;

	image->file = file;
	image->is_64 = file->bytes[EI_CLASS] == ELFCLASS64;
	if (!boot_file_holds(file, 0, image->is_64 ? sizeof(header64) : sizeof(header32)))
		return boot_refuse(context,
				   "ELF header at 0x0: the file ends inside it, after %zu bytes: "
				   "it is torn",
				   file->size);
	if (image->is_64) {
		memcpy(&header64, file->bytes, sizeof(header64));
		READ_HEADER(image, header64);
	} else {
		memcpy(&header32, file->bytes, sizeof(header32));
		READ_HEADER(image, header32);
	}
	if (type != ET_EXEC && type != ET_DYN)
		return boot_refuse(context,
				   "ELF header at 0x0: e_type at 0x10 is %u: not an executable: "
				   "link it",
				   type);
	if (image->machine != EM_386 && image->machine != EM_X86_64)
		return boot_refuse(context,
				   "ELF header at 0x0: e_machine at 0x12 is %u, neither 3 (i386) "
				   "nor 62 (x86-64): the kernel is for another processor",
				   image->machine);
	return 0;
}

static int check_program_headers(struct boot_context *context, const struct elf_image *image)
{
	const struct boot_file *file = context->kernel;
	const size_t size = image->is_64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
	const unsigned int size_at = image->is_64 ? 0x36 : 0x2a;

	if (image->program_header_count == 0 || image->program_header_count == PN_XNUM)
		return boot_refuse(context,
				   "ELF header at 0x0: e_phnum at %#x is %u: no program headers to "
				   "load by",
				   size_at + 2, image->program_header_count);
	if (image->program_header_size != size)
		return boot_refuse(context, "ELF header at 0x0: e_phentsize at %#x is %u, not %zu",
				   size_at, image->program_header_size, size);
	if (!boot_file_holds(file, image->program_headers, image->program_header_count * size))
		return boot_refuse(context,
				   "ELF header at 0x0: e_phoff at %#x is %#llx, and %u program "
				   "headers from there end beyond the file's %zu bytes: it is torn",
				   image->is_64 ? 0x20 : 0x1c,
				   (unsigned long long)image->program_headers,
				   image->program_header_count, file->size);
	return 0;
}

int elf_open(struct boot_context *context, struct elf_image *image)
{
	int error = check_ident(context);

	if (!error)
		error = read_header(context, image);
	return error ? error : check_program_headers(context, image);
}

#define READ_SEGMENT(segment, header)                           \
	do {                                                    \
		(segment)->type = (header).p_type;              \
		(segment)->offset = (header).p_offset;          \
		(segment)->virtual_address = (header).p_vaddr;  \
		(segment)->physical_address = (header).p_paddr; \
		(segment)->file_size = (header).p_filesz;       \
		(segment)->memory_size = (header).p_memsz;      \
		(segment)->alignment = (header).p_align;        \
	} while (0)

struct elf_segment elf_segment(const struct elf_image *image, unsigned int index)
{
	struct elf_segment segment = {
		.index = index,
		.at = image->program_headers + (uint64_t)index * image->program_header_size,
	};
	const uint8_t *bytes = image->file->bytes + segment.at;
	Elf32_Phdr header32;
	Elf64_Phdr header64;

	if (image->is_64) {
		memcpy(&header64, bytes, sizeof(header64));
		READ_SEGMENT(&segment, header64);
	} else {
		memcpy(&header32, bytes, sizeof(header32));
		READ_SEGMENT(&segment, header32);
	}
	return segment;
}

/* A segment that is right in itself; whether there is room for it is the layout's to say. */
static int check_segment(struct boot_context *context, const struct elf_segment *segment)
{
	const struct boot_file *file = context->kernel;

	if (!boot_file_holds(file, segment->offset, segment->file_size))
		return boot_refuse(context,
				   "program header %u at %#llx: p_offset %#llx and p_filesz %#llx "
				   "end beyond the file's %zu bytes: it is torn",
				   segment->index, (unsigned long long)segment->at,
				   (unsigned long long)segment->offset,
				   (unsigned long long)segment->file_size, file->size);
	if (segment->file_size > segment->memory_size)
		return boot_refuse(context,
				   "program header %u at %#llx: p_filesz %#llx is larger than "
				   "p_memsz %#llx",
				   segment->index, (unsigned long long)segment->at,
				   (unsigned long long)segment->file_size,
				   (unsigned long long)segment->memory_size);
	if (segment->memory_size > UINT64_MAX - segment->physical_address)
		return boot_refuse(context,
				   "program header %u at %#llx: p_paddr %#llx and p_memsz %#llx "
				   "wrap around 2^64",
				   segment->index, (unsigned long long)segment->at,
				   (unsigned long long)segment->physical_address,
				   (unsigned long long)segment->memory_size);
	return 0;
}

int elf_extent(struct boot_context *context, const struct elf_image *image, uint64_t *low,
	       uint64_t *high)
{
	unsigned int count = 0;

	*low = UINT64_MAX;
	*high = 0;
	for (unsigned int i = 0; i < image->program_header_count; i++) {
		const struct elf_segment segment = elf_segment(image, i);
		int error;

		if (segment.type != PT_LOAD || segment.memory_size == 0)
			continue;
		if (++count > SEGMENTS_MAX)
			return boot_refuse(context,
					   "program header %u at %#llx: more than %u loadable "
					   "segments",
					   i, (unsigned long long)segment.at, SEGMENTS_MAX);
		error = check_segment(context, &segment);
		if (error)
			return error;
		if (segment.physical_address < *low)
			*low = segment.physical_address;
		if (segment.physical_address + segment.memory_size > *high)
			*high = segment.physical_address + segment.memory_size;
	}
	if (count == 0)
		return boot_refuse(context,
				   "ELF header at 0x0: none of its %u program headers is "
				   "of type PT_LOAD: there is nothing to load",
				   image->program_header_count);
	return 0;
}

int elf_load(struct boot_layout *layout, const struct elf_image *image, int64_t slide)
{
	struct boot_context *context = layout->context;
	int error = elf_extent(context, image, &context->kernel_gpa, &context->kernel_end_gpa);

	if (error)
		return error;
	for (unsigned int i = 0; i < image->program_header_count; i++) {
		const struct elf_segment segment = elf_segment(image, i);
		const uint64_t gpa = segment.physical_address + (uint64_t)slide;
		char field[64];

		if (segment.type != PT_LOAD || segment.memory_size == 0)
			continue;
		snprintf(field, sizeof(field), "program header %u at %#llx: p_paddr", i,
			 (unsigned long long)segment.at);
		error = boot_claim(layout, gpa, segment.memory_size, "kernel", field);
		if (error)
			return error;
		memcpy(boot_at(context, gpa), image->file->bytes + segment.offset,
		       segment.file_size);
		boot_zero(context, gpa + segment.file_size,
			  segment.memory_size - segment.file_size);
	}
	context->kernel_gpa += (uint64_t)slide;
	context->kernel_end_gpa += (uint64_t)slide;
	return 0;
}

int elf_entry(struct boot_context *context, const struct elf_image *image, uint64_t *gpa)
{
	bool is_physical = false;

	for (unsigned int i = 0; i < image->program_header_count; i++) {
		const struct elf_segment segment = elf_segment(image, i);

		if (segment.type != PT_LOAD)
			continue;
		if (image->entry - segment.virtual_address < segment.memory_size) {
			*gpa = image->entry - segment.virtual_address + segment.physical_address;
			return 0;
		}
		if (image->entry - segment.physical_address < segment.memory_size)
			is_physical = true;
	}
	if (!is_physical)
		return boot_refuse(context,
				   "ELF header at 0x0: e_entry at 0x18 is %#llx, which no segment "
				   "holds",
				   (unsigned long long)image->entry);
	*gpa = image->entry;
	return 0;
}

/* Notes: a header of three words, the owner's name and the descriptor, each padded. */
static bool find_in_segment(const struct elf_image *image, const struct elf_segment *segment,
			    const char *owner, uint32_t type, struct elf_note *note)
{
	const uint8_t *bytes = image->file->bytes;
	const uint64_t padding = segment->alignment == 8 ? 7 : 3;
	const uint64_t end = segment->offset + segment->file_size;
	uint64_t at = segment->offset;

	while (at <= end && end - at >= sizeof(Elf32_Nhdr)) {
		const uint64_t name_size = boot_read32(bytes + at);
		const uint64_t size = boot_read32(bytes + at + 4);
		const uint64_t name = at + sizeof(Elf32_Nhdr);
		const uint64_t descriptor = (name + name_size + padding) & ~padding;

		if (descriptor > end || size > end - descriptor)
			return false;
		if (boot_read32(bytes + at + 8) == type && name_size == strlen(owner) + 1 &&
		    !memcmp(bytes + name, owner, name_size)) {
			*note = (struct elf_note){ at, bytes + descriptor, (uint32_t)size };
			return true;
		}
		at = (descriptor + size + padding) & ~padding;
	}
	return false;
}

bool elf_find_note(const struct elf_image *image, const char *owner, uint32_t type,
		   struct elf_note *note)
{
	for (unsigned int i = 0; i < image->program_header_count; i++) {
		const struct elf_segment segment = elf_segment(image, i);

		if (segment.type == PT_NOTE &&
		    boot_file_holds(image->file, segment.offset, segment.file_size) &&
		    find_in_segment(image, &segment, owner, type, note))
			return true;
	}
	return false;
}
