/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/irqchip.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dev/line.h"
#include "dev/pic.h"
#include "hutch/hutch.h"
#include "lib/system.h"
#include "vmm/machine.h"
#include "x86/apic.h"

/*
 * The interrupt controllers inside the hypervisor (Linux, Documentation/virt/kvm/api.rst,
 * 4.24 KVM_CREATE_IRQCHIP): the pair of 8259A, the IOAPIC and every local APIC, so that
 * an interrupt, its EOI, an IPI and a HLT cost no exit to us. What is left to do here is
 * to say which wire goes where, to move the wires, and to press the NMI button.
 */

struct kernel_irqchip {
	unsigned int cpu_count;
	atomic_bool nmi[]; /* for each vCPU: the button was pressed */
};

/*
 * The wires of the board (4.52 KVM_SET_GSI_ROUTING). KVM starts with ISA line 0, the
 * timer, at the IOAPIC's pin 0; on a PC it is pin 2, which the cascade leaves free.
 */
static int route_wires(struct hutch_vm *vm)
{
	struct {
		struct kvm_irq_routing header;
		struct kvm_irq_routing_entry entries[IRQCHIP_ISA_COUNT + IRQCHIP_GSI_COUNT];
	} table = { 0 };
	struct kvm_irq_routing_entry *entry = table.entries;

	for (unsigned int gsi = 0; gsi < IRQCHIP_GSI_COUNT; gsi++) {
		if (gsi == PIC_CASCADE_IRQ)
			continue;
		entry->gsi = gsi;
		entry->type = KVM_IRQ_ROUTING_IRQCHIP;
		entry->u.irqchip.irqchip = KVM_IRQCHIP_IOAPIC;
		entry->u.irqchip.pin = gsi ? gsi : IRQCHIP_TIMER_PIN;
		entry++;
		if (gsi >= IRQCHIP_ISA_COUNT)
			continue;
		entry->gsi = gsi;
		entry->type = KVM_IRQ_ROUTING_IRQCHIP;
		entry->u.irqchip.irqchip = gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE;
		entry->u.irqchip.pin = gsi % 8;
		entry++;
	}
	table.header.nr = (uint32_t)(entry - table.entries);
	return hutch_vm_ioctl(vm, KVM_SET_GSI_ROUTING, "KVM_SET_GSI_ROUTING", &table);
}

/*
 * The 8259A's vectors where a BIOS puts them, for code in real mode that is started
 * without one (4.26 KVM_SET_IRQCHIP). KVM leaves them at 0, all else as it is here.
 */
static int move_pic_vectors(struct hutch_vm *vm)
{
	struct kvm_irqchip master = { .chip_id = KVM_IRQCHIP_PIC_MASTER };
	struct kvm_irqchip slave = { .chip_id = KVM_IRQCHIP_PIC_SLAVE };
	int error;

	master.chip.pic.irq_base = PIC_BIOS_MASTER_BASE;
	master.chip.pic.elcr_mask = PIC_ELCR_MASTER;
	slave.chip.pic.irq_base = PIC_BIOS_SLAVE_BASE;
	slave.chip.pic.elcr_mask = PIC_ELCR_SLAVE;
	error = hutch_vm_ioctl(vm, KVM_SET_IRQCHIP, "KVM_SET_IRQCHIP", &master);
	return error ? error : hutch_vm_ioctl(vm, KVM_SET_IRQCHIP, "KVM_SET_IRQCHIP", &slave);
}

/*
 * With more CPUs than an xAPIC can address, all-ones in eight bits is one of them and
 * no broadcast (7.8 KVM_CAP_X2APIC_API).
 */
static int allow_many_cpus(struct hutch_vm *vm)
{
	struct kvm_enable_cap cap = {
		.cap = KVM_CAP_X2APIC_API,
		.args = { KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK },
	};

	return hutch_vm_ioctl(vm, KVM_ENABLE_CAP, "KVM_ENABLE_CAP (KVM_CAP_X2APIC_API)", &cap);
}

/* The VM takes its irqchip with it: nothing here is undone. */
static int create_in_kernel(struct machine *machine)
{
	int error = hutch_vm_ioctl(machine->vm, KVM_CREATE_IRQCHIP, "KVM_CREATE_IRQCHIP", NULL);

	if (!error)
		error = route_wires(machine->vm);
	if (!error)
		error = move_pic_vectors(machine->vm);
	if (!error && machine->cpu_count >= APIC_BROADCAST)
		error = allow_many_cpus(machine->vm);
	if (error)
		snprintf(machine->error, sizeof(machine->error), "%s", hutch_error());
	return error;
}

static int kernel_create(struct irqchip *irqchip, struct machine *machine)
{
	struct kernel_irqchip *kernel =
		system_calloc(1, sizeof(*kernel) + machine->cpu_count * sizeof(kernel->nmi[0]));
	int error;

	if (!kernel) {
		snprintf(machine->error, sizeof(machine->error), "interrupt controllers: %s",
			 strerror(ENOMEM));
		return -ENOMEM;
	}
	kernel->cpu_count = machine->cpu_count;
	error = create_in_kernel(machine);
	if (error) {
		free(kernel);
		return error;
	}
	irqchip->machine = machine;
	irqchip->state = kernel;
	irqchip->features.x2apic = true;
	irqchip->features.tsc_deadline =
		hutch_capability(machine->hutch, KVM_CAP_TSC_DEADLINE_TIMER) > 0;
	return 0;
}

static void kernel_destroy(struct irqchip *irqchip)
{
	free(irqchip->state);
	irqchip->state = NULL;
}

static int kernel_add_vcpu(struct irqchip *irqchip, struct vcpu *vcpu)
{
	struct kernel_irqchip *kernel = irqchip->state;

	return vcpu->id < kernel->cpu_count ? 0 : -EINVAL;
}

static void kernel_set_gsi(struct irqchip *irqchip, unsigned int gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };

	if (gsi < IRQCHIP_GSI_COUNT && gsi != PIC_CASCADE_IRQ)
		hutch_vm_ioctl(irqchip->machine->vm, KVM_IRQ_LINE, "KVM_IRQ_LINE", &line);
}

static uint64_t kernel_tick(struct irqchip *irqchip, uint64_t now)
{
	(void)irqchip;
	(void)now;
	return DEV_NEVER;
}

/* KVM_NMI waits for the vCPU to leave the guest: so its own thread has to do it. */
static void kernel_nmi(struct irqchip *irqchip, struct vcpu *vcpu)
{
	struct kernel_irqchip *kernel = irqchip->state;

	atomic_store(&kernel->nmi[vcpu->id], true);
	vcpu_wake(vcpu);
}

static uint32_t lapic_register_of(const struct kvm_lapic_state *state, enum lapic_register number)
{
	uint32_t value;

	memcpy(&value, &state->regs[number * 16], sizeof(value));
	return value;
}

/*
 * The in-kernel local APIC has no LINT1 pin, KVM_NMI goes past it: so it is for us to
 * ask the local vector table (4.26 KVM_NMI). Where the guest never wrote the entry, it
 * is as firmware would have left it, with NMI wired to the boot processor.
 */
static bool lint1_takes_nmi(const struct vcpu *vcpu, const struct kvm_lapic_state *state)
{
	uint32_t lint1 = lapic_register_of(state, LAPIC_LVT_LINT1);

	if (lint1 == LAPIC_LVT_MASK)
		return vcpu->id == 0;
	return !(lint1 & LAPIC_LVT_MASK) &&
	       (lint1 & LAPIC_LVT_DELIVERY) == APIC_DELIVERY_NMI << APIC_DELIVERY_SHIFT;
}

static void deliver_nmi(struct vcpu *vcpu)
{
	struct kvm_lapic_state state;

	if (!hutch_vcpu_ioctl(vcpu->hutch, KVM_GET_LAPIC, "KVM_GET_LAPIC", &state) &&
	    lint1_takes_nmi(vcpu, &state))
		hutch_vcpu_ioctl(vcpu->hutch, KVM_NMI, "KVM_NMI", NULL);
}

static enum irqchip_state kernel_before_enter(struct irqchip *irqchip, struct vcpu *vcpu)
{
	atomic_bool *nmi = &((struct kernel_irqchip *)irqchip->state)->nmi[vcpu->id];

	if (atomic_load(nmi) && atomic_exchange(nmi, false))
		deliver_nmi(vcpu);
	return IRQCHIP_RUN;
}

const struct irqchip_ops irqchip_kernel_ops = {
	.name = "kernel",
	.in_kernel = true,
	.create = kernel_create,
	.add_vcpu = kernel_add_vcpu,
	.destroy = kernel_destroy,
	.set_gsi = kernel_set_gsi,
	.tick = kernel_tick,
	.nmi = kernel_nmi,
	.before_enter = kernel_before_enter,
};
