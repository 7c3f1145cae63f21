/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/irqchip.h"
#include "dev/clock.h"
#include "dev/pit_counter.h"

#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * The interrupt controllers' and the timer's state as the KVM ABI has it, from and to the
 * models (Linux, Documentation/virt/kvm/api.rst, 4.26 to 4.29, 4.57, 4.58, 4.71). What the
 * models know and the ABI does not begins anew.
 */

/* ---- the 8259A pair ---------------------------------------------------------------------- */

#define ICW3_MASTER 0x04 /* the slave is at input 2 */
#define ICW3_SLAVE  0x02

static void pic_get(const struct pic_chip *chip, struct kvm_pic_state *to)
{
	uint8_t level = chip->icw1 & PIC_ICW1_LTIM ? 0xff : chip->elcr;

	*to = (struct kvm_pic_state){
		.last_irr = chip->lines,
		.irr = (chip->lines & level) | (chip->edges & ~level),
		.imr = chip->imr,
		.isr = chip->isr,
		.priority_add = (chip->lowest + 1) & 7,
		.irq_base = chip->base,
		.read_reg_select = chip->read_isr,
		.poll = chip->poll,
		.special_mask = chip->special_mask,
		.init_state = chip->next_icw ? chip->next_icw - 1 : 0,
		.auto_eoi = !!(chip->icw4 & PIC_ICW4_AEOI),
		.rotate_on_auto_eoi = chip->rotate_in_aeoi,
		.special_fully_nested_mode = !!(chip->icw4 & PIC_ICW4_SFNM),
		.init4 = !!(chip->icw1 & PIC_ICW1_IC4),
		.elcr = chip->elcr,
		.elcr_mask = chip->elcr_writable,
	};
}

static void pic_set(struct pic_chip *chip, bool slave, const struct kvm_pic_state *from)
{
	uint8_t possible = slave ? PIC_ELCR_SLAVE : PIC_ELCR_MASTER, elcr = from->elcr & possible;

	*chip = (struct pic_chip){
		.lines = from->last_irr | (from->irr & elcr),
		.edges = from->irr & ~elcr,
		.isr = from->isr,
		.imr = from->imr,
		.elcr = elcr,
		.elcr_writable = from->elcr_mask & possible,
		.base = from->irq_base,
		.icw1 = from->init4 ? PIC_ICW1_IC4 : 0,
		.icw3 = slave ? ICW3_SLAVE : ICW3_MASTER,
		.icw4 = (from->auto_eoi ? PIC_ICW4_AEOI : 0) |
			(from->special_fully_nested_mode ? PIC_ICW4_SFNM : 0),
		.next_icw = from->init_state && from->init_state <= 3 ? from->init_state + 1 : 0,
		.lowest = (from->priority_add - 1) & 7,
		.read_isr = from->read_reg_select,
		.poll = from->poll,
		.special_mask = from->special_mask,
		.rotate_in_aeoi = from->rotate_on_auto_eoi,
		.holds_edges = chip->holds_edges,
	};
}

/* ---- the IOAPIC ----------------------------------------------------------------------------- */

#define IOAPIC_ADDRESS 0xfec00000

static void ioapic_get(const struct ioapic *ioapic, struct kvm_ioapic_state *to)
{
	unsigned int pin;

	*to = (struct kvm_ioapic_state){
		.base_address = IOAPIC_ADDRESS,
		.ioregsel = ioapic->select,
		.id = ioapic->id >> 24,
		.irr = ioapic->lines,
	};
	for (pin = 0; pin < IOAPIC_PIN_COUNT; pin++)
		to->redirtbl[pin].bits = ioapic->redirection[pin];
}

#define ENTRY_KNOWN                                                                     \
	(IOREDTBL_VECTOR | IOREDTBL_DELIVERY | IOREDTBL_LOGICAL | IOREDTBL_ACTIVE_LOW | \
	 IOREDTBL_REMOTE_IRR | IOREDTBL_LEVEL | IOREDTBL_MASK |                         \
	 0xffull << IOREDTBL_DESTINATION_SHIFT)

/* A level that waits goes out; an edge has been sent by whoever saved this. */
static void ioapic_set(struct ioapic *ioapic, const struct kvm_ioapic_state *from)
{
	unsigned int pin;

	ioapic->select = from->ioregsel;
	ioapic->id = from->id << 24 & IOAPIC_ID;
	ioapic->waiting = 0;
	ioapic->lines = from->irr & ((1u << IOAPIC_PIN_COUNT) - 1);
	for (pin = 0; pin < IOAPIC_PIN_COUNT; pin++)
		ioapic->redirection[pin] = from->redirtbl[pin].bits & ENTRY_KNOWN;
	for (pin = 0; pin < IOAPIC_PIN_COUNT; pin++)
		ioapic_set_irq(ioapic, pin, ioapic->lines >> pin & 1);
}

/* ---- KVM_GET_IRQCHIP, KVM_SET_IRQCHIP ------------------------------------------------------------ */

/* Who holds an input is not saved, only that it is high: then it is the VMM. */
static void restore_sources(uint8_t *sources, unsigned int count, uint32_t lines)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		sources[i] &= 1u << HV_SOURCE_TIMER;
		if (lines >> i & 1 && !sources[i])
			sources[i] |= 1u << HV_SOURCE_VMM;
	}
}

VM_HANDLER(vm_get_irqchip)
{
	struct kvm_irqchip state;
	struct hv_irqchip *irqchip;
	long result = 0;

	if (copy_from_user(&state, user_pointer(argument), sizeof(state)))
		return -EFAULT;
	if (!irqchip_exists(vm) || vm->irqchip_kind != IRQCHIP_FULL)
		return -ENXIO;
	memset(&state.chip, 0, sizeof(state.chip));
	irqchip = hv_irqchip_lock(&vm->hv);
	switch (state.chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_get(&irqchip->pic.chips[state.chip_id], &state.chip.pic);
		break;
	case KVM_IRQCHIP_IOAPIC:
		ioapic_get(&irqchip->ioapic, &state.chip.ioapic);
		break;
	default:
		result = -EINVAL;
	}
	hv_irqchip_unlock(&vm->hv);
	if (!result && copy_to_user(user_pointer(argument), &state, sizeof(state)))
		result = -EFAULT;
	return result;
}

static void pic_restore(struct hv_irqchip *irqchip, uint32_t slave,
			const struct kvm_pic_state *from)
{
	struct pic_chip *chip = &irqchip->pic.chips[slave];

	pic_set(chip, slave, from);
	restore_sources(&irqchip->pic_sources[8 * slave], 8, chip->lines);
	/* An input that is driven as it is already: the outputs follow what is new. */
	pic_set_irq(&irqchip->pic, 8 * slave + 1, chip->lines >> 1 & 1);
}

VM_HANDLER(vm_set_irqchip)
{
	struct kvm_irqchip state;
	struct hv_irqchip *irqchip;
	long result = 0;

	if (copy_from_user(&state, user_pointer(argument), sizeof(state)))
		return -EFAULT;
	if (!irqchip_exists(vm) || vm->irqchip_kind != IRQCHIP_FULL)
		return -ENXIO;
	irqchip = hv_irqchip_lock(&vm->hv);
	switch (state.chip_id) {
	case KVM_IRQCHIP_PIC_MASTER:
	case KVM_IRQCHIP_PIC_SLAVE:
		pic_restore(irqchip, state.chip_id, &state.chip.pic);
		break;
	case KVM_IRQCHIP_IOAPIC:
		restore_sources(irqchip->ioapic_sources, IOAPIC_PIN_COUNT, state.chip.ioapic.irr);
		ioapic_set(&irqchip->ioapic, &state.chip.ioapic);
		break;
	default:
		result = -EINVAL;
	}
	hv_irqchip_unlock(&vm->hv);
	return result;
}

/* ---- a local APIC ---------------------------------------------------------------------------------- */

#define REGISTER_BYTES 16
static_assert(sizeof(struct kvm_lapic_state) == HV_LAPIC_WORDS * REGISTER_BYTES);

static bool in_x2apic_mode(const struct hutch_vcpu *vcpu)
{
	const uint64_t modes = X2APIC_ENABLE | XAPIC_ENABLE;

	return (vcpu->hv.apic_base & modes) == modes;
}

/* An x2APIC's id as the VMM has it: 32 bits wide, or like an xAPIC's (7.8). */
static uint32_t shown_id(const struct hutch_vcpu *vcpu)
{
	return vcpu->vm->wide_apic_ids ? vcpu->hv.id : vcpu->hv.id << 24;
}

VCPU_HANDLER(vcpu_get_lapic)
{
	struct kvm_lapic_state __user *to = user_pointer(argument);
	uint32_t words[HV_LAPIC_WORDS];
	char registers[REGISTER_BYTES] = { 0 };
	unsigned int i;

	if (!vcpu->hv.local_apic)
		return -EINVAL;
	hv_vcpu_get_lapic(&vcpu->hv, words);
	if (in_x2apic_mode(vcpu))
		words[LAPIC_ID] = shown_id(vcpu);
	for (i = 0; i < HV_LAPIC_WORDS; i++) {
		memcpy(registers, &words[i], sizeof(words[i]));
		if (copy_to_user(&to->regs[i * REGISTER_BYTES], registers, REGISTER_BYTES))
			return -EFAULT;
	}
	return 0;
}

VCPU_HANDLER(vcpu_set_lapic)
{
	const struct kvm_lapic_state __user *from = user_pointer(argument);
	uint32_t words[HV_LAPIC_WORDS];
	unsigned int i;

	if (!vcpu->hv.local_apic)
		return -EINVAL;
	for (i = 0; i < HV_LAPIC_WORDS; i++)
		if (copy_from_user(&words[i], &from->regs[i * REGISTER_BYTES], sizeof(words[i])))
			return -EFAULT;
	/* An xAPIC's is the vCPU's, whatever stands here. */
	if (in_x2apic_mode(vcpu) && words[LAPIC_ID] != shown_id(vcpu))
		return -EINVAL;
	hv_vcpu_set_lapic(&vcpu->hv, words);
	return 0;
}

/* ---- the 8254 ------------------------------------------------------------------------------------------ */

/* How far an access by two bytes has got: KVM's numbers, which start with 1. */
enum pit_access { PIT_FIRST_OF_ONE = 1, PIT_FIRST_OF_TWO = 3, PIT_SECOND_OF_TWO = 4 };

#define PIT_NO_MODE    0xff
#define PIT_FULL_COUNT 0x10000

static uint8_t access_state(const struct pit_counter *counter, bool second)
{
	uint8_t access = (counter->control & PIT_ACCESS_BOTH) >> 4;

	return access == 3 && second ? PIT_SECOND_OF_TWO : access;
}

static void counter_get(const struct hv_irqchip *irqchip, const struct pit_counter *counter,
			struct kvm_pit_channel_state *to)
{
	uint32_t count = counter->next_count ?: counter->count;

	*to = (struct kvm_pit_channel_state){
		.count = count ?: PIT_FULL_COUNT,
		.latched_count = counter->latch,
		.count_latched = counter->latched ? access_state(counter, counter->read_high) : 0,
		.status_latched = counter->status_latched,
		.status = counter->status,
		.read_state = access_state(counter, counter->read_high),
		.write_state = access_state(counter, counter->write_high),
		.write_latch = counter->write_low,
		.rw_mode = (counter->control & PIT_ACCESS_BOTH) >> 4,
		.mode = count ? pit_counter_mode(counter) : PIT_NO_MODE,
		.bcd = counter->control & PIT_BCD,
		.gate = counter->gate,
		.count_load_time = irqchip->epoch + clock_moment(counter->start, PIT_HZ),
	};
}

/* The count begins anew, as it does with KVM. */
static void counter_set(struct pit_counter *counter, uint64_t tick,
			const struct kvm_pit_channel_state *from)
{
	uint8_t access = from->rw_mode & 3 ?: 3, mode = from->mode & 7;
	bool counts = from->mode <= 7;

	*counter = (struct pit_counter){ .gate = from->gate };
	pit_counter_program(counter,
			    (access << 4) | ((counts ? mode : 0) << PIT_MODE_SHIFT) |
				    (from->bcd ? PIT_BCD : 0),
			    tick);
	if (counts && access & 1)
		pit_counter_write(counter, from->count & 0xff, tick);
	if (counts && access & 2)
		pit_counter_write(counter, from->count >> 8 & 0xff, tick);
	counter->latched = from->count_latched;
	counter->latch = from->latched_count;
	counter->status_latched = from->status_latched;
	counter->status = from->status;
	counter->read_high = from->read_state == PIT_SECOND_OF_TWO ||
			     from->count_latched == PIT_SECOND_OF_TWO;
	counter->write_high = from->write_state == PIT_SECOND_OF_TWO;
	counter->write_low = from->write_latch;
}

static void pit_get(struct hutch_vm *vm, struct kvm_pit_state2 *to)
{
	struct hv_irqchip *irqchip = hv_irqchip_lock(&vm->hv);
	unsigned int i;

	memset(to, 0, sizeof(*to));
	for (i = 0; i < PIT_COUNTERS; i++)
		counter_get(irqchip, &irqchip->pit.counters[i], &to->channels[i]);
	to->flags = (irqchip->pit_detached ? KVM_PIT_FLAGS_HPET_LEGACY : 0) |
		    (irqchip->pit.port_b & PIT_PORT_B_SPEAKER ? KVM_PIT_FLAGS_SPEAKER_DATA_ON : 0);
	hv_irqchip_unlock(&vm->hv);
}

static void pit_set(struct hutch_vm *vm, const struct kvm_pit_state2 *from)
{
	struct hv_irqchip *irqchip = hv_irqchip_lock(&vm->hv);
	uint64_t tick = clock_ticks(irqchip_now(irqchip), PIT_HZ);
	unsigned int i;

	irqchip->pit_detached = from->flags & KVM_PIT_FLAGS_HPET_LEGACY;
	for (i = 0; i < PIT_COUNTERS; i++)
		counter_set(&irqchip->pit.counters[i], tick, &from->channels[i]);
	irqchip->pit.port_b =
		(from->flags & KVM_PIT_FLAGS_SPEAKER_DATA_ON ? PIT_PORT_B_SPEAKER : 0) |
		(from->channels[2].gate ? PIT_PORT_B_GATE : 0);
	irqchip->pit.edge_due = false;
	hv_irqchip_pit_changed(irqchip);
	hv_irqchip_unlock(&vm->hv);
}

/* Read with the same lock that made it, or after. */
bool pit_exists(struct hutch_vm *vm)
{
	bool exists;

	if (!irqchip_exists(vm))
		return false;
	exists = hv_irqchip_lock(&vm->hv)->has_pit;
	hv_irqchip_unlock(&vm->hv);
	return exists;
}

VM_HANDLER(vm_get_pit2)
{
	struct kvm_pit_state2 state;

	if (!pit_exists(vm))
		return -ENXIO;
	pit_get(vm, &state);
	return copy_to_user(user_pointer(argument), &state, sizeof(state)) ? -EFAULT : 0;
}

VM_HANDLER(vm_set_pit2)
{
	struct kvm_pit_state2 state;

	if (copy_from_user(&state, user_pointer(argument), sizeof(state)))
		return -EFAULT;
	if (!pit_exists(vm))
		return -ENXIO;
	pit_set(vm, &state);
	return 0;
}

/* The older two are the newer ones less the flags. */
VM_HANDLER(vm_get_pit)
{
	struct kvm_pit_state2 state;

	if (!pit_exists(vm))
		return -ENXIO;
	pit_get(vm, &state);
	return copy_to_user(user_pointer(argument), &state, sizeof(struct kvm_pit_state)) ? -EFAULT
											  : 0;
}

VM_HANDLER(vm_set_pit)
{
	struct kvm_pit_state2 state = { 0 };

	if (copy_from_user(&state, user_pointer(argument), sizeof(struct kvm_pit_state)))
		return -EFAULT;
	if (!pit_exists(vm))
		return -ENXIO;
	pit_set(vm, &state);
	return 0;
}
