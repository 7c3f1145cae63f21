/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * A guest: a descriptor of the hypervisor, with memory, handlers and vCPUs.
 *
 * The hypervisor keeps a VM alive for as long as any descriptor of it is open, and
 * uses its memory until then. So the end goes in the reverse order of the making:
 * vCPUs, the VM, and only then the pages.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "lib/object.h"
#include "lib/system.h"

struct hutch_vm *hutch_vm_create(struct hutch *hutch)
{
	struct hutch_vm *vm = system_calloc(1, sizeof(*vm));

	if (!vm) {
		hutch_fail(ENOMEM, "virtual machine: out of memory");
		return NULL;
	}
	vm->hutch = hutch;
	do
		vm->fd = system_ioctl(hutch->fd, KVM_CREATE_VM, 0);
	while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0) {
		hutch_fail(errno, "%s: KVM_CREATE_VM: %s%s", hutch->device, strerror(errno),
			   errno == EBUSY ? "; another hypervisor holds the processor" : "");
		goto err_free;
	}
	memory_init(&vm->memory);
	pthread_mutex_init(&vm->vcpus_lock, NULL);
	return vm;

err_free:
	free(vm);
	return NULL;
}

void hutch_vm_destroy(struct hutch_vm *vm)
{
	if (!vm)
		return;
	while (vm->vcpus)
		hutch_vcpu_destroy(vm->vcpus);
	close(vm->fd);
	memory_destroy(&vm->memory);
	dispatch_destroy(&vm->dispatch);
	pthread_mutex_destroy(&vm->vcpus_lock);
	free(vm);
}

int hutch_vm_fd(const struct hutch_vm *vm)
{
	return vm->fd;
}

struct hutch *hutch_vm_hypervisor(const struct hutch_vm *vm)
{
	return vm->hutch;
}

int hutch_vm_ioctl(struct hutch_vm *vm, unsigned long request, const char *name, void *argument)
{
	int result = system_ioctl(vm->fd, request, (unsigned long)argument);

	if (result < 0)
		return hutch_fail(errno, "%s: %s: %s", vm->hutch->device, name, strerror(errno));
	return result;
}
