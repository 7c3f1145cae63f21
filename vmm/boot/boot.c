/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which protocol an image is for.
 *
 * The image says so itself, and some say more than one: an ELF kernel may carry both
 * Multiboot headers and a PVH note. The table is in the order in which they are
 * believed, the most telling protocol first.
 */

#include <errno.h>

#include "vmm/boot/loader.h"

static const struct boot_protocol *const protocols[] = {
	&boot_linux, &boot_multiboot2, &boot_multiboot1, &boot_elf, &boot_flat,
};

#define PROTOCOL_COUNT (sizeof(protocols) / sizeof(protocols[0]))

static const struct boot_protocol *find_protocol(const struct boot_context *context)
{
	if (context->flat_mode)
		return &boot_flat;
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++)
		if (protocols[i]->probe(context))
			return protocols[i];
	return NULL;
}

/* What earlier use of the context may have left in its results. */
static void clear_results(struct boot_context *context)
{
	context->protocol = NULL;
	context->kernel_gpa = context->kernel_end_gpa = 0;
	context->initrd_gpa = context->initrd_size = 0;
	context->rom = (struct boot_rom){ 0 };
	context->shadow_ram = false;
	context->error[0] = 0;
}

int boot_load(struct boot_context *context)
{
	const struct boot_protocol *protocol;

	clear_results(context);
	if (context->firmware)
		return boot_firmware_load(context);
	if (context->kernel->size == 0)
		return boot_refuse(context, "the file is empty");
	protocol = find_protocol(context);
	if (!protocol)
		return boot_refuse(context,
				   "format not recognised: no bzImage, no ELF kernel, no Multiboot "
				   "header, no boot sector; for a flat image, say which mode it "
				   "is for (16, 32 or 64)");
	context->protocol = protocol->name;
	return protocol->load(context);
}
