/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_BOOT_MODULES_H
#define HUTCH_VMM_BOOT_MODULES_H

/* Modules, and the blocks of tables and strings in which a kernel is told of them. */

#include "vmm/boot/loader.h"

#define BOOT_MODULES_MAX 32

struct boot_module {
	const struct boot_file *file;
	uint64_t gpa; /* 0 for an empty file */
};

struct boot_modules {
	struct boot_module list[BOOT_MODULES_MAX];
	unsigned int count;
};

/*
 * Copies the initrd and the modules to where @where wishes (its size is not looked at), in
 * this order; where there is no room above its floor, elsewhere above 1 MiB. Sets
 * context->initrd_gpa and initrd_size.
 */
int boot_place_modules(struct boot_layout *layout, const struct boot_wish *where,
		       struct boot_modules *modules);

/* A piece of zeroed guest memory that is handed out from its beginning. */
struct boot_block {
	uint64_t gpa;
	size_t used;
};

/* The caller reckons @size, so that no take goes beyond it. */
int boot_block_place(struct boot_layout *layout, struct boot_block *block, size_t size,
		     const char *what);
uint64_t boot_block_take(struct boot_block *block, size_t size, size_t alignment);

uint64_t boot_block_string(struct boot_layout *layout, struct boot_block *block,
			   const char *string);

#endif
