/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_HOST_LINUX_HUTCH_H
#define HUTCH_HOST_LINUX_HUTCH_H

/*
 * The core as a Linux module, with the KVM ABI in front: what a VM and a vCPU are to the
 * module, and what its files tell each other.
 *
 *	/dev/hutch  ->  VM descriptor  ->  vCPU descriptor  ->  mmap of kvm_run
 *
 * Ownership. Every descriptor of a vCPU, and through it every mapping, holds its VM; a VM
 * holds its vCPUs until its own end. The last to let go frees it all, in whatever order
 * they are closed.
 *
 * Locks, outer first: a vCPU's @lock (an ioctl of it), the VM's @lock (its settings), the
 * core's own. @devices_lock stands alone.
 *
 * The core's headers come before Linux's in every file: some names are constants of an
 * enum there and macros, of the same value, here.
 */

#include "core/checks.h"
#include "core/cpu.h"
#include "core/hv.h"

#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/kvm.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/rcuwait.h>
#include <linux/rwsem.h>
#include <linux/signal_types.h>
#include <linux/spinlock.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>

/* The pages of a vCPU's mapping (Linux, Documentation/virt/kvm/api.rst, 4.4 and 4.116). */
enum vcpu_page {
	VCPU_PAGE_RUN,
	VCPU_PAGE_PORT = KVM_PIO_PAGE_OFFSET,
	VCPU_PAGE_COALESCED = KVM_COALESCED_MMIO_PAGE_OFFSET,
	VCPU_PAGE_COUNT,
};

struct msr_filter;
struct routing;

/* Which interrupt controllers are here: irqchip.c. */
enum irqchip_kind {
	IRQCHIP_NONE,
	IRQCHIP_SPLIT,
	IRQCHIP_FULL,
};

struct hutch_vm {
	struct hv_vm hv;
	struct kref references;
	struct mm_struct *mm; /* of the VMM, whose memory the guest has */
	struct mmu_notifier notifier;
	struct mutex lock; /* guards the settings from here on, and vCPUs' making */
	struct list_head vcpus;
	bool manual_dirty_log; /* KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2 */
	uint32_t msr_reasons;  /* KVM_MSR_EXIT_REASON_* that go to the VMM */
	uint64_t tss_address;
	unsigned int mmu_pages;
	struct msr_filter __rcu *msr_filter;
	bool wide_apic_ids, no_short_broadcast; /* KVM_CAP_X2APIC_API */

	/* Interrupt controllers: irqchip.c; once made they stay. */
	enum irqchip_kind irqchip_kind;
	struct routing __rcu *routing;
	spinlock_t irqfds_lock;
	struct list_head irqfds;
	struct list_head resamplers; /* guarded by the core's lock of its controllers */

	/* Port and MMIO writes that the VMM is not woken for. */
	struct rw_semaphore devices_lock;
	struct list_head event_ranges;	   /* ioeventfd.c */
	struct list_head coalesced_ranges; /* coalesced.c */
	spinlock_t ring_lock;
	struct kvm_coalesced_mmio_ring *ring;

	struct dentry *directory; /* below /sys/kernel/debug/hutch */
};

struct hutch_vcpu {
	struct hv_vcpu hv;
	struct hutch_vm *vm;
	struct list_head list;
	struct mutex lock; /* one ioctl at a time */
	struct preempt_notifier preempt_notifier;
	bool loaded; /* on this CPU, of which the thread knows only while pinned */
	struct kvm_run *run;
	uint8_t *data; /* of port I/O: a page */
	struct fpu_guest fpu;
	sigset_t signal_mask;
	bool has_signal_mask;
	bool notify_again;   /* host_do_work() has put something aside for the way to user mode */
	struct rcuwait wait; /* host_wait.c */
	bool answering;	     /* hv.call waits for what kvm_run says */
};

/* ---- module.c ------------------------------------------------------------------------ */

extern const struct hv_cpu_ops *hutch_ops;
extern const char *hutch_name;

/* Whether guests can run on this CPU: not while it comes up or goes down. Pinned. */
DECLARE_PER_CPU(bool, hutch_cpu_enabled);
static inline bool cpu_is_enabled(void)
{
	return __this_cpu_read(hutch_cpu_enabled);
}

/* ---- account.c: memory of our own, zeroed; NULL: there is none ------------------------- */

void *own_alloc(size_t size);
void own_free(const void *memory); /* or NULL */
void *own_pages(unsigned int order);
void own_pages_free(void *given, unsigned int order); /* or NULL */
/* What others have allocated for us, and what we give to others to free. */
void account(long change);
/* At the very end: whether all is given back. Says so if not. */
bool account_is_even(void);

/* ---- device.c, vm.c, vcpu.c ------------------------------------------------------------ */

extern const struct file_operations hutch_device_operations;

long vm_create(unsigned long type);
void vm_get(struct hutch_vm *vm);
void vm_put(struct hutch_vm *vm);

long vcpu_create(struct hutch_vm *vm, unsigned long id);
void vcpu_destroy(struct hutch_vcpu *vcpu);

/* ---- the ABI: abi.c, from abi.def -------------------------------------------------------- */

long abi_system(unsigned int request, unsigned long argument);
long abi_vm(struct hutch_vm *vm, unsigned int request, unsigned long argument);
/* With @lock held, loaded. */
long abi_vcpu(struct hutch_vcpu *vcpu, unsigned int request, unsigned long argument);

/* capability.c: what KVM_CHECK_EXTENSION says; 0: not here. */
long capability_value(unsigned long capability);

/* Handlers that abi.def names; each takes the ioctl's own argument. */
#define SYSTEM_HANDLER(name)	       long name(unsigned long argument)
#define VM_HANDLER(name)	       long name(struct hutch_vm *vm, unsigned long argument)
#define VCPU_HANDLER(name)	       long name(struct hutch_vcpu *vcpu, unsigned long argument)

#define SYSTEM(request, handler, text) SYSTEM_HANDLER(handler);
#define VM(request, handler, text)     VM_HANDLER(handler);
#define VCPU(request, handler, text)   VCPU_HANDLER(handler);
#define SYSTEM_REFUSED(request, error, text)
#define VM_REFUSED(request, error, text)
#define VCPU_REFUSED(request, error, text)
#define ABSENT(request, text)
#include "host/linux/abi.def"
#include "host/linux/abi_undefine.def"

/* ---- run.c --------------------------------------------------------------------------------- */

/* Takes over, and gives out, what both sides of kvm_run share (KVM_CAP_SYNC_REGS). */
#define SYNC_FIELDS (KVM_SYNC_X86_REGS | KVM_SYNC_X86_SREGS | KVM_SYNC_X86_EVENTS)

/* ---- state.c ------------------------------------------------------------------------------- */

void regs_get(struct hutch_vcpu *vcpu, struct kvm_regs *regs);
void regs_set(struct hutch_vcpu *vcpu, const struct kvm_regs *regs);
void sregs_get(struct hutch_vcpu *vcpu, struct kvm_sregs *sregs);
int sregs_set(struct hutch_vcpu *vcpu, const struct kvm_sregs *sregs);
void events_get(struct hutch_vcpu *vcpu, struct kvm_vcpu_events *events);
int events_set(struct hutch_vcpu *vcpu, const struct kvm_vcpu_events *events);

/* ---- fpu.c --------------------------------------------------------------------------------- */

int fpu_create(struct hutch_vcpu *vcpu);
void fpu_free(struct hutch_vcpu *vcpu);
/* Bytes that KVM_GET_XSAVE2 and KVM_SET_XSAVE take. */
unsigned int fpu_size(void);

/* ---- cpuid.c ------------------------------------------------------------------------------- */

/* XCR0's bits that guests may have. */
uint64_t cpuid_xcr0(void);
void cpuid_free(struct hutch_vcpu *vcpu);

/* ---- msrs.c, msr_filter.c -------------------------------------------------------------------- */

void msr_filter_destroy(struct hutch_vm *vm);

/* ---- memory.c -------------------------------------------------------------------------------- */

int memory_watch(struct hutch_vm *vm);
void memory_unwatch(struct hutch_vm *vm);

/* ---- host_clock.c ----------------------------------------------------------------------------- */

/* The host went to sleep, and is back: its counters may have begun anew. */
void host_clock_slept(void);

/* ---- ioeventfd.c, coalesced.c: true if nobody else has to see the write ----------------------- */

bool event_signal(struct hutch_vm *vm, bool port, uint64_t address, unsigned int size,
		  const void *data);
void event_destroy(struct hutch_vm *vm);

bool coalesced_write(struct hutch_vm *vm, bool port, uint64_t address, unsigned int size,
		     const void *data);
int coalesced_init(struct hutch_vm *vm);
void coalesced_destroy(struct hutch_vm *vm);

/* ---- irqchip.c, irqchip_state.c, routing.c, irqfd.c ------------------------------------------- */

void irqchip_init(struct hutch_vm *vm);
void irqchip_destroy(struct hutch_vm *vm);
/* KVM_ENABLE_CAP, with the VM's lock held. */
long irqchip_enable(struct hutch_vm *vm, const struct kvm_enable_cap *wanted);

#define X2APIC_FLAGS (KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)

/* The table of a VM that is given controllers, with its lock held; and its end. */
int routing_start(struct hutch_vm *vm, bool split);
void routing_destroy(struct hutch_vm *vm);
/* Tells a timer that is new, or not yet told. */
void routing_follow(struct hutch_vm *vm);
/* What became of the level, as KVM_IRQ_LINE_STATUS tells it. */
int routing_set(struct hutch_vm *vm, uint32_t gsi, enum hv_source source, bool level);
/* An edge to a message, if it leads to one and nobody is in the way. Any context. */
bool routing_try_message(struct hutch_vm *vm, uint32_t gsi);
bool routing_leads(struct hutch_vm *vm, uint32_t gsi, enum hv_controller which, unsigned int input);

/* Around all VMs. */
int irqfd_start(void);
void irqfd_stop(void);
void irqfd_destroy(struct hutch_vm *vm);
void irqfd_input_ended(struct hv_vm *hv, enum hv_controller which, unsigned int input);

bool pit_exists(struct hutch_vm *vm);

/* There are local APICs here, and whatever belongs to them is in place. */
static inline bool irqchip_exists(struct hutch_vm *vm)
{
	return smp_load_acquire(&vm->hv.irqchip);
}

/* ---- debug.c: /sys/kernel/debug/hutch -------------------------------------------------------- */

void debug_init(void);
void debug_exit(void);
void debug_add_vm(struct hutch_vm *vm);
void debug_remove_vm(struct hutch_vm *vm);
void debug_add_vcpu(struct hutch_vcpu *vcpu);

/* ---- small help ------------------------------------------------------------------------------- */

static inline void __user *user_pointer(unsigned long argument)
{
	return (void __user *)argument;
}

#endif
