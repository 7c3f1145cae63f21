/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Modules: files that a loader puts into memory beside the kernel and tells it of. The
 * initrd is the first of them.
 *
 * The tables in which they are told of differ by protocol, but are all made the same
 * way: one block of guest memory, into which entries and strings are put one behind the
 * other, each pointing at another's address.
 */

#include <string.h>

#include "vmm/boot/modules.h"

static int place_module(struct boot_layout *layout, const struct boot_file *file,
			const struct boot_wish *where, uint64_t *gpa)
{
	struct boot_wish wish = *where;
	int error;

	*gpa = 0;
	if (file->size == 0)
		return 0;
	wish.size = file->size;
	error = boot_find(layout, &wish, "module", gpa);
	if (error == -ENOMEM) {
		wish.floor = MEMORY_EXTENDED_GPA;
		error = boot_find(layout, &wish, "module", gpa);
	}
	if (error == -ENOMEM)
		return boot_refuse(layout->context,
				   "module %s: no room for its %#zx bytes beside the kernel: give "
				   "the guest more memory (--mem)",
				   file->name, file->size);
	if (!error)
		memcpy(boot_at(layout->context, *gpa), file->bytes, file->size);
	return error;
}

int boot_place_modules(struct boot_layout *layout, const struct boot_wish *where,
		       struct boot_modules *modules)
{
	struct boot_context *context = layout->context;
	const unsigned int first = context->initrd ? 1 : 0;

	modules->count = 0;
	if (context->module_count > BOOT_MODULES_MAX - first)
		return boot_refuse(context, "modules: %u are more than the %u there is room for",
				   context->module_count + first, BOOT_MODULES_MAX);
	for (unsigned int i = 0; i < first + context->module_count; i++) {
		struct boot_module *module = &modules->list[modules->count++];
		int error;

		module->file = i < first ? context->initrd : &context->modules[i - first];
		error = place_module(layout, module->file, where, &module->gpa);
		if (error)
			return error;
	}
	if (first) {
		context->initrd_gpa = modules->list[0].gpa;
		context->initrd_size = modules->list[0].file->size;
	}
	return 0;
}

uint64_t boot_block_take(struct boot_block *block, size_t size, size_t alignment)
{
	const size_t at = (block->used + alignment - 1) & ~(alignment - 1);

	block->used = at + size;
	return block->gpa + at;
}

int boot_block_place(struct boot_layout *layout, struct boot_block *block, size_t size,
		     const char *what)
{
	int error = boot_place_table(layout, BOOT_PARAMETERS_GPA, size, what, &block->gpa);

	if (error)
		return error;
	block->used = 0;
	memset(boot_at(layout->context, block->gpa), 0, size);
	return 0;
}

uint64_t boot_block_string(struct boot_layout *layout, struct boot_block *block, const char *string)
{
	const size_t size = strlen(string) + 1;
	const uint64_t gpa = boot_block_take(block, size, 1);

	memcpy(boot_at(layout->context, gpa), string, size);
	return gpa;
}
