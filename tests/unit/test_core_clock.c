/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The guest's clock and its counters: what stands in its memory is read here as a guest
 * reads it, at any count of its counter.
 */

#include "core/clock.h"
#include "core/paravirtual.h"
#include "core/tsc.h"
#include "tests/unit/core_fixture.h"

#define PAGE	0x5000ull
#define OFFSET	0x123456789abcull
#define SECOND	1000000000ull
#define STABLE	1
#define STOPPED 2

struct shared_time {
	uint32_t version, pad0;
	uint64_t tsc, nanoseconds;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags, pad[2];
};

struct shared_wall {
	uint32_t version, seconds, nanoseconds;
};

static struct shared_time *shared(uint64_t gpa)
{
	return (struct shared_time *)(memory + gpa);
}

static uint64_t scaled(const struct shared_time *time, uint64_t ticks)
{
	ticks = time->shift < 0 ? ticks >> -time->shift : ticks << time->shift;
	return (uint64_t)((unsigned __int128)ticks * time->multiplier >> 32);
}

/* The guest's clock when its counter says @tsc. */
static uint64_t guest_time(uint64_t gpa, uint64_t tsc)
{
	return shared(gpa)->nanoseconds + scaled(shared(gpa), tsc - shared(gpa)->tsc);
}

/* The host's clocks @ns after the VM began, with a counter of 1 GHz that was at 5000 then. */
static void host_is_at(uint64_t ns)
{
	fixture_clock.nanoseconds = ns;
	fixture_clock.wall = 1700000000 * SECOND + 250 + ns;
	fixture_clock.tsc = 5000 + ns;
}

static int setup(void **state)
{
	fixture_setup(state);
	host_is_at(0);
	hv_clock_set(&vm, 0, NULL);
	return 0;
}

static void enter_once(void)
{
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
}

static bool set_msr(uint32_t index, uint64_t value)
{
	return msr_access(&vcpu, index, true, &value) == MSR_DONE;
}

static uint64_t get_msr(uint32_t index)
{
	uint64_t value = 0;

	assert_int_equal(msr_access(&vcpu, index, false, &value), MSR_DONE);
	return value;
}

static void test_scale_is_exact(void **state)
{
	static const uint32_t khz[] = { 1,	 1000,	  32768,   999999,  1000000,   1000001,
					2594807, 2000000, 4999999, 9999999, 4294967295 };

	(void)state;
	for (unsigned int i = 0; i < sizeof(khz) / sizeof(khz[0]); i++) {
		struct shared_time time = { 0 };
		uint64_t hour = 3600ull * 1000 * khz[i], ns;

		clock_scale(khz[i], &time.multiplier, &time.shift);
		assert_true(time.multiplier >> 31);
		ns = scaled(&time, hour);
		/* A part in 2^31, and a tick that a shift to the right loses. */
		assert_true(ns <= 3600 * SECOND && ns >= 3600 * SECOND - 1700);
	}
}

static void test_time_in_memory(void **state)
{
	(void)state;
	vcpu.tsc_offset = OFFSET;
	assert_true(set_msr(KVM_MSR_SYSTEM_TIME_NEW, PAGE | 1));
	assert_int_equal(get_msr(KVM_MSR_SYSTEM_TIME), PAGE | 1);
	assert_int_equal(shared(PAGE)->version, 0); /* not before it is entered */
	enter_once();
	assert_int_equal(shared(PAGE)->version, 2);
	assert_int_equal(shared(PAGE)->flags, STABLE);
	assert_int_equal(shared(PAGE)->tsc, 5000 + OFFSET);
	assert_int_equal(guest_time(PAGE, 5000 + OFFSET + 12345678), 12345678);
}

/* What no one changes is not told again, wherever the vCPU goes. */
static void test_stable_time_is_told_once(void **state)
{
	(void)state;
	set_msr(KVM_MSR_SYSTEM_TIME, PAGE | 1);
	enter_once();
	host_is_at(SECOND);
	hv_vcpu_load(&vcpu, 1);
	enter_once();
	assert_int_equal(shared(PAGE)->version, 2);
	assert_int_equal(guest_time(PAGE, 5000 + SECOND), SECOND);
}

static void test_unstable_time_is_told_on_each_cpu(void **state)
{
	uint32_t version;

	(void)state;
	fixture_clock.stable = false;
	fixture_clock_changes++;
	set_msr(KVM_MSR_SYSTEM_TIME, PAGE | 1);
	enter_once();
	assert_int_equal(shared(PAGE)->flags, 0);
	version = shared(PAGE)->version;
	host_is_at(SECOND);
	fixture_clock.tsc = 77; /* this CPU's own */
	hv_vcpu_load(&vcpu, 1);
	enter_once();
	assert_int_equal(shared(PAGE)->version, version + 2);
	assert_int_equal(guest_time(PAGE, 77), SECOND);
}

/* The host finds that its CPUs differ, or has slept: the clock goes on from where it was. */
static void test_host_changes(void **state)
{
	struct hv_clock_reading now;

	(void)state;
	set_msr(KVM_MSR_SYSTEM_TIME, PAGE | 1);
	enter_once();
	host_is_at(10 * SECOND);
	fixture_clock.tsc = 3;
	fixture_clock_changes++;
	hv_vcpu_load(&vcpu, 0);
	enter_once();
	assert_int_equal(shared(PAGE)->tsc, 3);
	assert_int_equal(guest_time(PAGE, 3), 10 * SECOND);
	fixture_clock.stable = false;
	fixture_clock_changes++;
	hv_clock_get(&vm, &now);
	assert_false(now.stable);
	assert_int_equal(now.nanoseconds, 10 * SECOND);
	assert_true(vcpu.requests & HV_REQUEST_CLOCK);
	enter_once();
	assert_int_equal(shared(PAGE)->flags, 0);
}

static void test_clock_is_set(void **state)
{
	struct hv_clock_reading now;
	uint64_t wall;

	(void)state;
	set_msr(KVM_MSR_SYSTEM_TIME, PAGE | 1);
	enter_once();
	host_is_at(SECOND);
	wall = fixture_clock.wall - 5 * SECOND;
	hv_clock_set(&vm, 100 * SECOND, &wall);
	enter_once();
	assert_int_equal(guest_time(PAGE, 5000 + SECOND), 105 * SECOND);
	host_is_at(3 * SECOND);
	hv_clock_get(&vm, &now);
	assert_int_equal(now.nanoseconds, 107 * SECOND);
	assert_int_equal(now.tsc, fixture_clock.tsc);
	assert_int_equal(now.wall, fixture_clock.wall);
	assert_true(now.stable);
	/* A clock that was read in the future: nothing has gone by. */
	wall = fixture_clock.wall + 1;
	hv_clock_set(&vm, 1, &wall);
	hv_clock_get(&vm, &now);
	assert_int_equal(now.nanoseconds, 1);
}

static void test_guest_is_told_that_it_stood(void **state)
{
	(void)state;
	assert_false(hv_vcpu_clock_stopped(&vcpu));
	set_msr(KVM_MSR_SYSTEM_TIME, PAGE | 1);
	assert_true(hv_vcpu_clock_stopped(&vcpu));
	enter_once();
	assert_int_equal(shared(PAGE)->flags, STABLE | STOPPED);
	/* It stays until the guest takes it away. */
	hv_clock_set(&vm, 0, NULL);
	enter_once();
	assert_int_equal(shared(PAGE)->flags, STABLE | STOPPED);
	shared(PAGE)->flags = 0;
	hv_clock_set(&vm, 0, NULL);
	enter_once();
	assert_int_equal(shared(PAGE)->flags, STABLE);
}

static void test_wall_clock(void **state)
{
	const struct shared_wall *wall = (struct shared_wall *)(memory + PAGE);

	(void)state;
	host_is_at(7 * SECOND);
	memory[PAGE] = 5; /* odd: nothing of ours */
	assert_true(set_msr(KVM_MSR_WALL_CLOCK_NEW, PAGE));
	assert_int_equal(wall->version, 6);
	assert_int_equal(wall->seconds, 1700000000);
	assert_int_equal(wall->nanoseconds, 250);
	assert_int_equal(get_msr(KVM_MSR_WALL_CLOCK), PAGE);
}

static void test_dirty_pages_are_logged(void **state)
{
	const struct hv_slot slot = {
		.id = 1, .gpa = 1ull << 30, .size = HV_PAGE_SIZE, .hva = (uintptr_t)memory
	};
	const uint64_t *dirty;

	(void)state;
	assert_int_equal(hv_memory_set(&vm, &slot, true), HOST_OK);
	dirty = hv_memory_slot(&vm, 1)->dirty;
	set_msr(KVM_MSR_SYSTEM_TIME, slot.gpa | 1);
	assert_int_equal(*dirty, 0);
	enter_once();
	assert_int_equal(*dirty, 1);
}

static void test_nowhere(void **state)
{
	(void)state;
	assert_true(set_msr(KVM_MSR_SYSTEM_TIME, (1ull << 40) | 1));
	assert_true(set_msr(KVM_MSR_WALL_CLOCK, 1ull << 40));
	enter_once();
	/* Switched off: nothing is written. */
	assert_true(set_msr(KVM_MSR_SYSTEM_TIME, PAGE));
	enter_once();
	assert_int_equal(shared(PAGE)->version, 0);
	hv_vcpu_reset(&vcpu, false);
	assert_int_equal(get_msr(KVM_MSR_SYSTEM_TIME), 0);
}

static void test_only_what_cpuid_shows(void **state)
{
	struct hv_cpuid table[] = {
		{ .function = 0x40000000, .eax = 0x40000001, .ebx = 1 },
		{ .function = 0x40000100,
		  .eax = 0x40000101,
		  .ebx = 0x4b4d564b,
		  .ecx = 0x564b4d56,
		  .edx = 0x4d },
		{ .function = 0x40000101, .eax = 1u << 3 },
	};
	uint64_t value;

	(void)state;
	hv_vcpu_set_cpuid(&vcpu, table, 3);
	assert_true(set_msr(KVM_MSR_SYSTEM_TIME, 0));
	vcpu.paravirtual.enforced = true;
	assert_false(set_msr(KVM_MSR_SYSTEM_TIME, 0));
	assert_false(set_msr(KVM_MSR_STEAL_TIME, 0));
	assert_true(set_msr(KVM_MSR_SYSTEM_TIME_NEW, 0));
	assert_true(hv_vcpu_get_msr(&vcpu, KVM_MSR_STEAL_TIME, &value));
	vcpu.cpuid_count = 1;
	assert_false(set_msr(KVM_MSR_SYSTEM_TIME_NEW, 0));
}

/* ---- counters ---------------------------------------------------------------------------- */

static struct hv_vcpu second;
static uint8_t second_data[HV_DATA_SIZE] __attribute__((aligned(4096)));

static int setup_two(void **state)
{
	setup(state);
	memset(&second, 0, sizeof(second));
	assert_int_equal(hv_vcpu_init(&second, &vm, 1, second_data), HOST_OK);
	hv_vcpu_reset(&second, true);
	vm.vcpus[vm.vcpu_count++] = &second;
	long_mode();
	return 0;
}

static int teardown_two(void **state)
{
	hv_vcpu_free(&second);
	return fixture_teardown(state);
}

static void test_counters_that_differ(void **state)
{
	struct hv_clock_reading now;

	(void)state;
	assert_true(tsc_all_agree(&vm));
	set_msr(KVM_MSR_SYSTEM_TIME, PAGE | 1);
	enter_once();
	assert_int_equal(shared(PAGE)->flags, STABLE);
	/* Another vCPU's is set: this one's clock is told anew, and is no longer everybody's. */
	hv_vcpu_set_tsc_offset(&second, OFFSET);
	assert_int_equal(processor.tsc_offset, OFFSET);
	hv_clock_get(&vm, &now);
	assert_false(now.stable);
	enter_once();
	assert_int_equal(shared(PAGE)->flags, 0);
	assert_int_equal(shared(PAGE)->version, 4);
	hv_vcpu_set_tsc_offset(&vcpu, OFFSET);
	enter_once();
	assert_int_equal(shared(PAGE)->flags, STABLE);
}

static void test_host_writes_are_one(void **state)
{
	uint64_t far = 1ull << 50;

	(void)state;
	assert_true(hv_vcpu_set_msr(&vcpu, IA32_TIME_STAMP_COUNTER, far));
	assert_true(hv_vcpu_set_msr(&second, IA32_TIME_STAMP_COUNTER, far + 1000));
	assert_int_equal(vcpu.tsc_offset, second.tsc_offset);
	assert_true(tsc_now(&vcpu) - far < 1ull << 40);
	/* 0 is a reset, and those that run count on. */
	assert_true(hv_vcpu_set_msr(&second, IA32_TIME_STAMP_COUNTER, 0));
	assert_int_equal(vcpu.tsc_offset, second.tsc_offset);
	assert_true(hv_vcpu_set_msr(&second, IA32_TIME_STAMP_COUNTER, far * 2));
	assert_true(tsc_now(&second) >= far * 2);
	assert_false(tsc_all_agree(&vm));
}

static void test_guest_writes(void **state)
{
	uint64_t before = vcpu.tsc_offset;

	(void)state;
	set_msr(IA32_TSC_ADJUST, 1000);
	assert_int_equal(vcpu.tsc_offset, before + 1000);
	set_msr(IA32_TIME_STAMP_COUNTER, 1ull << 60);
	assert_int_equal(get_msr(IA32_TSC_ADJUST), vcpu.tsc_offset - before);
	assert_true(tsc_now(&vcpu) >= 1ull << 60);
	/* The VMM restores it, and the counter by itself. */
	before = vcpu.tsc_offset;
	assert_true(hv_vcpu_set_msr(&vcpu, IA32_TSC_ADJUST, 5));
	assert_int_equal(vcpu.tsc_offset, before);
}

static void test_frequency(void **state)
{
	(void)state;
	assert_false(hv_tsc_scales(&fixture_ops));
	assert_true(hv_vcpu_set_tsc_khz(&vcpu, 1000250)); /* nearly the host's */
	assert_int_equal(vcpu.tsc_khz, 1000000);
	assert_false(hv_vcpu_set_tsc_khz(&vcpu, 1000251));
	assert_false(hv_vm_set_tsc_khz(&vm, 2000000));
	processor.tsc_fraction_bits = 32;
	assert_true(hv_tsc_scales(&fixture_ops));
	assert_true(hv_vcpu_set_tsc_khz(&vcpu, 2500000));
	assert_int_equal(vcpu.tsc_khz, 2500000);
	assert_int_equal(vcpu.tsc_ratio, 5ull << 31);
	assert_int_equal(tsc_at(&vcpu, 1000), 2500 + vcpu.tsc_offset);
	assert_false(hv_vcpu_set_tsc_khz(&vcpu, 300000000));
	assert_false(hv_vcpu_set_tsc_khz(&vcpu, 0));
	set_msr(KVM_MSR_SYSTEM_TIME, PAGE | 1);
	enter_once();
	assert_int_equal(shared(PAGE)->flags, 0); /* the other is slower */
	assert_int_equal(guest_time(PAGE, shared(PAGE)->tsc + 2500000000), SECOND - 1);
	processor.tsc_fraction_bits = 48;
	assert_true(hv_vm_set_tsc_khz(&vm, 333333));
	tsc_start(&second);
	assert_int_equal(second.tsc_ratio, 93824898411893); /* 0.333333 * 2^48 */
	assert_int_equal(second.tsc_khz, 333333);
}

#define ONE(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
#define TWO(name) cmocka_unit_test_setup_teardown(name, setup_two, teardown_two)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scale_is_exact),
		ONE(test_time_in_memory),
		ONE(test_stable_time_is_told_once),
		ONE(test_unstable_time_is_told_on_each_cpu),
		ONE(test_host_changes),
		ONE(test_clock_is_set),
		ONE(test_guest_is_told_that_it_stood),
		ONE(test_wall_clock),
		ONE(test_dirty_pages_are_logged),
		ONE(test_nowhere),
		ONE(test_only_what_cpuid_shows),
		TWO(test_counters_that_differ),
		TWO(test_host_writes_are_one),
		TWO(test_guest_writes),
		TWO(test_frequency),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
