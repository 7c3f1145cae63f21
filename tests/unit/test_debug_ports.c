/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/debug_ports.h"

/*
 * Console, POST code, exit and stamps.
 */

struct bench {
	struct debug_ports ports;
	uint8_t output[8];
	size_t output_size;
	unsigned int exits;
	uint32_t exit_value;
};

static void on_print(void *owner, uint8_t byte)
{
	struct bench *bench = owner;

	assert_true(bench->output_size < sizeof(bench->output));
	bench->output[bench->output_size++] = byte;
}

static void on_exit_value(void *owner, uint32_t value)
{
	struct bench *bench = owner;

	bench->exits++;
	bench->exit_value = value;
}

static void make(struct bench *bench)
{
	struct debug_ports_wiring wiring = { .print = on_print,
					     .exit = on_exit_value,
					     .owner = bench };

	*bench = (struct bench){ 0 };
	debug_ports_init(&bench->ports, &wiring, 0);
}

static void console(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_int_equal(debug_ports_read(&bench.ports, DEBUG_CONSOLE), 0xe9);
	debug_ports_write(&bench.ports, DEBUG_CONSOLE, 'o', 1);
	debug_ports_write(&bench.ports, DEBUG_CONSOLE, 0xff00 | 'k', 2);
	assert_int_equal(bench.output_size, 2);
	assert_memory_equal(bench.output, "ok", 2);
	assert_int_equal(debug_ports_read(&bench.ports, DEBUG_CONSOLE), 0xe9);
}

static void post_code(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_int_equal(debug_ports_read(&bench.ports, DEBUG_POST), 0);
	debug_ports_write(&bench.ports, DEBUG_POST, 0x155, 0);
	assert_int_equal(debug_ports_read(&bench.ports, DEBUG_POST), 0x55);
	debug_ports_reset(&bench.ports, 0);
	assert_int_equal(debug_ports_read(&bench.ports, DEBUG_POST), 0);
}

static void exit_value(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	assert_int_equal(debug_ports_read(&bench.ports, DEBUG_EXIT), 0xff);
	assert_int_equal(bench.exits, 0);
	debug_ports_write(&bench.ports, DEBUG_EXIT, 0xdeadbeef, 0);
	assert_int_equal(bench.exits, 1);
	assert_int_equal(bench.exit_value, 0xdeadbeef);
}

static void stamps_are_bounded(void **state)
{
	struct bench bench;

	(void)state;
	make(&bench);
	for (unsigned int i = 0; i < 1000; i++)
		debug_ports_write(&bench.ports, DEBUG_STAMP, i, i * MILLISECOND);
	assert_int_equal(bench.ports.stamp_count, DEBUG_STAMPS_MAX);
	for (unsigned int i = 0; i < DEBUG_STAMPS_MAX; i++) {
		assert_int_equal(bench.ports.stamps[i].value, i);
		assert_int_equal(bench.ports.stamps[i].when, i * MILLISECOND);
	}
	debug_ports_reset(&bench.ports, 0);
	assert_int_equal(bench.ports.stamp_count, DEBUG_STAMPS_MAX);
	assert_int_equal(debug_ports_read(&bench.ports, DEBUG_STAMP), 0xff);
}

static void works_unconnected(void **state)
{
	static const struct debug_ports_wiring nothing;
	struct debug_ports ports;

	(void)state;
	debug_ports_init(&ports, &nothing, 0);
	debug_ports_write(&ports, DEBUG_CONSOLE, 'x', 0);
	debug_ports_write(&ports, DEBUG_EXIT, 1, 0);
	assert_int_equal(debug_ports_read(&ports, DEBUG_CONSOLE), 0xe9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(console),	     cmocka_unit_test(post_code),
		cmocka_unit_test(exit_value),	     cmocka_unit_test(stamps_are_bounded),
		cmocka_unit_test(works_unconnected),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
