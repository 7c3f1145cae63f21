/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_LIB_APIC_H
#define HUTCH_TESTS_GUESTS_LIB_APIC_H

/*
 * The interrupt controllers of a PC, as far as payloads drive them: the local APIC
 * (SDM 3, 11), the IOAPIC (82093AA datasheet) and the pair of 8259A.
 */

#include "tests/guests/lib/guest.h"

#define LAPIC_GPA  0xfee00000u
#define IOAPIC_GPA 0xfec00000u

/* SDM 3, 11.4.1, table 11-1: the registers, as offsets into the page. */
enum lapic_register {
	LAPIC_ID = 0x20,
	LAPIC_VERSION = 0x30,
	LAPIC_TPR = 0x80,
	LAPIC_PPR = 0xa0,
	LAPIC_EOI = 0xb0,
	LAPIC_LDR = 0xd0,
	LAPIC_DFR = 0xe0,
	LAPIC_SVR = 0xf0,
	LAPIC_ISR = 0x100,
	LAPIC_TMR = 0x180,
	LAPIC_IRR = 0x200,
	LAPIC_ESR = 0x280,
	LAPIC_ICR_LOW = 0x300,
	LAPIC_ICR_HIGH = 0x310,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define LAPIC_SVR_ENABLED    (1u << 8)
#define LAPIC_LVT_MASKED     (1u << 16)
#define LAPIC_LVT_EXTINT     (7u << 8)
#define LAPIC_LVT_NMI	     (4u << 8)
#define LAPIC_TIMER_ONE_SHOT (0u << 17)
#define LAPIC_TIMER_PERIODIC (1u << 17)
#define LAPIC_TIMER_DEADLINE (2u << 17)
#define LAPIC_DIVIDE_BY_1    0xbu /* SDM 3, 11.5.4, figure 11-10 */

/* SDM 3, 11.6.1: the interrupt command register. */
#define ICR_FIXED	 (0u << 8)
#define ICR_NMI		 (4u << 8)
#define ICR_INIT	 (5u << 8)
#define ICR_STARTUP	 (6u << 8)
#define ICR_PENDING	 (1u << 12)
#define ICR_ASSERT	 (1u << 14)
#define ICR_SELF	 (1u << 18)
#define ICR_ALL_BUT_SELF (3u << 18)

#define SPURIOUS_VECTOR	 0xff

static inline uint32_t lapic_read(unsigned int offset)
{
	return *(volatile uint32_t *)(uintptr_t)(LAPIC_GPA + offset);
}

static inline void lapic_write(unsigned int offset, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)(LAPIC_GPA + offset) = value;
}

static inline void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

/* Enables this processor's local APIC, everything masked, nothing blocked. */
void lapic_init(void);
/* Whether the bit of @vector is set in the 256-bit register that begins at @offset. */
bool lapic_bit(unsigned int offset, unsigned int vector);
/* Sends the interrupt @command to @apic_id, or as its shorthand says; waits until it is sent. */
void lapic_send(uint32_t apic_id, uint32_t command);

/* 82093AA, 3.2: index and data windows; two registers for each pin from 0x10. */
uint32_t ioapic_read(unsigned int index);
void ioapic_write(unsigned int index, uint32_t value);

#define IOAPIC_PINS	  24
#define IOAPIC_LEVEL	  (1u << 15)
#define IOAPIC_REMOTE_IRR (1u << 14)
#define IOAPIC_MASKED	  (1u << 16)

/* Routes a pin to the processor @apic_id; @low is vector and flags of the low half. */
void ioapic_route(unsigned int pin, uint32_t low, uint32_t apic_id);
void ioapic_mask_all(void);

/* Initialises both 8259A at @vector and @vector + 8, cascaded, every input masked. */
void pic_init(uint8_t vector);
/* Sets the 16 mask bits. */
void pic_mask(uint16_t mask);
/* Non-specific end of interrupt for @irq. */
void pic_eoi(unsigned int irq);

#endif
