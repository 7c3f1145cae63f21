/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_MSR_NAMES_H
#define HUTCH_X86_MSR_NAMES_H

#include <stdint.h>

/* The manual's name of a model-specific register, or NULL for one without. */
const char *msr_name(uint32_t index);

#endif
