/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A guest that floods the first serial port: bytes as fast as it can with and
 * without asking whether there is room, every register with every value, the
 * receiver through the loopback until it overruns. In between and at the end the port
 * must still be a 16550A.
 *
 *	bytes=N		how many 'U' to send, asking for room before each (65,536)
 *	forever		then go on sending without asking, and never end
 */

#include "tests/guests/lib/guest.h"

/* 16550D datasheet, "Register Addresses" */
#define UART		     0x3f8
#define UART_IER	     (UART + 1)
#define UART_FCR	     (UART + 2)
#define UART_IIR	     (UART + 2)
#define UART_LCR	     (UART + 3)
#define UART_MCR	     (UART + 4)
#define UART_LSR	     (UART + 5)
#define UART_SCR	     (UART + 7)
#define LCR_8_BITS	     0x03
#define FCR_ENABLE_AND_CLEAR 0x07
#define FCR_ENABLE	     0x01
#define MCR_LOOPBACK	     0x10
#define LSR_DATA	     0x01
#define LSR_OVERRUN	     0x02
#define LSR_ROOM	     0x20
#define FIFO_BYTES	     16

static void normal(void)
{
	out8(UART_LCR, LCR_8_BITS);
	out8(UART_IER, 0);
	out8(UART_FCR, FCR_ENABLE_AND_CLEAR);
	out8(UART_MCR, 0);
}

static bool has_room(void)
{
	for (unsigned int i = 0; i < 1000000; i++) {
		if (in8(UART_LSR) & LSR_ROOM)
			return true;
	}
	return false;
}

static void send(unsigned int count)
{
	bool room = true;

	normal();
	for (unsigned int i = 0; i < count && room; i++) {
		room = has_room();
		out8(UART, 'U');
	}
	say("\n"); /* the console's line may be full of 'U's */
	check(room, "the transmitter always has room again");
}

/* Every value to every register but the transmitter; 'U's may be sent, nothing else. */
static void every_register(void)
{
	for (unsigned int value = 0; value < 256; value++) {
		for (uint16_t port = UART_IER; port <= UART_SCR; port++) {
			out8(port, (uint8_t)value);
			for (uint16_t other = UART; other <= UART_SCR; other++)
				in8(other);
		}
	}
	normal();
	say("\n");
	out8(UART_SCR, 0x5a);
	check_equal(in8(UART_SCR), 0x5a, "the scratch register holds");
	check_equal(in8(UART_IIR) & 0xc0, 0xc0, "the FIFOs are on");
}

/* More than the receiver holds, by its own loopback. */
static void overrun(void)
{
	unsigned int received = 0;

	normal();
	out8(UART_MCR, MCR_LOOPBACK);
	for (unsigned int i = 0; i < 4096; i++) {
		out8(UART, (uint8_t)i);
		while (!(in8(UART_LSR) & LSR_ROOM))
			pause();
	}
	check((in8(UART_LSR) & (LSR_OVERRUN | LSR_DATA)) != 0, "the receiver says it is full");
	while (received < 4096 && in8(UART_LSR) & LSR_DATA) {
		in8(UART);
		received++;
	}
	check_equal(received, FIFO_BYTES, "the receiver held what its FIFO holds");
	normal();
}

int main(void)
{
	send((unsigned int)option("bytes", 65536));
	every_register();
	overrun();
	while (option_given("forever"))
		out8(UART, 'U');
	return 0;
}
