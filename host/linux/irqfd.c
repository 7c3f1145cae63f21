/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include "host/linux/compat.h"

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/workqueue.h>

/*
 * irqfd: an eventfd whose signal raises a GSI, so that a device in another process or in
 * the kernel interrupts a guest without its VMM (Linux, Documentation/virt/kvm/api.rst,
 * 4.75). With a second eventfd for resampling the line stays high until the guest has
 * ended the interrupt; then it falls, and that eventfd is signalled.
 *
 * A signal arrives in whatever context it is given, interrupts included, with the
 * eventfd's own lock held. A message goes out at once; lines are moved by a worker, and so
 * is what finds the controllers busy. The worker that shuts an irqfd
 * down is also the only one that frees it, and a VM's end waits for it.
 */

struct irqfd {
	struct list_head list; /* of the VM; empty: it is being shut down */
	struct list_head resampler;
	struct hutch_vm *vm;
	struct eventfd_ctx *event, *resample; /* @resample may be NULL */
	uint32_t gsi;
	wait_queue_entry_t wait;
	poll_table poll;
	struct work_struct inject, tell, shutdown;
};

static struct workqueue_struct *queue;

int irqfd_start(void)
{
	queue = alloc_workqueue("hutch-irqfd", WQ_HIGHPRI, 0);
	return queue ? 0 : -ENOMEM;
}

void irqfd_stop(void)
{
	destroy_workqueue(queue);
}

/* ---- from a signal to a line ------------------------------------------------------------ */

static void inject(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, inject);

	if (irqfd->resample) {
		routing_set(irqfd->vm, irqfd->gsi, HV_SOURCE_RESAMPLED, true);
		return;
	}
	routing_set(irqfd->vm, irqfd->gsi, HV_SOURCE_VMM, true);
	routing_set(irqfd->vm, irqfd->gsi, HV_SOURCE_VMM, false);
}

/* The GSI's other input, if it leads to two, falls as well. */
static void tell(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, tell);

	routing_set(irqfd->vm, irqfd->gsi, HV_SOURCE_RESAMPLED, false);
	compat_eventfd_signal(irqfd->resample);
}

/* Called by the core with its controllers' lock held, which guards @resamplers. */
void irqfd_input_ended(struct hv_vm *hv, enum hv_controller which, unsigned int input)
{
	struct hutch_vm *vm = hv->host;
	struct irqfd *irqfd;

	list_for_each_entry(irqfd, &vm->resamplers,
			    resampler) if (routing_leads(vm, irqfd->gsi, which, input))
		queue_work(queue, &irqfd->tell);
}

/* ---- its end -------------------------------------------------------------------------------- */

static void shutdown(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, shutdown);
	__u64 count;

	/* Whoever made it has let it go by then: begin(). */
	mutex_lock(&irqfd->vm->lock);
	mutex_unlock(&irqfd->vm->lock);
	eventfd_ctx_remove_wait_queue(irqfd->event, &irqfd->wait, &count);
	cancel_work_sync(&irqfd->inject);
	if (irqfd->resample) {
		hv_irqchip_lock(&irqfd->vm->hv);
		list_del(&irqfd->resampler);
		hv_irqchip_unlock(&irqfd->vm->hv);
		cancel_work_sync(&irqfd->tell);
		routing_set(irqfd->vm, irqfd->gsi, HV_SOURCE_RESAMPLED, false);
		eventfd_ctx_put(irqfd->resample);
	}
	eventfd_ctx_put(irqfd->event);
	own_free(irqfd);
}

/* With the VM's @irqfds_lock held: once. */
static void begin_shutdown(struct irqfd *irqfd)
{
	if (list_empty(&irqfd->list))
		return;
	list_del_init(&irqfd->list);
	queue_work(queue, &irqfd->shutdown);
}

void irqfd_destroy(struct hutch_vm *vm)
{
	struct irqfd *irqfd, *next;

	spin_lock_irq(&vm->irqfds_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, list) begin_shutdown(irqfd);
	spin_unlock_irq(&vm->irqfds_lock);
	/* Also those whose eventfds were closed a moment ago. */
	flush_workqueue(queue);
}

/* ---- the eventfd's side --------------------------------------------------------------------- */

static int signalled(wait_queue_entry_t *wait, unsigned int mode, int flags, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	__poll_t events = key_to_poll(key);
	unsigned long irq_flags;
	__u64 count;

	if (events & EPOLLIN) {
		eventfd_ctx_do_read(irqfd->event, &count);
		if (irqfd->resample || !routing_try_message(irqfd->vm, irqfd->gsi))
			queue_work(queue, &irqfd->inject);
	}
	if (events & EPOLLHUP) {
		spin_lock_irqsave(&irqfd->vm->irqfds_lock, irq_flags);
		begin_shutdown(irqfd);
		spin_unlock_irqrestore(&irqfd->vm->irqfds_lock, irq_flags);
	}
	return !!(events & EPOLLIN);
}

static void wait_for(struct file *file, wait_queue_head_t *head, poll_table *poll)
{
	struct irqfd *irqfd = container_of(poll, struct irqfd, poll);

	/* Before others who wait, as the signal is used up here. */
	add_wait_queue_priority(head, &irqfd->wait);
}

/* ---- KVM_IRQFD ---------------------------------------------------------------------------------- */

static struct irqfd *irqfd_new(struct hutch_vm *vm, const struct kvm_irqfd *from)
{
	struct irqfd *irqfd = own_alloc(sizeof(*irqfd));

	if (!irqfd)
		return NULL;
	INIT_LIST_HEAD(&irqfd->list);
	irqfd->vm = vm;
	irqfd->gsi = from->gsi;
	INIT_WORK(&irqfd->inject, inject);
	INIT_WORK(&irqfd->tell, tell);
	INIT_WORK(&irqfd->shutdown, shutdown);
	init_waitqueue_func_entry(&irqfd->wait, signalled);
	init_poll_funcptr(&irqfd->poll, wait_for);
	return irqfd;
}

/* An eventfd raises one GSI. */
static int enlist(struct irqfd *irqfd)
{
	struct hutch_vm *vm = irqfd->vm;
	struct irqfd *other;
	int error = 0;

	spin_lock_irq(&vm->irqfds_lock);
	list_for_each_entry(other, &vm->irqfds, list) if (other->event == irqfd->event)
		error = -EBUSY;
	if (!error)
		list_add_tail(&irqfd->list, &vm->irqfds);
	spin_unlock_irq(&vm->irqfds_lock);
	return error;
}

/* From here on the eventfd's file may close at any time and take the irqfd with it. */
static void begin(struct irqfd *irqfd, struct file *file)
{
	if (irqfd->resample) {
		hv_irqchip_lock(&irqfd->vm->hv);
		list_add_tail(&irqfd->resampler, &irqfd->vm->resamplers);
		hv_irqchip_unlock(&irqfd->vm->hv);
	}
	if (vfs_poll(file, &irqfd->poll) & EPOLLIN)
		queue_work(queue, &irqfd->inject);
}

static long assign(struct hutch_vm *vm, const struct kvm_irqfd *from)
{
	struct irqfd *irqfd = irqfd_new(vm, from);
	struct fd file = fdget(from->fd);
	long error = -EBADF;

	if (!irqfd) {
		fdput(file);
		return -ENOMEM;
	}
	if (!compat_fd_file(file))
		goto err_irqfd;
	irqfd->event = eventfd_ctx_fileget(compat_fd_file(file));
	if (IS_ERR(irqfd->event)) {
		error = PTR_ERR(irqfd->event);
		goto err_file;
	}
	if (from->flags & KVM_IRQFD_FLAG_RESAMPLE) {
		irqfd->resample = eventfd_ctx_fdget(from->resamplefd);
		if (IS_ERR(irqfd->resample)) {
			error = PTR_ERR(irqfd->resample);
			goto err_event;
		}
	}
	/* Who finds it in the list and shuts it down waits until it is whole: shutdown(). */
	mutex_lock(&vm->lock);
	error = enlist(irqfd);
	if (!error)
		begin(irqfd, compat_fd_file(file));
	mutex_unlock(&vm->lock);
	if (error)
		goto err_resample;
	fdput(file);
	return 0;
err_resample:
	if (irqfd->resample)
		eventfd_ctx_put(irqfd->resample);
err_event:
	eventfd_ctx_put(irqfd->event);
err_file:
	fdput(file);
err_irqfd:
	own_free(irqfd);
	return error;
}

/* When it returns no signal is on its way any more. */
static long deassign(struct hutch_vm *vm, const struct kvm_irqfd *from)
{
	struct eventfd_ctx *event = eventfd_ctx_fdget(from->fd);
	struct irqfd *irqfd, *next;

	if (IS_ERR(event))
		return PTR_ERR(event);
	spin_lock_irq(&vm->irqfds_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds,
				 list) if (irqfd->event == event && irqfd->gsi == from->gsi)
		begin_shutdown(irqfd);
	spin_unlock_irq(&vm->irqfds_lock);
	eventfd_ctx_put(event);
	flush_workqueue(queue);
	return 0;
}

VM_HANDLER(vm_irqfd)
{
	struct kvm_irqfd from;

	if (copy_from_user(&from, user_pointer(argument), sizeof(from)))
		return -EFAULT;
	if (from.flags & ~(KVM_IRQFD_FLAG_DEASSIGN | KVM_IRQFD_FLAG_RESAMPLE))
		return -EINVAL;
	if (from.flags & KVM_IRQFD_FLAG_DEASSIGN)
		return deassign(vm, &from);
	if (!irqchip_exists(vm) ||
	    (from.flags & KVM_IRQFD_FLAG_RESAMPLE && vm->irqchip_kind != IRQCHIP_FULL))
		return -EINVAL;
	return assign(vm, &from);
}
