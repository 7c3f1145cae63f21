/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What an exit costs: a guest that does nothing but write a port, answered by the
 * library's loop with a registered handler, and by the barest loop that there can be
 * around KVM_RUN. The two take turns, so that whatever else this machine does happens
 * to both; each turn's time for an exit is printed, and bench/exit makes figures of it.
 */

#include <err.h>
#include <fcntl.h>
#include <hutch/hutch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define MEMORY_SIZE 0x10000
#define PORT	    0xf4

static const uint8_t code[] = {
	0xe6, PORT, /* again: out PORT, al */
	0xeb, 0xfc, /*        jmp again */
};

/* The thread's own time: an exit does not sleep, and what others do meanwhile is not ours. */
static double now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

/* ---- the bare loop --------------------------------------------------------------- */

struct bare {
	int vcpu;
	struct kvm_run *run;
};

static int ask(int fd, unsigned long request, void *argument)
{
	int answer = ioctl(fd, request, argument);

	if (answer < 0)
		err(1, "ioctl 0x%lx", request);
	return answer;
}

static void bare_make(struct bare *bare)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm;
	struct kvm_userspace_memory_region region = { .memory_size = MEMORY_SIZE };
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;
	uint8_t *memory;

	if (kvm < 0)
		err(1, "/dev/kvm");
	vm = ask(kvm, KVM_CREATE_VM, NULL);
	memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	region.userspace_addr = (uintptr_t)memory;
	ask(vm, KVM_SET_USER_MEMORY_REGION, &region);
	bare->vcpu = ask(vm, KVM_CREATE_VCPU, NULL);
	bare->run = mmap(NULL, (size_t)ask(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL),
			 PROT_READ | PROT_WRITE, MAP_SHARED, bare->vcpu, 0);
	if (memory == MAP_FAILED || bare->run == MAP_FAILED)
		err(1, "mmap");
	memcpy(memory + 0x1000, code, sizeof(code));
	ask(bare->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	ask(bare->vcpu, KVM_SET_SREGS, &sregs);
	ask(bare->vcpu, KVM_SET_REGS, &regs);
}

static unsigned long bare_run(struct bare *bare, unsigned long exits)
{
	unsigned long sum = 0;

	while (exits--) {
		if (ioctl(bare->vcpu, KVM_RUN, NULL))
			err(1, "KVM_RUN");
		if (bare->run->exit_reason != KVM_EXIT_IO || bare->run->io.port != PORT)
			errx(1, "unexpected exit %u", bare->run->exit_reason);
		sum += *((uint8_t *)bare->run + bare->run->io.data_offset) + 1u;
	}
	return sum;
}

/* ---- ours ---------------------------------------------------------------------------- */

struct ours {
	struct hutch_vcpu *vcpu;
	unsigned long left, sum;
};

static enum hutch_verdict handle(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	struct ours *ours = context;

	(void)vcpu;
	ours->sum += *(uint8_t *)exit->io.data + 1u;
	return --ours->left ? HUTCH_RESUME : HUTCH_ABORT;
}

static enum hutch_verdict other(struct hutch_vcpu *vcpu, struct hutch_exit *exit, void *context)
{
	(void)vcpu;
	(void)exit;
	(void)context;
	return HUTCH_PASS;
}

static void ours_make(struct ours *ours)
{
	struct hutch *hutch = hutch_open(NULL);
	struct hutch_vm *vm = hutch ? hutch_vm_create(hutch) : NULL;
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;

	ours->vcpu = vm ? hutch_vcpu_create(vm, 0) : NULL;
	if (!ours->vcpu || hutch_memory_add(vm, 0, MEMORY_SIZE, 0) ||
	    hutch_memory_write(vm, 0x1000, code, sizeof(code)) ||
	    hutch_vcpu_get_sregs(ours->vcpu, &sregs))
		errx(1, "%s", hutch_error());
	sregs.cs.base = sregs.cs.selector = 0;
	if (hutch_vcpu_set_sregs(ours->vcpu, &sregs) || hutch_vcpu_set_regs(ours->vcpu, &regs) ||
	    hutch_vm_on_port(vm, PORT, PORT, handle, ours))
		errx(1, "%s", hutch_error());
	/* As many devices as a PC has, so that there is something to look through. */
	for (unsigned int port = 0x20; port < 0x20 + 16 * 8; port += 8)
		if (hutch_vm_on_port(vm, (uint16_t)port, (uint16_t)(port + 3), other, NULL))
			errx(1, "%s", hutch_error());
}

static unsigned long ours_run(struct ours *ours, unsigned long exits)
{
	ours->left = exits;
	ours->sum = 0;
	if (hutch_vcpu_run(ours->vcpu) != 1)
		errx(1, "%s", hutch_error());
	return ours->sum;
}

int main(int argc, char **argv)
{
	unsigned int turns = argc > 1 ? (unsigned int)atoi(argv[1]) : 301;
	unsigned long exits = argc > 2 ? strtoul(argv[2], NULL, 0) : 400;
	bool handler = argc < 4 || strcmp(argv[3], "no-handler");
	struct bare bare;
	struct ours ours;

	if (handler && hutch_use_signal_handler())
		errx(1, "%s", hutch_error());
	bare_make(&bare);
	ours_make(&ours);
	/* A turn of each that nobody counts: pages come in, caches fill. */
	if (bare_run(&bare, exits) != ours_run(&ours, exits))
		errx(1, "the two guests did not do the same");
	for (unsigned int turn = 0; turn < turns; turn++) {
		double begin = now_ns(), middle;

		bare_run(&bare, exits);
		middle = now_ns();
		ours_run(&ours, exits);
		printf("%.1f %.1f\n", (middle - begin) / (double)exits,
		       (now_ns() - middle) / (double)exits);
	}
	return 0;
}
