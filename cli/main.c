/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"

/*
 * The front door: `hutch COMMAND ...`.
 */

#define STATUS_USAGE 2

struct command {
	const char *name;
	const char *about;
	int (*run)(int argc, char **argv);
};

static const struct command commands[] = {
	{ "run", "run a kernel in a virtual machine", cli_run },
	{ "info", "what this host's virtualization offers", cli_info },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static int print_help(void)
{
	printf("usage: hutch COMMAND [OPTIONS] ...\n\n"
	       "Hutch, a hypervisor: guests live in small houses with one door, the VM exit.\n\n"
	       "commands:\n");
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].about);
	printf("\n"
	       "  --help     this text; hutch COMMAND --help tells of a command\n"
	       "  --version  which hutch this is\n");
	return 0;
}

static int unknown_command(const char *word)
{
	const char *names[COMMAND_COUNT + 1] = { 0 };
	const char *nearest;

	for (size_t i = 0; i < COMMAND_COUNT; i++)
		names[i] = commands[i].name;
	nearest = nearest_word(word, names);
	if (nearest)
		option_error(NULL, NULL, "%s: no such command; did you mean %s?", word, nearest);
	else
		option_error(NULL, NULL, "%s: no such command; see hutch --help", word);
	return STATUS_USAGE;
}

/*
 * A descriptor that is closed at the start would be the next one opened: a device, which
 * then be taken for standard input.
 */
static int open_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return -1;
	return close(fd);
}

int main(int argc, char **argv)
{
	if (open_standard_descriptors())
		return 1;
	/* Memory for each thread's own malloc() would be memory for nothing. */
	mallopt(M_ARENA_MAX, 1);
	if (argc < 2) {
		option_error(NULL, NULL, "a command is missing; see hutch --help");
		return STATUS_USAGE;
	}
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"))
		return print_help();
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "version"))
		return printf("hutch %s\n", HUTCH_VERSION) < 0;
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	return unknown_command(argv[1]);
}
