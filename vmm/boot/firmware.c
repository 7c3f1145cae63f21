/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Firmware: what a PC runs when nobody has loaded anything.
 *
 * After RESET the processor is in real mode, but CS's hidden base is 0xffff0000, so that
 * the first instruction comes from 16 bytes below 4 GiB (SDM 3, 10.1.4). There the
 * image lies, read-only and ending at 4 GiB. Its first far jump goes below 1 MiB, where a
 * PC shows the image's end a second time, until firmware tells the chipset to put RAM there
 * and copies itself into it. This machine has no such chipset: from 0xc0000 to 1 MiB it has
 * RAM from the start, with the copy made, of as much of the image as fits.
 */

#include <string.h>

#include "vmm/boot/loader.h"

#define FIRMWARE_SIZE_MAX 0x40000ull /* vmm/memory_map.h: from 0xfffc0000 on */
#define FIRMWARE_PAGE	  4096
#define SHADOW_GPA	  0xc0000ull
#define SHADOW_SIZE	  (MEMORY_EXTENDED_GPA - SHADOW_GPA)
#define RESET_VECTOR_SIZE 16

/* Erased flash is all ones, a padded file all zeroes: neither has code at its end. */
static bool has_reset_vector(const struct boot_file *file)
{
	const uint8_t *vector = file->bytes + file->size - RESET_VECTOR_SIZE;

	return vector[0] != 0 && vector[0] != 0xff;
}

int boot_firmware_load(struct boot_context *context)
{
	const struct boot_file *file = context->firmware;
	uint64_t shadowed;

	context->protocol = "firmware";
	if (context->kernel)
		return boot_refuse(context, "firmware: it starts what is on disks: leave the "
					    "kernel away, or the firmware");
	if (file->size == 0 || file->size % FIRMWARE_PAGE)
		return boot_refuse(context,
				   "firmware: its size is %zu bytes, not a multiple of 4096: the "
				   "file is torn, or not firmware",
				   file->size);
	if (file->size > FIRMWARE_SIZE_MAX)
		return boot_refuse(context,
				   "firmware: its size is %zu bytes, and %llu is the most there is "
				   "room for below 4 GiB: take a BIOS image",
				   file->size, FIRMWARE_SIZE_MAX);
	if (!has_reset_vector(file))
		return boot_refuse(context,
				   "firmware: no code at %#zx, its reset vector 16 bytes from the "
				   "end: not a firmware image",
				   file->size - RESET_VECTOR_SIZE);
	if (context->ram_size < MEMORY_EXTENDED_GPA)
		return boot_refuse(context, "firmware: it needs at least 1 MiB of memory");

	shadowed = file->size < SHADOW_SIZE ? file->size : SHADOW_SIZE;
	memcpy(boot_at(context, MEMORY_EXTENDED_GPA - shadowed),
	       file->bytes + file->size - shadowed, shadowed);
	context->rom = (struct boot_rom){
		.gpa = MEMORY_4G - file->size,
		.bytes = file->bytes,
		.size = file->size,
	};
	context->shadow_ram = true;
	boot_reset_state(&context->regs, &context->sregs);
	return 0;
}
