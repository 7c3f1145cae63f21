/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/console.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dev/line.h"
#include "vmm/terminal.h"

/*
 * Descriptors are watched edge-triggered: epoll says once that something changed, and
 * `in_ready` and `out_blocked` remember it. So a console at rest costs nothing, also
 * when its input is at hand and the guest does not want it, or its other end is gone.
 */

#define ESCAPE_KEY 0x01 /* Ctrl-A */

/* Output is written after a line, after this many bytes, or after this time. */
#define FLUSH_BYTES 512
#define FLUSH_NS    1000000ull

/*
 * The UART stops being ready with this much room left: a driver that saw it ready may
 * have a FIFO's worth of bytes on its way. It is ready again when half the ring is free.
 */
#define ROOM_LOW  32
#define ROOM_HIGH (CONSOLE_RING_SIZE / 2)

/* After this long a guest that takes no key loses them, so that Ctrl-A is seen behind them. */
#define INPUT_PATIENCE_NS DEV_NS_PER_SECOND

/* What may be written to a descriptor that could wait, once poll() says it takes some. */
#define CAUTIOUS_BYTES 128

/* ---- output --------------------------------------------------------------- */

static uint32_t ring_used(const struct console *console)
{
	return console->head - console->tail;
}

size_t console_room(const struct console *console)
{
	return CONSOLE_RING_SIZE - ring_used(console);
}

static short poll_now(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, 0) == 1 ? poll_fd.revents : 0;
}

/* Writes without ever waiting. Returns what write() does. */
static ssize_t write_some(const struct console *console, const uint8_t *bytes, size_t count)
{
	if (console->out_socket)
		return send(console->out, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (console->out_nonblocking)
		return write(console->out, bytes, count);
	if (!poll_now(console->out, POLLOUT)) {
		errno = EAGAIN;
		return -1;
	}
	return write(console->out, bytes, count < CAUTIOUS_BYTES ? count : CAUTIOUS_BYTES);
}

/* A pseudo-terminal with nobody at its other end is a loose wire: what is sent is gone. */
static bool loose(const struct console *console)
{
	return console->kind == CONSOLE_PTY && (poll_now(console->out, POLLOUT) & POLLHUP);
}

static void tell_output_ready(struct console *console)
{
	bool hold = console->output_held ? console_room(console) < ROOM_HIGH
					 : console_room(console) < ROOM_LOW;

	if (hold == console->output_held)
		return;
	console->output_held = hold;
	if (console->guest)
		console->guest->output_ready(console->guest->owner, !hold);
}

static void output_failed(struct console *console, int error)
{
	console->out_gone = true;
	console->tail = console->head;
	if (console->guest)
		console->guest->gone(console->guest->owner, error);
}

/* Writes out what the ring holds in one piece. False when there is no more to be done now. */
static bool flush_piece(struct console *console)
{
	uint32_t start = console->tail % CONSOLE_RING_SIZE;
	uint32_t count = ring_used(console);
	ssize_t written;

	if (!count)
		return false;
	if (count > CONSOLE_RING_SIZE - start)
		count = CONSOLE_RING_SIZE - start;
	written = write_some(console, console->ring + start, count);
	if (written >= 0) {
		console->tail += (uint32_t)written;
		return true;
	}
	if (errno == EAGAIN)
		console->out_blocked = true;
	else if (errno != EINTR)
		output_failed(console, errno);
	return errno == EINTR;
}

void console_flush(struct console *console)
{
	console->flush_at = DEV_NEVER;
	if (console->in_monitor || console->out_blocked)
		return;
	if (console->out < 0 || console->out_gone || loose(console))
		console->tail = console->head;
	while (flush_piece(console))
		;
	/* Where epoll cannot tell when to go on, time does. */
	if (console->out_blocked && !console->out_waits) {
		console->out_blocked = false;
		console->flush_at = console->guest->now(console->guest->owner) + FLUSH_NS;
		console->guest->wake_at(console->guest->owner, console->flush_at);
	}
	tell_output_ready(console);
}

void console_put(struct console *console, uint8_t byte)
{
	if (console->out < 0 || console->out_gone)
		return;
	console->ring[console->head++ % CONSOLE_RING_SIZE] = byte;
	if (byte == '\n' || ring_used(console) >= FLUSH_BYTES) {
		console_flush(console);
	} else if (console->flush_at == DEV_NEVER && !console->out_blocked) {
		console->flush_at = console->guest->now(console->guest->owner) + FLUSH_NS;
		console->guest->wake_at(console->guest->owner, console->flush_at);
	}
	tell_output_ready(console);
}

void console_drain(struct console *console, int stop)
{
	console->in_monitor = false;
	console->out_blocked = false;
	for (;;) {
		struct pollfd poll_fds[] = {
			{ .fd = console->out, .events = POLLOUT },
			{ .fd = stop, .events = POLLIN },
		};

		if (console->out < 0 || console->out_gone || loose(console))
			return;
		while (flush_piece(console))
			;
		if (!ring_used(console))
			return;
		console->out_blocked = false;
		if (poll(poll_fds, 2, -1) < 0 && errno != EINTR)
			return;
		if (poll_fds[1].revents)
			return;
	}
}

/* ---- input ---------------------------------------------------------------- */

static void input_push(struct console *console, uint8_t byte)
{
	if (!console->input_count)
		console->input_moved = console->guest->now(console->guest->owner);
	if (console->input_count < CONSOLE_INPUT_SIZE)
		console->input[console->input_count++] = byte;
}

static void escaped_key(struct console *console, uint8_t key)
{
	if (key == 'a' || key == ESCAPE_KEY)
		input_push(console, ESCAPE_KEY);
	else
		console->guest->command(console->guest->owner, key);
}

static void terminal_key(struct console *console, uint8_t key)
{
	if (console->escape) {
		console->escape = false;
		escaped_key(console, key);
	} else if (key == ESCAPE_KEY) {
		console->escape = true;
	} else if (console->in_monitor) {
		console->guest->monitor(console->guest->owner, key);
	} else {
		input_push(console, key);
	}
}

/* Hands the guest as many of a terminal's keys as it takes. */
static void push_keys(struct console *console)
{
	const struct console_guest *guest = console->guest;
	size_t count = guest->room(guest->owner, false);

	if (count > console->input_count)
		count = console->input_count;
	if (!count)
		return;
	guest->receive(guest->owner, console->input, count);
	console->input_count -= count;
	memmove(console->input, console->input + count, console->input_count);
	console->input_moved = guest->now(guest->owner);
}

/* The end of a pipe is for good; at the other end of a pseudo-terminal somebody may come again. */
static void input_ended(struct console *console)
{
	console->in_ready = false;
	if (console->kind == CONSOLE_PTY || !console->in_waits)
		return;
	io_loop_remove(console->loop, console->in);
	console->in_waits = false;
}

/*
 * Reads what is there, up to @count bytes, without waiting for more. A reader may share
 * the descriptor with its parents, which is why it is not made non-blocking.
 */
static size_t read_some(struct console *console, uint8_t *bytes, size_t count)
{
	ssize_t got;

	if (!count)
		return 0;
	if (console->in_waits && !(poll_now(console->in, POLLIN) & (POLLIN | POLLHUP | POLLERR))) {
		console->in_ready = false;
		return 0;
	}
	got = read(console->in, bytes, count);
	if (got > 0)
		return (size_t)got;
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		console->in_ready = errno == EINTR;
	else
		input_ended(console);
	return 0;
}

static void read_terminal(struct console *console)
{
	uint8_t keys[64];
	size_t room = CONSOLE_INPUT_SIZE - console->input_count;
	size_t count = read_some(console, keys, room < sizeof(keys) ? room : sizeof(keys));

	for (size_t i = 0; i < count; i++)
		terminal_key(console, keys[i]);
}

/* A pipe or a file: nothing is read that the guest does not take at once. */
static void read_stream(struct console *console)
{
	const struct console_guest *guest = console->guest;
	uint8_t bytes[64];
	size_t room = guest->room(guest->owner, true);
	size_t count = read_some(console, bytes, room < sizeof(bytes) ? room : sizeof(bytes));

	if (count)
		guest->receive(guest->owner, bytes, count);
}

static void move_terminal_input(struct console *console)
{
	const struct console_guest *guest = console->guest;

	push_keys(console);
	while (console->in_ready && console->input_count < CONSOLE_INPUT_SIZE) {
		read_terminal(console);
		push_keys(console);
	}
	if (console->in_ready)
		guest->wake_at(guest->owner, console->input_moved + INPUT_PATIENCE_NS);
}

static void move_input(struct console *console)
{
	const struct console_guest *guest = console->guest;

	if (console->in < 0)
		return;
	if (console->in_terminal) {
		move_terminal_input(console);
		return;
	}
	while (console->in_ready && guest->room(guest->owner, true))
		read_stream(console);
}

void console_guest_ready(struct console *console)
{
	const struct console_guest *guest = console->guest;
	bool waits = console->input_count || console->in_ready;

	if (waits && guest->room(guest->owner, !console->in_terminal))
		io_loop_call(console->loop);
}

void console_set_monitor(struct console *console, bool open)
{
	console->in_monitor = open;
	if (!open)
		console_flush(console);
}

/* ---- events --------------------------------------------------------------- */

uint64_t console_tick(struct console *console, uint64_t now)
{
	uint64_t next;

	if (console->flush_at <= now)
		console_flush(console);
	if (console->input_count == CONSOLE_INPUT_SIZE &&
	    now >= console->input_moved + INPUT_PATIENCE_NS)
		console->input_count = 0;
	move_input(console);
	next = console->flush_at;
	if (console->input_count == CONSOLE_INPUT_SIZE &&
	    console->input_moved + INPUT_PATIENCE_NS < next)
		next = console->input_moved + INPUT_PATIENCE_NS;
	return next;
}

static void in_ready(void *owner, uint32_t events)
{
	struct console *console = owner;

	console->guest->lock(console->guest->owner, true);
	console->in_ready |= !!(events & (EPOLLIN | EPOLLHUP | EPOLLERR));
	if (console->kind == CONSOLE_PTY) {
		console->out_blocked = false;
		console_flush(console);
	}
	move_input(console);
	console->guest->lock(console->guest->owner, false);
}

static void out_ready(void *owner, uint32_t events)
{
	struct console *console = owner;

	(void)events;
	console->guest->lock(console->guest->owner, true);
	console->out_blocked = false;
	console_flush(console);
	console->guest->lock(console->guest->owner, false);
}

/* A descriptor that epoll refuses (a file, /dev/null) is always ready. */
static int watch(struct console *console, int fd, uint32_t events, struct io_source *source,
		 bool *waits)
{
	int error = io_loop_add(console->loop, fd, events | EPOLLET, source);

	*waits = !error;
	return error == -EPERM ? 0 : error;
}

int console_attach(struct console *console, struct io_loop *loop, const struct console_guest *guest)
{
	int error = 0;

	console->loop = loop;
	console->guest = guest;
	console->in_source = (struct io_source){ in_ready, console };
	console->out_source = (struct io_source){ out_ready, console };
	console->in_ready = console->in >= 0;
	if (console->in_terminal) {
		error = terminal_raw(console->in);
		if (error)
			return error;
	}
	if (console->kind == CONSOLE_PTY) {
		error = watch(console, console->in, EPOLLIN | EPOLLOUT, &console->in_source,
			      &console->in_waits);
		console->out_waits = console->in_waits;
		return error;
	}
	if (console->in >= 0)
		error = watch(console, console->in, EPOLLIN, &console->in_source,
			      &console->in_waits);
	if (error)
		return error;
	if (console->out >= 0)
		error = watch(console, console->out, EPOLLOUT, &console->out_source,
			      &console->out_waits);
	if (error && console->in_waits)
		io_loop_remove(loop, console->in);
	return error;
}

void console_detach(struct console *console)
{
	if (!console->loop)
		return;
	if (console->in_waits)
		io_loop_remove(console->loop, console->in);
	if (console->out_waits && console->kind != CONSOLE_PTY)
		io_loop_remove(console->loop, console->out);
	console->in_waits = false;
	console->out_waits = false;
	console->in_ready = false;
	console->loop = NULL;
	console->guest = NULL;
}

void console_raw_again(struct console *console)
{
	if (console->in_terminal)
		terminal_raw(console->in);
}
