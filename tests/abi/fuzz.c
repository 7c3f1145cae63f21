/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Any ioctl, on any descriptor, in any order, with any argument: a hypervisor may refuse
 * all of it and must survive it. Half of the calls are nearly right, so that they get
 * behind the first check.
 *
 *	fuzz DEVICE CALLS [SEED]
 *
 * Several processes would be several of these. A timer's signal fetches KVM_RUN out of
 * guests that run for ever. Exit status 0: we are still here; what the kernel has to say
 * of it is in its log.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define VMS	    4
#define VCPUS	    4
#define RAM_SIZE    (4u << 20)
#define BUFFER_SIZE (64u << 10)
#define THREADS	    3
#define KICK_NS	    30000000

enum level { SYSTEM, OF_VM, OF_VCPU };

struct request {
	unsigned long number;
	enum level level;
};

#define KNOWN(number, level)  \
	{                     \
		number, level \
	}
static const struct request requests[] = {
#define SYSTEM(request, handler, text)	     KNOWN(request, SYSTEM),
#define VM(request, handler, text)	     KNOWN(request, OF_VM),
#define VCPU(request, handler, text)	     KNOWN(request, OF_VCPU),
#define SYSTEM_REFUSED(request, error, text) KNOWN(request, SYSTEM),
#define VM_REFUSED(request, error, text)     KNOWN(request, OF_VM),
#define VCPU_REFUSED(request, error, text)   KNOWN(request, OF_VCPU),
#define ABSENT(request, text)
#include "host/linux/abi.def"
};
#define REQUESTS (sizeof(requests) / sizeof(requests[0]))

/* Shared by all threads, and closed under each other's feet. */
static int device = -1, vms[VMS], vcpus[VCPUS];
static struct kvm_run *runs[VCPUS];
static uint8_t *ram;
static long calls_left;

struct dice {
	uint64_t state;
};

/* xorshift64: G. Marsaglia, "Xorshift RNGs", 2003 */
static uint64_t roll(struct dice *dice)
{
	dice->state ^= dice->state << 13;
	dice->state ^= dice->state >> 7;
	dice->state ^= dice->state << 17;
	return dice->state;
}

static unsigned int below(struct dice *dice, unsigned int limit)
{
	return (unsigned int)(roll(dice) % limit);
}

/* Values that sit on borders. */
static uint64_t odd_value(struct dice *dice)
{
	static const uint64_t values[] = {
		0,	    1,		2,	    0xfff,	0x1000,
		0xfffff000, UINT32_MAX, 1ull << 32, 1ull << 47, 0xffff800000000000,
		INT64_MAX,  UINT64_MAX, 0xfee00000, 0x80000011
	};

	if (below(dice, 3) == 0)
		return roll(dice);
	return values[below(dice, sizeof(values) / sizeof(values[0]))];
}

static void fill(struct dice *dice, uint8_t *buffer, size_t size)
{
	unsigned int holes = below(dice, 4);

	for (size_t i = 0; i + 8 <= size; i += 8) {
		uint64_t value = below(dice, 4) < holes ? 0 : odd_value(dice);

		memcpy(buffer + i, &value, sizeof(value));
	}
}

/* ---- nearly right ----------------------------------------------------------------------- */

static void good_memory(struct dice *dice, void *buffer)
{
	struct kvm_userspace_memory_region *region = buffer;
	uint64_t size = 4096ull * (1 + below(dice, RAM_SIZE / 4096));

	region->slot = below(dice, 6);
	region->flags = below(dice, 4);
	region->guest_phys_addr = 4096ull * below(dice, 1024);
	region->memory_size = below(dice, 4) ? size : 0;
	region->userspace_addr = (uintptr_t)ram;
}

static void good_list(struct dice *dice, void *buffer)
{
	*(uint32_t *)buffer = below(dice, 64);
}

static void good_segment(struct kvm_segment *segment, uint16_t selector, uint8_t type)
{
	*segment = (struct kvm_segment){
		.limit = 0xffff, .selector = selector, .type = type, .present = 1, .s = 1
	};
}

static void good_sregs(struct dice *dice, void *buffer)
{
	struct kvm_sregs *sregs = buffer;

	memset(sregs, 0, sizeof(*sregs));
	good_segment(&sregs->cs, 0, 11);
	good_segment(&sregs->ds, 0, 3);
	good_segment(&sregs->es, 0, 3);
	good_segment(&sregs->fs, 0, 3);
	good_segment(&sregs->gs, 0, 3);
	good_segment(&sregs->ss, 0, 3);
	good_segment(&sregs->tr, 0, 11);
	good_segment(&sregs->ldt, 0, 2);
	sregs->tr.s = sregs->ldt.s = 0;
	sregs->cr0 = below(dice, 2) ? 0x10 : 0x11;
	sregs->apic_base = 0xfee00900;
	if (below(dice, 4) == 0)
		((uint8_t *)sregs)[below(dice, sizeof(*sregs))] ^= (uint8_t)roll(dice);
}

static void good_dirty_log(struct dice *dice, void *buffer)
{
	struct kvm_clear_dirty_log *log = buffer; /* its first fields are the other's */

	log->slot = below(dice, 6);
	log->num_pages = below(dice, 1100);
	log->first_page = 64ull * below(dice, 4);
	log->dirty_bitmap = (uint8_t *)buffer + 4096;
}

static void good_filter(struct dice *dice, void *buffer)
{
	struct kvm_msr_filter *filter = buffer;

	memset(filter, 0, sizeof(*filter));
	for (unsigned int i = 0; i < below(dice, KVM_MSR_FILTER_MAX_RANGES); i++)
		filter->ranges[i] = (struct kvm_msr_filter_range){
			.flags = 1 + below(dice, 3),
			.nmsrs = below(dice, 600),
			.base = (uint32_t)odd_value(dice),
			.bitmap = (uint8_t *)buffer + 4096,
		};
}

static void good_eventfd(struct dice *dice, void *buffer)
{
	struct kvm_ioeventfd *event = buffer;

	event->datamatch = below(dice, 4);
	event->addr = below(dice, 2) ? 0x80 : 0xd0000000;
	event->len = 1u << below(dice, 4);
	event->fd = 3 + (int)below(dice, 20);
	event->flags = below(dice, 8);
}

static void good_regs(struct dice *dice, void *buffer)
{
	((struct kvm_regs *)buffer)->rip = below(dice, RAM_SIZE);
	((struct kvm_regs *)buffer)->rflags = 2 | (roll(dice) & 0x3f7fd5);
}

static void good_events(struct dice *dice, void *buffer)
{
	struct kvm_vcpu_events *events = buffer;

	memset(events, 0, sizeof(*events));
	events->exception.injected = below(dice, 2) != 0;
	events->exception.nr = (uint8_t)below(dice, 32);
	events->interrupt.injected = below(dice, 2) != 0;
	events->interrupt.nr = (uint8_t)below(dice, 256);
	events->nmi.pending = (uint8_t)below(dice, 4);
	events->nmi.injected = below(dice, 4) == 0;
	events->flags = below(dice, 8) & 5;
}

static void make_good(struct dice *dice, unsigned long number, void *buffer)
{
	switch (number) {
	case KVM_SET_USER_MEMORY_REGION:
		return good_memory(dice, buffer);
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
	case KVM_SET_CPUID:
	case KVM_SET_CPUID2:
	case KVM_GET_CPUID2:
	case KVM_GET_SUPPORTED_CPUID:
	case KVM_GET_MSR_INDEX_LIST:
		return good_list(dice, buffer);
	case KVM_SET_SREGS:
		return good_sregs(dice, buffer);
	case KVM_GET_DIRTY_LOG:
	case KVM_CLEAR_DIRTY_LOG:
		return good_dirty_log(dice, buffer);
	case KVM_X86_SET_MSR_FILTER:
		return good_filter(dice, buffer);
	case KVM_IOEVENTFD:
		return good_eventfd(dice, buffer);
	case KVM_SET_REGS:
		return good_regs(dice, buffer);
	case KVM_SET_VCPU_EVENTS:
		return good_events(dice, buffer);
	case KVM_SET_XSAVE:
		memset(buffer, 0, 4096);
		((uint32_t *)buffer)[6] = 0x1f80;
		return;
	}
}

/* ---- one call ------------------------------------------------------------------------------ */

static int descriptor(struct dice *dice, enum level level)
{
	if (below(dice, 64) == 0)
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

static unsigned long argument_of(struct dice *dice, unsigned long number, uint8_t *buffer)
{
	switch (below(dice, 16)) {
	case 0:
		return (unsigned long)odd_value(dice);
	case 1: /* its end is not there */
		return (unsigned long)buffer + BUFFER_SIZE - 8ul * below(dice, 64);
	}
	if (number == KVM_RUN || number == KVM_CREATE_VM || number == KVM_NMI)
		return 0;
	if (_IOC_SIZE(number) == 0)
		return below(dice, 4) ? below(dice, 8) : (unsigned long)odd_value(dice);
	fill(dice, buffer, below(dice, 8) ? 2048 : BUFFER_SIZE);
	if (below(dice, 4))
		make_good(dice, number, buffer);
	return (unsigned long)buffer;
}

/* What KVM_RUN reads there, any moment. */
static void scribble(struct dice *dice)
{
	struct kvm_run *run = runs[below(dice, VCPUS)];

	if (!run)
		return;
	if (below(dice, 8) == 0)
		run->immediate_exit = (uint8_t)below(dice, 2);
	run->request_interrupt_window = (uint8_t)below(dice, 2);
	run->cr8 = below(dice, 16) ? 0 : odd_value(dice);
	run->kvm_valid_regs = below(dice, 8);
	run->kvm_dirty_regs = below(dice, 16) ? 0 : below(dice, 8);
	if (below(dice, 4) == 0)
		fill(dice, (uint8_t *)&run->io, 256);
}

static void renew(struct dice *dice)
{
	unsigned int vm = below(dice, VMS), vcpu = below(dice, VCPUS);
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE,
						      .userspace_addr = (uintptr_t)ram };
	int made;

	if (below(dice, 2)) {
		made = ioctl(device, KVM_CREATE_VM, 0);
		if (made >= 0) {
			close(vms[vm]);
			vms[vm] = made;
			ioctl(made, KVM_SET_USER_MEMORY_REGION, &region);
		}
		return;
	}
	made = ioctl(vms[vm], KVM_CREATE_VCPU, (unsigned long)below(dice, 6));
	if (made < 0)
		return;
	close(vcpus[vcpu]);
	vcpus[vcpu] = made;
	runs[vcpu] = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, made, 0);
	if (runs[vcpu] == MAP_FAILED)
		runs[vcpu] = NULL;
}

static void one_call(struct dice *dice, uint8_t *buffer)
{
	const struct request *request = &requests[below(dice, REQUESTS)];
	unsigned long number = request->number;
	int fd = descriptor(dice, request->level);

	if (below(dice, 4) == 0) {
		number = KVM_RUN;
		fd = vcpus[below(dice, VCPUS)];
	}
	if (below(dice, 100) == 0)
		number ^= 1ul << below(dice, 32);
	scribble(dice);
	if (number == KVM_CREATE_VM || number == KVM_CREATE_VCPU || below(dice, 200) == 0)
		return renew(dice);
	ioctl(fd, number, argument_of(dice, number, buffer));
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

static void *thread(void *seed)
{
	struct dice dice = { (uintptr_t)seed };
	uint8_t *buffer = mmap(NULL, BUFFER_SIZE + 4096, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (buffer == MAP_FAILED || munmap(buffer + BUFFER_SIZE, 4096) || !start_kicks())
		exit(1);
	while (__atomic_fetch_sub(&calls_left, 1, __ATOMIC_RELAXED) > 0) {
		one_call(&dice, buffer);
		if (below(&dice, 500) == 0)
			madvise(ram + 4096ul * below(&dice, RAM_SIZE / 4096), 4096, MADV_DONTNEED);
	}
	munmap(buffer, BUFFER_SIZE);
	return NULL;
}

int main(int argc, char **argv)
{
	pthread_t threads[THREADS];
	uint64_t seed;

	if (argc < 3) {
		fprintf(stderr, "usage: fuzz DEVICE CALLS [SEED]\n");
		return 2;
	}
	device = open(argv[1], O_RDWR | O_CLOEXEC);
	if (device < 0) {
		fprintf(stderr, "fuzz: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	calls_left = strtol(argv[2], NULL, 0);
	seed = argc > 3 ? strtoull(argv[3], NULL, 0) : 1;
	memset(vms, 0xff, sizeof(vms));
	memset(vcpus, 0xff, sizeof(vcpus));
	for (int i = 0; i < 4; i++)
		eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		return 1;
	fill(&(struct dice){ seed }, ram, RAM_SIZE / 4);
	for (unsigned int i = 0; i < 50; i++)
		renew(&(struct dice){ seed * 977 + i + 1 });
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = ignore }, NULL);
	for (uintptr_t i = 0; i < THREADS; i++)
		if (pthread_create(&threads[i], NULL, thread, (void *)(seed * 1000003 + i + 1)))
			return 1;
	for (unsigned int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	printf("still here\n");
	return 0;
}
