/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Real mode, virtual-8086 mode, and the way from one mode to another: what a processor
 * without unrestricted guests leaves to the emulator.
 */

#include "tests/unit/emulate_fixture.h"

#define GDT 0x7000u

static int clear(void **state)
{
	(void)state;
	mode_real();
	return 0;
}

static struct segment *segment(enum segment_number number)
{
	return &machine.e.state.segment[number];
}

static void selectors_are_bases(void **state)
{
	(void)state;
	GPR(RAX) = 0x1234;
	segment(SEGMENT_NUMBER_ES)->limit = 0xffffffff;
	assert_int_equal(RUN(0x8e, 0xc0), EMULATE_DONE); /* mov es, ax */
	assert_int_equal(segment(SEGMENT_NUMBER_ES)->base, 0x12340);
	assert_int_equal(segment(SEGMENT_NUMBER_ES)->selector, 0x1234);
	assert_int_equal(segment(SEGMENT_NUMBER_ES)->limit, 0xffffffff);

	GPR(RBX) = 0x2000;
	RAM32(0x2000) = 0x56780042;
	assert_int_equal(RUN(0xc5, 0x37), EMULATE_DONE); /* lds si, [bx] */
	assert_int_equal(GPR(RSI), 0x42);
	assert_int_equal(segment(SEGMENT_NUMBER_DS)->base, 0x56780);
}

static void far_jump_call_return(void **state)
{
	(void)state;
	GPR(RSP) = 0x4000;
	assert_int_equal(RUN(0x9a, 0x10, 0x00, 0x00, 0x02), EMULATE_DONE); /* call 0200:0010 */
	assert_int_equal(machine.e.state.rip, 0x10);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->base, 0x2000);
	assert_int_equal(RAM32(0x3ffc), CODE + 5);
	assert_int_equal(GPR(RSP), 0x3ffc);
	assert_int_equal(RUN(0xca, 0x04, 0x00), EMULATE_DONE); /* retf 4 */
	assert_int_equal(machine.e.state.rip, CODE + 5);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->base, 0);
	assert_int_equal(GPR(RSP), 0x4004);

	RAM32(0x3000) = 0x03000020;
	assert_int_equal(RUN(0xff, 0x2e, 0x00, 0x30), EMULATE_DONE); /* jmp far [0x3000] */
	assert_int_equal(machine.e.state.rip, 0x20);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->selector, 0x300);
	assert_int_equal(RUN(0x66, 0xea, 0, 0, 1, 0, 0, 0), EMULATE_FAULT); /* beyond 64 KiB */
	assert_int_equal(machine.e.fault.vector, EXCEPTION_GP);
	assert_false(machine.e.fault.has_error_code);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->selector, 0x300);
}

static void interrupt_and_return(void **state)
{
	(void)state;
	GPR(RSP) = 0x4000;
	machine.e.state.rflags |= RFLAGS_IF | RFLAGS_TF | RFLAGS_CF;
	RAM32(0x10 * 4) = 0x0200abcd;
	assert_int_equal(RUN(0xcd, 0x10), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_NONE);
	assert_int_equal(machine.e.state.rip, 0xabcd);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->selector, 0x200);
	assert_false(FLAG(IF) || FLAG(TF));
	assert_true(FLAG(CF));
	assert_false(machine.e.single_step);
	assert_int_equal(RAM16(0x3ffa), CODE + 2);
	assert_int_equal(RAM16(0x3ffc), 0);
	assert_int_equal(RAM16(0x3ffe), RFLAGS_IF | RFLAGS_TF | RFLAGS_CF | RFLAGS_FIXED);

	assert_int_equal(RUN(0xcf), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_IRET);
	assert_int_equal(machine.e.state.rip, CODE + 2);
	assert_true(FLAG(IF) && FLAG(TF));
	assert_int_equal(GPR(RSP), 0x4000);
}

static void interrupt_beyond_the_table(void **state)
{
	(void)state;
	GPR(RSP) = 0x4000;
	machine.e.state.idtr.limit = 0x41;
	assert_int_equal(RUN(0xcd, 0x10), EMULATE_FAULT);
	assert_int_equal(machine.e.fault.vector, EXCEPTION_GP);
	assert_int_equal(machine.writes, 0);
	assert_int_equal(RUN(0xce), EMULATE_DONE); /* into, without overflow */
	RAM32(4 * 4) = 0x02000000;
	machine.e.state.rflags |= RFLAGS_OF;
	assert_int_equal(RUN(0xce), EMULATE_DONE);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->selector, 0x200);
}

/* A stack pointer of 16 bits keeps its upper half, and wraps. */
static void stack_of_16_bits(void **state)
{
	(void)state;
	GPR(RSP) = 0xabcd0000;
	GPR(RAX) = 0x11223344;
	assert_int_equal(RUN(0x50), EMULATE_DONE);
	assert_int_equal(GPR(RSP), 0xabcdfffe);
	assert_int_equal(RAM16(0xfffe), 0x3344);
	assert_int_equal(RUN(0x66, 0x50), EMULATE_DONE);
	assert_int_equal(RAM32(0xfffa), 0x11223344);
	assert_int_equal(RUN(0x66, 0x5b), EMULATE_DONE);
	assert_int_equal(GPR(RBX), 0x11223344);
	GPR(RSP) = 1;
	assert_fault(RUN(0x50), SS, 0); /* one byte at 0xffff, the other beyond */
}

/* ---- from outside ----------------------------------------------------------------------------- */

static enum emulate_status interrupt(uint8_t vector)
{
	return emulate_interrupt(&machine.e, &machine.ops, &machine, vector);
}

static void interrupts_come_between_instructions(void **state)
{
	(void)state;
	GPR(RSP) = 0x4000;
	machine.e.state.rip = 0x1234;
	machine.e.state.rflags |= RFLAGS_IF | RFLAGS_TF;
	RAM32(8 * 4) = 0x0200abcd;
	assert_int_equal(interrupt(8), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, 0xabcd);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->base, 0x2000);
	assert_false(FLAG(IF) || FLAG(TF));
	assert_false(machine.e.single_step);
	assert_int_equal(RAM16(0x3ffa), 0x1234);
	assert_int_equal(RAM16(0x3ffe), RFLAGS_IF | RFLAGS_TF | RFLAGS_FIXED);
	assert_int_equal(machine.fetches, 0);

	/* Beyond the table, and with a stack that ends in its middle: nothing has changed. */
	machine.e.state.idtr.limit = 8 * 4 + 2;
	assert_fault(interrupt(8), GP, 0);
	machine.e.state.idtr.limit = 0x3ff;
	GPR(RSP) = 3;
	assert_fault(interrupt(8), SS, 0);
	assert_int_equal(machine.e.state.rip, 0xabcd);
	assert_int_equal(GPR(RSP), 3);
}

/* A stack in a device's registers: three writes that the VMM makes, and no instruction. */
static void an_interrupt_waits_for_the_vmm(void **state)
{
	unsigned int asked = 0;

	(void)state;
	segment(SEGMENT_NUMBER_SS)->base = DEVICE;
	GPR(RSP) = 0x800;
	RAM32(8 * 4) = 0x0200abcd;
	while (interrupt(8) == EMULATE_NEEDS_VMM) {
		assert_int_equal(machine.e.access.kind, EMULATE_WRITE);
		assert_int_equal(machine.e.access.address, DEVICE + 0x7fe - 2 * asked);
		emulate_answer(&machine.e, 0);
		asked++;
	}
	assert_int_equal(asked, 3);
	assert_int_equal(machine.e.state.rip, 0xabcd);
	assert_int_equal(machine.e.logged, 0);
}

static void a_debugger_sees_int3(void **state)
{
	(void)state;
	RAM32(3 * 4) = 0x02000010;
	GPR(RSP) = 0x4000;
	machine.e.reports_int3 = true;
	assert_int_equal(RUN(0xcc), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_INTERRUPT);
	assert_int_equal(machine.e.event_address, EXCEPTION_BP);
	assert_int_equal(machine.e.state.rip, CODE);
	machine.e.reports_int3 = false;
	assert_int_equal(RUN(0xcc), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, 0x10);
}

/* ---- instructions that are something else here, or nothing --------------------------------------- */

static void bounds(void **state)
{
	(void)state;
	RAM16(0x3000) = 0xfffe; /* -2 to 5 */
	RAM16(0x3002) = 5;
	GPR(RBX) = 0x3000;
	GPR(RAX) = 0x1234fffe;
	assert_int_equal(RUN(0x62, 0x07), EMULATE_DONE); /* bound ax, [bx] */
	GPR(RAX) = 5;
	assert_int_equal(RUN(0x62, 0x07), EMULATE_DONE);
	GPR(RAX) = 6;
	assert_fault(RUN(0x62, 0x07), BR, 0);
	GPR(RAX) = 0xfffd;
	assert_fault(RUN(0x62, 0x07), BR, 0);
	RAM32(0x3000) = 1;
	RAM32(0x3004) = 0x7fffffff;
	GPR(RAX) = 0x10000;
	assert_int_equal(RUN(0x66, 0x62, 0x07), EMULATE_DONE);
}

static void privileges_of_selectors(void **state)
{
	(void)state;
	assert_fault(RUN(0x63, 0xd8), UD, 0); /* arpl ax, bx: no such thing here */
	mode_32();
	GPR(RAX) = 0x10;
	GPR(RBX) = 0x0b;
	assert_int_equal(RUN(0x63, 0xd8), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0x13);
	assert_true(FLAG(ZF));
	assert_int_equal(RUN(0x63, 0xd8), EMULATE_DONE);
	assert_false(FLAG(ZF));
}

static void not_in_real_mode(void **state)
{
	(void)state;
	assert_fault(RUN(0x0f, 0x02, 0xc0), UD, 0); /* lar */
	assert_fault(RUN(0x0f, 0x03, 0xc0), UD, 0); /* lsl */
	assert_fault(RUN(0x0f, 0x00, 0xe0), UD, 0); /* verr */
	assert_fault(RUN(0x0f, 0x00, 0xe8), UD, 0); /* verw */
	assert_fault(RUN(0x0f, 0x34), GP, 0);	    /* sysenter */
	assert_fault(RUN(0x0f, 0xaa), UD, 0);	    /* rsm */
	mode_32();
	assert_int_equal(RUN(0x0f, 0x02, 0xc0), EMULATE_UNSUPPORTED);
	assert_int_equal(RUN(0x0f, 0x34), EMULATE_UNSUPPORTED);
}

/* As Linux' setup code asks whether there is an FPU. */
static void is_there_an_fpu(void **state)
{
	(void)state;
	machine.x87 = (struct x87_model){ 0x1234, 0x5678 };
	assert_int_equal(RUN(0xdb, 0xe3), EMULATE_DONE);	     /* fninit */
	assert_int_equal(RUN(0xdd, 0x3e, 0x00, 0x30), EMULATE_DONE); /* fnstsw [0x3000] */
	assert_int_equal(RUN(0xd9, 0x3e, 0x02, 0x30), EMULATE_DONE); /* fnstcw [0x3002] */
	assert_int_equal(RAM16(0x3000), 0);
	assert_int_equal(RAM16(0x3002), X87_CONTROL_INITIAL);

	/* An exception that waits, and is cleared. */
	machine.x87.status = X87_STATUS_SUMMARY | 1;
	GPR(RAX) = 0xffffffff;
	assert_int_equal(RUN(0xdf, 0xe0), EMULATE_DONE); /* fnstsw ax */
	assert_int_equal(GPR(RAX), 0xffff0081);
	assert_fault(RUN(0x9b), MF, 0);
	assert_fault(RUN(0xd9, 0x2e, 0x02, 0x30), MF, 0); /* fldcw [0x3002] */
	assert_int_equal(RUN(0xdb, 0xe2), EMULATE_DONE);  /* fnclex */
	assert_int_equal(machine.x87.status, 0);
	assert_int_equal(RUN(0x9b), EMULATE_DONE);
	RAM16(0x3002) = 0x027f;
	assert_int_equal(RUN(0xd9, 0x2e, 0x02, 0x30), EMULATE_DONE);
	assert_int_equal(machine.x87.control, 0x027f);

	machine.e.state.cr0 |= CR0_EM;
	assert_fault(RUN(0xdb, 0xe3), NM, 0);
	assert_int_equal(RUN(0x9b), EMULATE_DONE);
	machine.e.state.cr0 = CR0_TS | CR0_MP;
	assert_fault(RUN(0x9b), NM, 0);
	machine.e.state.cr0 = 0;
	assert_int_equal(RUN(0xdb, 0xe9), EMULATE_UNSUPPORTED); /* fucomi */
}

/* ---- to protected mode, step by step, as a boot loader goes ---------------------------------- */

static void to_protected_mode(void **state)
{
	(void)state;
	RAM64(GDT + 8) = segment_descriptor(0, 0xffffffff, SEGMENT_RIGHTS_CODE32) &
			 ~(1ull << 40); /* not yet accessed */
	RAM64(GDT + 16) = segment_descriptor(0x100, 0xffffffff, SEGMENT_RIGHTS_DATA32);
	RAM16(0x3000) = 23;
	RAM32(0x3002) = 0xff000000 | GDT;
	assert_int_equal(RUN(0x0f, 0x01, 0x16, 0x00, 0x30), EMULATE_DONE); /* lgdt [0x3000] */
	assert_int_equal(machine.e.state.gdtr.base, GDT);		   /* 24 bits */
	assert_int_equal(machine.e.state.gdtr.limit, 23);

	GPR(RAX) = CR0_PE | CR0_ET;
	assert_int_equal(RUN(0x0f, 0x22, 0xc0), EMULATE_DONE); /* mov cr0, eax */
	assert_int_equal(machine.e.state.cr0, CR0_PE | CR0_ET);
	/* Still 16-bit code, in a segment of real mode. */
	assert_int_equal(RUN(0x66, 0xea, 0x00, 0x50, 0, 0, 0x08, 0), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, 0x5000);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->selector, 8);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->rights, SEGMENT_RIGHTS_CODE32);
	assert_true(RAM64(GDT + 8) >> 40 & 1);

	GPR(RAX) = 16;
	assert_int_equal(RUN(0x8e, 0xd8), EMULATE_DONE); /* mov ds, ax */
	assert_int_equal(segment(SEGMENT_NUMBER_DS)->base, 0x100);
	assert_int_equal(RUN(0x8e, 0xd0), EMULATE_DONE); /* mov ss, ax */
	assert_int_equal(RUN(0xb8, 0x78, 0x56, 0x34, 0x12), EMULATE_DONE);
	assert_int_equal(GPR(RAX), 0x12345678);
}

/* ---- segments of protected mode -------------------------------------------------------------------- */

static void protected_tables(void)
{
	mode_32();
	machine.e.state.gdtr = (struct descriptor_table){ GDT, 8 * 16 - 1 };
	machine.e.state.ldtr.rights = SEGMENT_UNUSABLE;
	RAM64(GDT + 8) = segment_descriptor(0, 0xffffffff, SEGMENT_RIGHTS_CODE32);
	RAM64(GDT + 16) = segment_descriptor(0, 0xffffffff, SEGMENT_RIGHTS_DATA32);
	RAM64(GDT + 24) = segment_descriptor(0, 0xfff, SEGMENT_RIGHTS_DATA32 & ~SEGMENT_P);
	RAM64(GDT + 32) = segment_descriptor(0, 0xfff, SEGMENT_RIGHTS_DATA32 & ~SEGMENT_WRITABLE);
	RAM64(GDT + 40) = segment_descriptor(0, 0x67, SEGMENT_P | SEGMENT_TSS_AVAILABLE);
	RAM64(GDT + 48) = segment_descriptor(0x9000, 15, SEGMENT_RIGHTS_LDT);
	RAM64(GDT + 56) = segment_descriptor(0, 0xfff, SEGMENT_RIGHTS_CODE32 | SEGMENT_DPL);
	RAM64(GDT + 64) = segment_descriptor(0, 0xfff, SEGMENT_RIGHTS_CODE32 & ~SEGMENT_READABLE);
	RAM64(0x9008) = segment_descriptor(0x777, 0xfff, SEGMENT_RIGHTS_DATA32);
}

static enum emulate_status load(enum segment_number number, uint16_t selector)
{
	GPR(RAX) = selector;
	machine.e.state.rip = CODE;
	machine.ram[CODE] = 0x8e;
	machine.ram[CODE + 1] = (uint8_t)(0xc0 | number << 3);
	return machine_go();
}

static void segment_faults(void **state)
{
	(void)state;
	protected_tables();
	assert_fault(load(SEGMENT_NUMBER_DS, 24), NP, 24);
	assert_fault(load(SEGMENT_NUMBER_SS, 24), SS, 24);
	assert_fault(load(SEGMENT_NUMBER_DS, 128), GP, 128);   /* beyond the table */
	assert_fault(load(SEGMENT_NUMBER_DS, 0x0f), GP, 0x0c); /* no LDT */
	assert_fault(load(SEGMENT_NUMBER_DS, 40), GP, 40);     /* a task */
	assert_fault(load(SEGMENT_NUMBER_DS, 64), GP, 64);     /* code that can't be read */
	assert_fault(load(SEGMENT_NUMBER_DS, 19), GP, 16);     /* RPL 3, DPL 0 */
	assert_fault(load(SEGMENT_NUMBER_SS, 32), GP, 32);     /* not writable */
	assert_fault(load(SEGMENT_NUMBER_SS, 17), GP, 16);     /* RPL is not CPL */
	assert_fault(load(SEGMENT_NUMBER_SS, 0), GP, 0);
	assert_int_equal(load(SEGMENT_NUMBER_DS, 8), EMULATE_DONE);
	assert_int_equal(load(SEGMENT_NUMBER_SS, 16), EMULATE_DONE);
	assert_int_equal(load(SEGMENT_NUMBER_FS, 3), EMULATE_DONE);
	assert_int_equal(segment(SEGMENT_NUMBER_FS)->rights, SEGMENT_UNUSABLE);
	machine.pages[GDT / PAGE_BYTES] = PAGE_ABSENT;
	assert_fault(load(SEGMENT_NUMBER_DS, 16), PF, 0);
}

static void local_table_and_task(void **state)
{
	(void)state;
	protected_tables();
	GPR(RAX) = 48;
	assert_int_equal(RUN(0x0f, 0x00, 0xd0), EMULATE_DONE); /* lldt ax */
	assert_int_equal(machine.e.state.ldtr.base, 0x9000);
	assert_int_equal(load(SEGMENT_NUMBER_ES, 0x0c), EMULATE_DONE);
	assert_int_equal(segment(SEGMENT_NUMBER_ES)->base, 0x777);
	assert_fault(load(SEGMENT_NUMBER_ES, 0x14), GP, 0x14);

	GPR(RAX) = 40;
	assert_int_equal(RUN(0x0f, 0x00, 0xd8), EMULATE_DONE); /* ltr ax */
	assert_int_equal(machine.e.state.tr.rights & SEGMENT_TYPE, SEGMENT_TSS_BUSY);
	assert_int_equal(RAM64(GDT + 40) >> 40 & 0xf, SEGMENT_TSS_BUSY);
	assert_fault(RUN(0x0f, 0x00, 0xd8), GP, 40);	       /* it is busy now */
	assert_int_equal(RUN(0x0f, 0x00, 0xc9), EMULATE_DONE); /* str ecx */
	assert_int_equal(GPR(RCX), 40);
	GPR(RAX) = 0;
	assert_fault(RUN(0x0f, 0x00, 0xd8), GP, 0);
	assert_int_equal(RUN(0x0f, 0x00, 0xd0), EMULATE_DONE);
	assert_int_equal(machine.e.state.ldtr.rights, SEGMENT_UNUSABLE);
	mode_real();
	assert_fault(RUN(0x0f, 0x00, 0xd0), UD, 0);
}

static void far_transfers_of_one_ring(void **state)
{
	(void)state;
	protected_tables();
	GPR(RSP) = 0x4000;
	assert_int_equal(RUN(0x9a, 0x00, 0x50, 0, 0, 0x08, 0), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, 0x5000);
	assert_int_equal(RAM32(0x3ff8), CODE + 7);
	assert_int_equal(RAM32(0x3ffc), 8);
	assert_int_equal(RUN(0xcb), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, CODE + 7);
	machine.e.state.rip = CODE;
	assert_fault(RUN(0xea, 0, 0, 0, 0, 0x00, 0), GP, 0);
	assert_fault(RUN(0xea, 0, 0, 0, 0, 0x10, 0), GP, 16);	/* data */
	assert_fault(RUN(0xea, 0, 0, 0, 0, 0x38, 0), GP, 56);	/* DPL 3 */
	assert_fault(RUN(0xea, 0, 0x10, 0, 0, 0x40, 0), GP, 0); /* beyond its limit */
	assert_int_equal(RUN(0xea, 0, 0, 0, 0, 0x28, 0), EMULATE_UNSUPPORTED); /* a task */

	GPR(RSP) = 0x4000;
	RAM32(0x4000) = 0x2000;
	RAM32(0x4004) = 0x08;
	RAM32(0x4008) = RFLAGS_IF | RFLAGS_RF | RFLAGS_VIP | RFLAGS_FIXED;
	assert_int_equal(RUN(0xcf), EMULATE_DONE);
	assert_int_equal(machine.e.state.rip, 0x2000);
	assert_true(FLAG(IF) && FLAG(RF) && FLAG(VIP));
	GPR(RSP) = 0x4000;
	RAM32(0x4004) = 0x3b; /* to ring 3 */
	assert_int_equal(RUN(0xcf), EMULATE_UNSUPPORTED);
}

static void interrupts_of_protected_mode_are_the_callers(void **state)
{
	(void)state;
	protected_tables();
	assert_int_equal(RUN(0xcd, 0x80), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_INTERRUPT);
	assert_int_equal(machine.e.event_address, 0x80);
	assert_int_equal(machine.e.instruction.length, 2);
	assert_int_equal(machine.e.state.rip, CODE);
	assert_int_equal(RUN(0xcc), EMULATE_DONE);
	assert_int_equal(machine.e.event_address, EXCEPTION_BP);
}

/* ---- virtual-8086 mode ---------------------------------------------------------------------------------- */

static void virtual_8086_by_iopl(void **state)
{
	static const uint8_t sensitive[] = { 0xfa, 0xfb, 0x9c, 0x9d, 0xcf };

	(void)state;
	mode_virtual_8086();
	GPR(RSP) = 0x4000;
	for (unsigned int i = 0; i < sizeof(sensitive); i++)
		assert_fault(RUN(sensitive[i]), GP, 0);
	assert_fault(RUN(0xcd, 0x10), GP, 0);
	assert_true(machine.e.fault.has_error_code);
	machine.e.state.cr4 |= CR4_VME;
	assert_int_equal(RUN(0x9d), EMULATE_UNSUPPORTED);
	machine.e.state.cr4 = 0;
	machine.e.state.rflags |= RFLAGS_IOPL;
	assert_int_equal(RUN(0xcd, 0x10), EMULATE_DONE);
	assert_int_equal(machine.e.event, EMULATE_EVENT_INTERRUPT);
	assert_int_equal(RUN(0xfb), EMULATE_DONE);
	assert_true(FLAG(IF));
	RAM16(0x4000) = 0;
	assert_int_equal(RUN(0x9d), EMULATE_DONE);
	assert_false(FLAG(IF));
	assert_true(FLAG(IOPL)); /* which POPF can't change here */
	assert_true(FLAG(VM));
}

static void virtual_8086_segments(void **state)
{
	(void)state;
	mode_virtual_8086();
	GPR(RAX) = 0x300;
	assert_int_equal(RUN(0x8e, 0xd8), EMULATE_DONE);
	assert_int_equal(segment(SEGMENT_NUMBER_DS)->base, 0x3000);
	assert_int_equal(segment(SEGMENT_NUMBER_DS)->limit, 0xffff);
	assert_int_equal(segment(SEGMENT_NUMBER_DS)->rights, 0xf3);
	assert_fault(RUN(0xf4), GP, 0);		    /* hlt */
	assert_fault(RUN(0x0f, 0x00, 0xc8), UD, 0); /* str ax */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(selectors_are_bases, clear),
		cmocka_unit_test_setup(far_jump_call_return, clear),
		cmocka_unit_test_setup(interrupt_and_return, clear),
		cmocka_unit_test_setup(interrupt_beyond_the_table, clear),
		cmocka_unit_test_setup(stack_of_16_bits, clear),
		cmocka_unit_test_setup(interrupts_come_between_instructions, clear),
		cmocka_unit_test_setup(an_interrupt_waits_for_the_vmm, clear),
		cmocka_unit_test_setup(a_debugger_sees_int3, clear),
		cmocka_unit_test_setup(bounds, clear),
		cmocka_unit_test_setup(privileges_of_selectors, clear),
		cmocka_unit_test_setup(not_in_real_mode, clear),
		cmocka_unit_test_setup(is_there_an_fpu, clear),
		cmocka_unit_test_setup(to_protected_mode, clear),
		cmocka_unit_test_setup(segment_faults, clear),
		cmocka_unit_test_setup(local_table_and_task, clear),
		cmocka_unit_test_setup(far_transfers_of_one_ring, clear),
		cmocka_unit_test_setup(interrupts_of_protected_mode_are_the_callers, clear),
		cmocka_unit_test_setup(virtual_8086_by_iopl, clear),
		cmocka_unit_test_setup(virtual_8086_segments, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
