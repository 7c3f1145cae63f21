/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HOST_LINUX_INCLUDE_STDDEF_H
#define HUTCH_HOST_LINUX_INCLUDE_STDDEF_H

/* NULL, offsetof, size_t, ptrdiff_t (C11, 7.19), as Linux has them. */

#include <linux/stddef.h>
#include <linux/types.h>

#endif
