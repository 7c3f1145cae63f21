/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_IRQCHIP_H
#define HUTCH_VMM_IRQCHIP_H

/*
 * The interrupt controllers as the rest of the machine sees them: two 8259A, one
 * IOAPIC with 24 pins, a local APIC per vCPU; whoever runs them.
 *
 *	irqchip_kernel.c	the hypervisor does (KVM_CREATE_IRQCHIP): fewest exits
 *	irqchip_user.c		the models of dev/ do, here: no in-kernel irqchip at all
 *
 * A device raises a GSI: 0 to 15 are the ISA lines, which reach the 8259A pair and
 * the IOAPIC both (ISA line 0 is the IOAPIC's pin 2); 16 to 23 the IOAPIC alone.
 *
 * irqchip_set_gsi() and irqchip_tick() are called with the machine's lock held.
 * The vCPU calls (before_enter, after_exit, halt) are made by the vCPU's own thread,
 * without it. A driver that makes something pending for another vCPU calls
 * vcpu_wake(); one that moves its next deadline forward calls machine_wake_at().
 */

#include <stdbool.h>
#include <stdint.h>

#define IRQCHIP_GSI_COUNT 24
#define IRQCHIP_ISA_COUNT 16
#define IRQCHIP_TIMER_PIN 2 /* of the IOAPIC, for ISA line 0; no line 2 leaves the 8259A pair */

struct machine; /* vmm/machine.h */
struct vcpu;	/* vmm/vcpu.h */
struct irqchip_ops;

/* What the local APICs can do, for CPUID (SDM 2, CPUID leaf 1 ECX bits 21 and 24). */
struct irqchip_features {
	bool x2apic;
	bool tsc_deadline;
};

struct irqchip {
	const struct irqchip_ops *ops;
	struct machine *machine;
	struct irqchip_features features; /* from create() on */
	void *state; /* the driver's own: made by create(), freed by destroy() */
};

/* What a vCPU's thread shall do next. */
enum irqchip_state {
	IRQCHIP_RUN,  /* enter the guest */
	IRQCHIP_WAIT, /* halted or waiting for SIPI: sleep until kicked */
};

struct irqchip_ops {
	const char *name;
	bool in_kernel; /* the hypervisor runs the local APICs */
	/*
	 * After the VM, before its vCPUs (machine.vcpus is there, cpu_count entries,
	 * without hutch_vcpus). Claims its ports, MMIO and MSRs on machine->bus. A failure
	 * is a negative errno with machine->error set.
	 */
	int (*create)(struct irqchip *irqchip, struct machine *machine);
	/* After each KVM_CREATE_VCPU. */
	int (*add_vcpu)(struct irqchip *irqchip, struct vcpu *vcpu);
	/* With no vCPU thread running; a reboot destroys and creates. */
	void (*destroy)(struct irqchip *irqchip);
	void (*set_gsi)(struct irqchip *irqchip, unsigned int gsi, bool level);
	/* All that is due by @now; returns the next moment (dev/line.h). */
	uint64_t (*tick)(struct irqchip *irqchip, uint64_t now);
	/*
	 * The NMI button: an edge on LINT1, which the guest's local APIC may mask. From any
	 * thread, without the lock.
	 */
	void (*nmi)(struct irqchip *irqchip, struct vcpu *vcpu);
	/* The next three may be NULL where there is nothing to do. */
	/* Before an entry: delivers what is pending, or says that there is nothing to run. */
	enum irqchip_state (*before_enter)(struct irqchip *irqchip, struct vcpu *vcpu);
	/* After an exit: takes over CR8 and APIC_BASE from the shared page. */
	void (*after_exit)(struct irqchip *irqchip, struct vcpu *vcpu);
	/* The guest executed HLT. */
	void (*halt)(struct irqchip *irqchip, struct vcpu *vcpu);
};

extern const struct irqchip_ops irqchip_kernel_ops;
extern const struct irqchip_ops irqchip_user_ops;

#endif
