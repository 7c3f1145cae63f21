/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_DEVICES_H
#define HUTCH_VMM_DEVICES_H

/*
 * The mainboard's wiring: which model of dev/ answers at which port, which interrupt
 * line it pulls, when it wants to be ticked, and what its pins that reach out of the
 * case (reset, power, the serial line, the power button) do to the machine.
 *
 * All functions are called with the machine's lock held, but for devices_create() and
 * devices_destroy().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct devices;
struct machine;

/* Makes the devices and claims their ports on machine->bus. 0 or a negative errno. */
int devices_create(struct machine *machine);
void devices_destroy(struct machine *machine);

/* All that is due by @now; returns the next moment (dev/line.h). */
uint64_t devices_tick(struct devices *devices, uint64_t now);

/* COM1: see struct console_guest. */
size_t devices_input_room(const struct devices *devices, bool patient);
void devices_input(struct devices *devices, const uint8_t *bytes, size_t count);
void devices_output_ready(struct devices *devices, bool ready);

/* Presses the power button. False where the guest does not listen to it. */
bool devices_power_button(struct devices *devices);

/* Whether the guest masks NMI, by bit 7 of the CMOS index port. */
bool devices_nmi_masked(const struct devices *devices);

/* For --stats: when the guest wrote what to the boot-time stamp port. */
void devices_print_stamps(const struct devices *devices, FILE *out);

/* For --dry-run: every device with its ports, addresses and interrupt. */
void devices_print(const struct machine *machine, FILE *out);

#endif
