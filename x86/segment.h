/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_SEGMENT_H
#define HUTCH_X86_SEGMENT_H

/*
 * Segments: a selector that a program sees, and behind it the base, limit and access
 * rights that the processor has cached from a descriptor (SDM 3, 3.4; APM 2, 4.7).
 *
 * The access rights are kept as VT-x keeps them (SDM 3, 25.4.1), which is the
 * descriptor's own second byte and the upper half of its sixth, in place:
 *
 *	15  14   13  12   11..8  7  6..5  4  3..0
 *	G   D/B  L   AVL  0      P  DPL   S  type
 *
 * and, in bit 16, whether the register is unusable (a null selector was loaded).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SEGMENT_TYPE	  0x0000fu
#define SEGMENT_S	  (1u << 4) /* code or data; clear: system */
#define SEGMENT_DPL_SHIFT 5
#define SEGMENT_DPL	  (3u << SEGMENT_DPL_SHIFT)
#define SEGMENT_P	  (1u << 7)
#define SEGMENT_AVL	  (1u << 12)
#define SEGMENT_L	  (1u << 13) /* 64-bit code */
#define SEGMENT_DB	  (1u << 14) /* 32-bit code, stack or limit */
#define SEGMENT_G	  (1u << 15) /* the limit counts pages */
#define SEGMENT_UNUSABLE  (1u << 16)

/* The type of a code or data segment: SDM 3, 3.4.5.1 */
#define SEGMENT_ACCESSED    (1u << 0)
#define SEGMENT_WRITABLE    (1u << 1) /* data */
#define SEGMENT_READABLE    (1u << 1) /* code */
#define SEGMENT_EXPAND_DOWN (1u << 2) /* data */
#define SEGMENT_CONFORMING  (1u << 2) /* code */
#define SEGMENT_CODE	    (1u << 3)

/* The type of a system segment or gate: SDM 3, 3.5, table 3-2 */
enum segment_system_type {
	SEGMENT_TSS16_AVAILABLE = 1,
	SEGMENT_LDT = 2,
	SEGMENT_TSS16_BUSY = 3,
	SEGMENT_CALL_GATE16 = 4,
	SEGMENT_TASK_GATE = 5,
	SEGMENT_INTERRUPT_GATE16 = 6,
	SEGMENT_TRAP_GATE16 = 7,
	SEGMENT_TSS_AVAILABLE = 9, /* 32 bits, or 64 in IA-32e mode */
	SEGMENT_TSS_BUSY = 11,
	SEGMENT_CALL_GATE = 12,
	SEGMENT_INTERRUPT_GATE = 14,
	SEGMENT_TRAP_GATE = 15,
};

/* Rights of the segments that everybody uses: present, ring 0, accessed. */
#define SEGMENT_RIGHTS_CODE64                                                                     \
	(SEGMENT_P | SEGMENT_S | SEGMENT_CODE | SEGMENT_READABLE | SEGMENT_ACCESSED | SEGMENT_L | \
	 SEGMENT_G)
#define SEGMENT_RIGHTS_CODE32                                                                      \
	(SEGMENT_P | SEGMENT_S | SEGMENT_CODE | SEGMENT_READABLE | SEGMENT_ACCESSED | SEGMENT_DB | \
	 SEGMENT_G)
#define SEGMENT_RIGHTS_CODE16 \
	(SEGMENT_P | SEGMENT_S | SEGMENT_CODE | SEGMENT_READABLE | SEGMENT_ACCESSED)
#define SEGMENT_RIGHTS_DATA32 \
	(SEGMENT_P | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED | SEGMENT_DB | SEGMENT_G)
#define SEGMENT_RIGHTS_DATA16 (SEGMENT_P | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED)
#define SEGMENT_RIGHTS_TSS    (SEGMENT_P | SEGMENT_TSS_BUSY)
#define SEGMENT_RIGHTS_LDT    (SEGMENT_P | SEGMENT_LDT)

struct segment {
	uint64_t base;
	uint32_t limit; /* in bytes, of the last one */
	uint32_t rights;
	uint16_t selector;
};

/*
 * The eight bytes of a descriptor with this base, limit and rights. With SEGMENT_G
 * the limit is rounded up to the end of its page; without, only 20 bits of it count.
 */
uint64_t segment_descriptor(uint32_t base, uint32_t limit, uint32_t rights);

/*
 * What the processor caches of a descriptor. @high are the second eight bytes of a
 * system descriptor in IA-32e mode (base 63:32), else 0.
 */
struct segment segment_load(uint16_t selector, uint64_t descriptor, uint64_t high);

/* To and from the twelve bits in which AMD-V keeps the same rights (APM 2, appendix B). */
uint16_t segment_rights_to_svm(uint32_t rights);
uint32_t segment_rights_from_svm(uint16_t attributes);

/*
 * The rights in words, such as "code r-x, 64-bit, ring 0, accessed": written into
 * @buffer of @size bytes, ended by a zero byte, cut short where it does not fit.
 */
#define SEGMENT_TEXT_MAX 80
void segment_rights_text(uint32_t rights, char *buffer, size_t size);

#endif
