/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which protocol an image is for.
 *
 * The image says so itself, and some say more than one: an ELF kernel may carry both
 * Multiboot headers and a PVH note. The table is in the order in which they are
 * believed, the most telling protocol first.
 */

#include <string.h>

#include "vmm/boot/multiboot.h"

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

/* What a file that nobody recognises may be instead, by its first bytes. */
static const struct {
	const char *magic;
	size_t size;
	const char *advice;
} strangers[] = {
	{ "\x1f\x8b", 2, "packed with gzip: unpack it first (gzip -d)" },
	{ "\xfd\x37zXZ", 5, "packed with xz: unpack it first (xz -d)" },
	{ "\x28\xb5\x2f\xfd", 4, "packed with zstd: unpack it first (zstd -d)" },
	{ "BZh", 3, "packed with bzip2: unpack it first (bzip2 -d)" },
	{ "!<arch>", 7, "an archive: of a Debian package, take the kernel in it" },
	{ "MZ", 2, "a program for EFI: take a Linux kernel's bzImage, or an ELF file" },
};

static int refuse_stranger(struct boot_context *context)
{
	const struct boot_file *file = context->kernel;

	for (unsigned int i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (file->size >= strangers[i].size &&
		    !memcmp(file->bytes, strangers[i].magic, strangers[i].size))
			return boot_refuse(context, "format not recognised: %s",
					   strangers[i].advice);
	return boot_refuse(context,
			   "format not recognised: no bzImage, no ELF kernel, no Multiboot "
			   "header, no boot sector; if it is plain code, say for which mode: "
			   "--flat 16, 32 or 64");
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
	if (protocol) {
		context->protocol = protocol->name;
		return protocol->load(context);
	}
	if (multiboot_refuse_torn(context))
		return -ENOEXEC;
	return refuse_stranger(context);
}
