/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/i8042.h"

/*
 * The controller sits between the keyboard's cable and two ports. Bytes of the
 * keyboard pass through it, translated if so set, into an output buffer of one byte,
 * and raise IRQ 1. Its own replies to commands on port 0x64 go through the same buffer
 * without an interrupt: a guest that asks something of it waits for the answer, and
 * gets that before any key, which keeps until later. So a key that is pressed while a
 * driver talks to the controller spoils nothing.
 */

enum {
	COMMAND_READ_RAM = 0x20,  /* to 0x3f */
	COMMAND_WRITE_RAM = 0x60, /* to 0x7f */
	COMMAND_TEST_PASSWORD = 0xa4,
	COMMAND_DISABLE_AUX = 0xa7,
	COMMAND_ENABLE_AUX = 0xa8,
	COMMAND_TEST_AUX = 0xa9,
	COMMAND_SELF_TEST = 0xaa,
	COMMAND_TEST_KEYBOARD = 0xab,
	COMMAND_DISABLE_KEYBOARD = 0xad,
	COMMAND_ENABLE_KEYBOARD = 0xae,
	COMMAND_READ_INPUT_PORT = 0xc0,
	COMMAND_READ_OUTPUT_PORT = 0xd0,
	COMMAND_WRITE_OUTPUT_PORT = 0xd1,
	COMMAND_WRITE_KEYBOARD_BUFFER = 0xd2,
	COMMAND_WRITE_AUX_BUFFER = 0xd3,
	COMMAND_WRITE_AUX = 0xd4,
	COMMAND_DISABLE_A20 = 0xdd,
	COMMAND_ENABLE_A20 = 0xdf,
	COMMAND_READ_TEST_INPUTS = 0xe0,
	COMMAND_PULSE = 0xf0, /* to 0xff */
};

#define NO_PASSWORD	 0xf1
#define SELF_TEST_PASSED 0x55
#define CLOCK_STUCK_HIGH 0x02
/* Not inhibited, no manufacturing jumper; the idle cables pull clock and data high. */
#define INPUT_PORT  0xa3
#define TEST_INPUTS 0x03

/* The command byte's bits that stay: no auxiliary port, bits 3 and 7 unused. */
#define CONFIG_MASK 0x77
#define CONFIG_RESET                                                               \
	(I8042_CONFIG_INTERRUPT | I8042_CONFIG_SYSTEM | I8042_CONFIG_DISABLE_AUX | \
	 I8042_CONFIG_TRANSLATE)

static bool keyboard_disabled(const struct i8042 *i8042)
{
	return i8042->ram[0] & I8042_CONFIG_DISABLE_KEYBOARD;
}

static void update_irq(struct i8042 *i8042)
{
	bool level = i8042->output_full && !i8042->reply_status &&
		     (i8042->ram[0] & I8042_CONFIG_INTERRUPT);

	if (i8042->irq == level)
		return;
	i8042->irq = level;
	line_set(&i8042->wiring.irq, level);
}

/* The next byte of the keyboard moves into the output buffer, if that is free. */
static void clock_keyboard(struct i8042 *i8042)
{
	while (!i8042->output_full && !keyboard_disabled(i8042) &&
	       keyboard_pending(&i8042->keyboard)) {
		uint8_t byte = keyboard_read(&i8042->keyboard);

		if ((i8042->ram[0] & I8042_CONFIG_TRANSLATE) &&
		    !keyboard_translate(&byte, &i8042->break_seen))
			continue;
		i8042->output = byte;
		i8042->output_full = true;
	}
	update_irq(i8042);
}

static void reply(struct i8042 *i8042, uint8_t byte, uint8_t flags)
{
	i8042->reply = byte;
	i8042->reply_status = I8042_STATUS_OUTPUT_FULL | flags;
}

static void write_config(struct i8042 *i8042, uint8_t value)
{
	uint8_t old = i8042->ram[0];

	i8042->ram[0] = (value & CONFIG_MASK) | I8042_CONFIG_DISABLE_AUX;
	if ((old ^ value) & I8042_CONFIG_TRANSLATE)
		i8042->break_seen = false;
	/* The system flag of the status register is this one's copy. */
	i8042->status &= (uint8_t)~I8042_STATUS_SYSTEM;
	if (value & I8042_CONFIG_SYSTEM)
		i8042->status |= I8042_STATUS_SYSTEM;
}

static void set_a20(struct i8042 *i8042, bool level)
{
	if (i8042->a20 == level)
		return;
	i8042->a20 = level;
	line_set(&i8042->wiring.a20, level);
}

static void pulse_reset(struct i8042 *i8042)
{
	line_set(&i8042->wiring.reset, true);
	line_set(&i8042->wiring.reset, false);
}

static uint8_t output_port(const struct i8042 *i8042)
{
	return I8042_OUTPUT_NOT_RESET | (i8042->a20 ? I8042_OUTPUT_A20 : 0) |
	       (i8042->output_full ? I8042_OUTPUT_IRQ1 : 0) | 0xcc;
}

/* A byte for port 0x60 that a command on port 0x64 asked for. */
static void take_parameter(struct i8042 *i8042, uint8_t command, uint8_t value)
{
	switch (command) {
	case COMMAND_WRITE_RAM:
		write_config(i8042, value);
		break;
	case COMMAND_WRITE_OUTPUT_PORT:
		set_a20(i8042, value & I8042_OUTPUT_A20);
		break;
	case COMMAND_WRITE_KEYBOARD_BUFFER: /* as if the keyboard had sent it */
		i8042->output = value;
		i8042->output_full = true;
		break;
	case COMMAND_WRITE_AUX_BUFFER:
		reply(i8042, value, 0);
		break;
	case COMMAND_WRITE_AUX:
		reply(i8042, KEYBOARD_RESEND, I8042_STATUS_AUX | I8042_STATUS_TIMEOUT);
		break;
	default:
		i8042->ram[command & 0x1f] = value;
		break;
	}
}

static void set_config_bit(struct i8042 *i8042, uint8_t bit, bool value)
{
	write_config(i8042, value ? i8042->ram[0] | bit : i8042->ram[0] & (uint8_t)~bit);
}

/* Commands that no table of the manuals has are ignored, as the chip does. */
static void take_command(struct i8042 *i8042, uint8_t command)
{
	switch (command) {
	case COMMAND_WRITE_OUTPUT_PORT:
	case COMMAND_WRITE_KEYBOARD_BUFFER:
	case COMMAND_WRITE_AUX_BUFFER:
	case COMMAND_WRITE_AUX:
		i8042->command = command;
		break;
	case COMMAND_TEST_PASSWORD:
		reply(i8042, NO_PASSWORD, 0);
		break;
	case COMMAND_DISABLE_AUX:
	case COMMAND_ENABLE_AUX: /* it stays disabled: there is none */
		break;
	case COMMAND_TEST_AUX:
		reply(i8042, CLOCK_STUCK_HIGH, 0);
		break;
	case COMMAND_SELF_TEST:
		set_config_bit(i8042, I8042_CONFIG_SYSTEM, true);
		reply(i8042, SELF_TEST_PASSED, 0);
		break;
	case COMMAND_TEST_KEYBOARD:
		reply(i8042, 0, 0);
		break;
	case COMMAND_DISABLE_KEYBOARD:
	case COMMAND_ENABLE_KEYBOARD:
		set_config_bit(i8042, I8042_CONFIG_DISABLE_KEYBOARD,
			       command == COMMAND_DISABLE_KEYBOARD);
		break;
	case COMMAND_READ_INPUT_PORT:
		reply(i8042, INPUT_PORT, 0);
		break;
	case COMMAND_READ_OUTPUT_PORT:
		reply(i8042, output_port(i8042), 0);
		break;
	case COMMAND_DISABLE_A20:
	case COMMAND_ENABLE_A20:
		set_a20(i8042, command == COMMAND_ENABLE_A20);
		break;
	case COMMAND_READ_TEST_INPUTS:
		reply(i8042, TEST_INPUTS, 0);
		break;
	default:
		if ((command & 0xe0) == COMMAND_READ_RAM)
			reply(i8042, i8042->ram[command & 0x1f], 0);
		else if ((command & 0xe0) == COMMAND_WRITE_RAM)
			i8042->command = command;
		break;
	}
}

static void write_command(struct i8042 *i8042, uint8_t command)
{
	i8042->status |= I8042_STATUS_COMMAND;
	i8042->command = 0;
	take_command(i8042, command);
	clock_keyboard(i8042);
	/* 0xf0 to 0xff: the low four bits that are clear pulse low for 6 us; bit 0 is reset. */
	if ((command & COMMAND_PULSE) == COMMAND_PULSE && !(command & I8042_OUTPUT_NOT_RESET))
		pulse_reset(i8042);
}

static void write_data(struct i8042 *i8042, uint8_t value)
{
	uint8_t command = i8042->command;

	i8042->status &= (uint8_t)~I8042_STATUS_COMMAND;
	i8042->command = 0;
	if (command) {
		take_parameter(i8042, command, value);
	} else { /* for the keyboard, whose cable this enables */
		set_config_bit(i8042, I8042_CONFIG_DISABLE_KEYBOARD, false);
		keyboard_write(&i8042->keyboard, value);
	}
	clock_keyboard(i8042);
	if (command == COMMAND_WRITE_OUTPUT_PORT && !(value & I8042_OUTPUT_NOT_RESET))
		pulse_reset(i8042);
}

static uint8_t read_data(struct i8042 *i8042)
{
	uint8_t value = i8042->output;

	if (i8042->reply_status) {
		i8042->reply_status = 0;
		value = i8042->reply;
	} else {
		i8042->output_full = false;
		/* The line falls before the next byte raises it again. */
		update_irq(i8042);
	}
	clock_keyboard(i8042);
	return value;
}

static uint8_t read_status(const struct i8042 *i8042)
{
	uint8_t status = i8042->status | I8042_STATUS_NOT_INHIBITED | i8042->reply_status;

	return i8042->output_full ? status | I8042_STATUS_OUTPUT_FULL : status;
}

uint8_t i8042_read(struct i8042 *i8042, unsigned int offset, uint64_t now)
{
	i8042_tick(i8042, now);
	return offset == I8042_DATA ? read_data(i8042) : read_status(i8042);
}

void i8042_write(struct i8042 *i8042, unsigned int offset, uint8_t value, uint64_t now)
{
	i8042_tick(i8042, now);
	if (offset == I8042_DATA)
		write_data(i8042, value);
	else
		write_command(i8042, value);
}

uint64_t i8042_tick(struct i8042 *i8042, uint64_t now)
{
	uint64_t deadline = keyboard_tick(&i8042->keyboard, now);

	clock_keyboard(i8042);
	return deadline;
}

bool i8042_key(struct i8042 *i8042, uint8_t usage, bool pressed, uint64_t now)
{
	bool taken;

	i8042_tick(i8042, now);
	taken = keyboard_key(&i8042->keyboard, usage, pressed, now);
	clock_keyboard(i8042);
	return taken;
}

uint8_t i8042_leds(const struct i8042 *i8042)
{
	return i8042->keyboard.leds;
}

void i8042_reset(struct i8042 *i8042, uint64_t now)
{
	(void)now;
	keyboard_reset(&i8042->keyboard);
	for (unsigned int i = 0; i < sizeof(i8042->ram); i++)
		i8042->ram[i] = 0;
	i8042->status = 0;
	write_config(i8042, CONFIG_RESET);
	i8042->command = 0;
	i8042->output = 0;
	i8042->output_full = false;
	i8042->reply_status = 0;
	i8042->break_seen = false;
	set_a20(i8042, true);
	update_irq(i8042);
}

void i8042_init(struct i8042 *i8042, const struct i8042_wiring *wiring, uint64_t now)
{
	*i8042 = (struct i8042){ .wiring = *wiring };
	i8042_reset(i8042, now);
}
