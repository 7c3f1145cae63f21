/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_TSC_H
#define HUTCH_CORE_TSC_H

/* The guest's time-stamp counter: the host's, scaled where the processor can, plus an offset. */

#include "core/hv.h"

/* What it says when the host's says @host, and now. */
uint64_t tsc_at(const struct hv_vcpu *vcpu, uint64_t host);
uint64_t tsc_now(const struct hv_vcpu *vcpu);

/* All the ticks that the host's counter has lost, by hv_tsc_slept(). Shared. */
extern uint64_t hv_tsc_lost;
/* A vCPU that comes to a CPU and does not know of all of them yet: pinned. */
void tsc_catch_up(struct hv_vcpu *vcpu);

/* Loaded, as all below. As a vCPU's begins: where those that are there already stand. */
void tsc_start(struct hv_vcpu *vcpu);

/* IA32_TIME_STAMP_COUNTER and IA32_TSC_ADJUST are written, by the guest or by the VMM. */
void tsc_write(struct hv_vcpu *vcpu, uint64_t value, bool by_host);
void tsc_write_adjust(struct hv_vcpu *vcpu, uint64_t value, bool by_host);

/* All vCPUs' counters say the same at any moment. */
bool tsc_all_agree(struct hv_vm *vm);

#endif
