/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Says 's' and never does anything again, without ever leaving the guest. */

#include "tests/guests/flat.h"

	print 's
1:	pause
	jmp 1b
