/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_LIB_TIMERS_H
#define HUTCH_TESTS_GUESTS_LIB_TIMERS_H

/*
 * The old timers of a PC: the 8254's three counters and the MC146818's clock.
 */

#include "tests/guests/lib/guest.h"

#define PIT_HZ		  1193182u /* 8254 in a PC: 14.31818 MHz / 12 */
#define PIT_MODE_ONE_SHOT 0u	   /* interrupt on terminal count */
#define PIT_MODE_RATE	  2u

/* Starts counter 0 or 2; @count 0 is 65536. */
void pit_start(unsigned int counter, unsigned int mode, uint16_t count);
/* Latches and reads a counter. */
uint16_t pit_read(unsigned int counter);

/* MC146818: addresses of the clock's registers. */
enum rtc_register {
	RTC_SECONDS = 0x00,
	RTC_MINUTES = 0x02,
	RTC_HOURS = 0x04,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_C = 0x0c,
	RTC_D = 0x0d,
	RTC_NVRAM = 0x40, /* a byte that no BIOS gave a meaning */
};

#define RTC_A_UPDATE_IN_PROGRESS 0x80
#define RTC_B_PERIODIC		 0x40
#define RTC_B_BINARY		 0x04
#define RTC_B_24_HOURS		 0x02
#define RTC_C_PERIODIC		 0x40
#define RTC_D_VALID		 0x80

uint8_t rtc_read(uint8_t address);
void rtc_write(uint8_t address, uint8_t value);
/* A time or date register as a number, whichever way register B has it kept. */
unsigned int rtc_number(uint8_t address);

/* Spins for about @microseconds by the 8254's counter 2; at most 50,000. */
void wait_microseconds(unsigned int microseconds);

#endif
