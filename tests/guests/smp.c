/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Starts every processor by INIT, SIPI, SIPI and counts: twice, from different pages;
 * then interrupts between them.
 *
 *	cpus=N		how many processors there are in all (1)
 *	interrupts	send interrupts and NMIs between them, too
 */

#include "tests/guests/lib/acpi.h"
#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/guest.h"
#include "tests/guests/lib/interrupts.h"
#include "tests/guests/lib/processors.h"
#include "tests/guests/lib/timers.h"

#define VECTOR_KNOCK 0x60
#define ROUNDS	     3
#define IDS	     1024

static uint32_t ids[IDS]; /* how often each APIC id arrived */
static uint32_t ready;
static volatile bool wait_with_interrupts;
static volatile uint32_t shared;

static void arrive(uint32_t id)
{
	__atomic_fetch_add(&ids[id % IDS], 1, __ATOMIC_RELAXED);
	if (!wait_with_interrupts)
		return;
	lapic_init();
	/* Locked additions of all processors at once: none may be lost. */
	for (unsigned int i = 0; i < 1000; i++)
		__atomic_fetch_add(&shared, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&ready, 1, __ATOMIC_RELEASE);
	for (;;)
		halt();
}

static bool reaches(const uint32_t *counter, uint32_t wanted)
{
	for (unsigned int i = 0; i < 200; i++) {
		if (__atomic_load_n(counter, __ATOMIC_ACQUIRE) >= wanted)
			return true;
		wait_microseconds(10000);
	}
	return false;
}

static void knock(struct frame *frame)
{
	(void)frame;
	lapic_eoi();
}

static void nothing(struct frame *frame)
{
	(void)frame;
}

static bool count_reaches(unsigned int vector, uint32_t wanted)
{
	for (unsigned int i = 0; i < 200 && interrupts_count(vector) < wanted; i++)
		wait_microseconds(10000);
	return interrupts_count(vector) == wanted;
}

static void bring_up(unsigned int others)
{
	static const uint8_t pages[ROUNDS] = { 0x08, 0x30, 0x9e };
	uint32_t self = lapic_read(LAPIC_ID) >> 24;
	unsigned int distinct = 0;

	for (unsigned int round = 0; round < ROUNDS; round++)
		check_equal(processors_start(pages[round], others, arrive), others,
			    "every other processor arrives after INIT and SIPI");
	wait_microseconds(50000);
	check_equal(processors_arrived(), ROUNDS * others, "none arrives twice");
	for (unsigned int id = 0; id < IDS; id++) {
		if (ids[id] && id != self)
			distinct += ids[id] == ROUNDS;
	}
	check_equal(distinct, others, "each has an APIC id of its own");
}

static void between(unsigned int others)
{
	wait_with_interrupts = true;
	interrupts_on(VECTOR_KNOCK, knock);
	interrupts_on(VECTOR_NMI, nothing);
	check_equal(processors_start(0x08, others, arrive), others,
		    "every other processor is back");
	check(reaches(&ready, others), "every other processor waits");
	check_equal(shared, others * 1000, "locked additions are not lost");
	lapic_send(0, ICR_ALL_BUT_SELF | VECTOR_KNOCK);
	check(count_reaches(VECTOR_KNOCK, others), "an interrupt wakes each of them, once");
	lapic_send(0, ICR_ALL_BUT_SELF | ICR_NMI);
	check(count_reaches(VECTOR_NMI, others), "an NMI wakes each of them, once");
	for (unsigned int id = 0, sent = others; id < 255; id++) {
		if (!ids[id])
			continue;
		lapic_send(id, VECTOR_KNOCK);
		check(count_reaches(VECTOR_KNOCK, ++sent), "an interrupt by APIC id reaches one");
	}
	processors_stop();
}

int main(void)
{
	unsigned int cpus = (unsigned int)option("cpus", 1);

	interrupts_init();
	lapic_init();
	check_equal(acpi_processors(), cpus, "ACPI lists every processor");
	bring_up(cpus - 1);
	if (option_given("interrupts"))
		between(cpus - 1);
	return 0;
}
