/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/uart_fixture.h"

/*
 * The 16550A's line: errors, loopback, the modem's wires and the flow of input, and what
 * Linux does to find out which UART it has before it.
 */

static void errors_belong_to_their_character(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	receive(&bench, "a");
	uart_receive_break(&bench.uart, 0);
	receive(&bench, "b");
	/* It is in the FIFO, but not yet on top. */
	assert_int_equal(in(&bench, UART_LSR), 0x61 | UART_LSR_FIFO_ERROR);
	assert_int_equal(in(&bench, UART_LSR), 0x61 | UART_LSR_FIFO_ERROR);
	assert_int_equal(in(&bench, UART_RBR), 'a');
	assert_int_equal(in(&bench, UART_LSR),
			 0x61 | UART_LSR_BI | UART_LSR_FE | UART_LSR_FIFO_ERROR);
	assert_int_equal(in(&bench, UART_LSR), 0x61);
	assert_int_equal(in(&bench, UART_RBR), 0);
	assert_int_equal(in(&bench, UART_RBR), 'b');
	assert_int_equal(in(&bench, UART_LSR), 0x60);
}

static void overrun_in_loopback(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_LCR, 3);
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	out(&bench, UART_MCR, UART_MCR_LOOP);
	for (unsigned int i = 0; i < 17; i++)
		out(&bench, UART_THR, (uint8_t)('a' + i));
	assert_int_equal(in(&bench, UART_LSR), 0x61 | UART_LSR_OE);
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(in(&bench, UART_RBR), 'a' + i);
	assert_int_equal(in(&bench, UART_LSR), 0x60);
	/* Without FIFOs the new character takes the old one's place. */
	out(&bench, UART_FCR, 0);
	out(&bench, UART_THR, 'x');
	out(&bench, UART_THR, 'y');
	assert_int_equal(in(&bench, UART_LSR), 0x61 | UART_LSR_OE);
	assert_int_equal(in(&bench, UART_RBR), 'y');
	assert_int_equal(in(&bench, UART_LSR), 0x60);
	assert_int_equal(bench.output_size, 0);
}

static void loopback_word_length_and_break(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_MCR, UART_MCR_LOOP);
	for (uint8_t length = 0; length < 4; length++) {
		out(&bench, UART_LCR, length);
		out(&bench, UART_THR, 0xff);
		assert_int_equal(in(&bench, UART_RBR), 0xff >> (3 - length));
	}
	out(&bench, UART_LCR, 3 | UART_LCR_BREAK);
	assert_int_equal(in(&bench, UART_LSR), 0x61 | UART_LSR_BI | UART_LSR_FE);
	assert_int_equal(in(&bench, UART_RBR), 0);
}

static void loopback_modem_lines(void **state)
{
	static const uint8_t pairs[][2] = {
		{ UART_MCR_RTS, UART_MSR_CTS },
		{ UART_MCR_DTR, UART_MSR_DSR },
		{ UART_MCR_OUT1, UART_MSR_RI },
		{ UART_MCR_OUT2, UART_MSR_DCD },
	};
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_MCR, UART_MCR_LOOP);
	/* Three lines that were on have gone. */
	assert_int_equal(in(&bench, UART_MSR), UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD);
	for (unsigned int i = 0; i < 4; i++) {
		uint8_t line = pairs[i][1], delta = line >> 4;

		out(&bench, UART_MCR, UART_MCR_LOOP | pairs[i][0]);
		assert_int_equal(in(&bench, UART_MSR), line | (line == UART_MSR_RI ? 0 : delta));
		assert_int_equal(in(&bench, UART_MSR), line);
		out(&bench, UART_MCR, UART_MCR_LOOP);
		assert_int_equal(in(&bench, UART_MSR), delta);
		assert_int_equal(in(&bench, UART_MSR), 0);
	}
	out(&bench, UART_MCR, 0);
	assert_int_equal(in(&bench, UART_MSR), 0xb0 | 0x0b);
}

static void modem_lines_from_the_other_side(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	uart_set_modem(&bench.uart, UART_MSR_RI | 0x0f, 0);
	assert_int_equal(in(&bench, UART_MSR), UART_MSR_RI | 0x0b);
	uart_set_modem(&bench.uart, 0, 0);
	assert_int_equal(in(&bench, UART_MSR), UART_MSR_TERI);
	uart_set_modem(&bench.uart, UART_MSR_DCD, 0);
	uart_set_modem(&bench.uart, 0, 0); /* there and back: told all the same */
	assert_int_equal(in(&bench, UART_MSR), UART_MSR_DDCD);
	/* In loopback the pins are cut off. */
	out(&bench, UART_MCR, UART_MCR_LOOP);
	uart_set_modem(&bench.uart, UART_MSR_CTS, 0);
	assert_int_equal(in(&bench, UART_MSR), 0);
	out(&bench, UART_MCR, 0);
	assert_int_equal(in(&bench, UART_MSR), UART_MSR_CTS | UART_MSR_DCTS);
}

static void host_is_told_of_room(void **state)
{
	struct bench bench;
	char text[64] = "";

	(void)state;
	make(&bench);
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	bench.refill = (const uint8_t *)"The quick brown fox jumps over the lazy dog";
	bench.refill_size = 43;
	on_room(&bench);
	assert_int_equal(bench.refill_size, 43 - 16);
	for (size_t i = 0; in(&bench, UART_LSR) & UART_LSR_DR; i++)
		text[i] = (char)in(&bench, UART_RBR);
	assert_string_equal(text, "The quick brown fox jumps over the lazy dog");
	assert_int_equal(bench.room_calls, 1 + 3); /* after 16, 32 and 43 */
}

static void no_input_in_loopback(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_MCR, UART_MCR_LOOP);
	assert_int_equal(uart_room(&bench.uart), 0);
	assert_int_equal(receive(&bench, "x"), 0);
	assert_false(uart_receive_break(&bench.uart, 0));
	out(&bench, UART_LCR, 3);
	out(&bench, UART_THR, 'y');
	in(&bench, UART_RBR);
	assert_int_equal(bench.room_calls, 0);
	out(&bench, UART_MCR, 0);
	assert_int_equal(uart_room(&bench.uart), 1);
}

static void leaving_loopback_offers_room(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_MCR, UART_MCR_LOOP);
	bench.refill = (const uint8_t *)"z";
	bench.refill_size = 1;
	out(&bench, UART_MCR, 0);
	assert_int_equal(bench.room_calls, 1);
	assert_int_equal(in(&bench, UART_RBR), 'z');
}

static void listening(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_false(uart_listening(&bench.uart));
	out(&bench, UART_MCR, UART_MCR_RTS);
	assert_true(uart_listening(&bench.uart));
	out(&bench, UART_MCR, 0);
	out(&bench, UART_IER, UART_IER_ERBFI); /* a driver may be trying what there is */
	assert_false(uart_listening(&bench.uart));
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	assert_true(uart_listening(&bench.uart));
}

/* The steps by which Linux's 8250 driver tells a 16550A from its kin. */
static void linux_finds_a_16550a(void **state)
{
	struct bench bench;
	uint8_t status;

	(void)state;
	make(&bench);
	/* autoconfig(): is anything there at all? */
	out(&bench, UART_IER, 0);
	assert_int_equal(in(&bench, UART_IER) & 0x0f, 0);
	out(&bench, UART_IER, 0x0f);
	assert_int_equal(in(&bench, UART_IER) & 0x0f, 0x0f);
	out(&bench, UART_IER, 0);
	/* The loopback test: OUT2 and RTS show as DCD and CTS. */
	out(&bench, UART_MCR, UART_MCR_LOOP | 0x0a);
	assert_int_equal(in(&bench, UART_MSR) & 0xf0, 0x90);
	out(&bench, UART_MCR, 0);
	/* No EFR under either value of LCR, and FIFOs that work. */
	out(&bench, UART_LCR, 0xbf);
	out(&bench, UART_IIR, 0);
	out(&bench, UART_LCR, 0);
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	assert_int_equal(in(&bench, UART_IIR) >> 6, 3);
	out(&bench, UART_LCR, UART_LCR_DLAB);
	assert_int_not_equal(in(&bench, UART_IIR), 0);
	out(&bench, UART_LCR, 0xbf);
	assert_int_not_equal(in(&bench, UART_IIR), 0);
	/* Not a 16750: bit 5 of IIR stays 0 when its 64-byte mode is asked for. */
	out(&bench, UART_LCR, 0);
	out(&bench, UART_FCR, UART_FCR_ENABLE | 0x20);
	assert_int_equal(in(&bench, UART_IIR) & 0x20, 0);
	out(&bench, UART_LCR, UART_LCR_DLAB);
	out(&bench, UART_FCR, UART_FCR_ENABLE | 0x20);
	assert_int_equal(in(&bench, UART_IIR) & 0x20, 0);
	/* Not an XScale's: IER bit 6 does not stick. */
	out(&bench, UART_LCR, 0);
	out(&bench, UART_IER, 0x40);
	assert_int_equal(in(&bench, UART_IER), 0);
	/* startup(): THRE is raised each time it is enabled. */
	out(&bench, UART_IER, UART_IER_ETBEI);
	status = in(&bench, UART_IIR);
	assert_int_equal(status & 1, 0);
	out(&bench, UART_IER, 0);
	out(&bench, UART_IER, UART_IER_ETBEI);
	assert_int_equal(in(&bench, UART_IIR) & 1, 0);
	out(&bench, UART_IER, 0);
	assert_int_equal(in(&bench, UART_LSR), 0x60);
}

static void works_unconnected(void **state)
{
	static const struct uart_wiring nothing;
	struct uart uart;

	(void)state;
	uart_init(&uart, &nothing, 0);
	uart_write(&uart, UART_MCR, UART_MCR_OUT2, 0);
	uart_write(&uart, UART_IER, 0x0f, 0);
	uart_write(&uart, UART_THR, 'x', 0);
	assert_int_equal(uart_receive(&uart, (const uint8_t *)"x", 1, 0), 1);
	assert_int_equal(uart_read(&uart, UART_RBR, 0), 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(errors_belong_to_their_character),
		cmocka_unit_test(overrun_in_loopback),
		cmocka_unit_test(loopback_word_length_and_break),
		cmocka_unit_test(loopback_modem_lines),
		cmocka_unit_test(modem_lines_from_the_other_side),
		cmocka_unit_test(host_is_told_of_room),
		cmocka_unit_test(no_input_in_loopback),
		cmocka_unit_test(leaving_loopback_offers_room),
		cmocka_unit_test(listening),
		cmocka_unit_test(linux_finds_a_16550a),
		cmocka_unit_test(works_unconnected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
