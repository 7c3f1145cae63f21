/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The VMCB's own helpers; and the entry doctor of AMD-V: healthy guests of each mode,
 * then each rule broken once.
 */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "core/svm/check.h"
#include "x86/exception.h"
#include "x86/registers.h"

enum mode {
	MODE_64,
	MODE_REAL,
	MODE_32,
	MODE_PAE,
	MODE_VM86,
	MODE_COUNT,
};

struct patient {
	struct vmcb vmcb;
	struct svm_capability capability;
	struct svm_surroundings around;
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
#define EVENT(type, vector) \
	SET(vmcb.control.eventinj, VMCB_EVENT_VALID | (type) << VMCB_EVENT_TYPE_SHIFT | (vector))
#define INTERCEPT(code) ON(vmcb.control.intercepts[(code) / 32], 1u << ((code) % 32))
#define SAVE(member)	vmcb.save.member
#define V_INTR(bits)	ON(vmcb.control.v_intr, bits)
#define NO_NP		OFF(vmcb.control.np_control, VMCB_NP_ENABLE)
#define BEYOND		(1ull << 48)

static const struct {
	enum svm_rule rule;
	enum mode mode;
	struct edit edits[5];
	int also; /* rule + 1 */
} rows[] = {
#define BREAK(name, mode, ...)                            \
	{                                                 \
		SVM_RULE_##name, mode, { __VA_ARGS__ }, 0 \
	}
#define BREAK_ALSO(name, mode, also, ...)                                   \
	{                                                                   \
		SVM_RULE_##name, mode, { __VA_ARGS__ }, SVM_RULE_##also + 1 \
	}
	BREAK(VMCB_NOT_ALIGNED, MODE_64, SET(around.vmcb_pa, 0x5800)),
	BREAK(VMCB_TOO_HIGH, MODE_64, SET(around.vmcb_pa, BEYOND)),
	BREAK(HOST_SVME_CLEAR, MODE_64, OFF(around.host_efer, IA32_EFER_SVME)),
	BREAK(HSAVE_NOT_SET, MODE_64, SET(around.vm_hsave_pa, 0)),
	BREAK(HSAVE_NOT_ALIGNED, MODE_64, SET(around.vm_hsave_pa, 0x6001)),
	BREAK(HSAVE_TOO_HIGH, MODE_64, SET(around.vm_hsave_pa, BEYOND)),
	BREAK(SVME_CLEAR, MODE_64, OFF(SAVE(efer), IA32_EFER_SVME)),
	BREAK(NW_WITHOUT_CD, MODE_64, ON(SAVE(cr0), CR0_NW)),
	BREAK(CR0_HIGH, MODE_64, ON(SAVE(cr0), 1ull << 32)),
	BREAK(CR3_RESERVED, MODE_64, ON(SAVE(cr3), BEYOND)),
	BREAK(CR3_RESERVED, MODE_64, ON(SAVE(cr3), 1ull << 63)),
	BREAK(CR4_RESERVED, MODE_64, ON(SAVE(cr4), CR4_VMXE)),
	BREAK(DR6_HIGH, MODE_64, ON(SAVE(dr6), 1ull << 32)),
	BREAK(DR7_HIGH, MODE_64, ON(SAVE(dr7), 1ull << 32)),
	BREAK(EFER_RESERVED, MODE_64, ON(SAVE(efer), 1 << 1)),
	BREAK(LONG_MODE_NOT_SUPPORTED, MODE_64, SET(capability.has_long_mode, 0)),
	BREAK(LONG_MODE_WITHOUT_PAE, MODE_64, OFF(SAVE(cr4), CR4_PAE)),
	BREAK(LONG_MODE_WITHOUT_PE, MODE_64, OFF(SAVE(cr0), CR0_PE)),
	BREAK(CS_L_AND_D, MODE_64, ON(SAVE(cs.attributes), 1 << 10)),
	BREAK(CET_WITHOUT_WP, MODE_64, ON(SAVE(cr4), CR4_CET)),
	BREAK(S_CET_RESERVED, MODE_64, SET(SAVE(s_cet), 1 << 2)),
	BREAK(VMRUN_NOT_INTERCEPTED, MODE_64, OFF(vmcb.control.intercepts[4], 1)),
	BREAK(MSRPM_TOO_HIGH, MODE_64, SET(vmcb.control.msrpm_base_pa, BEYOND)),
	BREAK(MSRPM_TOO_HIGH, MODE_64, SET(vmcb.control.msrpm_base_pa, BEYOND - 0x1000)),
	BREAK(IOPM_TOO_HIGH, MODE_64, SET(vmcb.control.iopm_base_pa, BEYOND)),
	BREAK(IOPM_TOO_HIGH, MODE_64, SET(vmcb.control.iopm_base_pa, BEYOND - 0x2000)),
	BREAK(ASID_0, MODE_64, SET(vmcb.control.asid, 0)),
	BREAK(ASID_TOO_BIG, MODE_64, SET(vmcb.control.asid, 16)),
	BREAK(TLB_CONTROL_UNKNOWN, MODE_64, SET(vmcb.control.tlb_control, 2)),
	BREAK(TLB_CONTROL_UNKNOWN, MODE_64, SET(vmcb.control.tlb_control, VMCB_TLB_FLUSH_GUEST),
	      OFF(capability.features, SVM_FEATURE_FLUSH_BY_ASID)),
	BREAK(EVENT_TYPE_RESERVED, MODE_64, EVENT(1ull, 32)),
	BREAK(EVENT_TYPE_RESERVED, MODE_64, EVENT(7ull, 32)),
	BREAK(EVENT_NO_EXCEPTION, MODE_64, EVENT(3ull, EXCEPTION_NMI)),
	BREAK(EVENT_NO_EXCEPTION, MODE_64, EVENT(3ull, EXCEPTION_VE)),
	BREAK(EVENT_NO_EXCEPTION, MODE_64, EVENT(3ull, 32)),
	BREAK(EVENT_NOT_IN_64BIT_MODE, MODE_64, EVENT(3ull, EXCEPTION_OF)),
	BREAK(EVENT_NOT_IN_64BIT_MODE, MODE_64, EVENT(3ull, EXCEPTION_BR)),
	BREAK(NP_NOT_SUPPORTED, MODE_64, OFF(capability.features, SVM_FEATURE_NP)),
	BREAK(NP_WITHOUT_HOST_PAGING, MODE_64, SET(around.host_paging, 0)),
	BREAK(N_CR3_RESERVED, MODE_64, ON(vmcb.control.n_cr3, BEYOND)),
	BREAK(G_PAT_INVALID, MODE_64, SET(SAVE(g_pat), 0x0207040600070406)),
	BREAK(SEV_WITHOUT_NP, MODE_64, NO_NP, ON(vmcb.control.np_control, VMCB_SEV_ENABLE)),
	BREAK(SEV_ES_WITHOUT_SEV, MODE_64, ON(vmcb.control.np_control, VMCB_SEV_ES_ENABLE)),
	BREAK(V_NMI_NOT_INTERCEPTED, MODE_64, V_INTR(VMCB_V_NMI_ENABLE)),
	BREAK(AVIC_NOT_SUPPORTED, MODE_64, V_INTR(VMCB_AVIC_ENABLE),
	      OFF(capability.features, SVM_FEATURE_AVIC)),
	BREAK(X2AVIC_NOT_SUPPORTED, MODE_64, V_INTR(VMCB_AVIC_ENABLE | VMCB_X2AVIC_ENABLE),
	      OFF(capability.features, SVM_FEATURE_X2AVIC)),
	BREAK(X2AVIC_WITHOUT_AVIC, MODE_64, V_INTR(VMCB_X2AVIC_ENABLE)),
	BREAK(AVIC_WITHOUT_NP, MODE_64, V_INTR(VMCB_AVIC_ENABLE), NO_NP),
	BREAK(AVIC_BACKING_PAGE_TOO_HIGH, MODE_64, V_INTR(VMCB_AVIC_ENABLE),
	      SET(vmcb.control.avic_backing_page, BEYOND)),
	BREAK(AVIC_LOGICAL_TABLE_TOO_HIGH, MODE_64, V_INTR(VMCB_AVIC_ENABLE),
	      SET(vmcb.control.avic_logical_table, BEYOND)),
	BREAK(AVIC_PHYSICAL_TABLE_TOO_HIGH, MODE_64, V_INTR(VMCB_AVIC_ENABLE),
	      SET(vmcb.control.avic_physical_table, BEYOND)),
	BREAK(AVIC_INDEX_TOO_BIG, MODE_64, V_INTR(VMCB_AVIC_ENABLE),
	      SET(vmcb.control.avic_physical_table, 0x9100)),
	BREAK(AVIC_INDEX_TOO_BIG, MODE_64, V_INTR(VMCB_AVIC_ENABLE | VMCB_X2AVIC_ENABLE),
	      SET(vmcb.control.avic_physical_table, 0x9200)),
	/* Healthy, but for the one thing that is asked for. */
	BREAK_ALSO(ASID_0, MODE_REAL, ASID_TOO_BIG, SET(vmcb.control.asid, 0),
		   SET(capability.asid_count, 0)),
	BREAK(ASID_0, MODE_64, SET(vmcb.control.asid, 0), INTERCEPT(SVM_EXIT_NMI),
	      V_INTR(VMCB_V_NMI_ENABLE)),
	BREAK(ASID_0, MODE_64, SET(vmcb.control.asid, 0), V_INTR(VMCB_AVIC_ENABLE),
	      SET(vmcb.control.avic_physical_table, 0x90ff)),
	BREAK(ASID_0, MODE_64, SET(vmcb.control.asid, 0), EVENT(4ull, 0x80)),
	BREAK(ASID_0, MODE_32, SET(vmcb.control.asid, 0), ON(SAVE(cr3), BEYOND)),
	BREAK(ASID_0, MODE_64, SET(vmcb.control.asid, 0), NO_NP, SET(SAVE(g_pat), UINT64_MAX),
	      SET(vmcb.control.n_cr3, UINT64_MAX)),
	BREAK(ASID_0, MODE_64, SET(vmcb.control.asid, 0), ON(SAVE(cr0), CR0_NW | CR0_CD)),
};

#define COUNT (sizeof(rows) / sizeof(rows[0]))

static void set_segments(struct vmcb_save *save, enum mode mode)
{
	bool paragraphs = mode == MODE_REAL || mode == MODE_VM86;
	uint32_t code = mode == MODE_64 ? SEGMENT_RIGHTS_CODE64
			: paragraphs	? SEGMENT_RIGHTS_CODE16
					: SEGMENT_RIGHTS_CODE32;
	struct segment data = { 0, UINT32_MAX, SEGMENT_RIGHTS_DATA32, 0x18 };
	struct segment cs = { 0, UINT32_MAX, code, 0x10 };

	if (paragraphs) {
		data = (struct segment){ 0x10000, 0xffff, SEGMENT_RIGHTS_DATA16, 0x1000 };
		cs = (struct segment){ 0x10000, 0xffff, code, 0x1000 };
	}
	save->cs = vmcb_segment_write(&cs);
	save->ds = save->es = save->ss = save->fs = save->gs = vmcb_segment_write(&data);
	save->cpl = mode == MODE_VM86 ? 3 : 0;
}

static void be_well(struct patient *patient, enum mode mode)
{
	struct vmcb_save *save = &patient->vmcb.save;
	struct vmcb_control *control = &patient->vmcb.control;

	memset(patient, 0, sizeof(*patient));
	patient->capability = (struct svm_capability){
		.physical_address_bits = 48,
		.has_long_mode = true,
		.asid_count = 16,
		.features = UINT32_MAX,
		.cr4_supported = 0xf50fff,
		.efer_supported = IA32_EFER_SCE | IA32_EFER_LME | IA32_EFER_LMA | IA32_EFER_NXE |
				  IA32_EFER_SVME,
	};
	patient->around = (struct svm_surroundings){ true, IA32_EFER_SVME, 0x6000, 0x5000 };
	control->asid = 1;
	control->np_control = VMCB_NP_ENABLE;
	control->n_cr3 = 0x7000;
	control->iopm_base_pa = 0x10000;
	control->msrpm_base_pa = 0x20000;
	vmcb_intercept(&patient->vmcb, SVM_EXIT_VMRUN, true);
	vmcb_intercept(&patient->vmcb, SVM_EXIT_IOIO, true);
	vmcb_intercept(&patient->vmcb, SVM_EXIT_MSR, true);
	save->efer = IA32_EFER_SVME | (mode == MODE_64 ? IA32_EFER_LME | IA32_EFER_LMA : 0);
	save->cr0 = CR0_ET | (mode == MODE_REAL ? 0 : CR0_PE | CR0_PG);
	save->cr3 = 0x2000;
	save->cr4 = mode == MODE_64 || mode == MODE_PAE ? CR4_PAE : 0;
	save->dr6 = 0xffff0ff0;
	save->dr7 = 0x400;
	save->g_pat = 0x0007040600070406;
	save->rflags = RFLAGS_FIXED | (mode == MODE_VM86 ? RFLAGS_VM : 0);
	set_segments(save, mode);
}

static void apply(struct patient *patient, const struct edit *edit)
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

static bool check(const struct patient *patient, struct diagnosis *diagnosis)
{
	return svm_check(&patient->vmcb, &patient->capability, &patient->around, diagnosis);
}

static void healthy_guests_are_healthy(void **state)
{
	(void)state;
	for (enum mode mode = MODE_64; mode < MODE_COUNT; mode++) {
		struct diagnosis diagnosis = { NULL, 0, 0 };
		struct patient patient;

		be_well(&patient, mode);
		assert_true(check(&patient, &diagnosis));
	}
}

static void each_rule_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT; i++) {
		struct violation violations[8];
		struct diagnosis diagnosis = { violations, 8, 0 };
		char text[VIOLATION_TEXT_MAX];
		struct patient patient;

		be_well(&patient, rows[i].mode);
		for (size_t j = 0; j < 5 && rows[i].edits[j].how; j++)
			apply(&patient, &rows[i].edits[j]);
		assert_false(check(&patient, &diagnosis));
		for (size_t j = 0; j < diagnosis.count; j++) {
			violation_text(&violations[j], text, sizeof(text));
			if (violations[j].number != rows[i].rule &&
			    violations[j].number + 1 != rows[i].also)
				fail_msg("%s: unexpected: %s", svm_rule_name(rows[i].rule), text);
		}
		if (diagnosis.count != (rows[i].also ? 2 : 1))
			fail_msg("%s: %zu violations", svm_rule_name(rows[i].rule),
				 diagnosis.count);
	}
}

static void every_rule_has_a_row(void **state)
{
	(void)state;
	for (unsigned int rule = 0; rule < SVM_RULE_COUNT; rule++) {
		bool tested = false;

		for (size_t i = 0; i < COUNT; i++)
			tested |= rows[i].rule == rule;
		if (!tested)
			fail_msg("%s (%s) has no test", svm_rule_name(rule), svm_rule_source(rule));
	}
	print_message("%d rules, %zu tests\n", SVM_RULE_COUNT, COUNT);
}

/* Exactly the vectors that AMD has an exception for can be injected as one. */
static void which_vectors_are_exceptions(void **state)
{
	static const uint8_t none[] = { 2, 9, 15, 20, 22, 23, 24, 25, 26, 27, 31 };

	(void)state;
	for (unsigned int vector = 0; vector < 256; vector++) {
		struct diagnosis diagnosis = { NULL, 0, 0 };
		bool wrong = vector > 31 || memchr(none, (int)vector, sizeof(none));
		struct patient patient;

		be_well(&patient, MODE_32);
		patient.vmcb.control.eventinj = vmcb_event(VMCB_EVENT_EXCEPTION, (uint8_t)vector);
		assert_int_equal(check(&patient, &diagnosis), !wrong);
	}
}

static void complaints_are_lines_of_text(void **state)
{
	struct violation violations[2];
	struct diagnosis diagnosis = { violations, 2, 0 };
	char text[VIOLATION_TEXT_MAX];
	struct patient patient;

	(void)state;
	be_well(&patient, MODE_64);
	patient.vmcb.save.cr4 = 0x2020;
	patient.vmcb.control.asid = 0;
	assert_false(check(&patient, &diagnosis));
	assert_int_equal(diagnosis.count, 2);
	violation_text(&violations[0], text, sizeof(text));
	assert_string_equal(text, "guest CR4 0x2020: these bits must be 0: 0x2000 "
				  "(APM 2, 15.5.1)");
	violation_text(&violations[1], text, sizeof(text));
	assert_string_equal(text, "ASID 0x0: ASID 0 is the host's (APM 2, 15.5.1)");
}

/* ---- the VMCB ------------------------------------------------------------------------ */

static void an_intercept_is_where_its_exit_says(void **state)
{
	static struct vmcb vmcb;

	(void)state;
	vmcb.control.clean = UINT32_MAX;
	vmcb_intercept(&vmcb, SVM_EXIT_CR0_WRITE, true);
	vmcb_intercept(&vmcb, SVM_EXIT_EXCP14, true);
	vmcb_intercept(&vmcb, SVM_EXIT_SHUTDOWN, true);
	vmcb_intercept(&vmcb, SVM_EXIT_XSETBV, true);
	assert_int_equal(vmcb.control.intercepts[0], 1u << 16);
	assert_int_equal(vmcb.control.intercepts[2], 1u << 14);
	assert_int_equal(vmcb.control.intercepts[3], 1u << 31);
	assert_int_equal(vmcb.control.intercepts[4], 1u << 13);
	assert_int_equal(vmcb.control.clean, ~VMCB_CLEAN_INTERCEPTS);
	assert_true(vmcb_intercepts(&vmcb, SVM_EXIT_SHUTDOWN));
	vmcb_intercept(&vmcb, SVM_EXIT_SHUTDOWN, false);
	assert_false(vmcb_intercepts(&vmcb, SVM_EXIT_SHUTDOWN));
	assert_int_equal(vmcb.control.intercepts[3], 0);
}

static void segments_go_there_and_back(void **state)
{
	const struct segment code = { 0x1000, UINT32_MAX, SEGMENT_RIGHTS_CODE64, 0x33 };
	struct vmcb_segment there = vmcb_segment_write(&code);
	struct segment back = vmcb_segment_read(&there);

	(void)state;
	assert_int_equal(there.attributes, 0xa9b);
	assert_int_equal(back.base, code.base);
	assert_int_equal(back.limit, code.limit);
	assert_int_equal(back.rights, code.rights);
	assert_int_equal(back.selector, code.selector);
}

static void exits_have_names(void **state)
{
	(void)state;
	assert_string_equal(svm_exit_name(0x72), "CPUID");
	assert_string_equal(svm_exit_text(0x400), "nested page fault");
	assert_string_equal(svm_exit_name(UINT64_MAX), "INVALID");
	assert_string_equal(svm_exit_text(0x4e), "exception #PF");
	assert_null(svm_exit_name(0x200));
	assert_null(svm_exit_text(UINT32_MAX)); /* the codes below 0 have 64 bits */
	for (unsigned int code = 0; code <= SVM_EXIT_IDLE_HLT; code++)
		assert_non_null(svm_exit_name(code));
}

static void events_are_packed_as_the_manual_says(void **state)
{
	(void)state;
	assert_int_equal(vmcb_event(VMCB_EVENT_NMI, 2), 0x80000202);
	assert_int_equal(vmcb_event_with_error(VMCB_EVENT_EXCEPTION, EXCEPTION_PF, 0x1234),
			 0x0000123480000b0e);
}

/* Bit 23 of the vector at 00ch, COUNT at 03eh, THRESHOLD at 03ch: APM 2, appendix B, table B-1. */
static void loops_of_pauses_leave(void **state)
{
	static struct vmcb vmcb;
	const uint8_t *bytes = (const uint8_t *)&vmcb;

	(void)state;
	vmcb.control.clean = VMCB_CLEAN_INTERCEPTS;
	vmcb_filter_pauses(&vmcb, VMCB_PAUSE_CLUSTERS);
	assert_int_equal(bytes[0xe], 0x80);
	assert_true(*(const uint16_t *)(bytes + 0x3e) && *(const uint16_t *)(bytes + 0x3c));
	assert_false(vmcb.control.clean & VMCB_CLEAN_INTERCEPTS);
	vmcb_filter_pauses(&vmcb, VMCB_PAUSE_COUNTED);
	assert_int_equal(bytes[0xe], 0x80);
	assert_true(*(const uint16_t *)(bytes + 0x3e));
	assert_int_equal(*(const uint16_t *)(bytes + 0x3c), 0);
	/* Without a counter each PAUSE would leave: then none does. */
	vmcb_filter_pauses(&vmcb, VMCB_PAUSE_ALL);
	assert_int_equal(bytes[0xe], 0);
	assert_int_equal(*(const uint16_t *)(bytes + 0x3e), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(healthy_guests_are_healthy),
		cmocka_unit_test(each_rule_alone),
		cmocka_unit_test(every_rule_has_a_row),
		cmocka_unit_test(which_vectors_are_exceptions),
		cmocka_unit_test(loops_of_pauses_leave),
		cmocka_unit_test(complaints_are_lines_of_text),
		cmocka_unit_test(an_intercept_is_where_its_exit_says),
		cmocka_unit_test(segments_go_there_and_back),
		cmocka_unit_test(exits_have_names),
		cmocka_unit_test(events_are_packed_as_the_manual_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
