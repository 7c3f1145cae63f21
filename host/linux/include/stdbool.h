/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HOST_LINUX_INCLUDE_STDBOOL_H
#define HUTCH_HOST_LINUX_INCLUDE_STDBOOL_H

/* bool, true and false (C11, 7.18), as Linux has them. */

#include <linux/stddef.h>
#include <linux/types.h>

#endif
