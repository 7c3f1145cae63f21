/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Interrupt controllers in the core: from a line or a message to a vector that is
 * injected, and back by the end of the interrupt.
 */

#include "tests/unit/core_irqchip_fixture.h"

/* ---- lines ------------------------------------------------------------------------------- */

static void test_line_to_vector(void **state)
{
	(void)state;
	assert_int_equal(set_pin(true), HV_MASKED);
	set_pin(false);
	route_pin(VECTOR | EDGE);
	run_once();
	assert_int_equal(processor.injections, 0);
	assert_int_equal(set_pin(true), HV_DELIVERED);
	assert_int_equal(set_pin(true), HV_COALESCED);
	run_once();
	injected(1, VECTOR);
	run_once();
	assert_int_equal(processor.injections, 1);
}

static void test_no_such_input(void **state)
{
	(void)state;
	assert_int_equal(hv_irqchip_set(&vm, HV_IOAPIC, IOAPIC_PIN_COUNT, HV_SOURCE_VMM, true),
			 HV_MASKED);
	assert_int_equal(hv_irqchip_set(&vm, HV_PIC, PIC_IRQ_COUNT, HV_SOURCE_VMM, true),
			 HV_MASKED);
}

static void test_window(void **state)
{
	(void)state;
	route_pin(VECTOR | EDGE);
	set_pin(true);
	vcpu.rflags &= ~RFLAGS_IF;
	processor.on_enter = let_interrupts_in;
	leaves(HV_EXIT_INTERRUPT_WINDOW, CODE(""));
	run_once();
	injected(1, VECTOR);
	assert_int_equal(processor.next, 2);
}

static void test_level_comes_again_until_it_falls(void **state)
{
	(void)state;
	route_pin(VECTOR | IOREDTBL_LEVEL);
	set_pin(true);
	run_once();
	injected(1, VECTOR);
	lapic_set(&vcpu, LAPIC_EOI, 0);
	run_once();
	injected(2, VECTOR);
	set_pin(false);
	lapic_set(&vcpu, LAPIC_EOI, 0);
	run_once();
	assert_int_equal(processor.injections, 2);
}

/* One driver of two lets go: the input stays high. */
static void test_two_drivers_of_an_input(void **state)
{
	(void)state;
	route_pin(VECTOR | IOREDTBL_LEVEL);
	set_pin(true);
	hv_irqchip_set(&vm, HV_IOAPIC, PIN, HV_SOURCE_TIMER, true);
	set_pin(false);
	assert_int_equal(vm.irqchip->ioapic.lines, 1u << PIN);
	hv_irqchip_set(&vm, HV_IOAPIC, PIN, HV_SOURCE_TIMER, false);
	assert_int_equal(vm.irqchip->ioapic.lines, 0);
}

static unsigned int ended, ended_input;
static enum hv_controller ended_controller;

static void on_ended(struct hv_vm *of, enum hv_controller which, unsigned int input)
{
	assert_ptr_equal(of, &vm);
	ended++;
	ended_controller = which;
	ended_input = input;
}

static void test_resampled(void **state)
{
	(void)state;
	ended = 0;
	vm.input_ended = on_ended;
	route_pin(VECTOR | IOREDTBL_LEVEL);
	hv_irqchip_set(&vm, HV_IOAPIC, PIN, HV_SOURCE_RESAMPLED, true);
	run_once();
	injected(1, VECTOR);
	assert_int_equal(ended, 0);
	lapic_set(&vcpu, LAPIC_EOI, 0);
	assert_int_equal(ended, 1);
	assert_int_equal(ended_controller, HV_IOAPIC);
	assert_int_equal(ended_input, PIN);
	run_once();
	assert_int_equal(processor.injections, 1);
}

/* ---- the 8259A pair ------------------------------------------------------------------------ */

static void start_pic(void)
{
	static const uint8_t words[2][4] = { { 0x11, 0x30, 0x04, 0x01 },
					     { 0x11, 0x38, 0x02, 0x01 } };

	for (unsigned int chip = 0; chip < 2; chip++)
		for (unsigned int i = 0; i < 4; i++)
			out((chip ? PIC_SLAVE_PORT : PIC_MASTER_PORT) + !!i, words[chip][i]);
}

static void test_extint(void **state)
{
	(void)state;
	start_pic();
	hv_irqchip_set(&vm, HV_PIC, 12, HV_SOURCE_VMM, true);
	run_once();
	injected(1, 0x3c);
	assert_int_equal(vm.irqchip->pic.chips[1].isr, 1u << 4);
}

/* A pulse is a request, also when nobody looked while it was high. */
static void test_pulse(void **state)
{
	(void)state;
	start_pic();
	hv_irqchip_set(&vm, HV_PIC, 5, HV_SOURCE_VMM, true);
	hv_irqchip_set(&vm, HV_PIC, 5, HV_SOURCE_VMM, false);
	run_once();
	injected(1, 0x35);
}

static void test_masked_lint0(void **state)
{
	(void)state;
	start_pic();
	assert_true(hv_vcpu_accepts_extint(&vcpu));
	assert_false(hv_vcpu_accepts_extint(&second));
	lapic_set(&vcpu, LAPIC_LVT_LINT0, LAPIC_LVT_MASK);
	assert_false(hv_vcpu_accepts_extint(&vcpu));
	hv_irqchip_set(&vm, HV_PIC, 5, HV_SOURCE_VMM, true);
	run_once();
	assert_int_equal(processor.injections, 0);
}

static void test_resampled_by_the_pic(void **state)
{
	(void)state;
	ended = 0;
	vm.input_ended = on_ended;
	start_pic();
	hv_irqchip_set(&vm, HV_PIC, 11, HV_SOURCE_RESAMPLED, true);
	run_once();
	injected(1, 0x3b);
	out(PIC_MASTER_PORT, PIC_OCW2_EOI);
	assert_int_equal(ended, 0);
	out(PIC_SLAVE_PORT, PIC_OCW2_EOI);
	assert_int_equal(ended, 1);
	assert_int_equal(ended_controller, HV_PIC);
	assert_int_equal(ended_input, 11);
}

/* ---- the 8254 --------------------------------------------------------------------------------- */

static void test_pit(void **state)
{
	(void)state;
	start_pic();
	assert_int_equal(hv_irqchip_create_pit(&vm, false), HOST_OK);
	assert_int_equal(hv_irqchip_create_pit(&vm, false), HOST_EEXIST);
	out(0x43, 0x34); /* counter 0, both bytes, mode 2 */
	out(0x40, 0x00);
	out(0x40, 0x10);
	assert_true(vm.irqchip->pit_timer->moment > fixture_now);
	fixture_now = vm.irqchip->pit_timer->moment;
	hv_irqchip_pit_due(&vm);
	run_once();
	injected(1, 0x30);
}

static void test_pit_detached_and_moved(void **state)
{
	struct hv_irqchip *irqchip = vm.irqchip;

	(void)state;
	hv_irqchip_create_pit(&vm, true);
	hv_irqchip_route_timer(&vm, 0, 1u << PIN);
	irqchip->pit.irq.set(irqchip, 0, true);
	assert_int_equal(irqchip->ioapic.lines, 1u << PIN);
	assert_int_equal(irqchip->pic.chips[0].lines, 0);
	irqchip->pit_detached = true;
	irqchip->pit.irq.set(irqchip, 0, true);
	assert_int_equal(irqchip->ioapic.lines, 0);
}

static void test_speaker_is_whose(void **state)
{
	uint32_t value = 0;

	(void)state;
	hv_irqchip_create_pit(&vm, false);
	assert_false(irqchip_port(&vcpu, 0x61, 1, false, &value));
	assert_true(irqchip_port(&vcpu, 0x40, 1, false, &value));
	assert_false(irqchip_port(&vcpu, 0x40, 2, false, &value));
	assert_false(irqchip_port(&vcpu, 0x80, 1, false, &value));
}

/* ---- messages ------------------------------------------------------------------------------------------- */

static void test_message(void **state)
{
	(void)state;
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), VECTOR), 1);
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(7), VECTOR), 0);
	run_once();
	injected(1, VECTOR);
}

/* From an interrupt, which can't wait for whom it has interrupted. */
static void test_message_from_anywhere(void **state)
{
	(void)state;
	hv_irqchip_lock(&vm);
	assert_false(hv_irqchip_try_msi(&vm, MESSAGE_ADDRESS(0), VECTOR));
	hv_irqchip_unlock(&vm);
	run_once();
	assert_int_equal(processor.injections, 0);
	assert_true(hv_irqchip_try_msi(&vm, MESSAGE_ADDRESS(0), VECTOR));
	run_once();
	injected(1, VECTOR);
}

static void test_wide_destinations(void **state)
{
	const uint64_t other = 1ull << 40;

	(void)state;
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0) | other, VECTOR), 1);
	hv_irqchip_wide_messages(&vm, true, false);
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0) | other, VECTOR), 0);
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0xff), VECTOR), 2);
	hv_irqchip_wide_messages(&vm, true, true);
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0xff), VECTOR), 2);
	hv_vcpu_set_msr(&vcpu, IA32_APIC_BASE, vcpu.apic_base | IA32_APIC_BASE_EXTD);
	assert_int_equal(hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0xff), VECTOR), 0);
}

/* As an x2APIC it has no registers in memory, and the VMM is not asked for them, either. */
static void test_page_without_registers(void **state)
{
	uint64_t page = vcpu.apic_base & IA32_APIC_BASE_ADDRESS, value = 0x5a;

	(void)state;
	hv_vcpu_set_msr(&vcpu, IA32_APIC_BASE, vcpu.apic_base | IA32_APIC_BASE_EXTD);
	assert_true(irqchip_mmio(&vcpu, page + LAPIC_TPR, 4, true, &value));
	assert_true(irqchip_mmio(&vcpu, page + LAPIC_TPR, 4, false, &value));
	assert_int_equal((uint32_t)value, UINT32_MAX);
	assert_int_equal(vcpu.local_apic->lapic.tpr, 0);
}

/* ---- local APICs alone ------------------------------------------------------------------------------------ */

#define MESSAGE_LEVEL 0xc000u

static void test_split_tells_the_end(void **state)
{
	uint32_t value = 0;
	uint64_t wide = 0;

	(void)state;
	assert_false(irqchip_mmio(&vcpu, IOAPIC_GPA, 4, false, &wide));
	assert_false(irqchip_port(&vcpu, PIC_MASTER_PORT, 1, false, &value));
	hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), VECTOR | MESSAGE_LEVEL);
	run_once();
	injected(1, VECTOR);
	lapic_set(&vcpu, LAPIC_EOI, 0);
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_EOI);
	assert_int_equal(vcpu.call.eoi.vector, VECTOR);
	run_once();
}

static void test_split_ends_of_edges_are_its_own(void **state)
{
	(void)state;
	hv_irqchip_msi(&vm, MESSAGE_ADDRESS(0), VECTOR);
	run_once();
	lapic_set(&vcpu, LAPIC_EOI, 0);
	run_once();
}

/* The VMM's 8259A pair: taken where LINT0 lets it through, also out of a HLT. */
static void test_split_extint(void **state)
{
	(void)state;
	leaves(HV_EXIT_HLT, CODE("\xf4"));
	assert_int_equal(run(), HOST_EINTR);
	assert_true(hv_vcpu_takes_interrupt(&vcpu));
	vcpu.pending.interrupt = true;
	vcpu.pending.vector = VECTOR;
	run_once();
	injected(1, VECTOR);
	lapic_set(&vcpu, LAPIC_LVT_LINT0, LAPIC_LVT_MASK);
	assert_false(hv_vcpu_takes_interrupt(&vcpu));
	/* Then there is no window to wait for either. */
	vcpu.wants_window = true;
	processor.interrupt_window = false;
	event_deliver(&vcpu);
	assert_false(processor.interrupt_window);
}

/* ---- making it ---------------------------------------------------------------------------------------------------- */

static void test_only_once_and_first(void **state)
{
	(void)state;
	assert_int_equal(hv_irqchip_create(&vm, false), HOST_EEXIST);
}

static void test_not_after_a_vcpu(void **state)
{
	(void)state;
	assert_int_equal(hv_irqchip_create(&vm, false), HOST_EINVAL);
}

static void test_each_allocation_fails(void **state)
{
	unsigned int failures = 0;
	int error;

	(void)state;
	hv_vcpu_free(&second);
	vm.vcpu_count--;
	do {
		fixture_fail_at = ++failures;
		error = hv_vcpu_init(&second, &vm, 1, second_data);
		assert_true(error == HOST_OK || error == HOST_ENOMEM);
		assert_true(error == HOST_OK || !vm.irqchip->lapics[1]);
	} while (error);
	fixture_fail_at = 0;
	assert_in_range(failures, 3, 10);
	fixture_fail_at = 1;
	assert_int_equal(hv_irqchip_create_pit(&vm, false), HOST_ENOMEM);
	fixture_fail_at = 0;
	assert_false(vm.irqchip->has_pit);
	vm.vcpu_count++;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_line_to_vector),
		TEST(test_no_such_input),
		TEST(test_window),
		TEST(test_level_comes_again_until_it_falls),
		TEST(test_two_drivers_of_an_input),
		TEST(test_resampled),
		TEST(test_extint),
		TEST(test_pulse),
		TEST(test_masked_lint0),
		TEST(test_resampled_by_the_pic),
		TEST(test_pit),
		TEST(test_pit_detached_and_moved),
		TEST(test_speaker_is_whose),
		TEST(test_message),
		TEST(test_message_from_anywhere),
		TEST(test_wide_destinations),
		TEST(test_page_without_registers),
		SPLIT(test_split_tells_the_end),
		SPLIT(test_split_ends_of_edges_are_its_own),
		SPLIT(test_split_extint),
		TEST(test_only_once_and_first),
		cmocka_unit_test_setup_teardown(test_not_after_a_vcpu, fixture_setup,
						fixture_teardown),
		TEST(test_each_allocation_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
