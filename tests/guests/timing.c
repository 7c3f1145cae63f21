/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Clocks that must agree, by polling alone: a second of the real-time clock against
 * the 8254, the local APIC's timer against the 8254, the time stamp counter against
 * itself. An emulated or loaded machine is late at times, so the bounds are wide; a
 * clock that is wrong is off by a factor, not by a tenth.
 */

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/guest.h"
#include "tests/guests/lib/timers.h"

/* Waits for the real-time clock's next second: register A's update bit, then the change. */
static bool next_second(void)
{
	uint8_t second = rtc_read(RTC_SECONDS);
	uint64_t start = read_tsc();

	do {
		if (rtc_read(RTC_SECONDS) != second)
			return true;
	} while (read_tsc() - start < 40000000000ull);
	return false;
}

static void date(void)
{
	unsigned int hours = rtc_number(RTC_HOURS), month = rtc_number(RTC_MONTH);
	unsigned int day = rtc_number(RTC_DAY);

	check(rtc_read(RTC_D) & RTC_D_VALID, "the real-time clock has power");
	check(rtc_number(RTC_SECONDS) < 60 && rtc_number(RTC_MINUTES) < 60 && hours < 24,
	      "the time of day is one");
	check(month >= 1 && month <= 12 && day >= 1 && day <= 31, "the date is one");
	if (option("year", 0))
		check_equal(rtc_number(RTC_YEAR), option("year", 0) % 100,
			    "the year is the host's");
	rtc_write(RTC_NVRAM, 0xa5);
	check_equal(rtc_read(RTC_NVRAM), 0xa5, "the clock's memory holds");
}

/* Ticks of the 8254's counter 0, free running from 65536, in one second of the clock. */
static void second_against_pit(void)
{
	uint64_t ticks = 0;
	uint16_t last, now;
	uint8_t second;

	pit_start(0, PIT_MODE_RATE, 0);
	if (!check(next_second(), "the real-time clock goes"))
		return;
	second = rtc_read(RTC_SECONDS);
	last = pit_read(0);
	do {
		now = pit_read(0);
		ticks += (uint16_t)(last - now);
		last = now;
	} while (rtc_read(RTC_SECONDS) == second);
	say("# %lu ticks of the 8254 in a second\n", ticks);
	check(ticks > PIT_HZ * 8ull / 10 && ticks < PIT_HZ * 12ull / 10,
	      "a second of the clock is a second of the 8254");
}

/* Local APIC timer and TSC over 40 ms of the 8254, twice: the same rate both times. */
static void lapic_against_pit(void)
{
	uint32_t lapic[2];
	uint64_t tsc[2];

	lapic_init();
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t start = read_tsc();

		lapic_write(LAPIC_TIMER_INITIAL, 0xffffffff);
		wait_microseconds(40000);
		lapic[i] = 0xffffffff - lapic_read(LAPIC_TIMER_CURRENT);
		tsc[i] = read_tsc() - start;
	}
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	say("# in 40 ms: local APIC timer %u, %u; time stamp counter %lu, %lu\n", lapic[0],
	    lapic[1], tsc[0], tsc[1]);
	check(lapic[0] > 40000 && lapic[1] / 4 < lapic[0] / 3 && lapic[0] / 4 < lapic[1] / 3,
	      "the local APIC's timer keeps its rate");
	check(tsc[0] > 40000 && tsc[1] / 4 < tsc[0] / 3 && tsc[0] / 4 < tsc[1] / 3,
	      "the time stamp counter keeps its rate");
	check_equal(lapic_read(LAPIC_TIMER_CURRENT), 0, "initial count 0 stops the timer");
}

static void tsc_goes_forward(void)
{
	uint64_t last = read_tsc();
	bool forward = true;

	for (unsigned int i = 0; i < 1000; i++) {
		uint64_t now = read_tsc();

		forward &= now > last;
		last = now;
	}
	check(forward, "the time stamp counter goes forward");
}

/* 8254: the counter's output rises when it is through, and not before. */
static void pit_one_shot(void)
{
	out8(0x61, (in8(0x61) & ~2) | 1);
	pit_start(2, PIT_MODE_ONE_SHOT, 50000);
	check(!(in8(0x61) & 0x20), "the 8254's output is low while it counts");
	check(pit_read(2) <= 50000, "the 8254 counts down from its count");
	while (pit_read(2) && pit_read(2) <= 50000)
		pause();
	while (!(in8(0x61) & 0x20))
		pause();
	check(in8(0x61) & 0x20, "the 8254's output is high at terminal count");
}

int main(void)
{
	date();
	tsc_goes_forward();
	pit_one_shot();
	lapic_against_pit();
	second_against_pit();
	return 0;
}
