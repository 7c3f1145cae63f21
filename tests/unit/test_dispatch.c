/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* Who is asked about which exit, and in which order. Needs no hypervisor. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <string.h>

#include "lib/object.h"

#define ASKED_MAX 8

/* What a handler of these tests does: note that it was asked, and say its verdict. */
struct answer {
	enum hutch_verdict verdict;
	char name;
};

static char asked[ASKED_MAX + 1];

static enum hutch_verdict answer(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	const struct answer *self = context;
	size_t length = strlen(asked);

	(void)vcpu;
	(void)exit;
	assert_true(length < ASKED_MAX);
	asked[length] = self->name;
	asked[length + 1] = '\0';
	return self->verdict;
}

/* Twice: as a vCPU would that has asked for this before, and as a new one. */
static enum hutch_verdict ask(struct hutch_vm *vm, struct hutch_exit exit)
{
	static struct hutch_vcpu old;
	struct hutch_vcpu new = { .vm = vm };
	enum hutch_verdict verdict;

	old.vm = vm;
	asked[0] = '\0';
	verdict = dispatch_exit(&old, &exit);
	asked[0] = '\0';
	assert_int_equal(dispatch_exit(&new, &exit), verdict);
	return verdict;
}

static struct hutch_exit io(uint16_t port)
{
	return (struct hutch_exit){ .reason = HUTCH_EXIT_IO, .io = { .port = port, .size = 1 } };
}

static struct hutch_exit mmio(uint64_t gpa)
{
	return (struct hutch_exit){ .reason = HUTCH_EXIT_MMIO, .mmio = { .gpa = gpa, .size = 4 } };
}

static void nobody_is_asked_where_nobody_registered(void **state)
{
	struct hutch_vm vm = { 0 };

	(void)state;
	for (unsigned int reason = 0; reason < HUTCH_EXIT_COUNT; reason++)
		assert_int_equal(ask(&vm, (struct hutch_exit){ .reason = reason }), HUTCH_PASS);
	assert_string_equal(asked, "");
	dispatch_destroy(&vm.dispatch);
}

static void every_port_finds_its_range(void **state)
{
	struct hutch_vm vm = { 0 };
	/* Each range of 16 ports, every other one, registered out of order. */
	struct answer answers[64];

	(void)state;
	for (unsigned int i = 0; i < 64; i++) {
		unsigned int slot = i * 27 % 64;
		uint16_t first = (uint16_t)(slot * 1024);

		answers[slot] = (struct answer){ HUTCH_RESUME, (char)('0' + slot) };
		assert_int_equal(hutch_vm_on_port(&vm, first, first + 511, answer, &answers[slot]),
				 0);
	}
	for (unsigned int port = 0; port <= 0xffff; port++) {
		const char expected[] = { (char)('0' + port / 1024), '\0' };
		bool owned = port % 1024 < 512;

		assert_int_equal(ask(&vm, io((uint16_t)port)), owned ? HUTCH_RESUME : HUTCH_PASS);
		assert_string_equal(asked, owned ? expected : "");
	}
	dispatch_destroy(&vm.dispatch);
}

static void ranges_may_touch_but_not_overlap(void **state)
{
	struct hutch_vm vm = { 0 };
	struct answer a = { HUTCH_RESUME, 'a' };

	(void)state;
	assert_int_equal(hutch_vm_on_port(&vm, 0x60, 0x64, answer, &a), 0);
	assert_int_equal(hutch_vm_on_port(&vm, 0x64, 0x64, answer, &a), -EEXIST);
	assert_non_null(strstr(hutch_error(), "0x60-0x64 has one already"));
	assert_int_equal(hutch_vm_on_port(&vm, 0x50, 0x60, answer, &a), -EEXIST);
	assert_int_equal(hutch_vm_on_port(&vm, 0x61, 0x62, answer, &a), -EEXIST);
	assert_int_equal(hutch_vm_on_port(&vm, 0, 0xffff, answer, &a), -EEXIST);
	assert_int_equal(hutch_vm_on_port(&vm, 0x65, 0x65, answer, &a), 0);
	assert_int_equal(hutch_vm_on_port(&vm, 0x5f, 0x5f, answer, &a), 0);
	assert_int_equal(hutch_vm_on_port(&vm, 0x66, 0xffff, answer, &a), 0);
	assert_int_equal(hutch_vm_on_port(&vm, 0x10, 0x0f, answer, &a), -EINVAL);
	/* Addresses are another kind: no port is in their way. */
	assert_int_equal(hutch_vm_on_mmio(&vm, 0x60, 4, answer, &a), 0);
	dispatch_destroy(&vm.dispatch);
}

static void addresses_reach_to_the_last(void **state)
{
	struct hutch_vm vm = { 0 };
	struct answer a = { HUTCH_RESUME, 'a' }, b = { HUTCH_RESUME, 'b' };

	(void)state;
	assert_int_equal(hutch_vm_on_mmio(&vm, 0xfec00000, 0, answer, &a), -EINVAL);
	assert_int_equal(hutch_vm_on_mmio(&vm, UINT64_MAX, 2, answer, &a), -EINVAL);
	assert_int_equal(hutch_vm_on_mmio(&vm, UINT64_MAX - 3, 4, answer, &a), 0);
	assert_int_equal(hutch_vm_on_mmio(&vm, 0, 1, answer, &b), 0);
	assert_int_equal(ask(&vm, mmio(UINT64_MAX)), HUTCH_RESUME);
	assert_string_equal(asked, "a");
	assert_int_equal(ask(&vm, mmio(UINT64_MAX - 4)), HUTCH_PASS);
	assert_int_equal(ask(&vm, mmio(0)), HUTCH_RESUME);
	assert_string_equal(asked, "b");
	assert_int_equal(ask(&vm, mmio(1)), HUTCH_PASS);
	dispatch_destroy(&vm.dispatch);
}

static void whoever_passes_lets_the_next_one_answer(void **state)
{
	struct hutch_vm vm = { 0 };
	struct answer range = { HUTCH_PASS, 'r' }, first = { HUTCH_PASS, '1' },
		      second = { HUTCH_RETRY, '2' }, third = { HUTCH_RESUME, '3' };

	(void)state;
	assert_int_equal(hutch_vm_on(&vm, HUTCH_EXIT_IO, answer, &first), 0);
	assert_int_equal(hutch_vm_on(&vm, HUTCH_EXIT_IO, answer, &second), 0);
	assert_int_equal(hutch_vm_on(&vm, HUTCH_EXIT_IO, answer, &third), 0);
	assert_int_equal(hutch_vm_on_port(&vm, 0x80, 0x80, answer, &range), 0);
	assert_int_equal(ask(&vm, io(0x80)), HUTCH_RETRY);
	assert_string_equal(asked, "r12");
	assert_int_equal(ask(&vm, io(0x81)), HUTCH_RETRY);
	assert_string_equal(asked, "12");
	assert_int_equal(ask(&vm, mmio(0x80)), HUTCH_PASS);
	range.verdict = HUTCH_ABORT;
	assert_int_equal(ask(&vm, io(0x80)), HUTCH_ABORT);
	assert_string_equal(asked, "r");
	second.verdict = third.verdict = HUTCH_PASS;
	assert_int_equal(ask(&vm, io(0x81)), HUTCH_PASS);
	assert_string_equal(asked, "123");
	dispatch_destroy(&vm.dispatch);
}

static void every_reason_has_its_own_handlers(void **state)
{
	struct hutch_vm vm = { 0 };
	struct answer answers[HUTCH_EXIT_COUNT];

	(void)state;
	for (unsigned int reason = 0; reason < HUTCH_EXIT_COUNT; reason++) {
		answers[reason] = (struct answer){ HUTCH_RESUME, (char)('a' + reason) };
		assert_int_equal(hutch_vm_on(&vm, reason, answer, &answers[reason]), 0);
	}
	for (unsigned int reason = 0; reason < HUTCH_EXIT_COUNT; reason++) {
		const char expected[] = { (char)('a' + reason), '\0' };

		assert_int_equal(ask(&vm, (struct hutch_exit){ .reason = reason }), HUTCH_RESUME);
		assert_string_equal(asked, expected);
	}
	assert_int_equal(hutch_vm_on(&vm, HUTCH_EXIT_COUNT, answer, NULL), -EINVAL);
	dispatch_destroy(&vm.dispatch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nobody_is_asked_where_nobody_registered),
		cmocka_unit_test(every_port_finds_its_range),
		cmocka_unit_test(ranges_may_touch_but_not_overlap),
		cmocka_unit_test(addresses_reach_to_the_last),
		cmocka_unit_test(whoever_passes_lets_the_next_one_answer),
		cmocka_unit_test(every_reason_has_its_own_handlers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
