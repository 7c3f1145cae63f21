/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Steps three to five: set up the vCPU, enter, answer the exit, and again.
 *
 * One entry is one system call, KVM_RUN: it hands over the answer to the exit
 * before, runs the guest, and comes back with the next exit in a page that both
 * sides share. hutch_vcpu_run() goes round that until somebody says stop.
 *
 * What "again" means after HUTCH_RETRY depends on who still waits. At an access
 * (port, MMIO, MSR, hypercall) the hypervisor stands in the middle of the
 * instruction, with a write even behind it: KVM has then put the registers forward
 * already. So not the instruction but its access is made again: it goes to memory
 * where there is memory now, and else back to the handlers. This holds for every
 * part of a wide access and for every step of a REP, and nothing is done twice.
 * At all other exits nothing waits, and again is simply to enter; only HLT is
 * behind the guest by then and has to be stepped back to.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "lib/kick.h"
#include "lib/object.h"
#include "lib/system.h"

#define HLT_OPCODE 0xf4

static void list_add(struct hutch_vm *vm, struct hutch_vcpu *vcpu)
{
	pthread_mutex_lock(&vm->vcpus_lock);
	vcpu->next = vm->vcpus;
	vm->vcpus = vcpu;
	pthread_mutex_unlock(&vm->vcpus_lock);
}

static void list_remove(struct hutch_vm *vm, struct hutch_vcpu *vcpu)
{
	struct hutch_vcpu **link;

	pthread_mutex_lock(&vm->vcpus_lock);
	for (link = &vm->vcpus; *link != vcpu; link = &(*link)->next)
		;
	*link = vcpu->next;
	pthread_mutex_unlock(&vm->vcpus_lock);
}

struct hutch_vcpu *hutch_vcpu_create(struct hutch_vm *vm, unsigned int id)
{
	struct hutch_vcpu *vcpu = system_calloc(1, sizeof(*vcpu));

	if (!vcpu) {
		hutch_fail(ENOMEM, "vCPU %u: out of memory", id);
		return NULL;
	}
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = system_ioctl(vm->fd, KVM_CREATE_VCPU, id);
	if (vcpu->fd < 0) {
		hutch_fail(errno, "vCPU %u: KVM_CREATE_VCPU: %s", id, strerror(errno));
		goto err_free;
	}
	vcpu->run = system_mmap(NULL, vm->hutch->run_page_size, PROT_READ | PROT_WRITE, MAP_SHARED,
				vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED) {
		hutch_fail(errno, "vCPU %u: mmap of its shared page: %s", id, strerror(errno));
		goto err_close;
	}
	vcpu->exit.reason = HUTCH_EXIT_UNKNOWN;
	list_add(vm, vcpu);
	return vcpu;

err_close:
	close(vcpu->fd);
err_free:
	free(vcpu);
	return NULL;
}

void hutch_vcpu_destroy(struct hutch_vcpu *vcpu)
{
	if (!vcpu)
		return;
	list_remove(vcpu->vm, vcpu);
	munmap(vcpu->run, vcpu->vm->hutch->run_page_size);
	close(vcpu->fd);
	free(vcpu);
}

unsigned int hutch_vcpu_id(const struct hutch_vcpu *vcpu)
{
	return vcpu->id;
}

struct hutch_vm *hutch_vcpu_vm(const struct hutch_vcpu *vcpu)
{
	return vcpu->vm;
}

int hutch_vcpu_fd(const struct hutch_vcpu *vcpu)
{
	return vcpu->fd;
}

struct kvm_run *hutch_vcpu_run_page(const struct hutch_vcpu *vcpu)
{
	return vcpu->run;
}

const struct hutch_exit *hutch_vcpu_last_exit(const struct hutch_vcpu *vcpu)
{
	return &vcpu->exit;
}

uint64_t hutch_vcpu_exits(const struct hutch_vcpu *vcpu, enum hutch_exit_reason reason)
{
	if ((unsigned int)reason >= HUTCH_EXIT_COUNT)
		return 0;
	return atomic_load_explicit(&vcpu->exits[reason], memory_order_relaxed);
}

/* Only the vCPU's own thread counts, so there is nothing to lock: others merely look. */
static void count_exit(struct hutch_vcpu *vcpu)
{
	atomic_uint_least64_t *counter = &vcpu->exits[vcpu->exit.reason];

	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + 1,
			      memory_order_relaxed);
}

static const char *run_advice(int error)
{
	switch (error) {
	case EFAULT:
		return "; guest memory that the host cannot give (a file cut short?)";
	case EIO:
		return "; created by another process?";
	case EINVAL:
		return "; state that the hypervisor refuses";
	default:
		return "";
	}
}

/* KVM_RUN once: 0, with the exit decoded, or a negative errno. */
static int enter(struct hutch_vcpu *vcpu)
{
	int error;

	/* A processor that waited for its start-up IPI has it now (EAGAIN): go on in. */
	do
		error = ioctl(vcpu->fd, KVM_RUN, 0) ? errno : 0;
	while (error == EAGAIN);
	if (error && error != EINTR) {
		registers_forget(vcpu);
		return hutch_fail(error, "vCPU %u: KVM_RUN: %s%s", vcpu->id, strerror(error),
				  run_advice(error));
	}
	registers_after_run(vcpu);
	if (error)
		vcpu->run->exit_reason = KVM_EXIT_INTR;
	exit_decode(vcpu);
	return 0;
}

static int enter_and_count(struct hutch_vcpu *vcpu)
{
	int error = enter(vcpu);

	if (error)
		return error;
	if (vcpu->exit.reason == HUTCH_EXIT_INTERRUPTED)
		kick_consume(vcpu);
	count_exit(vcpu);
	return 0;
}

int hutch_vcpu_complete(struct hutch_vcpu *vcpu)
{
	int error;

	if (!vcpu->pending)
		return 0;
	vcpu->retry = false;
	kick_hold(vcpu);
	error = enter(vcpu);
	kick_release(vcpu);
	if (error)
		return error;
	if (!vcpu->pending)
		return 0;
	count_exit(vcpu);
	return 1;
}

/* An access that is made again reaches memory which a handler has put there meanwhile. */
static bool access_memory(struct hutch_vcpu *vcpu)
{
	const struct hutch_exit *exit = &vcpu->exit;

	if (exit->reason != HUTCH_EXIT_MMIO)
		return false;
	if (exit->mmio.write)
		return !hutch_memory_write(vcpu->vm, exit->mmio.gpa, exit->mmio.data,
					   exit->mmio.size);
	return !hutch_memory_read(vcpu->vm, exit->mmio.gpa, exit->mmio.data, exit->mmio.size);
}

/* A halted processor stands behind its HLT; put it before it again. */
static int step_back_to_hlt(struct hutch_vcpu *vcpu)
{
	struct kvm_regs regs;
	int error = hutch_vcpu_get_regs(vcpu, &regs);

	if (error)
		return error;
	regs.rip--;
	return hutch_vcpu_set_regs(vcpu, &regs);
}

/* Brings the next exit to answer: from the guest, or the last one over again. */
static int next_exit(struct hutch_vcpu *vcpu)
{
	if (!vcpu->retry)
		return enter_and_count(vcpu);
	if (atomic_load(&vcpu->kicked)) {
		/* The access waits where it is, in the shared page, and is made afterwards. */
		kick_consume(vcpu);
		vcpu->exit.reason = HUTCH_EXIT_INTERRUPTED;
		vcpu->exit.kvm_reason = KVM_EXIT_INTR;
		count_exit(vcpu);
		return 0;
	}
	vcpu->retry = false;
	exit_decode(vcpu);
	if (access_memory(vcpu))
		return enter_and_count(vcpu);
	return 0;
}

int hutch_vcpu_enter(struct hutch_vcpu *vcpu, struct hutch_exit *exit)
{
	int error = kick_bind(vcpu);

	if (error)
		return error;
	error = next_exit(vcpu);
	kick_unbind(vcpu);
	if (!error)
		*exit = vcpu->exit;
	return error;
}

int hutch_vcpu_run(struct hutch_vcpu *vcpu)
{
	int result = kick_bind(vcpu);

	while (!result) {
		result = next_exit(vcpu);
		if (result)
			break;
		switch (dispatch_exit(vcpu, &vcpu->exit)) {
		case HUTCH_RESUME:
			break;
		case HUTCH_RETRY:
			if (vcpu->exit.reason == HUTCH_EXIT_HLT)
				result = step_back_to_hlt(vcpu);
			vcpu->retry = vcpu->retry || vcpu->pending;
			break;
		case HUTCH_ABORT:
			result = 1;
			break;
		default:
			if (vcpu->exit.reason == HUTCH_EXIT_INTERRUPTED)
				result = hutch_fail(EINTR, "vCPU %u: interrupted", vcpu->id);
			else
				result = hutch_fail(ENOTSUP, "vCPU %u: nobody handles its %s exit",
						    vcpu->id, hutch_exit_name(vcpu->exit.reason));
		}
	}
	kick_unbind(vcpu);
	return result;
}
