/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_TABLE_H
#define HUTCH_CORE_TABLE_H

/*
 * The second level of translation: a tree of tables that leads from a guest physical
 * address to a page of the host's. Both processors walk the same tree, 512 entries a
 * level, and differ in what the bits of an entry mean: that is a struct here, and the
 * walker is one.
 *
 * The tree grows on demand, from the fault handler, and remembers nothing that could not
 * be asked for again: taking an entry away is always allowed. So it is never walked to
 * find a page of the host's; the host's own tables know better.
 *
 * All calls but table_reserve() are made with the VM's table lock held. None flushes a
 * TLB: they say whether that is due.
 */

#include "core/hv.h"

/* Bits of an entry. */
struct table_format {
	uint64_t table;	  /* of an entry that leads to a table: all rights */
	uint64_t leaf;	  /* of one that leads to a page: present, readable, executable */
	uint64_t present; /* any of them: there is something */
	uint64_t writable;
	uint64_t large;	      /* a page at a level above the lowest */
	unsigned int largest; /* the highest such level: 1, 2 or 3 */
	uint64_t accessed;    /* set by the processor where it can; 0: it can't */
	uint64_t dirty;
};

/* False: no memory. May sleep. */
bool table_reserve(struct table_reserve *reserve);
void table_reserve_free(struct table_reserve *reserve);

bool table_init(struct hv_table *table, const struct table_format *format, unsigned int levels);
void table_free(struct hv_table *table);

/*
 * Maps the 4K page at @gpa to @physical, and with it the 2^@order pages around it, where
 * no table stands in the way already: one that a processor may be walking is never freed
 * under it. Orders 0, 9 and 18 are those that processors know. Returns true if another
 * entry was replaced, so that a flush is due. Takes tables from @reserve.
 */
bool table_map(struct hv_table *table, uint64_t gpa, uint64_t physical, unsigned int order,
	       bool writable, struct table_reserve *reserve);

/* What stands for @gpa: the entry and its order; 0: nothing. */
uint64_t table_look(const struct hv_table *table, uint64_t gpa, unsigned int *order);

/* Takes away what is mapped in [@gpa, @end). True: something was, so a flush is due. */
bool table_unmap(struct hv_table *table, uint64_t gpa, uint64_t end);

/* Takes away the right to write. Larger pages are taken away whole. True: flush. */
bool table_protect(struct hv_table *table, uint64_t gpa, uint64_t end);

/* Takes away the marks that it was written, likewise. */
bool table_clean(struct hv_table *table, uint64_t gpa, uint64_t end);

/*
 * Shows every page that is mapped: where, what, 2^@order pages, writable. Returns how many
 * tables there are.
 */
typedef void table_leaf(void *owner, uint64_t gpa, uint64_t physical, unsigned int order,
			bool writable);
uint64_t table_visit(const struct hv_table *table, table_leaf *leaf, void *owner);

/* Whether the guest has accessed anything there; the mark is wiped off if @clear. */
bool table_accessed(struct hv_table *table, uint64_t gpa, uint64_t end, bool clear);

#endif
