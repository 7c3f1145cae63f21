/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Starting the other processors.
 */

#include "tests/guests/lib/processors.h"

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/interrupts.h"
#include "tests/guests/lib/timers.h"

extern uint8_t sipi_page[], sipi_page_end[];

static processor_function *volatile run;
static unsigned int arrived;

unsigned int processors_arrived(void)
{
	return __atomic_load_n(&arrived, __ATOMIC_ACQUIRE);
}

/* All of it where CPUID has leaf 0xb (SDM 2, CPUID); else its low 8 bits. */
static uint32_t apic_id(void)
{
	return cpuid(0, 0).eax >= 0xb ? cpuid(0xb, 0).edx : cpuid(1, 0).ebx >> 24;
}

/* Called by start.S, on the new processor. */
_Noreturn void processor_main(void);
_Noreturn void processor_main(void)
{
	interrupts_load();
	__atomic_fetch_add(&arrived, 1, __ATOMIC_ACQ_REL);
	run(apic_id());
	for (;;)
		asm volatile("cli; hlt");
}

void processors_stop(void)
{
	lapic_send(0, ICR_ALL_BUT_SELF | ICR_INIT | ICR_ASSERT);
	wait_microseconds(10000);
}

unsigned int processors_start(uint8_t page, unsigned int expected, processor_function *function)
{
	unsigned int before = processors_arrived();

	memcpy((void *)((uintptr_t)page << 12), sipi_page, (size_t)(sipi_page_end - sipi_page));
	run = function;
	processors_stop();
	for (unsigned int i = 0; i < 2; i++) {
		lapic_send(0, ICR_ALL_BUT_SELF | ICR_STARTUP | page);
		wait_microseconds(200);
	}
	for (unsigned int i = 0; i < 100 && processors_arrived() - before < expected; i++)
		wait_microseconds(10000);
	return processors_arrived() - before;
}
