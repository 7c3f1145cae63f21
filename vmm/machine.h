/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_MACHINE_H
#define HUTCH_VMM_MACHINE_H

/*
 * The machine: what a case with a mainboard is to a PC. It owns guest memory, the
 * VM, its vCPUs with their threads, the interrupt controllers and the devices, and
 * it is built, started, rebooted and taken apart here, always in the same order.
 *
 * Threads: one for each vCPU, and the process's main thread, which does all input,
 * output and timers (vmm/io_loop.h). Locks: one. Every device model, the bus and
 * the interrupt controllers' shared state are touched with machine.lock held; a
 * vCPU holds it only while it answers an exit.
 *
 * A reboot takes the guest's half apart and builds it anew: VM, vCPUs, devices and
 * memory are as after power-on because they are new. The RTC's NVRAM, the console,
 * the clock and the counters of --stats stay.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "hutch/hutch.h"
#include "vmm/boot/boot.h"
#include "vmm/bus.h"
#include "vmm/irqchip.h"
#include "vmm/memory_map.h"
#include "vmm/vcpu.h"

struct console;
struct devices;
struct io_loop;

#define MACHINE_MODULES_MAX 16

/* What the user asked for; outlives the machine. Strings are the caller's. */
struct machine_config {
	const char *kernel; /* path, NULL with --firmware alone */
	const char *initrd;
	const char *modules[MACHINE_MODULES_MAX]; /* "FILE" or "FILE ARGUMENTS" */
	unsigned int module_count;
	const char *command_line; /* never NULL */
	const char *firmware;
	const char *hypervisor; /* device node; NULL: the default */
	const char *cpu;	/* --cpu POLICY, or NULL */
	const char *flat_mode;
	uint64_t flat_gpa;
	uint64_t memory_size;
	unsigned int cpus;
	const struct irqchip_ops *irqchip;
	bool acpi;
	bool testdev;
	bool reset_on_triple_fault;
};

/* How it all ended; the exit statuses of `hutch run`, see machine_status(). */
enum machine_end {
	MACHINE_RUNNING,
	MACHINE_RESET,	     /* not an end: the guest asked for a reboot */
	MACHINE_POWERED_OFF, /* ACPI S5 */
	MACHINE_DEBUG_EXIT,  /* the guest wrote the debug exit port */
	MACHINE_TRIPLE_FAULT,
	MACHINE_QUIT,	      /* Ctrl-A x, or quit in the monitor */
	MACHINE_SIGNAL,	      /* SIGTERM, SIGINT and their like */
	MACHINE_CONSOLE_GONE, /* nobody reads our output any more */
	MACHINE_FAILED,	      /* an unhandled exit, or the host failed us */
};

struct machine {
	const struct machine_config *config;

	/* The guest's half: remade at each reboot. */
	struct hutch *hutch;
	struct hutch_vm *vm;
	struct memory_map map;
	struct irqchip irqchip; /* irqchip.ops is config->irqchip */
	struct bus bus;
	struct devices *devices;
	struct vcpu *vcpus;
	unsigned int cpu_count;

	/* The host's half. */
	pthread_mutex_t lock;
	uint64_t epoch_ns; /* CLOCK_MONOTONIC when the machine was made */
	struct console *console;
	struct io_loop *loop;
};

/*
 * The device models' time (dev/line.h): nanoseconds since the machine was made. It
 * is CLOCK_MONOTONIC and runs on while the machine is paused or stopped, as the
 * processor's TSC does: all clocks of the guest always agree. From any thread.
 */
uint64_t machine_now(const struct machine *machine);

/*
 * The I/O thread ticks the interrupt controllers and devices at @when (machine_now()'s
 * time) at the latest. Call it when a deadline has moved forward outside of a tick
 * function; a later or equal deadline costs nothing. With the lock held.
 */
void machine_wake_at(struct machine *machine, uint64_t when);

/*
 * Ends or reboots the machine, soon: the I/O thread does it once it has all vCPUs
 * stopped. The first request wins. From any thread, with the lock or without.
 */
void machine_request(struct machine *machine, enum machine_end end, int value);

/* Raises or lowers an ISA line or an IOAPIC pin. With the lock held. */
static inline void machine_set_gsi(struct machine *machine, unsigned int gsi, bool level)
{
	machine->irqchip.ops->set_gsi(&machine->irqchip, gsi, level);
}

static inline void machine_lock(struct machine *machine)
{
	pthread_mutex_lock(&machine->lock);
}

static inline void machine_unlock(struct machine *machine)
{
	pthread_mutex_unlock(&machine->lock);
}

#endif
