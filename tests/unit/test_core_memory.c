/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Slots, the one fault handler, and what happens when the host takes memory away.
 */

#include "tests/unit/core_fixture.h"

static uint64_t entry(uint64_t gpa)
{
	unsigned int order;

	return table_look(&vm.table, gpa, &order);
}

static bool writable(uint64_t gpa)
{
	return entry(gpa) & fixture_format.writable;
}

static int set_slot(uint32_t id, uint64_t gpa, uint64_t size, bool read_only, bool log_dirty)
{
	const struct hv_slot slot = {
		.id = id, .gpa = gpa, .size = size, .hva = (uintptr_t)memory, .read_only = read_only
	};

	return hv_memory_set(&vm, &slot, log_dirty);
}

/* ---- slots ------------------------------------------------------------------------------ */

static void test_refused_slots(void **state)
{
	(void)state;
	assert_int_equal(set_slot(1, 0x123, 0x1000, false, false), HOST_EINVAL);
	assert_int_equal(set_slot(1, 1ull << 32, 0x1001, false, false), HOST_EINVAL);
	assert_int_equal(set_slot(1, UINT64_MAX - 0xfff, 0x2000, false, false), HOST_EINVAL);
	assert_int_equal(set_slot(1, 0x3ff000, 0x2000, false, false), HOST_EEXIST);
	assert_int_equal(set_slot(1, 1ull << 32, 0, false, false), HOST_EINVAL);
	assert_int_equal(set_slot(0, 0, FIXTURE_MEMORY / 2, false, false), HOST_EINVAL);
	assert_int_equal(vm.slots->count, 1);
}

/* Some processors need a page for themselves, once there are vCPUs. */
static void test_a_page_of_the_processors(void **state)
{
	(void)state;
	assert_int_equal(hv_vm_set_identity_map(&vm, 1ull << 31), HOST_OK);
	assert_int_equal(vm.identity_map, 0); /* this one needs none */
	vm.identity_map = 0xfffbc000;
	assert_int_equal(hv_vm_set_identity_map(&vm, 0x1000), HOST_OK);
	assert_int_equal(hv_vm_set_identity_map(&vm, 0x1001), HOST_EINVAL);
	assert_int_equal(hv_vm_set_identity_map(&vm, 1ull << 32), HOST_EINVAL);
	assert_int_equal(vm.identity_map, 0x1000);
	vm.identity_map = 0xfffbc000;
	assert_int_equal(hv_vm_set_identity_map(&vm, 0), HOST_OK);
	assert_int_equal(vm.identity_map, 0xfffbc000);
	assert_int_equal(set_slot(1, 0xfffb0000, 0x10000, false, false), HOST_EEXIST);
	assert_int_equal(set_slot(1, 0xfffb0000, 0xc000, false, false), HOST_OK);
	assert_int_equal(set_slot(2, 0xfffbd000, 0x3000, false, false), HOST_OK);
	vm.vcpu_count = 0;
	assert_int_equal(set_slot(3, 0xfffbc000, 0x1000, false, false), HOST_OK);
	vm.vcpu_count = 1;
	vm.identity_map = 0;
}

static void test_slots_are_sorted(void **state)
{
	(void)state;
	assert_int_equal(set_slot(3, 3ull << 32, 0x1000, false, false), HOST_OK);
	assert_int_equal(set_slot(1, 1ull << 32, 0x1000, false, false), HOST_OK);
	assert_int_equal(set_slot(2, 2ull << 32, 0x1000, false, false), HOST_OK);
	assert_int_equal(vm.slots->count, 4);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(vm.slots->slots[i].id, i);
	assert_int_equal(set_slot(2, 0, 0, false, false), HOST_OK);
	assert_int_equal(vm.slots->count, 3);
	assert_null(hv_memory_slot(&vm, 2));
}

static void test_moved_slot(void **state)
{
	(void)state;
	assert_int_equal(set_slot(1, 1ull << 32, 0x1000, false, false), HOST_OK);
	assert_int_equal(memory_fault(&vcpu, 1ull << 32, false), MEMORY_MAPPED);
	assert_int_equal(set_slot(1, 2ull << 32, 0x1000, false, false), HOST_OK);
	assert_int_equal(entry(1ull << 32), 0);
	assert_int_equal(memory_fault(&vcpu, 1ull << 32, false), MEMORY_DEVICE);
	assert_int_equal(memory_fault(&vcpu, 2ull << 32, false), MEMORY_MAPPED);
}

static void test_no_memory_for_a_slot(void **state)
{
	(void)state;
	for (long i = 1; i <= 2; i++) {
		fixture_fail_at = i;
		assert_int_equal(set_slot(1, 1ull << 32, 0x1000, false, true), HOST_ENOMEM);
		fixture_fail_at = 0;
		assert_int_equal(vm.slots->count, 1);
	}
}

static void test_vm_whose_making_fails(void **state)
{
	struct hv_vm other;
	long given = fixture_given;

	(void)state;
	for (long i = 1; i <= 3; i++) {
		memset(&other, 0, sizeof(other));
		fixture_fail_at = i;
		assert_int_equal(hv_vm_init(&other, &fixture_ops), HOST_ENOMEM);
		fixture_fail_at = 0;
		assert_int_equal(fixture_given, given);
	}
}

static void test_vcpu_whose_making_fails(void **state)
{
	struct hv_vcpu other;
	long given = fixture_given;

	(void)state;
	for (long i = 1; i <= 2; i++) {
		memset(&other, 0, sizeof(other));
		fixture_fail_at = i;
		assert_int_equal(hv_vcpu_init(&other, &vm, 1, data), HOST_ENOMEM);
		fixture_fail_at = 0;
		assert_int_equal(fixture_given, given);
	}
}

/* ---- faults ------------------------------------------------------------------------------- */

static void test_large_page(void **state)
{
	unsigned int order;

	(void)state;
	assert_int_equal(memory_fault(&vcpu, 0x234567, true), MEMORY_MAPPED);
	assert_int_not_equal(table_look(&vm.table, 0x200000, &order), 0);
	assert_int_equal(order, 9);
	assert_int_equal(table_look(&vm.table, 0x3fffff, &order) & ~0xfffull,
			 (uintptr_t)memory + 0x200000);
	assert_int_equal(entry(0x1fffff), 0);
}

static void test_small_where_a_large_one_does_not_fit(void **state)
{
	const struct hv_slot slot = {
		.id = 1, .gpa = (1ull << 32) + 0x1000, .size = 0x200000, .hva = (uintptr_t)memory
	};
	unsigned int order;

	(void)state;
	assert_int_equal(hv_memory_set(&vm, &slot, false), HOST_OK);
	assert_int_equal(memory_fault(&vcpu, slot.gpa + 0x5000, false), MEMORY_MAPPED);
	assert_int_equal(table_look(&vm.table, slot.gpa + 0x5000, &order) & ~0xfffull,
			 (uintptr_t)memory + 0x5000);
	assert_int_equal(order, 0);
}

static void test_read_only(void **state)
{
	(void)state;
	assert_int_equal(set_slot(1, 1ull << 32, 0x1000, true, false), HOST_OK);
	assert_int_equal(memory_fault(&vcpu, 1ull << 32, false), MEMORY_MAPPED);
	assert_false(writable(1ull << 32));
	assert_int_equal(memory_fault(&vcpu, 1ull << 32, true), MEMORY_DEVICE);
	assert_false(memory_copy_out(&vm, 1ull << 32, "x", 1));
}

static void test_no_memory_for_tables(void **state)
{
	(void)state;
	fixture_fail_at = 3;
	assert_int_equal(memory_fault(&vcpu, 0x1000, false), MEMORY_NO_MEMORY);
	assert_int_equal(entry(0x1000), 0);
}

static void take_it_away(void)
{
	fixture_on_frame = NULL; /* once */
	hv_memory_invalidate_begin(&vm, (uintptr_t)memory, (uintptr_t)memory + 0x1000);
	hv_memory_invalidate_end(&vm, (uintptr_t)memory, (uintptr_t)memory + 0x1000);
}

static unsigned int frames;

static void count_frames(void)
{
	if (++frames == 1) {
		hv_memory_invalidate_begin(&vm, (uintptr_t)memory, (uintptr_t)memory + 0x1000);
		hv_memory_invalidate_end(&vm, (uintptr_t)memory, (uintptr_t)memory + 0x1000);
	}
}

static void test_taken_during_a_fault(void **state)
{
	(void)state;
	frames = 0;
	fixture_on_frame = count_frames;
	assert_int_equal(memory_fault(&vcpu, 0, false), MEMORY_MAPPED);
	assert_int_equal(frames, 2);
	assert_int_not_equal(entry(0), 0);
}

static void test_taken(void **state)
{
	(void)state;
	memory_fault(&vcpu, 0, true);
	vcpu.mode = HV_IN_GUEST;
	fixture_kicks = 0;
	take_it_away();
	assert_int_equal(entry(0), 0);
	assert_int_equal(fixture_kicks, 1);
	assert_int_not_equal(vm.tlb_generation, vcpu.tlb_seen);
	vcpu.mode = HV_OUTSIDE;
}

static void test_taking_nothing_disturbs_nobody(void **state)
{
	uint64_t before = vm.tlb_generation;

	(void)state;
	take_it_away();
	assert_int_equal(vm.tlb_generation, before);
}

/* The entry for @gpa, as the processor finds it: levels 4 to 1 of 9 bits each. */
static uint64_t *walked(uint64_t gpa)
{
	uint64_t *entries = vm.table.root;

	for (unsigned int shift = 39;; shift -= 9) {
		uint64_t *at = &entries[gpa >> shift & 511];

		if (shift == 12 || *at & fixture_format.large)
			return at;
		entries = host_virtual(*at & ~0xfffull);
	}
}

static void test_touched(void **state)
{
	uint64_t hva = (uintptr_t)memory;

	(void)state;
	memory_fault(&vcpu, 0, false);
	assert_false(hv_memory_touched(&vm, hva, hva + 0x1000, false));
	*walked(0) |= fixture_format.accessed;
	assert_true(hv_memory_touched(&vm, hva, hva + 0x1000, false));
	assert_true(hv_memory_touched(&vm, hva, hva + 0x1000, true));
	assert_false(hv_memory_touched(&vm, hva, hva + 0x1000, true));
	assert_int_not_equal(entry(0), 0);
}

/* ---- the log of what was written ------------------------------------------------------------- */

static void test_dirty_log(void **state)
{
	struct hv_slot *slot;

	(void)state;
	memory_fault(&vcpu, 0x3000, true);
	assert_int_equal(set_slot(0, 0, FIXTURE_MEMORY, false, true), HOST_OK);
	assert_false(writable(0x3000));
	slot = hv_memory_slot(&vm, 0);
	assert_int_equal(slot->dirty[0], 0);
	/* What is touched for the first time may be written from now on. */
	memory_fault(&vcpu, 0x5000, false);
	assert_true(writable(0x5000));
	assert_int_equal(slot->dirty[0], 1u << 5);
	slot->dirty[0] = 0;
	hv_memory_protect(&vm, slot, 0, 1u << 5);
	assert_false(writable(0x5000));
	memory_fault(&vcpu, 0x5000, true);
	assert_true(writable(0x5000));
	assert_int_equal(slot->dirty[0], 1u << 5);
	assert_true(memory_copy_out(&vm, 0x6fff, "ab", 2));
	assert_int_equal(slot->dirty[0], 7u << 5);
	hv_memory_protect(&vm, slot, 0, 1u << 5);
	assert_false(writable(0x5000));
	assert_int_equal(set_slot(0, 0, FIXTURE_MEMORY, false, false), HOST_OK);
	assert_null(hv_memory_slot(&vm, 0)->dirty);
}

/* The processor keeps the log: nothing is taken away but the marks that it goes by. */
static void test_processor_keeps_the_log(void **state)
{
	const uint64_t written[] = { 0x5000, 0x6123, 0xfffff000 };
	struct hv_slot *slot;

	(void)state;
	processor.logs_writes = true;
	assert_int_equal(set_slot(0, 0, FIXTURE_MEMORY, false, true), HOST_OK);
	assert_true(vm.logging);
	memory_fault(&vcpu, 0x5000, false);
	assert_true(writable(0x5000));
	slot = hv_memory_slot(&vm, 0);
	memory_logged(&vm, written, 3);
	assert_int_equal(slot->dirty[0], 3u << 5);
	*walked(0x5000) |= fixture_format.dirty;
	hv_memory_protect(&vm, slot, 0, 1u << 5);
	assert_true(writable(0x5000));
	assert_false(*walked(0x5000) & fixture_format.dirty);
	vcpu.mode = HV_IN_GUEST;
	fixture_kicks = 0;
	hv_memory_collect(&vm);
	assert_int_equal(fixture_kicks, 1);
	vcpu.mode = HV_OUTSIDE;
	assert_int_equal(set_slot(0, 0, FIXTURE_MEMORY, false, false), HOST_OK);
	assert_false(vm.logging);
}

/* ---- copies ----------------------------------------------------------------------------------- */

static void test_copies(void **state)
{
	char read[4] = { 0 };

	(void)state;
	assert_true(memory_copy_out(&vm, 0x1ffe, "abcd", 4));
	assert_memory_equal(memory + 0x1ffe, "abcd", 4);
	assert_true(memory_copy_in(&vm, 0x1ffe, read, 4));
	assert_memory_equal(read, "abcd", 4);
	assert_false(memory_copy_in(&vm, FIXTURE_MEMORY - 2, read, 4));
	assert_false(memory_copy_out(&vm, FIXTURE_MEMORY - 2, read, 4));
	assert_true(memory_writable(&vm, FIXTURE_MEMORY - 2, 2));
	assert_false(memory_writable(&vm, FIXTURE_MEMORY - 2, 3));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_refused_slots),
		TEST(test_a_page_of_the_processors),
		TEST(test_slots_are_sorted),
		TEST(test_moved_slot),
		TEST(test_no_memory_for_a_slot),
		TEST(test_vm_whose_making_fails),
		TEST(test_vcpu_whose_making_fails),
		TEST(test_large_page),
		TEST(test_small_where_a_large_one_does_not_fit),
		TEST(test_read_only),
		TEST(test_no_memory_for_tables),
		TEST(test_taken_during_a_fault),
		TEST(test_taken),
		TEST(test_taking_nothing_disturbs_nobody),
		TEST(test_touched),
		TEST(test_dirty_log),
		TEST(test_processor_keeps_the_log),
		TEST(test_copies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
