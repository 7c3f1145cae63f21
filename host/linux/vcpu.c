/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/anon_inodes.h>
#include <linux/delay.h>
#include <linux/file.h>
#include <linux/module.h>
#include <linux/slab.h>

/*
 * A vCPU: its descriptor, its three shared pages, and the thread that works with it.
 *
 * Every ioctl has the vCPU to itself and has it loaded: what a processor keeps of a guest
 * in registers of its own is that of this one. When the scheduler takes the thread off
 * its CPU it is put away, and it is loaded again where the thread goes on: preemption
 * notifiers see to that, so that all between is ordinary kernel code that may be
 * preempted and may sleep.
 */

static struct hutch_vcpu *vcpu_of(const struct file *file)
{
	return file->private_data;
}

/* ---- on and off a CPU -------------------------------------------------------------------- */

/* Pinned. A CPU that comes up or goes down cannot take it; the thread will not stay there. */
static void load(struct hutch_vcpu *vcpu)
{
	vcpu->loaded = cpu_is_enabled();
	if (vcpu->loaded)
		hv_vcpu_load(&vcpu->hv, smp_processor_id());
}

static void put(struct hutch_vcpu *vcpu, bool sleeps)
{
	if (vcpu->loaded)
		hv_vcpu_put(&vcpu->hv, sleeps);
	vcpu->loaded = false;
}

static void scheduled_in(struct preempt_notifier *notifier, int cpu)
{
	load(container_of(notifier, struct hutch_vcpu, preempt_notifier));
}

static void scheduled_out(struct preempt_notifier *notifier, struct task_struct *next)
{
	put(container_of(notifier, struct hutch_vcpu, preempt_notifier), true);
}

static struct preempt_ops preempt_operations = {
	.sched_in = scheduled_in,
	.sched_out = scheduled_out,
};

static void vcpu_load(struct hutch_vcpu *vcpu)
{
	preempt_disable();
	load(vcpu);
	while (!vcpu->loaded) {
		preempt_enable();
		msleep(1);
		preempt_disable();
		load(vcpu);
	}
	preempt_notifier_register(&vcpu->preempt_notifier);
	preempt_enable();
}

static void vcpu_put(struct hutch_vcpu *vcpu)
{
	preempt_disable();
	put(vcpu, false);
	preempt_notifier_unregister(&vcpu->preempt_notifier);
	preempt_enable();
}

/* ---- the descriptor ------------------------------------------------------------------------ */

static long vcpu_ioctl(struct file *file, unsigned int request, unsigned long argument)
{
	struct hutch_vcpu *vcpu = vcpu_of(file);
	long result;

	if (vcpu->vm->mm != current->mm)
		return -EIO;
	if (_IOC_TYPE(request) != KVMIO)
		return -EINVAL;
	if (mutex_lock_killable(&vcpu->lock))
		return -EINTR;
	vcpu_load(vcpu);
	result = abi_vcpu(vcpu, request, argument);
	vcpu_put(vcpu);
	mutex_unlock(&vcpu->lock);
	return result;
}

static vm_fault_t vcpu_fault(struct vm_fault *fault)
{
	struct hutch_vcpu *vcpu = vcpu_of(fault->vma->vm_file);
	void *page;

	switch (fault->pgoff) {
	case VCPU_PAGE_RUN:
		page = vcpu->run;
		break;
	case VCPU_PAGE_PORT:
		page = vcpu->data;
		break;
	case VCPU_PAGE_COALESCED:
		page = vcpu->vm->ring;
		break;
	default:
		return VM_FAULT_SIGBUS;
	}
	fault->page = virt_to_page(page);
	get_page(fault->page);
	return 0;
}

static const struct vm_operations_struct mapping_operations = {
	.fault = vcpu_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	vma->vm_ops = &mapping_operations;
	return 0;
}

/* A descriptor that nobody got, as the vCPU could not be made, has none. */
static int vcpu_release(struct inode *inode, struct file *file)
{
	if (vcpu_of(file))
		vm_put(vcpu_of(file)->vm);
	return 0;
}

static const struct file_operations vcpu_operations = {
	.owner = THIS_MODULE,
	.release = vcpu_release,
	.unlocked_ioctl = vcpu_ioctl,
	.mmap = vcpu_mmap,
	.llseek = noop_llseek,
};

/* ---- from its making to its end --------------------------------------------------------------- */

static struct hutch_vcpu *vcpu_new(struct hutch_vm *vm)
{
	struct hutch_vcpu *vcpu = own_alloc(sizeof(*vcpu));

	if (!vcpu)
		return NULL;
	vcpu->vm = vm;
	vcpu->hv.host = vcpu;
	mutex_init(&vcpu->lock);
	rcuwait_init(&vcpu->wait);
	preempt_notifier_init(&vcpu->preempt_notifier, &preempt_operations);
	vcpu->run = own_pages(0);
	if (!vcpu->run)
		goto err_vcpu;
	vcpu->data = own_pages(0);
	if (!vcpu->data)
		goto err_run;
	if (fpu_create(vcpu))
		goto err_data;
	return vcpu;
err_data:
	own_pages_free(vcpu->data, 0);
err_run:
	own_pages_free(vcpu->run, 0);
err_vcpu:
	own_free(vcpu);
	return NULL;
}

/* What vcpu_new() made. */
static void vcpu_free(struct hutch_vcpu *vcpu)
{
	fpu_free(vcpu);
	own_pages_free(vcpu->data, 0);
	own_pages_free(vcpu->run, 0);
	own_free(vcpu);
}

void vcpu_destroy(struct hutch_vcpu *vcpu)
{
	list_del(&vcpu->list);
	hv_vcpu_free(&vcpu->hv);
	cpuid_free(vcpu);
	vcpu_free(vcpu);
}

static bool id_is_taken(struct hutch_vm *vm, unsigned long id)
{
	struct hutch_vcpu *vcpu;

	list_for_each_entry(vcpu, &vm->vcpus, list) if (vcpu->hv.id == id) return true;
	return false;
}

/* With the VM's lock held. The core's half comes last but for what cannot fail. */
static int join(struct hutch_vm *vm, struct hutch_vcpu *vcpu, unsigned long id)
{
	int error;

	if (id_is_taken(vm, id))
		return -EEXIST;
	error = hv_vcpu_init(&vcpu->hv, &vm->hv, id, vcpu->data);
	if (error)
		return error;
	vcpu_load(vcpu);
	hv_vcpu_reset(&vcpu->hv, true);
	vcpu_put(vcpu);
	/* Whoever counts the vCPUs finds them there. */
	vm->hv.vcpus[vm->hv.vcpu_count] = &vcpu->hv;
	smp_store_release(&vm->hv.vcpu_count, vm->hv.vcpu_count + 1);
	list_add_tail(&vcpu->list, &vm->vcpus);
	debug_add_vcpu(vcpu);
	return 0;
}

long vcpu_create(struct hutch_vm *vm, unsigned long id)
{
	struct hutch_vcpu *vcpu;
	struct file *file;
	int fd, error;

	if (id >= HV_VCPU_MAX)
		return -EINVAL;
	vcpu = vcpu_new(vm);
	if (!vcpu)
		return -ENOMEM;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		error = fd;
		goto err_vcpu;
	}
	file = anon_inode_getfile("hutch-vcpu", &vcpu_operations, vcpu, O_RDWR);
	if (IS_ERR(file)) {
		error = PTR_ERR(file);
		goto err_fd;
	}
	vm_get(vm); /* the file's, from here on */
	mutex_lock(&vm->lock);
	error = join(vm, vcpu, id);
	mutex_unlock(&vm->lock);
	if (error)
		goto err_file;
	fd_install(fd, file);
	return fd;
err_file:
	file->private_data = NULL;
	fput(file);
	vm_put(vm);
err_fd:
	put_unused_fd(fd);
err_vcpu:
	vcpu_free(vcpu);
	return error;
}
