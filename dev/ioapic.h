/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_IOAPIC_H
#define HUTCH_DEV_IOAPIC_H

/*
 * The IOAPIC (Intel 82093AA data sheet, 290566): 24 input pins, and for each an entry
 * that says which message a change of the pin sends to which local APIC. It is read
 * and written through two registers, an index and a window.
 *
 * Two versions: 0x11 is the 82093AA; 0x20 adds the EOI register at offset 0x40, by
 * which a kernel that has switched the EOI broadcast off ends an interrupt itself.
 *
 * To wire it: devices drive ioapic_set_irq(); messages leave by @send; the bus's
 * end_of_interrupt calls ioapic_end_of_interrupt().
 *
 * A pin's level here means asserted or not. The board inverts what is active low, as
 * it knows its devices; the entry's polarity bit can be written and read, and that is
 * all. SMI has no meaning in a machine without system management mode.
 *
 * Ticks: none; nothing here depends on time. Lock: the bus's (dev/apic_bus.h).
 */

#include <stdbool.h>
#include <stdint.h>

#include "dev/apic_bus.h"
#include "x86/apic.h"

#define IOAPIC_PIN_COUNT 24

struct ioapic {
	uint64_t redirection[IOAPIC_PIN_COUNT];
	uint32_t lines;	  /* the pins as they are */
	uint32_t waiting; /* levels that no local APIC accepted yet */
	uint32_t id;	  /* the register: bits 27 to 24 */
	uint8_t select;
	uint8_t version;
	/* Returns how many accepted the message; apic_bus_send() behind it. */
	unsigned int (*send)(void *owner, const struct apic_message *message);
	void *owner;
};

/* Power-on, all pins low, all masked. @version: IOAPIC_VERSION_82093AA or IOAPIC_VERSION_EOI. */
void ioapic_init(struct ioapic *ioapic, uint8_t version,
		 unsigned int (*send)(void *owner, const struct apic_message *message),
		 void *owner);

/* As after power-on. The wires keep their level. */
void ioapic_reset(struct ioapic *ioapic);

void ioapic_set_irq(struct ioapic *ioapic, unsigned int pin, bool level);

/*
 * An access of @size bytes at @offset in the page. The registers are 32 bits wide and
 * are to be accessed whole: of the index a byte will do, any other narrow or unaligned
 * write is ignored; a narrow read gives its part.
 */
uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t offset, unsigned int size);
void ioapic_write(struct ioapic *ioapic, uint32_t offset, unsigned int size, uint32_t value);

/* A local APIC ended the level-triggered interrupt with this vector. */
void ioapic_end_of_interrupt(struct ioapic *ioapic, uint8_t vector);

#endif
