/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_GUEST_FIXTURE_H
#define HUTCH_TESTS_UNIT_GUEST_FIXTURE_H

/*
 * A guest of a few bytes: 64 KiB of memory from 0, one vCPU in real mode with all
 * segments at 0, and its code at GUEST_CODE. These tests are about a hypervisor and
 * fail where there is none.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "hutch/hutch.h"

#define GUEST_MEMORY 0x10000
#define GUEST_CODE   0x1000
#define GUEST_STACK  0x8000

struct guest {
	struct hutch *hutch;
	struct hutch_vm *vm;
	struct hutch_vcpu *vcpu;
};

/* Says what the library said, so that a failure on another machine explains itself. */
#define assert_works(expression)                                        \
	do {                                                            \
		if (!(expression))                                      \
			fail_msg("%s: %s", #expression, hutch_error()); \
	} while (0)

static inline void guest_reset(struct guest *guest)
{
	const struct kvm_regs regs = { .rip = GUEST_CODE, .rsp = GUEST_STACK, .rflags = 2 };
	struct kvm_sregs sregs;

	assert_works(!hutch_vcpu_get_sregs(guest->vcpu, &sregs));
	sregs.cs.selector = 0;
	sregs.cs.base = 0;
	assert_works(!hutch_vcpu_set_sregs(guest->vcpu, &sregs));
	assert_works(!hutch_vcpu_set_regs(guest->vcpu, &regs));
}

static inline void guest_make(struct guest *guest, const void *code, size_t size)
{
	guest->hutch = hutch_open(NULL);
	assert_works(guest->hutch);
	guest->vm = hutch_vm_create(guest->hutch);
	assert_works(guest->vm);
	assert_works(!hutch_memory_add(guest->vm, 0, GUEST_MEMORY, 0));
	assert_works(!hutch_memory_write(guest->vm, GUEST_CODE, code, size));
	guest->vcpu = hutch_vcpu_create(guest->vm, 0);
	assert_works(guest->vcpu);
	guest_reset(guest);
}

static inline void guest_unmake(struct guest *guest)
{
	hutch_vm_destroy(guest->vm);
	hutch_close(guest->hutch);
}

/* Declares @name and makes it of the code's bytes. */
#define GUEST(name, ...)                                      \
	static const uint8_t name##_code[] = { __VA_ARGS__ }; \
	struct guest name;                                    \
	guest_make(&name, name##_code, sizeof(name##_code))

#endif
