/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A Multiboot 1 kernel. Assembled as an ELF file it leaves it to the program headers
 * where it goes; with ADDRESSES it is a flat file whose header's address fields say it.
 */

#ifdef ADDRESSES
#define PROTOCOL "multiboot1 by addresses"
#define FLAGS	 0x10003
#else
#define PROTOCOL "multiboot1"
#define FLAGS	 0x3
#endif
#define MAGIC 0x1badb002

	.code32
	.text
	.global _start
header:
	.long MAGIC, FLAGS, -(MAGIC + FLAGS)
	.long header, image_start, image_end, bss_end, _start

_start:
	movl $stack_top, %esp
	movl %eax, %ebp
	jmp 1f
#include "tests/guests/boot/guest.inc"
1:
	require_equal 0x2badb002, %ebp, "EAX"
	movl %ebx, information

	/* 3.2: protected mode, no paging, no interrupts, flat segments */
	movl %cr0, %eax
	andl $0x80000001, %eax
	require_equal 1, %eax, "CR0"
	pushfl
	popl %eax
	testl $0x20200, %eax
	require z, "EFLAGS"
	movl information, %ebx
	movl (%ebx), %eax
	andl $0x24d, %eax
	require_equal 0x24d, %eax, "the information's flags"
	testl $0x1800, (%ebx)
	require z, "the information about a display"
	cmpl $600, 4(%ebx)
	require a, "mem_lower"
	cmpl $640, 4(%ebx)
	require be, "mem_lower"
	cmpl $1024, 8(%ebx)
	require a, "mem_upper"

	/* The first word of the command line is the kernel's own name. */
	movl 16(%ebx), %esi
	cmpb $' ', (%esi)
	require a, "the kernel's name"
	call check_command_line
	movl information, %ebx
	require_text 64(%ebx), "hutch", "the loader's name"

	/* Each entry begins with its own size, 20, before the address. */
	movl 44(%ebx), %eax
	xorl %edx, %edx
	movl $24, %ebp
	divl %ebp
	testl %edx, %edx
	require z, "mmap_length"
	movl %eax, %ecx
	movl 48(%ebx), %ebx
	require_equal 20, (%ebx), "the memory map's entry size"
	addl $4, %ebx
	call check_memory_map

	movl information, %ebx
	require_equal 1, 20(%ebx), "mods_count"
	movl 24(%ebx), %ebx
	movl (%ebx), %esi
	movl 4(%ebx), %edi
	call check_module
	movl information, %ebx
	movl 24(%ebx), %ebx
	movl 8(%ebx), %esi
	cmpb $' ', (%esi)
	require a, "the module's name"
	jmp pass

	.bss
information:
	.long 0
