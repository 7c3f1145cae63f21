/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A boot sector: entered in real mode at 0000:7c00, with its signature in its last bytes. */

	.code16
	.text
	jmp start
#include "tests/guests/boot/real.inc"

start:
	call here
here:
	popw %ax
	cmpw $here, %ax
	require e, "boot flat16: IP"
	movw %cs, %ax
	testw %ax, %ax
	require z, "boot flat16: CS"
	movw %ds, %ax
	movw %ss, %bx
	orw %bx, %ax
	require z, "boot flat16: DS or SS"
	smsw %ax
	testw $1, %ax
	require z, "boot flat16: CR0"
	pushf
	popw %ax
	testw $0x200, %ax
	require z, "boot flat16: FLAGS"
	cmpw $0x7c00, %sp
	require be, "boot flat16: SP"
	finish 0, "boot flat16: ok"

	.org 510
	.short 0xaa55
