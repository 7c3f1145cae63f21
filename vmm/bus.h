/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_BUS_H
#define HUTCH_VMM_BUS_H

/*
 * Who answers at which address. A guest reaches devices through three spaces: I/O
 * ports, physical addresses without memory behind them (MMIO), and the MSRs that
 * the hypervisor leaves to us. Each is a sorted table of ranges, filled while the
 * machine is built and never changed while it runs, so that finding a device is a
 * binary search without a lock.
 *
 * Where nobody answers it is as on a PC: a read gives all ones, a write is lost,
 * and both are counted; an MSR raises #GP.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct vcpu;

enum bus_space {
	BUS_PORT,
	BUS_MMIO,
	BUS_MSR,
	BUS_SPACE_COUNT,
};

/* One access of 1, 2, 4 or 8 bytes; an MSR's is always 8. */
struct bus_access {
	uint64_t address; /* port, guest-physical address or MSR index: as the guest said it */
	uint64_t value;	  /* read: filled in by the handler; write: zero-extended */
	unsigned int size;
	bool write;
};

/*
 * Called by the thread of @vcpu with the machine's lock held. False says that there
 * is nothing at this address after all.
 */
typedef bool bus_handler(void *owner, struct vcpu *vcpu, struct bus_access *access);

struct bus_range {
	uint64_t first, last;
	unsigned int width; /* the widest access that the handler takes at once, in bytes */
	bus_handler *handler;
	void *owner;
	const char *name; /* for --dry-run and the monitor */
};

#define BUS_RANGES_MAX 32

struct bus {
	struct bus_range ranges[BUS_SPACE_COUNT][BUS_RANGES_MAX];
	unsigned int count[BUS_SPACE_COUNT];
	struct bus_range movable; /* of BUS_MMIO; without a handler: none */
	atomic_ullong unclaimed[BUS_SPACE_COUNT];
};

/*
 * Claims [@first, @last]. -EEXIST where another range is in the way, -ENOSPC when the
 * table is full. Ports are eight bits wide, as on the ISA bus: a wider access reaches
 * the handler as bytes, lowest address first. bus_add_ports() says otherwise.
 */
int bus_add(struct bus *bus, enum bus_space space, uint64_t first, uint64_t last,
	    bus_handler *handler, void *owner, const char *name);

int bus_add_ports(struct bus *bus, uint16_t first, uint16_t last, unsigned int width,
		  bus_handler *handler, void *owner, const char *name);

/*
 * Claims no range of physical addresses but all that no range holds, for the one device
 * that the guest may move, and each vCPU for itself: the local APIC. Its handler says
 * whether an address is where the device is. -EEXIST where there is one already.
 */
int bus_add_movable(struct bus *bus, bus_handler *handler, void *owner, const char *name);

/* The range that holds @address, or NULL. */
const struct bus_range *bus_find(const struct bus *bus, enum bus_space space, uint64_t address);

/*
 * Carries one access out. Where nobody answers, it is counted, a read gives all ones,
 * and the result is false. The caller holds the machine's lock.
 */
bool bus_access(struct bus *bus, enum bus_space space, struct vcpu *vcpu,
		struct bus_access *access);

#endif
