/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Moments that a vCPU waits for: its timer in the processor's hands, and the time-stamp
 * counter that is written, scaled or lost while a deadline is armed.
 */

#include "core/msr.h"
#include "core/processor.h"
#include "core/tsc.h"
#include "dev/lapic_internal.h"
#include "tests/unit/core_irqchip_fixture.h"

#define SECOND 1000000000ull
#define FAR    (1000 * SECOND) /* what a test takes is nothing to it */
#define SLACK  (10 * SECOND)

static int setup_deadlines(void **state)
{
	fixture_deadlines = true;
	setup(state);
	fixture_deadlines = false;
	return 0;
}

#define DEADLINE(name) cmocka_unit_test_setup_teardown(name, setup_deadlines, teardown)

static void start_timer(uint32_t counts)
{
	lapic_set(&vcpu, LAPIC_DIVIDE, 0xb); /* by 1: nanoseconds */
	lapic_set(&vcpu, LAPIC_LVT_TIMER, VECTOR);
	lapic_set(&vcpu, LAPIC_INITIAL_COUNT, counts);
}

static bool near(uint64_t value, uint64_t expected)
{
	return value >= expected - SLACK && value <= expected + SLACK;
}

/* ---- by the processor ------------------------------------------------------------------------ */

static void test_no_timer_of_the_hosts(void **state)
{
	uint64_t before = processor_tsc();

	(void)state;
	vcpu.local_apic->timer->moment = 77;
	start_timer(5000);
	assert_int_equal(vcpu.local_apic->timer->moment, 77);
	assert_true(vcpu.deadline > before + 5000 && vcpu.deadline <= processor_tsc() + 5001);
	fixture_now += 5000;
	vcpu.deadline = 1; /* the counter is beyond it */
	leaves(HV_EXIT_DEADLINE, CODE(""));
	run_once();
	injected(1, VECTOR);
	assert_int_equal(vcpu.deadline, 0);
	assert_int_equal(vcpu.local_apic->timer->moment, 77);
}

/* The exit that nobody asked for, and the one that is a little early. */
static void test_not_yet(void **state)
{
	(void)state;
	start_timer(5000);
	vcpu.deadline = UINT64_MAX;
	leaves(HV_EXIT_DEADLINE, CODE(""));
	run_once();
	assert_true(vcpu.deadline == UINT64_MAX);
	fixture_now += 4000;
	vcpu.deadline = 1;
	leaves(HV_EXIT_DEADLINE, CODE(""));
	run_once();
	assert_int_equal(processor.injections, 0);
	assert_true(vcpu.deadline > 1 && vcpu.deadline <= processor_tsc() + 1001);
}

static void wakes_by_the_host(struct hv_vcpu *waiting)
{
	assert_int_equal(waiting->local_apic->timer->moment, fixture_now + 5000);
	fixture_now += 5000;
	hv_vcpu_timer_due(waiting);
}

static void test_sleep_is_the_hosts(void **state)
{
	(void)state;
	start_timer(5000);
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	fixture_on_wait = wakes_by_the_host;
	run_once();
	assert_int_equal(fixture_waits, 1);
	injected(1, VECTOR);
	assert_true(vcpu.local_apic->timer->moment == UINT64_MAX);
	assert_int_equal(vcpu.deadline, 0);
}

static void set_again(struct hv_vcpu *waiting)
{
	assert_int_equal(waiting->local_apic->timer->moment, fixture_now + 5000);
	set_pin(true);
}

/* Woken by something else, with the host's timer running: it goes on, or is called back. */
static void test_woken_by_another(void **state)
{
	(void)state;
	route_pin(VECTOR + 1);
	start_timer(5000);
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	fixture_on_wait = set_again;
	run_once();
	injected(1, VECTOR + 1);
	assert_int_equal(vcpu.local_apic->timer->moment, fixture_now + 5000);
	lapic_set(&vcpu, LAPIC_INITIAL_COUNT, 9000);
	assert_true(vcpu.local_apic->timer->moment == UINT64_MAX);
	assert_true(vcpu.deadline > processor_tsc() - SLACK);
}

static void test_another_cpu(void **state)
{
	(void)state;
	start_timer(5000);
	hv_vcpu_load(&vcpu, 0);
	run_once();
	vcpu.deadline = UINT64_MAX; /* of a counter that is another's */
	hv_vcpu_load(&vcpu, 0);
	run_once();
	assert_true(vcpu.deadline == UINT64_MAX);
	hv_vcpu_load(&vcpu, 1);
	run_once();
	assert_true(vcpu.deadline <= processor_tsc() + 5001);
}

static void test_far_away(void **state)
{
	uint64_t before = processor_tsc();

	(void)state;
	start_timer(UINT32_MAX); /* more than four seconds */
	assert_true(vcpu.deadline > before && vcpu.deadline <= processor_tsc() + SECOND + 1);
}

/* ---- the counter ------------------------------------------------------------------------------- */

static bool set_msr(uint32_t index, uint64_t value)
{
	return msr_access(&vcpu, index, true, &value) == MSR_DONE;
}

/* FAR ticks from now on. */
static void arm(void)
{
	hv_vcpu_set_tsc_offset(&vcpu, 10 * FAR);
	lapic_set(&vcpu, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR);
	assert_true(set_msr(IA32_TSC_DEADLINE, tsc_now(&vcpu) + FAR));
}

static uint64_t due(void)
{
	return vcpu.local_apic->due - (fixture_now - vm.irqchip->epoch);
}

static void test_counter_written(void **state)
{
	uint64_t offset;

	(void)state;
	arm();
	assert_true(near(due(), FAR));
	assert_true(set_msr(IA32_TSC_ADJUST, FAR / 2));
	assert_true(near(due(), FAR / 2));
	assert_true(near(vcpu.local_apic->timer->moment - fixture_now, FAR / 2));
	assert_true(set_msr(IA32_TIME_STAMP_COUNTER, tsc_now(&vcpu) - FAR));
	assert_true(near(due(), FAR + FAR / 2));
	assert_true(hv_vcpu_set_msr(&vcpu, IA32_TIME_STAMP_COUNTER, tsc_now(&vcpu) + FAR / 4));
	assert_true(near(due(), FAR + FAR / 4));
	offset = vcpu.tsc_offset;
	hv_vcpu_set_tsc_offset(&vcpu, offset + FAR);
	assert_true(near(due(), FAR / 4));
	/* What has been reached by that comes at once. */
	hv_vcpu_set_tsc_offset(&vcpu, offset + 2 * FAR);
	run_once();
	injected(1, VECTOR);
}

static void test_rate_changed(void **state)
{
	uint64_t deadline;

	(void)state;
	processor.tsc_fraction_bits = 32;
	arm();
	deadline = lapic_timer_tsc_deadline(&vcpu.local_apic->lapic);
	/* The counter goes half as fast, as if it always had: it is back behind where it was. */
	assert_true(hv_vcpu_set_tsc_khz(&vcpu, 500000));
	assert_true(near(due(), 2 * (deadline - tsc_now(&vcpu))));
	assert_true(due() > FAR);
}

/* ---- the host sleeps ----------------------------------------------------------------------------- */

static void test_host_sleeps(void **state)
{
	uint64_t before = tsc_now(&vcpu), offset = vcpu.tsc_offset;

	(void)state;
	assert_true(tsc_all_agree(&vm));
	hv_tsc_slept(FAR, 0);
	hv_vcpu_load(&vcpu, 0);
	assert_int_equal(vcpu.tsc_offset, offset + FAR);
	assert_int_equal(processor.tsc_offset, offset + FAR);
	assert_true(tsc_at(&vcpu, processor_tsc()) >= before);
	/* A counter that went on is nothing to make up for. */
	hv_tsc_slept(0, FAR);
	hv_vcpu_load(&vcpu, 0);
	assert_int_equal(vcpu.tsc_offset, offset + FAR);
	/* The other one has slept twice when it comes. */
	hv_tsc_slept(FAR + 5, 5);
	hv_vcpu_load(&second, 0);
	hv_vcpu_load(&vcpu, 0);
	assert_int_equal(second.tsc_offset, offset + 2 * FAR);
	assert_true(tsc_all_agree(&vm));
	/* What the VMM writes, and a reset, are beside the VM's counter as it is now. */
	assert_true(hv_vcpu_set_msr(&second, IA32_TIME_STAMP_COUNTER, 0));
	assert_int_equal(second.tsc_offset, offset + 2 * FAR);
}

static void test_scaled_host_sleeps(void **state)
{
	(void)state;
	processor.tsc_fraction_bits = 32;
	assert_true(hv_vcpu_set_tsc_khz(&vcpu, 1500000));
	assert_true(hv_vcpu_set_tsc_khz(&second, 1500000));
	/* Odd ticks, whose halves one of them loses twice and the other once. */
	hv_tsc_slept(FAR + 1, 0);
	hv_vcpu_load(&vcpu, 0);
	hv_tsc_slept(FAR + 1, 0);
	hv_vcpu_load(&vcpu, 0);
	hv_vcpu_load(&second, 0);
	assert_true(tsc_all_agree(&vm));
}

static void test_deadline_after_sleep(void **state)
{
	(void)state;
	start_timer(5000);
	hv_vcpu_load(&vcpu, 0);
	run_once();
	vcpu.deadline = UINT64_MAX; /* of the old counter */
	hv_tsc_slept(FAR, 0);
	hv_vcpu_load(&vcpu, 0);
	run_once();
	assert_true(vcpu.deadline <= processor_tsc() + 5001);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEADLINE(test_no_timer_of_the_hosts),
		DEADLINE(test_not_yet),
		DEADLINE(test_sleep_is_the_hosts),
		DEADLINE(test_woken_by_another),
		DEADLINE(test_another_cpu),
		DEADLINE(test_far_away),
		TEST(test_counter_written),
		TEST(test_rate_changed),
		TEST(test_host_sleeps),
		TEST(test_scaled_host_sleeps),
		DEADLINE(test_deadline_after_sleep),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
