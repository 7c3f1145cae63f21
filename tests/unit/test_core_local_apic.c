/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A vCPU and its local APIC in the core: interrupts among vCPUs, the timer, sleep, CR8;
 * its registers saved and restored.
 */

#include "tests/unit/core_irqchip_fixture.h"

/* ---- vCPUs among themselves --------------------------------------------------------------------- */

static void send(uint32_t destination, uint32_t icr)
{
	lapic_set(&vcpu, LAPIC_ICR_HIGH, destination << 24);
	lapic_set(&vcpu, LAPIC_ICR, icr);
}

static void start_second(void)
{
	send(1, APIC_DELIVERY_INIT << APIC_DELIVERY_SHIFT | LAPIC_ICR_ASSERT);
	send(1, APIC_DELIVERY_STARTUP << APIC_DELIVERY_SHIFT | LAPIC_ICR_ASSERT | 0x12);
}

static void test_init_and_sipi(void **state)
{
	(void)state;
	second.local_apic->attention = 0;
	assert_int_equal(hv_vcpu_get_activity(&second), HV_WAITS_FOR_SIPI);
	assert_int_equal(hv_vcpu_run(&second, false), HOST_EINTR);
	assert_int_equal(fixture_waits, 1);
	start_second();
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(hv_vcpu_run(&second, false), HOST_OK);
	assert_int_equal(hv_vcpu_get_activity(&second), HV_RUNS);
	assert_int_equal(second.rip, 0);
	assert_int_equal(processor.system.segments[SEGMENT_NUMBER_CS].base, 0x12000);
	assert_int_equal(processor.system.segments[SEGMENT_NUMBER_CS].selector, 0x1200);
}

static void test_ipi(void **state)
{
	(void)state;
	start_second();
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	hv_vcpu_run(&second, false);
	lapic_set(&second, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	second.rflags |= RFLAGS_IF;
	second.mode = HV_IN_GUEST;
	send(1, VECTOR);
	assert_int_equal(fixture_kicks, 1);
	assert_true(hv_vcpu_has_attention(&second));
	second.mode = HV_OUTSIDE;
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(hv_vcpu_run(&second, false), HOST_OK);
	injected(1, VECTOR);
	run_once();
	assert_int_equal(processor.injections, 1);
}

static void test_nmi(void **state)
{
	(void)state;
	vcpu.rflags &= ~RFLAGS_IF;
	hv_irqchip_nmi(&vcpu);
	run_once();
	assert_int_equal(processor.injections, 1);
	assert_int_equal(processor.injected[0].type, HV_EVENT_NMI);
}

static void test_bootstrap_is_another(void **state)
{
	(void)state;
	hv_vcpu_free(&second);
	vm.vcpu_count--;
	vm.bootstrap = 1;
	add_vcpu(&second, second_data);
	assert_int_equal(hv_vcpu_get_activity(&second), HV_RUNS);
	assert_true(second.apic_base & IA32_APIC_BASE_BSP);
}

/* ---- time and sleep -------------------------------------------------------------------------------- */

static void test_timer(void **state)
{
	(void)state;
	lapic_set(&vcpu, LAPIC_DIVIDE, 0xb); /* by 1: nanoseconds */
	lapic_set(&vcpu, LAPIC_LVT_TIMER, VECTOR);
	lapic_set(&vcpu, LAPIC_INITIAL_COUNT, 5000);
	assert_int_equal(vcpu.local_apic->timer->moment, fixture_now + 5000);
	fixture_now += 2000;
	assert_int_equal(guest_read(&vcpu, LAPIC_GPA + LAPIC_CURRENT_COUNT * 16), 3000);
	run_once();
	assert_int_equal(processor.injections, 0);
	fixture_now += 3000;
	hv_vcpu_timer_due(&vcpu);
	run_once();
	injected(1, VECTOR);
	assert_int_equal(vcpu.local_apic->timer->moment, UINT64_MAX);
}

/* The host's clock is a little behind its timer's: it is set again. */
static void test_timer_too_early(void **state)
{
	(void)state;
	lapic_set(&vcpu, LAPIC_DIVIDE, 0xb);
	lapic_set(&vcpu, LAPIC_LVT_TIMER, VECTOR);
	lapic_set(&vcpu, LAPIC_INITIAL_COUNT, 5000);
	fixture_now += 4999;
	vcpu.local_apic->timer->moment = 0;
	hv_vcpu_timer_due(&vcpu);
	run_once();
	assert_int_equal(processor.injections, 0);
	assert_int_equal(vcpu.local_apic->timer->moment, fixture_now + 1);
}

static void raise_pin(struct hv_vcpu *waiting)
{
	(void)waiting;
	set_pin(true);
}

static void test_hlt(void **state)
{
	(void)state;
	route_pin(VECTOR | EDGE);
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	fixture_on_wait = raise_pin;
	run_once();
	injected(1, VECTOR);
	assert_int_equal(fixture_waits, 1);
	assert_int_equal(vcpu.rip, 0x10001);
}

/* What comes while interrupts are off wakes nobody; a signal does. */
static void test_hlt_with_interrupts_off(void **state)
{
	(void)state;
	route_pin(VECTOR | EDGE);
	vcpu.rflags &= ~RFLAGS_IF;
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	assert_int_equal(run(), HOST_EINTR);
	assert_int_equal(hv_vcpu_get_activity(&vcpu), HV_HALTED);
	set_pin(true);
	assert_int_equal(run(), HOST_EINTR);
	assert_int_equal(processor.injections, 0);
	event_nmi(&vcpu);
	run_once();
	assert_int_equal(processor.injected[0].type, HV_EVENT_NMI);
	assert_int_equal(hv_vcpu_get_activity(&vcpu), HV_RUNS);
}

static void test_activity(void **state)
{
	(void)state;
	hv_vcpu_set_activity(&second, HV_RUNS);
	assert_int_equal(hv_vcpu_get_activity(&second), HV_RUNS);
	hv_vcpu_set_activity(&second, HV_HALTED);
	assert_int_equal(hv_vcpu_get_activity(&second), HV_HALTED);
	hv_vcpu_set_activity(&second, HV_WAITS_FOR_SIPI);
	assert_int_equal(hv_vcpu_get_activity(&second), HV_WAITS_FOR_SIPI);
}

/* ---- CR8 --------------------------------------------------------------------------------------------- */

static void raise_cr8(struct hv_vcpu *running)
{
	running->cr8 = 5;
	processor.on_enter = NULL;
}

static void test_cr8_holds_back(void **state)
{
	(void)state;
	route_pin(VECTOR | EDGE);
	processor.on_enter = raise_cr8;
	run_once();
	assert_int_equal(lapic_cr8(&vcpu.local_apic->lapic), 5);
	assert_int_equal(processor.tpr_below, 0);
	/* The guest may have lowered it by itself since: it is fetched, and asked. */
	vcpu.local_apic->attention = 0;
	set_pin(true);
	assert_true(hv_vcpu_has_attention(&vcpu));
	run_once();
	assert_int_equal(processor.injections, 0);
	assert_int_equal(processor.tpr_below, VECTOR >> 4);
	vcpu.gpr[GPR_RAX] = 3;
	leaves(HV_EXIT_CONTROL_REGISTER, CODE("\x44\x0f\x22\xc0")); /* mov %rax, %cr8 */
	run_once();
	injected(1, VECTOR);
	assert_int_equal(processor.tpr_below, 0);
	assert_int_equal(vcpu.cr8, 3);
}

/* ---- saved and restored --------------------------------------------------------------------------------------- */

static void test_registers_come_back(void **state)
{
	uint32_t words[HV_LAPIC_WORDS], again[HV_LAPIC_WORDS];

	(void)state;
	lapic_set(&vcpu, LAPIC_TPR, 0x20);
	lapic_set(&vcpu, LAPIC_LDR, 0x01000000);
	lapic_set(&vcpu, LAPIC_DIVIDE, 0xb);
	lapic_set(&vcpu, LAPIC_LVT_TIMER, 0x33);
	lapic_set(&vcpu, LAPIC_INITIAL_COUNT, 5000);
	hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), VECTOR);
	fixture_now += 1000;
	hv_vcpu_get_lapic(&vcpu, words);
	assert_int_equal(words[LAPIC_CURRENT_COUNT], 4000);
	assert_int_equal(words[LAPIC_IRR + VECTOR / 32], 1u << VECTOR % 32);
	lapic_set(&vcpu, LAPIC_SVR, 0);
	lapic_set(&vcpu, LAPIC_TPR, 0);
	lapic_set(&vcpu, LAPIC_INITIAL_COUNT, 0);
	hv_vcpu_set_lapic(&vcpu, words);
	hv_vcpu_get_lapic(&vcpu, again);
	assert_memory_equal(words, again, sizeof(words));
	assert_int_equal(vcpu.cr8, 2);
	assert_int_equal(vcpu.local_apic->timer->moment, fixture_now + 4000);
	run_once();
	injected(1, VECTOR);
}

static void test_modes_by_the_host(void **state)
{
	const uint64_t page = 0xfee00000 | IA32_APIC_BASE_BSP;
	const uint64_t modes[] = {
		page | IA32_APIC_BASE_EN | IA32_APIC_BASE_EXTD,
		page | IA32_APIC_BASE_EN,
		page,
		page | IA32_APIC_BASE_EN | IA32_APIC_BASE_EXTD,
		page,
		page | IA32_APIC_BASE_EN,
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		assert_true(hv_vcpu_set_msr(&vcpu, IA32_APIC_BASE, modes[i]));
		assert_int_equal(vcpu.apic_base, modes[i]);
	}
	assert_false(hv_vcpu_set_msr(&vcpu, IA32_APIC_BASE, page | IA32_APIC_BASE_EXTD));
	assert_int_equal(vcpu.apic_base, modes[5]);
}

/* A guest that is not told of the x2APIC has none. */
static void test_x2apic_unknown_to_the_guest(void **state)
{
	struct hv_cpuid leaf = { .function = 1 };
	uint64_t value = vcpu.apic_base | IA32_APIC_BASE_EXTD;

	(void)state;
	hv_vcpu_set_cpuid(&vcpu, &leaf, 1);
	assert_int_equal(msr_access(&vcpu, IA32_APIC_BASE, true, &value), MSR_INVALID);
	leaf.ecx = 1u << 21;
	assert_int_equal(msr_access(&vcpu, IA32_APIC_BASE, true, &value), MSR_DONE);
	hv_vcpu_set_cpuid(&vcpu, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_init_and_sipi),
		TEST(test_ipi),
		TEST(test_nmi),
		TEST(test_bootstrap_is_another),
		TEST(test_timer),
		TEST(test_timer_too_early),
		TEST(test_hlt),
		TEST(test_hlt_with_interrupts_off),
		TEST(test_activity),
		TEST(test_cr8_holds_back),
		TEST(test_registers_come_back),
		TEST(test_modes_by_the_host),
		TEST(test_x2apic_unknown_to_the_guest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
