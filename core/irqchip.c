/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/irqchip.h"

/*
 * The board that the VM's interrupt controllers sit on:
 *
 *	IRQ 0-15 --> 8259A pair --INTR--> LINT0 of every local APIC, and IOAPIC pin 0
 *	pin 0-23 --> IOAPIC --messages--> the bus --> local APICs --> vCPUs
 *	MSI      ---------------------->
 *	                    <--ends of interrupt--
 */

#define IOAPIC_GPA  0xfec00000ull
#define PIC_MASTER  0x20
#define PIC_SLAVE   0xa0
#define PIC_ELCR    0x4d0
#define PIT_FIRST   0x40
#define PIT_SPEAKER 0x61
#define INTR_PIN    0 /* of the IOAPIC: ExtINT, as PCs wire it */
#define PIT_PIN	    2 /* of the IOAPIC */

uint64_t irqchip_now(const struct hv_irqchip *irqchip)
{
	return host_nanoseconds() - irqchip->epoch;
}

/* ---- wires --------------------------------------------------------------------------- */

static void on_intr(void *owner, unsigned int pin, bool level)
{
	struct hv_irqchip *irqchip = owner;

	(void)pin;
	for (unsigned int i = 0; i < irqchip->bus.count; i++)
		if (irqchip->lapics[i])
			lapic_set_lint(irqchip->lapics[i], 0, level);
	ioapic_set_irq(&irqchip->ioapic, INTR_PIN, level);
}

static unsigned int on_message(void *owner, const struct apic_message *message)
{
	struct hv_irqchip *irqchip = owner;

	return apic_bus_send(&irqchip->bus, NULL, message);
}

static void on_end_of_interrupt(void *owner, uint8_t vector)
{
	struct hv_irqchip *irqchip = owner;

	ioapic_end_of_interrupt(&irqchip->ioapic, vector);
}

static void on_pit(void *owner, unsigned int pin, bool level)
{
	struct hv_irqchip *irqchip = owner;

	(void)pin;
	pic_set_irq(&irqchip->pic, 0, level);
	ioapic_set_irq(&irqchip->ioapic, PIT_PIN, level);
}

/* ---- from outside ------------------------------------------------------------------------ */

void hv_irqchip_set_pic(struct hv_vm *vm, unsigned int irq, bool level)
{
	host_spin_lock(vm->irqchip->lock);
	if (irq < PIC_IRQ_COUNT)
		pic_set_irq(&vm->irqchip->pic, irq, level);
	host_spin_unlock(vm->irqchip->lock);
}

void hv_irqchip_set_ioapic(struct hv_vm *vm, unsigned int pin, bool level)
{
	host_spin_lock(vm->irqchip->lock);
	if (pin < IOAPIC_PIN_COUNT)
		ioapic_set_irq(&vm->irqchip->ioapic, pin, level);
	host_spin_unlock(vm->irqchip->lock);
}

/* The address and data of a message-signalled interrupt: SDM 3, 11.11. */
unsigned int hv_irqchip_msi(struct hv_vm *vm, uint64_t address, uint32_t data)
{
	const struct apic_message message = {
		.destination = (uint32_t)(address >> 12 & 0xff) | (uint32_t)(address >> 40) << 8,
		.delivery = data >> 8 & 7,
		.vector = (uint8_t)data,
		.logical = address >> 2 & 1,
		.level = data >> 15 & 1,
		.wide = address >> 40,
	};
	unsigned int accepted;

	host_spin_lock(vm->irqchip->lock);
	accepted = apic_bus_send(&vm->irqchip->bus, NULL, &message);
	host_spin_unlock(vm->irqchip->lock);
	return accepted;
}

void hv_irqchip_nmi(struct hv_vcpu *vcpu)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;

	host_spin_lock(irqchip->lock);
	lapic_set_lint(&vcpu->local_apic->lapic, 1, true);
	lapic_set_lint(&vcpu->local_apic->lapic, 1, false);
	host_spin_unlock(irqchip->lock);
}

/* ---- the 8254 -------------------------------------------------------------------------------- */

static void pit_changed(struct hv_irqchip *irqchip)
{
	uint64_t due = pit_tick(&irqchip->pit, irqchip_now(irqchip));

	host_timer_set(irqchip->pit_timer, due == DEV_NEVER ? DEV_NEVER : due + irqchip->epoch);
}

void hv_irqchip_pit_due(struct hv_vm *vm)
{
	host_spin_lock(vm->irqchip->lock);
	pit_changed(vm->irqchip);
	host_spin_unlock(vm->irqchip->lock);
}

int hv_irqchip_create_pit(struct hv_vm *vm)
{
	struct hv_irqchip *irqchip = vm->irqchip;

	if (irqchip->has_pit)
		return HOST_EEXIST;
	irqchip->pit_timer = host_timer_new(vm, NULL);
	if (!irqchip->pit_timer)
		return HOST_ENOMEM;
	host_spin_lock(irqchip->lock);
	pit_init(&irqchip->pit, (struct line){ .set = on_pit, .owner = irqchip },
		 irqchip_now(irqchip));
	irqchip->has_pit = true;
	host_spin_unlock(irqchip->lock);
	return HOST_OK;
}

static uint8_t pit_port_read(struct hv_irqchip *irqchip, uint16_t port, uint64_t now)
{
	if (port == PIT_SPEAKER)
		return pit_speaker_read(&irqchip->pit, now);
	return pit_read(&irqchip->pit, port - PIT_FIRST, now);
}

static void pit_port_write(struct hv_irqchip *irqchip, uint16_t port, uint8_t value, uint64_t now)
{
	if (port == PIT_SPEAKER)
		pit_speaker_write(&irqchip->pit, value, now);
	else
		pit_write(&irqchip->pit, port - PIT_FIRST, value, now);
	pit_changed(irqchip);
}

/* ---- addresses --------------------------------------------------------------------------------- */

static bool is_pic(uint16_t port)
{
	return (port & ~1) == PIC_MASTER || (port & ~1) == PIC_SLAVE || (port & ~1) == PIC_ELCR;
}

static bool is_pit(const struct hv_irqchip *irqchip, uint16_t port)
{
	return irqchip->has_pit &&
	       ((port >= PIT_FIRST && port < PIT_FIRST + PIT_PORT_COUNT) || port == PIT_SPEAKER);
}

bool irqchip_port(struct hv_vcpu *vcpu, uint16_t port, unsigned int size, bool write,
		  uint32_t *value)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	uint64_t now;

	if (!irqchip || size != 1 || !(is_pic(port) || is_pit(irqchip, port)))
		return false;
	now = irqchip_now(irqchip);
	host_spin_lock(irqchip->lock);
	if (is_pic(port) && write)
		pic_write(&irqchip->pic, port, (uint8_t)*value);
	else if (is_pic(port))
		*value = pic_read(&irqchip->pic, port);
	else if (write)
		pit_port_write(irqchip, port, (uint8_t)*value, now);
	else
		*value = pit_port_read(irqchip, port, now);
	host_spin_unlock(irqchip->lock);
	return true;
}

static void lapic_access(struct hv_vcpu *vcpu, uint32_t offset, unsigned int size, bool write,
			 uint64_t *value)
{
	struct lapic *lapic = &vcpu->local_apic->lapic;
	uint64_t now = irqchip_now(vcpu->vm->irqchip);

	if (write)
		lapic_write(lapic, offset, size, (uint32_t)*value, now);
	else
		*value = lapic_read(lapic, offset, size, now);
	local_apic_timer_changed(vcpu);
}

bool irqchip_mmio(struct hv_vcpu *vcpu, uint64_t gpa, unsigned int size, bool write,
		  uint64_t *value)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	const struct lapic *lapic;
	bool ours = true;

	if (!irqchip)
		return false;
	lapic = &vcpu->local_apic->lapic;
	host_spin_lock(irqchip->lock);
	if (lapic_has_page(lapic) && gpa - lapic_page(lapic) < LAPIC_PAGE_SIZE)
		lapic_access(vcpu, (uint32_t)(gpa - lapic_page(lapic)), size, write, value);
	else if (gpa - IOAPIC_GPA >= IOAPIC_PAGE_SIZE)
		ours = false;
	else if (write)
		ioapic_write(&irqchip->ioapic, (uint32_t)(gpa - IOAPIC_GPA), size,
			     (uint32_t)*value);
	else
		*value = ioapic_read(&irqchip->ioapic, (uint32_t)(gpa - IOAPIC_GPA), size);
	host_spin_unlock(irqchip->lock);
	return ours;
}

/* ---- making it ------------------------------------------------------------------------------------ */

int hv_irqchip_create(struct hv_vm *vm)
{
	struct hv_irqchip *irqchip;

	if (vm->irqchip || vm->vcpu_count)
		return HOST_EEXIST;
	irqchip = host_alloc(sizeof(*irqchip));
	if (!irqchip)
		return HOST_ENOMEM;
	irqchip->lock = host_spinlock_new();
	if (!irqchip->lock) {
		host_free(irqchip, sizeof(*irqchip));
		return HOST_ENOMEM;
	}
	irqchip->vm = vm;
	irqchip->epoch = host_nanoseconds();
	irqchip->bus = (struct apic_bus){
		.lapics = irqchip->lapics,
		.end_of_interrupt = on_end_of_interrupt,
		.owner = irqchip,
	};
	ioapic_init(&irqchip->ioapic, IOAPIC_VERSION_EOI, on_message, irqchip);
	pic_init(&irqchip->pic, (struct line){ .set = on_intr, .owner = irqchip });
	vm->irqchip = irqchip;
	return HOST_OK;
}

void hv_irqchip_free(struct hv_vm *vm)
{
	struct hv_irqchip *irqchip = vm->irqchip;

	if (!irqchip)
		return;
	if (irqchip->pit_timer)
		host_timer_free(irqchip->pit_timer);
	host_spinlock_free(irqchip->lock);
	host_free(irqchip, sizeof(*irqchip));
	vm->irqchip = NULL;
}

struct hv_irqchip *hv_irqchip_lock(struct hv_vm *vm)
{
	host_spin_lock(vm->irqchip->lock);
	return vm->irqchip;
}

void hv_irqchip_unlock(struct hv_vm *vm)
{
	host_spin_unlock(vm->irqchip->lock);
}
