/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/irqchip.h"

/*
 * The board that the VM's interrupt controllers sit on:
 *
 *	IRQ 0-15 --> 8259A pair --INTR--> LINT0 of every local APIC
 *	pin 0-23 --> IOAPIC --messages--> the bus --> local APICs --> vCPUs
 *	MSI      ---------------------->
 *	                    <--ends of interrupt--
 *
 * An input may have several drivers, and is high while any of them holds it.
 */

#define IOAPIC_GPA  0xfec00000ull
#define PIC_MASTER  0x20
#define PIC_SLAVE   0xa0
#define PIC_ELCR    0x4d0
#define PIT_FIRST   0x40
#define PIT_SPEAKER 0x61
#define PIT_PIC	    (1u << 0)
#define PIT_IOAPIC  (1u << 2)

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
}

static unsigned int on_message(void *owner, const struct apic_message *message)
{
	struct hv_irqchip *irqchip = owner;

	return apic_bus_send(&irqchip->bus, NULL, message);
}

static uint8_t *sources_of(struct hv_irqchip *irqchip, enum hv_controller which, unsigned int input)
{
	return which == HV_PIC ? &irqchip->pic_sources[input] : &irqchip->ioapic_sources[input];
}

static void drive(struct hv_irqchip *irqchip, enum hv_controller which, unsigned int input)
{
	bool level = *sources_of(irqchip, which, input);

	if (which == HV_PIC)
		pic_set_irq(&irqchip->pic, input, level);
	else
		ioapic_set_irq(&irqchip->ioapic, input, level);
}

static void set_source(struct hv_irqchip *irqchip, enum hv_controller which, unsigned int input,
		       enum hv_source source, bool level)
{
	uint8_t *sources = sources_of(irqchip, which, input), bit = (uint8_t)(1u << source);

	*sources = level ? *sources | bit : *sources & (uint8_t)~bit;
	drive(irqchip, which, input);
}

static void on_pit(void *owner, unsigned int pin, bool level)
{
	struct hv_irqchip *irqchip = owner;

	(void)pin;
	level = level && !irqchip->pit_detached;
	for (unsigned int i = 0; i < PIC_IRQ_COUNT; i++)
		if (irqchip->pit_pic >> i & 1)
			set_source(irqchip, HV_PIC, i, HV_SOURCE_TIMER, level);
	for (unsigned int i = 0; i < IOAPIC_PIN_COUNT; i++)
		if (irqchip->pit_ioapic >> i & 1)
			set_source(irqchip, HV_IOAPIC, i, HV_SOURCE_TIMER, level);
}

/* ---- ends of interrupt ----------------------------------------------------------------- */

/* Who held the input until now is asked whether there is more. */
static void let_go(struct hv_irqchip *irqchip, enum hv_controller which, unsigned int input)
{
	uint8_t *sources = sources_of(irqchip, which, input);

	if (!(*sources & 1u << HV_SOURCE_RESAMPLED))
		return;
	set_source(irqchip, which, input, HV_SOURCE_RESAMPLED, false);
	irqchip->vm->input_ended(irqchip->vm, which, input);
}

/* Before the IOAPIC hears of it, which would send again what is still high. */
static void on_end_of_interrupt(void *owner, uint8_t vector)
{
	struct hv_irqchip *irqchip = owner;
	struct hv_vcpu *vcpu = irqchip->accessing;

	if (irqchip->split) {
		if (vcpu) {
			vcpu->local_apic->ended = true;
			vcpu->local_apic->ended_vector = vector;
		}
		return;
	}
	for (unsigned int pin = 0; pin < IOAPIC_PIN_COUNT; pin++) {
		uint64_t entry = irqchip->ioapic.redirection[pin];

		if (entry & IOREDTBL_REMOTE_IRR && (entry & IOREDTBL_VECTOR) == vector)
			let_go(irqchip, HV_IOAPIC, pin);
	}
	ioapic_end_of_interrupt(&irqchip->ioapic, vector);
}

static unsigned int in_service(const struct pic *pic)
{
	return pic->chips[0].isr | (unsigned int)pic->chips[1].isr << 8;
}

static void pic_port_write(struct hv_irqchip *irqchip, uint16_t port, uint8_t value)
{
	unsigned int before = in_service(&irqchip->pic), ended;

	pic_write(&irqchip->pic, port, value);
	ended = before & ~in_service(&irqchip->pic);
	for (unsigned int irq = 0; ended >> irq; irq++)
		if (ended >> irq & 1)
			let_go(irqchip, HV_PIC, irq);
}

/* ---- from outside ------------------------------------------------------------------------ */

static bool is_masked(const struct hv_irqchip *irqchip, enum hv_controller which,
		      unsigned int input)
{
	if (which == HV_PIC)
		return irqchip->pic.chips[input >> 3].imr >> (input & 7) & 1;
	return irqchip->ioapic.redirection[input] & IOREDTBL_MASK;
}

/* It asks already, and has not been heard or not been ended. */
static bool is_pending(const struct hv_irqchip *irqchip, enum hv_controller which,
		       unsigned int input)
{
	const struct pic_chip *chip = &irqchip->pic.chips[input >> 3 & 1];

	if (which == HV_PIC)
		return (chip->edges | (chip->lines & chip->elcr)) >> (input & 7) & 1;
	return irqchip->ioapic.lines >> input & 1 ||
	       irqchip->ioapic.redirection[input] & IOREDTBL_REMOTE_IRR;
}

int hv_irqchip_set(struct hv_vm *vm, enum hv_controller which, unsigned int input,
		   enum hv_source source, bool level)
{
	struct hv_irqchip *irqchip = vm->irqchip;
	int result = HV_DELIVERED;

	if (input >= (which == HV_PIC ? PIC_IRQ_COUNT : IOAPIC_PIN_COUNT))
		return HV_MASKED;
	host_spin_lock(irqchip->lock);
	if (level && is_masked(irqchip, which, input))
		result = HV_MASKED;
	else if (level && is_pending(irqchip, which, input))
		result = HV_COALESCED;
	set_source(irqchip, which, input, source, level);
	host_spin_unlock(irqchip->lock);
	return result;
}

/* The first vCPU speaks for all: kernels have all their local APICs in one mode. */
static bool in_x2apic_mode(const struct hv_irqchip *irqchip)
{
	const struct lapic *lapic = irqchip->lapics[irqchip->vm->bootstrap];

	return lapic && lapic->base & IA32_APIC_BASE_EXTD;
}

/* The address and data of a message-signalled interrupt: SDM 3, 11.11. */
static unsigned int send_msi(struct hv_irqchip *irqchip, uint64_t address, uint32_t data)
{
	struct apic_message message = {
		.destination = address >> 12 & 0xff,
		.delivery = data >> 8 & 7,
		.vector = (uint8_t)data,
		.logical = address >> 2 & 1,
		.level = data >> 15 & 1,
	};

	if (irqchip->wide_messages && address >> 40) {
		message.destination |= (uint32_t)(address >> 40) << 8;
		message.wide = true;
	}
	if (irqchip->no_short_broadcast && in_x2apic_mode(irqchip))
		message.wide = true;
	return apic_bus_send(&irqchip->bus, NULL, &message);
}

unsigned int hv_irqchip_msi(struct hv_vm *vm, uint64_t address, uint32_t data)
{
	unsigned int accepted;

	host_spin_lock(vm->irqchip->lock);
	accepted = send_msi(vm->irqchip, address, data);
	host_spin_unlock(vm->irqchip->lock);
	return accepted;
}

bool hv_irqchip_try_msi(struct hv_vm *vm, uint64_t address, uint32_t data)
{
	if (!host_spin_try(vm->irqchip->lock))
		return false;
	send_msi(vm->irqchip, address, data);
	host_spin_unlock(vm->irqchip->lock);
	return true;
}

void hv_irqchip_wide_messages(struct hv_vm *vm, bool wide, bool no_short_broadcast)
{
	host_spin_lock(vm->irqchip->lock);
	vm->irqchip->wide_messages = wide;
	vm->irqchip->no_short_broadcast = no_short_broadcast;
	host_spin_unlock(vm->irqchip->lock);
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

void hv_irqchip_pit_changed(struct hv_irqchip *irqchip)
{
	uint64_t due = pit_tick(&irqchip->pit, irqchip_now(irqchip));

	host_timer_set(irqchip->pit_timer, due == DEV_NEVER ? DEV_NEVER : due + irqchip->epoch);
}

void hv_irqchip_pit_due(struct hv_vm *vm)
{
	host_spin_lock(vm->irqchip->lock);
	hv_irqchip_pit_changed(vm->irqchip);
	host_spin_unlock(vm->irqchip->lock);
}

void hv_irqchip_route_timer(struct hv_vm *vm, uint32_t pic, uint32_t ioapic)
{
	struct hv_irqchip *irqchip = vm->irqchip;

	host_spin_lock(irqchip->lock);
	if (irqchip->has_pit)
		on_pit(irqchip, 0, false);
	irqchip->pit_pic = pic;
	irqchip->pit_ioapic = ioapic;
	if (irqchip->has_pit)
		on_pit(irqchip, 0, irqchip->pit.level);
	host_spin_unlock(irqchip->lock);
}

int hv_irqchip_create_pit(struct hv_vm *vm, bool speaker)
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
	irqchip->has_speaker = speaker;
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
	hv_irqchip_pit_changed(irqchip);
}

/* ---- addresses --------------------------------------------------------------------------------- */

static bool is_pic(uint16_t port)
{
	return (port & ~1) == PIC_MASTER || (port & ~1) == PIC_SLAVE || (port & ~1) == PIC_ELCR;
}

static bool is_pit(const struct hv_irqchip *irqchip, uint16_t port)
{
	return irqchip->has_pit && ((port >= PIT_FIRST && port < PIT_FIRST + PIT_PORT_COUNT) ||
				    (port == PIT_SPEAKER && irqchip->has_speaker));
}

bool irqchip_port(struct hv_vcpu *vcpu, uint16_t port, unsigned int size, bool write,
		  uint32_t *value)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	uint64_t now;

	if (!irqchip || irqchip->split || size != 1 || !(is_pic(port) || is_pit(irqchip, port)))
		return false;
	now = irqchip_now(irqchip);
	host_spin_lock(irqchip->lock);
	if (is_pic(port) && write)
		pic_port_write(irqchip, port, (uint8_t)*value);
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

	/*
	 * Switched off, or an x2APIC, it has no registers in memory. Nobody else has any there,
	 * either: a VMM may take a write to that page for a message, which is another processor's.
	 */
	if (!lapic_has_page(lapic)) {
		if (!write)
			*value = ~0ull;
		return;
	}
	local_apic_recall(vcpu);
	vcpu->vm->irqchip->accessing = vcpu;
	if (write)
		lapic_write(lapic, offset, size, (uint32_t)*value, now);
	else
		*value = lapic_read(lapic, offset, size, now);
	vcpu->vm->irqchip->accessing = NULL;
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
	if (gpa - lapic_page(lapic) < LAPIC_PAGE_SIZE)
		lapic_access(vcpu, (uint32_t)(gpa - lapic_page(lapic)), size, write, value);
	else if (irqchip->split || gpa - IOAPIC_GPA >= IOAPIC_PAGE_SIZE)
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

int hv_irqchip_create(struct hv_vm *vm, bool split)
{
	struct hv_irqchip *irqchip;

	if (vm->irqchip)
		return HOST_EEXIST;
	if (vm->vcpu_count)
		return HOST_EINVAL;
	irqchip = host_alloc(sizeof(*irqchip));
	if (!irqchip)
		return HOST_ENOMEM;
	irqchip->lock = host_spinlock_new();
	if (!irqchip->lock) {
		host_free(irqchip, sizeof(*irqchip));
		return HOST_ENOMEM;
	}
	irqchip->vm = vm;
	irqchip->split = split;
	irqchip->pit_pic = PIT_PIC;
	irqchip->pit_ioapic = PIT_IOAPIC;
	irqchip->epoch = host_nanoseconds();
	irqchip->bus = (struct apic_bus){
		.lapics = irqchip->lapics,
		.end_of_interrupt = on_end_of_interrupt,
		.owner = irqchip,
	};
	ioapic_init(&irqchip->ioapic, IOAPIC_VERSION_EOI, on_message, irqchip);
	pic_init(&irqchip->pic, (struct line){ .set = on_intr, .owner = irqchip });
	irqchip->pic.chips[0].holds_edges = irqchip->pic.chips[1].holds_edges = true;
	/* Whoever raises a line meanwhile finds it whole, or not at all. */
	__atomic_store_n(&vm->irqchip, irqchip, __ATOMIC_RELEASE);
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
