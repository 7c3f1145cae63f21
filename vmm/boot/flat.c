/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Flat images: bytes that are copied to one place and entered at the first of them.
 *
 * There is no header to say what processor mode the code is for, so the user does. The
 * one flat image that tells it of itself is the boot sector, with its signature 0xaa55 in
 * bytes 510 and 511. No boot protocol means no table in memory either: such a guest
 * is told of no command line, no memory map and no modules.
 *
 *	16	real mode, at 0000:7c00 as from a BIOS, stack below it
 *	32	protected mode, flat segments, paging off, at 1 MiB
 *	64	long mode, the low 4 GiB mapped to themselves, at 1 MiB
 */

#include <stdlib.h>
#include <string.h>

#include "vmm/boot/loader.h"

#define BOOT_SECTOR_GPA		 0x7c00
#define BOOT_SECTOR_SIZE	 512
#define BOOT_SECTOR_SIGNATURE	 0xaa55
#define BOOT_SECTOR_SIGNATURE_AT 510

static bool flat_probe(const struct boot_context *context)
{
	const struct boot_file *file = context->kernel;

	return file->size >= BOOT_SECTOR_SIZE &&
	       boot_read16(file->bytes + BOOT_SECTOR_SIGNATURE_AT) == BOOT_SECTOR_SIGNATURE;
}

/* A real-mode address has 16 bits of offset: CS:IP is 0:gpa as long as that will do. */
static int enter_real(struct boot_context *context, uint64_t gpa)
{
	const uint16_t selector = gpa < 0x10000 ? 0 : (uint16_t)(gpa >> 4);
	const uint16_t ip = (uint16_t)(gpa - ((uint64_t)selector << 4));
	const uint16_t sp = gpa >= 0x1000 && gpa < 0x10000 ? (uint16_t)(gpa & ~15ull)
							   : BOOT_SECTOR_GPA;

	boot_enter_real(context, selector, ip, sp);
	return 0;
}

static int flat_load(struct boot_context *context)
{
	const struct boot_file *file = context->kernel;
	const int mode = context->flat_mode ? atoi(context->flat_mode) : 16;
	const uint64_t usual_gpa = mode == 16 ? BOOT_SECTOR_GPA : MEMORY_EXTENDED_GPA;
	const uint64_t gpa = context->flat_gpa == UINT64_MAX ? usual_gpa : context->flat_gpa;
	struct boot_layout layout;
	int error;

	if (mode != 16 && mode != 32 && mode != 64)
		return boot_refuse(context, "flat image: no mode %s: take 16, 32 or 64",
				   context->flat_mode);
	if (context->initrd || context->module_count)
		return boot_refuse(context, "flat image: it has no way to be told of an initrd or "
					    "modules: leave them away");
	if (mode == 16 && gpa >= MEMORY_EXTENDED_GPA)
		return boot_refuse(context,
				   "flat image: its address %#llx is beyond the 1 MiB that real "
				   "mode reaches",
				   (unsigned long long)gpa);
	boot_layout_init(&layout, context);
	error = boot_claim(&layout, gpa, file->size, "image", "flat image");
	if (error)
		return error;
	memcpy(boot_at(context, gpa), file->bytes, file->size);
	context->kernel_gpa = gpa;
	context->kernel_end_gpa = gpa + file->size;
	context->protocol = mode == 16 ? "flat 16-bit" : mode == 32 ? "flat 32-bit" : "flat 64-bit";
	if (mode == 16)
		return enter_real(context, gpa);
	if (mode == 32)
		return boot_enter_protected(&layout, (uint32_t)gpa);
	return boot_enter_long(&layout, gpa);
}

const struct boot_protocol boot_flat = {
	.name = "flat",
	.probe = flat_probe,
	.load = flat_load,
};
