/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/fuzz/device_fuzz.h"

#include "dev/uart.h"

/*
 * A guest that does anything to its serial port while the host types. Input also
 * breaks, moves the modem lines and holds the transmitter; the host answers room with
 * one more byte.
 */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint64_t moment;

static void on_room(void *owner)
{
	uart_receive(owner, (const uint8_t *)"\r", 1, moment);
}

static uint64_t do_read(void *device, uint32_t offset, unsigned int size, uint64_t now)
{
	(void)size;
	moment = now;
	return uart_read(device, offset, now);
}

static void do_write(void *device, uint32_t offset, unsigned int size, uint64_t value, uint64_t now)
{
	(void)size;
	moment = now;
	uart_write(device, offset, (uint8_t)value, now);
}

static uint64_t do_tick(void *device, uint64_t now)
{
	return uart_tick(device, now);
}

static void do_reset(void *device, uint64_t now)
{
	uart_reset(device, now);
}

static void do_input(void *device, uint8_t kind, uint8_t value, uint64_t now)
{
	uint8_t bytes[32] = { value, kind };
	size_t room = uart_room(device);

	if (kind == 0xff)
		uart_hold(device, value & 1, now);
	else if (kind & 0x80)
		uart_set_modem(device, value, now);
	else if (kind & 0x40)
		DEVICE_FUZZ_REQUIRE(uart_receive_break(device, now) == (room > 0));
	else
		DEVICE_FUZZ_REQUIRE(uart_receive(device, bytes, kind & 0x1f, now) ==
				    ((kind & 0x1f) < room ? (kind & 0x1f) : room));
}

/* The line is high exactly if IIR of a copy says so and OUT2 lets it. */
static void do_check(void *device, uint64_t now)
{
	struct uart copy = *(struct uart *)device;
	bool pending;

	copy.wiring = (struct uart_wiring){ 0 };
	pending = !(uart_read(&copy, UART_IIR, now) & UART_IIR_NONE);
	DEVICE_FUZZ_REQUIRE(device_fuzz_wires.level[0] == (pending && (copy.mcr & UART_MCR_OUT2)));
	DEVICE_FUZZ_REQUIRE(copy.count <= UART_FIFO_SIZE);
	DEVICE_FUZZ_REQUIRE((uart_read(&copy, UART_LSR, now) & 0x60) ==
			    (copy.held && !(copy.mcr & UART_MCR_LOOP) ? 0 : 0x60));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct uart uart;
	struct uart_wiring wiring = {
		.irq = device_fuzz_line(0),
		.room = on_room,
		.owner = &uart,
	};
	const struct device_fuzz fuzz = {
		.device = &uart,
		.space = UART_PORT_COUNT,
		.read = do_read,
		.write = do_write,
		.tick = do_tick,
		.input = do_input,
		.reset = do_reset,
		.check = do_check,
		.edge_limit = 4,
	};

	moment = 0;
	device_fuzz_wires.level[0] = false;
	uart_init(&uart, &wiring, 0);
	device_fuzz_run(&fuzz, data, size);
	return 0;
}
