/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Says 'h' and halts with interrupts disabled: only NMI or RESET gets it out of there. */

#include "tests/guests/flat.h"

	print 'h
	cli
1:	hlt
	jmp 1b
