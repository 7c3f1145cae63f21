/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/keyboard.h"

/*
 * A keyboard is a small computer: it scans its keys into a queue, and answers commands
 * past that queue. A new byte from the controller cancels what is left of the answer
 * to the one before, so the answers never pile up.
 */

enum {
	COMMAND_SET_LEDS = 0xed,
	COMMAND_ECHO = 0xee,
	COMMAND_SCAN_CODE_SET = 0xf0,
	COMMAND_READ_ID = 0xf2,
	COMMAND_SET_RATE = 0xf3,
	COMMAND_ENABLE = 0xf4,
	COMMAND_DEFAULT_DISABLE = 0xf5,
	COMMAND_SET_DEFAULT = 0xf6,
	COMMAND_ALL_TYPEMATIC = 0xf7,
	COMMAND_ALL_MAKE_BREAK = 0xf8,
	COMMAND_ALL_MAKE = 0xf9,
	COMMAND_ALL_TYPEMATIC_MAKE_BREAK = 0xfa,
	COMMAND_KEY_TYPEMATIC = 0xfb,
	COMMAND_KEY_MAKE_BREAK = 0xfc,
	COMMAND_KEY_MAKE = 0xfd,
	COMMAND_RESEND = 0xfe,
	COMMAND_RESET = 0xff,
};

#define RATE_DEFAULT 0x2b /* after half a second, 10.9 times a second */

/* The longest that one key sends: Pause. */
#define SEQUENCE_MAX 8

struct sequence {
	uint8_t bytes[SEQUENCE_MAX];
	uint8_t count;
};

static void reply(struct keyboard *keyboard, uint8_t byte)
{
	keyboard->replies[keyboard->reply_count++] = byte;
}

static void stop_repeating(struct keyboard *keyboard)
{
	keyboard->repeat_usage = 0;
	keyboard->repeat_at = DEV_NEVER;
}

static void clear_queue(struct keyboard *keyboard)
{
	keyboard->first = 0;
	keyboard->count = 0;
	stop_repeating(keyboard);
}

static void set_bits(uint8_t bits[32], bool value)
{
	for (unsigned int i = 0; i < 32; i++)
		bits[i] = value ? 0xff : 0;
}

static void set_bit(uint8_t bits[32], uint8_t index, bool value)
{
	uint8_t mask = (uint8_t)(1 << (index & 7));

	if (value)
		bits[index >> 3] |= mask;
	else
		bits[index >> 3] &= (uint8_t)~mask;
}

static bool get_bit(const uint8_t bits[32], uint8_t index)
{
	return bits[index >> 3] >> (index & 7) & 1;
}

static void set_defaults(struct keyboard *keyboard)
{
	clear_queue(keyboard);
	keyboard->set = 2;
	keyboard->rate = RATE_DEFAULT;
	set_bits(keyboard->single_shot, false);
	set_bits(keyboard->without_break, false);
}

void keyboard_reset(struct keyboard *keyboard)
{
	set_defaults(keyboard);
	keyboard->reply_first = 0;
	keyboard->reply_count = 0;
	keyboard->last_sent = 0;
	keyboard->command = 0;
	keyboard->leds = 0;
	keyboard->modifiers = 0;
	keyboard->scanning = true;
}

/* Commands 0xf7 to 0xfa for all keys, 0xfb to 0xfd for one: typematic, make/break, make. */
static bool key_type_repeats(uint8_t command)
{
	return command == COMMAND_ALL_TYPEMATIC || command == COMMAND_KEY_TYPEMATIC ||
	       command == COMMAND_ALL_TYPEMATIC_MAKE_BREAK;
}

static bool key_type_breaks(uint8_t command)
{
	return command == COMMAND_ALL_MAKE_BREAK || command == COMMAND_KEY_MAKE_BREAK ||
	       command == COMMAND_ALL_TYPEMATIC_MAKE_BREAK;
}

static void take_scan_code_set(struct keyboard *keyboard, uint8_t value)
{
	keyboard->command = 0;
	if (value > 3) {
		reply(keyboard, KEYBOARD_RESEND);
		return;
	}
	reply(keyboard, KEYBOARD_ACK);
	if (value == 0) {
		reply(keyboard, keyboard->set);
		return;
	}
	clear_queue(keyboard);
	keyboard->set = value;
}

static void take_parameter(struct keyboard *keyboard, uint8_t value)
{
	uint8_t command = keyboard->command;

	switch (command) {
	case COMMAND_SET_LEDS:
		keyboard->leds = value & 0x07;
		keyboard->command = 0;
		reply(keyboard, KEYBOARD_ACK);
		break;
	case COMMAND_SCAN_CODE_SET:
		take_scan_code_set(keyboard, value);
		break;
	case COMMAND_SET_RATE:
		keyboard->rate = value & 0x7f;
		keyboard->command = 0;
		reply(keyboard, KEYBOARD_ACK);
		break;
	default: /* a key's type; further keys may follow until the next command */
		set_bit(keyboard->single_shot, value, !key_type_repeats(command));
		set_bit(keyboard->without_break, value, !key_type_breaks(command));
		reply(keyboard, KEYBOARD_ACK);
		break;
	}
}

static void take_command(struct keyboard *keyboard, uint8_t command)
{
	keyboard->command = 0;
	switch (command) {
	case COMMAND_SET_LEDS:
	case COMMAND_SCAN_CODE_SET:
	case COMMAND_SET_RATE:
		keyboard->command = command;
		break;
	case COMMAND_KEY_TYPEMATIC:
	case COMMAND_KEY_MAKE_BREAK:
	case COMMAND_KEY_MAKE:
		clear_queue(keyboard);
		keyboard->command = command;
		break;
	case COMMAND_ECHO:
		reply(keyboard, COMMAND_ECHO);
		return;
	case COMMAND_READ_ID:
		reply(keyboard, KEYBOARD_ACK);
		reply(keyboard, 0xab);
		reply(keyboard, 0x83);
		return;
	case COMMAND_ENABLE:
		clear_queue(keyboard);
		keyboard->scanning = true;
		break;
	case COMMAND_DEFAULT_DISABLE:
		set_defaults(keyboard);
		keyboard->scanning = false;
		break;
	case COMMAND_SET_DEFAULT:
		set_defaults(keyboard);
		break;
	case COMMAND_ALL_TYPEMATIC:
	case COMMAND_ALL_MAKE_BREAK:
	case COMMAND_ALL_MAKE:
	case COMMAND_ALL_TYPEMATIC_MAKE_BREAK:
		clear_queue(keyboard);
		set_bits(keyboard->single_shot, !key_type_repeats(command));
		set_bits(keyboard->without_break, !key_type_breaks(command));
		break;
	case COMMAND_RESEND:
		reply(keyboard, keyboard->last_sent);
		return;
	case COMMAND_RESET: /* the basic assurance test takes no time here */
		keyboard_reset(keyboard);
		reply(keyboard, KEYBOARD_ACK);
		reply(keyboard, KEYBOARD_BAT_OK);
		return;
	default:
		reply(keyboard, KEYBOARD_RESEND);
		return;
	}
	reply(keyboard, KEYBOARD_ACK);
}

void keyboard_write(struct keyboard *keyboard, uint8_t byte)
{
	keyboard->reply_first = 0;
	keyboard->reply_count = 0;
	/* A command where a parameter was due ends the one before. */
	if (keyboard->command && byte < COMMAND_SET_LEDS)
		take_parameter(keyboard, byte);
	else
		take_command(keyboard, byte);
}

bool keyboard_pending(const struct keyboard *keyboard)
{
	return keyboard->reply_count || keyboard->count;
}

uint8_t keyboard_read(struct keyboard *keyboard)
{
	uint8_t byte;

	if (keyboard->reply_count) {
		byte = keyboard->replies[keyboard->reply_first++];
		keyboard->reply_count--;
	} else if (keyboard->count) {
		byte = keyboard->queue[keyboard->first];
		keyboard->first = (keyboard->first + 1) % KEYBOARD_QUEUE_SIZE;
		keyboard->count--;
	} else {
		return 0;
	}
	if (byte != KEYBOARD_RESEND)
		keyboard->last_sent = byte;
	return byte;
}

static void append(struct sequence *sequence, uint8_t byte)
{
	sequence->bytes[sequence->count++] = byte;
}

static void append_code(struct sequence *sequence, bool extended, bool pressed, uint8_t code)
{
	if (extended)
		append(sequence, 0xe0);
	if (!pressed)
		append(sequence, 0xf0);
	append(sequence, code);
}

static bool held(const struct keyboard *keyboard, uint8_t left_usage)
{
	return keyboard->modifiers & (0x11 << (left_usage - KEY_LEFT_CONTROL));
}

/* Print Screen brings its own shift unless one is held; with Alt it is SysRq. */
static void print_screen(const struct keyboard *keyboard, bool pressed, struct sequence *sequence)
{
	bool bare = !held(keyboard, KEY_LEFT_CONTROL) && !held(keyboard, KEY_LEFT_SHIFT);

	if (held(keyboard, KEY_LEFT_ALT)) {
		append_code(sequence, false, pressed, 0x84);
		return;
	}
	if (bare && pressed)
		append_code(sequence, true, true, 0x12);
	append_code(sequence, true, pressed, 0x7c);
	if (bare && !pressed)
		append_code(sequence, true, false, 0x12);
}

/* Pause sends make and break at once, and nothing when let go; with control it is Break. */
static void pause_key(const struct keyboard *keyboard, bool pressed, struct sequence *sequence)
{
	if (!pressed)
		return;
	if (held(keyboard, KEY_LEFT_CONTROL)) {
		append_code(sequence, true, true, 0x7e);
		append_code(sequence, true, false, 0x7e);
		return;
	}
	append(sequence, 0xe1);
	append(sequence, 0x14);
	append(sequence, 0x77);
	append(sequence, 0xe1);
	append_code(sequence, false, false, 0x14);
	append_code(sequence, false, false, 0x77);
}

static void set2_sequence(const struct keyboard *keyboard, uint8_t usage, bool pressed,
			  struct sequence *sequence)
{
	struct keyboard_code code = keyboard_code(usage);

	if (usage == KEY_PRINT_SCREEN)
		print_screen(keyboard, pressed, sequence);
	else if (usage == KEY_PAUSE)
		pause_key(keyboard, pressed, sequence);
	else if (code.set2)
		append_code(sequence, code.extended, pressed, code.set2);
}

static void set3_sequence(const struct keyboard *keyboard, uint8_t usage, bool pressed,
			  struct sequence *sequence)
{
	uint8_t code = keyboard_code(usage).set3;

	if (code && (pressed || !get_bit(keyboard->without_break, code)))
		append_code(sequence, false, pressed, code);
}

/* What a key sends in the current set. */
static struct sequence key_sequence(const struct keyboard *keyboard, uint8_t usage, bool pressed)
{
	struct sequence sequence = { .count = 0 }, translated = { .count = 0 };
	bool break_seen = false;

	if (keyboard->set == 3)
		set3_sequence(keyboard, usage, pressed, &sequence);
	else
		set2_sequence(keyboard, usage, pressed, &sequence);
	if (keyboard->set != 1)
		return sequence;
	for (unsigned int i = 0; i < sequence.count; i++) {
		uint8_t byte = sequence.bytes[i];

		if (keyboard_translate(&byte, &break_seen))
			append(&translated, byte);
	}
	return translated;
}

static bool enqueue(struct keyboard *keyboard, const struct sequence *sequence)
{
	if (keyboard->count + sequence->count > KEYBOARD_QUEUE_SIZE)
		return false;
	for (unsigned int i = 0; i < sequence->count; i++) {
		unsigned int last = (keyboard->first + keyboard->count) % KEYBOARD_QUEUE_SIZE;

		keyboard->queue[last] = sequence->bytes[i];
		keyboard->count++;
	}
	return true;
}

/* Rate parameter: bits 6:5 the delay in quarter seconds less one, the rest the period. */
static uint64_t repeat_delay(const struct keyboard *keyboard)
{
	return ((keyboard->rate >> 5) + 1u) * (DEV_NS_PER_SECOND / 4);
}

static uint64_t repeat_period(const struct keyboard *keyboard)
{
	uint64_t units = (8ull + (keyboard->rate & 7)) << (keyboard->rate >> 3 & 3);

	return units * DEV_NS_PER_SECOND / 240;
}

/* The key pressed last repeats, until it or any later one changes; Pause never does. */
static void follow_repeat(struct keyboard *keyboard, uint8_t usage, bool pressed, uint64_t now)
{
	struct keyboard_code code = keyboard_code(usage);

	if (pressed) {
		stop_repeating(keyboard);
		if (!code.set2 || (usage == KEY_PAUSE && keyboard->set != 3))
			return;
		if (keyboard->set == 3 && get_bit(keyboard->single_shot, code.set3))
			return;
		keyboard->repeat_usage = usage;
		keyboard->repeat_at = now + repeat_delay(keyboard);
	} else if (keyboard->repeat_usage == usage) {
		stop_repeating(keyboard);
	}
}

bool keyboard_key(struct keyboard *keyboard, uint8_t usage, bool pressed, uint64_t now)
{
	struct sequence sequence = key_sequence(keyboard, usage, pressed);

	if (keyboard->scanning && !enqueue(keyboard, &sequence))
		return false;
	if (usage >= KEY_LEFT_CONTROL && usage <= KEY_RIGHT_GUI) {
		uint8_t mask = (uint8_t)(1 << (usage - KEY_LEFT_CONTROL));

		if (pressed)
			keyboard->modifiers |= mask;
		else
			keyboard->modifiers &= (uint8_t)~mask;
	}
	if (keyboard->scanning)
		follow_repeat(keyboard, usage, pressed, now);
	return true;
}

uint64_t keyboard_tick(struct keyboard *keyboard, uint64_t now)
{
	if (keyboard->repeat_at <= now) {
		struct sequence sequence = key_sequence(keyboard, keyboard->repeat_usage, true);

		/* A guest that does not read gets no more of the same. */
		enqueue(keyboard, &sequence);
		keyboard->repeat_at = now + repeat_period(keyboard);
	}
	return keyboard->repeat_at;
}
