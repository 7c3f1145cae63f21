/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The emulator's engine: how an instruction is fetched, how one that waits for the VMM
 * is carried on without doing anything twice, and that one that faults has done nothing.
 * That instructions compute what they should is for tests/oracles/emulate_native.c.
 */

#include "tests/unit/emulate_fixture.h"

static int clear(void **state)
{
	(void)state;
	mode_64();
	return 0;
}

/* ---- restart --------------------------------------------------------------------------- */

static void device_read_is_one_question(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE + 8;
	assert_int_equal(STEP(0x8b, 0x43, 0x04), EMULATE_NEEDS_VMM); /* mov eax, [rbx+4] */
	assert_int_equal(machine.e.access.kind, EMULATE_READ);
	assert_int_equal(machine.e.access.address, DEVICE + 12);
	assert_int_equal(machine.e.access.size, 4);
	assert_int_equal(machine.e.state.rip, CODE);

	emulate_answer(&machine.e, 0xffffffff89abcdefull);
	assert_int_equal(machine_go(), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0x89abcdef);
	assert_int_equal(machine.e.state.rip, CODE + 3);
	assert_int_equal(machine.asked_count, 0);
	assert_int_equal(machine.fetches, 1);
}

static void device_write_carries_its_value(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE;
	GPR(RCX) = 0xfffffffffffffedcull;
	assert_int_equal(RUN(0x66, 0x89, 0x0b), EMULATE_DONE); /* mov [rbx], cx */
	assert_int_equal(machine.asked_count, 1);
	assert_asked(0, WRITE, DEVICE, 2);
	assert_int_equal(machine.asked[0].value, 0xfedc);
}

static void modify_reads_once_and_writes_once(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE;
	machine.input = 41;
	assert_int_equal(RUN(0xff, 0x03), EMULATE_DONE); /* inc dword [rbx] */
	assert_int_equal(machine.asked_count, 2);
	assert_asked(0, READ_TO_WRITE, DEVICE, 4);
	assert_asked(1, WRITE, DEVICE, 4);
	assert_int_equal(machine.asked[1].value, 42);
}

/* Half in memory, half in a device: what was written must not be read again. */
static void modify_across_memory_and_device(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE - 2;
	RAM16(DEVICE - 2) = 0xffff;
	machine.input = 0x0001;
	assert_int_equal(RUN(0xff, 0x03), EMULATE_DONE); /* inc dword [rbx] */
	assert_int_equal(machine.asked_count, 2);
	assert_asked(0, READ_TO_WRITE, DEVICE, 2);
	assert_asked(1, WRITE, DEVICE, 2);
	assert_int_equal(RAM16(DEVICE - 2), 0);
	assert_int_equal(machine.asked[1].value, 2);
	assert_int_equal(machine.writes, 1);
	assert_false(FLAG(ZF));
}

static void push_from_device(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE;
	GPR(RSP) = 0x3000;
	assert_int_equal(RUN(0xff, 0x33), EMULATE_DONE); /* push qword [rbx] */
	assert_int_equal(RAM64(0x2ff8), INPUT_DEFAULT);
	assert_int_equal(GPR(RSP), 0x2ff8);
	assert_int_equal(machine.writes, 1);
}

static void pop_to_device(void **state)
{
	(void)state;
	GPR(RSP) = DEVICE - 16;
	RAM64(DEVICE - 16) = 0x42;
	assert_int_equal(RUN(0x8f, 0x44, 0x24, 0x08), EMULATE_DONE); /* pop qword [rsp+8] */
	assert_asked(0, WRITE, DEVICE, 8);
	assert_int_equal(machine.asked[0].value, 0x42);
	assert_int_equal(GPR(RSP), DEVICE - 8);
}

static void device_to_device(void **state)
{
	(void)state;
	GPR(RSI) = DEVICE;
	GPR(RDI) = DEVICE + 0x100;
	GPR(RCX) = 3;
	assert_int_equal(RUN(0xf3, 0xa5), EMULATE_DONE); /* rep movsd */
	assert_int_equal(machine.asked_count, 6);
	for (unsigned int i = 0; i < 3; i++) {
		assert_asked(2 * i, READ, DEVICE + 4 * i, 4);
		assert_asked(2 * i + 1, WRITE, DEVICE + 0x100 + 4 * i, 4);
		assert_int_equal(machine.asked[2 * i + 1].value, (uint32_t)INPUT_DEFAULT + i);
	}
	assert_int_equal(GPR(RCX), 0);
	assert_int_equal(machine.e.state.rip, CODE + 2);
}

/* An element that is done stays done, and the state shows it while the next one waits. */
static void repeated_commits_each_element(void **state)
{
	(void)state;
	GPR(RSI) = 0x2000;
	GPR(RDI) = DEVICE - 8;
	GPR(RCX) = 4;
	RAM64(0x2000) = 1;
	RAM64(0x2008) = 2;
	assert_int_equal(STEP(0xf3, 0x48, 0xa5), EMULATE_NEEDS_VMM); /* rep movsq */
	assert_int_equal(GPR(RCX), 3);
	assert_int_equal(GPR(RSI), 0x2008);
	assert_int_equal(GPR(RDI), DEVICE);
	assert_int_equal(machine.e.state.rip, CODE);
	assert_int_equal(RAM64(DEVICE - 8), 1);
	assert_int_equal(machine.e.access.value, 2);
	emulate_answer(&machine.e, 0);
	assert_int_equal(machine_go(), EMULATE_DONE);
	assert_int_equal(GPR(RCX), 0);
	assert_int_equal(machine.writes, 1);
}

static void cancelled_leaves_nothing(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE;
	assert_int_equal(STEP(0x8b, 0x03), EMULATE_NEEDS_VMM);
	emulate_answer(&machine.e, 1);
	emulate_cancel(&machine.e);
	GPR(RBX) = 0x2000;
	RAM32(0x2000) = 77;
	assert_int_equal(machine_go(), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 77);
}

/* Other registers between question and answer: the old answer is not taken for a new one. */
static void changed_state_asks_again(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE;
	assert_int_equal(STEP(0x8b, 0x03), EMULATE_NEEDS_VMM);
	emulate_answer(&machine.e, 1);
	GPR(RBX) = DEVICE + 16;
	assert_int_equal(emulate(&machine.e, &machine.ops, &machine), EMULATE_NEEDS_VMM);
	assert_int_equal(machine.e.access.address, DEVICE + 16);
}

static void enter_with_all_levels_from_device(void **state)
{
	(void)state;
	GPR(RBP) = DEVICE_END;
	GPR(RSP) = 0x3804;
	assert_int_equal(RUN(0xc8, 0x10, 0x00, 0x1f), EMULATE_DONE); /* enter 16, 31 */
	assert_int_equal(machine.asked_count, 30);
	assert_int_equal(GPR(RBP), 0x37fc);
	assert_int_equal(GPR(RSP), 0x3804 - 32 * 8 - 16);
	assert_int_equal(RAM64(0x37fc), DEVICE_END);
	for (unsigned int i = 0; i < 30; i++)
		assert_int_equal(RAM64(0x37f4 - 8 * i), INPUT_DEFAULT + i);
	assert_int_equal(RAM64(0x37f4 - 8 * 30), 0x37fc);
}

/* ENTER whose frame is the one that it builds reads what it has pushed. */
static void enter_reads_back_its_pushes(void **state)
{
	(void)state;
	GPR(RSP) = 0x3000;
	GPR(RBP) = 0x3000;
	assert_int_equal(RUN(0xc8, 0x00, 0x00, 0x03), EMULATE_DONE);
	assert_int_equal(RAM64(0x2ff8), 0x3000);
	assert_int_equal(RAM64(0x2ff0), 0x3000); /* from 0x2ff8 */
	assert_int_equal(RAM64(0x2fe8), 0x3000); /* from 0x2ff0 */
	assert_int_equal(RAM64(0x2fe0), 0x2ff8);
}

/* ---- faults leave nothing ------------------------------------------------------------------- */

static void write_across_pages_is_whole_or_none(void **state)
{
	struct emulate_state before;

	(void)state;
	machine.pages[3] = PAGE_READ_ONLY;
	GPR(RBX) = 0x2ffe;
	GPR(RAX) = ~0ull;
	before = machine.e.state;
	assert_fault(RUN(0x89, 0x03), PF, 3); /* mov [rbx], eax */
	assert_int_equal(machine.e.fault.address, 0x3000);
	assert_int_equal(RAM16(0x2ffe), 0);
	assert_int_equal(machine.writes, 0);
	assert_memory_equal(&before, &machine.e.state, sizeof(before));
}

static void pusha_is_whole_or_none(void **state)
{
	(void)state;
	mode_32();
	machine.pages[2] = PAGE_ABSENT;
	GPR(RSP) = 0x3010;
	GPR(RAX) = ~0u;
	assert_fault(RUN(0x60), PF, 2);
	assert_int_equal(machine.e.fault.address, 0x2ffc);
	assert_int_equal(machine.writes, 0);
	assert_int_equal(GPR(RSP), 0x3010);
	assert_int_equal(RAM32(0x300c), 0);
}

/* The read of what will be written wants a writable page: W in the error code. */
static void modify_of_read_only(void **state)
{
	(void)state;
	machine.pages[2] = PAGE_READ_ONLY;
	GPR(RBX) = 0x2000;
	assert_fault(RUN(0x01, 0x03), PF, 3); /* add [rbx], eax */
	assert_int_equal(machine.reads, 0);
	assert_false(machine.e.state.rflags & RFLAGS_ZF);
}

static void repeated_faults_after_its_elements(void **state)
{
	(void)state;
	machine.pages[3] = PAGE_ABSENT;
	GPR(RDI) = 0x2ffc;
	GPR(RCX) = 8;
	GPR(RAX) = 0x5a;
	assert_fault(RUN(0xf3, 0xaa), PF, 2); /* rep stosb */
	assert_int_equal(GPR(RCX), 4);
	assert_int_equal(GPR(RDI), 0x3000);
	assert_int_equal(machine.e.state.rip, CODE);
	assert_int_equal(RAM32(0x2ffc), 0x5a5a5a5a);
}

static void divide_error_changes_nothing(void **state)
{
	(void)state;
	GPR(RAX) = 5;
	assert_fault(RUN(0xf7, 0xf1), DE, 0); /* div ecx */
	assert_false(machine.e.fault.has_error_code);
	assert_int_equal(GPR(RAX), 5);
	assert_int_equal(machine.e.state.rip, CODE);
}

/* ---- fetch -------------------------------------------------------------------------------------- */

static void instruction_across_pages(void **state)
{
	(void)state;
	machine.e.state.rip = 0x1ffe;
	assert_int_equal(RUN(0xb8, 0x78, 0x56, 0x34, 0x12), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0x12345678);
	assert_int_equal(machine.fetches, 2);
}

/* The next page is touched only if the instruction reaches into it. */
static void instruction_before_absent_page(void **state)
{
	(void)state;
	machine.pages[2] = PAGE_ABSENT;
	machine.e.state.rip = 0x1fff;
	assert_int_equal(RUN(0x90), EMULATE_DONE);
	machine.e.state.rip = 0x1fff;
	machine.ram[0x1fff] = 0xb0;
	assert_fault(machine_go(), PF, 0x10);
	assert_int_equal(machine.e.fault.address, 0x2000);
}

static void instruction_beyond_cs_limit(void **state)
{
	(void)state;
	mode_32();
	machine.e.state.segment[SEGMENT_NUMBER_CS].limit = CODE + 1;
	assert_fault(RUN(0xb8, 1, 0, 0, 0), GP, 0);
	assert_int_equal(RUN(0xb0, 7), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 7);
	assert_fault(machine_go(), GP, 0);
}

static void instruction_of_sixteen_bytes(void **state)
{
	(void)state;
	assert_fault(RUN(0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e,
			 0x2e, 0x2e, 0x2e, 0x90),
		     GP, 0);
}

static void bytes_of_the_caller_are_not_fetched(void **state)
{
	(void)state;
	machine.e.bytes[0] = 0xff;
	machine.e.bytes[1] = 0xc0; /* inc eax */
	machine.e.byte_count = 2;
	assert_int_equal(machine_go(), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 1);
	assert_int_equal(machine.fetches, 0);
	assert_int_equal(machine.e.byte_count, 0);
}

static void rip_not_canonical(void **state)
{
	(void)state;
	machine.e.state.rip = 0x800000000000ull;
	assert_fault(emulate(&machine.e, &machine.ops, &machine), GP, 0);
}

/* ---- what is undefined, what is not ours ----------------------------------------------------------- */

static void lock_where_nothing_can_be_locked(void **state)
{
	(void)state;
	GPR(RBX) = 0x2000;
	assert_fault(RUN(0xf0, 0x89, 0x03), UD, 0); /* lock mov [rbx], eax */
	assert_fault(RUN(0xf0, 0x01, 0xc3), UD, 0); /* lock add ebx, eax */
	assert_fault(RUN(0xf0, 0x03, 0x03), UD, 0); /* lock add eax, [rbx] */
	assert_int_equal(RUN(0xf0, 0x01, 0x03), EMULATE_DONE);
}

static void undefined_opcodes(void **state)
{
	(void)state;
	assert_fault(RUN(0x0f, 0x0b), UD, 0);
	assert_fault(RUN(0x06), UD, 0);		    /* push es, in 64-bit mode */
	assert_fault(RUN(0x8d, 0xc0), UD, 0);	    /* lea eax, eax */
	assert_fault(RUN(0x8e, 0xc8), UD, 0);	    /* mov cs, ax */
	assert_fault(RUN(0x8c, 0xf0), UD, 0);	    /* mov eax, segment 6 */
	assert_fault(RUN(0x0f, 0xc7, 0xc8), UD, 0); /* cmpxchg8b eax */
	assert_int_equal(machine.e.state.rip, CODE);
}

static void unsupported_says_which(void **state)
{
	(void)state;
	assert_int_equal(RUN(0x0f, 0x58, 0xc1), EMULATE_UNSUPPORTED); /* addps */
	assert_int_equal(machine.e.instruction.map, OPCODE_MAP_0F);
	assert_int_equal(machine.e.instruction.opcode, 0x58);
	assert_int_equal(machine.e.instruction.length, 3);
	assert_non_null(machine.e.why);
	assert_int_equal(machine.e.state.rip, CODE);
	assert_int_equal(RUN(0xd9, 0x03), EMULATE_UNSUPPORTED); /* fld dword [rbx] */
	assert_int_equal(RUN(0x62, 0xf1, 0x7c, 0x48, 0x10, 0x03), EMULATE_UNSUPPORTED);
}

static void without_operations_nothing_happens(void **state)
{
	(void)state;
	machine.ops = (struct emulate_ops){ .fetch = machine_fetch };
	GPR(RBX) = 0x2000;
	assert_int_equal(RUN(0x8b, 0x03), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0x89, 0x03), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0xec), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0x0f, 0x20, 0xc0), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0x0f, 0x21, 0xc0), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0x0f, 0x32), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0x0f, 0xa2), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0x0f, 0x10, 0xc1), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0x01, 0xc3), EMULATE_DONE);
	machine.ops.fetch = NULL;
	assert_int_equal(emulate(&machine.e, &machine.ops, &machine), EMULATE_UNSUPPORTED);
}

/* ---- traps and shadows --------------------------------------------------------------------------------- */

static void single_step_is_reported(void **state)
{
	(void)state;
	machine.e.state.rflags |= RFLAGS_TF | RFLAGS_RF;
	assert_int_equal(RUN(0x90), EMULATE_DONE);
	assert_true(machine.e.single_step);
	assert_false(FLAG(RF));

	GPR(RCX) = 3;
	GPR(RDI) = 0x2000;
	machine.offers_runs = true;
	assert_int_equal(RUN(0xf3, 0xaa), EMULATE_DONE); /* rep stosb: each element traps */
	assert_true(machine.e.single_step);
	assert_true(machine.e.repeating);
	assert_int_equal(GPR(RCX), 2);
	assert_int_equal(machine.runs, 0);

	/* POPF that clears TF traps once more, by what was set before it. */
	GPR(RSP) = 0x2100;
	RAM64(0x2100) = 2;
	machine.e.state.rip = CODE;
	assert_int_equal(RUN(0x9d), EMULATE_DONE);
	assert_true(machine.e.single_step);
	assert_false(FLAG(TF));
	assert_int_equal(RUN(0x90), EMULATE_DONE);
	assert_false(machine.e.single_step);
}

static void shadows_are_reported(void **state)
{
	(void)state;
	assert_int_equal(RUN(0xfb), EMULATE_DONE);
	assert_int_equal(machine.e.shadow, EMULATE_SHADOW_STI);
	assert_int_equal(RUN(0xfb), EMULATE_DONE); /* IF was set already */
	assert_int_equal(machine.e.shadow, EMULATE_SHADOW_NONE);

	mode_real();
	machine.e.state.rflags |= RFLAGS_TF;
	assert_int_equal(RUN(0x8e, 0xd0), EMULATE_DONE); /* mov ss, ax */
	assert_int_equal(machine.e.shadow, EMULATE_SHADOW_MOV_SS);
	assert_false(machine.e.single_step);
	assert_int_equal(RUN(0x17), EMULATE_DONE); /* pop ss */
	assert_int_equal(machine.e.shadow, EMULATE_SHADOW_MOV_SS);
	assert_int_equal(RUN(0x1f), EMULATE_DONE); /* pop ds */
	assert_int_equal(machine.e.shadow, EMULATE_SHADOW_NONE);
	assert_true(machine.e.single_step);
}

/* ---- locked instructions ---------------------------------------------------------------------------------- */

static void locked_write_is_an_exchange(void **state)
{
	(void)state;
	GPR(RBX) = 0x2000;
	RAM32(0x2000) = 5;
	assert_int_equal(RUN(0xf0, 0xff, 0x03), EMULATE_DONE); /* lock inc dword [rbx] */
	assert_int_equal(machine.exchanges, 1);
	assert_int_equal(RAM32(0x2000), 6);
	assert_int_equal(RUN(0x87, 0x03), EMULATE_DONE); /* xchg [rbx], eax: always locked */
	assert_int_equal(machine.exchanges, 2);
	assert_int_equal(RAM32(0x2000), 0);
	assert_int_equal(GPR(RAX), 6);
	assert_int_equal(machine.writes, 0);
}

/* Another processor's write in between: read, computed and tried again. */
static void locked_write_tries_again(void **state)
{
	(void)state;
	GPR(RBX) = 0x2000;
	RAM32(0x2000) = 5;
	machine.change_in = 3;
	assert_int_equal(RUN(0xf0, 0xff, 0x03), EMULATE_DONE);
	assert_int_equal(RAM32(0x2000), 5 + 3 + 1);
	assert_false(machine.e.repeating);

	/* Not for ever: nothing is done, and there is another turn. */
	machine.change_in = 1000;
	assert_int_equal(RUN(0xf0, 0xff, 0x03), EMULATE_DONE);
	assert_true(machine.e.repeating);
	assert_int_equal(machine.e.state.rip, CODE + 3);
}

static void locked_write_to_device_and_across_pages(void **state)
{
	(void)state;
	GPR(RBX) = DEVICE;
	machine.input = 7;
	assert_int_equal(RUN(0xf0, 0xff, 0x03), EMULATE_DONE);
	assert_asked(1, WRITE, DEVICE, 4);
	assert_int_equal(machine.asked[1].value, 8);
	GPR(RBX) = 0x2ffe;
	assert_int_equal(RUN(0xf0, 0xff, 0x03), EMULATE_DONE);
	assert_int_equal(RAM16(0x2ffe), 1);
	assert_int_equal(machine.writes, 2);
}

static void compare_and_exchange_16_bytes(void **state)
{
	(void)state;
	GPR(RBX) = 1;
	GPR(RCX) = 2;
	GPR(RSI) = 0x2000;
	assert_int_equal(RUN(0xf0, 0x48, 0x0f, 0xc7, 0x0e), EMULATE_DONE);
	assert_int_equal(machine.exchanges, 1);
	assert_int_equal(RAM64(0x2000), 1);
	assert_int_equal(RAM64(0x2008), 2);
	assert_true(FLAG(ZF));
	assert_int_equal(RUN(0xf0, 0x48, 0x0f, 0xc7, 0x0e), EMULATE_DONE);
	assert_false(FLAG(ZF));
	assert_int_equal(GPR(RAX), 1);
	assert_int_equal(GPR(RDX), 2);
	/* The eight-byte one is one exchange of eight bytes. */
	RAM64(0x2000) = 0x0000000200000001ull;
	assert_int_equal(RUN(0xf0, 0x0f, 0xc7, 0x0e), EMULATE_DONE);
	assert_true(FLAG(ZF));
	assert_int_equal(RAM64(0x2000), 0x0000000200000001ull);
	GPR(RSI) = 0x2008;
	assert_fault(RUN(0x48, 0x0f, 0xc7, 0x0e), GP, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(device_read_is_one_question, clear),
		cmocka_unit_test_setup(device_write_carries_its_value, clear),
		cmocka_unit_test_setup(modify_reads_once_and_writes_once, clear),
		cmocka_unit_test_setup(modify_across_memory_and_device, clear),
		cmocka_unit_test_setup(push_from_device, clear),
		cmocka_unit_test_setup(pop_to_device, clear),
		cmocka_unit_test_setup(device_to_device, clear),
		cmocka_unit_test_setup(repeated_commits_each_element, clear),
		cmocka_unit_test_setup(cancelled_leaves_nothing, clear),
		cmocka_unit_test_setup(changed_state_asks_again, clear),
		cmocka_unit_test_setup(enter_with_all_levels_from_device, clear),
		cmocka_unit_test_setup(enter_reads_back_its_pushes, clear),
		cmocka_unit_test_setup(write_across_pages_is_whole_or_none, clear),
		cmocka_unit_test_setup(pusha_is_whole_or_none, clear),
		cmocka_unit_test_setup(modify_of_read_only, clear),
		cmocka_unit_test_setup(repeated_faults_after_its_elements, clear),
		cmocka_unit_test_setup(divide_error_changes_nothing, clear),
		cmocka_unit_test_setup(instruction_across_pages, clear),
		cmocka_unit_test_setup(instruction_before_absent_page, clear),
		cmocka_unit_test_setup(instruction_beyond_cs_limit, clear),
		cmocka_unit_test_setup(instruction_of_sixteen_bytes, clear),
		cmocka_unit_test_setup(bytes_of_the_caller_are_not_fetched, clear),
		cmocka_unit_test_setup(rip_not_canonical, clear),
		cmocka_unit_test_setup(lock_where_nothing_can_be_locked, clear),
		cmocka_unit_test_setup(undefined_opcodes, clear),
		cmocka_unit_test_setup(unsupported_says_which, clear),
		cmocka_unit_test_setup(without_operations_nothing_happens, clear),
		cmocka_unit_test_setup(single_step_is_reported, clear),
		cmocka_unit_test_setup(shadows_are_reported, clear),
		cmocka_unit_test_setup(locked_write_is_an_exchange, clear),
		cmocka_unit_test_setup(locked_write_tries_again, clear),
		cmocka_unit_test_setup(locked_write_to_device_and_across_pages, clear),
		cmocka_unit_test_setup(compare_and_exchange_16_bytes, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
