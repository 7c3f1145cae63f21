/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * Interrupt controllers in the core: which of them a VM has, and the wires that its VMM
 * moves (Linux, Documentation/virt/kvm/api.rst, 4.24, 4.25, 4.70, 4.71 and 7.5). Three
 * kinds of VM there are:
 *
 *	none	all is the VMM's; it gives vectors by KVM_INTERRUPT
 *	split	local APICs here; what else a PC has is the VMM's, which sends messages
 *	full	8259A pair, IOAPIC and local APICs here, an 8254 if it is asked for
 */

void irqchip_init(struct hutch_vm *vm)
{
	INIT_LIST_HEAD(&vm->irqfds);
	INIT_LIST_HEAD(&vm->resamplers);
	spin_lock_init(&vm->irqfds_lock);
}

void irqchip_destroy(struct hutch_vm *vm)
{
	routing_destroy(vm);
}

static void follow_widths(struct hutch_vm *vm)
{
	hv_irqchip_wide_messages(&vm->hv, vm->wide_apic_ids, vm->no_short_broadcast);
}

/*
 * With the VM's lock held. Lines may be raised as soon as the core shows its controllers:
 * by then all else is in place.
 */
static long create(struct hutch_vm *vm, enum irqchip_kind kind)
{
	long error;

	if (irqchip_exists(vm))
		return -EEXIST;
	if (!list_empty(&vm->vcpus))
		return -EINVAL;
	error = routing_start(vm, kind == IRQCHIP_SPLIT);
	if (error)
		return error;
	vm->hv.input_ended = irqfd_input_ended;
	vm->irqchip_kind = kind;
	error = hv_irqchip_create(&vm->hv, kind == IRQCHIP_SPLIT);
	if (error) {
		vm->irqchip_kind = IRQCHIP_NONE;
		routing_destroy(vm);
		return error;
	}
	routing_follow(vm);
	follow_widths(vm);
	return 0;
}

VM_HANDLER(vm_create_irqchip)
{
	long result;

	mutex_lock(&vm->lock);
	result = create(vm, IRQCHIP_FULL);
	mutex_unlock(&vm->lock);
	return result;
}

/* ---- KVM_ENABLE_CAP, with the VM's lock held ----------------------------------------------- */

#define IOAPIC_ROUTES_MAX 4096

/* @routes of the first GSIs are the VMM's IOAPIC's: here all level-triggered messages are. */
static long enable_split(struct hutch_vm *vm, uint64_t routes)
{
	return routes > IOAPIC_ROUTES_MAX ? -EINVAL : create(vm, IRQCHIP_SPLIT);
}

static long enable_x2apic(struct hutch_vm *vm, uint64_t flags)
{
	if (flags & ~(uint64_t)X2APIC_FLAGS)
		return -EINVAL;
	if (flags & KVM_X2APIC_API_USE_32BIT_IDS)
		vm->wide_apic_ids = true;
	if (flags & KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
		vm->no_short_broadcast = true;
	if (irqchip_exists(vm))
		follow_widths(vm);
	return 0;
}

long irqchip_enable(struct hutch_vm *vm, const struct kvm_enable_cap *wanted)
{
	switch (wanted->cap) {
	case KVM_CAP_SPLIT_IRQCHIP:
		return enable_split(vm, wanted->args[0]);
	case KVM_CAP_X2APIC_API:
		return enable_x2apic(vm, wanted->args[0]);
	}
	return -EINVAL;
}

/* ---- lines and messages ----------------------------------------------------------------------- */

static long read_line(struct hutch_vm *vm, unsigned long argument, struct kvm_irq_level *line)
{
	if (copy_from_user(line, user_pointer(argument), sizeof(*line)))
		return -EFAULT;
	return irqchip_exists(vm) ? 0 : -ENXIO;
}

VM_HANDLER(vm_irq_line)
{
	struct kvm_irq_level line;
	long error = read_line(vm, argument, &line);

	if (error)
		return error;
	routing_set(vm, line.irq, HV_SOURCE_VMM, line.level);
	return 0;
}

VM_HANDLER(vm_irq_line_status)
{
	struct kvm_irq_level line;
	long error = read_line(vm, argument, &line);

	if (error)
		return error;
	line.status = routing_set(vm, line.irq, HV_SOURCE_VMM, line.level);
	return copy_to_user(user_pointer(argument), &line, sizeof(line)) ? -EFAULT : 0;
}

VM_HANDLER(vm_signal_msi)
{
	struct kvm_msi message;

	if (copy_from_user(&message, user_pointer(argument), sizeof(message)))
		return -EFAULT;
	/* Which device it is from has a meaning elsewhere, and none here. */
	if (!irqchip_exists(vm) || message.flags & ~KVM_MSI_VALID_DEVID)
		return -EINVAL;
	if (vm->wide_apic_ids && message.address_hi & 0xff)
		return -EINVAL;
	return hv_irqchip_msi(&vm->hv, message.address_lo | (uint64_t)message.address_hi << 32,
			      message.data);
}

/* A page for the task priority of guests that were patched to look there: none is shared. */
VCPU_HANDLER(vcpu_set_vapic_address)
{
	struct kvm_vapic_addr address;

	if (copy_from_user(&address, user_pointer(argument), sizeof(address)))
		return -EFAULT;
	return vcpu->hv.local_apic && !address.vapic_addr ? 0 : -EINVAL;
}

/* ---- the 8254 ------------------------------------------------------------------------------------ */

static long create_pit(struct hutch_vm *vm, uint32_t flags)
{
	long result = -ENOENT;

	if (flags & ~KVM_PIT_SPEAKER_DUMMY)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (vm->irqchip_kind == IRQCHIP_FULL)
		result = hv_irqchip_create_pit(&vm->hv, flags & KVM_PIT_SPEAKER_DUMMY);
	mutex_unlock(&vm->lock);
	return result;
}

VM_HANDLER(vm_create_pit)
{
	return create_pit(vm, KVM_PIT_SPEAKER_DUMMY);
}

VM_HANDLER(vm_create_pit2)
{
	struct kvm_pit_config config;

	if (copy_from_user(&config, user_pointer(argument), sizeof(config)))
		return -EFAULT;
	return create_pit(vm, config.flags);
}

/* A tick that found the one before it still waiting is one with it, whatever is said here. */
VM_HANDLER(vm_reinject_control)
{
	struct kvm_reinject_control control;

	if (copy_from_user(&control, user_pointer(argument), sizeof(control)))
		return -EFAULT;
	return pit_exists(vm) ? 0 : -ENXIO;
}
