/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/i8042_fixture.h"

/*
 * The keyboard controller as IBM's technical references have it. The keyboard behind it
 * is tests/unit/test_keyboard.c's matter.
 */

static void state_after_reset(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	assert_int_equal(status(&bench), I8042_STATUS_SYSTEM | I8042_STATUS_NOT_INHIBITED);
	assert_true(bench.a20.level);
	assert_false(bench.irq.level);
	assert_int_equal(bench.reset.rises, 0);
	command(&bench, 0x20);
	assert_int_equal(status(&bench), I8042_STATUS_SYSTEM | I8042_STATUS_NOT_INHIBITED |
						 I8042_STATUS_COMMAND | I8042_STATUS_OUTPUT_FULL);
	assert_false(bench.irq.level); /* a reply raises no interrupt */
	EXPECT(&bench, 0x65);
}

static void tests_pass(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	command(&bench, 0xaa);
	EXPECT(&bench, 0x55);
	command(&bench, 0xab);
	EXPECT(&bench, 0x00);
	command(&bench, 0xa4);
	EXPECT(&bench, 0xf1);
	command(&bench, 0xc0);
	EXPECT(&bench, 0xa3);
	command(&bench, 0xe0);
	EXPECT(&bench, 0x03);
}

static void system_flag_follows_command_byte(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	write_config(&bench, 0);
	assert_int_equal(status(&bench), I8042_STATUS_NOT_INHIBITED);
	command(&bench, 0xaa);
	assert_int_equal(data(&bench), 0x55);
	assert_true(status(&bench) & I8042_STATUS_SYSTEM);
	command(&bench, 0x20);
	assert_int_equal(data(&bench), I8042_CONFIG_SYSTEM | I8042_CONFIG_DISABLE_AUX);
}

static void ram(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	for (uint8_t i = 1; i < 32; i++) {
		command(&bench, 0x60 + i);
		send(&bench, i * 7);
	}
	for (uint8_t i = 1; i < 32; i++) {
		command(&bench, 0x20 + i);
		EXPECT(&bench, i * 7);
	}
	command(&bench, 0x20);
	EXPECT(&bench, 0x65);
}

/* What a driver does to look for a mouse, and each time learns that there is none. */
static void no_auxiliary_port(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	command(&bench, 0xd3);
	send(&bench, 0x5a);
	assert_false(status(&bench) & I8042_STATUS_AUX);
	assert_int_equal(data(&bench), 0x5a);
	command(&bench, 0xa9);
	EXPECT(&bench, 0x02);
	command(&bench, 0xa8);
	command(&bench, 0x20);
	assert_true(data(&bench) & I8042_CONFIG_DISABLE_AUX);
	write_config(&bench, 0x47);
	command(&bench, 0x20);
	EXPECT(&bench, 0x67);
	command(&bench, 0xd4);
	send(&bench, 0xf2);
	assert_int_equal(status(&bench) & 0x61, 0x61);
	EXPECT(&bench, 0xfe);
	assert_int_equal(status(&bench) & 0x61, 0);
}

static void each_byte_is_an_edge(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	key(&bench, KEY_DELETE, true);
	key(&bench, KEY_A, true);
	assert_int_equal(bench.irq.rises, 1);
	data(&bench);
	assert_int_equal(bench.irq.rises, 2);
	data(&bench);
	assert_int_equal(bench.irq.rises, 3);
	assert_true(bench.irq.level);
	data(&bench);
	assert_false(bench.irq.level);
	assert_int_equal(bench.irq.rises, 3);
}

static void disabled_keyboard_waits(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	command(&bench, 0xad);
	key(&bench, KEY_A, true);
	assert_false(full(&bench));
	assert_false(bench.irq.level);
	command(&bench, 0x20);
	EXPECT(&bench, 0x75);
	command(&bench, 0xae);
	assert_true(bench.irq.level);
	EXPECT(&bench, 0x1e);
	command(&bench, 0xad);
	key(&bench, KEY_A, false);
	send(&bench, 0xee); /* talking to the keyboard enables it */
	EXPECT(&bench, 0xee, 0x9e);
}

static void controller_reply_goes_before_a_key(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	key(&bench, KEY_A, true);
	assert_true(bench.irq.level);
	command(&bench, 0x20);
	assert_false(bench.irq.level);
	assert_int_equal(data(&bench), 0x65);
	assert_true(bench.irq.level);
	EXPECT(&bench, 0x1e);
}

static void interrupt_enable(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	write_config(&bench, I8042_CONFIG_TRANSLATE);
	key(&bench, KEY_A, true);
	assert_true(full(&bench));
	assert_false(bench.irq.level);
	write_config(&bench, I8042_CONFIG_TRANSLATE | I8042_CONFIG_INTERRUPT);
	assert_true(bench.irq.level);
	command(&bench, 0xd2); /* as if from the keyboard, untranslated */
	send(&bench, 0x1c);
	assert_true(bench.irq.level);
	EXPECT(&bench, 0x1c);
}

static void output_port_and_a20(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	command(&bench, 0xd0);
	EXPECT(&bench, 0xcf);
	command(&bench, 0xd1);
	send(&bench, 0xdd);
	assert_false(bench.a20.level);
	command(&bench, 0xd0);
	EXPECT(&bench, 0xcd);
	command(&bench, 0xd1);
	send(&bench, 0xdf);
	assert_true(bench.a20.level);
	command(&bench, 0xdd);
	assert_false(bench.a20.level);
	command(&bench, 0xdf);
	assert_true(bench.a20.level);
	assert_int_equal(bench.reset.rises, 0);
}

static void reset_line(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	command(&bench, 0xfe);
	assert_int_equal(bench.reset.rises, 1);
	assert_false(bench.reset.level);
	for (unsigned int value = 0xf0; value <= 0xff; value++)
		command(&bench, (uint8_t)value);
	assert_int_equal(bench.reset.rises, 1 + 8);
	command(&bench, 0xd1);
	send(&bench, 0xfe);
	assert_int_equal(bench.reset.rises, 10);
	i8042_reset(&bench.i8042, 0);
	command(&bench, 0x20);
	EXPECT(&bench, 0x65);
}

static void unknown_keys_and_commands(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	assert_true(key(&bench, 0x00, true));
	assert_true(key(&bench, 0xff, true));
	assert_true(key(&bench, 0xff, false));
	assert_false(full(&bench));
	assert_int_equal(i8042_tick(&bench.i8042, 0), DEV_NEVER);
	command(&bench, 0x90);
	assert_false(full(&bench));
	assert_int_equal(data(&bench), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_after_reset),
		cmocka_unit_test(tests_pass),
		cmocka_unit_test(system_flag_follows_command_byte),
		cmocka_unit_test(ram),
		cmocka_unit_test(no_auxiliary_port),
		cmocka_unit_test(each_byte_is_an_edge),
		cmocka_unit_test(disabled_keyboard_waits),
		cmocka_unit_test(controller_reply_goes_before_a_key),
		cmocka_unit_test(interrupt_enable),
		cmocka_unit_test(output_port_and_a20),
		cmocka_unit_test(reset_line),
		cmocka_unit_test(unknown_keys_and_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
