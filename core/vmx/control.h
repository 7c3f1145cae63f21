/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_CONTROL_H
#define HUTCH_CORE_VMX_CONTROL_H

/* Which controls of VT-x this core uses, fitted to what a processor has. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vmx/capability.h"

/*
 * The words of controls, by enum vmx_control_word, that a vCPU begins with. False, with
 * one line in @why that names what is missing, where the processor can't.
 */
bool vmx_control_choose(const struct vmx_capability *capability, uint64_t words[VMX_WORD_COUNT],
			char *why, size_t size);

/*
 * Whether the second level of translation can be had as core/table.h builds it, and be
 * forgotten again (SDM 3, A.10). False, with @why.
 */
bool vmx_control_ept(const struct vmx_capability *capability, char *why, size_t size);

#endif
