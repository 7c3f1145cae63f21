/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* The entry doctor's rules about VMX controls (SDM 3, 27.2.1), each broken once. */

#include "tests/unit/vmx_fixture.h"

#define PAGE(NAME, member, ...)                                                     \
	BREAK(NAME##_NOT_ALIGNED, MODE_64, SET(state.member, 0x1008), __VA_ARGS__), \
		BREAK(NAME##_TOO_HIGH, MODE_64, SET(state.member, 1ull << 46), __VA_ARGS__)

#define MSR_AREA(NAME, address, count)                                                       \
	BREAK(NAME##_NOT_ALIGNED, MODE_64, SET(state.address, 0x1008), SET(state.count, 1)), \
		BREAK(NAME##_TOO_HIGH, MODE_64, SET(state.address, 1ull << 46),              \
		      SET(state.count, 1)),                                                  \
		BREAK(NAME##_END_TOO_HIGH, MODE_64, SET(state.address, (1ull << 46) - 16),   \
		      SET(state.count, 2))

#define TPR_SHADOW ON(state.primary_controls, VMX_PRIMARY_USE_TPR_SHADOW)
#define POSTED                                                                       \
	ON(state.pin_based_controls, VMX_PIN_PROCESS_POSTED_INTERRUPTS), TPR_SHADOW, \
		SECONDARY(VIRTUAL_INTERRUPT_DELIVERY)
#define PT                                                              \
	SECONDARY(PT_USES_GUEST_PHYSICAL_ADDRESSES),                    \
		ON(state.entry_controls, VMX_ENTRY_LOAD_IA32_RTIT_CTL), \
		ON(state.exit_controls, VMX_EXIT_CLEAR_IA32_RTIT_CTL)

static const struct breakage execution[] = {
	BREAK(PIN_MUST_BE_1, MODE_64, OFF(state.pin_based_controls, 2)),
	BREAK(PIN_MUST_BE_0, MODE_64, ON(state.pin_based_controls, 1 << 9)),
	BREAK(PRIMARY_MUST_BE_1, MODE_64, OFF(state.primary_controls, 1 << 26)),
	BREAK(PRIMARY_MUST_BE_0, MODE_64, ON(state.primary_controls, 1 << 18)),
	BREAK(SECONDARY_MUST_BE_1, MODE_64,
	      ON(capability.procbased_ctls2, VMX_SECONDARY_WBINVD_EXITING)),
	BREAK(SECONDARY_MUST_BE_0, MODE_64, ON(state.secondary_controls, 1 << 29)),
	BREAK(TERTIARY_MUST_BE_0, MODE_64, TERTIARY(LOADIWKEY_EXITING),
	      ON(state.tertiary_controls, 1ull << 40)),
	BREAK(CR3_TARGET_COUNT_TOO_BIG, MODE_64, SET(state.cr3_target_count, 5)),
	PAGE(IO_BITMAP_A_ADDRESS, io_bitmap_a_address,
	     ON(state.primary_controls, VMX_PRIMARY_USE_IO_BITMAPS)),
	PAGE(IO_BITMAP_B_ADDRESS, io_bitmap_b_address,
	     ON(state.primary_controls, VMX_PRIMARY_USE_IO_BITMAPS)),
	PAGE(MSR_BITMAP_ADDRESS, msr_bitmap_address,
	     ON(state.primary_controls, VMX_PRIMARY_USE_MSR_BITMAPS)),
	BREAK(MSR_BITMAP_ADDRESS_TOO_HIGH, MODE_64, SET(state.msr_bitmap_address, 1ull << 32),
	      ON(capability.basic, VMX_BASIC_32BIT_ADDRESSES)),
	PAGE(VIRTUAL_APIC_ADDRESS, virtual_apic_address, TPR_SHADOW),
	BREAK(TPR_THRESHOLD_RESERVED, MODE_64, TPR_SHADOW, SET(state.tpr_threshold, 0x10)),
	BREAK(TPR_THRESHOLD_ABOVE_VTPR, MODE_64, TPR_SHADOW, SET(state.tpr_threshold, 5),
	      SET(around.vtpr_known, 1), SET(around.vtpr, 0x4f)),
	BREAK(TPR_THRESHOLD_ABOVE_VTPR, MODE_64, TPR_SHADOW, SET(state.tpr_threshold, 9),
	      SET(around.vtpr_known, 1), SET(around.vtpr, 0x80)),
	BREAK(X2APIC_MODE_WITHOUT_TPR_SHADOW, MODE_64, SECONDARY(VIRTUALIZE_X2APIC_MODE)),
	BREAK(APIC_REGISTERS_WITHOUT_TPR_SHADOW, MODE_64, SECONDARY(APIC_REGISTER_VIRTUALIZATION)),
	BREAK(VIRTUAL_INTERRUPTS_WITHOUT_TPR_SHADOW, MODE_64,
	      SECONDARY(VIRTUAL_INTERRUPT_DELIVERY)),
	BREAK(IPI_WITHOUT_TPR_SHADOW, MODE_64, TERTIARY(IPI_VIRTUALIZATION)),
	PAGE(APIC_ACCESS_ADDRESS, apic_access_address, SECONDARY(VIRTUALIZE_APIC_ACCESSES)),
	BREAK(X2APIC_MODE_AND_APIC_ACCESSES, MODE_64, TPR_SHADOW, SECONDARY(VIRTUALIZE_X2APIC_MODE),
	      SECONDARY(VIRTUALIZE_APIC_ACCESSES)),
	BREAK(VIRTUAL_NMIS_WITHOUT_NMI_EXITING, MODE_64,
	      OFF(state.pin_based_controls, VMX_PIN_NMI_EXITING),
	      ON(state.pin_based_controls, VMX_PIN_VIRTUAL_NMIS)),
	BREAK(NMI_WINDOW_WITHOUT_VIRTUAL_NMIS, MODE_64,
	      ON(state.primary_controls, VMX_PRIMARY_NMI_WINDOW_EXITING)),
	BREAK(VIRTUAL_INTERRUPTS_WITHOUT_EXITING, MODE_64, TPR_SHADOW,
	      SECONDARY(VIRTUAL_INTERRUPT_DELIVERY),
	      OFF(state.pin_based_controls, VMX_PIN_EXTERNAL_INTERRUPT_EXITING)),
	BREAK(POSTED_WITHOUT_VIRTUAL_INTERRUPTS, MODE_64,
	      ON(state.pin_based_controls, VMX_PIN_PROCESS_POSTED_INTERRUPTS)),
	BREAK(POSTED_WITHOUT_ACKNOWLEDGE, MODE_64, POSTED,
	      OFF(state.exit_controls, VMX_EXIT_ACKNOWLEDGE_INTERRUPT_ON_EXIT)),
	BREAK(POSTED_VECTOR_TOO_BIG, MODE_64, POSTED,
	      SET(state.posted_interrupt_notification_vector, 256)),
	BREAK(POSTED_DESCRIPTOR_NOT_ALIGNED, MODE_64, POSTED,
	      SET(state.posted_interrupt_descriptor_address, 0x20)),
	BREAK(POSTED_DESCRIPTOR_TOO_HIGH, MODE_64, POSTED,
	      SET(state.posted_interrupt_descriptor_address, 1ull << 46)),
	BREAK(VPID_0, MODE_64, SET(state.virtual_processor_id, 0)),
	BREAK(EPTP_MEMORY_TYPE, MODE_64, SET(state.eptp, 0x8000 | 4 | 3 << 3)),
	BREAK(EPTP_MEMORY_TYPE, MODE_64, SET(state.eptp, 0x8000 | 0 | 3 << 3),
	      OFF(capability.ept_vpid_cap, VMX_EPT_UNCACHEABLE)),
	BREAK(EPTP_WALK_LENGTH, MODE_64, SET(state.eptp, 0x8000 | 6 | 2 << 3)),
	BREAK(EPTP_WALK_LENGTH, MODE_64, SET(state.eptp, 0x8000 | 6 | 4 << 3)),
	BREAK(EPTP_ACCESSED_DIRTY, MODE_64, ON(state.eptp, VMX_EPTP_ACCESSED_DIRTY)),
	BREAK(EPTP_SHADOW_STACK, MODE_64, ON(state.eptp, VMX_EPTP_SUPERVISOR_SHADOW_STACK)),
	BREAK(EPTP_RESERVED, MODE_64, ON(state.eptp, 0x100)),
	BREAK(EPTP_RESERVED, MODE_64, ON(state.eptp, 1ull << 46)),
	BREAK(PML_WITHOUT_EPT, MODE_64, NO_EPT, SECONDARY(ENABLE_PML)),
	PAGE(PML_ADDRESS, pml_address, SECONDARY(ENABLE_PML)),
	BREAK(UNRESTRICTED_GUEST_WITHOUT_EPT, MODE_64,
	      OFF(state.secondary_controls, VMX_SECONDARY_ENABLE_EPT)),
	BREAK(MODE_BASED_EXECUTE_WITHOUT_EPT, MODE_64, NO_EPT,
	      SECONDARY(MODE_BASED_EXECUTE_CONTROL)),
	BREAK(SPP_WITHOUT_EPT, MODE_64, NO_EPT, SECONDARY(SUB_PAGE_WRITE_PERMISSIONS)),
	PAGE(SPP_TABLE_POINTER, spp_table_pointer, SECONDARY(SUB_PAGE_WRITE_PERMISSIONS)),
	BREAK(VM_FUNCTIONS_RESERVED, MODE_64, SECONDARY(ENABLE_VM_FUNCTIONS),
	      SET(state.vm_function_controls, 2)),
	BREAK(EPTP_SWITCHING_WITHOUT_EPT, MODE_64, NO_EPT, SECONDARY(ENABLE_VM_FUNCTIONS),
	      SET(state.vm_function_controls, 1)),
	PAGE(EPTP_LIST_ADDRESS, eptp_list_address, SECONDARY(ENABLE_VM_FUNCTIONS),
	     SET(state.vm_function_controls, 1)),
	PAGE(VMREAD_BITMAP_ADDRESS, vmread_bitmap_address, SECONDARY(VMCS_SHADOWING)),
	PAGE(VMWRITE_BITMAP_ADDRESS, vmwrite_bitmap_address, SECONDARY(VMCS_SHADOWING)),
	PAGE(VE_INFORMATION_ADDRESS, ve_information_address, SECONDARY(EPT_VIOLATION_VE)),
	BREAK(PT_WITHOUT_EPT, MODE_64, PT, NO_EPT),
	BREAK(PT_WITHOUT_LOAD, MODE_64, PT,
	      OFF(state.entry_controls, VMX_ENTRY_LOAD_IA32_RTIT_CTL)),
	BREAK(PT_WITHOUT_CLEAR, MODE_64, PT,
	      OFF(state.exit_controls, VMX_EXIT_CLEAR_IA32_RTIT_CTL)),
	BREAK(TSC_MULTIPLIER_0, MODE_64, SECONDARY(USE_TSC_SCALING), SET(state.tsc_multiplier, 0)),
	PAGE(LOW_PASID_DIRECTORY_ADDRESS, low_pasid_directory_address,
	     SECONDARY(PASID_TRANSLATION)),
	PAGE(HIGH_PASID_DIRECTORY_ADDRESS, high_pasid_directory_address,
	     SECONDARY(PASID_TRANSLATION)),
	BREAK(HLAT_WITHOUT_EPT, MODE_64, NO_EPT, TERTIARY(ENABLE_HLAT)),
	BREAK(PAGING_WRITE_WITHOUT_EPT, MODE_64, NO_EPT, TERTIARY(EPT_PAGING_WRITE_CONTROL)),
	BREAK(GUEST_PAGING_WITHOUT_EPT, MODE_64, NO_EPT, TERTIARY(GUEST_PAGING_VERIFICATION)),
	BREAK(HLATP_RESERVED, MODE_64, TERTIARY(ENABLE_HLAT), SET(state.hlatp, 0x1020)),
	BREAK(HLATP_RESERVED, MODE_64, TERTIARY(ENABLE_HLAT), SET(state.hlatp, 1ull << 46)),
	BREAK(HLAT_PREFIX_TOO_LONG, MODE_64, TERTIARY(ENABLE_HLAT), SET(state.hlat_prefix_size, 2)),
	BREAK(PID_TABLE_NOT_ALIGNED, MODE_64, TPR_SHADOW, TERTIARY(IPI_VIRTUALIZATION),
	      SET(state.pid_pointer_table_address, 0x1004)),
	BREAK(PID_TABLE_TOO_HIGH, MODE_64, TPR_SHADOW, TERTIARY(IPI_VIRTUALIZATION),
	      SET(state.pid_pointer_table_address, 1ull << 46)),
	BREAK(PID_TABLE_END_TOO_HIGH, MODE_64, TPR_SHADOW, TERTIARY(IPI_VIRTUALIZATION),
	      SET(state.pid_pointer_table_address, (1ull << 46) - 8),
	      SET(state.last_pid_pointer_index, 1)),
};

#define ERROR_CODE VMX_EVENT_ERROR_CODE
#define IN_SMM	   SET(around.in_smm, 1), ON(state.guest_interruptibility_state, VMX_BLOCKING_BY_SMI)

static const struct breakage exit_and_entry[] = {
	BREAK(EXIT_MUST_BE_1, MODE_64, OFF(state.exit_controls, 1)),
	BREAK(EXIT_MUST_BE_0, MODE_64, ON(state.exit_controls, 1 << 13),
	      OFF(capability.true_exit_ctls, 1ull << (32 + 13))),
	BREAK(EXIT2_MUST_BE_0, MODE_64,
	      ON(state.exit_controls, VMX_EXIT_ACTIVATE_SECONDARY_CONTROLS),
	      SET(state.secondary_exit_controls, 1ull << 50)),
	BREAK(SAVE_TIMER_WITHOUT_TIMER, MODE_64,
	      ON(state.exit_controls, VMX_EXIT_SAVE_PREEMPTION_TIMER_VALUE)),
	MSR_AREA(EXIT_MSR_STORE_ADDRESS, exit_msr_store_address, exit_msr_store_count),
	MSR_AREA(EXIT_MSR_LOAD_ADDRESS, exit_msr_load_address, exit_msr_load_count),
	BREAK(ENTRY_MUST_BE_1, MODE_64, OFF(state.entry_controls, 1)),
	BREAK(ENTRY_MUST_BE_0, MODE_64, ON(state.entry_controls, 1 << 30)),
	BREAK(EVENT_TYPE_RESERVED, MODE_64, EVENT(1, 32, 0)),
	BREAK(EVENT_OTHER_NOT_SUPPORTED, MODE_64, EVENT(VMX_EVENT_OTHER, 0, 0),
	      OFF(capability.true_procbased_ctls, (uint64_t)VMX_PRIMARY_MONITOR_TRAP_FLAG << 32)),
	BREAK(EVENT_NMI_VECTOR, MODE_64, EVENT(VMX_EVENT_NMI, 3, 0)),
	BREAK(EVENT_EXCEPTION_VECTOR, MODE_64, EVENT(VMX_EVENT_HARDWARE_EXCEPTION, 32, 0)),
	BREAK(EVENT_EXCEPTION_VECTOR, MODE_64, EVENT(VMX_EVENT_HARDWARE_EXCEPTION, 32, ERROR_CODE)),
	BREAK(EVENT_OTHER_VECTOR, MODE_64, EVENT(VMX_EVENT_OTHER, 1, 0)),
	BREAK(EVENT_ERROR_CODE_TYPE, MODE_64, EVENT(VMX_EVENT_EXTERNAL_INTERRUPT, 32, ERROR_CODE)),
	BREAK(EVENT_ERROR_CODE_REAL_MODE, MODE_REAL,
	      EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_GP, ERROR_CODE)),
	BREAK(EVENT_ERROR_CODE_UNDUE, MODE_64,
	      EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_UD, ERROR_CODE)),
	BREAK(EVENT_ERROR_CODE_MISSING, MODE_64,
	      EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_GP, 0)),
	BREAK(EVENT_RESERVED, MODE_64, EVENT(VMX_EVENT_EXTERNAL_INTERRUPT, 32, 1 << 12)),
	BREAK(EVENT_RESERVED, MODE_64,
	      EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_UD, VMX_EVENT_NESTED)),
	BREAK(EVENT_RESERVED, MODE_64, EVENT(VMX_EVENT_EXTERNAL_INTERRUPT, 32, VMX_EVENT_NESTED),
	      ON(capability.basic, VMX_BASIC_NESTED_EXCEPTION)),
	BREAK(EVENT_ERROR_CODE_HIGH, MODE_64,
	      EVENT(VMX_EVENT_HARDWARE_EXCEPTION, EXCEPTION_PF, ERROR_CODE),
	      SET(state.entry_exception_error_code, 0x10000)),
	BREAK(EVENT_LENGTH_TOO_BIG, MODE_64, EVENT(VMX_EVENT_SOFTWARE_INTERRUPT, 0x80, 0),
	      SET(state.entry_instruction_length, 16)),
	BREAK(EVENT_LENGTH_0, MODE_64, EVENT(VMX_EVENT_SOFTWARE_EXCEPTION, EXCEPTION_BP, 0)),
	MSR_AREA(ENTRY_MSR_LOAD_ADDRESS, entry_msr_load_address, entry_msr_load_count),
	BREAK_ALSO(ENTRY_TO_SMM_OUTSIDE, MODE_64, ALSO(SMI_OPEN_ENTERING_SMM),
		   ON(state.entry_controls, VMX_ENTRY_ENTRY_TO_SMM)),
	BREAK(DEACTIVATE_DUAL_MONITOR_OUTSIDE, MODE_64,
	      ON(state.entry_controls, VMX_ENTRY_DEACTIVATE_DUAL_MONITOR_TREATMENT)),
	BREAK(ENTRY_TO_SMM_AND_DEACTIVATE, MODE_64, IN_SMM,
	      ON(state.entry_controls,
		 VMX_ENTRY_ENTRY_TO_SMM | VMX_ENTRY_DEACTIVATE_DUAL_MONITOR_TREATMENT)),
	BREAK(LOAD_RTIT_CTL_WHILE_TRACING, MODE_64,
	      ON(state.entry_controls, VMX_ENTRY_LOAD_IA32_RTIT_CTL), SET(around.tracing, 1)),
};

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void execution_controls(void **state)
{
	static const char *const sections[] = { "SDM 3, 27.2.1.1", NULL };

	(void)state;
	every_row_holds(execution, COUNT(execution));
	every_rule_has_a_row(execution, COUNT(execution), sections);
}

static void exit_and_entry_controls(void **state)
{
	static const char *const sections[] = { "SDM 3, 27.2.1.2", "SDM 3, 27.2.1.3", NULL };

	(void)state;
	every_row_holds(exit_and_entry, COUNT(exit_and_entry));
	every_rule_has_a_row(exit_and_entry, COUNT(exit_and_entry), sections);
}

/* What an unused feature's fields hold is of no interest. */
static void unused_fields_are_not_judged(void **state)
{
	struct diagnosis diagnosis = { NULL, 0, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	patient.state.pml_address = patient.state.virtual_apic_address = UINT64_MAX;
	patient.state.hlatp = patient.state.eptp_list_address = UINT64_MAX;
	patient.state.tertiary_controls = patient.state.secondary_exit_controls = UINT64_MAX;
	patient.state.entry_msr_load_address = UINT64_MAX;
	patient.state.entry_interruption_information = INT32_MAX;
	patient.state.entry_instruction_length = 99;
	assert_true(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
}

/* With IA32_VMX_BASIC 56 an error code may be there or not, for any exception. */
static void a_new_processor_takes_any_error_code(void **state)
{
	struct diagnosis diagnosis = { NULL, 0, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	patient.capability.basic |= VMX_BASIC_ANY_ERROR_CODE;
	for (unsigned int vector = 0; vector < EXCEPTION_COUNT; vector++) {
		uint32_t event = vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, (uint8_t)vector);

		patient.state.entry_interruption_information = event;
		vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis);
		patient.state.entry_interruption_information = event | ERROR_CODE;
		vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis);
	}
	assert_int_equal(diagnosis.count, 0);
}

/* The strict ones: exactly #DF, #TS, #NP, #SS, #GP, #PF and #AC. */
static void an_old_processor_takes_the_right_error_code(void **state)
{
	(void)state;
	for (unsigned int vector = 0; vector < EXCEPTION_COUNT; vector++) {
		bool has = vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
		struct diagnosis diagnosis = { NULL, 0, 0 };
		struct patient patient;

		be_well(&patient, MODE_64);
		patient.state.entry_interruption_information =
			vmx_event(VMX_EVENT_HARDWARE_EXCEPTION, (uint8_t)vector) |
			(has ? ERROR_CODE : 0);
		assert_true(vmx_check(&patient.state, &patient.capability, &patient.around,
				      &diagnosis));
		patient.state.entry_interruption_information ^= ERROR_CODE;
		assert_false(vmx_check(&patient.state, &patient.capability, &patient.around,
				       &diagnosis));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(execution_controls),
		cmocka_unit_test(exit_and_entry_controls),
		cmocka_unit_test(unused_fields_are_not_judged),
		cmocka_unit_test(a_new_processor_takes_any_error_code),
		cmocka_unit_test(an_old_processor_takes_the_right_error_code),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
