/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_VCPU_H
#define HUTCH_VMM_VCPU_H

/*
 * A virtual processor and its thread: the catch block with a continuation, as a
 * loop. Each turn asks the interrupt controllers what there is to do, enters the
 * guest, and answers the exit through a table with one handler for each reason
 * (vmm/exits.c).
 *
 * A vCPU is in one of five places (enum vcpu_place), and everybody who wants
 * something of it goes through vcpu_wake(), which is cheap when it already looks.
 */

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "hutch/hutch.h"

struct machine;

/* What other threads ask of a vCPU's thread; bits of vcpu.requests. */
enum vcpu_request {
	VCPU_REQUEST_PAUSE = 1 << 0, /* park at the barrier until it is withdrawn */
	VCPU_REQUEST_STOP = 1 << 1,  /* end the thread */
};

enum vcpu_place {
	VCPU_OUTSIDE, /* in our code: will look at its requests before it enters */
	VCPU_INSIDE,  /* in the guest, or about to be: needs a kick */
	VCPU_WAITING, /* asleep until woken (IRQCHIP_WAIT, or a full console) */
	VCPU_PARKED,  /* at the barrier; its registers may be read and set by others */
	VCPU_ENDED,   /* its thread has nothing more to do, or there is none */
};

struct vcpu {
	struct machine *machine;
	struct hutch_vcpu *hutch;
	unsigned int id; /* also the local APIC's */
	void *irqchip;	 /* for the interrupt controllers' own use (a local APIC) */

	/* The rest belongs to vcpu.c. */
	pthread_t thread;
	bool has_thread;
	atomic_uint requests;
	atomic_uint place;
	atomic_uint woken;		    /* the futex on which a waiting vCPU sleeps */
	atomic_ullong place_ns[VCPU_ENDED]; /* --stats: time spent in each place */
	uint64_t mark_ns;
};

/*
 * Something changed that @vcpu must see before it goes on: a pending interrupt, a
 * request. It leaves the guest, or wakes, and asks irqchip_ops.before_enter() again.
 * From any thread, the vCPU's own included, with the machine's lock or without.
 */
void vcpu_wake(struct vcpu *vcpu);

/* Starts the thread. 0 or a negative errno. */
int vcpu_start(struct vcpu *vcpu);

/* Asks for the thread's end and waits for it. Fine for a vCPU that has none. */
void vcpu_stop(struct vcpu *vcpu);

/*
 * For a handler of the vCPU's own thread that must wait for the world (a full
 * console) with the machine's lock held: gives the lock up, sleeps until
 * vcpu_wake(), takes it again. Parks while a pause is asked for. False when the
 * thread is to end: then do not wait again.
 */
bool vcpu_wait_locked(struct vcpu *vcpu);

/*
 * The barrier. vcpu_pause_all() returns when no vCPU runs: each is parked, with its
 * last exit answered and completed, or has ended. Pauses nest; vcpu_resume_all()
 * takes one back. By the I/O thread, without the machine's lock.
 */
void vcpu_pause_all(struct machine *machine);
void vcpu_resume_all(struct machine *machine);

#endif
