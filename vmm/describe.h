/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_DESCRIBE_H
#define HUTCH_VMM_DESCRIBE_H

/* --dry-run: the machine as it would be at its first instruction. */

#include "vmm/machine.h"

/*
 * Loads as a run would, prints the memory map, what lies where, the boot processor's
 * registers, the devices and (where there is a hypervisor to ask) CPUID, and enters
 * nothing. Returns the exit status.
 */
int describe_run(const struct machine_config *config);

#endif
