/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_CPU_TEMPLATE_H
#define HUTCH_VMM_CPU_TEMPLATE_H

/*
 * The templates of --cpu, as sets of features. Those a template needs must be offered
 * by the hypervisor; those it has beside them are taken where they are offered; all
 * others are hidden from the guest.
 */

#include <stdbool.h>

#include "vmm/cpu_policy.h"
#include "x86/cpuid.h"

/* The template of this name, or CPU_TEMPLATE_COUNT. */
enum cpu_template cpu_template_find(const char *name, size_t length);

bool cpu_template_has(enum cpu_template template, enum cpuid_feature_index feature);
bool cpu_template_needs(enum cpu_template template, enum cpuid_feature_index feature);

/* Whether a template leaves this leaf to the guest at all: "host" does so with every one. */
bool cpu_template_has_leaf(enum cpu_template template, uint32_t leaf);

#endif
