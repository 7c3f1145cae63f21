/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A local APIC in the processor's own hands: what is lent to it, what comes back, and what
 * arrives meanwhile. The processor here is a page that the test writes to.
 */

#include "tests/unit/core_irqchip_fixture.h"

static uint8_t page[4096] __attribute__((aligned(4096)));

static uint32_t *word(unsigned int number)
{
	return (uint32_t *)(page + 16 * number);
}

static bool is_set(unsigned int first, uint8_t vector)
{
	return *word(first + vector / 32) >> (vector % 32) & 1;
}

static void flip(unsigned int first, uint8_t vector)
{
	*word(first + vector / 32) ^= 1u << (vector % 32);
}

static int setup_virtual(void **state)
{
	setup(state);
	hv_vcpu_free(&second);
	hv_vcpu_free(&vcpu);
	vm.vcpu_count = 0;
	memset(page, 0, sizeof(page));
	processor.apic_page = page;
	add_vcpu(&vcpu, data);
	processor.apic_page = NULL;
	add_vcpu(&second, second_data);
	long_mode();
	vcpu.rip = 0x10000;
	vcpu.rflags |= RFLAGS_IF;
	lapic_set(&vcpu, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	return 0;
}

/* The processor delivers the vector. */
static void take(struct hv_vcpu *running)
{
	(void)running;
	assert_true(is_set(LAPIC_IRR, VECTOR));
	flip(LAPIC_IRR, VECTOR);
	flip(LAPIC_ISR, VECTOR);
}

static void test_processor_delivers(void **state)
{
	uint32_t words[HV_LAPIC_WORDS];

	(void)state;
	assert_int_equal(processor.apic_mode, HV_APIC_PAGE);
	route_pin(VECTOR | EDGE);
	set_pin(true);
	processor.on_enter = take;
	run_once();
	assert_int_equal(processor.injections, 0);
	assert_false(processor.interrupt_window);
	assert_int_equal(processor.apic_requested, VECTOR);
	assert_int_equal(processor.apic_in_service, 0);
	hv_vcpu_get_lapic(&vcpu, words);
	assert_int_equal(words[LAPIC_IRR + VECTOR / 32], 0);
	assert_int_equal(words[LAPIC_ISR + VECTOR / 32], 1u << VECTOR % 32);
	processor.on_enter = NULL;
	run_once();
	assert_int_equal(processor.apic_requested, 0);
	assert_int_equal(processor.apic_in_service, VECTOR);
}

/* Most exits leave everything where it is. */
static void test_lent_across_exits(void **state)
{
	(void)state;
	leaves(HV_EXIT_HOST_INTERRUPT, CODE(""));
	run_once();
	assert_true(vcpu.local_apic->lapic.lent);
	assert_false(hv_vcpu_has_attention(&vcpu));
}

/* Its priorities are the processor's business, even where the model knows old ones. */
static void test_arrival_fetches_the_guest(void **state)
{
	(void)state;
	route_pin(VECTOR | EDGE);
	vcpu.local_apic->lapic.isr[7] = 1u << 1;
	vcpu.local_apic->attention = 1;
	run_once();
	assert_int_equal(processor.apic_in_service, 0xe1);
	vcpu.mode = HV_IN_GUEST;
	set_pin(true);
	assert_int_equal(fixture_kicks, 1);
	/* It has been taken meanwhile, and comes again: that is another one. */
	vcpu.mode = HV_OUTSIDE;
	flip(LAPIC_ISR, VECTOR);
	run_once();
	assert_int_equal(processor.apic_requested, VECTOR);
	assert_true(is_set(LAPIC_IRR, VECTOR));
	assert_true(is_set(LAPIC_ISR, VECTOR));
}

static void test_end_of_a_level(void **state)
{
	(void)state;
	route_pin(VECTOR | IOREDTBL_LEVEL);
	set_pin(true);
	processor.on_enter = take;
	run_once();
	assert_int_equal(processor.apic_watched[VECTOR / 32], 1u << VECTOR % 32);
	/* The source has not let go: it comes again. */
	processor.on_enter = NULL;
	flip(LAPIC_ISR, VECTOR);
	leaves(HV_EXIT_EOI, CODE(""))->apic.vector = VECTOR;
	run_once();
	assert_true(is_set(LAPIC_IRR, VECTOR));
	/* Now it has. */
	flip(LAPIC_IRR, VECTOR);
	set_pin(false);
	leaves(HV_EXIT_EOI, CODE(""))->apic.vector = VECTOR;
	run_once();
	assert_false(is_set(LAPIC_IRR, VECTOR));
}

static void test_periodic_timer_is_watched(void **state)
{
	(void)state;
	lapic_set(&vcpu, LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_PERIODIC | VECTOR);
	run_once();
	assert_int_equal(processor.apic_watched[VECTOR / 32], 1u << VECTOR % 32);
}

static void test_written_register(void **state)
{
	(void)state;
	run_once();
	second.local_apic->attention = 0;
	*word(LAPIC_ICR_HIGH) = 1u << 24;
	*word(LAPIC_ICR) = APIC_DELIVERY_INIT << APIC_DELIVERY_SHIFT | LAPIC_ICR_ASSERT;
	leaves(HV_EXIT_APIC_WRITE, CODE(""))->apic.offset = LAPIC_ICR * 16;
	run_once();
	assert_true(second.local_apic->lapic.init);
	assert_true(hv_vcpu_has_attention(&second));
}

static void raise_tpr(struct hv_vcpu *running)
{
	*word(LAPIC_TPR) = 0x53;
	running->cr8 = 5;
	processor.on_enter = NULL;
}

static void test_tpr_comes_back_whole(void **state)
{
	(void)state;
	processor.on_enter = raise_tpr;
	run_once();
	assert_int_equal(guest_read(&vcpu, LAPIC_GPA + LAPIC_TPR * 16), 0x53);
}

static void test_halt_ends_by_what_was_lent(void **state)
{
	(void)state;
	route_pin(VECTOR | EDGE);
	set_pin(true);
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	vcpu.shadow = HV_SHADOW_STI;
	run_once();
	assert_int_equal(fixture_waits, 0);
	assert_true(is_set(LAPIC_IRR, VECTOR));
}

/* The 8259A pair's go past the local APIC, and so past the processor's. */
static void test_extint_is_injected(void **state)
{
	(void)state;
	out(0x20, 0x11);
	out(0x21, 0x20);
	out(0x21, 0x04);
	out(0x21, 0x01);
	out(0x21, 0x00);
	lapic_set(&vcpu, LAPIC_LVT_LINT0, APIC_DELIVERY_EXTINT << APIC_DELIVERY_SHIFT);
	hv_irqchip_set(&vm, HV_PIC, 1, HV_SOURCE_VMM, true);
	run_once();
	injected(1, 0x21);
}

static bool nothing_allowed(struct hv_vm *of, uint32_t index, bool write)
{
	(void)of, (void)index, (void)write;
	return false;
}

static void test_modes(void **state)
{
	const uint64_t base = LAPIC_GPA | IA32_APIC_BASE_BSP | IA32_APIC_BASE_EN;

	(void)state;
	assert_true(hv_vcpu_set_msr(&vcpu, IA32_APIC_BASE, base | IA32_APIC_BASE_EXTD));
	run_once();
	assert_int_equal(processor.apic_mode, HV_APIC_X2APIC);
	assert_int_equal(*word(LAPIC_ID), 0);
	/* Its registers are no MSRs that a VMM could filter. */
	hv_vm_filter_msrs(&vm, nothing_allowed);
	vcpu.local_apic->attention = 1;
	run_once();
	assert_int_equal(processor.apic_mode, HV_APIC_X2APIC);
	hv_vm_filter_msrs(&vm, NULL);
	assert_true(hv_vcpu_set_msr(&vcpu, IA32_APIC_BASE, base + 0x1000));
	run_once();
	assert_int_equal(processor.apic_mode, HV_APIC_EMULATED);
	assert_true(hv_vcpu_set_msr(&vcpu, IA32_APIC_BASE, base));
	run_once();
	assert_int_equal(processor.apic_mode, HV_APIC_PAGE);
}

int main(void)
{
#define VIRTUAL(name) cmocka_unit_test_setup_teardown(name, setup_virtual, teardown)
	const struct CMUnitTest tests[] = {
		VIRTUAL(test_processor_delivers),	 VIRTUAL(test_lent_across_exits),
		VIRTUAL(test_arrival_fetches_the_guest), VIRTUAL(test_end_of_a_level),
		VIRTUAL(test_periodic_timer_is_watched), VIRTUAL(test_written_register),
		VIRTUAL(test_tpr_comes_back_whole),	 VIRTUAL(test_halt_ends_by_what_was_lent),
		VIRTUAL(test_extint_is_injected),	 VIRTUAL(test_modes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
