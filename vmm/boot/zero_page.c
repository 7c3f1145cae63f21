/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Linux's zero page: the one table through which a loader tells the kernel about
 * the machine (Documentation/arch/x86/zero-page.rst). What stands here is the part
 * that does not come from the image: memory, ACPI, the initrd and the command line.
 *
 * screen_info stays zero, which says that there is no text screen to write to.
 */

#include <asm/bootparam.h>
#include <string.h>

#include "vmm/boot/loader.h"

_Static_assert(sizeof(struct boot_params) == 4096, "the zero page is a page");
_Static_assert(MEMORY_MAP_MAX <= E820_MAX_ENTRIES_ZEROPAGE, "the map fits into the zero page");

/* boot.rst: no assigned number for a loader like this one */
#define LOADER_TYPE_UNDEFINED 0xff
/* boot.rst, heap_end_ptr: real-mode code that runs no more, so any sane value does */
#define HEAP_END_OFFSET (0xe000 - 0x200)

static void fill_setup_header(const struct boot_context *context, struct setup_header *header,
			      uint64_t command_line_gpa)
{
	header->type_of_loader = LOADER_TYPE_UNDEFINED;
	header->ext_loader_ver = header->ext_loader_type = 0;
	header->loadflags |= CAN_USE_HEAP;
	header->heap_end_ptr = HEAP_END_OFFSET;
	header->cmd_line_ptr = (uint32_t)command_line_gpa;
	header->ramdisk_image = (uint32_t)context->initrd_gpa;
	header->ramdisk_size = (uint32_t)context->initrd_size;
	header->setup_data = 0;
}

int boot_place_zero_page(struct boot_layout *layout, const void *setup_header, size_t size,
			 struct boot_params **page, uint64_t *gpa)
{
	struct boot_context *context = layout->context;
	const struct memory_map *map = context->map;
	struct boot_params *parameters;
	uint64_t command_line;
	int error;

	error = boot_place_command_line(layout, NULL, context->command_line, &command_line);
	if (!error)
		error = boot_place_table(layout, BOOT_PARAMETERS_GPA, sizeof(*parameters),
					 "zero page", gpa);
	if (error)
		return error;

	*page = parameters = (struct boot_params *)boot_at(context, *gpa);
	memset(parameters, 0, sizeof(*parameters));
	memcpy((uint8_t *)parameters + offsetof(struct boot_params, hdr), setup_header, size);
	fill_setup_header(context, &parameters->hdr, command_line);
	parameters->acpi_rsdp_addr = context->rsdp_gpa;
	for (unsigned int i = 0; i < map->count; i++)
		parameters->e820_table[i] = (struct boot_e820_entry){
			.addr = map->ranges[i].gpa,
			.size = map->ranges[i].size,
			.type = map->ranges[i].type,
		};
	parameters->e820_entries = (uint8_t)map->count;
	return 0;
}
