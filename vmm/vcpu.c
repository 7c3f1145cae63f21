/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/vcpu.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/system.h"
#include "vmm/exits.h"
#include "vmm/machine.h"

/*
 * The loop of a virtual processor, and how other threads get its attention.
 *
 * Between a look at the world and the entry into the guest the world may change.
 * Whoever changes it writes first and then calls vcpu_wake(), which sets `woken` and
 * looks where the vCPU is; the vCPU says where it is and then looks at `woken`. In
 * whatever order the two meet, one sees the other (both are sequentially consistent),
 * and a vCPU that is outside costs its waker no system call.
 */

/*
 * The thread calls handlers and ioctls, nothing deep. Its stack is virtual memory of
 * which it touches two or three pages.
 */
#define VCPU_STACK_SIZE (64 * 1024)

static void futex_wait(atomic_uint *word, unsigned int expected)
{
	syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, expected, NULL, NULL, 0);
}

static void futex_wake(atomic_uint *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}

/* Where the vCPU is from now on; with --stats also how long it was where it was. */
static void set_place(struct vcpu *vcpu, enum vcpu_place place)
{
	if (vcpu->machine->config->statistics) {
		unsigned int before = atomic_load(&vcpu->place);
		uint64_t now = machine_now(vcpu->machine);

		if (before < VCPU_ENDED)
			atomic_fetch_add_explicit(&vcpu->place_ns[before], now - vcpu->mark_ns,
						  memory_order_relaxed);
		vcpu->mark_ns = now;
	}
	atomic_store(&vcpu->place, place);
}

void vcpu_wake(struct vcpu *vcpu)
{
	atomic_store(&vcpu->woken, 1);
	switch (atomic_load(&vcpu->place)) {
	case VCPU_INSIDE:
		hutch_vcpu_kick(vcpu->hutch);
		break;
	case VCPU_WAITING:
		futex_wake(&vcpu->woken);
		break;
	default:
		break;
	}
}

static void sleep_until_woken(struct vcpu *vcpu)
{
	set_place(vcpu, VCPU_WAITING);
	while (!atomic_load(&vcpu->woken))
		futex_wait(&vcpu->woken, 0);
	set_place(vcpu, VCPU_OUTSIDE);
}

/*
 * Stands at the barrier as long as a pause is asked for. Time went by meanwhile, and
 * a Linux guest that is told so does not take it for a lock-up (Linux,
 * Documentation/virt/kvm/api.rst, 4.57). Other guests have no clock to tell it to.
 */
static void park_locked(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;

	set_place(vcpu, VCPU_PARKED);
	pthread_cond_broadcast(&machine->parked);
	while (atomic_load(&vcpu->requests) == VCPU_REQUEST_PAUSE)
		pthread_cond_wait(&machine->unparked, &machine->lock);
	set_place(vcpu, VCPU_OUTSIDE);
	hutch_vcpu_ioctl(vcpu->hutch, KVM_KVMCLOCK_CTRL, "KVM_KVMCLOCK_CTRL", NULL);
}

/*
 * Completes what the last exit left pending, so that the registers are those between
 * two instructions. An access that came in parts leaves again for the next of them.
 */
static enum exit_answer complete_exit(struct vcpu *vcpu)
{
	int result;

	while ((result = hutch_vcpu_complete(vcpu->hutch)) > 0) {
		struct hutch_exit exit = *hutch_vcpu_last_exit(vcpu->hutch);

		if (exit_answer(vcpu, &exit) == EXIT_END)
			return EXIT_END;
	}
	if (!result)
		return EXIT_RESUME;
	machine_fail(vcpu->machine, "%s", hutch_error());
	return EXIT_END;
}

static enum exit_answer obey_requests(struct vcpu *vcpu)
{
	struct machine *machine = vcpu->machine;

	if (atomic_load(&vcpu->requests) & VCPU_REQUEST_STOP)
		return EXIT_END;
	if (complete_exit(vcpu) == EXIT_END)
		return EXIT_END;
	machine_lock(machine);
	if (atomic_load(&vcpu->requests) == VCPU_REQUEST_PAUSE)
		park_locked(vcpu);
	machine_unlock(machine);
	return EXIT_RESUME;
}

static enum exit_answer enter_guest(struct vcpu *vcpu)
{
	struct irqchip *irqchip = &vcpu->machine->irqchip;
	struct hutch_exit exit;
	int error = 0;

	set_place(vcpu, VCPU_INSIDE);
	if (atomic_load(&vcpu->woken)) {
		set_place(vcpu, VCPU_OUTSIDE);
		return EXIT_RESUME;
	}
	error = hutch_vcpu_enter(vcpu->hutch, &exit);
	set_place(vcpu, VCPU_OUTSIDE);
	if (error) {
		machine_fail(vcpu->machine, "%s", hutch_error());
		return EXIT_END;
	}
	if (irqchip->ops->after_exit)
		irqchip->ops->after_exit(irqchip, vcpu);
	return exit_answer(vcpu, &exit);
}

static enum exit_answer take_turn(struct vcpu *vcpu)
{
	struct irqchip *irqchip = &vcpu->machine->irqchip;

	/* From here on a change of the world is seen by what follows, or sets it again. */
	atomic_store(&vcpu->woken, 0);
	if (atomic_load(&vcpu->requests))
		return obey_requests(vcpu);
	if (irqchip->ops->before_enter &&
	    irqchip->ops->before_enter(irqchip, vcpu) == IRQCHIP_WAIT) {
		sleep_until_woken(vcpu);
		return EXIT_RESUME;
	}
	return enter_guest(vcpu);
}

static void *vcpu_thread(void *argument)
{
	struct vcpu *vcpu = argument;
	struct machine *machine = vcpu->machine;

	vcpu->mark_ns = machine_now(machine);
	while (take_turn(vcpu) == EXIT_RESUME)
		;
	machine_lock(machine);
	set_place(vcpu, VCPU_ENDED);
	pthread_cond_broadcast(&machine->parked);
	machine_unlock(machine);
	return NULL;
}

static int create_thread(struct vcpu *vcpu, const pthread_attr_t *attributes)
{
	sigset_t all, before;
	int error;

	if (system_fails())
		return -errno;
	/* Signals are the main thread's, read from a descriptor: this one takes none but its kick. */
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	error = pthread_create(&vcpu->thread, attributes, vcpu_thread, vcpu);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -error;
}

int vcpu_start(struct vcpu *vcpu)
{
	pthread_attr_t attributes;
	int error = -pthread_attr_init(&attributes);

	if (error)
		return error;
	error = -pthread_attr_setstacksize(&attributes, VCPU_STACK_SIZE);
	if (error)
		goto out;
	atomic_store(&vcpu->place, VCPU_OUTSIDE);
	error = create_thread(vcpu, &attributes);
	vcpu->has_thread = !error;
	if (error)
		atomic_store(&vcpu->place, VCPU_ENDED);
out:
	pthread_attr_destroy(&attributes);
	return error;
}

/* Sets or withdraws a request, so that whoever waits sees it. */
static void change_requests(struct vcpu *vcpu, unsigned int set, unsigned int clear)
{
	struct machine *machine = vcpu->machine;

	machine_lock(machine);
	atomic_fetch_and(&vcpu->requests, ~clear);
	atomic_fetch_or(&vcpu->requests, set);
	pthread_cond_broadcast(&machine->unparked);
	machine_unlock(machine);
	vcpu_wake(vcpu);
}

void vcpu_stop(struct vcpu *vcpu)
{
	if (!vcpu->has_thread)
		return;
	change_requests(vcpu, VCPU_REQUEST_STOP, 0);
	pthread_join(vcpu->thread, NULL);
	vcpu->has_thread = false;
	atomic_store(&vcpu->requests, 0);
}

bool vcpu_wait_locked(struct vcpu *vcpu)
{
	unsigned int requests = atomic_load(&vcpu->requests);

	if (requests & VCPU_REQUEST_STOP)
		return false;
	if (requests & VCPU_REQUEST_PAUSE) {
		park_locked(vcpu);
		return true;
	}
	/* Under the lock, which whoever makes room needs: this forgets nothing. */
	atomic_store(&vcpu->woken, 0);
	if (atomic_load(&vcpu->requests))
		return true;
	machine_unlock(vcpu->machine);
	sleep_until_woken(vcpu);
	machine_lock(vcpu->machine);
	return true;
}

static bool all_stand_still(const struct machine *machine)
{
	for (unsigned int i = 0; i < machine->cpu_count; i++) {
		unsigned int place = atomic_load(&machine->vcpus[i].place);

		if (place != VCPU_PARKED && place != VCPU_ENDED)
			return false;
	}
	return true;
}

void vcpu_pause_all(struct machine *machine)
{
	if (machine->pause_depth++)
		return;
	for (unsigned int i = 0; i < machine->cpu_count; i++)
		change_requests(&machine->vcpus[i], VCPU_REQUEST_PAUSE, 0);
	machine_lock(machine);
	while (!all_stand_still(machine))
		pthread_cond_wait(&machine->parked, &machine->lock);
	machine_unlock(machine);
}

void vcpu_resume_all(struct machine *machine)
{
	if (!machine->pause_depth || --machine->pause_depth)
		return;
	for (unsigned int i = 0; i < machine->cpu_count; i++)
		change_requests(&machine->vcpus[i], 0, VCPU_REQUEST_PAUSE);
}
