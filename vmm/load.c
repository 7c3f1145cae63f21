/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "lib/system.h"
#include "vmm/machine.h"

/*
 * Guest memory is one mapping of this process, private and without reserved swap: a
 * page of it costs nothing until the guest or a loader touches it. The files are read
 * from the page cache straight into it and are not mapped any more once the guest
 * runs; what firmware keeps in ROM is the exception.
 */

static int open_module(struct machine *machine, unsigned int index)
{
	const char *spec = machine->config->modules[index];
	const char *blank = strchr(spec, ' ');
	char path[4096];
	int error;

	if (!blank)
		return image_open(&machine->images.modules[index], spec, NULL, machine->error,
				  sizeof(machine->error));
	if ((size_t)(blank - spec) >= sizeof(path)) {
		snprintf(machine->error, sizeof(machine->error), "--module: path too long");
		return -ENAMETOOLONG;
	}
	memcpy(path, spec, (size_t)(blank - spec));
	path[blank - spec] = 0;
	error = image_open(&machine->images.modules[index], path, blank + 1, machine->error,
			   sizeof(machine->error));
	/* The path was ours; the words of the user name it as well. */
	if (!error)
		machine->images.modules[index].file.name = spec;
	return error;
}

static int open_optional(struct machine *machine, struct image *image, const char *path)
{
	return path ? image_open(image, path, NULL, machine->error, sizeof(machine->error)) : 0;
}

int load_open(struct machine *machine)
{
	const struct machine_config *config = machine->config;
	struct machine_images *images = &machine->images;
	int error;

	error = open_optional(machine, &images->kernel, config->kernel);
	if (!error)
		error = open_optional(machine, &images->initrd, config->initrd);
	if (!error)
		error = open_optional(machine, &images->firmware, config->firmware);
	for (unsigned int i = 0; !error && i < config->module_count; i++)
		error = open_module(machine, i);
	if (error) {
		machine->bad_input = error != -ENOMEM;
		load_close(machine);
	}
	return error;
}

void load_close(struct machine *machine)
{
	struct machine_images *images = &machine->images;

	for (unsigned int i = 0; i < MACHINE_MODULES_MAX; i++)
		image_close(&images->modules[i]);
	image_close(&images->firmware);
	image_close(&images->initrd);
	image_close(&images->kernel);
}

/* ---- memory ----------------------------------------------------------------- */

static size_t ram_size(const struct machine *machine)
{
	return machine->map.low_size + machine->map.high_size;
}

static int make_memory(struct machine *machine)
{
	uint64_t size = machine->config->memory_size;

	if (memory_map_build(&machine->map, size)) {
		snprintf(machine->error, sizeof(machine->error),
			 "--mem: %llu bytes: expected a multiple of 4096 from 2M to 4096G",
			 (unsigned long long)size);
		machine->bad_input = true;
		return -EINVAL;
	}
	machine->ram = system_mmap(NULL, ram_size(machine), PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (machine->ram != MAP_FAILED)
		return 0;
	machine->ram = NULL;
	snprintf(machine->error, sizeof(machine->error), "%llu MiB of guest memory: %s",
		 (unsigned long long)size >> 20, strerror(errno));
	return -errno;
}

static int make_tables(struct machine *machine)
{
	const struct acpi_machine acpi = {
		.cpu_count = machine->config->cpus,
		.ioapic_id = machine_ioapic_id(machine->config->cpus),
	};

	machine->acpi = (struct acpi_tables){ 0 };
	if (!machine->config->acpi || machine->config->firmware)
		return 0;
	if (!acpi_build(&acpi, machine->ram, &machine->acpi))
		return 0;
	snprintf(machine->error, sizeof(machine->error), "--cpus %u: too many for the ACPI tables",
		 machine->config->cpus);
	machine->bad_input = true;
	return -ENOSPC;
}

/* ---- loading ---------------------------------------------------------------- */

static int map_image(struct machine *machine, struct image *image)
{
	if (!image->file.name)
		return 0;
	return image_map(image, machine->error, sizeof(machine->error));
}

static void unmap_images(struct machine *machine)
{
	struct machine_images *images = &machine->images;

	for (unsigned int i = 0; i < machine->config->module_count; i++)
		image_unmap(&images->modules[i]);
	image_unmap(&images->initrd);
	image_unmap(&images->kernel);
}

static int map_images(struct machine *machine)
{
	struct machine_images *images = &machine->images;
	int error = map_image(machine, &images->kernel);

	if (!error)
		error = map_image(machine, &images->initrd);
	if (!error)
		error = map_image(machine, &images->firmware);
	for (unsigned int i = 0; !error && i < machine->config->module_count; i++)
		error = map_image(machine, &images->modules[i]);
	if (error)
		unmap_images(machine);
	return error;
}

/* Whatever goes wrong in the cache, the guest can unpack its kernel itself. */
static const struct boot_file *unpacked_kernel(struct machine *machine)
{
	const struct machine_config *config = machine->config;
	const struct image *kernel = &machine->images.kernel;

	if (!kernel->file.name || kernel->kept || !config->kernel_cache || config->flat_mode)
		return NULL;
	if (unpack_kernel(&kernel->file, &kernel->status, config->kernel_cache, &machine->unpacked))
		return NULL;
	return &machine->unpacked.file;
}

static uint64_t random_seed(void)
{
	uint64_t seed;

	return getrandom(&seed, sizeof(seed), GRND_NONBLOCK) == sizeof(seed) ? seed : 0;
}

static int load_images(struct machine *machine)
{
	const struct machine_config *config = machine->config;
	struct machine_images *images = &machine->images;
	struct boot_file modules[MACHINE_MODULES_MAX];
	struct boot_context *boot = &machine->boot;
	int error;

	for (unsigned int i = 0; i < config->module_count; i++)
		modules[i] = images->modules[i].file;
	*boot = (struct boot_context){
		.kernel = config->kernel ? &images->kernel.file : NULL,
		.firmware = config->firmware ? &images->firmware.file : NULL,
		.initrd = config->initrd ? &images->initrd.file : NULL,
		.modules = modules,
		.module_count = config->module_count,
		.unpacked = unpacked_kernel(machine),
		.random = random_seed(),
		.command_line = config->command_line,
		.ram = machine->ram,
		.ram_size = machine->map.low_size,
		.map = &machine->map,
		.rsdp_gpa = machine->acpi.rsdp_gpa,
		.rsdp = machine->acpi.rsdp,
		.rsdp_size = machine->acpi.rsdp_size,
		.flat_mode = config->flat_mode,
		.flat_gpa = config->flat_gpa,
		.placed = config->placed,
		.placed_owner = config->placed_owner,
	};
	error = boot_load(boot);
	boot->modules = NULL;
	if (boot->unpacked)
		unpack_release(&machine->unpacked);
	boot->unpacked = NULL;
	if (!error)
		return 0;
	snprintf(machine->error, sizeof(machine->error), "%s: %s",
		 config->firmware ? config->firmware : config->kernel, boot->error);
	machine->bad_input = true;
	return error;
}

int load_memory(struct machine *machine)
{
	int error = make_memory(machine);

	if (error)
		return error;
	error = make_tables(machine);
	if (error)
		goto err_memory;
	error = map_images(machine);
	if (error)
		goto err_memory;
	error = load_images(machine);
	unmap_images(machine);
	if (error)
		goto err_firmware;
	return 0;

err_firmware:
	image_unmap(&machine->images.firmware);
err_memory:
	munmap(machine->ram, ram_size(machine));
	machine->ram = NULL;
	return error;
}

void load_release(struct machine *machine)
{
	image_unmap(&machine->images.firmware);
	munmap(machine->ram, ram_size(machine));
	machine->ram = NULL;
}
