/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Exactly 1,000 accesses to ports, so 1,000 exits: 999 to the POST port and the last
 * to the debug exit port.
 */

#include "tests/guests/flat.h"

	movw $999, %cx
	movb $0x42, %al
1:	outb %al, $0x80
	decw %cx
	jnz 1b
	finish 0
