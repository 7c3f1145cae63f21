/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/clock.h"
#include "core/memory.h"
#include "core/paravirtual.h"
#include "core/tsc.h"

/*
 * The time in the guest's memory (Linux, Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_SYSTEM_TIME_NEW; include/asm/pvclock-abi.h): a moment of the VM's clock, what the
 * vCPU's counter said then, and how to make nanoseconds of the ticks since. So reading the
 * clock costs the guest a multiplication.
 */

#define PAGE_ADDRESS	   (~1ull)
#define FLAG_TSC_STABLE	   (1u << 0) /* all vCPUs' are one clock, which never goes back */
#define FLAG_GUEST_STOPPED (1u << 1) /* the VMM held it; the guest clears it when it has seen it */
#define NS_PER_SECOND	   1000000000ull

struct vcpu_time {
	uint32_t version, pad0;
	uint64_t tsc, nanoseconds;
	uint32_t multiplier;
	int8_t shift;
	uint8_t flags;
	uint8_t pad[2];
};
_Static_assert(sizeof(struct vcpu_time) == 32, "the guest's layout");

void pvclock_update(struct hv_vcpu *vcpu)
{
	struct hv_paravirtual *own = &vcpu->paravirtual;
	uint64_t gpa = own->system_time & PAGE_ADDRESS;
	struct clock_base base;
	struct vcpu_time time;
	uint8_t flags;

	own->clock_changes = host_clock_changes();
	if (!memory_copy_in(vcpu->vm, gpa, &time, sizeof(time)))
		return;
	base = clock_base(vcpu->vm);
	flags = time.flags & FLAG_GUEST_STOPPED;
	if (own->stopped)
		flags |= FLAG_GUEST_STOPPED;
	if (base.stable && tsc_all_agree(vcpu->vm))
		flags |= FLAG_TSC_STABLE;
	time = (struct vcpu_time){
		.version = time.version,
		.tsc = tsc_at(vcpu, base.tsc),
		.nanoseconds = base.nanoseconds,
		.multiplier = vcpu->vm->clock.multiplier,
		.shift = vcpu->vm->clock.shift,
		.flags = flags,
	};
	if (vcpu->tsc_ratio)
		clock_scale(vcpu->tsc_khz, &time.multiplier, &time.shift);
	if (paravirtual_publish(vcpu->vm, gpa, &time, sizeof(time),
				offsetof(struct vcpu_time, version)))
		own->stopped = false;
}

bool hv_vcpu_clock_stopped(struct hv_vcpu *vcpu)
{
	if (!(vcpu->paravirtual.system_time & 1))
		return false;
	vcpu->paravirtual.stopped = true;
	hv_vcpu_request(vcpu, HV_REQUEST_CLOCK);
	return true;
}

/* When the VM's clock was 0: seconds and nanoseconds since 1970. */
struct wall_time {
	uint32_t version, seconds, nanoseconds;
};

void pvclock_write_wall(struct hv_vm *vm, uint64_t gpa)
{
	struct hv_clock_reading now;
	struct wall_time wall;
	uint64_t began;

	if (!gpa || !memory_copy_in(vm, gpa, &wall, sizeof(wall)))
		return;
	hv_clock_get(vm, &now);
	began = now.wall - now.nanoseconds;
	wall.seconds = (uint32_t)(began / NS_PER_SECOND);
	wall.nanoseconds = (uint32_t)(began % NS_PER_SECOND);
	paravirtual_publish(vm, gpa, &wall, sizeof(wall), offsetof(struct wall_time, version));
}
