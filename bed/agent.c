// SPDX-License-Identifier: MIT OR GPL-2.0-only
/*
 * The agent: the hand of bed/bed inside the bed.
 *
 * It runs one command and carries its bytes over a channel, which is a virtio
 * port in QEMU and a serial port in Bochs. Everything on the channel is a frame,
 * the same in both directions: one byte that says what it is, four bytes of
 * length (least significant first), and that many bytes of content.
 *
 *	from the bed	'O' 'E'	the command's standard output and error
 *			'X'	its exit status, one byte: the last frame
 *	from the host	'I'	standard input; an empty frame is its end
 *			'W'	the terminal's size: rows, columns (16 bits each)
 *
 * The first frame is preceded by AGENT_HELLO, so that the host can skip whatever
 * a serial port says while it is being opened. bed/channel.py is the other end.
 *
 * What to run stands in the plan, a folder of small files written by
 * bed/initramfs.py: `argv` and `environ` (strings, each ended by a NUL), `cwd`,
 * and `stdio`: "none", "pipe" (input comes from the host), "terminal"; a second
 * word "merged" sends standard error where standard output goes, so that their
 * order is kept. A file `failure` in the plan is a reason not to run anything; a
 * file `pulse` names a device for keep_pulse().
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define AGENT_HELLO	 "\nHUTCH-BED-1\n"
#define FRAME_HEADER	 5
#define FRAME_CONTENT	 4096
#define STATUS_BED_DIED	 126
#define STATUS_NOT_FOUND 127
#define STRINGS_MAX	 4096

/* One stream of bytes from the command to the host. */
struct output {
	int fd; /* -1 once it has ended */
	char frame;
};

/* The host's frames on their way to the command. */
struct input {
	int fd;			      /* the command's standard input, -1: none */
	bool terminal;		      /* fd is a terminal, also read for output */
	uint8_t frame[FRAME_CONTENT]; /* content not yet written to fd */
	uint32_t written, length;
};

struct session {
	int channel;
	int signals; /* a signalfd for SIGCHLD */
	pid_t child;
	bool ended;
	int status; /* from waitpid() */
	struct input in;
	struct output out, err;
};

static bool write_all(int fd, const void *bytes, size_t length)
{
	const char *at = bytes;

	while (length) {
		ssize_t n = write(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
			continue;
		}
		if (n <= 0)
			return false;
		at += n;
		length -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, void *bytes, size_t length)
{
	char *at = bytes;

	while (length) {
		ssize_t n = read(fd, at, length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		length -= (size_t)n;
	}
	return true;
}

static bool send_frame(int channel, char type, const void *content, uint32_t length)
{
	uint8_t frame[FRAME_HEADER + FRAME_CONTENT] = {
		(uint8_t)type,		 (uint8_t)length,	  (uint8_t)(length >> 8),
		(uint8_t)(length >> 16), (uint8_t)(length >> 24),
	};

	memcpy(frame + FRAME_HEADER, content, length);
	return write_all(channel, frame, FRAME_HEADER + length);
}

/* Says a line on the command's standard error, as a shell would for it. */
static void __attribute__((format(printf, 2, 3))) complain(int channel, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	if (length > 0)
		send_frame(channel, 'E', line,
			   (uint32_t)length < sizeof(line) ? (uint32_t)length : sizeof(line) - 1);
}

static void send_status(int channel, int status)
{
	send_frame(channel, 'X', &(uint8_t){ (uint8_t)status }, 1);
	tcdrain(channel);
}

/* A whole file with a NUL behind it, malloc()ed; NULL when there is none. */
static char *read_file(const char *folder, const char *name, size_t *length)
{
	char path[256], *content = NULL;
	size_t size = 0, room = 0;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "re");
	if (!file)
		return NULL;
	do {
		if (room - size < 4096) {
			char *larger = realloc(content, room += 65536);

			if (!larger)
				abort();
			content = larger;
		}
		size += fread(content + size, 1, room - size - 1, file);
	} while (!feof(file) && !ferror(file));
	fclose(file);
	content[size] = '\0';
	if (length)
		*length = size;
	return content;
}

/* Splits @content at its NULs, in place. The result ends with a NULL. */
static char **split(char *content, size_t length)
{
	static char *none[] = { NULL };
	char **strings;
	size_t count = 0;

	if (!content)
		return none;
	strings = calloc(STRINGS_MAX + 1, sizeof(*strings));
	if (!strings)
		return none;
	for (size_t at = 0; at < length && count < STRINGS_MAX; at += strlen(content + at) + 1)
		strings[count++] = content + at;
	return strings;
}

/* ---- the command ----------------------------------------------------------- */

/* Becomes the command. Only returns, in the child, by _exit(). */
static void __attribute__((noreturn)) become(const char *plan, const char *root, int channel)
{
	size_t argv_length = 0, environ_length = 0;
	char *argv_text = read_file(plan, "argv", &argv_length);
	char *environ_text = read_file(plan, "environ", &environ_length);
	char *cwd = read_file(plan, "cwd", NULL);
	char **argv = split(argv_text, argv_length);
	sigset_t none;
	int error;

	environ = split(environ_text, environ_length);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (chroot(root) || chdir("/")) {
		complain(channel, "bed: %s: %s\n", root, strerror(errno));
		_exit(STATUS_BED_DIED);
	}
	if (cwd && chdir(cwd))
		complain(channel, "bed: %s: %s; in / instead\n", cwd, strerror(errno));
	if (!argv[0])
		_exit(STATUS_NOT_FOUND);
	execvp(argv[0], argv);
	error = errno;
	complain(channel, "bed: %s: %s\n", argv[0],
		 error == ENOENT ? "command not found" : strerror(error));
	_exit(error == ENOENT ? STATUS_NOT_FOUND : STATUS_BED_DIED);
}

/* Starts the command on a terminal of its own, with job control. */
static bool start_on_terminal(struct session *session, const char *plan, const char *root)
{
	int master;

	session->child = forkpty(&master, NULL, NULL, NULL);
	if (session->child == 0)
		become(plan, root, session->channel);
	if (session->child < 0)
		return false;
	session->in = (struct input){ .fd = master, .terminal = true };
	session->out.fd = master;
	session->err.fd = -1;
	return true;
}

/* Starts the command on pipes; without @input its standard input is /dev/null. */
static bool start_on_pipes(struct session *session, const char *plan, const char *root, bool input,
			   bool merged)
{
	int in[2], out[2], err[2];

	if (pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC) || pipe2(in, O_CLOEXEC))
		return false;
	session->child = fork();
	if (session->child == 0) {
		setsid();
		dup2(input ? in[0] : open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
		dup2(out[1], STDOUT_FILENO);
		dup2(merged ? out[1] : err[1], STDERR_FILENO);
		become(plan, root, session->channel);
	}
	close(in[0]);
	close(out[1]);
	close(err[1]);
	if (input) {
		fcntl(in[1], F_SETFL, O_NONBLOCK);
	} else {
		close(in[1]);
		in[1] = -1;
	}
	session->in = (struct input){ .fd = in[1] };
	session->out.fd = out[0];
	session->err.fd = err[0];
	return session->child > 0;
}

/* ---- the loop ---------------------------------------------------------------- */

/* Carries what there is from the command to the host. */
static void carry_output(struct session *session, struct output *output)
{
	char bytes[FRAME_CONTENT];
	ssize_t n = read(output->fd, bytes, sizeof(bytes));

	if (n > 0) {
		send_frame(session->channel, output->frame, bytes, (uint32_t)n);
	} else if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
		/* A terminal's master end says EIO when its last user has gone. */
		if (!session->in.terminal)
			close(output->fd);
		output->fd = -1;
	}
}

static void end_input(struct input *in)
{
	if (in->fd < 0)
		return;
	if (in->terminal)
		write_all(in->fd, "\4", 1); /* end of file, as typed: Ctrl-D */
	else
		close(in->fd);
	in->fd = -1;
}

/* Receives one frame from the host. False: the host is gone, or out of step. */
static bool receive_frame(struct session *session)
{
	struct input *in = &session->in;
	uint8_t header[FRAME_HEADER];
	uint32_t length;

	if (!read_all(session->channel, header, sizeof(header)))
		return false;
	length = (uint32_t)header[1] | (uint32_t)header[2] << 8 | (uint32_t)header[3] << 16 |
		 (uint32_t)header[4] << 24;
	if (length > sizeof(in->frame) || !read_all(session->channel, in->frame, length))
		return false;
	if (header[0] == 'W' && length == 4 && in->terminal) {
		struct winsize size = {
			.ws_row = (unsigned short)(in->frame[0] | in->frame[1] << 8),
			.ws_col = (unsigned short)(in->frame[2] | in->frame[3] << 8),
		};

		ioctl(in->fd, TIOCSWINSZ, &size);
	} else if (header[0] == 'I' && length == 0) {
		end_input(in);
	} else if (header[0] == 'I') {
		in->written = 0;
		in->length = length;
	}
	return true;
}

/* Carries the frame at hand on to the command, as far as it takes it. */
static void carry_input(struct input *in)
{
	ssize_t n = write(in->fd, in->frame + in->written, in->length - in->written);

	if (n >= 0)
		in->written += (uint32_t)n;
	else if (errno != EINTR && errno != EAGAIN)
		in->written = in->length; /* the command reads no more: drop it */
	if (in->written == in->length)
		in->written = in->length = 0;
}

/* Waits up to @milliseconds for something to do and does it. False: nothing came. */
static bool step(struct session *session, int milliseconds)
{
	struct input *in = &session->in;
	bool pending = in->length && in->fd >= 0;
	struct pollfd polled[] = {
		{ .fd = session->out.fd, .events = POLLIN },
		{ .fd = session->err.fd, .events = POLLIN },
		{ .fd = session->ended ? -1 : session->signals, .events = POLLIN },
		{ .fd = pending ? in->fd : -1, .events = POLLOUT },
		{ .fd = in->fd >= 0 && !pending && !session->ended ? session->channel : -1,
		  .events = POLLIN },
	};

	if (poll(polled, sizeof(polled) / sizeof(polled[0]), milliseconds) <= 0)
		return false;
	if (polled[0].revents)
		carry_output(session, &session->out);
	if (polled[1].revents)
		carry_output(session, &session->err);
	if (polled[2].revents) {
		struct signalfd_siginfo info;

		read_all(session->signals, &info, sizeof(info));
		if (waitpid(session->child, &session->status, WNOHANG) == session->child)
			session->ended = true;
	}
	if (polled[3].revents)
		carry_input(in);
	if (polled[4].revents && !receive_frame(session))
		end_input(in);
	return true;
}

/* Returns the command's exit status in the manner of a shell. */
static int attend(struct session *session)
{
	/* Whoever outlives the command and holds its pipes is not waited for. */
	while (!session->ended)
		step(session, -1);
	while ((session->out.fd >= 0 || session->err.fd >= 0) && step(session, 0))
		;
	if (WIFSIGNALED(session->status))
		return 128 + WTERMSIG(session->status);
	return WEXITSTATUS(session->status);
}

static int open_channel(const char *path)
{
	int channel = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	struct termios raw;

	if (channel >= 0 && tcgetattr(channel, &raw) == 0) {
		cfmakeraw(&raw);
		raw.c_cflag |= CLOCAL;
		cfsetspeed(&raw, B115200);
		tcsetattr(channel, TCSANOW, &raw);
		tcflush(channel, TCIFLUSH);
	}
	return channel;
}

/* ---- the pulse ------------------------------------------------------------- */

/*
 * QEMU's TCG can lose an interrupt: VMRUN and #VMEXIT change the processor's word
 * of pending requests without the lock that interrupt controllers hold while they
 * set a bit in it. The local APIC still has the interrupt, but a processor that
 * halts then sleeps on, until another interrupt comes to it. So that one does, the
 * host sends a byte ten times a second, and we visit every processor.
 */
static void keep_pulse(const char *plan)
{
	char *path = read_file(plan, "pulse", NULL), bytes[64];
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	int pulse;

	if (!path || fork() != 0)
		return;
	pulse = open(path, O_RDONLY | O_CLOEXEC);
	while (pulse >= 0 && read(pulse, bytes, sizeof(bytes)) > 0) {
		for (long processor = 0; processor < processors; processor++) {
			cpu_set_t only;

			CPU_ZERO(&only);
			CPU_SET(processor, &only);
			sched_setaffinity(0, sizeof(only), &only);
		}
	}
	_exit(0);
}

/* ---- all together ---------------------------------------------------------- */

static bool start(struct session *session, const char *plan, const char *root)
{
	char *stdio = read_file(plan, "stdio", NULL);
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	session->signals = signalfd(-1, &child, SFD_CLOEXEC);
	if (session->signals < 0 || !stdio)
		return false;
	if (strstr(stdio, "terminal"))
		return start_on_terminal(session, plan, root);
	return start_on_pipes(session, plan, root, strstr(stdio, "pipe"), strstr(stdio, "merged"));
}

int main(int argc, char **argv)
{
	struct session session = { .out.frame = 'O', .err.frame = 'E' };
	const char *plan;
	char *failure;

	if (argc != 4) {
		fprintf(stderr, "usage: agent CHANNEL PLAN ROOT\n");
		return 2;
	}
	plan = argv[2];
	keep_pulse(plan);
	session.channel = open_channel(argv[1]);
	if (session.channel < 0) {
		fprintf(stderr, "agent: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	signal(SIGPIPE, SIG_IGN);
	write_all(session.channel, AGENT_HELLO, sizeof(AGENT_HELLO) - 1);
	failure = read_file(plan, "failure", NULL);
	if (failure) {
		complain(session.channel, "bed: %s", failure);
		send_status(session.channel, STATUS_BED_DIED);
		return 0;
	}
	if (!start(&session, plan, argv[3])) {
		complain(session.channel, "bed: cannot start a process: %s\n", strerror(errno));
		send_status(session.channel, STATUS_BED_DIED);
		return 0;
	}
	session.status = attend(&session);
	sync();
	send_status(session.channel, session.status);
	return 0;
}
