/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The page walk over tables built by hand in 64 KiB of memory: every mode, every
 * page size, every rule that forbids something, and every fault's error code.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "x86/paging.h"
#include "x86/registers.h"

#define MEMORY_SIZE 0x10000
#define PAGE_RIGHTS (PAGE_P | PAGE_RW | PAGE_US)

static uint8_t memory[MEMORY_SIZE];

static bool read_memory(void *context, uint64_t gpa, unsigned int size, uint64_t *entry)
{
	unsigned int *reads = context;

	if (gpa > MEMORY_SIZE - size)
		return false;
	*entry = 0;
	memcpy(entry, memory + gpa, size);
	if (reads)
		(*reads)++;
	return true;
}

static void set64(uint64_t table, unsigned int index, uint64_t entry)
{
	memcpy(memory + table + index * 8, &entry, 8);
}

static void set32(uint64_t table, unsigned int index, uint32_t entry)
{
	memcpy(memory + table + index * 4, &entry, 4);
}

static int clear(void **state)
{
	(void)state;
	memset(memory, 0, sizeof(memory));
	return 0;
}

static struct paging long_mode(void)
{
	return (struct paging){
		.cr0 = CR0_PE | CR0_PG | CR0_WP,
		.cr3 = 0x1000,
		.cr4 = CR4_PAE,
		.efer = IA32_EFER_LME | IA32_EFER_LMA | IA32_EFER_NXE,
		.address_bits = 46,
	};
}

/* Four levels at 0x1000 to 0x4000, for an address with a different index in each. */
#define LINEAR 0x0000008080604000ull /* PML4 1, PDPT 2, PD 3, PT 4 */

static void map_4level(uint64_t leaf)
{
	set64(0x1000, 1, 0x2000 | PAGE_RIGHTS);
	set64(0x2000, 2, 0x3000 | PAGE_RIGHTS);
	set64(0x3000, 3, 0x4000 | PAGE_RIGHTS);
	set64(0x4000, 4, leaf);
}

static struct paging_result go(const struct paging *paging, uint64_t address, uint32_t access)
{
	return paging_walk(paging, address, access, read_memory, NULL);
}

#define assert_mapped(result, at, bytes)                    \
	do {                                                \
		struct paging_result r_ = (result);         \
		assert_int_equal(r_.status, PAGING_MAPPED); \
		assert_int_equal(r_.gpa, at);               \
		assert_int_equal(r_.page_size, bytes);      \
	} while (0)

#define assert_fault(result, code)                         \
	do {                                               \
		struct paging_result r_ = (result);        \
		assert_int_equal(r_.status, PAGING_FAULT); \
		assert_int_equal(r_.error_code, code);     \
	} while (0)

static void finds_the_mode(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	assert_int_equal(paging_mode(&paging), PAGING_4LEVEL);
	paging.cr4 |= CR4_LA57;
	assert_int_equal(paging_mode(&paging), PAGING_5LEVEL);
	paging.efer = 0;
	assert_int_equal(paging_mode(&paging), PAGING_PAE);
	paging.cr4 = 0;
	assert_int_equal(paging_mode(&paging), PAGING_32BIT);
	paging.cr0 = CR0_PE;
	assert_int_equal(paging_mode(&paging), PAGING_NONE);
	assert_string_equal(paging_mode_name(PAGING_4LEVEL), "4-level");
}

static void without_paging_an_address_is_itself(void **state)
{
	struct paging paging = { .address_bits = 36 };

	(void)state;
	assert_mapped(go(&paging, 0xfffffff0, PAGE_FAULT_W), 0xfffffff0, 4096);
	/* A linear address has 32 bits there, whatever the sum of base and offset. */
	assert_mapped(go(&paging, 0x100000010, 0), 0x10, 4096);
}

static void walks_four_levels(void **state)
{
	struct paging paging = long_mode();
	unsigned int reads = 0;
	struct paging_result result;

	(void)state;
	map_4level(0x123456789000 | PAGE_RIGHTS | PAGE_G | PAGE_D);
	result = paging_walk(&paging, LINEAR + 0xabc, PAGE_FAULT_W | PAGE_FAULT_U, read_memory,
			     &reads);
	assert_mapped(result, 0x123456789abc, 4096);
	assert_int_equal(reads, 4);
	assert_int_equal(result.level, 1);
	assert_int_equal(result.entry_gpa, 0x4000 + 4 * 8);
	assert_true(result.writable && result.user && result.executable);
	assert_false(result.global); /* not without CR4.PGE */
	paging.cr4 |= CR4_PGE;
	assert_true(go(&paging, LINEAR, 0).global);
}

static void walks_five_levels(void **state)
{
	struct paging paging = long_mode();
	uint64_t linear = 7ull << 48 | LINEAR;

	(void)state;
	paging.cr4 |= CR4_LA57;
	paging.cr3 = 0x5000;
	map_4level(0x9000 | PAGE_RIGHTS);
	set64(0x5000, 7, 0x1000 | PAGE_RIGHTS);
	assert_mapped(go(&paging, linear + 5, 0), 0x9005, 4096);
	/* Bit 56 is the sign: the upper half begins 0xff. */
	set64(0x5000, 0x107, 0x1000 | PAGE_RIGHTS);
	assert_mapped(go(&paging, 0xff00000000000000 | linear | 1ull << 56, 0), 0x9000, 4096);
	assert_int_equal(go(&paging, linear | 1ull << 56, 0).status, PAGING_NOT_CANONICAL);
	set64(0x5000, 7, 0x1000 | PAGE_RIGHTS | PAGE_PS);
	assert_fault(go(&paging, linear, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
}

static void large_pages_end_the_walk(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	map_4level(0);
	set64(0x3000, 3, 0x40000000 | PAGE_RIGHTS | PAGE_PS);
	assert_mapped(go(&paging, LINEAR + 0x123, 0), 0x40000000 + (LINEAR & 0x1fffff) + 0x123,
		      2 << 20);
	/* Bit 12 of a large page's entry is its PAT bit and no address. */
	set64(0x3000, 3, 0x40001000 | PAGE_RIGHTS | PAGE_PS);
	assert_int_equal(go(&paging, LINEAR, 0).gpa, 0x40000000 + (LINEAR & 0x1fffff));
	set64(0x2000, 2, 0x80000000 | PAGE_RIGHTS | PAGE_PS);
	assert_mapped(go(&paging, LINEAR, 0), 0x80000000 + (LINEAR & 0x3fffffff), 1 << 30);
	paging.no_1g_pages = true;
	assert_fault(go(&paging, LINEAR, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
}

static void walks_pae(void **state)
{
	struct paging paging = long_mode();
	uint64_t linear = 2ull << 30 | (LINEAR & 0x3fffffff);

	(void)state;
	paging.efer = IA32_EFER_NXE;
	paging.cr3 = 0x1020; /* on 32 bytes, not on a page */
	set64(0x1020, 2, 0x3000 | PAGE_P);
	set64(0x3000, 3, 0x4000 | PAGE_RIGHTS);
	set64(0x4000, 4, 0x123456000 | PAGE_RIGHTS);
	assert_mapped(go(&paging, linear + 1, PAGE_FAULT_U | PAGE_FAULT_W), 0x123456001, 4096);
	set64(0x3000, 3, 0x12340000000 | PAGE_RIGHTS | PAGE_PS);
	assert_mapped(go(&paging, linear, 0), 0x12340000000 + (linear & 0x1fffff), 2 << 20);
	/* The pointer table's entries have no rights, and bits 1 and 2 are reserved. */
	set64(0x1020, 2, 0x3000 | PAGE_P | PAGE_RW);
	assert_fault(go(&paging, linear, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
	set64(0x1020, 2, 0x3000 | PAGE_P | PAGE_XD);
	assert_fault(go(&paging, linear, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
	/* Above bit 31 a linear address does not reach. */
	set64(0x1020, 2, 0x3000 | PAGE_P);
	assert_int_equal(go(&paging, linear | 1ull << 32, 0).status, PAGING_MAPPED);
}

static void walks_32_bit(void **state)
{
	struct paging paging = {
		.cr0 = CR0_PE | CR0_PG, .cr3 = 0x1018, .cr4 = CR4_PSE, .address_bits = 40
	};

	(void)state;
	set32(0x1000, 0x301, 0x2000 | PAGE_RIGHTS);
	set32(0x2000, 0x3ff, 0xfedcb000 | PAGE_RIGHTS);
	assert_mapped(go(&paging, 0xc07ff123, PAGE_FAULT_U | PAGE_FAULT_W), 0xfedcb123, 4096);
	/* PSE-36: bits 20:13 are the address's 39:32, bit 21 is reserved. */
	set32(0x1000, 0x301, 0x00c00000 | 0xab << 13 | PAGE_RIGHTS | PAGE_PS);
	assert_mapped(go(&paging, 0xc07ff123, 0), 0xab00c00000 + 0x3ff123, 4 << 20);
	set32(0x1000, 0x301, 0x00c00000 | 1 << 21 | PAGE_RIGHTS | PAGE_PS);
	assert_fault(go(&paging, 0xc07ff123, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
	/* With 36 address bits there are four of them. */
	paging.address_bits = 36;
	set32(0x1000, 0x301, 0x00c00000 | 0xf << 13 | PAGE_RIGHTS | PAGE_PS);
	assert_mapped(go(&paging, 0xc0400000, 0), 0xf00c00000, 4 << 20);
	set32(0x1000, 0x301, 0x00c00000 | 0x10 << 13 | PAGE_RIGHTS | PAGE_PS);
	assert_fault(go(&paging, 0xc0400000, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
	/* Without CR4.PSE the bit means nothing. */
	paging.cr4 = 0;
	set32(0x1000, 0x301, 0x2000 | PAGE_RIGHTS | PAGE_PS);
	assert_mapped(go(&paging, 0xc07ff000, 0), 0xfedcb000, 4096);
}

static void says_what_is_missing(void **state)
{
	struct paging paging = long_mode();
	struct paging_result result;

	(void)state;
	map_4level(0x5000 | PAGE_RIGHTS);
	assert_int_equal(go(&paging, 0x0000800000000000, 0).status, PAGING_NOT_CANONICAL);
	assert_int_equal(go(&paging, 0xffff7fffffffffff, 0).status, PAGING_NOT_CANONICAL);
	result = go(&paging, 0xffff800000000000, PAGE_FAULT_W);
	assert_fault(result, PAGE_FAULT_W);
	assert_int_equal(result.level, 4);
	assert_int_equal(result.entry_gpa, 0x1000 + 256 * 8);
	/* A table where there is no memory. */
	set64(0x3000, 3, 0x7000000 | PAGE_RIGHTS);
	result = go(&paging, LINEAR, 0);
	assert_int_equal(result.status, PAGING_NO_TABLE);
	assert_int_equal(result.entry_gpa, 0x7000000 + 4 * 8);
	assert_int_equal(result.level, 1);
}

static void reserved_bits_fault(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	map_4level(1ull << 46 | 0x5000 | PAGE_RIGHTS);
	assert_fault(go(&paging, LINEAR, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
	paging.address_bits = 47;
	assert_int_equal(go(&paging, LINEAR, 0).gpa, (1ull << 46) + 0x5000);
	/* Bits 62:52 are the software's, and a protection key nobody switched on. */
	map_4level(0x7ff0000000005000 | PAGE_RIGHTS);
	assert_int_equal(go(&paging, LINEAR, 0).gpa, 0x5000);
	/* XD is reserved until IA32_EFER.NXE gives it a meaning. */
	map_4level(PAGE_XD | 0x5000 | PAGE_RIGHTS);
	assert_int_equal(go(&paging, LINEAR, 0).status, PAGING_MAPPED);
	paging.efer &= ~IA32_EFER_NXE;
	assert_fault(go(&paging, LINEAR, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
	/* A 2M page on no boundary of 2M. */
	map_4level(0);
	set64(0x3000, 3, 0x2000 | PAGE_RIGHTS | PAGE_PS);
	assert_fault(go(&paging, LINEAR, PAGE_FAULT_U),
		     PAGE_FAULT_P | PAGE_FAULT_U | PAGE_FAULT_RSVD);
	set64(0x1000, 1, 0x2000 | PAGE_RIGHTS | PAGE_PS);
	assert_fault(go(&paging, LINEAR, 0), PAGE_FAULT_P | PAGE_FAULT_RSVD);
}

/* What one page's entry allows, in words of the manual's section 4.6.1, said another way. */
static bool allowed(uint64_t entry, uint32_t access, bool wp, bool smep, bool smap, bool ac)
{
	bool user_page = entry & PAGE_US, by_user = access & PAGE_FAULT_U;

	if (by_user && !user_page)
		return false;
	if (access & PAGE_FAULT_I) {
		if (entry & PAGE_XD)
			return false;
		return by_user || !user_page || !smep;
	}
	if (!by_user && user_page && smap && !ac)
		return false;
	if (access & PAGE_FAULT_W)
		return (entry & PAGE_RW) || (!by_user && !wp);
	return true;
}

static void every_right_in_every_combination(void **state)
{
	static const uint32_t accesses[] = { 0,
					     PAGE_FAULT_W,
					     PAGE_FAULT_I,
					     PAGE_FAULT_U,
					     PAGE_FAULT_U | PAGE_FAULT_W,
					     PAGE_FAULT_U | PAGE_FAULT_I };

	(void)state;
	for (unsigned int i = 0; i < 6 * 8 * 16; i++) {
		uint32_t access = accesses[i % 6];
		unsigned int rights = i / 6 % 8, mode = i / 48;
		uint64_t entry = 0x5000 | PAGE_P | (rights & 1 ? PAGE_RW : 0) |
				 (rights & 2 ? PAGE_US : 0) | (rights & 4 ? PAGE_XD : 0);
		struct paging paging = long_mode();
		struct paging_result result;

		paging.cr0 = CR0_PE | CR0_PG | (mode & 1 ? CR0_WP : 0);
		paging.cr4 |= (mode & 2 ? CR4_SMEP : 0) | (mode & 4 ? CR4_SMAP : 0);
		paging.rflags = mode & 8 ? RFLAGS_AC : 0;
		map_4level(entry);
		result = go(&paging, LINEAR, access);
		if (allowed(entry, access, mode & 1, mode & 2, mode & 4, mode & 8))
			assert_mapped(result, 0x5000, 4096);
		else
			assert_fault(result, PAGE_FAULT_P | access);
	}
}

static void every_level_has_a_say(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	for (uint64_t table = 0x1000; table <= 0x4000; table += 0x1000) {
		unsigned int index = (unsigned int)(table >> 12);
		uint64_t next = table + 0x1000;

		map_4level(0x5000 | PAGE_RIGHTS);
		set64(table, index, next | PAGE_P | PAGE_US);
		assert_fault(go(&paging, LINEAR, PAGE_FAULT_W), PAGE_FAULT_P | PAGE_FAULT_W);
		set64(table, index, next | PAGE_P | PAGE_RW);
		assert_fault(go(&paging, LINEAR, PAGE_FAULT_U), PAGE_FAULT_P | PAGE_FAULT_U);
		set64(table, index, next | PAGE_RIGHTS | PAGE_XD);
		assert_fault(go(&paging, LINEAR, PAGE_FAULT_I), PAGE_FAULT_P | PAGE_FAULT_I);
		assert_int_equal(go(&paging, LINEAR, PAGE_FAULT_W).status, PAGING_MAPPED);
	}
}

static void a_fetch_is_told_only_where_it_matters(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	/* Without XD and SMEP the processor does not say that it was a fetch. */
	paging.efer &= ~IA32_EFER_NXE;
	assert_fault(go(&paging, LINEAR, PAGE_FAULT_I), 0);
	paging.cr4 |= CR4_SMEP;
	assert_fault(go(&paging, LINEAR, PAGE_FAULT_I), PAGE_FAULT_I);
}

static void protection_keys_forbid(void **state)
{
	struct paging paging = long_mode();
	const uint32_t key = 5;

	(void)state;
	paging.cr4 |= CR4_PKE;
	map_4level((uint64_t)key << PAGE_KEY_SHIFT | 0x5000 | PAGE_RIGHTS);
	assert_int_equal(go(&paging, LINEAR, PAGE_FAULT_U).status, PAGING_MAPPED);
	paging.pkru = 2u << (2 * key); /* writes disabled */
	assert_int_equal(go(&paging, LINEAR, PAGE_FAULT_U).status, PAGING_MAPPED);
	assert_fault(go(&paging, LINEAR, PAGE_FAULT_U | PAGE_FAULT_W),
		     PAGE_FAULT_P | PAGE_FAULT_U | PAGE_FAULT_W | PAGE_FAULT_PK);
	assert_fault(go(&paging, LINEAR, PAGE_FAULT_W),
		     PAGE_FAULT_P | PAGE_FAULT_W | PAGE_FAULT_PK);
	paging.cr0 &= ~CR0_WP;
	assert_int_equal(go(&paging, LINEAR, PAGE_FAULT_W).status, PAGING_MAPPED);
	paging.pkru = 1u << (2 * key); /* all data accesses disabled */
	assert_fault(go(&paging, LINEAR, 0), PAGE_FAULT_P | PAGE_FAULT_PK);
	assert_int_equal(go(&paging, LINEAR, PAGE_FAULT_I).status, PAGING_MAPPED);
	/* A supervisor's page has another register. */
	map_4level((uint64_t)key << PAGE_KEY_SHIFT | 0x5000 | PAGE_P | PAGE_RW);
	assert_int_equal(go(&paging, LINEAR, 0).status, PAGING_MAPPED);
	paging.cr4 |= CR4_PKS;
	paging.pkrs = 1u << (2 * key);
	assert_fault(go(&paging, LINEAR, 0), PAGE_FAULT_P | PAGE_FAULT_PK);
}

static void a_look_asks_for_no_rights(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	paging.cr4 |= CR4_SMAP | CR4_PKE;
	paging.pkru = ~0u;
	map_4level(0x5000 | PAGE_P | PAGE_US | PAGE_XD);
	assert_int_equal(go(&paging, LINEAR, 0).status, PAGING_FAULT);
	assert_mapped(paging_look(&paging, LINEAR, read_memory, NULL), 0x5000, 4096);
	assert_fault(paging_look(&paging, 0, read_memory, NULL), 0);
}

/* ---- marks ------------------------------------------------------------------------------- */

static unsigned int disturbances; /* how many more times somebody else is quicker */

static bool mark_memory(void *context, uint64_t gpa, unsigned int size, uint64_t entry,
			uint64_t marked)
{
	uint64_t has = 0;

	(void)context;
	memcpy(&has, memory + gpa, size);
	if (disturbances) {
		disturbances--;
		has ^= 1u << 9; /* software's own */
		memcpy(memory + gpa, &has, size);
	}
	if (has != entry)
		return false;
	memcpy(memory + gpa, &marked, size);
	return true;
}

static uint64_t entry64(uint64_t table, unsigned int index)
{
	uint64_t entry;

	memcpy(&entry, memory + table + index * 8, 8);
	return entry;
}

static struct paging_result make(const struct paging *paging, uint64_t address, uint32_t access)
{
	return paging_access(paging, address, access, read_memory, mark_memory, NULL);
}

static void an_access_marks_its_way(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	map_4level(0x5000 | PAGE_RIGHTS);
	go(&paging, LINEAR, PAGE_FAULT_W);
	assert_int_equal(entry64(0x4000, 4), 0x5000 | PAGE_RIGHTS);
	assert_mapped(make(&paging, LINEAR, 0), 0x5000, 4096);
	assert_int_equal(entry64(0x1000, 1), 0x2000 | PAGE_RIGHTS | PAGE_A);
	assert_int_equal(entry64(0x2000, 2), 0x3000 | PAGE_RIGHTS | PAGE_A);
	assert_int_equal(entry64(0x3000, 3), 0x4000 | PAGE_RIGHTS | PAGE_A);
	assert_int_equal(entry64(0x4000, 4), 0x5000 | PAGE_RIGHTS | PAGE_A);
	assert_mapped(make(&paging, LINEAR, PAGE_FAULT_W), 0x5000, 4096);
	assert_int_equal(entry64(0x4000, 4), 0x5000 | PAGE_RIGHTS | PAGE_A | PAGE_D);
	assert_int_equal(entry64(0x3000, 3), 0x4000 | PAGE_RIGHTS | PAGE_A);
}

static void a_fault_marks_nothing(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	map_4level(0x5000 | PAGE_P);
	assert_fault(make(&paging, LINEAR, PAGE_FAULT_W), PAGE_FAULT_P | PAGE_FAULT_W);
	assert_int_equal(entry64(0x1000, 1), 0x2000 | PAGE_RIGHTS);
	assert_int_equal(entry64(0x4000, 4), 0x5000 | PAGE_P);
}

static void other_modes_mark_as_well(void **state)
{
	struct paging pae = {
		.cr0 = CR0_PE | CR0_PG, .cr3 = 0x1000, .cr4 = CR4_PAE, .address_bits = 36
	};
	struct paging narrow = { .cr0 = CR0_PE | CR0_PG, .cr3 = 0x4000, .address_bits = 36 };

	(void)state;
	set64(0x1000, 0, 0x2000 | PAGE_P);
	set64(0x2000, 0, 0x200000 | PAGE_RIGHTS | PAGE_PS);
	assert_mapped(make(&pae, 0x1234, PAGE_FAULT_W), 0x201234, 0x200000);
	assert_int_equal(entry64(0x1000, 0), 0x2000 | PAGE_P);
	assert_int_equal(entry64(0x2000, 0), 0x200000 | PAGE_RIGHTS | PAGE_PS | PAGE_A | PAGE_D);
	set32(0x4000, 0, 0x5000 | PAGE_RIGHTS);
	set32(0x5000, 0, 0x6000 | PAGE_RIGHTS);
	set32(0x5000, 1, 0x7000 | PAGE_RIGHTS);
	assert_mapped(make(&narrow, 0x10, PAGE_FAULT_W), 0x6010, 4096);
	/* An entry of four bytes is marked without its neighbour. */
	assert_int_equal(entry64(0x5000, 0),
			 (0x7000ull | PAGE_RIGHTS) << 32 | 0x6000 | PAGE_RIGHTS | PAGE_A | PAGE_D);
}

static void an_entry_that_changes_is_walked_anew(void **state)
{
	struct paging paging = long_mode();

	(void)state;
	map_4level(0x5000 | PAGE_RIGHTS);
	disturbances = 3;
	assert_mapped(make(&paging, LINEAR, PAGE_FAULT_W), 0x5000, 4096);
	assert_int_equal(entry64(0x4000, 4) & (PAGE_A | PAGE_D), PAGE_A | PAGE_D);
	map_4level(0x5000 | PAGE_RIGHTS);
	disturbances = ~0u; /* and who never stops keeps nobody */
	assert_mapped(make(&paging, LINEAR, PAGE_FAULT_W), 0x5000, 4096);
	disturbances = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_the_mode, clear),
		cmocka_unit_test_setup(without_paging_an_address_is_itself, clear),
		cmocka_unit_test_setup(walks_four_levels, clear),
		cmocka_unit_test_setup(walks_five_levels, clear),
		cmocka_unit_test_setup(large_pages_end_the_walk, clear),
		cmocka_unit_test_setup(walks_pae, clear),
		cmocka_unit_test_setup(walks_32_bit, clear),
		cmocka_unit_test_setup(says_what_is_missing, clear),
		cmocka_unit_test_setup(reserved_bits_fault, clear),
		cmocka_unit_test_setup(every_right_in_every_combination, clear),
		cmocka_unit_test_setup(every_level_has_a_say, clear),
		cmocka_unit_test_setup(a_fetch_is_told_only_where_it_matters, clear),
		cmocka_unit_test_setup(protection_keys_forbid, clear),
		cmocka_unit_test_setup(a_look_asks_for_no_rights, clear),
		cmocka_unit_test_setup(an_access_marks_its_way, clear),
		cmocka_unit_test_setup(a_fault_marks_nothing, clear),
		cmocka_unit_test_setup(other_modes_mark_as_well, clear),
		cmocka_unit_test_setup(an_entry_that_changes_is_walked_anew, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
