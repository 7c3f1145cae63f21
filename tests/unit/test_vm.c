/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* Opening a hypervisor, and VMs: what works, and what is said when it does not. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/guest_fixture.h"

#define assert_says(words)                                                     \
	do {                                                                   \
		if (!strstr(hutch_error(), words))                             \
			fail_msg("no \"%s\" in \"%s\"", words, hutch_error()); \
	} while (0)

static void there_is_always_a_last_error(void **state)
{
	(void)state;
	assert_non_null(hutch_error());
	assert_null(strchr(hutch_error(), '\n'));
}

static void a_device_that_is_not_there(void **state)
{
	(void)state;
	errno = 0;
	assert_null(hutch_open("/dev/no-such-hypervisor"));
	assert_int_equal(errno, ENOENT);
	assert_says("/dev/no-such-hypervisor: No such file or directory");
	assert_says("kvm_intel");
}

static void a_device_that_is_none(void **state)
{
	(void)state;
	assert_null(hutch_open("/dev/null"));
	assert_int_equal(errno, ENOTTY);
	assert_says("/dev/null: KVM_GET_API_VERSION");
	assert_null(hutch_open("/tmp"));
	assert_int_equal(errno, EISDIR);
}

static void a_device_that_is_not_ours(void **state)
{
	char path[] = "/tmp/test_vm.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fchmod(fd, 0), 0);
	close(fd);
	if (geteuid() == 0) { /* root may open everything: be somebody else for a moment */
		assert_int_equal(seteuid(65534), 0);
		assert_null(hutch_open(path));
		assert_int_equal(seteuid(0), 0);
	} else {
		assert_null(hutch_open(path));
	}
	unlink(path);
	assert_says("Permission denied");
	assert_says("root");
}

static void tells_what_the_hypervisor_offers(void **state)
{
	struct hutch *hutch = hutch_open(NULL);
	struct kvm_cpuid2 *cpuid;
	unsigned int highest = 0;

	(void)state;
	assert_works(hutch);
	assert_string_equal(hutch_device(hutch), HUTCH_DEFAULT_DEVICE);
	assert_true(fcntl(hutch_fd(hutch), F_GETFD) & FD_CLOEXEC);
	assert_true(hutch_capability(hutch, KVM_CAP_USER_MEMORY) > 0);
	assert_int_equal(hutch_capability(hutch, 0x7fffffff), 0);
	cpuid = hutch_supported_cpuid(hutch);
	assert_works(cpuid);
	assert_true(cpuid->nent > 2);
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 0)
			highest = cpuid->entries[i].eax;
	assert_true(highest >= 1);
	free(cpuid);
	hutch_close(hutch);
	hutch_close(NULL);
}

static void a_failing_ioctl_is_named(void **state)
{
	struct hutch *hutch = hutch_open(NULL);
	struct hutch_vm *vm = hutch_vm_create(hutch);

	(void)state;
	assert_works(vm);
	assert_ptr_equal(hutch_vm_hypervisor(vm), hutch);
	assert_true(fcntl(hutch_vm_fd(vm), F_GETFD) >= 0);
	assert_true(hutch_vm_ioctl(vm, KVM_RUN, "KVM_RUN", NULL) < 0);
	assert_says("/dev/kvm: KVM_RUN: ");
	hutch_vm_destroy(vm);
	hutch_vm_destroy(NULL);
	hutch_close(hutch);
}

static void a_vm_takes_all_with_it(void **state)
{
	struct hutch *hutch = hutch_open(NULL);

	(void)state;
	assert_works(hutch);
	for (unsigned int round = 0; round < 20; round++) {
		struct hutch_vm *vm = hutch_vm_create(hutch);
		struct hutch_vcpu *vcpus[4];

		assert_works(vm);
		assert_works(!hutch_memory_add(vm, 0, 1 << 20, 0));
		for (unsigned int id = 0; id < 4; id++) {
			vcpus[id] = hutch_vcpu_create(vm, id);
			assert_works(vcpus[id]);
			assert_int_equal(hutch_vcpu_id(vcpus[id]), id);
			assert_ptr_equal(hutch_vcpu_vm(vcpus[id]), vm);
		}
		hutch_vcpu_destroy(vcpus[2]);
		hutch_vcpu_destroy(vcpus[0]);
		hutch_vm_destroy(vm);
	}
	hutch_close(hutch);
}

static void the_same_vcpu_twice_is_refused(void **state)
{
	GUEST(guest, 0xf4);

	(void)state;
	assert_null(hutch_vcpu_create(guest.vm, 0));
	assert_int_equal(errno, EEXIST);
	assert_says("vCPU 0: KVM_CREATE_VCPU");
	assert_null(hutch_vcpu_create(guest.vm, 1u << 30));
	assert_int_equal(errno, EINVAL);
	guest_unmake(&guest);
}

static void two_vms_do_not_meet(void **state)
{
	/* mov al, [0x2000]; hlt */
	GUEST(one, 0xa0, 0x00, 0x20, 0xf4);
	GUEST(two, 0xa0, 0x00, 0x20, 0xf4);
	struct guest *guests[] = { &one, &two };
	const uint8_t values[] = { 11, 22 };
	struct hutch_exit exit;
	struct kvm_regs regs;

	(void)state;
	for (unsigned int i = 0; i < 2; i++)
		assert_works(!hutch_memory_write(guests[i]->vm, 0x2000, &values[i], 1));
	for (unsigned int i = 0; i < 2; i++) {
		assert_works(!hutch_vcpu_enter(guests[i]->vcpu, &exit));
		assert_int_equal(exit.reason, HUTCH_EXIT_HLT);
		assert_works(!hutch_vcpu_get_regs(guests[i]->vcpu, &regs));
		assert_int_equal(regs.rax, values[i]);
	}
	guest_unmake(&two);
	guest_unmake(&one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_is_always_a_last_error),
		cmocka_unit_test(a_device_that_is_not_there),
		cmocka_unit_test(a_device_that_is_none),
		cmocka_unit_test(a_device_that_is_not_ours),
		cmocka_unit_test(tells_what_the_hypervisor_offers),
		cmocka_unit_test(a_failing_ioctl_is_named),
		cmocka_unit_test(a_vm_takes_all_with_it),
		cmocka_unit_test(the_same_vcpu_twice_is_refused),
		cmocka_unit_test(two_vms_do_not_meet),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
