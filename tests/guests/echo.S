/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Sends back what comes in at COM1, byte for byte, until a 'q', which ends it. Says
 * '>' when it listens (RTS on, FIFOs enabled).
 */

#include "tests/guests/flat.h"

#define COM1 0x3f8

	movw $COM1 + 2, %dx
	movb $0x07, %al		/* FCR: enable and clear the FIFOs */
	outb %al, %dx
	movw $COM1 + 4, %dx
	movb $0x03, %al		/* MCR: DTR, RTS */
	outb %al, %dx
	movw $COM1, %dx
	movb $'>', %al
	outb %al, %dx

next:	movw $COM1 + 5, %dx
1:	inb %dx, %al		/* LSR: data ready */
	testb $0x01, %al
	jz 1b
	movw $COM1, %dx
	inb %dx, %al
	movb %al, %bl
	movw $COM1 + 5, %dx
2:	inb %dx, %al		/* LSR: transmitter empty */
	testb $0x20, %al
	jz 2b
	movw $COM1, %dx
	movb %bl, %al
	outb %al, %dx
	cmpb $'q', %bl
	jne next
	finish 0
