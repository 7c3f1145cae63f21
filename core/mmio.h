/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_MMIO_H
#define HUTCH_CORE_MMIO_H

#include "core/hv.h"

/* The guest touched an address without memory: core/mmio.c. */
enum hv_verdict mmio_handle(struct hv_vcpu *vcpu, const struct hv_exit *exit);

#endif
