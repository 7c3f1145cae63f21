/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_PIT_COUNTER_H
#define HUTCH_DEV_PIT_COUNTER_H

/*
 * One counter of the 8254, in ticks of its clock: what dev/pit.c is made of. Every
 * function takes the present tick, which never goes back.
 */

#include "dev/pit.h"

/* A control word's lower six bits: access, mode, BCD; access is not the latch command. */
void pit_counter_program(struct pit_counter *counter, uint8_t control, uint64_t tick);

void pit_counter_write(struct pit_counter *counter, uint8_t value, uint64_t tick);
uint8_t pit_counter_read(struct pit_counter *counter, uint64_t tick);

/* Hold the count or the status for reading; ignored while the one before is unread. */
void pit_counter_latch(struct pit_counter *counter, uint64_t tick);
void pit_counter_latch_status(struct pit_counter *counter, uint64_t tick);

void pit_counter_set_gate(struct pit_counter *counter, bool gate, uint64_t tick);
bool pit_counter_out(const struct pit_counter *counter, uint64_t tick);

/* Brings the counter up to @tick; true if OUT has risen by itself since the last time. */
bool pit_counter_advance(struct pit_counter *counter, uint64_t tick);

/* The tick after @tick at which OUT may rise by itself; DEV_NEVER if it will not. */
uint64_t pit_counter_next_rise(const struct pit_counter *counter, uint64_t tick);

/* Modes 0 to 5. */
unsigned int pit_counter_mode(const struct pit_counter *counter);

#endif
