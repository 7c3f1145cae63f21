/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The entry doctor's front door: it gathers from the VMCS what many rules ask for, has
 * every part judge, and writes down what they find.
 */

#include "core/vmx/check_internal.h"

/* ---- the rules as a table ------------------------------------------------------- */

static const struct {
	const char *name, *text, *source;
	bool has_bits; /* VMX_BITS: what is wrong is single bits */
} rules[VMX_RULE_COUNT] = {
#define VMX_RULE(NAME, FIELD, text, broken)	     { #NAME, text, VMX_SOURCE, false },
#define VMX_BITS(NAME, FIELD, text, bits)	     { #NAME, text, VMX_SOURCE, true },
#define VMX_SEGMENT(NAME, which, PART, text, broken) { #NAME, text, VMX_SOURCE, false },
#include "core/vmx/rules.def"
};

const char *vmx_rule_name(enum vmx_rule rule)
{
	return rules[rule].name;
}

const char *vmx_rule_source(enum vmx_rule rule)
{
	return rules[rule].source;
}

/* The name of the lowest of these bits, where the field is a word of controls. */
static const char *name_bit(enum vmcs_index field, uint64_t bits)
{
	static const struct {
		enum vmcs_index field;
		enum vmx_control_word word;
	} words[] = {
		{ VMCS_INDEX_PIN_BASED_CONTROLS, VMX_WORD_PIN },
		{ VMCS_INDEX_PRIMARY_CONTROLS, VMX_WORD_PRIMARY },
		{ VMCS_INDEX_SECONDARY_CONTROLS, VMX_WORD_SECONDARY },
		{ VMCS_INDEX_TERTIARY_CONTROLS, VMX_WORD_TERTIARY },
		{ VMCS_INDEX_EXIT_CONTROLS, VMX_WORD_EXIT },
		{ VMCS_INDEX_SECONDARY_EXIT_CONTROLS, VMX_WORD_EXIT2 },
		{ VMCS_INDEX_ENTRY_CONTROLS, VMX_WORD_ENTRY },
	};
	unsigned int bit = 0;

	while (bit < 63 && !(bits >> bit & 1))
		bit++;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (words[i].field == field)
			return vmx_control_name(words[i].word, bit);
	}
	return NULL;
}

static void report(struct vmx_check *check, enum vmx_rule rule, const char *field, uint64_t value,
		   uint64_t bits, const char *bit)
{
	struct violation violation = {
		.field = field,
		.value = value,
		.rule = rules[rule].text,
		.bits = bits,
		.bit = bit,
		.source = rules[rule].source,
		.number = (uint16_t)rule,
	};

	diagnosis_add(check->diagnosis, &violation);
}

void vmx_judge(struct vmx_check *check, enum vmx_rule rule, enum vmcs_index field, uint64_t broken)
{
	if (!broken)
		return;
	if (rules[rule].has_bits)
		report(check, rule, vmcs_fields[field].name, check->state->field[field], broken,
		       name_bit(field, broken));
	else
		report(check, rule, vmcs_fields[field].name, check->state->field[field], 0, NULL);
}

void vmx_judge_value(struct vmx_check *check, enum vmx_rule rule, const char *field, uint64_t value,
		     uint64_t broken)
{
	if (broken)
		report(check, rule, field, value, rules[rule].has_bits ? broken : 0, NULL);
}

/* ---- what the rules ask for ----------------------------------------------------- */

/* A word that another control activates counts as 0 while that one is 0: SDM 3, 25.6.2. */
static void gather_controls(struct vmx_check *check)
{
	const struct vmcs_state *state = check->state;

	check->pin = state->pin_based_controls;
	check->primary = state->primary_controls;
	check->exit = state->exit_controls;
	check->entry = state->entry_controls;
	check->secondary = WHERE(PRIMARY(ACTIVATE_SECONDARY_CONTROLS), state->secondary_controls);
	check->tertiary = WHERE(PRIMARY(ACTIVATE_TERTIARY_CONTROLS), state->tertiary_controls);
	check->exit2 = WHERE(EXIT(ACTIVATE_SECONDARY_CONTROLS), state->secondary_exit_controls);
}

static void gather_guest(struct vmx_check *check)
{
	uint32_t event = (uint32_t)check->state->entry_interruption_information;

	check->ia32e = ENTRY(IA32E_MODE_GUEST);
	check->v8086 = check->state->guest_rflags & RFLAGS_VM;
	check->unrestricted = SECONDARY(UNRESTRICTED_GUEST);
	check->paging = check->state->guest_cr0 & CR0_PG;
	check->event = event & VMX_EVENT_VALID ? event : 0;
	check->event_type = vmx_event_type(check->event);
}

bool vmx_check(const struct vmcs_state *state, const struct vmx_capability *capability,
	       const struct vmx_surroundings *around, struct diagnosis *diagnosis)
{
	size_t before = diagnosis->count;
	struct vmx_check check = {
		.state = state,
		.capability = capability,
		.around = around,
		.diagnosis = diagnosis,
		.beyond_width = UINT64_MAX << capability->physical_address_bits,
	};

	/* The first processors could not follow addresses above 4 GiB here: SDM 3, A.1. */
	check.beyond_vmx_width = check.beyond_width;
	if (capability->basic & VMX_BASIC_32BIT_ADDRESSES)
		check.beyond_vmx_width = UINT64_MAX << 32;
	gather_controls(&check);
	gather_guest(&check);

	vmx_check_execution_controls(&check);
	vmx_check_exit_and_entry_controls(&check);
	vmx_check_host(&check);
	vmx_check_guest_registers(&check);
	vmx_check_guest_segments(&check);
	vmx_check_guest_state(&check);
	vmx_check_memory(&check);
	return diagnosis->count == before;
}

bool vmx_check_segments(const struct vmcs_state *state, const struct vmx_capability *capability,
			uint64_t rflags)
{
	struct diagnosis diagnosis = { 0 };
	struct vmx_check check = {
		.state = state,
		.capability = capability,
		.diagnosis = &diagnosis,
	};

	gather_controls(&check);
	check.ia32e = check.entry & VMX_ENTRY_IA32E_MODE_GUEST;
	check.v8086 = rflags & RFLAGS_VM;
	vmx_check_guest_segments(&check);
	return !diagnosis.count;
}
