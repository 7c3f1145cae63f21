/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_LIB_GUEST_H
#define HUTCH_TESTS_GUESTS_LIB_GUEST_H

/*
 * What every payload in C stands on.
 *
 * A payload is one main() in long mode on the boot processor, interrupts off, the
 * low 4 GiB mapped one to one. It speaks through the debug console (port 0xe9) and
 * ends through the debug exit port (0xf4): 0 where all that it checked held, else 1.
 * Each check prints a line "ok N name" or "not ok N name", so that whoever started
 * the guest can count them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PORT_DEBUG_CONSOLE 0xe9
#define PORT_DEBUG_EXIT	   0xf4

/* Written by the payload. The return value is the exit status; failed checks make it 1. */
int main(void);

/* Prints with %s %c %u %x (32 bits), %lu %lx (64 bits) and %%. */
void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One check. Returns @held, so that a payload can stop where going on makes no sense. */
bool check(bool held, const char *name);

/* Like check(a == b), and says both values when they differ. */
bool check_equal(uint64_t got, uint64_t want, const char *name);

/* Ends the guest. */
_Noreturn void finish(int status);

/* The number given as "name=N" in the command line, else @otherwise. */
uint64_t option(const char *name, uint64_t otherwise);
/* Whether the command line has the word @name. */
bool option_given(const char *name);

void *memset(void *to, int byte, size_t size);
void *memcpy(void *to, const void *from, size_t size);
int memcmp(const void *a, const void *b, size_t size);

/* A reproducible series of values (xorshift64, Marsaglia 2003); @state is never 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* ---- instructions ---------------------------------------------------------- */

static inline void out8(uint16_t port, uint8_t value)
{
	asm volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out16(uint16_t port, uint16_t value)
{
	asm volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void out32(uint16_t port, uint32_t value)
{
	asm volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline uint8_t in8(uint16_t port)
{
	uint8_t value;

	asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint16_t in16(uint16_t port)
{
	uint16_t value;

	asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint32_t in32(uint16_t port)
{
	uint32_t value;

	asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint64_t read_msr(uint32_t index)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index) : "memory");
	return (uint64_t)high << 32 | low;
}

static inline void write_msr(uint32_t index, uint64_t value)
{
	asm volatile("wrmsr"
		     :
		     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "memory");
}

static inline uint64_t read_tsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid result;

	asm volatile("cpuid"
		     : "=a"(result.eax), "=b"(result.ebx), "=c"(result.ecx), "=d"(result.edx)
		     : "a"(leaf), "c"(subleaf));
	return result;
}

static inline void write_cr8(uint64_t value)
{
	asm volatile("movq %0, %%cr8" : : "r"(value) : "memory");
}

static inline uint64_t read_cr8(void)
{
	uint64_t value;

	asm volatile("movq %%cr8, %0" : "=r"(value) : : "memory");
	return value;
}

static inline void pause(void)
{
	asm volatile("pause" : : : "memory");
}

#endif
