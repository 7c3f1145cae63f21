/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_BOOT_GUEST_H
#define HUTCH_TESTS_GUESTS_BOOT_GUEST_H

/*
 * What the protected-mode and long-mode guests share. Each is its protocol's kernel in
 * miniature: it looks at the state it is entered in and at the tables it is given, and says
 *
 *	boot PROTOCOL: ok			and leaves with status 0, or
 *	boot PROTOCOL: WHAT is wrong		and leaves with status 1
 *
 * to the debug console and the first serial port. They are started with the words of
 * COMMAND_LINE on the command line, and with the module that the Makefile builds.
 *
 * The code is assembled for 32-bit and for 64-bit mode alike: addresses are below 4 GiB
 * and in 32-bit registers, whose upper halves the processor clears.
 *
 * A guest defines PROTOCOL, a string, before it includes this.
 */

#include "tests/guests/boot/guest_words.h"

#define MEMORY_RAM   1

	/* Jumps to the report with @what, a string, unless the flags are as @condition says. */
	.macro require condition, what
	.pushsection .rodata
.Lwhat\@:
	.asciz "boot " PROTOCOL ": \what is wrong\n"
	.popsection
	j\condition .Lgood\@
	movl $.Lwhat\@, %esi
	jmp fail
.Lgood\@:
	.endm

	.macro require_equal value, register, what
	cmpl $\value, \register
	require e, "\what"
	.endm

	/* The physical address in the 32-bit field at @address holds @text. */
	.macro require_text address, text, what
	.pushsection .rodata
.Ltext\@:
	.asciz "\text"
	.popsection
	movl \address, %esi
	movl $.Ltext\@, %edi
	call begins
	require e, "\what"
	.endm

	.section .rodata
message_ok:
	.asciz "boot " PROTOCOL ": ok\n"
command_line_word:
	.asciz COMMAND_LINE
module_begin:
	.asciz MODULE_BEGIN
module_end:
	.asciz MODULE_END
rsdp_signature:
	.asciz "RSD PTR "

	.section .bss
	.balign 16
	.skip 4096
stack_top:

	.text
	jmp .Lafter_library

	/* Prints the string at ESI to the debug console, and then to the first serial port. */
print:
	movl %esi, %edi
.Lto_console:
	movb (%edi), %al
	testb %al, %al
	jz .Lto_serial_port
	outb %al, $0xe9
	addl $1, %edi
	jmp .Lto_console
.Lto_serial_port:
	movl $0x3fd, %edx
	inb %dx, %al /* the line status register: bit 5, room for a character */
	testb $0x20, %al
	jz .Lto_serial_port
	movb (%esi), %al
	testb %al, %al
	jz .Lprinted
	movl $0x3f8, %edx
	outb %al, %dx
	addl $1, %esi
	jmp .Lto_serial_port
.Lprinted:
	ret

	/* The verdict, which ESI says to be wrong. Neither comes back. */
fail:
	movl $stack_top, %esp
	call print
	movb $1, %al
	outb %al, $0xf4
	hlt
pass:
	movl $message_ok, %esi
	call print
	movb $0, %al
	outb %al, $0xf4
	hlt

	/* ZF: whether the text at ESI begins with the string at EDI. */
begins:
	movb (%edi), %al
	testb %al, %al
	jz .Lbegins
	cmpb %al, (%esi)
	jne .Lbegins
	addl $1, %esi
	addl $1, %edi
	jmp begins
.Lbegins:
	ret

	/* The string at ESI has the word that the guest was started with. */
check_command_line:
	movl %esi, %ebp
.Lsearch:
	movl %ebp, %esi
	movl $command_line_word, %edi
	call begins
	je .Lfound
	cmpb $0, (%ebp)
	require ne, "the command line"
	addl $1, %ebp
	jmp .Lsearch
.Lfound:
	ret

	/* The module from ESI to EDI: its size, how it begins and how it ends. */
check_module:
	movl %edi, %ebx
	movl %edi, %eax
	subl %esi, %eax
	require_equal MODULE_SIZE, %eax, "the module's size"
	testl $0xfff, %esi
	require z, "the module's alignment"
	movl $module_begin, %edi
	call begins
	require e, "the module's beginning"
	leal -7(%ebx), %esi
	movl $module_end, %edi
	call begins
	require e, "the module's end"
	ret

	/* The RSDP at ESI: its signature and, over 20 bytes, its checksum. */
check_rsdp:
	movl %esi, %ebp
	movl $rsdp_signature, %edi
	call begins
	require e, "the RSDP's signature"
	xorl %eax, %eax
	xorl %ecx, %ecx
.Lsum:
	addb (%ebp,%ecx), %al
	addl $1, %ecx
	cmpl $20, %ecx
	jne .Lsum
	testb %al, %al
	require z, "the RSDP's checksum"
	ret

	/*
	 * The memory map: ECX entries from EBX on, EBP bytes apart, each a 64-bit address, a
	 * 64-bit size and a 32-bit type. It is sorted, its entries do not overlap, and there
	 * is RAM at 0 and at 1 MiB, here too.
	 */
check_memory_map:
	testl %ecx, %ecx
	require nz, "the memory map's length"
	xorl %esi, %esi /* EDX:ESI is where the entry before ended */
	xorl %edx, %edx
	xorl %edi, %edi /* bit 0: RAM at 0 was seen; bit 1: at 1 MiB */
.Lentry:
	movl (%ebx), %eax
	cmpl %edx, 4(%ebx)
	ja .Lsorted
	require e, "the memory map's order"
	cmpl %esi, %eax
	require ae, "the memory map's order"
.Lsorted:
	cmpl $MEMORY_RAM, 16(%ebx)
	jne .Lnext
	cmpl $0, 4(%ebx)
	jne .Lnext
	testl %eax, %eax
	jnz .Lnot_at_0
	cmpl $0x80000, 8(%ebx)
	require ae, "the memory map's first range"
	orl $1, %edi
.Lnot_at_0:
	cmpl $0x100000, %eax
	jne .Lnext
	addl 8(%ebx), %eax
	cmpl $stack_top, %eax
	require a, "the memory map's end of RAM"
	orl $2, %edi
.Lnext:
	movl (%ebx), %esi
	movl 4(%ebx), %edx
	addl 8(%ebx), %esi
	adcl 12(%ebx), %edx
	addl %ebp, %ebx
	subl $1, %ecx
	jnz .Lentry
	require_equal 3, %edi, "the memory map's RAM"
	ret

.Lafter_library:

#endif
