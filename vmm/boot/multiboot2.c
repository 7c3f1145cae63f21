/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Multiboot 2 (Multiboot2 Specification 2.0), the kernel's half: the header in the first
 * 32 KiB of the image, and the tags behind it in which the kernel says what it wants.
 *
 * A tag that is not marked optional is one the kernel cannot do without: if it isn't
 * known here, or asks for what the machine doesn't have, the image is refused and the
 * tag named. Tags about EFI speak of a way to start that this machine doesn't
 * have, beside the one that it has, and are passed over.
 */

#include <stdio.h>

#include "vmm/boot/multiboot2.h"

/* 3.1.1 and 3.1.2: the header */
#define HEADER_SIZE	  16
#define ARCHITECTURE_I386 0

/* 3.3: machine state */
#define ENTRY_MAGIC 0x36d76289u

/* 3.1.3 to 3.1.13: header tags */
#define TAG_SIZE	 8
#define TAG_OPTIONAL	 (1u << 0)
#define CONSOLE_REQUIRED (1u << 0) /* 3.1.9: console_flags */
#define PREFER_HIGHEST	 2	   /* 3.1.13: preference */

struct tag {
	uint64_t at; /* in the file */
	uint16_t type;
	bool optional;
	uint32_t size;
	const uint8_t *payload;
};

/* What the header asks for. */
struct request {
	char where[48];
	uint64_t offset, end;
	bool has_addresses, has_entry, is_relocatable;
	struct multiboot_addresses addresses;
	char addresses_where[96];
	uint32_t entry;
	uint64_t entry_at;
	uint32_t min_addr, max_addr, align, preference;
};

static bool find_header(const struct boot_file *file, uint64_t *offset)
{
	for (uint64_t at = 0; at + HEADER_SIZE <= MULTIBOOT2_SEARCH; at += MULTIBOOT2_ALIGNMENT) {
		const uint8_t *header;

		if (!boot_file_holds(file, at, HEADER_SIZE))
			return false;
		header = file->bytes + at;
		if (boot_read32(header) == MULTIBOOT2_HEADER_MAGIC &&
		    MULTIBOOT2_HEADER_MAGIC + boot_read32(header + 4) + boot_read32(header + 8) +
				    boot_read32(header + 12) ==
			    0) {
			*offset = at;
			return true;
		}
	}
	return false;
}

static bool multiboot2_probe(const struct boot_context *context)
{
	uint64_t offset;

	return find_header(context->kernel, &offset);
}

static int refuse_tag(struct boot_context *context, const struct request *request,
		      const struct tag *tag, const char *why)
{
	return boot_refuse(context, "%s: tag of type %u at %#llx %s", request->where, tag->type,
			   (unsigned long long)tag->at, why);
}

/* ---- the tags, one function each --------------------------------------------- */

static int information_request(struct boot_context *context, struct request *request,
			       const struct tag *tag)
{
	for (uint32_t i = 0; i + 4 <= tag->size - TAG_SIZE && !tag->optional; i += 4) {
		const uint32_t type = boot_read32(tag->payload + i);

		if (!multiboot2_provides(context, type))
			return boot_refuse(
				context,
				"%s: tag of type 1 at %#llx requires information of type "
				"%u, which this machine does not have",
				request->where, (unsigned long long)tag->at, type);
	}
	return 0;
}

static int address(struct boot_context *context, struct request *request, const struct tag *tag)
{
	snprintf(request->addresses_where, sizeof(request->addresses_where),
		 "%s: address tag at %#llx", request->where, (unsigned long long)tag->at);
	request->addresses.where = request->addresses_where;
	request->addresses.header_offset = request->offset;
	request->addresses.fields_offset = tag->at + TAG_SIZE;
	multiboot_read_addresses(context->kernel, &request->addresses);
	request->has_addresses = true;
	return 0;
}

static int entry_address(struct boot_context *context, struct request *request,
			 const struct tag *tag)
{
	(void)context;
	request->has_entry = true;
	request->entry = boot_read32(tag->payload);
	request->entry_at = tag->at + TAG_SIZE;
	return 0;
}

static int console_flags(struct boot_context *context, struct request *request,
			 const struct tag *tag)
{
	if (!tag->optional && boot_read32(tag->payload) & CONSOLE_REQUIRED)
		return refuse_tag(context, request, tag,
				  "requires a text console or a framebuffer: there is none, only "
				  "a serial port");
	return 0;
}

static int framebuffer(struct boot_context *context, struct request *request, const struct tag *tag)
{
	if (tag->optional)
		return 0;
	return refuse_tag(context, request, tag,
			  "requires a framebuffer: there is none (mark the tag optional, and take "
			  "the serial port)");
}

static int relocatable(struct boot_context *context, struct request *request, const struct tag *tag)
{
	request->min_addr = boot_read32(tag->payload);
	request->max_addr = boot_read32(tag->payload + 4);
	request->align = boot_read32(tag->payload + 8);
	request->preference = boot_read32(tag->payload + 12);
	if (request->align & (request->align - 1))
		return boot_refuse(context,
				   "%s: relocatable tag at %#llx: align at %#llx is %#x, not a "
				   "power of two",
				   request->where, (unsigned long long)tag->at,
				   (unsigned long long)tag->at + 16, request->align);
	if (request->min_addr > request->max_addr)
		return boot_refuse(context,
				   "%s: relocatable tag at %#llx: min_addr %#x is above max_addr "
				   "%#x",
				   request->where, (unsigned long long)tag->at, request->min_addr,
				   request->max_addr);
	request->is_relocatable = true;
	return 0;
}

/* Modules are always page-aligned; EFI is elsewhere. */
static int nothing_to_do(struct boot_context *context, struct request *request,
			 const struct tag *tag)
{
	(void)context;
	(void)request;
	(void)tag;
	return 0;
}

static const struct {
	uint32_t size; /* at least, with the tag's own head */
	int (*handle)(struct boot_context *context, struct request *request, const struct tag *tag);
} header_tags[] = {
	[1] = { 8, information_request }, [2] = { 24, address },
	[3] = { 12, entry_address },	  [4] = { 12, console_flags },
	[5] = { 20, framebuffer },	  [6] = { 8, nothing_to_do }, /* module alignment */
	[7] = { 8, nothing_to_do },				      /* EFI boot services */
	[8] = { 12, nothing_to_do },				      /* EFI i386 entry */
	[9] = { 12, nothing_to_do },				      /* EFI amd64 entry */
	[10] = { 24, relocatable },
};

#define HEADER_TAG_COUNT (sizeof(header_tags) / sizeof(header_tags[0]))

/* ---- the header ----------------------------------------------------------------- */

static int read_tag(struct boot_context *context, const struct request *request, uint64_t at,
		    struct tag *tag)
{
	const uint8_t *bytes;

	if (at + TAG_SIZE > request->end)
		return boot_refuse(context,
				   "%s: header_length ends at %#llx without a tag of type 0, which "
				   "ends the list",
				   request->where, (unsigned long long)request->end);
	bytes = context->kernel->bytes + at;
	*tag = (struct tag){
		.at = at,
		.type = boot_read16(bytes),
		.optional = boot_read16(bytes + 2) & TAG_OPTIONAL,
		.size = boot_read32(bytes + 4),
		.payload = bytes + TAG_SIZE,
	};
	if (tag->size < TAG_SIZE || tag->size > request->end - at)
		return boot_refuse(context,
				   "%s: tag of type %u at %#llx: its size is %#x, and the header "
				   "ends at %#llx",
				   request->where, tag->type, (unsigned long long)at, tag->size,
				   (unsigned long long)request->end);
	return 0;
}

static int handle_tag(struct boot_context *context, struct request *request, const struct tag *tag)
{
	if (tag->type >= HEADER_TAG_COUNT)
		return tag->optional ? 0
				     : refuse_tag(context, request, tag,
						  "is not known, and not marked optional");
	if (tag->size < header_tags[tag->type].size)
		return boot_refuse(context,
				   "%s: tag of type %u at %#llx: its size is %u, less than the %u "
				   "that it has at least",
				   request->where, tag->type, (unsigned long long)tag->at,
				   tag->size, header_tags[tag->type].size);
	return header_tags[tag->type].handle(context, request, tag);
}

static int read_request(struct boot_context *context, struct request *request)
{
	const struct boot_file *file = context->kernel;
	const uint8_t *header = file->bytes + request->offset;
	const uint32_t architecture = boot_read32(header + 4);
	const uint32_t length = boot_read32(header + 8);
	struct tag tag;
	int error;

	snprintf(request->where, sizeof(request->where), "Multiboot2 header at %#llx",
		 (unsigned long long)request->offset);
	if (architecture != ARCHITECTURE_I386)
		return boot_refuse(context,
				   "%s: architecture at %#llx is %u, not 0 (i386): the kernel is "
				   "for another processor",
				   request->where, (unsigned long long)request->offset + 4,
				   architecture);
	if (length < HEADER_SIZE || !boot_file_holds(file, request->offset, length))
		return boot_refuse(context,
				   "%s: header_length at %#llx is %#x, and the file ends at %#zx",
				   request->where, (unsigned long long)request->offset + 8, length,
				   file->size);
	request->end = request->offset + length;
	for (uint64_t at = request->offset + HEADER_SIZE;; at += (tag.size + 7ull) & ~7ull) {
		error = read_tag(context, request, at, &tag);
		if (error || tag.type == 0)
			return error;
		error = handle_tag(context, request, &tag);
		if (error)
			return error;
	}
}

/* ---- loading ------------------------------------------------------------------------ */

/*
 * How far a relocatable image is moved. Without a preference it stays where it was
 * linked for, if it can.
 */
static int choose_slide(struct boot_context *context, const struct request *request, uint64_t low,
			uint64_t high, int64_t *slide)
{
	struct boot_layout layout;
	struct boot_wish wish = {
		.floor = request->min_addr,
		.ceiling = (uint64_t)request->max_addr + 1,
		.size = high - low,
		.alignment = request->align ? request->align : 1,
		.from_top = request->preference == PREFER_HIGHEST,
	};
	uint64_t gpa;

	if (request->preference == 0 && low % wish.alignment == 0 && low >= wish.floor &&
	    high <= wish.ceiling && high <= boot_ram_end(context)) {
		*slide = 0;
		return 0;
	}
	/* The first MiB is crowded: only for images that ask for it. */
	if (wish.floor < MEMORY_EXTENDED_GPA && wish.ceiling > MEMORY_EXTENDED_GPA)
		wish.floor = MEMORY_EXTENDED_GPA;
	boot_layout_init(&layout, context);
	if (boot_find(&layout, &wish, "kernel", &gpa))
		return boot_refuse(context,
				   "%s: relocatable tag: no room for %#llx bytes between min_addr "
				   "%#x and max_addr %#x: give the guest more memory (--mem)",
				   request->where, (unsigned long long)wish.size, request->min_addr,
				   request->max_addr);
	*slide = (int64_t)(gpa - low);
	return 0;
}

static int load_elf(struct boot_layout *layout, const struct request *request,
		    struct elf_image *image, uint64_t *entry)
{
	struct boot_context *context = layout->context;
	uint64_t low, high;
	int64_t slide = 0;
	int error;

	if (!elf_magic(context->kernel))
		return boot_refuse(context,
				   "%s: no address tag (type 2), and the file is no ELF file: "
				   "nothing says where to load it",
				   request->where);
	error = elf_open(context, image);
	if (!error)
		error = elf_check_sections(context, image);
	if (!error)
		error = elf_extent(context, image, &low, &high);
	if (!error && request->is_relocatable)
		error = choose_slide(context, request, low, high, &slide);
	if (!error)
		error = elf_load(layout, image, slide);
	if (error)
		return error;
	if (request->has_entry) {
		*entry = request->entry + (uint64_t)slide;
		return 0;
	}
	error = elf_entry(context, image, entry);
	*entry += (uint64_t)slide;
	return error;
}

static int load_addresses(struct boot_layout *layout, const struct request *request,
			  uint64_t *entry)
{
	if (!request->has_entry)
		return boot_refuse(layout->context,
				   "%s: an address tag (type 2) without an entry address tag "
				   "(type 3): nothing says where to start",
				   request->where);
	*entry = request->entry;
	return multiboot_load_addresses(layout, &request->addresses);
}

static int check_entry(struct boot_context *context, const struct request *request, uint64_t entry)
{
	char field[96];

	snprintf(field, sizeof(field), "%s: entry_addr at %#llx", request->where,
		 (unsigned long long)request->entry_at);
	return request->has_entry ? multiboot_check_entry(context, field, entry) : 0;
}

static int multiboot2_load(struct boot_context *context)
{
	struct request request = { 0 };
	struct multiboot2_facts facts = { 0 };
	struct elf_image image;
	struct boot_layout layout;
	uint64_t entry = 0, information;
	int error;

	if (!find_header(context->kernel, &request.offset))
		return boot_refuse(context, "no Multiboot2 header in the first 32 KiB");
	error = read_request(context, &request);
	if (error)
		return error;
	boot_layout_init(&layout, context);
	if (request.has_addresses) {
		error = load_addresses(&layout, &request, &entry);
	} else {
		error = load_elf(&layout, &request, &image, &entry);
		facts = (struct multiboot2_facts){ &image, request.is_relocatable };
	}
	if (!error)
		error = check_entry(context, &request, entry);
	if (!error)
		error = multiboot2_place_information(&layout, &facts, &information);
	if (!error)
		error = boot_enter_protected(&layout, (uint32_t)entry);
	if (error)
		return error;
	context->regs.rax = ENTRY_MAGIC;
	context->regs.rbx = information;
	return 0;
}

const struct boot_protocol boot_multiboot2 = {
	.name = "Multiboot 2",
	.probe = multiboot2_probe,
	.load = multiboot2_load,
};
