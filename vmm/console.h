/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_CONSOLE_H
#define HUTCH_VMM_CONSOLE_H

/*
 * The other end of the guest's serial line: standard input and output, a file, a
 * pseudo-terminal, or nothing.
 *
 * Output goes through a small ring, so that a line of text is one write. When whoever
 * reads it is slow, the ring fills, and the guest's UART stops being ready: bytes
 * wait, none is lost and nothing grows. Input stays where it is (in the pipe, in the
 * terminal) until the guest's UART has room for it.
 *
 * Only a terminal on standard input has an escape key, Ctrl-A; any other input is the
 * guest's, byte for byte.
 *
 * Every function is called with the machine's lock held, but for console_open() and
 * _close(), console_attach() and console_drain().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/io_loop.h"

#define CONSOLE_RING_SIZE  4096 /* a power of two */
#define CONSOLE_INPUT_SIZE 1024

enum console_kind {
	CONSOLE_NONE,
	CONSOLE_STDIO,
	CONSOLE_FILE,
	CONSOLE_PTY,
};

/* What a console asks of the machine; called with the lock held, by any thread. */
struct console_guest {
	void (*lock)(void *owner, bool lock); /* for what the I/O loop calls */
	/* How many bytes of input the guest takes now; @patient: only once it asked for any. */
	size_t (*room)(void *owner, bool patient);
	void (*receive)(void *owner, const uint8_t *bytes, size_t count);
	/* The ring has become full, or has room again. */
	void (*output_ready)(void *owner, bool ready);
	/* console_tick() is to be called at @when (in the machine's time) at the latest. */
	void (*wake_at)(void *owner, uint64_t when);
	uint64_t (*now)(void *owner);
	/* A key after Ctrl-A that is not the console's own. */
	void (*command)(void *owner, uint8_t key);
	/* A key while the monitor is open, and the guest's output waits. */
	void (*monitor)(void *owner, uint8_t key);
	/* Nobody reads what we write any more (@error EPIPE), or it cannot be written. */
	void (*gone)(void *owner, int error);
	void *owner;
};

struct console {
	enum console_kind kind;
	const struct console_guest *guest;
	struct io_loop *loop;
	struct io_source in_source, out_source;
	int in, out;	      /* -1: none */
	bool in_own, out_own; /* opened here, to be closed here */
	bool in_terminal;     /* raw mode, with the escape key */
	bool in_waits;	      /* epoll tells when there is something to read */
	bool in_ready;	      /* there may be something to read */
	bool out_waits;	      /* epoll tells when it takes more */
	bool out_socket;
	bool out_nonblocking; /* a write takes what it can, and never waits */
	bool out_blocked;     /* the last write did not take all */
	bool out_gone;
	bool escape; /* the last key was Ctrl-A */
	bool in_monitor;
	bool output_held; /* the guest has been told that its output must wait */
	char pty[64];	  /* the name of its other end */

	uint8_t ring[CONSOLE_RING_SIZE];
	uint32_t head, tail; /* bytes ever put in, and taken out */
	uint64_t flush_at;

	uint8_t input[CONSOLE_INPUT_SIZE]; /* a terminal's keys on their way to the guest */
	size_t input_count;
	uint64_t input_moved; /* when the guest last took one */
};

/*
 * Opens what @spec says: "stdio", "none", "file:PATH" or "pty". 0, or a negative errno
 * with one line in @error (-EINVAL: no such kind of console).
 */
int console_open(struct console *console, const char *spec, char *error, size_t size);

/* Detaches, restores the terminal, and closes what it opened. */
void console_close(struct console *console);

/* Connects it with the machine and the I/O loop; puts a terminal in raw mode. 0 or a negative errno. */
int console_attach(struct console *console, struct io_loop *loop,
		   const struct console_guest *guest);
/* No more input, no more calls; output may still be flushed. */
void console_detach(struct console *console);

/* A byte of output. The caller has made sure of console_room(). */
void console_put(struct console *console, uint8_t byte);
size_t console_room(const struct console *console);
void console_flush(struct console *console);

/* The guest may take input now: carries over what waits. By any thread; cheap when there is none. */
void console_guest_ready(struct console *console);

/* Opens or closes the monitor, in front of the guest. */
void console_set_monitor(struct console *console, bool open);

/* Does what is due by @now; returns the next moment (dev/line.h). */
uint64_t console_tick(struct console *console, uint64_t now);

/*
 * At the end: waits until all output is written, or the reader is gone, or @stop (a
 * descriptor, or -1) becomes readable.
 */
void console_drain(struct console *console, int stop);

/* After the process was stopped and continued: the shell may have changed the terminal. */
void console_raw_again(struct console *console);

#endif
