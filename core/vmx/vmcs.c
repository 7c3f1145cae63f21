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

/* What a field needs to exist: these bits of a word of controls may be 1, or more rarely ... */
enum need_word {
	NEED_ALWAYS = VMX_WORD_COUNT,
	NEED_VM_FUNCTION, /* IA32_VMX_VMFUNC has the bits */
	NEED_BASIC,	  /* IA32_VMX_BASIC has the bits */
};

struct need {
	uint8_t word; /* enum vmx_control_word, enum need_word */
	uint64_t bits;
};

#define CONTROL(word, name)                          \
	{                                            \
		VMX_WORD_##word, VMX_##word##_##name \
	}
#define ALWAYS                 \
	{                      \
		NEED_ALWAYS, 1 \
	}
#define PIN(name)	CONTROL(PIN, name)
#define PRIMARY(name)	CONTROL(PRIMARY, name)
#define SECONDARY(name) CONTROL(SECONDARY, name)
#define TERTIARY(name)	CONTROL(TERTIARY, name)
#define EXIT(name)	CONTROL(EXIT, name)
#define EXIT2(name)	CONTROL(EXIT2, name)
#define ENTRY(name)	CONTROL(ENTRY, name)
#define VM_FUNCTION(name)                                \
	{                                                \
		NEED_VM_FUNCTION, VMX_VM_FUNCTION_##name \
	}
#define FRED                                           \
	{                                              \
		NEED_BASIC, VMX_BASIC_NESTED_EXCEPTION \
	}
#define EITHER(one, other) one, other

/* One of them is enough. */
static const struct need needs[VMCS_FIELD_COUNT][2] = {
#define VMCS_FIELD(NAME, member, encoding, text, exists) [VMCS_INDEX_##NAME] = { exists },
#include "core/vmx/fields.def"
};

static bool is_met(const struct vmx_capability *capability, const struct need *need)
{
	switch (need->word) {
	case NEED_ALWAYS:
		return true;
	case NEED_VM_FUNCTION:
		return capability->vmfunc & need->bits;
	case NEED_BASIC:
		return capability->basic & need->bits;
	default:
		return need->bits && vmx_controls_allow(capability, need->word, need->bits);
	}
}

bool vmcs_field_exists(const struct vmx_capability *capability, enum vmcs_index index)
{
	return is_met(capability, &needs[index][0]) || is_met(capability, &needs[index][1]);
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
#define VMX_ERROR(number, text) [number] = (text),
#include "core/vmx/reasons.def"
	};

	return number < sizeof(errors) / sizeof(errors[0]) ? errors[number] : NULL;
}
