/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/paravirtual.h"

#include "core/cpuid.h"
#include "core/memory.h"
#include "x86/registers.h"

#define ENABLED	      1ull
#define STEAL_ALIGNED 0x3eull /* bits that are reserved */
#define EOI_RESERVED  2ull

/* ---- what CPUID shows --------------------------------------------------------------------- */

/* The leaves of several interfaces may follow each other, each from a multiple of 0x100 on. */
#define LEAVES_FIRST 0x40000000u
#define LEAVES_END   0x40010000u
#define LEAVES_STEP  0x100u

static bool has_signature(const uint32_t leaf[4])
{
	return leaf[CPUID_EBX] == 0x4b4d564b && leaf[CPUID_ECX] == 0x564b4d56 &&
	       leaf[CPUID_EDX] == 0x4d; /* "KVMKVMKVM" */
}

bool paravirtual_has(struct hv_vcpu *vcpu, enum paravirtual_feature feature)
{
	uint32_t leaf[4];

	if (!vcpu->paravirtual.enforced)
		return true;
	for (uint32_t base = LEAVES_FIRST; base < LEAVES_END; base += LEAVES_STEP) {
		cpuid_look(vcpu, base, 0, leaf);
		if (!has_signature(leaf))
			continue;
		cpuid_look(vcpu, base + 1, 0, leaf);
		return leaf[CPUID_EAX] >> feature & 1;
	}
	return false;
}

/* ---- the MSRs -------------------------------------------------------------------------------- */

static enum paravirtual_feature feature_of(uint32_t index)
{
	switch (index) {
	case KVM_MSR_WALL_CLOCK:
	case KVM_MSR_SYSTEM_TIME:
		return PARAVIRTUAL_CLOCK;
	case KVM_MSR_STEAL_TIME:
		return PARAVIRTUAL_STEAL_TIME;
	case KVM_MSR_PV_EOI_EN:
		return PARAVIRTUAL_EOI;
	default:
		return PARAVIRTUAL_CLOCK_NEW;
	}
}

static uint64_t *msr_of(struct hv_vcpu *vcpu, uint32_t index)
{
	switch (index) {
	case KVM_MSR_WALL_CLOCK:
	case KVM_MSR_WALL_CLOCK_NEW:
		return &vcpu->vm->wall_clock;
	case KVM_MSR_STEAL_TIME:
		return &vcpu->paravirtual.steal_time;
	case KVM_MSR_PV_EOI_EN:
		return &vcpu->paravirtual.eoi;
	default:
		return &vcpu->paravirtual.system_time;
	}
}

/* The VMM saves and restores them whether the guest has them or not. */
static bool is_here(struct hv_vcpu *vcpu, uint32_t index, bool by_host)
{
	return by_host || paravirtual_has(vcpu, feature_of(index));
}

bool paravirtual_read(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t *value)
{
	if (!is_here(vcpu, index, by_host))
		return false;
	*value = __atomic_load_n(msr_of(vcpu, index), __ATOMIC_RELAXED);
	return true;
}

static bool is_allowed(uint32_t index, uint64_t value)
{
	switch (index) {
	case KVM_MSR_STEAL_TIME:
		return !(value & STEAL_ALIGNED) && (!(value & ENABLED) || host_counts_run_delay());
	case KVM_MSR_PV_EOI_EN:
		return !(value & ENABLED) || !(value & EOI_RESERVED);
	default:
		return true;
	}
}

bool paravirtual_write(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t value)
{
	if (!is_here(vcpu, index, by_host) || !is_allowed(index, value))
		return false;
	if (index == KVM_MSR_PV_EOI_EN)
		pv_eoi_take(vcpu);
	__atomic_store_n(msr_of(vcpu, index), value, __ATOMIC_RELAXED);
	switch (index) {
	case KVM_MSR_WALL_CLOCK:
	case KVM_MSR_WALL_CLOCK_NEW:
		pvclock_write_wall(vcpu->vm, value);
		break;
	case KVM_MSR_SYSTEM_TIME:
	case KVM_MSR_SYSTEM_TIME_NEW:
		hv_vcpu_request(vcpu, HV_REQUEST_CLOCK);
		break;
	case KVM_MSR_STEAL_TIME:
		steal_time_begin(vcpu);
		break;
	}
	return true;
}

void paravirtual_reset(struct hv_vcpu *vcpu)
{
	struct hv_paravirtual *own = &vcpu->paravirtual;

	__atomic_store_n(&own->system_time, 0, __ATOMIC_RELAXED);
	own->steal_time = own->eoi = own->steal_hva = 0;
	own->stopped = own->eoi_offered = false;
	__atomic_store_n(&own->unhalted, 0, __ATOMIC_RELAXED);
}

/* ---- coming to a CPU --------------------------------------------------------------------------------- */

void paravirtual_load(struct hv_vcpu *vcpu, bool moved)
{
	const struct hv_paravirtual *own = &vcpu->paravirtual;
	uint32_t requests = 0;

	if (own->system_time & ENABLED &&
	    (own->clock_changes != host_clock_changes() || (moved && !vcpu->vm->clock.stable)))
		requests |= HV_REQUEST_CLOCK;
	if (own->steal_time & ENABLED && steal_time_is_old(vcpu))
		requests |= HV_REQUEST_STEAL;
	if (requests)
		hv_vcpu_request(vcpu, requests);
}

void paravirtual_update(struct hv_vcpu *vcpu, uint32_t requests)
{
	if (requests & HV_REQUEST_CLOCK && vcpu->paravirtual.system_time & ENABLED)
		pvclock_update(vcpu);
	if (requests & HV_REQUEST_STEAL && vcpu->paravirtual.steal_time & ENABLED)
		steal_time_update(vcpu);
}

/* ---- a place in the guest's memory ---------------------------------------------------------------- */

bool paravirtual_publish(struct hv_vm *vm, uint64_t gpa, void *image, size_t size, size_t version)
{
	uint32_t *number = (uint32_t *)((uint8_t *)image + version);

	/* An odd one that is there already is what memory held before, or half of a write. */
	*number |= 1;
	if (!memory_copy_out(vm, gpa + version, number, sizeof(*number)) ||
	    !memory_copy_out(vm, gpa, image, size))
		return false;
	++*number;
	return memory_copy_out(vm, gpa + version, number, sizeof(*number));
}
