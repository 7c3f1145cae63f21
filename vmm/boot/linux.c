/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Linux's bzImage, by the 64-bit boot protocol (Documentation/arch/x86/boot.rst).
 *
 * A bzImage is two programs in one file. The first, "setup", is for the BIOS and real
 * mode; a loader that speaks the 64-bit protocol skips it and does its work, taking
 * from it nothing but the header at 0x1f1. The second is the kernel proper, packed,
 * with the code that unpacks it in front; it is copied to memory as it is, and entered
 * 0x200 bytes in, in long mode, with RSI at the zero page.
 *
 *	file	[ boot sector, header | setup | unpacker + packed kernel ]
 *		0		 0x1f1	      (setup_sects + 1) * 512
 *
 * Where it goes: the unpacker unpacks into init_size bytes from where it lies, but never
 * below pref_address. So pref_address is where it is put, or above it when that
 * place is not free and the kernel says that it can be moved. A kernel that the host has
 * unpacked (vmm/boot/unpacked.c) lies there and is entered at its own 64-bit entry.
 */

#include <asm/bootparam.h>
#include <string.h>

#include "vmm/boot/loader.h"

/* Offsets into the file, which are offsets into the zero page too. */
#define SETUP_HEADER	      0x1f1
#define SETUP_HEADER_ROOM_END 0x290 /* the zero page's next field begins here */
#define OFFSET(field)	      (SETUP_HEADER + offsetof(struct setup_header, field))

#define HEADER_MAGIC	      0x53726448 /* "HdrS" */
#define BOOT_FLAG	      0xaa55
#define EFI_MAGIC	      0x5a4d /* "MZ" */
#define SECTOR		      512u
#define PARAGRAPH	      16
#define SETUP_SECTS_DEFAULT   4	     /* boot.rst: what 0 stands for */
#define VERSION_64_BIT	      0x020c /* the first with xloadflags */
#define ENTRY_64_BIT	      0x200
#define LOAD_ADDRESS	      MEMORY_EXTENDED_GPA /* of a kernel that cannot be moved */

/* The header's fields as they stand in the file, and what follows from them. */
struct image {
	struct setup_header header;
	size_t header_size;
	const uint8_t *kernel;
	uint64_t kernel_size;
};

/*
 * By its magic number; or, should just that be damaged, by what no boot sector has: a
 * bzImage is a program for EFI too, and as such begins with "MZ".
 */
static bool linux_probe(const struct boot_context *context)
{
	const struct boot_file *file = context->kernel;

	if (!boot_file_holds(file, OFFSET(header), 4))
		return false;
	return boot_read32(file->bytes + OFFSET(header)) == HEADER_MAGIC ||
	       (boot_read16(file->bytes) == EFI_MAGIC &&
		boot_read16(file->bytes + OFFSET(boot_flag)) == BOOT_FLAG);
}

/* The header's end is told by the jump that hops over it (boot.rst, 1.3). */
static int read_header(struct boot_context *context, struct image *image)
{
	const struct boot_file *file = context->kernel;
	struct setup_header *header = &image->header;
	size_t end;

	if (!boot_file_holds(file, SETUP_HEADER, OFFSET(init_size) + 4 - SETUP_HEADER))
		return boot_refuse(context,
				   "setup header at 0x1f1: the file ends inside it, after %zu "
				   "bytes: it is torn",
				   file->size);
	memcpy(header, file->bytes + SETUP_HEADER, OFFSET(init_size) + 4 - SETUP_HEADER);
	if (header->header != HEADER_MAGIC)
		return boot_refuse(context,
				   "setup header at 0x1f1: header at 0x202 is %#x, not \"HdrS\": "
				   "the file is damaged, or no Linux kernel",
				   header->header);
	if (header->boot_flag != BOOT_FLAG)
		return boot_refuse(context,
				   "setup header at 0x1f1: boot_flag at 0x1fe is %#x, not 0xaa55: "
				   "the file is damaged",
				   header->boot_flag);
	if (header->version < VERSION_64_BIT)
		return boot_refuse(context,
				   "setup header at 0x1f1: version at 0x206 is %u.%02u, and the "
				   "64-bit boot protocol begins with 2.12: take Linux 3.8 or later",
				   header->version >> 8, header->version & 0xff);
	end = OFFSET(header) + file->bytes[0x201];
	if (end < OFFSET(init_size) + 4 || end > SETUP_HEADER_ROOM_END)
		return boot_refuse(context,
				   "setup header at 0x1f1: jump at 0x201 says that the header ends "
				   "at %#zx, which is not between 0x264 and 0x290",
				   end);
	if (!boot_file_holds(file, SETUP_HEADER, end - SETUP_HEADER))
		return boot_refuse(context,
				   "setup header at 0x1f1: it ends at %#zx, and the file at %#zx: "
				   "it is torn",
				   end, file->size);
	image->header_size = end - SETUP_HEADER;
	return 0;
}

static int check_flags(struct boot_context *context, const struct setup_header *header)
{
	if (!(header->loadflags & LOADED_HIGH))
		return boot_refuse(context,
				   "setup header at 0x1f1: loadflags at 0x211 is %#x, without "
				   "LOADED_HIGH: a zImage, for which there is no 64-bit entry",
				   header->loadflags);
	if (!(header->xloadflags & XLF_KERNEL_64))
		return boot_refuse(context,
				   "setup header at 0x1f1: xloadflags at 0x236 is %#x, without "
				   "XLF_KERNEL_64: take a kernel built for x86-64",
				   header->xloadflags);
	if (header->relocatable_kernel &&
	    (header->kernel_alignment == 0 ||
	     header->kernel_alignment & (header->kernel_alignment - 1)))
		return boot_refuse(context,
				   "setup header at 0x1f1: kernel_alignment at 0x230 is %#x, which "
				   "is not a power of two",
				   header->kernel_alignment);
	if (header->relocatable_kernel && header->min_alignment > 31)
		return boot_refuse(context,
				   "setup header at 0x1f1: min_alignment at 0x235 is %u, and an "
				   "alignment of 2^%u has no place below 4 GiB",
				   header->min_alignment, header->min_alignment);
	return 0;
}

static int find_kernel(struct boot_context *context, struct image *image)
{
	const struct boot_file *file = context->kernel;
	const struct setup_header *header = &image->header;
	const unsigned int sectors = header->setup_sects ? header->setup_sects
							 : SETUP_SECTS_DEFAULT;
	const uint64_t offset = (sectors + 1) * SECTOR;

	image->kernel_size = (uint64_t)header->syssize * PARAGRAPH;
	if (offset >= file->size)
		return boot_refuse(context,
				   "setup header at 0x1f1: setup_sects at 0x1f1 is %u, which ends "
				   "at %#llx, beyond the file's %#zx bytes: it is torn",
				   header->setup_sects, (unsigned long long)offset, file->size);
	/* syssize is rounded up to paragraphs of 16 bytes, and not every file is. */
	if (image->kernel_size > file->size - offset &&
	    image->kernel_size - (file->size - offset) < PARAGRAPH)
		image->kernel_size = file->size - offset;
	if (!boot_file_holds(file, offset, image->kernel_size))
		return boot_refuse(context,
				   "setup header at 0x1f1: syssize at 0x1f4 is %#x, %#llx bytes "
				   "from %#llx on, but the file has only %#zx in all: it is torn",
				   header->syssize, (unsigned long long)image->kernel_size,
				   (unsigned long long)offset, file->size);
	if (image->kernel_size <= ENTRY_64_BIT)
		return boot_refuse(context,
				   "setup header at 0x1f1: syssize at 0x1f4 is %#x, which does not "
				   "reach the 64-bit entry at 0x200",
				   header->syssize);
	if (header->init_size < image->kernel_size)
		return boot_refuse(context,
				   "setup header at 0x1f1: init_size at 0x260 is %#x, less than "
				   "the %#llx bytes that are loaded",
				   header->init_size, (unsigned long long)image->kernel_size);
	image->kernel = file->bytes + offset;
	return 0;
}

static int refuse_room(struct boot_context *context, const struct setup_header *header)
{
	return boot_refuse(context,
			   "setup header at 0x1f1: init_size at 0x260 is %#x, which does not fit "
			   "between pref_address %#llx (at 0x258) and the end of memory at %#llx: "
			   "give the guest more memory (--mem)",
			   header->init_size, (unsigned long long)header->pref_address,
			   (unsigned long long)boot_ram_end(context));
}

/*
 * A kernel that can be moved: at the lowest place from pref_address up, by its preferred
 * alignment and then by smaller ones down to the least that it can do with.
 */
static int place_relocatable(struct boot_layout *layout, struct setup_header *header, uint64_t *gpa)
{
	struct boot_wish wish = {
		.floor = header->pref_address > LOAD_ADDRESS ? header->pref_address : LOAD_ADDRESS,
		.ceiling = MEMORY_4G,
		.size = header->init_size,
	};
	uint32_t least = header->kernel_alignment;

	if (header->min_alignment && 1u << header->min_alignment < least)
		least = 1u << header->min_alignment;
	for (uint32_t by = header->kernel_alignment; by >= least && by; by >>= 1) {
		wish.alignment = by;
		if (!boot_find(layout, &wish, "kernel", gpa)) {
			header->kernel_alignment = by;
			return 0;
		}
	}
	return refuse_room(layout->context, header);
}

/*
 * A kernel that can't: loaded at 1 MiB, from where it moves itself to pref_address. The
 * two may overlap, and both must be RAM.
 */
static int place_fixed(struct boot_layout *layout, const struct image *image, uint64_t *gpa)
{
	const struct setup_header *header = &image->header;
	const uint64_t start = header->pref_address ? header->pref_address : LOAD_ADDRESS;
	const uint64_t loaded_end = LOAD_ADDRESS + image->kernel_size;
	uint64_t end;

	if (start < LOAD_ADDRESS || start >= MEMORY_4G)
		return boot_refuse(layout->context,
				   "setup header at 0x1f1: pref_address at 0x258 is %#llx, and a "
				   "kernel that cannot be moved must lie between 1 MiB and 4 GiB",
				   (unsigned long long)start);
	end = start + header->init_size;
	if (end < loaded_end)
		end = loaded_end;
	if (boot_claim(layout, LOAD_ADDRESS, end - LOAD_ADDRESS, "kernel", "setup header"))
		return refuse_room(layout->context, header);
	*gpa = LOAD_ADDRESS;
	return 0;
}

static int check_command_line(struct boot_context *context, const struct setup_header *header)
{
	const size_t length = strlen(context->command_line);

	if (length <= header->cmdline_size)
		return 0;
	return boot_refuse(context,
			   "setup header at 0x1f1: cmdline_size at 0x238 is %u, and the command "
			   "line has %zu characters: shorten it",
			   header->cmdline_size, length);
}

static int linux_load(struct boot_context *context)
{
	struct boot_layout layout;
	struct image image = { 0 };
	struct boot_params *page;
	uint64_t gpa, zero_page, entry;
	bool unpacked, moved = false;
	int error;

	boot_layout_init(&layout, context);
	if ((error = read_header(context, &image)) ||
	    (error = check_flags(context, &image.header)) ||
	    (error = find_kernel(context, &image)) ||
	    (error = check_command_line(context, &image.header)))
		return error;
	error = image.header.relocatable_kernel ? place_relocatable(&layout, &image.header, &gpa)
						: place_fixed(&layout, &image, &gpa);
	if (error)
		return error;
	unpacked = boot_unpacked_load(context, gpa, image.header.init_size, &entry, &moved);
	if (!unpacked) {
		memcpy(boot_at(context, gpa), image.kernel, image.kernel_size);
		entry = gpa + ENTRY_64_BIT;
	}
	context->kernel_gpa = gpa;
	context->kernel_end_gpa = layout.claims[0].end;

	/* Below 4 GiB, though a kernel with XLF_CAN_BE_LOADED_ABOVE_4G would take it above. */
	error = boot_place_initrd(&layout, (uint64_t)image.header.initrd_addr_max + 1,
				  "initrd_addr_max of the setup header at 0x1f1");
	if (!error)
		error = boot_place_zero_page(&layout, context->kernel->bytes + SETUP_HEADER,
					     image.header_size, &page, &zero_page);
	if (!error)
		error = boot_enter_long(&layout, entry);
	if (error)
		return error;
	page->hdr.code32_start = (uint32_t)gpa;
	page->hdr.kernel_alignment = image.header.kernel_alignment;
	if (moved)
		page->hdr.loadflags |= KASLR_FLAG;
	context->regs.rsi = zero_page;
	return 0;
}

const struct boot_protocol boot_linux = {
	.name = "Linux 64-bit",
	.probe = linux_probe,
	.load = linux_load,
};
