/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A guest that tries every port: all 65,536, read and written as 8, 16 and 32 bits,
 * and with REP INS and REP OUTS. Nothing may come of it but answers, so only ports
 * whose very purpose is to end or reset the machine are left out, and the debug
 * console, which carries what this payload says. Then whether a string leaves the marks
 * in the page tables that it would leave if the processor had moved it.
 */

#include "tests/guests/lib/acpi.h"
#include "tests/guests/lib/guest.h"

#define PORTS	      0x10000u
#define STRING_STRIDE 61 /* prime, so that strings meet all alignments of ports */
#define STRING_LENGTH 3
#define GUARD	      0x5c

static struct {
	uint8_t before[16], data[16], after[16];
} buffer;

/* For each port, the widths (1, 2, 4) whose writes would reach one of these. */
static uint8_t forbidden[PORTS];

static void forbid(uint16_t port)
{
	for (unsigned int size = 1; size <= 4; size *= 2) {
		for (unsigned int before = 0; before < size && before <= port; before++)
			forbidden[port - before] |= (uint8_t)size;
	}
}

static void forbid_all(void)
{
	uint16_t control = acpi_pm1a_control();

	forbid(0x64);	       /* keyboard controller: reset line */
	forbid(0x92);	       /* system control port A: reset */
	forbidden[0xcf9] |= 1; /* reset control; wider accesses mean PCI's configuration address */
	forbid(PORT_DEBUG_CONSOLE);
	forbid(PORT_DEBUG_EXIT);
	forbid(control);
	forbid((uint16_t)(control + 1));
	/* An access may not run over the end of the space. */
	forbidden[PORTS - 1] |= 2 | 4;
	forbidden[PORTS - 2] |= 4;
	forbidden[PORTS - 3] |= 4;
}

/*
 * IN in each width with all of RAX known before: 8 and 16 bits leave the rest of RAX
 * alone, 32 bits clear its upper half (SDM 1, 3.4.1.1). Then OUT, where it may be.
 */
static bool every_width(uint16_t port, uint32_t value)
{
	const uint64_t before = 0xa5a5a5a55a5a5a5a;
	uint64_t rax8 = before, rax16 = before, rax32 = before;
	uint8_t widths = forbidden[port];

	asm volatile("inb %1, %b0" : "+a"(rax8) : "d"(port) : "memory");
	asm volatile("inw %1, %w0" : "+a"(rax16) : "d"(port) : "memory");
	asm volatile("inl %1, %k0" : "+a"(rax32) : "d"(port) : "memory");
	if (!(widths & 1))
		out8(port, (uint8_t)value);
	if (!(widths & 2))
		out16(port, (uint16_t)(value >> 3));
	if (!(widths & 4))
		out32(port, value >> 5);
	return !((rax8 ^ before) >> 8 | (rax16 ^ before) >> 16 | rax32 >> 32);
}

static void every_port(void)
{
	uint32_t value = 0x9e3779b9;
	bool registers = true;

	for (uint32_t port = 0; port < PORTS; port++) {
		registers &= every_width((uint16_t)port, value);
		value = value * 1664525 + 1013904223;
	}
	say("\n"); /* behind what the UART was made to say */
	check(registers, "every port answers, in as many bytes as were asked for");
}

#define STRING(instruction, register) \
	asm volatile("rep " instruction : "+c"(count), register(address) : "d"(port) : "memory")

/* INS or OUTS at @port; false when the registers are not where they belong afterwards. */
static bool string_at(uint64_t address, uint16_t port, unsigned int size, bool write)
{
	uint64_t count = STRING_LENGTH, end = address + STRING_LENGTH * size;

	if (write && size == 1)
		STRING("outsb", "+S");
	else if (write && size == 2)
		STRING("outsw", "+S");
	else if (write)
		STRING("outsl", "+S");
	else if (size == 1)
		STRING("insb", "+D");
	else if (size == 2)
		STRING("insw", "+D");
	else
		STRING("insl", "+D");
	return count == 0 && address == end;
}

static bool string(uint16_t port, unsigned int size, bool write)
{
	return string_at((uintptr_t)buffer.data, port, size, write);
}

static bool guarded(const uint8_t *bytes, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++) {
		if (bytes[i] != GUARD)
			return false;
	}
	return true;
}

static void strings(void)
{
	bool registers = true, guards = true;

	for (uint32_t port = 0; port < PORTS; port += STRING_STRIDE) {
		for (unsigned int size = 1; size <= 4; size *= 2) {
			memset(&buffer, GUARD, sizeof(buffer));
			registers &= string((uint16_t)port, size, false);
			guards &= guarded(buffer.before, 16) && guarded(buffer.after, 16) &&
				  guarded(buffer.data + STRING_LENGTH * size,
					  16 - STRING_LENGTH * size);
			if (!(forbidden[port] & size))
				registers &= string((uint16_t)port, size, true);
		}
	}
	check(registers, "INS and OUTS count their operands");
	check(guards, "INS writes its operands and nothing else");
}

/* The buffer again, in a large page at an address that nobody has touched. */
#define FAR	   (1ull << 39)
#define LARGE_PAGE 0x200000ull
#define P_RW	   3ull
#define A	   (1ull << 5) /* SDM 3, 4.8 */
#define D	   (1ull << 6)
#define PS	   (1ull << 7)

extern uint64_t page_map[512];

static uint64_t far_pointers[512] __attribute__((aligned(4096)));
static uint64_t far_directory[512] __attribute__((aligned(4096)));

static void marks(void)
{
	uint64_t page = (uintptr_t)buffer.data & ~(LARGE_PAGE - 1);
	uint64_t address = FAR + ((uintptr_t)buffer.data - page);
	volatile uint64_t *entries[] = { &page_map[1], far_pointers, far_directory };

	far_directory[0] = page | P_RW | PS;
	far_pointers[0] = (uintptr_t)far_directory | P_RW;
	page_map[1] = (uintptr_t)far_pointers | P_RW;
	string_at(address, 0x5678, 1, true);
	check((*entries[0] & *entries[1] & *entries[2] & A) && !(*entries[2] & D),
	      "OUTS marks the page accessed");
	string_at(address, 0x5678, 1, false);
	check(*entries[2] & D, "INS marks the page dirty");
	check(!((*entries[0] | *entries[1]) & D), "and no table");
}

int main(void)
{
	forbid_all();
	/* No PC has a device here: an open bus reads as ones. */
	check_equal(in8(0x5678), 0xff, "an empty port reads as ones, 8 bits");
	check_equal(in16(0x5678), 0xffff, "an empty port reads as ones, 16 bits");
	check_equal(in32(0x5678), 0xffffffff, "an empty port reads as ones, 32 bits");
	every_port();
	strings();
	marks();
	return 0;
}
