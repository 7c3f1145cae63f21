/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Any ioctl, on any descriptor, in any order, with any argument: a hypervisor may refuse
 * all of it and must survive it. Half of the calls are nearly right, so that they get
 * behind the first check. Meanwhile memory is moved and taken away under the guests,
 * descriptors are closed under calls that are in them, and whole processes are killed in
 * the middle of one.
 *
 *	fuzz DEVICE CALLS [SEED]
 *
 * The same SEED gives the same dice, not the same run: threads and kills come in between.
 * A timer's signal fetches KVM_RUN out of guests that run for ever. Exit status 0: we are
 * still here, and so is the hypervisor, which ran a small guest to its end afterwards;
 * what the kernel has to say of it all is in its log. With FUZZ_TIMES in the environment
 * it tells which requests took longest.
 */

#include "tests/abi/fuzz_arguments.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define VMS	      4
#define VCPUS	      6
#define EVENTS	      6
#define BUFFER_SIZE   (64u << 10)
#define THREADS	      3
#define KICK_NS	      4000000
#define LIFE_CALLS    6000   /* of one process, at most */
#define KILL_AFTER_US 700000 /* at most; half of the processes end by themselves */
#define LIFE_US_MAX   10000000

enum level { SYSTEM, OF_VM, OF_VCPU };

struct request {
	unsigned long number;
	enum level level;
	const char *name;
};

static const struct request requests[] = {
#define SYSTEM(request, handler, text)	     { request, SYSTEM, #request },
#define VM(request, handler, text)	     { request, OF_VM, #request },
#define VCPU(request, handler, text)	     { request, OF_VCPU, #request },
#define SYSTEM_REFUSED(request, error, text) { request, SYSTEM, #request },
#define VM_REFUSED(request, error, text)     { request, OF_VM, #request },
#define VCPU_REFUSED(request, error, text)   { request, OF_VCPU, #request },
#define ABSENT(request, text)
#include "host/linux/abi.def"
};
#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

/* Of all processes. */
static struct {
	long calls_left, calls_done, calls_refused;
	uint64_t nanoseconds[REQUESTS], count[REQUESTS];
} * shared;

/* Of all threads of one, and closed under each other's feet. */
static int device = -1, vms[VMS], vcpus[VCPUS], events[EVENTS], file = -1;
static struct kvm_run *runs[VCPUS];
static uint8_t *ram, *buffers[THREADS];
static struct dice seeds[THREADS];
static pthread_barrier_t all_born;
static long life;

/* ---- things come and go ---------------------------------------------------------------- */

/* The guests' memory: private, or a file's that both we and the guest see change. */
static void new_memory(struct dice *dice)
{
	size_t size = RAM_SIZE, from = 0;

	if (one_in(dice, 2)) {
		size = 4096ul * (1 + below(dice, 64));
		from = 4096ul * below(dice, (unsigned int)((RAM_SIZE - size) / 4096));
	}
	(void)mmap(ram + from, size, one_in(dice, 8) ? PROT_READ : PROT_READ | PROT_WRITE,
		   MAP_FIXED | (one_in(dice, 2) ? MAP_SHARED : MAP_PRIVATE), file, (off_t)from);
}

static void take_memory(struct dice *dice)
{
	static const int advices[] = { MADV_DONTNEED,	MADV_FREE,    MADV_HUGEPAGE,
				       MADV_NOHUGEPAGE, MADV_COLD,    MADV_MERGEABLE,
				       MADV_PAGEOUT,	MADV_DONTFORK };
	size_t size = 4096ul << below(dice, 10);
	uint8_t *at = ram + 4096ul * below(dice, (unsigned int)((RAM_SIZE - size) / 4096 + 1));

	switch (below(dice, 8)) {
	case 0:
		munmap(at, size);
		break;
	case 1:
		mprotect(at, size, (int)below(dice, 4));
		break;
	case 2: /* to another place, which is free now */
		munmap(ram, size);
		mremap(at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, ram);
		break;
	case 3:
		fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at - ram, (off_t)size);
		break;
	case 4:
		new_memory(dice);
		break;
	default:
		madvise(at, size, advices[below(dice, sizeof(advices) / sizeof(advices[0]))]);
	}
}

/* By the kernel's hand: where there is no memory, it says so and we live. */
static void write_code(struct dice *dice)
{
	uint8_t code[512];
	int ends[2];
	size_t at = below(dice, 4) ? below(dice, 0x10000) : below(dice, RAM_SIZE - sizeof(code));

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return;
	guest_code(dice, code, sizeof(code));
	if (write(ends[1], code, sizeof(code)) > 0 && read(ends[0], ram + at, sizeof(code)) < 0)
		new_memory(dice);
	close(ends[0]);
	close(ends[1]);
}

static void renew_vm(struct dice *dice)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE,
						      .userspace_addr = (uintptr_t)ram };
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_pit_config pit = { 0 };
	unsigned int place = below(dice, VMS);
	int made = ioctl(device, KVM_CREATE_VM, 0);

	if (made < 0)
		return;
	close(vms[place]);
	vms[place] = made;
	ioctl(made, KVM_SET_USER_MEMORY_REGION, &region);
	switch (below(dice, 4)) {
	case 0:
		ioctl(made, KVM_ENABLE_CAP, &split);
		break;
	case 1:
		ioctl(made, KVM_CREATE_IRQCHIP, 0);
		ioctl(made, KVM_CREATE_PIT2, &pit);
		break;
	}
}

static void renew_vcpu(struct dice *dice)
{
	int vm = vms[below(dice, VMS)];
	unsigned int place = below(dice, VCPUS);
	int made = ioctl(vm, KVM_CREATE_VCPU, (unsigned long)below(dice, 6));
	void *run;

	if (made < 0)
		return;
	close(vcpus[place]);
	vcpus[place] = made;
	if (runs[place] && one_in(dice, 2))
		munmap(runs[place], 3 * 4096);
	run = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
	runs[place] = run == MAP_FAILED ? NULL : run;
}

static void renew_event(struct dice *dice)
{
	int *event = &events[below(dice, EVENTS)];
	uint64_t one = 1;

	if (one_in(dice, 2) && write(*event, &one, sizeof(one)) > 0)
		return;
	close(*event);
	*event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* A child has the descriptors and not the memory they belong to: EIO, and closing them. */
static void be_forked(struct dice *dice)
{
	pid_t child = (pid_t)syscall(SYS_fork);

	if (child)
		return; /* nobody waits for it: SIGCHLD is ignored */
	for (unsigned int i = below(dice, 40); i; i--) {
		const struct request *request = &requests[below(dice, REQUESTS)];

		ioctl(vms[below(dice, VMS)], request->number, ram);
		ioctl(vcpus[below(dice, VCPUS)], request->number, ram);
		close(vcpus[below(dice, VCPUS)]);
	}
	_exit(0);
}

static void change_something(struct dice *dice)
{
	switch (below(dice, 32)) {
	case 0:
		be_forked(dice);
		break;
	case 1:
		close(vms[below(dice, VMS)]);
		break;
	case 2:
		close(vcpus[below(dice, VCPUS)]);
		break;
	case 3:
		renew_vm(dice);
		break;
	case 4 ... 10:
		renew_vcpu(dice);
		break;
	case 11 ... 16:
		renew_event(dice);
		break;
	case 17 ... 24:
		write_code(dice);
		break;
	default:
		take_memory(dice);
	}
}

/* ---- one call ------------------------------------------------------------------------------ */

static int descriptor(struct dice *dice, enum level level)
{
	if (one_in(dice, 64))
		level = (enum level)below(dice, 3);
	switch (level) {
	case SYSTEM:
		return device;
	case OF_VM:
		return vms[below(dice, VMS)];
	default:
		return vcpus[below(dice, VCPUS)];
	}
}

static void good_region(struct dice *dice, struct kvm_userspace_memory_region *region)
{
	region->slot = below(dice, 6);
	region->flags = below(dice, 4);
	region->guest_phys_addr = one_in(dice, 2) ? 0 : 4096ull * below(dice, 1024);
	region->memory_size = one_in(dice, 4) ? 0 : 4096ull * (1 + below(dice, RAM_SIZE / 4096));
	region->userspace_addr = (uintptr_t)ram;
	/* A vCPU's own mapping is memory as any other. */
	if (one_in(dice, 16) && runs[0]) {
		region->userspace_addr = (uintptr_t)runs[0];
		region->memory_size = 3 * 4096;
	}
}

static unsigned long argument_of(struct dice *dice, unsigned long number, uint8_t *buffer)
{
	switch (below(dice, 24)) {
	case 0:
		return (unsigned long)odd_value(dice);
	case 1: /* its end is not there */
		return (unsigned long)buffer + BUFFER_SIZE - 8ul * below(dice, 64);
	case 2: /* it comes and goes */
		return (unsigned long)ram + 8ul * below(dice, RAM_SIZE / 8);
	}
	if (number == KVM_RUN || number == KVM_CREATE_VM || number == KVM_NMI)
		return 0;
	if (_IOC_SIZE(number) == 0)
		return below(dice, 4) ? below(dice, 8) : (unsigned long)odd_value(dice);
	fill(dice, buffer, one_in(dice, 64) ? BUFFER_SIZE : 1024);
	if (one_in(dice, 5))
		return (unsigned long)buffer;
	if (number == KVM_SET_USER_MEMORY_REGION)
		good_region(dice, (void *)buffer);
	make_good(dice, number, buffer);
	return (unsigned long)buffer;
}

/* What KVM_RUN reads there, any moment. */
static void scribble(struct dice *dice)
{
	struct kvm_run *run = runs[below(dice, VCPUS)];
	struct kvm_run words;
	int ends[2];

	/* It may be unmapped by now: let the kernel write. */
	if (!run || pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		return;
	memset(&words, 0, sizeof(words));
	words.immediate_exit = one_in(dice, 8);
	words.request_interrupt_window = one_in(dice, 4);
	words.cr8 = one_in(dice, 16) ? odd_value(dice) : 0;
	words.kvm_valid_regs = below(dice, 8);
	words.kvm_dirty_regs = one_in(dice, 16) ? below(dice, 8) : 0;
	fill(dice, (uint8_t *)&words.io, 256);
	if (write(ends[1], &words, sizeof(words)) == sizeof(words) &&
	    read(ends[0], run, sizeof(words)) < 0)
		errno = 0;
	close(ends[0]);
	close(ends[1]);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void call(struct dice *dice, const struct request *request, int fd, uint8_t *buffer)
{
	unsigned long number = request->number;
	unsigned long argument = argument_of(dice, number, buffer);
	uint64_t start = now();

	if (one_in(dice, 100))
		number ^= 1ul << below(dice, 32);
	if (ioctl(fd, number, argument) < 0)
		__atomic_fetch_add(&shared->calls_refused, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->nanoseconds[request - requests], now() - start,
			   __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->count[request - requests], 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->calls_done, 1, __ATOMIC_RELAXED);
}

static void one_call(struct dice *dice, uint8_t *buffer)
{
	const struct request *request = &requests[below(dice, REQUESTS)];

	if (one_in(dice, 8))
		for (request = requests; request->number != KVM_RUN;)
			request++;
	if (one_in(dice, 16))
		scribble(dice);
	if (one_in(dice, 12))
		change_something(dice);
	/* A descriptor that nobody closes: some, and seldom, as its end is slow. */
	if (request->number == KVM_CREATE_VM || request->number == KVM_CREATE_VCPU)
		return renew_vcpu(dice);
	call(dice, request, descriptor(dice, request->level), buffer);
}

static void ignore(int signal)
{
	(void)signal;
}

/* To each thread its own: a signal for the whole process would find the one that sleeps. */
static bool start_kicks(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGALRM };
	const struct itimerspec often = { .it_interval.tv_nsec = KICK_NS,
					  .it_value.tv_nsec = KICK_NS };
	timer_t timer;

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	return !timer_create(CLOCK_MONOTONIC, &event, &timer) &&
	       !timer_settime(timer, 0, &often, NULL);
}

static void *thread(void *number)
{
	struct dice dice = seeds[(uintptr_t)number];

	/* From the first call on, what is mapped may land in a hole, and go with it. */
	pthread_barrier_wait(&all_born);
	if (!start_kicks())
		_exit(1);
	while (__atomic_fetch_sub(&life, 1, __ATOMIC_RELAXED) > 0 &&
	       __atomic_fetch_sub(&shared->calls_left, 1, __ATOMIC_RELAXED) > 0)
		one_call(&dice, buffers[(uintptr_t)number]);
	return NULL;
}

/* ---- processes --------------------------------------------------------------------------------- */

static void be_born(struct dice *dice)
{
	uint8_t code[0x8000];

	memset(vms, 0xff, sizeof(vms));
	memset(vcpus, 0xff, sizeof(vcpus));
	for (unsigned int i = 0; i < EVENTS; i++)
		events[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	file = memfd_create("fuzz", MFD_CLOEXEC);
	ram = mmap(NULL, RAM_SIZE + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	guest_code(dice, code, sizeof(code));
	/* Behind it, too: the next thing up there is what we count in. */
	if (file < 0 || ftruncate(file, RAM_SIZE) || ram == MAP_FAILED ||
	    mprotect(ram + RAM_SIZE, 4096, PROT_NONE) ||
	    pwrite(file, code, sizeof(code), 0) != sizeof(code))
		_exit(1);
	memcpy(ram, code, sizeof(code));
	for (unsigned int i = 0; i < THREADS; i++) {
		seeds[i].state = roll(dice) | 1;
		buffers[i] = mmap(NULL, BUFFER_SIZE + 4096, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		/* Behind it is nothing, and stays nothing. */
		if (buffers[i] == MAP_FAILED || mprotect(buffers[i] + BUFFER_SIZE, 4096, PROT_NONE))
			_exit(1);
	}
	for (unsigned int i = 0; i < VMS; i++)
		renew_vm(dice);
	for (unsigned int i = 0; i < 4 * VCPUS; i++)
		renew_vcpu(dice);
}

static void live(uint64_t seed)
{
	struct dice dice = { seed * 0x9e3779b97f4a7c15 + 1 };
	pthread_t threads[THREADS];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGCHLD, SIG_IGN);
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = ignore }, NULL);
	be_born(&dice);
	life = 1 + below(&dice, LIFE_CALLS);
	pthread_barrier_init(&all_born, NULL, THREADS);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread, (void *)i))
			_exit(1);
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	_exit(0);
}

/* Waits for the process's end, and hastens it perhaps. True: it was killed, and died. */
static bool see_off(struct dice *dice, pid_t process, int *status)
{
	/* A guest may run for ever: a mask that keeps our signals out has been set for it. */
	useconds_t patience = one_in(dice, 2) ? below(dice, KILL_AFTER_US) : LIFE_US_MAX;

	for (useconds_t waited = 0; waitpid(process, status, WNOHANG) == 0; waited += 5000) {
		if (waited >= patience) {
			kill(process, SIGKILL);
			return waitpid(process, status, 0) == process;
		}
		usleep(5000);
	}
	return false;
}

/* OUT, HLT: both must come, in this order. */
static bool still_works(void)
{
	static const uint8_t code[] = { 0xe6, 0x80, 0xf4 };
	struct kvm_userspace_memory_region region = { .memory_size = 4096 };
	uint8_t *page =
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int vm = ioctl(device, KVM_CREATE_VM, 0), vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	struct kvm_run *run = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	struct kvm_regs regs = { .rflags = 2 };
	struct kvm_sregs sregs;

	if (run == MAP_FAILED || page == MAP_FAILED)
		return false;
	memcpy(page, code, sizeof(code));
	region.userspace_addr = (uintptr_t)page;
	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region) || ioctl(vcpu, KVM_GET_SREGS, &sregs))
		return false;
	sregs.cs.base = sregs.cs.selector = 0;
	return !ioctl(vcpu, KVM_SET_SREGS, &sregs) && !ioctl(vcpu, KVM_SET_REGS, &regs) &&
	       !ioctl(vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_IO &&
	       !ioctl(vcpu, KVM_RUN, 0) && run->exit_reason == KVM_EXIT_HLT;
}

static void tell_times(void)
{
	for (unsigned int i = 0; getenv("FUZZ_TIMES") && i < REQUESTS; i++)
		if (shared->count[i])
			printf("%10.1f ms %8llu %s\n", (double)shared->nanoseconds[i] / 1e6,
			       (unsigned long long)shared->count[i], requests[i].name);
}

int main(int argc, char **argv)
{
	unsigned int processes = 0, killed = 0;
	long told = 0;
	struct dice dice;
	int status = 0;
	long wanted;

	if (argc < 3) {
		fprintf(stderr, "usage: fuzz DEVICE CALLS [SEED]\n");
		return 2;
	}
	device = open(argv[1], O_RDWR | O_CLOEXEC);
	if (device < 0) {
		fprintf(stderr, "fuzz: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 1;
	wanted = shared->calls_left = strtol(argv[2], NULL, 0);
	dice.state = (argc > 3 ? strtoull(argv[3], NULL, 0) : 1) * 0x9e3779b97f4a7c15 + 1;
	fflush(stdout);
	while (shared->calls_left > 0) {
		uint64_t seed = roll(&dice);
		pid_t process = fork();

		if (!process)
			live(seed);
		if (process < 0)
			return 1;
		processes++;
		killed += see_off(&dice, process, &status);
		for (; told < shared->calls_done / 100000; told++)
			fprintf(stderr, "%ld00000 calls\n", told + 1);
	}
	tell_times();
	printf("%ld calls, %ld refused; %u processes, %u killed\n", shared->calls_done,
	       shared->calls_refused, processes, killed);
	/* A few of them make or change something by other calls, which are not counted. */
	if (shared->calls_done < wanted / 10 * 9) {
		printf("fuzz: %ld calls were asked for\n", wanted);
		return 1;
	}
	if (!still_works()) {
		printf("fuzz: a guest of two instructions does not run any more\n");
		return 1;
	}
	printf("still here\n");
	return 0;
}
