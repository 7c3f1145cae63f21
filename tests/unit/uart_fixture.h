/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_UART_FIXTURE_H
#define HUTCH_TESTS_UNIT_UART_FIXTURE_H

/*
 * A UART on the bench: its interrupt line is probed, what it sends is kept, and a host
 * feeds it when it has room.
 */

#include "tests/unit/device_test.h"

#include "dev/uart.h"

struct bench {
	struct uart uart;
	struct probe irq;
	uint8_t output[64];
	size_t output_size;
	unsigned int room_calls;
	const uint8_t *refill; /* what the host feeds when it hears of room */
	size_t refill_size;
	uint64_t now;
};

static inline void on_transmit(void *owner, uint8_t byte)
{
	struct bench *bench = owner;

	assert_true(bench->output_size < sizeof(bench->output));
	bench->output[bench->output_size++] = byte;
}

static inline void on_room(void *owner)
{
	struct bench *bench = owner;
	size_t taken;

	bench->room_calls++;
	taken = uart_receive(&bench->uart, bench->refill, bench->refill_size, bench->now);
	bench->refill += taken;
	bench->refill_size -= taken;
}

static inline void make(struct bench *bench)
{
	struct uart_wiring wiring;

	*bench = (struct bench){ 0 };
	wiring = (struct uart_wiring){
		.irq = probe_line(&bench->irq, 4),
		.transmit = on_transmit,
		.room = on_room,
		.owner = bench,
	};
	bench->refill = (const uint8_t *)"";
	uart_init(&bench->uart, &wiring, 0);
}

static inline uint8_t in(struct bench *bench, unsigned int offset)
{
	return uart_read(&bench->uart, offset, bench->now);
}

static inline void out(struct bench *bench, unsigned int offset, uint8_t value)
{
	uart_write(&bench->uart, offset, value, bench->now);
}

static inline size_t receive(struct bench *bench, const char *text)
{
	return uart_receive(&bench->uart, (const uint8_t *)text, strlen(text), bench->now);
}

#endif
