/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Any bytes as an unpacked kernel. It may be refused; but it never writes outside its
 * room, never hangs, and refused it leaves memory as it was.
 */

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/boot/loader.h"

#define RAM_SIZE (8u << 20)
#define GPA	 (2ull << 20)
#define ROOM	 (4ull << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t ram[RAM_SIZE];
	static const uint8_t zeros[RAM_SIZE];
	struct boot_file file = { .name = "fuzz" };
	struct boot_context context = {
		.unpacked = &file, .command_line = "quiet", .ram = ram, .ram_size = RAM_SIZE
	};
	uint64_t entry;
	bool moved, loaded;

	if (size < 8)
		return 0;
	memcpy(&context.random, data, 8);
	file.bytes = data + 8;
	file.size = size - 8;
	loaded = boot_unpacked_load(&context, GPA, ROOM, &entry, &moved);
	if (loaded && (entry < GPA || entry >= GPA + ROOM))
		abort();
	if (memcmp(ram, zeros, GPA) != 0 ||
	    memcmp(ram + GPA + ROOM, zeros, RAM_SIZE - GPA - ROOM) != 0)
		abort();
	if (!loaded && memcmp(ram, zeros, RAM_SIZE) != 0)
		abort();
	if (loaded)
		memset(ram + GPA, 0, ROOM);
	return 0;
}
