/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_CHECK_H
#define HUTCH_CORE_VMX_CHECK_H

/*
 * The entry doctor of VT-x: every rule that a VMCS has to keep for VMLAUNCH and
 * VMRESUME to succeed (SDM 3, 27.2 to 27.4). The processor stops at the first one that
 * is broken and does not tell which; here all of them are looked at and named.
 *
 * The check is pure: it looks at a snapshot, at what the processor can do and at a few
 * facts from outside the VMCS, and touches nothing. The rules themselves are in
 * core/vmx/rules_*.def, one line each, in the order of the manual. What is not judged:
 * the fields of FRED, and whether memory that a field points to can be read.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/violation.h"
#include "core/vmx/vmcs.h"

/* An entry of an MSR list: SDM 3, 25.7.2, table 25-15 */
struct vmx_msr_entry {
	uint32_t index;
	uint32_t reserved;
	uint64_t value;
};

/* What VM entry looks at beside the VMCS. What is not known is left out of the check. */
struct vmx_surroundings {
	bool long_mode;		/* IA32_EFER.LMA of the host, now */
	bool in_smm;		/* system-management mode */
	bool tracing;		/* IA32_RTIT_CTL.TraceEn */
	uint64_t current_vmcs;	/* its physical address */
	bool link_known;	/* @link_revision is known */
	uint32_t link_revision; /* the first four bytes that the VMCS link pointer points to */
	bool vtpr_known;	/* @vtpr is known */
	uint8_t vtpr;		/* byte 80h of the virtual-APIC page */
	bool pdptes_known;	/* @pdptes are known */
	uint64_t pdptes[4];	/* at guest CR3: used by a guest without EPT in PAE paging */
	const struct vmx_msr_entry *entry_msrs; /* the VM-entry MSR-load list, or NULL */
};

/* The rules' numbers: VMX_RULE_GUEST_CR0_PG_WITHOUT_PE and so on. */
enum vmx_rule {
#define VMX_RULE(NAME, FIELD, text, broken)	     VMX_RULE_##NAME,
#define VMX_BITS(NAME, FIELD, text, bits)	     VMX_RULE_##NAME,
#define VMX_SEGMENT(NAME, which, PART, text, broken) VMX_RULE_##NAME,
#include "core/vmx/rules.def"
	VMX_RULE_COUNT,
};

/* A rule's name as in the enum, and where it stands in the manual. */
const char *vmx_rule_name(enum vmx_rule rule);
const char *vmx_rule_source(enum vmx_rule rule);

/*
 * The rules about segment registers alone, for a guest that is to run with these flags and
 * is not unrestricted: whether @state keeps them all. Looks at the segment registers, CR0
 * and the words of controls.
 */
bool vmx_check_segments(const struct vmcs_state *state, const struct vmx_capability *capability,
			uint64_t rflags);

/*
 * Judges @state and adds everything that is wrong with it to @diagnosis. Returns true
 * when nothing is. Needs about half a KiB of stack.
 */
bool vmx_check(const struct vmcs_state *state, const struct vmx_capability *capability,
	       const struct vmx_surroundings *around, struct diagnosis *diagnosis);

#endif
