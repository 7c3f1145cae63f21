/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CLI_OPTIONS_H
#define HUTCH_CLI_OPTIONS_H

/*
 * Command line options as one table: what parses them prints their help as well, so
 * that the two never disagree.
 */

#include <stddef.h>
#include <stdint.h>

struct option_row {
	const char *group;    /* a heading; with @name NULL the row is nothing else */
	const char *name;     /* without its dashes */
	char letter;	      /* a short form, or 0 */
	const char *argument; /* the name of its value in the help; NULL: takes none */
	const char *help;     /* one line */
	/*
	 * Puts the value into @target. 0, or -1 when it has called option_error(). NULL
	 * asks for the help itself.
	 */
	int (*set)(void *target, const char *name, const char *value);
};

/*
 * Parses the options of @argv[1 ...] and hands each other word to @word, in order;
 * "--" ends the options, and behind the first word options may follow. 0; or -1 with
 * one line on standard error; or 1 after the help was asked for and given.
 */
struct option_parser {
	const char *command;  /* "hutch run" */
	const char *usage;    /* what stands behind it: "[OPTIONS] KERNEL" */
	const char *about;    /* a line or more on what it does */
	const char *epilogue; /* what stands below the options, or NULL */
	const struct option_row *rows;
	size_t count;
	int (*word)(void *target, const char *word);
};

int options_parse(const struct option_parser *parser, void *target, int argc, char **argv);
void options_help(const struct option_parser *parser);

/* "hutch: --name VALUE: ..." on standard error. Returns -1. */
int option_error(const char *name, const char *value, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Of @words (NULL ends them) the one most like @word, or NULL where none is near. */
const char *nearest_word(const char *word, const char *const *words);

/* "512", "512K", "512M", "2G": bytes. @unit is what a bare number counts. */
int option_size(const char *name, const char *value, uint64_t unit, uint64_t *bytes);
int option_number(const char *name, const char *value, uint64_t low, uint64_t high,
		  uint64_t *number);

#endif
