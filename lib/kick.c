/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Fetching a vCPU out of the guest.
 *
 * A signal ends KVM_RUN with EINTR, if the thread does not block it. The kick signal
 * is blocked in a vCPU's thread, except while KVM_RUN has the thread: the kernel
 * unblocks it at the entry and blocks it again before it returns (KVM_SET_SIGNAL_MASK;
 * Linux, Documentation/virt/kvm/api.rst, 4.20). So one that comes in the guest ends
 * KVM_RUN and stays pending, and one that comes between a look at the world and the
 * entry ends KVM_RUN at once. Taken off the queue by sigtimedwait() while still
 * blocked, it is never delivered and needs no handler.
 *
 * A program that allows us a handler (hutch_use_signal_handler()) saves that changing
 * of masks at every entry: the signal is then open all the time, and one that comes
 * outside of KVM_RUN is delivered to a handler that does nothing. It would be lost
 * there, were it not for the second half of a kick:
 *
 * kvm_run.immediate_exit, which KVM_RUN reads at its entry, for a vCPU that no thread
 * is in, or not yet. A kick always sets it, then looks for a thread; an entering
 * thread makes itself known first and lets KVM_RUN look then: whatever the order, one
 * of the two sees the other.
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

/* ---- with or without a handler --------------------------------------------------- */

static atomic_bool handler_installed;

static void do_nothing(int signal)
{
	(void)signal;
}

int hutch_use_signal_handler(void)
{
	const struct sigaction action = { .sa_handler = do_nothing, .sa_flags = SA_RESTART };
	struct sigaction before;

	if (atomic_load(&handler_installed))
		return 0;
	if (atomic_load(&thread_serials))
		return hutch_fail(EBUSY, "kick signal: a vCPU has been entered without a handler");
	if (sigaction(HUTCH_KICK_SIGNAL, NULL, &before))
		return hutch_fail(errno, "kick signal: %s", strerror(errno));
	if (before.sa_handler != SIG_DFL)
		return hutch_fail(EBUSY, "kick signal: signal %d has a handler already",
				  HUTCH_KICK_SIGNAL);
	if (sigaction(HUTCH_KICK_SIGNAL, &action, NULL))
		return hutch_fail(errno, "kick signal: %s", strerror(errno));
	atomic_store(&handler_installed, true);
	return 0;
}

/* Tells KVM which signals to block in the guest: those that @blocked has. */
static int set_guest_mask(struct hutch_vcpu *vcpu, const sigset_t *blocked)
{
	struct {
		struct kvm_signal_mask header;
		uint8_t set[KERNEL_SIGSET_SIZE];
	} mask = { .header.len = KERNEL_SIGSET_SIZE };

	memcpy(mask.set, blocked, KERNEL_SIGSET_SIZE);
	if (system_ioctl(vcpu->fd, KVM_SET_SIGNAL_MASK, (unsigned long)&mask))
		return hutch_fail(errno, "vCPU %u: KVM_SET_SIGNAL_MASK: %s", vcpu->id,
				  strerror(errno));
	return 0;
}

/* Once for each thread that a vCPU meets. */
static int adopt_thread(struct hutch_vcpu *vcpu)
{
	sigset_t kick, before;
	int error = 0;

	kick_signal(&kick);
	if (atomic_load(&handler_installed)) {
		pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	} else {
		pthread_sigmask(SIG_BLOCK, &kick, &before);
		sigdelset(&before, HUTCH_KICK_SIGNAL);
		error = set_guest_mask(vcpu, &before);
	}
	if (error)
		return error;
	if (!thread_serial) {
		thread_id = (pid_t)syscall(SYS_gettid);
		thread_serial = atomic_fetch_add(&thread_serials, 1) + 1;
	}
	vcpu->adopted_thread = thread_serial;
	return 0;
}

/* ---- entering and leaving ----------------------------------------------------------- */

int kick_bind(struct hutch_vcpu *vcpu)
{
	if (!thread_serial || vcpu->adopted_thread != thread_serial) {
		int error = adopt_thread(vcpu);

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

	if (!atomic_load(&handler_installed)) {
		kick_signal(&kick);
		while (sigtimedwait(&kick, NULL, &at_once) > 0)
			;
	}
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
