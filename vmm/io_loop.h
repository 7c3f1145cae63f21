/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_IO_LOOP_H
#define HUTCH_VMM_IO_LOOP_H

/*
 * What the main thread does: it sleeps in epoll until a descriptor is ready, the
 * earliest deadline of a device comes, a signal arrives, or another thread calls.
 * Everything that comes from outside the guest comes through here.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* Something to wait for. @ready is called by the I/O thread with EPOLL... bits. */
struct io_source {
	void (*ready)(void *owner, uint32_t events);
	void *owner;
};

struct io_loop {
	int epoll;
	int timer;
	int event;
	struct io_source timer_source, event_source;
	void (*expired)(void *owner); /* the deadline has come */
	void (*called)(void *owner);  /* io_loop_call() */
	void *owner;
	uint64_t deadline; /* what the timer is set to: CLOCK_MONOTONIC, or UINT64_MAX */
};

/* 0 or a negative errno. @expired and @called are called by the I/O thread. */
int io_loop_init(struct io_loop *loop, void (*expired)(void *), void (*called)(void *),
		 void *owner);
void io_loop_destroy(struct io_loop *loop);

/*
 * Waits for @events of @fd. The source must stay where it is. -EPERM for a descriptor
 * that is always ready (a regular file, /dev/null), for which there is nothing to wait.
 */
int io_loop_add(struct io_loop *loop, int fd, uint32_t events, struct io_source *source);
void io_loop_remove(struct io_loop *loop, int fd);

/* Waits once and calls whatever is ready. 0 or a negative errno. */
int io_loop_turn(struct io_loop *loop);

/*
 * `expired` is to be called at @when (CLOCK_MONOTONIC, nanoseconds) at the latest.
 * Only an earlier deadline than the present one does anything. Callers hold a lock
 * between them: the machine's.
 */
void io_loop_deadline(struct io_loop *loop, uint64_t when);

/* The timer has fired (or will, for nothing): the next deadline counts, whatever it is. */
void io_loop_forget_deadline(struct io_loop *loop);

/* `called` is to be called, soon. From any thread. */
void io_loop_call(struct io_loop *loop);

#endif
