/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Branches that may not go where they want, in the order in which a processor finds
 * out; and the moves and hints that programs in ring 3 of a test machine can't show.
 */

#include "tests/unit/emulate_fixture.h"

static int clear(void **state)
{
	(void)state;
	mode_64();
	GPR(RSP) = 0x3000;
	return 0;
}

static void target_not_canonical(void **state)
{
	(void)state;
	GPR(RAX) = 0x800000000000ull;
	assert_fault(RUN(0xff, 0xe0), GP, 0); /* jmp rax */
	assert_fault(RUN(0xff, 0xd0), GP, 0); /* call rax */
	assert_int_equal(machine.writes, 0);
	assert_int_equal(GPR(RSP), 0x3000);
	RAM64(0x3000) = 0x800000000000ull;
	assert_fault(RUN(0xc3), GP, 0); /* ret */
	assert_int_equal(GPR(RSP), 0x3000);
	machine.e.state.cr4 |= CR4_LA57;
	assert_int_equal(RUN(0xff, 0xe0), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, 0x800000000000ull);
}

/* The target is looked at before the stack: SDM 2, "CALL" */
static void target_before_stack(void **state)
{
	(void)state;
	mode_32();
	machine.e.state.segment[SEGMENT_NUMBER_CS].limit = 0x1fff;
	machine.e.state.segment[SEGMENT_NUMBER_SS].limit = 0xfff;
	GPR(RSP) = 0x3000;
	assert_fault(RUN(0xe8, 0, 0x10, 0, 0), GP, 0);
	assert_fault(RUN(0xe8, 0, 0, 0, 0), SS, 0);
}

static void branch_not_taken_may_point_anywhere(void **state)
{
	(void)state;
	mode_32();
	machine.e.state.segment[SEGMENT_NUMBER_CS].limit = 0x1fff;
	assert_int_equal(RUN(0x0f, 0x84, 0, 0, 0, 0x7f), EMULATE_DONE); /* je, ZF clear */
	assert_int_equal(machine.e.state.rip, CODE + 6);
	assert_fault(RUN(0x0f, 0x85, 0, 0, 0, 0x7f), GP, 0);
	GPR(RCX) = 1;
	assert_int_equal(RUN(0xe2, 0x80), EMULATE_DONE); /* loop: the last round */
	assert_int_equal(GPR(RCX), 0);
}

/* A fault of LOOP leaves the count as it was. */
static void loop_that_faults(void **state)
{
	(void)state;
	mode_32();
	machine.e.state.segment[SEGMENT_NUMBER_CS].limit = CODE + 1;
	GPR(RCX) = 5;
	assert_fault(RUN(0xe2, 0x10), GP, 0);
	assert_int_equal(GPR(RCX), 5);
}

/* With an operand-size prefix the makers differ: SDM 2 and APM 3, "JMP". */
static void near_branches_of_both_makers(void **state)
{
	(void)state;
	machine.e.state.rip = 0x11000;
	assert_int_equal(RUN(0x66, 0xeb, 0x10), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, 0x11013);
	machine.e.amd = true;
	machine.e.state.rip = 0x11000;
	assert_int_equal(RUN(0x66, 0xeb, 0x10), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, 0x1013);
}

static void sign_extension_of_both_makers(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE;
	assert_int_equal(RUN(0x66, 0x63, 0x03), EMULATE_DONE); /* movsxd ax, [rbx] */
	assert_asked(0, READ, DEVICE, 2);
	machine.e.amd = true;
	assert_int_equal(RUN(0x66, 0x63, 0x03), EMULATE_DONE);
	assert_asked(1, READ, DEVICE, 4);
}

static void selectors_come_out(void **state)
{
	(void)state;
	mode_32();
	machine.e.state.segment[SEGMENT_NUMBER_FS].selector = 0x1234;
	GPR(RAX) = ~0u;
	GPR(RSP) = 0x3000;
	assert_int_equal(RUN(0x8c, 0xe0), EMULATE_DONE); /* mov eax, fs: zero-extended */
	assert_int_equal(GPR(RAX), 0x1234);
	GPR(RAX) = ~0u;
	assert_int_equal(RUN(0x66, 0x8c, 0xe0), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0xffff1234);
	GPR(RBX) = DEVICE;
	assert_int_equal(RUN(0x8c, 0x23), EMULATE_DONE); /* to memory always a word */
	assert_asked(0, WRITE, DEVICE, 2);

	RAM32(0x2ffc) = 0xaaaaaaaa;
	assert_int_equal(RUN(0x0f, 0xa0), EMULATE_DONE); /* push fs */
	assert_int_equal(RAM32(0x2ffc), 0xaaaa1234);
	machine.e.amd = true;
	assert_int_equal(RUN(0x0f, 0xa0), EMULATE_DONE);
	assert_int_equal(RAM32(0x2ff8), 0x1234);
}

static void far_pointers_come_in(void **state)
{
	static const uint8_t opcodes[] = { 0xb2, 0xb4, 0xb5 };
	static const uint8_t numbers[] = { SEGMENT_NUMBER_SS, SEGMENT_NUMBER_FS,
					   SEGMENT_NUMBER_GS };

	(void)state;
	for (unsigned int i = 0; i < 3; i++) {
		mode_real();
		RAM32(0x2000) = 0x43210042;
		GPR(RBX) = 0x2000;
		assert_int_equal(RUN(0x0f, opcodes[i], 0x07), EMULATE_DONE);
		assert_int_equal(GPR(RAX), 0x42);
		assert_int_equal(machine.e.state.segment[numbers[i]].base, 0x43210);
	}
	assert_fault(RUN(0x0f, 0xb2, 0xc0), UD, 0); /* from a register */
}

static void what_is_about_other_state(void **state)
{
	(void)state;
	machine.ops.x87 = NULL;
	assert_int_equal(RUN(0x9b), EMULATE_UNSUPPORTED); /* wait */
	machine.e.state.cr0 |= CR0_MP | CR0_TS;
	assert_fault(RUN(0x9b), NM, 0);
	GPR(RBX) = 0x2000;
	assert_int_equal(RUN(0x66, 0x0f, 0xae, 0x3b), EMULATE_DONE);	    /* clflushopt [rbx] */
	assert_int_equal(RUN(0x66, 0x0f, 0xae, 0x33), EMULATE_DONE);	    /* clwb [rbx] */
	assert_int_equal(RUN(0x0f, 0xae, 0x03), EMULATE_UNSUPPORTED);	    /* fxsave [rbx] */
	assert_int_equal(RUN(0xf3, 0x0f, 0xae, 0xc0), EMULATE_UNSUPPORTED); /* rdfsbase eax */
	assert_int_equal(RUN(0x0f, 0xc7, 0xf0), EMULATE_UNSUPPORTED);	    /* rdrand eax */
	assert_int_equal(RUN(0x0f, 0x01, 0xd0), EMULATE_UNSUPPORTED);	    /* xgetbv */
	assert_int_equal(RUN(0xf2, 0x0f, 0x38, 0xf0, 0xc0), EMULATE_UNSUPPORTED); /* crc32 */
	assert_int_equal(RUN(0x48, 0xcf), EMULATE_UNSUPPORTED);			  /* iretq */
	assert_int_equal(RUN(0x0f, 0x05), EMULATE_UNSUPPORTED);			  /* syscall */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(target_not_canonical, clear),
		cmocka_unit_test_setup(target_before_stack, clear),
		cmocka_unit_test_setup(branch_not_taken_may_point_anywhere, clear),
		cmocka_unit_test_setup(loop_that_faults, clear),
		cmocka_unit_test_setup(near_branches_of_both_makers, clear),
		cmocka_unit_test_setup(sign_extension_of_both_makers, clear),
		cmocka_unit_test_setup(selectors_come_out, clear),
		cmocka_unit_test_setup(far_pointers_come_in, clear),
		cmocka_unit_test_setup(what_is_about_other_state, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
