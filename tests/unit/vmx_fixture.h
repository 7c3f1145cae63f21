/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_VMX_FIXTURE_H
#define HUTCH_TESTS_UNIT_VMX_FIXTURE_H

/*
 * A patient for the entry doctor of VT-x: a guest in each mode that every rule finds
 * well, on a processor that has all there is; and a table of ways to make it ill, one
 * for each rule, with the complaints that must follow.
 *
 * A row says: in this mode, with these edits, this rule is broken, and also those that
 * cannot but be broken with it; nothing else.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "core/vmx/check.h"
#include "x86/exception.h"
#include "x86/registers.h"
#include "x86/segment.h"

enum mode {
	MODE_64,
	MODE_REAL,
	MODE_32,
	MODE_PAE,
	MODE_VM86,
	MODE_COUNT,
};

struct patient {
	struct vmcs_state state;
	struct vmx_capability capability;
	struct vmx_surroundings around;
};

struct edit {
	enum { EDIT_NONE, EDIT_SET, EDIT_ON, EDIT_OFF } how;
	size_t offset, size;
	uint64_t value;
};

#define EDIT(how, member, value)                                                                 \
	{                                                                                        \
		how, offsetof(struct patient, member), sizeof(((struct patient *)NULL)->member), \
			(uint64_t)(value)                                                        \
	}
#define SET(member, value) EDIT(EDIT_SET, member, value)
#define ON(member, bits)   EDIT(EDIT_ON, member, bits)
#define OFF(member, bits)  EDIT(EDIT_OFF, member, bits)
#define SECONDARY(name)	   ON(state.secondary_controls, VMX_SECONDARY_##name)
#define TERTIARY(name)                                                      \
	ON(state.primary_controls, VMX_PRIMARY_ACTIVATE_TERTIARY_CONTROLS), \
		ON(state.tertiary_controls, VMX_TERTIARY_##name)
#define NO_EPT \
	OFF(state.secondary_controls, VMX_SECONDARY_ENABLE_EPT | VMX_SECONDARY_UNRESTRICTED_GUEST)
#define RESTRICTED OFF(state.secondary_controls, VMX_SECONDARY_UNRESTRICTED_GUEST)
#define EVENT(type, vector, more)                 \
	SET(state.entry_interruption_information, \
	    VMX_EVENT_VALID | (type) << VMX_EVENT_TYPE_SHIFT | (vector) | (more))

struct breakage {
	enum vmx_rule rule;
	enum mode mode;
	struct edit edits[8];
	int also[4]; /* ALSO(rule) */
};
#define ALSO(name) (VMX_RULE_##name + 1)

#define BREAK(name, mode, ...)                          \
	{                                               \
		VMX_RULE_##name, mode, { __VA_ARGS__ }, \
		{                                       \
			0                               \
		}                                       \
	}
#define BREAK_ALSO(name, mode, also, ...)               \
	{                                               \
		VMX_RULE_##name, mode, { __VA_ARGS__ }, \
		{                                       \
			also                            \
		}                                       \
	}
#define AND ,

/* ---- a processor ------------------------------------------------------------------ */

static inline uint64_t defined_controls(enum vmx_control_word word)
{
	uint64_t bits = 0;

#define VMX_CONTROL(in, name, bit, text) \
	if (VMX_WORD_##in == word)       \
		bits |= 1ull << (bit);
#include "core/vmx/controls.def"
	return bits;
}

static inline uint64_t halves(uint32_t must, enum vmx_control_word word)
{
	return must | (must | defined_controls(word)) << 32;
}

static inline struct vmx_capability everything(void)
{
	struct vmx_capability capability = {
		.basic = 0x12 | VMX_BASIC_TRUE_CONTROLS | 0x1000ull << VMX_BASIC_SIZE_SHIFT,
		.pinbased_ctls = halves(0x16, VMX_WORD_PIN),
		.procbased_ctls = halves(0x0401e172, VMX_WORD_PRIMARY),
		.exit_ctls = halves(0x00036dff, VMX_WORD_EXIT),
		.entry_ctls = halves(0x000011ff, VMX_WORD_ENTRY),
		.misc = VMX_MISC_ACTIVITY_HLT | VMX_MISC_ACTIVITY_SHUTDOWN |
			VMX_MISC_ACTIVITY_SIPI | 4 << VMX_MISC_CR3_TARGETS_SHIFT,
		.cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG,
		.cr0_fixed1 = 0xffffffff,
		.cr4_fixed0 = CR4_VMXE,
		.cr4_fixed1 = 0x1f77fff,
		.procbased_ctls2 = halves(0, VMX_WORD_SECONDARY),
		.ept_vpid_cap = VMX_EPT_4_LEVELS | VMX_EPT_WRITE_BACK | VMX_EPT_UNCACHEABLE |
				1ull << 48,
		.true_pinbased_ctls = halves(0x16, VMX_WORD_PIN),
		.true_procbased_ctls = halves(0x04006172, VMX_WORD_PRIMARY),
		.true_exit_ctls = halves(0x00036dfb, VMX_WORD_EXIT),
		.true_entry_ctls = halves(0x000011fb, VMX_WORD_ENTRY),
		.vmfunc = VMX_VM_FUNCTION_EPTP_SWITCHING,
		.procbased_ctls3 = defined_controls(VMX_WORD_TERTIARY),
		.exit_ctls2 = defined_controls(VMX_WORD_EXIT2),
		.physical_address_bits = 46,
		.linear_address_bits = 48,
		.has_intel64 = true,
		.has_sgx = true,
		.has_rtm = true,
		.efer_supported = IA32_EFER_SCE | IA32_EFER_LME | IA32_EFER_LMA | IA32_EFER_NXE,
		.debugctl_supported = 0x1ddc3,
		.perf_global_ctrl_supported = 0x70000000full,
		.rtit_ctl_supported = 0xffff,
		.lbr_ctl_supported = 0x7f000f,
		.spec_ctrl_supported = 7,
	};

	return capability;
}

/* ---- guests -------------------------------------------------------------------------- */

#define PAT_AFTER_RESET 0x0007040600070406ull

static inline void set_segment(struct vmcs_state *state, unsigned int number, uint16_t selector,
			       uint64_t base, uint32_t limit, uint32_t rights)
{
	state->field[VMCS_INDEX_GUEST_ES_SELECTOR + number] = selector;
	state->field[VMCS_INDEX_GUEST_ES_BASE + number] = base;
	state->field[VMCS_INDEX_GUEST_ES_LIMIT + number] = limit;
	state->field[VMCS_INDEX_GUEST_ES_RIGHTS + number] = rights;
}

static inline void set_controls(struct vmcs_state *state)
{
	state->pin_based_controls = 0x16 | VMX_PIN_EXTERNAL_INTERRUPT_EXITING | VMX_PIN_NMI_EXITING;
	state->primary_controls = 0x04006172 | VMX_PRIMARY_HLT_EXITING |
				  VMX_PRIMARY_USE_MSR_BITMAPS |
				  VMX_PRIMARY_ACTIVATE_SECONDARY_CONTROLS;
	state->secondary_controls = VMX_SECONDARY_ENABLE_EPT | VMX_SECONDARY_ENABLE_VPID |
				    VMX_SECONDARY_UNRESTRICTED_GUEST;
	state->exit_controls = 0x00036dfb | VMX_EXIT_HOST_ADDRESS_SPACE_SIZE |
			       VMX_EXIT_ACKNOWLEDGE_INTERRUPT_ON_EXIT | VMX_EXIT_SAVE_IA32_PAT |
			       VMX_EXIT_LOAD_IA32_PAT | VMX_EXIT_SAVE_IA32_EFER |
			       VMX_EXIT_LOAD_IA32_EFER;
	state->entry_controls = 0x000011fb | VMX_ENTRY_LOAD_DEBUG_CONTROLS |
				VMX_ENTRY_LOAD_IA32_PAT | VMX_ENTRY_LOAD_IA32_EFER;
	state->virtual_processor_id = 1;
	state->msr_bitmap_address = 0x7000;
	state->eptp = 0x8000 | VMX_EPTP_WRITE_BACK | 3 << VMX_EPTP_WALK_LENGTH_SHIFT;
	state->tsc_multiplier = 1ull << 48;
	state->vmcs_link_pointer = UINT64_MAX;
}

static inline void set_host(struct vmcs_state *state)
{
	state->host_cr0 = CR0_PE | CR0_NE | CR0_ET | CR0_WP | CR0_PG;
	state->host_cr3 = 0x1000;
	state->host_cr4 = CR4_PAE | CR4_VMXE;
	state->host_cs_selector = 0x10;
	state->host_ss_selector = 0x18;
	state->host_tr_selector = 0x40;
	state->host_gs_base = 0xffff888000000000;
	state->host_gdtr_base = 0xfffffe0000001000;
	state->host_idtr_base = 0xfffffe0000000000;
	state->host_tr_base = 0xfffffe0000003000;
	state->host_rip = 0xffffffff81000000;
	state->host_rsp = 0xffffc90000000000;
	state->host_ia32_pat = PAT_AFTER_RESET;
	state->host_ia32_efer = IA32_EFER_LME | IA32_EFER_LMA | IA32_EFER_SCE | IA32_EFER_NXE;
}

static inline void set_guest_segments(struct vmcs_state *state, enum mode mode)
{
	uint32_t code = mode == MODE_64	    ? SEGMENT_RIGHTS_CODE64
			: mode == MODE_REAL ? SEGMENT_RIGHTS_DATA16
					    : SEGMENT_RIGHTS_CODE32;

	for (unsigned int i = 0; i < 6; i++) {
		if (mode == MODE_VM86)
			set_segment(state, i, 0x1000, 0x10000, 0xffff, 0xf3);
		else if (mode == MODE_REAL)
			set_segment(state, i, 0x1000, 0x10000, 0xffff, SEGMENT_RIGHTS_DATA16);
		else
			set_segment(state, i, i == 1 ? 0x10 : 0x18, 0, UINT32_MAX,
				    i == 1 ? code : SEGMENT_RIGHTS_DATA32);
	}
	set_segment(state, 6, 0x20, 0x3000, 0xff, SEGMENT_RIGHTS_LDT);
	set_segment(state, 7, 0x28, 0x4000, 0x67, SEGMENT_RIGHTS_TSS);
	state->guest_gdtr_limit = state->guest_idtr_limit = 0xffff;
}

static inline void set_guest(struct vmcs_state *state, enum mode mode)
{
	state->guest_cr0 = CR0_NE | CR0_ET | (mode == MODE_REAL ? 0 : CR0_PE | CR0_PG);
	state->guest_cr3 = 0x2000;
	state->guest_cr4 = CR4_VMXE | (mode == MODE_64 || mode == MODE_PAE ? CR4_PAE : 0);
	state->guest_dr7 = 0x400;
	state->guest_rip = 0x7c00;
	state->guest_rflags = RFLAGS_FIXED | RFLAGS_IF | (mode == MODE_VM86 ? RFLAGS_VM : 0);
	state->guest_ia32_pat = PAT_AFTER_RESET;
	if (mode == MODE_64) {
		state->entry_controls |= VMX_ENTRY_IA32E_MODE_GUEST;
		state->guest_ia32_efer = IA32_EFER_LME | IA32_EFER_LMA;
	}
	if (mode == MODE_PAE)
		state->guest_pdpte0 = 0x9001;
	set_guest_segments(state, mode);
}

static inline void be_well(struct patient *patient, enum mode mode)
{
	memset(patient, 0, sizeof(*patient));
	patient->capability = everything();
	patient->around.long_mode = true;
	patient->around.current_vmcs = 0x5000;
	set_controls(&patient->state);
	set_host(&patient->state);
	set_guest(&patient->state, mode);
}

/* ---- being ill ------------------------------------------------------------------------- */

static inline void apply(struct patient *patient, const struct edit *edit)
{
	unsigned char *member = (unsigned char *)patient + edit->offset;
	uint64_t value = 0;

	memcpy(&value, member, edit->size);
	if (edit->how == EDIT_SET)
		value = edit->value;
	else if (edit->how == EDIT_ON)
		value |= edit->value;
	else
		value &= ~edit->value;
	memcpy(member, &value, edit->size);
}

#define VIOLATIONS_MAX 32

/* Takes one violation of this rule away; false where there is none. */
static inline bool take(struct diagnosis *diagnosis, unsigned int rule)
{
	for (size_t i = 0; i < diagnosis_kept(diagnosis); i++) {
		if (diagnosis->violations[i].number == rule) {
			diagnosis->violations[i] = diagnosis->violations[--diagnosis->count];
			return true;
		}
	}
	return false;
}

static inline bool has_complaints(const char *about, struct diagnosis *diagnosis)
{
	char text[VIOLATION_TEXT_MAX];

	for (size_t i = 0; i < diagnosis_kept(diagnosis); i++) {
		violation_text(&diagnosis->violations[i], text, sizeof(text));
		print_error("%s: unexpected: %s\n", about, text);
	}
	return diagnosis->count > 0;
}

static inline bool judges_right(const struct breakage *row)
{
	struct violation violations[VIOLATIONS_MAX];
	struct diagnosis diagnosis = { violations, VIOLATIONS_MAX, 0 };
	struct patient patient;
	bool right = true;

	be_well(&patient, row->mode);
	for (size_t i = 0; i < 8 && row->edits[i].how; i++)
		apply(&patient, &row->edits[i]);
	vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis);
	if (!take(&diagnosis, row->rule)) {
		print_error("%s: not found\n", vmx_rule_name(row->rule));
		right = false;
	}
	for (size_t i = 0; i < 4 && row->also[i]; i++) {
		if (!take(&diagnosis, row->also[i] - 1)) {
			print_error("%s: does not lead to %s\n", vmx_rule_name(row->rule),
				    vmx_rule_name(row->also[i] - 1));
			right = false;
		}
	}
	return !has_complaints(vmx_rule_name(row->rule), &diagnosis) && right;
}

static inline void every_row_holds(const struct breakage *rows, size_t count)
{
	size_t wrong = 0;

	for (size_t i = 0; i < count; i++)
		wrong += !judges_right(&rows[i]);
	assert_int_equal(wrong, 0);
}

/* All rules whose source is one of these sections have a row, and only they. */
static inline void every_rule_has_a_row(const struct breakage *rows, size_t count,
					const char *const *sections)
{
	size_t rules = 0, missing = 0;

	for (unsigned int rule = 0; rule < VMX_RULE_COUNT; rule++) {
		bool mine = false, tested = false;

		for (size_t i = 0; sections[i]; i++)
			mine |= !strcmp(vmx_rule_source(rule), sections[i]);
		for (size_t i = 0; i < count; i++)
			tested |= rows[i].rule == rule;
		rules += mine;
		if (mine && !tested)
			print_error("%s has no test\n", vmx_rule_name(rule));
		missing += mine != tested;
	}
	print_message("%zu rules, %zu tests\n", rules, count);
	assert_int_equal(missing, 0);
	assert_true(rules > 0);
}

#endif
