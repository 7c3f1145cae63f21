/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What a guest shares with its hypervisor beside the time: stolen time, ends of interrupt
 * without an exit, hypercalls.
 */

#include "core/paravirtual.h"
#include "tests/unit/core_irqchip_fixture.h"

#define STEAL	   0x6000ull
#define EOI_FLAG   0x7000ull
#define UNKNOWN	   ((uint64_t)-1000)
#define LOW_VECTOR 0x31

static bool set_msr(uint32_t index, uint64_t value)
{
	return msr_access(&vcpu, index, true, &value) == MSR_DONE;
}

/* ---- stolen time -------------------------------------------------------------------------- */

struct shared_steal {
	uint64_t nanoseconds;
	uint32_t version, flags;
	uint8_t preempted;
};

static const struct shared_steal *steal(void)
{
	return (struct shared_steal *)(memory + STEAL);
}

static void test_steal_time(void **state)
{
	(void)state;
	fixture_run_delay = 1000; /* before the guest asked: not its concern */
	assert_true(set_msr(KVM_MSR_STEAL_TIME, STEAL | 1));
	fixture_run_delay = 1500;
	run_once();
	assert_int_equal(steal()->nanoseconds, 500);
	assert_int_equal(steal()->version, 2);
	hv_vcpu_put(&vcpu, true);
	assert_int_equal(steal()->preempted, 1);
	fixture_run_delay = 1700;
	hv_vcpu_load(&vcpu, 0);
	run_once();
	assert_int_equal(steal()->nanoseconds, 700);
	assert_int_equal(steal()->preempted, 0);
	assert_int_equal(steal()->version, 4);
	/* A thread that only leaves to answer, and comes back in time, has nothing to tell. */
	hv_vcpu_put(&vcpu, false);
	assert_int_equal(steal()->preempted, 0);
	hv_vcpu_load(&vcpu, 0);
	run_once();
	assert_int_equal(steal()->version, 4);
	/* Another thread, which has waited less, takes over. */
	fixture_run_delay = 10;
	hv_vcpu_load(&vcpu, 0);
	run_once();
	assert_int_equal(steal()->nanoseconds, 700);
}

static void test_steal_time_refused(void **state)
{
	(void)state;
	assert_false(set_msr(KVM_MSR_STEAL_TIME, STEAL | 0x20 | 1));
	fixture_counts_run_delay = false;
	assert_false(set_msr(KVM_MSR_STEAL_TIME, STEAL | 1));
	assert_true(set_msr(KVM_MSR_STEAL_TIME, 0));
}

/* The hint is given only where it is sure to reach the page that the guest has. */
static void test_no_hint(void **state)
{
	const struct hv_slot other = {
		.id = 1, .gpa = 1ull << 30, .size = HV_PAGE_SIZE, .hva = (uintptr_t)memory
	};

	(void)state;
	set_msr(KVM_MSR_STEAL_TIME, STEAL | 1);
	hv_vcpu_put(&vcpu, true); /* nothing told yet */
	assert_int_equal(steal()->preempted, 0);
	run_once();
	fixture_page_is_away = true;
	hv_vcpu_put(&vcpu, true);
	assert_int_equal(steal()->preempted, 0);
	fixture_page_is_away = false;
	hv_vcpu_load(&vcpu, 0);
	run_once();
	assert_int_equal(hv_memory_set(&vm, &other, false), HOST_OK);
	hv_vcpu_put(&vcpu, true);
	assert_int_equal(steal()->preempted, 0);
}

/* ---- ends of interrupt ----------------------------------------------------------------------- */

static bool clears_flag; /* the guest's handler ends while it is in */
static uint8_t flag_seen;

static void handler(struct hv_vcpu *in)
{
	let_interrupts_in(in);
	flag_seen = memory[EOI_FLAG];
	if (clears_flag)
		memory[EOI_FLAG] &= 0xfe;
}

static bool in_service(uint8_t vector)
{
	return vcpu.local_apic->lapic.isr[vector / 32] >> (vector % 32) & 1;
}

static void begin_handler(uint8_t vector, bool ends)
{
	assert_true(set_msr(KVM_MSR_PV_EOI_EN, EOI_FLAG | 1));
	processor.on_enter = handler;
	clears_flag = ends;
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), vector), 1);
	run_once();
}

static void test_eoi_without_an_exit(void **state)
{
	(void)state;
	begin_handler(VECTOR, true);
	injected(1, VECTOR);
	assert_int_equal(flag_seen, 1);
	assert_false(in_service(VECTOR));
	/* Nothing runs: nothing is offered. */
	run_once();
	assert_int_equal(flag_seen, 0);
}

static void test_eoi_not_used(void **state)
{
	(void)state;
	begin_handler(VECTOR, false);
	assert_int_equal(flag_seen, 1);
	assert_int_equal(memory[EOI_FLAG], 0);
	assert_true(in_service(VECTOR));
	lapic_set(&vcpu, LAPIC_EOI, 0);
	assert_false(in_service(VECTOR));
}

/* The next one comes while the guest may or may not be in its handler: it has to leave. */
static void test_eoi_with_another_behind(void **state)
{
	(void)state;
	begin_handler(VECTOR, false);
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), LOW_VECTOR), 1);
	run_once();
	assert_int_equal(flag_seen, 0);
	injected(1, VECTOR);
	lapic_set(&vcpu, LAPIC_EOI, 0);
	run_once();
	injected(2, LOW_VECTOR);
}

static void sends_lower(struct hv_vcpu *in)
{
	handler(in);
	fixture_kicks = 0;
	hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), LOW_VECTOR);
	processor.on_enter = handler;
}

static void test_eoi_then_a_lower_one(void **state)
{
	(void)state;
	assert_true(set_msr(KVM_MSR_PV_EOI_EN, EOI_FLAG | 1));
	processor.on_enter = sends_lower;
	clears_flag = true;
	hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), VECTOR);
	run_once();
	/* It stands behind one that has ended, of which nobody knew: fetched all the same. */
	assert_int_equal(fixture_kicks, 1);
	run_once();
	injected(2, LOW_VECTOR);
}

static void test_eoi_of_a_level(void **state)
{
	(void)state;
	set_msr(KVM_MSR_PV_EOI_EN, EOI_FLAG | 1);
	processor.on_enter = handler;
	route_pin(VECTOR | 1 << 15);
	set_pin(true);
	run_once();
	injected(1, VECTOR);
	assert_int_equal(flag_seen, 0);
}

static void test_eoi_of_the_periodic_timer(void **state)
{
	(void)state;
	set_msr(KVM_MSR_PV_EOI_EN, EOI_FLAG | 1);
	processor.on_enter = handler;
	lapic_set(&vcpu, LAPIC_LVT_TIMER, VECTOR | LAPIC_LVT_TIMER_PERIODIC);
	lapic_set(&vcpu, LAPIC_INITIAL_COUNT, 1000000);
	fixture_now += 2000000;
	hv_vcpu_timer_due(&vcpu);
	run_once();
	injected(1, VECTOR);
	assert_int_equal(flag_seen, 0);
}

static void test_eoi_switched_off(void **state)
{
	(void)state;
	assert_false(set_msr(KVM_MSR_PV_EOI_EN, EOI_FLAG | 3));
	assert_true(set_msr(KVM_MSR_PV_EOI_EN, 0));
	processor.on_enter = handler;
	hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), VECTOR);
	run_once();
	assert_int_equal(flag_seen, 0);
	/* No memory there: nothing ends by itself. */
	begin_handler(VECTOR + 1, false);
	assert_true(set_msr(KVM_MSR_PV_EOI_EN, (1ull << 40) | 1));
	run_once();
	assert_true(in_service(VECTOR));
}

/* ---- hypercalls ------------------------------------------------------------------------------ */

static uint64_t hypercall(uint64_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	vcpu.gpr[GPR_RAX] = number;
	vcpu.gpr[GPR_RBX] = a0;
	vcpu.gpr[GPR_RCX] = a1;
	vcpu.gpr[GPR_RDX] = a2;
	vcpu.gpr[GPR_RSI] = a3;
	leaves(HV_EXIT_HYPERCALL, CODE("\x0f\x01\xc1"));
	run_once();
	vcpu.rip = 0x10000;
	return vcpu.gpr[GPR_RAX];
}

static void test_hypercalls(void **state)
{
	(void)state;
	assert_int_equal(hypercall(1, 0, 0, 0, 0), 0);
	assert_int_equal(hypercall(9, 0, 0, 0, 0), UNKNOWN);
	assert_int_equal(hypercall(11, 0, 0, 0, 0), UNKNOWN);
	processor.system.segments[SEGMENT_NUMBER_SS].rights |= SEGMENT_DPL;
	assert_int_equal(hypercall(1, 0, 0, 0, 0), (uint64_t)-1);
	processor.system.segments[SEGMENT_NUMBER_CS].rights = SEGMENT_RIGHTS_CODE32;
	assert_int_equal(hypercall(1, 0, 0, 0, 0), (uint32_t)-1);
}

static bool requested(const struct hv_vcpu *of, uint8_t vector)
{
	return of->local_apic->lapic.irr[vector / 32] >> (vector % 32) & 1;
}

static void test_send_ipi(void **state)
{
	(void)state;
	/* Ids 1 and 3, of which there is no 3; nothing for id 0. */
	assert_int_equal(hypercall(10, 0xa, 0, 0, VECTOR), 1);
	assert_true(requested(&second, VECTOR));
	assert_false(requested(&vcpu, VECTOR));
	/* Counted from 1 on; the second word is far away. */
	assert_int_equal(hypercall(10, 1, ~0ull, 1, VECTOR + 1), 1);
	assert_true(requested(&second, VECTOR + 1));
	assert_int_equal(hypercall(10, ~0ull, 0, UINT32_MAX, VECTOR), 0);
	assert_int_equal(hypercall(10, 3, 0, 0, 1 << 11 | VECTOR), (uint64_t)-22);
	/* An NMI. */
	assert_int_equal(hypercall(10, 2, 0, 0, APIC_DELIVERY_NMI << 8), 1);
	assert_true(second.local_apic->lapic.nmi);
}

static void test_kick(void **state)
{
	(void)state;
	/* Before it sleeps, even with interrupts off: it does not then. */
	assert_int_equal(hypercall(5, 0, 0, 0, 0), 0);
	vcpu.rflags &= ~RFLAGS_IF;
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	run_once();
	assert_int_equal(fixture_waits, 0);
	/* That was all: the next sleep is one. */
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	assert_int_equal(run(), HOST_EINTR);
	assert_int_equal(fixture_waits, 1);
	assert_int_equal(hv_vcpu_get_activity(&vcpu), HV_HALTED);
	vcpu.paravirtual.unhalted = 1;
	assert_int_equal(hv_vcpu_get_activity(&vcpu), HV_RUNS);
	run_once();
	assert_int_equal(hypercall(5, 0, 77, 0, 0), 0); /* nobody */
}

static void test_hypercalls_that_cpuid_hides(void **state)
{
	(void)state;
	vcpu.paravirtual.enforced = true;
	assert_int_equal(hypercall(5, 0, 0, 0, 0), UNKNOWN);
	assert_int_equal(hypercall(10, 1, 0, 0, VECTOR), UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_steal_time),
		TEST(test_steal_time_refused),
		TEST(test_no_hint),
		TEST(test_eoi_without_an_exit),
		TEST(test_eoi_not_used),
		TEST(test_eoi_with_another_behind),
		TEST(test_eoi_then_a_lower_one),
		TEST(test_eoi_of_a_level),
		TEST(test_eoi_of_the_periodic_timer),
		TEST(test_eoi_switched_off),
		TEST(test_hypercalls),
		TEST(test_send_ipi),
		TEST(test_kick),
		TEST(test_hypercalls_that_cpuid_hides),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
