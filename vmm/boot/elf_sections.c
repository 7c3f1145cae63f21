/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Section headers for kernels that want to read their own symbols: Multiboot hands the
 * table over, with the symbols and strings themselves put into memory beside the kernel.
 */

#include <elf.h>
#include <string.h>

#include "vmm/boot/elf.h"

struct section {
	uint32_t type;
	uint64_t flags, offset, size;
};

size_t elf_sections_size(const struct elf_image *image)
{
	return (size_t)image->section_header_count * image->section_header_size;
}

int elf_check_sections(struct boot_context *context, const struct elf_image *image)
{
	const size_t size = image->is_64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
	const unsigned int size_at = image->is_64 ? 0x3a : 0x2e;

	if (image->section_header_count == 0)
		return 0;
	if (image->section_header_size != size)
		return boot_refuse(context, "ELF header at 0x0: e_shentsize at %#x is %u, not %zu",
				   size_at, image->section_header_size, size);
	if (!boot_file_holds(image->file, image->section_headers, elf_sections_size(image)))
		return boot_refuse(context,
				   "ELF header at 0x0: e_shoff at %#x is %#llx, and %u section "
				   "headers from there end beyond the file's %zu bytes: it is torn",
				   image->is_64 ? 0x28 : 0x20,
				   (unsigned long long)image->section_headers,
				   image->section_header_count, image->file->size);
	if (image->section_names >= image->section_header_count)
		return boot_refuse(context,
				   "ELF header at 0x0: e_shstrndx at %#x is %u, and there are only "
				   "%u section headers",
				   size_at + 4, image->section_names, image->section_header_count);
	return 0;
}

static struct section read_section(const struct elf_image *image, const uint8_t *bytes)
{
	Elf32_Shdr header32;
	Elf64_Shdr header64;

	if (image->is_64) {
		memcpy(&header64, bytes, sizeof(header64));
		return (struct section){ header64.sh_type, header64.sh_flags, header64.sh_offset,
					 header64.sh_size };
	}
	memcpy(&header32, bytes, sizeof(header32));
	return (struct section){ header32.sh_type, header32.sh_flags, header32.sh_offset,
				 header32.sh_size };
}

static void set_address(const struct elf_image *image, uint8_t *header, uint64_t gpa)
{
	const uint32_t gpa32 = (uint32_t)gpa;

	if (image->is_64)
		memcpy(header + offsetof(Elf64_Shdr, sh_addr), &gpa, sizeof(gpa));
	else
		memcpy(header + offsetof(Elf32_Shdr, sh_addr), &gpa32, sizeof(gpa32));
}

static int place_section(struct boot_layout *layout, const struct elf_image *image,
			 unsigned int index, const struct section *section, uint64_t *gpa)
{
	struct boot_context *context = layout->context;
	const struct boot_wish wish = {
		.floor = MEMORY_EXTENDED_GPA,
		.ceiling = MEMORY_4G,
		.size = section->size,
		.alignment = 4096,
		.from_top = true,
	};
	int error;

	if (!boot_file_holds(image->file, section->offset, section->size))
		return boot_refuse(context,
				   "section header %u at %#llx: sh_offset %#llx and sh_size %#llx "
				   "end beyond the file's %zu bytes: it is torn",
				   index,
				   (unsigned long long)image->section_headers +
					   (uint64_t)index * image->section_header_size,
				   (unsigned long long)section->offset,
				   (unsigned long long)section->size, image->file->size);
	error = boot_find(layout, &wish, "symbols", gpa);
	if (error == -ENOMEM)
		return boot_refuse(
			context,
			"section header %u: no room for its %#llx bytes of symbols "
			"beside the kernel: give the guest more memory (--mem), or strip it",
			index, (unsigned long long)section->size);
	if (!error)
		memcpy(boot_at(context, *gpa), image->file->bytes + section->offset, section->size);
	return error;
}

int elf_place_sections(struct boot_layout *layout, const struct elf_image *image, uint8_t *table)
{
	unsigned int placed = 0;

	memcpy(table, image->file->bytes + image->section_headers, elf_sections_size(image));
	for (unsigned int i = 0; i < image->section_header_count; i++) {
		uint8_t *header = table + (size_t)i * image->section_header_size;
		const struct section section = read_section(image, header);
		uint64_t gpa = 0;
		int error;

		if ((section.type != SHT_SYMTAB && section.type != SHT_STRTAB) ||
		    section.flags & SHF_ALLOC || section.size == 0 || placed == SECTIONS_PLACED_MAX)
			continue;
		error = place_section(layout, image, i, &section, &gpa);
		if (error)
			return error;
		set_address(image, header, gpa);
		placed++;
	}
	return 0;
}
