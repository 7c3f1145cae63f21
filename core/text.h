/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_TEXT_H
#define HUTCH_CORE_TEXT_H

/* Lines of text without a C library. */

#include <stddef.h>

/* Copies as much as fits, ended by a zero byte. */
static inline void text_copy(char *to, size_t size, const char *from)
{
	size_t at = 0;

	for (; size && at < size - 1 && from[at]; at++)
		to[at] = from[at];
	if (size)
		to[at] = 0;
}

#endif
