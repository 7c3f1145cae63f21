/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/tsc.h"

#include "core/clock.h"
#include "core/cpu.h"
#include "core/irqchip.h"
#include "core/processor.h"

/*
 * guest's counter = host's counter * ratio + offset (SDM 3, 26.3; APM 2, 15.30.5)
 *
 * The processor computes that itself, so that reading the counter is no exit. All vCPUs
 * of a VM begin with one offset; only who writes a counter makes it another.
 */

/* Who asks for a frequency that is this near to the host's gets the host's. */
#define TOLERANCE_PPM 250

/* ---- frequency ------------------------------------------------------------------------ */

static unsigned int fraction_bits(const struct hv_cpu_ops *ops)
{
	return ops->tsc_fraction_bits ? ops->tsc_fraction_bits() : 0;
}

bool hv_tsc_scales(const struct hv_cpu_ops *ops)
{
	return fraction_bits(ops);
}

/* So many ticks of the host's are, in the guest's. */
static uint64_t scaled(const struct hv_vcpu *vcpu, uint64_t host)
{
	uint64_t ratio = __atomic_load_n(&vcpu->tsc_ratio, __ATOMIC_RELAXED);

	if (!ratio)
		return host;
	return (uint64_t)((unsigned __int128)host * ratio >> fraction_bits(vcpu->vm->ops));
}

uint64_t tsc_at(const struct hv_vcpu *vcpu, uint64_t host)
{
	return scaled(vcpu, host) + __atomic_load_n(&vcpu->tsc_offset, __ATOMIC_RELAXED);
}

uint64_t tsc_now(const struct hv_vcpu *vcpu)
{
	return tsc_at(vcpu, processor_tsc());
}

/* AMD's ratio has eight bits before the point, Intel's sixteen: enough for these. */
#define FASTER_AT_MOST 255

/* The ratio for @khz, 0 if it is the host's frequency; false: it can't be had. */
static bool find_ratio(const struct hv_cpu_ops *ops, uint32_t khz, uint64_t *ratio)
{
	uint64_t host = host_tsc_khz(), slack = host * TOLERANCE_PPM / 1000000;
	unsigned int bits = fraction_bits(ops);

	*ratio = 0;
	if (khz >= host - slack && khz <= host + slack)
		return true;
	if (!bits || !khz || khz / host > FASTER_AT_MOST)
		return false;
	*ratio = khz / host;
	for (uint64_t rest = khz % host; bits; bits--) {
		rest <<= 1;
		*ratio = *ratio << 1 | (rest >= host);
		rest -= rest >= host ? host : 0;
	}
	return *ratio;
}

static void set_ratio(struct hv_vcpu *vcpu, uint32_t khz, uint64_t ratio)
{
	const struct hv_cpu_ops *ops = vcpu->vm->ops;

	vcpu->tsc_khz = ratio ? khz : host_tsc_khz();
	__atomic_store_n(&vcpu->tsc_ratio, ratio, __ATOMIC_RELAXED);
	if (ops->set_tsc_ratio)
		ops->set_tsc_ratio(vcpu);
	if (vcpu->local_apic)
		local_apic_tsc_changed(vcpu);
}

bool hv_vcpu_set_tsc_khz(struct hv_vcpu *vcpu, uint32_t khz)
{
	uint64_t ratio;

	if (!find_ratio(vcpu->vm->ops, khz, &ratio))
		return false;
	set_ratio(vcpu, khz, ratio);
	clock_tell_all(vcpu->vm);
	return true;
}

bool hv_vm_set_tsc_khz(struct hv_vm *vm, uint32_t khz)
{
	uint64_t ratio;

	if (!find_ratio(vm->ops, khz, &ratio))
		return false;
	vm->tsc_khz = khz;
	return true;
}

/* ---- offset ----------------------------------------------------------------------------- */

static void set_offset(struct hv_vcpu *vcpu, uint64_t offset)
{
	__atomic_store_n(&vcpu->tsc_offset, offset, __ATOMIC_RELAXED);
	vcpu->vm->ops->set_tsc_offset(vcpu, offset);
	if (vcpu->local_apic)
		local_apic_tsc_changed(vcpu);
	clock_tell_all(vcpu->vm);
}

/*
 * A host that has slept may find its counter begun anew, at nought: guests' counters go on
 * where they were. Each vCPU adds to its offset what the host's has lost, when it is loaded
 * next, and so does whoever looks at the VM's.
 */
uint64_t hv_tsc_lost;

void hv_tsc_slept(uint64_t before, uint64_t after)
{
	if (after < before)
		__atomic_fetch_add(&hv_tsc_lost, before - after, __ATOMIC_RELEASE);
}

void tsc_catch_up(struct hv_vcpu *vcpu)
{
	uint64_t lost = __atomic_load_n(&hv_tsc_lost, __ATOMIC_ACQUIRE);
	/* Of all of it, and not of what is new: so it is the same after any number of sleeps. */
	uint64_t more = scaled(vcpu, lost) - scaled(vcpu, vcpu->tsc_lost);

	vcpu->tsc_lost = lost;
	set_offset(vcpu, vcpu->tsc_offset + more);
	/* The moment for which the guest's timer is set is one of the old counter's. */
	if (vcpu->deadline)
		local_apic_deadline(vcpu);
}

/* With the clock's lock. */
static uint64_t *offset_of_vm(const struct hv_vcpu *vcpu)
{
	struct hv_vm *vm = vcpu->vm;
	uint64_t lost = __atomic_load_n(&hv_tsc_lost, __ATOMIC_ACQUIRE);

	vm->tsc_offset += scaled(vcpu, lost) - scaled(vcpu, vm->tsc_lost);
	vm->tsc_lost = lost;
	return &vm->tsc_offset;
}

void hv_vcpu_set_tsc_offset(struct hv_vcpu *vcpu, uint64_t offset)
{
	struct hv_vm *vm = vcpu->vm;

	host_spin_lock(vm->clock.lock);
	*offset_of_vm(vcpu) = offset;
	host_spin_unlock(vm->clock.lock);
	set_offset(vcpu, offset);
}

void tsc_start(struct hv_vcpu *vcpu)
{
	struct hv_vm *vm = vcpu->vm;
	uint64_t ratio, offset;

	if (!find_ratio(vm->ops, vm->tsc_khz, &ratio))
		ratio = 0;
	set_ratio(vcpu, vm->tsc_khz, ratio);
	vcpu->tsc_lost = __atomic_load_n(&hv_tsc_lost, __ATOMIC_ACQUIRE);
	host_spin_lock(vm->clock.lock);
	/* The first of them begins at nought, as after RESET (SDM 3, table 9-1). */
	if (!vm->vcpu_count)
		*offset_of_vm(vcpu) = vcpu->tsc_offset - tsc_now(vcpu);
	offset = *offset_of_vm(vcpu);
	host_spin_unlock(vm->clock.lock);
	set_offset(vcpu, offset);
}

/*
 * VMMs write the counters of all vCPUs to the same value, one after the other, and mean
 * that they shall agree: what is within a second of the vCPU's that was written last
 * becomes the same as that one's; and so does nought, with which they reset one.
 */
static void write_by_host(struct hv_vcpu *vcpu, uint64_t value)
{
	uint64_t second = (uint64_t)vcpu->tsc_khz * 1000, offset, distance, *last;
	struct hv_vm *vm = vcpu->vm;

	host_spin_lock(vm->clock.lock);
	last = offset_of_vm(vcpu);
	offset = vcpu->tsc_offset + value - tsc_now(vcpu);
	distance = offset - *last;
	if (!value || distance < second || -distance < second)
		offset = *last;
	*last = offset;
	host_spin_unlock(vm->clock.lock);
	set_offset(vcpu, offset);
}

void tsc_write(struct hv_vcpu *vcpu, uint64_t value, bool by_host)
{
	uint64_t change;

	if (by_host) {
		write_by_host(vcpu, value);
		return;
	}
	change = value - tsc_now(vcpu);
	vcpu->tsc_adjust += change;
	set_offset(vcpu, vcpu->tsc_offset + change);
}

/* SDM 3, 18.17.3: it counts what was added to the counter; set from outside it is restored. */
void tsc_write_adjust(struct hv_vcpu *vcpu, uint64_t value, bool by_host)
{
	uint64_t change = value - vcpu->tsc_adjust;

	vcpu->tsc_adjust = value;
	if (!by_host)
		set_offset(vcpu, vcpu->tsc_offset + change);
}

bool tsc_all_agree(struct hv_vm *vm)
{
	unsigned int count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);
	const struct hv_vcpu *first = count ? vm->vcpus[0] : NULL;

	for (unsigned int i = 1; i < count; i++) {
		const struct hv_vcpu *other = vm->vcpus[i];

		if (__atomic_load_n(&other->tsc_offset, __ATOMIC_RELAXED) !=
			    __atomic_load_n(&first->tsc_offset, __ATOMIC_RELAXED) ||
		    __atomic_load_n(&other->tsc_ratio, __ATOMIC_RELAXED) !=
			    __atomic_load_n(&first->tsc_ratio, __ATOMIC_RELAXED))
			return false;
	}
	return true;
}
