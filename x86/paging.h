/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_PAGING_H
#define HUTCH_X86_PAGING_H

/*
 * From a linear address to a physical one, as the processor's page walker goes
 * (SDM 3, 4; APM 2, 5): a tree of tables in memory, one level for each nine or ten
 * bits of the address, whose entries say where the next table is and what may be
 * done there.
 *
 * The walk here asks for the tables' entries through a function, and says either where
 * the address leads or what the processor would say against it. By itself it changes
 * nothing; an access that is really made leaves its marks, accessed and dirty, in the
 * entries. Shadow-stack accesses (CET) are not among those it can judge.
 */

#include <stdbool.h>
#include <stdint.h>

enum paging_mode {
	PAGING_NONE,
	PAGING_32BIT,
	PAGING_PAE,
	PAGING_4LEVEL,
	PAGING_5LEVEL,
};

/* A page fault's error code (SDM 3, 4.7); the first four also say what an access wants. */
#define PAGE_FAULT_P	(1u << 0) /* clear: an entry is not present */
#define PAGE_FAULT_W	(1u << 1)
#define PAGE_FAULT_U	(1u << 2)
#define PAGE_FAULT_RSVD (1u << 3) /* a reserved bit is set in an entry */
#define PAGE_FAULT_I	(1u << 4)
#define PAGE_FAULT_PK	(1u << 5) /* a protection key forbids it */

/* Bits of the entries: SDM 3, 4.3 to 4.5 */
#define PAGE_P	       (1ull << 0)
#define PAGE_RW	       (1ull << 1)
#define PAGE_US	       (1ull << 2)
#define PAGE_PWT       (1ull << 3)
#define PAGE_PCD       (1ull << 4)
#define PAGE_A	       (1ull << 5)
#define PAGE_D	       (1ull << 6)
#define PAGE_PS	       (1ull << 7)
#define PAGE_G	       (1ull << 8)
#define PAGE_XD	       (1ull << 63)
#define PAGE_ADDRESS   0x000ffffffffff000ull
#define PAGE_KEY_SHIFT 59

/* The state of the processor that a walk depends on. */
struct paging {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t rflags;      /* AC, for SMAP */
	uint32_t pkru, pkrs;  /* the protection keys' rights (IA32_PKRS); 0: all allowed */
	uint8_t address_bits; /* MAXPHYADDR: CPUID 0x80000008 EAX 7:0 */
	bool no_1g_pages;     /* CPUID 0x80000001 EDX 26 is clear */
};

/*
 * Reads the @size (4 or 8) bytes of the entry at physical address @gpa. False where
 * there is no memory.
 */
typedef bool paging_read(void *context, uint64_t gpa, unsigned int size, uint64_t *entry);

/*
 * Puts @marked in the place of @entry at @gpa if @entry is still what stands there, in one
 * step that no other processor can come between (SDM 3, 4.8); false: it is not.
 */
typedef bool paging_mark(void *context, uint64_t gpa, unsigned int size, uint64_t entry,
			 uint64_t marked);

enum paging_status {
	PAGING_MAPPED,
	PAGING_FAULT,	      /* #PF, with @error_code */
	PAGING_NOT_CANONICAL, /* #GP: no linear address at all in 64-bit mode */
	PAGING_NO_TABLE,      /* a table lies where there is no memory: @entry_gpa */
};

struct paging_result {
	enum paging_status status;
	uint32_t error_code;
	uint64_t gpa;	    /* of the address itself, not of its page */
	uint64_t page_size; /* 4K, 2M, 4M or 1G; without paging, 4K */
	uint64_t entry_gpa; /* the last entry looked at, and what it holds */
	uint64_t entry;
	unsigned int level;			 /* its level: 1 for a page table, up to 5 */
	bool writable, user, executable, global; /* all levels together */
};

enum paging_mode paging_mode(const struct paging *paging);
const char *paging_mode_name(enum paging_mode mode);

/*
 * Walks for an access to @address: PAGE_FAULT_W, PAGE_FAULT_U (by a program in ring
 * 3) and PAGE_FAULT_I (an instruction fetch) in any combination that makes sense, or
 * 0 for a read by the supervisor.
 */
struct paging_result paging_walk(const struct paging *paging, uint64_t address, uint32_t access,
				 paging_read *read, void *context);

/*
 * The same for an access that is made now: if it may be, the entries on the way have been
 * marked accessed and, for a write, the page's own dirty.
 */
struct paging_result paging_access(const struct paging *paging, uint64_t address, uint32_t access,
				   paging_read *read, paging_mark *mark, void *context);

/*
 * The same without asking for anyone's rights: for a debugger, which wants to see
 * what is there, supervisor's or not. Only what is absent or malformed is a fault.
 */
struct paging_result paging_look(const struct paging *paging, uint64_t address, paging_read *read,
				 void *context);

#endif
