/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Reads and writes random values of random widths at random ports and at random
 * addresses where there is no memory, for ever, or until that resets the machine or
 * switches it off. Which accesses those are depends on the time stamp counter.
 */

#include "tests/guests/flat.h"

#if MODE == 64

	/* Every register but RSP is a toy of the next turn: the generator lives in R15. */
	.macro random
	movq %r15, %rax
	shlq $13, %rax
	xorq %rax, %r15
	movq %r15, %rax
	shrq $7, %rax
	xorq %rax, %r15
	movq %r15, %rax
	shlq $17, %rax
	xorq %rax, %r15
	.endm

	rdtsc
	shlq $32, %rdx
	leaq 1(%rax, %rdx), %r15

next:	random
	movq %r15, %rbx		/* what to do */
	random
	movq %r15, %rdx		/* where */
	random
	movq %r15, %rax		/* with what */
	testb $1, %bl
	jz memory

	testb $2, %bl		/* half of them where a PC has its devices */
	jz 1f
	andl $0xfff, %edx
1:	leal -0xf1(%rdx), %ecx	/* what reaches the debug exit would only end the test */
	cmpw $3, %cx
	jbe next
	testb $4, %bl
	jz in
	testb $8, %bl
	jz 2f
	outl %eax, %dx
	jmp next
2:	testb $16, %bl
	jz 3f
	outw %ax, %dx
	jmp next
3:	outb %al, %dx
	jmp next
in:	testb $8, %bl
	jz 2f
	inl %dx, %eax
	jmp next
2:	testb $16, %bl
	jz 3f
	inw %dx, %ax
	jmp next
3:	inb %dx, %al
	jmp next

memory:	movl $0xc0000000, %ecx	/* the last GiB below 4 GiB */
	andl $0x3fffffff, %edx
	orl %edx, %ecx
	testb $2, %bl
	jz 1f
	andl $0xfff, %edx	/* the IOAPIC */
	leal 0xfec00000(%rdx), %ecx
	testb $4, %bl
	jz 1f
	leal 0xfee00000(%rdx), %ecx	/* the local APIC */
1:	testb $8, %bl
	jz load
	testb $16, %bl
	jz 2f
	movq %rax, (%rcx)
	jmp next
2:	testb $32, %bl
	jz 3f
	movl %eax, (%rcx)
	jmp next
3:	movb %al, (%rcx)
	jmp next
load:	testb $16, %bl
	jz 2f
	movq (%rcx), %rax
	jmp next
2:	testb $32, %bl
	jz 3f
	movl (%rcx), %eax
	jmp next
3:	movw (%rcx), %ax
	jmp next

#else
	finish 0
#endif
