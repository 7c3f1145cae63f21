/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * From a Multiboot loader's hand-over to C in long mode, and the same way for every
 * other processor from its SIPI.
 *
 * The loader leaves the boot processor in protected mode without paging, with the
 * information's address in EBX (Multiboot 0.6.96, 3.2). The low 4 GiB are mapped one
 * to one with 2M pages: RAM and every device of a PC are then where they say.
 */

#include "tests/guests/lib/layout.h"

	/* Multiboot 0.6.96, 3.1.1. No flags: the loader goes by the ELF headers. */
	.section .multiboot, "a"
	.balign 4
	.long 0x1badb002
	.long 0
	.long -0x1badb002

	.text
	.code32
	.globl start
start:
	cld
	movl %ebx, multiboot_information
	movl $boot_stack_end, %esp

	/* One PML4 entry, four PDPT entries, 2048 PD entries. */
	movl $page_pointers + 3, page_map
	movl $page_directories + 3, %eax
	movl $page_pointers, %edi
	movl $4, %ecx
1:	movl %eax, (%edi)
	addl $0x1000, %eax
	addl $8, %edi
	loop 1b
	movl $0x83, %eax		/* present, writable, 2M */
	movl $page_directories, %edi
	movl $2048, %ecx
2:	movl %eax, (%edi)
	addl $0x200000, %eax
	addl $8, %edi
	loop 2b

	movl $guest_main, %ebp
	jmp enter_long_mode

/*
 * A processor after its SIPI, in protected mode, with the data segments of real mode.
 * It takes the next stack; the stacks' owners are told apart by this order only.
 */
processor_start:
	movw $SELECTOR_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %ss
	movl $1, %eax
	lock xaddl %eax, processor_stacks_taken
	andl $PROCESSORS_MAX - 1, %eax
	incl %eax
	imull $STACK_SIZE, %eax
	leal processor_stacks(%eax), %esp
	movl $processor_main, %ebp
	jmp enter_long_mode

/* Protected mode to long mode (SDM 3, 10.8.5), and on to the function in EBP. */
enter_long_mode:
	lgdt gdt_pointer
	movl $0x620, %eax		/* PAE, OSFXSR, OSXMMEXCPT */
	movl %eax, %cr4
	movl $page_map, %eax
	movl %eax, %cr3
	movl $0xc0000080, %ecx		/* IA32_EFER */
	rdmsr
	orl $0x100, %eax		/* LME */
	wrmsr
	movl $0x80010033, %eax		/* PG, WP, NE, ET, MP, PE */
	movl %eax, %cr0
	ljmp $SELECTOR_CODE64, $1f
	.code64
1:	movw $SELECTOR_DATA, %ax
	movw %ax, %ds
	movw %ax, %es
	movw %ax, %fs
	movw %ax, %gs
	movw %ax, %ss
	movl %ebp, %eax
	xorl %ebp, %ebp
	call *%rax
	ud2				/* neither function returns */

/*
 * What a SIPI starts: copied to the page that the SIPI's vector names, so it
 * addresses its own bytes by CS (whose base is the page) and the image absolutely.
 */
	.globl sipi_page, sipi_page_end
	.code16
sipi_page:
	cli
	cld
	lgdtl %cs:sipi_page_gdt_pointer - sipi_page
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	ljmpl $SELECTOR_CODE32, $processor_start
	.balign 4
sipi_page_gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt
sipi_page_end:

/*
 * 256 interrupt entries of 16 bytes each. The processor pushes an error code for
 * vectors 8, 10-14, 17, 21, 29 and 30 (SDM 3, 6.15; APM 2, 8.2); for all others we do.
 */
	.code64
	.globl interrupt_entries
	.balign 16
interrupt_entries:
	.set vector, 0
	.rept 256
	.set pushed_by_processor, 0
	.if vector < 32
	.set pushed_by_processor, 0x60227d00 >> vector & 1
	.endif
	.if pushed_by_processor == 0
	pushq $0
	.endif
	pushq $vector
	jmp interrupt_entry
	.balign 16
	.set vector, vector + 1
	.endr

interrupt_entry:
	cld
	pushq %rax
	pushq %rcx
	pushq %rdx
	pushq %rbx
	pushq %rbp
	pushq %rsi
	pushq %rdi
	pushq %r8
	pushq %r9
	pushq %r10
	pushq %r11
	pushq %r12
	pushq %r13
	pushq %r14
	pushq %r15
	movq %rsp, %rdi
	movq %rsp, %rbp
	andq $-16, %rsp
	call interrupt
	movq %rbp, %rsp
	popq %r15
	popq %r14
	popq %r13
	popq %r12
	popq %r11
	popq %r10
	popq %r9
	popq %r8
	popq %rdi
	popq %rsi
	popq %rbp
	popq %rbx
	popq %rdx
	popq %rcx
	popq %rax
	addq $16, %rsp
	iretq

	.data
	.globl gdt
	.balign 8
gdt:	.quad 0
	.quad 0x00cf9b000000ffff	/* SELECTOR_CODE32 */
	.quad 0x00cf93000000ffff	/* SELECTOR_DATA */
	.quad 0x00af9b000000ffff	/* SELECTOR_CODE64 */
	.quad 0, 0			/* SELECTOR_TSS, filled in by interrupts_init() */
gdt_end:
gdt_pointer:
	.word gdt_end - gdt - 1
	.long gdt

	.bss
	.globl multiboot_information, page_map
multiboot_information:
	.skip 4
processor_stacks_taken:
	.skip 4
	.balign 4096
page_map:
	.skip 0x1000
page_pointers:
	.skip 0x1000
page_directories:
	.skip 0x4000
boot_stack:
	.skip 0x4000
boot_stack_end:
processor_stacks:
	.skip PROCESSORS_MAX * STACK_SIZE
	.section .note.GNU-stack, "", @progbits
