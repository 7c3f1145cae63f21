/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_BENCH_HYPERVISOR_GUEST_H
#define HUTCH_BENCH_HYPERVISOR_GUEST_H

/* What hypervisor_guest.S and its host agree on: physical addresses below 64K, vectors. */

#define GUEST_CODE	   0x1000
#define GUEST_COUNTS	   0x800  /* a word for each processor: interrupts it got */
#define GUEST_STACKS	   0x7000 /* of the first; 4K lower for the next */
#define GUEST_IPI_VECTOR   0x40
#define GUEST_TIMER_VECTOR 0x41
#define GUEST_END_PORT	   0xf5

#endif
