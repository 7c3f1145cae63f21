/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * How long a program takes from its execve() to its first KVM_RUN, which is the first
 * guest instruction: start_race TIMES PROGRAM [ARGUMENT...] -- PROGRAM [ARGUMENT...]
 * runs the two in turn and prints both times, in microseconds, a line for each turn.
 *
 * The program is stopped at that system call by a filter (seccomp, Linux,
 * Documentation/userspace-api/seccomp_filter.rst) and is told nothing of it: no
 * debugger slows it down, and what follows, above all the kernel's taking apart of the
 * VM, is not measured. It is killed there.
 */

#include <err.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* What the two processes share. */
struct shared {
	double begin;
	int listener; /* the filter's descriptor, as the child numbers it */
};

static double now_us(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

/* Tells of ioctl(KVM_RUN) and lets all else pass. Returns the descriptor that tells. */
static int install_filter(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_ioctl, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, KVM_RUN, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
			    &program);
}

/* The child: waits until its parent has the filter's descriptor, and becomes the program. */
static void become(char **command, struct shared *shared, int ready, int go)
{
	int null = open("/dev/null", O_RDWR);
	char byte = 0;

	if (!command[0])
		errx(1, "no command");
	shared->listener = install_filter();
	if (shared->listener < 0 || null < 0)
		err(1, "seccomp");
	if (write(ready, &byte, 1) != 1 || read(go, &byte, 1) != 1)
		_exit(1);
	close(shared->listener);
	dup2(null, 0);
	dup2(null, 1);
	shared->begin = now_us();
	execv(command[0], command);
	err(1, "%s", command[0]);
}

static int take_listener(pid_t child, int number)
{
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0), listener;

	if (pidfd < 0)
		err(1, "pidfd_open");
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (listener < 0)
		err(1, "pidfd_getfd");
	close(pidfd);
	return listener;
}

static double run_once(char **command, struct shared *shared)
{
	struct seccomp_notif notification = { 0 };
	int ready[2], go[2], listener;
	pid_t child;
	char byte;
	double end;

	if (pipe(ready) || pipe(go))
		err(1, "pipe");
	child = fork();
	if (child < 0)
		err(1, "fork");
	if (!child)
		become(command, shared, ready[1], go[0]);
	close(ready[1]);
	close(go[0]);
	if (read(ready[0], &byte, 1) != 1)
		errx(1, "no filter");
	listener = take_listener(child, shared->listener);
	if (write(go[1], &byte, 1) != 1)
		err(1, "go");
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notification))
		errx(1, "%s ended without KVM_RUN", command[0]);
	end = now_us();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	close(listener);
	close(ready[0]);
	close(go[1]);
	return end - shared->begin;
}

int main(int argc, char **argv)
{
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char **second = argv + 2;

	while (second < argv + argc && strcmp(*second, "--"))
		second++;
	if (argc < 5 || second + 1 >= argv + argc || shared == MAP_FAILED)
		errx(2, "usage: start_race TIMES PROGRAM [ARGUMENT...] -- PROGRAM [ARGUMENT...]");
	*second++ = NULL;
	for (int turn = atoi(argv[1]); turn > 0; turn--) {
		double one = run_once(argv + 2, shared);

		printf("%.1f %.1f\n", one, run_once(second, shared));
	}
	return 0;
}
