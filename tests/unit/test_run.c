/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The catch block: handlers that resume with a value, retry, abort and pass, and
 * what is left to look at afterwards.
 */

#include <errno.h>

#include "lib/system.h"
#include "tests/unit/guest_fixture.h"

static struct kvm_regs regs_of(struct guest *guest)
{
	struct kvm_regs regs;

	assert_works(!hutch_vcpu_get_regs(guest->vcpu, &regs));
	return regs;
}

/* A handler that says what it was told to say, so many times, and then resumes. */
struct script {
	enum hutch_verdict verdict;
	unsigned int times;
	unsigned int asked;
	uint8_t value;	  /* for reads */
	uint8_t seen;	  /* of writes */
	uint64_t rip;	  /* when it was asked last */
	uint64_t add_gpa; /* memory to add before it says so */
};

static enum hutch_verdict follow(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	struct script *script = context;
	bool write = exit->reason == HUTCH_EXIT_IO ? exit->io.write : exit->mmio.write;
	uint8_t *data = exit->reason == HUTCH_EXIT_IO ? exit->io.data : exit->mmio.data;
	struct kvm_regs regs;

	assert_works(!hutch_vcpu_get_regs(vcpu, &regs));
	script->rip = regs.rip;
	script->asked++;
	if (script->asked <= script->times) {
		if (script->add_gpa)
			assert_works(
				!hutch_memory_add(hutch_vcpu_vm(vcpu), script->add_gpa, 4096, 0));
		return script->verdict;
	}
	if (write)
		script->seen = *data;
	else
		*data = script->value;
	return HUTCH_RESUME;
}

static enum hutch_verdict stop(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	(void)vcpu;
	(void)exit;
	(void)context;
	return HUTCH_ABORT;
}

static void stop_at_hlt(struct guest *guest)
{
	assert_works(!hutch_vm_on(guest->vm, HUTCH_EXIT_HLT, stop, NULL));
}

static void resuming_supplies_the_value(void **state)
{
	/* in al, 0x10; inc al; out 0x11, al; hlt */
	GUEST(guest, 0xe4, 0x10, 0xfe, 0xc0, 0xe6, 0x11, 0xf4);
	struct script in = { .value = 41 }, out = { 0 };

	(void)state;
	stop_at_hlt(&guest);
	assert_works(!hutch_vm_on_port(guest.vm, 0x10, 0x10, follow, &in));
	assert_works(!hutch_vm_on_port(guest.vm, 0x11, 0x11, follow, &out));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	assert_int_equal(out.seen, 42);
	assert_int_equal(hutch_vcpu_last_exit(guest.vcpu)->reason, HUTCH_EXIT_HLT);
	guest_unmake(&guest);
}

static void retrying_asks_again(void **state)
{
	/* in al, 0x10; out 0x11, al; hlt */
	GUEST(guest, 0xe4, 0x10, 0xe6, 0x11, 0xf4);
	struct script in = { HUTCH_RETRY, .times = 3, .value = 7 },
		      out = { HUTCH_RETRY, .times = 2 };

	(void)state;
	stop_at_hlt(&guest);
	assert_works(!hutch_vm_on_port(guest.vm, 0x10, 0x10, follow, &in));
	assert_works(!hutch_vm_on_port(guest.vm, 0x11, 0x11, follow, &out));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	assert_int_equal(in.asked, 4);
	assert_int_equal(in.rip, GUEST_CODE); /* the IN is not over while it waits */
	assert_int_equal(out.asked, 3);
	assert_int_equal(out.seen, 7);
	assert_int_equal(regs_of(&guest).rip, GUEST_CODE + 5);
	/* The guest left once for each access, however often it was made. */
	assert_int_equal(hutch_vcpu_exits(guest.vcpu, HUTCH_EXIT_IO), 2);
	guest_unmake(&guest);
}

static void retrying_reaches_memory_that_has_come(void **state)
{
	/* mov ax, 0x2000; mov ds, ax; mov al, 9; mov [4], al; add al, [4]; hlt */
	GUEST(guest, 0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xb0, 0x09, 0xa2, 0x04, 0x00, 0x02, 0x06, 0x04,
	      0x00, 0xf4);
	struct script script = { HUTCH_RETRY, .times = 1, .add_gpa = 0x20000 };
	uint8_t byte;

	(void)state;
	stop_at_hlt(&guest);
	assert_works(!hutch_vm_on(guest.vm, HUTCH_EXIT_MMIO, follow, &script));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	assert_int_equal(script.asked, 1);
	assert_works(!hutch_memory_read(guest.vm, 0x20004, &byte, 1));
	assert_int_equal(byte, 9);
	assert_int_equal(regs_of(&guest).rax & 0xff, 18);
	guest_unmake(&guest);
}

/* Demand paging: a guest that walks over memory which comes as it is touched. */
static enum hutch_verdict bring_page(struct hutch_vcpu *vcpu, struct hutch_exit *exit,
				     void *context)
{
	unsigned int *brought = context;

	(*brought)++;
	assert_works(!hutch_memory_add(hutch_vcpu_vm(vcpu), exit->mmio.gpa & ~4095ull, 4096, 0));
	return HUTCH_RETRY;
}

static void memory_may_come_on_demand(void **state)
{
	/*
	 * mov ax, 0x2000; mov es, ax; mov al, 0x5a; xor di, di; mov cx, 0x8000; rep stosb;
	 * inc dword [es:0x8ffe] (on two pages); hlt
	 */
	GUEST(guest, 0xb8, 0x00, 0x20, 0x8e, 0xc0, 0xb0, 0x5a, 0x31, 0xff, 0xb9, 0x00, 0x80, 0xf3,
	      0xaa, 0x26, 0x66, 0xff, 0x06, 0xfe, 0x8f, 0xf4);
	unsigned int brought = 0;
	uint8_t bytes[0x8000];
	uint32_t across;

	(void)state;
	stop_at_hlt(&guest);
	assert_works(!hutch_vm_on(guest.vm, HUTCH_EXIT_MMIO, bring_page, &brought));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	assert_int_equal(brought, 10);
	assert_works(!hutch_memory_read(guest.vm, 0x20000, bytes, sizeof(bytes)));
	for (unsigned int i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0x5a);
	assert_works(!hutch_memory_read(guest.vm, 0x28ffe, &across, sizeof(across)));
	assert_int_equal(across, 1);
	assert_int_equal(regs_of(&guest).rcx, 0);
	assert_int_equal(regs_of(&guest).rdi, 0x8000);
	guest_unmake(&guest);
}

static enum hutch_verdict halt_twice(struct hutch_vcpu *vcpu, struct hutch_exit *exit,
				     void *context)
{
	unsigned int *halts = context;

	(void)vcpu;
	(void)exit;
	return ++*halts == 3 ? HUTCH_ABORT : *halts == 1 ? HUTCH_RETRY : HUTCH_RESUME;
}

static void retrying_a_halt_halts_again(void **state)
{
	/* hlt; inc bx; hlt */
	GUEST(guest, 0xf4, 0x43, 0xf4);
	unsigned int halts = 0;

	(void)state;
	assert_works(!hutch_vm_on(guest.vm, HUTCH_EXIT_HLT, halt_twice, &halts));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	assert_int_equal(halts, 3);
	assert_int_equal(regs_of(&guest).rbx, 1);
	assert_int_equal(regs_of(&guest).rip, GUEST_CODE + 3);
	guest_unmake(&guest);
}

static void aborting_leaves_all_to_look_at(void **state)
{
	/* mov bx, 0x1234; in al, 0x10; hlt */
	GUEST(guest, 0xbb, 0x34, 0x12, 0xe4, 0x10, 0xf4);
	const struct hutch_exit *exit = hutch_vcpu_last_exit(guest.vcpu);
	struct script in = { HUTCH_ABORT, .times = 1 };

	(void)state;
	assert_works(!hutch_vm_on_port(guest.vm, 0x10, 0x10, follow, &in));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	assert_int_equal(exit->reason, HUTCH_EXIT_IO);
	assert_int_equal(exit->io.port, 0x10);
	assert_int_equal(regs_of(&guest).rbx, 0x1234);
	assert_int_equal(regs_of(&guest).rip, GUEST_CODE + 3);
	/* And it can go on from there, with a value. */
	*(uint8_t *)exit->io.data = 0x99;
	stop_at_hlt(&guest);
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	assert_int_equal(exit->reason, HUTCH_EXIT_HLT);
	assert_int_equal(regs_of(&guest).rax & 0xff, 0x99);
	guest_unmake(&guest);
}

static void an_exit_that_nobody_handles_ends_the_run(void **state)
{
	/* out 0x55, al; hlt */
	GUEST(guest, 0xe6, 0x55, 0xf4);
	char report[8192];

	(void)state;
	assert_int_equal(hutch_vcpu_run(guest.vcpu), -ENOTSUP);
	assert_string_equal(hutch_error(), "vCPU 0: nobody handles its io exit");
	assert_true(hutch_vcpu_report(guest.vcpu, report, sizeof(report)) > 0);
	assert_non_null(strstr(report, "OUT to port 0x55"));
	guest_unmake(&guest);
}

static void passing_comes_to_the_same(void **state)
{
	GUEST(guest, 0xe6, 0x55, 0xf4);
	struct script pass = { HUTCH_PASS, .times = 10 };

	(void)state;
	assert_works(!hutch_vm_on_port(guest.vm, 0x50, 0x5f, follow, &pass));
	assert_works(!hutch_vm_on(guest.vm, HUTCH_EXIT_IO, follow, &pass));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), -ENOTSUP);
	assert_int_equal(pass.asked, 2);
	guest_unmake(&guest);
}

static void a_kick_ends_the_run(void **state)
{
	GUEST(guest, 0xf4);

	(void)state;
	stop_at_hlt(&guest);
	hutch_vcpu_kick(guest.vcpu);
	assert_int_equal(hutch_vcpu_run(guest.vcpu), -EINTR);
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	guest_unmake(&guest);
}

static enum hutch_verdict never(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	unsigned int *asked = context;

	(void)exit;
	if (++*asked == 5)
		hutch_vcpu_kick(vcpu);
	return HUTCH_RETRY;
}

static void a_kick_comes_between_retries(void **state)
{
	/* out 0x10, al; hlt */
	GUEST(guest, 0xb0, 0x77, 0xe6, 0x10, 0xf4);
	unsigned int asked = 0;
	struct hutch_exit exit;

	(void)state;
	assert_works(!hutch_vm_on_port(guest.vm, 0x10, 0x10, never, &asked));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), -EINTR);
	assert_int_equal(asked, 5);
	/* The access is still to be made. */
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	assert_int_equal(exit.reason, HUTCH_EXIT_IO);
	assert_int_equal(*(uint8_t *)exit.io.data, 0x77);
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	assert_int_equal(exit.reason, HUTCH_EXIT_HLT);
	guest_unmake(&guest);
}

/* A host function: the guest calls it by a port, and it answers in the registers. */
static enum hutch_verdict host_function(struct hutch_vcpu *vcpu, struct hutch_exit *exit,
					void *context)
{
	struct kvm_regs regs;

	(void)exit;
	(void)context;
	assert_works(!hutch_vcpu_get_regs(vcpu, &regs));
	regs.rax = regs.rbx * regs.rcx;
	assert_works(!hutch_vcpu_set_regs(vcpu, &regs));
	return HUTCH_RESUME;
}

static void a_handler_may_change_registers(void **state)
{
	/* mov bx, 6; mov cx, 7; out 0x10, al; out 0x11, al; hlt */
	GUEST(guest, 0xbb, 0x06, 0x00, 0xb9, 0x07, 0x00, 0xe6, 0x10, 0xe6, 0x11, 0xf4);
	struct script out = { 0 };

	(void)state;
	stop_at_hlt(&guest);
	assert_works(!hutch_vm_on_port(guest.vm, 0x10, 0x10, host_function, NULL));
	assert_works(!hutch_vm_on_port(guest.vm, 0x11, 0x11, follow, &out));
	assert_int_equal(hutch_vcpu_run(guest.vcpu), 1);
	assert_int_equal(out.seen, 42);
	guest_unmake(&guest);
}

static void an_exit_costs_one_system_call(void **state)
{
	/* out 0x10, al; in al, 0x10; jmp */
	GUEST(guest, 0xe6, 0x10, 0xe4, 0x10, 0xeb, 0xfa);
	struct script script = { .value = 1 };
	struct hutch_exit exit;

	(void)state;
	assert_works(!hutch_vm_on_port(guest.vm, 0x10, 0x10, follow, &script));
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	regs_of(&guest);
	if (!hutch_vcpu_run_page(guest.vcpu)->kvm_valid_regs) {
		guest_unmake(&guest);
		skip(); /* shares no registers */
	}
	assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
	/* All but KVM_RUN itself are counted, and there are none. */
	system_fail_at(0);
	script.times = 0;
	for (unsigned int i = 0; i < 100; i++) {
		assert_works(!hutch_vcpu_enter(guest.vcpu, &exit));
		follow(guest.vcpu, &exit, &script);
	}
	assert_int_equal(system_calls(), 0);
	guest_unmake(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resuming_supplies_the_value),
		cmocka_unit_test(retrying_asks_again),
		cmocka_unit_test(retrying_reaches_memory_that_has_come),
		cmocka_unit_test(memory_may_come_on_demand),
		cmocka_unit_test(retrying_a_halt_halts_again),
		cmocka_unit_test(aborting_leaves_all_to_look_at),
		cmocka_unit_test(an_exit_that_nobody_handles_ends_the_run),
		cmocka_unit_test(passing_comes_to_the_same),
		cmocka_unit_test(a_kick_ends_the_run),
		cmocka_unit_test(a_kick_comes_between_retries),
		cmocka_unit_test(a_handler_may_change_registers),
		cmocka_unit_test(an_exit_costs_one_system_call),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
