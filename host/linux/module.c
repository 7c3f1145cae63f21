/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/cpuhotplug.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/smp.h>
#include <linux/syscore_ops.h>
#include <asm/tsc.h>

/*
 * hutch.ko comes and goes. It asks the core what this processor can do, switches
 * virtualization on on every CPU, and only then shows /dev/hutch; it leaves in the reverse
 * order, and only while no VM is open (each descriptor holds the module).
 *
 * CPUs come and go, too: one that comes up is switched on, one that goes down is switched
 * off, and none is on while the machine sleeps or restarts. What runs there meanwhile asks
 * cpu_is_enabled() and goes elsewhere.
 */

static char *name = "hutch";
module_param(name, charp, 0444);
MODULE_PARM_DESC(name, "the device's name below /dev (kvm: for clients that know no other)");

module_param_named(apicv, hv_options.apic_virtualization, int, 0444);
MODULE_PARM_DESC(apicv, "local APICs in the processor's own hands: 1 where it can, 0 never "
			"(default: where it can post interrupts, too)");

module_param_named(pml, hv_options.write_log, bool, 0444);
MODULE_PARM_DESC(pml, "dirty logs from the processor's own log, where it keeps one (default: yes)");

module_param_named(unrestricted, hv_options.unrestricted_guest, bool, 0444);
MODULE_PARM_DESC(unrestricted, "real mode on the processor itself, where it can (default: yes)");

module_param_named(preemption_timer, hv_options.preemption_timer, bool, 0444);
MODULE_PARM_DESC(preemption_timer,
		 "guests' timers by the processor's own, while they run, where it "
		 "has one (default: yes)");

static bool debug;
module_param(debug, bool, 0444);
MODULE_PARM_DESC(
	debug, "look for faults of our own, which takes time: what is broken is a line in the log");

const struct hv_cpu_ops *hutch_ops;
const char *hutch_name;

/* ---- CPUs ----------------------------------------------------------------------------------- */

DEFINE_PER_CPU(bool, hutch_cpu_enabled);

/* On the CPU itself, where no interrupt and no other thread can come in between. */
static int enable_here(void)
{
	unsigned long flags;
	int error = 0;

	local_irq_save(flags);
	if (!cpu_is_enabled()) {
		error = hv_cpu_enable(hutch_ops);
		__this_cpu_write(hutch_cpu_enabled, !error);
	}
	local_irq_restore(flags);
	return error;
}

static void disable_here(void *unused)
{
	unsigned long flags;

	local_irq_save(flags);
	if (cpu_is_enabled()) {
		__this_cpu_write(hutch_cpu_enabled, false);
		hv_cpu_disable(hutch_ops);
	}
	local_irq_restore(flags);
}

/* Linux calls it for each CPU in turn; when one fails, those before it are brought down. */
static int cpu_comes(unsigned int cpu)
{
	int error = enable_here();

	if (error)
		pr_err("hutch: CPU %u: virtualization can't be switched on (error %d)%s\n", cpu,
		       error, error == -EBUSY ? ": another hypervisor has it; unload that" : "");
	return error;
}

static int cpu_goes(unsigned int cpu)
{
	disable_here(NULL);
	return 0;
}

static enum cpuhp_state cpu_state;

static int cpus_start(void)
{
	int state = cpuhp_setup_state(CPUHP_AP_ONLINE_DYN, "hutch:online", cpu_comes, cpu_goes);

	if (state < 0)
		return state;
	cpu_state = state;
	return 0;
}

static void cpus_stop(void)
{
	cpuhp_remove_state(cpu_state);
}

/* ---- sleep and restart ------------------------------------------------------------------------- */

static u64 tsc_before;

/* With one CPU left and interrupts off: the others have gone down before. */
static int suspend(void)
{
	disable_here(NULL);
	tsc_before = rdtsc_ordered();
	return 0;
}

static void resume(void)
{
	host_clock_slept();
	hv_tsc_slept(tsc_before, rdtsc_ordered());
	if (enable_here())
		pr_err("hutch: virtualization can't be switched on after sleep\n");
}

static struct syscore_ops sleep_operations = {
	.suspend = suspend,
	.resume = resume,
};

static int restarting(struct notifier_block *block, unsigned long action, void *unused)
{
	on_each_cpu(disable_here, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block restart_notifier = {
	.notifier_call = restarting,
	.priority = 0,
};

/* ---- the device ---------------------------------------------------------------------------------- */

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.fops = &hutch_device_operations,
	.mode = 0600,
};

static int __init hutch_init(void)
{
	char why[160];
	int error;

	preempt_disable();
	hutch_ops = hv_probe(why, sizeof(why));
	preempt_enable();
	if (!hutch_ops) {
		pr_err("hutch: %s\n", why);
		return -EOPNOTSUPP;
	}
	hutch_name = name;
	hv_checks = debug;
	error = hv_start(hutch_ops);
	if (error)
		return error;
	/* Once for all VMs: the scheduler's code is patched for it. */
	preempt_notifier_inc();
	error = cpus_start();
	if (error)
		goto err_core;
	register_syscore_ops(&sleep_operations);
	register_reboot_notifier(&restart_notifier);
	error = irqfd_start();
	if (error)
		goto err_notifiers;
	debug_init();
	device.name = name;
	error = misc_register(&device);
	if (error)
		goto err_debug;
	pr_info("hutch: %s, on %u CPUs, at /dev/%s%s\n", hutch_ops->name, num_online_cpus(), name,
		debug ? ", with all checks" : "");
	return 0;
err_debug:
	debug_exit();
	irqfd_stop();
err_notifiers:
	unregister_reboot_notifier(&restart_notifier);
	unregister_syscore_ops(&sleep_operations);
	cpus_stop();
err_core:
	preempt_notifier_dec();
	hv_stop(hutch_ops);
	account_is_even();
	return error;
}

static void __exit hutch_exit(void)
{
	misc_deregister(&device);
	debug_exit();
	irqfd_stop();
	unregister_reboot_notifier(&restart_notifier);
	unregister_syscore_ops(&sleep_operations);
	cpus_stop();
	rcu_barrier(); /* filters on their way out are freed by code of ours */
	preempt_notifier_dec();
	hv_stop(hutch_ops);
	if (account_is_even())
		pr_info("hutch: gone, and nothing is left behind\n");
}

module_init(hutch_init);
module_exit(hutch_exit);
MODULE_DESCRIPTION("Hutch, a hypervisor with the KVM ABI");
MODULE_LICENSE("Dual MIT/GPL");
