/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Multiboot 1 (Multiboot Specification 0.6.96): the protocol of small kernels, and of
 * many that want to be tested.
 *
 * The header is three words, a magic number, flags and a checksum that makes their sum
 * zero, somewhere in the first 8 KiB. The kernel is entered in 32-bit protected mode with
 * EBX at the information structure, whose flags say which of its fields hold something.
 *
 * The video fields are never filled in, whether the kernel asks for a mode or not: there
 * is no display, and flags bits 11 and 12 say so.
 */

#include <stdio.h>
#include <string.h>

#include "vmm/boot/elf.h"
#include "vmm/boot/multiboot.h"

/* 3.1.1: the header */
#define HEADER_SIZE	     12
#define HEADER_ADDRESSES     12 /* offset of header_addr */
#define HEADER_ENTRY_ADDR    28
#define HEADER_ADDRESSES_END 32

/* 3.1.2: its flags; a loader must refuse what it doesn't know in bits 0 to 15 */
#define HEADER_PAGE_ALIGN     (1u << 0)
#define HEADER_MEMORY_INFO    (1u << 1)
#define HEADER_VIDEO_MODE     (1u << 2)
#define HEADER_ADDRESS_FIELDS (1u << 16)
#define HEADER_REQUIRED_MASK  0xffffu
#define HEADER_REQUIRED_KNOWN (HEADER_PAGE_ALIGN | HEADER_MEMORY_INFO | HEADER_VIDEO_MODE)

/* 3.3: the information structure */
#define ENTRY_MAGIC	  0x2badb002u
#define INFO_MEMORY	  (1u << 0)
#define INFO_COMMAND_LINE (1u << 2)
#define INFO_MODULES	  (1u << 3)
#define INFO_ELF_SECTIONS (1u << 5)
#define INFO_MEMORY_MAP	  (1u << 6)
#define INFO_LOADER_NAME  (1u << 9)

struct information {
	uint32_t flags;
	uint32_t mem_lower, mem_upper;
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t elf_num, elf_size, elf_addr, elf_shndx;
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint8_t video[44];
} __attribute__((packed));
_Static_assert(sizeof(struct information) == 116, "3.3: the structure's fields up to color_info");

struct map_entry {
	uint32_t size; /* of what follows */
	uint64_t address, length;
	uint32_t type;
} __attribute__((packed));

struct module_entry {
	uint32_t mod_start, mod_end, string, reserved;
};

static bool find_header(const struct boot_file *file, uint64_t *offset)
{
	for (uint64_t at = 0; at + HEADER_SIZE <= MULTIBOOT1_SEARCH; at += MULTIBOOT1_ALIGNMENT) {
		if (!boot_file_holds(file, at, HEADER_SIZE))
			return false;
		if (boot_read32(file->bytes + at) == MULTIBOOT1_HEADER_MAGIC &&
		    MULTIBOOT1_HEADER_MAGIC + boot_read32(file->bytes + at + 4) +
				    boot_read32(file->bytes + at + 8) ==
			    0) {
			*offset = at;
			return true;
		}
	}
	return false;
}

static bool multiboot1_probe(const struct boot_context *context)
{
	uint64_t offset;

	return find_header(context->kernel, &offset);
}

static int load_by_addresses(struct boot_layout *layout, const char *where, uint64_t offset,
			     uint64_t *entry)
{
	struct boot_context *context = layout->context;
	const struct boot_file *file = context->kernel;
	struct multiboot_addresses addresses = {
		.where = where,
		.header_offset = offset,
		.fields_offset = offset + HEADER_ADDRESSES,
	};
	char field[96];
	int error;

	if (!boot_file_holds(file, offset, HEADER_ADDRESSES_END))
		return boot_refuse(context, "%s: the file ends in its address fields: it is torn",
				   where);
	multiboot_read_addresses(file, &addresses);
	error = multiboot_load_addresses(layout, &addresses);
	if (error)
		return error;
	*entry = boot_read32(file->bytes + offset + HEADER_ENTRY_ADDR);
	snprintf(field, sizeof(field), "%s: entry_addr at %#llx", where,
		 (unsigned long long)offset + HEADER_ENTRY_ADDR);
	return multiboot_check_entry(context, field, *entry);
}

static int load_elf(struct boot_layout *layout, const char *where, struct elf_image *image,
		    uint64_t *entry)
{
	struct boot_context *context = layout->context;
	int error;

	if (!elf_magic(context->kernel))
		return boot_refuse(context,
				   "%s: flags have no address fields (bit 16), and the file is no "
				   "ELF file: nothing says where to load it",
				   where);
	error = elf_open(context, image);
	if (!error)
		error = elf_check_sections(context, image);
	if (!error)
		error = elf_load(layout, image, 0);
	return error ? error : elf_entry(context, image, entry);
}

/* How much the information takes, strings and all. */
static size_t information_size(const struct boot_context *context, const struct elf_image *image,
			       const struct boot_modules *modules)
{
	size_t size = sizeof(struct information) + sizeof(MULTIBOOT_LOADER_NAME) + 16 +
		      context->map->count * sizeof(struct map_entry) +
		      modules->count * sizeof(struct module_entry);

	if (image)
		size += elf_sections_size(image);
	for (unsigned int i = 0; i < modules->count; i++)
		size += strlen(modules->list[i].file->name) + 1;
	return size;
}

static void fill_map(struct boot_context *context, struct boot_block *block,
		     struct information *information)
{
	const struct memory_map *map = context->map;
	const size_t size = map->count * sizeof(struct map_entry);
	const uint64_t gpa = boot_block_take(block, size, 4);
	struct map_entry *entries = (struct map_entry *)boot_at(context, gpa);

	for (unsigned int i = 0; i < map->count; i++)
		entries[i] = (struct map_entry){
			.size = sizeof(entries[i]) - sizeof(entries[i].size),
			.address = map->ranges[i].gpa,
			.length = map->ranges[i].size,
			.type = map->ranges[i].type,
		};
	information->mmap_addr = (uint32_t)gpa;
	information->mmap_length = (uint32_t)size;
	information->flags |= INFO_MEMORY_MAP;
}

static void fill_modules(struct boot_layout *layout, struct boot_block *block,
			 const struct boot_modules *modules, struct information *information)
{
	const uint64_t gpa =
		boot_block_take(block, modules->count * sizeof(struct module_entry), 4);
	struct module_entry *entries = (struct module_entry *)boot_at(layout->context, gpa);

	for (unsigned int i = 0; i < modules->count; i++) {
		const struct boot_module *module = &modules->list[i];

		entries[i] = (struct module_entry){
			.mod_start = (uint32_t)module->gpa,
			.mod_end = (uint32_t)(module->gpa + module->file->size),
			.string = (uint32_t)boot_block_string(layout, block, module->file->name),
		};
	}
	information->mods_count = modules->count;
	information->mods_addr = modules->count ? (uint32_t)gpa : 0;
	information->flags |= INFO_MODULES;
}

/* The section headers, with which a kernel finds its own symbols. */
static int fill_sections(struct boot_layout *layout, struct boot_block *block,
			 const struct elf_image *image, struct information *information)
{
	uint64_t gpa;

	if (!image || image->section_header_count == 0)
		return 0;
	gpa = boot_block_take(block, elf_sections_size(image), 8);
	information->elf_num = image->section_header_count;
	information->elf_size = image->section_header_size;
	information->elf_addr = (uint32_t)gpa;
	information->elf_shndx = image->section_names;
	information->flags |= INFO_ELF_SECTIONS;
	return elf_place_sections(layout, image, boot_at(layout->context, gpa));
}

static int place_information(struct boot_layout *layout, const struct elf_image *image,
			     uint64_t *gpa)
{
	struct boot_context *context = layout->context;
	const struct boot_wish where = multiboot_module_wish(context);
	struct information *information;
	struct boot_modules modules;
	struct boot_block block;
	uint64_t command_line;
	int error;

	error = boot_place_modules(layout, &where, &modules);
	if (!error) /* The first word is the kernel's own name, as an argv has it. */
		error = boot_place_command_line(layout, context->kernel->name,
						context->command_line, &command_line);
	if (!error)
		error = boot_block_place(layout, &block, information_size(context, image, &modules),
					 "multiboot information");
	if (error)
		return error;
	*gpa = boot_block_take(&block, sizeof(*information), 4);
	information = (struct information *)boot_at(context, *gpa);
	information->flags = INFO_MEMORY | INFO_COMMAND_LINE | INFO_LOADER_NAME;
	information->mem_lower = multiboot_lower_kib(context);
	information->mem_upper = multiboot_upper_kib(context);
	information->cmdline = (uint32_t)command_line;
	fill_map(context, &block, information);
	fill_modules(layout, &block, &modules, information);
	information->boot_loader_name =
		(uint32_t)boot_block_string(layout, &block, MULTIBOOT_LOADER_NAME);
	return fill_sections(layout, &block, image, information);
}

static int multiboot1_load(struct boot_context *context)
{
	struct boot_layout layout;
	struct elf_image image;
	uint64_t offset, entry, information;
	uint32_t flags;
	bool is_elf;
	char where[48];
	int error;

	if (!find_header(context->kernel, &offset))
		return boot_refuse(context, "no Multiboot header in the first 8 KiB");
	snprintf(where, sizeof(where), "Multiboot header at %#llx", (unsigned long long)offset);
	flags = boot_read32(context->kernel->bytes + offset + 4);
	if (flags & HEADER_REQUIRED_MASK & ~HEADER_REQUIRED_KNOWN)
		return boot_refuse(context,
				   "%s: flags at %#llx are %#x, and of bits 0 to 15 a loader must "
				   "know all that are set: only 0, 1 and 2 are known",
				   where, (unsigned long long)offset + 4, flags);
	is_elf = !(flags & HEADER_ADDRESS_FIELDS);
	boot_layout_init(&layout, context);
	error = is_elf ? load_elf(&layout, where, &image, &entry)
		       : load_by_addresses(&layout, where, offset, &entry);
	if (!error)
		error = place_information(&layout, is_elf ? &image : NULL, &information);
	if (!error)
		error = boot_enter_protected(&layout, (uint32_t)entry);
	if (error)
		return error;
	context->regs.rax = ENTRY_MAGIC;
	context->regs.rbx = information;
	return 0;
}

const struct boot_protocol boot_multiboot1 = {
	.name = "Multiboot 1",
	.probe = multiboot1_probe,
	.load = multiboot1_load,
};
