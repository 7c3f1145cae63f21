/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The checks that look for faults of the core's own: silent where all is well, and one
 * complaint for each thing that is not.
 */

#include "tests/unit/core_fixture.h"

#define OUTSIDE (1ull << 40)

static unsigned int complaints(void)
{
	unsigned int before = fixture_complaints;

	host_spin_lock(vm.table_lock);
	check_memory(&vm, 0, UINT64_MAX);
	host_spin_unlock(vm.table_lock);
	return fixture_complaints - before;
}

static void map(uint64_t gpa, uint64_t physical, unsigned int order, bool writable)
{
	assert_true(table_reserve(&vcpu.reserve));
	table_map(&vm.table, gpa, physical, order, writable, &vcpu.reserve);
}

static void set_slot(uint64_t gpa, bool read_only, bool log_dirty)
{
	const struct hv_slot slot = { .id = 1,
				      .gpa = gpa,
				      .size = 2ull << 20,
				      .hva = (uintptr_t)memory,
				      .read_only = read_only };

	assert_int_equal(hv_memory_set(&vm, &slot, log_dirty), HOST_OK);
}

static void test_silent(void **state)
{
	(void)state;
	for (uint64_t gpa = 0; gpa < FIXTURE_MEMORY; gpa += 0x101000)
		assert_int_equal(memory_fault(&vcpu, gpa, true), MEMORY_MAPPED);
	assert_int_equal(complaints(), 0);
	hv_memory_invalidate_begin(&vm, (uintptr_t)memory, (uintptr_t)memory + 0x5000);
	hv_memory_invalidate_end(&vm, (uintptr_t)memory, (uintptr_t)memory + 0x5000);
	assert_int_equal(complaints(), 0);
}

static void test_page_in_no_slot(void **state)
{
	(void)state;
	map(OUTSIDE, 0x1000, 0, true);
	assert_int_equal(complaints(), 1);
	table_unmap(&vm.table, OUTSIDE, OUTSIDE + HV_PAGE_SIZE);
	assert_int_equal(complaints(), 0);
	fixture_complaints = 0;
}

static void test_page_that_reaches_out_of_its_slot(void **state)
{
	(void)state;
	set_slot(OUTSIDE, false, false);
	map(OUTSIDE, (uintptr_t)memory, 18, false);
	/* Nor is what lies at its beginning, a GiB's border, the VMM's page there. */
	assert_int_equal(complaints(), 2);
	fixture_complaints = 0;
	table_unmap(&vm.table, OUTSIDE, OUTSIDE + HV_PAGE_SIZE);
}

static void test_rights_beyond_the_slots(void **state)
{
	(void)state;
	set_slot(OUTSIDE, true, false);
	map(OUTSIDE, (uintptr_t)memory, 0, false);
	assert_int_equal(complaints(), 0);
	map(OUTSIDE, (uintptr_t)memory, 0, true);
	assert_int_equal(complaints(), 1);
	fixture_complaints = 0;
	table_unmap(&vm.table, OUTSIDE, OUTSIDE + HV_PAGE_SIZE);
}

static void test_large_page_among_logged_ones(void **state)
{
	(void)state;
	set_slot(OUTSIDE, false, true);
	map(OUTSIDE, (uintptr_t)memory, 9, false);
	assert_int_equal(complaints(), 1);
	fixture_complaints = 0;
	table_unmap(&vm.table, OUTSIDE, OUTSIDE + HV_PAGE_SIZE);
}

static void test_page_that_the_vmm_has_no_more(void **state)
{
	(void)state;
	assert_int_equal(memory_fault(&vcpu, 0x5000, true), MEMORY_MAPPED);
	table_unmap(&vm.table, 0, FIXTURE_MEMORY);
	map(0x5000, (uintptr_t)memory + 0x6000, 0, true);
	assert_int_equal(complaints(), 1);
	/* While it is being taken it may be either. */
	vm.invalidating = 1;
	vm.invalidate_start = (uintptr_t)memory + 0x5000;
	vm.invalidate_end = (uintptr_t)memory + 0x6000;
	assert_int_equal(complaints(), 0);
	vm.invalidating = 0;
	fixture_complaints = 0;
	table_unmap(&vm.table, 0, FIXTURE_MEMORY);
}

static void test_counts(void **state)
{
	(void)state;
	vm.table.pages++;
	assert_int_equal(complaints(), 1);
	vm.table.pages--;
	assert_int_equal(complaints(), 0);
	hv_memory_invalidate_end(&vm, 0, 0);
	assert_int_equal(fixture_complaints, 2);
	vm.invalidating = 0;
	fixture_complaints = 0;
}

static void test_without_the_lock(void **state)
{
	(void)state;
	check_memory(&vm, 0, UINT64_MAX);
	assert_int_equal(fixture_complaints, 1);
	fixture_complaints = 0;
}

static void test_nobody_asks(void **state)
{
	(void)state;
	hv_checks = false;
	vm.table.pages++;
	assert_int_equal(complaints(), 0);
	vm.table.pages--;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_silent),
		TEST(test_page_in_no_slot),
		TEST(test_page_that_reaches_out_of_its_slot),
		TEST(test_rights_beyond_the_slots),
		TEST(test_large_page_among_logged_ones),
		TEST(test_page_that_the_vmm_has_no_more),
		TEST(test_counts),
		TEST(test_without_the_lock),
		TEST(test_nobody_asks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
