/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_TESTDEV_H
#define HUTCH_DEV_TESTDEV_H

/*
 * The test device that kvm-unit-tests expects (it is QEMU's pc-testdev): something for
 * every kind of access to hit, and wires that the guest can pull itself.
 *
 *	0xe0	echo: four bytes that read as they were written, by 1, 2 or 4
 *	0xe4	flush: the page at the address written leaves the guest's page tables
 *		of the second level, and comes back when it is touched
 *	0x2000	interrupt lines: a byte written to port 0x2000 + n sets line n
 *	0xff000000	64 KiB of memory behind MMIO, so that every access exits
 *
 * To wire it: give testdev_init() the memory (all zero, TESTDEV_MMIO_SIZE bytes, the
 * owner's), the line to pull (its @pin is replaced by n), and what flushes a page;
 * send each range's accesses to its own two functions. There is nothing to tick.
 */

#include <stdint.h>

#include "dev/line.h"

#define TESTDEV_ECHO_PORT    0xe0
#define TESTDEV_ECHO_SIZE    4
#define TESTDEV_FLUSH_PORT   0xe4
#define TESTDEV_IRQ_PORT     0x2000
#define TESTDEV_IRQ_COUNT    24
#define TESTDEV_MMIO_ADDRESS 0xff000000ull
#define TESTDEV_MMIO_SIZE    0x10000

struct testdev_wiring {
	struct line irq;
	void (*flush)(void *owner, uint32_t gpa); /* page-aligned; may be NULL */
	void *owner;
	uint8_t *memory;
};

struct testdev {
	struct testdev_wiring wiring;
	uint8_t echo[TESTDEV_ECHO_SIZE];
};

void testdev_init(struct testdev *testdev, const struct testdev_wiring *wiring, uint64_t now);

/* The echo is zero again and every line low; the memory keeps what it holds. */
void testdev_reset(struct testdev *testdev, uint64_t now);

/* @size is 1, 2 or 4; what lies beyond the four bytes reads as ones. */
uint32_t testdev_echo_read(const struct testdev *testdev, unsigned int offset, unsigned int size);
void testdev_echo_write(struct testdev *testdev, unsigned int offset, unsigned int size,
			uint32_t value);

void testdev_flush_write(struct testdev *testdev, uint32_t gpa);

/* Line @offset, if there is one, goes high unless @value is 0. */
void testdev_irq_write(struct testdev *testdev, unsigned int offset, uint8_t value);

/* @size up to 8; what lies beyond the memory reads as ones. */
uint64_t testdev_mmio_read(const struct testdev *testdev, uint64_t offset, unsigned int size);
void testdev_mmio_write(struct testdev *testdev, uint64_t offset, unsigned int size,
			uint64_t value);

#endif
