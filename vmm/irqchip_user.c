/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/irqchip_user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dev/clock.h"
#include "lib/system.h"
#include "vmm/machine.h"

/*
 * The interrupt controllers as models in this process: the very ones that our own
 * hypervisor core uses, here behind a KVM that has none (no KVM_CREATE_IRQCHIP). This
 * file is the board they sit on:
 *
 *	GSI 0-15 --> 8259A pair --INTR--> LINT0 of every local APIC, and IOAPIC pin 0
 *	GSI 0-23 --> IOAPIC --messages--> the bus --> local APICs --> vCPUs
 *	                    <--ends of interrupt--
 *
 * The local APIC's page is at one address for all vCPUs but shows each its own; a guest
 * may move it to anywhere but onto memory, which the hypervisor would take. It has a
 * timer; when a vCPU sets it, the I/O thread is told, ticks it, and fetches the vCPU
 * out of the guest when it fires.
 */

/* ---- wires --------------------------------------------------------------------------- */

static void on_intr(void *owner, unsigned int pin, bool level)
{
	struct user_irqchip *user = owner;

	(void)pin;
	for (unsigned int i = 0; i < user->cpu_count; i++)
		lapic_set_lint(&user->cpus[i].lapic, 0, level);
	ioapic_set_irq(&user->ioapic, 0, level);
}

static unsigned int on_message(void *owner, const struct apic_message *message)
{
	struct user_irqchip *user = owner;

	return apic_bus_send(&user->bus, NULL, message);
}

static void on_end_of_interrupt(void *owner, uint8_t vector)
{
	struct user_irqchip *user = owner;

	ioapic_end_of_interrupt(&user->ioapic, vector);
}

static void on_wake(void *owner, uint32_t id)
{
	struct user_irqchip *user = owner;
	struct user_cpu *cpu = &user->cpus[id];

	atomic_store(&cpu->attention, true);
	if (cpu->vcpu)
		vcpu_wake(cpu->vcpu);
}

/*
 * The counter was read a little after @now, which is taken off again, and rather too
 * much than too little: a deadline may come late, but not before its time.
 */
static uint64_t on_read_tsc(void *owner, uint32_t id, uint64_t now)
{
	struct user_irqchip *user = owner;
	struct user_cpu *cpu = &user->cpus[id];
	uint64_t tsc = user_msr_read_tsc(cpu->vcpu);
	uint64_t late = machine_now(user->machine) - now;
	uint64_t ticks = late * (cpu->lapic.wiring.tsc_hz / 1000000) / 1000;

	return tsc > ticks ? tsc - ticks : 0;
}

static void user_set_gsi(struct irqchip *irqchip, unsigned int gsi, bool level)
{
	struct user_irqchip *user = irqchip->state;

	if (gsi >= IRQCHIP_GSI_COUNT || gsi == PIC_CASCADE_IRQ)
		return;
	if (gsi < IRQCHIP_ISA_COUNT)
		pic_set_irq(&user->pic, gsi, level);
	ioapic_set_irq(&user->ioapic, gsi ? gsi : IRQCHIP_TIMER_PIN, level);
}

/* The button is let go at once: LINT1 takes the edge. */
static void user_nmi(struct irqchip *irqchip, struct vcpu *vcpu)
{
	struct user_irqchip *user = irqchip->state;
	struct user_cpu *cpu = vcpu->irqchip;

	machine_lock(user->machine);
	lapic_set_lint(&cpu->lapic, 1, true);
	lapic_set_lint(&cpu->lapic, 1, false);
	machine_unlock(user->machine);
}

/* ---- time ------------------------------------------------------------------------------ */

static uint64_t user_tick(struct irqchip *irqchip, uint64_t now)
{
	struct user_irqchip *user = irqchip->state;
	uint64_t next = DEV_NEVER;

	for (unsigned int i = 0; i < user->cpu_count; i++) {
		struct user_cpu *cpu = &user->cpus[i];

		if (cpu->due <= now)
			cpu->due = lapic_tick(&cpu->lapic, now);
		next = clock_earlier(next, cpu->due);
	}
	return next;
}

/* After the guest's hand was on its timer. */
static void timer_may_have_changed(struct user_irqchip *user, struct user_cpu *cpu, uint64_t now)
{
	cpu->due = lapic_tick(&cpu->lapic, now);
	machine_wake_at(user->machine, cpu->due);
}

/* ---- addresses -------------------------------------------------------------------------- */

static bool pic_access(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct user_irqchip *user = owner;
	uint16_t port = (uint16_t)access->address;

	(void)vcpu;
	if (access->write)
		pic_write(&user->pic, port, (uint8_t)access->value);
	else
		access->value = pic_read(&user->pic, port);
	return true;
}

static bool ioapic_access(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct user_irqchip *user = owner;
	uint32_t offset = access->address % IOAPIC_PAGE_SIZE;

	(void)vcpu;
	if (access->write)
		ioapic_write(&user->ioapic, offset, access->size, (uint32_t)access->value);
	else
		access->value = ioapic_read(&user->ioapic, offset, access->size);
	return true;
}

static bool lapic_access(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct user_irqchip *user = owner;
	struct user_cpu *cpu = vcpu->irqchip;
	uint64_t now = machine_now(user->machine);
	uint64_t offset = access->address - lapic_page(&cpu->lapic);

	if (!lapic_has_page(&cpu->lapic) || offset >= LAPIC_PAGE_SIZE)
		return false;
	if (access->write)
		lapic_write(&cpu->lapic, (uint32_t)offset, access->size, (uint32_t)access->value,
			    now);
	else
		access->value = lapic_read(&cpu->lapic, (uint32_t)offset, access->size, now);
	timer_may_have_changed(user, cpu, now);
	return true;
}

/*
 * A new base or mode takes effect in the hypervisor too: its CPUID shows whether there
 * is an APIC, and it knows the processor's physical addresses. What it refuses is #GP.
 */
static bool write_base(struct user_cpu *cpu, uint64_t value, uint64_t now)
{
	const struct lapic before = cpu->lapic;

	if (!lapic_write_msr(&cpu->lapic, IA32_APIC_BASE, value, now))
		return false;
	if (user_msr_set(cpu->vcpu, IA32_APIC_BASE, value))
		return true;
	cpu->lapic = before;
	return false;
}

static bool msr_access(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct user_irqchip *user = owner;
	struct user_cpu *cpu = vcpu->irqchip;
	uint64_t now = machine_now(user->machine);
	uint32_t msr = (uint32_t)access->address;
	bool done;

	if (!access->write)
		done = lapic_read_msr(&cpu->lapic, msr, &access->value, now);
	else if (msr == IA32_APIC_BASE)
		done = write_base(cpu, access->value, now);
	else
		done = lapic_write_msr(&cpu->lapic, msr, access->value, now);
	timer_may_have_changed(user, cpu, now);
	return done;
}

static int claim_addresses(struct user_irqchip *user)
{
	const struct {
		enum bus_space space;
		uint64_t first, last;
		bus_handler *handler;
		const char *name;
	} ranges[] = {
		{ BUS_PORT, PIC_MASTER_PORT, PIC_MASTER_PORT + 1, pic_access, "8259A master" },
		{ BUS_PORT, PIC_SLAVE_PORT, PIC_SLAVE_PORT + 1, pic_access, "8259A slave" },
		{ BUS_PORT, PIC_ELCR_PORT, PIC_ELCR_PORT + 1, pic_access, "edge/level control" },
		{ BUS_MMIO, MEMORY_IOAPIC_GPA, MEMORY_IOAPIC_GPA + IOAPIC_PAGE_SIZE - 1,
		  ioapic_access, "IOAPIC" },
		{ BUS_MMIO, MEMORY_LAPIC_GPA, MEMORY_LAPIC_GPA + LAPIC_PAGE_SIZE - 1, lapic_access,
		  "local APIC" },
		{ BUS_MSR, IA32_APIC_BASE, IA32_APIC_BASE, msr_access, "IA32_APIC_BASE" },
		{ BUS_MSR, IA32_TSC_DEADLINE, IA32_TSC_DEADLINE, msr_access, "IA32_TSC_DEADLINE" },
		{ BUS_MSR, IA32_X2APIC_FIRST, IA32_X2APIC_LAST, msr_access, "x2APIC" },
	};

	for (unsigned int i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		int error = bus_add(&user->machine->bus, ranges[i].space, ranges[i].first,
				    ranges[i].last, ranges[i].handler, user, ranges[i].name);

		if (error)
			return error;
	}
	return bus_add_movable(&user->machine->bus, lapic_access, user, "local APIC, moved");
}

/* ---- making it ---------------------------------------------------------------------------- */

static void power_on(struct user_irqchip *user, const struct user_msrs *msrs)
{
	const struct lapic_wiring wiring = {
		.bus = &user->bus,
		.wake = on_wake,
		.read_tsc = msrs->tsc_deadline ? on_read_tsc : NULL,
		.tsc_hz = msrs->tsc_hz,
		.owner = user,
		.x2apic = msrs->x2apic,
	};

	user->bus = (struct apic_bus){
		.lapics = user->lapics,
		.count = user->cpu_count,
		.end_of_interrupt = on_end_of_interrupt,
		.owner = user,
	};
	for (unsigned int i = 0; i < user->cpu_count; i++) {
		struct user_cpu *cpu = &user->cpus[i];

		lapic_init(&cpu->lapic, i, i == 0, &wiring);
		user->lapics[i] = &cpu->lapic;
		cpu->due = DEV_NEVER;
		atomic_store(&cpu->attention, true);
	}
	lapic_virtual_wire(&user->cpus[0].lapic);
	ioapic_init(&user->ioapic, IOAPIC_VERSION_EOI, on_message, user);
	user->ioapic.id = (uint32_t)machine_ioapic_id(user->cpu_count) << 24 & IOAPIC_ID;
	pic_init(&user->pic, (struct line){ .set = on_intr, .owner = user });
}

static int user_create(struct irqchip *irqchip, struct machine *machine)
{
	unsigned int count = machine->cpu_count;
	struct user_irqchip *user = system_calloc(1, sizeof(*user) + count * sizeof(user->cpus[0]));
	struct user_msrs msrs;
	int error = -ENOMEM;

	if (!user)
		goto err_say;
	user->machine = machine;
	user->cpu_count = count;
	user->lapics = system_calloc(count, sizeof(struct lapic *));
	if (!user->lapics)
		goto err_free;
	error = claim_addresses(user);
	if (error)
		goto err_lapics;
	msrs = user_msrs_claim(machine->hutch, machine->vm);
	power_on(user, &msrs);
	irqchip->machine = machine;
	irqchip->state = user;
	irqchip->features.x2apic = msrs.x2apic;
	irqchip->features.tsc_deadline = msrs.tsc_deadline;
	return 0;

err_lapics:
	free(user->lapics);
err_free:
	free(user);
err_say:
	snprintf(machine->error, sizeof(machine->error), "interrupt controllers: %s",
		 strerror(-error));
	return error;
}

static void user_destroy(struct irqchip *irqchip)
{
	struct user_irqchip *user = irqchip->state;

	free(user->lapics);
	free(user);
	irqchip->state = NULL;
}

static int user_add_vcpu(struct irqchip *irqchip, struct vcpu *vcpu)
{
	struct user_irqchip *user = irqchip->state;

	if (vcpu->id >= user->cpu_count)
		return -EINVAL;
	user->cpus[vcpu->id].vcpu = vcpu;
	vcpu->irqchip = &user->cpus[vcpu->id];
	return 0;
}

const struct irqchip_ops irqchip_user_ops = {
	.name = "user",
	.create = user_create,
	.add_vcpu = user_add_vcpu,
	.destroy = user_destroy,
	.set_gsi = user_set_gsi,
	.tick = user_tick,
	.nmi = user_nmi,
	.before_enter = user_before_enter,
	.after_exit = user_after_exit,
	.halt = user_halt,
};
