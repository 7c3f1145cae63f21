/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Descriptors and access rights. A descriptor's base and limit lie about in pieces,
 * because the 80286 used six of the eight bytes and the 80386 had to fit the rest in
 * (SDM 3, figure 3-8):
 *
 *	63..56       55..52    51..48        47..40   39..16      15..0
 *	base 31:24   G D/B L AVL  limit 19:16  rights   base 23:0   limit 15:0
 */

#include "x86/segment.h"

#define DESCRIPTOR_RIGHTS 0xf0ffu /* bits 15:12 and 7:0 of the rights are in the descriptor */

uint64_t segment_descriptor(uint32_t base, uint32_t limit, uint32_t rights)
{
	uint64_t count = rights & SEGMENT_G ? limit >> 12 : limit & 0xfffff;

	return (count & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
	       (uint64_t)(rights & DESCRIPTOR_RIGHTS) << 40 | (count >> 16) << 48 |
	       (uint64_t)(base >> 24) << 56;
}

struct segment segment_load(uint16_t selector, uint64_t descriptor, uint64_t high)
{
	struct segment segment = {
		.base = (descriptor >> 16 & 0xffffff) | (descriptor >> 56) << 24 | high << 32,
		.limit = (uint32_t)((descriptor & 0xffff) | (descriptor >> 32 & 0xf0000)),
		.rights = descriptor >> 40 & DESCRIPTOR_RIGHTS,
		.selector = selector,
	};

	if (segment.rights & SEGMENT_G)
		segment.limit = segment.limit << 12 | 0xfff;
	/* A null selector may be loaded but not used; its RPL does not matter (SDM 3, 3.4.2). */
	if (!(selector & ~3u))
		segment.rights = SEGMENT_UNUSABLE;
	return segment;
}

uint16_t segment_rights_to_svm(uint32_t rights)
{
	/* AMD-V has no bit for "unusable": such a segment is not present. */
	if (rights & SEGMENT_UNUSABLE)
		return 0;
	return (uint16_t)((rights & 0xff) | (rights >> 4 & 0xf00));
}

uint32_t segment_rights_from_svm(uint16_t attributes)
{
	uint32_t rights = (attributes & 0xffu) | (attributes & 0xf00u) << 4;

	return rights & SEGMENT_P ? rights : rights | SEGMENT_UNUSABLE;
}

/* ---- in words -------------------------------------------------------------- */

struct text {
	char *buffer;
	size_t size, used;
};

static void put(struct text *text, const char *words)
{
	while (*words && text->used + 1 < text->size)
		text->buffer[text->used++] = *words++;
}

static const char *const system_types[16] = {
	[SEGMENT_TSS16_AVAILABLE] = "16-bit TSS, available",
	[SEGMENT_LDT] = "LDT",
	[SEGMENT_TSS16_BUSY] = "16-bit TSS, busy",
	[SEGMENT_CALL_GATE16] = "16-bit call gate",
	[SEGMENT_TASK_GATE] = "task gate",
	[SEGMENT_INTERRUPT_GATE16] = "16-bit interrupt gate",
	[SEGMENT_TRAP_GATE16] = "16-bit trap gate",
	[SEGMENT_TSS_AVAILABLE] = "TSS, available",
	[SEGMENT_TSS_BUSY] = "TSS, busy",
	[SEGMENT_CALL_GATE] = "call gate",
	[SEGMENT_INTERRUPT_GATE] = "interrupt gate",
	[SEGMENT_TRAP_GATE] = "trap gate",
};

static void put_type(struct text *text, uint32_t rights)
{
	uint32_t type = rights & SEGMENT_TYPE;

	if (!(rights & SEGMENT_S)) {
		put(text, system_types[type] ? system_types[type] : "reserved type");
	} else if (type & SEGMENT_CODE) {
		put(text, type & SEGMENT_READABLE ? "code r-x" : "code --x");
		put(text, rights & SEGMENT_L	? ", 64-bit"
			  : rights & SEGMENT_DB ? ", 32-bit"
						: ", 16-bit");
		if (type & SEGMENT_CONFORMING)
			put(text, ", conforming");
	} else {
		put(text, type & SEGMENT_WRITABLE ? "data rw-" : "data r--");
		put(text, rights & SEGMENT_DB ? ", 32-bit" : ", 16-bit");
		if (type & SEGMENT_EXPAND_DOWN)
			put(text, ", expands down");
	}
}

void segment_rights_text(uint32_t rights, char *buffer, size_t size)
{
	static const char *const rings[] = { ", ring 0", ", ring 1", ", ring 2", ", ring 3" };
	struct text text = { buffer, size, 0 };

	if (!size)
		return;
	if (rights & SEGMENT_UNUSABLE) {
		put(&text, "unusable");
	} else {
		put_type(&text, rights);
		put(&text, rings[(rights & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT]);
		if ((rights & SEGMENT_S) && !(rights & SEGMENT_ACCESSED))
			put(&text, ", not accessed");
		if (!(rights & SEGMENT_P))
			put(&text, ", not present");
	}
	buffer[text.used] = '\0';
}
