/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Exceptions as the manual has them (SDM 3, 6.15): vector, error code, saved RIP, and
 * what comes of an exception within an exception's delivery. Wants a processor whose
 * guests run natively: an emulator of ring 0 seldom knows INT n.
 *
 *	no-dr6	leave out what DR6 says: Bochs's AMD-V forgets it where #DB is intercepted
 */

#include "tests/guests/lib/guest.h"
#include "tests/guests/lib/interrupts.h"
#include "x86/registers.h"

#define NOT_MAPPED   0x8000000000ull /* PML4 entry 1 */
#define GATE_PRESENT (1ull << 47)

/* Debug registers: SDM 3, 17.2 */
#define DR6_B0	      (1ull << 0)
#define DR6_BS	      (1ull << 14)
#define DR7_L0	      (1ull << 0)
#define DR7_FIXED     (1ull << 10)
#define DR7_WRITE_0   (1ull << 16)
#define DR7_4_BYTES_0 (3ull << 18)

static struct frame seen;
static uint64_t seen_cr2, seen_dr6, resume;

static void note(struct frame *frame)
{
	seen = *frame;
	asm volatile("movq %%cr2, %0" : "=r"(seen_cr2));
	asm volatile("movq %%dr6, %0" : "=r"(seen_dr6));
	frame->rip = resume;
	frame->rflags &= ~RFLAGS_TF;
}

/*
 * Runs @before, then @instruction, which should raise something; the handler goes on
 * behind it. `at` and `behind` are then the instruction's address and its end.
 */
#define PROVOKE(before, instruction)                                                \
	asm volatile("movq $2f, %0\n\tmovq $1f, %1\n\tmovq $2f, %2\n\t" before "\n" \
		     "1:\t" instruction "\n2:"                                      \
		     : "=m"(resume), "=m"(at), "=m"(behind)                         \
		     :                                                              \
		     : "rax", "rcx", "rdx", "rbx", "memory", "cc")

static uint64_t at, behind;

static void expect(unsigned int vector, uint64_t error, uint64_t rip, const char *name)
{
	bool right = seen.vector == vector && seen.error == error && seen.rip == rip;

	if (!right)
		say("# vector %lu error 0x%lx rip 0x%lx, want %u 0x%lx 0x%lx\n", seen.vector,
		    seen.error, seen.rip, vector, error, rip);
	seen.vector = ~0ull;
	check(right, name);
}

static void faults(void)
{
	PROVOKE("xorl %%edx, %%edx; xorl %%ecx, %%ecx", "divl %%ecx");
	expect(VECTOR_DE, 0, at, "#DE on division by zero");
	PROVOKE("", "ud2");
	expect(VECTOR_UD, 0, at, "#UD on UD2");
	PROVOKE("movw $0x1234, %%ax", "movw %%ax, %%ds");
	expect(VECTOR_GP, 0x1234, at, "#GP with the selector that is not there");
	PROVOKE("movabsq $0x8000000000000000, %%rax", "movb (%%rax), %%al");
	expect(VECTOR_GP, 0, at, "#GP on a non-canonical address");
	PROVOKE("movq %%cr0, %%rax; btrq $31, %%rax", "movq %%rax, %%cr0");
	expect(VECTOR_GP, 0, at, "#GP on leaving paging in 64-bit mode");
}

static void page_faults(void)
{
	PROVOKE("movabsq $0x8000000123, %%rax", "movb (%%rax), %%al");
	expect(VECTOR_PF, 0, at, "#PF on a read: not present, read");
	check_equal(seen_cr2, NOT_MAPPED + 0x123, "CR2 has the read's address");
	PROVOKE("movabsq $0x8000000456, %%rax", "movb %%al, (%%rax)");
	expect(VECTOR_PF, 2, at, "#PF on a write: not present, write");
	check_equal(seen_cr2, NOT_MAPPED + 0x456, "CR2 has the write's address");
}

static void traps(void)
{
	PROVOKE("", "int3");
	expect(VECTOR_BP, 0, behind, "#BP behind INT3");
	PROVOKE("", "int $0x80");
	expect(0x80, 0, behind, "INT n is taken behind the instruction");
	PROVOKE("pushfq; orq $0x100, (%%rsp); popfq", "nop");
	expect(VECTOR_DB, 0, behind, "#DB behind the instruction that TF steps");
	if (!option_given("no-dr6"))
		check((seen_dr6 & DR6_BS) != 0, "DR6 says single step");
	/* The trap waits for the instruction behind MOV SS (SDM 3, 6.8.3). */
	PROVOKE("movw %%ss, %%ax; pushfq; orq $0x100, (%%rsp); popfq; movw %%ax, %%ss", "nop");
	expect(VECTOR_DB, 0, behind, "MOV SS holds #DB back for one instruction");
}

/* #DE whose gate is not present: #NP on the way to #DE is a double fault (table 6-5). */
static void double_fault(void)
{
	struct __attribute__((packed)) {
		uint16_t limit;
		uint64_t *base;
	} idt;

	asm volatile("sidt %0" : "=m"(idt));
	idt.base[2 * VECTOR_DE] &= ~GATE_PRESENT;
	PROVOKE("xorl %%edx, %%edx; xorl %%ecx, %%ecx", "divl %%ecx");
	idt.base[2 * VECTOR_DE] |= GATE_PRESENT;
	/* The saved RIP is undefined for a double fault, yet every processor gives the #DE's. */
	check(seen.vector == VECTOR_DF, "#DF when #DE meets no gate");
	check_equal(seen.error, 0, "#DF has error code 0");
}

static void watchpoint(void)
{
	static uint32_t watched;

	asm volatile("movq %0, %%dr0" : : "r"(&watched));
	asm volatile("movq %0, %%dr6" : : "r"(0ull));
	asm volatile("movq %0, %%dr7" : : "r"(DR7_FIXED | DR7_L0 | DR7_WRITE_0 | DR7_4_BYTES_0));
	PROVOKE("movq %%dr0, %%rax", "movl $1, (%%rax)");
	asm volatile("movq %0, %%dr7" : : "r"(DR7_FIXED));
	expect(VECTOR_DB, 0, behind, "#DB behind a write to a watched address");
	if (!option_given("no-dr6"))
		check((seen_dr6 & DR6_B0) != 0, "DR6 says which watchpoint");
}

int main(void)
{
	interrupts_init();
	for (unsigned int vector = 0; vector < 32; vector++)
		interrupts_on(vector, note);
	interrupts_on(0x80, note);
	faults();
	page_faults();
	traps();
	double_fault();
	watchpoint();
	return 0;
}
