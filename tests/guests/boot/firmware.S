/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Firmware of 64 KiB: it begins 16 bytes below 4 GiB, jumps to its copy below 1 MiB and looks
 * whether that copy and the space for option ROMs are RAM, and the original is not.
 */

#define SEGMENT 0xf0000 /* where the copy is; offsets are counted from there */

	.code16
	.text
	.org 0
#include "tests/guests/boot/real.inc"

#define CODE 0x08
#define DATA 0x10

	.balign 8
table:
	.quad 0
	.quad 0x00cf9b000000ffff /* CODE */
	.quad 0x00cf93000000ffff /* DATA */
table_pointer:
	.short . - table - 1
	.long SEGMENT + table
table_end:
marker:
	.long 0x600df00d

start:
	movw $SEGMENT >> 4, %ax
	movw %ax, %ds
	xorw %ax, %ax
	movw %ax, %ss
	movw $0x7000, %sp
	smsw %ax
	testw $1, %ax
	require z, "boot firmware: CR0"

	/* The copy is RAM, and the space from 0xc0000 on is too. */
	movl $0x12345678, marker
	cmpl $0x12345678, marker
	require e, "boot firmware: RAM at 0xf0000"
	movw $0xc000, %ax
	movw %ax, %es
	movl $0x87654321, %es:0x10
	cmpl $0x87654321, %es:0x10
	require e, "boot firmware: RAM at 0xc0000"

	/* With flat segments, the original below 4 GiB: unchanged, and not to be changed. */
	lgdtl table_pointer
	movl %cr0, %eax
	orb $1, %al
	movl %eax, %cr0
	movw $DATA, %bx
	movw %bx, %es
	movl $(0xffff0000 + marker), %edi
	movl %es:(%edi), %ebp
	movl $0, %es:(%edi)
	movl %es:(%edi), %ecx
	andb $0xfe, %al
	movl %eax, %cr0
	cmpl $0x600df00d, %ebp
	require e, "boot firmware: the ROM below 4 GiB"
	cmpl $0x600df00d, %ecx
	require e, "boot firmware: the ROM after a write"
	finish 0, "boot firmware: ok"

	.org 0xfff0
	ljmpw $SEGMENT >> 4, $start
	.org 0xfffe
	.byte 0xfc, 0 /* the model byte of a PC/AT */
