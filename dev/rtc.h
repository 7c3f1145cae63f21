/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_RTC_H
#define HUTCH_DEV_RTC_H

/*
 * The MC146818 real-time clock (Motorola, MC146818A data sheet) with the 128 bytes of
 * CMOS memory that a PC keeps beside it, behind an index port and a data port.
 *
 * To wire it: give rtc_init() the line of IRQ 8 and the date; send port 0x70 to offset
 * RTC_INDEX and port 0x71 to offset RTC_DATA; call rtc_tick() after each access and at
 * the moment it last returned. What firmware wants to find in CMOS memory is put there
 * by rtc_set_nvram(). Bit 7 of the index is the PC's mask of NMI: rtc_nmi_masked().
 *
 * The line rises with IRQF and falls when register C is read. While it is high the
 * model asks for no tick: interrupts that nobody takes cost nothing.
 *
 * Time: once a second UIP goes high, 244 us later the update cycle begins, 1984 us
 * after that it ends (32.768 kHz time base): the registers change, UF and perhaps AF
 * are set, UIP falls. The century at 0x32 is counted along with the years, which the
 * chip alone would not do. Divider settings 0 to 2 run, each with the crystal that it
 * is made for; others stop the clock, and its first update comes half a second after
 * it is started again. The square wave goes nowhere, and daylight saving (DSE) is not
 * applied: no system has used it since the rules of 1987 made its dates wrong.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dev/line.h"

#define RTC_INDEX      0
#define RTC_DATA       1

#define RTC_NVRAM_SIZE 128
#define RTC_BASE_HZ    32768

/* Registers (MC146818A, figure 7). */
#define RTC_SECONDS	  0x00
#define RTC_SECONDS_ALARM 0x01
#define RTC_MINUTES	  0x02
#define RTC_MINUTES_ALARM 0x03
#define RTC_HOURS	  0x04
#define RTC_HOURS_ALARM	  0x05
#define RTC_DAY_OF_WEEK	  0x06
#define RTC_DATE	  0x07
#define RTC_MONTH	  0x08
#define RTC_YEAR	  0x09
#define RTC_A		  0x0a
#define RTC_B		  0x0b
#define RTC_C		  0x0c
#define RTC_D		  0x0d
#define RTC_CENTURY	  0x32

#define RTC_A_UIP	  0x80
#define RTC_A_DIVIDER	  0x70
#define RTC_A_RATE	  0x0f

#define RTC_B_SET	  0x80
#define RTC_B_PIE	  0x40
#define RTC_B_AIE	  0x20
#define RTC_B_UIE	  0x10
#define RTC_B_SQWE	  0x08
#define RTC_B_DM	  0x04 /* binary, not BCD */
#define RTC_B_24	  0x02
#define RTC_B_DSE	  0x01

#define RTC_C_IRQF	  0x80
#define RTC_C_PF	  0x40
#define RTC_C_AF	  0x20
#define RTC_C_UF	  0x10

#define RTC_D_VRT	  0x80

struct rtc {
	struct line irq;
	uint8_t memory[RTC_NVRAM_SIZE]; /* the registers and the CMOS memory behind them */
	uint8_t index;			/* as written: bit 7 masks NMI */
	bool level;			/* what the line carries */
	uint64_t origin; /* a second of the divider chain began here; may lie before 0 (wraps) */
	uint64_t last;	 /* all up to this moment has been done */
};

/*
 * Connects the clock and sets it: @seconds since 1970-01-01 00:00:00, in whatever time
 * zone the guest keeps its clock; from year 1970 to 9999. Memory is zero, the mode BCD
 * and 24 hours, as PCs have it.
 */
void rtc_init(struct rtc *rtc, struct line irq, uint64_t seconds, uint64_t now);

/* The RESET pin (MC146818A, "RESET"): interrupts off; time and memory stay. */
void rtc_reset(struct rtc *rtc, uint64_t now);

/* @offset: RTC_INDEX or RTC_DATA. */
uint8_t rtc_read(struct rtc *rtc, unsigned int offset, uint64_t now);
void rtc_write(struct rtc *rtc, unsigned int offset, uint8_t value, uint64_t now);
uint64_t rtc_tick(struct rtc *rtc, uint64_t now);

/* Puts a byte into CMOS memory, @index 0x0e to 0x7f; others are left alone. */
void rtc_set_nvram(struct rtc *rtc, uint8_t index, uint8_t value);

/* True while the guest masks NMI by bit 7 of the index port. */
bool rtc_nmi_masked(const struct rtc *rtc);

#endif
