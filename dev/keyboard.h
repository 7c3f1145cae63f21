/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_KEYBOARD_H
#define HUTCH_DEV_KEYBOARD_H

/*
 * A PS/2 keyboard with 102 keys and a few more (IBM PS/2 Hardware Interface Technical
 * Reference, "Keyboard (101- and 102-key)"), as the controller sees it at the other
 * end of its cable: bytes go in, bytes come out. dev/i8042.h holds one.
 *
 * A key is named by its usage on the HID keyboard page (USB HID Usage Tables, chapter
 * 10: 0x04 is A, 0x28 Enter, 0xe0 left control), for that is one flat space of names
 * without prefixes. What the guest sees is the scan code of the set it has chosen:
 * 2 after reset, 1 and 3 on request. In set 3 every key begins as typematic with a
 * break code; commands 0xf7 to 0xfd change that.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dev/line.h"

#define KEYBOARD_ACK	    0xfa
#define KEYBOARD_RESEND	    0xfe
#define KEYBOARD_BAT_OK	    0xaa

#define KEYBOARD_LED_SCROLL 0x01
#define KEYBOARD_LED_NUM    0x02
#define KEYBOARD_LED_CAPS   0x04

/* HID usages that this model treats apart, or that a host has reason to name. */
#define KEY_PRINT_SCREEN 0x46
#define KEY_DELETE	 0x4c
#define KEY_PAUSE	 0x48
#define KEY_LEFT_CONTROL 0xe0
#define KEY_LEFT_SHIFT	 0xe1
#define KEY_LEFT_ALT	 0xe2
#define KEY_RIGHT_GUI	 0xe7

/* A key's codes: in set 2, where @extended puts 0xe0 before it, and in set 3; 0: none. */
struct keyboard_code {
	uint8_t set2;
	uint8_t set3;
	bool extended;
};

#define KEYBOARD_QUEUE_SIZE 16
#define KEYBOARD_REPLY_MAX  3

struct keyboard {
	uint8_t replies[KEYBOARD_REPLY_MAX]; /* to the last command; they go first */
	uint8_t reply_first, reply_count;
	uint8_t queue[KEYBOARD_QUEUE_SIZE]; /* scan codes */
	uint8_t first, count;
	uint8_t last_sent; /* for the resend command */
	uint8_t command;   /* the one whose parameter is to come, or 0 */
	uint8_t set;	   /* scan code set: 1, 2 or 3 */
	uint8_t leds;	   /* KEYBOARD_LED_... */
	uint8_t rate;	   /* of typematic: parameter of command 0xf3 */
	bool scanning;
	uint8_t modifiers;	   /* held: bit n is usage 0xe0 + n */
	uint8_t repeat_usage;	   /* the key that repeats while it is held, or 0 */
	uint64_t repeat_at;	   /* when, or DEV_NEVER */
	uint8_t single_shot[32];   /* set 3, by code: does not repeat */
	uint8_t without_break[32]; /* set 3, by code: has no break code */
};

void keyboard_reset(struct keyboard *keyboard);

/* A byte from the controller: a command or its parameter. Replies are ready at once. */
void keyboard_write(struct keyboard *keyboard, uint8_t byte);

/* Whether keyboard_read() has a byte, and that byte (0 without any). */
bool keyboard_pending(const struct keyboard *keyboard);
uint8_t keyboard_read(struct keyboard *keyboard);

/*
 * A key goes down or up. Returns false, and does nothing, when the codes do not fit
 * the queue: the host tries again later. Unknown usages and those that come while the
 * guest has switched scanning off are taken and dropped, as a keyboard does.
 */
bool keyboard_key(struct keyboard *keyboard, uint8_t usage, bool pressed, uint64_t now);

/* Repeats the key that is held, once however late it is; returns the next moment. */
uint64_t keyboard_tick(struct keyboard *keyboard, uint64_t now);

/* dev/keyboard_codes.c: a usage's codes; all zero for one that the keyboard lacks. */
struct keyboard_code keyboard_code(uint8_t usage);

/*
 * Set 2 to set 1, one byte at a time, as the controller's translation does it. The
 * 0xf0 that goes before a break code is swallowed (returns false) and remembered in
 * @break_seen; else the translated byte is in @byte.
 */
bool keyboard_translate(uint8_t *byte, bool *break_seen);

#endif
