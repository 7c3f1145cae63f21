/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Guests in a state that their processor does not run: real mode and the way out of it,
 * carried out by the core in the ordinary loop, with all that can come in between.
 */

#include "tests/unit/core_fixture.h"

#define CODE_AT	   0x1000u
#define STACK	   0x8000u
#define HANDLER	   0x2000u
#define HANDLER_CS 0x200u

static uint16_t word(unsigned int at)
{
	uint16_t value;

	memcpy(&value, memory + at, sizeof(value));
	return value;
}

static void handler(unsigned int vector)
{
	const uint16_t entry[2] = { 0, HANDLER_CS };

	memcpy(memory + 4 * vector, entry, sizeof(entry));
}

static int real_mode(void **state)
{
	struct hv_system *system = &processor.system;

	fixture_setup(state);
	processor.restricted = true;
	memset(system, 0, sizeof(*system));
	system->cr0 = CR0_ET;
	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		system->segments[i] =
			(struct segment){ .limit = 0xffff, .rights = SEGMENT_RIGHTS_DATA16 };
	system->idtr.limit = 0x3ff;
	vcpu.rip = CODE_AT;
	vcpu.gpr[GPR_RSP] = STACK;
	memory[HANDLER] = 0xf4; /* hlt */
	return 0;
}

static void code(const char *bytes, size_t size)
{
	memcpy(memory + vcpu.rip, bytes, size);
}

static void instructions_until_one_ends_it(void **state)
{
	(void)state;
	code(CODE("\xb8\x34\x12\x40\xf4")); /* mov ax, 1234h; inc ax; hlt */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(vcpu.gpr[GPR_RAX], 0x1235);
	assert_int_equal(vcpu.rip, CODE_AT + 5);
	assert_int_equal(vcpu.exits[HV_EXIT_EMULATION], 3);
	assert_int_equal(processor.next, 0);
}

static void a_port_is_the_vmms(void **state)
{
	(void)state;
	code(CODE("\xe4\x71\x40\xf4")); /* in al, 71h; inc ax; hlt */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_IO);
	assert_int_equal(vcpu.call.io.port, 0x71);
	assert_true(vcpu.call.io.in);
	data[0] = 0x41;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(vcpu.gpr[GPR_RAX], 0x42);
}

static void an_interrupt_goes_through_the_table(void **state)
{
	(void)state;
	handler(0x20);
	code(CODE("\x90\xfb\x40\x40\xf4")); /* nop; sti; inc ax; inc ax; hlt */
	vcpu.pending.interrupt = true;
	vcpu.pending.vector = 0x20;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	/* After the instruction that follows STI. */
	assert_int_equal(word(STACK - 6), CODE_AT + 3);
	assert_int_equal(word(STACK - 2), RFLAGS_IF | RFLAGS_FIXED);
	assert_int_equal(vcpu.gpr[GPR_RAX], 1);
	assert_int_equal(vcpu.rip, 1);
	assert_int_equal(processor.system.segments[SEGMENT_NUMBER_CS].selector, HANDLER_CS);
	assert_false(vcpu.rflags & RFLAGS_IF);
	assert_false(vcpu.pending.interrupt || vcpu.pending.injecting.valid);
}

static void a_fault_goes_through_the_table(void **state)
{
	(void)state;
	handler(EXCEPTION_DE);
	code(CODE("\xf6\xf3")); /* div bl */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(word(STACK - 6), CODE_AT);
	assert_int_equal(vcpu.gpr[GPR_RSP], STACK - 6);
}

/* No table for the fault, nor for the one that this is, nor for the double fault. */
static void a_fault_without_a_table_is_the_end(void **state)
{
	(void)state;
	processor.system.idtr.limit = 0;
	code(CODE("\xf6\xf3"));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
}

static void an_nmi_and_its_end(void **state)
{
	(void)state;
	handler(EXCEPTION_NMI);
	memory[HANDLER] = 0xcf; /* iret */
	code(CODE("\x90\x40\xf4"));
	event_nmi(&vcpu);
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(vcpu.gpr[GPR_RAX], 1);
	assert_int_equal(vcpu.pending.nmis, 0);
	assert_false(vcpu.pending.nmi_blocked);
	assert_int_equal(vcpu.gpr[GPR_RSP], STACK);
}

/* A VMM has it at INT n already: the handler comes back to what follows. */
static void a_software_interrupt_of_the_vmms(void **state)
{
	(void)state;
	handler(0x10);
	vcpu.pending.injecting = (struct hv_event){
		.valid = true,
		.type = HV_EVENT_SOFT_INTERRUPT,
		.vector = 0x10,
		.length = 2,
	};
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(word(STACK - 6), CODE_AT + 2);
}

static void the_processor_takes_over(void **state)
{
	(void)state;
	code(CODE("\x66\xb8\x01\x00\x00\x00\x0f\x22\xc0")); /* mov eax, 1; mov cr0, eax */
	vcpu.rip += 9;
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	vcpu.rip -= 9;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(vcpu.exits[HV_EXIT_EMULATION], 2);
	assert_int_equal(vcpu.exits[HV_EXIT_HLT], 1);
	assert_true(processor.system.cr0 & CR0_PE);
}

/* Another processor has been there between the reading and the writing. */
static void on_exchange(void)
{
	memory[0x3000] += 16;
	fixture_on_exchange = NULL;
}

static void a_locked_write_loses_nothing(void **state)
{
	(void)state;
	memory[0x3000] = 1;
	fixture_on_exchange = on_exchange;
	code(CODE("\xf0\xff\x06\x00\x30\xf0\x0f\xba\x2e\x00\x30\x07\xf4"));
	/* lock inc word [3000h]; lock bts word [3000h], 7; hlt */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(word(0x3000), 0x80 | 18);
	assert_false(vcpu.rflags & RFLAGS_CF);
}

/* ---- between the modes ------------------------------------------------------------------- */

static void there_interrupts_wait(void **state)
{
	(void)state;
	processor.system.cr0 |= CR0_PE;
	processor.between = true;
	vcpu.rflags |= RFLAGS_IF;
	vcpu.pending.interrupt = true;
	vcpu.pending.vector = 0x20;
	event_nmi(&vcpu);
	code(CODE("\x40\xf4")); /* inc ax; hlt */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.gpr[GPR_RAX], 1);
	assert_true(vcpu.pending.interrupt);
	assert_int_equal(vcpu.pending.vector, 0x20);
	assert_int_equal(vcpu.pending.nmis, 1);
	assert_false(vcpu.pending.nmi_blocked);
}

static void there_a_fault_is_the_end(void **state)
{
	(void)state;
	processor.system.cr0 |= CR0_PE;
	processor.system.idtr.limit = 8 * EXCEPTION_UD + 6;
	processor.between = true;
	code(CODE("\x0f\x0b")); /* ud2 */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
}

/* Nobody here goes through gates. */
static void there_a_handler_is_nobodys(void **state)
{
	(void)state;
	processor.system.cr0 |= CR0_PE;
	processor.between = true;
	code(CODE("\x0f\x0b"));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_UNEMULATED);
	assert_memory_equal(vcpu.call.code.bytes, "\x0f\x0b", 2);
}

/* ---- what others want ---------------------------------------------------------------------- */

/* An endless loop is no prison: after 64 instructions at most somebody looks. */
static void it_can_be_interrupted(void **state)
{
	(void)state;
	code(CODE("\xeb\xfe"));
	hv_vcpu_interrupt(&vcpu);
	assert_int_equal(run(), HOST_EINTR);
	assert_int_equal(vcpu.exits[HV_EXIT_EMULATION], 0);
	processor.refusals = 2;
	assert_int_equal(run(), HOST_EINTR);
	assert_int_equal(vcpu.call.kind, HV_CALL_INTERRUPTED);
	assert_int_equal(vcpu.exits[HV_EXIT_EMULATION], 128);
	assert_int_equal(vcpu.rip, CODE_AT);
}

static void the_vmm_steps(void **state)
{
	(void)state;
	vcpu.debug.single_step = vcpu.debug.wanted = true;
	code(CODE("\x40\x40\xf4"));
	for (unsigned int i = 1; i <= 2; i++) {
		assert_int_equal(run(), HOST_OK);
		assert_int_equal(vcpu.call.kind, HV_CALL_DEBUG);
		assert_int_equal(vcpu.call.debug.rip, CODE_AT + i);
		assert_int_equal(vcpu.gpr[GPR_RAX], i);
	}
	assert_false(vcpu.rflags & RFLAGS_TF);
}

static void the_guest_steps(void **state)
{
	(void)state;
	handler(EXCEPTION_DB);
	vcpu.rflags |= RFLAGS_TF;
	code(CODE("\x40"));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(word(STACK - 6), CODE_AT + 1);
	assert_true(vcpu.dr6 & 1u << 14);
	assert_false(vcpu.rflags & RFLAGS_TF);
}

static void the_vmm_breaks(void **state)
{
	(void)state;
	handler(EXCEPTION_BP);
	code(CODE("\x40\xcc"));
	vcpu.debug.breakpoints = true;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_DEBUG);
	assert_int_equal(vcpu.call.debug.vector, EXCEPTION_BP);
	assert_int_equal(vcpu.call.debug.rip, CODE_AT + 1);
	vcpu.debug.breakpoints = false;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(word(STACK - 6), CODE_AT + 2);
}

/* Breakpoint 0 is at an instruction, 1 at two bytes that are written. */
#define DR7_BOTH 0x0050040au

static void breakpoints_of_the_vmm(void **state)
{
	(void)state;
	code(CODE("\x40\xa3\x00\x30\x40\xf4")); /* inc ax; mov [3000h], ax; inc ax; hlt */
	vcpu.debug.watches = vcpu.debug.wanted = true;
	vcpu.debug.dr[0] = CODE_AT + 1;
	vcpu.debug.dr[1] = 0x3001; /* as good as 3000h */
	vcpu.debug.dr7 = DR7_BOTH;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_DEBUG);
	assert_int_equal(vcpu.call.debug.rip, CODE_AT + 1);
	assert_int_equal(vcpu.call.debug.dr6 & 0xf, 1);
	vcpu.rflags |= RFLAGS_RF; /* over it */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_DEBUG);
	assert_int_equal(vcpu.call.debug.rip, CODE_AT + 4);
	assert_int_equal(vcpu.call.debug.dr6 & 0xf, 2);
	assert_false(vcpu.rflags & RFLAGS_RF);
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(vcpu.gpr[GPR_RAX], 2);
	assert_int_equal(vcpu.dr6 & 0xf, 0);
}

static void breakpoints_of_the_guest(void **state)
{
	(void)state;
	handler(EXCEPTION_DB);
	code(CODE("\x40\xa3\x00\x30\x40\xf4"));
	vcpu.dr[1] = 0x3000;
	vcpu.dr7 = DR7_BOTH & ~2u;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(word(STACK - 6), CODE_AT + 4);
	assert_int_equal(vcpu.dr6 & 0xf, 2);
}

/* Whoever sets registers meanwhile sets those of the next instruction. */
static void an_out_is_over_when_the_vmm_hears_of_it(void **state)
{
	(void)state;
	code(CODE("\xb0\x55\xe6\xe9\xf4")); /* mov al, 55h; out e9h, al; hlt */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_IO);
	assert_int_equal(data[0], 0x55);
	assert_int_equal(vcpu.rip, CODE_AT + 4);
	assert_null(vcpu.complete);
	vcpu.rip = CODE_AT;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_IO);
}

/* ---- what the emulator has no form of ------------------------------------------------------------ */

static void real_mode_again(void)
{
	processor.system.segments[SEGMENT_NUMBER_CS].base = 0;
	vcpu.rip = CODE_AT;
	vcpu.gpr[GPR_RSP] = STACK;
}

static void hypercalls(void **state)
{
	(void)state;
	code(CODE("\x0f\x01\xc1\xf4"));
	vcpu.gpr[GPR_RAX] = 1000; /* no such call: Linux's Documentation/virt/kvm/x86/hypercalls */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(vcpu.exits[HV_EXIT_HYPERCALL], 1);
	assert_int_equal((int32_t)vcpu.gpr[GPR_RAX], -1000);
}

static void what_is_not_there(void **state)
{
	static const uint8_t last[] = { 0xc2, 0xc8, 0xc9, 0xd1, 0xd4, 0xd8, 0xdf };

	(void)state;
	handler(EXCEPTION_UD);
	for (unsigned int i = 0; i < sizeof(last); i++) {
		real_mode_again();
		code(CODE("\x0f\x01"));
		memory[CODE_AT + 2] = last[i];
		assert_int_equal(run(), HOST_OK);
		assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
		assert_int_equal(word(STACK - 6), CODE_AT);
		assert_int_equal(vcpu.rip, 1);
	}
}

static void what_nobody_knows(void **state)
{
	(void)state;
	handler(EXCEPTION_GP);
	code(CODE("\x0f\x33")); /* rdpmc */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(word(STACK - 6), CODE_AT);
	real_mode_again();
	code(CODE("\xd9\xe8")); /* fld1 */
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_UNEMULATED);
	assert_int_equal(vcpu.rip, CODE_AT);
	code(CODE("\xdb\xe3\xf4")); /* fninit */
	fixture_x87_resets = 0;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(fixture_x87_resets, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, real_mode, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(instructions_until_one_ends_it),
		TEST(a_port_is_the_vmms),
		TEST(an_interrupt_goes_through_the_table),
		TEST(a_fault_goes_through_the_table),
		TEST(a_fault_without_a_table_is_the_end),
		TEST(an_nmi_and_its_end),
		TEST(a_software_interrupt_of_the_vmms),
		TEST(the_processor_takes_over),
		TEST(a_locked_write_loses_nothing),
		TEST(there_interrupts_wait),
		TEST(there_a_fault_is_the_end),
		TEST(there_a_handler_is_nobodys),
		TEST(it_can_be_interrupted),
		TEST(the_vmm_steps),
		TEST(the_guest_steps),
		TEST(the_vmm_breaks),
		TEST(breakpoints_of_the_vmm),
		TEST(breakpoints_of_the_guest),
		TEST(an_out_is_over_when_the_vmm_hears_of_it),
		TEST(hypercalls),
		TEST(what_is_not_there),
		TEST(what_nobody_knows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
