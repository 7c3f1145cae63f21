/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any bzImage, as it is or with any payload unpacked beside it. */

#include "tests/fuzz/boot_fuzz.h"

/* The payload, where there is one, is the image's tail: a heap block of its own. */
static uint8_t *cut_payload(struct fuzz_case *c, struct boot_file *payload)
{
	const size_t start = c->circumstances[2] | (size_t)c->circumstances[3] << 8;
	uint8_t *bytes;

	if (start == 0 || start >= c->kernel.size)
		return NULL;
	payload->size = c->kernel.size - start;
	bytes = malloc(payload->size);
	fuzz_require(bytes);
	memcpy(bytes, c->image + start, payload->size);
	payload->bytes = bytes;
	payload->name = "payload";
	c->context.unpacked = payload;
	c->context.random = c->circumstances[4] | (uint64_t)c->circumstances[5] << 32;
	return bytes;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct boot_file payload = { 0 };
	struct fuzz_case c;
	uint8_t *bytes;

	if (!fuzz_begin(&c, data, size))
		return 0;
	bytes = cut_payload(&c, &payload);
	fuzz_end(&c);
	free(bytes);
	return 0;
}
