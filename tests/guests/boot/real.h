/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_BOOT_REAL_H
#define HUTCH_TESTS_GUESTS_BOOT_REAL_H

/* For the guests that are entered in real mode: print and leave, with DS's base at 0 in their
 * own segment. */

	/* Prints the string at DS:SI. */
	.code16
print:
	lodsb
	testb %al, %al
	jz .Lprinted
	outb %al, $0xe9
	movb %al, %ah
	movw $0x3fd, %dx
.Lwait_for_room:
	inb %dx, %al
	testb $0x20, %al
	jz .Lwait_for_room
	movw $0x3f8, %dx
	movb %ah, %al
	outb %al, %dx
	jmp print
.Lprinted:
	ret

	/* Prints the string at DS:SI and leaves with the status in BL. */
leave_guest:
	call print
	movb %bl, %al
	outb %al, $0xf4
	hlt

	.macro finish status, text
	movw $.Ltext\@, %si
	movb $\status, %bl
	jmp leave_guest
.Ltext\@:
	.asciz "\text\n"
	.endm

	.macro require condition, text
	j\condition .Lgood\@
	finish 1, "\text is wrong"
.Lgood\@:
	.endm

#endif
