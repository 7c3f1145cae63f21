/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/abi/client.h"

/*
 * A VMM's filter of MSRs through the KVM ABI, for MSRs that a processor would let its guest
 * write without an exit as well. It asks any hypervisor the same, Linux's own KVM among them.
 *
 *	msr_filter DEVICE
 */

#define KERNEL_GS_BASE 0xc0000102
#define STAR	       0xc0000081
#define TSC_AUX	       0xc0000103

/* WRMSR by the guest: GP, 1, or less where it left for something else than our port. */
static int guest_writes(uint32_t index, uint64_t value)
{
	CODE("\x0f\x30\xb0\x01\xe6\xe9\xeb\xfc");
	begin(index, value);
	return next_byte(2000);
}

/* RDMSR: the lowest byte. */
static int guest_reads(uint32_t index)
{
	CODE("\x0f\x32\xe6\xe9\xeb\xfc");
	begin(index, 0);
	return next_byte(2000);
}

static bool is(uint32_t index, uint64_t wanted)
{
	uint64_t value;

	return get_msr(vcpu, index, &value) && value == wanted;
}

/* Forbids @count MSRs from @base on to be read, written; all others are allowed. */
static void forbid(uint32_t base, uint32_t count, uint32_t flags)
{
	static uint8_t none[16];
	struct kvm_msr_filter filter = { .flags = KVM_MSR_FILTER_DEFAULT_ALLOW };

	filter.ranges[0] = (struct kvm_msr_filter_range){
		.flags = flags, .nmsrs = count, .base = base, .bitmap = none
	};
	must(vm, KVM_X86_SET_MSR_FILTER, &filter, "KVM_X86_SET_MSR_FILTER");
}

#define BOTH (KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE)

static void test_passed(void)
{
	check(guest_writes(KERNEL_GS_BASE, 0x11) == 1 && is(KERNEL_GS_BASE, 0x11),
	      "without a filter the guest writes KERNEL_GS_BASE");
	forbid(KERNEL_GS_BASE, 1, KVM_MSR_FILTER_WRITE);
	check(guest_writes(KERNEL_GS_BASE, 0x22) == GP && is(KERNEL_GS_BASE, 0x11),
	      "with one it can't");
	check(guest_reads(KERNEL_GS_BASE) == 0x11, "and reads it");
	check(guest_writes(STAR, 0x33) == 1 && is(STAR, 0x33), "others it writes");
	check(set_msr(vcpu, KERNEL_GS_BASE, 0x44) && is(KERNEL_GS_BASE, 0x44), "and the VMM all");
	forbid(STAR, 1, BOTH);
	check(guest_writes(STAR, 0x55) == GP && guest_reads(STAR) == GP, "another filter, another");
	check(guest_writes(KERNEL_GS_BASE, 0x66) == 1 && is(KERNEL_GS_BASE, 0x66),
	      "and what the first forbade is allowed again");
}

static void test_asked(void)
{
	struct kvm_enable_cap ask = { .cap = KVM_CAP_X86_USER_SPACE_MSR,
				      .args = { KVM_MSR_EXIT_REASON_FILTER } };

	must(vm, KVM_ENABLE_CAP, &ask, "KVM_CAP_X86_USER_SPACE_MSR");
	forbid(KERNEL_GS_BASE, 2, BOTH);
	check(guest_writes(KERNEL_GS_BASE, 0x1234567890ab) == -100 - KVM_EXIT_X86_WRMSR &&
		      run->msr.index == KERNEL_GS_BASE && run->msr.data == 0x1234567890ab &&
		      run->msr.reason == KVM_MSR_EXIT_REASON_FILTER,
	      "a write goes to the VMM");
	run->msr.error = 0;
	check(next_byte(2000) == 1 && is(KERNEL_GS_BASE, 0x66), "which makes of it what it likes");
	check(guest_reads(TSC_AUX) == -100 - KVM_EXIT_X86_RDMSR, "a read does");
	run->msr.error = 0;
	run->msr.data = 0x77;
	check(next_byte(2000) == 0x77, "and the guest has its answer");
	check(guest_reads(TSC_AUX) == -100 - KVM_EXIT_X86_RDMSR, "or");
	run->msr.error = 1;
	check(next_byte(2000) == GP, "#GP");
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: msr_filter DEVICE\n");
		return 2;
	}
	open_all(argv[1]);
	test_passed();
	test_asked();
	return close_all();
}
