/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_STATISTICS_H
#define HUTCH_VMM_STATISTICS_H

/* What the guest's exits cost: --stats, and the monitor's "exits". */

#include <stdio.h>

struct machine;

/* Exits by reason with their rate, and accesses that no device answered. */
void statistics_print_exits(const struct machine *machine, FILE *out);

/* Where each vCPU's time went, as far as --stats has it counted; with the exits, all of --stats. */
void statistics_print(const struct machine *machine, FILE *out);

#endif
