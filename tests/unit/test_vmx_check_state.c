/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The entry doctor's rules about the guest's non-register state, its PDPTEs and the MSRs
 * that are loaded with it (SDM 3, 27.3.1.5, 27.3.1.6 and 27.4), each broken once.
 */

#include "tests/unit/vmx_fixture.h"

#define BLOCKED(by)   SET(state.guest_interruptibility_state, VMX_BLOCKING_BY_##by)
#define ACTIVITY(in)  SET(state.guest_activity_state, VMX_ACTIVITY_##in)
#define PENDING(bits) SET(state.guest_pending_debug_exceptions, bits)
#define INTERRUPT     EVENT(VMX_EVENT_EXTERNAL_INTERRUPT, 32, 0)
#define NMI	      EVENT(VMX_EVENT_NMI, 2, 0)
#define LINK(address) SET(state.vmcs_link_pointer, address)
#define TO_SMM	      SET(around.in_smm, 1), ON(state.entry_controls, VMX_ENTRY_ENTRY_TO_SMM)

/* RTM, as it has to be */
#define RTM (VMX_PENDING_RTM | VMX_PENDING_BREAKPOINT)

static const struct breakage rows[] = {
	BREAK(ACTIVITY_UNKNOWN, MODE_64, SET(state.guest_activity_state, 4)),
	BREAK(ACTIVITY_NOT_SUPPORTED, MODE_64, ACTIVITY(HLT),
	      OFF(capability.misc, VMX_MISC_ACTIVITY_HLT)),
	BREAK(ACTIVITY_NOT_SUPPORTED, MODE_64, ACTIVITY(SHUTDOWN),
	      OFF(capability.misc, VMX_MISC_ACTIVITY_SHUTDOWN)),
	BREAK(ACTIVITY_NOT_SUPPORTED, MODE_64, ACTIVITY(WAIT_FOR_SIPI),
	      OFF(capability.misc, VMX_MISC_ACTIVITY_SIPI)),
	BREAK(HLT_WITH_DPL, MODE_VM86, ACTIVITY(HLT)),
	BREAK(BLOCKED_AND_NOT_ACTIVE, MODE_64, ACTIVITY(HLT), BLOCKED(STI)),
	BREAK(BLOCKED_AND_NOT_ACTIVE, MODE_64, ACTIVITY(SHUTDOWN), BLOCKED(MOV_SS)),
	BREAK(EVENT_IN_HLT, MODE_64, ACTIVITY(HLT),
	      EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_UD, 0)),
	BREAK(EVENT_IN_HLT, MODE_64, ACTIVITY(HLT), EVENT(VMX_EVENT_SOFTWARE_INTERRUPT, 0x80, 0),
	      SET(state.entry_instruction_length, 2)),
	BREAK(EVENT_IN_HLT, MODE_64, ACTIVITY(HLT),
	      EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_DE, 0)),
	BREAK(EVENT_IN_SHUTDOWN, MODE_64, ACTIVITY(SHUTDOWN), INTERRUPT),
	BREAK(EVENT_IN_WAIT_FOR_SIPI, MODE_64, ACTIVITY(WAIT_FOR_SIPI), NMI),
	BREAK(SIPI_ENTERING_SMM, MODE_64, ACTIVITY(WAIT_FOR_SIPI), TO_SMM, BLOCKED(SMI)),

	BREAK(INTERRUPTIBILITY_RESERVED, MODE_64, SET(state.guest_interruptibility_state, 1 << 5)),
	BREAK(STI_AND_MOV_SS, MODE_64, SET(state.guest_interruptibility_state, 3)),
	BREAK(STI_WITHOUT_IF, MODE_64, BLOCKED(STI), OFF(state.guest_rflags, RFLAGS_IF)),
	BREAK(INTERRUPT_WHILE_BLOCKED, MODE_64, BLOCKED(STI), INTERRUPT),
	BREAK(INTERRUPT_WHILE_BLOCKED, MODE_64, BLOCKED(MOV_SS), INTERRUPT),
	BREAK(NMI_WHILE_STI, MODE_64, BLOCKED(STI), NMI),
	BREAK(NMI_WHILE_MOV_SS, MODE_64, BLOCKED(MOV_SS), NMI),
	BREAK(SMI_BLOCKED_OUTSIDE_SMM, MODE_64, BLOCKED(SMI)),
	BREAK(SMI_OPEN_ENTERING_SMM, MODE_64, TO_SMM),
	BREAK(NMI_WHILE_NMI, MODE_64, ON(state.pin_based_controls, VMX_PIN_VIRTUAL_NMIS),
	      BLOCKED(NMI), NMI),
	BREAK(ENCLAVE_AND_MOV_SS, MODE_64,
	      SET(state.guest_interruptibility_state,
		  VMX_ENCLAVE_INTERRUPTION | VMX_BLOCKING_BY_MOV_SS)),
	BREAK(ENCLAVE_WITHOUT_SGX, MODE_64,
	      SET(state.guest_interruptibility_state, VMX_ENCLAVE_INTERRUPTION),
	      SET(capability.has_sgx, 0)),

	BREAK(PENDING_RESERVED, MODE_64, PENDING(1 << 4)),
	BREAK(PENDING_RESERVED, MODE_64, PENDING(VMX_PENDING_BLD)),
	BREAK(PENDING_BS_MISSING, MODE_64, ON(state.guest_rflags, RFLAGS_TF), BLOCKED(STI)),
	BREAK(PENDING_BS_MISSING, MODE_64, ON(state.guest_rflags, RFLAGS_TF), ACTIVITY(HLT)),
	BREAK(PENDING_BS_UNDUE, MODE_64, PENDING(VMX_PENDING_BS), BLOCKED(MOV_SS)),
	BREAK(PENDING_BS_UNDUE, MODE_64, PENDING(VMX_PENDING_BS), ACTIVITY(HLT),
	      ON(state.guest_rflags, RFLAGS_TF), SET(state.guest_ia32_debugctl, 2)),
	BREAK(PENDING_RTM_WITH_OTHERS, MODE_64, PENDING(RTM | 1)),
	BREAK(PENDING_RTM_WITHOUT_BREAKPOINT, MODE_64, PENDING(VMX_PENDING_RTM)),
	BREAK(PENDING_RTM_NOT_SUPPORTED, MODE_64, PENDING(RTM), SET(capability.has_rtm, 0)),
	BREAK(PENDING_RTM_AND_MOV_SS, MODE_64, PENDING(RTM), BLOCKED(MOV_SS)),

	BREAK(LINK_NOT_ALIGNED, MODE_64, LINK(0x6010)),
	BREAK(LINK_TOO_HIGH, MODE_64, LINK(1ull << 46)),
	BREAK(LINK_REVISION, MODE_64, LINK(0x6000), SET(around.link_known, 1),
	      SET(around.link_revision, 0x13)),
	BREAK(LINK_SHADOW, MODE_64, LINK(0x6000), SET(around.link_known, 1),
	      SET(around.link_revision, 0x80000012)),
	BREAK(LINK_SHADOW, MODE_64, LINK(0x6000), SET(around.link_known, 1),
	      SET(around.link_revision, 0x12), SECONDARY(VMCS_SHADOWING)),
	BREAK(LINK_TO_ITSELF, MODE_64, LINK(0x5000)),
	BREAK(LINK_TO_EXECUTIVE, MODE_64, LINK(0x6000), SET(around.in_smm, 1),
	      SET(state.executive_vmcs_pointer, 0x6000)),

	BREAK(PDPTE_RESERVED, MODE_PAE, SET(state.guest_pdpte1, 0xa003)),
	BREAK(PDPTE_RESERVED, MODE_PAE, SET(state.guest_pdpte3, 0xa001 | 1ull << 46)),
	BREAK(PDPTE_RESERVED, MODE_PAE, NO_EPT, SET(around.pdptes_known, 1),
	      SET(around.pdptes[2], 0xa021)),
	/* About a list in memory; what_the_msr_list_may_not_hold() breaks these. */
	BREAK(MSR_LIST_SEGMENT_BASE, MODE_64),
	BREAK(MSR_LIST_X2APIC, MODE_64),
	BREAK(MSR_LIST_SMM_ONLY, MODE_64),
	BREAK(MSR_LIST_READ_ONLY, MODE_64),
	BREAK(MSR_LIST_RESERVED, MODE_64),
};

#define MSR_RULES 5
#define COUNT	  (sizeof(rows) / sizeof(rows[0]))

static void state_and_pdptes(void **state)
{
	static const char *const sections[] = { "SDM 3, 27.3.1.5", "SDM 3, 27.3.1.6", "SDM 3, 27.4",
						NULL };

	(void)state;
	every_row_holds(rows, COUNT - MSR_RULES);
	every_rule_has_a_row(rows, COUNT, sections);
}

static void what_the_msr_list_may_not_hold(void **state)
{
	static const struct {
		struct vmx_msr_entry entry;
		enum vmx_rule rule;
	} lists[] = {
		{ { IA32_FS_BASE, 0, 0 }, VMX_RULE_MSR_LIST_SEGMENT_BASE },
		{ { IA32_GS_BASE, 0, 0 }, VMX_RULE_MSR_LIST_SEGMENT_BASE },
		{ { IA32_X2APIC_FIRST, 0, 0 }, VMX_RULE_MSR_LIST_X2APIC },
		{ { IA32_X2APIC_LAST, 0, 0 }, VMX_RULE_MSR_LIST_X2APIC },
		{ { IA32_SMM_MONITOR_CTL, 0, 0 }, VMX_RULE_MSR_LIST_SMM_ONLY },
		{ { IA32_SMBASE, 0, 0 }, VMX_RULE_MSR_LIST_READ_ONLY },
		{ { IA32_BIOS_UPDT_TRIG, 0, 0 }, VMX_RULE_MSR_LIST_READ_ONLY },
		{ { IA32_LSTAR, 1, 0 }, VMX_RULE_MSR_LIST_RESERVED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		const struct vmx_msr_entry list[] = { { IA32_STAR, 0, 1 }, lists[i].entry };
		struct violation violation;
		struct diagnosis diagnosis = { &violation, 1, 0 };
		struct patient patient;

		be_well(&patient, MODE_64);
		patient.around.entry_msrs = list;
		patient.state.entry_msr_load_count = 1;
		assert_true(vmx_check(&patient.state, &patient.capability, &patient.around,
				      &diagnosis));
		patient.state.entry_msr_load_count = 2;
		assert_false(vmx_check(&patient.state, &patient.capability, &patient.around,
				       &diagnosis));
		assert_int_equal(diagnosis.count, 1);
		assert_int_equal(violation.number, lists[i].rule);
		assert_int_equal(violation.value, lists[i].entry.index);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(state_and_pdptes),
		cmocka_unit_test(what_the_msr_list_may_not_hold),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
