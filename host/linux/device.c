/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/module.h>

/*
 * /dev/hutch: asks what there is, makes VMs. It has no state; whoever may open it may
 * use it.
 */

static long device_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	return abi_system(request, argument);
}

const struct file_operations hutch_device_operations = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = device_ioctl,
	.llseek = noop_llseek,
};

SYSTEM_HANDLER(system_api_version)
{
	return argument ? -EINVAL : KVM_API_VERSION;
}

SYSTEM_HANDLER(system_create_vm)
{
	return argument ? -EINVAL : vm_create(argument);
}

SYSTEM_HANDLER(system_vcpu_mmap_size)
{
	return argument ? -EINVAL : VCPU_PAGE_COUNT * PAGE_SIZE;
}
