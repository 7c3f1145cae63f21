/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_LIB_DISPATCH_H
#define HUTCH_LIB_DISPATCH_H

/*
 * Who answers which exit: ranges of ports and of guest-physical addresses, sorted
 * and searched by halves, and for every reason a list that is asked in the order of
 * registration when no range took the exit. Filled before the vCPUs run and only
 * read from then on, so it needs no lock.
 */

#include <stdint.h>

#include "hutch/hutch.h"

struct handler_range {
	uint64_t first, last;
	hutch_handler *handler;
	void *context;
};

struct handler_ranges {
	struct handler_range *ranges; /* sorted, without overlaps */
	unsigned int count, capacity;
};

struct reason_handler {
	struct reason_handler *next;
	hutch_handler *handler;
	void *context;
};

struct dispatch {
	struct handler_ranges ports;
	struct handler_ranges mmio;
	struct reason_handler *reasons[HUTCH_EXIT_COUNT];
};

/*
 * Where a vCPU's last access was answered, by position: the next one is likely to go
 * there too. Any value is right, a wrong one only slow.
 */
struct dispatch_hint {
	unsigned int port, mmio;
};

/*
 * Asks the handlers of @exit one after the other until one does not pass; HUTCH_PASS:
 * nobody took it.
 */
enum hutch_verdict dispatch_exit(struct hutch_vcpu *vcpu, struct hutch_exit *exit);
void dispatch_destroy(struct dispatch *dispatch);

#endif
