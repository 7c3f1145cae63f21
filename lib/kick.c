/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Fetching a vCPU out of the guest.
 *
 * The kick signal is blocked in a vCPU's thread, except while KVM_RUN has the
 * thread: the kernel unblocks it at the entry and blocks it again before it returns
 * (KVM_SET_SIGNAL_MASK; Linux, Documentation/virt/kvm/api.rst, 4.19). A signal that
 * comes in the guest therefore ends KVM_RUN with EINTR and stays pending; one that
 * came between a look at the world and the entry ends KVM_RUN at once. No kick is
 * lost, and since the signal is taken off the queue by sigtimedwait() while still
 * blocked, it is never delivered and needs no handler.
 *
 * A vCPU that no thread is in cannot be sent a signal. For it there is
 * kvm_run.immediate_exit, which KVM_RUN reads at its entry. A kick always sets it,
 * then looks for a thread; an entering thread makes itself known first and lets
 * KVM_RUN look then: whatever the order, one of the two sees the other.
 *
 * Kicks that come before the first has been reported are one kick: only the first
 * sends a signal, so a thousand kicks queue one.
 */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/kick.h"
#include "lib/object.h"
#include "lib/system.h"

/* The kernel's own sigset_t has 64 bits, glibc's 1024. */
#define KERNEL_SIGSET_SIZE 8

/*
 * The calling thread: the kernel's number of it, and one of our own that, unlike
 * that one and pthread_self(), no later thread is given again.
 */
static _Thread_local pid_t thread_id;
static _Thread_local unsigned long thread_serial;
static atomic_ulong thread_serials;

static void kick_signal(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, HUTCH_KICK_SIGNAL);
}

/* Blocks the signal in this thread and tells KVM which mask to have in the guest. */
static int mask_thread(struct hutch_vcpu *vcpu)
{
	struct {
		struct kvm_signal_mask header;
		uint8_t set[KERNEL_SIGSET_SIZE];
	} mask = { .header.len = KERNEL_SIGSET_SIZE };
	sigset_t kick, before;

	kick_signal(&kick);
	pthread_sigmask(SIG_BLOCK, &kick, &before);
	sigdelset(&before, HUTCH_KICK_SIGNAL);
	memcpy(mask.set, &before, KERNEL_SIGSET_SIZE);
	if (system_ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, (unsigned long)&mask))
		return hutch_fail(errno, "vCPU %u: KVM_SET_SIGNAL_MASK: %s", vcpu->id,
				  strerror(errno));
	if (!thread_serial) {
		thread_id = (pid_t)syscall(SYS_gettid);
		thread_serial = atomic_fetch_add(&thread_serials, 1) + 1;
	}
	vcpu->masked_thread = thread_serial;
	return 0;
}

int kick_bind(struct hutch_vcpu *vcpu)
{
	if (!thread_serial || vcpu->masked_thread != thread_serial) {
		int error = mask_thread(vcpu);

		if (error)
			return error;
	}
	/* Known before KVM_RUN reads immediate_exit: an ordered exchange, not a mere store. */
	atomic_exchange(&vcpu->thread, thread_id);
	return 0;
}

void kick_unbind(struct hutch_vcpu *vcpu)
{
	atomic_store_explicit(&vcpu->thread, 0, memory_order_release);
}

static void set_immediate_exit(struct hutch_vcpu *vcpu, uint8_t value)
{
	__atomic_store_n(&vcpu->run->immediate_exit, value, __ATOMIC_SEQ_CST);
}

void hutch_vcpu_kick(struct hutch_vcpu *vcpu)
{
	int saved_errno = errno;
	pid_t thread;

	if (atomic_exchange(&vcpu->kicked, true))
		return;
	set_immediate_exit(vcpu, 1);
	thread = atomic_load(&vcpu->thread);
	if (thread)
		syscall(SYS_tgkill, getpid(), thread, HUTCH_KICK_SIGNAL);
	errno = saved_errno;
}

void kick_consume(struct hutch_vcpu *vcpu)
{
	static const struct timespec at_once;
	sigset_t kick;

	kick_signal(&kick);
	while (sigtimedwait(&kick, NULL, &at_once) > 0)
		;
	/* In this order: a kick from here on sets immediate_exit anew. */
	set_immediate_exit(vcpu, 0);
	atomic_exchange(&vcpu->kicked, false);
}

void kick_hold(struct hutch_vcpu *vcpu)
{
	set_immediate_exit(vcpu, 1);
}

void kick_release(struct hutch_vcpu *vcpu)
{
	set_immediate_exit(vcpu, 0);
	if (atomic_load(&vcpu->kicked))
		set_immediate_exit(vcpu, 1);
}
