/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/system.h"
#include "vmm/irqchip_user.h"
#include "vmm/machine.h"
#include "x86/paging.h"

/*
 * The interrupt controllers, the hypervisor's and ours, under a real guest: one that says on a port
 * what it does and which interrupts it takes, in which order, and that asks on another
 * for wires to be moved.
 */

#define MEMORY	  (2u << 20)
#define CODE_GPA  0x10000u
#define PML4_GPA  0x1000u
#define IDT_GPA	  0x8000u
#define GDT_GPA	  0x9000u
#define STACK_GPA 0xf000u
#define REAL_GPA  0x7000u /* where a processor starts with SIPI vector 7 */

#define PORT_LOG  0xe9
#define PORT_ASK  0xe0 /* bit 7: GSI in bits 0-4 to bit 6; else: press NMI */
#define PORT_END  0xf4
#define LOG_MAX	  64
#define PATIENCE  (60 * DEV_NS_PER_SECOND)

/*
 * The guest. Interrupt handlers say their vector; all other code is below, one entry
 * for each test. Registers: rbx is the local APIC's page, r15 counts what was taken;
 * handlers keep all others. Some hypervisors emulate what runs in ring 0 and open a
 * window a few instructions late, so the guest waits where it cannot go wrong.
 */
extern const uint8_t guest_begin[], guest_end[], guest_isr[], guest_nmi[], guest_gp[], guest_pic[],
	guest_order[], guest_shadow[], guest_cr8[], guest_nmis[], guest_one_shot[],
	guest_tsc_deadline[], guest_level[], guest_edge[], guest_modes[], guest_start_other[],
	guest_real[], guest_real_end[], guest_halted[], guest_periodic[], guest_spin[];

__asm__(".pushsection .rodata\n"
	".macro say value\n"
	"	movb	$\\value, %al\n"
	"	outb	%al, $0xe9\n"
	".endm\n"
	".macro ask value\n"
	"	movb	$\\value, %al\n"
	"	outb	%al, $0xe0\n"
	".endm\n"
	".macro await count\n" /* of interrupts taken so far */
	"9:	pause\n"
	"	cmpl	$\\count, %r15d\n"
	"	jb	9b\n"
	".endm\n"
	".macro set_msr number, high, low\n"
	"	movl	$\\number, %ecx\n"
	"	movl	$\\high, %edx\n"
	"	movl	$\\low, %eax\n"
	"	wrmsr\n"
	".endm\n"
	".macro x2apic\n" /* enabled, and by software too */
	"	set_msr	0x1b, 0, 0xfee00d00\n"
	"	set_msr	0x80f, 0, 0x1ff\n"
	".endm\n"
	".macro finish\n"
	"	outb	%al, $0xf4\n"
	"	hlt\n"
	".endm\n"

	"	.balign	16\n"
	"guest_begin:\n"
	/* A handler of eight bytes for each vector: its number, and on to the common part. */
	"guest_isr:\n"
	"	.set	vector, 0\n"
	"	.rept	256\n"
	"	.balign	8\n"
	"	pushq	%rax\n"
	"	movb	$vector, %al\n"
	"	jmp	common\n"
	"	.set	vector, vector + 1\n"
	"	.endr\n"
	"common:\n"
	"	incl	%r15d\n"
	"	outb	%al, $0xe9\n"
	"	cmpb	$0x30, %al\n" /* from 0x20 on the 8259A pair's, from 0x30 on the APIC's */
	"	jae	1f\n"
	"	movb	$0x20, %al\n"
	"	outb	%al, $0xa0\n"
	"	outb	%al, $0x20\n"
	"	jmp	3f\n"
	"1:	pushq	%rcx\n"
	"	pushq	%rdx\n"
	"	movl	$0x1b, %ecx\n"
	"	rdmsr\n"
	"	testl	$0x400, %eax\n"
	"	jz	2f\n"
	"	set_msr	0x80b, 0, 0\n"
	"	jmp	4f\n"
	"2:	movl	$0, 0xb0(%rbx)\n"
	"4:	popq	%rdx\n"
	"	popq	%rcx\n"
	"3:	popq	%rax\n"
	"	iretq\n"
	/* NMI: says so, presses the button once more if it was the first, and says it leaves. */
	"guest_nmi:\n"
	"	pushq	%rax\n"
	"	say	'N'\n"
	"	decl	%r8d\n"
	"	jnz	1f\n"
	"	ask	0\n"
	"	ask	0\n"
	"1:	say	'n'\n"
	"	incl	%r15d\n"
	"	popq	%rax\n"
	"	iretq\n"
	/* #GP: says so, and skips the two bytes of RDMSR or WRMSR. */
	"guest_gp:\n"
	"	pushq	%rax\n"
	"	say	'G'\n"
	"	popq	%rax\n"
	"	addq	$8, %rsp\n"
	"	addq	$2, (%rsp)\n"
	"	iretq\n"

	".macro outp port, value\n"
	"	movb	$\\value, %al\n"
	"	outb	%al, $\\port\n"
	".endm\n"
	"guest_pic:\n"
	"	outp	0x20, 0x11\n"
	"	outp	0x21, 0x20\n"
	"	outp	0x21, 0x04\n"
	"	outp	0x21, 0x01\n"
	"	outp	0xa0, 0x11\n"
	"	outp	0xa1, 0x28\n"
	"	outp	0xa1, 0x02\n"
	"	outp	0xa1, 0x01\n"
	"	ask	0xcc\n" /* GSI 12, then 4: 12 stands higher, as IRQ2 */
	"	ask	0xc4\n"
	"	say	'a'\n"
	"	sti\n"
	"	await	2\n"
	"	say	'b'\n"
	"	cli\n"
	"	ask	0x84\n" /* a new edge, for which HLT does not even begin to wait */
	"	ask	0xc4\n"
	"	sti\n"
	"	hlt\n"
	"	say	'c'\n"
	"	finish\n"

	"guest_order:\n" /* IPIs to itself by the page: the highest vector first */
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	movl	$0x40041, 0x300(%rbx)\n"
	"	movl	$0x40061, 0x300(%rbx)\n"
	"	movl	$0x40051, 0x300(%rbx)\n"
	"	movl	$0x50, 0x80(%rbx)\n" /* TPR: only class 6 gets through */
	"	sti\n"
	"	await	1\n"
	"	say	'a'\n"
	"	movl	$0, 0x80(%rbx)\n"
	"	await	3\n"
	"	say	'b'\n"
	"	finish\n"

	"guest_shadow:\n" /* nothing between STI and the end of the next instruction */
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	movl	$0x40041, 0x300(%rbx)\n"
	"	movb	$'a', %al\n"
	"	sti\n"
	"	outb	%al, $0xe9\n"
	"	say	'b'\n"
	"	cli\n"
	"	movl	$0x40042, 0x300(%rbx)\n"
	"	sti\n"
	"	cli\n" /* in the shadow: no window was ever open */
	"	say	'c'\n"
	"	finish\n"

	"guest_cr8:\n"
	"	x2apic\n"
	"	movl	$5, %eax\n"
	"	movq	%rax, %cr8\n"
	"	sti\n"
	"	set_msr	0x83f, 0, 0x51\n" /* self IPI, class 5: not above CR8 */
	"	set_msr	0x83f, 0, 0x61\n"
	"	await	1\n"
	"	say	'a'\n"
	"	movl	$0x808, %ecx\n"
	"	rdmsr\n"
	"	outb	%al, $0xe9\n" /* TPR is CR8, shifted */
	"	set_msr	0x808, 0, 0x70\n"
	"	movq	%cr8, %rax\n"
	"	outb	%al, $0xe9\n"
	"	xorl	%eax, %eax\n"
	"	movq	%rax, %cr8\n"
	"	inb	$0xed, %al\n" /* an emulated MOV to CR8 does not leave the guest: this does */
	"	await	2\n"
	"	say	'b'\n"
	"	finish\n"

	"guest_nmis:\n"
	"	movl	$1, %r8d\n"
	"	ask	0\n"
	"	await	2\n"
	"	say	'a'\n"
	"	finish\n"

	"guest_one_shot:\n"
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	movl	$0xb, 0x3e0(%rbx)\n"
	"	movl	$0x71, 0x320(%rbx)\n"
	"	movl	$5000000, 0x380(%rbx)\n" /* 5 ms */
	"	say	'a'\n"
	"	sti\n"
	"	hlt\n"
	"	say	'b'\n"
	"	movl	0x390(%rbx), %eax\n"
	"	outb	%al, $0xe9\n"
	"	finish\n"

	"guest_periodic:\n"
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	movl	$0xb, 0x3e0(%rbx)\n"
	"	movl	$0x20071, 0x320(%rbx)\n"
	"	movl	$50000000, 0x380(%rbx)\n" /* 50 ms */
	"	sti\n"
	"	hlt\n"
	"	hlt\n"
	"	hlt\n"
	"	cli\n"
	"	say	'b'\n"
	"	finish\n"

	"guest_spin:\n" /* it never leaves by itself: the timer has to fetch it */
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	movl	$0xb, 0x3e0(%rbx)\n"
	"	movl	$0x71, 0x320(%rbx)\n"
	"	movl	$3000000, 0x380(%rbx)\n"
	"	sti\n"
	"	movq	%rsp, %rdi\n"
	"1:	pause\n"
	"	cmpq	$0, -24(%rdi)\n" /* where the handler's frame will be */
	"	je	1b\n"
	"	say	'b'\n"
	"	finish\n"

	"guest_tsc_deadline:\n"
	"	x2apic\n"
	"	set_msr	0x832, 0, 0x40071\n"
	"	rdtsc\n"
	"	addl	$3000000, %eax\n"
	"	adcl	$0, %edx\n"
	"	movl	$0x6e0, %ecx\n"
	"	wrmsr\n"
	"	movl	%eax, %esi\n"
	"	movl	%edx, %edi\n"
	"	say	'a'\n"
	"	sti\n"
	"	hlt\n"
	"	rdtsc\n"
	"	subl	%esi, %eax\n"
	"	sbbl	%edi, %edx\n"
	"	js	1f\n" /* before its time */
	"	say	'b'\n"
	"1:	movl	$0x6e0, %ecx\n"
	"	rdmsr\n"
	"	outb	%al, $0xe9\n"
	"	finish\n"

	".macro ioapic index, value\n"
	"	movl	$\\index, (%rbp)\n"
	"	movl	$\\value, 0x10(%rbp)\n"
	".endm\n"
	"guest_level:\n"
	"	movl	$0xfec00000, %ebp\n"
	"	outp	0x21, 0xff\n"
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	ioapic	0x39, 0\n"
	"	ioapic	0x38, 0x8043\n" /* pin 20, level, to local APIC 0 */
	"	ask	0xd4\n"
	"	say	'a'\n"
	"	sti\n"
	"	await	2\n" /* the wire is let go after the second */
	"	say	'b'\n"
	"	finish\n"

	"guest_edge:\n"
	"	movl	$0xfec00000, %ebp\n"
	"	outp	0x21, 0xff\n"
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	ioapic	0x15, 0\n"
	"	ioapic	0x14, 0x44\n" /* pin 2, edge: ISA line 0, the timer's */
	"	ask	0xc0\n"
	"	sti\n"
	"	await	1\n"
	"	say	'c'\n"
	"	finish\n"

	"guest_modes:\n"
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	movl	$0x20, 0x80(%rbx)\n"
	"	set_msr	0x1b, 0, 0xfee00500\n" /* x2APIC without enable: #GP */
	"	set_msr	0x802, 0, 0\n"	       /* no x2APIC's MSRs in xAPIC mode: #GP */
	"	set_msr	0x1b, 0, 0xfee00100\n" /* off */
	"	say	'a'\n"
	"	set_msr	0x1b, 0, 0xfee00d00\n" /* not from off to x2APIC: #GP */
	"	set_msr	0x1b, 0, 0xfee00900\n" /* on: as after reset */
	"	movl	0x80(%rbx), %eax\n"
	"	outb	%al, $0xe9\n"
	"	set_msr	0x1b, 0, 0xfee20900\n" /* moved: not where it was, but where it is */
	"	movl	$0x30, 0x20080(%rbx)\n"
	"	movl	0x80(%rbx), %eax\n"
	"	outb	%al, $0xe9\n"
	"	movl	0x20080(%rbx), %eax\n"
	"	outb	%al, $0xe9\n"
	"	set_msr	0x1b, 0, 0xfee00900\n"
	"	movl	0xf1(%rbx), %eax\n" /* beside a register: nothing */
	"	outb	%al, $0xe9\n"
	"	x2apic\n"
	"	set_msr	0x802, 0, 0\n"	       /* read-only: #GP */
	"	set_msr	0x80b, 0, 1\n"	       /* reserved: #GP */
	"	set_msr	0x1b, 0, 0xfee00900\n" /* not back to xAPIC: #GP */
	"	movl	0x80(%rbx), %eax\n"    /* there is no page now */
	"	outb	%al, $0xe9\n"
	"	finish\n"

	"guest_start_other:\n"
	"	x2apic\n"
	"	set_msr	0x830, 1, 0xc500\n"
	"	set_msr	0x830, 1, 0x4607\n"
	"1:	pause\n"
	"	cmpb	$1, 0x6000\n"
	"	jne	1b\n"
	"	say	'a'\n"
	"	set_msr	0x830, 1, 0x4607\n" /* it runs: ignored */
	"	set_msr	0x830, 1, 0xc500\n" /* INIT, SIPI, SIPI */
	"	set_msr	0x830, 1, 0x8500\n"
	"	set_msr	0x830, 1, 0x4607\n"
	"	set_msr	0x830, 1, 0x4607\n"
	"	cli\n"
	"2:	hlt\n"
	"	jmp	2b\n"

	"guest_real:\n"
	".code16\n"
	"	movb	$'r', %al\n"
	"	outb	%al, $0xe9\n"
	"	movw	%cs, %ax\n"
	"	movb	%ah, %al\n"
	"	outb	%al, $0xe9\n"
	"	xorw	%ax, %ax\n"
	"	movw	%ax, %ds\n"
	"	movb	$'e', %al\n"
	"	incb	0x6000\n"
	"	cmpb	$2, 0x6000\n"
	"	je	1f\n"
	"	.byte	0xeb, 0xfe\n" /* spins, so that INIT has to fetch it */
	"1:	outb	%al, $0xf4\n"
	"	hlt\n"
	".code64\n"
	"guest_real_end:\n"

	"guest_halted:\n" /* with IF clear only an NMI ends HLT */
	"	movl	$0x1ff, 0xf0(%rbx)\n"
	"	movl	$2, %r8d\n"
	"	movl	$0x40041, 0x300(%rbx)\n"
	"	ask	0x1\n" /* the host presses NMI a little later */
	"	hlt\n"
	"	say	'a'\n"
	"	sti\n"
	"	await	2\n"
	"	say	'b'\n"
	"	finish\n"
	"guest_end:\n"
	".popsection\n");

struct fixture {
	struct machine machine;
	struct machine_config config;
	uint8_t log[LOG_MAX];
	unsigned int logged;
	unsigned int ends_of_level; /* how often the level's vector was said */
	uint64_t nmi_at;
	uint64_t patience_ends;
	bool timed_out;
};

static uint32_t at(const uint8_t *label)
{
	return CODE_GPA + (uint32_t)(label - guest_begin);
}

/* ---- the guest's memory and state --------------------------------------------- */

static void put(struct fixture *f, uint64_t gpa, const void *bytes, size_t size)
{
	assert_int_equal(hutch_memory_write(f->machine.vm, gpa, bytes, size), 0);
}

static void put64(struct fixture *f, uint64_t gpa, uint64_t value)
{
	put(f, gpa, &value, sizeof(value));
}

/* The first and the fourth GiB, where the APICs are, map to themselves. */
static void build_page_tables(struct fixture *f)
{
	const uint64_t gibs[] = { 0, 3 };

	put64(f, PML4_GPA, (PML4_GPA + 0x1000) | PAGE_P | PAGE_RW);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t directory = PML4_GPA + 0x2000 + 0x1000 * i;

		put64(f, PML4_GPA + 0x1000 + 8 * gibs[i], directory | PAGE_P | PAGE_RW);
		for (uint64_t entry = 0; entry < 512; entry++)
			put64(f, directory + 8 * entry,
			      (gibs[i] << 30 | entry << 21) | PAGE_P | PAGE_RW | PAGE_PS);
	}
}

static void put_gate(struct fixture *f, unsigned int vector, uint32_t handler)
{
	const uint64_t interrupt_gate = 0x8eull << 40;

	put64(f, IDT_GPA + 16 * vector,
	      (handler & 0xffff) | 8ull << 16 | interrupt_gate | (uint64_t)(handler >> 16) << 48);
	put64(f, IDT_GPA + 16 * vector + 8, 0);
}

static void build_tables(struct fixture *f)
{
	put64(f, GDT_GPA + 8, 0x00af9b000000ffff);
	put64(f, GDT_GPA + 16, 0x00cf93000000ffff);
	for (unsigned int vector = 0; vector < 256; vector++)
		put_gate(f, vector, at(guest_isr) + 8 * vector);
	put_gate(f, 2, at(guest_nmi));
	put_gate(f, 13, at(guest_gp));
}

static void enter_long_mode(struct hutch_vcpu *vcpu, uint32_t rip)
{
	const struct kvm_regs regs = {
		.rip = rip, .rsp = STACK_GPA, .rflags = RFLAGS_FIXED, .rbx = MEMORY_LAPIC_GPA
	};
	struct kvm_sregs sregs;

	assert_int_equal(hutch_vcpu_get_sregs(vcpu, &sregs), 0);
	sregs.cr0 = CR0_PE | CR0_PG | CR0_ET;
	sregs.cr3 = PML4_GPA;
	sregs.cr4 = CR4_PAE;
	sregs.efer = IA32_EFER_LME | IA32_EFER_LMA;
	sregs.gdt = (struct kvm_dtable){ .base = GDT_GPA, .limit = 23 };
	sregs.idt = (struct kvm_dtable){ .base = IDT_GPA, .limit = 4095 };
	sregs.cs = (struct kvm_segment){
		.selector = 8, .limit = 0xffffffff, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	sregs.ds = (struct kvm_segment){ .selector = 16,
					 .limit = 0xffffffff,
					 .type = 3,
					 .present = 1,
					 .s = 1,
					 .db = 1,
					 .g = 1 };
	sregs.es = sregs.ss = sregs.ds;
	assert_int_equal(hutch_vcpu_set_sregs(vcpu, &sregs), 0);
	assert_int_equal(hutch_vcpu_set_regs(vcpu, &regs), 0);
}

/* ---- what the guest says and asks ----------------------------------------------- */

static bool on_log(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct fixture *f = owner;

	(void)vcpu;
	if (f->logged < LOG_MAX)
		f->log[f->logged++] = (uint8_t)access->value;
	/* The device at pin 20 lets go when it has been served twice. */
	if (access->value == 0x43 && ++f->ends_of_level == 2)
		machine_set_gsi(&f->machine, 20, false);
	return true;
}

static bool on_ask(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct fixture *f = owner;

	if (access->value & 0x80) {
		machine_set_gsi(&f->machine, access->value & 0x1f, access->value >> 6 & 1);
	} else if (access->value & 1) {
		f->nmi_at = machine_now(&f->machine) + 20000000;
		machine_wake_at(&f->machine, f->nmi_at);
	} else {
		machine_unlock(&f->machine);
		f->machine.irqchip.ops->nmi(&f->machine.irqchip, vcpu);
		machine_lock(&f->machine);
	}
	return true;
}

static bool on_end(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct fixture *f = owner;

	(void)vcpu;
	machine_request_locked(&f->machine, MACHINE_DEBUG_EXIT, (int)access->value);
	return true;
}

/* What the machine's own loop does, for the interrupt controllers alone. */
static void on_tick(void *owner)
{
	struct fixture *f = owner;
	struct machine *machine = &f->machine;
	struct irqchip *irqchip = &machine->irqchip;
	bool press;
	uint64_t now;

	machine_lock(machine);
	io_loop_forget_deadline(&machine->loop);
	now = machine_now(machine);
	f->timed_out = now >= f->patience_ends;
	press = f->nmi_at && f->nmi_at <= now;
	if (press)
		f->nmi_at = 0;
	machine_wake_at(machine, irqchip->ops->tick(irqchip, now));
	machine_wake_at(machine, f->nmi_at ? f->nmi_at : f->patience_ends);
	machine_unlock(machine);
	if (press)
		irqchip->ops->nmi(irqchip, &machine->vcpus[0]);
}

/* ---- building it ------------------------------------------------------------------ */

static void show_x2apic(struct hutch_vcpu *vcpu, struct kvm_cpuid2 *cpuid)
{
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= 1u << 21 | 1u << 24;
	assert_int_equal(hutch_vcpu_ioctl(vcpu, KVM_SET_CPUID2, "KVM_SET_CPUID2", cpuid), 0);
}

static void build_machine(struct fixture *f, const struct irqchip_ops *ops, unsigned int cpus)
{
	struct machine *machine = &f->machine;

	memset(f, 0, sizeof(*f));
	f->config.irqchip = ops;
	machine->config = &f->config;
	machine->cpu_count = cpus;
	pthread_mutex_init(&machine->lock, NULL);
	pthread_cond_init(&machine->parked, NULL);
	pthread_cond_init(&machine->unparked, NULL);
	assert_int_equal(io_loop_init(&machine->loop, on_tick, on_tick, f), 0);
	machine->hutch = hutch_open(NULL);
	assert_non_null(machine->hutch);
	machine->vm = hutch_vm_create(machine->hutch);
	assert_non_null(machine->vm);
	assert_int_equal(hutch_memory_add(machine->vm, 0, MEMORY, 0), 0);
	machine->vcpus = calloc(cpus, sizeof(machine->vcpus[0]));
	machine->irqchip.ops = ops;
	assert_int_equal(machine->irqchip.ops->create(&machine->irqchip, machine), 0);
	bus_add(&machine->bus, BUS_PORT, PORT_LOG, PORT_LOG, on_log, f, "log");
	bus_add(&machine->bus, BUS_PORT, PORT_ASK, PORT_ASK, on_ask, f, "ask");
	bus_add(&machine->bus, BUS_PORT, PORT_END, PORT_END, on_end, f, "end");
}

static void build_vcpus(struct fixture *f)
{
	struct machine *machine = &f->machine;
	struct kvm_cpuid2 *cpuid = hutch_supported_cpuid(machine->hutch);

	assert_non_null(cpuid);
	for (unsigned int i = 0; i < machine->cpu_count; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		vcpu->machine = machine;
		vcpu->id = i;
		vcpu->hutch = hutch_vcpu_create(machine->vm, i);
		assert_non_null(vcpu->hutch);
		show_x2apic(vcpu->hutch, cpuid);
		assert_int_equal(machine->irqchip.ops->add_vcpu(&machine->irqchip, vcpu), 0);
	}
	free(cpuid);
}

static void take_apart(struct fixture *f)
{
	struct machine *machine = &f->machine;

	for (unsigned int i = 0; i < machine->cpu_count; i++)
		if (machine->vcpus[i].hutch)
			hutch_vcpu_destroy(machine->vcpus[i].hutch);
	machine->irqchip.ops->destroy(&machine->irqchip);
	free(machine->vcpus);
	hutch_vm_destroy(machine->vm);
	hutch_close(machine->hutch);
	io_loop_destroy(&machine->loop);
	pthread_cond_destroy(&machine->unparked);
	pthread_cond_destroy(&machine->parked);
	pthread_mutex_destroy(&machine->lock);
}

/* Runs the guest from @entry until it ends the machine; its log is in the fixture then. */
static void run(struct fixture *f, const struct irqchip_ops *ops, unsigned int cpus,
		const uint8_t *entry)
{
	struct machine *machine = &f->machine;

	build_machine(f, ops, cpus);
	build_vcpus(f);
	put(f, CODE_GPA, guest_begin, (size_t)(guest_end - guest_begin));
	put(f, REAL_GPA, guest_real, (size_t)(guest_real_end - guest_real));
	build_page_tables(f);
	build_tables(f);
	enter_long_mode(machine->vcpus[0].hutch, at(entry));
	f->patience_ends = machine_now(machine) + PATIENCE;
	machine_wake_at(machine, f->patience_ends);
	for (unsigned int i = 0; i < cpus; i++)
		assert_int_equal(vcpu_start(&machine->vcpus[i]), 0);
	while (machine->end == MACHINE_RUNNING && !f->timed_out)
		assert_int_equal(io_loop_turn(&machine->loop), 0);
	for (unsigned int i = 0; i < cpus; i++)
		vcpu_stop(&machine->vcpus[i]);
}

static void expect(struct fixture *f, const char *log, size_t length)
{
	char report[8192] = "";

	if (f->machine.end == MACHINE_DEBUG_EXIT && f->logged == length &&
	    !memcmp(f->log, log, length))
		return;
	for (unsigned int i = 0; i < f->logged; i++)
		print_error("%02x ", f->log[i]);
	hutch_vcpu_report(f->machine.vcpus[0].hutch, report, sizeof(report));
	fail_msg("the guest's log is another, or it did not end (%d, %s)\n%s", f->machine.end,
		 f->machine.error, report);
}

#define GUEST_SAYS(cpus, entry, log)                    \
	do {                                            \
		static struct fixture fixture;          \
		run(&fixture, *state, cpus, entry);     \
		expect(&fixture, log, sizeof(log) - 1); \
		take_apart(&fixture);                   \
	} while (0)

/* ---- the tests ---------------------------------------------------------------------- */

static void pic_through_lint0(void **state)
{
	GUEST_SAYS(1, guest_pic,
		   "a\x2c\x24"
		   "b\x24"
		   "c");
}

static void highest_first_and_tpr(void **state)
{
	GUEST_SAYS(1, guest_order,
		   "\x61"
		   "a\x51\x41"
		   "b");
}

static void shadow_of_sti(void **state)
{
	GUEST_SAYS(1, guest_shadow,
		   "a\x41"
		   "bc");
}

static void cr8_is_tpr(void **state)
{
	GUEST_SAYS(1, guest_cr8,
		   "\x61"
		   "a\x50\x07\x51"
		   "b");
}

/* While one NMI is handled one more is latched, however often the button is pressed. */
static void nmi_blocks_itself(void **state)
{
	GUEST_SAYS(1, guest_nmis, "NnNna");
}

static void halted_with_interrupts_off(void **state)
{
	GUEST_SAYS(1, guest_halted,
		   "Nna\x41"
		   "b");
}

static void timer_one_shot(void **state)
{
	GUEST_SAYS(1, guest_one_shot,
		   "a\x71"
		   "b\0");
}

static void timer_periodic(void **state)
{
	GUEST_SAYS(1, guest_periodic,
		   "\x71\x71\x71"
		   "b");
}

static void timer_fetches_a_guest_that_spins(void **state)
{
	GUEST_SAYS(1, guest_spin,
		   "\x71"
		   "b");
}

static bool has_tsc_deadline(const struct irqchip_ops *ops)
{
	static struct fixture fixture;
	bool has;

	build_machine(&fixture, ops, 1);
	has = fixture.machine.irqchip.features.tsc_deadline;
	take_apart(&fixture);
	return has;
}

static void timer_tsc_deadline(void **state)
{
	if (!has_tsc_deadline(*state))
		skip();
	GUEST_SAYS(1, guest_tsc_deadline,
		   "a\x71"
		   "b\0");
}

static void ioapic_level(void **state)
{
	GUEST_SAYS(1, guest_level,
		   "a\x43\x43"
		   "b");
}

static void ioapic_edge_of_the_timer(void **state)
{
	GUEST_SAYS(1, guest_edge,
		   "\x44"
		   "c");
}

static void modes_of_the_local_apic(void **state)
{
	GUEST_SAYS(1, guest_modes, "GGaG\0\xff\x30\0GGG\xff");
}

static void init_and_sipi(void **state)
{
	GUEST_SAYS(2, guest_start_other,
		   "r\x07"
		   "ar\x07");
}

/* Every step of its making fails once, and leaves nothing behind for the sanitizer to find. */
static void creation_unwinds(void **state)
{
	const struct irqchip_ops *ops = *state;
	struct machine machine = { .cpu_count = 4 };
	unsigned int n = 1;
	int error;

	machine.hutch = hutch_open(NULL);
	do {
		machine.vm = hutch_vm_create(machine.hutch);
		memset(&machine.bus, 0, sizeof(machine.bus));
		machine.irqchip = (struct irqchip){ .ops = ops };
		system_fail_at(n);
		error = ops->create(&machine.irqchip, &machine);
		if (!error)
			ops->destroy(&machine.irqchip);
		hutch_vm_destroy(machine.vm);
	} while (system_calls() >= n++);
	system_fail_at(0);
	assert_int_equal(error, 0);
	assert_true(n > 3);
	hutch_close(machine.hutch);
}

#define KERNEL(test)                                                            \
	{                                                                       \
		"kernel: " #test, test, NULL, NULL, (void *)&irqchip_kernel_ops \
	}
#define USER(test)                                                          \
	{                                                                   \
		"user: " #test, test, NULL, NULL, (void *)&irqchip_user_ops \
	}
#define BOTH(test) KERNEL(test), USER(test)

/*
 * Ours alone: a KVM's own local APIC keeps its registers while it is disabled, and one
 * that emulates ring 0 gives a level once too often.
 */
int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(pic_through_lint0),
		BOTH(highest_first_and_tpr),
		BOTH(shadow_of_sti),
		BOTH(cr8_is_tpr),
		BOTH(nmi_blocks_itself),
		BOTH(halted_with_interrupts_off),
		BOTH(timer_one_shot),
		BOTH(timer_periodic),
		BOTH(timer_fetches_a_guest_that_spins),
		BOTH(timer_tsc_deadline),
		USER(ioapic_level),
		BOTH(ioapic_edge_of_the_timer),
		USER(modes_of_the_local_apic),
		BOTH(init_and_sipi),
		BOTH(creation_unwinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
