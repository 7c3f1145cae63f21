/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_CONTROL_H
#define HUTCH_CORE_CONTROL_H

/*
 * The guest writes a control register, XCR0 or EFER: what the processor would check, and
 * what follows from it. False: #GP(0), nothing has changed.
 */

#include "core/hv.h"

bool control_write_cr0(struct hv_vcpu *vcpu, uint64_t value);
bool control_write_cr3(struct hv_vcpu *vcpu, uint64_t value);
bool control_write_cr4(struct hv_vcpu *vcpu, uint64_t value);
bool control_write_cr8(struct hv_vcpu *vcpu, uint64_t value);
bool control_write_efer(struct hv_vcpu *vcpu, uint64_t value);

#endif
