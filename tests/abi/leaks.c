/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Nothing of one guest's is seen by another, nor by the VMM, and nothing of the VMM's is
 * lost: two VMs take turns on one CPU, each fills every register with patterns of its own,
 * leaves, comes back and writes down what it finds, while the VMM's thread looks after
 * its own registers.
 *
 *	leaks DEVICE [WORDS]
 *
 * Of the words, no-cr2 says that the processor does not bring a guest's CR2 back, as
 * Bochs's AMD-V does not; others are for other programs.
 * A guest runs in 64-bit mode. FRAME is where its registers come from, and behind it is
 * where they go. TAP on standard output.
 */

#include <asm/ldt.h>
#include <cpuid.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hw_breakpoint.h>
#include <linux/kvm.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define RAM_SIZE   0x200000
#define TABLES	   0x1000
#define CODE	   0x10000
#define WAITING	   0x18000 /* a guest that waits for a word here */
#define FRAME	   0x20000
#define FOUND	   0x21000
#define ROUNDS	   200
#define LDT_ROUNDS 20
#define PORT	   0x80

#define MSRS	   11
#define GPRS	   16

/* All registers, as the guest's code knows them: its offsets stand in the code. */
struct frame {
	uint8_t fxsave[512]; /* SDM 1, table 10-2 */
	uint8_t ymm[16][32];
	uint64_t dr[4]; /* 0x400 */
	uint64_t cr2;	/* 0x420 */
	uint64_t gpr[GPRS];
	uint64_t msr[MSRS]; /* 0x4a8 */
	uint64_t has_ymm;   /* 0x500 */
};
_Static_assert(offsetof(struct frame, dr) == 0x400 && offsetof(struct frame, gpr) == 0x428 &&
		       offsetof(struct frame, msr) == 0x4a8 &&
		       offsetof(struct frame, has_ymm) == 0x500,
	       "as the guest's code has it");

#define STRING(...) #__VA_ARGS__
#define TEXT(...)   STRING(__VA_ARGS__)

/* In the order of struct frame's MSRs, which the guest's code keeps, too. */
#define MSR_INDEXES                                                                                \
	0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102, 0x174, \
		0x175, 0x176, 0xc0000103

/* Registers in; OUT 80H; registers out, to the page behind; OUT 81H; and again. */
/* clang-format off */
asm(".pushsection .rodata\n"
    "guest_begin:\n"
    "	mov $" TEXT(FRAME) ", %ebp\n"
    "	fxrstor64 (%rbp)\n"
    "	cmpq $0, 0x500(%rbp)\n"
    "	je 1f\n"
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "	vmovdqu 0x200+32*\\n(%rbp), %ymm\\n\n"
    ".endr\n"
    "1:\n"
    ".irp n, 0,1,2,3\n"
    "	mov 0x400+8*\\n(%rbp), %rax\n"
    "	mov %rax, %db\\n\n"
    ".endr\n"
    "	mov 0x420(%rbp), %rax\n"
    "	mov %rax, %cr2\n"
    "	xor %esi, %esi\n"
    "2:	lea guest_msrs(%rip), %rdi\n"
    "	mov (%rdi,%rsi,4), %ecx\n"
    "	mov 0x4a8(%rbp,%rsi,8), %eax\n"
    "	mov 0x4ac(%rbp,%rsi,8), %edx\n"
    "	wrmsr\n"
    "	inc %esi\n"
    "	cmp $" TEXT(MSRS) ", %esi\n"
    "	jb 2b\n"
    "	mov 0x428+8*1(%rbp), %rcx\n"
    "	mov 0x428+8*2(%rbp), %rdx\n"
    "	mov 0x428+8*3(%rbp), %rbx\n"
    "	mov 0x428+8*4(%rbp), %rsp\n"
    "	mov 0x428+8*6(%rbp), %rsi\n"
    "	mov 0x428+8*7(%rbp), %rdi\n"
    ".irp n, 8,9,10,11,12,13,14,15\n"
    "	mov 0x428+8*\\n(%rbp), %r\\n\n"
    ".endr\n"
    "	mov 0x428(%rbp), %rax\n"
    "	mov 0x428+8*5(%rbp), %rbp\n"
    "	out %al, $0x80\n"
    "	movabs %rax, " TEXT(FOUND) "+0x428\n"
    "	mov %rbp, %rax\n"
    "	movabs %rax, " TEXT(FOUND) "+0x428+8*5\n"
    "	mov $" TEXT(FOUND) ", %ebp\n"
    "	mov %rcx, 0x428+8*1(%rbp)\n"
    "	mov %rdx, 0x428+8*2(%rbp)\n"
    "	mov %rbx, 0x428+8*3(%rbp)\n"
    "	mov %rsp, 0x428+8*4(%rbp)\n"
    "	mov %rsi, 0x428+8*6(%rbp)\n"
    "	mov %rdi, 0x428+8*7(%rbp)\n"
    ".irp n, 8,9,10,11,12,13,14,15\n"
    "	mov %r\\n, 0x428+8*\\n(%rbp)\n"
    ".endr\n"
    "	fxsave64 (%rbp)\n"
    "	cmpq $0, 0x500-0x1000(%rbp)\n"
    "	je 1f\n"
    ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"
    "	vmovdqu %ymm\\n, 0x200+32*\\n(%rbp)\n"
    ".endr\n"
    "1:\n"
    ".irp n, 0,1,2,3\n"
    "	mov %db\\n, %rax\n"
    "	mov %rax, 0x400+8*\\n(%rbp)\n"
    ".endr\n"
    "	mov %cr2, %rax\n"
    "	mov %rax, 0x420(%rbp)\n"
    "	xor %esi, %esi\n"
    "2:	lea guest_msrs(%rip), %rdi\n"
    "	mov (%rdi,%rsi,4), %ecx\n"
    "	rdmsr\n"
    "	mov %eax, 0x4a8(%rbp,%rsi,8)\n"
    "	mov %edx, 0x4ac(%rbp,%rsi,8)\n"
    "	inc %esi\n"
    "	cmp $" TEXT(MSRS) ", %esi\n"
    "	jb 2b\n"
    "	out %al, $0x81\n"
    "	jmp guest_begin\n"
    "guest_msrs:\n"
    "	.long " TEXT(MSR_INDEXES) "\n"
    "guest_end:\n"
    /* Says that it is here, and waits. */
    "waiting_begin:\n"
    "	mov $" TEXT(FRAME) ", %ebp\n"
    "	movl $1, (%rbp)\n"
    "1:	pause\n"
    "	cmpl $1, (%rbp)\n"
    "	je 1b\n"
    "	out %al, $0x82\n"
    "	jmp waiting_begin\n"
    "waiting_end:\n"
    ".popsection\n");
/* clang-format on */
extern const uint8_t guest_begin[], guest_end[], waiting_begin[], waiting_end[];

struct house {
	int vm, vcpu;
	struct kvm_run *run;
	uint8_t *ram;
};

static int device;
static unsigned int number, failures;
static bool has_ymm, has_cr2 = true;

static void check(bool good, const char *what)
{
	printf("%s %u %s\n", good ? "ok" : "not ok", ++number, what);
	failures += !good;
}

static void die(const char *what)
{
	printf("Bail out! %s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int result, const char *what)
{
	if (result < 0)
		die(what);
}

/* ---- guests ------------------------------------------------------------------------------- */

static void long_mode(struct house *house, uint64_t rip)
{
	struct kvm_segment code = {
		.limit = UINT32_MAX, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	struct kvm_segment data = { .limit = UINT32_MAX,
				    .selector = 16,
				    .type = 3,
				    .present = 1,
				    .s = 1,
				    .db = 1,
				    .g = 1 };
	struct kvm_regs regs = { .rip = rip, .rflags = 2 };
	struct kvm_xcrs xcrs = { .nr_xcrs = 1, .xcrs = { { .xcr = 0, .value = 7 } } };
	uint64_t *tables = (uint64_t *)(house->ram + TABLES);
	struct kvm_sregs sregs;

	tables[0] = (TABLES + 0x1000) | 3;
	tables[512] = (TABLES + 0x2000) | 3;
	tables[1024] = 0x83;
	must(ioctl(house->vcpu, KVM_GET_SREGS, &sregs), "KVM_GET_SREGS");
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.ss = sregs.fs = sregs.gs = data;
	sregs.cr0 = 0x80000033;
	sregs.cr3 = TABLES;
	sregs.cr4 = 0x620 | (has_ymm ? 1 << 18 : 0); /* PAE, OSFXSR, OSXMMEXCPT, OSXSAVE */
	sregs.efer = 0x501;
	must(ioctl(house->vcpu, KVM_SET_SREGS, &sregs), "KVM_SET_SREGS");
	must(ioctl(house->vcpu, KVM_SET_REGS, &regs), "KVM_SET_REGS");
	if (has_ymm)
		must(ioctl(house->vcpu, KVM_SET_XCRS, &xcrs), "KVM_SET_XCRS");
}

/* What the guest may use is what the hypervisor offers. */
static void show_cpuid(struct house *house)
{
	static union {
		struct kvm_cpuid2 cpuid;
		uint8_t room[sizeof(struct kvm_cpuid2) + 256 * sizeof(struct kvm_cpuid_entry2)];
	} offered;

	offered.cpuid.nent = 256;
	must(ioctl(device, KVM_GET_SUPPORTED_CPUID, &offered), "KVM_GET_SUPPORTED_CPUID");
	must(ioctl(house->vcpu, KVM_SET_CPUID2, &offered), "KVM_SET_CPUID2");
}

static struct house build(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM_SIZE };
	struct house house;

	house.ram =
		mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (house.ram == MAP_FAILED)
		die("memory");
	memcpy(house.ram + CODE, guest_begin, (size_t)(guest_end - guest_begin));
	memcpy(house.ram + WAITING, waiting_begin, (size_t)(waiting_end - waiting_begin));
	must(house.vm = ioctl(device, KVM_CREATE_VM, 0), "KVM_CREATE_VM");
	region.userspace_addr = (uintptr_t)house.ram;
	must(ioctl(house.vm, KVM_SET_USER_MEMORY_REGION, &region), "KVM_SET_USER_MEMORY_REGION");
	must(house.vcpu = ioctl(house.vm, KVM_CREATE_VCPU, 0), "KVM_CREATE_VCPU");
	house.run = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_SHARED, house.vcpu, 0);
	if (house.run == MAP_FAILED)
		die("kvm_run");
	show_cpuid(&house);
	return house;
}

static void tear_down(struct house *house)
{
	munmap(house->run, 3 * 4096);
	close(house->vcpu);
	close(house->vm);
	munmap(house->ram, RAM_SIZE);
}

/* xorshift64: G. Marsaglia, "Xorshift RNGs", 2003 */
static uint64_t roll(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15;

	state ^= state << 13;
	state ^= state >> 7;
	return state ^= state << 17;
}

static void make_frame(struct frame *frame)
{
	static const uint64_t widths[MSRS] = { [3] = UINT32_MAX, [7] = 0xffff, [10] = UINT32_MAX };
	uint64_t *words = (uint64_t *)frame;

	for (size_t i = 0; i < sizeof(*frame) / 8; i++)
		words[i] = roll();
	memset(frame->fxsave, 0, 32);
	*(uint16_t *)&frame->fxsave[0] = 0x37f;	  /* FCW */
	frame->fxsave[4] = 0xff;		  /* all of the x87's registers are in use */
	*(uint32_t *)&frame->fxsave[24] = 0x1f80; /* MXCSR */
	for (unsigned int i = 0; i < 16; i++)
		memcpy(frame->fxsave + 160 + 16 * i, frame->ymm[i], 16);
	for (unsigned int i = 0; i < 4; i++)
		frame->dr[i] &= 0x7fffffffffff;
	for (unsigned int i = 0; i < MSRS; i++)
		frame->msr[i] &= widths[i] ? widths[i] : 0x7fffffffffff;
	frame->has_ymm = has_ymm;
}

/* What is in use of the x87's and SSE's state, and all else. */
static bool frames_agree(const struct frame *a, const struct frame *b)
{
	for (unsigned int i = 0; i < 8; i++)
		if (memcmp(a->fxsave + 32 + 16 * i, b->fxsave + 32 + 16 * i, 10))
			return false;
	return !memcmp(a->fxsave + 160, b->fxsave + 160, 256) &&
	       (!has_ymm || !memcmp(a->ymm, b->ymm, sizeof(a->ymm))) &&
	       !memcmp(a->dr, b->dr, sizeof(a->dr)) && (!has_cr2 || a->cr2 == b->cr2) &&
	       !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && !memcmp(a->msr, b->msr, sizeof(a->msr));
}

static bool found_again(const struct house *house)
{
	return frames_agree((struct frame *)(house->ram + FRAME),
			    (struct frame *)(house->ram + FOUND));
}

/* ---- the VMM's own registers ---------------------------------------------------------------- */

struct vectors {
	uint8_t registers[16][32];
} __attribute__((aligned(32)));

/* KVM_RUN between two looks at the vector registers, with no code of C's in between. */
#define RUN_WITH(load, store)                                                                     \
	asm volatile(".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n" load " 32*\\n(%[in]), "    \
		     "%%" REGISTER "\\n\n.endr\n"                                                 \
		     "syscall\n"                                                                  \
		     ".irp n, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n" store " %%" REGISTER       \
		     "\\n, 32*\\n(%[out])\n.endr\n"                                               \
		     : "+a"(result)                                                               \
		     : "D"((long)vcpu), "S"((long)KVM_RUN), "d"(0l), [in] "r"(in), [out] "r"(out) \
		     : "rcx", "r11", "memory", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5",    \
		       "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",        \
		       "xmm14", "xmm15")

static long run_with_vectors(int vcpu, const struct vectors *in, struct vectors *out)
{
	long result = SYS_ioctl;

	if (has_ymm) {
#define REGISTER "ymm"
		RUN_WITH("vmovdqu", "vmovdqu");
		asm volatile("vzeroupper");
#undef REGISTER
	} else {
#define REGISTER "xmm"
		RUN_WITH("movdqu", "movdqu");
#undef REGISTER
	}
	return result;
}

static bool vectors_agree(const struct vectors *a, const struct vectors *b)
{
	for (unsigned int i = 0; i < 16; i++)
		if (memcmp(a->registers[i], b->registers[i], has_ymm ? 32 : 16))
			return false;
	return true;
}

/* True: the guest has come as far as @port, and our own vector registers are as before. */
static bool go_to(struct house *house, uint16_t port)
{
	struct vectors mine, after;
	long result;

	for (unsigned int i = 0; i < 16; i++)
		for (unsigned int k = 0; k < 32; k += 8)
			*(uint64_t *)&mine.registers[i][k] = roll();
	result = run_with_vectors(house->vcpu, &mine, &after);
	if (result || house->run->exit_reason != KVM_EXIT_IO || house->run->io.port != port)
		return false;
	return vectors_agree(&mine, &after);
}

static volatile uint32_t watched;

/* A breakpoint of ours in the processor's debug registers, which counts writes. */
static int watch(void)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_BREAKPOINT,
		.size = sizeof(attributes),
		.bp_type = HW_BREAKPOINT_W,
		.bp_addr = (uintptr_t)&watched,
		.bp_len = HW_BREAKPOINT_LEN_4,
		.exclude_kernel = 1,
		.exclude_hv = 1,
	};

	return (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

static __thread uint64_t of_this_thread = 0x1234567;
static uint64_t behind_gs[2] = { 0xfeedface, 0xcafe };

#define ARCH_SET_GS 0x1001
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004

static bool bases_are_mine(uint64_t fs)
{
	uint64_t now = 0, gs = 0, read;

	syscall(SYS_arch_prctl, ARCH_GET_FS, &now);
	syscall(SYS_arch_prctl, ARCH_GET_GS, &gs);
	asm volatile("mov %%gs:8, %0" : "=r"(read));
	return now == fs && gs == (uintptr_t)behind_gs && read == behind_gs[1] &&
	       of_this_thread == 0x1234567;
}

/* ---- taking turns ------------------------------------------------------------------------------ */

static void take_turns(void)
{
	struct house houses[2] = { build(), build() };
	bool vectors = true, frames = true, bases = true;
	uint64_t fs = 0, hits = 0;
	int breakpoint = watch();

	syscall(SYS_arch_prctl, ARCH_GET_FS, &fs);
	syscall(SYS_arch_prctl, ARCH_SET_GS, behind_gs);
	for (unsigned int i = 0; i < 2; i++)
		long_mode(&houses[i], CODE);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < 2; i++) {
			make_frame((struct frame *)(houses[i].ram + FRAME));
			vectors = go_to(&houses[i], PORT) && vectors;
		}
		bases = bases && bases_are_mine(fs);
		watched = round;
		for (unsigned int i = 0; i < 2; i++) {
			vectors = go_to(&houses[i], PORT + 1) && vectors;
			frames = frames && found_again(&houses[i]);
		}
	}
	check(vectors, "the VMM's vector registers stay its own");
	check(frames, "each guest finds its registers as it left them");
	check(bases, "the VMM's FS and GS stay its own");
	if (breakpoint >= 0 && read(breakpoint, &hits, sizeof(hits)) == sizeof(hits))
		check(hits == ROUNDS, "the VMM's breakpoint is hit each time, and by nobody else");
	if (breakpoint >= 0)
		close(breakpoint);
	tear_down(&houses[0]);
	tear_down(&houses[1]);
}

/* A vCPU that comes after those knows nothing of them. */
static void begins_with_nothing(void)
{
	struct house house = build();
	struct kvm_debugregs debug;
	struct kvm_regs regs;
	struct kvm_xsave xsave;
	struct {
		struct kvm_msrs header;
		struct kvm_msr_entry entries[4];
	} msrs = { .header.nmsrs = 4,
		   .entries = { { .index = 0xc0000081 },
				{ .index = 0xc0000082 },
				{ .index = 0xc0000102 },
				{ .index = 0x176 } } };
	bool nothing = true;

	must(ioctl(house.vcpu, KVM_GET_XSAVE, &xsave), "KVM_GET_XSAVE");
	must(ioctl(house.vcpu, KVM_GET_DEBUGREGS, &debug), "KVM_GET_DEBUGREGS");
	must(ioctl(house.vcpu, KVM_GET_REGS, &regs), "KVM_GET_REGS");
	must(ioctl(house.vcpu, KVM_GET_MSRS, &msrs), "KVM_GET_MSRS");
	for (unsigned int i = 8; i < 104; i++) /* x87 and SSE */
		nothing = nothing && !xsave.region[i];
	for (unsigned int i = 144; i < 208; i++) /* AVX */
		nothing = nothing && !xsave.region[i];
	for (unsigned int i = 0; i < 4; i++)
		nothing = nothing && !debug.db[i] && !msrs.entries[i].data;
	nothing = nothing && !regs.rax && !regs.rcx && !regs.rbx && !regs.rsp && !regs.r15;
	check(nothing, "a new vCPU begins with nothing of the others'");
	tear_down(&house);
}

/* ---- the LDT moves while the guest runs --------------------------------------------------------- */

static bool set_ldt(const uint32_t *base)
{
	struct user_desc entry = {
		.base_addr = (uint32_t)(uintptr_t)base, .limit = 0xfff, .seg_32bit = 1, .useable = 1
	};

	return !syscall(SYS_modify_ldt, 1, &entry, sizeof(entry));
}

static volatile uint32_t *guest_word;
static const uint32_t *new_base;

static void *move_ldt(void *unused)
{
	cpu_set_t second;

	(void)unused;
	CPU_ZERO(&second);
	CPU_SET(1, &second);
	if (sched_setaffinity(0, sizeof(second), &second))
		exit(1);
	while (*guest_word != 1)
		sched_yield();
	/* The guest is inside. */
	set_ldt(new_base);
	usleep(500);
	*guest_word = 2;
	return NULL;
}

static uint32_t read_through_ldt(void)
{
	uint32_t value;

	asm volatile("mov %[selector], %%gs\n"
		     "mov %%gs:0, %[value]\n"
		     "xor %%eax, %%eax\n"
		     "mov %%eax, %%gs\n"
		     : [value] "=&r"(value)
		     : [selector] "r"(7u)
		     : "eax", "memory");
	return value;
}

static bool ldt_moves(void)
{
	struct house house = build();
	uint32_t *pages = mmap(NULL, 0x2000, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	pthread_t mover;
	bool good;

	if (pages == MAP_FAILED)
		die("memory below 4 GiB");
	pages[0] = 0x01d;
	pages[1024] = 0x2e3;
	long_mode(&house, WAITING);
	if (!set_ldt(pages))
		die("modify_ldt");
	guest_word = (uint32_t *)(house.ram + FRAME);
	new_base = &pages[1024];
	if (pthread_create(&mover, NULL, move_ldt, NULL))
		die("thread");
	good = !ioctl(house.vcpu, KVM_RUN, 0) && read_through_ldt() == 0x2e3;
	pthread_join(mover, NULL);
	munmap(pages, 0x2000);
	tear_down(&house);
	return good;
}

int main(int argc, char **argv)
{
	uint32_t eax, ebx, ecx, edx;
	cpu_set_t first;

	if (argc < 2) {
		fprintf(stderr, "usage: leaks DEVICE [WORDS]\n");
		return 2;
	}
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], "no-cr2"))
			has_cr2 = false;
	device = open(argv[1], O_RDWR | O_CLOEXEC);
	if (device < 0)
		die(argv[1]);
	__cpuid(1, eax, ebx, ecx, edx);
	has_ymm = ecx & bit_OSXSAVE && ecx & bit_AVX;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	must(sched_setaffinity(0, sizeof(first), &first), "the first CPU");
	take_turns();
	begins_with_nothing();
	if (sysconf(_SC_NPROCESSORS_ONLN) > 1) {
		bool good = true;

		/* Another thread's turn on this CPU would hide it. */
		for (unsigned int i = 0; i < LDT_ROUNDS; i++)
			good = ldt_moves() && good;
		check(good, "an LDT that was moved meanwhile is where it is now");
	}
	printf("1..%u\n", number);
	return failures != 0;
}
