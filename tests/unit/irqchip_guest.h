/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_IRQCHIP_GUEST_H
#define HUTCH_TESTS_UNIT_IRQCHIP_GUEST_H

/*
 * The guest of test_irqchip.c, in 64-bit mode. Interrupt handlers say their vector on
 * port 0xe9; all other code is below, one entry for each test. Registers: rbx is the
 * local APIC's page, r15 counts what was taken; handlers keep all others.
 *
 * Some hypervisors emulate what runs in ring 0 and open a window a few instructions
 * late: so the guest awaits what it is to take.
 */

#include <stdint.h>

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

#endif
