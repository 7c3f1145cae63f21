/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_BOOT_MULTIBOOT_H
#define HUTCH_VMM_BOOT_MULTIBOOT_H

/*
 * What Multiboot 1 and 2 have in common. Both look for a header near the image's
 * beginning, may say in it where a file that is no ELF belongs, enter in 32-bit protected
 * mode with EAX a magic number and EBX the information, and tell mostly the same things.
 */

#include "vmm/boot/modules.h"

#define MULTIBOOT_LOADER_NAME "hutch"

/* Where a header is looked for: Multiboot 1, 3.1; Multiboot 2, 3.1. */
#define MULTIBOOT1_HEADER_MAGIC 0x1badb002u
#define MULTIBOOT1_SEARCH	8192
#define MULTIBOOT1_ALIGNMENT	4
#define MULTIBOOT2_HEADER_MAGIC 0xe85250d6u
#define MULTIBOOT2_SEARCH	32768
#define MULTIBOOT2_ALIGNMENT	8

/* The address fields (Multiboot 1, 3.1.3) or address tag (Multiboot 2, 3.1.5). */
struct multiboot_addresses {
	const char *where;	/* "Multiboot header at 0x1000", for messages */
	uint64_t header_offset; /* of the header in the file */
	uint64_t fields_offset; /* of header_addr in the file; the other fields follow it */
	uint32_t header_addr, load_addr, load_end_addr, bss_end_addr;
};

/* Reads the four fields at @fields_offset, which are in the file. */
void multiboot_read_addresses(const struct boot_file *file, struct multiboot_addresses *addresses);

/* Claims, copies and zeroes as the addresses say; context->kernel_gpa and kernel_end_gpa. */
int multiboot_load_addresses(struct boot_layout *layout,
			     const struct multiboot_addresses *addresses);

/* Where a Multiboot loader would put modules: page-aligned, the lowest place above the kernel. */
struct boot_wish multiboot_module_wish(const struct boot_context *context);

/* Conventional memory, and what follows 1 MiB without a hole, in KiB. */
uint32_t multiboot_lower_kib(const struct boot_context *context);
uint32_t multiboot_upper_kib(const struct boot_context *context);

/*
 * For an image that would be taken for something else, or for nothing: refuses it where it
 * has a Multiboot header whose checksum is wrong. 0 where it has none.
 */
int multiboot_refuse_torn(struct boot_context *context);

/* Refuses an entry that is in no part of the loaded image. */
int multiboot_check_entry(struct boot_context *context, const char *field, uint64_t entry);

#endif
