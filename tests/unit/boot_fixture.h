/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_BOOT_FIXTURE_H
#define HUTCH_TESTS_UNIT_BOOT_FIXTURE_H

/*
 * A guest's memory and an image for the loaders' tests, without any VM. Guest memory
 * comes from the heap, so that the address sanitizer sees a byte written outside it.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/boot/boot.h"
#include "x86/registers.h"

#define FIXTURE_RAM_SIZE  (64ull << 20)
#define FIXTURE_IMAGE_MAX (1u << 20)
#define FIXTURE_RSDP	  0xe0000ull

struct fixture {
	struct boot_context context;
	struct boot_file kernel, initrd;
	struct boot_file modules[3];
	struct memory_map map;
	uint8_t rsdp[36];
	uint8_t *image; /* FIXTURE_IMAGE_MAX bytes; kernel.size says how many count */
};

static inline void fixture_map(struct fixture *f, uint64_t ram_size)
{
	f->map = (struct memory_map){
		.ranges = {
			{ 0, MEMORY_EBDA_GPA, MEMORY_RAM },
			{ MEMORY_EBDA_GPA, MEMORY_HOLE_GPA - MEMORY_EBDA_GPA, MEMORY_RESERVED },
			{ MEMORY_BIOS_GPA, MEMORY_EXTENDED_GPA - MEMORY_BIOS_GPA, MEMORY_RESERVED },
			{ MEMORY_EXTENDED_GPA, ram_size - MEMORY_EXTENDED_GPA, MEMORY_RAM },
			{ MEMORY_HIGH_GPA, 1ull << 30, MEMORY_RAM },
		},
		.count = 5,
		.low_size = ram_size,
		.high_size = 1ull << 30,
	};
	f->context.ram_size = ram_size;
}

static inline void fixture_init(struct fixture *f)
{
	memset(f, 0, sizeof(*f));
	f->image = calloc(1, FIXTURE_IMAGE_MAX);
	f->context.ram = aligned_alloc(4096, FIXTURE_RAM_SIZE);
	assert_non_null(f->image);
	assert_non_null(f->context.ram);
	memset(f->context.ram, 0xaa, FIXTURE_RAM_SIZE);
	memcpy(f->rsdp, "RSD PTR ", 8);
	f->rsdp[15] = 2;
	fixture_map(f, FIXTURE_RAM_SIZE);
	f->kernel = (struct boot_file){ .name = "kernel", .bytes = f->image };
	f->context.kernel = &f->kernel;
	f->context.map = &f->map;
	f->context.command_line = "console=ttyS0 quiet";
	f->context.rsdp_gpa = FIXTURE_RSDP;
	f->context.rsdp = f->rsdp;
	f->context.rsdp_size = sizeof(f->rsdp);
	f->context.flat_gpa = UINT64_MAX;
}

static inline void fixture_free(struct fixture *f)
{
	free(f->context.ram);
	free(f->image);
}

/* Writes a little-endian field of @size bytes into the image. */
static inline void fixture_set(struct fixture *f, size_t offset, unsigned int size, uint64_t value)
{
	assert_true(offset + size <= FIXTURE_IMAGE_MAX);
	memcpy(f->image + offset, &value, size);
}

/* Reads one from guest memory. */
static inline uint64_t fixture_ram(const struct fixture *f, uint64_t gpa, unsigned int size)
{
	uint64_t value = 0;

	assert_true(gpa + size <= f->context.ram_size);
	memcpy(&value, f->context.ram + gpa, size);
	return value;
}

static inline void fixture_load(struct fixture *f)
{
	const int error = boot_load(&f->context);

	if (error)
		print_error("refused: %s\n", f->context.error);
	assert_int_equal(error, 0);
}

/* The loader refuses, in one line that has @words in it. */
static inline void fixture_refused(struct fixture *f, const char *words)
{
	const int error = boot_load(&f->context);

	if (error != -ENOEXEC || !strstr(f->context.error, words))
		print_error("expected: %s\ngot %d: %s\n", words, error, f->context.error);
	assert_int_equal(error, -ENOEXEC);
	assert_non_null(strstr(f->context.error, words));
	assert_null(strchr(f->context.error, '\n'));
	assert_true(strlen(f->context.error) < sizeof(f->context.error) - 1);
}

/* One damage to a good image: @size bytes at @offset become @value, or the file ends at @cut. */
struct damage {
	const char *words; /* what the refusal must say */
	size_t offset;
	unsigned int size;
	uint64_t value;
	size_t cut;
};

/* Every damage in turn, each to a fresh image that @build makes. */
static inline void fixture_damages(const struct damage *damages, size_t count,
				   void (*build)(struct fixture *f))
{
	for (size_t i = 0; i < count; i++) {
		struct fixture f;

		fixture_init(&f);
		build(&f);
		if (damages[i].size)
			fixture_set(&f, damages[i].offset, damages[i].size, damages[i].value);
		if (damages[i].cut) {
			/* A heap block of just this size: reading on is seen. */
			uint8_t *torn = malloc(damages[i].cut);

			assert_non_null(torn);
			memcpy(torn, f.image, damages[i].cut);
			free(f.image);
			f.image = torn;
			f.kernel.bytes = torn;
			f.kernel.size = damages[i].cut;
		}
		fixture_refused(&f, damages[i].words);
		fixture_free(&f);
	}
}

/* Long mode with the low 4 GiB mapped to themselves, by tables in memory that say so. */
static inline void fixture_is_long_mode(const struct fixture *f)
{
	const struct kvm_sregs *sregs = &f->context.sregs;
	const uint64_t mask = 0x000ffffffffff000ull;

	assert_int_equal(sregs->cr0 & (CR0_PE | CR0_PG), CR0_PE | CR0_PG);
	assert_int_equal(sregs->cr4 & CR4_PAE, CR4_PAE);
	assert_int_equal(sregs->efer, IA32_EFER_LME | IA32_EFER_LMA);
	assert_int_equal(sregs->cs.l, 1);
	assert_int_equal(sregs->cs.db, 0);
	assert_int_equal(sregs->cs.selector, 0x10);
	assert_int_equal(sregs->ds.selector, 0x18);
	assert_int_equal(sregs->ss.selector, 0x18);
	assert_int_equal(fixture_ram(f, sregs->gdt.base + 0x10, 8), 0x00af9b000000ffff);
	assert_int_equal(fixture_ram(f, sregs->gdt.base + 0x18, 8), 0x00cf93000000ffff);
	assert_int_equal(f->context.regs.rflags, RFLAGS_FIXED);
	for (uint64_t address = 0; address < MEMORY_4G; address += 2 << 20) {
		uint64_t entry = fixture_ram(f, sregs->cr3, 8);

		assert_int_equal(entry & 3, 3);
		entry = fixture_ram(f, (entry & mask) + (address >> 30) * 8, 8);
		assert_int_equal(entry & 0x83, 3);
		entry = fixture_ram(f, (entry & mask) + (address >> 21 & 511) * 8, 8);
		assert_int_equal(entry & 0x83, 0x83);
		assert_int_equal(entry & mask, address);
	}
}

/* Protected mode with flat segments and without paging. */
static inline void fixture_is_protected_mode(const struct fixture *f)
{
	const struct kvm_sregs *sregs = &f->context.sregs;

	assert_int_equal(sregs->cr0 & (CR0_PE | CR0_PG), CR0_PE);
	assert_int_equal(sregs->efer, 0);
	assert_int_equal(sregs->cs.db, 1);
	assert_int_equal(sregs->cs.l, 0);
	assert_int_equal(sregs->cs.base, 0);
	assert_int_equal(sregs->cs.limit, 0xffffffff);
	assert_int_equal(sregs->ds.limit, 0xffffffff);
	assert_int_equal(sregs->es.base | sregs->ss.base | sregs->fs.base | sregs->gs.base, 0);
	assert_int_equal(fixture_ram(f, sregs->gdt.base + 0x10, 8), 0x00cf9b000000ffff);
	assert_int_equal(fixture_ram(f, sregs->gdt.base + 0x18, 8), 0x00cf93000000ffff);
	assert_int_equal(f->context.regs.rflags, RFLAGS_FIXED);
}

#endif
