/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Images without a header: flat ones in any mode and at any address, and firmware. */

#include "tests/fuzz/boot_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const modes[] = { NULL, "16", "32", "64", "48" };
	struct fuzz_case c;

	if (!fuzz_begin(&c, data, size))
		return 0;
	c.context.flat_mode = modes[c.circumstances[2] % 5];
	if (c.circumstances[3])
		c.context.flat_gpa = (uint64_t)c.circumstances[3] << (c.circumstances[4] & 63);
	if (c.circumstances[5] & 1) {
		c.context.firmware = &c.kernel;
		if (c.circumstances[5] & 6)
			c.context.kernel = NULL;
		/* Sizes that are pages' are rare by chance. */
		if (c.kernel.size > 4096)
			c.kernel.size &= ~(size_t)4095;
	}
	fuzz_end(&c);
	return 0;
}
