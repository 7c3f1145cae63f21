/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/describe.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
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

/* What the loader put where, in the order of addresses. */
#define PLACES_MAX 256

struct place {
	uint64_t gpa, size;
	char what[32];
};

struct places {
	struct place list[PLACES_MAX];
	unsigned int count;
};

static void note_place(void *owner, const char *what, uint64_t gpa, uint64_t size)
{
	struct places *places = owner;
	struct place *place;

	if (places->count == PLACES_MAX)
		return;
	place = &places->list[places->count++];
	place->gpa = gpa;
	place->size = size;
	snprintf(place->what, sizeof(place->what), "%s", what);
}

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	return a->gpa < b->gpa ? -1 : a->gpa > b->gpa;
}

/* The tables, and what lies in no RAM that a loader would have to look for. */
static void note_others(const struct machine *machine, struct places *places)
{
	const struct boot_context *boot = &machine->boot;

	if (boot->rom.size)
		note_place(places, "firmware", boot->rom.gpa, boot->rom.size);
	for (unsigned int i = 0; i < machine->acpi.count; i++) {
		char name[32];

		snprintf(name, sizeof(name), "ACPI %s", machine->acpi.table[i].signature);
		note_place(places, name, machine->acpi.table[i].gpa, machine->acpi.table[i].size);
	}
	if (!machine->config->firmware)
		note_place(places, "MP table", MEMORY_MP_TABLE_GPA,
			   MEMORY_EXTENDED_GPA - MEMORY_MP_TABLE_GPA);
}

static void print_loaded(const struct machine *machine, struct places *places)
{
	note_others(machine, places);
	qsort(places->list, places->count, sizeof(places->list[0]), compare_places);
	printf("\nloaded, by the protocol: %s\n", machine->boot.protocol);
	for (unsigned int i = 0; i < places->count; i++)
		print_range(places->list[i].gpa, places->list[i].size, places->list[i].what);
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
	/* Whoever runs them: machines are made with them, and a dry run makes none. */
	printf("  port 0x0020-0x0021  8259A master, 0x00a0-0x00a1 slave, 0x04d0-0x04d1 edge or "
	       "level\n"
	       "  memory 0x%08llx-0x%08llx  IOAPIC\n"
	       "  memory 0x%08llx-0x%08llx  local APICs\n",
	       MEMORY_IOAPIC_GPA, MEMORY_IOAPIC_GPA + 0xfff, MEMORY_LAPIC_GPA,
	       MEMORY_LAPIC_GPA + 0xfff);
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
	static struct places places;
	struct machine_config listening = *config;
	int error;

	listening.placed = note_place;
	listening.placed_owner = &places;
	error = machine_prepare(&machine, &listening);
	if (error) {
		fprintf(stderr, "hutch: %s\n", machine.error);
		return machine.bad_input ? STATUS_BAD_INPUT : STATUS_FAILED;
	}
	print_memory_map(&machine);
	print_loaded(&machine, &places);
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
