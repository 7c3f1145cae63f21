/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A guest that resets the machine, once by each way that the command line names, and
 * finds itself started again. What it has done it keeps in the real-time clock's
 * memory, which a reset leaves alone (MC146818, "RESET pin").
 *
 *	keyboard	pulse the reset line by the keyboard controller (command 0xfe)
 *	port92		system control port A, bit 0
 *	acpi		the reset register of the FADT
 *	triple		triple fault, where that resets
 */

#include "tests/guests/lib/acpi.h"
#include "tests/guests/lib/guest.h"
#include "tests/guests/lib/timers.h"

#define MARK 0xb0 /* with the number of resets so far in the low bits */

static void by_keyboard(void)
{
	while (in8(0x64) & 2)
		pause();
	out8(0x64, 0xfe);
}

static void by_port92(void)
{
	out8(0x92, (uint8_t)(in8(0x92) & ~1));
	out8(0x92, in8(0x92) | 1);
}

static void by_acpi(void)
{
	uint8_t value = 0;
	uint16_t port = acpi_reset_port(&value);

	if (port)
		out8(port, value);
}

static void by_triple_fault(void)
{
	const struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t base;
	} none = { 0, 0 };

	asm volatile("lidt %0; ud2" : : "m"(none));
}

static const struct {
	const char *name;
	void (*reset)(void);
} ways[] = {
	{ "keyboard", by_keyboard },
	{ "port92", by_port92 },
	{ "acpi", by_acpi },
	{ "triple", by_triple_fault },
};

int main(void)
{
	uint8_t mark = rtc_read(RTC_NVRAM);
	unsigned int done = (mark & 0xf0) == MARK ? mark & 0xf : 0, asked = 0;

	for (unsigned int i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		if (!option_given(ways[i].name))
			continue;
		if (asked++ < done)
			continue;
		say("reset by %s\n", ways[i].name);
		rtc_write(RTC_NVRAM, (uint8_t)(MARK | (done + 1)));
		ways[i].reset();
		wait_microseconds(50000);
		say("# still here after a reset by %s\n", ways[i].name);
		return 1;
	}
	rtc_write(RTC_NVRAM, 0);
	check_equal(done, asked, "started again after every reset");
	return 0;
}
