/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Where the entry doctor's rules end: of fields with reserved bits, which ones exactly;
 * and what is unusual but allowed, up to the last value that is.
 */

#include "tests/unit/vmx_fixture.h"

#define BLOCKED(by)   SET(state.guest_interruptibility_state, VMX_BLOCKING_BY_##by)
#define ACTIVITY(in)  SET(state.guest_activity_state, VMX_ACTIVITY_##in)
#define PENDING(bits) SET(state.guest_pending_debug_exceptions, bits)
#define INTERRUPT     EVENT(VMX_EVENT_EXTERNAL_INTERRUPT, 32, 0)
#define NMI	      EVENT(VMX_EVENT_NMI, 2, 0)
#define LINK(address) SET(state.vmcs_link_pointer, address)
#define RTM	      (VMX_PENDING_RTM | VMX_PENDING_BREAKPOINT)
#define PRIMARY(name) ON(state.primary_controls, VMX_PRIMARY_##name)
#define ENTRY(name)   ON(state.entry_controls, VMX_ENTRY_##name)
#define EXIT(name)    ON(state.exit_controls, VMX_EXIT_##name)
#define POSTED                                                                                    \
	ON(state.pin_based_controls, VMX_PIN_PROCESS_POSTED_INTERRUPTS), PRIMARY(USE_TPR_SHADOW), \
		SECONDARY(VIRTUAL_INTERRUPT_DELIVERY)
#define HOST_32                                           \
	SET(around.long_mode, 0), SET(state.host_rip, 0), \
		OFF(state.exit_controls,                  \
		    VMX_EXIT_LOAD_IA32_EFER | VMX_EXIT_HOST_ADDRESS_SPACE_SIZE)

/* ---- which bits exactly -------------------------------------------------------------- */

#define BETWEEN(high, low) ((UINT64_MAX >> (63 - (high))) & (UINT64_MAX << (low)))
#define TOO_HIGH	   BETWEEN(63, 46)

#define RESERVED(name, mode, FIELD, bits, ...)                   \
	{                                                        \
		VMX_RULE_##name, mode, VMCS_INDEX_##FIELD, bits, \
		{                                                \
			__VA_ARGS__                              \
		}                                                \
	}
static const struct {
	enum vmx_rule rule;
	enum mode mode;
	enum vmcs_index field;
	uint64_t bits;
	struct edit edits[6];
} reserved[] = {
	RESERVED(MSR_BITMAP_ADDRESS_NOT_ALIGNED, MODE_64, MSR_BITMAP_ADDRESS, 0xfff),
	RESERVED(MSR_BITMAP_ADDRESS_TOO_HIGH, MODE_64, MSR_BITMAP_ADDRESS, TOO_HIGH),
	RESERVED(TPR_THRESHOLD_RESERVED, MODE_64, TPR_THRESHOLD, BETWEEN(31, 4),
		 PRIMARY(USE_TPR_SHADOW)),
	RESERVED(POSTED_DESCRIPTOR_NOT_ALIGNED, MODE_64, POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, 0x3f,
		 POSTED),
	RESERVED(POSTED_DESCRIPTOR_TOO_HIGH, MODE_64, POSTED_INTERRUPT_DESCRIPTOR_ADDRESS, TOO_HIGH,
		 POSTED),
	RESERVED(EPTP_RESERVED, MODE_64, EPTP, TOO_HIGH | BETWEEN(11, 8)),
	RESERVED(HLATP_RESERVED, MODE_64, HLATP, TOO_HIGH | BETWEEN(11, 5) | 7,
		 TERTIARY(ENABLE_HLAT)),
	RESERVED(PID_TABLE_NOT_ALIGNED, MODE_64, PID_POINTER_TABLE_ADDRESS, 7,
		 PRIMARY(USE_TPR_SHADOW), TERTIARY(IPI_VIRTUALIZATION)),
	RESERVED(EXIT_MSR_STORE_ADDRESS_NOT_ALIGNED, MODE_64, EXIT_MSR_STORE_ADDRESS, 0xf,
		 SET(state.exit_msr_store_count, 1)),
	RESERVED(EVENT_RESERVED, MODE_64, ENTRY_INTERRUPTION_INFORMATION, BETWEEN(30, 12),
		 INTERRUPT),
	RESERVED(EVENT_ERROR_CODE_HIGH, MODE_64, ENTRY_EXCEPTION_ERROR_CODE, BETWEEN(31, 16),
		 EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_GP, VMX_EVENT_ERROR_CODE)),

	RESERVED(HOST_CR3_RESERVED, MODE_64, HOST_CR3, TOO_HIGH),
	RESERVED(HOST_S_CET_RESERVED, MODE_64, HOST_IA32_S_CET, BETWEEN(9, 6),
		 EXIT(LOAD_CET_STATE)),
	RESERVED(HOST_S_CET_HIGH, MODE_32, HOST_IA32_S_CET, BETWEEN(63, 32), HOST_32,
		 EXIT(LOAD_CET_STATE)),
	RESERVED(HOST_SSP_NOT_ALIGNED, MODE_64, HOST_SSP, 3, EXIT(LOAD_CET_STATE)),
	RESERVED(HOST_SSP_HIGH, MODE_32, HOST_SSP, BETWEEN(63, 32), HOST_32, EXIT(LOAD_CET_STATE)),
	RESERVED(HOST_PKRS_RESERVED, MODE_64, HOST_IA32_PKRS, BETWEEN(63, 32), EXIT(LOAD_PKRS)),
	RESERVED(HOST_CS_RPL_OR_TI, MODE_64, HOST_CS_SELECTOR, 7),
	RESERVED(HOST_RIP_HIGH, MODE_32, HOST_RIP, BETWEEN(63, 32), HOST_32),

	RESERVED(GUEST_CR3_RESERVED, MODE_64, GUEST_CR3, TOO_HIGH),
	RESERVED(GUEST_DR7_HIGH, MODE_64, GUEST_DR7, BETWEEN(63, 32)),
	RESERVED(GUEST_S_CET_RESERVED, MODE_64, GUEST_IA32_S_CET, BETWEEN(9, 6),
		 ENTRY(LOAD_CET_STATE)),
	RESERVED(GUEST_S_CET_HIGH, MODE_32, GUEST_IA32_S_CET, BETWEEN(63, 32),
		 ENTRY(LOAD_CET_STATE)),
	RESERVED(GUEST_BNDCFGS_RESERVED, MODE_64, GUEST_IA32_BNDCFGS, BETWEEN(11, 2),
		 ENTRY(LOAD_IA32_BNDCFGS)),
	RESERVED(GUEST_PKRS_RESERVED, MODE_64, GUEST_IA32_PKRS, BETWEEN(63, 32), ENTRY(LOAD_PKRS)),
	RESERVED(GUEST_UINV_RESERVED, MODE_64, GUEST_UINV, BETWEEN(15, 8), ENTRY(LOAD_UINV)),
	RESERVED(GUEST_GDTR_LIMIT_HIGH, MODE_64, GUEST_GDTR_LIMIT, BETWEEN(31, 16)),
	RESERVED(GUEST_IDTR_LIMIT_HIGH, MODE_64, GUEST_IDTR_LIMIT, BETWEEN(31, 16)),
	RESERVED(GUEST_RIP_HIGH, MODE_32, GUEST_RIP, BETWEEN(63, 32)),
	RESERVED(GUEST_RIP_TOO_WIDE, MODE_64, GUEST_RIP, BETWEEN(63, 48)),
	RESERVED(GUEST_RFLAGS_RESERVED, MODE_64, GUEST_RFLAGS,
		 BETWEEN(63, 22) | 1 << 15 | 1 << 5 | 1 << 3),
	RESERVED(GUEST_SSP_NOT_ALIGNED, MODE_64, GUEST_SSP, 3, ENTRY(LOAD_CET_STATE)),
	RESERVED(GUEST_SSP_HIGH, MODE_32, GUEST_SSP, BETWEEN(63, 32), ENTRY(LOAD_CET_STATE)),

	RESERVED(RIGHTS_RESERVED, MODE_64, GUEST_CS_RIGHTS, BETWEEN(11, 8)),
	RESERVED(RIGHTS_HIGH, MODE_64, GUEST_CS_RIGHTS, BETWEEN(31, 17)),
	RESERVED(TR_RESERVED, MODE_64, GUEST_TR_RIGHTS, BETWEEN(11, 8)),
	RESERVED(TR_HIGH, MODE_64, GUEST_TR_RIGHTS, BETWEEN(31, 17)),
	RESERVED(LDTR_HIGH, MODE_64, GUEST_LDTR_RIGHTS, BETWEEN(31, 17)),
	RESERVED(BASE_HIGH, MODE_64, GUEST_CS_BASE, BETWEEN(63, 32)),

	RESERVED(INTERRUPTIBILITY_RESERVED, MODE_64, GUEST_INTERRUPTIBILITY_STATE, BETWEEN(31, 5)),
	RESERVED(PENDING_RESERVED, MODE_64, GUEST_PENDING_DEBUG_EXCEPTIONS,
		 BETWEEN(63, 17) | 1 << 15 | 1 << 13 | BETWEEN(11, 4)),
	RESERVED(LINK_NOT_ALIGNED, MODE_64, VMCS_LINK_POINTER, 0xfff, LINK(0)),
	RESERVED(LINK_TOO_HIGH, MODE_64, VMCS_LINK_POINTER, TOO_HIGH, LINK(0)),
	RESERVED(PDPTE_RESERVED, MODE_PAE, GUEST_PDPTE0, TOO_HIGH | BETWEEN(8, 5) | BETWEEN(2, 1)),
};

/* Whether the rule says that this guest, with one more bit in a field, is ill. */
static bool breaks(size_t row, uint64_t bit)
{
	struct violation violations[VIOLATIONS_MAX];
	struct diagnosis diagnosis = { violations, VIOLATIONS_MAX, 0 };
	struct patient patient;

	be_well(&patient, reserved[row].mode);
	for (size_t i = 0; i < 6 && reserved[row].edits[i].how; i++)
		apply(&patient, &reserved[row].edits[i]);
	patient.state.field[reserved[row].field] |= bit;
	vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis);
	return take(&diagnosis, reserved[row].rule);
}

static void reserved_bits_exactly(void **state)
{
	(void)state;
	for (size_t row = 0; row < sizeof(reserved) / sizeof(reserved[0]); row++) {
		uint64_t mask = vmcs_field_mask(reserved[row].field);

		for (unsigned int i = 0; i < 64; i++) {
			uint64_t bit = 1ull << i;

			if ((mask & bit) && breaks(row, bit) != !!(reserved[row].bits & bit))
				fail_msg("%s: bit %u", vmx_rule_name(reserved[row].rule), i);
		}
	}
}

/* ---- unusual, and healthy ------------------------------------------------------------ */

#define HEALTHY(mode, ...)          \
	{                           \
		mode,               \
		{                   \
			__VA_ARGS__ \
		}                   \
	}
static const struct {
	enum mode mode;
	struct edit edits[8];
} healthy[] = {
	HEALTHY(MODE_64, ACTIVITY(HLT), INTERRUPT),
	HEALTHY(MODE_64, ACTIVITY(HLT), NMI),
	HEALTHY(MODE_64, ACTIVITY(HLT), EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_DB, 0)),
	HEALTHY(MODE_64, ACTIVITY(HLT), EVENT(VMX_EVENT_OTHER, 0, 0)),
	HEALTHY(MODE_64, ACTIVITY(SHUTDOWN), EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_MC, 0)),
	HEALTHY(MODE_64, BLOCKED(NMI), NMI),
	HEALTHY(MODE_64, PENDING(RTM)),
	HEALTHY(MODE_64, PENDING(VMX_PENDING_BS | VMX_PENDING_B0_TO_B3)),
	HEALTHY(MODE_64, PENDING(VMX_PENDING_BS), BLOCKED(STI), ON(state.guest_rflags, RFLAGS_TF)),
	HEALTHY(MODE_64, PENDING(VMX_PENDING_BLD), SET(capability.has_bus_lock_trap, 1)),
	HEALTHY(MODE_64, LINK(0x6000), SET(around.link_known, 1), SET(around.link_revision, 0x12)),
	HEALTHY(MODE_PAE, SET(state.guest_pdpte1, UINT64_MAX & ~1ull)),
	HEALTHY(MODE_32, SET(state.guest_pdpte1, UINT64_MAX)),
	HEALTHY(MODE_PAE, NO_EPT, SET(state.guest_pdpte1, UINT64_MAX)),

	/* The last value that is allowed. */
	HEALTHY(MODE_64, SET(state.cr3_target_count, 4)),
	HEALTHY(MODE_64, PRIMARY(USE_TPR_SHADOW), SET(state.tpr_threshold, 4),
		SET(around.vtpr_known, 1), SET(around.vtpr, 0x40)),
	HEALTHY(MODE_64, POSTED, SET(state.posted_interrupt_notification_vector, 255)),
	HEALTHY(MODE_64, TERTIARY(ENABLE_HLAT), SET(state.hlat_prefix_size, 1)),
	HEALTHY(MODE_64, EVENT(VMX_EVENT_SOFTWARE_INTERRUPT, 0x80, 0),
		SET(state.entry_instruction_length, 15)),
	HEALTHY(MODE_64, EVENT(VMX_EVENT_SOFTWARE_INTERRUPT, 0x80, 0),
		ON(capability.misc, VMX_MISC_INJECT_LENGTH_0)),
	HEALTHY(MODE_64, SET(state.exit_msr_load_count, 1),
		SET(state.exit_msr_load_address, (1ull << 46) - 16)),
	HEALTHY(MODE_64, PRIMARY(USE_TPR_SHADOW), TERTIARY(IPI_VIRTUALIZATION),
		SET(state.pid_pointer_table_address, (1ull << 46) - 16),
		SET(state.last_pid_pointer_index, 1)),
	HEALTHY(MODE_32, ON(state.guest_cs_rights, SEGMENT_CONFORMING)),
	HEALTHY(MODE_64, SET(state.guest_rip, 0xffff800000000000)),

	/* A rule that does not apply. */
	HEALTHY(MODE_64, SET(state.tpr_threshold, 0x10)),
	HEALTHY(MODE_64, POSTED, SET(state.tpr_threshold, 0x15), SET(around.vtpr_known, 1)),
	HEALTHY(MODE_64, OFF(state.pin_based_controls, VMX_PIN_NMI_EXITING)),
	HEALTHY(MODE_64, SET(state.tsc_multiplier, 0)),
	HEALTHY(MODE_64, OFF(state.host_cr0, CR0_WP)),
	HEALTHY(MODE_64, OFF(state.guest_rflags, RFLAGS_IF)),
	HEALTHY(MODE_64, EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_UD, VMX_EVENT_NESTED),
		ON(capability.basic, VMX_BASIC_NESTED_EXCEPTION)),
	HEALTHY(MODE_64, EVENT(VMX_EVENT_OTHER, 2, 0),
		ON(capability.basic, VMX_BASIC_NESTED_EXCEPTION)),
	HEALTHY(MODE_64, LINK(0x6000), SET(state.executive_vmcs_pointer, 0x6000)),
	HEALTHY(MODE_32, RESTRICTED, SET(state.guest_ds_selector, 0x1b),
		SET(state.guest_ds_rights, SEGMENT_RIGHTS_CODE32 | SEGMENT_CONFORMING)),
	HEALTHY(MODE_32, HOST_32),
	HEALTHY(MODE_REAL, SET(state.guest_cs_rights, SEGMENT_RIGHTS_CODE16)),
};

static void unusual_is_not_wrong(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(healthy) / sizeof(healthy[0]); i++) {
		struct violation violations[VIOLATIONS_MAX];
		struct diagnosis diagnosis = { violations, VIOLATIONS_MAX, 0 };
		char about[32];
		struct patient patient;

		be_well(&patient, healthy[i].mode);
		for (size_t j = 0; j < 8 && healthy[i].edits[j].how; j++)
			apply(&patient, &healthy[i].edits[j]);
		vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis);
		snprintf(about, sizeof(about), "healthy guest %zu", i);
		assert_false(has_complaints(about, &diagnosis));
	}
}

/* Whatever a VMCS holds, the doctor comes to an end and its list to a bound. */
static void any_vmcs_can_be_judged(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15;

	(void)state;
	for (unsigned int round = 0; round < 2000; round++) {
		struct diagnosis diagnosis = { NULL, 0, 0 };
		struct patient patient;

		be_well(&patient, round % MODE_COUNT);
		for (unsigned int i = 0; i < VMCS_FIELD_COUNT; i++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			patient.state.field[i] = random & vmcs_field_mask(i);
		}
		assert_false(vmx_check(&patient.state, &patient.capability, &patient.around,
				       &diagnosis));
		assert_in_range(diagnosis.count, 1, 8 * VMX_RULE_COUNT);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reserved_bits_exactly),
		cmocka_unit_test(unusual_is_not_wrong),
		cmocka_unit_test(any_vmcs_can_be_judged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
