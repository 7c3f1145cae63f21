/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_HOST_H
#define HUTCH_CORE_HOST_H

/*
 * All that the core asks of whoever hosts it: a short list of functions that a Linux
 * module, a bare-metal kernel and a test program each implement. Nothing in core/ knows
 * which of them it is.
 *
 * Contexts. "May sleep": called by a vCPU's own thread or by one that configures a VM,
 * with no spinlock held. "Any": also under a spinlock. "Pinned": preemption is off, so
 * the thread stays on its CPU.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/barriers.h"

struct hv_event;
struct hv_exit;
struct hv_vcpu;
struct hv_vm;

/* Negative results, by the numbers that the KVM ABI shows its users (errno.h). */
enum host_error {
	HOST_OK = 0,
	HOST_EINTR = -4,
	HOST_E2BIG = -7,
	HOST_EAGAIN = -11,
	HOST_ENOMEM = -12,
	HOST_EFAULT = -14,
	HOST_EBUSY = -16,
	HOST_EEXIST = -17,
	HOST_ENODEV = -19,
	HOST_EINVAL = -22,
	HOST_ENOSPC = -28,
	HOST_EOPNOTSUPP = -95,
};

/* ---- memory of the host's own ---------------------------------------------- */

/* Zeroed; NULL if there is none. Freed with the same @size. May sleep. */
void *host_alloc(size_t size);
void host_free(void *memory, size_t size);

/* 2^@order zeroed pages that lie together, aligned to their size. May sleep. */
void *host_pages_alloc(unsigned int order);
void host_pages_free(void *pages, unsigned int order);

/* Between such a page's address and the physical one that the processor wants. Any. */
uint64_t host_physical(const void *page);
void *host_virtual(uint64_t physical);

/* ---- memory of the guest's ------------------------------------------------- */

/*
 * A page of the VMM's memory, pinned for as long as it takes to write it down. 2^@order
 * pages of 4K lie together around it, aligned, with the same rights.
 */
struct host_frame {
	uint64_t physical; /* of the 4K page at @hva */
	unsigned int order;
	bool writable;
	void *page; /* the host's own */
};

/*
 * The host's own fault path: makes the page at @hva of the current thread's VMM present,
 * for writing if @write (then a shared page has been copied). HOST_EFAULT where the VMM
 * has nothing there. May sleep.
 */
int host_frame_get(uint64_t hva, bool write, struct host_frame *frame);
/* Lets it go; if @mapped, the guest may have set eyes on it. Any. */
void host_frame_put(const struct host_frame *frame, bool mapped);

/*
 * False: the VMM certainly has another page at @hva than the one at @physical, or may not
 * see any there. True as well where that can't be told here. Any, interrupts on.
 */
bool host_frame_is(const struct hv_vm *vm, uint64_t hva, uint64_t physical);

/* Copies from and to the VMM's memory. False: it has nothing there. May sleep. */
bool host_copy_in(void *to, uint64_t hva, size_t size);
bool host_copy_out(uint64_t hva, const void *from, size_t size);
/* Puts @value, of @size 1, 2, 4 or 8, in the place of @expected, in one step. May sleep. */
enum host_exchange {
	HOST_EXCHANGE_DONE,
	HOST_EXCHANGE_OTHER, /* something else stands there */
	HOST_EXCHANGE_FAULT, /* the VMM has nothing there that it could write */
};
enum host_exchange host_exchange(uint64_t hva, unsigned int size, uint64_t expected,
				 uint64_t value);
/* A copy out without sleep: false also where the page is not at hand. Any. */
bool host_copy_out_now(uint64_t hva, const void *from, size_t size);

/* ---- locks ------------------------------------------------------------------- */

/*
 * Not to sleep with. host_spin_lock() is for threads alone; whoever may be an interrupt
 * tries, and does without. NULL: no memory.
 */
struct host_spinlock;
struct host_spinlock *host_spinlock_new(void);
void host_spinlock_free(struct host_spinlock *lock);
void host_spin_lock(struct host_spinlock *lock);
bool host_spin_try(struct host_spinlock *lock);
void host_spin_unlock(struct host_spinlock *lock);
/* By whomever. */
bool host_spin_is_held(const struct host_spinlock *lock);

/* Many readers or one writer, who may sleep. */
struct host_rwlock;
struct host_rwlock *host_rwlock_new(void);
void host_rwlock_free(struct host_rwlock *lock);
void host_read_lock(struct host_rwlock *lock);
void host_read_unlock(struct host_rwlock *lock);
void host_write_lock(struct host_rwlock *lock);
void host_write_unlock(struct host_rwlock *lock);

/* ---- processors and threads -------------------------------------------------- */

#define HOST_CPU_MAX 8192

unsigned int host_cpu_count(void); /* numbers of CPUs, also of absent ones, are below it */
unsigned int host_cpu(void);	   /* this one's number; pinned */
/*
 * Calls @function on CPU @cpu, with interrupts off there, and returns when it has been;
 * right here if it is this one. Does nothing for a CPU that is not there. Any, with
 * interrupts on.
 */
void host_call_on(unsigned int cpu, void (*function)(void *argument), void *argument);

/* Sets and clears bits of this CPU's CR4, of which the host may keep a copy. Pinned. */
void host_change_cr4(uint64_t set, uint64_t clear);

void host_interrupts_disable(void);
void host_interrupts_enable(void);

/*
 * The vCPU's thread has something else to do than to run a guest: a signal, another
 * thread's turn. Called with interrupts off, right before an entry.
 */
bool host_has_work(void);
/* Does it, as far as that is possible here; HOST_EINTR: the VMM must see a signal. May sleep. */
int host_do_work(struct hv_vcpu *vcpu);

/* The vCPU waits in a loop for another one, which may have no CPU: gives up its turn. May sleep. */
void host_yield(void);

/*
 * Fetches @vcpu out of its guest, if it is in it: an IPI to its CPU. With @wait the call
 * returns when it has left, and interrupts must be on; without, it is for any context, a
 * timer's interrupt included.
 */
void host_kick(struct hv_vcpu *vcpu, bool wait);

/*
 * The vCPU has nothing to run: sleeps until hv_vcpu_has_attention(), for which host_wake()
 * makes it look. HOST_EINTR: a signal. May sleep; host_wake() from any context.
 */
int host_wait(struct hv_vcpu *vcpu);
void host_wake(struct hv_vcpu *vcpu);

/*
 * A timer on the host's clock that calls hv_vcpu_timer_due(@vcpu), or without a vCPU
 * hv_irqchip_pit_due(@vm). NULL: no memory. Freed, it is not running any more. Set to a
 * moment of host_nanoseconds(), UINT64_MAX: never; also under a spinlock.
 */
struct host_timer;
struct host_timer *host_timer_new(struct hv_vm *vm, struct hv_vcpu *vcpu);
void host_timer_free(struct host_timer *timer);
void host_timer_set(struct host_timer *timer, uint64_t moment);

/* An NMI made the guest leave and has been consumed by that (VT-x): handle it now. Pinned. */
void host_handle_nmi(void);
/* The same for a machine check (SDM 3, 16). */
void host_handle_machine_check(void);

/* What the host wants in its own registers while it runs (SPEC_CTRL and the like). */
uint64_t host_spec_ctrl(void);
/* Another guest may have run here: it must not steer this one's speculation. Pinned. */
void host_prediction_barrier(void);
/*
 * What has to happen right before a guest runs, and right after, before the first return or
 * indirect branch of the host: as the processor needs it, and as its owner wants it; bits of
 * core/barriers.h, the same for every entry and exit.
 */
unsigned int host_barriers(void);
/* For HOST_CLEAR_HISTORY, from assembler: changes RAX and RCX at most. */
void host_clear_history(void);

/*
 * The guest's vector registers, which the host keeps with its own while the guest is out:
 * XMMn and YMMn, or MMn if @mmx. Writing @wide, the bytes above @size become zero.
 */
void host_vector_read(struct hv_vcpu *vcpu, unsigned int index, bool mmx, void *to, size_t size);
void host_vector_write(struct hv_vcpu *vcpu, unsigned int index, bool mmx, const void *from,
		       size_t size, bool wide);

/* Its x87 FPU: what is done with the two words. */
enum host_x87_action {
	HOST_X87_READ,
	HOST_X87_LOAD_CONTROL,
	HOST_X87_CLEAR, /* FNCLEX */
	HOST_X87_RESET, /* FNINIT */
};
void host_x87(struct hv_vcpu *vcpu, enum host_x87_action action, uint16_t *control,
	      uint16_t *status);

/* The guest had breakpoints in the processor's registers: the host's own again. Pinned. */
void host_debug_restore(void);

/*
 * A VM exit of VT-x makes all selectors of data null, and LDTR's with them, and leaves TR
 * with a limit of 67H, so that the host's I/O permission bitmap is out of reach (SDM 3,
 * 28.5.2): here they are as they were, for what the thread does next. The base of GS in
 * the kernel stays; that of FS is what the selector says, if there is one. Pinned,
 * interrupts off.
 */
struct host_selectors {
	uint16_t ds, es, fs, gs, ldt;
};
void host_restore_selectors(const struct host_selectors *selectors);

/* ---- the rest ------------------------------------------------------------------ */

uint64_t host_nanoseconds(void); /* monotonic. Any */
uint32_t host_tsc_khz(void);

/* The host's clocks at one moment. Any. */
struct host_clock {
	uint64_t nanoseconds; /* since its start, its sleep included; set by nobody */
	uint64_t wall;	      /* nanoseconds since 1970 began, UTC */
	uint64_t tsc;	      /* this CPU's counter */
	/* All CPUs have one counter, and @nanoseconds goes on at its rate. */
	bool stable;
};
void host_clock_read(struct host_clock *clock);
/*
 * Another number than before: the counters may not be what they were, as the host has
 * slept, or has found that they differ. Any.
 */
uint32_t host_clock_changes(void);

/*
 * How long the current thread has waited for a CPU that others had, in nanoseconds; and
 * whether this host counts that at all. Any.
 */
uint64_t host_run_delay(void);
bool host_counts_run_delay(void);

/* One line for the host's log. Any. */
void host_log(const char *text);
/* The same where something of ours is broken: for whoever can mend it. Any. */
void host_complain(const char *text);

/* Each exit, and each event that goes in, while hv_tracing (core/exit.h). Any. */
void host_trace_exit(const struct hv_vcpu *vcpu, const struct hv_exit *exit);
void host_trace_inject(const struct hv_vcpu *vcpu, const struct hv_event *event);

void *host_memset(void *to, int byte, size_t size);
void *host_memcpy(void *to, const void *from, size_t size);

#endif
