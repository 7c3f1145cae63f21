/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_CHECK_INTERNAL_H
#define HUTCH_CORE_VMX_CHECK_INTERNAL_H

/*
 * What the parts of the entry doctor share: the patient as they see it, the words in
 * which the rules of core/vmx/rules_*.def are written, and the way to report.
 */

#include "core/vmx/check.h"
#include "x86/registers.h"
#include "x86/segment.h"

struct vmx_check {
	const struct vmcs_state *state;
	const struct vmx_capability *capability;
	const struct vmx_surroundings *around;
	struct diagnosis *diagnosis;

	/* The words of controls; a word that is not activated counts as 0. */
	uint64_t pin, primary, secondary, tertiary, exit, exit2, entry;

	uint64_t beyond_width;	   /* address bits that no physical address has */
	uint64_t beyond_vmx_width; /* those that no address in the VMCS may have */
	bool ia32e;		   /* the guest is in IA-32e mode */
	bool v8086;		   /* ... in virtual-8086 mode */
	bool unrestricted;	   /* ... and may be without paging or protection */
	bool paging;		   /* CR0.PG */
	uint32_t event;		   /* what is to be injected, 0 if nothing */
	enum vmx_event_type event_type;
};

/* Each of these judges by one file of rules, or more. */
void vmx_check_execution_controls(struct vmx_check *check);
void vmx_check_exit_and_entry_controls(struct vmx_check *check);
void vmx_check_host(struct vmx_check *check);
void vmx_check_guest_registers(struct vmx_check *check);
void vmx_check_guest_segments(struct vmx_check *check);
void vmx_check_guest_state(struct vmx_check *check);
void vmx_check_memory(struct vmx_check *check);

/*
 * Reports the rule as broken by this field, unless @broken is 0. For a rule about
 * single bits (VMX_BITS) @broken are those bits.
 */
void vmx_judge(struct vmx_check *check, enum vmx_rule rule, enum vmcs_index field, uint64_t broken);

/* The same for a value that is not in the VMCS. */
void vmx_judge_value(struct vmx_check *check, enum vmx_rule rule, const char *field, uint64_t value,
		     uint64_t broken);

/* ---- the rules' words ----------------------------------------------------------- */

#define PIN(name)	((check->pin & VMX_PIN_##name) != 0)
#define PRIMARY(name)	((check->primary & VMX_PRIMARY_##name) != 0)
#define SECONDARY(name) ((check->secondary & VMX_SECONDARY_##name) != 0)
#define TERTIARY(name)	((check->tertiary & VMX_TERTIARY_##name) != 0)
#define EXIT(name)	((check->exit & VMX_EXIT_##name) != 0)
#define EXIT2(name)	((check->exit2 & VMX_EXIT2_##name) != 0)
#define ENTRY(name)	((check->entry & VMX_ENTRY_##name) != 0)

/* The field itself, and its bits from @high to @low. */
#define FIELD(NAME)	      (check->state->field[VMCS_INDEX_##NAME])
#define BITS(NAME, high, low) (FIELD(NAME) & vmx_bits(high, low))

/* @bits where the condition holds, else none. */
#define WHERE(condition, bits) ((condition) ? (uint64_t)(bits) : 0)

static inline uint64_t vmx_bits(unsigned int high, unsigned int low)
{
	return (UINT64_MAX >> (63 - high)) & (UINT64_MAX << low);
}

/* Bits of a word of controls that are 0 and must be 1, and the other way around. */
static inline uint64_t vmx_missing(const struct vmx_check *check, enum vmx_control_word word,
				   uint64_t value)
{
	return vmx_controls(check->capability, word).must_be_one & ~value;
}

static inline uint64_t vmx_forbidden(const struct vmx_check *check, enum vmx_control_word word,
				     uint64_t value)
{
	return value & ~vmx_controls(check->capability, word).may_be_one;
}

/* SDM 1, 3.3.7.1. Without Intel 64 an address has 32 bits and is what it is. */
static inline bool vmx_canonical(const struct vmx_check *check, uint64_t address)
{
	unsigned int unused = 64u - check->capability->linear_address_bits;

	if (!check->capability->has_intel64)
		return true;
	return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

/* The bytes of an IA32_PAT that are no memory type: SDM 3, 12.12.2, table 12-10 */
static inline uint64_t vmx_invalid_pat(uint64_t pat)
{
	uint64_t invalid = 0;

	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t type = pat >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			invalid |= 0xffull << i;
	}
	return invalid;
}

/* Bits of CR3 that no CR3 may have: SDM 3, 4.5. Bits 62:61 belong to LAM. */
static inline uint64_t vmx_invalid_cr3(const struct vmx_check *check, uint64_t cr3)
{
	uint64_t lam = check->capability->has_lam ? 3ull << 61 : 0;

	return check->capability->has_intel64 ? cr3 & check->beyond_width & ~lam : 0;
}

/* IA32_S_CET: SDM 3, 17.3.1 (SDM 1, 17.3) */
#define VMX_CET_RESERVED (0xfull << 6)
#define VMX_CET_SUPPRESS (1ull << 10)
#define VMX_CET_TRACKER	 (1ull << 11)

static inline bool vmx_cet_suppress_and_track(uint64_t s_cet)
{
	return (s_cet & VMX_CET_SUPPRESS) && (s_cet & VMX_CET_TRACKER);
}

/* Bits of CR0 that entries and exits leave alone, and so do not judge: NW, CD. */
#define VMX_CR0_IGNORED (CR0_NW | CR0_CD)

#endif
