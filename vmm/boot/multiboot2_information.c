/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a Multiboot 2 kernel is told (Multiboot2 Specification 2.0, 3.6): a list of tags,
 * each with its type and size in front and beginning at a multiple of 8.
 *
 * There is no tag for what the machine doesn't have: no framebuffer, no VBE, no BIOS boot
 * device, no EFI. Absence is how the protocol says so.
 */

#include <string.h>

#include "vmm/boot/multiboot2.h"

#define TAG_ALIGNMENT 8
#define ACPI_OLD_SIZE 20 /* the RSDP of ACPI 1.0, with which every later one begins */

struct tag {
	uint32_t type, size;
};

struct memory_entry {
	uint64_t gpa, size;
	uint32_t type, reserved;
};

/* The information while it is being written: guest memory from @gpa on. */
struct writer {
	struct boot_context *context;
	struct boot_block block;
};

static bool has_rsdp(const struct boot_context *context)
{
	return context->rsdp && context->rsdp_size >= ACPI_OLD_SIZE;
}

bool multiboot2_provides(const struct boot_context *context, uint32_t type)
{
	switch (type) {
	case MULTIBOOT2_COMMAND_LINE:
	case MULTIBOOT2_LOADER_NAME:
	case MULTIBOOT2_MODULE:
	case MULTIBOOT2_BASIC_MEMORY:
	case MULTIBOOT2_MEMORY_MAP:
	case MULTIBOOT2_ELF_SYMBOLS:
	case MULTIBOOT2_LOAD_BASE:
		return true;
	case MULTIBOOT2_ACPI_OLD_RSDP:
	case MULTIBOOT2_ACPI_NEW_RSDP:
		return has_rsdp(context);
	default:
		return false;
	}
}

/* A tag's size on its way to the next multiple of 8. */
static size_t tag_room(size_t payload)
{
	return sizeof(struct tag) + payload + TAG_ALIGNMENT - 1;
}

static size_t information_size(const struct boot_context *context,
			       const struct multiboot2_facts *facts,
			       const struct boot_modules *modules)
{
	size_t size = sizeof(struct tag); /* the fixed part: total_size and a reserved word */

	size += tag_room(strlen(context->command_line) + 1);
	size += tag_room(sizeof(MULTIBOOT_LOADER_NAME));
	for (unsigned int i = 0; i < modules->count; i++)
		size += tag_room(8 + strlen(modules->list[i].file->name) + 1);
	size += tag_room(8);							 /* basic memory */
	size += tag_room(8 + context->map->count * sizeof(struct memory_entry)); /* map */
	if (facts->image)
		size += tag_room(12 + elf_sections_size(facts->image));
	if (has_rsdp(context))
		size += tag_room(ACPI_OLD_SIZE) + tag_room(context->rsdp_size);
	size += tag_room(4); /* load base */
	return size + tag_room(0);
}

/* Begins a tag and returns where its payload goes. */
static uint8_t *add_tag(struct writer *writer, uint32_t type, size_t payload)
{
	const uint64_t gpa =
		boot_block_take(&writer->block, sizeof(struct tag) + payload, TAG_ALIGNMENT);
	uint8_t *at = boot_at(writer->context, gpa);

	*(struct tag *)at = (struct tag){ type, (uint32_t)(sizeof(struct tag) + payload) };
	return at + sizeof(struct tag);
}

static void write32(uint8_t *at, uint32_t value)
{
	memcpy(at, &value, sizeof(value));
}

static void add_string(struct writer *writer, uint32_t type, const char *string)
{
	const size_t size = strlen(string) + 1;

	memcpy(add_tag(writer, type, size), string, size);
}

static void add_modules(struct writer *writer, const struct boot_modules *modules)
{
	for (unsigned int i = 0; i < modules->count; i++) {
		const struct boot_module *module = &modules->list[i];
		const size_t size = strlen(module->file->name) + 1;
		uint8_t *at = add_tag(writer, MULTIBOOT2_MODULE, 8 + size);

		write32(at, (uint32_t)module->gpa);
		write32(at + 4, (uint32_t)(module->gpa + module->file->size));
		memcpy(at + 8, module->file->name, size);
	}
}

static void add_memory(struct writer *writer)
{
	const struct memory_map *map = writer->context->map;
	uint8_t *at = add_tag(writer, MULTIBOOT2_BASIC_MEMORY, 8);

	write32(at, multiboot_lower_kib(writer->context));
	write32(at + 4, multiboot_upper_kib(writer->context));

	at = add_tag(writer, MULTIBOOT2_MEMORY_MAP, 8 + map->count * sizeof(struct memory_entry));
	write32(at, sizeof(struct memory_entry));
	write32(at + 4, 0); /* entry_version */
	for (unsigned int i = 0; i < map->count; i++) {
		const struct memory_entry entry = {
			.gpa = map->ranges[i].gpa,
			.size = map->ranges[i].size,
			.type = map->ranges[i].type,
		};

		memcpy(at + 8 + i * sizeof(entry), &entry, sizeof(entry));
	}
}

static void add_rsdp(struct writer *writer)
{
	const struct boot_context *context = writer->context;

	if (!has_rsdp(context))
		return;
	memcpy(add_tag(writer, MULTIBOOT2_ACPI_OLD_RSDP, ACPI_OLD_SIZE), context->rsdp,
	       ACPI_OLD_SIZE);
	memcpy(add_tag(writer, MULTIBOOT2_ACPI_NEW_RSDP, context->rsdp_size), context->rsdp,
	       context->rsdp_size);
}

static int add_symbols(struct boot_layout *layout, struct writer *writer,
		       const struct elf_image *image)
{
	uint8_t *at;

	if (!image || image->section_header_count == 0)
		return 0;
	at = add_tag(writer, MULTIBOOT2_ELF_SYMBOLS, 12 + elf_sections_size(image));
	write32(at, image->section_header_count);
	write32(at + 4, image->section_header_size);
	write32(at + 8, image->section_names);
	return elf_place_sections(layout, image, at + 12);
}

int multiboot2_place_information(struct boot_layout *layout, const struct multiboot2_facts *facts,
				 uint64_t *gpa)
{
	struct boot_context *context = layout->context;
	const struct boot_wish where = multiboot_module_wish(context);
	struct writer writer = { .context = context };
	struct boot_modules modules;
	uint8_t *fixed;
	int error;

	error = boot_place_modules(layout, &where, &modules);
	if (!error)
		error = boot_block_place(layout, &writer.block,
					 information_size(context, facts, &modules),
					 "multiboot information");
	if (error)
		return error;
	*gpa = boot_block_take(&writer.block, sizeof(struct tag), TAG_ALIGNMENT);
	fixed = boot_at(context, *gpa);
	add_string(&writer, MULTIBOOT2_COMMAND_LINE, context->command_line);
	add_string(&writer, MULTIBOOT2_LOADER_NAME, MULTIBOOT_LOADER_NAME);
	add_modules(&writer, &modules);
	add_memory(&writer);
	error = add_symbols(layout, &writer, facts->image);
	if (error)
		return error;
	add_rsdp(&writer);
	if (facts->relocated)
		write32(add_tag(&writer, MULTIBOOT2_LOAD_BASE, 4), (uint32_t)context->kernel_gpa);
	add_tag(&writer, MULTIBOOT2_END, 0);
	write32(fixed, (uint32_t)writer.block.used);
	return 0;
}
