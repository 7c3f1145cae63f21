/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* The module that the guests are given: text at both ends and nothing between. */

#include "tests/guests/boot/guest_words.h"

	.data
start:
	.ascii MODULE_BEGIN
	.skip MODULE_SIZE - (. - start) - 7
	.ascii MODULE_END
