/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * String instructions and ports: element by element and many at once, forwards and
 * backwards, with every address size, up to a fault in the middle; and who may use
 * which port.
 */

#include "tests/unit/emulate_fixture.h"

static int clear(void **state)
{
	(void)state;
	mode_64();
	return 0;
}

/* ---- ports, one by one -------------------------------------------------------------------- */

static void in_and_out(void **state)
{
	(void)state;
	GPR(RDX) = 0xffff03f8;
	GPR(RAX) = 0xaabbccdd;
	assert_int_equal(RUN(0xee), EMULATE_DONE); /* out dx, al */
	assert_asked(0, PORT_OUT, 0x3f8, 1);
	assert_int_equal(machine.asked[0].value, 0xdd);
	assert_int_equal(RUN(0xe7, 0x80), EMULATE_DONE); /* out 0x80, eax */
	assert_asked(1, PORT_OUT, 0x80, 4);
	assert_int_equal(machine.asked[1].value, 0xaabbccdd);
	assert_int_equal(RUN(0x66, 0xed), EMULATE_DONE); /* in ax, dx */
	assert_asked(2, PORT_IN, 0x3f8, 2);
	assert_int_equal(GPR(RAX), 0xaabb0000 | (INPUT_DEFAULT & 0xffff));
	assert_int_equal(RUN(0x48, 0xe5, 0x60), EMULATE_DONE); /* rex.w in eax, 0x60 */
	assert_asked(3, PORT_IN, 0x60, 4);
	assert_int_equal(GPR(RAX), (uint32_t)INPUT_DEFAULT + 1);
}

static void insb_checks_before_it_reads(void **state)
{
	(void)state;
	machine.pages[2] = PAGE_READ_ONLY;
	GPR(RDI) = 0x2000;
	GPR(RDX) = 0x60;
	assert_fault(RUN(0x6c), PF, 3);
	assert_int_equal(machine.asked_count, 0);
	GPR(RDI) = 0x2fff; /* its second byte is writable, its first is not */
	assert_fault(RUN(0x66, 0x6d), PF, 3);
	GPR(RDI) = 0x1fff; /* the other way round */
	assert_fault(RUN(0x66, 0x6d), PF, 3);
	assert_int_equal(machine.e.fault.address, 0x2000);
	assert_int_equal(machine.asked_count, 0);
}

static void outs_from_a_device(void **state)
{
	(void)state;
	GPR(RSI) = DEVICE;
	GPR(RDX) = 0x80;
	GPR(RCX) = 2;
	assert_int_equal(RUN(0xf3, 0x6f), EMULATE_DONE); /* rep outsd */
	assert_int_equal(machine.asked_count, 4);
	assert_asked(0, READ, DEVICE, 4);
	assert_asked(1, PORT_OUT, 0x80, 4);
	assert_int_equal(machine.asked[1].value, (uint32_t)INPUT_DEFAULT);
	assert_asked(2, READ, DEVICE + 4, 4);
	assert_int_equal(GPR(RSI), DEVICE + 8);
}

static void ins_to_a_device(void **state)
{
	(void)state;
	GPR(RDI) = DEVICE + 4;
	GPR(RDX) = 0x80;
	GPR(RCX) = 2;
	machine.e.state.rflags |= RFLAGS_DF;
	assert_int_equal(RUN(0xf2, 0x66, 0x6d), EMULATE_DONE); /* rep insw, backwards */
	assert_int_equal(machine.asked_count, 4);
	assert_asked(0, PORT_IN, 0x80, 2);
	assert_asked(1, WRITE, DEVICE + 4, 2);
	assert_asked(3, WRITE, DEVICE + 2, 2);
	assert_int_equal(machine.asked[3].value, (INPUT_DEFAULT & 0xffff) + 1);
	assert_int_equal(GPR(RDI), DEVICE);
	assert_int_equal(GPR(RCX), 0);
}

static void source_segment_can_be_overridden(void **state)
{
	(void)state;
	mode_32();
	machine.e.state.segment[SEGMENT_NUMBER_FS].base = 0x3000;
	machine.e.state.segment[SEGMENT_NUMBER_ES].base = 0x5000;
	machine.ram[0x3010] = 0x5a;
	GPR(RSI) = 0x10;
	GPR(RDI) = 0x20;
	assert_int_equal(RUN(0x64, 0xa4), EMULATE_DONE); /* movsb es:[edi], fs:[esi] */
	assert_int_equal(machine.ram[0x5020], 0x5a);
	assert_int_equal(RUN(0x64, 0x6e), EMULATE_DONE); /* outsb fs:[esi] */
	machine.e.state.segment[SEGMENT_NUMBER_FS].limit = 0x10;
	assert_fault(RUN(0x64, 0x6e), GP, 0);
}

/* ---- repetition --------------------------------------------------------------------------------- */

static void nothing_to_do(void **state)
{
	(void)state;
	GPR(RSI) = ~0ull >> 1; /* not looked at */
	GPR(RCX) = 0xffffffff00000000ull;
	assert_int_equal(RUN(0xf3, 0x67, 0xa4), EMULATE_DONE); /* rep movsb, by ECX */
	assert_int_equal(machine.reads + machine.writes, 0);
	assert_int_equal(machine.e.state.rip, CODE + 3);
}

static void compare_ends_early(void **state)
{
	(void)state;
	memcpy(machine.ram + 0x2000, "abcdeX", 6);
	memcpy(machine.ram + 0x3000, "abcdeY", 6);
	GPR(RSI) = 0x2000;
	GPR(RDI) = 0x3000;
	GPR(RCX) = 100;
	assert_int_equal(RUN(0xf3, 0xa6), EMULATE_DONE); /* repe cmpsb */
	assert_int_equal(GPR(RCX), 94);
	assert_int_equal(GPR(RSI), 0x2006);
	assert_false(FLAG(ZF));
	assert_true(FLAG(CF));
	GPR(RDI) = 0x3000;
	GPR(RAX) = 'd';
	assert_int_equal(RUN(0xf2, 0xae), EMULATE_DONE); /* repne scasb */
	assert_int_equal(GPR(RDI), 0x3004);
	assert_true(FLAG(ZF));
}

/* A long one gives the caller a chance in between, in a state to go on from. */
static void long_repetition_comes_up_for_air(void **state)
{
	unsigned int calls = 1;

	(void)state;
	machine.ops.run = NULL;
	GPR(RDI) = 0x2000;
	GPR(RCX) = 1000;
	GPR(RAX) = 0x77;
	assert_int_equal(STEP(0xf3, 0xaa), EMULATE_DONE);
	while (machine.e.repeating) {
		assert_int_equal(machine.e.state.rip, CODE);
		assert_int_equal(GPR(RDI) - 0x2000, 1000 - GPR(RCX));
		assert_int_equal(machine_go(), EMULATE_DONE);
		calls++;
	}
	assert_true(calls > 4 && calls < 100);
	assert_int_equal(GPR(RCX), 0);
	assert_int_equal(machine.ram[0x2000 + 999], 0x77);
	assert_int_equal(machine.ram[0x2000 + 1000], 0);
}

/* ---- many at once ------------------------------------------------------------------------------------ */

static void run_goes_page_by_page(void **state)
{
	(void)state;
	machine.offers_runs = true;
	for (unsigned int i = 0; i < 0x2000; i++)
		machine.ram[0x4000 + i] = (uint8_t)(i * 7);
	GPR(RSI) = 0x4100;
	GPR(RDI) = 0x8000;
	GPR(RCX) = 0x1800 / 4;
	assert_int_equal(RUN(0xf3, 0xa5), EMULATE_DONE); /* rep movsd */
	assert_int_equal(GPR(RCX), 0);
	assert_int_equal(machine.reads, 0);
	/* up to 0x5000, to 0x9000 at the other end, and the rest */
	assert_int_equal(machine.runs, 3);
	assert_memory_equal(machine.ram + 0x8000, machine.ram + 0x4100, 0x1800);
	assert_int_equal(machine.ram[0x9800], 0);
}

/* The element that lies across a page comes alone. */
static void run_leaves_out_what_crosses(void **state)
{
	(void)state;
	machine.offers_runs = true;
	GPR(RDI) = 0x2ffa;
	GPR(RCX) = 4;
	GPR(RAX) = 0x0102030405060708ull;
	assert_int_equal(RUN(0xf3, 0x48, 0xab), EMULATE_DONE); /* rep stosq */
	assert_int_equal(machine.runs, 1);
	assert_int_equal(machine.writes, 2);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(RAM64(0x2ffa + 8 * i), 0x0102030405060708ull);
}

static void run_backwards(void **state)
{
	(void)state;
	machine.offers_runs = true;
	machine.e.state.rflags |= RFLAGS_DF;
	for (unsigned int i = 0; i < 64; i++)
		machine.ram[0x2ff0 + i] = (uint8_t)i;
	GPR(RSI) = 0x300e;
	GPR(RDI) = 0x400e;
	GPR(RCX) = 16;
	assert_int_equal(RUN(0xf3, 0x66, 0xa5), EMULATE_DONE); /* rep movsw, down */
	assert_memory_equal(machine.ram + 0x3ff0, machine.ram + 0x2ff0, 32);
	assert_int_equal(GPR(RSI), 0x2fee);
	assert_int_equal(machine.runs, 2);
	assert_int_equal(machine.writes, 0);
}

static void run_of_a_port_is_one_question(void **state)
{
	(void)state;
	machine.offers_runs = true;
	GPR(RSI) = 0x2000;
	GPR(RDX) = 0x3f8;
	GPR(RCX) = 50;
	assert_int_equal(RUN(0xf3, 0x6e), EMULATE_DONE); /* rep outsb */
	assert_int_equal(machine.asked_count, 1);
	assert_int_equal(machine.asked[0].kind, EMULATE_RUN);
	assert_int_equal(machine.e.run.kind, EMULATE_RUN_OUTS);
	assert_int_equal(machine.e.run.port, 0x3f8);
	assert_int_equal(machine.e.run.source, 0x2000);
	assert_int_equal(machine.e.run.count, 50);
	assert_int_equal(GPR(RSI), 0x2032);
	assert_int_equal(GPR(RCX), 0);
}

/* The VMM may do a part; the rest is asked for anew. */
static void run_is_done_in_part(void **state)
{
	(void)state;
	machine.offers_runs = true;
	GPR(RDI) = 0x2000;
	GPR(RCX) = 50;
	assert_int_equal(STEP(0xf3, 0x6c), EMULATE_NEEDS_VMM); /* rep insb */
	assert_int_equal(machine.e.run.count, 50);
	emulate_answer(&machine.e, 20);
	assert_int_equal(emulate(&machine.e, &machine.ops, &machine), EMULATE_NEEDS_VMM);
	assert_int_equal(GPR(RCX), 30);
	assert_int_equal(GPR(RDI), 0x2014);
	assert_int_equal(machine.e.run.count, 30);
	assert_int_equal(machine.e.run.destination, 0x2014);
}

static void run_declined_comes_singly(void **state)
{
	(void)state;
	GPR(RDI) = DEVICE;
	GPR(RCX) = 3;
	machine.offers_runs = true;
	assert_int_equal(RUN(0xf3, 0xaa), EMULATE_DONE); /* rep stosb */
	assert_int_equal(machine.asked_count, 3);
	assert_asked(2, WRITE, DEVICE + 2, 1);
}

static void run_ends_at_the_segment(void **state)
{
	(void)state;
	mode_32();
	machine.offers_runs = true;
	machine.e.state.segment[SEGMENT_NUMBER_ES].limit = 0x200f;
	GPR(RDI) = 0x2000;
	GPR(RCX) = 100;
	GPR(RAX) = 1;
	assert_fault(RUN(0xf3, 0xaa), GP, 0); /* rep stosb */
	assert_int_equal(GPR(RCX), 100 - 16);
	assert_int_equal(GPR(RDI), 0x2010);
}

static void run_wraps_with_16_bit_addresses(void **state)
{
	(void)state;
	mode_32();
	machine.offers_runs = true;
	machine.e.state.segment[SEGMENT_NUMBER_ES].base = 0x2000;
	GPR(RDI) = 0xabcdfffe;
	GPR(RCX) = 4;
	GPR(RAX) = 0x11;
	assert_int_equal(RUN(0xf3, 0x67, 0xaa), EMULATE_DONE); /* rep stosb, by CX and DI */
	assert_int_equal(GPR(RDI), 0xabcd0002);
	assert_int_equal(RAM16(0x11ffe), 0x1111);
	assert_int_equal(RAM16(0x2000), 0x1111);
}

/* ---- who may use a port ---------------------------------------------------------------------------------- */

#define TSS 0x6000u

static void task_with_bitmap(void)
{
	ring_3();
	machine.e.state.tr =
		(struct segment){ .base = TSS, .limit = 0x68 + 0x81, .rights = SEGMENT_RIGHTS_TSS };
	RAM16(TSS + 102) = 0x68;
	memset(machine.ram + TSS + 0x68, 0xff, 0x82);
}

static void ports_by_iopl_and_bitmap(void **state)
{
	(void)state;
	task_with_bitmap();
	GPR(RDX) = 0x3f8;
	assert_fault(RUN(0xec), GP, 0);
	machine.ram[TSS + 0x68 + 0x7f] = 0xfe; /* port 0x3f8 */
	assert_int_equal(RUN(0xec), EMULATE_DONE);
	assert_fault(RUN(0x66, 0xed), GP, 0); /* two ports, of which it may use one */
	machine.ram[TSS + 0x68 + 0x7f] = 0xfc;
	assert_int_equal(RUN(0x66, 0xed), EMULATE_DONE);
	/* Across two bytes of the map. */
	machine.ram[TSS + 0x68 + 0x7f] = 0x7f;
	machine.ram[TSS + 0x68 + 0x80] = 0xfe;
	GPR(RDX) = 0x3ff;
	assert_int_equal(RUN(0x66, 0xed), EMULATE_DONE);
	/* Beyond the segment. */
	GPR(RDX) = 0x408;
	machine.ram[TSS + 0x68 + 0x81] = 0;
	assert_fault(RUN(0xec), GP, 0);
	machine.e.state.rflags |= RFLAGS_IOPL;
	assert_int_equal(RUN(0xec), EMULATE_DONE);
}

static void ports_of_virtual_8086_mode(void **state)
{
	(void)state;
	mode_virtual_8086();
	task_with_bitmap();
	machine.e.state.rflags |= RFLAGS_IOPL; /* which does not count here */
	assert_fault(RUN(0xe4, 0x60), GP, 0);
	machine.ram[TSS + 0x68 + 0x60 / 8] = 0xfe;
	assert_int_equal(RUN(0xe4, 0x60), EMULATE_DONE);
}

/* The bitmap is read by the processor, not by the program. */
static void bitmap_is_read_with_the_systems_rights(void **state)
{
	(void)state;
	task_with_bitmap();
	machine.pages[TSS / PAGE_BYTES] = PAGE_ABSENT;
	assert_fault(RUN(0xec), PF, 0);
	assert_int_equal(machine.e.fault.address, TSS + 102);
	machine.e.state.tr.limit = 100;
	assert_fault(RUN(0xec), GP, 0);
}

/* The log that the bitmap's bytes stand in does not confuse a run. */
static void run_after_bitmap(void **state)
{
	(void)state;
	task_with_bitmap();
	memset(machine.ram + TSS + 0x68, 0, 0x82);
	machine.offers_runs = true;
	GPR(RSI) = 0x2000;
	GPR(RDX) = 0x80;
	GPR(RCX) = 9;
	assert_int_equal(RUN(0xf3, 0x6e), EMULATE_DONE);
	assert_int_equal(machine.asked_count, 1);
	assert_int_equal(GPR(RCX), 0);
	machine.offers_runs = false;
	GPR(RCX) = 3;
	assert_int_equal(RUN(0xf3, 0x6e), EMULATE_DONE);
	assert_int_equal(machine.asked_count, 4);
	assert_asked(3, PORT_OUT, 0x80, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(in_and_out, clear),
		cmocka_unit_test_setup(insb_checks_before_it_reads, clear),
		cmocka_unit_test_setup(outs_from_a_device, clear),
		cmocka_unit_test_setup(ins_to_a_device, clear),
		cmocka_unit_test_setup(source_segment_can_be_overridden, clear),
		cmocka_unit_test_setup(nothing_to_do, clear),
		cmocka_unit_test_setup(compare_ends_early, clear),
		cmocka_unit_test_setup(long_repetition_comes_up_for_air, clear),
		cmocka_unit_test_setup(run_goes_page_by_page, clear),
		cmocka_unit_test_setup(run_leaves_out_what_crosses, clear),
		cmocka_unit_test_setup(run_backwards, clear),
		cmocka_unit_test_setup(run_of_a_port_is_one_question, clear),
		cmocka_unit_test_setup(run_is_done_in_part, clear),
		cmocka_unit_test_setup(run_declined_comes_singly, clear),
		cmocka_unit_test_setup(run_ends_at_the_segment, clear),
		cmocka_unit_test_setup(run_wraps_with_16_bit_addresses, clear),
		cmocka_unit_test_setup(ports_by_iopl_and_bitmap, clear),
		cmocka_unit_test_setup(ports_of_virtual_8086_mode, clear),
		cmocka_unit_test_setup(bitmap_is_read_with_the_systems_rights, clear),
		cmocka_unit_test_setup(run_after_bitmap, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
