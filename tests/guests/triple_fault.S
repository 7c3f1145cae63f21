/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An undefined instruction with an interrupt table of no length: the exception's
 * delivery faults, the double fault's too, and the processor shuts down (SDM 3, 6.15,
 * "Interrupt 8"). The stack that holds the table's address is at 0x7000.
 */

#include "tests/guests/flat.h"

#if MODE == 16
	/* An emulator may take the table for 1,024 bytes whatever its length: no memory there. */
	xorw %ax, %ax
	movw %ax, %ss
	movw $0x7000, %sp
	pushl $0xc0000000
	pushw %ax
	movw %sp, %bp
	lidtl (%bp)
#elif MODE == 32
	movl $0x7000, %esp
	pushl $0
	pushl $0
	lidtl (%esp)
#else
	movl $0x7000, %esp
	pushq $0
	pushq $0
	lidtq (%rsp)
#endif
	ud2
	finish 1
