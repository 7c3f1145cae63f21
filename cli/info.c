/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/info.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/options.h"

/*
 * `hutch info`: what this host's virtualization offers, asked of those who know it and
 * measured where nobody does.
 */

#define STATUS_USAGE	   2
#define STATUS_UNAVAILABLE 1
#define MISC_MAJOR	   10 /* Linux, Documentation/admin-guide/devices.txt */

struct request {
	const char *hypervisor;
	bool json;
};

static int set_json(void *target, const char *name, const char *value)
{
	(void)name;
	(void)value;
	((struct request *)target)->json = true;
	return 0;
}

static int set_hypervisor(void *target, const char *name, const char *value)
{
	(void)name;
	((struct request *)target)->hypervisor = value;
	return 0;
}

static const struct option_row rows[] = {
	{ .group = "Options" },
	{ .name = "json", .help = "for programs: one JSON object", .set = set_json },
	{ .name = "hypervisor",
	  .argument = "DEVICE",
	  .help = "the hypervisor's device node (default: " HUTCH_DEFAULT_DEVICE ")",
	  .set = set_hypervisor },
	{ .name = "help", .letter = 'h', .help = "this text" },
};

static int no_words(void *target, const char *word)
{
	(void)target;
	return option_error(NULL, NULL, "info: %s: takes no arguments; see hutch info --help",
			    word);
}

static const struct option_parser parser = {
	.command = "hutch info",
	.usage = "[OPTIONS]",
	.about = "Tells what this host's virtualization offers, and measures what nobody tells:\n"
		 "whether a guest's kernel is executed or emulated, and what an exit costs.",
	.epilogue = "Exit status: 0; 1 when there is no hypervisor to be used; 2 for bad usage.",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.word = no_words,
};

/* ---- who it is that answers -------------------------------------------------------- */

/* The name under which the device's driver is registered: /proc/misc has them by minor number. */
static void find_provider(struct info *info)
{
	struct stat status;
	char line[64], *name;
	FILE *file;

	snprintf(info->provider, sizeof(info->provider), "unknown");
	if (fstat(hutch_fd(info->hutch), &status) || major(status.st_rdev) != MISC_MAJOR)
		return;
	file = fopen("/proc/misc", "re");
	if (!file)
		return;
	while (fgets(line, sizeof(line), file))
		if (strtoul(line, &name, 10) == minor(status.st_rdev) && *name == ' ')
			snprintf(info->provider, sizeof(info->provider), "%.*s",
				 (int)strcspn(name + 1, "\n"), name + 1);
	fclose(file);
}

/* KVM is two modules: the second one knows the processor, or does without its help. */
static void find_module(struct info *info)
{
	static const char *const modules[] = { "kvm_intel", "kvm_amd", "kvm_pvm" };
	char path[64];

	if (strcmp(info->provider, "kvm"))
		return;
	for (size_t i = 0; i < sizeof(modules) / sizeof(modules[0]); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s", modules[i]);
		if (!access(path, F_OK))
			snprintf(info->module, sizeof(info->module), "%s", modules[i]);
	}
}

int cli_info(int argc, char **argv)
{
	struct request request = { .hypervisor = HUTCH_DEFAULT_DEVICE };
	int parsed = options_parse(&parser, &request, argc, argv);
	struct info info = { .device = request.hypervisor };
	bool written = true;

	if (parsed)
		return parsed < 0 ? STATUS_USAGE : 0;
	info.device = request.hypervisor;
	info.hutch = hutch_open(info.device);
	if (!info.hutch)
		snprintf(info.reason, sizeof(info.reason), "%s", hutch_error());
	info_read_processor(info.hutch, &info.processor);
	if (info.hutch) {
		find_provider(&info);
		find_module(&info);
		info.was_measured = info_measure(info.hutch, &info.measured);
	}
	if (request.json)
		written = info_print_json(&info);
	else if (info.hutch)
		info_print_table(&info);
	else
		fprintf(stderr, "hutch: %s\n", info.reason);
	if (fflush(stdout) || ferror(stdout) || !written) {
		fprintf(stderr, "hutch: info: cannot write: %s\n", strerror(errno));
		return STATUS_UNAVAILABLE;
	}
	if (!info.hutch)
		return STATUS_UNAVAILABLE;
	hutch_close(info.hutch);
	return 0;
}
