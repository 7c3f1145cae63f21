/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What a hypervisor takes for an interrupt of its own local APICs, seen by the barest
 * client there can be:
 *
 *	hypervisor_interrupts DEVICE
 *
 * prints "ipi" and "timer", each with nanoseconds: an IPI from one virtual processor to
 * another that halts, its answer waited for; and what a tick of the timer adds to a guest
 * that only counts. In a bed whose clock counts instructions these are the host's
 * instructions, with the few of the guest's among them.
 */

#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#include "bench/hypervisor_guest.h"

#define MEMORY_SIZE 0x10000
#define CPUID_MAX   256
#define ROUNDS	    5
#define IPIS	    500
#define COUNT	    20000000u /* that the guest counts down while the timer ticks */
#define PERIOD	    250000u   /* of the timer, in ns: the bus's clock is 1 GHz */

extern const uint8_t guest[], guest_end[], ipi_ready[], ipi_first[], ipi_second[], timer[],
	on_ipi[], on_timer[];

struct processor {
	unsigned int id;
	int fd;
	struct kvm_run *run;
};

static uint8_t *memory;

static int ask(int fd, unsigned long request, void *argument)
{
	int answer = ioctl(fd, request, argument);

	if (answer < 0)
		err(1, "ioctl 0x%lx", request);
	return answer;
}

static uint16_t address(const uint8_t *label)
{
	return (uint16_t)(GUEST_CODE + (label - guest));
}

static void set_vector(unsigned int vector, const uint8_t *handler)
{
	const uint16_t entry[2] = { address(handler), 0 };

	memcpy(memory + vector * sizeof(entry), entry, sizeof(entry));
}

static int make_vm(int hypervisor)
{
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };
	int vm = ask(hypervisor, KVM_CREATE_VM, NULL);

	memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	region.userspace_addr = (uintptr_t)memory;
	ask(vm, KVM_SET_USER_MEMORY_REGION, &region);
	ask(vm, KVM_CREATE_IRQCHIP, NULL);
	memcpy(memory + GUEST_CODE, guest, (size_t)(guest_end - guest));
	set_vector(GUEST_IPI_VECTOR, on_ipi);
	set_vector(GUEST_TIMER_VECTOR, on_timer);
	return vm;
}

/* The processor's features as they are offered, and an x2APIC. */
static void set_cpuid(int hypervisor, int vcpu)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_MAX * sizeof(cpuid->entries[0]));

	if (!cpuid)
		err(1, "memory");
	cpuid->nent = CPUID_MAX;
	ask(hypervisor, KVM_GET_SUPPORTED_CPUID, cpuid);
	for (uint32_t i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= 1u << 21;
	ask(vcpu, KVM_SET_CPUID2, cpuid);
	free(cpuid);
}

static void make_processor(struct processor *processor, unsigned int id, int hypervisor, int vm)
{
	size_t size = (size_t)ask(hypervisor, KVM_GET_VCPU_MMAP_SIZE, NULL);

	processor->id = id;
	processor->fd = ask(vm, KVM_CREATE_VCPU, (void *)(uintptr_t)id);
	processor->run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, processor->fd, 0);
	if (processor->run == MAP_FAILED)
		err(1, "mmap");
	set_cpuid(hypervisor, processor->fd);
}

static void begin(const struct processor *processor, const uint8_t *code, uint32_t rsi,
		  uint32_t rdi)
{
	struct kvm_mp_state state = { .mp_state = KVM_MP_STATE_RUNNABLE };
	struct kvm_regs regs = {
		.rip = address(code),
		.rflags = 2,
		.rsp = GUEST_STACKS - 0x1000 * processor->id,
		.rbp = GUEST_COUNTS + sizeof(uint16_t) * processor->id,
		.rbx = !processor->id,
		.rsi = rsi,
		.rdi = rdi,
	};
	struct kvm_sregs sregs;

	memset(memory + regs.rbp, 0, sizeof(uint16_t));
	ask(processor->fd, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	ask(processor->fd, KVM_SET_SREGS, &sregs);
	ask(processor->fd, KVM_SET_REGS, &regs);
	ask(processor->fd, KVM_SET_MP_STATE, &state);
}

static uint64_t run(const struct processor *processor)
{
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		if (ioctl(processor->fd, KVM_RUN, NULL))
			err(1, "KVM_RUN");
		if (processor->run->exit_reason != KVM_EXIT_IO)
			errx(1, "unexpected exit %u", processor->run->exit_reason);
	} while (processor->run->io.port != GUEST_END_PORT);
	clock_gettime(CLOCK_MONOTONIC, &to);
	return (uint64_t)(to.tv_sec - from.tv_sec) * 1000000000 +
	       (uint64_t)(to.tv_nsec - from.tv_nsec);
}

static void *answer(void *argument)
{
	run(argument);
	return NULL;
}

/* The least of some rounds: what interrupts it only adds. */
static void measure_ipi(struct processor processors[2])
{
	uint64_t least = UINT64_MAX;
	pthread_t thread;

	begin(&processors[1], ipi_second, 0, 0);
	if (pthread_create(&thread, NULL, answer, &processors[1]))
		errx(1, "no thread");
	begin(&processors[0], ipi_ready, 0, 0);
	run(&processors[0]);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t time;

		begin(&processors[0], ipi_first, IPIS, 0);
		time = run(&processors[0]);
		if (time < least)
			least = time;
	}
	printf("ipi %.1f\n", (double)least / (2 * IPIS));
}

static uint64_t count_down(const struct processor *processor, uint32_t period, uint16_t *ticks)
{
	uint64_t time;

	begin(processor, timer, COUNT, period);
	time = run(processor);
	memcpy(ticks, memory + GUEST_COUNTS, sizeof(*ticks));
	return time;
}

/* The least of some rounds with and without: what interrupts them only adds. */
static void measure_timer(const struct processor *processor)
{
	uint64_t idle = UINT64_MAX, busy = UINT64_MAX;
	uint16_t ticks = 0;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint16_t none, some;
		uint64_t time = count_down(processor, 0, &none);

		if (time < idle)
			idle = time;
		time = count_down(processor, PERIOD, &some);
		if (none || !some)
			errx(1, "%u ticks without a timer, %u with one", none, some);
		if (time < busy) {
			busy = time;
			ticks = some;
		}
	}
	printf("timer %.1f\n", (double)(busy - idle) / ticks);
}

int main(int argc, char **argv)
{
	struct processor processors[2];
	int hypervisor, vm;

	if (argc != 2)
		errx(2, "usage: hypervisor_interrupts DEVICE");
	hypervisor = open(argv[1], O_RDWR | O_CLOEXEC);
	if (hypervisor < 0)
		err(1, "%s", argv[1]);
	vm = make_vm(hypervisor);
	for (unsigned int i = 0; i < 2; i++)
		make_processor(&processors[i], i, hypervisor, vm);
	measure_timer(&processors[0]);
	measure_ipi(processors);
	return 0;
}
