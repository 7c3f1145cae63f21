/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_CORE_FIXTURE_H
#define HUTCH_TESTS_UNIT_CORE_FIXTURE_H

/*
 * A host (core_host_fixture.h) and a processor for the core, both of them in this process.
 * The processor enters a guest by looking up the next exit in a script.
 */

#include "tests/unit/core_host_fixture.h"

/* ---- the processor ----------------------------------------------------------------------- */

#define FIXTURE_SCRIPT_MAX 16

static struct {
	struct hv_exit script[FIXTURE_SCRIPT_MAX];
	unsigned int count, next;
	void (*on_enter)(struct hv_vcpu *vcpu); /* what the guest does before it leaves */
	struct hv_system system;
	struct hv_event injected[FIXTURE_SCRIPT_MAX];
	unsigned int injections;
	unsigned int flushes;
	bool interrupt_window, nmi_window, stepped;
	bool restricted, between; /* it enters no real mode; nor, @between, any other */
	unsigned int refusals;	  /* and after so many of them the host has work; 0: never */
	unsigned int tpr_below;
	bool logs_writes;
	uint8_t *apic_page; /* and what it was lent with: */
	enum hv_apic_mode apic_mode;
	bool msrs_closed;
	uint8_t apic_requested, apic_in_service;
	uint32_t apic_watched[8];
	uint64_t lstar;
	uint64_t tsc_offset;
	unsigned int tsc_fraction_bits; /* 0: its counter can't be scaled */
} processor;

static bool processor_can_enter(struct hv_vcpu *vcpu)
{
	(void)vcpu;
	return !processor.restricted || (processor.system.cr0 & CR0_PE && !processor.between);
}

/* What was to be injected is on its way still. */
static void processor_refuse(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	*exit = (struct hv_exit){ .reason = HV_EXIT_EMULATION };
	if (processor.refusals && !--processor.refusals)
		fixture_has_work = true;
	if (processor.injections)
		vcpu->pending.injecting = processor.injected[--processor.injections];
}

static void processor_enter(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	assert_int_equal(vcpu->mode, HV_IN_GUEST);
	if (processor.restricted && !processor_can_enter(vcpu)) {
		processor_refuse(vcpu, exit);
		return;
	}
	assert_true(processor.next < processor.count);
	processor.stepped = vcpu->rflags & RFLAGS_TF;
	vcpu->shadow = 0;
	processor.interrupt_window = false;
	if (processor.on_enter)
		processor.on_enter(vcpu);
	*exit = processor.script[processor.next++];
}

static void processor_inject(struct hv_vcpu *vcpu, const struct hv_event *event)
{
	(void)vcpu;
	processor.injected[processor.injections++] = *event;
}

static void processor_interrupt_window(struct hv_vcpu *vcpu, bool wanted)
{
	(void)vcpu;
	processor.interrupt_window = wanted;
}

static void processor_nmi_window(struct hv_vcpu *vcpu, bool wanted)
{
	(void)vcpu;
	processor.nmi_window = wanted;
}

static void processor_tpr_exits(struct hv_vcpu *vcpu, unsigned int below)
{
	(void)vcpu;
	processor.tpr_below = below;
}

static unsigned int fixture_yields;

void host_yield(void)
{
	fixture_yields++;
}

static bool processor_logs_writes(void)
{
	return processor.logs_writes;
}

static uint8_t *processor_apic_page(struct hv_vcpu *vcpu)
{
	(void)vcpu;
	return processor.apic_page;
}

static void processor_apic_mode(struct hv_vcpu *vcpu, enum hv_apic_mode mode)
{
	(void)vcpu;
	processor.apic_mode = mode;
}

static void processor_apic_lend(struct hv_vcpu *vcpu, uint8_t requested, uint8_t in_service,
				const uint32_t watched[8])
{
	(void)vcpu;
	processor.apic_requested = requested;
	processor.apic_in_service = in_service;
	memcpy(processor.apic_watched, watched, sizeof(processor.apic_watched));
}

static void processor_flush(struct hv_vcpu *vcpu)
{
	(void)vcpu;
	processor.flushes++;
}

static uint64_t *processor_control(enum hv_control which)
{
	switch (which) {
	case HV_CR0:
		return &processor.system.cr0;
	case HV_CR3:
		return &processor.system.cr3;
	case HV_CR4:
		return &processor.system.cr4;
	default:
		return &processor.system.efer;
	}
}

static uint64_t processor_read_control(struct hv_vcpu *vcpu, enum hv_control which)
{
	(void)vcpu;
	return *processor_control(which);
}

static void processor_write_control(struct hv_vcpu *vcpu, enum hv_control which, uint64_t value)
{
	(void)vcpu;
	*processor_control(which) = value;
}

static void processor_read_segment(struct hv_vcpu *vcpu, unsigned int which,
				   struct segment *segment)
{
	(void)vcpu;
	*segment = processor.system.segments[which];
}

static unsigned int processor_cpl(struct hv_vcpu *vcpu)
{
	(void)vcpu;
	return (processor.system.segments[SEGMENT_NUMBER_SS].rights & SEGMENT_DPL) >>
	       SEGMENT_DPL_SHIFT;
}

static void processor_set_fault_address(struct hv_vcpu *vcpu, uint64_t address)
{
	(void)vcpu;
	processor.system.cr2 = address;
}

static void processor_get_system(struct hv_vcpu *vcpu, struct hv_system *system)
{
	(void)vcpu;
	*system = processor.system;
}

static void processor_set_system(struct hv_vcpu *vcpu, const struct hv_system *system)
{
	(void)vcpu;
	processor.system = *system;
}

static bool processor_read_own_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t *value)
{
	(void)vcpu;
	*value = processor.lstar;
	return index == IA32_LSTAR || index == IA32_PAT;
}

static bool processor_write_own_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t value)
{
	(void)vcpu;
	if (index == IA32_LSTAR)
		processor.lstar = value;
	return true;
}

static void processor_set_tsc_offset(struct hv_vcpu *vcpu, uint64_t offset)
{
	(void)vcpu;
	processor.tsc_offset = offset;
}

static unsigned int processor_tsc_fraction_bits(void)
{
	return processor.tsc_fraction_bits;
}

static bool fixture_deadlines; /* read when a vCPU is made */

static bool processor_has_deadlines(void)
{
	return fixture_deadlines;
}

static int processor_vm_init(struct hv_vm *vm)
{
	(void)vm;
	return HOST_OK;
}

static void processor_vm_free(struct hv_vm *vm)
{
	(void)vm;
}

static int processor_vcpu_init(struct hv_vcpu *vcpu)
{
	vcpu->cpu = host_alloc(1);
	return vcpu->cpu ? HOST_OK : HOST_ENOMEM;
}

static void processor_vcpu_free(struct hv_vcpu *vcpu)
{
	host_free(vcpu->cpu, 1);
}

static void processor_load(struct hv_vcpu *vcpu, unsigned int cpu)
{
	(void)vcpu, (void)cpu;
}

static void processor_nothing(struct hv_vcpu *vcpu)
{
	(void)vcpu;
}

static const uint32_t processor_passed_msrs[] = { IA32_FS_BASE, IA32_STAR, 0 };

static void processor_close_msrs(struct hv_vcpu *vcpu, bool closed)
{
	(void)vcpu;
	processor.msrs_closed = closed;
}

static const struct table_format fixture_format = {
	.table = 0x7,
	.leaf = 0x5,
	.present = 0x1,
	.writable = 0x2,
	.large = 0x80,
	.largest = 3,
	.accessed = 0x20,
	.dirty = 0x40,
};

static const struct hv_cpu_ops fixture_ops = {
	.name = "a script",
	.table = &fixture_format,
	.long_mode = DECODE_MODE_64,
	.vm_init = processor_vm_init,
	.vm_free = processor_vm_free,
	.vcpu_init = processor_vcpu_init,
	.vcpu_free = processor_vcpu_free,
	.load = processor_load,
	.put = processor_nothing,
	.enter = processor_enter,
	.can_enter = processor_can_enter,
	.inject = processor_inject,
	.interrupt_window = processor_interrupt_window,
	.nmi_window = processor_nmi_window,
	.tpr_exits = processor_tpr_exits,
	.logs_writes = processor_logs_writes,
	.apic_page = processor_apic_page,
	.apic_mode = processor_apic_mode,
	.apic_lend = processor_apic_lend,
	.flush = processor_flush,
	.read_control = processor_read_control,
	.write_control = processor_write_control,
	.read_segment = processor_read_segment,
	.cpl = processor_cpl,
	.set_fault_address = processor_set_fault_address,
	.get_system = processor_get_system,
	.set_system = processor_set_system,
	.passed_msrs = processor_passed_msrs,
	.close_msrs = processor_close_msrs,
	.read_msr = processor_read_own_msr,
	.write_msr = processor_write_own_msr,
	.has_deadlines = processor_has_deadlines,
	.set_tsc_offset = processor_set_tsc_offset,
	.tsc_fraction_bits = processor_tsc_fraction_bits,
	.update_debug = processor_nothing,
};

/* ---- a VM with one vCPU in flat 64-bit mode, and 4 MiB of memory at 0 ------------------------ */

#define FIXTURE_MEMORY (4ull << 20)

static struct hv_vm vm;
static struct hv_vcpu vcpu;
static uint8_t *memory;
static uint8_t data[HV_DATA_SIZE] __attribute__((aligned(4096)));

/* Tables at 0x8000 map the lowest GiB to itself, in pages of 2 MiB. */
static void long_mode(void)
{
	struct hv_system *system = &processor.system;

	*(uint64_t *)(memory + 0x8000) = 0x9000 | 7;
	*(uint64_t *)(memory + 0x9000) = 0xa000 | 7;
	for (uint64_t i = 0; i < 512; i++)
		*(uint64_t *)(memory + 0xa000 + 8 * i) = i << 21 | 0x80 | 7;
	system->cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE;
	system->cr3 = 0x8000;
	system->cr4 = CR4_PAE;
	system->efer = IA32_EFER_LME | IA32_EFER_LMA;
	system->segments[SEGMENT_NUMBER_CS] =
		(struct segment){ .limit = UINT32_MAX, .rights = SEGMENT_RIGHTS_CODE64 };
	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		if (i != SEGMENT_NUMBER_CS)
			system->segments[i] = (struct segment){ .limit = UINT32_MAX,
								.rights = SEGMENT_RIGHTS_DATA32 };
}

static int fixture_setup(void **state)
{
	const struct hv_slot slot = { .id = 0, .size = FIXTURE_MEMORY };
	struct hv_slot placed = slot;

	(void)state;
	memset(&processor, 0, sizeof(processor));
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	fixture_given = fixture_fail_at = 0;
	fixture_kicks = fixture_complaints = 0;
	hv_checks = true;
	fixture_has_work = false;
	fixture_on_frame = NULL;
	fixture_clock = (struct host_clock){ .stable = true };
	fixture_clock_changes = 0;
	fixture_run_delay = 0;
	fixture_counts_run_delay = true;
	fixture_page_is_away = false;
	memory = aligned_alloc(2 << 20, FIXTURE_MEMORY);
	memset(memory, 0, FIXTURE_MEMORY);
	placed.hva = (uintptr_t)memory;
	assert_int_equal(hv_vm_init(&vm, &fixture_ops), HOST_OK);
	assert_int_equal(hv_memory_set(&vm, &placed, false), HOST_OK);
	assert_int_equal(hv_vcpu_init(&vcpu, &vm, 0, data), HOST_OK);
	vm.vcpus[vm.vcpu_count++] = &vcpu;
	hv_vcpu_reset(&vcpu, true);
	long_mode();
	vcpu.rip = 0x10000;
	return 0;
}

static int fixture_teardown(void **state)
{
	(void)state;
	assert_int_equal(fixture_complaints, 0);
	hv_vcpu_free(&vcpu);
	hv_vm_free(&vm);
	free(memory);
	assert_int_equal(fixture_given, 0);
	return 0;
}

/* The guest leaves with this; its instruction's bytes are put at RIP, if there are any. */
static inline struct hv_exit *leaves(enum hv_exit_reason reason, const char *code, size_t size)
{
	struct hv_exit *exit = &processor.script[processor.count++];

	*exit = (struct hv_exit){ .reason = reason };
	memcpy(memory + vcpu.rip, code, size);
	return exit;
}

#define CODE(text) text, sizeof(text) - 1

static inline int run(void)
{
	return hv_vcpu_run(&vcpu, false);
}

#endif
