/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_MSR_H
#define HUTCH_CORE_MSR_H

/* Model-specific registers as the guest sees them. */

#include "core/hv.h"

/* Carries out RDMSR or WRMSR. */
enum hv_verdict msr_instruction(struct hv_vcpu *vcpu, const struct hv_exit *exit);

enum msr_answer {
	MSR_DONE,
	MSR_INVALID, /* #GP(0) */
	MSR_VMM,     /* vcpu->call holds it */
};

/* One access by the guest, all rules observed. */
enum msr_answer msr_access(struct hv_vcpu *vcpu, uint32_t index, bool write, uint64_t *value);

#endif
