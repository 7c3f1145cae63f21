/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* The entry doctor's rules about the host-state area (SDM 3, 27.2.2 to 27.2.4), each broken once. */

#include "tests/unit/vmx_fixture.h"

#define NOT_CANONICAL 0x0000800000000000ull
#define CANONICAL(NAME, member, ...) \
	BREAK(NAME##_NOT_CANONICAL, MODE_64, SET(state.member, NOT_CANONICAL), ##__VA_ARGS__)
#define EXIT(name)    ON(state.exit_controls, VMX_EXIT_##name)
#define NO_EXIT(name) OFF(state.exit_controls, VMX_EXIT_##name)
#define RPL_OR_TI(NAME, member) \
	BREAK(HOST_##NAME##_RPL_OR_TI, MODE_64, SET(state.host_##member##_selector, 0x13))

/* A host that is not in 64-bit mode, and can have a guest that is not. */
#define HOST_32                                                                              \
	SET(around.long_mode, 0), NO_EXIT(HOST_ADDRESS_SPACE_SIZE), NO_EXIT(LOAD_IA32_EFER), \
		SET(state.host_rip, 0x1000)
#define NO_INTEL64 HOST_32, SET(capability.has_intel64, 0)

static const struct breakage rows[] = {
	BREAK(HOST_CR0_MUST_BE_1, MODE_64, OFF(state.host_cr0, CR0_NE)),
	BREAK(HOST_CR0_MUST_BE_0, MODE_64, ON(state.host_cr0, 1ull << 32)),
	BREAK(HOST_CR4_MUST_BE_1, MODE_64, OFF(state.host_cr4, CR4_VMXE)),
	BREAK(HOST_CR4_MUST_BE_0, MODE_64, ON(state.host_cr4, 1ull << 15)),
	BREAK(HOST_CET_WITHOUT_WP, MODE_64, ON(state.host_cr4, CR4_CET),
	      OFF(state.host_cr0, CR0_WP)),
	BREAK(HOST_CR3_RESERVED, MODE_64, ON(state.host_cr3, 1ull << 46)),
	BREAK(HOST_CR3_RESERVED, MODE_64, ON(state.host_cr3, 1ull << 62)),
	CANONICAL(HOST_IA32_SYSENTER_ESP, host_ia32_sysenter_esp),
	CANONICAL(HOST_IA32_SYSENTER_EIP, host_ia32_sysenter_eip),
	BREAK(HOST_PERF_GLOBAL_CTRL_RESERVED, MODE_64, EXIT(LOAD_IA32_PERF_GLOBAL_CTRL),
	      SET(state.host_ia32_perf_global_ctrl, 1 << 8)),
	BREAK(HOST_PAT_INVALID, MODE_64, SET(state.host_ia32_pat, 0x0007040600070402)),
	BREAK(HOST_EFER_RESERVED, MODE_64, ON(state.host_ia32_efer, 1 << 1)),
	BREAK(HOST_EFER_LMA, MODE_64, OFF(state.host_ia32_efer, IA32_EFER_LMA)),
	BREAK(HOST_EFER_LME, MODE_64, OFF(state.host_ia32_efer, IA32_EFER_LME)),
	BREAK(HOST_S_CET_RESERVED, MODE_64, EXIT(LOAD_CET_STATE),
	      SET(state.host_ia32_s_cet, 1 << 6)),
	BREAK(HOST_S_CET_SUPPRESS_AND_TRACKER, MODE_64, EXIT(LOAD_CET_STATE),
	      SET(state.host_ia32_s_cet, 3 << 10)),
	CANONICAL(HOST_IA32_S_CET, host_ia32_s_cet, EXIT(LOAD_CET_STATE)),
	CANONICAL(HOST_IA32_INTERRUPT_SSP_TABLE_ADDR, host_ia32_interrupt_ssp_table_addr,
		  EXIT(LOAD_CET_STATE)),
	CANONICAL(HOST_SSP, host_ssp, EXIT(LOAD_CET_STATE)),
	BREAK(HOST_SSP_NOT_ALIGNED, MODE_64, EXIT(LOAD_CET_STATE), SET(state.host_ssp, 2)),
	BREAK(HOST_SPEC_CTRL_RESERVED, MODE_64, EXIT(ACTIVATE_SECONDARY_CONTROLS),
	      SET(state.secondary_exit_controls, VMX_EXIT2_LOAD_IA32_SPEC_CTRL),
	      SET(state.host_ia32_spec_ctrl, 1 << 20)),
	BREAK(HOST_PKRS_RESERVED, MODE_64, EXIT(LOAD_PKRS), SET(state.host_ia32_pkrs, 1ull << 32)),

	RPL_OR_TI(ES, es),
	RPL_OR_TI(CS, cs),
	RPL_OR_TI(SS, ss),
	RPL_OR_TI(DS, ds),
	RPL_OR_TI(FS, fs),
	RPL_OR_TI(GS, gs),
	RPL_OR_TI(TR, tr),
	BREAK(HOST_DS_RPL_OR_TI, MODE_64, SET(state.host_ds_selector, 4)),
	BREAK(HOST_CS_NULL, MODE_64, SET(state.host_cs_selector, 0)),
	BREAK(HOST_TR_NULL, MODE_64, SET(state.host_tr_selector, 0)),
	BREAK(HOST_SS_NULL, MODE_PAE, HOST_32, SET(state.host_ss_selector, 0)),
	CANONICAL(HOST_FS_BASE, host_fs_base),
	CANONICAL(HOST_GS_BASE, host_gs_base),
	CANONICAL(HOST_GDTR_BASE, host_gdtr_base),
	CANONICAL(HOST_IDTR_BASE, host_idtr_base),
	CANONICAL(HOST_TR_BASE, host_tr_base),

	BREAK_ALSO(GUEST_64BIT_FROM_32BIT_HOST, MODE_64, ALSO(HOST_SIZE_64_FROM_32BIT_HOST),
		   SET(around.long_mode, 0)),
	BREAK(HOST_SIZE_64_FROM_32BIT_HOST, MODE_PAE, SET(around.long_mode, 0)),
	BREAK(HOST_SIZE_32_FROM_64BIT_HOST, MODE_PAE, HOST_32, SET(around.long_mode, 1)),
	BREAK_ALSO(GUEST_64BIT_WITHOUT_INTEL64, MODE_64, ALSO(GUEST_64BIT_WITH_32BIT_HOST),
		   NO_INTEL64),
	BREAK(HOST_SIZE_WITHOUT_INTEL64, MODE_PAE, NO_INTEL64, EXIT(HOST_ADDRESS_SPACE_SIZE)),
	BREAK_ALSO(GUEST_64BIT_WITH_32BIT_HOST, MODE_64, ALSO(GUEST_64BIT_FROM_32BIT_HOST),
		   HOST_32),
	BREAK(HOST_PCIDE_32BIT, MODE_PAE, HOST_32, ON(state.host_cr4, CR4_PCIDE)),
	BREAK(HOST_RIP_HIGH, MODE_PAE, HOST_32, SET(state.host_rip, 1ull << 32)),
	BREAK(HOST_S_CET_HIGH, MODE_PAE, HOST_32, EXIT(LOAD_CET_STATE),
	      SET(state.host_ia32_s_cet, 1ull << 32)),
	BREAK(HOST_SSP_HIGH, MODE_PAE, HOST_32, EXIT(LOAD_CET_STATE),
	      SET(state.host_ssp, 1ull << 32)),
	BREAK(HOST_NO_PAE, MODE_64, OFF(state.host_cr4, CR4_PAE)),
	CANONICAL(HOST_RIP, host_rip),
};

#define COUNT (sizeof(rows) / sizeof(rows[0]))

static void host_state(void **state)
{
	static const char *const sections[] = { "SDM 3, 27.2.2", "SDM 3, 27.2.3", "SDM 3, 27.2.4",
						NULL };

	(void)state;
	every_row_holds(rows, COUNT);
	every_rule_has_a_row(rows, COUNT, sections);
}

/* CR0.NW and CR0.CD stay as they are on exit, and so are not looked at. */
static void caching_is_not_judged(void **state)
{
	struct diagnosis diagnosis = { NULL, 0, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	patient.state.host_cr0 |= CR0_CD | CR0_NW;
	patient.state.guest_cr0 |= CR0_CD | CR0_NW;
	patient.capability.cr0_fixed1 &= ~(CR0_CD | CR0_NW);
	assert_true(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
}

/* Bits 62:61 of CR3 switch linear-address masking on, where there is any. */
static void masked_addresses_are_no_physical_ones(void **state)
{
	struct diagnosis diagnosis = { NULL, 0, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	patient.state.guest_cr3 |= 3ull << 61;
	assert_false(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
	patient.capability.has_lam = true;
	assert_true(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
}

/* With five levels of paging, addresses have 57 bits. */
static void wide_addresses(void **state)
{
	struct diagnosis diagnosis = { NULL, 0, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	patient.state.host_gs_base = 0x0080000000000000;
	assert_false(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
	patient.capability.linear_address_bits = 57;
	assert_true(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(host_state),
		cmocka_unit_test(caching_is_not_judged),
		cmocka_unit_test(masked_addresses_are_no_physical_ones),
		cmocka_unit_test(wide_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
