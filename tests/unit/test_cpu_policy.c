/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "vmm/cpu_policy.h"

/* The words of --cpu, right and wrong. */

static struct cpu_policy policy;
static char error[256];

static void good(const char *text)
{
	if (cpu_policy_parse(text, &policy, error, sizeof(error)))
		fail_msg("%s: %s", text, error);
	assert_string_equal(error, "");
}

static void bad(const char *text, const char *part)
{
	assert_int_equal(cpu_policy_parse(text, &policy, error, sizeof(error)), -EINVAL);
	if (!strstr(error, part))
		fail_msg("%s: '%s' without '%s'", text, error, part);
	assert_null(strchr(error, '\n'));
}

static void nothing_is_host(void **state)
{
	(void)state;
	const char *texts[] = { NULL, "", "host" };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		good(texts[i]);
		assert_int_equal(policy.template, CPU_TEMPLATE_HOST);
		assert_int_equal(policy.rule_count, 0);
		assert_false(policy.has_vendor || policy.has_brand);
	}
}

static void every_template_is_found_by_its_name(void **state)
{
	(void)state;
	for (int i = 0; i < CPU_TEMPLATE_COUNT; i++) {
		good(cpu_template_name((enum cpu_template)i));
		assert_int_equal(policy.template, i);
		assert_true(strlen(cpu_template_summary((enum cpu_template)i)) > 0);
	}
}

static void features_are_rules_in_order(void **state)
{
	(void)state;
	good("x86-64-v3,+aes,-SSE4.2,+avx512f?,+TSC_deadline,-cx16");
	assert_int_equal(policy.template, CPU_TEMPLATE_V3);
	assert_int_equal(policy.rule_count, 5);

	assert_int_equal(policy.rules[0].kind, CPU_RULE_ADD);
	assert_ptr_equal(policy.rules[0].feature, &cpuid_features[CPUID_FEATURE_AES]);
	assert_int_equal(policy.rules[0].value, 1u << 25);
	assert_int_equal(policy.rules[1].kind, CPU_RULE_REMOVE);
	assert_ptr_equal(policy.rules[1].feature, &cpuid_features[CPUID_FEATURE_SSE4_2]);
	assert_int_equal(policy.rules[1].value, 0);
	assert_int_equal(policy.rules[1].mask, 1u << 20);
	assert_int_equal(policy.rules[2].kind, CPU_RULE_ADD_IF_OFFERED);
	assert_int_equal(policy.rules[2].leaf, 7);
	assert_int_equal(policy.rules[2].reg, CPUID_EBX);
	assert_ptr_equal(policy.rules[3].feature, &cpuid_features[CPUID_FEATURE_TSC_DEADLINE]);
	assert_ptr_equal(policy.rules[4].feature, &cpuid_features[CPUID_FEATURE_CMPXCHG16B]);

	good("-ds-cpl,+avx");
	assert_int_equal(policy.template, CPU_TEMPLATE_HOST);
	assert_int_equal(policy.rule_count, 2);
}

static void registers_are_set_by_number(void **state)
{
	(void)state;
	good("0x7:0:ebx=0x20/0x60,2147483649:0:ECX=1/1,0xd:1:Eax=0xffffffff");
	assert_int_equal(policy.rule_count, 3);
	assert_int_equal(policy.rules[0].kind, CPU_RULE_SET);
	assert_null(policy.rules[0].feature);
	assert_int_equal(policy.rules[0].leaf, 7);
	assert_int_equal(policy.rules[0].reg, CPUID_EBX);
	assert_int_equal(policy.rules[0].value, 0x20);
	assert_int_equal(policy.rules[0].mask, 0x60);
	assert_true(policy.rules[1].leaf == 0x80000001);
	assert_int_equal(policy.rules[1].reg, CPUID_ECX);
	assert_int_equal(policy.rules[2].subleaf, 1);
	assert_true(policy.rules[2].mask == UINT32_MAX && policy.rules[2].value == UINT32_MAX);

	bad("0x7:0:ebx", "LEAF:SUBLEAF:REGISTER=VALUE");
	bad("0x7:0:rbx=1", "LEAF:SUBLEAF:REGISTER=VALUE");
	bad("0x7:ebx=1", "LEAF:SUBLEAF:REGISTER=VALUE");
	bad("7:0:ebx=0x", "LEAF:SUBLEAF:REGISTER=VALUE");
	bad("7:0:ebx=0x1ffffffff", "32 bits");
	bad("7:0:ebx=99999999999999999999999999999", "32 bits");
	bad("7:0:ebx=1f", "LEAF:SUBLEAF:REGISTER=VALUE");
	bad("7:0:ebx=1/", "LEAF:SUBLEAF:REGISTER=VALUE");
	bad("7:0:ebx=1 ", "LEAF:SUBLEAF:REGISTER=VALUE");
	bad("7:0:ebx=2/1", "mask");
}

static void names_may_be_quoted(void **state)
{
	(void)state;
	good("vendor=GenuineIntel,brand=\"One, two, three\",+avx");
	assert_true(policy.has_vendor && policy.has_brand);
	assert_string_equal(policy.vendor, "GenuineIntel");
	assert_string_equal(policy.brand, "One, two, three");
	assert_int_equal(policy.rule_count, 1);

	good("vendor=\"VIA VIA VIA \",brand=A processor");
	assert_string_equal(policy.vendor, "VIA VIA VIA ");
	assert_string_equal(policy.brand, "A processor");
	good("brand=");
	assert_true(policy.has_brand);
	assert_string_equal(policy.brand, "");
	good("brand=12345678901234567890123456789012345678901234567");
	assert_int_equal(strlen(policy.brand), 47);

	bad("brand=123456789012345678901234567890123456789012345678", "47");
	bad("brand=\"open", "quotes");
	bad("brand=in\"side\"", "quotes");
	bad("brand=a\tb", "printable");
	bad("vendor=Intel", "12 printable");
	bad("vendor=GenuineIntel1", "12 printable");
	bad("vendor=", "12 printable");
}

static void unknown_names_come_together_with_their_nearest(void **state)
{
	(void)state;
	bad("+avx521f,-ssse4,+sse2,+flubber", "'avx521f' (did you mean avx512f?)");
	bad("+avx521f,-ssse4,+sse2,+flubber", "'ssse4' (did you mean ");
	bad("+avx521f,-ssse4,+sse2,+flubber", "'flubber';");
	bad("+pclmulqdqq", "did you mean pclmulqdq?");
	bad("+sse4", "did you mean");
	bad("hots", "'hots' is neither a template (host, minimal, x86-64-v2,");
	bad("x86-64-v5", "neither a template");
	bad("avx", "neither a template");
	bad("+a_name_that_is_longer_than_any_name_there_is_for_a_feature", "no such feature");
}

static void nonsense_is_refused(void **state)
{
	(void)state;
	bad("+", "without a feature");
	bad("-", "without a feature");
	bad("+?", "without a feature");
	bad("host,", "comma");
	bad(",host", "comma");
	bad("host,,+avx", "comma");
	bad("-avx?", "question mark");
	bad("+avx,host", "first");
	bad("host,minimal", "first");
	bad(" host", "neither a template");
	bad("ho\nst", "'ho?st'");
}

static void rules_have_an_end(void **state)
{
	(void)state;
	const size_t item = strlen(",+sse");
	char text[4 + 5 * (CPU_POLICY_RULES_MAX + 1) + 1];

	memcpy(text, "host", 5);
	for (size_t i = 0; i < CPU_POLICY_RULES_MAX; i++)
		memcpy(text + 4 + item * i, ",+sse", item + 1);
	good(text);
	assert_int_equal(policy.rule_count, CPU_POLICY_RULES_MAX);
	memcpy(text + 4 + item * CPU_POLICY_RULES_MAX, ",-sse", item + 1);
	bad(text, "more than 128 changes");
}

/* The message fits wherever it is put, and is always ended. */
static void small_buffers_are_enough(void **state)
{
	(void)state;
	char small[8];

	memset(small, 'x', sizeof(small));
	assert_int_equal(cpu_policy_parse("+flubber", &policy, small, sizeof(small)), -EINVAL);
	assert_int_equal(strlen(small), sizeof(small) - 1);
	assert_int_equal(cpu_policy_parse("+flubber", &policy, NULL, 0), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_host),
		cmocka_unit_test(every_template_is_found_by_its_name),
		cmocka_unit_test(features_are_rules_in_order),
		cmocka_unit_test(registers_are_set_by_number),
		cmocka_unit_test(names_may_be_quoted),
		cmocka_unit_test(unknown_names_come_together_with_their_nearest),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(rules_have_an_end),
		cmocka_unit_test(small_buffers_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
