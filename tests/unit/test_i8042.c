/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/i8042.h"

/*
 * The keyboard controller and its keyboard, as IBM's technical references have them.
 */

#define KEY_A	  0x04
#define KEY_B	  0x05
#define KEY_ENTER 0x28

struct bench {
	struct i8042 i8042;
	struct probe irq, reset, a20;
	uint64_t now;
};

static void make(struct bench *bench)
{
	struct i8042_wiring wiring = {
		.irq = probe_line(&bench->irq, 1),
		.reset = probe_line(&bench->reset, 0),
		.a20 = probe_line(&bench->a20, 0),
	};

	*bench = (struct bench){ 0 };
	i8042_init(&bench->i8042, &wiring, 0);
}

static uint8_t status(struct bench *bench)
{
	return i8042_read(&bench->i8042, I8042_COMMAND, bench->now);
}

static uint8_t data(struct bench *bench)
{
	return i8042_read(&bench->i8042, I8042_DATA, bench->now);
}

static void command(struct bench *bench, uint8_t value)
{
	i8042_write(&bench->i8042, I8042_COMMAND, value, bench->now);
}

static void send(struct bench *bench, uint8_t value)
{
	i8042_write(&bench->i8042, I8042_DATA, value, bench->now);
}

static bool key(struct bench *bench, uint8_t usage, bool pressed)
{
	return i8042_key(&bench->i8042, usage, pressed, bench->now);
}

static bool full(struct bench *bench)
{
	return status(bench) & I8042_STATUS_OUTPUT_FULL;
}

static void write_config(struct bench *bench, uint8_t value)
{
	command(bench, 0x60);
	send(bench, value);
}

/* Exactly these bytes wait, and nothing after them. */
static void expect(struct bench *bench, size_t count, const uint8_t *bytes)
{
	for (size_t i = 0; i < count; i++) {
		assert_true(full(bench));
		assert_int_equal(data(bench), bytes[i]);
	}
	assert_false(full(bench));
}

#define EXPECT(bench, ...) \
	expect(bench, sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ })

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
		cmocka_unit_test(state_after_reset),
		cmocka_unit_test(tests_pass),
		cmocka_unit_test(system_flag_follows_command_byte),
		cmocka_unit_test(ram),
		cmocka_unit_test(no_auxiliary_port),
		cmocka_unit_test(keys_translated_to_set_1),
		cmocka_unit_test(each_byte_is_an_edge),
		cmocka_unit_test(set_1_by_rows),
		cmocka_unit_test(scan_code_sets),
		cmocka_unit_test(print_screen_and_pause),
		cmocka_unit_test(keyboard_commands),
		cmocka_unit_test(identification_translated),
		cmocka_unit_test(a_command_ends_the_one_before),
		cmocka_unit_test(scanning_off_and_on),
		cmocka_unit_test(queue_is_bounded),
		cmocka_unit_test(disabled_keyboard_waits),
		cmocka_unit_test(controller_reply_goes_before_a_key),
		cmocka_unit_test(interrupt_enable),
		cmocka_unit_test(output_port_and_a20),
		cmocka_unit_test(reset_line),
		cmocka_unit_test(typematic),
		cmocka_unit_test(typematic_rate),
		cmocka_unit_test(set_3_key_types),
		cmocka_unit_test(unknown_keys_and_commands),
		cmocka_unit_test(every_key_in_every_set),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
