/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Through the modes of the processor, as boot loaders and firmware go: instructions of real
 * mode, interrupts through its table, protected mode with what is left of real mode's
 * segments, control registers without paging, and back with segments of 4 GiB. Started as
 * --flat 16, at 0000:7c00.
 */

	.code16
	.text
	jmp start
#include "tests/guests/boot/real.inc"

#define CODE32 0x08
#define DATA32 0x10
#define CODE16 0x18
#define DATA16 0x20

#define VECTOR_DE 0
#define VECTOR_BR 5
#define VECTOR_OF 4
#define VECTOR_IRQ0 8
#define VECTOR_OWN 0x40
#define HIGH 0x123456 /* above 1 MiB */
#define SCRATCH 0x5000

	.balign 8
table:
	.quad 0
	.quad 0x00cf9a000000ffff /* CODE32, not yet accessed */
	.quad 0x00cf92000000ffff /* DATA32 */
	.quad 0x00009a000000ffff /* CODE16 */
	.quad 0x000092000000ffff /* DATA16 */
table_pointer:
	.short . - table - 1
	.long table
real_idt:
	.short 0x3ff
	.long 0
no_idt:
	.short 0
	.long 0
counter:
	.short 0
ticks:
	.short 0
bounds:
	.short 3, 9

	.macro on vector, handler
	movw $\handler, 4 * \vector
	movw $0, 4 * \vector + 2
	.endm

	.macro count_is number, text
	cmpw $\number, counter
	require e, "boot modes: \text"
	.endm

count_one:
	incw counter
	iret
count_and_step_over: /* an instruction of two bytes */
	pushw %bp
	movw %sp, %bp
	addw $2, 2(%bp)
	incw counter
	popw %bp
	iret
tick:
	pushw %ax
	incw ticks
	movb $0x20, %al
	outb %al, $0x20
	popw %ax
	iret

start:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	on VECTOR_DE, count_and_step_over
	on VECTOR_BR, count_and_step_over
	on VECTOR_OF, count_one
	on VECTOR_OWN, count_one
	on VECTOR_IRQ0, tick

	/* ---- interrupts, faults, traps */
	int $VECTOR_OWN
	count_is 1, "INT"
	movb $0x7f, %al
	incb %al
	into
	count_is 2, "INTO"
	xorw %bx, %bx
	divw %bx
	count_is 3, "a division by 0"
	movw $9, %cx
	boundw %cx, bounds
	count_is 3, "BOUND within"
	movw $bounds, %bx
	movw $10, %cx
	boundw %cx, (%bx)
	count_is 4, "BOUND beyond"

	/* ---- a frame, a string, decimals, a lock, a far call */
	movw $0x1234, %bp
	enter $8, $0
	movw $0x5678, -2(%bp)
	leave
	cmpw $0x1234, %bp
	require e, "boot modes: ENTER and LEAVE"
	movw $start, %si
	movw $SCRATCH, %di
	movw $100, %cx
	cld
	rep movsb
	movw $start, %si
	movw $SCRATCH, %di
	movw $100, %cx
	repe cmpsb
	require e, "boot modes: strings"
	movb $0x38, %al
	addb $0x45, %al
	daa
	cmpb $0x83, %al
	require e, "boot modes: DAA"
	movw $0, counter
	lock btsw $3, counter
	count_is 8, "LOCK BTS"
	lcall $0, $far_procedure
	cmpw $0x4321, %dx
	require e, "boot modes: a far call"
	pusha
	xorw %dx, %dx
	popa
	cmpw $0x4321, %dx
	require e, "boot modes: PUSHA and POPA"
	fninit
	fnstsw SCRATCH
	fnstcw SCRATCH + 2
	cmpl $0x037f0000, SCRATCH
	require e, "boot modes: the FPU"

	/* ---- the timer, through the first 8259A at its vectors of old */
	movb $0x11, %al
	outb %al, $0x20
	movb $VECTOR_IRQ0, %al
	outb %al, $0x21
	movb $4, %al
	outb %al, $0x21
	movb $1, %al
	outb %al, $0x21
	movb $0xfe, %al
	outb %al, $0x21
	movb $0x34, %al /* every 4096 / 1193182 s */
	outb %al, $0x43
	xorb %al, %al
	outb %al, $0x40
	movb $0x10, %al
	outb %al, $0x40
.Lwait:
	sti
	hlt
	cli
	cmpw $3, ticks
	jb .Lwait
	movb $0xff, %al
	outb %al, $0x21

	/* ---- to protected mode: between the far jump and the loads, DS and SS are of real mode */
	movw $0x1003, %ax
	movw %ax, %gs
	lidtl no_idt
	lgdtl table_pointer
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $CODE32, $protected

far_procedure:
	movw $0x4321, %dx
	lret

	.code32
protected:
	movl $0xabcd, SCRATCH /* DS has 64 KiB */
	movw $DATA32, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw %ax, %fs
	movw %ax, %gs
	movl $0x7c00, %esp
	/* What is read is what was written, whatever it takes to go without paging here. */
	movl %cr0, %eax
	andl $0x80000001, %eax
	cmpl $1, %eax
	jne .Lbad
	movl $0x00345000, %eax
	movl %eax, %cr3
	movl %cr3, %ebx
	cmpl %eax, %ebx
	jne .Lbad
	movl %cr4, %eax
	orl $0x20, %eax /* PAE */
	movl %eax, %cr4
	movl %cr4, %ebx
	cmpl %eax, %ebx
	jne .Lbad
	andl $~0x20, %eax
	movl %eax, %cr4
	testl $0x10, %eax /* PSE is nobody's here */
	jnz .Lbad
	movl $0x600df00d, HIGH
	cmpl $0x600df00d, HIGH
	jne .Lbad
	cmpl $0xabcd, SCRATCH
	jne .Lbad
	pushl $CODE16
	pushl $leave_protected
	lret
.Lbad:
	movb $0xbd, %al
	outb %al, $0xf4

	/* ---- and back, but for ES, which keeps its limit of 4 GiB */
	.code16
leave_protected:
	movw $DATA16, %ax
	movw %ax, %ds
	movw %ax, %ss
	movw %ax, %fs
	movw %ax, %gs
	movl %cr0, %eax
	andb $0xfe, %al
	movl %eax, %cr0
	ljmpw $0, $real_again
real_again:
	xorw %ax, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movw $0x7c00, %sp
	lidtl real_idt
	movl $HIGH, %edi
	addr32 cmpl $0x600df00d, %es:(%edi)
	require e, "boot modes: memory above 1 MiB from real mode"
	movw $0, counter
	int $VECTOR_OWN
	count_is 1, "INT after protected mode"
	finish 0, "boot modes: ok"
