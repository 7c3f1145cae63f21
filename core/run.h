/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_RUN_H
#define HUTCH_CORE_RUN_H

#include "core/hv.h"

/* Counts the exit and calls its handler. */
enum hv_verdict exit_handle(struct hv_vcpu *vcpu, struct hv_exit *exit);

#endif
