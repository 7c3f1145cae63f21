/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The log of written pages as a VMM sees it (Linux, Documentation/virt/kvm/api.rst, 4.8):
 *
 *	dirty_log DEVICE
 *
 * A guest writes a byte into some of its pages, and exactly these are in the log; then it
 * writes more of them than any log of a processor's holds, while another thread asks. TAP.
 */

#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define PAGE	    4096u
#define PAGES	    2048u
#define MEMORY_SIZE (PAGES * PAGE)
#define CODE	    0x1000
#define PORT	    0xf4

/* 32 bits without paging: writes to ECX pages from EBX on, each EDX bytes further. */
static const uint8_t code[] = {
	0xfe, 0x03, /* again: inc byte [ebx] */
	0x01, 0xd3, /*        add ebx, edx */
	0x49,	    /*        dec ecx */
	0x75, 0xf9, /*        jnz again */
	0xe6, PORT, /*        out PORT, al */
};

static int vm, vcpu, number, failures;
static uint8_t *memory;
static struct kvm_run *run;
static uint64_t log_bits[PAGES / 64], seen[PAGES / 64];

static int ask(int fd, unsigned long request, void *argument)
{
	int answer = ioctl(fd, request, argument);

	if (answer < 0)
		err(1, "ioctl 0x%lx", request);
	return answer;
}

static void check(const char *what, bool holds)
{
	failures += !holds;
	printf("%sok %d %s\n", holds ? "" : "not ", ++number, what);
}

static void set_memory(bool log)
{
	struct kvm_userspace_memory_region region = {
		.flags = log ? KVM_MEM_LOG_DIRTY_PAGES : 0,
		.memory_size = MEMORY_SIZE,
		.userspace_addr = (uintptr_t)memory,
	};

	ask(vm, KVM_SET_USER_MEMORY_REGION, &region);
}

static void make(const char *device)
{
	struct kvm_sregs sregs;
	int hypervisor = open(device, O_RDWR | O_CLOEXEC);

	if (hypervisor < 0)
		err(1, "%s", device);
	vm = ask(hypervisor, KVM_CREATE_VM, NULL);
	memory =
		mmap(NULL, MEMORY_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		err(1, "mmap");
	memcpy(memory + CODE, code, sizeof(code));
	set_memory(false);
	vcpu = ask(vm, KVM_CREATE_VCPU, NULL);
	run = mmap(NULL, (size_t)ask(hypervisor, KVM_GET_VCPU_MMAP_SIZE, NULL),
		   PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		err(1, "mmap");
	ask(vcpu, KVM_GET_SREGS, &sregs);
	sregs.cs.base = sregs.cs.selector = 0;
	sregs.cs.limit = sregs.ds.limit = sregs.es.limit = sregs.ss.limit = UINT32_MAX;
	sregs.cs.g = sregs.ds.g = sregs.es.g = sregs.ss.g = 1;
	sregs.cs.db = sregs.ds.db = sregs.es.db = sregs.ss.db = 1;
	sregs.cs.type = 0xb;
	sregs.cr0 |= 1;
	ask(vcpu, KVM_SET_SREGS, &sregs);
}

static void guest_writes(unsigned int first, unsigned int count, unsigned int step)
{
	struct kvm_regs regs = {
		.rip = CODE,
		.rflags = 2,
		.rbx = first * PAGE,
		.rcx = count,
		.rdx = step * PAGE,
	};

	ask(vcpu, KVM_SET_REGS, &regs);
	do {
		ask(vcpu, KVM_RUN, NULL);
	} while (run->exit_reason == KVM_EXIT_INTR);
	if (run->exit_reason != KVM_EXIT_IO)
		errx(1, "unexpected exit %u", run->exit_reason);
}

static void get_log(void)
{
	struct kvm_dirty_log log = { .dirty_bitmap = log_bits };

	memset(log_bits, 0, sizeof(log_bits));
	ask(vm, KVM_GET_DIRTY_LOG, &log);
}

/* Whether the log has these pages and no others. */
static bool log_is(unsigned int first, unsigned int count, unsigned int step)
{
	uint64_t expected[PAGES / 64] = { 0 };

	get_log();
	for (unsigned int i = 0, page = first; i < count; i++, page += step)
		expected[page / 64] |= 1ull << (page % 64);
	return !memcmp(expected, log_bits, sizeof(expected));
}

static void collect(void)
{
	get_log();
	for (unsigned int i = 0; i < PAGES / 64; i++)
		seen[i] |= log_bits[i];
}

static volatile bool done;

static void *keep_asking(void *unused)
{
	while (!done)
		collect();
	return unused;
}

/* Nothing is lost between two who ask, however often. */
static bool while_asked(void)
{
	pthread_t thread;
	bool all = true;

	for (unsigned int round = 0; round < 4 && all; round++) {
		memset(seen, 0, sizeof(seen));
		done = false;
		if (pthread_create(&thread, NULL, keep_asking, NULL))
			errx(1, "no thread");
		guest_writes(512, 1500, 1);
		done = true;
		pthread_join(thread, NULL);
		collect();
		for (unsigned int page = 512; page < 512 + 1500; page++)
			all &= seen[page / 64] >> (page % 64) & 1;
	}
	return all;
}

int main(int argc, char **argv)
{
	if (argc != 2)
		errx(2, "usage: dirty_log DEVICE");
	make(argv[1]);
	guest_writes(256, 100, 1);
	set_memory(true);
	check("what was written before is not in the log", log_is(0, 0, 1));
	guest_writes(256, 10, 3);
	check("the pages that were written are", log_is(256, 10, 3));
	check("asked again, it is empty", log_is(0, 0, 1));
	guest_writes(258, 20, 2);
	check("a page is logged again", log_is(258, 20, 2));
	guest_writes(512, 1500, 1);
	check("1500 pages in one run", log_is(512, 1500, 1));
	check("while another thread asks", while_asked());
	set_memory(false);
	guest_writes(256, 10, 1);
	set_memory(true);
	check("logging begins anew", log_is(0, 0, 1));
	guest_writes(300, 3, 1);
	check("and goes on", log_is(300, 3, 1));
	printf("1..%d\n", number);
	return failures ? 1 : 0;
}
