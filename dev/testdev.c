/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/testdev.h"

/*
 * Memory that is not memory, and a guest's hand on its own interrupt lines.
 */

#define PAGE_MASK 0xfffu

/* Little-endian bytes at @offset; those beyond @limit are not driven. */
static uint64_t read_bytes(const uint8_t *bytes, uint64_t limit, uint64_t offset, unsigned int size)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < size && i < 8; i++) {
		uint8_t byte = offset < limit && i < limit - offset ? bytes[offset + i] : 0xff;

		value |= (uint64_t)byte << (8 * i);
	}
	return value;
}

static void write_bytes(uint8_t *bytes, uint64_t limit, uint64_t offset, unsigned int size,
			uint64_t value)
{
	for (unsigned int i = 0; i < size && i < 8; i++)
		if (offset < limit && i < limit - offset)
			bytes[offset + i] = (uint8_t)(value >> (8 * i));
}

uint32_t testdev_echo_read(const struct testdev *testdev, unsigned int offset, unsigned int size)
{
	return (uint32_t)read_bytes(testdev->echo, TESTDEV_ECHO_SIZE, offset, size);
}

void testdev_echo_write(struct testdev *testdev, unsigned int offset, unsigned int size,
			uint32_t value)
{
	write_bytes(testdev->echo, TESTDEV_ECHO_SIZE, offset, size, value);
}

void testdev_flush_write(struct testdev *testdev, uint32_t gpa)
{
	if (testdev->wiring.flush)
		testdev->wiring.flush(testdev->wiring.owner, gpa & ~PAGE_MASK);
}

void testdev_irq_write(struct testdev *testdev, unsigned int offset, uint8_t value)
{
	struct line line = testdev->wiring.irq;

	if (offset >= TESTDEV_IRQ_COUNT)
		return;
	line.pin = offset;
	line_set(&line, value != 0);
}

uint64_t testdev_mmio_read(const struct testdev *testdev, uint64_t offset, unsigned int size)
{
	return read_bytes(testdev->wiring.memory, TESTDEV_MMIO_SIZE, offset, size);
}

void testdev_mmio_write(struct testdev *testdev, uint64_t offset, unsigned int size, uint64_t value)
{
	write_bytes(testdev->wiring.memory, TESTDEV_MMIO_SIZE, offset, size, value);
}

void testdev_reset(struct testdev *testdev, uint64_t now)
{
	(void)now;
	for (unsigned int i = 0; i < TESTDEV_ECHO_SIZE; i++)
		testdev->echo[i] = 0;
	for (unsigned int i = 0; i < TESTDEV_IRQ_COUNT; i++)
		testdev_irq_write(testdev, i, 0);
}

void testdev_init(struct testdev *testdev, const struct testdev_wiring *wiring, uint64_t now)
{
	(void)now;
	*testdev = (struct testdev){ .wiring = *wiring };
}
