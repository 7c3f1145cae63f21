/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A guest that tries every address with no memory behind it: the hole below 1 MiB,
 * everything from 3 to 4 GiB page by page, the pages of the IOAPIC, the local APIC
 * and the firmware byte by byte, and the end of the physical address space; in all
 * widths, across pages, and from device to device.
 *
 * The local APIC's interrupt command register and local vectors are left alone: this
 * payload also runs where no interrupt can be taken. irq_flood.c does not spare them.
 */

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/guest.h"

#define PAGE	    0x1000u
#define LARGE_PAGE  0x200000u
#define HOLE	    0xa0000u
#define HOLE_END    0xc0000u
#define DEVICES	    0xc0000000u
#define DEVICES_END 0x100000000ull
#define FIRMWARE    0xfffc0000u

extern uint64_t page_map[512];

static uint64_t far_pointers[512] __attribute__((aligned(4096)));
static uint64_t far_directory[512] __attribute__((aligned(4096)));
static uint64_t random = 0x2545f4914f6cdd1d;

/* The instruction is given, not left to the compiler: the width is what is tested. */
static uint64_t load(uint64_t address, unsigned int size)
{
	uint64_t value = 0;

	if (size == 1)
		asm volatile("movb (%1), %b0" : "+r"(value) : "r"(address) : "memory");
	else if (size == 2)
		asm volatile("movw (%1), %w0" : "+r"(value) : "r"(address) : "memory");
	else if (size == 4)
		asm volatile("movl (%1), %k0" : "+r"(value) : "r"(address) : "memory");
	else
		asm volatile("movq (%1), %q0" : "+r"(value) : "r"(address) : "memory");
	return value;
}

static void store(uint64_t address, unsigned int size, uint64_t value)
{
	if (size == 1)
		asm volatile("movb %b1, (%0)" : : "r"(address), "r"(value) : "memory");
	else if (size == 2)
		asm volatile("movw %w1, (%0)" : : "r"(address), "r"(value) : "memory");
	else if (size == 4)
		asm volatile("movl %k1, (%0)" : : "r"(address), "r"(value) : "memory");
	else
		asm volatile("movq %q1, (%0)" : : "r"(address), "r"(value) : "memory");
}

static bool is_lapic(uint64_t address)
{
	return address >= LAPIC_GPA - 8 && address < LAPIC_GPA + PAGE;
}

/* All widths at @address; false unless it reads as ones, whatever is written to it. */
static bool try_address(uint64_t address)
{
	bool ones = true;

	for (unsigned int size = 1; size <= 8; size *= 2) {
		if (!is_lapic(address))
			store(address, size, random_next(&random));
		ones &= load(address, size) == ~0ull >> (64 - 8 * size);
	}
	return ones;
}

static bool has_device(uint64_t page)
{
	return page == (IOAPIC_GPA & ~(LARGE_PAGE - 1)) ||
	       page == (LAPIC_GPA & ~(LARGE_PAGE - 1)) || page == (FIRMWARE & ~(LARGE_PAGE - 1));
}

static void holes(void)
{
	bool ones = true;

	for (uint64_t page = HOLE; page < HOLE_END; page += PAGE) {
		ones &= try_address(page);
		if (page + PAGE < HOLE_END) /* across the page's end in all but the first width */
			ones &= try_address(page + PAGE - 1);
	}
	check(ones, "the hole below 1 MiB reads as ones");
	ones = true;
	for (uint64_t page = DEVICES; page < DEVICES_END; page += LARGE_PAGE) {
		if (has_device(page))
			continue;
		ones &= try_address(page);
		ones &= try_address(page + random_next(&random) % (LARGE_PAGE - 8));
	}
	check(ones, "every 2M without a device from 3 to 4 GiB reads as ones");
}

static void device_page(uint64_t page, unsigned int step)
{
	for (uint64_t address = page; address < page + PAGE; address += step)
		try_address(address);
}

/* What a local APIC may be told at random without sending or delivering anything. */
static void lapic_registers(void)
{
	static const uint16_t registers[] = { LAPIC_ID,	 LAPIC_VERSION,	      LAPIC_TPR,
					      LAPIC_PPR, LAPIC_EOI,	      LAPIC_LDR,
					      LAPIC_DFR, LAPIC_ISR,	      LAPIC_TMR,
					      LAPIC_IRR, LAPIC_TIMER_INITIAL, LAPIC_TIMER_CURRENT };

	for (unsigned int i = 0; i < sizeof(registers) / sizeof(registers[0]); i++) {
		for (unsigned int size = 1; size <= 8; size *= 2) {
			store(LAPIC_GPA + registers[i], size, random_next(&random));
			store(LAPIC_GPA + registers[i] + 2, size, random_next(&random));
		}
	}
	lapic_write(LAPIC_TIMER_INITIAL, 0);
}

static void device_pages(void)
{
	device_page(IOAPIC_GPA, 1);
	for (unsigned int pin = 0; pin < IOAPIC_PINS; pin++)
		ioapic_write(0x10 + 2 * pin, (uint32_t)random_next(&random) | IOAPIC_MASKED);
	device_page(LAPIC_GPA, 1);
	lapic_registers();
	for (uint64_t page = FIRMWARE; page < DEVICES_END; page += PAGE)
		device_page(page, 257);
	/* SDM 3, 11.4.8: 0x10 to 0x15 is a local APIC that is part of the processor. */
	check_equal(lapic_read(LAPIC_VERSION) >> 4 & 0xf, 1, "the local APIC is still there");
	check_equal(ioapic_read(1) >> 16 & 0xff, IOAPIC_PINS - 1, "the IOAPIC is still there");
}

/* Strings whose one side, or both, is a device. */
static void strings(void)
{
	static uint8_t memory[64];
	uint64_t from = HOLE, to = (uintptr_t)memory, count = 16;

	asm volatile("rep movsb" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	check(from == HOLE + 16 && to == (uintptr_t)memory + 16 && count == 0,
	      "MOVS from a hole counts");
	check(memory[0] == 0xff && memory[15] == 0xff && memory[16] == 0, "a hole reads as ones");
	from = HOLE;
	to = HOLE + PAGE - 8;
	count = 4;
	asm volatile("rep movsl" : "+S"(from), "+D"(to), "+c"(count) : : "memory");
	check(to == HOLE + PAGE + 8 && count == 0, "MOVS from hole to hole, across a page");
	to = HOLE;
	count = 5;
	asm volatile("rep stosq" : "+D"(to), "+c"(count) : "a"(0) : "memory");
	check(to == HOLE + 40 && count == 0, "STOS to a hole counts");
	to = HOLE;
	count = 3;
	asm volatile("rep insb" : "+D"(to), "+c"(count) : "d"(0x5678) : "memory");
	check(to == HOLE + 3 && count == 0, "INS from a port to a hole counts");
}

/* The last 2M that a page table entry can name (CPUID 0x80000008). */
static void end_of_memory(void)
{
	unsigned int bits = cpuid(0x80000008, 0).eax & 0xff;
	uint64_t last = (1ull << bits) - LARGE_PAGE, at = 1ull << 39;

	/* PML4 entry 1, its first gigabyte's first page: an address that nothing else uses. */
	far_pointers[0] = (uintptr_t)far_directory | 3;
	far_directory[0] = last | 0x83;
	page_map[1] = (uintptr_t)far_pointers | 3;
	try_address(at);
	try_address(at + LARGE_PAGE - 8);
	check_equal(load(at + LARGE_PAGE - 4, 4), 0xffffffff,
		    "the end of the physical address space reads as ones");
}

int main(void)
{
	holes();
	device_pages();
	strings();
	end_of_memory();
	return 0;
}
