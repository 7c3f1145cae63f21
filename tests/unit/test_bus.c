/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/bus.h"

/* Who is found at an address, in what pieces an access arrives, and what is at none. */

struct log {
	struct bus_access seen[16];
	unsigned int count;
	bool absent; /* answers that nobody is there */
};

/* Reads give the address in each byte. */
static bool note(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct log *log = owner;

	assert_null(vcpu);
	assert_true(log->count < 16);
	if (!access->write)
		memset(&access->value, (int)(access->address & 0xff), sizeof(access->value));
	log->seen[log->count++] = *access;
	return !log->absent;
}

static uint64_t read_bus(struct bus *bus, enum bus_space space, uint64_t address, unsigned int size)
{
	struct bus_access access = { .address = address, .size = size };

	bus_access(bus, space, NULL, &access);
	return access.value;
}

static void write_bus(struct bus *bus, enum bus_space space, uint64_t address, unsigned int size,
		      uint64_t value)
{
	struct bus_access access = {
		.address = address, .size = size, .value = value, .write = true
	};

	bus_access(bus, space, NULL, &access);
}

static void ranges_are_found(void **state)
{
	struct bus bus = { 0 };
	struct log a = { 0 }, b = { 0 }, c = { 0 };

	(void)state;
	assert_int_equal(bus_add(&bus, BUS_MMIO, 0x3000, 0x3fff, note, &c, "c"), 0);
	assert_int_equal(bus_add(&bus, BUS_MMIO, 0x1000, 0x1fff, note, &a, "a"), 0);
	assert_int_equal(bus_add(&bus, BUS_MMIO, 0x2000, 0x2000, note, &b, "b"), 0);
	assert_null(bus_find(&bus, BUS_MMIO, 0xfff));
	assert_ptr_equal(bus_find(&bus, BUS_MMIO, 0x1000)->owner, &a);
	assert_ptr_equal(bus_find(&bus, BUS_MMIO, 0x1fff)->owner, &a);
	assert_ptr_equal(bus_find(&bus, BUS_MMIO, 0x2000)->owner, &b);
	assert_null(bus_find(&bus, BUS_MMIO, 0x2001));
	assert_ptr_equal(bus_find(&bus, BUS_MMIO, 0x3800)->owner, &c);
	assert_null(bus_find(&bus, BUS_MMIO, 0x4000));
	assert_null(bus_find(&bus, BUS_MMIO, UINT64_MAX));
	/* The spaces know nothing of each other. */
	assert_null(bus_find(&bus, BUS_PORT, 0x1000));
	assert_null(bus_find(&bus, BUS_MSR, 0x1000));
}

static void ranges_that_cannot_be(void **state)
{
	struct bus bus = { 0 };
	struct log log = { 0 };

	(void)state;
	assert_int_equal(bus_add(&bus, BUS_PORT, 0x60, 0x64, note, &log, ""), 0);
	assert_int_equal(bus_add(&bus, BUS_PORT, 0x64, 0x70, note, &log, ""), -EEXIST);
	assert_int_equal(bus_add(&bus, BUS_PORT, 0x50, 0x60, note, &log, ""), -EEXIST);
	assert_int_equal(bus_add(&bus, BUS_PORT, 0x62, 0x62, note, &log, ""), -EEXIST);
	assert_int_equal(bus_add(&bus, BUS_PORT, 0x00, 0xff, note, &log, ""), -EEXIST);
	assert_int_equal(bus_add(&bus, BUS_PORT, 0x41, 0x40, note, &log, ""), -EINVAL);
	for (unsigned int i = 1; i < BUS_RANGES_MAX; i++)
		assert_int_equal(bus_add(&bus, BUS_PORT, 0x100 * i, 0x100 * i, note, &log, ""), 0);
	assert_int_equal(bus_add(&bus, BUS_PORT, 0x8000, 0x8000, note, &log, ""), -ENOSPC);
	assert_ptr_equal(bus_find(&bus, BUS_PORT, 0x62)->owner, &log);
}

/* A 32-bit access to eight-bit ports is four, from the lowest up. */
static void ports_are_eight_bits_wide(void **state)
{
	struct bus bus = { 0 };
	struct log log = { 0 };

	(void)state;
	assert_int_equal(bus_add(&bus, BUS_PORT, 0x40, 0x43, note, &log, ""), 0);
	assert_int_equal(read_bus(&bus, BUS_PORT, 0x40, 4), 0x43424140);
	assert_int_equal(log.count, 4);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(log.seen[i].address, 0x40 + i);
		assert_int_equal(log.seen[i].size, 1);
	}
	write_bus(&bus, BUS_PORT, 0x42, 2, 0xbbaa);
	assert_int_equal(log.seen[4].value, 0xaa);
	assert_int_equal(log.seen[5].value, 0xbb);
	/* What hangs over the edge hangs in the air. */
	assert_int_equal(read_bus(&bus, BUS_PORT, 0x42, 4), 0xffff4342);
	assert_int_equal(read_bus(&bus, BUS_PORT, 0x3f, 2), 0x40ff);
	assert_int_equal(atomic_load(&bus.unclaimed[BUS_PORT]), 0);
}

static void wide_ports(void **state)
{
	struct bus bus = { 0 };
	struct log wide = { 0 }, narrow = { 0 };

	(void)state;
	assert_int_equal(bus_add_ports(&bus, 0x600, 0x603, 2, note, &wide, ""), 0);
	assert_int_equal(bus_add_ports(&bus, 0xf4, 0xf4, 4, note, &wide, ""), 0);
	assert_int_equal(bus_add(&bus, BUS_PORT, 0xf5, 0xf5, note, &narrow, ""), 0);
	assert_int_equal(read_bus(&bus, BUS_PORT, 0x600, 2), 0x0000);
	assert_int_equal(wide.seen[0].size, 2);
	assert_int_equal(read_bus(&bus, BUS_PORT, 0x600, 4), 0x02020000);
	assert_int_equal(wide.count, 3);
	/* A port that takes 32 bits takes them all, whoever has the next number. */
	write_bus(&bus, BUS_PORT, 0xf4, 4, 0x12345678);
	assert_int_equal(wide.seen[3].value, 0x12345678);
	assert_int_equal(narrow.count, 0);
	/* From below it is eight-bit ports that are met. */
	write_bus(&bus, BUS_PORT, 0xf3, 2, 0x5511);
	assert_int_equal(wide.seen[4].value, 0x55);
	assert_int_equal(wide.seen[4].size, 1);
}

static void the_last_port(void **state)
{
	struct bus bus = { 0 };
	struct log first = { 0 }, last = { 0 };

	(void)state;
	assert_int_equal(bus_add(&bus, BUS_PORT, 0, 0, note, &first, ""), 0);
	assert_int_equal(bus_add(&bus, BUS_PORT, 0xffff, 0xffff, note, &last, ""), 0);
	assert_int_equal(read_bus(&bus, BUS_PORT, 0xffff, 4), 0xffffffff);
	assert_int_equal(last.count, 1);
	assert_int_equal(first.count, 0);
}

static void nobody_there(void **state)
{
	struct bus bus = { 0 };
	struct log log = { .absent = true };

	(void)state;
	assert_int_equal(read_bus(&bus, BUS_PORT, 0x1234, 1), 0xff);
	assert_int_equal(read_bus(&bus, BUS_PORT, 0x1234, 2), 0xffff);
	assert_int_equal(read_bus(&bus, BUS_PORT, 0x1234, 4), 0xffffffff);
	write_bus(&bus, BUS_PORT, 0x1234, 4, 0);
	assert_int_equal(atomic_load(&bus.unclaimed[BUS_PORT]), 4);
	assert_true(read_bus(&bus, BUS_MMIO, 0xd0000000, 8) == UINT64_MAX);
	assert_int_equal(atomic_load(&bus.unclaimed[BUS_MMIO]), 1);
	/* One who says that he is not there is not there. */
	assert_int_equal(bus_add(&bus, BUS_MSR, 0x800, 0x8ff, note, &log, ""), 0);
	assert_true(read_bus(&bus, BUS_MSR, 0x802, 8) == UINT64_MAX);
	assert_int_equal(log.count, 1);
	assert_int_equal(atomic_load(&bus.unclaimed[BUS_MSR]), 1);
}

/* A model may fill in more than was asked for; the guest gets what it asked for. */
static void values_are_cut_to_size(void **state)
{
	struct bus bus = { 0 };
	struct log log = { 0 };

	(void)state;
	assert_int_equal(bus_add(&bus, BUS_MMIO, 0x1000, 0x1fff, note, &log, ""), 0);
	assert_int_equal(read_bus(&bus, BUS_MMIO, 0x1011, 1), 0x11);
	assert_int_equal(read_bus(&bus, BUS_MMIO, 0x1011, 4), 0x11111111);
	assert_true(read_bus(&bus, BUS_MMIO, 0x1011, 8) == 0x1111111111111111);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ranges_are_found),
		cmocka_unit_test(ranges_that_cannot_be),
		cmocka_unit_test(ports_are_eight_bits_wide),
		cmocka_unit_test(wide_ports),
		cmocka_unit_test(the_last_port),
		cmocka_unit_test(nobody_there),
		cmocka_unit_test(values_are_cut_to_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
