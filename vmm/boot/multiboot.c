/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The common half of Multiboot 1 and 2. */

#include <string.h>

#include "vmm/boot/multiboot.h"

#define LOAD_FROM_START 0xffffffffu /* Multiboot 2, 3.1.5: load_addr -1 */

void multiboot_read_addresses(const struct boot_file *file, struct multiboot_addresses *addresses)
{
	const uint8_t *fields = file->bytes + addresses->fields_offset;

	addresses->header_addr = boot_read32(fields);
	addresses->load_addr = boot_read32(fields + 4);
	addresses->load_end_addr = boot_read32(fields + 8);
	addresses->bss_end_addr = boot_read32(fields + 12);
}

static int refuse_address(struct boot_context *context, const struct multiboot_addresses *a,
			  const char *field, unsigned int index, uint32_t value, const char *why)
{
	return boot_refuse(context, "%s: %s at %#llx is %#x, %s", a->where, field,
			   (unsigned long long)a->fields_offset + index * 4, value, why);
}

/*
 * load_addr belongs to the byte of the file that is as far before the header as load_addr
 * is before header_addr.
 */
static int find_load_start(struct boot_context *context, const struct multiboot_addresses *a,
			   uint32_t *load_addr, uint64_t *offset)
{
	if (a->load_addr == LOAD_FROM_START) {
		if (a->header_addr < a->header_offset)
			return refuse_address(context, a, "header_addr", 0, a->header_addr,
					      "less than the header's own offset in the file");
		*load_addr = a->header_addr - (uint32_t)a->header_offset;
		*offset = 0;
		return 0;
	}
	if (a->load_addr > a->header_addr)
		return refuse_address(context, a, "load_addr", 1, a->load_addr,
				      "above header_addr");
	if (a->header_addr - a->load_addr > a->header_offset)
		return refuse_address(context, a, "load_addr", 1, a->load_addr,
				      "which belongs to a byte before the file's first");
	*load_addr = a->load_addr;
	*offset = a->header_offset - (a->header_addr - a->load_addr);
	return 0;
}

int multiboot_load_addresses(struct boot_layout *layout, const struct multiboot_addresses *a)
{
	struct boot_context *context = layout->context;
	const struct boot_file *file = context->kernel;
	uint64_t offset, size, end;
	uint32_t load_addr = 0;
	int error = find_load_start(context, a, &load_addr, &offset);

	if (error)
		return error;
	size = a->load_end_addr ? (uint64_t)a->load_end_addr - load_addr : file->size - offset;
	if (a->load_end_addr && a->load_end_addr < load_addr)
		return refuse_address(context, a, "load_end_addr", 2, a->load_end_addr,
				      "below load_addr");
	if (!boot_file_holds(file, offset, size))
		return refuse_address(context, a, "load_end_addr", 2, a->load_end_addr,
				      "beyond the end of the file: it is torn");
	end = load_addr + size;
	if (a->bss_end_addr && a->bss_end_addr < end)
		return refuse_address(context, a, "bss_end_addr", 3, a->bss_end_addr,
				      "below the end of what is loaded");
	if (a->bss_end_addr)
		end = a->bss_end_addr;
	if (end == load_addr)
		return refuse_address(context, a, "load_end_addr", 2, a->load_end_addr,
				      "which leaves nothing to load");
	error = boot_claim(layout, load_addr, end - load_addr, "kernel", a->where);
	if (error)
		return error;
	memcpy(boot_at(context, load_addr), file->bytes + offset, size);
	boot_zero(context, load_addr + size, end - load_addr - size);
	context->kernel_gpa = load_addr;
	context->kernel_end_gpa = end;
	return 0;
}

struct boot_wish multiboot_module_wish(const struct boot_context *context)
{
	struct boot_wish wish = {
		.floor = context->kernel_end_gpa,
		.ceiling = MEMORY_4G,
		.alignment = 4096,
	};

	if (wish.floor < MEMORY_EXTENDED_GPA)
		wish.floor = MEMORY_EXTENDED_GPA;
	return wish;
}

/* The end of RAM that reaches from @gpa on without a hole, by the map. */
static uint64_t ram_from(const struct boot_context *context, uint64_t gpa)
{
	const struct memory_map *map = context->map;

	for (unsigned int i = 0; i < map->count; i++)
		if (map->ranges[i].type == MEMORY_RAM && map->ranges[i].gpa == gpa)
			return map->ranges[i].gpa + map->ranges[i].size;
	return gpa;
}

uint32_t multiboot_lower_kib(const struct boot_context *context)
{
	return (uint32_t)(ram_from(context, 0) / 1024);
}

uint32_t multiboot_upper_kib(const struct boot_context *context)
{
	return (uint32_t)((ram_from(context, MEMORY_EXTENDED_GPA) - MEMORY_EXTENDED_GPA) / 1024);
}

/* A magic number that no right checksum follows, @words words behind it. */
static int refuse_torn(struct boot_context *context, const char *name, uint32_t magic,
		       unsigned int words, uint64_t search, unsigned int alignment)
{
	const struct boot_file *file = context->kernel;
	const uint64_t size = words * 4 + 4;

	for (uint64_t at = 0; at + size <= search && boot_file_holds(file, at, size);
	     at += alignment) {
		uint32_t sum = 0;

		if (boot_read32(file->bytes + at) != magic)
			continue;
		for (unsigned int i = 0; i < words; i++)
			sum += boot_read32(file->bytes + at + i * 4);
		return boot_refuse(context,
				   "%s header at %#llx: checksum at %#llx is %#x, and %#x by the "
				   "fields before it: the header is damaged",
				   name, (unsigned long long)at, (unsigned long long)at + words * 4,
				   boot_read32(file->bytes + at + words * 4), -sum);
	}
	return 0;
}

int multiboot_refuse_torn(struct boot_context *context)
{
	const int error = refuse_torn(context, "Multiboot2", MULTIBOOT2_HEADER_MAGIC, 3,
				      MULTIBOOT2_SEARCH, MULTIBOOT2_ALIGNMENT);

	return error ? error
		     : refuse_torn(context, "Multiboot", MULTIBOOT1_HEADER_MAGIC, 2,
				   MULTIBOOT1_SEARCH, MULTIBOOT1_ALIGNMENT);
}

int multiboot_check_entry(struct boot_context *context, const char *field, uint64_t entry)
{
	if (entry >= context->kernel_gpa && entry < context->kernel_end_gpa)
		return 0;
	return boot_refuse(context, "%s is %#llx, outside of what is loaded (%#llx to %#llx)",
			   field, (unsigned long long)entry,
			   (unsigned long long)context->kernel_gpa,
			   (unsigned long long)context->kernel_end_gpa);
}
