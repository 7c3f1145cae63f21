/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The same guest as in hello.c and the same five steps, without the library: what it
 * does is to ask the kernel, by ioctls on /dev/kvm, on a VM and on a vCPU (Linux,
 * Documentation/virt/kvm/api.rst). Read the two side by side.
 */

#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define MEMORY_SIZE 0x10000

static const uint8_t code[] = {
	0xbe, 0x0d, 0x10, /*       mov  si, message                     */
	0xac,		  /* next: lodsb             its next character */
	0x84, 0xc0,	  /*       test al, al                          */
	0x74, 0x04,	  /*       jz   done         zero: that was all */
	0xe6, 0xe9,	  /*       out  0xe9, al     an exit: say it    */
	0xeb, 0xf7,	  /*       jmp  next                            */
	0xf4,		  /* done: hlt               an exit: the end   */
	'H',  'e',  'l',  'l', 'o', '!', '\n', 0,
};

static int ask(int fd, unsigned long request, const char *name, void *argument)
{
	int answer = ioctl(fd, request, argument);

	if (answer < 0)
		err(1, "%s", name);
	return answer;
}
#define ASK(fd, request, argument) ask(fd, request, #request, argument)

static void *map(size_t size, int flags, int fd)
{
	void *address = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (address == MAP_FAILED)
		err(1, "mmap");
	return address;
}

/* 1. Build memory: pages of this process become the guest's physical memory. */
static uint8_t *build_memory(int vm)
{
	uint8_t *memory = map(MEMORY_SIZE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	struct kvm_userspace_memory_region region = {
		.slot = 0,
		.guest_phys_addr = 0,
		.memory_size = MEMORY_SIZE,
		.userspace_addr = (uintptr_t)memory,
	};

	ASK(vm, KVM_SET_USER_MEMORY_REGION, &region);
	return memory;
}

/* 2. Load. */
static void load(uint8_t *memory)
{
	memcpy(memory + 0x1000, code, sizeof(code));
}

/* 3. Set up the vCPU: in real mode, as after RESET, but with its code at 0x1000. */
static void set_up(int vcpu)
{
	struct kvm_regs regs = { .rip = 0x1000, .rflags = 2 };
	struct kvm_sregs sregs;

	ASK(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	ASK(vcpu, KVM_SET_SREGS, &sregs);
	ASK(vcpu, KVM_SET_REGS, &regs);
}

int main(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int vm, vcpu;
	struct kvm_run *run;

	if (kvm < 0)
		err(1, "/dev/kvm");
	if (ASK(kvm, KVM_GET_API_VERSION, NULL) != KVM_API_VERSION)
		errx(1, "/dev/kvm: not version %d of its interface", KVM_API_VERSION);
	vm = ASK(kvm, KVM_CREATE_VM, NULL);
	load(build_memory(vm));
	vcpu = ASK(vm, KVM_CREATE_VCPU, NULL);
	/* The page in which the kernel says why the guest left. */
	run = map((size_t)ASK(kvm, KVM_GET_VCPU_MMAP_SIZE, NULL), MAP_SHARED, vcpu);
	set_up(vcpu);
	for (;;) {
		ASK(vcpu, KVM_RUN, NULL);   /* 4. enter */
		switch (run->exit_reason) { /* 5. answer the exit, and again */
		case KVM_EXIT_IO:
			if (run->io.port == 0xe9 && run->io.direction == KVM_EXIT_IO_OUT)
				putchar(*((char *)run + run->io.data_offset));
			break;
		case KVM_EXIT_HLT:
			return 0;
		default:
			errx(1, "exit reason %u, which nobody expected", run->exit_reason);
		}
	}
}
