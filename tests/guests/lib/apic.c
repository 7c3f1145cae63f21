/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Driving the interrupt controllers: the short sequences that the datasheets ask for.
 */

#include "tests/guests/lib/apic.h"

#define PIC_COMMAND	  0x20
#define PIC_DATA	  0x21
#define PIC_SLAVE_COMMAND 0xa0
#define PIC_SLAVE_DATA	  0xa1

void lapic_init(void)
{
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_LVT_LINT1, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_LVT_ERROR, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	lapic_write(LAPIC_TPR, 0);
	lapic_write(LAPIC_SVR, LAPIC_SVR_ENABLED | SPURIOUS_VECTOR);
}

bool lapic_bit(unsigned int offset, unsigned int vector)
{
	return lapic_read(offset + vector / 32 * 0x10) >> vector % 32 & 1;
}

void lapic_send(uint32_t apic_id, uint32_t command)
{
	lapic_write(LAPIC_ICR_HIGH, apic_id << 24);
	lapic_write(LAPIC_ICR_LOW, command);
	while (lapic_read(LAPIC_ICR_LOW) & ICR_PENDING)
		pause();
}

uint32_t ioapic_read(unsigned int index)
{
	*(volatile uint32_t *)(uintptr_t)IOAPIC_GPA = index;
	return *(volatile uint32_t *)(uintptr_t)(IOAPIC_GPA + 0x10);
}

void ioapic_write(unsigned int index, uint32_t value)
{
	*(volatile uint32_t *)(uintptr_t)IOAPIC_GPA = index;
	*(volatile uint32_t *)(uintptr_t)(IOAPIC_GPA + 0x10) = value;
}

void ioapic_route(unsigned int pin, uint32_t low, uint32_t apic_id)
{
	ioapic_write(0x10 + 2 * pin, low | IOAPIC_MASKED);
	ioapic_write(0x11 + 2 * pin, apic_id << 24);
	ioapic_write(0x10 + 2 * pin, low);
}

void ioapic_mask_all(void)
{
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic_write(0x10 + 2 * pin, IOAPIC_MASKED);
}

void pic_init(uint8_t vector)
{
	/* 8259A, "Initialization command words": ICW1 to ICW4, then OCW1. */
	out8(PIC_COMMAND, 0x11);
	out8(PIC_DATA, vector);
	out8(PIC_DATA, 1 << 2);
	out8(PIC_DATA, 1);
	out8(PIC_SLAVE_COMMAND, 0x11);
	out8(PIC_SLAVE_DATA, (uint8_t)(vector + 8));
	out8(PIC_SLAVE_DATA, 2);
	out8(PIC_SLAVE_DATA, 1);
	pic_mask(0xffff);
}

void pic_mask(uint16_t mask)
{
	out8(PIC_DATA, (uint8_t)mask);
	out8(PIC_SLAVE_DATA, (uint8_t)(mask >> 8));
}

void pic_eoi(unsigned int irq)
{
	if (irq >= 8)
		out8(PIC_SLAVE_COMMAND, 0x20);
	out8(PIC_COMMAND, 0x20);
}
