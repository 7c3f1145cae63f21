/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

#include "cli/info.h"
#include "x86/paging.h"
#include "x86/registers.h"
#include "x86/segment.h"

/*
 * What nobody says and everybody wants to know: whether the processor itself executes
 * a guest's kernel, or the hypervisor interprets it; and what an exit costs.
 *
 * Both are found out with one guest, in 64-bit mode and ring 0, as a kernel is: it
 * counts RCX down to zero, two instructions a round, and then writes a port. The same
 * two instructions, run in this process, are the measure: a processor that executes
 * them is about as fast in both places, an interpreter some hundred times slower. What
 * "fast" is on this machine does not matter then, though it be an emulated one itself.
 */

#define NATIVE_AT_LEAST (1.0 / 10) /* of the host's own speed */

#define MEMORY_SIZE	0x10000
#define PML4_GPA	0x1000
#define PDPT_GPA	0x2000
#define PD_GPA		0x3000
#define COUNT_CODE	0x4000
#define EXIT_CODE	0x4100
#define PORT		0xf4
#define ROUNDS_FIRST	10000ull
#define ROUNDS_MAX	1000000000ull
#define LONG_ENOUGH	0.005 /* seconds: the exit itself no longer counts */
#define LIMIT		5     /* seconds, for a hypervisor that never comes back */
#define BATCHES		51
#define BATCH_EXITS	40

static const uint8_t count_code[] = {
	0x48, 0xff, 0xc9, /* again: dec rcx */
	0x75, 0xfb,	  /*        jnz again */
	0xe6, PORT,	  /*        out PORT, al */
	0xeb, 0xf7,	  /*        jmp again */
};

static const uint8_t exit_code[] = {
	0xe6, PORT, /* again: out PORT, al */
	0xeb, 0xfc, /*        jmp again */
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static bool fails(struct info_measured *measured, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Keeps the reason. Returns false. */
static bool fails(struct info_measured *measured, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(measured->failure, sizeof(measured->failure), format, arguments);
	va_end(arguments);
	return false;
}

/* ---- the guest ------------------------------------------------------------------- */

static struct kvm_segment flat_segment(uint16_t selector, uint32_t rights)
{
	return (struct kvm_segment){
		.limit = 0xffffffff,
		.selector = selector,
		.type = rights & SEGMENT_TYPE,
		.s = 1,
		.present = 1,
		.l = !!(rights & SEGMENT_L),
		.db = !!(rights & SEGMENT_DB),
		.g = 1,
	};
}

static int load(struct hutch_vm *vm)
{
	const uint64_t pml4 = PDPT_GPA | PAGE_P | PAGE_RW, pdpt = PD_GPA | PAGE_P | PAGE_RW,
		       pd = PAGE_P | PAGE_RW | PAGE_PS; /* the first 2M, where they are */
	int error = hutch_memory_add(vm, 0, MEMORY_SIZE, 0);

	if (!error)
		error = hutch_memory_write(vm, PML4_GPA, &pml4, sizeof(pml4));
	if (!error)
		error = hutch_memory_write(vm, PDPT_GPA, &pdpt, sizeof(pdpt));
	if (!error)
		error = hutch_memory_write(vm, PD_GPA, &pd, sizeof(pd));
	if (!error)
		error = hutch_memory_write(vm, COUNT_CODE, count_code, sizeof(count_code));
	if (!error)
		error = hutch_memory_write(vm, EXIT_CODE, exit_code, sizeof(exit_code));
	return error;
}

static int enter_long_mode(struct hutch_vcpu *vcpu)
{
	struct kvm_sregs sregs;
	int error = hutch_vcpu_get_sregs(vcpu, &sregs);

	if (error)
		return error;
	sregs.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
	sregs.cr3 = PML4_GPA;
	sregs.cr4 = CR4_PAE;
	sregs.efer = IA32_EFER_LME | IA32_EFER_LMA;
	sregs.cs = flat_segment(0x08, SEGMENT_RIGHTS_CODE64);
	sregs.ss = sregs.ds = sregs.es = flat_segment(0x10, SEGMENT_RIGHTS_DATA32);
	return hutch_vcpu_set_sregs(vcpu, &sregs);
}

static int start_at(struct hutch_vcpu *vcpu, uint64_t rip, uint64_t rcx)
{
	const struct kvm_regs regs = { .rip = rip, .rcx = rcx, .rflags = RFLAGS_FIXED };

	return hutch_vcpu_set_regs(vcpu, &regs);
}

/* Runs to the next port write. */
static bool run_to_port(struct hutch_vcpu *vcpu, struct info_measured *measured)
{
	struct hutch_exit exit;

	if (hutch_vcpu_enter(vcpu, &exit))
		return fails(measured, "%s", hutch_error());
	if (exit.reason == HUTCH_EXIT_INTERRUPTED)
		return fails(measured, "a guest of two instructions took more than %d s", LIMIT);
	if (exit.reason != HUTCH_EXIT_IO || exit.io.port != PORT)
		return fails(measured, "the guest left with %s instead of writing its port",
			     hutch_exit_name(exit.reason));
	return true;
}

/* ---- how fast ring 0 is ------------------------------------------------------------ */

/* As in the guest, instruction for instruction. */
static double host_rate_once(void)
{
	for (uint64_t rounds = ROUNDS_FIRST;; rounds *= 4) {
		uint64_t count = rounds;
		double begin = now(), seconds;

		__asm__ volatile("1: dec %0; jnz 1b" : "+r"(count) : : "cc");
		seconds = now() - begin;
		if (seconds >= LONG_ENOUGH || rounds >= ROUNDS_MAX)
			return 2 * (double)rounds / seconds;
	}
}

/* The best of a few: others may have had the processor meanwhile. */
static double host_rate(void)
{
	double best = 0;

	for (unsigned int i = 0; i < 4; i++) {
		double rate = host_rate_once();

		best = rate > best ? rate : best;
	}
	return best;
}

static bool guest_rate(struct hutch_vcpu *vcpu, struct info_measured *measured)
{
	for (uint64_t rounds = ROUNDS_FIRST;; rounds *= 4) {
		double begin, seconds;

		/* Once for its pages to be in place before the clock starts. */
		if (start_at(vcpu, COUNT_CODE, 1))
			return fails(measured, "%s", hutch_error());
		if (!run_to_port(vcpu, measured))
			return false;
		if (start_at(vcpu, COUNT_CODE, rounds))
			return fails(measured, "%s", hutch_error());
		begin = now();
		if (!run_to_port(vcpu, measured))
			return false;
		seconds = now() - begin;
		measured->ring0_rate = 2 * (double)rounds / seconds;
		if (seconds >= LONG_ENOUGH || rounds >= ROUNDS_MAX)
			return true;
	}
}

/* ---- what an exit costs --------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double difference = *(const double *)a - *(const double *)b;

	return (difference > 0) - (difference < 0);
}

/* The bare loop: nothing but KVM_RUN and a look at the reason. */
static bool exit_round_trip(struct hutch_vcpu *vcpu, struct info_measured *measured)
{
	const struct kvm_run *run = hutch_vcpu_run_page(vcpu);
	double batches[BATCHES];

	if (start_at(vcpu, EXIT_CODE, 0))
		return fails(measured, "%s", hutch_error());
	for (unsigned int i = 0; i < BATCHES; i++) {
		double begin = now();

		for (unsigned int j = 0; j < BATCH_EXITS; j++) {
			if (ioctl(hutch_vcpu_fd(vcpu), KVM_RUN, NULL))
				return fails(measured, "KVM_RUN: %s", strerror(errno));
			if (run->exit_reason != KVM_EXIT_IO)
				return fails(measured, "the guest left with KVM exit %u",
					     run->exit_reason);
		}
		batches[i] = (now() - begin) / BATCH_EXITS * 1e9;
	}
	qsort(batches, BATCHES, sizeof(batches[0]), compare);
	measured->exit_ns = batches[BATCHES / 2];
	return true;
}

/* ---- all of it --------------------------------------------------------------------------- */

static struct hutch_vcpu *measured_vcpu;

static void give_up(int signal)
{
	(void)signal;
	hutch_vcpu_kick(measured_vcpu);
}

/* A hypervisor that never comes back is fetched back. */
static bool guest_rate_within_limit(struct hutch_vcpu *vcpu, struct info_measured *measured)
{
	const struct sigaction action = { .sa_handler = give_up };
	const struct itimerval limit = { .it_value.tv_sec = LIMIT }, none = { 0 };
	struct sigaction before;
	bool done;

	measured_vcpu = vcpu;
	sigaction(SIGALRM, &action, &before);
	setitimer(ITIMER_REAL, &limit, NULL);
	done = guest_rate(vcpu, measured);
	setitimer(ITIMER_REAL, &none, NULL);
	sigaction(SIGALRM, &before, NULL);
	return done;
}

bool info_measure(struct hutch *hutch, struct info_measured *measured)
{
	struct hutch_vm *vm = hutch_vm_create(hutch);
	struct hutch_vcpu *vcpu = NULL;
	bool done = false;

	memset(measured, 0, sizeof(*measured));
	if (vm && !load(vm))
		vcpu = hutch_vcpu_create(vm, 0);
	if (!vcpu || enter_long_mode(vcpu))
		fails(measured, "%s", hutch_error());
	else /* The bare loop first: entering through the library sets a signal mask. */
		done = exit_round_trip(vcpu, measured) && guest_rate_within_limit(vcpu, measured);
	hutch_vm_destroy(vm);
	if (!done)
		return false;
	measured->host_rate = host_rate();
	measured->ring0_native = measured->ring0_rate >= measured->host_rate * NATIVE_AT_LEAST;
	return true;
}
