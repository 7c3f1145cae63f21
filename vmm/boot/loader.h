/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_BOOT_LOADER_H
#define HUTCH_VMM_BOOT_LOADER_H

/*
 * What the loaders share: how to refuse an image, where there is room in guest
 * memory, and the processor states that more than one protocol begins with.
 *
 * A loader decides about memory through a layout: it claims what the image insists
 * on, asks for room for what it makes itself, and only then writes. A claim that is
 * outside RAM, wraps or meets an earlier claim fails with one line that names both.
 */

#include <errno.h>

#include "vmm/boot/boot.h"

/* One row of the table in boot.c. */
struct boot_protocol {
	const char *name;
	/* Whether the image says of itself that it is for this protocol. */
	bool (*probe)(const struct boot_context *context);
	int (*load)(struct boot_context *context);
};

extern const struct boot_protocol boot_linux;
extern const struct boot_protocol boot_multiboot2;
extern const struct boot_protocol boot_multiboot1;
extern const struct boot_protocol boot_elf; /* PVH and vmlinux */
extern const struct boot_protocol boot_flat;

/* Loads context->firmware in place of a kernel. */
int boot_firmware_load(struct boot_context *context);

/* Sets context->error and is -ENOEXEC: `return boot_refuse(context, ...)`. */
#define boot_refuse(context, ...) (boot_set_error(context, __VA_ARGS__), -ENOEXEC)
void boot_set_error(struct boot_context *context, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* ---- reading an image -------------------------------------------------- */

/* Whether [@offset, @offset + @size) lies in the file, without wrapping. */
bool boot_file_holds(const struct boot_file *file, uint64_t offset, uint64_t size);

/* Little-endian fields at any alignment; the caller has checked that they are there. */
uint16_t boot_read16(const uint8_t *bytes);
uint32_t boot_read32(const uint8_t *bytes);
uint64_t boot_read64(const uint8_t *bytes);

/* ---- room in guest memory ---------------------------------------------- */

#define BOOT_CLAIMS_MAX 192

struct boot_claim {
	uint64_t gpa, end;
	const char *what;
};

struct boot_layout {
	struct boot_context *context;
	struct boot_claim claims[BOOT_CLAIMS_MAX];
	unsigned int count;
};

void boot_layout_init(struct boot_layout *layout, struct boot_context *context);

/*
 * Claims [@gpa, @gpa + @size) for @what (a word for messages that outlives the
 * layout). All of it must be RAM below 4 GiB that nobody has claimed; @field says
 * where the image asks for it ("program header 2 at 0xb0: p_paddr").
 */
int boot_claim(struct boot_layout *layout, uint64_t gpa, uint64_t size, const char *what,
	       const char *field);

/*
 * Finds and claims unclaimed RAM: the lowest (or, with @from_top, the highest) place in
 * [@floor, @ceiling) that is a multiple of @alignment, a power of two. Where there
 * is none it returns -ENOMEM and leaves the words to the caller.
 */
struct boot_wish {
	uint64_t floor, ceiling, size, alignment;
	bool from_top;
};
int boot_find(struct boot_layout *layout, const struct boot_wish *wish, const char *what,
	      uint64_t *gpa);

/*
 * Room for a table that a loader makes: at its usual place, or where the image lies
 * there at the lowest free place above the first page; below 1 MiB when possible.
 */
int boot_place_table(struct boot_layout *layout, uint64_t usual_gpa, uint64_t size,
		     const char *what, uint64_t *gpa);

/* The host's view of claimed memory. */
uint8_t *boot_at(const struct boot_context *context, uint64_t gpa);

/* Makes claimed memory all zeroes, without touching what is so already. */
void boot_zero(const struct boot_context *context, uint64_t gpa, uint64_t size);

/* Where RAM ends that the map calls RAM and that lies below 4 GiB. */
uint64_t boot_ram_end(const struct boot_context *context);

/*
 * Puts the command line, with its zero byte, at its usual place or another. @prefix
 * (or NULL) goes before it, with a blank between where both have text.
 */
int boot_place_command_line(struct boot_layout *layout, const char *prefix, const char *text,
			    uint64_t *gpa);

/*
 * Finds room for context->initrd as high as possible below @ceiling and copies it there,
 * page-aligned: context->initrd_gpa and initrd_size, both 0 where there is none. @limit
 * names what @ceiling comes from, for the message.
 */
int boot_place_initrd(struct boot_layout *layout, uint64_t ceiling, const char *limit);

/* ---- what several protocols need ---------------------------------------- */

/*
 * Linux's zero page, which both its 64-bit entries take in RSI, and the command line
 * with it. @setup_header is the image's (@size bytes of it, at most what lies between
 * offsets 0x1f1 and 0x290); the fields that a loader owes are filled in, and the caller
 * may change others in @page. context->initrd_gpa must stand by now.
 */
struct boot_params;
int boot_place_zero_page(struct boot_layout *layout, const void *setup_header, size_t size,
			 struct boot_params **page, uint64_t *gpa);

/*
 * Puts context->unpacked, where there is one, at @gpa (of which @room bytes are claimed) and
 * tells where its 64-bit entry is and whether it was moved in virtual memory (KASLR). False,
 * with nothing written, when the image must unpack itself.
 */
bool boot_unpacked_load(struct boot_context *context, uint64_t gpa, uint64_t room, uint64_t *entry,
			bool *moved);

/* ---- processor states -------------------------------------------------- */

/* The selectors of the table that boot_place_gdt() writes; Linux asks for just these. */
#define BOOT_SELECTOR_CODE 0x10
#define BOOT_SELECTOR_DATA 0x18

/* Real mode at @selector:@ip, with all data segments at 0 and the stack below 0:@sp. */
void boot_enter_real(struct boot_context *context, uint16_t selector, uint16_t ip, uint16_t sp);

/* Protected mode, flat 4 GiB segments, paging off. */
int boot_enter_protected(struct boot_layout *layout, uint32_t eip);

/* Long mode, the low 4 GiB mapped to themselves. */
int boot_enter_long(struct boot_layout *layout, uint64_t rip);

#endif
