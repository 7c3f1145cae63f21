/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_CORE_IRQCHIP_FIXTURE_H
#define HUTCH_TESTS_UNIT_CORE_IRQCHIP_FIXTURE_H

/* The core's fixture with interrupt controllers in its VM, and a second vCPU. */

#include "core/irqchip.h"
#include "tests/unit/core_fixture.h"

#define LAPIC_GPA	    0xfee00000ull
#define IOAPIC_GPA	    0xfec00000ull
#define VECTOR		    0x41
#define MESSAGE_ADDRESS(id) (0xfee00000ull | (uint64_t)(id) << 12)
#define EDGE		    0u
#define PIN		    4

static struct hv_vcpu second;
static uint8_t second_data[HV_DATA_SIZE] __attribute__((aligned(4096)));

/* ---- a VM with controllers and two vCPUs ----------------------------------------------- */

static inline void add_vcpu(struct hv_vcpu *added, uint8_t *bytes)
{
	memset(added, 0, sizeof(*added));
	assert_int_equal(hv_vcpu_init(added, &vm, vm.vcpu_count, bytes), HOST_OK);
	hv_vcpu_reset(added, true);
	vm.vcpus[vm.vcpu_count++] = added;
}

static inline void guest_write(struct hv_vcpu *by, uint64_t gpa, uint32_t value)
{
	uint64_t wide = value;

	assert_true(irqchip_mmio(by, gpa, 4, true, &wide));
}

static inline uint32_t guest_read(struct hv_vcpu *by, uint64_t gpa)
{
	uint64_t value = 0;

	assert_true(irqchip_mmio(by, gpa, 4, false, &value));
	return (uint32_t)value;
}

static inline void lapic_set(struct hv_vcpu *by, enum lapic_register number, uint32_t value)
{
	guest_write(by, LAPIC_GPA + number * 16, value);
}

static inline void out(uint16_t port, uint8_t value)
{
	uint32_t wide = value;

	assert_true(irqchip_port(&vcpu, port, 1, true, &wide));
}

static inline int setup_kind(void **state, bool split)
{
	fixture_setup(state);
	fixture_now = 1000000;
	fixture_on_wait = NULL;
	fixture_waits = 0;
	hv_vcpu_free(&vcpu);
	vm.vcpu_count = 0;
	assert_int_equal(hv_irqchip_create(&vm, split), HOST_OK);
	add_vcpu(&vcpu, data);
	add_vcpu(&second, second_data);
	long_mode();
	vcpu.rip = 0x10000;
	vcpu.rflags |= RFLAGS_IF;
	lapic_set(&vcpu, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	lapic_set(&second, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	return 0;
}

static inline int setup(void **state)
{
	return setup_kind(state, false);
}

static inline int setup_split(void **state)
{
	return setup_kind(state, true);
}

static inline int teardown(void **state)
{
	hv_vcpu_free(&second);
	return fixture_teardown(state);
}

static inline void route_pin(uint64_t entry)
{
	guest_write(&vcpu, IOAPIC_GPA + IOAPIC_REGSEL, IOREDTBL + 2 * PIN + 1);
	guest_write(&vcpu, IOAPIC_GPA + IOAPIC_WIN, (uint32_t)(entry >> 32));
	guest_write(&vcpu, IOAPIC_GPA + IOAPIC_REGSEL, IOREDTBL + 2 * PIN);
	guest_write(&vcpu, IOAPIC_GPA + IOAPIC_WIN, (uint32_t)entry);
}

static inline int set_pin(bool level)
{
	return hv_irqchip_set(&vm, HV_IOAPIC, PIN, HV_SOURCE_VMM, level);
}

/* The guest runs once more and ends there. */
static inline void run_once(void)
{
	leaves(HV_EXIT_SHUTDOWN, CODE(""));
	assert_int_equal(run(), HOST_OK);
	assert_int_equal(vcpu.call.kind, HV_CALL_SHUTDOWN);
}

static inline void injected(unsigned int count, uint8_t vector)
{
	assert_int_equal(processor.injections, count);
	assert_int_equal(processor.injected[count - 1].type, HV_EVENT_INTERRUPT);
	assert_int_equal(processor.injected[count - 1].vector, vector);
}

static inline void let_interrupts_in(struct hv_vcpu *running)
{
	running->rflags |= RFLAGS_IF;
}

#define TEST(name)  cmocka_unit_test_setup_teardown(name, setup, teardown)
#define SPLIT(name) cmocka_unit_test_setup_teardown(name, setup_split, teardown)

#endif
