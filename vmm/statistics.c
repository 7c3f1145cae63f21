/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/statistics.h"

#include "dev/line.h"
#include "vmm/devices.h"
#include "vmm/machine.h"

/*
 * The counters are kept by whoever counts (the library for each vCPU, the bus); here
 * they are only added up. They may be read while the guest runs, and are then a moment
 * old.
 */

static uint64_t exits_of(const struct machine *machine, enum hutch_exit_reason reason)
{
	uint64_t sum = machine->exits[reason];

	for (unsigned int i = 0; machine->vcpus && i < machine->cpu_count; i++)
		if (machine->vcpus[i].hutch)
			sum += hutch_vcpu_exits(machine->vcpus[i].hutch, reason);
	return sum;
}

static double per_second(const struct machine *machine, uint64_t count)
{
	return (double)count * DEV_NS_PER_SECOND / (double)(machine_now(machine) + 1);
}

static void print_row(const struct machine *machine, FILE *out, const char *name, uint64_t count)
{
	fprintf(out, "%-24s %14llu %14.1f\n", name, (unsigned long long)count,
		per_second(machine, count));
}

static void print_unclaimed(const struct machine *machine, FILE *out, enum bus_space space,
			    const char *name)
{
	uint64_t count = machine->unclaimed[space] + atomic_load(&machine->bus.unclaimed[space]);

	if (count)
		print_row(machine, out, name, count);
}

void statistics_print_exits(const struct machine *machine, FILE *out)
{
	uint64_t total = 0;

	fprintf(out, "%-24s %14s %14s\n", "exits", "count", "per second");
	for (unsigned int reason = 0; reason < HUTCH_EXIT_COUNT; reason++) {
		uint64_t count = exits_of(machine, reason);

		total += count;
		if (count)
			print_row(machine, out, hutch_exit_name(reason), count);
	}
	print_row(machine, out, "all", total);
	print_unclaimed(machine, out, BUS_PORT, "ports without a device");
	print_unclaimed(machine, out, BUS_MMIO, "MMIO without a device");
	print_unclaimed(machine, out, BUS_MSR, "MSRs without a device");
}

static void print_vcpu(const struct vcpu *vcpu, FILE *out)
{
	static const enum vcpu_place places[] = { VCPU_INSIDE, VCPU_OUTSIDE, VCPU_WAITING,
						  VCPU_PARKED };

	fprintf(out, "vCPU %-19u", vcpu->id);
	for (unsigned int i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		fprintf(out, " %12.6f",
			(double)atomic_load(&vcpu->place_ns[places[i]]) / DEV_NS_PER_SECOND);
	fputc('\n', out);
}

void statistics_print(const struct machine *machine, FILE *out)
{
	fprintf(out, "time %.6f s, %u reboots\n", (double)machine_now(machine) / DEV_NS_PER_SECOND,
		machine->reboots);
	statistics_print_exits(machine, out);
	fprintf(out, "%-24s %12s %12s %12s %12s\n", "seconds", "in guest", "answering", "waiting",
		"paused");
	for (unsigned int i = 0; machine->vcpus && i < machine->cpu_count; i++)
		print_vcpu(&machine->vcpus[i], out);
	if (machine->devices)
		devices_print_stamps(machine->devices, out);
}
