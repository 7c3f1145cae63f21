/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* Descriptors against the values that the manuals and every boot loader know by heart. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <string.h>

#include "x86/segment.h"

static void makes_the_usual_descriptors(void **state)
{
	(void)state;
	assert_int_equal(segment_descriptor(0, 0xffffffff, SEGMENT_RIGHTS_CODE32),
			 0x00cf9b000000ffff);
	assert_int_equal(segment_descriptor(0, 0xffffffff, SEGMENT_RIGHTS_DATA32),
			 0x00cf93000000ffff);
	assert_int_equal(segment_descriptor(0, 0xffffffff, SEGMENT_RIGHTS_CODE64),
			 0x00af9b000000ffff);
	assert_int_equal(segment_descriptor(0, 0xffff, SEGMENT_RIGHTS_CODE16), 0x00009b000000ffff);
	assert_int_equal(segment_descriptor(0x12345678, 0x67, SEGMENT_RIGHTS_TSS),
			 0x12008b3456780067);
	assert_int_equal(segment_descriptor(0xfedcba98, 0xabcde, SEGMENT_RIGHTS_DATA16),
			 0xfe0a93dcba98bcde);
}

static void loads_what_it_made(void **state)
{
	static const uint32_t rights[] = {
		SEGMENT_RIGHTS_CODE64, SEGMENT_RIGHTS_CODE32,
		SEGMENT_RIGHTS_DATA16, SEGMENT_RIGHTS_TSS,
		SEGMENT_RIGHTS_LDT,    SEGMENT_RIGHTS_DATA32 | SEGMENT_DPL,
		SEGMENT_AVL,	       SEGMENT_P | SEGMENT_CALL_GATE
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rights) / sizeof(rights[0]); i++) {
		uint64_t descriptor = segment_descriptor(0xa5c3f00d, 0x12345fff, rights[i]);
		struct segment segment = segment_load(0x2b, descriptor, 0x7fff);

		assert_int_equal(segment.selector, 0x2b);
		assert_int_equal(segment.base, 0x7fffa5c3f00d);
		assert_int_equal(segment.limit, rights[i] & SEGMENT_G ? 0x12345fff : 0x45fff);
		assert_int_equal(segment.rights, rights[i]);
	}
}

static void rounds_a_limit_in_pages_up(void **state)
{
	struct segment segment =
		segment_load(8, segment_descriptor(0, 0x1000, SEGMENT_RIGHTS_DATA32), 0);

	(void)state;
	assert_int_equal(segment.limit, 0x1fff);
}

static void a_null_selector_is_unusable(void **state)
{
	uint64_t descriptor = segment_descriptor(0, 0xffffffff, SEGMENT_RIGHTS_DATA32);

	(void)state;
	for (uint16_t rpl = 0; rpl < 4; rpl++)
		assert_int_equal(segment_load(rpl, descriptor, 0).rights, SEGMENT_UNUSABLE);
	assert_int_equal(segment_load(4, descriptor, 0).rights, SEGMENT_RIGHTS_DATA32);
}

static void knows_both_vendors_formats(void **state)
{
	(void)state;
	/* The values of a processor after RESET and of a 64-bit kernel, as a VMCB holds them. */
	assert_int_equal(segment_rights_to_svm(SEGMENT_RIGHTS_CODE16), 0x09b);
	assert_int_equal(segment_rights_to_svm(SEGMENT_RIGHTS_CODE64), 0xa9b);
	assert_int_equal(segment_rights_to_svm(SEGMENT_RIGHTS_DATA32), 0xc93);
	assert_int_equal(segment_rights_to_svm(SEGMENT_UNUSABLE), 0);
	for (uint32_t attributes = 0; attributes < 0x1000; attributes++) {
		uint32_t rights = segment_rights_from_svm((uint16_t)attributes);

		if (attributes & SEGMENT_P)
			assert_int_equal(segment_rights_to_svm(rights), attributes);
		else
			assert_true(rights & SEGMENT_UNUSABLE);
	}
}

static void assert_text(uint32_t rights, const char *expected)
{
	char text[SEGMENT_TEXT_MAX];

	segment_rights_text(rights, text, sizeof(text));
	assert_string_equal(text, expected);
}

static void says_rights_in_words(void **state)
{
	(void)state;
	assert_text(SEGMENT_RIGHTS_CODE64, "code r-x, 64-bit, ring 0");
	assert_text(SEGMENT_RIGHTS_CODE32 | SEGMENT_DPL, "code r-x, 32-bit, ring 3");
	assert_text(SEGMENT_RIGHTS_DATA16, "data rw-, 16-bit, ring 0");
	assert_text(SEGMENT_S | SEGMENT_P | SEGMENT_CODE | SEGMENT_CONFORMING |
			    (2 << SEGMENT_DPL_SHIFT),
		    "code --x, 16-bit, conforming, ring 2, not accessed");
	assert_text(SEGMENT_S | SEGMENT_EXPAND_DOWN | SEGMENT_DB | SEGMENT_ACCESSED,
		    "data r--, 32-bit, expands down, ring 0, not present");
	assert_text(SEGMENT_RIGHTS_TSS, "TSS, busy, ring 0");
	assert_text(SEGMENT_P | SEGMENT_TASK_GATE, "task gate, ring 0");
	assert_text(SEGMENT_P | 8, "reserved type, ring 0");
	assert_text(SEGMENT_UNUSABLE, "unusable");
}

static void every_text_fits_or_is_cut(void **state)
{
	(void)state;
	for (uint32_t rights = 0; rights <= 0xffff; rights++) {
		char text[SEGMENT_TEXT_MAX], cut[8];

		memset(cut, 'x', sizeof(cut));
		segment_rights_text(rights, text, sizeof(text));
		segment_rights_text(rights, cut, sizeof(cut));
		assert_in_range(strlen(text), 1, sizeof(text) - 2);
		assert_int_equal(strlen(cut), sizeof(cut) - 1);
		assert_memory_equal(cut, text, sizeof(cut) - 1);
	}
	segment_rights_text(0, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(makes_the_usual_descriptors),
		cmocka_unit_test(loads_what_it_made),
		cmocka_unit_test(rounds_a_limit_in_pages_up),
		cmocka_unit_test(a_null_selector_is_unusable),
		cmocka_unit_test(knows_both_vendors_formats),
		cmocka_unit_test(says_rights_in_words),
		cmocka_unit_test(every_text_fits_or_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
