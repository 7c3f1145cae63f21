/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_GUEST_MEMORY_H
#define HUTCH_CORE_GUEST_MEMORY_H

/* Memory as the guest's programs see it: linear addresses, through its page tables. */

#include "core/hv.h"
#include "x86/paging.h"

/*
 * Where @linear leads for an access with these rights (PAGE_FAULT_W, _U, _I), which is made
 * now: the guest finds it marked in its tables. May sleep.
 */
struct paging_result guest_access(struct hv_vcpu *vcpu, uint64_t linear, uint32_t access);

/* The same for who only asks, or for what the processor has read and marked itself. */
struct paging_result guest_translate(struct hv_vcpu *vcpu, uint64_t linear, uint32_t access);

/* The instruction at CS:RIP. */
struct guest_code {
	uint64_t address; /* linear */
	enum decode_mode mode;
};
struct guest_code guest_code(struct hv_vcpu *vcpu);

/* Copies up to @size bytes of code; returns how many could be read. */
size_t guest_read_code(struct hv_vcpu *vcpu, uint64_t linear, uint8_t *bytes, size_t size);

#endif
