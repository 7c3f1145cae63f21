/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/calendar.h"
#include "dev/rtc.h"

/*
 * The MC146818A against its data sheet, and its calendar against a count by hand.
 */

#define BCD	      RTC_B_24
#define BEFORE_UPDATE (244 * MICROSECOND)
#define UPDATE_TIME   (1984 * MICROSECOND)

/* 2024-02-28 23:59:58, a Wednesday. */
#define BEFORE_LEAP_DAY 1709164798ull

struct bench {
	struct rtc rtc;
	struct probe irq;
	uint64_t now;
};

static void make(struct bench *bench, uint64_t seconds)
{
	*bench = (struct bench){ 0 };
	rtc_init(&bench->rtc, probe_line(&bench->irq, 8), seconds, 0);
}

static uint8_t get(struct bench *bench, uint8_t index)
{
	rtc_write(&bench->rtc, RTC_INDEX, index, bench->now);
	return rtc_read(&bench->rtc, RTC_DATA, bench->now);
}

static void set(struct bench *bench, uint8_t index, uint8_t value)
{
	rtc_write(&bench->rtc, RTC_INDEX, index, bench->now);
	rtc_write(&bench->rtc, RTC_DATA, value, bench->now);
}

static uint64_t tick(struct bench *bench)
{
	return rtc_tick(&bench->rtc, bench->now);
}

/* Century, year, month, date, day of week, hours, minutes, seconds, as they stand. */
static void expect_time(struct bench *bench, const uint8_t expected[8])
{
	static const uint8_t indices[8] = { RTC_CENTURY,     RTC_YEAR,	RTC_MONTH,   RTC_DATE,
					    RTC_DAY_OF_WEEK, RTC_HOURS, RTC_MINUTES, RTC_SECONDS };

	for (unsigned int i = 0; i < 8; i++)
		assert_int_equal(get(bench, indices[i]), expected[i]);
}

#define EXPECT_TIME(bench, ...) expect_time(bench, (const uint8_t[8]){ __VA_ARGS__ })

static void set_time(struct bench *bench, const uint8_t values[8])
{
	static const uint8_t indices[8] = { RTC_CENTURY,     RTC_YEAR,	RTC_MONTH,   RTC_DATE,
					    RTC_DAY_OF_WEEK, RTC_HOURS, RTC_MINUTES, RTC_SECONDS };

	for (unsigned int i = 0; i < 8; i++)
		set(bench, indices[i], values[i]);
}

#define SET_TIME(bench, ...) set_time(bench, (const uint8_t[8]){ __VA_ARGS__ })

static bool is_leap(int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static void calendar_counts_every_day(void **state)
{
	static const int lengths[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct calendar_date date = { 0, 1, 1 };
	int32_t number = calendar_day_number(date);

	(void)state;
	assert_int_equal(number, -719528);
	for (; date.year < 10000; number++) {
		struct calendar_date back = calendar_date_of(number);
		int length = lengths[date.month - 1] + (date.month == 2 && is_leap(date.year));

		assert_int_equal(calendar_day_number(date), number);
		assert_int_equal(back.year, date.year);
		assert_int_equal(back.month, date.month);
		assert_int_equal(back.day, date.day);
		if (++date.day > length) {
			date.day = 1;
			date.month++;
		}
		if (date.month > 12) {
			date.month = 1;
			date.year++;
		}
	}
}

static void calendar_known_days(void **state)
{
	(void)state;
	assert_int_equal(calendar_day_number((struct calendar_date){ 1970, 1, 1 }), 0);
	assert_int_equal(calendar_day_number((struct calendar_date){ 2000, 3, 1 }), 11017);
	assert_int_equal(calendar_day_number((struct calendar_date){ 2023, 2, 30 }),
			 calendar_day_number((struct calendar_date){ 2023, 3, 2 }));
	assert_int_equal(calendar_weekday(0), 5);	/* Thursday */
	assert_int_equal(calendar_weekday(11016), 3);	/* 29 February 2000, a Tuesday */
	assert_int_equal(calendar_weekday(-1), 4);	/* Wednesday */
	assert_int_equal(calendar_weekday(-719528), 7); /* 1 January of year 0, a Saturday */
}

static void state_after_init(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, BEFORE_LEAP_DAY);
	EXPECT_TIME(&bench, 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x58);
	assert_int_equal(get(&bench, RTC_A), 0x26);
	assert_int_equal(get(&bench, RTC_B), 0x02);
	assert_int_equal(get(&bench, RTC_C), 0x00);
	assert_int_equal(get(&bench, RTC_D), 0x80);
	assert_int_equal(tick(&bench), DEV_NEVER);
	assert_false(bench.irq.level);
}

static void seconds_pass(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, BEFORE_LEAP_DAY);
	bench.now = SECOND - 1;
	EXPECT_TIME(&bench, 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x58);
	bench.now = SECOND;
	EXPECT_TIME(&bench, 0x20, 0x24, 0x02, 0x28, 4, 0x23, 0x59, 0x59);
	bench.now = 2 * SECOND;
	EXPECT_TIME(&bench, 0x20, 0x24, 0x02, 0x29, 5, 0x00, 0x00, 0x00);
	bench.now += SECOND * 86400;
	EXPECT_TIME(&bench, 0x20, 0x24, 0x03, 0x01, 6, 0x00, 0x00, 0x00);
}

static void years_pass_in_one_step(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	EXPECT_TIME(&bench, 0x19, 0x70, 0x01, 0x01, 5, 0x00, 0x00, 0x00);
	bench.now = SECOND * 946684799; /* 1999-12-31 23:59:59 */
	EXPECT_TIME(&bench, 0x19, 0x99, 0x12, 0x31, 6, 0x23, 0x59, 0x59);
	bench.now += SECOND;
	EXPECT_TIME(&bench, 0x20, 0x00, 0x01, 0x01, 7, 0x00, 0x00, 0x00);
	bench.now = SECOND * 4107542400; /* 2100-03-01: no leap year */
	EXPECT_TIME(&bench, 0x21, 0x00, 0x03, 0x01, 2, 0x00, 0x00, 0x00);
	make(&bench, 4107542399);
	EXPECT_TIME(&bench, 0x21, 0x00, 0x02, 0x28, 1, 0x23, 0x59, 0x59);
}

static void binary_and_twelve_hours(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	set(&bench, RTC_B, RTC_B_SET | RTC_B_DM | RTC_B_24);
	SET_TIME(&bench, 20, 24, 12, 31, 3, 23, 59, 59);
	set(&bench, RTC_B, RTC_B_DM | RTC_B_24);
	bench.now = SECOND;
	EXPECT_TIME(&bench, 20, 25, 1, 1, 4, 0, 0, 0);
	/* Twelve hours: 12 AM is 0 o'clock, 12 PM noon. */
	set(&bench, RTC_B, RTC_B_SET | RTC_B_DM);
	SET_TIME(&bench, 20, 25, 1, 1, 4, 0x80 | 11, 59, 59);
	set(&bench, RTC_B, RTC_B_DM);
	bench.now += SECOND;
	EXPECT_TIME(&bench, 20, 25, 1, 2, 5, 12, 0, 0);
	bench.now += SECOND * 3600;
	assert_int_equal(get(&bench, RTC_HOURS), 1);
	bench.now += SECOND * 3600 * 11;
	assert_int_equal(get(&bench, RTC_HOURS), 0x80 | 12);
	bench.now += SECOND * 3600;
	assert_int_equal(get(&bench, RTC_HOURS), 0x80 | 1);
	set(&bench, RTC_B, RTC_B_SET);
	SET_TIME(&bench, 0x20, 0x25, 0x01, 0x02, 5, 0x91, 0x59, 0x59);
	set(&bench, RTC_B, 0);
	bench.now += SECOND;
	EXPECT_TIME(&bench, 0x20, 0x25, 0x01, 0x03, 6, 0x12, 0x00, 0x00);
}

static void update_in_progress(void **state)
{
	static const struct {
		uint64_t moment;
		uint8_t uip;
	} cases[] = {
		{ SECOND - UPDATE_TIME - BEFORE_UPDATE - 1, 0 },
		{ SECOND - UPDATE_TIME - BEFORE_UPDATE, RTC_A_UIP },
		{ SECOND - UPDATE_TIME, RTC_A_UIP },
		{ SECOND - 1, RTC_A_UIP },
		{ SECOND, 0 },
		{ SECOND + SECOND / 2, 0 },
	};
	struct bench bench;

	(void)state;
	make(&bench, 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bench.now = cases[i].moment;
		assert_int_equal(get(&bench, RTC_A) & RTC_A_UIP, cases[i].uip);
		assert_int_equal(get(&bench, RTC_SECONDS), bench.now >= SECOND);
	}
	set(&bench, RTC_A, 0xff); /* UIP is read-only, the divider stands */
	assert_int_equal(get(&bench, RTC_A), 0x7f);
}

static void set_bit_freezes_the_time(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	set(&bench, RTC_B, BCD | RTC_B_UIE);
	set(&bench, RTC_B, BCD | RTC_B_UIE | RTC_B_SET);
	assert_int_equal(get(&bench, RTC_B), BCD | RTC_B_SET); /* and clears UIE */
	bench.now = SECOND - UPDATE_TIME;
	assert_int_equal(get(&bench, RTC_A) & RTC_A_UIP, 0);
	bench.now = 10 * SECOND;
	assert_int_equal(get(&bench, RTC_SECONDS), 0);
	assert_int_equal(get(&bench, RTC_C), RTC_C_PF); /* the divider went on */
	set(&bench, RTC_B, BCD);
	bench.now = 11 * SECOND;
	assert_int_equal(get(&bench, RTC_SECONDS), 1);
}

static void first_update_half_a_second_after_divider_reset(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	set(&bench, RTC_A, 0x70);
	bench.now = 5 * SECOND + SECOND / 3;
	assert_int_equal(get(&bench, RTC_SECONDS), 0);
	assert_int_equal(get(&bench, RTC_C), 0);
	set(&bench, RTC_A, 0x26);
	bench.now += SECOND / 2 - 1;
	assert_int_equal(get(&bench, RTC_A) & RTC_A_UIP, RTC_A_UIP);
	assert_int_equal(get(&bench, RTC_SECONDS), 0);
	bench.now += UPDATE_TIME;
	assert_int_equal(get(&bench, RTC_SECONDS), 0);
	bench.now += 1;
	assert_int_equal(get(&bench, RTC_SECONDS), 1);
	/* The same from the first moment of the machine's time. */
	make(&bench, 0);
	set(&bench, RTC_A, 0x70);
	set(&bench, RTC_A, 0x26);
	set(&bench, RTC_B, BCD | RTC_B_UIE);
	assert_int_equal(tick(&bench), SECOND / 2 + UPDATE_TIME);
}

static void update_interrupt(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	set(&bench, RTC_B, BCD | RTC_B_UIE);
	assert_int_equal(tick(&bench), SECOND);
	bench.now = SECOND - 1;
	assert_int_equal(tick(&bench), SECOND);
	assert_false(bench.irq.level);
	bench.now = SECOND;
	assert_int_equal(tick(&bench), DEV_NEVER); /* until somebody reads C */
	assert_true(bench.irq.level);
	assert_int_equal(bench.irq.pin, 8);
	bench.now = 100 * SECOND;
	assert_int_equal(tick(&bench), DEV_NEVER);
	assert_int_equal(bench.irq.rises, 1);
	assert_int_equal(get(&bench, RTC_C), RTC_C_IRQF | RTC_C_UF | RTC_C_PF);
	assert_false(bench.irq.level);
	assert_int_equal(get(&bench, RTC_C), 0);
	assert_int_equal(tick(&bench), 101 * SECOND);
}

/* MC146818A, table 5. */
static void periodic_rates(void **state)
{
	static const uint64_t hertz[16] = { 0,	 256, 128, 8192, 4096, 2048, 1024, 512,
					    256, 128, 64,  32,	 16,   8,    4,	   2 };
	struct bench bench;

	(void)state;
	for (uint8_t rate = 0; rate < 16; rate++) {
		unsigned int count = 0;

		make(&bench, 0);
		set(&bench, RTC_A, 0x20 | rate);
		set(&bench, RTC_B, BCD | RTC_B_PIE);
		while (tick(&bench) <= SECOND) {
			bench.now = tick(&bench);
			assert_int_equal(tick(&bench), DEV_NEVER);
			assert_int_equal(get(&bench, RTC_C) & 0xc0, 0xc0);
			count++;
		}
		assert_int_equal(count, hertz[rate]);
		assert_int_equal(bench.irq.rises, count);
	}
}

static void periodic_flag_without_interrupt(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	bench.now = 2 * MILLISECOND;
	assert_int_equal(get(&bench, RTC_C), RTC_C_PF);
	assert_false(bench.irq.level);
	bench.now = 4 * MILLISECOND;
	get(&bench, RTC_A);
	set(&bench, RTC_B, BCD | RTC_B_PIE); /* what is pending counts at once */
	assert_true(bench.irq.level);
	set(&bench, RTC_B, BCD);
	assert_false(bench.irq.level);
	assert_int_equal(get(&bench, RTC_C), RTC_C_PF);
}

static void alarm_at_a_time(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, BEFORE_LEAP_DAY);
	set(&bench, RTC_HOURS_ALARM, 0x07);
	set(&bench, RTC_MINUTES_ALARM, 0x30);
	set(&bench, RTC_SECONDS_ALARM, 0x15);
	set(&bench, RTC_B, BCD | RTC_B_AIE);
	bench.now = (2 + 7 * 3600 + 30 * 60 + 15) * SECOND;
	assert_int_equal(rtc_tick(&bench.rtc, 0), bench.now);
	assert_int_equal(rtc_tick(&bench.rtc, bench.now - 1), bench.now);
	assert_int_equal(tick(&bench), DEV_NEVER);
	assert_true(bench.irq.level);
	EXPECT_TIME(&bench, 0x20, 0x24, 0x02, 0x29, 5, 0x07, 0x30, 0x15);
	assert_int_equal(get(&bench, RTC_C) & (RTC_C_IRQF | RTC_C_AF), RTC_C_IRQF | RTC_C_AF);
	assert_int_equal(tick(&bench), bench.now + SECOND * 86400);
	/* A late owner finds it all the same. */
	bench.now += SECOND * 86400 * 400;
	tick(&bench);
	assert_true(bench.irq.level);
}

static void alarm_with_any(void **state)
{
	static const struct {
		uint8_t hours, minutes, seconds;
		uint64_t first, period;
	} cases[] = {
		{ 0xff, 0xff, 0xff, 1, 1 },	 { 0xc0, 0xc0, 0x10, 12, 60 },
		{ 0xff, 0x05, 0x00, 302, 3600 }, { 0x00, 0xff, 0x00, 2, 60 },
		{ 0x23, 0x59, 0x59, 1, 86400 },
	};
	struct bench bench;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		make(&bench, BEFORE_LEAP_DAY);
		set(&bench, RTC_HOURS_ALARM, cases[i].hours);
		set(&bench, RTC_MINUTES_ALARM, cases[i].minutes);
		set(&bench, RTC_SECONDS_ALARM, cases[i].seconds);
		set(&bench, RTC_B, BCD | RTC_B_AIE);
		bench.now = cases[i].first * SECOND;
		assert_int_equal(rtc_tick(&bench.rtc, 0), bench.now);
		tick(&bench);
		assert_true(get(&bench, RTC_C) & RTC_C_AF);
		assert_int_equal(tick(&bench), bench.now + cases[i].period * SECOND);
	}
}

static void alarm_that_never_comes(void **state)
{
	static const uint8_t alarms[][3] = { { 0x24, 0xff, 0xff },
					     { 0xff, 0x60, 0xff },
					     { 0xff, 0xff, 0x60 },
					     { 0x0f + 0x20, 0, 0 } };
	struct bench bench;

	(void)state;
	for (size_t i = 0; i < sizeof(alarms) / sizeof(alarms[0]); i++) {
		make(&bench, 0);
		set(&bench, RTC_HOURS_ALARM, alarms[i][0]);
		set(&bench, RTC_MINUTES_ALARM, alarms[i][1]);
		set(&bench, RTC_SECONDS_ALARM, alarms[i][2]);
		set(&bench, RTC_B, BCD | RTC_B_AIE);
		assert_int_equal(tick(&bench), DEV_NEVER);
		bench.now = SECOND * 200000;
		tick(&bench);
		assert_int_equal(get(&bench, RTC_C) & RTC_C_AF, 0);
	}
}

static void alarm_after_noon(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	set(&bench, RTC_B, RTC_B_SET);
	SET_TIME(&bench, 0x20, 0x25, 0x01, 0x02, 5, 0x12, 0x00, 0x00);
	set(&bench, RTC_HOURS_ALARM, 0x81); /* 1 PM */
	set(&bench, RTC_MINUTES_ALARM, 0x00);
	set(&bench, RTC_SECONDS_ALARM, 0x00);
	set(&bench, RTC_B, RTC_B_AIE);
	assert_int_equal(tick(&bench), SECOND * 3600 * 13);
	set(&bench, RTC_HOURS_ALARM, 0x00); /* there is no hour 0 */
	assert_int_equal(tick(&bench), DEV_NEVER);
}

static void nonsense_is_kept_then_carried(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	set(&bench, RTC_B, RTC_B_SET | BCD);
	SET_TIME(&bench, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	EXPECT_TIME(&bench, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff);
	set(&bench, RTC_B, BCD);
	bench.now = SECOND;
	/* As 2099-12-31 23:59:59 would go on; the weekday as Saturday would. */
	EXPECT_TIME(&bench, 0x21, 0x00, 0x01, 0x01, 1, 0x00, 0x00, 0x00);
	SET_TIME(&bench, 0x20, 0x23, 0x02, 0x30, 5, 0x23, 0x59, 0x59);
	bench.now = 2 * SECOND;
	EXPECT_TIME(&bench, 0x20, 0x23, 0x03, 0x03, 6, 0x00, 0x00, 0x00);
}

static void nvram_and_index(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, 0);
	for (uint8_t index = 0x0e; index < 0x80; index++)
		set(&bench, index, (uint8_t)(index * 3));
	for (uint8_t index = 0x0e; index < 0x80; index++)
		assert_int_equal(get(&bench, index), (uint8_t)(index * 3));
	assert_false(rtc_nmi_masked(&bench.rtc));
	assert_int_equal(get(&bench, 0x80 | 0x10), 0x30);
	assert_true(rtc_nmi_masked(&bench.rtc));
	assert_int_equal(rtc_read(&bench.rtc, RTC_INDEX, 0), 0x90);
	rtc_set_nvram(&bench.rtc, 0x34, 0x55);
	rtc_set_nvram(&bench.rtc, RTC_B, 0x55);
	rtc_set_nvram(&bench.rtc, 0xb4, 0x55);
	assert_int_equal(get(&bench, 0x34), 0x55);
	assert_int_equal(get(&bench, RTC_B), 0x02);
	set(&bench, RTC_C, 0xff);
	set(&bench, RTC_D, 0xff);
	assert_int_equal(get(&bench, RTC_C), 0);
	assert_int_equal(get(&bench, RTC_D), RTC_D_VRT);
}

static void reset_keeps_time_and_memory(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench, BEFORE_LEAP_DAY);
	set(&bench, 0x40, 0x99);
	set(&bench, RTC_B, BCD | RTC_B_PIE | RTC_B_AIE | RTC_B_UIE | RTC_B_SQWE);
	bench.now = SECOND;
	tick(&bench);
	assert_true(bench.irq.level);
	rtc_reset(&bench.rtc, bench.now);
	assert_false(bench.irq.level);
	assert_int_equal(get(&bench, RTC_B), BCD);
	assert_int_equal(get(&bench, RTC_C), 0);
	assert_int_equal(get(&bench, 0x40), 0x99);
	assert_int_equal(get(&bench, RTC_SECONDS), 0x59);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(calendar_counts_every_day),
		cmocka_unit_test(calendar_known_days),
		cmocka_unit_test(state_after_init),
		cmocka_unit_test(seconds_pass),
		cmocka_unit_test(years_pass_in_one_step),
		cmocka_unit_test(binary_and_twelve_hours),
		cmocka_unit_test(update_in_progress),
		cmocka_unit_test(set_bit_freezes_the_time),
		cmocka_unit_test(first_update_half_a_second_after_divider_reset),
		cmocka_unit_test(update_interrupt),
		cmocka_unit_test(periodic_rates),
		cmocka_unit_test(periodic_flag_without_interrupt),
		cmocka_unit_test(alarm_at_a_time),
		cmocka_unit_test(alarm_with_any),
		cmocka_unit_test(alarm_that_never_comes),
		cmocka_unit_test(alarm_after_noon),
		cmocka_unit_test(nonsense_is_kept_then_carried),
		cmocka_unit_test(nvram_and_index),
		cmocka_unit_test(reset_keeps_time_and_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
