/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/msr_filter.h"

#include "core/cpu.h"

/*
 * Some MSRs a guest reads and writes without an exit, as the processor switches them with
 * it. A VMM may forbid them nevertheless, or want to be asked; then every MSR is an exit
 * for its guest, and what the filter allows is carried out by the core. Whoever forbids
 * only others pays nothing.
 */

bool msr_filter_allows(struct hv_vm *vm, uint32_t index, bool write)
{
	if (!vm->msr_allowed || (index >= IA32_X2APIC_FIRST && index <= IA32_X2APIC_LAST))
		return true;
	return vm->msr_allowed(vm, index, write);
}

static bool forbids_passed(struct hv_vm *vm)
{
	for (const uint32_t *msr = vm->ops->passed_msrs; *msr; msr++)
		if (!msr_filter_allows(vm, *msr, false) || !msr_filter_allows(vm, *msr, true))
			return true;
	return false;
}

void hv_vm_filter_msrs(struct hv_vm *vm,
		       bool (*allowed)(struct hv_vm *vm, uint32_t index, bool write))
{
	unsigned int count = __atomic_load_n(&vm->vcpu_count, __ATOMIC_ACQUIRE);

	vm->msr_allowed = allowed;
	__atomic_store_n(&vm->msrs_closed, allowed && forbids_passed(vm), __ATOMIC_RELAXED);
	for (unsigned int i = 0; i < count; i++)
		hv_vcpu_request(vm->vcpus[i], HV_REQUEST_MSRS);
}

void msr_filter_update(struct hv_vcpu *vcpu)
{
	vcpu->vm->ops->close_msrs(vcpu, __atomic_load_n(&vcpu->vm->msrs_closed, __ATOMIC_RELAXED));
}
