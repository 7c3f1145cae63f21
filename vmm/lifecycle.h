/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_LIFECYCLE_H
#define HUTCH_VMM_LIFECYCLE_H

/*
 * A virtual machine is a process: it is started, stopped, continued and ended like any
 * other, and says by its exit status how it went.
 */

#include "vmm/machine.h"

/* Exit statuses of `hutch run`; a debug exit has the guest's own, a signal 128 + its number. */
enum exit_status {
	STATUS_OK = 0,	      /* the guest powered off, or the user left */
	STATUS_FAILED = 1,    /* the host or the hypervisor failed, or an exit nobody handles */
	STATUS_BAD_INPUT = 2, /* wrong usage, or a file that cannot be booted */
	STATUS_TRIPLE_FAULT = 3,
};

struct lifecycle {
	const struct machine_config *config;
	const char *console;	    /* as console_open() takes it */
	unsigned int grace_seconds; /* how long SIGTERM waits for the guest to power off */
	bool statistics;	    /* print them at the end */
};

/* Runs a machine from its first instruction to its end. Returns the exit status. */
int lifecycle_run(const struct lifecycle *lifecycle);

#endif
