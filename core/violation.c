/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* Violations as a list, and as lines of text. */

#include "core/violation.h"

void diagnosis_add(struct diagnosis *diagnosis, const struct violation *violation)
{
	if (diagnosis->count < diagnosis->size)
		diagnosis->violations[diagnosis->count] = *violation;
	diagnosis->count++;
}

struct line_of_text {
	char *buffer;
	size_t size, used;
};

static void put(struct line_of_text *line, const char *words)
{
	while (*words && line->used + 1 < line->size)
		line->buffer[line->used++] = *words++;
}

static void put_hex(struct line_of_text *line, uint64_t value)
{
	char digits[19] = "";
	size_t at = sizeof(digits) - 1;

	do {
		digits[--at] = "0123456789abcdef"[value & 15];
		value >>= 4;
	} while (value);
	digits[--at] = 'x';
	digits[--at] = '0';
	put(line, digits + at);
}

size_t violation_text(const struct violation *violation, char *buffer, size_t size)
{
	struct line_of_text line = { buffer, size, 0 };

	if (!size)
		return 0;
	put(&line, violation->field);
	put(&line, " ");
	put_hex(&line, violation->value);
	put(&line, ": ");
	put(&line, violation->rule);
	if (violation->bits) {
		put(&line, ": ");
		put_hex(&line, violation->bits);
	}
	if (violation->bit) {
		put(&line, ", ");
		put(&line, violation->bit);
	}
	put(&line, " (");
	put(&line, violation->source);
	put(&line, ")");
	buffer[line.used] = '\0';
	return line.used;
}
