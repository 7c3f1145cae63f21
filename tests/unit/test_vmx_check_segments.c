/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* The entry doctor's rules about the guest's segment registers (SDM 3, 27.3.1.2). */

#include "tests/unit/vmx_fixture.h"

#define DATA16	    SEGMENT_RIGHTS_DATA16
#define DATA32	    SEGMENT_RIGHTS_DATA32
#define CODE32	    SEGMENT_RIGHTS_CODE32
#define CODE64	    SEGMENT_RIGHTS_CODE64
#define RING(level) ((level) << SEGMENT_DPL_SHIFT)

static const struct breakage rows[] = {
	BREAK(TR_TI, MODE_64, SET(state.guest_tr_selector, 0x2c)),
	BREAK(LDTR_TI, MODE_64, SET(state.guest_ldtr_selector, 0x24)),
	BREAK_ALSO(SS_RPL, MODE_32, ALSO(SS_DPL), RESTRICTED, SET(state.guest_ss_selector, 0x1b)),

	BREAK(VM86_BASE, MODE_VM86, SET(state.guest_ds_base, 0x20000)),
	BREAK(VM86_BASE, MODE_VM86, SET(state.guest_cs_selector, 0x2000)),
	BREAK(BASE_NOT_CANONICAL, MODE_64, SET(state.guest_tr_base, 1ull << 47)),
	BREAK(BASE_NOT_CANONICAL, MODE_64, SET(state.guest_fs_base, 1ull << 47)),
	BREAK(BASE_NOT_CANONICAL, MODE_64, SET(state.guest_gs_base, 1ull << 47),
	      SET(state.guest_gs_rights, SEGMENT_UNUSABLE)),
	BREAK(BASE_NOT_CANONICAL, MODE_64, SET(state.guest_ldtr_base, 1ull << 47)),
	BREAK(BASE_HIGH, MODE_64, SET(state.guest_cs_base, 1ull << 32)),
	BREAK(BASE_HIGH, MODE_64, SET(state.guest_ss_base, 1ull << 32)),
	BREAK(BASE_HIGH, MODE_64, SET(state.guest_ds_base, 1ull << 32)),
	BREAK(BASE_HIGH, MODE_64, SET(state.guest_es_base, 1ull << 32)),

	BREAK(VM86_LIMIT, MODE_VM86, SET(state.guest_gs_limit, 0xfffff)),
	BREAK(VM86_RIGHTS, MODE_VM86, SET(state.guest_ss_rights, 0x93)),

	BREAK(CS_TYPE, MODE_64, OFF(state.guest_cs_rights, SEGMENT_ACCESSED)),
	BREAK_ALSO(CS_TYPE, MODE_32, 0, RESTRICTED, SET(state.guest_cs_rights, DATA32)),
	BREAK(SS_TYPE, MODE_32, OFF(state.guest_ss_rights, SEGMENT_WRITABLE)),
	BREAK(SS_TYPE, MODE_32, OFF(state.guest_ss_rights, SEGMENT_ACCESSED)),
	BREAK(SS_TYPE, MODE_32, SET(state.guest_ss_rights, CODE32)),
	BREAK(DATA_NOT_ACCESSED, MODE_32, OFF(state.guest_fs_rights, SEGMENT_ACCESSED)),
	BREAK(DATA_NOT_READABLE, MODE_32, SET(state.guest_ds_rights, CODE32 & ~SEGMENT_READABLE)),
	BREAK(SYSTEM_BIT_CLEAR, MODE_32, OFF(state.guest_es_rights, SEGMENT_S)),
	BREAK(SYSTEM_BIT_CLEAR, MODE_64, OFF(state.guest_cs_rights, SEGMENT_S)),

	BREAK(CS_DPL_DATA, MODE_REAL, SET(state.guest_cs_rights, DATA16 | RING(3))),
	BREAK(CS_DPL, MODE_32, SET(state.guest_cs_rights, CODE32 | RING(3))),
	BREAK(CS_DPL_CONFORMING, MODE_32,
	      SET(state.guest_cs_rights, CODE32 | SEGMENT_CONFORMING | RING(1))),
	BREAK_ALSO(SS_DPL, MODE_32, ALSO(CS_DPL), RESTRICTED,
		   SET(state.guest_ss_rights, DATA32 | RING(3))),
	BREAK(SS_DPL_NOT_0, MODE_REAL, SET(state.guest_ss_rights, DATA16 | RING(3))),
	BREAK(SS_DPL_NOT_0, MODE_REAL, SET(state.guest_ss_rights, DATA16 | RING(1)),
	      SET(state.guest_cs_rights, SEGMENT_RIGHTS_CODE16 | RING(1))),
	BREAK(SS_DPL_NOT_0, MODE_32, SET(state.guest_ss_rights, DATA32 | RING(3)),
	      SET(state.guest_cs_rights, DATA32)),
	BREAK(DATA_DPL, MODE_32, RESTRICTED, SET(state.guest_ds_selector, 0x1b)),
	BREAK(DATA_DPL, MODE_32, RESTRICTED, SET(state.guest_gs_selector, 0x19),
	      SET(state.guest_gs_rights, CODE32)),

	/* Type 12 is conforming, and so not judged by its DPL. */
	BREAK_ALSO(DATA_NOT_ACCESSED, MODE_32, ALSO(DATA_NOT_READABLE), RESTRICTED,
		   SET(state.guest_ds_selector, 0x1b),
		   SET(state.guest_ds_rights,
		       (CODE32 & ~SEGMENT_TYPE) | SEGMENT_CODE | SEGMENT_CONFORMING)),

	BREAK(NOT_PRESENT, MODE_64, OFF(state.guest_cs_rights, SEGMENT_P)),
	BREAK(NOT_PRESENT, MODE_32, OFF(state.guest_gs_rights, SEGMENT_P)),
	BREAK(RIGHTS_RESERVED, MODE_64, ON(state.guest_cs_rights, 0x100)),
	BREAK(RIGHTS_RESERVED, MODE_32, ON(state.guest_ds_rights, 0x800)),
	BREAK(CS_L_AND_DB, MODE_64, SET(state.guest_cs_rights, CODE64 | SEGMENT_DB)),
	BREAK(G_SET, MODE_32, SET(state.guest_ds_limit, 0xfffffffe)),
	BREAK(G_SET, MODE_64, SET(state.guest_cs_limit, 0)),
	BREAK(G_CLEAR, MODE_32, OFF(state.guest_ss_rights, SEGMENT_G)),
	BREAK(RIGHTS_HIGH, MODE_64, ON(state.guest_cs_rights, 1 << 17)),
	BREAK(RIGHTS_HIGH, MODE_32, ON(state.guest_fs_rights, 1u << 31)),

	BREAK(TR_TYPE, MODE_64, SET(state.guest_tr_rights, SEGMENT_P | SEGMENT_TSS16_BUSY)),
	BREAK(TR_TYPE, MODE_32, SET(state.guest_tr_rights, SEGMENT_P | SEGMENT_TSS_AVAILABLE)),
	BREAK(TR_S, MODE_64, ON(state.guest_tr_rights, SEGMENT_S)),
	BREAK(TR_NOT_PRESENT, MODE_64, OFF(state.guest_tr_rights, SEGMENT_P)),
	BREAK(TR_RESERVED, MODE_64, ON(state.guest_tr_rights, 0x400)),
	BREAK(TR_G_SET, MODE_64, ON(state.guest_tr_rights, SEGMENT_G)),
	BREAK(TR_G_CLEAR, MODE_64, SET(state.guest_tr_limit, 0x100000)),
	BREAK(TR_UNUSABLE, MODE_64, ON(state.guest_tr_rights, SEGMENT_UNUSABLE)),
	BREAK(TR_HIGH, MODE_64, ON(state.guest_tr_rights, 1 << 17)),

	BREAK(LDTR_TYPE, MODE_64, SET(state.guest_ldtr_rights, SEGMENT_P | SEGMENT_TSS_BUSY)),
	BREAK(LDTR_S, MODE_64, ON(state.guest_ldtr_rights, SEGMENT_S)),
	BREAK(LDTR_NOT_PRESENT, MODE_64, OFF(state.guest_ldtr_rights, SEGMENT_P)),
	BREAK(LDTR_RESERVED, MODE_64, ON(state.guest_ldtr_rights, 0x100)),
	BREAK(LDTR_G_SET, MODE_64, ON(state.guest_ldtr_rights, SEGMENT_G)),
	BREAK(LDTR_G_CLEAR, MODE_64, SET(state.guest_ldtr_limit, 0x100000)),
	BREAK(LDTR_HIGH, MODE_64, ON(state.guest_ldtr_rights, 1 << 20)),
};

#define COUNT (sizeof(rows) / sizeof(rows[0]))

static void segments(void **state)
{
	static const char *const sections[] = { "SDM 3, 27.3.1.2", NULL };

	(void)state;
	every_row_holds(rows, COUNT);
	every_rule_has_a_row(rows, COUNT, sections);
}

/* One rule for six or eight registers names the register that breaks it. */
static void the_register_is_named(void **state)
{
	static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS" };

	(void)state;
	for (unsigned int i = 0; i < 6; i++) {
		struct violation violation;
		struct diagnosis diagnosis = { &violation, 1, 0 };
		char text[VIOLATION_TEXT_MAX], expected[VIOLATION_TEXT_MAX];
		struct patient patient;

		be_well(&patient, MODE_VM86);
		patient.state.field[VMCS_INDEX_GUEST_ES_LIMIT + i] = 0x1234;
		vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis);
		assert_int_equal(diagnosis.count, 1);
		violation_text(&violation, text, sizeof(text));
		snprintf(expected, sizeof(expected),
			 "guest %s limit 0x1234: must be 0xffff in virtual-8086 mode "
			 "(SDM 3, 27.3.1.2)",
			 names[i]);
		assert_string_equal(text, expected);
	}
}

/* What is unusable is not judged, whatever else it says. */
static void unusable_segments_may_be_anything(void **state)
{
	struct diagnosis diagnosis = { NULL, 0, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	for (unsigned int i = 0; i < 7; i++) {
		if (i == 1 || i == 2)
			continue;
		patient.state.field[VMCS_INDEX_GUEST_ES_RIGHTS + i] = SEGMENT_UNUSABLE | 0xf00;
		patient.state.field[VMCS_INDEX_GUEST_ES_SELECTOR + i] = 7;
		patient.state.field[VMCS_INDEX_GUEST_ES_LIMIT + i] = 0x12345678;
	}
	patient.state.guest_ds_base = patient.state.guest_ldtr_base = 1ull << 47;
	patient.state.guest_ss_rights = SEGMENT_UNUSABLE;
	patient.state.guest_ss_base = UINT64_MAX;
	assert_true(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
}

/* User programs have the rights that an operating system gives them. */
static void rings_above_0(void **state)
{
	struct diagnosis diagnosis = { NULL, 0, 0 };
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_32);
	patient.state.secondary_controls &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
	patient.state.guest_cs_selector = 0x23;
	patient.state.guest_cs_rights = CODE32 | RING(3);
	patient.state.guest_ss_selector = patient.state.guest_ds_selector = 0x2b;
	patient.state.guest_ss_rights = patient.state.guest_ds_rights = DATA32 | RING(3);
	assert_true(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
	patient.state.guest_cs_rights = CODE32 | SEGMENT_CONFORMING | RING(1);
	assert_true(vmx_check(&patient.state, &patient.capability, &patient.around, &diagnosis));
}

static bool segments_are_proper(const struct patient *patient)
{
	return vmx_check_segments(&patient->state, &patient->capability,
				  patient->state.guest_rflags);
}

/* What a guest's segments are like on its way from real mode to protected mode. */
static void segments_alone(void **state)
{
	struct patient patient;

	(void)state;
	for (enum mode mode = 0; mode < MODE_COUNT; mode++) {
		be_well(&patient, mode);
		patient.state.secondary_controls &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
		assert_int_equal(segments_are_proper(&patient), mode != MODE_REAL);
	}
	be_well(&patient, MODE_32);
	patient.state.secondary_controls &= ~VMX_SECONDARY_UNRESTRICTED_GUEST;
	patient.state.guest_cs_rights = DATA16; /* CR0.PE is new */
	assert_false(segments_are_proper(&patient));
	patient.state.guest_cs_rights = CODE32; /* after the far jump */
	patient.state.guest_cs_selector = 8;
	patient.state.guest_ss_selector = 0x9003;
	assert_false(segments_are_proper(&patient));
	patient.state.guest_ss_selector = 0x9000;
	assert_true(segments_are_proper(&patient));
	patient.state.guest_ds_selector = 0x1237;
	assert_false(segments_are_proper(&patient));
	patient.state.guest_ds_selector = 0x10;
	patient.state.guest_es_limit = 0xffffffff; /* big real mode's */
	patient.state.guest_es_rights = DATA16;
	assert_false(segments_are_proper(&patient));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments),
		cmocka_unit_test(the_register_is_named),
		cmocka_unit_test(unusable_segments_may_be_anything),
		cmocka_unit_test(rings_above_0),
		cmocka_unit_test(segments_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
