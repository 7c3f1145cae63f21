/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_PROCESSORS_H
#define HUTCH_VMM_PROCESSORS_H

/*
 * Step three of five: set up the vCPUs. All functions return 0 or a negative errno
 * with machine->error set, and leave nothing behind when they fail.
 */

#include <stdio.h>

struct machine;

/*
 * machine->vcpus, for as long as the machine lives; no vCPU is made yet. Refused when this
 * hypervisor has not as many as are wanted.
 */
int processors_allocate(struct machine *machine);
void processors_free(struct machine *machine);

/*
 * Makes the vCPUs and shows them their CPUID, sets the MSRs that firmware would have
 * set, and puts the boot processor where the loader wants it. The others wait for its
 * start-up IPI. Writes the MP table, which repeats what CPUID says.
 */
int processors_create(struct machine *machine);
void processors_destroy(struct machine *machine);

/* For --dry-run: the CPUID table that the guest would be shown. */
int processors_print(struct machine *machine, FILE *out);

#endif
