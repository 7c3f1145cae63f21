/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_MSR_FILTER_H
#define HUTCH_CORE_MSR_FILTER_H

/* What a VMM lets its guest do with MSRs: hv_vm_filter_msrs() gives the filter. */

#include "core/hv.h"
#include "x86/registers.h"

/*
 * Whether the VMM lets the guest read or write this one itself. The local APIC's are never
 * filtered (Linux, Documentation/virt/kvm/api.rst, 4.97). May sleep.
 */
bool msr_filter_allows(struct hv_vm *vm, uint32_t index, bool write);

/* The filter is another than when the vCPU last entered, or it has never done so. */
void msr_filter_update(struct hv_vcpu *vcpu);

#endif
