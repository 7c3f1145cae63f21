/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Every step of making a guest fails once, and nothing may be left of it: no
 * descriptor, no mapping, no thread, no memory (which the leak checker watches).
 */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/system.h"
#include "tests/unit/guest_fixture.h"

#ifndef HUTCH_FAULT_INJECTION
#error "this test is about HUTCH_FAULT_INJECTION"
#endif

/* What a process holds. */
struct holdings {
	unsigned long descriptors;
	unsigned long threads;
	unsigned long mapped_pages;
	unsigned long hypervisor_mappings;
};

static unsigned int entries_of(const char *path)
{
	DIR *directory = opendir(path);
	unsigned int count = 0;

	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

/* Lines of /proc/self/maps that belong to a VM or vCPU. */
static unsigned int hypervisor_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "r");
	unsigned int count = 0;
	char line[512];

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		count += strstr(line, "kvm") != NULL;
	fclose(file);
	return count;
}

static struct holdings holdings(void)
{
	struct holdings now = {
		.descriptors = entries_of("/proc/self/fd"),
		.threads = entries_of("/proc/self/task"),
		.hypervisor_mappings = hypervisor_mappings(),
	};
	FILE *file = fopen("/proc/self/statm", "r");

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%lu", &now.mapped_pages), 1);
	fclose(file);
	return now;
}

/* The kernel's own thread of a VM goes a moment after the VM. */
static void assert_nothing_left(const struct holdings *before, unsigned int step)
{
	const struct timespec moment = { .tv_nsec = 1000000 };
	struct holdings now = holdings();

	for (unsigned int i = 0; i < 2000 && now.threads != before->threads; i++) {
		nanosleep(&moment, NULL);
		now = holdings();
	}
	if (memcmp(before, &now, sizeof(now)))
		fail_msg("step %u left: descriptors %lu -> %lu, threads %lu -> %lu, pages %lu -> "
			 "%lu, "
			 "mappings %lu -> %lu",
			 step, before->descriptors, now.descriptors, before->threads, now.threads,
			 before->mapped_pages, now.mapped_pages, before->hypervisor_mappings,
			 now.hypervisor_mappings);
}

static enum hutch_verdict stop(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	(void)vcpu;
	(void)exit;
	(void)context;
	return HUTCH_ABORT;
}

/* All that a VM can be given. False where a step failed. */
static bool furnish(struct hutch_vm *vm, int file)
{
	return !hutch_memory_add(vm, 0, 0x10000, 0) &&
	       !hutch_memory_add(vm, 0x200000, 0x400000, HUTCH_MEMORY_HUGE) &&
	       !hutch_memory_add_file(vm, 0x800000, 0x1000, 0, file, 0) &&
	       !hutch_memory_add(vm, 0x900000, 0x1000, HUTCH_MEMORY_READONLY) &&
	       !hutch_memory_remove(vm, 0x800000) &&
	       !hutch_vm_on_port(vm, 0x10, 0x1f, stop, NULL) &&
	       !hutch_vm_on_mmio(vm, 0xd0000000, 0x1000, stop, NULL) &&
	       !hutch_vm_on(vm, HUTCH_EXIT_HLT, stop, NULL);
}

/* Makes a vCPU and runs the guest's one instruction, HLT. */
static bool run(struct hutch_vm *vm)
{
	struct hutch_vcpu *vcpu = hutch_vcpu_create(vm, 0);
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;

	if (!vcpu || hutch_memory_write(vm, 0x1000, "\xf4", 1) ||
	    hutch_vcpu_get_sregs(vcpu, &sregs))
		return false;
	sregs.cs.base = sregs.cs.selector = 0;
	return !hutch_vcpu_set_sregs(vcpu, &sregs) && !hutch_vcpu_set_regs(vcpu, &regs) &&
	       hutch_vcpu_run(vcpu) == 1;
}

/* The whole way, and all of it back. False where a step failed, with errno set. */
static bool make_and_unmake(int file)
{
	struct hutch *hutch = hutch_open(NULL);
	struct hutch_vm *vm = NULL;
	struct kvm_cpuid2 *cpuid;
	bool made = false;

	if (!hutch)
		return false;
	cpuid = hutch_supported_cpuid(hutch);
	if (cpuid)
		vm = hutch_vm_create(hutch);
	if (vm)
		made = furnish(vm, file) && run(vm);
	hutch_vm_destroy(vm);
	free(cpuid);
	hutch_close(hutch);
	return made;
}

static void every_step_fails_once_and_leaves_nothing(void **state)
{
	int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	struct holdings before;
	unsigned int step, steps;

	(void)state;
	assert_true(file >= 0);
	/* The second time nothing is new any more: allocators and caches have settled. */
	system_fail_at(0);
	assert_works(make_and_unmake(file));
	assert_works(make_and_unmake(file));
	system_fail_at(0);
	before = holdings();
	assert_works(make_and_unmake(file));
	assert_nothing_left(&before, 0);
	steps = system_calls();
	assert_true(steps >= 20);
	for (step = 1; step <= steps; step++) {
		system_fail_at(step);
		if (make_and_unmake(file))
			fail_msg("step %u of %u failed, and nobody noticed", step, steps);
		if (!*hutch_error())
			fail_msg("step %u failed without a word", step);
		system_fail_at(0);
		assert_nothing_left(&before, step);
	}
	close(file);
}

static void a_failed_step_leaves_the_rest_as_it_was(void **state)
{
	GUEST(guest, 0xf4);
	unsigned int step;
	bool added = false;

	(void)state;
	for (step = 1; !added; step++) {
		system_fail_at(step);
		added = !hutch_memory_add(guest.vm, 0x20000, 0x1000, 0);
		system_fail_at(0);
		if (added)
			break;
		assert_null(hutch_memory_at(guest.vm, 0x20000, 1));
		assert_non_null(hutch_memory_at(guest.vm, 0, GUEST_MEMORY));
	}
	assert_true(step > 2);
	system_fail_at(1);
	assert_int_equal(hutch_memory_remove(guest.vm, 0x20000), -ENOMEM);
	system_fail_at(0);
	assert_non_null(hutch_memory_at(guest.vm, 0x20000, 1)); /* still there */
	assert_works(!hutch_memory_remove(guest.vm, 0x20000));
	/* A handler that could not be registered does not answer. */
	system_fail_at(1);
	assert_int_equal(hutch_vm_on(guest.vm, HUTCH_EXIT_HLT, stop, NULL), -ENOMEM);
	system_fail_at(0);
	assert_int_equal(hutch_vcpu_run(guest.vcpu), -ENOTSUP);
	guest_unmake(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_fails_once_and_leaves_nothing),
		cmocka_unit_test(a_failed_step_leaves_the_rest_as_it_was),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
