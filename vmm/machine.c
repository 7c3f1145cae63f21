/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/machine.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dev/clock.h"
#include "lib/system.h"
#include "vmm/devices.h"
#include "vmm/footprint.h"
#include "vmm/load.h"
#include "vmm/processors.h"
#include "vmm/terminal.h"

/*
 * Building a machine, in the order in which its parts need each other, and taking it
 * apart in the reverse order. Each function here takes back what it did when a step
 * fails; a test lets every one of them fail in turn.
 *
 * The files are looked at before the hypervisor is: what is wrong with a kernel is
 * found out without one.
 */

/* How much room a hypervisor needs for itself below the firmware (machine.vm). */
#define HYPERVISOR_PAGES_SIZE 0x4000
#define FIRMWARE_GPA	      0xfffc0000ull

/* Keeps what the failing library call said. */
static int hutch_failed(struct machine *machine, int error)
{
	snprintf(machine->error, sizeof(machine->error), "%s", hutch_error());
	return error;
}

static int failed(struct machine *machine, const char *what, int error)
{
	if (!machine->error[0])
		snprintf(machine->error, sizeof(machine->error), "%s: %s", what, strerror(-error));
	return error;
}

/* ---- the VM and its memory --------------------------------------------------- */

static int add_ram(struct machine *machine, uint64_t gpa, uint64_t end, uint8_t *host)
{
	if (gpa == end)
		return 0;
	return hutch_memory_add_host(machine->vm, gpa, end - gpa, 0, host);
}

/*
 * RAM as vmm/memory_map.h has it, and the firmware's ROM. Where option ROMs would be there
 * is RAM too: firmware wants it, and kernels search it for tables in steps of 16 bytes,
 * which would be 16,000 exits of a Linux that starts.
 */
static int add_memory(struct machine *machine)
{
	const struct memory_map *map = &machine->map;
	const struct boot_rom *rom = &machine->boot.rom;
	int error;

	error = add_ram(machine, 0, MEMORY_HOLE_GPA, machine->ram);
	if (!error)
		error = add_ram(machine, MEMORY_ROM_GPA, map->low_size,
				machine->ram + MEMORY_ROM_GPA);
	if (!error)
		error = add_ram(machine, MEMORY_HIGH_GPA, MEMORY_HIGH_GPA + map->high_size,
				machine->ram + map->low_size);
	if (!error && rom->size)
		error = hutch_memory_add_host(machine->vm, rom->gpa, rom->size,
					      HUTCH_MEMORY_READONLY, (void *)rom->bytes);
	return error ? hutch_failed(machine, error) : 0;
}

/*
 * KVM on Intel's older processors runs real mode in a virtual-8086 task, and wants four
 * pages of the guest's addresses, of which the guest knows nothing, for it (Linux,
 * Documentation/virt/kvm/api.rst, 4.36, 4.40). A hypervisor without the request has
 * no need of them.
 */
static int place_hypervisor_pages(struct machine *machine)
{
	uint64_t gpa = FIRMWARE_GPA - HYPERVISOR_PAGES_SIZE;
	int error;

	error = hutch_vm_ioctl(machine->vm, KVM_SET_IDENTITY_MAP_ADDR, "KVM_SET_IDENTITY_MAP_ADDR",
			       &gpa);
	if (!error || error == -ENOTTY)
		error = hutch_vm_ioctl(machine->vm, KVM_SET_TSS_ADDR, "KVM_SET_TSS_ADDR",
				       (void *)(uintptr_t)(gpa + 0x1000));
	return error && error != -ENOTTY ? hutch_failed(machine, error) : 0;
}

static int make_vm(struct machine *machine)
{
	int error;

	machine->vm = hutch_vm_create(machine->hutch);
	if (!machine->vm)
		return hutch_failed(machine, -errno);
	error = place_hypervisor_pages(machine);
	if (!error)
		error = add_memory(machine);
	if (!error)
		return 0;
	hutch_vm_destroy(machine->vm);
	machine->vm = NULL;
	return error;
}

/* ---- the guest's half --------------------------------------------------------- */

static int make_irqchip(struct machine *machine)
{
	machine->irqchip = (struct irqchip){ .ops = machine->config->irqchip };
	return machine->irqchip.ops->create(&machine->irqchip, machine);
}

/* From the VM to the vCPUs, whose threads are not there yet. */
static int make_guest(struct machine *machine)
{
	int error = make_vm(machine);

	if (error)
		return error;
	memset(&machine->bus, 0, sizeof(machine->bus));
	error = make_irqchip(machine);
	if (error)
		goto err_vm;
	error = devices_create(machine);
	if (error) {
		failed(machine, "devices", error);
		goto err_irqchip;
	}
	error = processors_create(machine);
	if (error)
		goto err_devices;
	return 0;

err_devices:
	devices_destroy(machine);
err_irqchip:
	machine->irqchip.ops->destroy(&machine->irqchip);
err_vm:
	hutch_vm_destroy(machine->vm);
	machine->vm = NULL;
	return error;
}

static void unmake_guest(struct machine *machine)
{
	if (!machine->vm)
		return;
	processors_destroy(machine);
	devices_destroy(machine);
	machine->irqchip.ops->destroy(&machine->irqchip);
	hutch_vm_destroy(machine->vm);
	machine->vm = NULL;
}

/* ---- the whole ---------------------------------------------------------------- */

static uint64_t monotonic_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * DEV_NS_PER_SECOND + (uint64_t)time.tv_nsec;
}

/* The I/O loop's: the earliest deadline has come, or another thread called. */
static void tick_all(void *owner)
{
	struct machine *machine = owner;
	uint64_t next = DEV_NEVER, now;

	machine_lock(machine);
	io_loop_forget_deadline(&machine->loop);
	now = machine_now(machine);
	if (machine->vm) {
		struct irqchip *irqchip = &machine->irqchip;

		next = clock_earlier(irqchip->ops->tick(irqchip, now),
				     devices_tick(machine->devices, now));
	}
	if (machine->console)
		next = clock_earlier(next, console_tick(machine->console, now));
	if (machine->stop_signal) {
		if (machine->stop_at <= now)
			machine_request_locked(machine, MACHINE_SIGNAL, machine->stop_signal);
		else
			next = clock_earlier(next, machine->stop_at);
	}
	machine_wake_at(machine, next);
	machine_unlock(machine);
}

static void init_host_half(struct machine *machine, const struct machine_config *config)
{
	memset(machine, 0, sizeof(*machine));
	machine->config = config;
	machine->cpu_count = config->cpus;
	machine->epoch_ns = monotonic_ns();
	pthread_mutex_init(&machine->lock, NULL);
	pthread_cond_init(&machine->parked, NULL);
	pthread_cond_init(&machine->unparked, NULL);
}

static void destroy_host_half(struct machine *machine)
{
	pthread_cond_destroy(&machine->unparked);
	pthread_cond_destroy(&machine->parked);
	pthread_mutex_destroy(&machine->lock);
}

int machine_prepare(struct machine *machine, const struct machine_config *config)
{
	int error;

	init_host_half(machine, config);
	error = load_open(machine);
	if (error)
		goto err_host;
	error = load_memory(machine);
	if (error)
		goto err_open;
	return 0;

err_open:
	load_close(machine);
err_host:
	destroy_host_half(machine);
	return error;
}

int machine_create(struct machine *machine, const struct machine_config *config)
{
	int error = machine_prepare(machine, config);

	if (error)
		return error;
	error = io_loop_init(&machine->loop, tick_all, tick_all, machine);
	if (error) {
		failed(machine, "event loop", error);
		goto err_prepare;
	}
	machine->hutch = hutch_open(config->hypervisor);
	if (!machine->hutch) {
		error = hutch_failed(machine, -errno);
		goto err_loop;
	}
	error = processors_allocate(machine);
	if (error)
		goto err_close;
	error = make_guest(machine);
	if (error)
		goto err_processors;
	return 0;

err_processors:
	processors_free(machine);
err_close:
	hutch_close(machine->hutch);
	machine->hutch = NULL;
err_loop:
	io_loop_destroy(&machine->loop);
err_prepare:
	machine_destroy(machine);
	return error;
}

void machine_destroy(struct machine *machine)
{
	if (machine->hutch) {
		unmake_guest(machine);
		processors_free(machine);
		hutch_close(machine->hutch);
		io_loop_destroy(&machine->loop);
		machine->hutch = NULL;
	}
	if (machine->ram)
		load_release(machine);
	load_close(machine);
	destroy_host_half(machine);
}

int machine_rebuild(struct machine *machine)
{
	int error;

	machine_count(machine);
	machine->reboots++;
	unmake_guest(machine);
	load_release(machine);
	machine->end = MACHINE_RUNNING;
	machine->end_vcpu = NULL;
	machine->error[0] = 0;
	error = load_memory(machine);
	return error ? error : make_guest(machine);
}

int machine_start(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->cpu_count; i++) {
		int error = vcpu_start(&machine->vcpus[i]);

		if (error) {
			machine_stop(machine);
			return failed(machine, "thread of a vCPU", error);
		}
	}
	footprint_trim();
	return 0;
}

void machine_stop(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->cpu_count; i++)
		vcpu_stop(&machine->vcpus[i]);
}

void machine_count(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->cpu_count; i++)
		for (unsigned int reason = 0; reason < HUTCH_EXIT_COUNT; reason++)
			machine->exits[reason] += hutch_vcpu_exits(machine->vcpus[i].hutch, reason);
	for (unsigned int space = 0; space < BUS_SPACE_COUNT; space++)
		machine->unclaimed[space] += atomic_load(&machine->bus.unclaimed[space]);
}

/* ---- what its parts ask of it ------------------------------------------------- */

uint64_t machine_now(const struct machine *machine)
{
	return monotonic_ns() - machine->epoch_ns;
}

void machine_wake_at(struct machine *machine, uint64_t when)
{
	if (when < DEV_NEVER - machine->epoch_ns)
		io_loop_deadline(&machine->loop, machine->epoch_ns + when);
}

static bool within(uint64_t gpa, uint64_t size, uint64_t first, uint64_t end)
{
	return gpa >= first && gpa < end && size <= end - gpa;
}

uint8_t *machine_ram(const struct machine *machine, uint64_t gpa, uint64_t size)
{
	const struct memory_map *map = &machine->map;

	if (within(gpa, size, 0, MEMORY_HOLE_GPA) ||
	    within(gpa, size, MEMORY_ROM_GPA, map->low_size))
		return machine->ram + gpa;
	if (within(gpa, size, MEMORY_HIGH_GPA, MEMORY_HIGH_GPA + map->high_size))
		return machine->ram + map->low_size + (gpa - MEMORY_HIGH_GPA);
	return NULL;
}

void machine_request_locked(struct machine *machine, enum machine_end end, int value)
{
	if (machine->end > MACHINE_RESET || end <= machine->end)
		return;
	machine->end = end;
	machine->end_value = value;
	io_loop_call(&machine->loop);
}

void machine_request(struct machine *machine, enum machine_end end, int value)
{
	machine_lock(machine);
	machine_request_locked(machine, end, value);
	machine_unlock(machine);
}

void machine_request_report(struct machine *machine, enum machine_end end, struct vcpu *vcpu)
{
	machine_lock(machine);
	if (machine->end <= MACHINE_RESET)
		machine->end_vcpu = vcpu;
	machine_request_locked(machine, end, 0);
	machine_unlock(machine);
}

void machine_fail(struct machine *machine, const char *format, ...)
{
	va_list arguments;

	machine_lock(machine);
	if (machine->end <= MACHINE_RESET) {
		va_start(arguments, format);
		vsnprintf(machine->error, sizeof(machine->error), format, arguments);
		va_end(arguments);
	}
	machine_request_locked(machine, MACHINE_FAILED, 0);
	machine_unlock(machine);
}

void machine_warn(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	fputs("hutch: warning: ", stderr);
	vfprintf(stderr, format, arguments);
	fputs(terminal_is_raw() ? "\r\n" : "\n", stderr);
	va_end(arguments);
}
