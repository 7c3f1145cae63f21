/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/i8042_fixture.h"

/*
 * The keyboard, through its controller: scan codes, commands, the queue and repetition.
 */

static void keys_translated_to_set_1(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	assert_true(key(&bench, KEY_A, true));
	assert_true(bench.irq.level);
	assert_int_equal(bench.irq.pin, 1);
	assert_true(full(&bench));
	assert_int_equal(data(&bench), 0x1e);
	assert_false(bench.irq.level);
	assert_true(key(&bench, KEY_A, false));
	EXPECT(&bench, 0x9e);
	key(&bench, KEY_DELETE, true);
	key(&bench, KEY_DELETE, false);
	EXPECT(&bench, 0xe0, 0x53, 0xe0, 0xd3);
}

/* Where keys stand side by side their set 1 codes count up: an independent table. */
static void set_1_by_rows(void **unused)
{
	static const struct {
		uint8_t first;
		uint8_t count;
		uint8_t usages[14];
	} rows[] = {
		{ 0x01,
		  14,
		  { 0x29, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2d, 0x2e,
		    0x2a } }, /* Esc 1 to 0 - = Backspace */
		{ 0x0f,
		  14,
		  { 0x2b, 0x14, 0x1a, 0x08, 0x15, 0x17, 0x1c, 0x18, 0x0c, 0x12, 0x13, 0x2f, 0x30,
		    0x28 } }, /* Tab Q to ] Enter */
		{ 0x1d,
		  14,
		  { 0xe0, 0x04, 0x16, 0x07, 0x09, 0x0a, 0x0b, 0x0d, 0x0e, 0x0f, 0x33, 0x34, 0x35,
		    0xe1 } }, /* Control A to ' ` Shift */
		{ 0x2b,
		  14,
		  { 0x31, 0x1d, 0x1b, 0x06, 0x19, 0x05, 0x11, 0x10, 0x36, 0x37, 0x38, 0xe5, 0x55,
		    0xe2 } }, /* \ Z to / Shift keypad-* Alt */
		{ 0x39,
		  12,
		  { 0x2c, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x40, 0x41, 0x42,
		    0x43 } },		     /* Space Caps-Lock F1 to F10 */
		{ 0x45, 2, { 0x53, 0x47 } }, /* Num Lock, Scroll Lock */
		{ 0x47,
		  13,
		  { 0x5f, 0x60, 0x61, 0x56, 0x5c, 0x5d, 0x5e, 0x57, 0x59, 0x5a, 0x5b, 0x62,
		    0x63 } },			   /* keypad 789- 456+ 123 0. */
		{ 0x56, 3, { 0x64, 0x44, 0x45 } }, /* the 102nd key, F11, F12 */
		{ 0x64,
		  11,
		  { 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71,
		    0x72 } }, /* F13 to F23 */
	};
	static const uint8_t extended[][2] = {
		{ 0x58, 0x1c }, { 0xe4, 0x1d }, { 0x54, 0x35 }, { 0xe6, 0x38 }, { 0x4a, 0x47 },
		{ 0x52, 0x48 }, { 0x4b, 0x49 }, { 0x50, 0x4b }, { 0x4f, 0x4d }, { 0x4d, 0x4f },
		{ 0x51, 0x50 }, { 0x4e, 0x51 }, { 0x49, 0x52 }, { 0x4c, 0x53 }, { 0xe3, 0x5b },
		{ 0xe7, 0x5c }, { 0x65, 0x5d }, { 0x66, 0x5e },
	};
	struct bench bench;

	(void)unused;
	make(&bench);
	for (size_t row = 0; row < sizeof(rows) / sizeof(rows[0]); row++) {
		for (uint8_t i = 0; i < rows[row].count; i++) {
			uint8_t code = rows[row].first + i;

			key(&bench, rows[row].usages[i], true);
			key(&bench, rows[row].usages[i], false);
			EXPECT(&bench, code, code | 0x80);
		}
	}
	for (size_t i = 0; i < sizeof(extended) / sizeof(extended[0]); i++) {
		key(&bench, extended[i][0], true);
		key(&bench, extended[i][0], false);
		EXPECT(&bench, 0xe0, extended[i][1], 0xe0, extended[i][1] | 0x80);
	}
}

static void scan_code_sets(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	write_config(&bench, I8042_CONFIG_INTERRUPT); /* no translation */
	key(&bench, KEY_A, true);
	key(&bench, KEY_A, false);
	EXPECT(&bench, 0x1c, 0xf0, 0x1c);
	key(&bench, KEY_DELETE, true);
	key(&bench, KEY_DELETE, false);
	EXPECT(&bench, 0xe0, 0x71, 0xe0, 0xf0, 0x71);
	for (uint8_t set = 1; set <= 3; set++) {
		send(&bench, 0xf0);
		EXPECT(&bench, 0xfa);
		send(&bench, set);
		EXPECT(&bench, 0xfa);
		send(&bench, 0xf0);
		EXPECT(&bench, 0xfa);
		send(&bench, 0);
		EXPECT(&bench, 0xfa, set);
		key(&bench, KEY_DELETE, true);
		key(&bench, KEY_DELETE, false);
		if (set == 1)
			EXPECT(&bench, 0xe0, 0x53, 0xe0, 0xd3);
		else if (set == 2)
			EXPECT(&bench, 0xe0, 0x71, 0xe0, 0xf0, 0x71);
		else
			EXPECT(&bench, 0x64, 0xf0, 0x64);
	}
	send(&bench, 0xf0);
	EXPECT(&bench, 0xfa);
	send(&bench, 4);
	EXPECT(&bench, 0xfe);
}

static void print_screen_and_pause(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	key(&bench, KEY_PRINT_SCREEN, true);
	key(&bench, KEY_PRINT_SCREEN, false);
	EXPECT(&bench, 0xe0, 0x2a, 0xe0, 0x37, 0xe0, 0xb7, 0xe0, 0xaa);
	key(&bench, KEY_PAUSE, true);
	key(&bench, KEY_PAUSE, false);
	EXPECT(&bench, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
	key(&bench, KEY_LEFT_ALT, true);
	key(&bench, KEY_PRINT_SCREEN, true); /* SysRq */
	key(&bench, KEY_PRINT_SCREEN, false);
	key(&bench, KEY_LEFT_ALT, false);
	EXPECT(&bench, 0x38, 0x54, 0xd4, 0xb8);
	key(&bench, KEY_LEFT_CONTROL, true);
	key(&bench, KEY_PAUSE, true); /* Break */
	key(&bench, KEY_PRINT_SCREEN, true);
	key(&bench, KEY_LEFT_CONTROL, false);
	EXPECT(&bench, 0x1d, 0xe0, 0x46, 0xe0, 0xc6, 0xe0, 0x37, 0x9d);
	write_config(&bench, 0);
	key(&bench, KEY_PAUSE, true);
	EXPECT(&bench, 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77);
}

static void keyboard_commands(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	write_config(&bench, I8042_CONFIG_INTERRUPT);
	send(&bench, 0xff);
	assert_true(bench.irq.level);
	EXPECT(&bench, 0xfa, 0xaa);
	send(&bench, 0xf2);
	EXPECT(&bench, 0xfa, 0xab, 0x83);
	send(&bench, 0xee);
	EXPECT(&bench, 0xee);
	send(&bench, 0xed);
	EXPECT(&bench, 0xfa);
	send(&bench, 0x05);
	EXPECT(&bench, 0xfa);
	assert_int_equal(i8042_leds(&bench.i8042), KEYBOARD_LED_SCROLL | KEYBOARD_LED_CAPS);
	send(&bench, 0xf3);
	EXPECT(&bench, 0xfa);
	send(&bench, 0x00);
	EXPECT(&bench, 0xfa);
	send(&bench, 0xf6);
	EXPECT(&bench, 0xfa);
	send(&bench, 0x10); /* no such command */
	EXPECT(&bench, 0xfe);
	send(&bench, 0xee);
	EXPECT(&bench, 0xee);
	send(&bench, 0xfe); /* the last byte again, which is not a resend */
	EXPECT(&bench, 0xee);
	send(&bench, 0xef);
	EXPECT(&bench, 0xfe);
	send(&bench, 0xfe);
	EXPECT(&bench, 0xee);
}

static void identification_translated(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	send(&bench, 0xf2);
	EXPECT(&bench, 0xfa, 0xab, 0x41);
	send(&bench, 0xf0);
	EXPECT(&bench, 0xfa);
	send(&bench, 0);
	EXPECT(&bench, 0xfa, 0x41); /* set 2, translated as everything is */
}

static void a_command_ends_the_one_before(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	send(&bench, 0xed);
	EXPECT(&bench, 0xfa);
	send(&bench, 0xee);
	EXPECT(&bench, 0xee);
	send(&bench, 0x07);
	EXPECT(&bench, 0xfe);
	assert_int_equal(i8042_leds(&bench.i8042), 0);
	send(&bench, 0xf2); /* its first byte is out; the rest is cancelled */
	send(&bench, 0xee);
	EXPECT(&bench, 0xfa, 0xee);
}

static void scanning_off_and_on(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	send(&bench, 0xf5);
	EXPECT(&bench, 0xfa);
	assert_true(key(&bench, KEY_A, true));
	assert_false(full(&bench));
	send(&bench, 0xf4);
	EXPECT(&bench, 0xfa);
	key(&bench, KEY_B, true);
	EXPECT(&bench, 0x30);
}

static void queue_is_bounded(void **unused)
{
	struct bench bench;
	unsigned int taken = 0;

	(void)unused;
	make(&bench);
	while (key(&bench, KEY_A, true))
		assert_true(++taken < 100);
	assert_int_equal(taken, 17); /* one has moved on into the controller */
	/* A sequence goes in whole or not at all. */
	data(&bench);
	assert_false(key(&bench, KEY_DELETE, true));
	assert_true(key(&bench, KEY_B, true));
	for (unsigned int i = 0; i < 16; i++)
		assert_int_equal(data(&bench), 0x1e);
	EXPECT(&bench, 0x30);
	/* Replies pass the queue by. */
	key(&bench, KEY_A, true);
	key(&bench, KEY_A, false);
	send(&bench, 0xee);
	EXPECT(&bench, 0x1e, 0xee, 0x9e);
}

/* Half a second, then 10.9 times a second: (8 + 3) * 2 / 240 s. */
static void typematic(void **unused)
{
	uint64_t period = SECOND * 22 / 240;
	struct bench bench;

	(void)unused;
	make(&bench);
	key(&bench, KEY_A, true);
	assert_int_equal(i8042_tick(&bench.i8042, 0), SECOND / 2);
	EXPECT(&bench, 0x1e);
	bench.now = SECOND / 2 - 1;
	assert_false(full(&bench));
	bench.now = SECOND / 2;
	assert_int_equal(i8042_tick(&bench.i8042, bench.now), bench.now + period);
	EXPECT(&bench, 0x1e);
	/* However late the owner is, one. */
	bench.now = 1000 * SECOND;
	assert_int_equal(i8042_tick(&bench.i8042, bench.now), bench.now + period);
	EXPECT(&bench, 0x1e);
	/* Another key takes over; letting the first go changes nothing. */
	key(&bench, KEY_B, true);
	key(&bench, KEY_A, false);
	EXPECT(&bench, 0x30, 0x9e);
	assert_int_equal(i8042_tick(&bench.i8042, bench.now), bench.now + SECOND / 2);
	key(&bench, KEY_B, false);
	EXPECT(&bench, 0xb0);
	assert_int_equal(i8042_tick(&bench.i8042, bench.now), DEV_NEVER);
}

static void typematic_rate(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	send(&bench, 0xf3);
	EXPECT(&bench, 0xfa);
	send(&bench, 0x7f);
	EXPECT(&bench, 0xfa);
	key(&bench, KEY_A, true);
	assert_int_equal(i8042_tick(&bench.i8042, 0), SECOND);
	bench.now = SECOND;
	assert_int_equal(i8042_tick(&bench.i8042, SECOND), SECOND + SECOND * 120 / 240);
	key(&bench, KEY_PAUSE, true); /* never repeats */
	assert_int_equal(i8042_tick(&bench.i8042, SECOND), DEV_NEVER);
}

static void set_3_key_types(void **unused)
{
	struct bench bench;

	(void)unused;
	make(&bench);
	write_config(&bench, 0);
	send(&bench, 0xf0);
	EXPECT(&bench, 0xfa);
	send(&bench, 3);
	EXPECT(&bench, 0xfa);
	send(&bench, 0xf8); /* all: make and break, no repeat */
	EXPECT(&bench, 0xfa);
	key(&bench, KEY_A, true);
	key(&bench, KEY_A, false);
	EXPECT(&bench, 0x1c, 0xf0, 0x1c);
	key(&bench, KEY_A, true);
	EXPECT(&bench, 0x1c);
	assert_int_equal(i8042_tick(&bench.i8042, 0), DEV_NEVER);
	send(&bench, 0xfb); /* A: repeats, no break */
	EXPECT(&bench, 0xfa);
	send(&bench, 0x1c);
	EXPECT(&bench, 0xfa);
	send(&bench, 0xf4);
	EXPECT(&bench, 0xfa);
	key(&bench, KEY_A, true);
	assert_int_equal(i8042_tick(&bench.i8042, 0), SECOND / 2);
	key(&bench, KEY_A, false);
	EXPECT(&bench, 0x1c);
	send(&bench, 0xf9); /* all: make only */
	EXPECT(&bench, 0xfa);
	key(&bench, KEY_ENTER, true);
	key(&bench, KEY_ENTER, false);
	EXPECT(&bench, 0x5a);
	key(&bench, KEY_PAUSE, true);
	EXPECT(&bench, 0x62);
}

/* No sequence of one key in any set is longer than the queue's promise. */
static void every_key_in_every_set(void **unused)
{
	struct bench bench;

	(void)unused;
	for (uint8_t set = 1; set <= 3; set++) {
		make(&bench);
		send(&bench, 0xf0);
		send(&bench, set);
		while (full(&bench))
			data(&bench);
		for (unsigned int usage = 0; usage < 256; usage++) {
			for (unsigned int pressed = 2; pressed-- > 0;) {
				unsigned int count = 0;

				assert_true(key(&bench, (uint8_t)usage, pressed));
				for (; full(&bench); count++)
					data(&bench);
				assert_true(count <= 8);
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_translated_to_set_1),
		cmocka_unit_test(set_1_by_rows),
		cmocka_unit_test(scan_code_sets),
		cmocka_unit_test(print_screen_and_pause),
		cmocka_unit_test(keyboard_commands),
		cmocka_unit_test(identification_translated),
		cmocka_unit_test(a_command_ends_the_one_before),
		cmocka_unit_test(scanning_off_and_on),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(typematic),
		cmocka_unit_test(typematic_rate),
		cmocka_unit_test(set_3_key_types),
		cmocka_unit_test(every_key_in_every_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
