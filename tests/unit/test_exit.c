/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Every exit that the KVM ABI knows, decoded from a shared page made by hand, and
 * what the report says of it. Needs no hypervisor.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "lib/object.h"
#include "lib/report.h"

#define RUN_PAGE_SIZE 0x3000
#define IO_DATA	      0x1000

static struct hutch_vcpu vcpu;

static int make(void **state)
{
	(void)state;
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.run = calloc(1, RUN_PAGE_SIZE);
	assert_non_null(vcpu.run);
	return 0;
}

static int unmake(void **state)
{
	(void)state;
	free(vcpu.run);
	return 0;
}

static const struct hutch_exit *decode(uint32_t kvm_reason)
{
	vcpu.run->exit_reason = kvm_reason;
	exit_decode(&vcpu);
	assert_int_equal(vcpu.exit.kvm_reason, kvm_reason);
	return &vcpu.exit;
}

static void assert_report(const char *expected)
{
	char text[1024];
	struct report report = { text, sizeof(text), 0 };

	report_exit(&report, &vcpu);
	assert_string_equal(text, expected);
	assert_int_equal(report.used, strlen(expected));
}

static void decodes_io(void **state)
{
	const struct hutch_exit *exit;

	(void)state;
	vcpu.run->io.direction = KVM_EXIT_IO_OUT;
	vcpu.run->io.size = 2;
	vcpu.run->io.port = 0x3f8;
	vcpu.run->io.count = 3;
	vcpu.run->io.data_offset = IO_DATA;
	memcpy((uint8_t *)vcpu.run + IO_DATA, "abcdef", 6);
	exit = decode(KVM_EXIT_IO);
	assert_int_equal(exit->reason, HUTCH_EXIT_IO);
	assert_true(exit->io.write);
	assert_int_equal(exit->io.size, 2);
	assert_int_equal(exit->io.count, 3);
	assert_int_equal(exit->io.port, 0x3f8);
	assert_ptr_equal(exit->io.data, (uint8_t *)vcpu.run + IO_DATA);
	assert_true(vcpu.pending);
	assert_report("exit io, OUT to port 0x3f8, 2 bytes, 3 times: 61 62 63 64 65 66\n");
	vcpu.run->io.count = 100;
	decode(KVM_EXIT_IO);
	assert_report("exit io, OUT to port 0x3f8, 2 bytes, 100 times: 61 62 63 64 65 66 00 00 00 "
		      "00 00 00 00 00 00 00 ...\n");
	vcpu.run->io.direction = KVM_EXIT_IO_IN;
	vcpu.run->io.size = vcpu.run->io.count = 1;
	assert_false(decode(KVM_EXIT_IO)->io.write);
	assert_report("exit io, IN from port 0x3f8, 1 byte\n");
}

static void decodes_mmio(void **state)
{
	const struct hutch_exit *exit;

	(void)state;
	vcpu.run->mmio.phys_addr = 0xfee00020;
	vcpu.run->mmio.len = 4;
	vcpu.run->mmio.is_write = 1;
	memcpy(vcpu.run->mmio.data, "\x01\x02\x03\x04", 4);
	exit = decode(KVM_EXIT_MMIO);
	assert_int_equal(exit->reason, HUTCH_EXIT_MMIO);
	assert_int_equal(exit->mmio.gpa, 0xfee00020);
	assert_int_equal(exit->mmio.size, 4);
	assert_true(exit->mmio.write);
	assert_ptr_equal(exit->mmio.data, vcpu.run->mmio.data);
	assert_true(vcpu.pending);
	assert_report("exit mmio, write to guest-physical 0xfee00020, 4 bytes: 01 02 03 04\n");
	vcpu.run->mmio.is_write = 0;
	decode(KVM_EXIT_MMIO);
	assert_report("exit mmio, read from guest-physical 0xfee00020, 4 bytes\n");
}

static void decodes_msr_accesses(void **state)
{
	const struct hutch_exit *exit;

	(void)state;
	vcpu.run->msr.index = 0xc0000080;
	vcpu.run->msr.data = 0xd01;
	exit = decode(KVM_EXIT_X86_WRMSR);
	assert_int_equal(exit->reason, HUTCH_EXIT_MSR_WRITE);
	assert_int_equal(exit->msr.index, 0xc0000080);
	assert_int_equal(*exit->msr.value, 0xd01);
	assert_true(vcpu.pending);
	assert_report("exit msr_write, MSR 0xc0000080 (IA32_EFER), value 0xd01\n");
	vcpu.run->msr.index = 0x12345;
	exit = decode(KVM_EXIT_X86_RDMSR);
	assert_int_equal(exit->reason, HUTCH_EXIT_MSR_READ);
	*exit->msr.value = 7;
	*exit->msr.fault = true;
	assert_int_equal(vcpu.run->msr.data, 7);
	assert_int_equal(vcpu.run->msr.error, 1);
	assert_report("exit msr_read, MSR 0x12345 (no known name)\n");
}

static void decodes_hypercalls(void **state)
{
	const struct hutch_exit *exit;

	(void)state;
	vcpu.run->hypercall.nr = 12;
	for (unsigned int i = 0; i < 6; i++)
		vcpu.run->hypercall.args[i] = i + 1;
	exit = decode(KVM_EXIT_HYPERCALL);
	assert_int_equal(exit->reason, HUTCH_EXIT_HYPERCALL);
	assert_int_equal(exit->hypercall.number, 12);
	assert_int_equal(exit->hypercall.arguments[5], 6);
	*exit->hypercall.result = 99;
	assert_int_equal(vcpu.run->hypercall.ret, 99);
	assert_true(vcpu.pending);
	assert_report("exit hypercall, number 0xc, arguments 0x1 0x2 0x3 0x4 0x5 0x6\n");
}

static void decodes_debug_exits(void **state)
{
	const struct hutch_exit *exit;

	(void)state;
	vcpu.run->debug.arch.exception = 1;
	vcpu.run->debug.arch.pc = 0x1234;
	vcpu.run->debug.arch.dr6 = 0x4000;
	vcpu.run->debug.arch.dr7 = 0x400;
	exit = decode(KVM_EXIT_DEBUG);
	assert_int_equal(exit->reason, HUTCH_EXIT_DEBUG);
	assert_int_equal(exit->debug.rip, 0x1234);
	assert_int_equal(exit->debug.dr6, 0x4000);
	assert_int_equal(exit->debug.dr7, 0x400);
	assert_int_equal(exit->debug.exception, 1);
	assert_false(vcpu.pending);
	assert_report("exit debug, #DB at 0x1234, dr6 0x4000, dr7 0x400\n");
	vcpu.run->debug.arch.exception = 0x12345;
	decode(KVM_EXIT_DEBUG);
	assert_report("exit debug, no exception at 0x1234, dr6 0x4000, dr7 0x400\n");
}

static void decodes_internal_errors(void **state)
{
	const struct hutch_exit *exit;

	(void)state;
	vcpu.run->internal.suberror = KVM_INTERNAL_ERROR_DELIVERY_EV;
	vcpu.run->internal.ndata = 0xffffffff;
	exit = decode(KVM_EXIT_INTERNAL_ERROR);
	assert_int_equal(exit->reason, HUTCH_EXIT_INTERNAL_ERROR);
	assert_int_equal(exit->internal_error.count, 16); /* as many as there is room for */
	vcpu.run->internal.ndata = 2;
	vcpu.run->internal.data[0] = 0xab;
	exit = decode(KVM_EXIT_INTERNAL_ERROR);
	assert_int_equal(exit->internal_error.count, 2);
	assert_int_equal(exit->internal_error.data[0], 0xab);
	assert_report("exit internal_error, suberror 3: an event could not be delivered\n"
		      "data 0xab 0x0\n");
	vcpu.run->emulation_failure.suberror = KVM_INTERNAL_ERROR_EMULATION;
	vcpu.run->emulation_failure.ndata = 3;
	vcpu.run->emulation_failure.flags = KVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES;
	vcpu.run->emulation_failure.insn_size = 2;
	memcpy(vcpu.run->emulation_failure.insn_bytes, "\x0f\x0b", 2);
	decode(KVM_EXIT_INTERNAL_ERROR);
	assert_report("exit internal_error, suberror 1: the hypervisor cannot emulate the "
		      "instruction\ndata 0x1 0xb0f02 0x0\ninstruction: 0f 0b\n");
	vcpu.run->emulation_failure.insn_size = 200; /* more than there can be */
	decode(KVM_EXIT_INTERNAL_ERROR);
	vcpu.run->internal.suberror = 77;
	vcpu.run->internal.ndata = 0;
	decode(KVM_EXIT_INTERNAL_ERROR);
	assert_report("exit internal_error, suberror 77: unknown\n");
}

static void decodes_entry_failures(void **state)
{
	const struct hutch_exit *exit;

	(void)state;
	vcpu.run->fail_entry.hardware_entry_failure_reason = 0x80000021;
	vcpu.run->fail_entry.cpu = 3;
	exit = decode(KVM_EXIT_FAIL_ENTRY);
	assert_int_equal(exit->reason, HUTCH_EXIT_ENTRY_FAILURE);
	assert_int_equal(exit->entry_failure.hardware_reason, 0x80000021);
	assert_int_equal(exit->entry_failure.cpu, 3);
	assert_report("exit entry_failure, hardware reason 0x80000021: invalid guest state, on CPU "
		      "3\n");
	vcpu.run->fail_entry.hardware_entry_failure_reason = 7;
	decode(KVM_EXIT_FAIL_ENTRY);
	assert_report("exit entry_failure, hardware reason 0x7: see the processor's manual, on CPU "
		      "3\n");
}

static void decodes_system_events(void **state)
{
	const struct hutch_exit *exit;

	(void)state;
	vcpu.run->system_event.type = KVM_SYSTEM_EVENT_RESET;
	vcpu.run->system_event.flags = 5;
	exit = decode(KVM_EXIT_SYSTEM_EVENT);
	assert_int_equal(exit->reason, HUTCH_EXIT_SYSTEM_EVENT);
	assert_int_equal(exit->system_event.type, KVM_SYSTEM_EVENT_RESET);
	assert_report("exit system_event, reset (type 2), flags 0x5\n");
	vcpu.run->system_event.type = 1000;
	decode(KVM_EXIT_SYSTEM_EVENT);
	assert_report("exit system_event, unknown (type 1000), flags 0x5\n");
}

static void decodes_the_rest(void **state)
{
	static const struct {
		uint32_t kvm_reason;
		enum hutch_exit_reason reason;
		const char *report;
	} simple[] = {
		{ KVM_EXIT_HLT, HUTCH_EXIT_HLT, "exit hlt\n" },
		{ KVM_EXIT_SHUTDOWN, HUTCH_EXIT_SHUTDOWN, "exit shutdown, triple fault\n" },
		{ KVM_EXIT_IRQ_WINDOW_OPEN, HUTCH_EXIT_IRQ_WINDOW, "exit irq_window\n" },
		{ KVM_EXIT_SET_TPR, HUTCH_EXIT_TPR, "exit tpr\n" },
		{ KVM_EXIT_INTR, HUTCH_EXIT_INTERRUPTED, "exit interrupted\n" },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
		assert_int_equal(decode(simple[i].kvm_reason)->reason, simple[i].reason);
		assert_false(vcpu.pending);
		assert_report(simple[i].report);
	}
	vcpu.run->eoi.vector = 0x31;
	assert_int_equal(decode(KVM_EXIT_IOAPIC_EOI)->ioapic_eoi.vector, 0x31);
	assert_int_equal(vcpu.exit.reason, HUTCH_EXIT_IOAPIC_EOI);
	assert_report("exit ioapic_eoi, vector 0x31\n");
}

static void has_no_word_for_others_but_says_so(void **state)
{
	(void)state;
	vcpu.run->hw.hardware_exit_reason = 0x55;
	assert_int_equal(decode(KVM_EXIT_UNKNOWN)->reason, HUTCH_EXIT_UNKNOWN);
	assert_report("exit unknown, KVM exit reason 0 (unknown to the hypervisor), hardware "
		      "reason 0x55\n");
	assert_int_equal(decode(KVM_EXIT_X86_BUS_LOCK)->reason, HUTCH_EXIT_UNKNOWN);
	assert_report("exit unknown, KVM exit reason 33 (bus lock), hardware reason 0x0\n");
	for (uint32_t reason = 38; reason < 300; reason++) {
		assert_int_equal(decode(reason)->reason, HUTCH_EXIT_UNKNOWN);
		assert_false(vcpu.pending);
	}
	assert_int_equal(decode(0xffffffff)->reason, HUTCH_EXIT_UNKNOWN);
	assert_report("exit unknown, KVM exit reason 4294967295 (no known name), hardware reason "
		      "0x0\n");
}

static void every_reason_has_a_name(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < HUTCH_EXIT_COUNT; i++) {
		assert_non_null(hutch_exit_name(i));
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(hutch_exit_name(i), hutch_exit_name(j));
	}
	assert_string_equal(hutch_exit_name(HUTCH_EXIT_COUNT), "invalid");
}

static void a_report_counts_what_it_cannot_hold(void **state)
{
	char text[16];
	struct report report = { text, sizeof(text), 0 }, nothing = { NULL, 0, 0 };

	(void)state;
	decode(KVM_EXIT_SHUTDOWN);
	report_exit(&report, &vcpu);
	report_exit(&nothing, &vcpu);
	assert_string_equal(text, "exit shutdown, ");
	assert_int_equal(report.used, strlen("exit shutdown, triple fault\n"));
	assert_int_equal(nothing.used, report.used);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(decodes_io),
		TEST(decodes_mmio),
		TEST(decodes_msr_accesses),
		TEST(decodes_hypercalls),
		TEST(decodes_debug_exits),
		TEST(decodes_internal_errors),
		TEST(decodes_entry_failures),
		TEST(decodes_system_events),
		TEST(decodes_the_rest),
		TEST(has_no_word_for_others_but_says_so),
		TEST(every_reason_has_a_name),
		TEST(a_report_counts_what_it_cannot_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
