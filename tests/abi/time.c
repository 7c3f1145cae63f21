/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/abi/client.h"

#include <sched.h>
#include <sys/wait.h>
#include <time.h>

/*
 * The guest's time through the KVM ABI: the clock in its memory and from outside, stolen
 * time, time-stamp counters. It asks any hypervisor the same, Linux's own KVM among them.
 *
 *	time DEVICE
 *
 * What must agree is read between two readings of the other, however slow the machine.
 */

#define MSR_TSC		0x10
#define MSR_WALL_CLOCK	0x4b564d00
#define MSR_SYSTEM_TIME 0x4b564d01
#define MSR_STEAL_TIME	0x4b564d03
#define TIME_PAGE	0x5000ull
#define WALL_PAGE	0x6000ull
#define STEAL_PAGE	0x7000ull
#define STOPPED		2
#define SECOND		1000000000ull
#define SLACK		100000ull /* ns: two ways to compute the same moment */
/* mov $1, %al; 1: out %al, $PORT; jmp 1b */
#define SAYS_ONE "\xb0\x01\xe6\xe9\xeb\xfc"

struct vcpu_time {
	uint32_t version, pad0;
	uint64_t tsc, nanoseconds;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags, pad[2];
};

static uint64_t host_time(clockid_t which)
{
	struct timespec now;

	clock_gettime(which, &now);
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static struct kvm_clock_data get_clock(void)
{
	struct kvm_clock_data clock = { 0 };

	must(vm, KVM_GET_CLOCK, &clock, "KVM_GET_CLOCK");
	return clock;
}

static bool enter(void)
{
	begin(0, 0);
	return next_byte(2000) == 1;
}

/* ---- the clock from outside ------------------------------------------------------------------- */

static void test_clock(void)
{
	struct kvm_clock_data clock, later, wrong = { .flags = 1u << 31 };
	uint64_t before, after;

	clock = get_clock();
	before = host_time(CLOCK_MONOTONIC_RAW);
	usleep(200000);
	after = host_time(CLOCK_MONOTONIC_RAW);
	later = get_clock();
	check(later.clock - clock.clock >= after - before - SLACK, "the clock goes on");
	before = host_time(CLOCK_REALTIME);
	clock = get_clock();
	check(!(clock.flags & KVM_CLOCK_REALTIME) ||
		      (clock.realtime >= before && clock.realtime <= host_time(CLOCK_REALTIME)),
	      "the day's time with it is the host's");
	clock = (struct kvm_clock_data){ .clock = 1000 * SECOND };
	must(vm, KVM_SET_CLOCK, &clock, "KVM_SET_CLOCK");
	later = get_clock();
	check(later.clock >= 1000 * SECOND && later.clock < 1010 * SECOND, "it can be set");
	clock.flags = KVM_CLOCK_REALTIME;
	clock.realtime = host_time(CLOCK_REALTIME) - 500 * SECOND;
	must(vm, KVM_SET_CLOCK, &clock, "KVM_SET_CLOCK");
	later = get_clock();
	check(later.clock >= 1500 * SECOND && later.clock < 1510 * SECOND,
	      "with what has gone by since");
	check(request(vm, KVM_SET_CLOCK, &wrong) == -EINVAL, "unknown flags");
}

/* ---- the clock in the guest's memory ---------------------------------------------------------- */

static uint64_t guest_time(uint64_t tsc)
{
	const struct vcpu_time *time = (struct vcpu_time *)(ram + TIME_PAGE);
	uint64_t ticks = tsc - time->tsc;

	ticks = time->shift < 0 ? ticks >> -time->shift : ticks << time->shift;
	return time->nanoseconds + (uint64_t)((unsigned __int128)ticks * time->multiplier >> 32);
}

static bool agrees(void)
{
	uint64_t before = get_clock().clock, tsc, after;

	get_msr(vcpu, MSR_TSC, &tsc);
	after = get_clock().clock;
	return guest_time(tsc) + SLACK >= before && guest_time(tsc) <= after + SLACK;
}

static bool is_dirty(uint64_t page)
{
	uint64_t bits[RAM_SIZE / 4096 / 64] = { 0 };
	struct kvm_dirty_log log = { .dirty_bitmap = bits };

	must(vm, KVM_GET_DIRTY_LOG, &log, "KVM_GET_DIRTY_LOG");
	return bits[page / 4096 / 64] >> (page / 4096 % 64) & 1;
}

static void test_shared_clock(void)
{
	const struct vcpu_time *time = (struct vcpu_time *)(ram + TIME_PAGE);
	struct kvm_clock_data clock = { .clock = 5000 * SECOND };
	uint32_t version;

	check(request(vcpu, KVM_KVMCLOCK_CTRL, NULL) == -EINVAL, "no clock shared yet");
	check(set_msr(vcpu, MSR_SYSTEM_TIME, TIME_PAGE | 1), "the guest shares a page");
	check(enter() && time->version && !(time->version & 1), "and is told the time");
	check(agrees(), "which is the clock's");
	check(is_dirty(TIME_PAGE), "the log of dirty pages has it");
	version = time->version;
	must(vm, KVM_SET_CLOCK, &clock, "KVM_SET_CLOCK");
	check(enter() && time->version != version && agrees(), "a clock that is set is told anew");
	check(is_dirty(TIME_PAGE), "and logged anew");
	usleep(100000);
	check(enter() && agrees(), "and goes on");
	check(!request(vcpu, KVM_KVMCLOCK_CTRL, NULL), "the guest stood still");
	check(enter() && time->flags & STOPPED, "and is told so");
	check(set_msr(vcpu, MSR_SYSTEM_TIME, 0), "shared no more");
	version = time->version;
	must(vm, KVM_SET_CLOCK, &clock, "KVM_SET_CLOCK");
	check(enter() && time->version == version, "it stays as it was");
}

static void test_wall_clock(void)
{
	const uint32_t *wall = (uint32_t *)(ram + WALL_PAGE);
	uint64_t began, before, after;

	check(set_msr(vcpu, MSR_WALL_CLOCK, WALL_PAGE), "the guest asks for the day's time");
	enter();
	before = host_time(CLOCK_REALTIME) - get_clock().clock;
	began = wall[1] * SECOND + wall[2];
	after = host_time(CLOCK_REALTIME) - get_clock().clock;
	check(!(wall[0] & 1) && began + SECOND > before && began < after + SECOND,
	      "it is the clock's and the host's");
}

/* ---- stolen time ------------------------------------------------------------------------------- */

static void stay_on_one_cpu(void)
{
	cpu_set_t one;

	CPU_ZERO(&one);
	CPU_SET(0, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void test_steal_time(void)
{
	const uint64_t *steal = (uint64_t *)(ram + STEAL_PAGE);
	cpu_set_t all;
	pid_t other;

	check(!set_msr(vcpu, MSR_STEAL_TIME, STEAL_PAGE | 2 | 1), "reserved bits");
	check(set_msr(vcpu, MSR_STEAL_TIME, STEAL_PAGE | 1), "the guest asks for stolen time");
	sched_getaffinity(0, sizeof(all), &all);
	stay_on_one_cpu();
	other = fork();
	if (!other)
		for (;;)
			;
	/* sti; 1: jmp 1b: in Bochs's AMD-V the host has no interrupts while a guest has none. */
	CODE("\xfb\xeb\xfe");
	begin(0, 0);
	next_byte(500);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	CODE(SAYS_ONE);
	enter();
	sched_setaffinity(0, sizeof(all), &all);
	check(*steal > SECOND / 20, "a program beside it took some");
	check(!(((uint32_t *)steal)[2] & 1), "its version is even");
	check(set_msr(vcpu, MSR_STEAL_TIME, 0), "asked for no more");
}

/* ---- counters ----------------------------------------------------------------------------------- */

static bool attribute(unsigned long code, int of, uint64_t *offset)
{
	struct kvm_device_attr wanted = { .group = KVM_VCPU_TSC_CTRL,
					  .attr = KVM_VCPU_TSC_OFFSET,
					  .addr = (uintptr_t)offset };

	return !ioctl(of, code, &wanted);
}

static void test_counters(int second)
{
	uint64_t far = 1ull << 50, first_offset = 0, second_offset = 1, tsc;
	struct kvm_device_attr wrong = { .group = 7 };

	check(attribute(KVM_HAS_DEVICE_ATTR, vcpu, NULL), "the counter's offset is an attribute");
	check(ioctl(vcpu, KVM_HAS_DEVICE_ATTR, &wrong) < 0 && errno == ENXIO, "no such attribute");
	attribute(KVM_GET_DEVICE_ATTR, vcpu, &first_offset);
	attribute(KVM_GET_DEVICE_ATTR, second, &second_offset);
	check(first_offset == second_offset, "vCPUs begin with one counter");
	set_msr(vcpu, MSR_TSC, far);
	set_msr(second, MSR_TSC, far);
	get_msr(vcpu, MSR_TSC, &tsc);
	check(tsc >= far && tsc < far + (1ull << 40), "a counter is set");
	attribute(KVM_GET_DEVICE_ATTR, vcpu, &first_offset);
	attribute(KVM_GET_DEVICE_ATTR, second, &second_offset);
	check(first_offset == second_offset, "two that are set to one value are one");
	set_msr(second, MSR_TSC, 0);
	get_msr(second, MSR_TSC, &tsc);
	check(tsc >= far, "0 is what the others have");
	first_offset += 12345;
	check(attribute(KVM_SET_DEVICE_ATTR, second, &first_offset), "an offset is set");
	attribute(KVM_GET_DEVICE_ATTR, second, &second_offset);
	check(first_offset == second_offset, "and is that");
	check(ioctl(vcpu, KVM_GET_TSC_KHZ, 0) > 0, "a counter has a frequency");
	check(!ioctl(vcpu, KVM_SET_TSC_KHZ, ioctl(vcpu, KVM_GET_TSC_KHZ, 0)), "which can be set");
}

/* ---- other rates ---------------------------------------------------------------------------- */

#define COUNTER 0x500
/* rdtsc; mov %eax, COUNTER; mov %edx, COUNTER + 4 */
#define READS_COUNTER "\x0f\x31\x66\xa3\x00\x05\x66\x89\x16\x04\x05"

struct reading {
	uint64_t before, guest, after; /* the host's counter around the guest's */
};

static uint64_t host_counter(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static struct reading read_counters(void)
{
	struct reading reading;

	reading.before = host_counter();
	enter();
	reading.after = host_counter();
	memcpy(&reading.guest, ram + COUNTER, sizeof(reading.guest));
	return reading;
}

/* What the guest's counter has gone is within what the host's has, at that rate. */
static bool goes_at(unsigned long khz, unsigned long host_khz)
{
	struct reading first = read_counters(), last;
	uint64_t least, most, gone;

	usleep(20000);
	last = read_counters();
	gone = last.guest - first.guest;
	least = (uint64_t)((unsigned __int128)(last.before - first.after) * khz / host_khz);
	most = (uint64_t)((unsigned __int128)(last.after - first.before) * khz / host_khz);
	return gone + 2 >= least && gone <= most + 2;
}

static void test_rates(void)
{
	unsigned long host_khz = (unsigned long)ioctl(vcpu, KVM_GET_TSC_KHZ, 0);

	CODE(READS_COUNTER SAYS_ONE);
	check(goes_at(host_khz, host_khz), "the guest reads a counter as fast as the host's");
	if (offers(KVM_CAP_TSC_CONTROL)) {
		check(!ioctl(vcpu, KVM_SET_TSC_KHZ, host_khz / 3) &&
			      goes_at(host_khz / 3, host_khz),
		      "and a slower one");
		check(!ioctl(vcpu, KVM_SET_TSC_KHZ, 2 * host_khz + 77) &&
			      goes_at(2 * host_khz + 77, host_khz),
		      "and a faster one");
		check(!ioctl(vcpu, KVM_SET_TSC_KHZ, host_khz) && goes_at(host_khz, host_khz),
		      "and the host's again");
	}
	CODE(SAYS_ONE);
}

/* ---- what CPUID shows ----------------------------------------------------------------------------- */

static void test_features(void)
{
	struct {
		struct kvm_cpuid2 header;
		struct kvm_cpuid_entry2 entries[256];
	} table = { .header.nent = 256 };
	struct kvm_enable_cap enforce = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID, .args = { 1 } };
	bool signature = false, clock = false;

	must(device, KVM_GET_SUPPORTED_CPUID, &table, "KVM_GET_SUPPORTED_CPUID");
	for (uint32_t i = 0; i < table.header.nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &table.entries[i];

		if (entry->function == 0x40000000)
			signature = !memcmp(&entry->ebx, "KVMKVMKVM\0\0\0", 12);
		if (entry->function == 0x40000001)
			clock = (entry->eax & 0x01000009) == 0x01000009;
	}
	check(signature && clock, "CPUID shows the clock");
	CODE("\x0f\x30" SAYS_ONE); /* wrmsr */
	begin(MSR_SYSTEM_TIME, 0);
	check(next_byte(2000) == 1, "the guest may use it though its own CPUID does not");
	must(vcpu, KVM_ENABLE_CAP, &enforce, "KVM_ENABLE_CAP");
	begin(MSR_SYSTEM_TIME, 0);
	check(next_byte(2000) == GP, "unless the VMM wants that observed");
}

int main(int argc, char **argv)
{
	int second;

	open_all(argc > 1 ? argv[1] : "/dev/kvm");
	second = open_vcpu(1);
	CODE(SAYS_ONE);
	test_clock();
	test_shared_clock();
	test_wall_clock();
	test_steal_time();
	test_counters(second);
	test_rates();
	test_features();
	return close_all();
}
