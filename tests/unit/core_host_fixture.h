/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_CORE_HOST_FIXTURE_H
#define HUTCH_TESTS_UNIT_CORE_HOST_FIXTURE_H

/*
 * A host for the core, in this process: pages from malloc(), counted, so that a test ends
 * with nothing left; locks that know whether they are held; a clock that stands still until
 * a test moves it. What a real host does by itself is here for a test to bring about.
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

enum host_exchange host_exchange(uint64_t hva, unsigned int size, uint64_t expected, uint64_t value)
{
	uint64_t has = 0;

	memcpy(&has, (void *)(uintptr_t)hva, size);
	if (has != expected)
		return HOST_EXCHANGE_OTHER;
	memcpy((void *)(uintptr_t)hva, &value, size);
	return HOST_EXCHANGE_DONE;
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

static unsigned int fixture_traced_exits, fixture_traced_events;

void host_trace_exit(const struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	(void)vcpu, (void)exit;
	fixture_traced_exits++;
}

void host_trace_inject(const struct hv_vcpu *vcpu, const struct hv_event *event)
{
	(void)vcpu, (void)event;
	fixture_traced_events++;
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

#endif
