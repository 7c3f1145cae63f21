/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ABI_CLIENT_H
#define HUTCH_TESTS_ABI_CLIENT_H

/*
 * A client of the KVM ABI in as few lines as it takes: a VM with 1 MiB of memory, one vCPU
 * in real mode, TAP on standard output. It asks any hypervisor the same.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#define RAM_SIZE 0x100000
#define MAIN	 0x3000
#define STACK	 0x8000
#define PORT	 0xe9
#define GP	 13

static int device, vm, vcpu;
static struct kvm_run *run;
static uint8_t *ram;
static unsigned int number, failures;

static inline void check(bool good, const char *what)
{
	printf("%s %u %s\n", good ? "ok" : "not ok", ++number, what);
	failures += !good;
}

static inline void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static inline int request(int fd, unsigned long code, void *argument)
{
	int result = ioctl(fd, code, argument);

	return result < 0 ? -errno : result;
}

static inline void must(int fd, unsigned long code, void *argument, const char *what)
{
	if (ioctl(fd, code, argument) < 0)
		die(what);
}

static inline bool offers(long capability)
{
	return ioctl(device, KVM_CHECK_EXTENSION, capability) > 0;
}

struct one_msr {
	struct kvm_msrs header;
	struct kvm_msr_entry entry;
};

static inline bool set_msr(int of, uint32_t index, uint64_t value)
{
	struct one_msr msr = { .header.nmsrs = 1, .entry = { .index = index, .data = value } };

	return ioctl(of, KVM_SET_MSRS, &msr) == 1;
}

static inline bool get_msr(int of, uint32_t index, uint64_t *value)
{
	struct one_msr msr = { .header.nmsrs = 1, .entry = { .index = index } };
	bool there = ioctl(of, KVM_GET_MSRS, &msr) == 1;

	*value = msr.entry.data;
	return there;
}

static inline void on_alarm(int signal_number)
{
	(void)signal_number;
}

/* What the guest writes to PORT; -1 where it runs for so long without. */
static inline int next_byte(unsigned int milliseconds)
{
	const struct itimerval patience = { .it_value = { milliseconds / 1000,
							  milliseconds % 1000 * 1000 } };
	const struct itimerval none = { .it_value.tv_sec = 0 };
	int result;

	setitimer(ITIMER_REAL, &patience, NULL);
	result = ioctl(vcpu, KVM_RUN, 0);
	setitimer(ITIMER_REAL, &none, NULL);
	if (result < 0)
		return -1;
	if (run->exit_reason == KVM_EXIT_IO && run->io.port == PORT)
		return *((uint8_t *)run + run->io.data_offset);
	return -100 - (int)run->exit_reason;
}

/* From MAIN on, with these in ECX, EAX and EDX. */
static inline void begin(uint32_t ecx, uint64_t value)
{
	struct kvm_regs regs = { .rip = MAIN,
				 .rsp = STACK,
				 .rflags = 2,
				 .rcx = ecx,
				 .rax = (uint32_t)value,
				 .rdx = value >> 32 };

	must(vcpu, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

static inline void code(const void *bytes, size_t size)
{
	memcpy(ram + MAIN, bytes, size);
}

#define CODE(text) code(text, sizeof(text) - 1)

/* #GP says so, and stays there. */
static inline void write_handler(void)
{
	static const uint8_t says[] = { 0xb0, GP, 0xe6, PORT, 0xeb, 0xfa };
	const uint16_t entry[2] = { MAIN + 0x100, 0 };

	memcpy(ram + MAIN + 0x100, says, sizeof(says));
	memcpy(ram + 4 * GP, entry, sizeof(entry));
}

static inline int open_vcpu(unsigned long id)
{
	int fd = ioctl(vm, KVM_CREATE_VCPU, id);
	struct kvm_sregs sregs;

	if (fd < 0)
		die("KVM_CREATE_VCPU");
	must(fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cs.base = sregs.cs.selector = 0;
	must(fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	return fd;
}

static inline void open_all(const char *path)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE,
						      .flags = KVM_MEM_LOG_DIRTY_PAGES };
	const struct sigaction action = { .sa_handler = on_alarm };

	setvbuf(stdout, NULL, _IOLBF, 0);
	sigaction(SIGALRM, &action, NULL);
	device = open(path, O_RDWR | O_CLOEXEC);
	if (device < 0)
		die(path);
	vm = ioctl(device, KVM_CREATE_VM, 0);
	if (vm < 0)
		die("KVM_CREATE_VM");
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (ram == MAP_FAILED)
		die("mmap");
	region.userspace_addr = (uintptr_t)ram;
	must(vm, KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
	vcpu = open_vcpu(0);
	run = mmap(NULL, (size_t)ioctl(device, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
		   MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		die("mmap of a vCPU");
	write_handler();
}

static inline int close_all(void)
{
	printf("1..%u\n", number);
	return failures != 0;
}

#endif
