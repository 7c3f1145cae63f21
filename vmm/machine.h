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

#include "dev/rtc.h"
#include "hutch/hutch.h"
#include "vmm/acpi.h"
#include "vmm/boot/boot.h"
#include "vmm/bus.h"
#include "vmm/console.h"
#include "vmm/cpu_policy.h"
#include "vmm/image.h"
#include "vmm/io_loop.h"
#include "vmm/irqchip.h"
#include "vmm/memory_map.h"
#include "vmm/unpack.h"
#include "vmm/vcpu.h"

struct devices; /* vmm/devices.h */

#define MACHINE_MODULES_MAX 16

/* What the user asked for; outlives the machine. Strings are the caller's. */
struct machine_config {
	const char *kernel; /* path, NULL with --firmware alone */
	const char *initrd;
	const char *modules[MACHINE_MODULES_MAX]; /* "FILE" or "FILE ARGUMENTS" */
	unsigned int module_count;
	const char *command_line; /* never NULL */
	const char *firmware;
	const char *hypervisor;	  /* device node; NULL: the default */
	const char *kernel_cache; /* directory of unpacked kernels; NULL: guests unpack */
	struct cpu_policy cpu_policy;
	const char *flat_mode;
	uint64_t flat_gpa;
	uint64_t memory_size;
	unsigned int cpus;
	const struct irqchip_ops *irqchip;
	bool acpi;
	bool testdev;
	bool reset_on_triple_fault;
	bool statistics; /* keep the time that vCPUs spend here and there */
	/* As boot_context.placed, for --dry-run. */
	void (*placed)(void *owner, const char *what, uint64_t gpa, uint64_t size);
	void *placed_owner;
};

/* How it all ended, or goes on: machine_request(). */
enum machine_end {
	MACHINE_RUNNING,
	MACHINE_RESET,	      /* not an end: the guest asked for a reboot */
	MACHINE_POWERED_OFF,  /* ACPI S5 */
	MACHINE_DEBUG_EXIT,   /* the guest wrote the debug exit port: value */
	MACHINE_TRIPLE_FAULT, /* of the vCPU in machine.end_vcpu */
	MACHINE_QUIT,	      /* Ctrl-A x, or quit in the monitor */
	MACHINE_SIGNAL,	      /* SIGTERM, SIGINT and their like: value */
	MACHINE_CONSOLE_GONE, /* nobody reads our output any more */
	MACHINE_FAILED,	      /* an unhandled exit (of end_vcpu), or the host failed us (error) */
};

/* The user's files, open as long as the machine lives, so that it can reboot. */
struct machine_images {
	struct image kernel, initrd, firmware;
	struct image modules[MACHINE_MODULES_MAX];
};

struct machine {
	const struct machine_config *config;

	/* The host's half. */
	pthread_mutex_t lock;
	pthread_cond_t parked, unparked; /* vcpu.c */
	unsigned int pause_depth;
	uint64_t epoch_ns; /* CLOCK_MONOTONIC when the machine was made */
	struct machine_images images;
	struct io_loop loop;
	struct console *console; /* the caller's, attached to the loop */
	bool has_loop;

	/* The guest's half: remade at each reboot. */
	struct memory_map map;
	uint8_t *ram; /* guest-physical 0 .. map.low_size, then 4 GiB .. : one mapping */
	struct acpi_tables acpi;
	struct boot_context boot; /* what boot_load() made of it */
	struct unpacked_kernel unpacked;
	struct hutch *hutch;
	struct kvm_cpuid2 *cpuid;
	struct hutch_vm *vm;
	struct irqchip irqchip; /* irqchip.ops is config->irqchip */
	struct bus bus;
	struct devices *devices;
	struct vcpu *vcpus;
	unsigned int cpu_count;

	/* The end: written once, under the lock. */
	enum machine_end end;
	int end_value;
	struct vcpu *end_vcpu; /* whose last exit tells why, or NULL */
	bool bad_input;	       /* @error is the user's to put right */
	char error[512];       /* one line, or empty */

	/* For --stats, over all reboots. */
	uint64_t exits[HUTCH_EXIT_COUNT];
	uint64_t unclaimed[BUS_SPACE_COUNT];
	unsigned int reboots;

	uint8_t nvram[RTC_NVRAM_SIZE]; /* between two RTCs */
	uint64_t stop_at;	       /* when patience with a guest asked to power off ends */
	int stop_signal;
};

/*
 * Opens the user's files, builds memory, loads, and makes the VM with its devices and
 * vCPUs, up to the first instruction. 0, or a negative errno with @machine->error set
 * (and @machine->bad_input where that is the user's), and nothing left behind.
 */
int machine_create(struct machine *machine, const struct machine_config *config);
void machine_destroy(struct machine *machine);

/*
 * The first half of machine_create() alone: what --dry-run shows. No hypervisor is
 * needed. machine_destroy() undoes it.
 */
int machine_prepare(struct machine *machine, const struct machine_config *config);

/* Starts the vCPUs' threads; stops and joins them. */
int machine_start(struct machine *machine);
void machine_stop(struct machine *machine);

/* With the vCPUs stopped: takes the guest's half apart and builds it again. */
int machine_rebuild(struct machine *machine);

/* Adds what a stopped guest counted to machine.exits and machine.unclaimed. */
void machine_count(struct machine *machine);

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

/* The host's view of guest RAM, or NULL unless all of [@gpa, @gpa + @size) is RAM. */
uint8_t *machine_ram(const struct machine *machine, uint64_t gpa, uint64_t size);

/*
 * Ends or reboots the machine, soon: the I/O thread does it once it has all vCPUs
 * stopped. The first end wins, and an end wins over a reboot. From any thread, with
 * the lock held.
 */
void machine_request_locked(struct machine *machine, enum machine_end end, int value);

/* The same without the lock. _report: @vcpu's last exit is the reason, and will be reported. */
void machine_request(struct machine *machine, enum machine_end end, int value);
void machine_request_report(struct machine *machine, enum machine_end end, struct vcpu *vcpu);

/* A line on standard error about something that is not as wished; the machine goes on. */
void machine_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Ends it with a line of what failed. Without the lock. */
void machine_fail(struct machine *machine, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The IOAPIC's id: one that no local APIC of @cpus vCPUs has, as far as a byte goes. */
static inline uint8_t machine_ioapic_id(unsigned int cpus)
{
	return cpus < 255 ? (uint8_t)cpus : 0;
}

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
