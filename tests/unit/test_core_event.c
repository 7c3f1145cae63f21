/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Which event a guest gets next, and what two exceptions at once become.
 */

#include "tests/unit/core_fixture.h"

static const struct hv_event *last(void)
{
	assert_int_not_equal(processor.injections, 0);
	return &processor.injected[processor.injections - 1];
}

static void raise(uint8_t vector)
{
	event_raise(&vcpu, vector, exception_has_error_code(vector), 0x18);
}

/* SDM 3, table 6-5: what the second one makes of the first. */
static void test_pairs(void **state)
{
	static const struct {
		uint8_t first, second, becomes;
	} pairs[] = {
		{ EXCEPTION_UD, EXCEPTION_GP, EXCEPTION_GP },
		{ EXCEPTION_GP, EXCEPTION_UD, EXCEPTION_UD },
		{ EXCEPTION_GP, EXCEPTION_PF, EXCEPTION_PF },
		{ EXCEPTION_GP, EXCEPTION_GP, EXCEPTION_DF },
		{ EXCEPTION_DE, EXCEPTION_SS, EXCEPTION_DF },
		{ EXCEPTION_TS, EXCEPTION_NP, EXCEPTION_DF },
		{ EXCEPTION_PF, EXCEPTION_PF, EXCEPTION_DF },
		{ EXCEPTION_PF, EXCEPTION_GP, EXCEPTION_DF },
		{ EXCEPTION_PF, EXCEPTION_UD, EXCEPTION_UD },
		{ EXCEPTION_DF, EXCEPTION_UD, EXCEPTION_UD },
	};

	(void)state;
	for (unsigned int i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		memset(&vcpu.pending, 0, sizeof(vcpu.pending));
		vcpu.pending.injecting = (struct hv_event){ .valid = true,
							    .type = HV_EVENT_EXCEPTION,
							    .vector = pairs[i].first };
		raise(pairs[i].second);
		assert_int_equal(vcpu.pending.exception.vector, pairs[i].becomes);
		assert_false(vcpu.pending.injecting.valid);
		if (pairs[i].becomes == EXCEPTION_DF)
			assert_int_equal(vcpu.pending.exception.error_code, 0);
	}
}

static void test_triple_fault(void **state)
{
	(void)state;
	vcpu.pending.injecting = (struct hv_event){ .valid = true,
						    .type = HV_EVENT_EXCEPTION,
						    .vector = EXCEPTION_DF };
	assert_true(event_raise(&vcpu, EXCEPTION_PF, true, 0));
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
}

static void test_no_error_code_in_real_mode(void **state)
{
	(void)state;
	processor.system.cr0 &= ~(CR0_PE | CR0_PG);
	raise(EXCEPTION_GP);
	assert_false(vcpu.pending.exception.has_error_code);
}

static void test_page_fault_sets_cr2(void **state)
{
	(void)state;
	event_raise_pf(&vcpu, 0xabc000, 2);
	assert_int_equal(processor.system.cr2, 0xabc000);
	assert_int_equal(vcpu.pending.exception.error_code, 2);
}

static void test_order(void **state)
{
	(void)state;
	vcpu.rflags |= RFLAGS_IF;
	vcpu.pending.interrupt = true;
	vcpu.pending.vector = 0x40;
	event_nmi(&vcpu);
	raise(EXCEPTION_UD);
	vcpu.pending.injecting =
		(struct hv_event){ .valid = true, .type = HV_EVENT_INTERRUPT, .vector = 0x50 };
	event_deliver(&vcpu);
	assert_int_equal(last()->vector, 0x50);
	assert_true(processor.interrupt_window);
	assert_true(processor.nmi_window);
	event_deliver(&vcpu);
	assert_int_equal(last()->vector, EXCEPTION_UD);
	event_deliver(&vcpu);
	assert_int_equal(last()->type, HV_EVENT_NMI);
	event_deliver(&vcpu);
	assert_int_equal(last()->vector, 0x40);
	assert_int_equal(processor.injections, 4);
	event_deliver(&vcpu);
	assert_int_equal(processor.injections, 4);
}

static void test_interrupt_waits_for_if(void **state)
{
	(void)state;
	vcpu.pending.interrupt = true;
	event_deliver(&vcpu);
	assert_int_equal(processor.injections, 0);
	assert_true(processor.interrupt_window);
	assert_false(hv_vcpu_takes_interrupt(&vcpu));
	vcpu.rflags |= RFLAGS_IF;
	vcpu.shadow = HV_SHADOW_STI;
	event_deliver(&vcpu);
	assert_int_equal(processor.injections, 0);
	vcpu.shadow = 0;
	event_deliver(&vcpu);
	assert_int_equal(processor.injections, 1);
	assert_true(hv_vcpu_takes_interrupt(&vcpu));
}

static void test_nmis(void **state)
{
	(void)state;
	event_nmi(&vcpu);
	event_nmi(&vcpu);
	event_nmi(&vcpu);
	event_deliver(&vcpu);
	event_deliver(&vcpu);
	assert_int_equal(processor.injections, 1);
	vcpu.pending.nmi_blocked = false;
	event_deliver(&vcpu);
	assert_int_equal(processor.injections, 2);
	vcpu.pending.nmi_blocked = false;
	event_deliver(&vcpu);
	assert_int_equal(processor.injections, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_pairs),
		TEST(test_triple_fault),
		TEST(test_no_error_code_in_real_mode),
		TEST(test_page_fault_sets_cr2),
		TEST(test_order),
		TEST(test_interrupt_waits_for_if),
		TEST(test_nmis),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
