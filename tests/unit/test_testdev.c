/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/testdev.h"

/*
 * Echo, flush, lines and memory.
 */

struct bench {
	struct testdev testdev;
	bool levels[TESTDEV_IRQ_COUNT];
	unsigned int flushes;
	uint32_t flushed;
	uint8_t memory[TESTDEV_MMIO_SIZE];
};

static void on_irq(void *owner, unsigned int pin, bool level)
{
	struct bench *bench = owner;

	assert_true(pin < TESTDEV_IRQ_COUNT);
	bench->levels[pin] = level;
}

static void on_flush(void *owner, uint32_t gpa)
{
	struct bench *bench = owner;

	bench->flushes++;
	bench->flushed = gpa;
}

static int make(void **state)
{
	static struct bench bench;
	struct testdev_wiring wiring = {
		.irq = { .set = on_irq, .owner = &bench, .pin = 99 },
		.flush = on_flush,
		.owner = &bench,
		.memory = bench.memory,
	};

	bench = (struct bench){ 0 };
	testdev_init(&bench.testdev, &wiring, 0);
	*state = &bench;
	return 0;
}

static void echo(void **state)
{
	struct bench *bench = *state;
	struct testdev *testdev = &bench->testdev;

	testdev_echo_write(testdev, 0, 4, 0x44332211);
	assert_int_equal(testdev_echo_read(testdev, 0, 4), 0x44332211);
	assert_int_equal(testdev_echo_read(testdev, 0, 2), 0x2211);
	assert_int_equal(testdev_echo_read(testdev, 0, 1), 0x11);
	testdev_echo_write(testdev, 0, 1, 0xaabbccdd);
	assert_int_equal(testdev_echo_read(testdev, 0, 4), 0x443322dd);
	testdev_echo_write(testdev, 0, 2, 0x8877);
	assert_int_equal(testdev_echo_read(testdev, 0, 4), 0x44338877);
	testdev_echo_write(testdev, 2, 2, 0xbeef);
	assert_int_equal(testdev_echo_read(testdev, 0, 4), 0xbeef8877);
	assert_int_equal(testdev_echo_read(testdev, 3, 4), 0xffffffbe);
	testdev_echo_write(testdev, 3, 4, 0x01020304);
	testdev_echo_write(testdev, 9, 4, 0x01020304);
	assert_int_equal(testdev_echo_read(testdev, 0, 4), 0x04ef8877);
}

static void flush(void **state)
{
	struct bench *bench = *state;

	testdev_flush_write(&bench->testdev, 0xfedcba98);
	assert_int_equal(bench->flushes, 1);
	assert_int_equal(bench->flushed, 0xfedcb000);
}

static void lines(void **state)
{
	struct bench *bench = *state;

	for (unsigned int i = 0; i < TESTDEV_IRQ_COUNT; i++) {
		testdev_irq_write(&bench->testdev, i, 2);
		for (unsigned int n = 0; n < TESTDEV_IRQ_COUNT; n++)
			assert_int_equal(bench->levels[n], n == i);
		testdev_irq_write(&bench->testdev, i, 0);
		assert_false(bench->levels[i]);
	}
	testdev_irq_write(&bench->testdev, TESTDEV_IRQ_COUNT, 1);
	testdev_irq_write(&bench->testdev, 3, 1);
	testdev_reset(&bench->testdev, 0);
	assert_false(bench->levels[3]);
}

static void memory_by_any_size(void **state)
{
	struct bench *bench = *state;
	struct testdev *testdev = &bench->testdev;

	testdev_mmio_write(testdev, 0x100, 8, 0x8877665544332211ull);
	assert_int_equal(testdev_mmio_read(testdev, 0x100, 8), 0x8877665544332211ull);
	assert_int_equal(testdev_mmio_read(testdev, 0x103, 4), 0x77665544);
	assert_int_equal(testdev_mmio_read(testdev, 0x107, 1), 0x88);
	testdev_mmio_write(testdev, 0x101, 1, 0xee);
	testdev_mmio_write(testdev, 0x102, 2, 0xbbcc);
	assert_int_equal(testdev_mmio_read(testdev, 0x100, 8), 0x88776655bbccee11ull);
	assert_int_equal(bench->memory[0x101], 0xee);
}

static void memory_ends(void **state)
{
	struct bench *bench = *state;
	struct testdev *testdev = &bench->testdev;

	testdev_mmio_write(testdev, TESTDEV_MMIO_SIZE - 2, 8, 0x1122334455667788ull);
	assert_int_equal(testdev_mmio_read(testdev, TESTDEV_MMIO_SIZE - 2, 4), 0xffff7788);
	testdev_mmio_write(testdev, UINT64_MAX - 1, 8, 0);
	assert_int_equal(testdev_mmio_read(testdev, UINT64_MAX - 1, 8), UINT64_MAX);
	assert_int_equal(testdev_mmio_read(testdev, TESTDEV_MMIO_SIZE, 1), 0xff);
	assert_int_equal(testdev_mmio_read(testdev, 0, 8), 0);
}

static void reset_keeps_memory(void **state)
{
	struct bench *bench = *state;

	testdev_echo_write(&bench->testdev, 0, 4, 0x12345678);
	testdev_mmio_write(&bench->testdev, 0, 1, 0x55);
	testdev_reset(&bench->testdev, 0);
	assert_int_equal(testdev_echo_read(&bench->testdev, 0, 4), 0);
	assert_int_equal(testdev_mmio_read(&bench->testdev, 0, 1), 0x55);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(echo, make),
		cmocka_unit_test_setup(flush, make),
		cmocka_unit_test_setup(lines, make),
		cmocka_unit_test_setup(memory_by_any_size, make),
		cmocka_unit_test_setup(memory_ends, make),
		cmocka_unit_test_setup(reset_keeps_memory, make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
