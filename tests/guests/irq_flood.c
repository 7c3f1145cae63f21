/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A guest that floods the interrupt controllers: random commands and modes to both
 * 8259A, random routes to the IOAPIC, random local vectors and commands to the local
 * APIC, while the 8254 ticks as fast as it can. Afterwards the controllers are
 * initialised again and must work as if nothing had been.
 *
 *	rounds=N	random writes to each controller (20,000)
 *	interrupts	take interrupts, too, and send some; needs a processor whose
 *			guests run natively
 */

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/guest.h"
#include "tests/guests/lib/interrupts.h"
#include "tests/guests/lib/timers.h"
#include "x86/registers.h"

#define VECTOR_PROBE 0x51

static uint64_t random = 0xda942042e4dd58b5;

static void flood_pic(void)
{
	static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1 };
	uint64_t value = random_next(&random);
	uint16_t port = ports[value >> 8 & 3];

	/*
	 * A vector below 32 would be taken for an exception. So ICW1, which forgets the
	 * vector, is followed by ICW2 at once; in OCW1 the bit masks input 5.
	 */
	out8(port, (uint8_t)(port & 1 ? value | 0x20 : value));
	if (!(port & 1) && value & 0x10)
		out8((uint16_t)(port + 1), (uint8_t)(value >> 32 | 0x20));
	in8(port);
	if (!(value >> 16 & 0xff))
		out8(ports[4 + (value & 1)], (uint8_t)(value >> 24));
}

static void flood_ioapic(void)
{
	uint64_t value = random_next(&random);
	unsigned int index = value >> 32 & 0x3f;
	uint32_t mode = value >> 8 & 7;

	/*
	 * SMI, INIT and reserved modes end this processor, not the host: spare those, and
	 * vectors below 32, which would be taken for exceptions.
	 */
	if (index >= 0x10 && !(index & 1) && (mode == 2 || mode == 3 || mode == 5 || mode == 6))
		value &= ~(7ull << 8);
	ioapic_write(index, (uint32_t)value | 0x20);
	ioapic_read(index);
}

static void flood_lapic(void)
{
	uint64_t value = random_next(&random);
	unsigned int offset = (value >> 32 & 0x3f) * 0x10;

	/*
	 * Commands are fixed ones to oneself; local vectors fixed or NMI. The page's
	 * first register is no register of a processor's, but a machine may take a write
	 * to it for a message-signalled interrupt: fixed, too.
	 */
	if (offset == LAPIC_ICR_LOW)
		value = (value & 0xff) | 0x20 | ICR_SELF;
	else if (offset >= LAPIC_LVT_TIMER && offset <= LAPIC_LVT_ERROR)
		value = (value & 0x300ff) | 0x20 | (value & 0x100 ? LAPIC_LVT_NMI : 0);
	else if (offset == LAPIC_SVR || offset == 0)
		value = (value & (offset ? 0x1ff : 0xff)) | 0x20;
	if (offset == LAPIC_LVT_TIMER)
		value &= ~0x700ull;
	/*
	 * Nothing may be held back by the task priority when the local APIC is disabled:
	 * Linux 6.1 on VT-x without APIC virtualization forgets the threshold that it has
	 * set, and then leaves and enters the guest for ever once the priority falls.
	 */
	if (offset == LAPIC_SVR && !(value & LAPIC_SVR_ENABLED))
		lapic_write(LAPIC_TPR, 0);
	lapic_write(offset, (uint32_t)value);
	lapic_read(offset);
}

static void any(struct frame *frame)
{
	if (frame->vector == VECTOR_NMI)
		return;
	lapic_eoi();
	pic_eoi(8);
	/* A level that stays would leave no instruction in between: one for each STI is enough. */
	frame->rflags &= ~RFLAGS_IF;
}

static void flood(unsigned int rounds, bool take)
{
	pit_start(0, PIT_MODE_RATE, 100);
	for (unsigned int round = 0; round < rounds; round++) {
		flood_pic();
		flood_ioapic();
		flood_lapic();
		if (take)
			interrupts_take();
	}
}

/* Takes what is still requested, one for each STI, and ends what is in service. */
static void drain(bool take)
{
	for (unsigned int i = 0; i < 512; i++) {
		lapic_eoi();
		if (take)
			interrupts_take();
	}
}

static void initialise(bool take)
{
	pit_start(0, PIT_MODE_ONE_SHOT, 0);
	ioapic_mask_all();
	out8(0x4d0, 0);
	out8(0x4d1, 0);
	pic_init(0x20);
	lapic_init();
	drain(take);
}

static void ended(struct frame *frame)
{
	(void)frame;
	lapic_eoi();
}

static void delivery(void)
{
	uint32_t before = interrupts_count(VECTOR_PROBE);

	interrupts_on(VECTOR_PROBE, ended);
	lapic_send(0, VECTOR_PROBE | ICR_SELF);
	interrupts_take();
	check_equal(interrupts_count(VECTOR_PROBE) - before, 1,
		    "an interrupt is delivered once, as if nothing had been");
}

/* The controllers' own registers, which need no interrupt to be taken. */
static void registers(void)
{
	uint32_t route = 0x31 | IOAPIC_LEVEL | IOAPIC_MASKED;

	ioapic_route(5, route, 0);
	check_equal(ioapic_read(0x10 + 2 * 5) & ~IOAPIC_REMOTE_IRR, route,
		    "the IOAPIC keeps a route");
	ioapic_mask_all();
	pic_mask(0xa55a);
	check_equal(in8(0x21) | in8(0xa1) << 8, 0xa55a, "the 8259A keep their masks");
	pic_mask(0xffff);
	lapic_write(LAPIC_TPR, 0x50);
	check_equal(lapic_read(LAPIC_TPR), 0x50, "the local APIC keeps its task priority");
	lapic_write(LAPIC_TPR, 0);
}

int main(void)
{
	bool take = option_given("interrupts");

	interrupts_init();
	for (unsigned int vector = 32; vector < 256; vector++)
		interrupts_on(vector, any);
	interrupts_on(VECTOR_NMI, any);
	pic_init(0x20);
	lapic_init();
	flood((unsigned int)option("rounds", 20000), take);
	initialise(take);
	registers();
	if (take)
		delivery();
	return 0;
}
