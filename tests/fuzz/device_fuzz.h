/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_FUZZ_DEVICE_FUZZ_H
#define HUTCH_TESTS_FUZZ_DEVICE_FUZZ_H

/*
 * A guest that does anything: turns bytes into accesses, ticks and input for one
 * device model, and checks after each what must hold for every model (dev/line.h):
 *
 *	- a tick returns a moment that lies ahead of it, so the owner never spins;
 *	- a second tick at the same moment does nothing and says the same;
 *	- one call changes the output lines at most @edge_limit times, however much
 *	  time has passed;
 *	- 64 ticks, each at the moment asked for, take at least @pace nanoseconds;
 *	- and whatever the model's own @check says.
 *
 * A fuzzer is a file with a struct device_fuzz and LLVMFuzzerTestOneInput(), which
 * makes a fresh model and calls device_fuzz_run(). Each step of the input is one
 * byte that says what to do and the bytes that this needs; when they run out, zeroes.
 *
 *	bits 0-2  0 read, 1 write, 2 a moment passes, 3 on to the next deadline,
 *		  4 input, 5 a long time passes, 6 time passes and nobody ticks, 7 reset
 *	bits 3-4  access size: 1, 2, 4 or 8 bytes where the device has it
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "dev/line.h"

#define DEVICE_FUZZ_LINES 64

struct device_fuzz {
	void *device;
	uint32_t space;	    /* offsets of accesses are below this */
	unsigned int sizes; /* access sizes there are, or-ed: 1 | 2 | 4 | 8; 0 means 1 */
	uint64_t (*read)(void *device, uint32_t offset, unsigned int size, uint64_t now);
	void (*write)(void *device, uint32_t offset, unsigned int size, uint64_t value,
		      uint64_t now);
	uint64_t (*tick)(void *device, uint64_t now);
	/* These may be NULL. */
	void (*input)(void *device, uint8_t kind, uint8_t value, uint64_t now);
	void (*reset)(void *device, uint64_t now);
	void (*check)(void *device, uint64_t now);
	unsigned int edge_limit; /* 0 means 16 */
	uint64_t pace;		 /* ns; 0 means 64, which is only "forward" */
};

/* What the lines from device_fuzz_line() carry. */
static struct {
	bool level[DEVICE_FUZZ_LINES];
	unsigned int edges; /* changes since the last call began */
} device_fuzz_wires;

#define DEVICE_FUZZ_REQUIRE(condition)                                                    \
	do {                                                                              \
		if (!(condition)) {                                                       \
			fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, \
				#condition);                                              \
			abort();                                                          \
		}                                                                         \
	} while (0)

static inline void device_fuzz_set(void *owner, unsigned int pin, bool level)
{
	(void)owner;
	DEVICE_FUZZ_REQUIRE(pin < DEVICE_FUZZ_LINES);
	if (device_fuzz_wires.level[pin] != level)
		device_fuzz_wires.edges++;
	device_fuzz_wires.level[pin] = level;
}

/* An output line for the model's init; its level is device_fuzz_wires.level[@pin]. */
static inline struct line device_fuzz_line(unsigned int pin)
{
	return (struct line){ .set = device_fuzz_set, .pin = pin };
}

/* The input's bytes, taken one by one from the front. */
struct device_fuzz_bytes {
	const uint8_t *data;
	size_t size;
};

static inline uint64_t device_fuzz_take(struct device_fuzz_bytes *bytes, unsigned int count)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < count && bytes->size; i++, bytes->data++, bytes->size--)
		value |= (uint64_t)*bytes->data << (8 * i);
	return value;
}

static inline void device_fuzz_edges(const struct device_fuzz *fuzz)
{
	DEVICE_FUZZ_REQUIRE(device_fuzz_wires.edges <= (fuzz->edge_limit ? fuzz->edge_limit : 16));
	device_fuzz_wires.edges = 0;
}

static inline uint64_t device_fuzz_tick(const struct device_fuzz *fuzz, uint64_t now)
{
	uint64_t deadline, again;

	device_fuzz_wires.edges = 0;
	deadline = fuzz->tick(fuzz->device, now);
	device_fuzz_edges(fuzz);
	DEVICE_FUZZ_REQUIRE(deadline > now);
	again = fuzz->tick(fuzz->device, now);
	DEVICE_FUZZ_REQUIRE(again == deadline);
	DEVICE_FUZZ_REQUIRE(device_fuzz_wires.edges == 0);
	return deadline;
}

/* One read or write at an offset and of a size that the device has. */
static inline void device_fuzz_access(const struct device_fuzz *fuzz,
				      struct device_fuzz_bytes *bytes, uint8_t step, uint64_t now)
{
	unsigned int sizes = fuzz->sizes ? fuzz->sizes : 1;
	unsigned int size = 1u << ((step >> 3) & 3);
	uint32_t offset = (uint32_t)device_fuzz_take(bytes, fuzz->space > 256 ? 2 : 1);

	while (!(sizes & size))
		size = size > 1 ? size >> 1 : 8;
	device_fuzz_wires.edges = 0;
	if ((step & 7) == 0)
		fuzz->read(fuzz->device, offset % fuzz->space, size, now);
	else
		fuzz->write(fuzz->device, offset % fuzz->space, size, device_fuzz_take(bytes, size),
			    now);
	device_fuzz_edges(fuzz);
}

static inline void device_fuzz_input(const struct device_fuzz *fuzz,
				     struct device_fuzz_bytes *bytes, uint64_t now)
{
	uint8_t kind = (uint8_t)device_fuzz_take(bytes, 1);
	uint8_t value = (uint8_t)device_fuzz_take(bytes, 1);

	device_fuzz_wires.edges = 0;
	if (fuzz->input)
		fuzz->input(fuzz->device, kind, value, now);
	device_fuzz_edges(fuzz);
}

/* From deadline to deadline, as an owner with nothing else to do would go. */
static inline uint64_t device_fuzz_pace(const struct device_fuzz *fuzz, uint64_t now)
{
	uint64_t begin = now, deadline = device_fuzz_tick(fuzz, now);

	for (unsigned int i = 0; i < 64; i++) {
		if (deadline == DEV_NEVER)
			return now;
		now = deadline;
		deadline = device_fuzz_tick(fuzz, now);
	}
	DEVICE_FUZZ_REQUIRE(now - begin >= (fuzz->pace ? fuzz->pace : 64));
	return now;
}

/* Runs the whole input against the model, from time 0. */
static inline void device_fuzz_run(const struct device_fuzz *fuzz, const uint8_t *data, size_t size)
{
	struct device_fuzz_bytes bytes = { data, size };
	uint64_t now = 0, deadline;

	while (bytes.size) {
		uint8_t step = (uint8_t)device_fuzz_take(&bytes, 1);

		switch (step & 7) {
		case 0:
		case 1:
			device_fuzz_access(fuzz, &bytes, step, now);
			break;
		case 2: /* up to 65 ms */
			now += device_fuzz_take(&bytes, 2) * 1000;
			break;
		case 3:
			deadline = device_fuzz_tick(fuzz, now);
			now = deadline == DEV_NEVER ? now + 1 : deadline;
			break;
		case 4:
			device_fuzz_input(fuzz, &bytes, now);
			break;
		case 5: /* up to 12 days; a hundred such inputs are 3 years */
			now += device_fuzz_take(&bytes, 1) << 42;
			break;
		case 6: /* up to 2 s, and the next step sees it first */
			now += device_fuzz_take(&bytes, 4) >> 1;
			continue;
		case 7:
			if (fuzz->reset && (step & 0xf8) == 0xf8)
				fuzz->reset(fuzz->device, now);
			break;
		}
		if (now > (1ull << 62))
			break;
		if (step == 0x0b)
			now = device_fuzz_pace(fuzz, now);
		device_fuzz_tick(fuzz, now);
		if (fuzz->check)
			fuzz->check(fuzz->device, now);
	}
	device_fuzz_pace(fuzz, now);
}

#endif
