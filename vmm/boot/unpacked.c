/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What the unpacker inside a bzImage would do, for a kernel that is unpacked already.
 *
 * The payload of a bzImage (vmm/unpack.h) is vmlinux, an ELF file, followed by a list of
 * the places in it that hold addresses. The unpacker lays the segments out, moves
 * the kernel to a random virtual address by adding one number to all those places, and
 * jumps to its entry; so does this file, with the guest's memory as seen from outside.
 *
 * The list (Linux, arch/x86/boot/compressed/misc.c and tools/relocs.c) is read from the
 * end of the payload backwards; an entry is the low half of a virtual address:
 *
 *	ELF | 0 | 64-bit places ... | 0 | 32-bit, to subtract ... | 0 | 32-bit ...
 *
 * Nothing is written before all of it is checked. Whatever is not as expected is no
 * error: the answer is false, and the image is loaded as it is and unpacks itself.
 */

#include <elf.h>
#include <string.h>

#include "vmm/boot/loader.h"

#define KERNEL_MAP	  0xffffffff80000000ull /* __START_KERNEL_map: physical 0's place */
#define KERNEL_MAP_SIZE	  (1ull << 30)		/* KERNEL_IMAGE_SIZE with KASLR */
#define KERNEL_ALIGNMENT  (2ull << 20)		/* its first page tables map pages of 2M */
#define SEGMENTS_MAX	  16
#define NO_KASLR_ARGUMENT "nokaslr"

struct unpacked {
	const struct boot_file *file;
	Elf64_Ehdr elf;
	Elf64_Phdr segments[SEGMENTS_MAX];
	unsigned int segment_count;
	uint64_t base, end;		/* lowest and highest physical address it was linked for */
	const uint8_t *list, *list_end; /* of places; empty where there is none */
};

static bool read_segments(struct unpacked *kernel)
{
	const struct boot_file *file = kernel->file;
	const Elf64_Ehdr *elf = &kernel->elf;

	kernel->base = UINT64_MAX;
	for (unsigned int i = 0; i < elf->e_phnum; i++) {
		Elf64_Phdr *segment = &kernel->segments[kernel->segment_count];

		memcpy(segment, file->bytes + elf->e_phoff + i * sizeof(*segment),
		       sizeof(*segment));
		if (segment->p_type != PT_LOAD || segment->p_memsz == 0)
			continue;
		if (segment->p_filesz > segment->p_memsz ||
		    !boot_file_holds(file, segment->p_offset, segment->p_filesz) ||
		    segment->p_paddr >= MEMORY_4G || segment->p_memsz >= MEMORY_4G)
			return false;
		if (segment->p_paddr < kernel->base)
			kernel->base = segment->p_paddr;
		if (segment->p_paddr + segment->p_memsz > kernel->end)
			kernel->end = segment->p_paddr + segment->p_memsz;
		if (++kernel->segment_count == SEGMENTS_MAX)
			return false;
	}
	return kernel->segment_count && elf->e_entry >= kernel->base && elf->e_entry < kernel->end;
}

/* The list begins where the ELF file ends, and that is where its section headers end. */
static void find_list(struct unpacked *kernel)
{
	const struct boot_file *file = kernel->file;
	const Elf64_Ehdr *elf = &kernel->elf;
	const uint64_t headers = (uint64_t)elf->e_shnum * sizeof(Elf64_Shdr);

	if (elf->e_shentsize != sizeof(Elf64_Shdr) || !boot_file_holds(file, elf->e_shoff, headers))
		return;
	kernel->list = file->bytes + elf->e_shoff + headers;
	kernel->list_end = file->bytes + file->size;
	if ((kernel->list_end - kernel->list) % 4 || kernel->list_end - kernel->list < 12 ||
	    boot_read32(kernel->list) != 0)
		kernel->list = kernel->list_end;
}

static bool read_kernel(struct unpacked *kernel, const struct boot_file *file)
{
	*kernel = (struct unpacked){ .file = file };
	if (!boot_file_holds(file, 0, sizeof(kernel->elf)))
		return false;
	memcpy(&kernel->elf, file->bytes, sizeof(kernel->elf));
	if (memcmp(kernel->elf.e_ident, ELFMAG, SELFMAG) != 0 ||
	    kernel->elf.e_ident[EI_CLASS] != ELFCLASS64 || kernel->elf.e_machine != EM_X86_64 ||
	    kernel->elf.e_phentsize != sizeof(Elf64_Phdr) ||
	    !boot_file_holds(file, kernel->elf.e_phoff,
			     (uint64_t)kernel->elf.e_phnum * sizeof(Elf64_Phdr)))
		return false;
	if (!read_segments(kernel))
		return false;
	find_list(kernel);
	return true;
}

/*
 * Goes through the list from its end, kind by kind, and adds @delta to every place, in
 * the kernel that was put at @ram. Returns false when a place is outside of it or a kind has
 * no end; with @write false nothing is changed, which is how the list is checked first.
 */
static bool relocate(const struct unpacked *kernel, uint8_t *ram, uint64_t delta, bool write)
{
	static const struct {
		unsigned int size;
		bool subtract;
	} kinds[] = { { 4, false }, { 4, true }, { 8, false } };
	const uint64_t size = kernel->end - kernel->base;
	const uint8_t *entry = kernel->list_end;

	for (unsigned int i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		const uint64_t add = kinds[i].subtract ? -delta : delta;

		for (;;) {
			uint64_t place, value = 0;

			if (entry == kernel->list)
				return false;
			entry -= 4;
			if (boot_read32(entry) == 0)
				break;
			place = (uint64_t)(int32_t)boot_read32(entry) - KERNEL_MAP - kernel->base;
			if (place >= size || size - place < kinds[i].size)
				return false;
			if (!write)
				continue;
			memcpy(&value, ram + place, kinds[i].size);
			value += add;
			memcpy(ram + place, &value, kinds[i].size);
		}
	}
	return true;
}

/* Whether @word stands in the command line as a word of its own. */
static bool has_argument(const char *command_line, const char *word)
{
	const size_t length = strlen(word);

	for (const char *at = command_line; (at = strstr(at, word)); at += length)
		if ((at == command_line || at[-1] == ' ') && (!at[length] || at[length] == ' '))
			return true;
	return false;
}

/* How far to move the kernel in virtual memory: by a multiple of 2M, inside its 1G. */
static uint64_t choose_delta(const struct boot_context *context, const struct unpacked *kernel)
{
	uint64_t places;

	if (!context->random || kernel->list == kernel->list_end ||
	    has_argument(context->command_line, NO_KASLR_ARGUMENT) || kernel->end > KERNEL_MAP_SIZE)
		return 0;
	places = (KERNEL_MAP_SIZE - kernel->end) / KERNEL_ALIGNMENT + 1;
	return context->random % places * KERNEL_ALIGNMENT;
}

bool boot_unpacked_load(struct boot_context *context, uint64_t gpa, uint64_t room, uint64_t *entry,
			bool *moved)
{
	struct unpacked kernel;
	uint64_t delta;

	if (!context->unpacked || !read_kernel(&kernel, context->unpacked) ||
	    gpa % KERNEL_ALIGNMENT || kernel.end - kernel.base > room)
		return false;
	delta = choose_delta(context, &kernel);
	if (delta && !relocate(&kernel, boot_at(context, gpa), delta, false))
		return false;
	for (unsigned int i = 0; i < kernel.segment_count; i++) {
		const Elf64_Phdr *segment = &kernel.segments[i];

		memcpy(boot_at(context, gpa + segment->p_paddr - kernel.base),
		       kernel.file->bytes + segment->p_offset, segment->p_filesz);
	}
	if (delta)
		relocate(&kernel, boot_at(context, gpa), delta, true);
	*entry = gpa + kernel.elf.e_entry - kernel.base;
	*moved = delta != 0;
	return true;
}
