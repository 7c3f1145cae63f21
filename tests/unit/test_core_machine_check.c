/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Machine-check banks as the guest sees them, and errors that the VMM puts into them. */

#include "tests/unit/core_fixture.h"

#define VALID		  (1ull << 63)
#define OVERFLOWED	  (1ull << 62)
#define UNCORRECTED	  (1ull << 61)
#define IN_PROGRESS	  4
#define CAP_CONTROL	  (1ull << 8)
#define BANK_MSR(bank, n) (IA32_MC0_CTL + 4 * (bank) + (n))
enum { CTL, STATUS, ADDR, MISC };

static bool write_msr(uint32_t index, uint64_t value)
{
	return msr_access(&vcpu, index, true, &value) == MSR_DONE;
}

static bool read_msr(uint32_t index, uint64_t *value)
{
	return msr_access(&vcpu, index, false, value) == MSR_DONE;
}

static void is(uint32_t index, uint64_t wanted)
{
	uint64_t value;

	assert_true(read_msr(index, &value));
	assert_int_equal(value, wanted);
}

static void test_banks(void **state)
{
	uint64_t value;

	(void)state;
	is(IA32_MCG_CAP, 32);
	assert_false(write_msr(IA32_MCG_CAP, 1));
	assert_true(hv_vcpu_set_msr(&vcpu, IA32_MCG_CAP, 1)); /* told, and not heard */
	is(IA32_MCG_CAP, 32);
	for (uint32_t bank = 0; bank < 32; bank++) {
		assert_true(write_msr(BANK_MSR(bank, CTL), UINT64_MAX));
		assert_true(write_msr(BANK_MSR(bank, CTL), 0));
		assert_false(write_msr(BANK_MSR(bank, CTL), 2));
		assert_false(write_msr(BANK_MSR(bank, STATUS), 1));
		assert_true(write_msr(BANK_MSR(bank, STATUS), 0));
		assert_true(write_msr(BANK_MSR(bank, ADDR), bank + 1));
		assert_true(write_msr(BANK_MSR(bank, MISC), bank + 2));
	}
	is(BANK_MSR(31, ADDR), 32);
	is(BANK_MSR(31, MISC), 33);
	assert_false(read_msr(BANK_MSR(32, CTL), &value));
	assert_true(hv_vcpu_set_msr(&vcpu, BANK_MSR(3, STATUS), VALID));
	is(BANK_MSR(3, STATUS), VALID);
	assert_false(write_msr(AMD_HWCR, 1));
	assert_true(write_msr(AMD_HWCR, HV_HWCR_MC_STATUS_WRITE | 1 << 6));
	is(AMD_HWCR, HV_HWCR_MC_STATUS_WRITE);
	assert_true(write_msr(BANK_MSR(4, STATUS), 1));
	assert_true(write_msr(IA32_MCG_STATUS, 5));
	is(IA32_MCG_STATUS, 5);
}

static void test_capabilities(void **state)
{
	uint64_t value;

	(void)state;
	assert_false(read_msr(IA32_MCG_CTL, &value));
	assert_true(hv_vcpu_get_msr(&vcpu, IA32_MCG_CTL, &value));
	assert_false(hv_vcpu_set_machine_check_cap(&vcpu, 0));
	assert_false(hv_vcpu_set_machine_check_cap(&vcpu, 33));
	assert_false(hv_vcpu_set_machine_check_cap(&vcpu, 10 | 1ull << 27));
	assert_true(hv_vcpu_set_machine_check_cap(&vcpu, 10 | HV_MCE_CAP_SUPPORTED));
	is(IA32_MCG_CAP, 10 | HV_MCE_CAP_SUPPORTED);
	is(IA32_MCG_CTL, UINT64_MAX);
	is(BANK_MSR(9, CTL), UINT64_MAX);
	assert_false(read_msr(BANK_MSR(10, CTL), &value));
	assert_false(write_msr(BANK_MSR(10, CTL), 0));
	assert_false(write_msr(IA32_MCG_CTL, 1));
	assert_true(write_msr(IA32_MCG_CTL, 0));
	is(IA32_MCG_CTL, 0);
}

static const struct hv_machine_error corrected = {
	.status = VALID | 7, .address = 0x1000, .misc = 2, .bank = 4
};
static const struct hv_machine_error fatal = {
	.status = VALID | UNCORRECTED, .address = 0x2000, .global_status = IN_PROGRESS, .bank = 4
};

static void prepare(void)
{
	assert_true(hv_vcpu_set_machine_check_cap(&vcpu, 10 | CAP_CONTROL));
	processor.system.cr4 |= CR4_MCE;
}

static void run_once(void)
{
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
}

static void test_corrected_error(void **state)
{
	struct hv_machine_error wrong = corrected;

	(void)state;
	prepare();
	assert_true(hv_vcpu_machine_check(&vcpu, &corrected));
	is(BANK_MSR(4, STATUS), VALID | 7);
	is(BANK_MSR(4, ADDR), 0x1000);
	is(BANK_MSR(4, MISC), 2);
	assert_true(hv_vcpu_machine_check(&vcpu, &corrected));
	is(BANK_MSR(4, STATUS), VALID | OVERFLOWED | 7);
	run_once();
	assert_int_equal(processor.injections, 0);
	wrong.bank = 10;
	assert_false(hv_vcpu_machine_check(&vcpu, &wrong));
	wrong = corrected;
	wrong.status = 7;
	assert_false(hv_vcpu_machine_check(&vcpu, &wrong));
}

static void test_uncorrected_error(void **state)
{
	(void)state;
	prepare();
	assert_true(hv_vcpu_machine_check(&vcpu, &fatal));
	is(IA32_MCG_STATUS, IN_PROGRESS);
	is(BANK_MSR(4, ADDR), 0x2000);
	run_once();
	assert_int_equal(processor.next, 1);
	assert_int_equal(processor.injected[0].vector, EXCEPTION_MC);
	/* One that was corrected leaves it as it is. */
	assert_true(hv_vcpu_machine_check(&vcpu, &corrected));
	is(BANK_MSR(4, STATUS), VALID | UNCORRECTED | OVERFLOWED);
	is(BANK_MSR(4, ADDR), 0x2000);
}

/* The guest never runs again: the script is not touched. */
static void ends(void)
{
	assert_true(hv_vcpu_machine_check(&vcpu, &fatal));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
	assert_int_equal(processor.next, 0);
}

static void test_no_handler(void **state)
{
	(void)state;
	prepare();
	processor.system.cr4 &= ~CR4_MCE;
	ends();
}

static void test_second_while_one_is_handled(void **state)
{
	(void)state;
	prepare();
	assert_true(write_msr(IA32_MCG_STATUS, IN_PROGRESS));
	ends();
}

static void test_switched_off(void **state)
{
	(void)state;
	prepare();
	assert_true(write_msr(BANK_MSR(4, CTL), 0));
	assert_true(hv_vcpu_machine_check(&vcpu, &fatal));
	is(BANK_MSR(4, STATUS), 0);
	run_once();
	assert_int_equal(processor.injections, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_banks),	    TEST(test_capabilities),
		TEST(test_corrected_error), TEST(test_uncorrected_error),
		TEST(test_no_handler),	    TEST(test_second_while_one_is_handled),
		TEST(test_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
