/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * One vCPU on a real hypervisor: each kind of exit that a few bytes of code can
 * cause, and registers with and without system calls.
 */

#include <errno.h>
#include <stdlib.h>

#include "lib/system.h"
#include "tests/unit/guest_fixture.h"
#include "x86/paging.h"
#include "x86/registers.h"

#define ENDLESS 0xeb, 0xfe /* jmp to itself */

static struct hutch_exit enter(struct guest *guest)
{
	struct hutch_exit exit;

	assert_works(!hutch_vcpu_enter(guest->vcpu, &exit));
	return exit;
}

static void assert_exit(struct guest *guest, enum hutch_exit_reason reason)
{
	struct hutch_exit exit = enter(guest);
	char report[8192];

	if (exit.reason == reason)
		return;
	hutch_vcpu_report(guest->vcpu, report, sizeof(report));
	fail_msg("expected %s:\n%s", hutch_exit_name(reason), report);
}

static struct kvm_regs regs_of(struct guest *guest)
{
	struct kvm_regs regs;

	assert_works(!hutch_vcpu_get_regs(guest->vcpu, &regs));
	return regs;
}

/* A guest in 64-bit mode, its first 2M mapped at 2M too. */
static void enter_long_mode(struct guest *guest, uint64_t rip)
{
	static const uint64_t pml4 = 0x9000 | PAGE_P | PAGE_RW, pdpt = 0xa000 | PAGE_P | PAGE_RW;
	static const uint64_t pd[2] = { PAGE_P | PAGE_RW | PAGE_PS, PAGE_P | PAGE_RW | PAGE_PS };
	struct kvm_regs regs = { .rip = rip, .rflags = 2 };
	struct kvm_sregs sregs;

	assert_works(!hutch_memory_write(guest->vm, 0x8000, &pml4, sizeof(pml4)));
	assert_works(!hutch_memory_write(guest->vm, 0x9000, &pdpt, sizeof(pdpt)));
	assert_works(!hutch_memory_write(guest->vm, 0xa000, pd, sizeof(pd)));
	assert_works(!hutch_vcpu_get_sregs(guest->vcpu, &sregs));
	sregs.cr0 = CR0_PE | CR0_PG | CR0_ET;
	sregs.cr3 = 0x8000;
	sregs.cr4 = CR4_PAE;
	sregs.efer = IA32_EFER_LME | IA32_EFER_LMA;
	sregs.cs = (struct kvm_segment){
		.selector = 8, .limit = 0xffffffff, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	sregs.ds = sregs.es = sregs.ss = (struct kvm_segment){ .selector = 16,
							       .limit = 0xffffffff,
							       .type = 3,
							       .present = 1,
							       .s = 1,
							       .db = 1,
							       .g = 1 };
	assert_works(!hutch_vcpu_set_sregs(guest->vcpu, &sregs));
	assert_works(!hutch_vcpu_set_regs(guest->vcpu, &regs));
}

/* ---- exits -------------------------------------------------------------------- */

static void ports_are_written_and_read(void **state)
{
	/* mov eax, 0x12345678; out 0x42, eax; in al, 0x43; mov dx, 0x1234; in ax, dx; hlt */
	GUEST(guest, 0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x66, 0xe7, 0x42, 0xe4, 0x43, 0xba, 0x34,
	      0x12, 0xed, 0xf4);
	struct hutch_exit exit = enter(&guest);

	(void)state;
	assert_int_equal(exit.reason, HUTCH_EXIT_IO);
	assert_int_equal(exit.io.port, 0x42);
	assert_int_equal(exit.io.size, 4);
	assert_int_equal(exit.io.count, 1);
	assert_true(exit.io.write);
	assert_int_equal(*(uint32_t *)exit.io.data, 0x12345678);
	exit = enter(&guest);
	assert_int_equal(exit.io.port, 0x43);
	assert_false(exit.io.write);
	*(uint8_t *)exit.io.data = 0xab;
	exit = enter(&guest);
	assert_int_equal(regs_of(&guest).rax, 0x123456ab);
	assert_int_equal(exit.io.port, 0x1234);
	assert_int_equal(exit.io.size, 2);
	*(uint16_t *)exit.io.data = 0xcdef;
	assert_exit(&guest, HUTCH_EXIT_HLT);
	assert_int_equal(regs_of(&guest).rax, 0x1234cdef);
	assert_int_equal(hutch_vcpu_exits(guest.vcpu, HUTCH_EXIT_IO), 3);
	assert_int_equal(hutch_vcpu_exits(guest.vcpu, HUTCH_EXIT_HLT), 1);
	assert_int_equal(hutch_vcpu_exits(guest.vcpu, HUTCH_EXIT_COUNT), 0);
	guest_unmake(&guest);
}

static void strings_of_ports_come_in_parts(void **state)
{
	/* mov cx, 5; mov si, 0x2000; mov dx, 0x99; rep outsb; mov cx, 3; mov di, 0x3000; rep insw; hlt */
	GUEST(guest, 0xb9, 0x05, 0x00, 0xbe, 0x00, 0x20, 0xba, 0x99, 0x00, 0xf3, 0x6e, 0xb9, 0x03,
	      0x00, 0xbf, 0x00, 0x30, 0xf3, 0x6d, 0xf4);
	uint8_t written[5], read[6];
	unsigned int count = 0;
	struct hutch_exit exit;

	(void)state;
	assert_works(!hutch_memory_write(guest.vm, 0x2000, "hutch", 5));
	/* How many operands come with one exit is the hypervisor's choice. */
	while (count < 5) {
		exit = enter(&guest);
		assert_int_equal(exit.reason, HUTCH_EXIT_IO);
		assert_true(exit.io.write && exit.io.size == 1 && count + exit.io.count <= 5);
		memcpy(written + count, exit.io.data, exit.io.count);
		count += exit.io.count;
	}
	assert_memory_equal(written, "hutch", 5);
	for (count = 0; count < 3; count += exit.io.count) {
		exit = enter(&guest);
		assert_int_equal(exit.reason, HUTCH_EXIT_IO);
		assert_true(!exit.io.write && exit.io.size == 2 && count + exit.io.count <= 3);
		memcpy(exit.io.data, "abcdef" + 2 * count, (size_t)2 * exit.io.count);
	}
	assert_exit(&guest, HUTCH_EXIT_HLT);
	assert_works(!hutch_memory_read(guest.vm, 0x3000, read, 6));
	assert_memory_equal(read, "abcdef", 6);
	guest_unmake(&guest);
}

static void addresses_without_memory_are_mmio(void **state)
{
	/* mov ax, 0x2000; mov ds, ax; mov eax, [4]; mov [8], ax; hlt */
	GUEST(guest, 0xb8, 0x00, 0x20, 0x8e, 0xd8, 0x66, 0xa1, 0x04, 0x00, 0xa3, 0x08, 0x00, 0xf4);
	struct hutch_exit exit = enter(&guest);

	(void)state;
	assert_int_equal(exit.reason, HUTCH_EXIT_MMIO);
	assert_int_equal(exit.mmio.gpa, 0x20004);
	assert_int_equal(exit.mmio.size, 4);
	assert_false(exit.mmio.write);
	memcpy(exit.mmio.data, "\x01\x02\x03\x04", 4);
	exit = enter(&guest);
	assert_int_equal(exit.reason, HUTCH_EXIT_MMIO);
	assert_int_equal(exit.mmio.gpa, 0x20008);
	assert_int_equal(exit.mmio.size, 2);
	assert_true(exit.mmio.write);
	assert_memory_equal(exit.mmio.data, "\x01\x02", 2);
	assert_exit(&guest, HUTCH_EXIT_HLT);
	guest_unmake(&guest);
}

static void a_triple_fault_is_a_shutdown(void **state)
{
	/* ud2, with an interrupt table that has no room for a vector */
	GUEST(guest, 0x0f, 0x0b);
	struct kvm_sregs sregs;

	(void)state;
	enter_long_mode(&guest, GUEST_CODE);
	assert_works(!hutch_vcpu_get_sregs(guest.vcpu, &sregs));
	sregs.idt.limit = 0;
	assert_works(!hutch_vcpu_set_sregs(guest.vcpu, &sregs));
	assert_exit(&guest, HUTCH_EXIT_SHUTDOWN);
	guest_unmake(&guest);
}

static void code_outside_of_memory_is_an_internal_error(void **state)
{
	/* jmp 0x2000:0 */
	GUEST(guest, 0xea, 0x00, 0x00, 0x00, 0x20);
	struct hutch_exit exit = enter(&guest);
	char report[8192];

	(void)state;
	assert_int_equal(exit.reason, HUTCH_EXIT_INTERNAL_ERROR);
	assert_int_equal(exit.internal_error.suberror, KVM_INTERNAL_ERROR_EMULATION);
	hutch_vcpu_report(guest.vcpu, report, sizeof(report));
	assert_non_null(strstr(report, "cannot emulate"));
	assert_non_null(strstr(report, "linear 0x20000, physical 0x20000 (no memory there)"));
	guest_unmake(&guest);
}

static void msr_accesses_can_be_ours(void **state)
{
	/* mov ecx, 0x12345; rdmsr; mov ebx, eax; mov eax, 77; wrmsr; rdmsr; hlt */
	GUEST(guest, 0x66, 0xb9, 0x45, 0x23, 0x01, 0x00, 0x0f, 0x32, 0x66, 0x89, 0xc3, 0x66, 0xb8,
	      0x4d, 0x00, 0x00, 0x00, 0x0f, 0x30, 0x0f, 0x32, 0xf4);
	struct kvm_enable_cap cap = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
				      .args[0] = KVM_MSR_EXIT_REASON_UNKNOWN };
	struct hutch_exit exit;

	(void)state;
	if (!hutch_capability(guest.hutch, KVM_CAP_X86_USER_SPACE_MSR)) {
		guest_unmake(&guest);
		skip();
	}
	assert_works(!hutch_vm_ioctl(guest.vm, KVM_ENABLE_CAP, "KVM_ENABLE_CAP", &cap));
	exit = enter(&guest);
	assert_int_equal(exit.reason, HUTCH_EXIT_MSR_READ);
	assert_int_equal(exit.msr.index, 0x12345);
	*exit.msr.value = 0x1122334455667788;
	exit = enter(&guest);
	assert_int_equal(exit.reason, HUTCH_EXIT_MSR_WRITE);
	assert_int_equal(*exit.msr.value, 0x112233440000004d);
	exit = enter(&guest);
	assert_int_equal(exit.reason, HUTCH_EXIT_MSR_READ);
	assert_int_equal(regs_of(&guest).rbx, 0x55667788);
	/* #GP instead: real mode's vector 13 leads to an OUT. */
	assert_works(!hutch_memory_write(guest.vm, 0x34, "\x00\x50\x00\x00", 4));
	assert_works(!hutch_memory_write(guest.vm, 0x5000, "\xe6\x0d", 2)); /* out 13, al */
	*exit.msr.fault = true;
	exit = enter(&guest);
	assert_int_equal(exit.reason, HUTCH_EXIT_IO);
	assert_int_equal(exit.io.port, 13);
	guest_unmake(&guest);
}

static void single_steps_are_debug_exits(void **state)
{
	/* nop; nop; hlt */
	GUEST(guest, 0x90, 0x90, 0xf4);
	struct kvm_guest_debug debug = { .control = KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP };
	uint64_t rip = GUEST_CODE;
	struct hutch_exit exit;

	(void)state;
	assert_works(
		!hutch_vcpu_ioctl(guest.vcpu, KVM_SET_GUEST_DEBUG, "KVM_SET_GUEST_DEBUG", &debug));
	/* A step may be told before it is done as well (Bochs does, at the first). */
	for (unsigned int exits = 0; rip < GUEST_CODE + 2 && exits < 5; exits++) {
		exit = enter(&guest);
		assert_int_equal(exit.reason, HUTCH_EXIT_DEBUG);
		assert_int_equal(exit.debug.exception, 1);
		assert_in_range(exit.debug.rip, rip, rip + 1);
		rip = exit.debug.rip;
	}
	assert_int_equal(rip, GUEST_CODE + 2);
	debug.control = 0;
	assert_works(
		!hutch_vcpu_ioctl(guest.vcpu, KVM_SET_GUEST_DEBUG, "KVM_SET_GUEST_DEBUG", &debug));
	assert_exit(&guest, HUTCH_EXIT_HLT);
	guest_unmake(&guest);
}

static void an_interrupt_window_opens(void **state)
{
	/* cli; nop; sti; nop; jmp to itself */
	GUEST(guest, 0xfa, 0x90, 0xfb, 0x90, ENDLESS);
	struct kvm_run *run = hutch_vcpu_run_page(guest.vcpu);

	(void)state;
	run->request_interrupt_window = 1;
	assert_exit(&guest, HUTCH_EXIT_IRQ_WINDOW);
	assert_true(run->if_flag);
	/* Not before the instruction behind STI is done (SDM 2, STI). */
	assert_true(regs_of(&guest).rip >= GUEST_CODE + 4);
	guest_unmake(&guest);
}

static void a_failing_entry_is_told(void **state)
{
	GUEST(guest, 0xf4);
	struct hutch_exit exit;

	(void)state;
	/* A register class that does not exist. */
	hutch_vcpu_run_page(guest.vcpu)->kvm_valid_regs = 1ull << 40;
	if (!hutch_vcpu_enter(guest.vcpu, &exit)) {
		guest_unmake(&guest);
		skip(); /* a hypervisor that shares no registers does not look */
	}
	assert_non_null(strstr(hutch_error(), "vCPU 0: KVM_RUN: Invalid argument"));
	guest_unmake(&guest);
}

/* ---- registers ------------------------------------------------------------------ */

static void looking_at_registers_costs_no_system_call(void **state)
{
	/* out 0x10, al; out 0x11, al; hlt */
	GUEST(guest, 0xe6, 0x10, 0xe6, 0x11, 0xf4);
	struct kvm_regs regs;

	(void)state;
	if (!(hutch_capability(guest.hutch, KVM_CAP_SYNC_REGS) & KVM_SYNC_X86_REGS)) {
		guest_unmake(&guest);
		skip();
	}
	regs = regs_of(&guest); /* whoever looks once will look again */
	assert_exit(&guest, HUTCH_EXIT_IO);
	system_fail_at(0);
	regs = regs_of(&guest);
	regs.rax = 0xaabbcc;
	regs.r15 = 0x123456789abcdef0;
	assert_works(!hutch_vcpu_set_regs(guest.vcpu, &regs));
	regs = (struct kvm_regs){ 0 };
	regs = regs_of(&guest);
	assert_int_equal(regs.rax, 0xaabbcc);
	assert_exit(&guest, HUTCH_EXIT_IO);
	assert_int_equal(system_calls(), 0);
	assert_int_equal(*(uint8_t *)hutch_vcpu_last_exit(guest.vcpu)->io.data, 0xcc);
	assert_int_equal(regs_of(&guest).r15, 0x123456789abcdef0);
	guest_unmake(&guest);
}

static void registers_that_nobody_looks_at_are_not_shared(void **state)
{
	/* out 0x10, al; jmp */
	GUEST(guest, 0xe6, 0x10, 0xeb, 0xfc);
	const struct kvm_run *run = hutch_vcpu_run_page(guest.vcpu);

	(void)state;
	if (!(hutch_capability(guest.hutch, KVM_CAP_SYNC_REGS) & KVM_SYNC_X86_REGS)) {
		guest_unmake(&guest);
		skip();
	}
	assert_exit(&guest, HUTCH_EXIT_IO);
	assert_int_equal(run->kvm_valid_regs, 0);
	for (unsigned int round = 0; round < 3; round++) {
		uint64_t rip = regs_of(&guest).rip;

		assert_true(rip >= GUEST_CODE && rip <= GUEST_CODE + 2);
		assert_int_equal(run->kvm_valid_regs, KVM_SYNC_X86_REGS);
		for (unsigned int i = 0; i < 200; i++)
			assert_exit(&guest, HUTCH_EXIT_IO);
		assert_int_equal(run->kvm_valid_regs, 0);
	}
	guest_unmake(&guest);
}

static void registers_are_the_same_by_every_way(void **state)
{
	GUEST(guest, 0xe6, 0x10, 0xe6, 0x11, 0xf4);
	struct kvm_regs regs = regs_of(&guest), direct;

	(void)state;
	assert_int_equal(regs.rip, GUEST_CODE);
	assert_exit(&guest, HUTCH_EXIT_IO);
	regs = regs_of(&guest);
	regs.rbx = 5;
	assert_works(!hutch_vcpu_set_regs(guest.vcpu, &regs));
	/* What waits for the next entry is there before anyone asks the hypervisor itself. */
	assert_works(!hutch_vcpu_ioctl(guest.vcpu, KVM_GET_REGS, "KVM_GET_REGS", &direct));
	assert_int_equal(direct.rbx, 5);
	direct.rbx = 6;
	assert_works(!hutch_vcpu_ioctl(guest.vcpu, KVM_SET_REGS, "KVM_SET_REGS", &direct));
	assert_int_equal(regs_of(&guest).rbx, 6);
	assert_exit(&guest, HUTCH_EXIT_IO);
	assert_int_equal(regs_of(&guest).rbx, 6);
	guest_unmake(&guest);
}

static void segment_registers_are_shared_when_asked(void **state)
{
	/* mov ax, 0x1230; mov ds, ax; out 0x10, al; mov es, ax; out 0x11, al; hlt */
	GUEST(guest, 0xb8, 0x30, 0x12, 0x8e, 0xd8, 0xe6, 0x10, 0x8e, 0xc0, 0xe6, 0x11, 0xf4);
	struct kvm_sregs sregs;

	(void)state;
	if (hutch_vcpu_share_sregs(guest.vcpu, true)) {
		assert_non_null(strstr(hutch_error(), "KVM_CAP_SYNC_REGS"));
	} else {
		assert_exit(&guest, HUTCH_EXIT_IO);
		system_fail_at(0);
		assert_works(!hutch_vcpu_get_sregs(guest.vcpu, &sregs));
		assert_int_equal(system_calls(), 0);
		assert_int_equal(sregs.ds.base, 0x12300);
	}
	assert_works(!hutch_vcpu_share_sregs(guest.vcpu, false));
	assert_exit(&guest, HUTCH_EXIT_IO);
	system_fail_at(0);
	assert_works(!hutch_vcpu_get_sregs(guest.vcpu, &sregs));
	assert_works(!hutch_vcpu_get_sregs(guest.vcpu, &sregs)); /* once for each exit */
	assert_in_range(system_calls(), 1, 1);
	assert_int_equal(sregs.es.base, 0x12300);
	guest_unmake(&guest);
}

static void rip_is_not_set_in_the_middle_of_an_instruction(void **state)
{
	/* in al, 0x10; hlt; and at 0x1100: out 0x77, al */
	GUEST(guest, 0xe4, 0x10, 0xf4);
	struct kvm_regs regs;
	struct hutch_exit exit;

	(void)state;
	assert_works(!hutch_memory_write(guest.vm, 0x1100, "\xe6\x77", 2));
	exit = enter(&guest);
	*(uint8_t *)exit.io.data = 0x5a;
	regs = regs_of(&guest);
	assert_int_equal(regs.rip, GUEST_CODE);
	regs.rip = 0x1100;
	assert_int_equal(hutch_vcpu_set_regs(guest.vcpu, &regs), -EBUSY);
	assert_non_null(strstr(hutch_error(), "hutch_vcpu_complete()"));
	assert_int_equal(hutch_vcpu_complete(guest.vcpu), 0);
	regs = regs_of(&guest);
	assert_int_equal(regs.rip, GUEST_CODE + 2);
	assert_int_equal(regs.rax & 0xff, 0x5a);
	assert_int_equal(hutch_vcpu_complete(guest.vcpu), 0); /* nothing to do is fine */
	regs.rip = 0x1100;
	assert_works(!hutch_vcpu_set_regs(guest.vcpu, &regs));
	exit = enter(&guest);
	assert_int_equal(exit.io.port, 0x77);
	assert_int_equal(*(uint8_t *)exit.io.data, 0x5a);
	guest_unmake(&guest);
}

static void completing_may_bring_the_next_access(void **state)
{
	/* mov ax, 0x2000; mov ds, ax; inc byte [4]; hlt: a read, and then a write */
	GUEST(guest, 0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xfe, 0x06, 0x04, 0x00, 0xf4);
	const struct hutch_exit *exit = hutch_vcpu_last_exit(guest.vcpu);

	(void)state;
	assert_exit(&guest, HUTCH_EXIT_MMIO);
	*(uint8_t *)exit->mmio.data = 41;
	assert_int_equal(hutch_vcpu_complete(guest.vcpu), 1);
	assert_int_equal(exit->reason, HUTCH_EXIT_MMIO);
	assert_true(exit->mmio.write);
	assert_int_equal(*(uint8_t *)exit->mmio.data, 42);
	assert_int_equal(hutch_vcpu_complete(guest.vcpu), 0);
	assert_int_equal(regs_of(&guest).rip, GUEST_CODE + 9);
	assert_exit(&guest, HUTCH_EXIT_HLT);
	guest_unmake(&guest);
}

/* ---- the report ------------------------------------------------------------------ */

static void the_report_tells_all(void **state)
{
	GUEST(guest, 0xb0, 0x2a, 0xe6, 0xf4, 0x90, 0xf4);
	struct kvm_regs regs = { .rip = GUEST_CODE,
				 .rflags = 2 | RFLAGS_CF | RFLAGS_DF,
				 .r10 = 0x1122334455667788 };
	char report[8192], cut[100];
	int length;

	(void)state;
	assert_works(!hutch_vcpu_set_regs(guest.vcpu, &regs));
	assert_exit(&guest, HUTCH_EXIT_IO);
	length = hutch_vcpu_report(guest.vcpu, report, sizeof(report));
	assert_int_equal(length, strlen(report));
	assert_non_null(strstr(report, "vCPU 0: exit io, OUT to port 0xf4, 1 byte: 2a\n"));
	assert_non_null(strstr(report, "real mode, ring 0, paging off\n"));
	assert_non_null(strstr(report, "r10 1122334455667788"));
	assert_non_null(strstr(report, "CF DF\n"));
	assert_non_null(strstr(report, "b0 2a "));
	assert_non_null(strstr(report, "\ncr0 "));
	assert_non_null(strstr(report, "\ncs   0000  base 0000000000000000  limit 0000ffff  "));
	assert_int_equal(hutch_vcpu_report(guest.vcpu, cut, sizeof(cut)), length);
	assert_memory_equal(cut, report, sizeof(cut) - 1);
	assert_int_equal(cut[sizeof(cut) - 1], 0);
	assert_int_equal(hutch_vcpu_report(guest.vcpu, NULL, 0), length);
	/* The guest goes on as if nothing had been. */
	assert_exit(&guest, HUTCH_EXIT_HLT);
	guest_unmake(&guest);
}

static void the_report_finds_code_through_page_tables(void **state)
{
	/* mov al, 0x2a; out 0xf4, al */
	GUEST(guest, 0xb0, 0x2a, 0xe6, 0xf4);
	char report[8192];
	struct kvm_regs regs;

	(void)state;
	enter_long_mode(&guest, 0x200000 + GUEST_CODE);
	assert_exit(&guest, HUTCH_EXIT_IO);
	hutch_vcpu_report(guest.vcpu, report, sizeof(report));
	assert_non_null(strstr(report, "64-bit mode, ring 0, paging 4-level\n"));
	assert_non_null(strstr(report, "code at linear 0x20100"));
	assert_non_null(strstr(report, ", physical 0x100"));
	assert_non_null(strstr(report, " b0 2a "));
	assert_non_null(strstr(report, "code r-x, 64-bit"));
	regs = regs_of(&guest);
	regs.rip = 0x40000000;
	assert_works(!hutch_vcpu_set_regs(guest.vcpu, &regs));
	hutch_vcpu_report(guest.vcpu, report, sizeof(report));
	assert_non_null(strstr(report, "code at linear 0x40000000: not mapped: level 3 entry at "
				       "0x9008 is 0x0\n"));
	guest_unmake(&guest);
}

static bool read_guest(void *vm, uint64_t gpa, unsigned int size, uint64_t *entry)
{
	*entry = 0;
	return !hutch_memory_read(vm, gpa, entry, size);
}

/* Shows the guest all that the hypervisor has, and the walk what that means to it. */
static void give_cpuid(struct guest *guest, struct paging *paging)
{
	struct kvm_cpuid2 *cpuid = hutch_supported_cpuid(guest->hutch);

	assert_works(cpuid);
	paging->no_1g_pages = true;
	for (unsigned int i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 0x80000001)
			paging->no_1g_pages = !(cpuid->entries[i].edx & 1 << 26);
		if (cpuid->entries[i].function == 0x80000008)
			paging->address_bits = cpuid->entries[i].eax & 0xff;
	}
	assert_works(!hutch_vcpu_ioctl(guest->vcpu, KVM_SET_CPUID2, "KVM_SET_CPUID2", cpuid));
	free(cpuid);
}

/* Our page walk and the hypervisor's, over random tables that lie in their own way. */
static void our_page_walk_agrees_with_the_hypervisors(void **state)
{
	GUEST(guest, 0xf4);
	struct paging paging = { .cr0 = CR0_PE | CR0_PG,
				 .cr3 = 0x8000,
				 .cr4 = CR4_PAE,
				 .efer = IA32_EFER_LME | IA32_EFER_LMA };
	unsigned int mapped = 0;

	(void)state;
	give_cpuid(&guest, &paging);
	enter_long_mode(&guest, GUEST_CODE);
	srand(1);
	for (unsigned int i = 0; i < 0x8000 / 8; i++) {
		/* Tables from 0x8000 that point at each other, some large, some absent. */
		uint64_t entry = (uint64_t)(8 + rand() % 8) << 12 | PAGE_RW | PAGE_US |
				 (rand() % 8 ? PAGE_P : 0);

		if (i >= 0x1000 / 8 && rand() % 4 == 0)
			entry = (uint64_t)rand() % 8 << 30 | PAGE_PS | PAGE_P | PAGE_RW;
		assert_works(!hutch_memory_write(guest.vm, 0x8000 + i * 8, &entry, 8));
	}
	for (unsigned int i = 0; i < 2000; i++) {
		uint64_t linear = ((uint64_t)rand() << 31 ^ (uint64_t)rand()) & 0x7fffffffffff;
		struct kvm_translation theirs = { .linear_address = linear };
		struct paging_result ours = paging_look(&paging, linear, read_guest, guest.vm);

		assert_works(
			!hutch_vcpu_ioctl(guest.vcpu, KVM_TRANSLATE, "KVM_TRANSLATE", &theirs));
		if (theirs.valid != (ours.status == PAGING_MAPPED))
			fail_msg("0x%lx: level %u entry 0x%lx", linear, ours.level, ours.entry);
		if (!theirs.valid)
			continue;
		assert_int_equal(theirs.physical_address, ours.gpa);
		mapped++;
	}
	assert_in_range(mapped, 500, 1900);
	guest_unmake(&guest);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ports_are_written_and_read),
		cmocka_unit_test(strings_of_ports_come_in_parts),
		cmocka_unit_test(addresses_without_memory_are_mmio),
		cmocka_unit_test(a_triple_fault_is_a_shutdown),
		cmocka_unit_test(code_outside_of_memory_is_an_internal_error),
		cmocka_unit_test(msr_accesses_can_be_ours),
		cmocka_unit_test(single_steps_are_debug_exits),
		cmocka_unit_test(an_interrupt_window_opens),
		cmocka_unit_test(a_failing_entry_is_told),
		cmocka_unit_test(looking_at_registers_costs_no_system_call),
		cmocka_unit_test(registers_that_nobody_looks_at_are_not_shared),
		cmocka_unit_test(registers_are_the_same_by_every_way),
		cmocka_unit_test(segment_registers_are_shared_when_asked),
		cmocka_unit_test(rip_is_not_set_in_the_middle_of_an_instruction),
		cmocka_unit_test(completing_may_bring_the_next_access),
		cmocka_unit_test(the_report_tells_all),
		cmocka_unit_test(the_report_finds_code_through_page_tables),
		cmocka_unit_test(our_page_walk_agrees_with_the_hypervisors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
