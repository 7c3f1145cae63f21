/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_PIC_H
#define HUTCH_DEV_PIC_H

/*
 * The PC's pair of 8259A interrupt controllers (Intel 8259A data sheet, 231468): a
 * master at 0x20 with inputs IRQ0 to 7 and a slave at 0xa0 with IRQ8 to 15, whose
 * output is the master's IRQ2. Beside them the edge/level control registers at 0x4d0
 * and 0x4d1 that PCI brought (82371SB data sheet, 2.5).
 *
 * To wire it: connect the devices' lines to pic_set_irq() and give pic_init() the
 * line to the processor's INTR pin, which a local APIC calls LINT0. When the
 * processor takes the interrupt it calls pic_acknowledge() for the vector.
 *
 * An input must stay high until it is acknowledged, as the data sheet asks: one that
 * falls before is forgotten, and an acknowledge that finds nothing gets the default,
 * IRQ7 (or 15), with no in-service bit to end. Where inputs come as ioctls, whose users
 * pulse them without looking, the owner sets @holds_edges of both chips after pic_init().
 *
 * Ticks: none; nothing here depends on time. Lock: one for the whole model.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dev/line.h"
#include "x86/apic.h"

#define PIC_IRQ_COUNT 16

/* Where every PC's BIOS puts the vectors of IRQ0 and IRQ8. */
#define PIC_BIOS_MASTER_BASE 0x08
#define PIC_BIOS_SLAVE_BASE  0x70

/* ELCR: inputs that may be level-triggered; not timer, keyboard, cascade, clock and FPU. */
#define PIC_ELCR_MASTER 0xf8
#define PIC_ELCR_SLAVE	0xde

struct pic_chip {
	uint8_t lines; /* the input pins as they are */
	uint8_t edges; /* edge-triggered requests, latched */
	uint8_t isr;
	uint8_t imr;
	uint8_t elcr; /* which inputs are level-triggered, and which can be */
	uint8_t elcr_writable;
	uint8_t base; /* the first vector: ICW2, or whatever a saved state says */
	uint8_t icw1, icw3, icw4;
	uint8_t next_icw; /* the ICW that the next write to A0=1 is; 0: OCW1 */
	uint8_t lowest;	  /* the input of lowest priority: 7 unless rotated */
	bool read_isr;
	bool poll;
	bool special_mask;
	bool rotate_in_aeoi;
	bool holds_edges; /* the owner's choice: a short pulse is a request, too */
};

struct pic {
	struct pic_chip chips[2]; /* master, slave */
	struct line intr;
	bool intr_level;
};

/* All inputs low, all else as after pic_reset(). */
void pic_init(struct pic *pic, struct line intr);

/*
 * Power-on: nothing requested, masked or in service. The wires keep their level. The
 * vectors are where a BIOS puts them, for a guest that is started without one.
 */
void pic_reset(struct pic *pic);

/* A device drives IRQ @irq (below 16). IRQ2 is the slave's: driving it does nothing. */
void pic_set_irq(struct pic *pic, unsigned int irq, bool level);

/*
 * A byte at one of the six ports: 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1. Any other
 * port reads as all ones and takes nothing.
 */
uint8_t pic_read(struct pic *pic, uint16_t port);
void pic_write(struct pic *pic, uint16_t port, uint8_t value);

/* What INTR carries: true when an acknowledge would give a real interrupt. */
bool pic_intr(const struct pic *pic);

/* The processor's INTA cycles: the vector of the best request, which is now in service. */
uint8_t pic_acknowledge(struct pic *pic);

#endif
