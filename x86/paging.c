/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The page walk. The four modes differ in how wide an entry is, how many bits of the
 * address choose it and at which level the walk begins; these are the rows of the
 * table below. What an entry may hold differs a little more: see reserved_bits().
 */

#include "x86/paging.h"
#include "x86/registers.h"

struct geometry {
	const char *name;
	unsigned int levels;
	unsigned int entry_size;
	unsigned int index_bits;
	unsigned int address_bits; /* of a linear address */
};

static const struct geometry geometries[] = {
	[PAGING_NONE] = { "off", 0, 0, 0, 32 },	      /* SDM 3, 4.1.1 */
	[PAGING_32BIT] = { "32-bit", 2, 4, 10, 32 },  /* SDM 3, 4.3 */
	[PAGING_PAE] = { "PAE", 3, 8, 9, 32 },	      /* SDM 3, 4.4 */
	[PAGING_4LEVEL] = { "4-level", 4, 8, 9, 48 }, /* SDM 3, 4.5 */
	[PAGING_5LEVEL] = { "5-level", 5, 8, 9, 57 }, /* SDM 3, 4.5 */
};

#define PAGE_SHIFT 12
#define LEVELS_MAX 5

static uint64_t bits(unsigned int high, unsigned int low)
{
	return high < low ? 0 : (~0ull >> (63 - high)) & (~0ull << low);
}

enum paging_mode paging_mode(const struct paging *paging)
{
	if (!(paging->cr0 & CR0_PG))
		return PAGING_NONE;
	if (!(paging->cr4 & CR4_PAE))
		return PAGING_32BIT;
	if (!(paging->efer & IA32_EFER_LMA))
		return PAGING_PAE;
	return paging->cr4 & CR4_LA57 ? PAGING_5LEVEL : PAGING_4LEVEL;
}

const char *paging_mode_name(enum paging_mode mode)
{
	return geometries[mode].name;
}

struct walk {
	const struct paging *paging;
	enum paging_mode mode;
	const struct geometry *geometry;
	uint64_t address;
	unsigned int level; /* of the entry in hand */
	uint64_t entry;
	struct {
		uint64_t gpa, entry;
	} path[LEVELS_MAX]; /* what was in hand at each level, the page table's first */
};

/* The address bits below those that the entry's level translates. */
static unsigned int offset_bits(const struct walk *walk)
{
	return PAGE_SHIFT + (walk->level - 1) * walk->geometry->index_bits;
}

/* Whether the entry is the last one: a page table's, or a large page's. */
static bool is_leaf(const struct walk *walk)
{
	if (walk->level == 1)
		return true;
	if (!(walk->entry & PAGE_PS))
		return false;
	if (walk->mode == PAGING_32BIT)
		return walk->paging->cr4 & CR4_PSE;
	if (walk->level == 2)
		return true;
	return walk->level == 3 && walk->mode != PAGING_PAE && !walk->paging->no_1g_pages;
}

/* A 4M page's entry holds up to eight address bits above 31 in bits 20:13 (PSE-36). */
static unsigned int pse36_bits(const struct walk *walk)
{
	unsigned int width = walk->paging->address_bits;

	return width <= 32 ? 0 : width >= 40 ? 8 : width - 32;
}

/* Bits that must be clear in the entry in hand: SDM 3, 4.3 to 4.5, tables 4-4 to 4-20 */
static uint64_t reserved_bits(const struct walk *walk)
{
	uint64_t reserved;

	if (walk->mode == PAGING_32BIT)
		return walk->level == 2 && is_leaf(walk) ? bits(21, 13 + pse36_bits(walk)) : 0;
	reserved = walk->mode == PAGING_PAE ? bits(62, walk->paging->address_bits)
					    : bits(51, walk->paging->address_bits);
	if (walk->mode == PAGING_PAE && walk->level == 3)
		return reserved | PAGE_XD | bits(2, 1) | bits(8, 5);
	if (!(walk->paging->efer & IA32_EFER_NXE))
		reserved |= PAGE_XD;
	if (walk->level > 1 && (walk->entry & PAGE_PS)) {
		if (!is_leaf(walk))
			reserved |= PAGE_PS;
		else
			reserved |= bits(offset_bits(walk) - 1, PAGE_SHIFT + 1);
	}
	return reserved;
}

static uint64_t page_address(const struct walk *walk)
{
	uint64_t page = walk->entry & PAGE_ADDRESS & ~bits(offset_bits(walk) - 1, 0);

	if (walk->mode == PAGING_32BIT && walk->level == 2) {
		page = walk->entry & bits(31, 22);
		page |= (walk->entry >> 13 & bits(7, 0)) << 32;
	}
	return page | (walk->address & bits(offset_bits(walk) - 1, 0));
}

/* Adds what the entry in hand allows to what those above it do. */
static void narrow(const struct walk *walk, struct paging_result *result)
{
	/* A PAE page-directory-pointer entry has no rights of its own (SDM 3, 4.4.1). */
	if (walk->mode == PAGING_PAE && walk->level == 3)
		return;
	result->writable &= !!(walk->entry & PAGE_RW);
	result->user &= !!(walk->entry & PAGE_US);
	if (walk->mode != PAGING_32BIT && (walk->paging->efer & IA32_EFER_NXE))
		result->executable &= !(walk->entry & PAGE_XD);
}

/* Whether the page's protection key forbids a data access: SDM 3, 4.6.2 */
static bool key_forbids(const struct walk *walk, const struct paging_result *result,
			uint32_t access)
{
	const struct paging *paging = walk->paging;
	uint32_t rights = (result->user ? paging->pkru : paging->pkrs) >>
			  (2 * (walk->entry >> PAGE_KEY_SHIFT & 0xf));
	bool enabled = paging->cr4 & (result->user ? CR4_PKE : CR4_PKS);

	if (!enabled || walk->mode < PAGING_4LEVEL || (access & PAGE_FAULT_I))
		return false;
	if (rights & 1) /* access disable */
		return true;
	if (!(rights & 2) || !(access & PAGE_FAULT_W)) /* write disable */
		return false;
	return (access & PAGE_FAULT_U) || (paging->cr0 & CR0_WP);
}

/* Whether the access is against the page's rights: SDM 3, 4.6.1 */
static bool rights_forbid(const struct walk *walk, const struct paging_result *result,
			  uint32_t access)
{
	const struct paging *paging = walk->paging;
	bool supervisor = !(access & PAGE_FAULT_U);

	if (!supervisor && !result->user)
		return true;
	if (access & PAGE_FAULT_I)
		return !result->executable ||
		       (supervisor && result->user && (paging->cr4 & CR4_SMEP));
	if (supervisor && result->user && (paging->cr4 & CR4_SMAP) && !(paging->rflags & RFLAGS_AC))
		return true;
	if ((access & PAGE_FAULT_W) && !result->writable)
		return !supervisor || (paging->cr0 & CR0_WP);
	return false;
}

/* The fault's error code for @access, with @cause (P, RSVD, PK) added. */
static void fault(const struct walk *walk, struct paging_result *result, uint32_t access,
		  uint32_t cause)
{
	bool tells_fetches = (walk->paging->cr4 & CR4_SMEP) ||
			     (walk->mode != PAGING_32BIT && (walk->paging->efer & IA32_EFER_NXE));

	if (!tells_fetches)
		access &= ~PAGE_FAULT_I;
	result->status = PAGING_FAULT;
	result->error_code = access | cause;
}

static bool canonical(const struct walk *walk)
{
	unsigned int unused = 64 - walk->geometry->address_bits;

	return walk->mode < PAGING_4LEVEL ||
	       (uint64_t)((int64_t)(walk->address << unused) >> unused) == walk->address;
}

/* Where the first table is. */
static uint64_t root(const struct walk *walk)
{
	switch (walk->mode) {
	case PAGING_32BIT:
		return walk->paging->cr3 & bits(31, 12);
	case PAGING_PAE:
		return walk->paging->cr3 & bits(31, 5);
	default:
		return walk->paging->cr3 & PAGE_ADDRESS;
	}
}

/* Goes down the tree to the page. False when @result says why there is none. */
static bool descend(struct walk *walk, struct paging_result *result, uint32_t access,
		    paging_read *read, void *context)
{
	const struct geometry *geometry = walk->geometry;
	uint64_t table = root(walk);

	for (walk->level = geometry->levels;; walk->level--) {
		uint64_t index = walk->address >> offset_bits(walk) &
				 bits(geometry->index_bits - 1, 0);

		/* In PAE mode two bits are left for the first table. */
		if (walk->mode == PAGING_PAE && walk->level == 3)
			index &= 3;
		result->level = walk->level;
		result->entry_gpa = table + index * geometry->entry_size;
		if (!read(context, result->entry_gpa, geometry->entry_size, &walk->entry)) {
			result->status = PAGING_NO_TABLE;
			return false;
		}
		result->entry = walk->entry;
		walk->path[walk->level - 1].gpa = result->entry_gpa;
		walk->path[walk->level - 1].entry = walk->entry;
		if (!(walk->entry & PAGE_P)) {
			fault(walk, result, access, 0);
			return false;
		}
		if (walk->entry & reserved_bits(walk)) {
			fault(walk, result, access, PAGE_FAULT_P | PAGE_FAULT_RSVD);
			return false;
		}
		narrow(walk, result);
		if (is_leaf(walk))
			return true;
		table = walk->entry & PAGE_ADDRESS;
	}
}

static struct walk begin(const struct paging *paging, uint64_t address)
{
	enum paging_mode mode = paging_mode(paging);

	return (struct walk){
		.paging = paging,
		.mode = mode,
		.geometry = &geometries[mode],
		.address = mode < PAGING_4LEVEL ? (uint32_t)address : address,
	};
}

static struct paging_result go(struct walk *walk, uint32_t access, bool judge, paging_read *read,
			       void *context)
{
	struct paging_result result = {
		.status = PAGING_MAPPED,
		.gpa = walk->address,
		.page_size = 1ull << PAGE_SHIFT,
		.writable = true,
		.user = true,
		.executable = true,
	};

	if (walk->mode == PAGING_NONE)
		return result;
	if (!canonical(walk)) {
		result.status = PAGING_NOT_CANONICAL;
		return result;
	}
	if (!descend(walk, &result, access, read, context))
		return result;
	result.gpa = page_address(walk);
	result.page_size = 1ull << offset_bits(walk);
	result.global = (walk->entry & PAGE_G) && (walk->paging->cr4 & CR4_PGE);
	if (!judge)
		return result;
	if (key_forbids(walk, &result, access))
		fault(walk, &result, access, PAGE_FAULT_P | PAGE_FAULT_PK);
	else if (rights_forbid(walk, &result, access))
		fault(walk, &result, access, PAGE_FAULT_P);
	return result;
}

/* Marks the way that was gone, from the root down: SDM 3, 4.8. False: an entry has changed. */
static bool mark_path(const struct walk *walk, uint32_t access, paging_mark *mark, void *context)
{
	for (unsigned int level = walk->geometry->levels; level >= walk->level; level--) {
		uint64_t entry = walk->path[level - 1].entry, marked = entry | PAGE_A;

		/* A PAE page-directory-pointer entry has no marks. */
		if (walk->mode == PAGING_PAE && level == 3)
			continue;
		if (level == walk->level && access & PAGE_FAULT_W)
			marked |= PAGE_D;
		if (marked != entry && !mark(context, walk->path[level - 1].gpa,
					     walk->geometry->entry_size, entry, marked))
			return false;
	}
	return true;
}

struct paging_result paging_walk(const struct paging *paging, uint64_t address, uint32_t access,
				 paging_read *read, void *context)
{
	struct walk walk = begin(paging, address);

	return go(&walk, access, true, read, context);
}

/*
 * Who changes his tables without end, on another processor, goes without marks at last:
 * he gets the tables that he made.
 */
#define TRIES 16

struct paging_result paging_access(const struct paging *paging, uint64_t address, uint32_t access,
				   paging_read *read, paging_mark *mark, void *context)
{
	struct walk walk = begin(paging, address);
	struct paging_result result;

	for (unsigned int i = 0; i < TRIES; i++) {
		result = go(&walk, access, true, read, context);
		if (result.status != PAGING_MAPPED || walk.mode == PAGING_NONE ||
		    mark_path(&walk, access, mark, context))
			break;
	}
	return result;
}

struct paging_result paging_look(const struct paging *paging, uint64_t address, paging_read *read,
				 void *context)
{
	struct walk walk = begin(paging, address);

	return go(&walk, 0, false, read, context);
}
