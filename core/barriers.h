/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_BARRIERS_H
#define HUTCH_CORE_BARRIERS_H

/* What host_exit_barriers() (core/host.h) answers, for assembler too: bits. */

#define HOST_FILL_RETURNS    1 /* the return predictor holds the guest's addresses */
#define HOST_FORGET_BRANCHES 2 /* every predictor does */

#endif
