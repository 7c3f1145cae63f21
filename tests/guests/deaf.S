/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Asks to hear of the power button (ACPI 6.4, 4.8.3.1.2), says 'd', and never looks. */

#include "tests/guests/flat.h"

	movw $0x602, %dx
	movw $0x100, %ax
	outw %ax, %dx
	print 'd
	cli
1:	hlt
	jmp 1b
