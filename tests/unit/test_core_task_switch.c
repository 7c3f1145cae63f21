/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* Task switches, from the exit to the new task's first instruction or the fault before it. */

#include "tests/unit/core_fixture.h"

#include "core/instruction.h"
#include "core/task_switch.h"
#include "x86/paging.h"

/* ---- a guest with two tasks: GDT, TSSs and stacks in its memory, no paging ------------------- */

#define GDT	  0x20000
#define OLD_TSS	  0x21000
#define NEW_TSS	  0x22000
#define NEW_STACK 0x23000

enum {
	CODE0 = 0x08,
	DATA0 = 0x10,
	OLD = 0x18,
	NEW = 0x20,
	CODE3 = 0x28,
	DATA3 = 0x30,
	LDT = 0x38,
	CONFORMING = 0x40,
	GDT_LIMIT = 0x4f,
};

static uint64_t *descriptor(uint16_t selector)
{
	return (uint64_t *)(memory + GDT + (selector & ~7u));
}

static void define(uint16_t selector, uint32_t base, uint32_t limit, uint32_t rights)
{
	*descriptor(selector) = segment_descriptor(base, limit, rights);
}

static uint32_t type_of(uint16_t selector)
{
	return segment_load(selector, *descriptor(selector), 0).rights & SEGMENT_TYPE;
}

static uint32_t word(uint32_t address)
{
	return *(uint32_t *)(memory + address);
}

static uint16_t half(uint32_t address)
{
	return *(uint16_t *)(memory + address);
}

static void set_word(uint32_t address, uint32_t value)
{
	*(uint32_t *)(memory + address) = value;
}

static void set_half(uint32_t address, uint16_t value)
{
	*(uint16_t *)(memory + address) = value;
}

/* What the new task begins with: SDM 3, figure 7-2. */
static void fill_tss(void)
{
	set_word(NEW_TSS + 0x1c, 0x5000);
	set_word(NEW_TSS + 0x20, 0x400000);
	set_word(NEW_TSS + 0x24, RFLAGS_IF | RFLAGS_CF);
	for (uint32_t i = 0; i < 8; i++)
		set_word(NEW_TSS + 0x28 + 4 * i, 0x1000 * (i + 1));
	set_word(NEW_TSS + 0x28 + 4 * GPR_RSP, NEW_STACK);
	for (uint32_t i = 0; i < 6; i++)
		set_half(NEW_TSS + 0x48 + 4 * i, i == SEGMENT_NUMBER_CS ? CODE0 : DATA0);
}

static int setup(void **state)
{
	struct hv_system *system = &processor.system;

	fixture_setup(state);
	define(CODE0, 0, UINT32_MAX, SEGMENT_RIGHTS_CODE32 & ~SEGMENT_ACCESSED);
	define(DATA0, 0, UINT32_MAX, SEGMENT_RIGHTS_DATA32);
	define(CODE3, 0, UINT32_MAX, SEGMENT_RIGHTS_CODE32 | SEGMENT_DPL);
	define(DATA3, 0, UINT32_MAX, SEGMENT_RIGHTS_DATA32 | SEGMENT_DPL);
	define(CONFORMING, 0, UINT32_MAX, SEGMENT_RIGHTS_CODE32 | SEGMENT_CONFORMING);
	define(LDT, 0x24000, 15, SEGMENT_RIGHTS_LDT);
	define(OLD, OLD_TSS, 0x67, SEGMENT_P | SEGMENT_TSS_BUSY);
	define(NEW, NEW_TSS, 0x67, SEGMENT_P | SEGMENT_TSS_AVAILABLE);
	fill_tss();
	system->cr0 = CR0_PE | CR0_ET;
	system->cr3 = 0x8000;
	system->cr4 = system->efer = 0;
	system->gdtr = (struct hv_table_register){ GDT, GDT_LIMIT };
	system->tr = segment_load(OLD, *descriptor(OLD), 0);
	system->segments[SEGMENT_NUMBER_CS] = segment_load(CODE0, *descriptor(CODE0), 0);
	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		if (i != SEGMENT_NUMBER_CS)
			system->segments[i] = segment_load(DATA0, *descriptor(DATA0), 0);
	for (unsigned int i = 0; i < 8; i++)
		vcpu.gpr[i] = 0x11111111ull * (i + 1);
	vcpu.rflags = RFLAGS_FIXED | RFLAGS_ZF;
	return 0;
}

static enum hv_verdict switches(enum hv_task_source source)
{
	const struct hv_exit exit = {
		.reason = HV_EXIT_TASK_SWITCH,
		.length = source == HV_TASK_GATE ? 0 : 7,
		.task = { .selector = NEW,
			  .source = (uint8_t)source,
			  .instruction = source != HV_TASK_GATE },
	};

	return task_switch(&vcpu, &exit);
}

static enum hv_verdict delivers(uint8_t type, uint8_t vector, bool has_error_code)
{
	const struct hv_exit exit = {
		.reason = HV_EXIT_TASK_SWITCH,
		.task = { .selector = NEW,
			  .source = HV_TASK_GATE,
			  .has_error_code = has_error_code,
			  .error_code = 0x1234 },
	};

	vcpu.pending.injecting = (struct hv_event){ .valid = true, .type = type, .vector = vector };
	return task_switch(&vcpu, &exit);
}

static const struct segment *segment(enum segment_number number)
{
	return &processor.system.segments[number];
}

static void faulted(uint8_t vector, uint32_t error_code)
{
	assert_true(vcpu.pending.exception.valid);
	assert_int_equal(vcpu.pending.exception.vector, vector);
	assert_int_equal(vcpu.pending.exception.error_code, error_code);
}

/* The fault is the old task's: nothing has happened. */
static void is_old_task(void)
{
	assert_int_equal(processor.system.tr.selector, OLD);
	assert_int_equal(vcpu.rip, 0x10000);
	assert_int_equal(word(OLD_TSS + 0x20), 0);
	assert_int_equal(type_of(OLD), SEGMENT_TSS_BUSY);
}

static void is_new_task(void)
{
	assert_int_equal(processor.system.tr.selector, NEW);
	assert_int_equal(processor.system.tr.rights & SEGMENT_TYPE, SEGMENT_TSS_BUSY);
	assert_int_equal(vcpu.rip, 0x400000);
	assert_int_equal(type_of(NEW), SEGMENT_TSS_BUSY);
}

/* ---- what is saved and loaded --------------------------------------------------------------- */

static void test_call(void **state)
{
	(void)state;
	vcpu.dr7 = 0x7ff;
	assert_int_equal(switches(HV_TASK_CALL), HV_RESUME);
	assert_false(vcpu.pending.exception.valid);
	is_new_task();
	assert_int_equal(type_of(OLD), SEGMENT_TSS_BUSY);
	assert_int_equal(half(NEW_TSS), OLD);
	assert_int_equal(word(OLD_TSS + 0x20), 0x10007);
	assert_int_equal(word(OLD_TSS + 0x24), RFLAGS_FIXED | RFLAGS_ZF);
	assert_int_equal(word(OLD_TSS + 0x28), 0x11111111);
	assert_int_equal(word(OLD_TSS + 0x44), 0x88888888);
	assert_int_equal(half(OLD_TSS + 0x4c), CODE0);
	assert_int_equal(vcpu.rflags, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_CF | RFLAGS_NT);
	assert_int_equal(vcpu.gpr[GPR_RCX], 0x2000);
	assert_int_equal(vcpu.gpr[GPR_RSP], NEW_STACK);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->limit, UINT32_MAX);
	assert_true(segment_load(CODE0, *descriptor(CODE0), 0).rights & SEGMENT_ACCESSED);
	assert_true(processor.system.cr0 & CR0_TS);
	assert_int_equal(processor.system.cr3, 0x8000); /* without paging it stays */
	assert_int_equal(vcpu.dr7, 0x6aa);
	assert_int_equal(processor.flushes, 1);
}

static void test_jump(void **state)
{
	(void)state;
	set_half(NEW_TSS, 0x77);
	assert_int_equal(switches(HV_TASK_JMP), HV_RESUME);
	is_new_task();
	assert_int_equal(type_of(OLD), SEGMENT_TSS_AVAILABLE);
	assert_int_equal(half(NEW_TSS), 0x77);
	assert_false(vcpu.rflags & RFLAGS_NT);
}

static void test_iret(void **state)
{
	(void)state;
	define(NEW, NEW_TSS, 0x67, SEGMENT_P | SEGMENT_TSS_BUSY);
	vcpu.rflags |= RFLAGS_NT;
	vcpu.pending.nmi_blocked = true;
	assert_int_equal(switches(HV_TASK_IRET), HV_RESUME);
	is_new_task();
	assert_int_equal(type_of(OLD), SEGMENT_TSS_AVAILABLE);
	assert_int_equal(word(OLD_TSS + 0x24), RFLAGS_FIXED | RFLAGS_ZF);
	assert_false(vcpu.pending.nmi_blocked);
}

/* SDM 3, figure 7-10 */
static void test_16bit_task(void **state)
{
	(void)state;
	define(NEW, NEW_TSS, 0x2b, SEGMENT_P | SEGMENT_TSS16_AVAILABLE);
	memset(memory + NEW_TSS, 0, 0x100);
	set_half(NEW_TSS + 14, 0x1234);
	set_half(NEW_TSS + 16, 0x46);
	set_half(NEW_TSS + 18 + 2 * GPR_RDI, 0xbeef);
	for (uint32_t i = 0; i < 4; i++)
		set_half(NEW_TSS + 34 + 2 * i, i == SEGMENT_NUMBER_CS ? CODE0 : DATA0);
	set_half(NEW_TSS + 42, LDT);
	assert_int_equal(switches(HV_TASK_CALL), HV_RESUME);
	assert_false(vcpu.pending.exception.valid);
	assert_int_equal(vcpu.rip, 0x1234);
	assert_int_equal(vcpu.gpr[GPR_RDI], 0xbeef);
	assert_true(segment(SEGMENT_NUMBER_FS)->rights & SEGMENT_UNUSABLE);
	assert_int_equal(processor.system.ldtr.base, 0x24000);
	/* And back, from there: what is saved is 16 bits wide. */
	vcpu.pending.exception.valid = false;
	define(NEW, OLD_TSS, 0x67, SEGMENT_P | SEGMENT_TSS_BUSY);
	define(OLD, NEW_TSS, 0x2b, SEGMENT_P | SEGMENT_TSS16_BUSY);
	processor.system.tr.selector = OLD;
	vcpu.gpr[GPR_RDI] = 0xcafe;
	assert_int_equal(switches(HV_TASK_IRET), HV_RESUME);
	assert_int_equal(half(NEW_TSS + 18 + 2 * GPR_RDI), 0xcafe);
	assert_int_equal(half(NEW_TSS + 14), 0x123b);
	assert_int_equal(vcpu.rip, 0x10007);
}

static void test_virtual_8086(void **state)
{
	(void)state;
	set_word(NEW_TSS + 0x24, RFLAGS_VM);
	set_half(NEW_TSS + 0x4c, 0x1000);
	assert_int_equal(switches(HV_TASK_JMP), HV_RESUME);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->base, 0x10000);
	assert_int_equal(segment(SEGMENT_NUMBER_SS)->rights, SEGMENT_RIGHTS_DATA16 | SEGMENT_DPL);
	faulted(EXCEPTION_GP, 0); /* EIP is beyond 64 KiB */
}

static void test_paging_and_trap(void **state)
{
	(void)state;
	/* Two directories, both with one page of 4 MiB at 0: SDM 3, 4.3. */
	set_word(0x5000, 0x87);
	set_word(0x8000, 0x87);
	processor.system.cr4 = CR4_PSE;
	processor.system.cr0 |= CR0_PG;
	set_word(NEW_TSS + 0x64, 1);
	assert_int_equal(switches(HV_TASK_JMP), HV_RESUME);
	assert_int_equal(processor.system.cr3, 0x5000);
	assert_int_equal(vcpu.pending.exception.vector, EXCEPTION_DB);
	assert_true(vcpu.dr6 & 1u << 15);
}

static void test_outer_ring(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 6; i++)
		set_half(NEW_TSS + 0x48 + 4 * i, (i == SEGMENT_NUMBER_CS ? CODE3 : DATA3) | 3);
	set_half(NEW_TSS + 0x5c, 0); /* GS */
	assert_int_equal(switches(HV_TASK_CALL), HV_RESUME);
	assert_false(vcpu.pending.exception.valid);
	assert_int_equal(fixture_ops.cpl(&vcpu), 3);
	assert_true(segment(SEGMENT_NUMBER_GS)->rights & SEGMENT_UNUSABLE);
}

/* ---- through a gate ------------------------------------------------------------------------- */

static void test_gate(void **state)
{
	(void)state;
	assert_int_equal(delivers(HV_EVENT_INTERRUPT, 0x20, false), HV_RESUME);
	is_new_task();
	assert_int_equal(word(OLD_TSS + 0x20), 0x10000);
	assert_true(vcpu.rflags & RFLAGS_NT);
	assert_false(vcpu.pending.injecting.valid);
}

static void test_error_code(void **state)
{
	(void)state;
	assert_int_equal(delivers(HV_EVENT_EXCEPTION, EXCEPTION_GP, true), HV_RESUME);
	is_new_task();
	assert_int_equal(vcpu.gpr[GPR_RSP], NEW_STACK - 4);
	assert_int_equal(word(NEW_STACK - 4), 0x1234);
	assert_false(vcpu.pending.injecting.valid);
}

static void test_no_room_for_the_error_code(void **state)
{
	(void)state;
	define(DATA0, 0, 0xfff, SEGMENT_RIGHTS_DATA32 & ~SEGMENT_G);
	delivers(HV_EVENT_EXCEPTION, EXCEPTION_PF, true);
	assert_int_equal(processor.system.tr.selector, NEW);
	faulted(EXCEPTION_DF, 0); /* #SS during a #PF */
	assert_false(vcpu.pending.injecting.valid);
}

/* The old task goes on behind INT n, which the decoder has to measure. */
static void test_software_interrupt(void **state)
{
	const struct hv_exit exit = {
		.reason = HV_EXIT_TASK_SWITCH,
		.task = { .selector = NEW, .source = HV_TASK_GATE, .instruction = true },
	};

	(void)state;
	memcpy(memory + vcpu.rip, "\xcd\x80", 2);
	assert_int_equal(task_switch(&vcpu, &exit), HV_RESUME);
	assert_int_equal(word(OLD_TSS + 0x20), 0x10002);
}

/* ---- faults of the old task ----------------------------------------------------------------- */

static void test_not_present(void **state)
{
	(void)state;
	define(NEW, NEW_TSS, 0x67, SEGMENT_TSS_AVAILABLE);
	assert_int_equal(switches(HV_TASK_CALL), HV_RESUME);
	faulted(EXCEPTION_NP, NEW);
	is_old_task();
}

static void test_busy(void **state)
{
	(void)state;
	define(NEW, NEW_TSS, 0x67, SEGMENT_P | SEGMENT_TSS_BUSY);
	switches(HV_TASK_JMP);
	faulted(EXCEPTION_GP, NEW);
	is_old_task();
}

static void test_return_to_an_idle_task(void **state)
{
	(void)state;
	switches(HV_TASK_IRET);
	faulted(EXCEPTION_TS, NEW);
	is_old_task();
}

static void test_short_tss(void **state)
{
	(void)state;
	define(NEW, NEW_TSS, 0x66, SEGMENT_P | SEGMENT_TSS_AVAILABLE);
	switches(HV_TASK_CALL);
	faulted(EXCEPTION_TS, NEW);
	is_old_task();
}

static void test_beyond_the_gdt(void **state)
{
	(void)state;
	processor.system.gdtr.limit = NEW + 6;
	switches(HV_TASK_CALL);
	faulted(EXCEPTION_GP, NEW);
	is_old_task();
}

/* An interrupt's fault says that no instruction was to blame; the interrupt is gone. */
static void test_external(void **state)
{
	(void)state;
	define(NEW, NEW_TSS, 0x67, SEGMENT_TSS_AVAILABLE);
	delivers(HV_EVENT_INTERRUPT, 0x20, false);
	faulted(EXCEPTION_NP, NEW | 1);
	assert_false(vcpu.pending.injecting.valid);
	is_old_task();
}

static void test_double_and_triple_fault(void **state)
{
	(void)state;
	define(NEW, NEW_TSS, 0x67, SEGMENT_TSS_AVAILABLE);
	assert_int_equal(delivers(HV_EVENT_EXCEPTION, EXCEPTION_GP, true), HV_RESUME);
	faulted(EXCEPTION_DF, 0);
	vcpu.pending.exception.valid = false;
	assert_int_equal(delivers(HV_EVENT_EXCEPTION, EXCEPTION_DF, true), HV_TO_HOST);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
}

/* The new TSS lies in a page that can't be written, but the way back has to be. */
static void test_page_fault(void **state)
{
	(void)state;
	set_word(0x8000, 0x9000 | 7);
	for (uint32_t i = 0; i < 1024; i++)
		set_word(0x9000 + 4 * i, i << 12 | 7);
	set_word(0x9000 + 4 * (NEW_TSS >> 12), NEW_TSS | 5);
	processor.system.cr0 |= CR0_PG | CR0_WP;
	assert_int_equal(switches(HV_TASK_CALL), HV_RESUME);
	faulted(EXCEPTION_PF, PAGE_FAULT_P | PAGE_FAULT_W);
	assert_int_equal(processor.system.cr2, NEW_TSS);
	is_old_task();
}

/* ---- faults of the new task ------------------------------------------------------------------- */

static void fails_in_the_new_task(uint32_t offset, uint16_t selector, uint8_t vector,
				  uint32_t error_code)
{
	set_half(NEW_TSS + offset, selector);
	assert_int_equal(switches(HV_TASK_CALL), HV_RESUME);
	is_new_task();
	faulted(vector, error_code);
}

#define FAILS(name, offset, selector, vector, error_code)                    \
	static void test_##name(void **state)                                \
	{                                                                    \
		(void)state;                                                 \
		fails_in_the_new_task(offset, selector, vector, error_code); \
	}

FAILS(null_code, 0x4c, 0, EXCEPTION_TS, 0)
FAILS(data_for_code, 0x4c, DATA0, EXCEPTION_TS, DATA0)
FAILS(ring_of_code, 0x4c, CODE3, EXCEPTION_TS, CODE3)
FAILS(null_stack, 0x50, 3, EXCEPTION_TS, 0)
FAILS(code_for_stack, 0x50, CODE0, EXCEPTION_TS, CODE0)
FAILS(ring_of_stack, 0x50, DATA3, EXCEPTION_TS, DATA3)
FAILS(data_beyond_the_gdt, 0x54, 0x50, EXCEPTION_TS, 0x50)
FAILS(tss_for_data, 0x58, NEW, EXCEPTION_TS, NEW)
FAILS(data_of_no_ldt, 0x5c, 0xc, EXCEPTION_TS, 0xc)
FAILS(data_for_ldt, 0x60, DATA0, EXCEPTION_TS, DATA0)
FAILS(ldt_in_the_ldt, 0x60, LDT | 4, EXCEPTION_TS, LDT | 4)

static void test_missing_segments(void **state)
{
	(void)state;
	define(CODE3, 0, UINT32_MAX, (SEGMENT_RIGHTS_CODE32 | SEGMENT_CONFORMING) & ~SEGMENT_P);
	fails_in_the_new_task(0x4c, CODE3, EXCEPTION_NP, CODE3);
}

static void test_missing_stack(void **state)
{
	(void)state;
	define(DATA3, 0, UINT32_MAX, SEGMENT_RIGHTS_DATA32 & ~SEGMENT_P);
	fails_in_the_new_task(0x50, DATA3, EXCEPTION_SS, DATA3);
	/* What is left in its place is a stack of one byte, in the new task's ring. */
	assert_int_equal(segment(SEGMENT_NUMBER_SS)->selector, DATA3);
	assert_int_equal(segment(SEGMENT_NUMBER_SS)->limit, 0);
	assert_int_equal(fixture_ops.cpl(&vcpu), 0);
}

static void test_conforming_code(void **state)
{
	(void)state;
	set_half(NEW_TSS + 0x4c, CONFORMING);
	assert_int_equal(switches(HV_TASK_CALL), HV_RESUME);
	assert_false(vcpu.pending.exception.valid);
	assert_int_equal(segment(SEGMENT_NUMBER_CS)->selector, CONFORMING);
}

#undef TEST
#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(call),
		TEST(jump),
		TEST(iret),
		TEST(16bit_task),
		TEST(virtual_8086),
		TEST(paging_and_trap),
		TEST(outer_ring),
		TEST(gate),
		TEST(error_code),
		TEST(no_room_for_the_error_code),
		TEST(software_interrupt),
		TEST(not_present),
		TEST(busy),
		TEST(return_to_an_idle_task),
		TEST(short_tss),
		TEST(beyond_the_gdt),
		TEST(external),
		TEST(double_and_triple_fault),
		TEST(page_fault),
		TEST(null_code),
		TEST(data_for_code),
		TEST(ring_of_code),
		TEST(null_stack),
		TEST(code_for_stack),
		TEST(ring_of_stack),
		TEST(data_beyond_the_gdt),
		TEST(tss_for_data),
		TEST(data_of_no_ldt),
		TEST(data_for_ldt),
		TEST(ldt_in_the_ldt),
		TEST(missing_segments),
		TEST(missing_stack),
		TEST(conforming_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
