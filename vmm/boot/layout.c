/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Room in guest memory, as a list of claims.
 *
 * An image says where it wants to lie, and some of it may lie where a loader would
 * put its own tables. So nobody writes before everybody has claimed: first what the
 * image insists on, then what can go anywhere. Memory that the map does not call
 * RAM (the ACPI tables, the hole below 1 MiB) is nobody's to claim.
 */

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/boot/loader.h"

void boot_set_error(struct boot_context *context, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(context->error, sizeof(context->error), format, arguments);
	va_end(arguments);
}

bool boot_file_holds(const struct boot_file *file, uint64_t offset, uint64_t size)
{
	return offset <= file->size && size <= file->size - offset;
}

uint16_t boot_read16(const uint8_t *bytes)
{
	return (uint16_t)(bytes[0] | bytes[1] << 8);
}

uint32_t boot_read32(const uint8_t *bytes)
{
	return boot_read16(bytes) | (uint32_t)boot_read16(bytes + 2) << 16;
}

uint64_t boot_read64(const uint8_t *bytes)
{
	return boot_read32(bytes) | (uint64_t)boot_read32(bytes + 4) << 32;
}

void boot_layout_init(struct boot_layout *layout, struct boot_context *context)
{
	layout->context = context;
	layout->count = 0;
}

/*
 * The end of the unbroken RAM that holds @gpa, or @gpa where there is none: ranges
 * that touch count as one.
 */
static uint64_t ram_until(const struct boot_context *context, uint64_t gpa)
{
	uint64_t end = gpa;

	for (unsigned int i = 0; i < context->map->count; i++) {
		const struct memory_range *range = &context->map->ranges[i];

		if (range->type == MEMORY_RAM && range->gpa <= end &&
		    end - range->gpa < range->size)
			end = range->gpa + range->size;
	}
	if (end > context->ram_size)
		end = context->ram_size;
	return end > gpa ? end : gpa;
}

uint64_t boot_ram_end(const struct boot_context *context)
{
	uint64_t end = 0;

	for (unsigned int i = 0; i < context->map->count; i++) {
		const struct memory_range *range = &context->map->ranges[i];

		if (range->type == MEMORY_RAM && range->gpa < context->ram_size &&
		    range->gpa + range->size > end)
			end = range->gpa + range->size;
	}
	return end < context->ram_size ? end : context->ram_size;
}

static const struct boot_claim *find_claim(const struct boot_layout *layout, uint64_t gpa,
					   uint64_t end)
{
	for (unsigned int i = 0; i < layout->count; i++)
		if (gpa < layout->claims[i].end && layout->claims[i].gpa < end)
			return &layout->claims[i];
	return NULL;
}

static int add_claim(struct boot_layout *layout, uint64_t gpa, uint64_t size, const char *what)
{
	if (layout->count == BOOT_CLAIMS_MAX)
		return boot_refuse(layout->context, "%s: more than %d parts in memory", what,
				   BOOT_CLAIMS_MAX);
	layout->claims[layout->count++] =
		(struct boot_claim){ .gpa = gpa, .end = gpa + size, .what = what };
	if (layout->context->placed)
		layout->context->placed(layout->context->placed_owner, what, gpa, size);
	return 0;
}

int boot_claim(struct boot_layout *layout, uint64_t gpa, uint64_t size, const char *what,
	       const char *field)
{
	struct boot_context *context = layout->context;
	const unsigned long long from = gpa, end = gpa + size;
	const struct boot_claim *other;

	if (size == 0)
		return 0;
	if (end < from)
		return boot_refuse(context, "%s: %#llx and %#llx bytes more wrap around 2^64",
				   field, from, end - from);
	if (ram_until(context, gpa) - gpa < size)
		return boot_refuse(
			context,
			"%s: %#llx to %#llx is not all RAM (RAM ends at %#llx): "
			"give the guest more memory (--mem), or link the kernel elsewhere",
			field, from, end, (unsigned long long)boot_ram_end(context));
	other = find_claim(layout, gpa, gpa + size);
	if (other)
		return boot_refuse(context, "%s: %#llx to %#llx overlaps the %s at %#llx to %#llx",
				   field, from, end, other->what, (unsigned long long)other->gpa,
				   (unsigned long long)other->end);
	return add_claim(layout, gpa, size, what);
}

/* The lowest fitting place of a wish at or above @from, or UINT64_MAX. */
static uint64_t lowest(const struct boot_layout *layout, const struct boot_wish *wish,
		       const struct memory_range *range)
{
	uint64_t gpa = range->gpa > wish->floor ? range->gpa : wish->floor;
	uint64_t until = ram_until(layout->context, range->gpa);
	const struct boot_claim *claim;

	if (until > wish->ceiling)
		until = wish->ceiling;
	for (;;) {
		if (gpa > until)
			return UINT64_MAX;
		gpa = (gpa + wish->alignment - 1) & ~(wish->alignment - 1);
		if (gpa > until || wish->size > until - gpa)
			return UINT64_MAX;
		claim = find_claim(layout, gpa, gpa + wish->size);
		if (!claim)
			return gpa;
		gpa = claim->end;
	}
}

static uint64_t highest(const struct boot_layout *layout, const struct boot_wish *wish,
			const struct memory_range *range)
{
	uint64_t floor = range->gpa > wish->floor ? range->gpa : wish->floor;
	uint64_t until = ram_until(layout->context, range->gpa);
	const struct boot_claim *claim;
	uint64_t gpa;

	if (until > wish->ceiling)
		until = wish->ceiling;
	for (;;) {
		if (until < floor || wish->size > until - floor)
			return UINT64_MAX;
		gpa = (until - wish->size) & ~(wish->alignment - 1);
		if (gpa < floor)
			return UINT64_MAX;
		claim = find_claim(layout, gpa, gpa + wish->size);
		if (!claim)
			return gpa;
		until = claim->gpa;
	}
}

int boot_find(struct boot_layout *layout, const struct boot_wish *wish, const char *what,
	      uint64_t *gpa)
{
	const struct memory_map *map = layout->context->map;
	uint64_t best = UINT64_MAX;

	for (unsigned int i = 0; i < map->count; i++) {
		uint64_t place;

		if (map->ranges[i].type != MEMORY_RAM)
			continue;
		place = wish->from_top ? highest(layout, wish, &map->ranges[i])
				       : lowest(layout, wish, &map->ranges[i]);
		if (place == UINT64_MAX)
			continue;
		if (best == UINT64_MAX || (wish->from_top ? place > best : place < best))
			best = place;
	}
	if (best == UINT64_MAX)
		return -ENOMEM;
	*gpa = best;
	return add_claim(layout, best, wish->size, what);
}

int boot_place_table(struct boot_layout *layout, uint64_t usual_gpa, uint64_t size,
		     const char *what, uint64_t *gpa)
{
	const uint64_t page = 4096;
	struct boot_wish wish = {
		.floor = usual_gpa, .ceiling = usual_gpa + size, .size = size, .alignment = page
	};
	int error = boot_find(layout, &wish, what, gpa);

	if (error != -ENOMEM)
		return error;
	wish.floor = page;
	wish.ceiling = MEMORY_4G;
	error = boot_find(layout, &wish, what, gpa);
	if (error == -ENOMEM)
		return boot_refuse(
			layout->context,
			"%s: no free memory for its %#llx bytes: give the guest more (--mem)", what,
			(unsigned long long)size);
	return error;
}

uint8_t *boot_at(const struct boot_context *context, uint64_t gpa)
{
	return context->ram + gpa;
}

/*
 * Guest memory that was never touched reads as zeroes and costs nothing; writing zeroes
 * to it would. A kernel's zeroed part is large, so pages are looked at first.
 */
void boot_zero(const struct boot_context *context, uint64_t gpa, uint64_t size)
{
	const uint64_t page = 4096;
	uint8_t *bytes = boot_at(context, gpa);

	while (size) {
		const size_t now = size < page ? size : page;

		/* The first byte is zero, and each of the others is as the one before it. */
		if (bytes[0] || memcmp(bytes, bytes + 1, now - 1))
			memset(bytes, 0, now);
		bytes += now;
		size -= now;
	}
}

int boot_place_command_line(struct boot_layout *layout, const char *prefix, const char *text,
			    uint64_t *gpa)
{
	size_t before = prefix ? strlen(prefix) : 0;
	size_t length = strlen(text);
	size_t blank = before && length ? 1 : 0;
	size_t size = before + blank + length + 1;
	uint8_t *at;
	int error;

	if (size > BOOT_COMMAND_LINE_MAX)
		return boot_refuse(layout->context,
				   "command line: its %zu characters are more than the %llu "
				   "there is room for: shorten it",
				   size - 1, BOOT_COMMAND_LINE_MAX - 1);
	error = boot_place_table(layout, BOOT_COMMAND_LINE_GPA, size, "command line", gpa);
	if (error)
		return error;
	at = boot_at(layout->context, *gpa);
	if (before)
		memcpy(at, prefix, before);
	if (blank)
		at[before] = ' ';
	memcpy(at + before + blank, text, length);
	at[size - 1] = 0;
	return 0;
}

int boot_place_initrd(struct boot_layout *layout, uint64_t ceiling, const char *limit)
{
	struct boot_context *context = layout->context;
	const struct boot_file *initrd = context->initrd;
	struct boot_wish wish = { .floor = MEMORY_EXTENDED_GPA,
				  .ceiling = ceiling,
				  .alignment = 4096,
				  .from_top = true };
	int error;

	context->initrd_gpa = context->initrd_size = 0;
	if (!initrd || initrd->size == 0)
		return 0;
	wish.size = initrd->size;
	error = boot_find(layout, &wish, "initrd", &context->initrd_gpa);
	if (error == -ENOMEM)
		return boot_refuse(
			context,
			"initrd %s: no room for its %#zx bytes between the kernel and "
			"%#llx (%s): give the guest more memory (--mem), or a smaller initrd",
			initrd->name, initrd->size, (unsigned long long)ceiling, limit);
	if (error)
		return error;
	memcpy(boot_at(context, context->initrd_gpa), initrd->bytes, initrd->size);
	context->initrd_size = initrd->size;
	return 0;
}
