/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The core's loop and its handlers, over a processor that leaves the guest as a script says.
 */

#include "tests/unit/core_fixture.h"

static void test_cpuid(void **state)
{
	struct hv_cpuid table[] = {
		{ .function = 7, .indexed = true, .index = 1, .eax = 5 },
		{ .function = 0, .eax = 7, .ebx = 1, .ecx = 2, .edx = 3 },
		{ .function = 7, .indexed = true, .index = 0, .eax = 4 },
	};

	(void)state;
	hv_vcpu_set_cpuid(&vcpu, table, 3);
	vcpu.gpr[GPR_RAX] = 7 | 0xdeadull << 32;
	vcpu.gpr[GPR_RCX] = 1;
	leaves(HV_EXIT_CPUID, CODE("\x0f\xa2"));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
	assert_int_equal(vcpu.gpr[GPR_RAX], 5);
	assert_int_equal(vcpu.rip, 0x10002);
	assert_int_equal(vcpu.exits[HV_EXIT_CPUID], 1);
}

static void test_length_counts_prefixes(void **state)
{
	(void)state;
	leaves(HV_EXIT_CPUID, CODE("\x66\x67\x0f\xa2"));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	run();
	assert_int_equal(vcpu.rip, 0x10004);
}

static void test_length_from_the_processor(void **state)
{
	(void)state;
	leaves(HV_EXIT_CPUID, CODE(""))->length = 9;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	run();
	assert_int_equal(vcpu.rip, 0x10009);
}

static void test_code_that_is_nowhere(void **state)
{
	(void)state;
	leaves(HV_EXIT_CPUID, CODE(""));
	vcpu.rip = FIXTURE_MEMORY;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_UNEMULATED);
	assert_int_equal(vcpu.call.code.count, 0);
}

static void test_out(void **state)
{
	struct hv_exit *exit = leaves(HV_EXIT_IO, CODE("\xee"));

	(void)state;
	exit->io.port = 0x3f8;
	exit->io.size = 1;
	vcpu.gpr[GPR_RAX] = 0x12345678;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_IO);
	assert_int_equal(vcpu.call.io.port, 0x3f8);
	assert_false(vcpu.call.io.in);
	assert_int_equal(data[0], 0x78);
	assert_int_equal(vcpu.rip, 0x10001);
}

static void check_in(unsigned int size, uint64_t wanted)
{
	struct hv_exit *exit = leaves(HV_EXIT_IO, CODE("\xed"));

	exit->io.in = true;
	exit->io.size = (uint8_t)size;
	vcpu.gpr[GPR_RAX] = 0x1111111122222222;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.rip, 0x10000);
	memcpy(data, "\xaa\xbb\xcc\xdd", 4);
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.gpr[GPR_RAX], wanted);
	assert_int_equal(vcpu.rip, 0x10001);
}

static void test_in_8(void **state)
{
	(void)state;
	check_in(1, 0x11111111222222aa);
}

static void test_in_16(void **state)
{
	(void)state;
	check_in(2, 0x111111112222bbaa);
}

static void test_in_32(void **state)
{
	(void)state;
	check_in(4, 0xddccbbaa);
}

static void test_mmio_read(void **state)
{
	/* mov eax, [0x1000000]: beyond the memory */
	struct hv_exit *exit = leaves(HV_EXIT_MEMORY, CODE("\x8b\x04\x25\x00\x00\x00\x01"));

	(void)state;
	exit->memory.gpa = 0x1000000;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_MMIO);
	assert_int_equal(vcpu.call.mmio.gpa, 0x1000000);
	assert_int_equal(vcpu.call.mmio.size, 4);
	assert_false(vcpu.call.mmio.write);
	assert_int_equal(vcpu.rip, 0x10000);
	memcpy(vcpu.call.mmio.bytes, "\x78\x56\x34\x12", 4);
	vcpu.gpr[GPR_RAX] = UINT64_MAX;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.gpr[GPR_RAX], 0x12345678);
	assert_int_equal(vcpu.rip, 0x10007);
}

static void test_mmio_write(void **state)
{
	/* mov [0x1000000], ax */
	struct hv_exit *exit = leaves(HV_EXIT_MEMORY, CODE("\x66\x89\x04\x25\x00\x00\x00\x01"));

	(void)state;
	exit->memory.gpa = 0x1000000;
	exit->memory.write = true;
	vcpu.gpr[GPR_RAX] = 0xabcd;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_MMIO);
	assert_true(vcpu.call.mmio.write);
	assert_int_equal(vcpu.call.mmio.size, 2);
	assert_memory_equal(vcpu.call.mmio.bytes, "\xcd\xab", 2);
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.rip, 0x10008);
}

static void test_outs(void **state)
{
	/* rep outsb, five bytes from 0x3000 */
	struct hv_exit *exit = leaves(HV_EXIT_IO, CODE("\xf3\x6e"));

	(void)state;
	exit->io.string = true;
	memcpy(memory + 0x3000, "hutch", 5);
	vcpu.gpr[GPR_RSI] = 0x3000;
	vcpu.gpr[GPR_RCX] = 5;
	vcpu.gpr[GPR_RDX] = 0xe9;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_IO);
	assert_int_equal(vcpu.call.io.count, 5);
	assert_int_equal(vcpu.call.io.port, 0xe9);
	assert_memory_equal(data, "hutch", 5);
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.gpr[GPR_RCX], 0);
	assert_int_equal(vcpu.gpr[GPR_RSI], 0x3005);
	assert_int_equal(vcpu.rip, 0x10002);
}

static void test_ins(void **state)
{
	/* rep insw, three words to 0x3000 */
	struct hv_exit *exit = leaves(HV_EXIT_IO, CODE("\xf3\x66\x6d"));

	(void)state;
	exit->io.string = exit->io.in = true;
	vcpu.gpr[GPR_RDI] = 0x3000;
	vcpu.gpr[GPR_RCX] = 3;
	vcpu.gpr[GPR_RDX] = 0x1f0;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_IO);
	assert_true(vcpu.call.io.in);
	assert_int_equal(vcpu.call.io.size, 2);
	assert_int_equal(vcpu.call.io.count, 3);
	memcpy(data, "sector", 6);
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_memory_equal(memory + 0x3000, "sector", 6);
	assert_int_equal(vcpu.gpr[GPR_RCX], 0);
	assert_int_equal(vcpu.gpr[GPR_RDI], 0x3006);
}

static void test_memory_is_mapped(void **state)
{
	struct hv_exit *exit = leaves(HV_EXIT_MEMORY, CODE(""));
	unsigned int order;

	(void)state;
	exit->memory.gpa = 0x5123;
	exit->memory.write = true;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_not_equal(table_look(&vm.table, 0x5123, &order), 0);
	assert_int_equal(vcpu.rip, 0x10000);
}

static void test_memory_that_the_vmm_has_not(void **state)
{
	const struct hv_slot slot = {
		.id = 1, .gpa = 1ull << 32, .size = 0x1000, .hva = FIXTURE_HOLE_HVA
	};

	(void)state;
	assert_int_equal(hv_memory_set(&vm, &slot, false), HOST_OK);
	leaves(HV_EXIT_MEMORY, CODE(""))->memory.gpa = 1ull << 32;
	assert_int_equal(run(), HOST_EFAULT);
}

static void test_hlt(void **state)
{
	(void)state;
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_HLT);
	assert_int_equal(vcpu.rip, 0x10001);
}

static void test_hlt_with_an_interrupt_waiting(void **state)
{
	(void)state;
	vcpu.rflags |= RFLAGS_IF;
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	vcpu.shadow = HV_SHADOW_STI;
	vcpu.pending.interrupt = true;
	vcpu.pending.vector = 0x31;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
	assert_int_equal(processor.injections, 1);
	assert_int_equal(processor.injected[0].vector, 0x31);
}

/* The VMM has the local APIC: it hears that CR8 fell, which the processor has seen to. */
static void test_lowered_tpr(void **state)
{
	(void)state;
	assert_int_equal(processor.tpr_below, HV_TPR_ANY);
	leaves(HV_EXIT_TPR_BELOW, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_TPR_LOWERED);
}

/* Only where there is another vCPU that it may wait for. */
static void test_pause_gives_way(void **state)
{
	(void)state;
	fixture_yields = 0;
	leaves(HV_EXIT_PAUSE, CODE("\xf3\x90"));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.rip, 0x10002);
	assert_int_equal(fixture_yields, 0);
	vm.vcpus[vm.vcpu_count++] = &vcpu;
	leaves(HV_EXIT_PAUSE, CODE("\xf3\x90"));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(fixture_yields, 1);
	vm.vcpu_count--;
}

static void test_msr_of_the_core(void **state)
{
	(void)state;
	vcpu.gpr[GPR_RCX] = IA32_LSTAR;
	vcpu.gpr[GPR_RAX] = 0x1000;
	vcpu.gpr[GPR_RDX] = 0xffff8000;
	leaves(HV_EXIT_MSR, CODE("\x0f\x30"))->msr.write = true;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(processor.lstar, 0xffff800000001000);
	assert_int_equal(processor.injections, 0);
}

static void test_msr_refused(void **state)
{
	(void)state;
	vcpu.gpr[GPR_RCX] = IA32_LSTAR;
	vcpu.gpr[GPR_RDX] = 0x80000000; /* not canonical */
	leaves(HV_EXIT_MSR, CODE("\x0f\x30"))->msr.write = true;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(processor.injected[0].vector, EXCEPTION_GP);
	assert_true(processor.injected[0].has_error_code);
	assert_int_equal(vcpu.rip, 0x10000);
}

static void test_msr_of_the_vmm(void **state)
{
	(void)state;
	vm.msr_calls = HV_MSR_INVALID;
	vcpu.gpr[GPR_RCX] = 0x12345;
	leaves(HV_EXIT_MSR, CODE("\x0f\x32"));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_MSR);
	assert_int_equal(vcpu.call.msr.index, 0x12345);
	assert_false(vcpu.call.msr.write);
	vcpu.call.msr.value = 0x1122334455667788;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.gpr[GPR_RAX], 0x55667788);
	assert_int_equal(vcpu.gpr[GPR_RDX], 0x11223344);
	assert_int_equal(vcpu.rip, 0x10002);
}

static bool allows_nothing(struct hv_vm *of, uint32_t index, bool write)
{
	(void)of, (void)index, (void)write;
	return false;
}

static void test_msr_that_the_vmm_filters(void **state)
{
	(void)state;
	hv_vm_filter_msrs(&vm, allows_nothing);
	vm.msr_calls = HV_MSR_FILTERED;
	vcpu.gpr[GPR_RCX] = IA32_TSC_AUX;
	leaves(HV_EXIT_MSR, CODE("\x0f\x30"))->msr.write = true;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.msr.why, HV_MSR_FILTERED);
	vcpu.call.msr.failed = true;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(processor.injected[0].vector, EXCEPTION_GP);
}

/* What the host hears of, once it listens. */
static void test_tracing(void **state)
{
	(void)state;
	fixture_traced_exits = fixture_traced_events = 0;
	leaves(HV_EXIT_HOST_INTERRUPT, CODE(""));
	hv_tracing = true;
	event_raise_ud(&vcpu);
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	hv_tracing = false;
	assert_int_equal(fixture_traced_exits, 2);
	assert_int_equal(fixture_traced_events, 1);
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(fixture_traced_exits, 2);
}

static uint32_t forbidden;

static bool allows_all_but_one(struct hv_vm *of, uint32_t index, bool write)
{
	(void)of, (void)write;
	return index != forbidden;
}

/* Only a filter that forbids what the processor would not ask about makes it ask. */
static void test_filter_of_what_a_guest_does_by_itself(void **state)
{
	static const struct {
		uint32_t msr;
		bool closed;
	} cases[] = { { IA32_STAR, true }, { IA32_TSC_AUX, false }, { IA32_FS_BASE, true } };

	(void)state;
	for (unsigned int i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		forbidden = cases[i].msr;
		hv_vm_filter_msrs(&vm, allows_all_but_one);
		leaves(HV_EXIT_SHUTDOWN, CODE(""));
		assert_int_equal(run(), HOST_OK);
		assert_int_equal(processor.msrs_closed, cases[i].closed);
	}
	hv_vm_filter_msrs(&vm, NULL);
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_false(processor.msrs_closed);
}

static void test_write_of_cr4(void **state)
{
	struct hv_cpuid table[] = { { .function = 1, .edx = 1u << 6 | 1u << 13 } };

	(void)state;
	hv_vcpu_set_cpuid(&vcpu, table, 1);
	vcpu.gpr[GPR_RBX] = CR4_PAE | CR4_PGE;
	leaves(HV_EXIT_CONTROL_REGISTER, CODE("\x0f\x22\xe3")); /* mov cr4, rbx */
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(processor.system.cr4, CR4_PAE | CR4_PGE);
	assert_true(processor.flushes > 0);
	assert_int_equal(vcpu.rip, 0x10003);
}

static void test_write_of_cr4_that_the_guest_has_not(void **state)
{
	(void)state;
	vcpu.gpr[GPR_RBX] = CR4_PAE | CR4_SMEP;
	leaves(HV_EXIT_CONTROL_REGISTER, CODE("\x0f\x22\xe3"));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(processor.system.cr4, CR4_PAE);
	assert_int_equal(processor.injected[0].vector, EXCEPTION_GP);
}

static void test_single_step_over_an_exit(void **state)
{
	(void)state;
	vcpu.rflags |= RFLAGS_TF;
	leaves(HV_EXIT_CPUID, CODE("\x0f\xa2"));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(processor.injected[0].vector, EXCEPTION_DB);
	assert_true(vcpu.dr6 & 1u << 14);
}

/* Of what XCR0 enables: to the end of the last component, or one behind the other. */
static void test_cpuid_of_state(void **state)
{
	struct hv_cpuid table[] = {
		{ .function = 0xd, .index = 0, .indexed = true },
		{ .function = 0xd, .index = 1, .indexed = true, .eax = 2 },
		{ .function = 0xd, .index = 2, .indexed = true, .eax = 256, .ebx = 576 },
		{ .function = 0xd, .index = 5, .indexed = true, .eax = 8, .ebx = 1088 },
		{ .function = 0xd, .index = 6, .indexed = true, .eax = 512, .ebx = 1152, .ecx = 2 },
	};
	uint32_t result[4];

	(void)state;
	hv_vcpu_set_cpuid(&vcpu, table, 5);
	vcpu.xcr0 = 0x67;
	cpuid_look(&vcpu, 0xd, 0, result);
	assert_int_equal(result[1], 1152 + 512);
	cpuid_look(&vcpu, 0xd, 1, result);
	assert_int_equal(result[1], 896 + 512); /* 576 + 256 + 8, then a multiple of 64 */
	vcpu.xcr0 = 3;
	cpuid_look(&vcpu, 0xd, 1, result);
	assert_int_equal(result[1], 576);
	hv_vcpu_set_cpuid(&vcpu, NULL, 0);
}

/* The other maker's hypercall is #UD here, and nothing else that is. */
static void test_hypercall_of_the_other_maker(void **state)
{
	(void)state;
	leaves(HV_EXIT_EXCEPTION, CODE("\x0f\x01\xc1"))->exception.vector = EXCEPTION_UD;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.rip, 0x10003);
	assert_int_equal((int64_t)vcpu.gpr[GPR_RAX], -1000);
	assert_int_equal(processor.injections, 0);
	leaves(HV_EXIT_EXCEPTION, CODE("\x0f\x0b\x90"))->exception.vector = EXCEPTION_UD;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(processor.injected[0].vector, EXCEPTION_UD);
	assert_true(vcpu.rflags & RFLAGS_RF);
}

static uint64_t watched_dr0, watched_dr7;

/* What the processor holds meanwhile; then it hits. */
static void look_at_breakpoints(struct hv_vcpu *running)
{
	watched_dr0 = running->dr[0];
	watched_dr7 = running->dr7;
	running->dr6 |= 1;
}

/* The guest's own breakpoints stand aside, and it sees none of the VMM's. */
static void test_vmm_watches(void **state)
{
	(void)state;
	vcpu.dr[0] = 0x1111;
	vcpu.dr7 = 0x402;
	vcpu.dr6 = 0xffff4ff0;
	vcpu.debug = (struct hv_debug){
		.watches = true, .wanted = true, .dr = { 0x10000 }, .dr7 = 0x401
	};
	processor.on_enter = look_at_breakpoints;
	leaves(HV_EXIT_EXCEPTION, CODE(""))->exception.vector = EXCEPTION_DB;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(watched_dr0, 0x10000);
	assert_int_equal(watched_dr7, 0x401);
	assert_int_equal(vcpu.call.kind, HV_CALL_DEBUG);
	assert_int_equal(vcpu.call.debug.dr6, 0xffff0ff1);
	assert_int_equal(vcpu.call.debug.dr7, 0x401);
	assert_int_equal(vcpu.dr[0], 0x1111);
	assert_int_equal(vcpu.dr7, 0x402);
	assert_int_equal(vcpu.dr6, 0xffff4ff0);
	assert_int_equal(processor.injections, 0);
}

static void test_vmm_steps(void **state)
{
	struct hv_exit *exit;

	(void)state;
	vcpu.debug.single_step = vcpu.debug.wanted = true;
	leaves(HV_EXIT_CPUID, CODE("\x0f\xa2"));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_DEBUG);
	assert_int_equal(vcpu.call.debug.rip, 0x10002);
	assert_false(vcpu.rflags & RFLAGS_TF);
	/* An OUT is the VMM's first, and a step when it has been seen to. */
	exit = leaves(HV_EXIT_IO, CODE("\xee"));
	exit->io.size = 1;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_IO);
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_DEBUG);
	assert_int_equal(vcpu.call.debug.rip, 0x10003);
	assert_int_equal(processor.injections, 0);
	leaves(HV_EXIT_EXCEPTION, CODE(""))->exception.vector = EXCEPTION_DB;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_DEBUG);
	assert_true(processor.stepped);
}

static void test_signal(void **state)
{
	(void)state;
	fixture_has_work = true;
	assert_int_equal(run(), HOST_EINTR);
	assert_int_equal(vcpu.call.kind, HV_CALL_INTERRUPTED);
	assert_int_equal(processor.next, 0);
}

static void test_told_to_return(void **state)
{
	(void)state;
	hv_vcpu_interrupt(&vcpu);
	assert_int_equal(run(), HOST_EINTR);
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(processor.next, 1);
}

static void test_immediate_exit_finishes_first(void **state)
{
	(void)state;
	leaves(HV_EXIT_IO, CODE("\xec"))->io.in = true;
	processor.script[0].io.size = 1;
	assert_int_equal(run(), HOST_OK);
	data[0] = 0x5a;
	assert_int_equal(hv_vcpu_run(&vcpu, true), HOST_EINTR);
	assert_int_equal(vcpu.gpr[GPR_RAX] & 0xff, 0x5a);
	assert_int_equal(vcpu.rip, 0x10001);
}

static void test_window(void **state)
{
	(void)state;
	vcpu.wants_window = true;
	leaves(HV_EXIT_CPUID, CODE("\x0f\xa2"));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
	vcpu.rflags |= RFLAGS_IF;
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_WINDOW_OPEN);
}

static void test_flush_before_entry(void **state)
{
	unsigned int before;

	(void)state;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	run();
	before = processor.flushes;
	memory_flush(&vm);
	run();
	assert_int_equal(processor.flushes, before + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cpuid),
		TEST(test_length_counts_prefixes),
		TEST(test_length_from_the_processor),
		TEST(test_code_that_is_nowhere),
		TEST(test_out),
		TEST(test_in_8),
		TEST(test_in_16),
		TEST(test_in_32),
		TEST(test_mmio_read),
		TEST(test_mmio_write),
		TEST(test_outs),
		TEST(test_ins),
		TEST(test_memory_is_mapped),
		TEST(test_memory_that_the_vmm_has_not),
		TEST(test_hlt),
		TEST(test_hlt_with_an_interrupt_waiting),
		TEST(test_lowered_tpr),
		TEST(test_pause_gives_way),
		TEST(test_msr_of_the_core),
		TEST(test_msr_refused),
		TEST(test_msr_of_the_vmm),
		TEST(test_msr_that_the_vmm_filters),
		TEST(test_filter_of_what_a_guest_does_by_itself),
		TEST(test_tracing),
		TEST(test_write_of_cr4),
		TEST(test_write_of_cr4_that_the_guest_has_not),
		TEST(test_single_step_over_an_exit),
		TEST(test_cpuid_of_state),
		TEST(test_hypercall_of_the_other_maker),
		TEST(test_vmm_watches),
		TEST(test_vmm_steps),
		TEST(test_signal),
		TEST(test_told_to_return),
		TEST(test_immediate_exit_finishes_first),
		TEST(test_window),
		TEST(test_flush_before_entry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
