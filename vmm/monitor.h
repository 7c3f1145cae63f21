/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_MONITOR_H
#define HUTCH_VMM_MONITOR_H

/*
 * The monitor: a prompt on the user's terminal, reached by Ctrl-A c, from which the
 * machine is looked at and steered from outside the guest.
 *
 * Keys arrive under the machine's lock, while commands must be able to stop every
 * vCPU; so keys are only queued, and monitor_turn() does the work between two events.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MONITOR_LINE_SIZE 128

struct machine;

struct monitor {
	struct machine *machine;
	bool open;
	bool paused; /* by the command of that name */
	uint8_t keys[MONITOR_LINE_SIZE];
	size_t key_count;
	char line[MONITOR_LINE_SIZE];
	size_t length;
};

void monitor_init(struct monitor *monitor, struct machine *machine);

/* With the machine's lock held: Ctrl-A was followed by @key; a key while the monitor is open. */
void monitor_command_key(struct monitor *monitor, uint8_t key);
void monitor_key(struct monitor *monitor, uint8_t key);

/* Does what the keys say. By the I/O thread, without the lock. */
void monitor_turn(struct monitor *monitor);

#endif
