/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any Multiboot 1 image, mostly with the checksum that its header must have. */

#include "tests/fuzz/boot_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_case c;

	if (!fuzz_begin(&c, data, size))
		return 0;
	if (c.circumstances[2] & 7)
		fuzz_repair_checksum(&c, 0x1badb002, 2, 4);
	fuzz_end(&c);
	return 0;
}
