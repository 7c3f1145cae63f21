/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_BOOT_MULTIBOOT2_H
#define HUTCH_VMM_BOOT_MULTIBOOT2_H

/* The two halves of Multiboot 2: what a kernel asks for, and what it is told. */

#include "vmm/boot/elf.h"
#include "vmm/boot/multiboot.h"

/* Multiboot2 Specification 2.0, 3.6: types of information tags */
enum multiboot2_information {
	MULTIBOOT2_END = 0,
	MULTIBOOT2_COMMAND_LINE = 1,
	MULTIBOOT2_LOADER_NAME = 2,
	MULTIBOOT2_MODULE = 3,
	MULTIBOOT2_BASIC_MEMORY = 4,
	MULTIBOOT2_MEMORY_MAP = 6,
	MULTIBOOT2_FRAMEBUFFER = 8,
	MULTIBOOT2_ELF_SYMBOLS = 9,
	MULTIBOOT2_ACPI_OLD_RSDP = 14,
	MULTIBOOT2_ACPI_NEW_RSDP = 15,
	MULTIBOOT2_LOAD_BASE = 21,
};

struct multiboot2_facts {
	const struct elf_image *image; /* NULL where the kernel is no ELF file */
	bool relocated;		       /* there was a relocatable header tag */
};

/* Whether an information tag of this type can be given to this kernel. */
bool multiboot2_provides(const struct boot_context *context, uint32_t type);

/* Places modules, strings and tags; @gpa is where EBX points. */
int multiboot2_place_information(struct boot_layout *layout, const struct multiboot2_facts *facts,
				 uint64_t *gpa);

#endif
