/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The smallest guest that can be seen: one word, and out. */

#include "tests/guests/flat.h"

	print 'h, 'e, 'l, 'l, 'o, '\n
	finish 0
