/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_TASK_SWITCH_H
#define HUTCH_CORE_TASK_SWITCH_H

/*
 * The guest switches to another task, which no processor does for a guest: all of
 * exit->task is carried out here, or ends in the fault that the processor would raise.
 */

#include "core/hv.h"

enum hv_verdict task_switch(struct hv_vcpu *vcpu, const struct hv_exit *exit);

#endif
