/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Linux's vmlinux, the kernel as it is linked and before it is packed: an ELF file whose
 * entry is startup_64, in long mode with RSI at the zero page, as bzImage's own unpacker
 * would jump to it (Documentation/arch/x86/boot.rst, 1.15). There is no setup
 * header in it, so the zero page gets the few fields of one that every kernel looks at.
 */

#include <asm/bootparam.h>

#include "vmm/boot/elf.h"

#define BOOT_FLAG      0xaa55
#define HEADER_MAGIC   0x53726448 /* "HdrS" */
#define HEADER_VERSION 0x020f	  /* with every field that stands here */

/* What the header of a kernel says that was built with the usual configuration. */
#define INITRD_ADDR_MAX 0x7fffffffu
#define CMDLINE_SIZE	2047

int boot_vmlinux_load(struct boot_layout *layout, const struct elf_image *image)
{
	struct boot_context *context = layout->context;
	const struct setup_header header = {
		.boot_flag = BOOT_FLAG,
		.header = HEADER_MAGIC,
		.version = HEADER_VERSION,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = INITRD_ADDR_MAX,
		.cmdline_size = CMDLINE_SIZE,
		.xloadflags = XLF_KERNEL_64,
	};
	struct boot_params *page;
	uint64_t entry, zero_page;
	int error;

	context->protocol = "vmlinux 64-bit";
	error = elf_entry(context, image, &entry);
	if (!error)
		error = boot_place_initrd(layout, INITRD_ADDR_MAX + 1ull, "Linux's usual limit");
	if (!error)
		error = boot_place_zero_page(layout, &header, sizeof(header), &page, &zero_page);
	if (!error)
		error = boot_enter_long(layout, entry);
	if (!error)
		context->regs.rsi = zero_page;
	return error;
}
