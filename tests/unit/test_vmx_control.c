/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Which controls VT-x runs guests with: on a processor that has all, on one that has the
 * least, on an early one, and what is said where one is missing.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/vmx/control.h"

#define ALL_MAY_BE_ONE 0xffffffff00000000ull

/* Every control may be 1, none must. */
static struct vmx_capability everything(void)
{
	return (struct vmx_capability){
		.basic = VMX_BASIC_TRUE_CONTROLS,
		.true_pinbased_ctls = ALL_MAY_BE_ONE,
		.true_procbased_ctls = ALL_MAY_BE_ONE,
		.true_exit_ctls = ALL_MAY_BE_ONE,
		.true_entry_ctls = ALL_MAY_BE_ONE,
		.procbased_ctls2 = ALL_MAY_BE_ONE,
		.procbased_ctls3 = UINT64_MAX,
		.exit_ctls2 = UINT64_MAX,
		.ept_vpid_cap = VMX_EPT_4_LEVELS | VMX_EPT_WRITE_BACK | VMX_EPT_INVEPT |
				VMX_EPT_INVEPT_SINGLE | VMX_VPID_INVVPID | VMX_VPID_INVVPID_SINGLE,
	};
}

static void the_full_set(void **state)
{
	const struct vmx_capability capability = everything();
	uint64_t words[VMX_WORD_COUNT];
	char why[160] = "";

	(void)state;
	assert_true(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_string_equal(why, "");
	assert_int_equal(words[VMX_WORD_PIN], VMX_PIN_EXTERNAL_INTERRUPT_EXITING |
						      VMX_PIN_NMI_EXITING | VMX_PIN_VIRTUAL_NMIS |
						      VMX_PIN_ACTIVATE_PREEMPTION_TIMER);
	assert_int_equal(words[VMX_WORD_SECONDARY],
			 VMX_SECONDARY_ENABLE_EPT | VMX_SECONDARY_UNRESTRICTED_GUEST |
				 VMX_SECONDARY_ENABLE_VPID | VMX_SECONDARY_ENABLE_RDTSCP |
				 VMX_SECONDARY_WBINVD_EXITING | VMX_SECONDARY_ENABLE_INVPCID |
				 VMX_SECONDARY_PAUSE_LOOP_EXITING | VMX_SECONDARY_USE_TSC_SCALING);
	/* What comes and goes begins as off; what nobody asked for stays off. */
	assert_false(words[VMX_WORD_PRIMARY] &
		     (VMX_PRIMARY_INTERRUPT_WINDOW_EXITING | VMX_PRIMARY_NMI_WINDOW_EXITING |
		      VMX_PRIMARY_CR3_LOAD_EXITING | VMX_PRIMARY_ACTIVATE_TERTIARY_CONTROLS));
	assert_false(words[VMX_WORD_ENTRY] & VMX_ENTRY_IA32E_MODE_GUEST);
	assert_false(words[VMX_WORD_EXIT] & VMX_EXIT_ACKNOWLEDGE_INTERRUPT_ON_EXIT);
	assert_int_equal(words[VMX_WORD_TERTIARY], 0);
	assert_int_equal(words[VMX_WORD_EXIT2], 0);
}

static void wanted_but_not_needed(void **state)
{
	struct vmx_capability capability = everything();
	uint64_t words[VMX_WORD_COUNT];
	char why[160];

	(void)state;
	capability.procbased_ctls2 = (uint64_t)VMX_SECONDARY_ENABLE_EPT << 32;
	assert_true(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_int_equal(words[VMX_WORD_SECONDARY], VMX_SECONDARY_ENABLE_EPT);
	/* VPIDs that can't be forgotten are not used. */
	capability = everything();
	capability.ept_vpid_cap &= ~VMX_VPID_INVVPID;
	assert_true(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_false(words[VMX_WORD_SECONDARY] & VMX_SECONDARY_ENABLE_VPID);
}

/* SDM 3, A.2: bits that an early processor wants to be 1 have no name, or do no harm. */
static void what_is_forced(void **state)
{
	const uint64_t cr3 = VMX_PRIMARY_CR3_LOAD_EXITING | VMX_PRIMARY_CR3_STORE_EXITING;
	struct vmx_capability capability = everything();
	uint64_t words[VMX_WORD_COUNT];
	char why[160];

	(void)state;
	capability.basic = 0;
	capability.pinbased_ctls = ALL_MAY_BE_ONE | 0x16;
	capability.procbased_ctls = ALL_MAY_BE_ONE | 0x0401e172;
	capability.exit_ctls = ALL_MAY_BE_ONE | 0x36dff;
	capability.entry_ctls = ALL_MAY_BE_ONE | 0x11ff;
	capability.exit_ctls &= ~(uint64_t)VMX_EXIT_LOAD_IA32_PERF_GLOBAL_CTRL;
	assert_true(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_int_equal(words[VMX_WORD_PIN] & 0x16, 0x16);
	assert_int_equal(words[VMX_WORD_PRIMARY] & 0x0401e172, 0x0401e172);
	assert_int_equal(words[VMX_WORD_PRIMARY] & cr3, cr3);
	/* One that would change what an exit means is refused by name. */
	capability.exit_ctls |= VMX_EXIT_ACKNOWLEDGE_INTERRUPT_ON_EXIT;
	assert_false(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_string_equal(why,
			    "VT-x insists on the VM-exit controls acknowledge interrupt on exit");
}

static void what_is_missing_is_named(void **state)
{
	struct vmx_capability capability = everything();
	uint64_t words[VMX_WORD_COUNT];
	char why[160], small[24];

	(void)state;
	capability.procbased_ctls2 = 0;
	assert_false(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_string_equal(why, "VT-x lacks the secondary controls enable EPT");
	assert_false(vmx_control_choose(&capability, words, small, sizeof(small)));
	assert_string_equal(small, "VT-x lacks the secondar");
	capability = everything();
	capability.true_pinbased_ctls &= ~((uint64_t)VMX_PIN_VIRTUAL_NMIS << 32);
	assert_false(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_string_equal(why, "VT-x lacks the pin-based controls virtual NMIs");
	capability.true_pinbased_ctls &= ~((uint64_t)VMX_PIN_NMI_EXITING << 32);
	assert_false(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_string_equal(why, "VT-x lacks the pin-based controls NMI exiting, virtual NMIs");
	capability = everything();
	capability.true_procbased_ctls &= ~((uint64_t)VMX_PRIMARY_NMI_WINDOW_EXITING << 32);
	assert_false(vmx_control_choose(&capability, words, why, sizeof(why)));
	assert_string_equal(why, "VT-x lacks the primary controls NMI-window exiting");
}

static void second_level(void **state)
{
	struct vmx_capability capability = everything();
	char why[160];

	(void)state;
	assert_true(vmx_control_ept(&capability, why, sizeof(why)));
	capability.ept_vpid_cap &= ~VMX_EPT_INVEPT_SINGLE;
	assert_false(vmx_control_ept(&capability, why, sizeof(why)));
	assert_non_null(strstr(why, "INVEPT"));
	capability.ept_vpid_cap |= VMX_EPT_INVEPT_ALL;
	assert_true(vmx_control_ept(&capability, why, sizeof(why)));
	capability.ept_vpid_cap &= ~VMX_EPT_WRITE_BACK;
	assert_false(vmx_control_ept(&capability, why, sizeof(why)));
	assert_non_null(strstr(why, "write-back"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_full_set),	  cmocka_unit_test(wanted_but_not_needed),
		cmocka_unit_test(what_is_forced), cmocka_unit_test(what_is_missing_is_named),
		cmocka_unit_test(second_level),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
