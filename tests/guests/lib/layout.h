/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_LIB_LAYOUT_H
#define HUTCH_TESTS_GUESTS_LIB_LAYOUT_H

/* What start.S and the C files agree on. */

#define SELECTOR_CODE32 0x08
#define SELECTOR_DATA	0x10
#define SELECTOR_CODE64 0x18
#define SELECTOR_TSS	0x20

#define PROCESSORS_MAX	256
#define STACK_SIZE	4096 /* of each processor but the first */

#endif
