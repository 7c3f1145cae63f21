/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_CALENDAR_H
#define HUTCH_DEV_CALENDAR_H

/*
 * The Gregorian calendar as arithmetic, for a clock chip that has no C library to ask.
 * Days are counted from 1 January 1970, which was a Thursday.
 */

#include <stdint.h>

struct calendar_date {
	int32_t year;  /* 0 to 9999 */
	int32_t month; /* 1 to 12 */
	int32_t day;   /* 1 to 31 */
};

/*
 * The day number of a date, negative before 1970. A day beyond the end of its month
 * counts on into the next: 30 February is 1 or 2 March.
 */
int32_t calendar_day_number(struct calendar_date date);

/* The date of a day number, of year 0 or later. */
struct calendar_date calendar_date_of(int32_t day_number);

/* 1 for Sunday to 7 for Saturday. */
uint8_t calendar_weekday(int32_t day_number);

#endif
