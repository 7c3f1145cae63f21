/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_IRQCHIP_USER_H
#define HUTCH_VMM_IRQCHIP_USER_H

/*
 * What the files of the interrupt controllers in user space share.
 *
 *	irqchip_user.c		the board: which wire and which address goes where
 *	irqchip_user_vcpu.c	each vCPU's side: what it is given before an entry
 *	irqchip_user_msr.c	MSRs that shall come to us, and whether they do
 *
 * All models are touched with the machine's lock held. What a vCPU's own thread may
 * look at without it is marked.
 */

#include <stdatomic.h>

#include "dev/apic_bus.h"
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/pic.h"
#include "vmm/irqchip.h"

struct hutch;
struct hutch_vm;
struct kvm_run;

/* One processor with its local APIC. */
struct user_cpu {
	struct vcpu *vcpu;
	struct lapic lapic; /* tpr and base: the thread's own to look at */
	uint64_t due;	    /* when the local APIC wants its next tick */
	/* Something may pend: look, with the lock, before the next entry. */
	atomic_bool attention;
	bool halted; /* the thread's own: HLT was executed, and nothing has come since */
};

struct user_irqchip {
	struct machine *machine;
	struct pic pic;
	struct ioapic ioapic;
	struct apic_bus bus;
	struct lapic **lapics; /* the bus's table */
	unsigned int cpu_count;
	struct user_cpu cpus[];
};

/* ---- irqchip_user_vcpu.c: irqchip_ops of these names ---------------------------- */

enum irqchip_state user_before_enter(struct irqchip *irqchip, struct vcpu *vcpu);
void user_after_exit(struct irqchip *irqchip, struct vcpu *vcpu);
void user_halt(struct irqchip *irqchip, struct vcpu *vcpu);

/* ---- irqchip_user_msr.c ------------------------------------------------------------ */

struct user_msrs {
	bool x2apic;	   /* 0x800 to 0x8ff come to us */
	bool tsc_deadline; /* IA32_TSC_DEADLINE does, seen with a guest's own eyes */
	uint64_t tsc_hz;   /* where @tsc_deadline holds */
};

/* Asks that @vm's accesses to the MSRs of a local APIC come to us, as far as possible. */
struct user_msrs user_msrs_claim(struct hutch *hutch, struct hutch_vm *vm);

/* Sets one MSR of a vCPU past its filter; false when the hypervisor refuses the value. */
bool user_msr_set(struct vcpu *vcpu, uint32_t msr, uint64_t value);

/* The vCPU's time-stamp counter now. By its own thread. */
uint64_t user_msr_read_tsc(struct vcpu *vcpu);

#endif
