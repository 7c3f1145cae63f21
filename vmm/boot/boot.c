/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which protocol an image is for.
 *
 * The image says so itself, and some say more than one: an ELF kernel may carry both
 * Multiboot headers and a PVH note. The table is in the order in which they are
 * believed, the most telling protocol first.
 */

#include <errno.h>

#include "vmm/boot/loader.h"

static const struct boot_protocol *const protocols[] = {
	&boot_linux,
};

#define PROTOCOL_COUNT (sizeof(protocols) / sizeof(protocols[0]))

int boot_load(struct boot_context *context)
{
	context->error[0] = 0;
	if (context->kernel->size == 0)
		return boot_refuse(context, "the file is empty");
	for (unsigned int i = 0; i < PROTOCOL_COUNT; i++) {
		if (!protocols[i]->probe(context))
			continue;
		context->protocol = protocols[i]->name;
		return protocols[i]->load(context);
	}
	return boot_refuse(context, "format not recognised: neither a Linux bzImage nor an ELF "
				    "kernel");
}
