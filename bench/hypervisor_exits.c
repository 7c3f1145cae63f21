/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What a hypervisor takes for an exit of each kind, seen by the barest client there can be:
 *
 *	hypervisor_exits DEVICE
 *
 * prints a line "kind nanoseconds" for each. In a bed whose clock counts instructions
 * these are the host's instructions, and bench/hypervisor compares two devices by them.
 */

#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>

#define MEMORY_SIZE 0xa0000
#define CODE	    0x1000
#define TOUCHED	    0x10000 /* fresh pages begin here */
#define PAGE	    4096
#define PORT	    0xf4
#define END_PORT    0xf5
#define ROUNDS	    9
#define MANY	    1000

/* Real mode; SI counts, and the guest ends with OUT to END_PORT. */
static const uint8_t cpuid_code[] = {
	0xbe, MANY & 0xff, MANY >> 8, /*        mov si, MANY */
	0x66, 0x31,	   0xc0,      /* again: xor eax, eax */
	0x0f, 0xa2,		      /*        cpuid */
	0x4e,			      /*        dec si */
	0x75, 0xf8,		      /*        jnz again */
	0xe6, END_PORT,
};

static const uint8_t port_code[] = {
	0xbe, MANY & 0xff, MANY >> 8, /*        mov si, MANY */
	0xe6, PORT,		      /* again: out PORT, al */
	0x4e,			      /*        dec si */
	0x75, 0xfb,		      /*        jnz again */
	0xe6, END_PORT,
};

static const uint8_t mmio_code[] = {
	0xbe, MANY & 0xff, MANY >> 8, /*        mov si, MANY */
	0xb8, 0x00,	   0xd0,      /*        mov ax, 0xd000 */
	0x8e, 0xd8,		      /*        mov ds, ax */
	0xa2, 0x00,	   0x00,      /* again: mov [0], al */
	0x4e,			      /*        dec si */
	0x75, 0xfa,		      /*        jnz again */
	0xe6, END_PORT,
};

#define PAGES ((MEMORY_SIZE - TOUCHED) / PAGE)

static const uint8_t memory_code[] = {
	0xbe, PAGES & 0xff, PAGES >> 8,		       /*        mov si, PAGES */
	0xb8, 0x00,	    TOUCHED >> 12,	       /*        mov ax, TOUCHED >> 4 */
	0x8e, 0xd8,				       /* again: mov ds, ax */
	0xc6, 0x06,	    0x00,	   0x00, 0x01, /*        mov byte [0], 1 */
	0x05, 0x00,	    0x01,		       /*        add ax, PAGE >> 4 */
	0x4e,					       /*        dec si */
	0x75, 0xf3,				       /*        jnz again */
	0xe6, END_PORT,
};

struct client {
	int vm, vcpu;
	struct kvm_run *run;
	uint8_t *memory;
};

static int ask(int fd, unsigned long request, void *argument)
{
	int answer = ioctl(fd, request, argument);

	if (answer < 0)
		err(1, "ioctl 0x%lx", request);
	return answer;
}

static void set_memory(const struct client *client, uint64_t size)
{
	struct kvm_userspace_memory_region region = { .memory_size = size };

	region.userspace_addr = (uintptr_t)client->memory;
	ask(client->vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void make(struct client *client, const char *device)
{
	int hypervisor = open(device, O_RDWR | O_CLOEXEC);

	if (hypervisor < 0)
		err(1, "%s", device);
	client->vm = ask(hypervisor, KVM_CREATE_VM, NULL);
	client->memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (client->memory == MAP_FAILED)
		err(1, "mmap");
	madvise(client->memory, MEMORY_SIZE, MADV_NOHUGEPAGE);
	memset(client->memory, 0, MEMORY_SIZE);
	set_memory(client, MEMORY_SIZE);
	client->vcpu = ask(client->vm, KVM_CREATE_VCPU, NULL);
	client->run = mmap(NULL, (size_t)ask(hypervisor, KVM_GET_VCPU_MMAP_SIZE, NULL),
			   PROT_READ | PROT_WRITE, MAP_SHARED, client->vcpu, 0);
	if (client->run == MAP_FAILED)
		err(1, "mmap");
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void begin_at_code(const struct client *client)
{
	struct kvm_regs regs = { .rip = CODE, .rflags = 2 };
	struct kvm_sregs sregs;

	ask(client->vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	ask(client->vcpu, KVM_SET_SREGS, &sregs);
	ask(client->vcpu, KVM_SET_REGS, &regs);
}

static bool has_ended(const struct kvm_run *run)
{
	if (run->exit_reason == KVM_EXIT_IO)
		return run->io.port == END_PORT;
	if (run->exit_reason != KVM_EXIT_MMIO)
		errx(1, "unexpected exit %u", run->exit_reason);
	return false;
}

static uint64_t once(const struct client *client)
{
	uint64_t start;

	begin_at_code(client);
	start = now();
	do {
		if (ioctl(client->vcpu, KVM_RUN, NULL))
			err(1, "KVM_RUN");
	} while (!has_ended(client->run));
	return now() - start;
}

/* The least of some rounds: what interrupts it only adds. */
static void measure(const struct client *client, const char *kind, const uint8_t *code, size_t size,
		    unsigned int exits, bool anew)
{
	uint64_t least = UINT64_MAX;

	memcpy(client->memory + CODE, code, size);
	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t time;

		if (anew) {
			set_memory(client, 0);
			set_memory(client, MEMORY_SIZE);
		}
		time = once(client);
		if (time < least)
			least = time;
	}
	printf("%s %.1f\n", kind, (double)least / exits);
}

int main(int argc, char **argv)
{
	struct client client;

	if (argc != 2)
		errx(2, "usage: hypervisor_exits DEVICE");
	make(&client, argv[1]);
	measure(&client, "cpuid", cpuid_code, sizeof(cpuid_code), MANY, false);
	measure(&client, "port", port_code, sizeof(port_code), MANY, false);
	measure(&client, "mmio", mmio_code, sizeof(mmio_code), MANY, false);
	measure(&client, "memory", memory_code, sizeof(memory_code), PAGES, true);
	return 0;
}
