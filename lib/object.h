/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_LIB_OBJECT_H
#define HUTCH_LIB_OBJECT_H

/*
 * What the three handles of <hutch/hutch.h> are made of. A hypervisor holds VMs, a
 * VM holds guest memory, handlers and vCPUs, a vCPU holds its last exit.
 */

#include <pthread.h>
#include <stdatomic.h>

#include "hutch/hutch.h"
#include "lib/dispatch.h"
#include "lib/memory.h"

struct hutch {
	int fd;
	size_t run_page_size; /* KVM_GET_VCPU_MMAP_SIZE */
	uint64_t sync_regs;   /* KVM_SYNC_X86_... that this hypervisor shares */
	char device[];
};

struct hutch_vm {
	struct hutch *hutch;
	int fd;
	struct memory memory;
	struct dispatch dispatch;
	pthread_mutex_t vcpus_lock; /* guards the list below */
	struct hutch_vcpu *vcpus;
};

struct hutch_vcpu {
	struct hutch_vm *vm;
	struct hutch_vcpu *next;
	unsigned int id;
	int fd;
	struct kvm_run *run;

	/* The registers in the shared page are those of the vCPU. */
	bool regs_current;
	bool sregs_current;
	/* Exits since somebody last looked at the registers. */
	unsigned int unread_exits;
	/* The last exit waits for its answer, which the next entry hands over. */
	bool pending;
	/* The last exit shall be answered again before the next entry. */
	bool retry;
	struct hutch_exit exit;
	struct dispatch_hint hint;

	/* lib/kick.c */
	unsigned long adopted_thread; /* that has its signals ready for this vCPU; 0: none */
	atomic_int thread; /* the kernel's id of the thread inside hutch_vcpu_run(), or 0 */
	atomic_bool kicked;

	atomic_uint_least64_t exits[HUTCH_EXIT_COUNT];
};

/* lib/exit.c: decodes what KVM_RUN left in the shared page. */
void exit_decode(struct hutch_vcpu *vcpu);

/* lib/registers.c */
#define REGISTERS_UNREAD_MAX 64

/* Nothing in the shared page is the vCPU's any more. */
void registers_forget(struct hutch_vcpu *vcpu);

/* After KVM_RUN: what it was asked to leave in the shared page is there. */
static inline void registers_after_run(struct hutch_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;

	vcpu->regs_current = run->kvm_valid_regs & KVM_SYNC_X86_REGS;
	vcpu->sregs_current = run->kvm_valid_regs & KVM_SYNC_X86_SREGS;
	if (vcpu->regs_current && ++vcpu->unread_exits > REGISTERS_UNREAD_MAX)
		run->kvm_valid_regs &= ~(uint64_t)KVM_SYNC_X86_REGS;
}

#endif
