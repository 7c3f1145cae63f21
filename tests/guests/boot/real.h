/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_BOOT_REAL_H
#define HUTCH_TESTS_GUESTS_BOOT_REAL_H

/* For the guests that are entered in real mode: print and leave, with DS's base at 0 in their
 * own segment. */

	/* Prints the string at DS:SI to the debug console, and then to the first serial port. */
	.code16
print:
	movw %si, %di
.Lto_console:
	movb (%di), %al
	testb %al, %al
	jz .Lto_serial_port
	outb %al, $0xe9
	incw %di
	jmp .Lto_console
.Lto_serial_port:
	movw $0x3fd, %dx
	inb %dx, %al
	testb $0x20, %al
	jz .Lto_serial_port
	lodsb
	testb %al, %al
	jz .Lprinted
	movw $0x3f8, %dx
	outb %al, %dx
	jmp .Lto_serial_port
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
