/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <dirent.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "lib/system.h"
#include "vmm/machine.h"

/*
 * Every step that makes something is let fail, one after the other: a machine that
 * cannot be made, started or rebooted leaves no descriptor, no mapping and no thread
 * behind. What it forgot to free() is for the address sanitizer to find.
 */

#define STEPS_MAX 500
#define RAM_SIZE  (37ull << 20) /* of no other mapping */

static char directory[] = "/tmp/hutch-unwind-XXXXXX";
static char kernel[64], module[128];

/* ---- what is there ------------------------------------------------------------ */

static unsigned int entries(const char *path)
{
	DIR *list = opendir(path);
	unsigned int count = 0;

	assert_non_null(list);
	while (readdir(list))
		count++;
	closedir(list);
	return count;
}

/* The hypervisor's threads of this process come and go a little after its VMs. */
static unsigned int own_threads(void)
{
	DIR *list = opendir("/proc/self/task");
	struct dirent *entry;
	unsigned int count = 0;

	assert_non_null(list);
	while ((entry = readdir(list))) {
		char path[300], name[32] = "";
		FILE *file;

		snprintf(path, sizeof(path), "/proc/self/task/%s/comm", entry->d_name);
		file = fopen(path, "re");
		if (!file)
			continue;
		if (fgets(name, sizeof(name), file))
			count += strncmp(name, "kvm-", 4) != 0;
		fclose(file);
	}
	closedir(list);
	return count;
}

/* Guest memory, shared pages of vCPUs, files: mappings that only a machine makes. */
static unsigned int machine_mappings(void)
{
	FILE *file = fopen("/proc/self/maps", "re");
	char line[512];
	unsigned int count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long first = 0, end = 0;

		sscanf(line, "%lx-%lx", &first, &end);
		if (strstr(line, "kvm") || strstr(line, directory) || end - first == RAM_SIZE)
			count++;
	}
	fclose(file);
	return count;
}

struct census {
	unsigned int descriptors, threads, mappings;
};

static struct census take_census(void)
{
	return (struct census){
		.descriptors = entries("/proc/self/fd"),
		.threads = own_threads(),
		.mappings = machine_mappings(),
	};
}

static void assert_nothing_left(const struct census *before, unsigned int step)
{
	struct census now = take_census();

	if (now.descriptors != before->descriptors || now.threads != before->threads ||
	    now.mappings != before->mappings)
		fail_msg("step %u left %d descriptors, %d threads, %d mappings", step,
			 (int)(now.descriptors - before->descriptors),
			 (int)(now.threads - before->threads),
			 (int)(now.mappings - before->mappings));
}

/* ---- the machine ------------------------------------------------------------------ */

static void write_file(const char *path, const void *bytes, size_t size)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static int make_files(void **state)
{
	/* Multiboot 1: a header with addresses, then CLI, HLT, and back. */
	static const uint32_t header[] = { 0x1badb002, 1u << 16, -(0x1badb002 + (1u << 16)),
					   0x100000,   0x100000, 0,
					   0,	       0x100020 };
	static const uint8_t halt[] = { 0xfa, 0xf4, 0xeb, 0xfd };
	uint8_t image[sizeof(header) + sizeof(halt)];

	(void)state;
	assert_non_null(mkdtemp(directory));
	snprintf(kernel, sizeof(kernel), "%s/kernel", directory);
	snprintf(module, sizeof(module), "%s/kernel with words", directory);
	memcpy(image, header, sizeof(header));
	memcpy(image + sizeof(header), halt, sizeof(halt));
	write_file(kernel, image, sizeof(image));
	return 0;
}

static int remove_files(void **state)
{
	(void)state;
	unlink(kernel);
	return rmdir(directory);
}

static struct machine_config test_config(const struct irqchip_ops *irqchip)
{
	return (struct machine_config){
		.kernel = kernel,
		.modules = { module },
		.module_count = 1,
		.command_line = "",
		.flat_gpa = UINT64_MAX,
		.memory_size = RAM_SIZE,
		.cpus = 3,
		.irqchip = irqchip,
		.acpi = true,
		.testdev = true,
	};
}

/* One life: made, started, rebooted once, ended. 0, or the error of the step that failed. */
static int live(struct machine *machine, const struct machine_config *config)
{
	int error = machine_create(machine, config);

	if (error) {
		assert_string_not_equal(machine->error, "");
		return error;
	}
	error = machine_start(machine);
	if (!error) {
		vcpu_pause_all(machine);
		vcpu_resume_all(machine);
		machine_stop(machine);
		error = machine_rebuild(machine);
	}
	if (!error)
		error = machine_start(machine);
	if (!error)
		machine_stop(machine);
	else
		assert_string_not_equal(machine->error, "");
	machine_destroy(machine);
	return error;
}

static void every_step_fails_once(const struct irqchip_ops *irqchip)
{
	static struct machine machine;
	const struct machine_config config = test_config(irqchip);
	struct census before;
	unsigned int failed = 0, step;

	/* Once, for what the C library makes at its first use and keeps. */
	assert_int_equal(live(&machine, &config), 0);
	before = take_census();
	for (step = 1; step < STEPS_MAX; step++) {
		unsigned int calls;

		system_fail_at(step);
		failed += live(&machine, &config) != 0;
		calls = system_calls();
		system_fail_at(0);
		assert_nothing_left(&before, step);
		if (calls < step)
			break;
	}
	assert_in_range(step, 60, STEPS_MAX - 1);
	/* A few are not needed: an MSR, a page that only old processors want. */
	assert_in_range(failed, step / 2, step);
}

static void with_the_hypervisors_irqchip(void **state)
{
	(void)state;
	every_step_fails_once(&irqchip_kernel_ops);
}

static void with_our_own_irqchip(void **state)
{
	(void)state;
	every_step_fails_once(&irqchip_user_ops);
}

/* What is the user's to put right is found before there is a VM, and said so. */
static void bad_input_leaves_nothing(void **state)
{
	static struct machine machine;
	struct machine_config config = test_config(&irqchip_kernel_ops);
	struct census before = take_census();

	(void)state;
	config.kernel = "/nowhere/kernel";
	assert_int_not_equal(machine_create(&machine, &config), 0);
	assert_true(machine.bad_input);
	assert_string_equal(machine.error, "/nowhere/kernel: No such file or directory");
	config.kernel = kernel;
	config.initrd = "/";
	assert_int_not_equal(machine_create(&machine, &config), 0);
	assert_true(machine.bad_input);
	assert_string_equal(machine.error, "/: Is a directory");
	config.initrd = NULL;
	config.flat_mode = "64";
	assert_int_not_equal(machine_create(&machine, &config), 0);
	assert_true(machine.bad_input);
	config.flat_mode = NULL;
	config.memory_size = RAM_SIZE + 1;
	assert_int_not_equal(machine_create(&machine, &config), 0);
	assert_true(machine.bad_input);
	config.memory_size = RAM_SIZE;
	config.cpus = 4096;
	config.acpi = false;
	config.hypervisor = NULL;
	assert_int_not_equal(machine_create(&machine, &config), 0);
	assert_true(machine.bad_input);
	assert_non_null(strstr(machine.error, "--cpus 4096"));
	assert_nothing_left(&before, 0);
}

static void no_hypervisor_is_no_bad_input(void **state)
{
	static struct machine machine;
	struct machine_config config = test_config(&irqchip_kernel_ops);

	(void)state;
	config.hypervisor = "/nowhere/kvm";
	assert_int_not_equal(machine_create(&machine, &config), 0);
	assert_false(machine.bad_input);
	assert_non_null(strstr(machine.error, "/nowhere/kvm"));
}

/* The dry run needs no hypervisor at all. */
static void preparing_needs_no_hypervisor(void **state)
{
	static struct machine machine;
	struct machine_config config = test_config(&irqchip_kernel_ops);
	struct census before = take_census();

	(void)state;
	config.hypervisor = "/nowhere/kvm";
	assert_int_equal(machine_prepare(&machine, &config), 0);
	assert_string_equal(machine.boot.protocol, "Multiboot 1");
	machine_destroy(&machine);
	assert_nothing_left(&before, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(with_the_hypervisors_irqchip),
		cmocka_unit_test(with_our_own_irqchip),
		cmocka_unit_test(bad_input_leaves_nothing),
		cmocka_unit_test(no_hypervisor_is_no_bad_input),
		cmocka_unit_test(preparing_needs_no_hypervisor),
	};

	return cmocka_run_group_tests(tests, make_files, remove_files);
}
