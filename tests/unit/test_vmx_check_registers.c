/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The entry doctor's rules about the guest's registers (SDM 3, 27.3.1.1, 27.3.1.3 and
 * 27.3.1.4), each broken once; and that healthy guests of each mode are found healthy.
 */

#include "tests/unit/vmx_fixture.h"

#define NOT_CANONICAL 0x0000800000000000ull
#define CANONICAL(NAME, member, ...) \
	BREAK(NAME##_NOT_CANONICAL, MODE_64, SET(state.member, NOT_CANONICAL), ##__VA_ARGS__)
#define ENTRY(name) ON(state.entry_controls, VMX_ENTRY_##name)

static const struct breakage rows[] = {
	BREAK(GUEST_CR0_MUST_BE_1, MODE_64, OFF(state.guest_cr0, CR0_NE)),
	BREAK(GUEST_CR0_MUST_BE_1, MODE_32, RESTRICTED, OFF(state.guest_cr0, CR0_PG)),
	BREAK(GUEST_CR0_MUST_BE_0, MODE_64, ON(state.guest_cr0, 1ull << 40)),
	BREAK_ALSO(GUEST_CR0_PG_WITHOUT_PE, MODE_32, 0, OFF(state.guest_cr0, CR0_PE)),
	BREAK(GUEST_CR4_MUST_BE_1, MODE_64, OFF(state.guest_cr4, CR4_VMXE)),
	BREAK(GUEST_CR4_MUST_BE_0, MODE_64, ON(state.guest_cr4, 1ull << 15)),
	BREAK(GUEST_CET_WITHOUT_WP, MODE_64, ON(state.guest_cr4, CR4_CET)),
	BREAK(GUEST_DEBUGCTL_RESERVED, MODE_64, SET(state.guest_ia32_debugctl, 4)),
	BREAK(GUEST_64BIT_WITHOUT_PG, MODE_64, OFF(state.guest_cr0, CR0_PG)),
	BREAK(GUEST_64BIT_WITHOUT_PAE, MODE_64, OFF(state.guest_cr4, CR4_PAE)),
	BREAK(GUEST_PCIDE_32BIT, MODE_PAE, ON(state.guest_cr4, CR4_PCIDE)),
	BREAK(GUEST_CR3_RESERVED, MODE_64, ON(state.guest_cr3, 1ull << 46)),
	BREAK(GUEST_DR7_HIGH, MODE_64, ON(state.guest_dr7, 1ull << 32)),
	CANONICAL(GUEST_IA32_SYSENTER_ESP, guest_ia32_sysenter_esp),
	CANONICAL(GUEST_IA32_SYSENTER_EIP, guest_ia32_sysenter_eip),
	BREAK(GUEST_S_CET_RESERVED, MODE_64, ENTRY(LOAD_CET_STATE),
	      SET(state.guest_ia32_s_cet, 1 << 9)),
	BREAK(GUEST_S_CET_SUPPRESS_AND_TRACKER, MODE_64, ENTRY(LOAD_CET_STATE),
	      SET(state.guest_ia32_s_cet, 3 << 10)),
	CANONICAL(GUEST_IA32_S_CET, guest_ia32_s_cet, ENTRY(LOAD_CET_STATE)),
	CANONICAL(GUEST_IA32_INTERRUPT_SSP_TABLE_ADDR, guest_ia32_interrupt_ssp_table_addr,
		  ENTRY(LOAD_CET_STATE)),
	BREAK(GUEST_PERF_GLOBAL_CTRL_RESERVED, MODE_64, ENTRY(LOAD_IA32_PERF_GLOBAL_CTRL),
	      SET(state.guest_ia32_perf_global_ctrl, 1ull << 63)),
	BREAK(GUEST_PAT_INVALID, MODE_64, SET(state.guest_ia32_pat, 0x0807040600070406)),
	BREAK(GUEST_EFER_RESERVED, MODE_64, ON(state.guest_ia32_efer, 1 << 2)),
	BREAK(GUEST_EFER_LMA, MODE_64, SET(state.guest_ia32_efer, 0)),
	BREAK(GUEST_EFER_LMA, MODE_32, SET(state.guest_ia32_efer, IA32_EFER_LMA | IA32_EFER_LME)),
	BREAK(GUEST_EFER_LME, MODE_64, OFF(state.guest_ia32_efer, IA32_EFER_LME)),
	BREAK(GUEST_EFER_LME, MODE_32, SET(state.guest_ia32_efer, IA32_EFER_LME)),
	BREAK(GUEST_BNDCFGS_RESERVED, MODE_64, ENTRY(LOAD_IA32_BNDCFGS),
	      SET(state.guest_ia32_bndcfgs, 4)),
	CANONICAL(GUEST_IA32_BNDCFGS, guest_ia32_bndcfgs, ENTRY(LOAD_IA32_BNDCFGS)),
	BREAK(GUEST_RTIT_CTL_RESERVED, MODE_64, ENTRY(LOAD_IA32_RTIT_CTL),
	      SET(state.guest_ia32_rtit_ctl, 1 << 16)),
	BREAK(GUEST_LBR_CTL_RESERVED, MODE_64, ENTRY(LOAD_GUEST_IA32_LBR_CTL),
	      SET(state.guest_ia32_lbr_ctl, 1 << 4)),
	BREAK(GUEST_PKRS_RESERVED, MODE_64, ENTRY(LOAD_PKRS),
	      SET(state.guest_ia32_pkrs, 1ull << 32)),
	BREAK(GUEST_SPEC_CTRL_RESERVED, MODE_64, ENTRY(LOAD_IA32_SPEC_CTRL),
	      SET(state.guest_ia32_spec_ctrl, 1 << 20)),
	BREAK(GUEST_S_CET_HIGH, MODE_PAE, ENTRY(LOAD_CET_STATE),
	      SET(state.guest_ia32_s_cet, 1ull << 32)),
	BREAK(GUEST_SSP_HIGH, MODE_PAE, ENTRY(LOAD_CET_STATE), SET(state.guest_ssp, 1ull << 32)),
	BREAK(GUEST_UINV_RESERVED, MODE_64, ENTRY(LOAD_UINV), SET(state.guest_uinv, 0x100)),

	CANONICAL(GUEST_GDTR_BASE, guest_gdtr_base),
	CANONICAL(GUEST_IDTR_BASE, guest_idtr_base),
	BREAK(GUEST_GDTR_LIMIT_HIGH, MODE_64, SET(state.guest_gdtr_limit, 0x10000)),
	BREAK(GUEST_IDTR_LIMIT_HIGH, MODE_64, SET(state.guest_idtr_limit, 0x10000)),

	BREAK(GUEST_RIP_HIGH, MODE_PAE, SET(state.guest_rip, 1ull << 32)),
	BREAK(GUEST_RIP_HIGH, MODE_64, SET(state.guest_rip, 1ull << 32),
	      SET(state.guest_cs_rights, SEGMENT_RIGHTS_CODE32)),
	BREAK(GUEST_RIP_TOO_WIDE, MODE_64, SET(state.guest_rip, 1ull << 48)),
	BREAK(GUEST_RFLAGS_RESERVED, MODE_64, ON(state.guest_rflags, 1 << 15)),
	BREAK(GUEST_RFLAGS_RESERVED, MODE_64, ON(state.guest_rflags, 1 << 22)),
	BREAK(GUEST_RFLAGS_FIXED, MODE_64, OFF(state.guest_rflags, RFLAGS_FIXED)),
	BREAK(GUEST_VM86_64BIT, MODE_VM86, ENTRY(IA32E_MODE_GUEST), ON(state.guest_cr4, CR4_PAE),
	      SET(state.guest_ia32_efer, IA32_EFER_LMA | IA32_EFER_LME)),
	BREAK(GUEST_VM86_REAL_MODE, MODE_VM86, OFF(state.guest_cr0, CR0_PE | CR0_PG)),
	BREAK(GUEST_IF_CLEAR, MODE_64, EVENT(VMX_EVENT_EXTERNAL_INTERRUPT, 32, 0),
	      OFF(state.guest_rflags, RFLAGS_IF)),
	BREAK(GUEST_SSP_NOT_ALIGNED, MODE_64, ENTRY(LOAD_CET_STATE), SET(state.guest_ssp, 1)),
	CANONICAL(GUEST_SSP, guest_ssp, ENTRY(LOAD_CET_STATE)),
};

#define COUNT (sizeof(rows) / sizeof(rows[0]))

static void healthy_guests_are_healthy(void **state)
{
	(void)state;
	for (enum mode mode = MODE_64; mode < MODE_COUNT; mode++) {
		struct violation violations[VIOLATIONS_MAX];
		struct diagnosis diagnosis = { violations, VIOLATIONS_MAX, 0 };
		struct patient patient;

		be_well(&patient, mode);
		assert_true(vmx_check(&patient.state, &patient.capability, &patient.around,
				      &diagnosis));
		assert_false(has_complaints("a healthy guest", &diagnosis));
	}
}

static void registers(void **state)
{
	static const char *const sections[] = { "SDM 3, 27.3.1.1", "SDM 3, 27.3.1.3",
						"SDM 3, 27.3.1.4", NULL };

	(void)state;
	every_row_holds(rows, COUNT);
	every_rule_has_a_row(rows, COUNT, sections);
}

/* Behind the last byte of the lower half RIP is not canonical, and that is not an error. */
static void rip_need_not_be_canonical(void **state)
{
	struct diagnosis diagnosis = { NULL, 0, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	patient.state.guest_rip = NOT_CANONICAL;
	assert_true(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
}

static void complaints_are_lines_of_text(void **state)
{
	struct violation violations[VIOLATIONS_MAX];
	struct diagnosis diagnosis = { violations, VIOLATIONS_MAX, 0 };
	char text[VIOLATION_TEXT_MAX];
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_32);
	patient.state.guest_cr0 = CR0_PG | CR0_NE;
	patient.state.pin_based_controls &= ~VMX_PIN_NMI_EXITING;
	patient.state.pin_based_controls |= 1 << 8 | VMX_PIN_VIRTUAL_NMIS;
	patient.state.guest_cr4 &= ~CR4_VMXE;
	patient.capability.true_pinbased_ctls |= VMX_PIN_NMI_EXITING;
	assert_false(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
	assert_int_equal(diagnosis.count, 5);
	violation_text(&violations[0], text, sizeof(text));
	assert_string_equal(text,
			    "pin-based controls 0x137: these bits must be 1: 0x8, NMI exiting "
			    "(SDM 3, 27.2.1.1)");
	violation_text(&violations[1], text, sizeof(text));
	assert_string_equal(text, "pin-based controls 0x137: these bits must be 0: 0x100 "
				  "(SDM 3, 27.2.1.1)");
	violation_text(&violations[2], text, sizeof(text));
	assert_string_equal(text, "pin-based controls 0x137: virtual NMIs without NMI exiting "
				  "(SDM 3, 27.2.1.1)");
	violation_text(&violations[3], text, sizeof(text));
	assert_string_equal(text, "guest CR0 0x80000020: PG without PE (SDM 3, 27.3.1.1)");
	violation_text(&violations[4], text, sizeof(text));
	assert_string_equal(text, "guest CR4 0x0: these bits must be 1 in VMX operation: 0x2000 "
				  "(SDM 3, 27.3.1.1)");
}

static void text_is_cut_where_it_does_not_fit(void **state)
{
	const struct violation violation = { "guest CR0",
					     0x80000001,
					     "PG without PE",
					     0,
					     NULL,
					     "SDM 3, 27.3.1.1",
					     VMX_RULE_GUEST_CR0_PG_WITHOUT_PE };
	char text[VIOLATION_TEXT_MAX] = "untouched";

	(void)state;
	assert_int_equal(violation_text(&violation, text, 0), 0);
	assert_string_equal(text, "untouched");
	assert_int_equal(violation_text(&violation, text, 1), 0);
	assert_string_equal(text, "");
	assert_int_equal(violation_text(&violation, text, 15), 14);
	assert_string_equal(text, "guest CR0 0x80");
	assert_int_equal(violation_text(&violation, text, sizeof(text)), 53);
	assert_string_equal(text, "guest CR0 0x80000001: PG without PE (SDM 3, 27.3.1.1)");
}

/* A list that is too short keeps the first, and counts all. */
static void all_are_counted(void **state)
{
	struct violation violations[2];
	struct diagnosis diagnosis = { violations, 2, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	memset(&patient.state, 0xff, sizeof(patient.state));
	assert_false(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
	assert_true(diagnosis.count > 50);
	assert_int_equal(diagnosis_kept(&diagnosis), 2);
	assert_int_equal(violations[0].number, VMX_RULE_PIN_MUST_BE_0);
}

/* The longest line there can be fits the buffer that callers are told to have. */
static void every_line_fits(void **state)
{
	char text[2 * VIOLATION_TEXT_MAX];
	size_t longest_field = 0;

	(void)state;
	for (unsigned int i = 0; i < VMCS_FIELD_COUNT; i++) {
		size_t length = strlen(vmcs_fields[i].name);

		longest_field = length > longest_field ? length : longest_field;
	}
	for (unsigned int rule = 0; rule < VMX_RULE_COUNT; rule++) {
		struct violation violation = { "",
					       UINT64_MAX,
					       "",
					       UINT64_MAX,
					       "Intel PT uses guest physical addresses",
					       vmx_rule_source(rule),
					       (uint16_t)rule };
		size_t rest = longest_field + 80; /* no rule's words are longer */

		assert_true(violation_text(&violation, text, sizeof(text)) + rest <
			    VIOLATION_TEXT_MAX);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(healthy_guests_are_healthy),
		cmocka_unit_test(registers),
		cmocka_unit_test(rip_need_not_be_canonical),
		cmocka_unit_test(complaints_are_lines_of_text),
		cmocka_unit_test(text_is_cut_where_it_does_not_fit),
		cmocka_unit_test(all_are_counted),
		cmocka_unit_test(every_line_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
