/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The interrupt descriptor table and what stands behind its 256 entries. The double
 * fault has a stack of its own (IST 1), so that a broken stack is still reported.
 */

#include "tests/guests/lib/interrupts.h"

#include "tests/guests/lib/layout.h"

/* SDM 3, 6.14.1: a gate of 64-bit mode. */
struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};

#define GATE_INTERRUPT 0x8e /* present, privilege 0, interrupt gate */

/* SDM 3, 7.7: the task state segment of 64-bit mode. */
struct __attribute__((packed)) tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7];
	uint8_t reserved2[10];
	uint16_t io_map;
};

struct __attribute__((packed)) table_pointer {
	uint16_t limit;
	uint64_t base;
};

extern uint8_t interrupt_entries[256][16];
extern uint64_t gdt[];

static struct gate idt[256];
static struct tss tss;
static uint8_t double_fault_stack[4096] __attribute__((aligned(16)));
static interrupt_handler *handlers[256];
static uint32_t counts[256];

/* What halt() halts with; and whether an interrupt may come right before it. */
extern const uint8_t halt_instruction[];
static bool shadows_forgotten;

/* The exception that a try_ function met, and where it goes on. */
static uint64_t try_resume;
static int try_exception;

static void tss_describe(void)
{
	uint64_t base = (uintptr_t)&tss;
	uint64_t *descriptor = &gdt[SELECTOR_TSS / 8];

	tss.ist[0] = (uintptr_t)(double_fault_stack + sizeof(double_fault_stack));
	tss.io_map = sizeof(tss);
	/* SDM 3, 7.2.3: available 64-bit TSS, present. */
	descriptor[0] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
			(base >> 24 & 0xff) << 56;
	descriptor[1] = base >> 32;
}

void interrupts_load(void)
{
	struct table_pointer pointer = { sizeof(idt) - 1, (uintptr_t)idt };

	asm volatile("lidt %0" : : "m"(pointer));
}

void interrupts_init(void)
{
	for (unsigned int vector = 0; vector < 256; vector++) {
		uint64_t entry = (uintptr_t)interrupt_entries[vector];

		idt[vector] = (struct gate){
			.offset_low = (uint16_t)entry,
			.selector = SELECTOR_CODE64,
			.ist = vector == VECTOR_DF,
			.type = GATE_INTERRUPT,
			.offset_middle = (uint16_t)(entry >> 16),
			.offset_high = (uint32_t)(entry >> 32),
		};
	}
	shadows_forgotten = option_given("no-shadows");
	tss_describe();
	asm volatile("ltr %0" : : "r"((uint16_t)SELECTOR_TSS));
	interrupts_load();
}

interrupt_handler *interrupts_on(unsigned int vector, interrupt_handler *handler)
{
	interrupt_handler *before = handlers[vector];

	handlers[vector] = handler;
	return before;
}

void halt(void)
{
	asm volatile("sti\n"
		     "halt_instruction:\n\t"
		     "hlt\n\t"
		     "cli"
		     :
		     :
		     : "memory");
}

uint32_t interrupts_count(unsigned int vector)
{
	return __atomic_load_n(&counts[vector], __ATOMIC_RELAXED);
}

/* Called by start.S. */
void interrupt(struct frame *frame);
void interrupt(struct frame *frame)
{
	unsigned int vector = (unsigned int)frame->vector;
	uint64_t cr2;

	__atomic_fetch_add(&counts[vector], 1, __ATOMIC_RELAXED);
	if (handlers[vector]) {
		handlers[vector](frame);
		/* It came too early, so HLT would wait for another one: past its one byte. */
		if (shadows_forgotten && frame->rip == (uintptr_t)halt_instruction)
			frame->rip++;
		return;
	}
	asm volatile("movq %%cr2, %0" : "=r"(cr2));
	say("# nobody expects vector %u: error 0x%lx, rip 0x%lx, rsp 0x%lx, rflags 0x%lx, cr2 "
	    "0x%lx\n",
	    vector, frame->error, frame->rip, frame->rsp, frame->rflags, cr2);
	finish(1);
}

static void try_failed(struct frame *frame)
{
	try_exception = (int)frame->vector;
	frame->rip = try_resume;
}

int try_write_msr(uint32_t index, uint64_t value)
{
	interrupt_handler *before = interrupts_on(VECTOR_GP, try_failed);

	try_exception = -1;
	asm volatile("movq $1f, %0\n\t"
		     "wrmsr\n"
		     "1:"
		     : "=m"(try_resume)
		     : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		     : "memory");
	interrupts_on(VECTOR_GP, before);
	return try_exception;
}

int try_read_msr(uint32_t index, uint64_t *value)
{
	interrupt_handler *before = interrupts_on(VECTOR_GP, try_failed);
	uint32_t low = 0, high = 0;

	try_exception = -1;
	asm volatile("movq $1f, %2\n\t"
		     "rdmsr\n"
		     "1:"
		     : "+a"(low), "+d"(high), "=m"(try_resume)
		     : "c"(index)
		     : "memory");
	interrupts_on(VECTOR_GP, before);
	*value = (uint64_t)high << 32 | low;
	return try_exception;
}
