/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The lists fields.def, controls.def and reasons.def as tables: the names of fields,
 * controls, exit reasons and errors, and which fields a processor has.
 */

#include "core/vmx/vmcs.h"

const struct vmcs_field vmcs_fields[VMCS_FIELD_COUNT] = {
#define VMCS_FIELD(NAME, member, encoding, text, exists) [VMCS_INDEX_##NAME] = { encoding, text },
#include "core/vmx/fields.def"
};

enum vmcs_index vmcs_field_find(uint32_t encoding)
{
	size_t low = 0, high = VMCS_FIELD_COUNT;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (vmcs_fields[middle].encoding == encoding)
			return (enum vmcs_index)middle;
		if (vmcs_fields[middle].encoding < encoding)
			low = middle + 1;
		else
			high = middle;
	}
	return VMCS_FIELD_COUNT;
}

#define MAY_BE_ONE(word, name) vmx_controls_allow(capability, VMX_WORD_##word, VMX_##word##_##name)
#define ALWAYS		       true
#define PIN(name)	       MAY_BE_ONE(PIN, name)
#define PRIMARY(name)	       MAY_BE_ONE(PRIMARY, name)
#define SECONDARY(name)	       MAY_BE_ONE(SECONDARY, name)
#define TERTIARY(name)	       MAY_BE_ONE(TERTIARY, name)
#define EXIT(name)	       MAY_BE_ONE(EXIT, name)
#define EXIT2(name)	       MAY_BE_ONE(EXIT2, name)
#define ENTRY(name)	       MAY_BE_ONE(ENTRY, name)
#define VM_FUNCTION(name)      ((capability->vmfunc & VMX_VM_FUNCTION_##name) != 0)
#define FRED		       ((capability->basic & VMX_BASIC_NESTED_EXCEPTION) != 0)

bool vmcs_field_exists(const struct vmx_capability *capability, enum vmcs_index index)
{
	switch (index) {
#define VMCS_FIELD(NAME, member, encoding, text, exists) \
	case VMCS_INDEX_##NAME:                          \
		return exists;
#include "core/vmx/fields.def"
	case VMCS_FIELD_COUNT:
		break;
	}
	return false;
}

void vmcs_state_read(struct vmcs_state *state, const struct vmx_capability *capability,
		     uint64_t (*read)(void *owner, uint32_t encoding), void *owner)
{
	for (size_t i = 0; i < VMCS_FIELD_COUNT; i++) {
		bool exists = vmcs_field_exists(capability, (enum vmcs_index)i);

		state->field[i] = exists ? read(owner, vmcs_fields[i].encoding) : 0;
	}
}

/* ---- names ------------------------------------------------------------------- */

const char *vmx_control_name(enum vmx_control_word word, unsigned int bit)
{
	static const struct {
		uint8_t word, bit;
		const char *name;
	} controls[] = {
#define VMX_CONTROL(word, name, bit, text) { VMX_WORD_##word, bit, text },
#include "core/vmx/controls.def"
	};

	for (size_t i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
		if (controls[i].word == word && controls[i].bit == bit)
			return controls[i].name;
	}
	return NULL;
}

#define REASON_COUNT 86

static const struct {
	const char *name, *text;
} reasons[REASON_COUNT] = {
#define VMX_REASON(name, number, text) [number] = { #name, text },
#include "core/vmx/reasons.def"
};

const char *vmx_reason_name(uint32_t reason)
{
	reason &= VMX_REASON_BASIC;
	return reason < REASON_COUNT ? reasons[reason].name : NULL;
}

const char *vmx_reason_text(uint32_t reason)
{
	reason &= VMX_REASON_BASIC;
	return reason < REASON_COUNT ? reasons[reason].text : NULL;
}

const char *vmx_error_text(uint32_t number)
{
	static const char *const errors[] = {
#define VMX_ERROR(number, text) [number] = text,
#include "core/vmx/reasons.def"
	};

	return number < sizeof(errors) / sizeof(errors[0]) ? errors[number] : NULL;
}
