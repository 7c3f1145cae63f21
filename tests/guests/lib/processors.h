/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_LIB_PROCESSORS_H
#define HUTCH_TESTS_GUESTS_LIB_PROCESSORS_H

/*
 * The other processors: INIT, SIPI, SIPI (SDM 3, 9.4.4), then a function of the
 * payload's, on a stack of 4 KiB, with the interrupt table loaded and interrupts off.
 */

#include "tests/guests/lib/guest.h"

/* What a started processor runs; it then halts for good. */
typedef void processor_function(uint32_t apic_id);

/*
 * Starts every other processor at the page @page (0 to 0x9f; it is written over) and
 * returns how many arrived within about a second; stops waiting at @expected.
 */
unsigned int processors_start(uint8_t page, unsigned int expected, processor_function *function);

/* Processors that arrived in all calls so far. */
unsigned int processors_arrived(void);

/* INIT to all others: they wait for a SIPI again. */
void processors_stop(void);

#endif
