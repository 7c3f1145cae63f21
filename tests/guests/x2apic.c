/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The local APIC by MSR (x2APIC, SDM 3, 11.12), and its timer by deadline (11.5.4.1).
 *
 *	interrupts	take interrupts, too
 *	strict		also what Linux 6.1's in-kernel local APIC does not do
 */

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/guest.h"
#include "tests/guests/lib/interrupts.h"
#include "tests/guests/lib/timers.h"
#include "x86/registers.h"

#define CPUID_1_ECX_X2APIC	 (1u << 21)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define VECTOR_TIMER		 0x61
#define VECTOR_SELF		 0x62
/* 11.12.1.1: a register's MSR is 0x800 plus its offset divided by 16. */
#define X2APIC(offset)	(IA32_X2APIC_FIRST + (offset) / 16)
#define X2APIC_SELF_IPI 0x83f

static void ended(struct frame *frame)
{
	(void)frame;
	write_msr(X2APIC(LAPIC_EOI), 0);
}

static bool refused(int exception, const char *name)
{
	return check(exception == VECTOR_GP, name);
}

static void registers(uint32_t xapic_id)
{
	uint64_t value, id = read_msr(X2APIC(LAPIC_ID));

	check_equal(id, xapic_id, "the id is the same in both modes");
	check_equal(cpuid(0xb, 0).edx, id, "CPUID leaf 0xb has the id");
	/* 11.12.10.2: logical id from the id: cluster in the high half, one bit in the low. */
	check_equal(read_msr(X2APIC(LAPIC_LDR)), (id >> 4) << 16 | 1u << (id & 0xf),
		    "the logical id follows from the id");
	write_msr(X2APIC(LAPIC_TPR), 0x30);
	check_equal(read_msr(X2APIC(LAPIC_TPR)), 0x30, "the task priority holds");
	check_equal(read_cr8(), 3, "CR8 is the task priority's class");
	write_cr8(0);
	check_equal(read_msr(X2APIC(LAPIC_TPR)), 0, "and the other way round");
	refused(try_read_msr(X2APIC(LAPIC_DFR), &value),
		"#GP on the destination format, which x2APIC has not");
	if (option_given("strict"))
		refused(try_write_msr(X2APIC(LAPIC_EOI), 1),
			"#GP on an end of interrupt that is not 0");
	refused(try_write_msr(X2APIC(LAPIC_ID), 0), "#GP on a write to the id");
	refused(try_write_msr(X2APIC(LAPIC_TPR), 0x100000000), "#GP on reserved bits");
}

static void self_ipi(void)
{
	interrupts_on(VECTOR_SELF, ended);
	write_msr(X2APIC_SELF_IPI, VECTOR_SELF);
	check_equal(interrupts_count(VECTOR_SELF), 0, "a self IPI waits for IF");
	interrupts_take();
	check_equal(interrupts_count(VECTOR_SELF), 1, "a self IPI is delivered");
	/* 11.12.9: one write of 64 bits, the whole id in the high half. */
	write_msr(X2APIC(LAPIC_ICR_LOW), read_msr(X2APIC(LAPIC_ID)) << 32 | VECTOR_SELF);
	interrupts_take();
	check_equal(interrupts_count(VECTOR_SELF), 2, "an IPI to one's own id is delivered");
}

/* Ten deadlines: each fires once, not before its time. */
static void deadline(void)
{
	bool early = false;

	interrupts_on(VECTOR_TIMER, ended);
	write_msr(X2APIC(LAPIC_LVT_TIMER), VECTOR_TIMER | LAPIC_TIMER_DEADLINE);
	for (unsigned int i = 0; i < 10; i++) {
		uint64_t when = read_tsc() + 20000000;

		write_msr(IA32_TSC_DEADLINE, when);
		while (interrupts_count(VECTOR_TIMER) == i)
			halt();
		early |= read_tsc() < when;
	}
	check(!early, "no deadline fires early");
	check_equal(interrupts_count(VECTOR_TIMER), 10, "each deadline fires once");
	check_equal(read_msr(IA32_TSC_DEADLINE), 0, "the deadline is 0 once it has fired");
	write_msr(IA32_TSC_DEADLINE, read_tsc() + 20000000);
	write_msr(IA32_TSC_DEADLINE, 0);
	wait_microseconds(50000);
	interrupts_take();
	check_equal(interrupts_count(VECTOR_TIMER), 10, "a deadline of 0 disarms");
	write_msr(IA32_TSC_DEADLINE, 1);
	interrupts_take();
	check_equal(interrupts_count(VECTOR_TIMER), 11, "a deadline in the past fires at once");
}

/* 11.12.5: from x2APIC only to disabled; from disabled only to xAPIC. */
static void transitions(uint64_t base)
{
	refused(try_write_msr(IA32_APIC_BASE, base), "#GP from x2APIC to xAPIC");
	write_msr(IA32_APIC_BASE, base & ~IA32_APIC_BASE_EN);
	check(!(cpuid(1, 0).edx & 1 << 9), "CPUID shows no APIC while it is disabled");
	refused(try_write_msr(IA32_APIC_BASE, (base & ~IA32_APIC_BASE_EN) | IA32_APIC_BASE_EXTD),
		"#GP on x2APIC without the APIC");
	write_msr(IA32_APIC_BASE, base);
	check((cpuid(1, 0).edx & 1 << 9) != 0, "CPUID shows the APIC again");
	if (option_given("strict"))
		check_equal(lapic_read(LAPIC_SVR) & 0x1ff, 0xff, "the APIC is as after reset");
}

int main(void)
{
	uint64_t base = read_msr(IA32_APIC_BASE);
	uint32_t id;

	interrupts_init();
	lapic_init();
	id = lapic_read(LAPIC_ID) >> 24;
	check_equal(base, LAPIC_GPA | IA32_APIC_BASE_EN | IA32_APIC_BASE_BSP,
		    "IA32_APIC_BASE as after reset");
	if (!check((cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC) != 0, "the processor has x2APIC"))
		return 1;
	write_msr(IA32_APIC_BASE, base | IA32_APIC_BASE_EXTD);
	registers(id);
	if (option_given("interrupts")) {
		self_ipi();
		/* Without the option it has to be there. */
		if (option_given("no-deadline"))
			check(!(cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE),
			      "a TSC deadline that would be lost is not shown");
		else if (check((cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE) != 0,
			       "the processor has the TSC deadline"))
			deadline();
	}
	transitions(base);
	return 0;
}
