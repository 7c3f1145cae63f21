/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/describe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm/devices.h"
#include "vmm/lifecycle.h"
#include "vmm/processors.h"

/*
 * A dry run makes everything that a run makes but the VM. What is printed is read from
 * what was made, and not from what was asked for.
 */

static void print_range(uint64_t gpa, uint64_t size, const char *what)
{
	printf("  0x%010" PRIx64 "-0x%010" PRIx64 "  %10" PRIu64 " KiB  %s\n", gpa, gpa + size - 1,
	       (size + 1023) >> 10, what);
}

static void print_memory_map(const struct machine *machine)
{
	const struct memory_map *map = &machine->map;

	printf("memory, as the guest is told\n");
	for (unsigned int i = 0; i < map->count; i++)
		print_range(map->ranges[i].gpa, map->ranges[i].size,
			    memory_type_name(map->ranges[i].type));
}

static void print_loaded(const struct machine *machine)
{
	const struct boot_context *boot = &machine->boot;

	printf("\nloaded, by the protocol: %s\n", boot->protocol);
	if (boot->kernel_end_gpa > boot->kernel_gpa)
		print_range(boot->kernel_gpa, boot->kernel_end_gpa - boot->kernel_gpa, "kernel");
	if (boot->initrd_size)
		print_range(boot->initrd_gpa, boot->initrd_size, "initrd");
	if (boot->rom.size)
		print_range(boot->rom.gpa, boot->rom.size, "firmware");
	for (unsigned int i = 0; i < machine->acpi.count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "ACPI %s", machine->acpi.table[i].signature);
		print_range(machine->acpi.table[i].gpa, machine->acpi.table[i].size, name);
	}
	if (!machine->config->firmware)
		printf("  command line: \"%s\"\n", machine->config->command_line);
}

static void print_registers(const struct machine *machine)
{
	char text[4096];

	hutch_registers_text(&machine->boot.regs, &machine->boot.sregs, text, sizeof(text));
	printf("\nregisters of vCPU 0\n%s", text);
}

static void print_devices(const struct machine *machine)
{
	printf("\ndevices, with the interrupt controllers of --irqchip %s\n",
	       machine->config->irqchip->name);
	devices_print(machine, stdout);
}

static void print_processors(struct machine *machine)
{
	printf("\nprocessors: %u\n", machine->cpu_count);
	if (processors_print(machine, stdout))
		printf("  CPUID is not known without a hypervisor: %s\n", machine->error);
}

int describe_run(const struct machine_config *config)
{
	static struct machine machine;
	int error = machine_prepare(&machine, config);

	if (error) {
		fprintf(stderr, "hutch: %s\n", machine.error);
		return machine.bad_input ? STATUS_BAD_INPUT : STATUS_FAILED;
	}
	print_memory_map(&machine);
	print_loaded(&machine);
	print_registers(&machine);
	error = devices_create(&machine);
	if (error) {
		fprintf(stderr, "hutch: devices: %s\n", strerror(-error));
	} else {
		print_devices(&machine);
		devices_destroy(&machine);
		print_processors(&machine);
	}
	machine_destroy(&machine);
	return error ? STATUS_FAILED : STATUS_OK;
}
