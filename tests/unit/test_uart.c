/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/uart_fixture.h"

/*
 * The 16550A's registers, FIFOs and interrupts against its data sheet (PC16550D). What
 * happens on the line is tests/unit/test_uart_line.c's matter.
 */

static void registers_after_reset(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_int_equal(in(&bench, UART_IER), 0);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	assert_int_equal(in(&bench, UART_LCR), 0);
	assert_int_equal(in(&bench, UART_MCR), 0);
	assert_int_equal(in(&bench, UART_LSR), 0x60);
	assert_int_equal(in(&bench, UART_MSR), UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD);
	assert_false(bench.irq.level);
}

static void reset_keeps_scratch_and_divisor(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_SCR, 0x5a);
	out(&bench, UART_LCR, UART_LCR_DLAB | 3);
	out(&bench, UART_DLL, 0x34);
	out(&bench, UART_DLM, 0x12);
	out(&bench, UART_LCR, 3);
	out(&bench, UART_IER, 0x0f);
	out(&bench, UART_MCR, UART_MCR_OUT2);
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	receive(&bench, "lost");
	assert_true(bench.irq.level);
	uart_reset(&bench.uart, 5);
	assert_false(bench.irq.level);
	assert_int_equal(in(&bench, UART_IER), 0);
	assert_int_equal(in(&bench, UART_LCR), 0);
	assert_int_equal(in(&bench, UART_MCR), 0);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	assert_int_equal(in(&bench, UART_LSR), 0x60);
	assert_int_equal(in(&bench, UART_SCR), 0x5a);
	out(&bench, UART_LCR, UART_LCR_DLAB);
	assert_int_equal(in(&bench, UART_DLL), 0x34);
	assert_int_equal(in(&bench, UART_DLM), 0x12);
	assert_int_equal(uart_tick(&bench.uart, 5), DEV_NEVER);
}

static void unused_bits_read_as_zero(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_IER, 0xff);
	assert_int_equal(in(&bench, UART_IER), 0x0f);
	out(&bench, UART_MCR, 0xff);
	assert_int_equal(in(&bench, UART_MCR), 0x1f);
	out(&bench, UART_LCR, 0x7f);
	assert_int_equal(in(&bench, UART_LCR), 0x7f);
	out(&bench, UART_LSR, 0xff);
	out(&bench, UART_MSR, 0xff);
	assert_int_equal(in(&bench, UART_LSR) & 0xe1, 0x61); /* its break, looped back */
	assert_int_equal(in(&bench, UART_SCR + 8), in(&bench, UART_SCR));
}

static void divisor_latch_hides_data_and_ier(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_IER, UART_IER_ERBFI);
	out(&bench, UART_LCR, UART_LCR_DLAB | 3);
	out(&bench, UART_DLL, 0x0c);
	out(&bench, UART_DLM, 0x01);
	receive(&bench, "x");
	assert_int_equal(in(&bench, UART_DLL), 0x0c);
	assert_int_equal(in(&bench, UART_DLM), 0x01);
	assert_int_equal(bench.output_size, 0);
	out(&bench, UART_LCR, 3);
	assert_int_equal(in(&bench, UART_IER), UART_IER_ERBFI);
	assert_int_equal(in(&bench, UART_RBR), 'x');
}

static void output_leaves_at_once(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_THR, 'A'); /* whole, although LCR says five bits */
	out(&bench, UART_LCR, 3);
	out(&bench, UART_THR, 0xff);
	assert_int_equal(bench.output_size, 2);
	assert_int_equal(bench.output[0], 'A');
	assert_int_equal(bench.output[1], 0xff);
	assert_int_equal(in(&bench, UART_LSR), 0x60);
}

static void line_in_break_carries_nothing(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_LCR, UART_LCR_BREAK | 3);
	out(&bench, UART_THR, 'A');
	out(&bench, UART_LCR, 3);
	out(&bench, UART_THR, 'B');
	assert_int_equal(bench.output_size, 1);
	assert_int_equal(bench.output[0], 'B');
}

static void without_fifo_one_character(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_int_equal(uart_room(&bench.uart), 1);
	assert_int_equal(receive(&bench, "ab"), 1);
	assert_int_equal(uart_room(&bench.uart), 0);
	assert_int_equal(in(&bench, UART_LSR), 0x61);
	assert_int_equal(in(&bench, UART_RBR), 'a');
	assert_int_equal(in(&bench, UART_LSR), 0x60);
	assert_int_equal(in(&bench, UART_RBR), 'a'); /* the latch still holds it */
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	assert_int_equal(uart_tick(&bench.uart, 0), DEV_NEVER);
}

static void fifo_takes_sixteen_in_order(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	assert_int_equal(in(&bench, UART_IIR), 0xc1);
	for (unsigned int round = 0; round < 3; round++) {
		assert_int_equal(receive(&bench, "0123456789abcdefgh"), 16);
		for (unsigned int i = 0; i < 16; i++) {
			assert_int_equal(in(&bench, UART_LSR), 0x61);
			assert_int_equal(in(&bench, UART_RBR), "0123456789abcdef"[i]);
		}
		assert_int_equal(in(&bench, UART_LSR), 0x60);
		receive(&bench, "odd");
		for (unsigned int i = 0; i < 3; i++)
			assert_int_equal(in(&bench, UART_RBR), "odd"[i]);
	}
}

static void trigger_levels(void **state)
{
	static const unsigned int levels[] = { 1, 4, 8, 14 };
	struct bench bench;

	(void)state;
	for (unsigned int i = 0; i < 4; i++) {
		make(&bench);
		out(&bench, UART_MCR, UART_MCR_OUT2);
		out(&bench, UART_IER, UART_IER_ERBFI);
		out(&bench, UART_FCR, UART_FCR_ENABLE | i << 6);
		for (unsigned int n = 1; n < levels[i]; n++) {
			receive(&bench, "x");
			assert_false(bench.irq.level);
		}
		receive(&bench, "x");
		assert_true(bench.irq.level);
		assert_int_equal(in(&bench, UART_IIR), 0xc0 | UART_IIR_DATA);
		in(&bench, UART_RBR); /* below the level: silent, though data may be there */
		assert_false(bench.irq.level);
		assert_int_equal(in(&bench, UART_IIR), 0xc1);
	}
}

static void fcr_needs_its_enable_bit(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	receive(&bench, "x");
	out(&bench, UART_FCR, UART_FCR_RESET_RECEIVER | UART_FCR_TRIGGER);
	assert_int_equal(in(&bench, UART_LSR) & UART_LSR_DR, UART_LSR_DR);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	out(&bench, UART_FCR, UART_FCR_ENABLE); /* changing it empties the receiver */
	assert_int_equal(in(&bench, UART_LSR) & UART_LSR_DR, 0);
	receive(&bench, "xyz");
	out(&bench, UART_FCR, UART_FCR_ENABLE | UART_FCR_RESET_TRANSMITTER);
	assert_int_equal(in(&bench, UART_LSR) & UART_LSR_DR, UART_LSR_DR);
	out(&bench, UART_FCR, UART_FCR_ENABLE | UART_FCR_RESET_RECEIVER);
	assert_int_equal(in(&bench, UART_LSR) & UART_LSR_DR, 0);
	assert_int_equal(uart_room(&bench.uart), 16);
	receive(&bench, "xyz");
	out(&bench, UART_FCR, 0);
	assert_int_equal(in(&bench, UART_LSR) & UART_LSR_DR, 0);
	assert_int_equal(uart_room(&bench.uart), 1);
}

/* 8N1 at 115200 baud: ten bits are 86,805.6 ns, four characters 347,222.2 ns. */
static void time_out_after_four_characters(void **state)
{
	struct bench bench;
	uint64_t deadline;

	(void)state;
	make(&bench);
	out(&bench, UART_LCR, UART_LCR_DLAB | 3);
	out(&bench, UART_DLL, 1);
	out(&bench, UART_DLM, 0);
	out(&bench, UART_LCR, 3);
	out(&bench, UART_MCR, UART_MCR_OUT2);
	out(&bench, UART_IER, UART_IER_ERBFI);
	out(&bench, UART_FCR, UART_FCR_ENABLE | UART_FCR_TRIGGER);
	bench.now = 1000;
	receive(&bench, "ab");
	deadline = uart_tick(&bench.uart, bench.now);
	assert_int_equal(deadline, 1000 + 347223);
	bench.now = deadline - 1;
	assert_int_equal(uart_tick(&bench.uart, bench.now), deadline);
	assert_false(bench.irq.level);
	bench.now = deadline;
	assert_int_equal(uart_tick(&bench.uart, bench.now), DEV_NEVER);
	assert_true(bench.irq.level);
	assert_int_equal(in(&bench, UART_IIR), 0xc0 | UART_IIR_TIMEOUT);
	/* Reading one character clears it and starts the time again. */
	assert_int_equal(in(&bench, UART_RBR), 'a');
	assert_false(bench.irq.level);
	assert_int_equal(uart_tick(&bench.uart, bench.now), bench.now + 347223);
	assert_int_equal(in(&bench, UART_RBR), 'b');
	assert_int_equal(uart_tick(&bench.uart, bench.now), DEV_NEVER);
}

static void time_out_restarts_with_each_character(void **state)
{
	struct bench bench;
	uint64_t first;

	(void)state;
	make(&bench);
	out(&bench, UART_LCR, 3);
	out(&bench, UART_IER, UART_IER_ERBFI);
	out(&bench, UART_FCR, UART_FCR_ENABLE | UART_FCR_TRIGGER);
	receive(&bench, "a");
	first = uart_tick(&bench.uart, 0);
	bench.now = first - 1;
	receive(&bench, "b");
	assert_int_equal(uart_tick(&bench.uart, bench.now), 2 * first - 1);
	/* And is seen by a guest that polls, without any tick. */
	bench.now = 2 * first;
	assert_int_equal(in(&bench, UART_IIR), 0xc0 | UART_IIR_TIMEOUT);
}

static void time_out_is_bounded(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_LCR, UART_LCR_DLAB | 0x0f);
	out(&bench, UART_DLL, 0);
	out(&bench, UART_DLM, 0);
	out(&bench, UART_LCR, 0x0f);
	out(&bench, UART_IER, UART_IER_ERBFI);
	out(&bench, UART_FCR, UART_FCR_ENABLE | UART_FCR_TRIGGER);
	receive(&bench, "a");
	assert_int_equal(uart_tick(&bench.uart, 0), SECOND);
}

/* 5 bits, no parity, one and a half stop bits: 7.5 bit times; 7, even, two: 11. */
static void character_time_follows_lcr(void **state)
{
	static const struct {
		uint8_t lcr;
		unsigned int half_bits;
	} cases[] = { { 0x00, 14 }, { 0x04, 15 }, { 0x03, 20 },
		      { 0x07, 22 }, { 0x1e, 22 }, { 0x0b, 22 } };
	struct bench bench;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		uint64_t ns = (4ull * cases[i].half_bits * 78125 * 12 + 17) / 18;

		make(&bench);
		out(&bench, UART_LCR, cases[i].lcr);
		out(&bench, UART_IER, UART_IER_ERBFI);
		out(&bench, UART_FCR, UART_FCR_ENABLE | UART_FCR_TRIGGER);
		receive(&bench, "a");
		assert_int_equal(uart_tick(&bench.uart, 0), ns);
	}
}

static void thre_interrupt(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_MCR, UART_MCR_OUT2);
	out(&bench, UART_THR, 'a');
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	/* Enabling it with THR empty raises it. */
	out(&bench, UART_IER, UART_IER_ETBEI);
	assert_true(bench.irq.level);
	/* Reading IIR silences it, once. */
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_THRE);
	assert_false(bench.irq.level);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	/* Writing the same enable bits again is no new event. */
	out(&bench, UART_IER, UART_IER_ETBEI | UART_IER_ERBFI);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	/* Writing THR is. */
	out(&bench, UART_THR, 'b');
	assert_true(bench.irq.level);
	out(&bench, UART_IER, 0);
	assert_false(bench.irq.level);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	out(&bench, UART_IER, UART_IER_ETBEI);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_THRE);
}

/* IIR silences THRE only where it says THRE (PC16550D, table IV). */
static void iir_read_keeps_thre_behind_a_higher_one(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_IER, UART_IER_ETBEI | UART_IER_ERBFI);
	receive(&bench, "x");
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_DATA);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_DATA);
	in(&bench, UART_RBR);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_THRE);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
}

/* A driver that never reads IIR gets an edge for what it writes, a character later. */
static void edges_for_a_driver_that_only_writes(void **state)
{
	struct bench bench;
	uint64_t deadline;

	(void)state;
	make(&bench);
	out(&bench, UART_LCR, 3);
	out(&bench, UART_MCR, UART_MCR_OUT2);
	out(&bench, UART_IER, UART_IER_ETBEI);
	assert_int_equal(bench.irq.rises, 1);
	for (unsigned int i = 0; i < 10; i++) {
		out(&bench, UART_THR, 'x');
		assert_int_equal(bench.irq.rises, 1 + i);
		deadline = uart_tick(&bench.uart, bench.now);
		assert_int_equal(deadline, bench.now + 1041667); /* 10 bits at 9600 */
		bench.now = deadline;
		assert_int_equal(uart_tick(&bench.uart, bench.now), DEV_NEVER);
		assert_int_equal(bench.irq.rises, 2 + i);
	}
}

static void filling_the_fifo_costs_one_edge(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	out(&bench, UART_MCR, UART_MCR_OUT2);
	out(&bench, UART_IER, UART_IER_ETBEI);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(in(&bench, UART_IIR), 0xc0 | UART_IIR_THRE);
		for (unsigned int n = 0; n < 16; n++)
			out(&bench, UART_THR, 'x');
		assert_int_equal(bench.irq.rises, 2 + i);
	}
	in(&bench, UART_IIR);
	assert_int_equal(uart_tick(&bench.uart, 0), DEV_NEVER);
}

/* A host that takes no more: the driver sees a busy transmitter, and hears when it is free. */
static void held_transmitter_is_busy(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_MCR, UART_MCR_OUT2);
	out(&bench, UART_IER, UART_IER_ETBEI);
	uart_hold(&bench.uart, true, 0);
	assert_false(bench.irq.level);
	assert_int_equal(in(&bench, UART_LSR) & (UART_LSR_THRE | UART_LSR_TEMT), 0);
	/* A driver that does not care still has its byte carried. */
	out(&bench, UART_THR, 'a');
	assert_int_equal(bench.output_size, 1);
	assert_false(bench.irq.level);
	/* Nor does enabling the interrupt again raise it. */
	out(&bench, UART_IER, 0);
	out(&bench, UART_IER, UART_IER_ETBEI);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_NONE);
	uart_hold(&bench.uart, false, 0);
	assert_true(bench.irq.level);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_THRE);
	assert_int_equal(in(&bench, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	/* In loopback the line does not matter. */
	uart_hold(&bench.uart, true, 0);
	out(&bench, UART_MCR, UART_MCR_LOOP);
	assert_int_equal(in(&bench, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
}

static void priorities(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_FCR, UART_FCR_ENABLE);
	out(&bench, UART_IER, 0x0f);
	out(&bench, UART_MCR, UART_MCR_OUT2);
	uart_set_modem(&bench.uart, UART_MSR_CTS, 0);
	assert_true(uart_receive_break(&bench.uart, 0));
	assert_int_equal(in(&bench, UART_IIR), 0xc0 | UART_IIR_LINE_STATUS);
	assert_int_equal(in(&bench, UART_LSR),
			 0x61 | UART_LSR_BI | UART_LSR_FE | UART_LSR_FIFO_ERROR);
	assert_int_equal(in(&bench, UART_IIR), 0xc0 | UART_IIR_DATA);
	assert_int_equal(in(&bench, UART_RBR), 0);
	assert_int_equal(in(&bench, UART_IIR), 0xc0 | UART_IIR_THRE);
	assert_int_equal(in(&bench, UART_IIR), 0xc0 | UART_IIR_MODEM);
	assert_true(bench.irq.level);
	assert_int_equal(in(&bench, UART_MSR), UART_MSR_CTS | UART_MSR_DDSR | UART_MSR_DDCD);
	assert_int_equal(in(&bench, UART_IIR), 0xc1);
	assert_false(bench.irq.level);
}

static void out2_gates_the_line(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	out(&bench, UART_IER, UART_IER_ETBEI);
	assert_false(bench.irq.level);
	out(&bench, UART_MCR, UART_MCR_OUT2);
	assert_true(bench.irq.level);
	assert_int_equal(bench.irq.pin, 4);
	out(&bench, UART_MCR, 0);
	assert_false(bench.irq.level);
	assert_int_equal(in(&bench, UART_IIR), UART_IIR_THRE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers_after_reset),
		cmocka_unit_test(reset_keeps_scratch_and_divisor),
		cmocka_unit_test(unused_bits_read_as_zero),
		cmocka_unit_test(divisor_latch_hides_data_and_ier),
		cmocka_unit_test(output_leaves_at_once),
		cmocka_unit_test(line_in_break_carries_nothing),
		cmocka_unit_test(without_fifo_one_character),
		cmocka_unit_test(fifo_takes_sixteen_in_order),
		cmocka_unit_test(trigger_levels),
		cmocka_unit_test(fcr_needs_its_enable_bit),
		cmocka_unit_test(time_out_after_four_characters),
		cmocka_unit_test(time_out_restarts_with_each_character),
		cmocka_unit_test(time_out_is_bounded),
		cmocka_unit_test(character_time_follows_lcr),
		cmocka_unit_test(thre_interrupt),
		cmocka_unit_test(iir_read_keeps_thre_behind_a_higher_one),
		cmocka_unit_test(edges_for_a_driver_that_only_writes),
		cmocka_unit_test(filling_the_fifo_costs_one_edge),
		cmocka_unit_test(held_transmitter_is_busy),
		cmocka_unit_test(priorities),
		cmocka_unit_test(out2_gates_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
