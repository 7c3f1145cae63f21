/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * What VM entry loads from tables: the four page-directory-pointer-table entries of a
 * guest in PAE paging (SDM 3, 27.3.1.6), which with EPT are in the VMCS and without are
 * where the guest's CR3 points to; and the list of MSRs (SDM 3, 27.4).
 */

#include "core/vmx/check_internal.h"

#include "x86/paging.h"

#define PDPTE_COUNT 4

static bool pae_paging(const struct vmx_check *check)
{
	return check->paging && (FIELD(GUEST_CR4) & CR4_PAE) && !check->ia32e;
}

#define VMX_BITS(NAME, FIELD, text, bits) \
	vmx_judge_value(check, VMX_RULE_##NAME, vmcs_fields[field].name, pdpte, bits);
#define VMX_RULE(NAME, FIELD, text, broken)

static void check_pdpte(struct vmx_check *check, unsigned int number)
{
	const enum vmcs_index field = (enum vmcs_index)(VMCS_INDEX_GUEST_PDPTE0 + number);
	const uint64_t pdpte = SECONDARY(ENABLE_EPT) ? check->state->field[field]
						     : check->around->pdptes[number];

#include "core/vmx/rules_memory.def"
}

#undef VMX_BITS
#undef VMX_RULE
#define VMX_BITS(NAME, FIELD, text, bits)
#define VMX_RULE(NAME, FIELD, text, broken)                                                  \
	vmx_judge_value(check, VMX_RULE_##NAME, "VM-entry MSR-load list, MSR", entry->index, \
			broken);

static void check_msr_entry(struct vmx_check *check, const struct vmx_msr_entry *entry)
{
#include "core/vmx/rules_memory.def"
}

void vmx_check_memory(struct vmx_check *check)
{
	if (pae_paging(check) && (SECONDARY(ENABLE_EPT) || check->around->pdptes_known)) {
		for (unsigned int i = 0; i < PDPTE_COUNT; i++)
			check_pdpte(check, i);
	}
	for (uint64_t i = 0; check->around->entry_msrs && i < FIELD(ENTRY_MSR_LOAD_COUNT); i++)
		check_msr_entry(check, &check->around->entry_msrs[i]);
}
