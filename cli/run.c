/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "vmm/describe.h"
#include "vmm/lifecycle.h"
#include "vmm/limits.h"
#include "vmm/unpack.h"

/*
 * `hutch run`: from words to a struct machine_config, and back to an exit status. All
 * options are rows of one table.
 */

/* Files that a machine has open beside one for each vCPU, with room to spare. */
#define OTHER_FILES 64

struct run {
	struct machine_config machine;
	struct lifecycle lifecycle;
	struct limits limits;
	bool dry_run;
	char kernel_cache[PATH_MAX];
};

/* ---- what to boot ------------------------------------------------------------------ */

static int set_initrd(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	run->machine.initrd = value;
	return 0;
}

static int add_module(void *target, const char *name, const char *value)
{
	struct run *run = target;

	if (run->machine.module_count == MACHINE_MODULES_MAX)
		return option_error(name, value, "more than %d modules", MACHINE_MODULES_MAX);
	run->machine.modules[run->machine.module_count++] = value;
	return 0;
}

static int set_append(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	run->machine.command_line = value;
	return 0;
}

static int set_firmware(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	run->machine.firmware = value;
	return 0;
}

/* "16", "32" or "64", and perhaps "@" and an address. */
static int set_flat(void *target, const char *name, const char *value)
{
	static const char *const modes[] = { "16", "32", "64" };
	struct run *run = target;
	size_t length = strcspn(value, "@");

	run->machine.flat_mode = NULL;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (strlen(modes[i]) == length && !strncmp(value, modes[i], length))
			run->machine.flat_mode = modes[i];
	if (!run->machine.flat_mode)
		return option_error(name, value, "expected 16, 32 or 64, and perhaps @ADDRESS");
	if (!value[length])
		return 0;
	return option_number(name, value + length + 1, 0, MEMORY_LOW_END, &run->machine.flat_gpa);
}

static int set_kernel_cache(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	run->machine.kernel_cache = strcmp(value, "none") ? value : NULL;
	return 0;
}

/* ---- the machine ------------------------------------------------------------------- */

static int set_cpus(void *target, const char *name, const char *value)
{
	struct run *run = target;
	uint64_t number;

	if (option_number(name, value, 1, 4096, &number))
		return -1;
	run->machine.cpus = (unsigned int)number;
	return 0;
}

static int set_mem(void *target, const char *name, const char *value)
{
	struct run *run = target;

	return option_size(name, value, 1 << 20, &run->machine.memory_size);
}

static int set_cpu(void *target, const char *name, const char *value)
{
	struct run *run = target;
	char error[256];

	if (!strcmp(value, "help")) {
		cpu_policy_print_words(stdout);
		return 1;
	}
	if (!cpu_policy_parse(value, &run->machine.cpu_policy, error, sizeof(error)))
		return 0;
	return option_error(name, NULL, "%s", error);
}

static int set_irqchip(void *target, const char *name, const char *value)
{
	static const struct irqchip_ops *const all[] = { &irqchip_kernel_ops, &irqchip_user_ops };
	struct run *run = target;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strcmp(all[i]->name, value))
			continue;
		run->machine.irqchip = all[i];
		return 0;
	}
	return option_error(name, value, "expected kernel or user");
}

static int set_no_acpi(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	(void)value;
	run->machine.acpi = false;
	return 0;
}

static int set_testdev(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	(void)value;
	run->machine.testdev = true;
	return 0;
}

static int set_on_triple_fault(void *target, const char *name, const char *value)
{
	struct run *run = target;

	run->machine.reset_on_triple_fault = !strcmp(value, "reset");
	if (run->machine.reset_on_triple_fault || !strcmp(value, "report"))
		return 0;
	return option_error(name, value, "expected report or reset");
}

static int set_hypervisor(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	run->machine.hypervisor = value;
	return 0;
}

/* ---- the process --------------------------------------------------------------------- */

static int set_console(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	run->lifecycle.console = value;
	return 0;
}

static int set_cpu_limit(void *target, const char *name, const char *value)
{
	struct run *run = target;
	uint64_t number;

	/* The kernel takes no quota below one millisecond in a period of 100. */
	if (option_number(name, value, 1, 100 * 4096, &number))
		return -1;
	run->limits.cpu_percent = (unsigned int)number;
	return 0;
}

static int set_mem_limit(void *target, const char *name, const char *value)
{
	struct run *run = target;

	return option_size(name, value, 1 << 20, &run->limits.memory_bytes);
}

static int set_grace(void *target, const char *name, const char *value)
{
	struct run *run = target;
	uint64_t number;

	if (option_number(name, value, 0, 86400, &number))
		return -1;
	run->lifecycle.grace_seconds = (unsigned int)number;
	return 0;
}

static int set_dry_run(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	(void)value;
	run->dry_run = true;
	return 0;
}

static int set_stats(void *target, const char *name, const char *value)
{
	struct run *run = target;

	(void)name;
	(void)value;
	run->lifecycle.statistics = true;
	run->machine.statistics = true;
	return 0;
}

static const struct option_row rows[] = {
	{ .group = "What to boot" },
	{ NULL, "append", 'a', "TEXT", "the kernel's command line (console=ttyS0)", set_append },
	{ NULL, "initrd", 'i', "FILE", "its initial RAM disk; Multiboot: the first module",
	  set_initrd },
	{ NULL, "module", 0, "'FILE ARGS'", "a further module, with its arguments; repeatable",
	  add_module },
	{ NULL, "firmware", 0, "FILE", "start firmware (a BIOS image) in place of a kernel",
	  set_firmware },
	{ NULL, "flat", 0, "MODE[@GPA]", "KERNEL is plain code for 16, 32 or 64 bits", set_flat },
	{ NULL, "kernel-cache", 0, "DIR", "keep unpacked kernels there; none: guests unpack",
	  set_kernel_cache },

	{ .group = "The machine" },
	{ NULL, "cpus", 'c', "N", "virtual processors (1)", set_cpus },
	{ NULL, "mem", 'm', "SIZE", "memory, in MiB or as 256M, 2G (512M)", set_mem },
	{ NULL, "cpu", 0, "POLICY", "what CPUID shows: x86-64-v3,+aes,... or help (host)",
	  set_cpu },
	{ NULL, "irqchip", 0, "WHERE", "interrupt controllers: kernel or user (kernel)",
	  set_irqchip },
	{ NULL, "no-acpi", 0, NULL, "no ACPI tables; the MP table stays", set_no_acpi },
	{ NULL, "on-triple-fault", 0, "DO", "report, which ends the machine, or reset (report)",
	  set_on_triple_fault },
	{ NULL, "testdev", 0, NULL, "the devices that kvm-unit-tests expect", set_testdev },
	{ NULL, "hypervisor", 0, "DEVICE", "who runs the guest (/dev/kvm)", set_hypervisor },

	{ .group = "The process" },
	{ NULL, "console", 0, "WHERE", "stdio, none, file:PATH or pty (stdio)", set_console },
	{ NULL, "cpu-limit", 0, "PERCENT", "of one processor, for the whole process; a cgroup",
	  set_cpu_limit },
	{ NULL, "mem-limit", 0, "SIZE", "of memory, for the whole process; a cgroup",
	  set_mem_limit },
	{ NULL, "grace", 0, "SECONDS", "what SIGTERM gives the guest to power off (10)",
	  set_grace },

	{ .group = "To look at it" },
	{ NULL, "dry-run", 'n', NULL, "print what would run, and run nothing", set_dry_run },
	{ NULL, "stats", 's', NULL, "at the end: exits by reason, rates, times", set_stats },
	{ NULL, "help", 'h', NULL, "this text", NULL },
};

static int set_kernel(void *target, const char *word)
{
	struct run *run = target;

	if (run->machine.kernel)
		return option_error(NULL, NULL, "%s: a second kernel, after %s", word,
				    run->machine.kernel);
	run->machine.kernel = word;
	return 0;
}

static const struct option_parser parser = {
	.command = "hutch run",
	.usage = "[OPTIONS] KERNEL",
	.about = "Runs a Linux kernel (bzImage or vmlinux), a Multiboot or PVH image, or plain "
		 "code in\n"
		 "a virtual machine. The image tells which it is.",
	.epilogue =
		"On a terminal, Ctrl-A x leaves, Ctrl-A c is the monitor, Ctrl-A h tells more.\n"
		"Exit status: 0 the guest powered off; 1 the host failed; 2 wrong usage or a bad\n"
		"file; 3 triple fault; V the guest wrote V to port 0xf4; 128+N ended by signal N.",
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.word = set_kernel,
};

static int run_limited(const struct run *run)
{
	char error[512];
	int status;

	if (limits_apply(&run->limits, error, sizeof(error)))
		return option_error(NULL, NULL, "%s", error), STATUS_FAILED;
	limits_allow_files(run->machine.cpus + OTHER_FILES);
	/* This process is the machine: a handler of its own makes each of its exits cheaper. */
	if (hutch_use_signal_handler())
		return option_error(NULL, NULL, "%s", hutch_error()), STATUS_FAILED;
	status = lifecycle_run(&run->lifecycle);
	limits_remove();
	return status;
}

int cli_run(int argc, char **argv)
{
	static struct run run = {
		.machine = {
			.command_line = "console=ttyS0",
			.flat_gpa = UINT64_MAX,
			.memory_size = 512ull << 20,
			.cpus = 1,
			.irqchip = &irqchip_kernel_ops,
			.acpi = true,
		},
		.lifecycle = { .console = "stdio", .grace_seconds = 10 },
	};
	int parsed;

	if (unpack_default_directory(run.kernel_cache, sizeof(run.kernel_cache)))
		run.machine.kernel_cache = run.kernel_cache;
	parsed = options_parse(&parser, &run, argc, argv);
	if (parsed)
		return parsed < 0 ? STATUS_BAD_INPUT : STATUS_OK;
	if (!run.machine.kernel && !run.machine.firmware) {
		option_error(NULL, NULL, "a kernel is missing; see hutch run --help");
		return STATUS_BAD_INPUT;
	}
	run.lifecycle.config = &run.machine;
	return run.dry_run ? describe_run(&run.machine) : run_limited(&run);
}
