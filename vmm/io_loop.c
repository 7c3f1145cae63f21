/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/io_loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "lib/system.h"

#define EVENTS_AT_ONCE 8
#define NS_PER_SECOND  1000000000ull

/* Both descriptors count how often they fired; once is enough for us. */
static void drain_counter(int fd)
{
	uint64_t count;

	while (read(fd, &count, sizeof(count)) == sizeof(count))
		;
}

static void timer_ready(void *owner, uint32_t events)
{
	struct io_loop *loop = owner;

	(void)events;
	drain_counter(loop->timer);
	loop->expired(loop->owner);
}

static void event_ready(void *owner, uint32_t events)
{
	struct io_loop *loop = owner;

	(void)events;
	drain_counter(loop->event);
	loop->called(loop->owner);
}

int io_loop_init(struct io_loop *loop, void (*expired)(void *), void (*called)(void *), void *owner)
{
	int error;

	*loop = (struct io_loop){
		.timer_source = { timer_ready, loop },
		.event_source = { event_ready, loop },
		.expired = expired,
		.called = called,
		.owner = owner,
		.deadline = UINT64_MAX,
	};
	loop->epoll = system_fails() ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0)
		return -errno;
	loop->timer = system_fails() ? -1
				     : timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (loop->timer < 0) {
		error = -errno;
		goto err_epoll;
	}
	loop->event = system_fails() ? -1 : eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (loop->event < 0) {
		error = -errno;
		goto err_timer;
	}
	error = io_loop_add(loop, loop->timer, EPOLLIN, &loop->timer_source);
	if (!error)
		error = io_loop_add(loop, loop->event, EPOLLIN, &loop->event_source);
	if (!error)
		return 0;

	close(loop->event);
err_timer:
	close(loop->timer);
err_epoll:
	close(loop->epoll);
	return error;
}

void io_loop_destroy(struct io_loop *loop)
{
	close(loop->event);
	close(loop->timer);
	close(loop->epoll);
}

int io_loop_add(struct io_loop *loop, int fd, uint32_t events, struct io_source *source)
{
	struct epoll_event event = { .events = events, .data.ptr = source };

	if (system_fails() || epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	return 0;
}

void io_loop_remove(struct io_loop *loop, int fd)
{
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
}

int io_loop_turn(struct io_loop *loop)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int count = epoll_wait(loop->epoll, events, EVENTS_AT_ONCE, -1);

	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		struct io_source *source = events[i].data.ptr;

		source->ready(source->owner, events[i].events);
	}
	return 0;
}

void io_loop_deadline(struct io_loop *loop, uint64_t when)
{
	struct itimerspec time = {
		.it_value.tv_sec = (time_t)(when / NS_PER_SECOND),
		.it_value.tv_nsec = (long)(when % NS_PER_SECOND),
	};

	if (when >= loop->deadline)
		return;
	loop->deadline = when;
	timerfd_settime(loop->timer, TFD_TIMER_ABSTIME, &time, NULL);
}

void io_loop_forget_deadline(struct io_loop *loop)
{
	loop->deadline = UINT64_MAX;
}

void io_loop_call(struct io_loop *loop)
{
	const uint64_t one = 1;
	ssize_t written = write(loop->event, &one, sizeof(one));

	/* It cannot fail but by overflow, and then the call is on its way already. */
	(void)written;
}
