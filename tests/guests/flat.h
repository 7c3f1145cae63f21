/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_FLAT_H
#define HUTCH_TESTS_GUESTS_FLAT_H

/*
 * For the payloads in assembly, which are assembled once for each MODE of the
 * processor. They may be loaded anywhere and find no stack, so they address nothing
 * but ports and what is relative to where they run.
 */

#if MODE == 16
.code16
#elif MODE == 32
.code32
#else
.code64
#endif

	/* Ends the guest with @status, through the debug exit port. */
	.macro finish status
	movb $\status, %al
	outb %al, $0xf4
	.endm

	/* Prints the characters given, as 'a, 'b, ..., to the debug console. */
	.macro print characters:vararg
	.irp character, \characters
	movb $\character, %al
	outb %al, $0xe9
	.endr
	.endm

#endif
