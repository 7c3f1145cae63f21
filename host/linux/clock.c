/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * The guest's clock and its time-stamp counters through the KVM ABI (Linux,
 * Documentation/virt/kvm/api.rst, 4.29, 4.30, 4.55 to 4.57; devices/vcpu.rst, 4).
 */

/* ---- the clock ----------------------------------------------------------------------------- */

VM_HANDLER(vm_get_clock)
{
	struct kvm_clock_data clock = { .flags = KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC };
	struct hv_clock_reading now;

	hv_clock_get(&vm->hv, &now);
	clock.clock = now.nanoseconds;
	clock.realtime = now.wall;
	clock.host_tsc = now.tsc;
	if (now.stable)
		clock.flags |= KVM_CLOCK_TSC_STABLE;
	return copy_to_user(user_pointer(argument), &clock, sizeof(clock)) ? -EFAULT : 0;
}

VM_HANDLER(vm_set_clock)
{
	const uint32_t accepted = KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC;
	struct kvm_clock_data clock;
	uint64_t wall;

	if (copy_from_user(&clock, user_pointer(argument), sizeof(clock)))
		return -EFAULT;
	if (clock.flags & ~accepted)
		return -EINVAL;
	wall = clock.realtime;
	hv_clock_set(&vm->hv, clock.clock, clock.flags & KVM_CLOCK_REALTIME ? &wall : NULL);
	return 0;
}

VCPU_HANDLER(vcpu_kvmclock_control)
{
	return hv_vcpu_clock_stopped(&vcpu->hv) ? 0 : -EINVAL;
}

/* ---- the counters' frequency ----------------------------------------------------------------- */

static bool frequency(unsigned long argument, uint32_t *khz)
{
	*khz = argument ? argument : host_tsc_khz();
	return argument <= U32_MAX;
}

VM_HANDLER(vm_get_tsc_khz)
{
	return READ_ONCE(vm->hv.tsc_khz);
}

VM_HANDLER(vm_set_tsc_khz)
{
	long result = -EINVAL;
	uint32_t khz;

	mutex_lock(&vm->lock);
	if (frequency(argument, &khz) && hv_vm_set_tsc_khz(&vm->hv, khz))
		result = 0;
	mutex_unlock(&vm->lock);
	return result;
}

VCPU_HANDLER(vcpu_get_tsc_khz)
{
	return vcpu->hv.tsc_khz;
}

VCPU_HANDLER(vcpu_set_tsc_khz)
{
	uint32_t khz;

	return frequency(argument, &khz) && hv_vcpu_set_tsc_khz(&vcpu->hv, khz) ? 0 : -EINVAL;
}

/* ---- attributes: the counters' offset ----------------------------------------------------------- */

static long read_attribute(unsigned long argument, uint64_t __user **value)
{
	struct kvm_device_attr attribute;

	if (copy_from_user(&attribute, user_pointer(argument), sizeof(attribute)))
		return -EFAULT;
	if (attribute.flags || attribute.group != KVM_VCPU_TSC_CTRL ||
	    attribute.attr != KVM_VCPU_TSC_OFFSET)
		return -ENXIO;
	*value = user_pointer(attribute.addr);
	return 0;
}

VCPU_HANDLER(vcpu_has_attribute)
{
	uint64_t __user *value;

	return read_attribute(argument, &value);
}

VCPU_HANDLER(vcpu_get_attribute)
{
	uint64_t __user *value;
	long error = read_attribute(argument, &value);

	return error ?: put_user(vcpu->hv.tsc_offset, value);
}

VCPU_HANDLER(vcpu_set_attribute)
{
	uint64_t __user *value;
	uint64_t offset;
	long error = read_attribute(argument, &value);

	if (error)
		return error;
	if (get_user(offset, value))
		return -EFAULT;
	hv_vcpu_set_tsc_offset(&vcpu->hv, offset);
	return 0;
}

/* ---- what the guest may use of it ------------------------------------------------------------------ */

VCPU_HANDLER(vcpu_enable_capability)
{
	struct kvm_enable_cap wanted;

	if (copy_from_user(&wanted, user_pointer(argument), sizeof(wanted)))
		return -EFAULT;
	if (wanted.flags || wanted.cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
		return -EINVAL;
	vcpu->hv.paravirtual.enforced = wanted.args[0];
	return 0;
}
