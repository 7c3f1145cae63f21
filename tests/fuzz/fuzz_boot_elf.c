/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any ELF kernel, by its PVH note or its entry. */

#include "tests/fuzz/boot_fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_case c;

	if (fuzz_begin(&c, data, size))
		fuzz_end(&c);
	return 0;
}
