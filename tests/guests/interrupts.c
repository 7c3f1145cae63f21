/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * When an interrupt is taken, and which: windows and shadows (SDM 3, 6.8), priorities
 * (11.8.3), NMIs (6.7), and the way from every controller of a PC to the processor.
 * Wants a processor whose guests run natively.
 *
 *	no-shadows	leave out what a forgotten shadow breaks (lib/interrupts.h)
 */

#include "tests/guests/lib/apic.h"
#include "tests/guests/lib/guest.h"
#include "tests/guests/lib/interrupts.h"
#include "tests/guests/lib/timers.h"
#include "x86/registers.h"

#define PIC_VECTOR    0x20
#define VECTOR_LOW    0x33
#define VECTOR_MIDDLE 0x44
#define VECTOR_HIGH   0x55
#define VECTOR_TIMER  0x61
#define VECTOR_IOAPIC 0x71
#define TRACE_MAX     16

/* The vectors taken since trace_begin(), in order, and where the first one was. */
static uint8_t trace[TRACE_MAX];
static unsigned int traced;
static uint64_t first_rip;

static void trace_begin(void)
{
	traced = 0;
	first_rip = 0;
}

static void note(struct frame *frame)
{
	if (!traced)
		first_rip = frame->rip;
	if (traced < TRACE_MAX)
		trace[traced] = (uint8_t)frame->vector;
	traced++;
}

static void note_and_end(struct frame *frame)
{
	note(frame);
	lapic_eoi();
}

static void raise(unsigned int vector)
{
	lapic_send(0, ICR_SELF | vector);
}

/* To oneself by id: the self shorthand is for fixed vectors alone (SDM 3, table 11-3). */
static void raise_nmi(void)
{
	lapic_send(lapic_read(LAPIC_ID) >> 24, ICR_NMI);
}

static bool traced_are(unsigned int count, uint8_t a, uint8_t b, uint8_t c)
{
	const uint8_t wanted[3] = { a, b, c };
	bool right = traced == count && !memcmp(trace, wanted, count);

	if (!right)
		say("# taken: %u, 0x%x 0x%x 0x%x\n", traced, trace[0], trace[1], trace[2]);
	return right;
}

/* ---- windows and shadows --------------------------------------------------- */

/* A shadow may be forgotten now and then, but not each time. */
static bool holds(bool (*attempt)(void))
{
	for (unsigned int i = option_given("no-shadows") ? 5 : 1; i > 0; i--)
		if (attempt())
			return true;
	return false;
}

static bool sti_holds_back(void)
{
	uint64_t behind;

	trace_begin();
	raise(VECTOR_LOW);
	asm volatile("movq $1f, %0\n\t"
		     "sti\n\t"
		     "nop\n"
		     "1:\tnop\n\t"
		     "cli"
		     : "=&r"(behind)
		     :
		     : "memory");
	return traced == 1 && first_rip == behind;
}

static bool sti_cli_is_no_window(void)
{
	bool none;

	trace_begin();
	raise(VECTOR_LOW);
	asm volatile("sti; cli; nop" : : : "memory");
	none = !traced;
	interrupts_take();
	return none;
}

static void sti_shadow(void)
{
	uint64_t behind;

	trace_begin();
	raise(VECTOR_LOW);
	check(lapic_bit(LAPIC_IRR, VECTOR_LOW), "an interrupt with IF clear is requested");
	check_equal(traced, 0, "and not taken");
	interrupts_take();
	check_equal(traced, 1, "it is taken when IF is set");
	check(!lapic_bit(LAPIC_IRR, VECTOR_LOW), "it is no longer requested");
	check(holds(sti_holds_back), "STI holds it back for one instruction");
	check(holds(sti_cli_is_no_window), "STI, CLI leaves no window");

	trace_begin();
	raise(VECTOR_LOW);
	asm volatile("movq $1f, %0\n\t"
		     "pushfq; orq $0x200, (%%rsp); popfq\n"
		     "1:\tnop\n\t"
		     "cli"
		     : "=&r"(behind)
		     :
		     : "memory", "cc");
	check_equal(first_rip, behind, "POPF holds nothing back");
}

static uint64_t shadowed_from, shadowed_to;
static bool taken_in_shadow;

/* Every second instruction in the stretch is MOV SS: 2 bytes, then a NOP of 1. */
static void note_shadow(struct frame *frame)
{
	lapic_eoi();
	if (frame->rip >= shadowed_from && frame->rip < shadowed_to)
		taken_in_shadow |= (frame->rip - shadowed_from) % 3 == 2;
}

static void mov_ss_shadow(void)
{
	uint32_t before = interrupts_count(VECTOR_TIMER);

	interrupts_on(VECTOR_TIMER, note_shadow);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | LAPIC_TIMER_PERIODIC);
	lapic_write(LAPIC_TIMER_INITIAL, 200000);
	for (unsigned int i = 0; i < 20000 && interrupts_count(VECTOR_TIMER) - before < 50; i++)
		asm volatile("movq $1f, %0; movq $2f, %1\n\t"
			     "movw %%ss, %%ax; sti\n"
			     "1:\t.rept 500; movl %%eax, %%ss; nop; .endr\n"
			     "2:\tcli"
			     : "=m"(shadowed_from), "=m"(shadowed_to)
			     :
			     : "rax", "memory");
	lapic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED);
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	interrupts_take();
	check(interrupts_count(VECTOR_TIMER) - before >= 10, "the timer ticks among MOV SS");
	check(!taken_in_shadow, "no interrupt comes right behind MOV SS");
}

static void halted(void)
{
	trace_begin();
	raise(VECTOR_LOW);
	halt();
	check_equal(traced, 1, "STI, HLT: what is pending wakes it");
	interrupts_on(VECTOR_TIMER, note_and_end);
	trace_begin();
	for (unsigned int i = 0; i < 100; i++) {
		lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | LAPIC_TIMER_ONE_SHOT);
		lapic_write(LAPIC_TIMER_INITIAL, 1 + i * 1000);
		halt();
	}
	check_equal(traced, 100, "100 times HLT, and the timer wakes each");
}

/* ---- priorities ------------------------------------------------------------ */

static void raise_all(void)
{
	raise(VECTOR_LOW);
	raise(VECTOR_HIGH);
	raise(VECTOR_MIDDLE);
}

static void priorities(void)
{
	trace_begin();
	raise_all();
	interrupts_take();
	check(traced_are(3, VECTOR_HIGH, VECTOR_MIDDLE, VECTOR_LOW), "the highest vector first");

	trace_begin();
	lapic_write(LAPIC_TPR, VECTOR_MIDDLE & 0xf0);
	raise_all();
	interrupts_take();
	check(traced_are(1, VECTOR_HIGH, 0, 0), "the task priority holds back its class and below");
	check_equal(read_cr8(), VECTOR_MIDDLE >> 4, "CR8 shows it");
	write_cr8(3);
	interrupts_take();
	check(traced_are(2, VECTOR_HIGH, VECTOR_MIDDLE, 0),
	      "CR8 lowered lets the next class through");
	check_equal(lapic_read(LAPIC_TPR), 0x30, "the task priority register shows CR8");
	write_cr8(0);
	interrupts_take();
	check(traced_are(3, VECTOR_HIGH, VECTOR_MIDDLE, VECTOR_LOW), "CR8 at 0 lets all through");

	/* TPR lowered with interrupts on: taken at once, without an exit in between. */
	trace_begin();
	write_cr8(15);
	raise(VECTOR_LOW);
	asm volatile("sti; nop; nop" : : : "memory");
	check_equal(traced, 0, "CR8 at 15 holds everything back");
	write_cr8(0);
	asm volatile("nop; nop; cli" : : : "memory");
	check_equal(traced, 1, "and lets go when it falls, with IF set");
}

static uint32_t ppr_inside;

static void nest(struct frame *frame)
{
	note(frame);
	ppr_inside = lapic_read(LAPIC_PPR);
	raise(VECTOR_LOW);
	raise(VECTOR_HIGH);
	interrupts_take();
	check(traced_are(2, VECTOR_MIDDLE, VECTOR_HIGH, 0),
	      "a higher class interrupts a handler, a lower one waits");
	check(lapic_bit(LAPIC_ISR, VECTOR_MIDDLE), "the handler's own is in service");
	lapic_eoi();
}

static void nesting(void)
{
	interrupts_on(VECTOR_MIDDLE, nest);
	trace_begin();
	raise(VECTOR_MIDDLE);
	interrupts_take();
	check(traced_are(3, VECTOR_MIDDLE, VECTOR_HIGH, VECTOR_LOW), "the lower one comes after");
	check_equal(ppr_inside, VECTOR_MIDDLE & 0xf0,
		    "the processor priority is the handler's class");
	interrupts_on(VECTOR_MIDDLE, note_and_end);
}

static void same_twice(void)
{
	trace_begin();
	raise(VECTOR_LOW);
	raise(VECTOR_LOW);
	interrupts_take();
	check_equal(traced, 1, "requested twice before it is taken: taken once");
}

/* ---- NMI ------------------------------------------------------------------- */

static unsigned int nmi_depth, nmi_deepest, nmi_within;

static void nmi(struct frame *frame)
{
	if (++nmi_depth > nmi_deepest)
		nmi_deepest = nmi_depth;
	if (interrupts_count(VECTOR_NMI) == 2) {
		raise_nmi();
		raise_nmi();
		asm volatile("nop; nop; nop; nop");
		nmi_within = interrupts_count(VECTOR_NMI);
	}
	nmi_depth--;
	(void)frame;
}

static void nmis(void)
{
	interrupts_on(VECTOR_NMI, nmi);
	raise_nmi();
	asm volatile("nop; nop; nop; nop");
	check_equal(interrupts_count(VECTOR_NMI), 1, "an NMI is taken with IF clear");
	raise_nmi();
	asm volatile("nop; nop; nop; nop");
	check_equal(nmi_within, 2, "an NMI within its handler waits");
	check_equal(nmi_deepest, 1, "until the handler's IRET");
	check_equal(interrupts_count(VECTOR_NMI), 3, "two that wait are taken as one");
	interrupts_on(VECTOR_NMI, NULL);
}

/* ---- the controllers ------------------------------------------------------- */

static void lapic_timer(void)
{
	uint32_t before = interrupts_count(VECTOR_TIMER);

	interrupts_on(VECTOR_TIMER, note_and_end);
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | LAPIC_TIMER_PERIODIC);
	lapic_write(LAPIC_TIMER_INITIAL, 1000000);
	for (unsigned int i = 0; i < 10; i++)
		halt();
	/* Each halt ends with one; on a slow machine another may come before the next. */
	check(interrupts_count(VECTOR_TIMER) - before >= 10, "the timer goes on by itself");
	lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | LAPIC_LVT_MASKED);
	interrupts_take();
	before = interrupts_count(VECTOR_TIMER);
	wait_microseconds(20000);
	interrupts_take();
	check_equal(interrupts_count(VECTOR_TIMER), before, "masked, it does not");
	lapic_write(LAPIC_TIMER_INITIAL, 0);
}

static unsigned int pic_taken;

static void pic_tick(struct frame *frame)
{
	pic_taken++;
	pic_eoi((unsigned int)frame->vector - PIC_VECTOR);
}

static bool wait_for(const unsigned int *counter, unsigned int wanted)
{
	for (unsigned int i = 0; i < 2000 && *counter < wanted; i++) {
		wait_microseconds(500);
		interrupts_take();
	}
	return *counter >= wanted;
}

static void rtc_tick(struct frame *frame)
{
	rtc_read(RTC_C);
	pic_tick(frame);
}

/* The 8254 by the first 8259A and the clock by the second, through LINT0 as ExtINT. */
static void pics(void)
{
	pic_init(PIC_VECTOR);
	interrupts_on(PIC_VECTOR, pic_tick);
	interrupts_on(PIC_VECTOR + 8, rtc_tick);
	lapic_write(LAPIC_LVT_LINT0, LAPIC_LVT_EXTINT);
	pit_start(0, PIT_MODE_RATE, 1193);
	wait_microseconds(5000);
	interrupts_take();
	check_equal(pic_taken, 0, "the 8259A keeps a masked input to itself");
	pic_mask(0xfffe);
	check(wait_for(&pic_taken, 10), "the 8254's ticks come through the 8259A");
	pic_mask(0xffff);
	interrupts_take();
	pic_taken = 0;
	rtc_write(RTC_A, 0x26); /* 1,024 a second */
	rtc_write(RTC_B, RTC_B_24_HOURS | RTC_B_PERIODIC);
	rtc_read(RTC_C);
	pic_mask((uint16_t) ~(1 << 2 | 1 << 8));
	check(wait_for(&pic_taken, 10), "the clock's ticks come through both 8259A");
	pic_mask(0xffff);
	interrupts_take();
	pic_taken = 0;
	lapic_write(LAPIC_LVT_LINT0, LAPIC_LVT_MASKED);
	pic_mask(0xfffe);
	wait_microseconds(5000);
	interrupts_take();
	check_equal(pic_taken, 0, "none comes past a masked LINT0");
	pic_mask(0xffff);
	rtc_write(RTC_B, RTC_B_24_HOURS);
	rtc_read(RTC_C);
}

static unsigned int ioapic_taken;

static void ioapic_tick(struct frame *frame)
{
	(void)frame;
	ioapic_taken++;
	lapic_eoi();
}

/* The 8254 is on pin 2 (MADT: interrupt source override of ISA line 0). */
static void ioapic_edge(void)
{
	uint32_t self = lapic_read(LAPIC_ID) >> 24;

	interrupts_on(VECTOR_IOAPIC, ioapic_tick);
	pit_start(0, PIT_MODE_RATE, 1193);
	ioapic_route(2, VECTOR_IOAPIC, self);
	check(wait_for(&ioapic_taken, 10), "the 8254's ticks come through the IOAPIC");
	ioapic_route(2, VECTOR_IOAPIC | IOAPIC_MASKED, self);
	interrupts_take();
	ioapic_taken = 0;
	wait_microseconds(5000);
	interrupts_take();
	check_equal(ioapic_taken, 0, "the IOAPIC keeps a masked pin to itself");
	pit_start(0, PIT_MODE_ONE_SHOT, 0);
}

/* 16550D: the transmitter's interrupt stays until it is read off or disabled. */
#define UART	 0x3f8
#define UART_IER (UART + 1)
#define UART_MCR (UART + 4)
#define UART_IIR (UART + 2)
#define IER_ROOM 2
#define MCR_OUT2 8 /* on a PC, the interrupt's gate */

static bool remote_irr_inside;

static void level(struct frame *frame)
{
	(void)frame;
	remote_irr_inside |= (ioapic_read(0x10 + 2 * 4) & IOAPIC_REMOTE_IRR) != 0;
	if (++ioapic_taken == 3)
		out8(UART_IER, 0);
	lapic_eoi();
}

static void ioapic_level(void)
{
	uint32_t self = lapic_read(LAPIC_ID) >> 24;

	interrupts_on(VECTOR_IOAPIC, level);
	ioapic_taken = 0;
	ioapic_route(4, VECTOR_IOAPIC | IOAPIC_LEVEL, self);
	out8(UART_MCR, MCR_OUT2);
	out8(UART_IER, IER_ROOM);
	for (unsigned int i = 0; i < 10; i++)
		interrupts_take();
	check_equal(ioapic_taken, 3, "a level comes again until its cause is gone");
	check(remote_irr_inside, "remote IRR is set in between");
	check(!(ioapic_read(0x10 + 2 * 4) & IOAPIC_REMOTE_IRR), "and clear in the end");
	ioapic_route(4, IOAPIC_MASKED, self);
	out8(UART_MCR, 0);
}

int main(void)
{
	interrupts_init();
	pic_init(PIC_VECTOR);
	ioapic_mask_all();
	lapic_init();
	interrupts_on(VECTOR_LOW, note_and_end);
	interrupts_on(VECTOR_MIDDLE, note_and_end);
	interrupts_on(VECTOR_HIGH, note_and_end);
	sti_shadow();
	if (!option_given("no-shadows"))
		mov_ss_shadow();
	halted();
	priorities();
	nesting();
	same_twice();
	nmis();
	lapic_timer();
	pics();
	ioapic_edge();
	ioapic_level();
	check_equal(interrupts_count(SPURIOUS_VECTOR), 0, "no interrupt was spurious");
	return 0;
}
