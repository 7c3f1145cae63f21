/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_PROCESSOR_H
#define HUTCH_CORE_PROCESSOR_H

/* Instructions of the host's processor that C has no words for. */

#include <stdbool.h>
#include <stdint.h>

struct cpuid_registers {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_registers processor_cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_registers r;

	asm volatile("cpuid"
		     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
		     : "0"(leaf), "2"(subleaf));
	return r;
}

static inline uint64_t processor_read_msr(uint32_t index)
{
	uint32_t low, high;

	asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static inline void processor_write_msr(uint32_t index, uint64_t value)
{
	asm volatile("wrmsr"
		     :
		     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "memory");
}

/*
 * VERW with a data segment overwrites the processor's buffers, where microcode has taught it
 * that: SDM 2, VERW; Intel's advice on MDS, AMD's on transient scheduler attacks.
 */
static inline void processor_clear_buffers(void)
{
	uint16_t selector;

	asm volatile("mov %%ss, %0" : "=m"(selector));
	asm volatile("verw %0" : : "m"(selector) : "cc");
}

/* Interrupts off for a few instructions, and back to what they were. */
static inline uint64_t processor_interrupts_off(void)
{
	uint64_t flags;

	asm volatile("pushf\n\tpop %0\n\tcli" : "=r"(flags) : : "memory");
	return flags;
}

static inline void processor_interrupts_back(uint64_t flags)
{
	if (flags & 1ull << 9)
		asm volatile("sti" : : : "memory");
}

static inline uint64_t processor_tsc(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

static inline uint64_t processor_read_xcr0(void)
{
	uint32_t low, high;

	asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	return (uint64_t)high << 32 | low;
}

static inline void processor_write_xcr0(uint64_t value)
{
	asm volatile("xsetbv"
		     :
		     : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "memory");
}

static inline uint64_t processor_read_cr0(void)
{
	uint64_t value;

	asm volatile("mov %%cr0, %0" : "=r"(value));
	return value;
}

static inline uint64_t processor_read_cr3(void)
{
	uint64_t value;

	asm volatile("mov %%cr3, %0" : "=r"(value));
	return value;
}

static inline uint64_t processor_read_cr4(void)
{
	uint64_t value;

	asm volatile("mov %%cr4, %0" : "=r"(value));
	return value;
}

static inline void processor_write_cr4(uint64_t value)
{
	asm volatile("mov %0, %%cr4" : : "r"(value) : "memory");
}

static inline void processor_write_cr2(uint64_t value)
{
	asm volatile("mov %0, %%cr2" : : "r"(value) : "memory");
}

static inline uint64_t processor_read_cr2(void)
{
	uint64_t value;

	asm volatile("mov %%cr2, %0" : "=r"(value));
	return value;
}

static inline void processor_read_debug(uint64_t dr[4])
{
	asm volatile("mov %%db0, %0" : "=r"(dr[0]));
	asm volatile("mov %%db1, %0" : "=r"(dr[1]));
	asm volatile("mov %%db2, %0" : "=r"(dr[2]));
	asm volatile("mov %%db3, %0" : "=r"(dr[3]));
}

static inline void processor_write_debug(const uint64_t dr[4])
{
	asm volatile("mov %0, %%db0" : : "r"(dr[0]));
	asm volatile("mov %0, %%db1" : : "r"(dr[1]));
	asm volatile("mov %0, %%db2" : : "r"(dr[2]));
	asm volatile("mov %0, %%db3" : : "r"(dr[3]));
}

static inline uint64_t processor_read_dr6(void)
{
	uint64_t value;

	asm volatile("mov %%db6, %0" : "=r"(value));
	return value;
}

static inline void processor_write_dr6(uint64_t value)
{
	asm volatile("mov %0, %%db6" : : "r"(value));
}

static inline uint64_t processor_read_dr7(void)
{
	uint64_t value;

	asm volatile("mov %%db7, %0" : "=r"(value));
	return value;
}

static inline void processor_write_dr7(uint64_t value)
{
	asm volatile("mov %0, %%db7" : : "r"(value));
}

#endif
