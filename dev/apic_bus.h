/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_APIC_BUS_H
#define HUTCH_DEV_APIC_BUS_H

/*
 * What runs between local APICs and IOAPICs: interrupt messages one way, ends of
 * interrupt the other (SDM 3, 11.6 and 11.11). An IPI, a device's interrupt from the
 * IOAPIC and an MSI are all one struct apic_message and take one path: find the local
 * APICs that the destination means, arbitrate where only one of them is to have it,
 * and hand it over.
 *
 * The bus owns nothing: the table of local APICs is its user's, and its index is the
 * APIC id. Lock: the bus, its local APICs and its IOAPICs are touched with one lock
 * held (dev/lapic.h tells more).
 */

#include <stdbool.h>
#include <stdint.h>

#include "x86/apic.h"

struct lapic;

enum apic_shorthand {
	APIC_TO_DESTINATION,
	APIC_TO_SELF,
	APIC_TO_ALL,
	APIC_TO_OTHERS,
};

struct apic_message {
	uint32_t destination; /* unless a shorthand says it */
	enum apic_shorthand shorthand;
	enum apic_delivery delivery;
	uint8_t vector;
	bool logical; /* the destination is logical, else a physical id */
	bool level;   /* trigger mode: its EOI is waited for */
	bool wide;    /* an x2APIC's destination of 32 bits, else of eight */
};

struct apic_bus {
	struct lapic *const *lapics; /* by APIC id; NULL where there is none */
	unsigned int count;
	/* Every IOAPIC is to see this end of a level-triggered interrupt; may be NULL. */
	void (*end_of_interrupt)(void *owner, uint8_t vector);
	void *owner;
	unsigned int last; /* who won the last arbitration */
};

/*
 * Sends a message; @source is the local APIC that does, NULL for anybody else. Returns
 * how many accepted it. A message whose vector is none (below 16) is the sender's
 * mistake, which it must not send; a receiver logs it as its error.
 */
unsigned int apic_bus_send(struct apic_bus *bus, const struct lapic *source,
			   const struct apic_message *message);

/* A local APIC tells that the handler of a level-triggered interrupt has ended. */
void apic_bus_end_of_interrupt(struct apic_bus *bus, uint8_t vector);

#endif
