/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/anon_inodes.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

/*
 * A VM: the descriptor that KVM_CREATE_VM returns, and what it holds. It belongs to the
 * process that made it, whose memory becomes the guest's; a child that inherits the
 * descriptor can close it and nothing else (EIO).
 */

static struct hutch_vm *vm_of(const struct file *file)
{
	return file->private_data;
}

/* ---- from the first reference to the last -------------------------------------------- */

static void vm_free(struct kref *references)
{
	struct hutch_vm *vm = container_of(references, struct hutch_vm, references);
	struct hutch_vcpu *vcpu, *next;

	debug_remove_vm(vm);
	memory_unwatch(vm);
	irqfd_destroy(vm);
	list_for_each_entry_safe(vcpu, next, &vm->vcpus, list) vcpu_destroy(vcpu);
	hv_vm_free(&vm->hv);
	irqchip_destroy(vm);
	event_destroy(vm);
	coalesced_destroy(vm);
	msr_filter_destroy(vm);
	mmdrop(vm->mm);
	own_free(vm);
}

void vm_get(struct hutch_vm *vm)
{
	kref_get(&vm->references);
}

void vm_put(struct hutch_vm *vm)
{
	kref_put(&vm->references, vm_free);
}

static struct hutch_vm *vm_new(void)
{
	struct hutch_vm *vm = own_alloc(sizeof(*vm));
	int error = -ENOMEM;

	if (!vm)
		return ERR_PTR(-ENOMEM);
	kref_init(&vm->references);
	mutex_init(&vm->lock);
	init_rwsem(&vm->devices_lock);
	spin_lock_init(&vm->ring_lock);
	INIT_LIST_HEAD(&vm->vcpus);
	INIT_LIST_HEAD(&vm->event_ranges);
	INIT_LIST_HEAD(&vm->coalesced_ranges);
	irqchip_init(vm);
	vm->mm = current->mm;
	mmgrab(vm->mm);
	vm->hv.host = vm;
	error = coalesced_init(vm);
	if (error)
		goto err_vm;
	error = hv_vm_init(&vm->hv, hutch_ops);
	if (error)
		goto err_coalesced;
	error = memory_watch(vm);
	if (error)
		goto err_hv;
	return vm;
err_hv:
	hv_vm_free(&vm->hv);
	msr_filter_destroy(vm);
err_coalesced:
	coalesced_destroy(vm);
err_vm:
	mmdrop(vm->mm);
	own_free(vm);
	return ERR_PTR(error);
}

/* ---- the descriptor -------------------------------------------------------------------- */

static int vm_release(struct inode *inode, struct file *file)
{
	vm_put(vm_of(file));
	return 0;
}

static long vm_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct hutch_vm *vm = vm_of(file);

	if (vm->mm != current->mm)
		return -EIO;
	return abi_vm(vm, request, argument);
}

static const struct file_operations vm_operations = {
	.owner = THIS_MODULE,
	.release = vm_release,
	.unlocked_ioctl = vm_ioctl,
	.llseek = noop_llseek,
};

long vm_create(unsigned long type)
{
	struct hutch_vm *vm = vm_new();
	int fd;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	debug_add_vm(vm);
	fd = anon_inode_getfd("hutch-vm", &vm_operations, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		vm_put(vm);
	return fd;
}

/* ---- settings ---------------------------------------------------------------------------- */

VM_HANDLER(vm_create_vcpu)
{
	return vcpu_create(vm, argument);
}

/* Where a processor without unrestricted guests would keep three pages of its own. */
#define TSS_LIMIT 0xffffd000ul

VM_HANDLER(vm_set_tss_address)
{
	if (argument > TSS_LIMIT)
		return -EINVAL;
	mutex_lock(&vm->lock);
	vm->tss_address = argument;
	mutex_unlock(&vm->lock);
	return 0;
}

VM_HANDLER(vm_set_identity_map_address)
{
	uint64_t address;
	long result = -EINVAL;

	if (copy_from_user(&address, user_pointer(argument), sizeof(address)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	if (list_empty(&vm->vcpus)) {
		vm->identity_map_address = address;
		result = 0;
	}
	mutex_unlock(&vm->lock);
	return result;
}

VM_HANDLER(vm_set_boot_cpu)
{
	long result;

	mutex_lock(&vm->lock);
	result = !list_empty(&vm->vcpus) ? -EBUSY : argument >= HV_VCPU_MAX ? -EINVAL : 0;
	if (!result)
		vm->hv.bootstrap = argument;
	mutex_unlock(&vm->lock);
	return result;
}

VM_HANDLER(vm_set_mmu_pages)
{
	if (argument < 64 || argument > UINT_MAX)
		return -EINVAL;
	mutex_lock(&vm->lock);
	vm->mmu_pages = argument;
	mutex_unlock(&vm->lock);
	return 0;
}

VM_HANDLER(vm_get_mmu_pages)
{
	return vm->mmu_pages;
}

static long enable_msr_exits(struct hutch_vm *vm, uint64_t reasons)
{
	const uint64_t known = KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN |
			       KVM_MSR_EXIT_REASON_FILTER;

	if (reasons & ~known)
		return -EINVAL;
	WRITE_ONCE(vm->msr_reasons, reasons);
	WRITE_ONCE(vm->hv.msr_calls,
		   (reasons & (KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN)
			    ? HV_MSR_INVALID
			    : 0) |
			   (reasons & KVM_MSR_EXIT_REASON_FILTER ? HV_MSR_FILTERED : 0));
	return 0;
}

VM_HANDLER(vm_enable_capability)
{
	struct kvm_enable_cap wanted;
	long result = 0;

	if (copy_from_user(&wanted, user_pointer(argument), sizeof(wanted)))
		return -EFAULT;
	if (wanted.flags)
		return -EINVAL;
	mutex_lock(&vm->lock);
	switch (wanted.cap) {
	case KVM_CAP_X86_USER_SPACE_MSR:
		result = enable_msr_exits(vm, wanted.args[0]);
		break;
	case KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		if (wanted.args[0] & ~(uint64_t)KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE)
			result = -EINVAL;
		else
			vm->manual_dirty_log = wanted.args[0];
		break;
	default:
		result = irqchip_enable(vm, &wanted);
	}
	mutex_unlock(&vm->lock);
	return result;
}
