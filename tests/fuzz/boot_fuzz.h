/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_FUZZ_BOOT_FUZZ_H
#define HUTCH_TESTS_FUZZ_BOOT_FUZZ_H

/*
 * The loaders' fuzzers. An input is an image, and in its last bytes the circumstances that
 * it is loaded in. Whatever the image says:
 *
 *	guest memory is written inside RAM only, which the sanitizer and guard bytes in the
 *	reserved part below 1 MiB watch; the image itself is never written;
 *	a refusal is -ENOEXEC with one line of text;
 *	what is loaded lies in RAM, and so do the entry and every table.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/boot.h"

#define FUZZ_RAM_MAX	   (8u << 20)
#define FUZZ_GUARD	   0xc5
#define FUZZ_CIRCUMSTANCES 6 /* bytes at the end of an input */

struct fuzz_case {
	struct boot_context context;
	struct boot_file kernel, initrd, modules[2];
	struct memory_map map;
	uint8_t rsdp[36];
	char command_line[300];
	uint8_t circumstances[FUZZ_CIRCUMSTANCES];
	uint8_t *image; /* a heap block of just the image's size */
};

static inline void fuzz_require(bool holds)
{
	if (!holds)
		abort();
}

/* What must stay as it is: reserved memory and the hole below 1 MiB. */
#define FUZZ_GUARD_GPA	MEMORY_EBDA_GPA
#define FUZZ_GUARD_SIZE (MEMORY_EXTENDED_GPA - MEMORY_EBDA_GPA)

static inline const uint8_t *fuzz_guard(void)
{
	static uint8_t guard[FUZZ_GUARD_SIZE];

	if (guard[0] != FUZZ_GUARD)
		memset(guard, FUZZ_GUARD, sizeof(guard));
	return guard;
}

/* Memory is made once and stays as the last run left it, but for the guard bytes. */
static inline uint8_t *fuzz_memory(void)
{
	static uint8_t *ram;

	if (!ram) {
		ram = aligned_alloc(4096, FUZZ_RAM_MAX);
		fuzz_require(ram);
		memset(ram, 0, FUZZ_RAM_MAX);
		memcpy(ram + FUZZ_GUARD_GPA, fuzz_guard(), FUZZ_GUARD_SIZE);
	}
	return ram;
}

static inline void fuzz_circumstances(struct fuzz_case *c)
{
	static const uint32_t sizes[] = { 2u << 20, 4u << 20, 6u << 20, FUZZ_RAM_MAX };
	const uint8_t *choice = c->circumstances;
	const uint64_t ram_size = sizes[choice[0] & 3];

	c->map = (struct memory_map){
		.ranges = { { 0, MEMORY_EBDA_GPA, MEMORY_RAM },
			    { MEMORY_EBDA_GPA, 0x400, MEMORY_RESERVED },
			    { MEMORY_BIOS_GPA, 0x20000, MEMORY_ACPI_RECLAIMABLE },
			    { MEMORY_EXTENDED_GPA, ram_size - MEMORY_EXTENDED_GPA, MEMORY_RAM },
			    { MEMORY_HIGH_GPA, 1u << 30, MEMORY_RAM } },
		.count = choice[0] & 4 ? 5 : 4,
		.low_size = ram_size,
	};
	c->context.map = &c->map;
	c->context.ram_size = ram_size;
	memset(c->command_line, 'x', choice[1]);
	c->context.command_line = c->command_line;
	if (choice[0] & 8) {
		memcpy(c->rsdp, "RSD PTR ", 8);
		c->context.rsdp = c->rsdp;
		c->context.rsdp_size = sizeof(c->rsdp);
		c->context.rsdp_gpa = MEMORY_BIOS_GPA;
	}
	/* Files beside the kernel: parts of the image will do for their bytes. */
	c->initrd = (struct boot_file){ "initrd", NULL, c->image, c->kernel.size };
	if (choice[0] & 16)
		c->context.initrd = &c->initrd;
	for (unsigned int i = 0; i < 2; i++)
		c->modules[i] =
			(struct boot_file){ "module a", "a", c->image, c->kernel.size / 2 * i };
	c->context.modules = c->modules;
	c->context.module_count = choice[0] >> 5 & 3;
	if (c->context.module_count > 2)
		c->context.module_count = 0;
}

/* Splits an input into an image and circumstances. False where it is too short for both. */
static inline bool fuzz_begin(struct fuzz_case *c, const uint8_t *data, size_t size)
{
	if (size < FUZZ_CIRCUMSTANCES)
		return false;
	memset(c, 0, sizeof(*c));
	size -= FUZZ_CIRCUMSTANCES;
	memcpy(c->circumstances, data + size, FUZZ_CIRCUMSTANCES);
	c->image = malloc(size ? size : 1);
	fuzz_require(c->image);
	memcpy(c->image, data, size);
	c->kernel = (struct boot_file){ "kernel", NULL, c->image, size };
	c->context.kernel = &c->kernel;
	c->context.ram = fuzz_memory();
	c->context.flat_gpa = UINT64_MAX;
	fuzz_circumstances(c);
	return true;
}

static inline bool fuzz_in_ram(const struct fuzz_case *c, uint64_t gpa)
{
	return gpa < MEMORY_EBDA_GPA || (gpa >= MEMORY_EXTENDED_GPA && gpa < c->context.ram_size);
}

static inline void fuzz_check_loaded(const struct fuzz_case *c)
{
	const struct boot_context *context = &c->context;
	const uint64_t entry = context->sregs.cs.base + context->regs.rip;

	fuzz_require(context->protocol != NULL);
	fuzz_require(fuzz_in_ram(c, context->kernel_gpa));
	fuzz_require(context->kernel_end_gpa > context->kernel_gpa);
	fuzz_require(fuzz_in_ram(c, context->kernel_end_gpa - 1));
	fuzz_require(entry >= context->kernel_gpa && entry < context->kernel_end_gpa);
	fuzz_require(fuzz_in_ram(c, context->sregs.gdt.base) || context->sregs.cr0 == 0x10);
	fuzz_require(fuzz_in_ram(c, context->sregs.cr3));
	fuzz_require(fuzz_in_ram(c, context->regs.rsi) && fuzz_in_ram(c, context->regs.rbx));
	if (context->initrd_size)
		fuzz_require(fuzz_in_ram(c, context->initrd_gpa) &&
			     fuzz_in_ram(c, context->initrd_gpa + context->initrd_size - 1));
}

/* Loads, checks what must hold, and cleans up. */
static inline void fuzz_end(struct fuzz_case *c)
{
	struct boot_context *context = &c->context;
	const int error = boot_load(context);

	if (error) {
		fuzz_require(error == -ENOEXEC);
		fuzz_require(context->error[0] && !strchr(context->error, '\n'));
	} else if (!context->firmware) {
		fuzz_check_loaded(c);
	}
	if (context->firmware) /* which is just what may be written there */
		memcpy(context->ram + FUZZ_GUARD_GPA, fuzz_guard(), FUZZ_GUARD_SIZE);
	fuzz_require(!memcmp(context->ram + FUZZ_GUARD_GPA, fuzz_guard(), FUZZ_GUARD_SIZE));
	free(c->image);
}

/*
 * Makes the word @words words behind the first @magic the checksum that a Multiboot header
 * must have there, so that a changed header is looked at and not passed over.
 */
static inline void fuzz_repair_checksum(struct fuzz_case *c, uint32_t magic, unsigned int words,
					unsigned int alignment)
{
	for (size_t at = 0; at + words * 4 + 4 <= c->kernel.size; at += alignment) {
		uint32_t word, sum = 0;

		memcpy(&word, c->image + at, 4);
		if (word != magic)
			continue;
		for (unsigned int i = 0; i < words; i++) {
			memcpy(&word, c->image + at + i * 4, 4);
			sum += word;
		}
		sum = -sum;
		memcpy(c->image + at + words * 4, &sum, 4);
		return;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
