/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/calendar.h"

/*
 * Years are counted from March here: the leap day is then a year's last, and a day's
 * place in its year no longer depends on whether there is one. From March on the
 * months take turns of 31 and 30 days in a pattern of five months with 153 days:
 * (153 m + 2) / 5 days come before month m.
 */

#define DAYS_PER_YEAR	     365
#define DAYS_PER_4_YEARS     1461
#define DAYS_PER_100_YEARS   36524
#define DAYS_PER_400_YEARS   146097
#define EPOCH_FROM_YEAR_ZERO 719468 /* days from 1 March of year 0 to 1 January 1970 */

int32_t calendar_day_number(struct calendar_date date)
{
	/* Year 0 from March on would be negative in January: count from 400 years before. */
	int32_t year = date.year + 400 - (date.month <= 2);
	int32_t month = (date.month + 9) % 12; /* March is 0 */
	int32_t leap_days = year / 4 - year / 100 + year / 400;

	return year * DAYS_PER_YEAR + leap_days + (153 * month + 2) / 5 + date.day - 1 -
	       DAYS_PER_400_YEARS - EPOCH_FROM_YEAR_ZERO;
}

struct calendar_date calendar_date_of(int32_t day_number)
{
	int32_t days = day_number + EPOCH_FROM_YEAR_ZERO + DAYS_PER_400_YEARS;
	int32_t year = days / DAYS_PER_400_YEARS * 400 - 400, part, month;
	struct calendar_date date;

	/* The last part of each division may be a leap day too many: it stays in the part. */
	days %= DAYS_PER_400_YEARS;
	part = days / DAYS_PER_100_YEARS < 3 ? days / DAYS_PER_100_YEARS : 3;
	days -= part * DAYS_PER_100_YEARS;
	year += part * 100 + days / DAYS_PER_4_YEARS * 4;
	days %= DAYS_PER_4_YEARS;
	part = days / DAYS_PER_YEAR < 3 ? days / DAYS_PER_YEAR : 3;
	days -= part * DAYS_PER_YEAR;
	year += part;

	month = (5 * days + 2) / 153;
	date.day = days - (153 * month + 2) / 5 + 1;
	date.month = month < 10 ? month + 3 : month - 9;
	date.year = year + (date.month <= 2);
	return date;
}

uint8_t calendar_weekday(int32_t day_number)
{
	int32_t weekday = (day_number + 4) % 7; /* day 0 was a Thursday */

	return (uint8_t)((weekday < 0 ? weekday + 7 : weekday) + 1);
}
