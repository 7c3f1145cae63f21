/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_I8042_FIXTURE_H
#define HUTCH_TESTS_UNIT_I8042_FIXTURE_H

/*
 * A keyboard controller on the bench, its three lines probed.
 */

#include "tests/unit/device_test.h"

#include "dev/i8042.h"

#define KEY_A	  0x04
#define KEY_B	  0x05
#define KEY_ENTER 0x28

struct bench {
	struct i8042 i8042;
	struct probe irq, reset, a20;
	uint64_t now;
};

static inline void make(struct bench *bench)
{
	struct i8042_wiring wiring = {
		.irq = probe_line(&bench->irq, 1),
		.reset = probe_line(&bench->reset, 0),
		.a20 = probe_line(&bench->a20, 0),
	};

	*bench = (struct bench){ 0 };
	i8042_init(&bench->i8042, &wiring, 0);
}

static inline uint8_t status(struct bench *bench)
{
	return i8042_read(&bench->i8042, I8042_COMMAND, bench->now);
}

static inline uint8_t data(struct bench *bench)
{
	return i8042_read(&bench->i8042, I8042_DATA, bench->now);
}

static inline void command(struct bench *bench, uint8_t value)
{
	i8042_write(&bench->i8042, I8042_COMMAND, value, bench->now);
}

static inline void send(struct bench *bench, uint8_t value)
{
	i8042_write(&bench->i8042, I8042_DATA, value, bench->now);
}

static inline bool key(struct bench *bench, uint8_t usage, bool pressed)
{
	return i8042_key(&bench->i8042, usage, pressed, bench->now);
}

static inline bool full(struct bench *bench)
{
	return status(bench) & I8042_STATUS_OUTPUT_FULL;
}

static inline void write_config(struct bench *bench, uint8_t value)
{
	command(bench, 0x60);
	send(bench, value);
}

/* Exactly these bytes wait, and nothing after them. */
static inline void expect(struct bench *bench, size_t count, const uint8_t *bytes)
{
	for (size_t i = 0; i < count; i++) {
		assert_true(full(bench));
		assert_int_equal(data(bench), bytes[i]);
	}
	assert_false(full(bench));
}

#define EXPECT(bench, ...) \
	expect(bench, sizeof((const uint8_t[]){ __VA_ARGS__ }), (const uint8_t[]){ __VA_ARGS__ })

#endif
