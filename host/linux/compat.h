/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HOST_LINUX_COMPAT_H
#define HUTCH_HOST_LINUX_COMPAT_H

/*
 * What Linux has given other names or other arguments since 6.1, for which the module was
 * written: here in one place, under one name each.
 */

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/kvm.h>
#include <linux/version.h>
#include <asm/cpufeature.h>

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 8, 0)
#define compat_eventfd_signal(event) eventfd_signal(event)
#else
#define compat_eventfd_signal(event) eventfd_signal(event, 1)
#endif

#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 12, 0)
#define compat_fd_file(fd) fd_file(fd)
#else
#define compat_fd_file(fd) ((fd).file)
#endif

/* The thread shall wait for a disk, on its way to user mode. */
#ifndef CONFIG_BLK_CGROUP
#define compat_is_throttled(task) false
#elif LINUX_VERSION_CODE >= KERNEL_VERSION(6, 3, 0)
#define compat_is_throttled(task) ((task)->throttle_disk)
#else
#define compat_is_throttled(task) ((task)->throttle_queue)
#endif

/* The flag in kvm_run, which its VMM may write at any time. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 10, 0)
#define compat_immediate_exit(run) READ_ONCE((run)->immediate_exit__unsafe)
#else
#define compat_immediate_exit(run) READ_ONCE((run)->immediate_exit)
#endif

/*
 * What this kernel has decided to do about speculation, under the names that it has for it:
 * those that were found later are not in every one.
 */
static inline bool compat_untrains_returns(void)
{
	return boot_cpu_has(X86_FEATURE_UNRET) || boot_cpu_has(X86_FEATURE_ENTRY_IBPB)
#ifdef X86_FEATURE_SRSO
	       || boot_cpu_has(X86_FEATURE_SRSO)
#endif
#ifdef X86_FEATURE_SRSO_ALIAS
	       || boot_cpu_has(X86_FEATURE_SRSO_ALIAS)
#endif
#ifdef X86_FEATURE_IBPB_ON_VMEXIT
	       || boot_cpu_has(X86_FEATURE_IBPB_ON_VMEXIT)
#endif
		;
}

static inline bool compat_clears_history(void)
{
#ifdef X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
	return boot_cpu_has(X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT);
#else
	return false;
#endif
}

static inline bool compat_clears_buffers(void)
{
#ifdef X86_FEATURE_CLEAR_CPU_BUF_VM
	return boot_cpu_has(X86_FEATURE_CLEAR_CPU_BUF_VM);
#else
	return false;
#endif
}

#endif
