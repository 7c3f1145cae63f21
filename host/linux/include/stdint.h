/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HOST_LINUX_INCLUDE_STDINT_H
#define HUTCH_HOST_LINUX_INCLUDE_STDINT_H

/* The C standard's exact-width integers (C11, 7.20), as Linux has them. */

#include <linux/types.h>

typedef long intptr_t;
typedef unsigned long uintmax_t;
typedef long intmax_t;

#define INT8_MAX	127
#define INT16_MAX	32767
#define INT32_MAX	2147483647
#define INT64_MAX	9223372036854775807ll
#define INT8_MIN	(-INT8_MAX - 1)
#define INT16_MIN	(-INT16_MAX - 1)
#define INT32_MIN	(-INT32_MAX - 1)
#define INT64_MIN	(-INT64_MAX - 1)
#define UINT8_MAX	255
#define UINT16_MAX	65535
#define UINT32_MAX	4294967295u
#define UINT64_MAX	18446744073709551615ull

#define INT64_C(value)	value##ll
#define UINT32_C(value) value##u
#define UINT64_C(value) value##ull

#endif
