/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/hrtimer.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

/*
 * Time and sleep for the core: a vCPU that has nothing to run is a thread that waits, and
 * what its timer, a device or another vCPU has for it wakes it.
 */

/* ---- sleep ----------------------------------------------------------------------------- */

static struct hutch_vcpu *host_of(struct hv_vcpu *vcpu)
{
	return vcpu->host;
}

int host_wait(struct hv_vcpu *vcpu)
{
	return rcuwait_wait_event(&host_of(vcpu)->wait, hv_vcpu_has_attention(vcpu),
				  TASK_INTERRUPTIBLE);
}

void host_wake(struct hv_vcpu *vcpu)
{
	if (rcuwait_active(&host_of(vcpu)->wait))
		rcuwait_wake_up(&host_of(vcpu)->wait);
}

/* ---- timers ---------------------------------------------------------------------------- */

struct host_timer {
	struct hrtimer timer;
	struct work_struct work; /* for the VM's, which takes a lock */
	struct hv_vm *vm;
	struct hv_vcpu *vcpu;
};

static void vm_timer_due(struct work_struct *work)
{
	hv_irqchip_pit_due(container_of(work, struct host_timer, work)->vm);
}

static enum hrtimer_restart timer_due(struct hrtimer *timer)
{
	struct host_timer *own = container_of(timer, struct host_timer, timer);

	if (own->vcpu)
		hv_vcpu_timer_due(own->vcpu);
	else
		schedule_work(&own->work);
	return HRTIMER_NORESTART;
}

struct host_timer *host_timer_new(struct hv_vm *vm, struct hv_vcpu *vcpu)
{
	struct host_timer *timer = own_alloc(sizeof(*timer));

	if (!timer)
		return NULL;
	timer->vm = vm;
	timer->vcpu = vcpu;
	INIT_WORK(&timer->work, vm_timer_due);
	hrtimer_init(&timer->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_HARD);
	timer->timer.function = timer_due;
	return timer;
}

void host_timer_free(struct host_timer *timer)
{
	hrtimer_cancel(&timer->timer);
	/* What it started may set it once more. */
	cancel_work_sync(&timer->work);
	hrtimer_cancel(&timer->timer);
	own_free(timer);
}

/* It may be running at this moment; then it does no harm: whoever is called looks at the time. */
void host_timer_set(struct host_timer *timer, uint64_t moment)
{
	if (moment == UINT64_MAX)
		hrtimer_try_to_cancel(&timer->timer);
	else
		hrtimer_start(&timer->timer, ns_to_ktime(moment), HRTIMER_MODE_ABS_HARD);
}
