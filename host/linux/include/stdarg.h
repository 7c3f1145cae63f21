/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HOST_LINUX_INCLUDE_STDARG_H
#define HUTCH_HOST_LINUX_INCLUDE_STDARG_H

/* Variable arguments (C11, 7.16), as Linux has them. */

#include <linux/stdarg.h>

#endif
