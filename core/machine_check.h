/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_MACHINE_CHECK_H
#define HUTCH_CORE_MACHINE_CHECK_H

/* The registers of the machine-check architecture: SDM 3, chapter 16. */

#include "core/hv.h"

/* As at power-on: all banks, nothing in them. */
void machine_check_start(struct hv_vcpu *vcpu);

/* IA32_MCG_CAP to IA32_MCG_CTL, and the banks from IA32_MC0_CTL on. False: #GP. */
bool machine_check_read(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t *value);
bool machine_check_write(struct hv_vcpu *vcpu, uint32_t index, bool by_host, uint64_t value);

#endif
