/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Writes the alphabet to COM1 a thousand times, without ever asking whether there is
 * room: 26,000 bytes, of which none may be lost.
 */

#include "tests/guests/flat.h"

	movw $0x3f8, %dx
	movw $1000, %cx
1:	movb $'a', %al
2:	outb %al, %dx
	incb %al
	cmpb $'z', %al
	jbe 2b
	decw %cx
	jnz 1b
	finish 0
