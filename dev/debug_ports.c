/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/debug_ports.h"

/*
 * The simplest devices there are: a write does what it says.
 */

/* What a port gives that nobody drives. */
#define NOTHING 0xff

uint8_t debug_ports_read(const struct debug_ports *ports, enum debug_port port)
{
	switch (port) {
	case DEBUG_CONSOLE:
		return DEBUG_CONSOLE_PRESENT;
	case DEBUG_POST:
		return ports->post;
	default:
		return NOTHING;
	}
}

static void keep_stamp(struct debug_ports *ports, uint8_t value, uint64_t now)
{
	if (ports->stamp_count < DEBUG_STAMPS_MAX)
		ports->stamps[ports->stamp_count++] = (struct debug_stamp){ now, value };
}

void debug_ports_write(struct debug_ports *ports, enum debug_port port, uint32_t value,
		       uint64_t now)
{
	switch (port) {
	case DEBUG_CONSOLE:
		if (ports->wiring.print)
			ports->wiring.print(ports->wiring.owner, (uint8_t)value);
		break;
	case DEBUG_POST:
		ports->post = (uint8_t)value;
		break;
	case DEBUG_EXIT:
		if (ports->wiring.exit)
			ports->wiring.exit(ports->wiring.owner, value);
		break;
	case DEBUG_STAMP:
		keep_stamp(ports, (uint8_t)value, now);
		break;
	}
}

void debug_ports_reset(struct debug_ports *ports, uint64_t now)
{
	(void)now;
	ports->post = 0;
}

void debug_ports_init(struct debug_ports *ports, const struct debug_ports_wiring *wiring,
		      uint64_t now)
{
	*ports = (struct debug_ports){ .wiring = *wiring };
	debug_ports_reset(ports, now);
}
