/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_CHECKS_H
#define HUTCH_CORE_CHECKS_H

/*
 * What must hold at any time, asked for only while somebody looks for faults: it is slow.
 * What does not hold becomes a line in the host's log (host_complain()), and life goes on.
 */

#include "core/hv.h"

/* Whether it is asked for. Set before hv_start(), and never after. */
extern bool hv_checks;

#define INVARIANT(holds, text)                 \
	do {                                   \
		if (hv_checks && !(holds))     \
			host_complain((text)); \
	} while (0)

/*
 * The guest's table, as far as it has anything of the VMM's addresses [@hva, @end): every
 * page stands in a slot, with no more rights than that has, and is the one that the VMM
 * itself has there now; and the tables are as many as were counted. With @table_lock held.
 */
void check_memory(struct hv_vm *vm, uint64_t hva, uint64_t end);

#endif
