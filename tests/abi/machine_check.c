/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/abi/client.h"

/*
 * Machine checks through the KVM ABI: banks that the VMM sets up, errors that it puts into
 * them. It asks any hypervisor the same, Linux's own KVM among them.
 *
 *	machine_check DEVICE
 */

#define MCG_CAP	    0x179
#define MCG_STATUS  0x17a
#define MCG_CTL	    0x17b
#define BANK(n)	    (0x400 + 4 * (n))
#define CONTROL	    (1ull << 8)
#define VALID	    (1ull << 63)
#define OVER	    (1ull << 62)
#define UNCORRECTED (1ull << 61)
#define IN_PROGRESS 4

static bool is(uint32_t index, uint64_t wanted)
{
	uint64_t value;

	return get_msr(vcpu, index, &value) && value == wanted;
}

static int setup(uint64_t cap)
{
	return request(vcpu, KVM_X86_SETUP_MCE, &cap);
}

static void test_setup(void)
{
	uint64_t supported = 0, ignored;

	check(ioctl(device, KVM_CHECK_EXTENSION, KVM_CAP_MCE) == 32, "there are 32 banks");
	check(!request(device, KVM_X86_GET_MCE_CAP_SUPPORTED, &supported) && supported & CONTROL,
	      "and a register for all of them");
	check(setup(0) == -EINVAL && setup(33) == -EINVAL, "none, and too many");
	check(setup(10 | 1ull << 40) == -EINVAL, "a capability that is unknown");
	check(setup(10 | CONTROL) == 0, "ten banks");
	check(is(MCG_CAP, 10 | CONTROL) && is(MCG_CTL, ~0ull), "as the guest sees them");
	check(is(BANK(9), ~0ull), "switched on");
	check(!get_msr(vcpu, BANK(10), &ignored), "there is no eleventh");
	check(set_msr(vcpu, BANK(3) + 1, VALID) && is(BANK(3) + 1, VALID), "a bank is restored");
	check(!set_msr(vcpu, BANK(3), 2), "and is on or off");
}

/* WRMSR by the guest: GP, or 1. */
static int guest_writes(uint32_t index, uint64_t value)
{
	CODE("\x0f\x30\xb0\x01\xe6\xe9\xeb\xfc");
	begin(index, value);
	return next_byte(2000);
}

static void test_guest(void)
{
	check(guest_writes(BANK(3) + 1, 0) == 1 && is(BANK(3) + 1, 0), "the guest clears a status");
	check(guest_writes(BANK(3) + 1, 1) == GP, "and can't write another");
	check(guest_writes(BANK(3) + 2, 0x1234) == 1 && is(BANK(3) + 2, 0x1234), "an address can");
	check(guest_writes(BANK(10), 0) == GP, "the eleventh bank is #GP");
	check(guest_writes(MCG_STATUS, 3) == 1 && is(MCG_STATUS, 3), "a global status");
	guest_writes(MCG_STATUS, 0);
}

static void test_errors(void)
{
	struct kvm_x86_mce error = { .status = VALID | 5, .addr = 0x1000, .misc = 7, .bank = 2 };
	struct kvm_sregs sregs;

	check(!request(vcpu, KVM_X86_SET_MCE, &error), "a corrected error");
	check(is(BANK(2) + 1, VALID | 5) && is(BANK(2) + 2, 0x1000) && is(BANK(2) + 3, 7),
	      "is in its bank");
	check(!request(vcpu, KVM_X86_SET_MCE, &error) && is(BANK(2) + 1, VALID | OVER | 5),
	      "another says that one was lost");
	error.bank = 10;
	check(request(vcpu, KVM_X86_SET_MCE, &error) == -EINVAL, "no such bank");
	error.bank = 2;
	error.status = 5;
	check(request(vcpu, KVM_X86_SET_MCE, &error) == -EINVAL, "no error");
	must(vcpu, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS");
	sregs.cr4 |= 1 << 6;
	must(vcpu, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS");
	/* #MC has a handler of its own here: that of #GP, which says its number. */
	memcpy(ram + 4 * 18, ram + 4 * GP, 4);
	error.status = VALID | UNCORRECTED;
	error.mcg_status = IN_PROGRESS;
	begin(0, 0);
	check(!request(vcpu, KVM_X86_SET_MCE, &error), "an uncorrected error");
	check(next_byte(2000) == GP, "the guest's handler hears of it");
	check(is(MCG_STATUS, IN_PROGRESS), "as its global status says");
	check(!request(vcpu, KVM_X86_SET_MCE, &error), "the next while it is handled");
	check(next_byte(2000) == -100 - KVM_EXIT_SHUTDOWN, "is the end");
}

int main(int argc, char **argv)
{
	open_all(argc > 1 ? argv[1] : "/dev/kvm");
	test_setup();
	test_guest();
	test_errors();
	return close_all();
}
