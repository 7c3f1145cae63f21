/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_LOAD_H
#define HUTCH_VMM_LOAD_H

/* Steps one and two of five: build memory, and load into it what the user named. */

struct machine;

/* Opens the user's files into machine->images. 0 or a negative errno with machine->error set. */
int load_open(struct machine *machine);
void load_close(struct machine *machine);

/*
 * Makes guest memory and fills it: the tables, the kernel, its initrd. Leaves the boot
 * processor's state in machine->boot. 0 or a negative errno with machine->error set,
 * and no memory.
 */
int load_memory(struct machine *machine);
void load_release(struct machine *machine);

#endif
