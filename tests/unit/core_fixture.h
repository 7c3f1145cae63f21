/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_CORE_FIXTURE_H
#define HUTCH_TESTS_UNIT_CORE_FIXTURE_H

/*
 * A host and a processor for the core, both of them in this process. The host has its
 * pages from malloc() and counts what it gave, so that a test ends with nothing left; the
 * processor enters a guest by looking up the next exit in a script.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "core/checks.h"
#include "core/control.h"
#include "core/cpu.h"
#include "core/cpuid.h"
#include "core/event.h"
#include "core/memory.h"
#include "core/msr.h"
#include "core/table.h"
#include "x86/exception.h"
#include "x86/registers.h"

/* ---- the host ----------------------------------------------------------------------- */

static long fixture_given;   /* pieces of memory not given back */
static long fixture_fail_at; /* this allocation from now on fails; 0: none */
static unsigned int fixture_kicks;
static bool fixture_has_work;
static void (*fixture_on_frame)(void); /* called while a frame is being got */

static bool fixture_may(void)
{
	return !fixture_fail_at || --fixture_fail_at;
}

void *host_alloc(size_t size)
{
	if (!fixture_may())
		return NULL;
	fixture_given++;
	return calloc(1, size);
}

void host_free(void *memory, size_t size)
{
	(void)size;
	fixture_given--;
	free(memory);
}

void *host_pages_alloc(unsigned int order)
{
	void *pages;

	if (!fixture_may())
		return NULL;
	pages = aligned_alloc(HV_PAGE_SIZE << order, HV_PAGE_SIZE << order);
	fixture_given++;
	return memset(pages, 0, HV_PAGE_SIZE << order);
}

void host_pages_free(void *pages, unsigned int order)
{
	(void)order;
	fixture_given--;
	free(pages);
}

uint64_t host_physical(const void *page)
{
	return (uintptr_t)page;
}

void *host_virtual(uint64_t physical)
{
	return (void *)(uintptr_t)physical;
}

#define FIXTURE_HOLE_HVA 0x666000ull /* where the VMM has nothing */

int host_frame_get(uint64_t hva, bool write, struct host_frame *frame)
{
	(void)write;
	if (hva == FIXTURE_HOLE_HVA)
		return HOST_EFAULT;
	*frame = (struct host_frame){ .physical = hva, .order = 9, .writable = true };
	if (fixture_on_frame)
		fixture_on_frame();
	return HOST_OK;
}

void host_frame_put(const struct host_frame *frame, bool mapped)
{
	(void)frame, (void)mapped;
}

bool host_frame_is(const struct hv_vm *vm, uint64_t hva, uint64_t physical)
{
	(void)vm;
	return hva == physical;
}

bool host_copy_in(void *to, uint64_t hva, size_t size)
{
	memcpy(to, (void *)(uintptr_t)hva, size);
	return true;
}

bool host_copy_out(uint64_t hva, const void *from, size_t size)
{
	memcpy((void *)(uintptr_t)hva, from, size);
	return true;
}

static bool fixture_page_is_away; /* and nothing can be written without sleep */

bool host_copy_out_now(uint64_t hva, const void *from, size_t size)
{
	return !fixture_page_is_away && host_copy_out(hva, from, size);
}

struct host_spinlock {
	bool held;
};

struct host_spinlock *host_spinlock_new(void)
{
	return host_alloc(sizeof(struct host_spinlock));
}

void host_spinlock_free(struct host_spinlock *lock)
{
	assert_false(lock->held);
	host_free(lock, sizeof(*lock));
}

void host_spin_lock(struct host_spinlock *lock)
{
	assert_false(lock->held);
	lock->held = true;
}

bool host_spin_try(struct host_spinlock *lock)
{
	if (lock->held)
		return false;
	return lock->held = true;
}

void host_spin_unlock(struct host_spinlock *lock)
{
	assert_true(lock->held);
	lock->held = false;
}

bool host_spin_is_held(const struct host_spinlock *lock)
{
	return lock->held;
}

struct host_rwlock {
	int readers; /* -1: a writer */
};

struct host_rwlock *host_rwlock_new(void)
{
	return host_alloc(sizeof(struct host_rwlock));
}

void host_rwlock_free(struct host_rwlock *lock)
{
	assert_int_equal(lock->readers, 0);
	host_free(lock, sizeof(*lock));
}

void host_read_lock(struct host_rwlock *lock)
{
	assert_true(lock->readers >= 0);
	lock->readers++;
}

void host_read_unlock(struct host_rwlock *lock)
{
	assert_true(lock->readers > 0);
	lock->readers--;
}

void host_write_lock(struct host_rwlock *lock)
{
	assert_int_equal(lock->readers, 0);
	lock->readers = -1;
}

void host_write_unlock(struct host_rwlock *lock)
{
	assert_int_equal(lock->readers, -1);
	lock->readers = 0;
}

unsigned int host_cpu(void)
{
	return 0;
}

unsigned int host_cpu_count(void)
{
	return 1;
}

void host_interrupts_disable(void)
{
}

void host_interrupts_enable(void)
{
}

bool host_has_work(void)
{
	return fixture_has_work;
}

int host_do_work(struct hv_vcpu *vcpu)
{
	(void)vcpu;
	return fixture_has_work ? HOST_EINTR : HOST_OK;
}

void host_kick(struct hv_vcpu *vcpu, bool wait)
{
	(void)vcpu, (void)wait;
	fixture_kicks++;
}

static unsigned int fixture_waits;
static void (*fixture_on_wait)(struct hv_vcpu *vcpu);

int host_wait(struct hv_vcpu *vcpu)
{
	fixture_waits++;
	if (fixture_on_wait)
		fixture_on_wait(vcpu);
	return hv_vcpu_has_attention(vcpu) ? HOST_OK : HOST_EINTR;
}

void host_wake(struct hv_vcpu *vcpu)
{
	(void)vcpu;
}

struct host_timer {
	uint64_t moment;
};

struct host_timer *host_timer_new(struct hv_vm *of, struct hv_vcpu *by)
{
	(void)of, (void)by;
	return host_alloc(sizeof(struct host_timer));
}

void host_timer_free(struct host_timer *timer)
{
	host_free(timer, sizeof(*timer));
}

void host_timer_set(struct host_timer *timer, uint64_t moment)
{
	timer->moment = moment;
}

void host_handle_nmi(void)
{
}

void host_handle_machine_check(void)
{
}

uint64_t host_spec_ctrl(void)
{
	return 0;
}

void host_prediction_barrier(void)
{
}

static uint64_t fixture_now;

uint64_t host_nanoseconds(void)
{
	return fixture_now;
}

uint32_t host_tsc_khz(void)
{
	return 1000000;
}

static struct host_clock fixture_clock;
static uint32_t fixture_clock_changes;
static uint64_t fixture_run_delay;
static bool fixture_counts_run_delay;

void host_clock_read(struct host_clock *clock)
{
	*clock = fixture_clock;
}

uint32_t host_clock_changes(void)
{
	return fixture_clock_changes;
}

uint64_t host_run_delay(void)
{
	return fixture_run_delay;
}

bool host_counts_run_delay(void)
{
	return fixture_counts_run_delay;
}

void host_log(const char *text)
{
	(void)text;
}

static unsigned int fixture_complaints;

void host_complain(const char *text)
{
	(void)text;
	fixture_complaints++;
}

void *host_memset(void *to, int byte, size_t size)
{
	return memset(to, byte, size);
}

void *host_memcpy(void *to, const void *from, size_t size)
{
	return memcpy(to, from, size);
}

static uint8_t fixture_vectors[16][32];

void host_vector_read(struct hv_vcpu *vcpu, unsigned int index, bool mmx, void *to, size_t size)
{
	(void)vcpu, (void)mmx;
	memcpy(to, fixture_vectors[index], size);
}

void host_vector_write(struct hv_vcpu *vcpu, unsigned int index, bool mmx, const void *from,
		       size_t size, bool wide)
{
	(void)vcpu, (void)mmx;
	if (wide)
		memset(fixture_vectors[index], 0, 32);
	memcpy(fixture_vectors[index], from, size);
}

void host_debug_restore(void)
{
}

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
	unsigned int tpr_below;
	bool logs_writes;
	uint8_t *apic_page; /* and what it was lent with: */
	enum hv_apic_mode apic_mode;
	uint8_t apic_requested, apic_in_service;
	uint32_t apic_watched[8];
	uint64_t lstar;
	uint64_t tsc_offset;
	unsigned int tsc_fraction_bits; /* 0: its counter can't be scaled */
} processor;

static void processor_enter(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	assert_int_equal(vcpu->mode, HV_IN_GUEST);
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
	.read_msr = processor_read_own_msr,
	.write_msr = processor_write_own_msr,
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
