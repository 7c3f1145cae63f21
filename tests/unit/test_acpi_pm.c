/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/acpi_pm.h"
#include "dev/clock.h"

/*
 * ACPI's fixed hardware against ACPI 6.4, 4.8.3.
 */

struct bench {
	struct acpi_pm pm;
	struct probe sci, reset;
	unsigned int sleeps, sleep_type;
	bool can_sleep;
	uint64_t now;
};

static bool on_sleep(void *owner, unsigned int type)
{
	struct bench *bench = owner;

	bench->sleeps++;
	bench->sleep_type = type;
	return bench->can_sleep;
}

static void make(struct bench *bench, unsigned int timer_bits)
{
	struct acpi_pm_wiring wiring = {
		.sci = probe_line(&bench->sci, 9),
		.reset = probe_line(&bench->reset, 0),
		.sleep = on_sleep,
		.owner = bench,
		.timer_bits = timer_bits,
	};

	*bench = (struct bench){ .can_sleep = true };
	acpi_pm_init(&bench->pm, &wiring, 0);
}

static uint32_t get(struct bench *bench, unsigned int offset, unsigned int size)
{
	return acpi_pm_read(&bench->pm, offset, size, bench->now);
}

static void set(struct bench *bench, unsigned int offset, unsigned int size, uint32_t value)
{
	acpi_pm_write(&bench->pm, offset, size, value, bench->now);
}

static void state_after_reset(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 32);
	assert_int_equal(get(&bench, ACPI_PM1_STS, 2), 0);
	assert_int_equal(get(&bench, ACPI_PM1_EN, 2), 0);
	assert_int_equal(get(&bench, ACPI_PM1_CNT, 2), ACPI_PM1_SCI_EN);
	assert_int_equal(get(&bench, 6, 2), 0);
	assert_int_equal(get(&bench, ACPI_PM_TMR, 4), 0);
	assert_int_equal(acpi_pm_tick(&bench.pm, 0), DEV_NEVER);
	assert_int_equal(acpi_pm_reset_read(&bench.pm), 0);
}

static void power_button(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 32);
	assert_false(acpi_pm_power_button(&bench.pm, 0));
	assert_int_equal(get(&bench, ACPI_PM1_STS, 2), ACPI_PM1_PWRBTN);
	assert_false(bench.sci.level);
	set(&bench, ACPI_PM1_EN, 2, ACPI_PM1_PWRBTN);
	assert_true(bench.sci.level);
	assert_int_equal(bench.sci.pin, 9);
	set(&bench, ACPI_PM1_STS, 2, ACPI_PM1_TMR); /* a 1 clears that bit alone */
	assert_true(bench.sci.level);
	set(&bench, ACPI_PM1_STS, 2, ACPI_PM1_PWRBTN);
	assert_false(bench.sci.level);
	assert_int_equal(get(&bench, ACPI_PM1_STS, 2), 0);
	assert_true(acpi_pm_power_button(&bench.pm, 0));
	assert_true(bench.sci.level);
	acpi_pm_reset(&bench.pm, 0);
	assert_false(bench.sci.level);
	assert_int_equal(get(&bench, ACPI_PM1_STS, 4), 0);
}

static void registers_by_any_size(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 32);
	acpi_pm_power_button(&bench.pm, 0);
	set(&bench, ACPI_PM1_STS, 4, 0xffff0000);
	assert_int_equal(get(&bench, ACPI_PM1_STS, 4), 0x07210100);
	assert_int_equal(get(&bench, ACPI_PM1_STS + 1, 1), 0x01);
	assert_int_equal(get(&bench, ACPI_PM1_EN + 1, 1), 0x07);
	set(&bench, ACPI_PM1_EN, 1, 0);
	assert_int_equal(get(&bench, ACPI_PM1_EN, 2), 0x0700);
	set(&bench, ACPI_PM1_STS + 1, 1, 0x01);
	assert_int_equal(get(&bench, ACPI_PM1_STS, 2), 0);
	assert_false(bench.sci.level);
	set(&bench, ACPI_PM1_CNT, 1, 0xff);
	assert_int_equal(get(&bench, ACPI_PM1_CNT, 2), ACPI_PM1_SCI_EN | ACPI_PM1_BM_RLD);
	set(&bench, ACPI_PM1_CNT, 1, 0);
	assert_int_equal(get(&bench, ACPI_PM1_CNT, 2), ACPI_PM1_SCI_EN);
	set(&bench, 6, 2, 0xffff);
	assert_int_equal(get(&bench, 6, 2), 0);
	set(&bench, ACPI_PM_TMR, 4, 0xffffffff);
	assert_int_equal(get(&bench, ACPI_PM_TMR, 4), 0);
	assert_int_equal(get(&bench, 11, 4), 0); /* beyond the block is nothing */
	set(&bench, 11, 4, 0xffffffff);
}

static void sleep_request(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 32);
	/* SLP_TYP alone asks for nothing. */
	set(&bench, ACPI_PM1_CNT, 2, 5 << ACPI_PM1_SLP_TYP_SHIFT);
	assert_int_equal(bench.sleeps, 0);
	set(&bench, ACPI_PM1_CNT, 2, 5 << ACPI_PM1_SLP_TYP_SHIFT | ACPI_PM1_SLP_EN);
	assert_int_equal(bench.sleeps, 1);
	assert_int_equal(bench.sleep_type, 5);
	/* SLP_EN reads as 0, SLP_TYP as written. */
	assert_int_equal(get(&bench, ACPI_PM1_CNT, 2),
			 ACPI_PM1_SCI_EN | 5 << ACPI_PM1_SLP_TYP_SHIFT);
	assert_int_equal(get(&bench, ACPI_PM1_STS, 2), 0);
	/* By the high byte alone. */
	set(&bench, ACPI_PM1_CNT + 1, 1, 0x24);
	assert_int_equal(bench.sleeps, 2);
	assert_int_equal(bench.sleep_type, 1);
	/* A state that there is not: awake at once. */
	bench.can_sleep = false;
	set(&bench, ACPI_PM1_CNT, 2, 3 << ACPI_PM1_SLP_TYP_SHIFT | ACPI_PM1_SLP_EN);
	assert_int_equal(bench.sleeps, 3);
	assert_int_equal(get(&bench, ACPI_PM1_STS, 2), ACPI_PM1_WAK);
	set(&bench, ACPI_PM1_STS, 2, ACPI_PM1_WAK);
	assert_int_equal(get(&bench, ACPI_PM1_STS, 2), 0);
	/* Nor does it raise the SCI: WAK has no enable bit. */
	set(&bench, ACPI_PM1_EN, 2, 0xffff);
	set(&bench, ACPI_PM1_CNT, 2, ACPI_PM1_SLP_EN);
	assert_false(bench.sci.level);
}

static void timer_counts(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 32);
	bench.now = SECOND;
	assert_int_equal(get(&bench, ACPI_PM_TMR, 4), ACPI_PM_TIMER_HZ);
	bench.now = SECOND * 86400;
	assert_int_equal(get(&bench, ACPI_PM_TMR, 4), (uint32_t)(86400ull * ACPI_PM_TIMER_HZ));
	assert_int_equal(get(&bench, ACPI_PM_TMR + 2, 2),
			 (uint32_t)(86400ull * ACPI_PM_TIMER_HZ) >> 16);
	make(&bench, 24);
	bench.now = SECOND * 86400;
	assert_int_equal(get(&bench, ACPI_PM_TMR, 4), 86400ull * ACPI_PM_TIMER_HZ & 0xffffff);
}

static void timer_event(void **state)
{
	static const unsigned int widths[] = { 24, 32 };
	struct bench bench;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t half = 1ull << (widths[i] - 1);

		make(&bench, widths[i]);
		set(&bench, ACPI_PM1_EN, 2, ACPI_PM1_TMR);
		for (uint64_t n = 1; n <= 4; n++) {
			uint64_t moment = clock_moment(n * half, ACPI_PM_TIMER_HZ);

			assert_int_equal(acpi_pm_tick(&bench.pm, bench.now), moment);
			bench.now = moment - 1;
			assert_int_equal(acpi_pm_tick(&bench.pm, bench.now), moment);
			assert_false(bench.sci.level);
			bench.now = moment;
			assert_int_equal(acpi_pm_tick(&bench.pm, bench.now), DEV_NEVER);
			assert_true(bench.sci.level);
			set(&bench, ACPI_PM1_STS, 2, ACPI_PM1_TMR);
			assert_false(bench.sci.level);
		}
		/* Years later it is one event. */
		bench.now = SECOND * 1000000000;
		assert_int_equal(acpi_pm_tick(&bench.pm, bench.now), DEV_NEVER);
		assert_int_equal(bench.sci.rises, 5);
	}
}

static void reset_register(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 32);
	acpi_pm_reset_write(&bench.pm, ACPI_RESET_SYS_RST); /* the kind, not yet the deed */
	assert_int_equal(bench.reset.rises, 0);
	assert_int_equal(acpi_pm_reset_read(&bench.pm), ACPI_RESET_SYS_RST);
	acpi_pm_reset_write(&bench.pm, ACPI_RESET_SYS_RST | ACPI_RESET_RST_CPU);
	assert_int_equal(bench.reset.rises, 1);
	assert_false(bench.reset.level);
	acpi_pm_reset_write(&bench.pm, 0xff); /* it rises once */
	assert_int_equal(bench.reset.rises, 1);
	assert_int_equal(acpi_pm_reset_read(&bench.pm), 0x0e);
	acpi_pm_reset(&bench.pm, 0);
	assert_int_equal(acpi_pm_reset_read(&bench.pm), 0);
}

static void works_unconnected(void **state)
{
	static const struct acpi_pm_wiring nothing;
	struct acpi_pm pm;

	(void)state;
	acpi_pm_init(&pm, &nothing, 0);
	acpi_pm_write(&pm, ACPI_PM1_CNT, 2, ACPI_PM1_SLP_EN, 0);
	assert_int_equal(acpi_pm_read(&pm, ACPI_PM1_STS, 2, 0), ACPI_PM1_WAK);
	acpi_pm_reset_write(&pm, 0x06);
	assert_int_equal(acpi_pm_read(&pm, ACPI_PM_TMR, 4, SECOND * 10), ACPI_PM_TIMER_HZ * 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_after_reset),	 cmocka_unit_test(power_button),
		cmocka_unit_test(registers_by_any_size), cmocka_unit_test(sleep_request),
		cmocka_unit_test(timer_counts),		 cmocka_unit_test(timer_event),
		cmocka_unit_test(reset_register),	 cmocka_unit_test(works_unconnected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
