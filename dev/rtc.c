/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/rtc.h"

#include "dev/calendar.h"
#include "dev/clock.h"

/*
 * A chain of dividers turns the crystal into one update a second and, from a tap
 * further up, into the periodic interrupt. Nothing here runs between accesses: from
 * the moment of the last look and the present one follows how many updates there were
 * and whether the tap has gone round, and the calendar is moved by that many seconds
 * in one step. So a machine that slept for years wakes up as quickly as any.
 */

/* MC146818A, table 4, at 32.768 kHz. */
#define BEFORE_UPDATE	244000ull
#define UPDATE_TIME	1984000ull

#define SECONDS_PER_DAY 86400u
#define DIVIDER_NORMAL	0x20
#define ALARM_ANY	0xc0
#define FLAGS		(RTC_C_PF | RTC_C_AF | RTC_C_UF)

static bool divider_runs(const struct rtc *rtc)
{
	return (rtc->memory[RTC_A] & RTC_A_DIVIDER) <= DIVIDER_NORMAL;
}

static bool updates_run(const struct rtc *rtc)
{
	return divider_runs(rtc) && !(rtc->memory[RTC_B] & RTC_B_SET);
}

/* ---- the registers ---------------------------------------------------------------- */

static uint8_t encode(const struct rtc *rtc, uint32_t value)
{
	if (rtc->memory[RTC_B] & RTC_B_DM)
		return (uint8_t)value;
	return (uint8_t)(value / 10 << 4 | value % 10);
}

static uint32_t decode(const struct rtc *rtc, uint8_t byte)
{
	if (rtc->memory[RTC_B] & RTC_B_DM)
		return byte;
	return (byte >> 4) * 10u + (byte & 0x0f);
}

/* In 12-hour mode bit 7 says "after noon", and 12 comes before 1. */
static uint8_t encode_hours(const struct rtc *rtc, uint32_t hours)
{
	if (rtc->memory[RTC_B] & RTC_B_24)
		return encode(rtc, hours);
	return encode(rtc, hours % 12 ? hours % 12 : 12) | (hours >= 12 ? 0x80 : 0);
}

static uint32_t decode_hours(const struct rtc *rtc, uint8_t byte)
{
	uint32_t hours;

	if (rtc->memory[RTC_B] & RTC_B_24)
		return decode(rtc, byte);
	hours = decode(rtc, byte & 0x7f);
	if (hours < 1 || hours > 12)
		return UINT32_MAX;
	return hours % 12 + (byte & 0x80 ? 12 : 0);
}

/* A register that the guest filled with nonsense counts as @high and carries next. */
static uint32_t clamp(uint32_t value, uint32_t low, uint32_t high)
{
	if (value < low)
		return low;
	return value > high ? high : value;
}

static uint32_t time_of_day(const struct rtc *rtc)
{
	return clamp(decode_hours(rtc, rtc->memory[RTC_HOURS]), 0, 23) * 3600 +
	       clamp(decode(rtc, rtc->memory[RTC_MINUTES]), 0, 59) * 60 +
	       clamp(decode(rtc, rtc->memory[RTC_SECONDS]), 0, 59);
}

static void set_time_of_day(struct rtc *rtc, uint32_t seconds)
{
	rtc->memory[RTC_HOURS] = encode_hours(rtc, seconds / 3600);
	rtc->memory[RTC_MINUTES] = encode(rtc, seconds / 60 % 60);
	rtc->memory[RTC_SECONDS] = encode(rtc, seconds % 60);
}

/* A century that makes no sense (the guest keeps something else there) counts as 20. */
static struct calendar_date current_date(const struct rtc *rtc)
{
	uint32_t century = decode(rtc, rtc->memory[RTC_CENTURY]);
	uint32_t year = clamp(decode(rtc, rtc->memory[RTC_YEAR]), 0, 99);

	if (century < 19 || century > 99)
		century = 20;
	return (struct calendar_date){
		.year = (int32_t)(century * 100 + year),
		.month = (int32_t)clamp(decode(rtc, rtc->memory[RTC_MONTH]), 1, 12),
		.day = (int32_t)clamp(decode(rtc, rtc->memory[RTC_DATE]), 1, 31),
	};
}

static void set_date(struct rtc *rtc, struct calendar_date date)
{
	rtc->memory[RTC_YEAR] = encode(rtc, (uint32_t)date.year % 100);
	rtc->memory[RTC_MONTH] = encode(rtc, (uint32_t)date.month);
	rtc->memory[RTC_DATE] = encode(rtc, (uint32_t)date.day);
}

static void pass_days(struct rtc *rtc, uint32_t days)
{
	struct calendar_date before = current_date(rtc), after;
	uint32_t weekday = clamp(decode(rtc, rtc->memory[RTC_DAY_OF_WEEK]), 1, 7);

	after = calendar_date_of(calendar_day_number(before) + (int32_t)days);
	set_date(rtc, after);
	if (after.year / 100 != before.year / 100)
		rtc->memory[RTC_CENTURY] = encode(rtc, (uint32_t)after.year / 100 % 100);
	rtc->memory[RTC_DAY_OF_WEEK] = encode(rtc, (weekday - 1 + days) % 7 + 1);
}

static void pass_seconds(struct rtc *rtc, uint64_t seconds)
{
	uint64_t total = time_of_day(rtc) + seconds;

	set_time_of_day(rtc, (uint32_t)(total % SECONDS_PER_DAY));
	if (total >= SECONDS_PER_DAY)
		pass_days(rtc, (uint32_t)(total / SECONDS_PER_DAY));
}

/* ---- the alarm ---------------------------------------------------------------------- */

/* Both top bits set in an alarm byte mean "any" (MC146818A, "Time, calendar, and alarm"). */
static bool alarm_matches(uint8_t byte, uint32_t alarm, uint32_t value)
{
	return (byte & ALARM_ANY) == ALARM_ANY || alarm == value;
}

static bool alarm_possible(uint8_t byte, uint32_t alarm, uint32_t limit)
{
	return (byte & ALARM_ANY) == ALARM_ANY || alarm < limit;
}

/*
 * Seconds until the time of day next meets the alarm, 1 to 86400; or UINT32_MAX if it
 * never does. Whole hours and minutes that do not match are skipped.
 */
static uint32_t seconds_to_alarm(const struct rtc *rtc)
{
	const uint8_t *memory = rtc->memory;
	uint32_t hours = decode_hours(rtc, memory[RTC_HOURS_ALARM]);
	uint32_t minutes = decode(rtc, memory[RTC_MINUTES_ALARM]);
	uint32_t seconds = decode(rtc, memory[RTC_SECONDS_ALARM]);
	uint32_t begin = time_of_day(rtc), at = begin + 1;

	if (!alarm_possible(memory[RTC_HOURS_ALARM], hours, 24) ||
	    !alarm_possible(memory[RTC_MINUTES_ALARM], minutes, 60) ||
	    !alarm_possible(memory[RTC_SECONDS_ALARM], seconds, 60))
		return UINT32_MAX;
	while (at - begin <= SECONDS_PER_DAY) {
		uint32_t day = at % SECONDS_PER_DAY;

		if (!alarm_matches(memory[RTC_HOURS_ALARM], hours, day / 3600))
			at += 3600 - day % 3600;
		else if (!alarm_matches(memory[RTC_MINUTES_ALARM], minutes, day / 60 % 60))
			at += 60 - day % 60;
		else if (!alarm_matches(memory[RTC_SECONDS_ALARM], seconds, day % 60))
			at++;
		else
			return at - begin;
	}
	return UINT32_MAX;
}

/* ---- time --------------------------------------------------------------------------- */

/* Updates that have ended by @now, since the divider chain's origin. */
static uint64_t updates(const struct rtc *rtc, uint64_t now)
{
	return (now - rtc->origin + DEV_NS_PER_SECOND - UPDATE_TIME) / DEV_NS_PER_SECOND;
}

/* The moment at which the update with this number ends. */
static uint64_t update_moment(const struct rtc *rtc, uint64_t number)
{
	return rtc->origin + (number - 1) * DEV_NS_PER_SECOND + UPDATE_TIME;
}

static bool update_in_progress(const struct rtc *rtc, uint64_t now)
{
	uint64_t phase = (now - rtc->origin) % DEV_NS_PER_SECOND;

	return updates_run(rtc) &&
	       (phase < UPDATE_TIME || phase >= DEV_NS_PER_SECOND - BEFORE_UPDATE);
}

/* The periodic rate in cycles of the time base, or 0 (MC146818A, table 5). */
static uint32_t periodic_cycles(const struct rtc *rtc)
{
	uint32_t rate = rtc->memory[RTC_A] & RTC_A_RATE;

	if (!rate || !divider_runs(rtc))
		return 0;
	return 1u << (rate < 3 ? rate + 6 : rate - 1);
}

static uint64_t periods(const struct rtc *rtc, uint64_t now, uint32_t cycles)
{
	return clock_ticks(now - rtc->origin, RTC_BASE_HZ) / cycles;
}

/* Each flag of register C stands where its enable bit does in register B. */
static void update_irq(struct rtc *rtc)
{
	uint8_t flags = rtc->memory[RTC_C] & FLAGS;
	bool level = flags & rtc->memory[RTC_B];

	rtc->memory[RTC_C] = flags | (level ? RTC_C_IRQF : 0);
	if (rtc->level == level)
		return;
	rtc->level = level;
	line_set(&rtc->irq, level);
}

/* All that has happened between the last look and @now. */
static void advance(struct rtc *rtc, uint64_t now)
{
	uint32_t cycles = periodic_cycles(rtc);
	uint64_t passed = 0;

	if (updates_run(rtc))
		passed = updates(rtc, now) - updates(rtc, rtc->last);
	if (passed) {
		if (seconds_to_alarm(rtc) <= passed)
			rtc->memory[RTC_C] |= RTC_C_AF;
		rtc->memory[RTC_C] |= RTC_C_UF;
		pass_seconds(rtc, passed);
	}
	if (cycles && periods(rtc, now, cycles) != periods(rtc, rtc->last, cycles))
		rtc->memory[RTC_C] |= RTC_C_PF;
	rtc->last = now;
	update_irq(rtc);
}

/* ---- accesses ----------------------------------------------------------------------- */

/* Starting the divider chain puts its first update half a second ahead. */
static void write_a(struct rtc *rtc, uint8_t value, uint64_t now)
{
	bool ran = divider_runs(rtc);

	rtc->memory[RTC_A] = value & (uint8_t)~RTC_A_UIP;
	if (!ran && divider_runs(rtc))
		rtc->origin = now - DEV_NS_PER_SECOND / 2;
}

/* SET stops the update, and clears UIE with it (MC146818A, "SET"). */
static void write_b(struct rtc *rtc, uint8_t value)
{
	if (value & RTC_B_SET)
		value &= (uint8_t)~RTC_B_UIE;
	rtc->memory[RTC_B] = value;
}

static uint8_t read_c(struct rtc *rtc)
{
	uint8_t value = rtc->memory[RTC_C];

	rtc->memory[RTC_C] = 0;
	return value;
}

uint8_t rtc_read(struct rtc *rtc, unsigned int offset, uint64_t now)
{
	uint8_t index = rtc->index & (RTC_NVRAM_SIZE - 1);
	uint8_t value;

	if (offset == RTC_INDEX)
		return rtc->index;
	advance(rtc, now);
	switch (index) {
	case RTC_A:
		return rtc->memory[RTC_A] | (update_in_progress(rtc, now) ? RTC_A_UIP : 0);
	case RTC_C:
		value = read_c(rtc);
		update_irq(rtc);
		return value;
	case RTC_D:
		return RTC_D_VRT;
	default:
		return rtc->memory[index];
	}
}

void rtc_write(struct rtc *rtc, unsigned int offset, uint8_t value, uint64_t now)
{
	uint8_t index = rtc->index & (RTC_NVRAM_SIZE - 1);

	if (offset == RTC_INDEX) {
		rtc->index = value;
		return;
	}
	advance(rtc, now);
	switch (index) {
	case RTC_A:
		write_a(rtc, value, now);
		break;
	case RTC_B:
		write_b(rtc, value);
		break;
	case RTC_C: /* read-only, both */
	case RTC_D:
		break;
	default:
		rtc->memory[index] = value;
		break;
	}
	update_irq(rtc);
}

uint64_t rtc_tick(struct rtc *rtc, uint64_t now)
{
	uint8_t enabled = rtc->memory[RTC_B];
	uint32_t cycles = periodic_cycles(rtc), seconds;
	uint64_t deadline = DEV_NEVER;

	advance(rtc, now);
	if (rtc->level)
		return DEV_NEVER;
	if ((enabled & RTC_B_PIE) && cycles)
		deadline = rtc->origin +
			   clock_moment((periods(rtc, now, cycles) + 1) * cycles, RTC_BASE_HZ);
	if (!updates_run(rtc))
		return deadline;
	if (enabled & RTC_B_UIE)
		deadline = clock_earlier(deadline, update_moment(rtc, updates(rtc, now) + 1));
	seconds = enabled & RTC_B_AIE ? seconds_to_alarm(rtc) : UINT32_MAX;
	if (seconds != UINT32_MAX)
		deadline = clock_earlier(deadline, update_moment(rtc, updates(rtc, now) + seconds));
	return deadline;
}

void rtc_set_nvram(struct rtc *rtc, uint8_t index, uint8_t value)
{
	if (index > RTC_D && index < RTC_NVRAM_SIZE)
		rtc->memory[index] = value;
}

bool rtc_nmi_masked(const struct rtc *rtc)
{
	return rtc->index & 0x80;
}

void rtc_reset(struct rtc *rtc, uint64_t now)
{
	advance(rtc, now);
	rtc->memory[RTC_B] &= (uint8_t) ~(RTC_B_PIE | RTC_B_AIE | RTC_B_UIE | RTC_B_SQWE);
	rtc->memory[RTC_C] = 0;
	rtc->index = 0;
	update_irq(rtc);
}

void rtc_init(struct rtc *rtc, struct line irq, uint64_t seconds, uint64_t now)
{
	int32_t day = (int32_t)(seconds / SECONDS_PER_DAY);
	struct calendar_date date = calendar_date_of(day);

	/* An update ends now, so the next is a whole second away. */
	*rtc = (struct rtc){ .irq = irq, .origin = now - UPDATE_TIME, .last = now };
	rtc->memory[RTC_A] = DIVIDER_NORMAL | 6; /* 1024 Hz, as PCs have it */
	rtc->memory[RTC_B] = RTC_B_24;
	set_time_of_day(rtc, (uint32_t)(seconds % SECONDS_PER_DAY));
	set_date(rtc, date);
	rtc->memory[RTC_CENTURY] = encode(rtc, (uint32_t)date.year / 100 % 100);
	rtc->memory[RTC_DAY_OF_WEEK] = calendar_weekday(day);
}
