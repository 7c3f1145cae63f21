/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include "host/linux/compat.h"

#include <linux/rwsem.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/task_work.h>
#include <linux/tick.h>
#include <linux/timekeeping.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fpu/api.h>
#include <asm/mce.h>
#include <asm/nospec-branch.h>
#include <asm/tlbflush.h>
#include <asm/tsc.h>
#include <trace/events/ipi.h>

/*
 * What the core asks of its host (core/host.h), but for guest memory, which is in
 * host_memory.c. Each function is a name for what Linux has already.
 */

static_assert(HOST_CPU_MAX >= NR_CPUS);
static_assert(HOST_EINTR == -EINTR && HOST_E2BIG == -E2BIG && HOST_EAGAIN == -EAGAIN);
static_assert(HOST_ENOMEM == -ENOMEM && HOST_EFAULT == -EFAULT && HOST_EBUSY == -EBUSY);
static_assert(HOST_EEXIST == -EEXIST && HOST_ENODEV == -ENODEV && HOST_EINVAL == -EINVAL);
static_assert(HOST_ENOSPC == -ENOSPC && HOST_EOPNOTSUPP == -EOPNOTSUPP);

/* ---- memory of our own ----------------------------------------------------------------- */

void *host_alloc(size_t size)
{
	return own_alloc(size);
}

void host_free(void *memory, size_t size)
{
	own_free(memory);
}

void *host_pages_alloc(unsigned int order)
{
	return own_pages(order);
}

void host_pages_free(void *pages, unsigned int order)
{
	own_pages_free(pages, order);
}

uint64_t host_physical(const void *page)
{
	return __pa(page);
}

void *host_virtual(uint64_t physical)
{
	return __va(physical);
}

/* ---- locks ------------------------------------------------------------------------------ */

struct host_spinlock {
	spinlock_t lock;
};

struct host_rwlock {
	struct rw_semaphore lock;
};

struct host_spinlock *host_spinlock_new(void)
{
	struct host_spinlock *lock = own_alloc(sizeof(*lock));

	if (lock)
		spin_lock_init(&lock->lock);
	return lock;
}

void host_spinlock_free(struct host_spinlock *lock)
{
	own_free(lock);
}

void host_spin_lock(struct host_spinlock *lock) __acquires(lock)
{
	spin_lock(&lock->lock);
	__acquire(lock);
	__release(&lock->lock);
}

bool host_spin_try(struct host_spinlock *lock)
{
	return spin_trylock(&lock->lock);
}

void host_spin_unlock(struct host_spinlock *lock) __releases(lock)
{
	__acquire(&lock->lock);
	__release(lock);
	spin_unlock(&lock->lock);
}

bool host_spin_is_held(const struct host_spinlock *lock)
{
	return spin_is_locked((spinlock_t *)&lock->lock);
}

struct host_rwlock *host_rwlock_new(void)
{
	struct host_rwlock *lock = own_alloc(sizeof(*lock));

	if (lock)
		init_rwsem(&lock->lock);
	return lock;
}

void host_rwlock_free(struct host_rwlock *lock)
{
	own_free(lock);
}

void host_read_lock(struct host_rwlock *lock)
{
	down_read(&lock->lock);
}

void host_read_unlock(struct host_rwlock *lock)
{
	up_read(&lock->lock);
}

void host_write_lock(struct host_rwlock *lock)
{
	down_write(&lock->lock);
}

void host_write_unlock(struct host_rwlock *lock)
{
	up_write(&lock->lock);
}

/* ---- processors and threads --------------------------------------------------------------- */

unsigned int host_cpu_count(void)
{
	return nr_cpu_ids;
}

unsigned int host_cpu(void)
{
	return smp_processor_id();
}

void host_interrupts_disable(void)
{
	local_irq_disable();
}

void host_interrupts_enable(void)
{
	local_irq_enable();
}

/*
 * What a thread does on its way to user mode has to be done on its way to a guest too
 * (Linux, kernel/entry/kvm.c).
 */
#define THREAD_WORK (_TIF_NEED_RESCHED | _TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL | _TIF_NOTIFY_RESUME)

bool host_has_work(void)
{
	if (READ_ONCE(current_thread_info()->flags) & THREAD_WORK || !cpu_is_enabled())
		return true;
	/* A softirq may have used the FPU since: the guest's state goes back into it. */
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	return false;
}

/* What else than a restartable sequence waits for the way to user mode. */
static bool is_notified(void)
{
	if (task_work_pending(current))
		return true;
#ifdef CONFIG_MEMCG
	if (current->memcg_nr_pages_over_high)
		return true;
#endif
	return compat_is_throttled(current);
}

/*
 * Each switch of threads asks for a look at the thread's restartable sequence (Linux,
 * kernel/rseq.c), which is user mode's alone: that is put aside here, and asked for again
 * at the end of the system call. Other notifications can be seen to only where the kernel leaves
 * for user mode; the system call then begins anew (run.c).
 */
static bool can_wait(struct hutch_vcpu *vcpu)
{
	clear_thread_flag(TIF_NOTIFY_RESUME);
	/* Who adds work sets the flag afterwards: it is seen here, or the flag is set again. */
	smp_mb__after_atomic();
	vcpu->notify_again = !is_notified();
	if (!vcpu->notify_again)
		set_thread_flag(TIF_NOTIFY_RESUME);
	return vcpu->notify_again;
}

int host_do_work(struct hv_vcpu *vcpu)
{
	unsigned long flags = READ_ONCE(current_thread_info()->flags);
	bool enabled;

	if (flags & (_TIF_SIGPENDING | _TIF_NOTIFY_SIGNAL) ||
	    (flags & _TIF_NOTIFY_RESUME && !can_wait(vcpu->host)))
		return HOST_EINTR;
	if (flags & _TIF_NEED_RESCHED)
		schedule();
	preempt_disable();
	enabled = cpu_is_enabled();
	preempt_enable();
	/* A CPU that goes down sends its threads elsewhere when they sleep. */
	if (!enabled)
		schedule_timeout_uninterruptible(1);
	return HOST_OK;
}

/* With nobody to give it to, this is soon over. */
void host_yield(void)
{
	yield();
}

static void left_guest(void *unused)
{
	/* The interrupt that brought us here has already done it. */
}

void host_kick(struct hv_vcpu *vcpu, bool wait)
{
	unsigned int cpu = READ_ONCE(vcpu->cpu_number);

	if (wait) {
		smp_call_function_single(cpu, left_guest, NULL, 1);
		return;
	}
	preempt_disable();
	if (cpu != smp_processor_id() && cpu_online(cpu))
		smp_send_reschedule(cpu);
	preempt_enable();
}

void host_call_on(unsigned int cpu, void (*function)(void *argument), void *argument)
{
	smp_call_function_single(cpu, function, argument, 1);
}

void host_change_cr4(uint64_t set, uint64_t clear)
{
	unsigned long flags;

	local_irq_save(flags);
	cr4_update_irqsoff(set, clear);
	local_irq_restore(flags);
}

/*
 * Each can have become another one meanwhile, by a system call of another thread: those
 * that can't be loaded any more become null, which the kernel's own exception tables see
 * to. TR is loaded anew when somebody needs its bitmap.
 */
void host_restore_selectors(const struct host_selectors *selectors)
{
	if (selectors->ldt)
		asm volatile("lldt %0" : : "m"(selectors->ldt));
	if (selectors->ds)
		loadsegment(ds, selectors->ds);
	if (selectors->es)
		loadsegment(es, selectors->es);
	if (selectors->fs)
		loadsegment(fs, selectors->fs);
	if (selectors->gs)
		load_gs_index(selectors->gs);
	invalidate_tss_limit();
}

/* The gate of vector 2 leads to where the NMI would have gone; its IRET allows the next. */
void host_handle_nmi(void)
{
	asm volatile("int $2");
}

void host_handle_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = 3, /* as if user mode had been interrupted: all of it can be given up */
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

uint64_t host_spec_ctrl(void)
{
	return spec_ctrl_current();
}

void host_prediction_barrier(void)
{
	indirect_branch_prediction_barrier();
}

/*
 * Where Linux unlearns returns on its way in by sequences made for one model, the
 * processor's own barrier does the same for all.
 */
unsigned int host_barriers(void)
{
	unsigned int barriers = 0;

	if (boot_cpu_has(X86_FEATURE_RSB_VMEXIT) || boot_cpu_has(X86_FEATURE_RSB_VMEXIT_LITE))
		barriers |= HOST_FILL_RETURNS;
	/* Where Linux untrains returns on its way in: an exit of a guest is another. */
	if (boot_cpu_has(X86_FEATURE_IBPB) && compat_untrains_returns())
		barriers |= HOST_FORGET_BRANCHES;
	if (compat_clears_history())
		barriers |= HOST_CLEAR_HISTORY;
	if (compat_clears_buffers())
		barriers |= HOST_CLEAR_BUFFERS;
	return barriers;
}

/* DR0 to DR3 may stay the guest's for as long as DR7 enables none of them. */
void host_debug_restore(void)
{
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
}

/* ---- the rest ------------------------------------------------------------------------------- */

uint64_t host_nanoseconds(void)
{
	return ktime_get_mono_fast_ns();
}

void host_log(const char *text)
{
	pr_info_ratelimited("hutch: %s\n", text);
}

void host_complain(const char *text)
{
	pr_err_ratelimited("hutch: broken: %s (%pS)\n", text, __builtin_return_address(0));
}

void *host_memset(void *to, int byte, size_t size)
{
	return memset(to, byte, size);
}

void *host_memcpy(void *to, const void *from, size_t size)
{
	return memcpy(to, from, size);
}
