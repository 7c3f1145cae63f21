/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A guest that tries every port: all 65,536, read and written as 8, 16 and 32 bits,
 * and with REP INS and REP OUTS. Nothing may come of it but answers, so only ports
 * whose very purpose is to end or reset the machine are left out, and the debug
 * console, which carries what this payload says.
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

static uint16_t ends_the_guest[8] = { 0x64, 0x92, PORT_DEBUG_CONSOLE, PORT_DEBUG_EXIT, 0xcf9 };
static unsigned int ends_count = 5;

static bool forbidden(uint32_t port, unsigned int size)
{
	for (unsigned int i = 0; i < ends_count; i++) {
		if (ends_the_guest[i] >= port && ends_the_guest[i] < port + size)
			return true;
	}
	return port + size > PORTS;
}

static void forbid_acpi(void)
{
	uint8_t value;
	uint16_t control = acpi_pm1a_control(), reset = acpi_reset_port(&value);

	ends_the_guest[ends_count++] = control;
	ends_the_guest[ends_count++] = (uint16_t)(control + 1);
	ends_the_guest[ends_count++] = reset;
}

/*
 * IN with all of RAX known before: 8 and 16 bits leave the rest of RAX alone, 32 bits
 * clear its upper half (SDM 1, 3.4.1.1).
 */
static bool input(uint16_t port, unsigned int size)
{
	const uint64_t before = 0xa5a5a5a55a5a5a5a;
	uint64_t rax = before;

	if (size == 1)
		asm volatile("inb %1, %b0" : "+a"(rax) : "d"(port) : "memory");
	else if (size == 2)
		asm volatile("inw %1, %w0" : "+a"(rax) : "d"(port) : "memory");
	else
		asm volatile("inl %1, %k0" : "+a"(rax) : "d"(port) : "memory");
	return rax >> 8 * size == (size == 4 ? 0 : before >> 8 * size);
}

static void every_port(void)
{
	uint64_t random = 0x9e3779b97f4a7c15;
	bool registers = true;

	for (uint32_t port = 0; port < PORTS; port++) {
		for (unsigned int size = 1; size <= 4; size *= 2)
			registers &= input((uint16_t)port, size);
		if (!forbidden(port, 1))
			out8((uint16_t)port, (uint8_t)random_next(&random));
		if (!forbidden(port, 2))
			out16((uint16_t)port, (uint16_t)random_next(&random));
		if (!forbidden(port, 4))
			out32((uint16_t)port, (uint32_t)random_next(&random));
	}
	check(registers, "every port answers, in as many bytes as were asked for");
}

#define STRING(instruction, register) \
	asm volatile("rep " instruction : "+c"(count), register(address) : "d"(port) : "memory")

/* INS or OUTS at @port; false when the registers are not where they belong afterwards. */
static bool string(uint16_t port, unsigned int size, bool write)
{
	uint64_t count = STRING_LENGTH, address = (uintptr_t)buffer.data;

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
	return count == 0 && address == (uintptr_t)buffer.data + STRING_LENGTH * size;
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
			if (!forbidden(port, size))
				registers &= string((uint16_t)port, size, true);
		}
	}
	check(registers, "INS and OUTS count their operands");
	check(guards, "INS writes its operands and nothing else");
}

int main(void)
{
	forbid_acpi();
	/* No PC has a device here: an open bus reads as ones. */
	check_equal(in8(0x5678), 0xff, "an empty port reads as ones, 8 bits");
	check_equal(in16(0x5678), 0xffff, "an empty port reads as ones, 16 bits");
	check_equal(in32(0x5678), 0xffffffff, "an empty port reads as ones, 32 bits");
	every_port();
	strings();
	return 0;
}
