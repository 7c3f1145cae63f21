/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_BOOT_BOOT_H
#define HUTCH_VMM_BOOT_BOOT_H

/*
 * The second step of five: load. A boot protocol is an agreement between a kernel
 * image and whoever starts it: where the image goes, what state the processor is
 * in at its first instruction, and which table in memory tells it about the rest.
 *
 * Each protocol is one file beside this header and one row of the table in boot.c.
 * A loader is pure: bytes of the image and guest memory in, memory filled and a
 * processor state out. It opens nothing, allocates nothing that it keeps, and
 * trusts no field of the image, so it can be fuzzed without a VM.
 */

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/memory_map.h"

/* Where the loaders put what they make, below 1 MiB; see vmm/memory_map.h for the whole. */
#define BOOT_GDT_GPA	      0x00001000ull
#define BOOT_STACK_TOP_GPA    0x00008000ull /* grows down to 0x7000 */
#define BOOT_PARAMETERS_GPA   0x00009000ull /* zero page, hvm_start_info or multiboot information */
#define BOOT_PAGE_TABLES_GPA  0x00010000ull /* PML4, PDPT, four PDs: the low 4 GiB, identity */
#define BOOT_COMMAND_LINE_GPA 0x00020000ull
#define BOOT_COMMAND_LINE_MAX 0x00010000ull /* with its zero byte */

/*
 * An image in memory. @name is for messages, and it is the string that a Multiboot
 * kernel is given for it: a module's is "FILE" or "FILE ARGUMENTS", as the user wrote it.
 */
struct boot_file {
	const char *name;
	const char *arguments; /* the second half of a module's name, PVH's string; or NULL */
	const uint8_t *bytes;
	size_t size;
};

/*
 * A read-only memory: @bytes (of the image, the caller's) at @gpa. Both @gpa and @size are
 * multiples of 4096, above RAM and clear of the interrupt controllers.
 */
struct boot_rom {
	uint64_t gpa;
	const uint8_t *bytes;
	uint64_t size;
};

struct boot_context {
	/* In. */
	const struct boot_file *kernel;
	const struct boot_file *unpacked; /* a bzImage's payload (vmm/unpack.h), or NULL */
	uint64_t random; /* where an unpacked kernel is moved to (KASLR); 0: nowhere */
	const struct boot_file *initrd;	 /* NULL where there is none; Multiboot: the first module */
	const struct boot_file *modules; /* further Multiboot or PVH modules */
	unsigned int module_count;
	const char *command_line; /* never NULL */
	/* Guest-physical 0 to @ram_size as the host sees it, page-aligned, zeroes but for tables. */
	uint8_t *ram;
	uint64_t ram_size; /* the memory below 4 GiB, in bytes */
	const struct memory_map *map;
	uint64_t rsdp_gpa; /* 0 where there is no ACPI */
	const void *rsdp;  /* its bytes, for the tags that carry a copy */
	size_t rsdp_size;
	/* A flat image's mode, "16", "32" or "64", which makes any image flat; NULL: from its look. */
	const char *flat_mode;
	uint64_t flat_gpa; /* where a flat image goes; UINT64_MAX: the mode's usual place */
	/* Firmware, which starts in place of a kernel: @kernel is NULL then. NULL: none. */
	const struct boot_file *firmware;
	/* Told of everything that is put into RAM, as it is decided; NULL: nobody listens. */
	void (*placed)(void *owner, const char *what, uint64_t gpa, uint64_t size);
	void *placed_owner;

	/* Out: the boot processor's state. What a loader leaves alone is as after RESET. */
	struct kvm_regs regs;
	struct kvm_sregs sregs;
	const char *protocol;		     /* "Linux 64-bit", "PVH", ... */
	uint64_t kernel_gpa, kernel_end_gpa; /* what the kernel occupies, for --dry-run */
	uint64_t initrd_gpa, initrd_size;
	/* Memory beside RAM that the machine shall map before the first instruction. */
	struct boot_rom rom; /* rom.size 0: none */
	bool shadow_ram;     /* back 0xc0000 to 1 MiB with RAM, all of it, from @ram */
	char error[256];     /* one line "setup header at 0x1f1: ..." when boot_load() fails */
};

/*
 * Finds the protocol of the image, loads it and fills the state in. Returns 0, or
 * -ENOEXEC with @error set: without the name of the kernel's (or firmware's) file, which
 * the caller puts before it. Guest memory may then be half filled.
 */
int boot_load(struct boot_context *context);

/* The state of a processor after RESET (SDM 3, 10.1.1), from which every loader starts. */
void boot_reset_state(struct kvm_regs *regs, struct kvm_sregs *sregs);

#endif
