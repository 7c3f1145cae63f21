/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/*
 * getopt_long() would do for the parsing; what it lacks is a table that says what an
 * option is for and what it was probably meant to be.
 */

#define HELP_COLUMN 30
#define WORD_MAX    32
#define NAMES_MAX   64

int option_error(const char *name, const char *value, const char *format, ...)
{
	va_list arguments;

	if (name)
		fprintf(stderr, "hutch: --%s%s%s: ", name, value ? " " : "", value ? value : "");
	else
		fprintf(stderr, "hutch: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	return -1;
}

/* ---- the word that was meant ---------------------------------------------------- */

static unsigned int least(unsigned int a, unsigned int b, unsigned int c)
{
	unsigned int ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/*
 * How many letters must be changed, added, left out or exchanged with their neighbour to
 * make one word of the other.
 */
static unsigned int word_distance(const char *from, const char *to)
{
	unsigned int rows[3][WORD_MAX + 1];
	size_t length = strlen(to);

	if (length > WORD_MAX || strlen(from) > WORD_MAX)
		return WORD_MAX;
	for (size_t i = 0; i <= length; i++)
		rows[0][i] = (unsigned int)i;
	for (size_t line = 1; from[line - 1]; line++) {
		const unsigned int *above = rows[(line - 1) % 3];
		unsigned int *row = rows[line % 3];

		row[0] = (unsigned int)line;
		for (size_t i = 1; i <= length; i++) {
			row[i] = least(above[i] + 1, row[i - 1] + 1,
				       above[i - 1] + (from[line - 1] != to[i - 1]));
			if (line > 1 && i > 1 && from[line - 1] == to[i - 2] &&
			    from[line - 2] == to[i - 1] && rows[(line - 2) % 3][i - 2] + 1 < row[i])
				row[i] = rows[(line - 2) % 3][i - 2] + 1;
		}
	}
	return rows[strlen(from) % 3][length];
}

const char *nearest_word(const char *word, const char *const *words)
{
	const char *nearest = NULL;
	unsigned int best = (unsigned int)strlen(word) / 2 + 1;

	for (; *words; words++) {
		unsigned int distance = word_distance(word, *words);

		if (distance < best) {
			best = distance;
			nearest = *words;
		}
	}
	return nearest;
}

/* ---- parsing ----------------------------------------------------------------------- */

static const struct option_row *find_long(const struct option_parser *parser, const char *name,
					  size_t length)
{
	for (size_t i = 0; i < parser->count; i++) {
		const char *candidate = parser->rows[i].name;

		if (candidate && strlen(candidate) == length && !strncmp(candidate, name, length))
			return &parser->rows[i];
	}
	return NULL;
}

static const struct option_row *find_letter(const struct option_parser *parser, char letter)
{
	for (size_t i = 0; letter && i < parser->count; i++)
		if (parser->rows[i].letter == letter)
			return &parser->rows[i];
	return NULL;
}

static int unknown_option(const struct option_parser *parser, const char *word)
{
	const char *names[NAMES_MAX], *nearest;
	char name[WORD_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < parser->count && count < NAMES_MAX - 1; i++)
		if (parser->rows[i].name)
			names[count++] = parser->rows[i].name;
	names[count] = NULL;
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word, "="), word);
	name[strcspn(name, "=")] = 0;
	nearest = word[0] == '-' && word[1] == '-' ? nearest_word(name + 2, names) : NULL;
	if (nearest)
		return option_error(NULL, NULL, "%s: no such option; did you mean --%s?", name,
				    nearest);
	return option_error(NULL, NULL, "%s: no such option; see %s --help", name, parser->command);
}

struct cursor {
	int index, argc;
	char **argv;
};

static int apply(const struct option_parser *parser, const struct option_row *row, void *target,
		 struct cursor *cursor, const char *value)
{
	if (!row->set) {
		options_help(parser);
		return 1;
	}
	if (row->argument && !value) {
		if (cursor->index + 1 >= cursor->argc)
			return option_error(row->name, NULL, "expected %s behind it",
					    row->argument);
		value = cursor->argv[++cursor->index];
	}
	return row->set(target, row->name, value);
}

static int parse_long(const struct option_parser *parser, void *target, struct cursor *cursor)
{
	const char *word = cursor->argv[cursor->index];
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	const struct option_row *row = find_long(parser, name, length);

	if (!row)
		return unknown_option(parser, word);
	if (name[length] && !row->argument)
		return option_error(row->name, NULL, "takes no value");
	return apply(parser, row, target, cursor, name[length] ? name + length + 1 : NULL);
}

static int parse_letters(const struct option_parser *parser, void *target, struct cursor *cursor)
{
	const char *word = cursor->argv[cursor->index];

	for (const char *letter = word + 1; *letter; letter++) {
		const struct option_row *row = find_letter(parser, *letter);
		int error;

		if (!row)
			return unknown_option(parser, word);
		if (row->argument && letter[1])
			return apply(parser, row, target, cursor, letter + 1);
		error = apply(parser, row, target, cursor, NULL);
		if (error)
			return error;
	}
	return 0;
}

int options_parse(const struct option_parser *parser, void *target, int argc, char **argv)
{
	struct cursor cursor = { .index = 1, .argc = argc, .argv = argv };
	bool only_words = false;

	for (; cursor.index < argc; cursor.index++) {
		const char *word = argv[cursor.index];
		int error;

		if (only_words || word[0] != '-' || !word[1]) {
			error = parser->word(target, word);
		} else if (!strcmp(word, "--")) {
			only_words = true;
			error = 0;
		} else if (word[1] == '-') {
			error = parse_long(parser, target, &cursor);
		} else {
			error = parse_letters(parser, target, &cursor);
		}
		if (error)
			return error;
	}
	return 0;
}

/* ---- help -------------------------------------------------------------------------- */

static void print_row(const struct option_row *row)
{
	char left[64];
	char letter[8] = "    ";

	if (row->letter)
		snprintf(letter, sizeof(letter), "-%c, ", row->letter);
	snprintf(left, sizeof(left), "  %s--%s%s%s", letter, row->name, row->argument ? " " : "",
		 row->argument ? row->argument : "");
	printf("%-*s %s\n", HELP_COLUMN, left, row->help);
}

void options_help(const struct option_parser *parser)
{
	printf("usage: %s %s\n\n%s\n", parser->command, parser->usage, parser->about);
	for (size_t i = 0; i < parser->count; i++) {
		const struct option_row *row = &parser->rows[i];

		if (row->group)
			printf("\n%s:\n", row->group);
		if (row->name)
			print_row(row);
	}
	if (parser->epilogue)
		printf("\n%s\n", parser->epilogue);
}

/* ---- values ------------------------------------------------------------------------- */

/* Digits only: strtoull() alone would take blanks and a minus sign. */
static bool read_number(const char *text, uint64_t *number, char **end)
{
	errno = 0;
	*number = strtoull(text, end, 0);
	return isdigit((unsigned char)*text) && !errno;
}

int option_number(const char *name, const char *value, uint64_t low, uint64_t high,
		  uint64_t *number)
{
	char *end;

	if (read_number(value, number, &end) && !*end && *number >= low && *number <= high)
		return 0;
	return option_error(name, value, "expected a number from %" PRIu64 " to %" PRIu64, low,
			    high);
}

int option_size(const char *name, const char *value, uint64_t unit, uint64_t *bytes)
{
	static const struct {
		char letter;
		unsigned int shift;
	} units[] = { { 'K', 10 }, { 'M', 20 }, { 'G', 30 }, { 'T', 40 } };
	char *end;

	if (!read_number(value, bytes, &end))
		goto wrong;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (toupper((unsigned char)*end) != units[i].letter)
			continue;
		unit = 1ull << units[i].shift;
		end++;
		break;
	}
	if (*end || *bytes > UINT64_MAX / unit)
		goto wrong;
	*bytes *= unit;
	return 0;

wrong:
	return option_error(name, value, "expected a size such as 256M or 2G");
}
