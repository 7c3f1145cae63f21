/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sets every timer to the shortest period that it has, with its interrupt enabled, and
 * never takes one of them: the 8254 in mode 2 with a count of 2, the clock's periodic
 * interrupt at 8192 Hz with the index left at register C and read all the time.
 */

#include "tests/guests/flat.h"

	movb $0x34, %al		/* counter 0, both bytes, mode 2 */
	outb %al, $0x43
	movb $2, %al
	outb %al, $0x40
	xorl %eax, %eax
	outb %al, $0x40

	movb $0x0a, %al
	outb %al, $0x70
	movb $0x23, %al		/* 32.768 kHz, rate 3 */
	outb %al, $0x71
	movb $0x0b, %al
	outb %al, $0x70
	movb $0x72, %al		/* periodic, alarm and update interrupts, 24 hours */
	outb %al, $0x71
	print 't
	movb $0x0c, %al
	outb %al, $0x70
1:	inb $0x71, %al
	jmp 1b
