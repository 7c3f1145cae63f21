/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Driving the 8254 and the MC146818 by polling.
 */

#include "tests/guests/lib/timers.h"

#define PIT_COUNTER_0 0x40
#define PIT_CONTROL   0x43
#define SPEAKER	      0x61 /* bit 0 is counter 2's gate, bit 5 its output */
#define RTC_ADDRESS   0x70
#define RTC_DATA      0x71

void pit_start(unsigned int counter, unsigned int mode, uint16_t count)
{
	out8(PIT_CONTROL, (uint8_t)(counter << 6 | 3 << 4 | mode << 1));
	out8((uint16_t)(PIT_COUNTER_0 + counter), (uint8_t)count);
	out8((uint16_t)(PIT_COUNTER_0 + counter), (uint8_t)(count >> 8));
}

uint16_t pit_read(unsigned int counter)
{
	uint16_t port = (uint16_t)(PIT_COUNTER_0 + counter);
	uint8_t low;

	out8(PIT_CONTROL, (uint8_t)(counter << 6));
	low = in8(port);
	return (uint16_t)(low | in8(port) << 8);
}

uint8_t rtc_read(uint8_t address)
{
	out8(RTC_ADDRESS, address);
	return in8(RTC_DATA);
}

void rtc_write(uint8_t address, uint8_t value)
{
	out8(RTC_ADDRESS, address);
	out8(RTC_DATA, value);
}

unsigned int rtc_number(uint8_t address)
{
	uint8_t value = rtc_read(address);

	if (rtc_read(RTC_B) & RTC_B_BINARY)
		return value;
	return (value >> 4) * 10u + (value & 0xf);
}

void wait_microseconds(unsigned int microseconds)
{
	out8(SPEAKER, (in8(SPEAKER) & ~2) | 1);
	pit_start(2, PIT_MODE_ONE_SHOT, (uint16_t)(microseconds * (PIT_HZ / 1000) / 1000));
	while (!(in8(SPEAKER) & 0x20))
		pause();
}
