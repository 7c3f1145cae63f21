/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* The list of the VMCS's fields against the manual, and processors that lack some. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/vmx/vmcs.h"
#include "x86/registers.h"

static bool begins_with(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

/* SDM 3, 25.11.2: bit 0 is for halves of fields, bits 31:15 and 12 are 0. */
static void encodings_are_in_order(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < VMCS_FIELD_COUNT; i++) {
		uint32_t encoding = vmcs_fields[i].encoding;

		assert_false(encoding & ~0x6ffeu);
		assert_true(i == 0 || vmcs_fields[i - 1].encoding < encoding);
		assert_int_equal(vmcs_field_find(encoding), i);
		assert_int_equal(vmcs_field_find(encoding + 1), VMCS_FIELD_COUNT);
	}
	assert_int_equal(vmcs_field_find(UINT32_MAX), VMCS_FIELD_COUNT);
	assert_int_equal(vmcs_field_find(0x682e), VMCS_FIELD_COUNT);
}

/* A field is of the kind that its name says. */
static void kinds_follow_from_encodings(void **state)
{
	(void)state;
	for (unsigned int i = 0; i < VMCS_FIELD_COUNT; i++) {
		const char *name = vmcs_fields[i].name;
		enum vmcs_kind kind = VMCS_KIND(vmcs_fields[i].encoding);

		if (begins_with(name, "host "))
			assert_int_equal(kind, VMCS_KIND_HOST);
		else if (begins_with(name, "guest deadline shadow"))
			assert_int_equal(kind, VMCS_KIND_CONTROL);
		else if (begins_with(name, "guest "))
			assert_int_equal(kind, VMCS_KIND_GUEST);
		else
			assert_int_not_equal(kind, VMCS_KIND_HOST);
	}
	assert_int_equal(VMCS_KIND(VMCS_EXIT_REASON), VMCS_KIND_READ_ONLY);
	assert_int_equal(VMCS_KIND(VMCS_PRIMARY_CONTROLS), VMCS_KIND_CONTROL);
}

static void widths_follow_from_encodings(void **state)
{
	(void)state;
	assert_int_equal(VMCS_WIDTH(VMCS_GUEST_CS_SELECTOR), VMCS_WIDTH_16);
	assert_int_equal(VMCS_WIDTH(VMCS_EPTP), VMCS_WIDTH_64);
	assert_int_equal(VMCS_WIDTH(VMCS_EXCEPTION_BITMAP), VMCS_WIDTH_32);
	assert_int_equal(VMCS_WIDTH(VMCS_GUEST_CR0), VMCS_WIDTH_NATURAL);
	assert_int_equal(vmcs_field_mask(VMCS_INDEX_GUEST_CS_SELECTOR), 0xffff);
	assert_int_equal(vmcs_field_mask(VMCS_INDEX_EXCEPTION_BITMAP), 0xffffffff);
	assert_int_equal(vmcs_field_mask(VMCS_INDEX_EPTP), UINT64_MAX);
	assert_int_equal(vmcs_field_mask(VMCS_INDEX_GUEST_CR0), UINT64_MAX);
}

/* A sample from each table of SDM 3, appendix B: by number, name and member. */
static void fields_are_those_of_the_manual(void **state)
{
	static struct vmcs_state all;

	(void)state;
	assert_int_equal(VMCS_VIRTUAL_PROCESSOR_ID, 0x0000);
	assert_int_equal(VMCS_GUEST_TR_SELECTOR, 0x080e);
	assert_int_equal(VMCS_HOST_TR_SELECTOR, 0x0c0c);
	assert_int_equal(VMCS_TSC_OFFSET, 0x2010);
	assert_int_equal(VMCS_EPTP, 0x201a);
	assert_int_equal(VMCS_GUEST_PHYSICAL_ADDRESS, 0x2400);
	assert_int_equal(VMCS_GUEST_PDPTE3, 0x2810);
	assert_int_equal(VMCS_HOST_IA32_EFER, 0x2c02);
	assert_int_equal(VMCS_SECONDARY_CONTROLS, 0x401e);
	assert_int_equal(VMCS_EXIT_INSTRUCTION_INFORMATION, 0x440e);
	assert_int_equal(VMCS_GUEST_TR_RIGHTS, 0x4822);
	assert_int_equal(VMCS_PREEMPTION_TIMER_VALUE, 0x482e);
	assert_int_equal(VMCS_HOST_IA32_SYSENTER_CS, 0x4c00);
	assert_int_equal(VMCS_CR3_TARGET_VALUE3, 0x600e);
	assert_int_equal(VMCS_GUEST_LINEAR_ADDRESS, 0x640a);
	assert_int_equal(VMCS_GUEST_IDTR_BASE, 0x6818);
	assert_int_equal(VMCS_GUEST_IA32_SYSENTER_EIP, 0x6826);
	assert_int_equal(VMCS_HOST_RIP, 0x6c16);
	assert_string_equal(vmcs_fields[VMCS_INDEX_GUEST_CR0].name, "guest CR0");
	all.field[VMCS_INDEX_HOST_RIP] = 1;
	assert_int_equal(all.host_rip, 1);
}

/* ---- what a processor has -------------------------------------------------------- */

/* A Core 2 of 2008: no EPT, no VPID, no TRUE controls, nothing to load or save. */
static uint64_t core2(void *owner, uint32_t index)
{
	unsigned int *asked = owner;

	++*asked;
	switch (index) {
	case IA32_VMX_BASIC:
		return 0x001a04000000000d;
	case IA32_VMX_PINBASED_CTLS:
		return 0x0000003f00000016;
	case IA32_VMX_PROCBASED_CTLS:
		return 0xf7b9fffe0401e172;
	case IA32_VMX_EXIT_CTLS:
		return 0x0003ffff00036dff;
	case IA32_VMX_ENTRY_CTLS:
		return 0x00003fff000011ff;
	case IA32_VMX_MISC:
		return 0x00000000000403c0;
	case IA32_VMX_PROCBASED_CTLS2:
		return 0x0000004100000000;
	case IA32_VMX_CR0_FIXED0:
		return 0x80000021;
	case IA32_VMX_CR0_FIXED1:
		return 0xffffffff;
	case IA32_VMX_CR4_FIXED0:
		return 0x2000;
	case IA32_VMX_CR4_FIXED1:
		return 0x67ff;
	case IA32_VMX_VMCS_ENUM:
		return 0x2c;
	default:
		fail_msg("MSR 0x%x does not exist", index);
		return 0;
	}
}

static void an_old_processor_is_not_asked_for_more(void **state)
{
	struct vmx_capability capability = { .true_exit_ctls = 1, .ept_vpid_cap = 1 };
	unsigned int asked = 0;

	(void)state;
	vmx_capability_read(&capability, core2, &asked);
	assert_int_equal(asked, 12);
	assert_int_equal(capability.true_exit_ctls, 0);
	assert_int_equal(capability.ept_vpid_cap, 0);
	assert_int_equal(capability.procbased_ctls2, 0x4100000000);
	assert_int_equal(capability.basic & VMX_BASIC_REVISION, 0xd);
	assert_int_equal(vmx_controls(&capability, VMX_WORD_PRIMARY).must_be_one, 0x0401e172);
	assert_true(vmx_controls_allow(&capability, VMX_WORD_SECONDARY,
				       VMX_SECONDARY_VIRTUALIZE_APIC_ACCESSES));
	assert_false(vmx_controls_allow(&capability, VMX_WORD_SECONDARY, VMX_SECONDARY_ENABLE_EPT));
	assert_int_equal(vmx_controls(&capability, VMX_WORD_TERTIARY).may_be_one, 0);
}

/* A processor that has everything answers every question. */
static uint64_t everything(void *owner, uint32_t index)
{
	unsigned int *asked = owner;

	++*asked;
	assert_in_range(index, IA32_VMX_BASIC, IA32_VMX_EXIT_CTLS2);
	return index == IA32_VMX_TRUE_PINBASED_CTLS ? 0xffffffff00000010 : 0xffffffffffffffff;
}

static void true_controls_come_first(void **state)
{
	struct vmx_capability capability = { 0 };
	unsigned int asked = 0;

	(void)state;
	vmx_capability_read(&capability, everything, &asked);
	assert_int_equal(asked, IA32_VMX_EXIT_CTLS2 - IA32_VMX_BASIC + 1);
	assert_int_equal(vmx_controls(&capability, VMX_WORD_PIN).must_be_one, 0x10);
	for (unsigned int i = 0; i < VMCS_FIELD_COUNT; i++)
		assert_true(vmcs_field_exists(&capability, i));
}

static void an_old_processor_has_fewer_fields(void **state)
{
	struct vmx_capability capability = { 0 };
	unsigned int asked = 0;

	(void)state;
	vmx_capability_read(&capability, core2, &asked);
	assert_true(vmcs_field_exists(&capability, VMCS_INDEX_GUEST_CR0));
	assert_true(vmcs_field_exists(&capability, VMCS_INDEX_TSC_OFFSET));
	assert_true(vmcs_field_exists(&capability, VMCS_INDEX_MSR_BITMAP_ADDRESS));
	assert_true(vmcs_field_exists(&capability, VMCS_INDEX_SECONDARY_CONTROLS));
	assert_true(vmcs_field_exists(&capability, VMCS_INDEX_APIC_ACCESS_ADDRESS));
	assert_false(vmcs_field_exists(&capability, VMCS_INDEX_EPTP));
	assert_false(vmcs_field_exists(&capability, VMCS_INDEX_GUEST_PDPTE0));
	assert_false(vmcs_field_exists(&capability, VMCS_INDEX_VIRTUAL_PROCESSOR_ID));
	assert_false(vmcs_field_exists(&capability, VMCS_INDEX_GUEST_IA32_EFER));
	assert_false(vmcs_field_exists(&capability, VMCS_INDEX_PREEMPTION_TIMER_VALUE));
	assert_false(vmcs_field_exists(&capability, VMCS_INDEX_TERTIARY_CONTROLS));
	assert_false(vmcs_field_exists(&capability, VMCS_INDEX_EPTP_LIST_ADDRESS));
	assert_false(vmcs_field_exists(&capability, VMCS_INDEX_INJECTED_EVENT_DATA));
	/* Saved on exit is enough, though it cannot be loaded on entry. */
	capability.exit_ctls |= (uint64_t)VMX_EXIT_SAVE_IA32_EFER << 32;
	assert_true(vmcs_field_exists(&capability, VMCS_INDEX_GUEST_IA32_EFER));
}

struct vmread {
	const struct vmx_capability *capability;
	unsigned int count;
};

static uint64_t vmread(void *owner, uint32_t encoding)
{
	struct vmread *vmread = owner;
	enum vmcs_index index = vmcs_field_find(encoding);

	assert_int_not_equal(index, VMCS_FIELD_COUNT);
	assert_true(vmcs_field_exists(vmread->capability, index));
	vmread->count++;
	return encoding + 0x10000ull;
}

static void only_what_exists_is_read(void **state)
{
	static struct vmcs_state all;
	struct vmx_capability capability = { 0 };
	struct vmread reader = { &capability, 0 };
	unsigned int asked = 0;

	(void)state;
	memset(&all, 0xff, sizeof(all));
	vmx_capability_read(&capability, core2, &asked);
	vmcs_state_read(&all, &capability, vmread, &reader);
	assert_in_range(reader.count, 100, VMCS_FIELD_COUNT - 50);
	assert_int_equal(all.guest_rip, VMCS_GUEST_RIP + 0x10000);
	assert_int_equal(all.eptp, 0);
}

/* ---- names ------------------------------------------------------------------------- */

static void everything_has_a_name(void **state)
{
	(void)state;
	assert_string_equal(vmx_control_name(VMX_WORD_PRIMARY, 7), "HLT exiting");
	assert_string_equal(vmx_control_name(VMX_WORD_ENTRY, 15), "load IA32_EFER");
	assert_null(vmx_control_name(VMX_WORD_PIN, 1));
	assert_string_equal(vmx_reason_name(VMX_REASON_EPT_VIOLATION), "EPT_VIOLATION");
	assert_string_equal(vmx_reason_text(VMX_REASON_ENTRY_FAILURE | 33),
			    "VM-entry failure: invalid guest state");
	assert_string_equal(vmx_reason_name(85), "WRMSRNS_IMMEDIATE");
	assert_null(vmx_reason_name(35));
	assert_null(vmx_reason_text(86));
	assert_null(vmx_reason_name(0xffff));
	assert_string_equal(vmx_error_text(7), "VM entry with invalid control field(s)");
	assert_null(vmx_error_text(0));
	assert_null(vmx_error_text(14));
	assert_null(vmx_error_text(29));
}

static void events_are_packed_as_the_manual_says(void **state)
{
	(void)state;
	assert_int_equal(vmx_event(VMX_EVENT_NMI, 2), 0x80000202);
	assert_int_equal(vmx_event(VMX_EVENT_SOFTWARE_EXCEPTION, 3), 0x80000603);
	assert_int_equal(vmx_event_type(0x80000b0d), VMX_EVENT_HARDWARE_EXCEPTION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(encodings_are_in_order),
		cmocka_unit_test(kinds_follow_from_encodings),
		cmocka_unit_test(widths_follow_from_encodings),
		cmocka_unit_test(fields_are_those_of_the_manual),
		cmocka_unit_test(an_old_processor_is_not_asked_for_more),
		cmocka_unit_test(true_controls_come_first),
		cmocka_unit_test(an_old_processor_has_fewer_fields),
		cmocka_unit_test(only_what_exists_is_read),
		cmocka_unit_test(everything_has_a_name),
		cmocka_unit_test(events_are_packed_as_the_manual_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
