/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_I8042_H
#define HUTCH_DEV_I8042_H

/*
 * The 8042 keyboard controller of a PC with its keyboard (IBM PC AT Technical
 * Reference, "Keyboard Controller"; IBM PS/2 Hardware Interface Technical Reference).
 *
 * To wire it: give i8042_init() its three lines, and the guest's accesses to port 0x60
 * as offset I8042_DATA and to port 0x64 as offset I8042_COMMAND. Call i8042_tick()
 * after each access and at the moment it last returned.
 *
 *	irq	IRQ 1: high while a byte of the keyboard is there to be read
 *	reset	the processor's reset: pulsed high, then low, as the last thing that a
 *		write does; the owner may reset the machine then or later
 *	a20	the A20 gate: high after init, low when the guest masks the line
 *
 * There is no auxiliary port, and a guest finds that out at once: the clock of the
 * missing mouse tests as stuck high (command 0xa9), the bit that disables the port
 * cannot be cleared, a looped-back byte (0xd3) does not carry the auxiliary flag, and
 * a byte sent there (0xd4) is answered by 0xfe and the time-out flag.
 *
 * After init and reset the controller is as a BIOS leaves it: self-test passed, IRQ 1
 * enabled, translation to scan code set 1 on. A kernel started without firmware finds
 * what it expects.
 *
 * The host's keys come by i8042_key() as HID usages; see dev/keyboard.h. The queue
 * holds 16 bytes; beyond that i8042_key() returns false and the host tries again.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dev/keyboard.h"
#include "dev/line.h"

#define I8042_DATA		   0
#define I8042_COMMAND		   4 /* read: status */

#define I8042_STATUS_OUTPUT_FULL   0x01
#define I8042_STATUS_INPUT_FULL	   0x02 /* never: a byte is taken as it comes */
#define I8042_STATUS_SYSTEM	   0x04
#define I8042_STATUS_COMMAND	   0x08 /* the last write went to port 0x64 */
#define I8042_STATUS_NOT_INHIBITED 0x10
#define I8042_STATUS_AUX	   0x20
#define I8042_STATUS_TIMEOUT	   0x40

/* The command byte. */
#define I8042_CONFIG_INTERRUPT	      0x01
#define I8042_CONFIG_AUX_INTERRUPT    0x02
#define I8042_CONFIG_SYSTEM	      0x04
#define I8042_CONFIG_DISABLE_KEYBOARD 0x10
#define I8042_CONFIG_DISABLE_AUX      0x20
#define I8042_CONFIG_TRANSLATE	      0x40

/* The output port. */
#define I8042_OUTPUT_NOT_RESET 0x01
#define I8042_OUTPUT_A20       0x02
#define I8042_OUTPUT_IRQ1      0x10

struct i8042_wiring {
	struct line irq;
	struct line reset;
	struct line a20;
};

struct i8042 {
	struct i8042_wiring wiring;
	struct keyboard keyboard;
	uint8_t ram[32]; /* byte 0 is the command byte */
	uint8_t status;	 /* the bits that are state: SYSTEM and COMMAND */
	uint8_t command; /* the one whose parameter is to come, or 0 */
	uint8_t output;	 /* a byte of the keyboard, translated */
	bool output_full;
	uint8_t reply;	      /* a byte of the controller: read before @output */
	uint8_t reply_status; /* what the status shows with it; 0 when there is none */
	bool break_seen;      /* translation has swallowed a 0xf0 */
	bool a20;
	bool irq; /* what the line carries */
};

void i8042_init(struct i8042 *i8042, const struct i8042_wiring *wiring, uint64_t now);
void i8042_reset(struct i8042 *i8042, uint64_t now);

/* @offset: I8042_DATA or I8042_COMMAND. */
uint8_t i8042_read(struct i8042 *i8042, unsigned int offset, uint64_t now);
void i8042_write(struct i8042 *i8042, unsigned int offset, uint8_t value, uint64_t now);
uint64_t i8042_tick(struct i8042 *i8042, uint64_t now);

/* A key goes down or up; false when the guest has to read first. As keyboard_key(). */
bool i8042_key(struct i8042 *i8042, uint8_t usage, bool pressed, uint64_t now);

/* KEYBOARD_LED_... as the guest last set them. */
uint8_t i8042_leds(const struct i8042 *i8042);

#endif
