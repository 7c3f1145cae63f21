/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Segmentation as the emulator checks it: limits and directions, rights, canonical
 * addresses, alignment, which fault comes first, and what wraps where.
 */

#include "tests/unit/emulate_fixture.h"

static struct segment *segment(enum segment_number number)
{
	return &machine.e.state.segment[number];
}

static void limit_counts_the_last_byte(void **state)
{
	(void)state;
	mode_32();
	segment(SEGMENT_NUMBER_DS)->limit = 0x2003;
	GPR(RBX) = 0x2000;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_DONE); /* mov eax, [ebx] */
	GPR(RBX) = 0x2001;
	assert_fault(RUN(0x8b, 0x03), GP, 0);
	assert_int_equal(RUN(0x8a, 0x43, 0x02), EMULATE_DONE); /* mov al, [ebx+2] */
	assert_fault(RUN(0x89, 0x03), GP, 0);
}

static void stack_limit_is_a_stack_fault(void **state)
{
	(void)state;
	mode_32();
	segment(SEGMENT_NUMBER_SS)->limit = 0x2fff;
	GPR(RSP) = 0x3000;
	assert_fault(RUN(0x58), SS, 0); /* pop eax */
	assert_int_equal(RUN(0x50), EMULATE_DONE);
	GPR(RBP) = 0x3000;
	assert_fault(RUN(0x8b, 0x45, 0x00), SS, 0); /* mov eax, [ebp] */
	GPR(RSP) = 2;
	assert_fault(RUN(0x50), SS, 0); /* wraps to 0xfffffffe */
	assert_int_equal(GPR(RSP), 2);
}

static void expand_down(void **state)
{
	struct segment *ds;

	(void)state;
	mode_32();
	ds = segment(SEGMENT_NUMBER_DS);
	ds->rights |= SEGMENT_EXPAND_DOWN;
	ds->limit = 0x1fff;
	GPR(RBX) = 0x2000;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_DONE);
	GPR(RBX) = 0x1fff;
	assert_fault(RUN(0x8b, 0x03), GP, 0);
	/* Without B the top is 64 KiB. */
	ds->rights &= ~SEGMENT_DB;
	GPR(RBX) = 0xfffc;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_DONE);
	GPR(RBX) = 0xfffd;
	assert_fault(RUN(0x8b, 0x03), GP, 0);
}

static void rights(void **state)
{
	(void)state;
	mode_32();
	GPR(RBX) = 0x2000;
	segment(SEGMENT_NUMBER_DS)->rights &= ~SEGMENT_WRITABLE;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_DONE);
	assert_fault(RUN(0x89, 0x03), GP, 0);
	assert_fault(RUN(0x01, 0x03), GP, 0); /* add [ebx], eax: the read finds it */
	assert_int_equal(machine.checks, 0);

	assert_int_equal(RUN(0x2e, 0x8b, 0x03), EMULATE_DONE); /* cs: readable, not writable */
	assert_fault(RUN(0x2e, 0x89, 0x03), GP, 0);
	segment(SEGMENT_NUMBER_CS)->rights &= ~SEGMENT_READABLE;
	assert_fault(RUN(0x2e, 0x8b, 0x03), GP, 0);

	segment(SEGMENT_NUMBER_DS)->rights = SEGMENT_UNUSABLE;
	assert_fault(RUN(0x8b, 0x03), GP, 0);
	segment(SEGMENT_NUMBER_SS)->rights |= SEGMENT_UNUSABLE;
	assert_fault(RUN(0x36, 0x8b, 0x03), SS, 0);
}

/* 64-bit mode looks at neither limits nor rights, and of the bases only at two. */
static void segments_of_64_bit_mode(void **state)
{
	(void)state;
	mode_64();
	segment(SEGMENT_NUMBER_DS)->rights = SEGMENT_UNUSABLE;
	segment(SEGMENT_NUMBER_DS)->base = 0x12345;
	segment(SEGMENT_NUMBER_FS)->base = 0x2000;
	segment(SEGMENT_NUMBER_FS)->limit = 0;
	RAM32(0x2008) = 0x1234;
	GPR(RBX) = 8;
	assert_int_equal(RUN(0x64, 0x8b, 0x03), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0x1234);
	GPR(RBX) = 0x2008;
	assert_int_equal(RUN(0x3e, 0x8b, 0x0b), EMULATE_DONE);
	assert_int_equal(GPR(RCX), 0x1234);
}

static void canonical_addresses(void **state)
{
	(void)state;
	mode_64();
	GPR(RBX) = 0x800000000000ull;
	assert_fault(RUN(0x8b, 0x03), GP, 0);
	GPR(RBX) = 0x7ffffffffffdull; /* its last byte is not canonical */
	assert_fault(RUN(0x8b, 0x03), GP, 0);
	GPR(RBP) = GPR(RBX);
	assert_fault(RUN(0x8b, 0x45, 0x00), SS, 0);
	assert_fault(RUN(0x36, 0x8b, 0x03), GP, 0); /* which means nothing in 64-bit mode */
	GPR(RSP) = 0x800000000000ull;
	assert_fault(RUN(0x58), SS, 0);
	/* With five levels it is. */
	machine.e.state.cr4 |= CR4_LA57;
	GPR(RBX) = 0x800000000000ull;
	assert_fault(RUN(0x8b, 0x03), PF, 0);
	assert_int_equal(machine.e.fault.address, 0x800000000000ull);
	GPR(RBX) = 0x100000000000000ull;
	assert_fault(RUN(0x8b, 0x03), GP, 0);
}

static void alignment(void **state)
{
	(void)state;
	mode_64();
	ring_3();
	machine.e.state.cr0 |= CR0_AM;
	machine.e.state.rflags |= RFLAGS_AC;
	GPR(RBX) = 0x2002;
	assert_fault(RUN(0x8b, 0x03), AC, 0);
	assert_int_equal(RUN(0x66, 0x8b, 0x03), EMULATE_DONE);
	GPR(RBX) = RAM_SIZE + 0x100002; /* absent, too: alignment comes first */
	assert_fault(RUN(0x8b, 0x03), AC, 0);
	GPR(RBX) = 0x800000000002ull; /* and canonical form before it */
	assert_fault(RUN(0x8b, 0x03), GP, 0);

	GPR(RBX) = 0x2002;
	machine.e.state.rflags &= ~RFLAGS_AC;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_DONE);
	machine.e.state.rflags |= RFLAGS_AC;
	machine.e.state.cr0 &= ~CR0_AM;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_DONE);
	machine.e.state.cr0 |= CR0_AM;
	machine.e.state.cpl = 0;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_DONE);
}

static void rights_of_ring_3_reach_the_pages(void **state)
{
	(void)state;
	mode_64();
	ring_3();
	machine.pages[2] = PAGE_ABSENT;
	GPR(RBX) = 0x2000;
	assert_fault(RUN(0x8b, 0x03), PF, 4);
	assert_fault(RUN(0x89, 0x03), PF, 6);
}

/* Outside 64-bit mode base + offset and a page's successor wrap at 4 GiB. */
static void linear_addresses_wrap(void **state)
{
	(void)state;
	mode_32();
	segment(SEGMENT_NUMBER_DS)->base = 0xfffff000;
	RAM32(0x2000) = 0xabcd;
	GPR(RBX) = 0x3000;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0xabcd);

	segment(SEGMENT_NUMBER_DS)->base = 0;
	GPR(RBX) = 0xfffffffe;
	assert_fault(RUN(0x8b, 0x03), PF, 0);
	assert_int_equal(machine.e.fault.address, 0xfffffffe);
}

/* 16-bit addresses wrap in the offset; the operand itself may reach beyond. */
static void offsets_of_16_bits(void **state)
{
	(void)state;
	mode_real();
	segment(SEGMENT_NUMBER_DS)->base = 0x2000;
	GPR(RBX) = 0xffff;
	GPR(RSI) = 0x11;
	RAM16(0x2010) = 0x4321;
	assert_int_equal(RUN(0x8b, 0x00), EMULATE_DONE); /* mov ax, [bx+si] */
	assert_int_equal(GPR(RAX), 0x4321);
	GPR(RSI) = 0;
	assert_fault(RUN(0x8b, 0x00), GP, 0); /* 0xffff and 0x10000 */
	assert_false(machine.e.fault.has_error_code);
	segment(SEGMENT_NUMBER_DS)->limit = 0xffffffff; /* unreal mode */
	assert_int_equal(RUN(0x8b, 0x00), EMULATE_DONE);
	GPR(RBX) = 0x30000;
	RAM16(0x32000) = 0x55;
	assert_int_equal(RUN(0x67, 0x8b, 0x03), EMULATE_DONE); /* mov ax, [ebx] */
	assert_int_equal(GPR(RAX), 0x55);
}

static void rip_relative_and_truncated(void **state)
{
	(void)state;
	mode_64();
	RAM32(CODE + 6 + 0x100) = 0x99;
	assert_int_equal(RUN(0x8b, 0x05, 0x00, 0x01, 0x00, 0x00), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0x99);
	GPR(RBX) = 0xffffffff00002000ull;
	RAM32(0x2000) = 0x77;
	assert_int_equal(RUN(0x67, 0x8b, 0x03), EMULATE_DONE); /* mov eax, [ebx] */
	assert_int_equal(GPR(RAX), 0x77);
}

/* BT's bit number reaches back from the operand. */
static void bit_far_below_in_a_device(void **state)
{
	(void)state;
	mode_64();
	GPR(RBX) = DEVICE + 0x100;
	GPR(RAX) = -(uint64_t)65;
	machine.input = 1ull << 63;
	assert_int_equal(RUN(0x48, 0x0f, 0xab, 0x03), EMULATE_DONE); /* bts [rbx], rax */
	assert_asked(0, READ_TO_WRITE, DEVICE + 0x100 - 16, 8);
	assert_true(FLAG(CF));
	assert_int_equal(machine.asked_count, 2);
}

static void moffs_of_64_bits(void **state)
{
	(void)state;
	mode_64();
	RAM32(0x2100) = 0xdead;
	assert_int_equal(RUN(0xa1, 0x00, 0x21, 0, 0, 0, 0, 0, 0), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0xdead);
	assert_int_equal(machine.e.state.rip, CODE + 9);
}

static void compare_and_exchange_writes_what_it_read(void **state)
{
	(void)state;
	mode_64();
	GPR(RBX) = DEVICE;
	GPR(RAX) = 1;
	machine.input = 5;
	assert_int_equal(RUN(0x0f, 0xb1, 0x0b), EMULATE_DONE); /* cmpxchg [rbx], ecx */
	assert_int_equal(machine.asked_count, 2);
	assert_asked(1, WRITE, DEVICE, 4);
	assert_int_equal(machine.asked[1].value, 5);
	assert_int_equal(GPR(RAX), 5);
	assert_false(FLAG(ZF));
}

/* A byte of memory behind a segment's end is not asked for, not even by a prefetch. */
static void hints_never_fault(void **state)
{
	(void)state;
	mode_64();
	GPR(RBX) = 0x800000000000ull;
	assert_int_equal(RUN(0x0f, 0x18, 0x0b), EMULATE_DONE);
	assert_int_equal(RUN(0x0f, 0x1f, 0x43, 0x00), EMULATE_DONE);
	assert_int_equal(RUN(0x0f, 0x0d, 0x0b), EMULATE_DONE);
	assert_int_equal(machine.reads, 0);
	assert_fault(RUN(0x0f, 0xae, 0x3b), GP, 0); /* clflush does */
	GPR(RBX) = DEVICE;
	assert_int_equal(RUN(0x0f, 0xae, 0xf0), EMULATE_DONE); /* mfence */
	assert_int_equal(machine.asked_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limit_counts_the_last_byte),
		cmocka_unit_test(stack_limit_is_a_stack_fault),
		cmocka_unit_test(expand_down),
		cmocka_unit_test(rights),
		cmocka_unit_test(segments_of_64_bit_mode),
		cmocka_unit_test(canonical_addresses),
		cmocka_unit_test(alignment),
		cmocka_unit_test(rights_of_ring_3_reach_the_pages),
		cmocka_unit_test(linear_addresses_wrap),
		cmocka_unit_test(offsets_of_16_bits),
		cmocka_unit_test(rip_relative_and_truncated),
		cmocka_unit_test(bit_far_below_in_a_device),
		cmocka_unit_test(moffs_of_64_bits),
		cmocka_unit_test(compare_and_exchange_writes_what_it_read),
		cmocka_unit_test(hints_never_fault),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
