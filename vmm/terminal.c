/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/*
 * Restoring is one tcsetattr(), which POSIX allows in a signal handler (2.4.3). What
 * it needs is written before `is_raw` says that there is something to restore.
 */

static struct termios cooked;
static int terminal_fd = -1;
static atomic_bool is_raw;

/* All that ends a process unasked: faults, in us or in a library, limits, stray signals. */
static const int accidents[] = { SIGSEGV, SIGBUS,  SIGILL,    SIGFPE,  SIGABRT, SIGTRAP,
				 SIGSYS,  SIGXCPU, SIGXFSZ,   SIGALRM, SIGPROF, SIGVTALRM,
				 SIGUSR1, SIGUSR2, SIGSTKFLT, SIGIO,   SIGPWR };

static void restore_and_die(int signal)
{
	terminal_restore();
	/* SA_RESETHAND has put the default action back: now it does what it would have done. */
	raise(signal);
}

static void watch_accidents(void)
{
	struct sigaction action = {
		.sa_handler = restore_and_die,
		.sa_flags = SA_RESETHAND | SA_NODEFER,
	};

	for (size_t i = 0; i < sizeof(accidents) / sizeof(accidents[0]); i++)
		sigaction(accidents[i], &action, NULL);
}

static int remember(int fd)
{
	if (terminal_fd >= 0)
		return 0;
	if (tcgetattr(fd, &cooked))
		return -errno;
	terminal_fd = fd;
	watch_accidents();
	if (atexit(terminal_restore))
		return -ENOMEM;
	return 0;
}

/* tcsetattr() is content when any of the settings took; a terminal takes all of these. */
static int set_attributes(const struct termios *attributes)
{
	sigset_t ttou, before;
	int error;

	/* A background process that changes its terminal would be stopped by SIGTTOU. */
	sigemptyset(&ttou);
	sigaddset(&ttou, SIGTTOU);
	pthread_sigmask(SIG_BLOCK, &ttou, &before);
	error = tcsetattr(terminal_fd, TCSANOW, attributes) ? -errno : 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return error;
}

static struct termios raw_from(const struct termios *attributes)
{
	struct termios raw = *attributes;

	cfmakeraw(&raw);
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	return raw;
}

int terminal_make_raw(int fd)
{
	struct termios attributes;

	if (tcgetattr(fd, &attributes))
		return -errno;
	attributes = raw_from(&attributes);
	return tcsetattr(fd, TCSANOW, &attributes) ? -errno : 0;
}

int terminal_raw(int fd)
{
	struct termios raw;
	int error = remember(fd);

	if (error)
		return error;
	raw = raw_from(&cooked);
	atomic_store(&is_raw, true);
	error = set_attributes(&raw);
	if (error)
		atomic_store(&is_raw, false);
	return error;
}

void terminal_restore(void)
{
	int saved_errno = errno;

	if (atomic_exchange(&is_raw, false))
		set_attributes(&cooked);
	errno = saved_errno;
}

bool terminal_is_raw(void)
{
	return atomic_load(&is_raw);
}

void terminal_progress(const char *what, unsigned long long done, unsigned long long total)
{
	if (!total || !isatty(STDERR_FILENO))
		return;
	if (done < total)
		fprintf(stderr, "\r%s: %llu%%", what, done * 100 / total);
	else
		fprintf(stderr, "\r%*s\r", (int)strlen(what) + 6, "");
	fflush(stderr);
}
