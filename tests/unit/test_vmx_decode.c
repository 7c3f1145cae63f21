/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * From VM exits, as the manual's tables have them, to the core's own; and from events to
 * what a VM entry injects.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/vmx/vmx.h"
#include "x86/exception.h"

#define BASE ((struct vmx_exit_information){ .length = 2 })

static struct hv_vcpu vcpu;

static int clear(void **state)
{
	(void)state;
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.rip = 0x1000;
	vcpu.dr6 = 0xffff0ff0;
	vcpu.dr7 = 0x400;
	return 0;
}

static struct hv_exit decoded(const struct vmx_exit_information *information)
{
	struct hv_exit exit;

	memset(&exit, 0xa5, sizeof(exit));
	vmx_decode(&vcpu, information, &exit);
	return exit;
}

static struct hv_exit simple(uint32_t reason, uint64_t qualification)
{
	const struct vmx_exit_information information = {
		.reason = reason,
		.qualification = qualification,
		.length = 3,
	};

	return decoded(&information);
}

static void reasons_without_more(void **state)
{
	static const struct {
		uint32_t reason;
		enum hv_exit_reason expected;
		uint8_t length;
	} rows[] = {
		{ VMX_REASON_EXTERNAL_INTERRUPT, HV_EXIT_HOST_INTERRUPT, 0 },
		{ VMX_REASON_TRIPLE_FAULT, HV_EXIT_SHUTDOWN, 0 },
		{ VMX_REASON_INTERRUPT_WINDOW, HV_EXIT_INTERRUPT_WINDOW, 0 },
		{ VMX_REASON_NMI_WINDOW, HV_EXIT_NMI_WINDOW, 0 },
		{ VMX_REASON_CPUID, HV_EXIT_CPUID, 3 },
		{ VMX_REASON_HLT, HV_EXIT_HLT, 3 },
		{ VMX_REASON_VMCALL, HV_EXIT_HYPERCALL, 3 },
		{ VMX_REASON_VMXON, HV_EXIT_VIRTUALIZATION, 3 },
		{ VMX_REASON_INVD, HV_EXIT_INVALIDATE_CACHE, 3 },
		{ VMX_REASON_WBINVD, HV_EXIT_INVALIDATE_CACHE, 3 },
		{ VMX_REASON_RDTSCP, HV_EXIT_RDTSCP, 3 },
		{ VMX_REASON_XSETBV, HV_EXIT_XSETBV, 3 },
		{ VMX_REASON_PREEMPTION_TIMER, HV_EXIT_DEADLINE, 0 },
		{ VMX_REASON_MONITOR_TRAP_FLAG, HV_EXIT_SINGLE_STEP, 0 },
		{ VMX_REASON_EPT_MISCONFIGURATION, HV_EXIT_UNKNOWN, 0 },
		{ VMX_REASON_RDRAND, HV_EXIT_UNKNOWN, 0 },
		{ 0x1234, HV_EXIT_UNKNOWN, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hv_exit exit = simple(rows[i].reason, 0x77);

		assert_int_equal(exit.reason, rows[i].expected);
		assert_int_equal(exit.length, rows[i].length);
		assert_int_equal(exit.number, rows[i].reason);
		assert_int_equal(exit.details[0], 0x77);
	}
	assert_false(vcpu.pending.injecting.valid);
}

/* SDM 3, tables 28-3, 28-4 and 28-5 */
static void instructions_with_details(void **state)
{
	struct hv_exit exit;

	(void)state;
	exit = simple(VMX_REASON_IO_INSTRUCTION, 0x3f80000 | VMX_IO_IN | 3);
	assert_int_equal(exit.reason, HV_EXIT_IO);
	assert_int_equal(exit.io.port, 0x3f8);
	assert_int_equal(exit.io.size, 4);
	assert_true(exit.io.in);
	assert_false(exit.io.string);
	exit = simple(VMX_REASON_IO_INSTRUCTION, 0x800000 | VMX_IO_STRING | VMX_IO_REP);
	assert_int_equal(exit.io.port, 0x80);
	assert_int_equal(exit.io.size, 1);
	assert_false(exit.io.in);
	assert_true(exit.io.string);

	exit = simple(VMX_REASON_CR_ACCESS, 4);
	assert_int_equal(exit.reason, HV_EXIT_CONTROL_REGISTER);
	assert_int_equal(exit.control.number, 4);
	assert_true(exit.control.write);
	exit = simple(VMX_REASON_CR_ACCESS, 8 | VMX_CR_MOV_FROM << VMX_CR_ACCESS_SHIFT);
	assert_int_equal(exit.control.number, 8);
	assert_false(exit.control.write);
	assert_true(simple(VMX_REASON_CR_ACCESS, VMX_CR_CLTS << VMX_CR_ACCESS_SHIFT).control.write);

	exit = simple(VMX_REASON_MOV_DR, 7 | VMX_DR_MOV_FROM);
	assert_int_equal(exit.reason, HV_EXIT_DEBUG_REGISTER);
	assert_int_equal(exit.debug.number, 7);
	assert_false(exit.debug.write);

	assert_false(simple(VMX_REASON_RDMSR, 0).msr.write);
	assert_true(simple(VMX_REASON_WRMSR, 0).msr.write);
}

static void memory(void **state)
{
	struct vmx_exit_information information = {
		.reason = VMX_REASON_EPT_VIOLATION,
		.physical_address = 0xfee00300,
		.length = 7, /* of no meaning here */
	};
	struct hv_exit exit;

	(void)state;
	information.qualification = VMX_EPT_WRITE | VMX_EPT_LINEAR_ADDRESS_VALID | VMX_EPT_FINAL;
	exit = decoded(&information);
	assert_int_equal(exit.reason, HV_EXIT_MEMORY);
	assert_int_equal(exit.memory.gpa, 0xfee00300);
	assert_true(exit.memory.write);
	assert_false(exit.memory.fetch);
	assert_false(exit.memory.present);
	assert_int_equal(exit.length, 0);
	information.qualification = VMX_EPT_FETCH | VMX_EPT_READABLE;
	exit = decoded(&information);
	assert_false(exit.memory.write);
	assert_true(exit.memory.fetch);
	assert_true(exit.memory.present);
}

static void exceptions(void **state)
{
	struct vmx_exit_information information = {
		.reason = VMX_REASON_EXCEPTION_OR_NMI,
		.interruption = vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_PF) |
				VMX_EVENT_ERROR_CODE,
		.error_code = 6,
		.qualification = 0xdead000,
	};
	struct hv_exit exit = decoded(&information);

	(void)state;
	assert_int_equal(exit.reason, HV_EXIT_EXCEPTION);
	assert_int_equal(exit.exception.vector, EXCEPTION_PF);
	assert_int_equal(exit.exception.error_code, 6);
	assert_int_equal(exit.exception.address, 0xdead000);

	information.interruption = vmx_event(VMX_EVENT_NMI, EXCEPTION_NMI);
	assert_int_equal(decoded(&information).reason, HV_EXIT_HOST_NMI);
}

/* The processor leaves DR6 alone: SDM 3, table 28-1. */
static void debug_exceptions(void **state)
{
	struct vmx_exit_information information = {
		.reason = VMX_REASON_EXCEPTION_OR_NMI,
		.interruption = vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_DB),
		.qualification = 0x4002, /* BS, B1 */
		.length = 1,
	};

	(void)state;
	vcpu.dr6 |= 1;
	vcpu.dr7 |= 0x2000;
	decoded(&information);
	assert_int_equal(vcpu.dr6, 0xffff4ff2);
	assert_int_equal(vcpu.dr7, 0x400);
	assert_int_equal(vcpu.rip, 0x1000);
	/* A debug exception in a transaction clears a bit. */
	information.qualification = 0x10001;
	decoded(&information);
	assert_int_equal(vcpu.dr6, 0xfffe4ff1);
	/* INT1 */
	information.interruption = vmx_event(VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, EXCEPTION_DB);
	decoded(&information);
	assert_int_equal(vcpu.rip, 0x1001);
}

static void events_cut_short(void **state)
{
	struct vmx_exit_information information = BASE;
	const struct hv_event *event = &vcpu.pending.injecting;

	(void)state;
	information.reason = VMX_REASON_EPT_VIOLATION;
	information.vectoring = vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_PF) |
				VMX_EVENT_ERROR_CODE;
	information.vectoring_error_code = 2;
	decoded(&information);
	assert_true(event->valid);
	assert_int_equal(event->type, HV_EVENT_EXCEPTION);
	assert_int_equal(event->vector, EXCEPTION_PF);
	assert_true(event->has_error_code);
	assert_int_equal(event->error_code, 2);
	assert_int_equal(event->length, 0);

	information.vectoring = vmx_event(VMX_EVENT_SOFTWARE_INTERRUPT, 0x80);
	decoded(&information);
	assert_int_equal(event->type, HV_EVENT_SOFT_INTERRUPT);
	assert_int_equal(event->vector, 0x80);
	assert_false(event->has_error_code);
	assert_int_equal(event->length, 2);
}

/* SDM 3, 28.2.3 */
static void nmis_and_iret(void **state)
{
	struct vmx_exit_information information = BASE;

	(void)state;
	information.reason = VMX_REASON_EPT_VIOLATION;
	information.qualification = VMX_EPT_NMI_UNBLOCKED;
	decoded(&information);
	assert_true(vcpu.pending.nmi_blocked);

	vcpu.pending.nmi_blocked = false;
	information.vectoring = vmx_event(VMX_EVENT_EXTERNAL_INTERRUPT, 32);
	decoded(&information);
	assert_false(vcpu.pending.nmi_blocked);

	information = BASE;
	information.reason = VMX_REASON_EXCEPTION_OR_NMI;
	information.interruption = vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_AC) |
				   VMX_EVENT_ERROR_CODE | VMX_EVENT_NMI_UNBLOCKED;
	decoded(&information);
	assert_true(vcpu.pending.nmi_blocked);
}

/* SDM 3, table 28-2 */
static void task_switches(void **state)
{
	struct vmx_exit_information information = BASE;
	struct hv_exit exit;

	(void)state;
	information.reason = VMX_REASON_TASK_SWITCH;
	information.qualification = 0x28 | (uint64_t)VMX_TASK_SWITCH_JMP << 30;
	exit = decoded(&information);
	assert_int_equal(exit.task.selector, 0x28);
	assert_int_equal(exit.task.source, VMX_TASK_SWITCH_JMP);
	assert_false(exit.task.has_error_code);
	assert_int_equal(exit.length, 2);
	information.qualification = 0x30 | (uint64_t)VMX_TASK_SWITCH_GATE << 30;
	information.vectoring = vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_DF) |
				VMX_EVENT_ERROR_CODE;
	exit = decoded(&information);
	assert_true(exit.task.has_error_code);
	assert_int_equal(exit.length, 0);
}

static void entries_that_failed(void **state)
{
	struct hv_exit exit =
		simple(VMX_REASON_ENTRY_FAILURE | VMX_REASON_ENTRY_FAILURE_GUEST_STATE, 4);

	(void)state;
	assert_int_equal(exit.reason, HV_EXIT_ENTRY_FAILURE);
	assert_int_equal(exit.number, 0x80000021);
	assert_int_equal(exit.details[0], 4);
}

static void injection(void **state)
{
	struct hv_event event = { .type = HV_EVENT_INTERRUPT, .vector = 0x31 };
	uint32_t error_code, length;

	(void)state;
	assert_int_equal(vmx_decode_event(&event, true, &error_code, &length), 0x80000031);
	assert_int_equal(length, 0);
	event = (struct hv_event){ .type = HV_EVENT_NMI };
	assert_int_equal(vmx_decode_event(&event, true, &error_code, &length), 0x80000202);
	event = (struct hv_event){
		.type = HV_EVENT_EXCEPTION,
		.vector = EXCEPTION_GP,
		.has_error_code = true,
		.error_code = 0x12340018,
	};
	assert_int_equal(vmx_decode_event(&event, true, &error_code, &length), 0x80000b0d);
	assert_int_equal(error_code, 0x18);
	/* Real mode has no error codes (SDM 3, 27.2.1.3). */
	assert_int_equal(vmx_decode_event(&event, false, &error_code, &length), 0x8000030d);
	/* Nor has #UD, whatever a VMM says. */
	event.vector = EXCEPTION_UD;
	assert_int_equal(vmx_decode_event(&event, true, &error_code, &length), 0x80000306);
	event = (struct hv_event){ .type = HV_EVENT_EXCEPTION, .vector = EXCEPTION_BP };
	assert_int_equal(vmx_decode_event(&event, true, &error_code, &length), 0x80000603);
	assert_int_equal(length, 1);
	event = (struct hv_event){ .type = HV_EVENT_SOFT_INTERRUPT, .vector = 0x80, .length = 2 };
	assert_int_equal(vmx_decode_event(&event, true, &error_code, &length), 0x80000480);
	assert_int_equal(length, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(reasons_without_more, clear),
		cmocka_unit_test_setup(instructions_with_details, clear),
		cmocka_unit_test_setup(memory, clear),
		cmocka_unit_test_setup(exceptions, clear),
		cmocka_unit_test_setup(debug_exceptions, clear),
		cmocka_unit_test_setup(events_cut_short, clear),
		cmocka_unit_test_setup(nmis_and_iret, clear),
		cmocka_unit_test_setup(task_switches, clear),
		cmocka_unit_test_setup(entries_that_failed, clear),
		cmocka_unit_test_setup(injection, clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
