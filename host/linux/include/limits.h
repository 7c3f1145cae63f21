/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HOST_LINUX_INCLUDE_LIMITS_H
#define HUTCH_HOST_LINUX_INCLUDE_LIMITS_H

/* Sizes of the integer types (C11, 7.10), as Linux has them. */

#include <linux/limits.h>

#define CHAR_BIT 8

#endif
