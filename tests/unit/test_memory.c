/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* Guest memory: what may be added where, what it costs, and what everyone sees of it. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/guest_fixture.h"

#define PAGE 4096ull
#define MIB  (1ull << 20)
#define GIB  (1ull << 30)

struct fixture {
	struct hutch *hutch;
	struct hutch_vm *vm;
};

static int make(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->hutch = hutch_open(NULL);
	assert_works(fixture->hutch);
	fixture->vm = hutch_vm_create(fixture->hutch);
	assert_works(fixture->vm);
	*state = fixture;
	return 0;
}

static int unmake(void **state)
{
	struct fixture *fixture = *state;

	hutch_vm_destroy(fixture->vm);
	hutch_close(fixture->hutch);
	free(fixture);
	return 0;
}

static struct hutch_vm *vm_of(void **state)
{
	return ((struct fixture *)*state)->vm;
}

#define assert_refused(expression, error, words)                               \
	do {                                                                   \
		assert_int_equal(expression, -(error));                        \
		if (!strstr(hutch_error(), words))                             \
			fail_msg("no \"%s\" in \"%s\"", words, hutch_error()); \
	} while (0)

static void refuses_what_is_no_range(void **state)
{
	struct hutch_vm *vm = vm_of(state);

	assert_refused(hutch_memory_add(vm, 0, 0, 0), EINVAL, "empty");
	assert_refused(hutch_memory_add(vm, 0, 100, 0), EINVAL, "whole pages");
	assert_refused(hutch_memory_add(vm, 2048, PAGE, 0), EINVAL, "whole pages");
	assert_refused(hutch_memory_add(vm, 0 - PAGE, 2 * PAGE, 0), EINVAL, "wraps");
	assert_refused(hutch_memory_add(vm, PAGE, 0 - PAGE, 0), EINVAL, "wraps");
	assert_refused(hutch_memory_add(vm, 0, PAGE, 1 << 10), EINVAL, "unknown flags 0x400");
	assert_refused(hutch_memory_add_host(vm, 0, PAGE, 0, (void *)(uintptr_t)100), EINVAL,
		       "page");
	assert_refused(hutch_memory_remove(vm, 0), ENOENT, "no region begins there");
	assert_null(hutch_memory_at(vm, 0, 1));
}

static void refuses_overlaps(void **state)
{
	struct hutch_vm *vm = vm_of(state);

	assert_works(!hutch_memory_add(vm, 4 * PAGE, 4 * PAGE, 0));
	assert_works(!hutch_memory_add(vm, 12 * PAGE, 4 * PAGE, 0));
	for (uint64_t first = 0; first < 17; first++) {
		for (uint64_t count = 1; first + count <= 17; count++) {
			bool free = first + count <= 4 || first >= 16 ||
				    (first >= 8 && first + count <= 12);

			if (!free)
				assert_refused(hutch_memory_add(vm, first * PAGE, count * PAGE, 0),
					       EEXIST, "overlaps");
		}
	}
	/* The gaps, exactly. */
	assert_works(!hutch_memory_add(vm, 0, 4 * PAGE, 0));
	assert_works(!hutch_memory_add(vm, 8 * PAGE, 4 * PAGE, 0));
	assert_works(!hutch_memory_add(vm, 16 * PAGE, PAGE, 0));
}

static void finds_only_whole_spans(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	uint8_t *host;

	assert_works(!hutch_memory_add(vm, PAGE, 2 * PAGE, 0));
	assert_works(!hutch_memory_add(vm, 3 * PAGE, PAGE, 0));
	host = hutch_memory_at(vm, PAGE, 2 * PAGE);
	assert_non_null(host);
	assert_ptr_equal(hutch_memory_at(vm, PAGE + 17, 1), host + 17);
	assert_null(hutch_memory_at(vm, PAGE - 1, 1));
	assert_null(hutch_memory_at(vm, PAGE - 1, 2));
	assert_null(hutch_memory_at(vm, 2 * PAGE, PAGE + 1)); /* two regions */
	assert_non_null(hutch_memory_at(vm, 3 * PAGE, PAGE));
	assert_null(hutch_memory_at(vm, 3 * PAGE, PAGE + 1));
	assert_null(hutch_memory_at(vm, 3 * PAGE, UINT64_MAX));
	assert_null(hutch_memory_at(vm, UINT64_MAX, 1));
}

static void copies_across_regions_or_not_at_all(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	uint8_t out[3 * PAGE], in[3 * PAGE];

	for (size_t i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 31 + i / 256);
	for (uint64_t page = 4; page > 0; page--)
		assert_works(!hutch_memory_add(vm, page * PAGE, PAGE, 0));
	assert_works(!hutch_memory_write(vm, PAGE + 100, out, sizeof(out)));
	assert_works(!hutch_memory_read(vm, PAGE + 100, in, sizeof(in)));
	assert_memory_equal(in, out, sizeof(in));

	memset(out, 0xee, sizeof(out));
	assert_refused(hutch_memory_write(vm, 3 * PAGE, out, sizeof(out)), EFAULT, "not all of it");
	assert_works(!hutch_memory_read(vm, 3 * PAGE, in, PAGE));
	assert_int_not_equal(in[0], 0xee);
	assert_refused(hutch_memory_read(vm, 0, in, 2 * PAGE), EFAULT, "0x0");
	assert_refused(hutch_memory_read(vm, UINT64_MAX, in, 2), EFAULT, "not all of it");
	assert_works(!hutch_memory_read(vm, UINT64_MAX, in, 0));
}

/* The last page that there is: nothing may wrap round to address 0. */
static void ends_at_the_end_of_addresses(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	int error = hutch_memory_add(vm, 0 - PAGE, PAGE, 0);
	uint8_t two[2];

	/* KVM may refuse an address beyond any processor's; then there is nothing to see. */
	if (error) {
		assert_non_null(strstr(hutch_error(), "KVM_SET_USER_MEMORY_REGION"));
		return;
	}
	assert_works(!hutch_memory_add(vm, 0, PAGE, 0));
	assert_int_equal(hutch_memory_read(vm, UINT64_MAX, two, 2), -EFAULT);
	assert_works(!hutch_memory_read(vm, UINT64_MAX, two, 1));
}

static void removed_memory_is_gone_and_its_slot_used_again(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	int slots = hutch_capability(hutch_vm_hypervisor(vm), KVM_CAP_NR_MEMSLOTS);

	assert_true(slots > 0);
	assert_works(!hutch_memory_add(vm, 8 * PAGE, PAGE, 0));
	for (int i = 0; i < slots + 8 && i < 40000; i++) {
		assert_works(!hutch_memory_add(vm, 2 * PAGE, PAGE, 0));
		assert_works(!hutch_memory_remove(vm, 2 * PAGE));
	}
	assert_null(hutch_memory_at(vm, 2 * PAGE, 1));
	assert_int_equal(hutch_memory_remove(vm, 9 * PAGE), -ENOENT);
	assert_works(!hutch_memory_remove(vm, 8 * PAGE));
	assert_null(hutch_memory_at(vm, 8 * PAGE, 1));
}

static void holds_many_regions(void **state)
{
	struct hutch_vm *vm = vm_of(state);

	/* Out of order, so that the sorting has something to do. */
	for (uint64_t i = 0; i < 200; i++)
		assert_works(!hutch_memory_add(vm, (i * 77 % 200) * 2 * PAGE, PAGE, 0));
	for (uint64_t i = 0; i < 200; i++) {
		assert_non_null(hutch_memory_at(vm, i * 2 * PAGE, PAGE));
		assert_null(hutch_memory_at(vm, i * 2 * PAGE + PAGE, 1));
	}
	for (uint64_t i = 0; i < 200; i += 2)
		assert_works(!hutch_memory_remove(vm, i * 2 * PAGE));
	for (uint64_t i = 0; i < 200; i++)
		assert_true(!hutch_memory_at(vm, i * 2 * PAGE, 1) == !(i & 1));
}

static uint64_t resident_pages(void)
{
	unsigned long size = 0, resident = 0;
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu %lu", &size, &resident), 2);
	fclose(file);
	return resident;
}

static void untouched_pages_cost_nothing(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	uint64_t before = resident_pages(), after;

	assert_works(!hutch_memory_add(vm, 0, 64 * GIB, 0));
	after = resident_pages();
	assert_in_range(after, 0, before + 64);
	memset(hutch_memory_at(vm, 32 * GIB, MIB), 1, MIB);
	assert_in_range(resident_pages(), after + MIB / PAGE, after + MIB / PAGE + 64);
}

static void large_pages_lie_alike_on_both_sides(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	const uint64_t gpa = 16 * MIB + 5 * PAGE;
	uint8_t *host;

	assert_works(!hutch_memory_add(vm, gpa, 8 * MIB, HUTCH_MEMORY_HUGE));
	host = hutch_memory_at(vm, gpa, 8 * MIB);
	assert_non_null(host);
	assert_int_equal((uintptr_t)host % (2 * MIB), gpa % (2 * MIB));
	memset(host, 0x5a, 8 * MIB);
	assert_works(!hutch_memory_remove(vm, gpa));
}

/* ---- files ----------------------------------------------------------------- */

static int file_of(size_t size, int open_flags, int *writer)
{
	char path[] = "/tmp/test_memory.XXXXXX";
	uint8_t bytes[PAGE];
	int fd = mkstemp(path), again;

	assert_true(fd >= 0);
	for (size_t done = 0; done < size; done += sizeof(bytes)) {
		size_t part = size - done < sizeof(bytes) ? size - done : sizeof(bytes);

		memset(bytes, (int)('a' + done / sizeof(bytes)), sizeof(bytes));
		assert_int_equal(write(fd, bytes, part), part);
	}
	again = open(path, open_flags);
	unlink(path);
	assert_true(again >= 0);
	if (writer)
		*writer = fd;
	else
		close(fd);
	return again;
}

static void a_private_file_stays_as_it_is(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	int fd = file_of(3 * PAGE, O_RDONLY, NULL);
	char byte = 'x';

	assert_works(!hutch_memory_add_file(vm, 0, 2 * PAGE, 0, fd, PAGE));
	assert_int_equal(*(char *)hutch_memory_at(vm, 0, 1), 'b');
	assert_int_equal(*(char *)hutch_memory_at(vm, PAGE, 1), 'c');
	assert_works(!hutch_memory_write(vm, 0, &byte, 1));
	assert_int_equal(pread(fd, &byte, 1, PAGE), 1);
	assert_int_equal(byte, 'b');
	close(fd);
	assert_int_equal(*(char *)hutch_memory_at(vm, 0, 1), 'x');
}

static void a_shared_file_takes_what_is_written(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	int fd = file_of(2 * PAGE, O_RDWR, NULL);
	char byte = 'x';

	assert_works(!hutch_memory_add_file(vm, 0, PAGE, HUTCH_MEMORY_SHARED, fd, PAGE));
	assert_works(!hutch_memory_write(vm, 7, &byte, 1));
	assert_int_equal(pread(fd, &byte, 1, PAGE + 7), 1);
	assert_int_equal(byte, 'x');
	close(fd);
}

static void a_shared_file_may_be_for_reading_only(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	int fd = file_of(PAGE, O_RDONLY, NULL);
	char byte = 'x';

	assert_refused(hutch_memory_add_file(vm, 0, PAGE, HUTCH_MEMORY_SHARED, fd, 0), EACCES,
		       "mmap");
	assert_works(!hutch_memory_add_file(vm, 0, PAGE,
					    HUTCH_MEMORY_SHARED | HUTCH_MEMORY_READONLY, fd, 0));
	assert_refused(hutch_memory_write(vm, 0, &byte, 1), EFAULT, "writable");
	assert_works(!hutch_memory_read(vm, 0, &byte, 1));
	assert_int_equal(byte, 'a');
	close(fd);
}

static void a_file_too_short_is_refused(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	int fd = file_of(PAGE + 100, O_RDWR, NULL);
	uint8_t bytes[PAGE];

	assert_refused(hutch_memory_add_file(vm, 0, 3 * PAGE, 0, fd, 0), EINVAL, "0x1064 bytes");
	assert_refused(hutch_memory_add_file(vm, 0, PAGE, 0, fd, 2 * PAGE), EINVAL, "only");
	assert_refused(hutch_memory_add_file(vm, 0, PAGE, 0, fd, 17), EINVAL, "multiple");
	assert_refused(hutch_memory_add_file(vm, 0, PAGE, 0, fd, 0 - PAGE), EINVAL, "too large");
	assert_refused(hutch_memory_add_file(vm, 0, PAGE, 0, -1, 0), EBADF, "file");
	assert_refused(hutch_memory_add_file(vm, 0, PAGE, 0, 9999, 0), EBADF, "file");
	/* A last page that is not whole ends in zeroes. */
	assert_works(!hutch_memory_add_file(vm, 0, 2 * PAGE, 0, fd, 0));
	assert_works(!hutch_memory_read(vm, PAGE, bytes, PAGE));
	assert_int_equal(bytes[99], 'b');
	assert_int_equal(bytes[100], 0);
	assert_int_equal(bytes[PAGE - 1], 0);
	close(fd);
}

static void memory_of_the_caller_stays_the_callers(void **state)
{
	struct hutch_vm *vm = vm_of(state);
	uint8_t *host =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(host, MAP_FAILED);
	assert_works(!hutch_memory_add_host(vm, PAGE, 2 * PAGE, 0, host));
	assert_ptr_equal(hutch_memory_at(vm, PAGE, 2 * PAGE), host);
	assert_works(!hutch_memory_remove(vm, PAGE));
	host[0] = 1; /* still mapped */
	assert_int_equal(munmap(host, 2 * PAGE), 0);
}

/* ---- readers without a lock -------------------------------------------------- */

struct reader {
	struct hutch_vm *vm;
	atomic_bool stop;
	unsigned long wrong, looks;
};

/* The region at page 8 never moves, though its place in the table does all the time. */
static void *look(void *context)
{
	struct reader *reader = context;
	uint8_t *expected = hutch_memory_at(reader->vm, 8 * PAGE, PAGE);

	while (!atomic_load(&reader->stop)) {
		if (hutch_memory_at(reader->vm, 8 * PAGE, PAGE) != expected ||
		    hutch_memory_at(reader->vm, 9 * PAGE, 1))
			reader->wrong++;
		reader->looks++;
	}
	return NULL;
}

static void readers_need_no_lock(void **state)
{
	struct reader reader = { .vm = vm_of(state) };
	pthread_t thread;

	assert_works(!hutch_memory_add(reader.vm, 8 * PAGE, PAGE, 0));
	assert_int_equal(pthread_create(&thread, NULL, look, &reader), 0);
	for (unsigned int round = 0; round < 40; round++) {
		for (uint64_t i = 0; i < 8; i++)
			assert_works(!hutch_memory_add(reader.vm, i * PAGE, PAGE, 0));
		for (uint64_t i = 0; i < 60; i++)
			assert_works(!hutch_memory_add(reader.vm, (10 + i) * PAGE, PAGE, 0));
		for (uint64_t i = 0; i < 8; i++)
			assert_works(!hutch_memory_remove(reader.vm, i * PAGE));
		for (uint64_t i = 0; i < 60; i++)
			assert_works(!hutch_memory_remove(reader.vm, (10 + i) * PAGE));
	}
	atomic_store(&reader.stop, true);
	pthread_join(thread, NULL);
	assert_int_equal(reader.wrong, 0);
	assert_true(reader.looks > 0);
}

/* ---- what the guest sees ----------------------------------------------------- */

static void the_guest_sees_it_all(void **state)
{
	/* mov ax, 0x1000; mov ds, ax; mov al, [0]; inc al; mov [1], al; hlt */
	GUEST(guest, 0xb8, 0x00, 0x10, 0x8e, 0xd8, 0xa0, 0x00, 0x00, 0xfe, 0xc0, 0xa2, 0x01, 0x00,
	      0xf4);
	struct hutch_exit exit;
	uint8_t bytes[2] = { 41, 0 };

	(void)state;
	assert_works(!hutch_memory_add(guest.vm, 0x10000, PAGE, 0));
	assert_works(!hutch_memory_write(guest.vm, 0x10000, bytes, 2));
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	assert_int_equal(exit.reason, HUTCH_EXIT_HLT);
	assert_works(!hutch_memory_read(guest.vm, 0x10000, bytes, 2));
	assert_int_equal(bytes[1], 42);

	/* Without it, the same instructions are accesses to nothing. */
	assert_works(!hutch_memory_remove(guest.vm, 0x10000));
	guest_reset(&guest);
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	assert_int_equal(exit.reason, HUTCH_EXIT_MMIO);
	assert_int_equal(exit.mmio.gpa, 0x10000);
	assert_false(exit.mmio.write);
	guest_unmake(&guest);
}

static void writes_to_read_only_memory_leave(void **state)
{
	/* mov ax, 0x1000; mov ds, ax; mov al, [0]; mov [1], al; hlt */
	GUEST(guest, 0xb8, 0x00, 0x10, 0x8e, 0xd8, 0xa0, 0x00, 0x00, 0xa2, 0x01, 0x00, 0xf4);
	struct hutch_exit exit;
	uint8_t bytes[2] = { 7, 9 };

	(void)state;
	assert_works(!hutch_memory_add(guest.vm, 0x10000, PAGE, HUTCH_MEMORY_READONLY));
	assert_works(!hutch_memory_write(guest.vm, 0x10000, bytes, 2)); /* the host may */
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	assert_int_equal(exit.reason, HUTCH_EXIT_MMIO);
	assert_true(exit.mmio.write);
	assert_int_equal(exit.mmio.gpa, 0x10001);
	assert_int_equal(*(uint8_t *)exit.mmio.data, 7);
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	assert_int_equal(exit.reason, HUTCH_EXIT_HLT);
	assert_works(!hutch_memory_read(guest.vm, 0x10000, bytes, 2));
	assert_int_equal(bytes[1], 9);
	guest_unmake(&guest);
}

static void says_which_pages_the_guest_wrote(void **state)
{
	/* mov ax, 0x1000; mov ds, ax; mov [0x2000], al; hlt */
	GUEST(guest, 0xb8, 0x00, 0x10, 0x8e, 0xd8, 0xa2, 0x00, 0x20, 0xf4);
	uint64_t bitmap = 0;
	/* The fixture's memory has slot 0. */
	struct kvm_dirty_log log = { .slot = 1, .dirty_bitmap = &bitmap };
	struct hutch_exit exit;

	(void)state;
	assert_works(!hutch_memory_add(guest.vm, 0x10000, 8 * PAGE, HUTCH_MEMORY_LOG_DIRTY));
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	assert_int_equal(exit.reason, HUTCH_EXIT_HLT);
	assert_works(!hutch_vm_ioctl(guest.vm, KVM_GET_DIRTY_LOG, "KVM_GET_DIRTY_LOG", &log));
	assert_int_equal(bitmap, 1 << 2);
	guest_unmake(&guest);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(refuses_what_is_no_range),
		TEST(refuses_overlaps),
		TEST(finds_only_whole_spans),
		TEST(copies_across_regions_or_not_at_all),
		TEST(ends_at_the_end_of_addresses),
		TEST(removed_memory_is_gone_and_its_slot_used_again),
		TEST(holds_many_regions),
		TEST(untouched_pages_cost_nothing),
		TEST(large_pages_lie_alike_on_both_sides),
		TEST(a_private_file_stays_as_it_is),
		TEST(a_shared_file_takes_what_is_written),
		TEST(a_shared_file_may_be_for_reading_only),
		TEST(a_file_too_short_is_refused),
		TEST(memory_of_the_caller_stays_the_callers),
		TEST(readers_need_no_lock),
		cmocka_unit_test(the_guest_sees_it_all),
		cmocka_unit_test(writes_to_read_only_memory_leave),
		cmocka_unit_test(says_which_pages_the_guest_wrote),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
