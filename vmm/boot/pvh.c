/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * ELF kernels that are no Multiboot images: by PVH where they have its note, else, when
 * they are for x86-64, as Linux's vmlinux.
 *
 * PVH (Xen's docs/misc/pvh.pandoc and public/arch-x86/hvm/start_info.h) is what a kernel
 * offers that wants to be started with nothing unpacked and nothing emulated: an ELF note
 * says where to enter, in 32-bit protected mode, with EBX at the start info. That has the
 * memory map, the command line, the modules and ACPI's RSDP.
 */

#include <elf.h>
#include <stdio.h>
#include <string.h>

#include "vmm/boot/elf.h"
#include "vmm/boot/multiboot.h"

#define NOTE_OWNER	   "Xen"
#define NOTE_PHYS32_ENTRY  18 /* XEN_ELFNOTE_PHYS32_ENTRY, public/elfnote.h */
#define START_INFO_MAGIC   0x336ec578u
#define START_INFO_VERSION 1

/* No protocol says how high an initrd may be; Linux's own limit, which suits others too. */
#define MODULES_CEILING 0x80000000ull

struct start_info {
	uint32_t magic, version, flags, module_count;
	uint64_t modules, command_line, rsdp, memory_map;
	uint32_t memory_map_count, reserved;
};
_Static_assert(sizeof(struct start_info) == 56, "struct hvm_start_info, version 1");

struct module_entry {
	uint64_t gpa, size, command_line, reserved;
};

struct map_entry {
	uint64_t gpa, size;
	uint32_t type, reserved;
};

static bool elf_probe(const struct boot_context *context)
{
	return elf_magic(context->kernel);
}

static int read_entry(struct boot_context *context, const struct elf_note *note, uint64_t *entry)
{
	if (note->size != 4 && note->size != 8)
		return boot_refuse(
			context, "PVH note at %#llx: its descriptor has %u bytes, neither 4 nor 8",
			(unsigned long long)note->at, note->size);
	*entry = note->size == 4 ? boot_read32(note->descriptor) : boot_read64(note->descriptor);
	if (*entry < context->kernel_gpa || *entry >= context->kernel_end_gpa)
		return boot_refuse(context,
				   "PVH note at %#llx: the entry is %#llx, outside of what is "
				   "loaded (%#llx to %#llx)",
				   (unsigned long long)note->at, (unsigned long long)*entry,
				   (unsigned long long)context->kernel_gpa,
				   (unsigned long long)context->kernel_end_gpa);
	return 0;
}

static size_t start_info_size(const struct boot_context *context,
			      const struct boot_modules *modules)
{
	size_t size = sizeof(struct start_info) + context->map->count * sizeof(struct map_entry) +
		      modules->count * sizeof(struct module_entry);

	for (unsigned int i = 0; i < modules->count; i++)
		if (modules->list[i].file->arguments)
			size += strlen(modules->list[i].file->arguments) + 1;
	return size;
}

static uint64_t fill_map(struct boot_context *context, struct boot_block *block)
{
	const struct memory_map *map = context->map;
	const uint64_t gpa = boot_block_take(block, map->count * sizeof(struct map_entry), 8);
	struct map_entry *entries = (struct map_entry *)boot_at(context, gpa);

	for (unsigned int i = 0; i < map->count; i++)
		entries[i] = (struct map_entry){
			.gpa = map->ranges[i].gpa,
			.size = map->ranges[i].size,
			.type = map->ranges[i].type,
		};
	return gpa;
}

static uint64_t fill_modules(struct boot_layout *layout, struct boot_block *block,
			     const struct boot_modules *modules)
{
	const uint64_t gpa =
		boot_block_take(block, modules->count * sizeof(struct module_entry), 8);
	struct module_entry *entries = (struct module_entry *)boot_at(layout->context, gpa);

	for (unsigned int i = 0; i < modules->count; i++) {
		const struct boot_file *file = modules->list[i].file;

		entries[i] = (struct module_entry){
			.gpa = modules->list[i].gpa,
			.size = file->size,
		};
		if (file->arguments)
			entries[i].command_line = boot_block_string(layout, block, file->arguments);
	}
	return modules->count ? gpa : 0;
}

static int place_start_info(struct boot_layout *layout, uint64_t *gpa)
{
	const struct boot_wish where = {
		.floor = MEMORY_EXTENDED_GPA,
		.ceiling = MODULES_CEILING,
		.alignment = 4096,
		.from_top = true,
	};
	struct boot_context *context = layout->context;
	struct boot_modules modules;
	struct boot_block block;
	struct start_info *info;
	uint64_t command_line;
	int error;

	error = boot_place_modules(layout, &where, &modules);
	if (!error)
		error = boot_place_command_line(layout, NULL, context->command_line, &command_line);
	if (!error)
		error = boot_block_place(layout, &block, start_info_size(context, &modules),
					 "PVH start info");
	if (error)
		return error;
	*gpa = boot_block_take(&block, sizeof(*info), 8);
	info = (struct start_info *)boot_at(context, *gpa);
	*info = (struct start_info){
		.magic = START_INFO_MAGIC,
		.version = START_INFO_VERSION,
		.module_count = modules.count,
		.command_line = command_line,
		.rsdp = context->rsdp_gpa,
		.memory_map_count = context->map->count,
	};
	info->memory_map = fill_map(context, &block);
	info->modules = fill_modules(layout, &block, &modules);
	return 0;
}

static int pvh_load(struct boot_layout *layout, const struct elf_note *note)
{
	struct boot_context *context = layout->context;
	uint64_t entry, start_info;
	int error;

	context->protocol = "PVH";
	error = read_entry(context, note, &entry);
	if (!error)
		error = place_start_info(layout, &start_info);
	if (!error)
		error = boot_enter_protected(layout, (uint32_t)entry);
	if (!error)
		context->regs.rbx = start_info;
	return error;
}

static int elf_kernel_load(struct boot_context *context)
{
	struct boot_layout layout;
	struct elf_image image;
	struct elf_note note;
	int error;

	boot_layout_init(&layout, context);
	error = elf_open(context, &image);
	if (!error)
		error = elf_load(&layout, &image, 0);
	if (error)
		return error;
	if (elf_find_note(&image, NOTE_OWNER, NOTE_PHYS32_ENTRY, &note))
		return pvh_load(&layout, &note);
	error = multiboot_refuse_torn(context);
	if (error)
		return error;
	if (image.machine == EM_X86_64)
		return boot_vmlinux_load(&layout, &image);
	return boot_refuse(context, "ELF header at 0x0: a 32-bit kernel with neither a Multiboot "
				    "header nor a PVH note (owner Xen, type 18): nothing says how "
				    "to start it");
}

const struct boot_protocol boot_elf = {
	.name = "ELF",
	.probe = elf_probe,
	.load = elf_kernel_load,
};
