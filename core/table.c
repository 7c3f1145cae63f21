/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/table.h"

/*
 * One walker for EPT (SDM 3, 29.3.2) and NPT (APM 2, 15.25), whose trees have the same
 * shape: level 1 entries lead to pages of 4K, level 2 to tables or 2M, level 3 to tables
 * or 1G.
 */

#define ENTRIES	      512u
#define LEVEL_BITS    9
#define LEVEL_LARGEST 3
#define ENTRY_ADDRESS 0x000ffffffffff000ull
#define PAGE_BITS     12

static unsigned int shift_of(unsigned int level)
{
	return PAGE_BITS + LEVEL_BITS * (level - 1);
}

static unsigned int index_at(uint64_t gpa, unsigned int level)
{
	return gpa >> shift_of(level) & (ENTRIES - 1);
}

static uint64_t *table_behind(uint64_t entry)
{
	return host_virtual(entry & ENTRY_ADDRESS);
}

static bool is_present(const struct hv_table *table, uint64_t entry)
{
	return entry & table->format->present;
}

static bool is_leaf(const struct hv_table *table, uint64_t entry, unsigned int level)
{
	return level == 1 || (level <= LEVEL_LARGEST && entry & table->format->large);
}

static bool leads_on(const struct hv_table *table, uint64_t entry, unsigned int level)
{
	return is_present(table, entry) && !is_leaf(table, entry, level);
}

/* The processor reads entries at any time: each changes in one piece. */
static void set(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

bool table_reserve(struct table_reserve *reserve)
{
	while (reserve->count < TABLE_LEVELS_MAX) {
		void *page = host_pages_alloc(0);

		if (!page)
			return false;
		reserve->pages[reserve->count++] = page;
	}
	return true;
}

void table_reserve_free(struct table_reserve *reserve)
{
	while (reserve->count)
		host_pages_free(reserve->pages[--reserve->count], 0);
}

bool table_init(struct hv_table *table, const struct table_format *format, unsigned int levels)
{
	table->format = format;
	table->levels = levels;
	table->pages = 1;
	table->root = host_pages_alloc(0);
	return table->root;
}

static void free_below(struct hv_table *table, uint64_t *entries, unsigned int level)
{
	for (unsigned int i = 0; level > 1 && i < ENTRIES; i++)
		if (is_present(table, entries[i]) && !is_leaf(table, entries[i], level))
			free_below(table, table_behind(entries[i]), level - 1);
	host_pages_free(entries, 0);
	table->pages--;
}

void table_free(struct hv_table *table)
{
	if (table->root)
		free_below(table, table->root, table->levels);
	table->root = NULL;
}

bool table_map(struct hv_table *table, uint64_t gpa, uint64_t physical, unsigned int order,
	       bool writable, struct table_reserve *reserve)
{
	const struct table_format *format = table->format;
	unsigned int level = table->levels, target = 1 + order / LEVEL_BITS;
	uint64_t *entries = table->root;
	bool replaced = false;
	uint64_t *entry, value;

	if (target > format->largest)
		target = format->largest;
	while (entry = &entries[index_at(gpa, level)],
	       level > target || (level > 1 && leads_on(table, *entry, level))) {
		if (is_present(table, *entry) && is_leaf(table, *entry, level)) {
			/* A part of a large page is to be something else: all of it goes. */
			set(entry, 0);
			replaced = true;
		}
		if (!is_present(table, *entry)) {
			void *page = reserve->pages[--reserve->count];

			table->pages++;
			set(entry, host_physical(page) | format->table);
		}
		entries = table_behind(*entry);
		level--;
	}
	value = (physical & ~((1ull << shift_of(level)) - 1)) | format->leaf |
		(writable ? format->writable : 0) | (level > 1 ? format->large : 0);
	/* More rights for the same page need no flush: a stale entry only faults again. */
	if (is_present(table, *entry))
		replaced |= (*entry & ~(format->accessed | format->dirty) & ~value) != 0;
	set(entry, value);
	return replaced;
}

uint64_t table_look(const struct hv_table *table, uint64_t gpa, unsigned int *order)
{
	uint64_t *entries = table->root;

	for (unsigned int level = table->levels; level; level--) {
		uint64_t entry = entries[index_at(gpa, level)];

		if (!is_present(table, entry))
			return 0;
		if (is_leaf(table, entry, level)) {
			*order = (level - 1) * LEVEL_BITS;
			return entry;
		}
		entries = table_behind(entry);
	}
	return 0;
}

/* Does something to an entry that leads to a page; true: a flush is due. */
typedef bool visit(const struct hv_table *table, uint64_t *entry, unsigned int level);

static bool unmap(const struct hv_table *table, uint64_t *entry, unsigned int level)
{
	(void)table, (void)level;
	set(entry, 0);
	return true;
}

static bool protect(const struct hv_table *table, uint64_t *entry, unsigned int level)
{
	if (level > 1) {
		set(entry, 0);
		return true;
	}
	if (!(*entry & table->format->writable))
		return false;
	__atomic_fetch_and(entry, ~(table->format->writable | table->format->dirty),
			   __ATOMIC_ACQ_REL);
	return true;
}

static bool clean(const struct hv_table *table, uint64_t *entry, unsigned int level)
{
	if (level > 1) {
		set(entry, 0);
		return true;
	}
	if (!(*entry & table->format->dirty))
		return false;
	__atomic_fetch_and(entry, ~table->format->dirty, __ATOMIC_ACQ_REL);
	return true;
}

static bool look_accessed(const struct hv_table *table, uint64_t *entry, unsigned int level)
{
	(void)level;
	/* Where the processor keeps no marks, being there is all that is known. */
	return !table->format->accessed || *entry & table->format->accessed;
}

static bool wipe_accessed(const struct hv_table *table, uint64_t *entry, unsigned int level)
{
	if (!table->format->accessed)
		return unmap(table, entry, level);
	return __atomic_fetch_and(entry, ~table->format->accessed, __ATOMIC_ACQ_REL) &
	       table->format->accessed;
}

static bool walk(struct hv_table *table, uint64_t *entries, unsigned int level, uint64_t gpa,
		 uint64_t end, visit *visitor)
{
	uint64_t size = 1ull << shift_of(level);
	bool any = false;

	while (gpa < end) {
		uint64_t *entry = &entries[index_at(gpa, level)];
		uint64_t next = (gpa & ~(size - 1)) + size;

		if (is_present(table, *entry)) {
			if (is_leaf(table, *entry, level))
				any |= visitor(table, entry, level);
			else
				any |= walk(table, table_behind(*entry), level - 1, gpa,
					    next < end ? next : end, visitor);
		}
		if (!next)
			break;
		gpa = next;
	}
	return any;
}

static bool walk_all(struct hv_table *table, uint64_t gpa, uint64_t end, visit *visitor)
{
	uint64_t limit = 1ull << shift_of(table->levels + 1);

	return walk(table, table->root, table->levels, gpa, end < limit ? end : limit, visitor);
}

bool table_unmap(struct hv_table *table, uint64_t gpa, uint64_t end)
{
	return walk_all(table, gpa, end, unmap);
}

bool table_protect(struct hv_table *table, uint64_t gpa, uint64_t end)
{
	return walk_all(table, gpa, end, protect);
}

bool table_clean(struct hv_table *table, uint64_t gpa, uint64_t end)
{
	return walk_all(table, gpa, end, clean);
}

bool table_accessed(struct hv_table *table, uint64_t gpa, uint64_t end, bool clear)
{
	return walk_all(table, gpa, end, clear ? wipe_accessed : look_accessed);
}

static uint64_t visit_below(const struct hv_table *table, const uint64_t *entries,
			    unsigned int level, uint64_t gpa, table_leaf *leaf, void *owner)
{
	uint64_t tables = 1;

	for (unsigned int i = 0; i < ENTRIES; i++, gpa += 1ull << shift_of(level)) {
		uint64_t entry = __atomic_load_n(&entries[i], __ATOMIC_RELAXED);

		if (level > 1 && leads_on(table, entry, level))
			tables += visit_below(table, table_behind(entry), level - 1, gpa, leaf,
					      owner);
		else if (is_present(table, entry))
			leaf(owner, gpa, entry & ENTRY_ADDRESS, (level - 1) * LEVEL_BITS,
			     entry & table->format->writable);
	}
	return tables;
}

uint64_t table_visit(const struct hv_table *table, table_leaf *leaf, void *owner)
{
	return visit_below(table, table->root, table->levels, 0, leaf, owner);
}
