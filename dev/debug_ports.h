/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_DEBUG_PORTS_H
#define HUTCH_DEV_DEBUG_PORTS_H

/*
 * Four ports by which a guest with nothing else can make itself known.
 *
 *	console	0xe9	a byte written is printed; reads give 0xe9, by which a guest
 *			knows that somebody listens (Bochs had it first)
 *	POST	0x80	the progress code of firmware, on a real mainboard two digits of
 *			light; operating systems write it as a short delay
 *	exit	0xf4	the machine ends with the value written, of 1, 2 or 4 bytes
 *	stamp	0x3f0	the time is kept, with the byte written, to measure how a guest
 *			starts: the first DEBUG_STAMPS_MAX of them
 *
 * To wire it: send each port's accesses to debug_ports_read() and debug_ports_write()
 * with its name; the port's number is the owner's affair, those above are usual. There
 * is nothing to tick.
 */

#include <stdint.h>

#define DEBUG_CONSOLE_PORT    0xe9
#define DEBUG_POST_PORT	      0x80
#define DEBUG_EXIT_PORT	      0xf4
#define DEBUG_STAMP_PORT      0xf5

#define DEBUG_CONSOLE_PRESENT 0xe9
#define DEBUG_STAMPS_MAX      32

enum debug_port {
	DEBUG_CONSOLE,
	DEBUG_POST,
	DEBUG_EXIT,
	DEBUG_STAMP,
};

struct debug_stamp {
	uint64_t when; /* ns, as every model's time */
	uint8_t value;
};

/* The callbacks may be NULL. */
struct debug_ports_wiring {
	void (*print)(void *owner, uint8_t byte);
	void (*exit)(void *owner, uint32_t value); /* the last thing that a write does */
	void *owner;
};

struct debug_ports {
	struct debug_ports_wiring wiring;
	uint8_t post; /* the last progress code */
	struct debug_stamp stamps[DEBUG_STAMPS_MAX];
	unsigned int stamp_count;
};

void debug_ports_init(struct debug_ports *ports, const struct debug_ports_wiring *wiring,
		      uint64_t now);

/* The progress code goes; the stamps stay, for time goes on too. */
void debug_ports_reset(struct debug_ports *ports, uint64_t now);

/* One byte of the port; wider reads are the owner's to extend. */
uint8_t debug_ports_read(const struct debug_ports *ports, enum debug_port port);

/* @value as wide as the access was; only DEBUG_EXIT looks beyond its low byte. */
void debug_ports_write(struct debug_ports *ports, enum debug_port port, uint32_t value,
		       uint64_t now);

#endif
