/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 *	breakpoints [DEVICE]
 *
 * A debugger of a guest: breakpoints in the debug registers, for code and for data, that
 * the guest knows nothing of, on /dev/hutch or any other hypervisor with the KVM ABI. TAP.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#define RAM_SIZE 0x4000
#define MAIN	 0x1000
#define VARIABLE 0x2000
#define HLT	 0x100c /* the guest's last instruction */

/* DR7: SDM 3, 17.2.4. A bit for each that is on, and four bits on when and how long. */
#define DR7_FIXED    0x400ull
#define DR7_G0	     (1ull << 1)
#define DR7_G1	     (1ull << 3)
#define DR7_WRITE1_2 (5ull << 20) /* breakpoint 1: two bytes, when written */

/* In real mode, and at last with what the guest finds in DR7 in AX. */
static const uint8_t code[] = {
	0x31,	       0xc0, /* 1000: xor %ax, %ax */
	0x40,		     /* 1002: inc %ax */
	0xa3,	       VARIABLE & 0xff,
	VARIABLE >> 8, /* 1003: mov %ax, VARIABLE */
	0x40,	       /* 1006: inc %ax */
	0x0f,	       0x21,
	0xfb,		     /* 1007: mov %dr7, %ebx */
	0x90,	       0x90, /* 100a */
	0xf4,		     /* 100c: hlt */
};

static unsigned int number;
static struct kvm_run *run;
static int vcpu;

static void check(bool good, const char *what)
{
	printf("%sok %u %s\n", good ? "" : "not ", ++number, what);
}

static int must(int result, const char *what)
{
	if (result < 0) {
		printf("Bail out! %s: %s\n", what, strerror(errno));
		exit(1);
	}
	return result;
}

static void start(int device)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE };
	struct kvm_regs regs = { .rip = MAIN, .rflags = 2 };
	struct kvm_sregs sregs;
	int vm = must(ioctl(device, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	int size = must(ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0), "KVM_GET_VCPU_MMAP_SIZE");
	uint8_t *ram =
		mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(ram == MAP_FAILED ? -1 : 0, "mmap");
	memcpy(ram + MAIN, code, sizeof(code));
	region.userspace_addr = (uintptr_t)ram;
	must(ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	vcpu = must(ioctl(vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	must(run == MAP_FAILED ? -1 : 0, "mmap of a vCPU");
	must(ioctl(vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs.base = sregs.cs.selector = 0;
	must(ioctl(vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(ioctl(vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
}

static void debug(uint64_t dr0, uint64_t dr1, uint64_t dr7)
{
	struct kvm_guest_debug wanted = {
		.control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_USE_HW_BP,
		.arch.debugreg = { dr0, dr1, 0, 0, 0, 0, 0, dr7 },
	};

	must(ioctl(vcpu, KVM_SET_GUEST_DEBUG, &wanted), "KVM_SET_GUEST_DEBUG");
}

static bool stops_at(uint64_t rip, uint64_t cause)
{
	must(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
	if (run->exit_reason == KVM_EXIT_DEBUG && run->debug.arch.exception == 1 &&
	    run->debug.arch.pc == rip && (run->debug.arch.dr6 & 0xf) == cause)
		return true;
	printf("# exit %u, exception %u at 0x%llx, DR6 0x%llx\n", run->exit_reason,
	       run->debug.arch.exception, run->debug.arch.pc, run->debug.arch.dr6);
	return false;
}

int main(int argc, char **argv)
{
	const char *path = argc > 1 ? argv[1] : "/dev/hutch";
	struct kvm_debugregs guests;
	struct kvm_regs regs;

	start(must(open(path, O_RDWR | O_CLOEXEC), path));
	debug(MAIN + 2, VARIABLE, DR7_FIXED | DR7_G0);
	check(stops_at(MAIN + 2, 1), "before the instruction at a breakpoint");
	debug(MAIN + 2, VARIABLE, DR7_FIXED | DR7_G1 | DR7_WRITE1_2);
	check(stops_at(MAIN + 6, 2), "behind the instruction that writes");
	must(ioctl(vcpu, KVM_GET_DEBUGREGS, &guests), "KVM_GET_DEBUGREGS");
	check(!guests.db[0] && !guests.db[1] && guests.dr7 == DR7_FIXED && !(guests.dr6 & 0xf),
	      "the guest's own registers are as they were");
	must(ioctl(vcpu, KVM_RUN, 0), "KVM_RUN");
	must(ioctl(vcpu, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	check(run->exit_reason == KVM_EXIT_HLT && regs.rip == HLT + 1, "then to the end");
	check(regs.rax == 2 && (uint32_t)regs.rbx == DR7_FIXED, "with its own DR7");
	printf("1..%u\n", number);
	return 0;
}
