/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_BARRIERS_H
#define HUTCH_CORE_BARRIERS_H

/* What host_barriers() (core/host.h) answers, for assembler too: bits. */

/* After a guest has run. */
#define HOST_FILL_RETURNS    1 /* the return predictor holds the guest's addresses */
#define HOST_FORGET_BRANCHES 2 /* every predictor does */
#define HOST_CLEAR_HISTORY   4 /* the way that the guest went says where the host will go */

/* Before one runs. */
#define HOST_CLEAR_BUFFERS 8 /* the processor's buffers hold what the host has read */

#endif
