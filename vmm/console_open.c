/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dev/line.h"
#include "lib/system.h"
#include "vmm/console.h"
#include "vmm/terminal.h"

/*
 * Opening a console, which is mostly about never waiting in a write. Standard output
 * is shared with the processes that started us, and O_NONBLOCK belongs to what is
 * shared: setting it would surprise them, long after we are gone. A second opening of
 * the same pipe or terminal has flags of its own.
 */

static int reopen_nonblocking(int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return system_fails() ? -1 : open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

static void open_stdio(struct console *console)
{
	struct stat status;
	int fd;

	console->in = STDIN_FILENO;
	console->in_terminal = isatty(STDIN_FILENO);
	console->out = STDOUT_FILENO;
	if (fstat(STDOUT_FILENO, &status))
		return;
	console->out_socket = S_ISSOCK(status.st_mode);
	console->out_nonblocking = S_ISREG(status.st_mode);
	if (console->out_socket || console->out_nonblocking)
		return;
	fd = reopen_nonblocking(STDOUT_FILENO);
	if (fd < 0)
		return; /* then poll() is asked before each write */
	console->out = fd;
	console->out_own = true;
	console->out_nonblocking = true;
}

static int open_file(struct console *console, const char *path, char *error, size_t size)
{
	console->out =
		system_fails()
			? -1
			: open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY | O_CLOEXEC, 0666);
	if (console->out < 0) {
		int saved_errno = errno;

		snprintf(error, size, "--console file:%s: %s", path, strerror(saved_errno));
		return -saved_errno;
	}
	/* Opened here, so its flags are ours: a FIFO or a device may make a writer wait. */
	fcntl(console->out, F_SETFL, O_NONBLOCK);
	console->out_own = true;
	console->out_nonblocking = true;
	return 0;
}

/*
 * The kernel reports the other end as gone only after it was there once, so it is
 * opened and closed once, and set up as a plain wire meanwhile.
 */
static int prepare_pty(struct console *console)
{
	int fd;

	if (grantpt(console->in) || unlockpt(console->in) ||
	    ptsname_r(console->in, console->pty, sizeof(console->pty)))
		return -errno;
	fd = system_fails() ? -1 : open(console->pty, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	terminal_make_raw(fd);
	close(fd);
	return 0;
}

static int open_pty(struct console *console, char *error, size_t size)
{
	int result;

	console->in = system_fails() ? -1
				     : posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (console->in < 0) {
		result = -errno;
		goto err;
	}
	result = prepare_pty(console);
	if (result)
		goto err_close;
	console->in_own = true;
	console->out = console->in;
	console->out_nonblocking = true;
	return 0;

err_close:
	close(console->in);
	console->in = -1;
err:
	snprintf(error, size, "--console pty: %s", strerror(-result));
	return result;
}

int console_open(struct console *console, const char *spec, char *error, size_t size)
{
	*console = (struct console){ .in = -1, .out = -1, .flush_at = DEV_NEVER };
	if (!strcmp(spec, "none")) {
		console->kind = CONSOLE_NONE;
		return 0;
	}
	if (!strcmp(spec, "stdio")) {
		console->kind = CONSOLE_STDIO;
		open_stdio(console);
		return 0;
	}
	if (!strcmp(spec, "pty")) {
		console->kind = CONSOLE_PTY;
		return open_pty(console, error, size);
	}
	if (!strncmp(spec, "file:", 5) && spec[5]) {
		console->kind = CONSOLE_FILE;
		return open_file(console, spec + 5, error, size);
	}
	snprintf(error, size, "--console %s: expected stdio, none, file:PATH or pty", spec);
	return -EINVAL;
}

void console_close(struct console *console)
{
	console_detach(console);
	terminal_restore();
	if (console->out_own)
		close(console->out);
	if (console->in_own)
		close(console->in);
	console->out = -1;
	console->in = -1;
	console->out_own = false;
	console->in_own = false;
}
