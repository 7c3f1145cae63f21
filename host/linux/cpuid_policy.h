/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HOST_LINUX_CPUID_POLICY_H
#define HUTCH_HOST_LINUX_CPUID_POLICY_H

/* What of this processor's CPUID guests may have. Knows nothing of Linux. */

#include <stdbool.h>
#include <stdint.h>

struct hv_cpuid;

/* XCR0's bits that guests may set; 0 without XSAVE. */
uint64_t cpuid_policy_xcr0(void);

/* Writes at most @size entries and returns how many there are. @steal_time: the host counts it. */
unsigned int cpuid_policy(struct hv_cpuid *entries, unsigned int size, bool steal_time);

#endif
