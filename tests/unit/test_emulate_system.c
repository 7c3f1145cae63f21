/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Instructions about the processor itself: who may use them, what they ask of the
 * caller, and what they report to it.
 */

#include "tests/unit/emulate_fixture.h"

static int clear(void **state)
{
	(void)state;
	mode_64();
	return 0;
}

static void ring_3_may_not(void **state)
{
	static const uint8_t codes[][3] = {
		{ 0xf4 },	      /* hlt */
		{ 0x0f, 0x06 },	      /* clts */
		{ 0x0f, 0x08 },	      /* invd */
		{ 0x0f, 0x09 },	      /* wbinvd */
		{ 0x0f, 0x30 },	      /* wrmsr */
		{ 0x0f, 0x32 },	      /* rdmsr */
		{ 0x0f, 0x20, 0xc0 }, /* mov rax, cr0 */
		{ 0x0f, 0x22, 0xc0 }, /* mov cr0, rax */
		{ 0x0f, 0x21, 0xc0 }, /* mov rax, dr0 */
		{ 0x0f, 0x23, 0xc0 }, /* mov dr0, rax */
		{ 0x0f, 0x01, 0x13 }, /* lgdt [rbx] */
		{ 0x0f, 0x01, 0x1b }, /* lidt [rbx] */
		{ 0x0f, 0x01, 0xf0 }, /* lmsw ax */
		{ 0x0f, 0x01, 0x3b }, /* invlpg [rbx] */
		{ 0x0f, 0x01, 0xf8 }, /* swapgs */
		{ 0x0f, 0x00, 0xd0 }, /* lldt ax */
		{ 0x0f, 0x00, 0xd8 }, /* ltr ax */
		{ 0xfa },	      /* cli, with IOPL 0 */
		{ 0xfb },	      /* sti */
		{ 0xec },	      /* in al, dx, without a TSS */
	};

	(void)state;
	ring_3();
	GPR(RBX) = 0x2000;
	for (unsigned int i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_fault(RUN(codes[i][0], codes[i][1], codes[i][2]), GP, 0);
		assert_int_equal(machine.e.state.rip, CODE);
	}
	assert_int_equal(machine.reads, 0);
}

static void control_registers(void **state)
{
	(void)state;
	GPR(RAX) = 0x1234567890ull;
	assert_int_equal(RUN(0x0f, 0x22, 0xd8), EMULATE_DONE); /* mov cr3, rax */
	assert_int_equal(machine.controls[3], 0x1234567890ull);
	assert_int_equal(RUN(0x0f, 0x20, 0xd9), EMULATE_DONE); /* mov rcx, cr3 */
	assert_int_equal(GPR(RCX), 0x1234567890ull);
	GPR(R8) = 5;
	assert_int_equal(RUN(0x45, 0x0f, 0x22, 0xc0), EMULATE_DONE); /* mov cr8, r8 */
	assert_int_equal(machine.controls[8], 5);
	/* mod does not matter: it is always a register */
	assert_int_equal(RUN(0x0f, 0x20, 0x1a), EMULATE_DONE); /* mov rdx, cr3 */
	assert_int_equal(GPR(RDX), 0x1234567890ull);
	assert_fault(RUN(0x0f, 0x22, 0xc8), UD, 0); /* CR1 */
	assert_fault(RUN(0x0f, 0x22, 0xe8), UD, 0); /* CR5 */

	/* The caller's fault is the instruction's. */
	GPR(RAX) = CR0_PG;
	assert_fault(RUN(0x0f, 0x22, 0xc0), GP, 0);
	assert_true(machine.e.state.cr0 & CR0_PE);
	/* What the caller changed in the state stays. */
	GPR(RAX) = CR0_PE | CR0_TS;
	assert_int_equal(RUN(0x0f, 0x22, 0xc0), EMULATE_DONE);
	assert_int_equal(machine.e.state.cr0, CR0_PE | CR0_TS);
	assert_int_equal(RUN(0x0f, 0x06), EMULATE_DONE); /* clts */
	assert_int_equal(machine.e.state.cr0, CR0_PE);
}

static void machine_status_word(void **state)
{
	(void)state;
	mode_real();
	machine.e.state.cr0 = CR0_ET;
	GPR(RAX) = 0xfff1; /* PE, and nothing else of the low four */
	assert_int_equal(RUN(0x0f, 0x01, 0xf0), EMULATE_DONE); /* lmsw ax */
	assert_int_equal(machine.e.state.cr0, CR0_ET | CR0_PE);
	GPR(RAX) = 0xe;
	assert_int_equal(RUN(0x0f, 0x01, 0xf0), EMULATE_DONE); /* which can't clear PE */
	assert_int_equal(machine.e.state.cr0, CR0_ET | 0xf);
	assert_int_equal(RUN(0x0f, 0x01, 0x26, 0x00, 0x20), EMULATE_DONE); /* smsw [0x2000] */
	assert_int_equal(RAM32(0x2000), CR0_ET | 0xf);
	GPR(RBX) = 0xffffffff;
	assert_int_equal(RUN(0x0f, 0x01, 0xe3), EMULATE_DONE); /* smsw bx */
	assert_int_equal(GPR(RBX), 0xffff001f);
}

static void debug_registers(void **state)
{
	(void)state;
	GPR(RAX) = 0x400;
	assert_int_equal(RUN(0x0f, 0x23, 0xf8), EMULATE_DONE); /* mov dr7, rax */
	assert_int_equal(machine.debugs[7], 0x400);
	assert_int_equal(RUN(0x0f, 0x21, 0xe9), EMULATE_DONE); /* mov rcx, dr5: DR7 */
	assert_int_equal(GPR(RCX), 0x400);
	machine.e.state.cr4 |= CR4_DE;
	assert_fault(RUN(0x0f, 0x21, 0xe9), UD, 0);
	assert_fault(RUN(0x44, 0x0f, 0x21, 0xc1), UD, 0); /* DR8 */
}

static void model_specific_registers(void **state)
{
	(void)state;
	GPR(RCX) = 0xffffffffc0000080ull;
	GPR(RAX) = 0xfeedface11223344ull;
	GPR(RDX) = 0x55667788;
	assert_int_equal(RUN(0x0f, 0x30), EMULATE_DONE);
	assert_int_equal(machine.msr, 0xc0000080u);
	assert_int_equal(machine.msr_value, 0x5566778811223344ull);
	assert_int_equal(RUN(0x0f, 0x31), EMULATE_DONE); /* rdtsc */
	assert_int_equal(machine.msr, IA32_TIME_STAMP_COUNTER);
	assert_int_equal(GPR(RAX), 0x11223344);
	assert_int_equal(GPR(RDX), 0x55667788);
	machine.msr_value = 3;
	assert_int_equal(RUN(0x0f, 0x01, 0xf9), EMULATE_DONE); /* rdtscp */
	assert_int_equal(machine.msr, IA32_TSC_AUX);
	assert_int_equal(GPR(RCX), 3);

	GPR(RCX) = MSR_OF_THE_VMM;
	machine.input = 0x1000000020ull;
	assert_int_equal(RUN(0x0f, 0x32), EMULATE_DONE);
	assert_asked(0, MSR_READ, MSR_OF_THE_VMM, 8);
	assert_int_equal(GPR(RAX), 0x20);
	assert_int_equal(GPR(RDX), 0x10);

	ring_3();
	assert_int_equal(RUN(0x0f, 0x31), EMULATE_DONE);
	machine.e.state.cr4 |= CR4_TSD;
	assert_fault(RUN(0x0f, 0x31), GP, 0);
}

static void swap_gs(void **state)
{
	(void)state;
	machine.e.state.segment[SEGMENT_NUMBER_GS].base = 0x1111;
	machine.msr_value = 0x2222;
	assert_int_equal(RUN(0x0f, 0x01, 0xf8), EMULATE_DONE);
	assert_int_equal(machine.e.state.segment[SEGMENT_NUMBER_GS].base, 0x2222);
	assert_int_equal(machine.msr, IA32_KERNEL_GS_BASE);
	assert_int_equal(machine.msr_value, 0x1111);
	mode_32();
	assert_int_not_equal(RUN(0x0f, 0x01, 0xf8), EMULATE_DONE);
}

static void cpuid(void **state)
{
	(void)state;
	GPR(RAX) = 0xffffffff00000007ull;
	assert_int_equal(RUN(0x0f, 0xa2), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0x70);
	assert_int_equal(GPR(RBX), 0x701);
	assert_int_equal(GPR(RDX), 0x703);
}

static void tables(void **state)
{
	(void)state;
	RAM16(0x2000) = 0x1ff;
	RAM64(0x2002) = 0xffff800012345678ull;
	GPR(RBX) = 0x2000;
	assert_int_equal(RUN(0x0f, 0x01, 0x1b), EMULATE_DONE); /* lidt [rbx] */
	assert_int_equal(machine.e.state.idtr.limit, 0x1ff);
	assert_int_equal(machine.e.state.idtr.base, 0xffff800012345678ull);
	RAM64(0x2002) = 0x0000800012345678ull;
	assert_fault(RUN(0x0f, 0x01, 0x1b), GP, 0);
	GPR(RBX) = 0x3000;
	assert_int_equal(RUN(0x0f, 0x01, 0x0b), EMULATE_DONE); /* sidt [rbx] */
	assert_int_equal(RAM16(0x3000), 0x1ff);
	assert_int_equal(RAM64(0x3002), 0xffff800012345678ull);

	ring_3();
	assert_int_equal(RUN(0x0f, 0x01, 0x0b), EMULATE_DONE);
	machine.e.state.cr4 |= CR4_UMIP;
	assert_fault(RUN(0x0f, 0x01, 0x0b), GP, 0); /* sidt */
	assert_fault(RUN(0x0f, 0x01, 0x03), GP, 0); /* sgdt */
	assert_fault(RUN(0x0f, 0x01, 0xe0), GP, 0); /* smsw eax */
	assert_fault(RUN(0x0f, 0x00, 0xc0), GP, 0); /* sldt eax */
	assert_fault(RUN(0x0f, 0x00, 0xc8), GP, 0); /* str eax */
}

static void reports(void **state)
{
	(void)state;
	assert_int_equal(RUN(0xf4), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_HLT);
	assert_int_equal(machine.e.state.rip, CODE + 1);
	assert_int_equal(RUN(0x0f, 0x09), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_WBINVD);
	assert_int_equal(RUN(0x0f, 0x08), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_INVD);
	assert_int_equal(RUN(0xf3, 0x90), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_PAUSE);
	assert_int_equal(RUN(0x90), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_NONE);

	machine.e.state.segment[SEGMENT_NUMBER_FS].base = 0x100;
	GPR(RBX) = 0x5000;
	assert_int_equal(RUN(0x64, 0x0f, 0x01, 0x3b), EMULATE_DONE); /* invlpg fs:[rbx] */
	assert_int_equal(machine.e.event, EMULATE_EVENT_INVLPG);
	assert_int_equal(machine.e.event_address, 0x5100);
}

static void interrupt_flag(void **state)
{
	(void)state;
	ring_3();
	machine.e.state.rflags |= RFLAGS_IOPL;
	assert_int_equal(RUN(0xfb), EMULATE_DONE);
	assert_true(FLAG(IF));
	assert_int_equal(RUN(0xfa), EMULATE_DONE);
	assert_false(FLAG(IF));
	machine.e.state.rflags &= ~RFLAGS_IOPL;
	machine.e.state.cr4 |= CR4_PVI;
	assert_int_equal(RUN(0xfa), EMULATE_UNSUPPORTED);
	/* POPF leaves alone what it may not change. */
	GPR(RSP) = 0x3000;
	RAM64(0x3000) = RFLAGS_IF | RFLAGS_IOPL | RFLAGS_VM | RFLAGS_VIF | RFLAGS_CF;
	assert_int_equal(RUN(0x9d), EMULATE_DONE);
	assert_int_equal(machine.e.state.rflags, RFLAGS_CF | RFLAGS_FIXED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(ring_3_may_not, clear),
		cmocka_unit_test_setup(control_registers, clear),
		cmocka_unit_test_setup(machine_status_word, clear),
		cmocka_unit_test_setup(debug_registers, clear),
		cmocka_unit_test_setup(model_specific_registers, clear),
		cmocka_unit_test_setup(swap_gs, clear),
		cmocka_unit_test_setup(cpuid, clear),
		cmocka_unit_test_setup(tables, clear),
		cmocka_unit_test_setup(reports, clear),
		cmocka_unit_test_setup(interrupt_flag, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
