/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_HV_H
#define HUTCH_CORE_HV_H

/*
 * The hypervisor as its hosts see it: VMs with memory slots, vCPUs with state, and one
 * call that runs a guest until somebody outside the core has to act.
 *
 *	host            core                              hardware
 *	KVM_RUN    ->   hv_vcpu_run()
 *	                  event.c: what to inject
 *	                  ops->enter()            ->      guest code
 *	                  struct hv_exit          <-      VM exit
 *	                  exit.c: one handler
 *	                    RESUME: again
 *	kvm_run    <-       TO_HOST: vcpu->call
 *
 * Ownership: a VM owns its slots and tables, a vCPU belongs to one VM and goes first.
 * Locks: a vCPU's state is touched by one thread at a time, which its host sees to; the
 * exceptions are the fields marked "shared". A VM's memory has two locks, @slots_lock
 * outside @table_lock.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/exit.h"
#include "core/host.h"
#include "x86/decode.h"
#include "x86/segment.h"

#define HV_VCPU_MAX	 1024
#define HV_SLOT_MAX	 512
#define HV_CPUID_MAX	 256
#define HV_PAGE_SIZE	 4096ull
#define HV_DATA_SIZE	 4096 /* of vcpu->data */
#define HV_SEGMENT_COUNT 6

/* ---- the state of a virtual processor --------------------------------------------- */

struct hv_table_register {
	uint64_t base;
	uint16_t limit;
};

/* What a guest's operating system sets up, and changes seldom. */
struct hv_system {
	uint64_t cr0, cr2, cr3, cr4, cr8, efer;
	struct segment segments[HV_SEGMENT_COUNT]; /* by enum segment_number */
	struct segment ldtr, tr;
	struct hv_table_register gdtr, idtr;
};

/* Something to be delivered through the guest's IDT. */
enum hv_event_type { /* as both processors number them: SDM 3, 25.8.3; APM 2, 15.20 */
		     HV_EVENT_INTERRUPT = 0,
		     HV_EVENT_NMI = 2,
		     HV_EVENT_EXCEPTION = 3,
		     HV_EVENT_SOFT_INTERRUPT = 4,
		     HV_EVENT_PRIVILEGED_EXCEPTION = 5, /* INT1; VT-x alone */
		     HV_EVENT_SOFT_EXCEPTION = 6,	/* INT3, INTO; VT-x alone */
};

struct hv_event {
	bool valid;
	uint8_t type; /* enum hv_event_type */
	uint8_t vector;
	bool has_error_code;
	uint32_t error_code;
	uint8_t length; /* of the instruction behind a software event */
};

/* SDM 3, table 25-3, and AMD's one shadow for both */
#define HV_SHADOW_STI	 (1u << 0)
#define HV_SHADOW_MOV_SS (1u << 1)

struct hv_pending {
	struct hv_event injecting; /* on its way when the guest left: goes on first */
	struct hv_event exception;
	bool interrupt; /* one from the VMM, @vector: KVM_INTERRUPT */
	uint8_t vector;
	uint8_t nmis; /* waiting: two at most, as the second is latched (SDM 3, 6.7.1) */
	bool nmi_blocked;
};

struct hv_cpuid {
	uint32_t function, index;
	bool indexed; /* @index counts */
	uint32_t eax, ebx, ecx, edx;
};

/* ---- what the host is asked to do ------------------------------------------------- */

enum hv_call_kind {
	HV_CALL_NONE,
	HV_CALL_IO,	      /* @io; data in vcpu->data */
	HV_CALL_MMIO,	      /* @mmio */
	HV_CALL_HLT,	      /* nothing to run before an interrupt */
	HV_CALL_SHUTDOWN,     /* triple fault */
	HV_CALL_MSR,	      /* @msr */
	HV_CALL_DEBUG,	      /* @debug */
	HV_CALL_INTERRUPTED,  /* a signal, or hv_vcpu_run() was told not to enter */
	HV_CALL_TPR_LOWERED,  /* CR8 fell: the VMM has the local APIC */
	HV_CALL_WINDOW_OPEN,  /* an interrupt can be given now */
	HV_CALL_EOI,	      /* @eoi: for the VMM's IOAPIC */
	HV_CALL_ENTRY_FAILED, /* @exit says what the processor said */
	HV_CALL_UNEMULATED,   /* an instruction that is not known here: bytes in @code */
	HV_CALL_UNKNOWN,      /* @exit, for which there is no handler */
};

/* Why an MSR goes to the VMM: bits, as KVM_CAP_X86_USER_SPACE_MSR has them. */
#define HV_MSR_INVALID	(1u << 0) /* it is not there, or not so */
#define HV_MSR_FILTERED (1u << 1)

struct hv_call {
	enum hv_call_kind kind;
	union {
		struct {
			uint16_t port;
			uint8_t size;
			bool in;
			uint32_t count;
		} io;
		struct {
			uint64_t gpa;
			uint8_t size; /* 1 to 8 */
			bool write;
			uint8_t bytes[8];
		} mmio;
		struct {
			uint32_t index;
			uint64_t value;
			bool write, failed; /* @failed: the VMM's answer is #GP */
			uint32_t why;
		} msr;
		struct {
			uint8_t vector;
			uint64_t rip, dr6, dr7;
		} debug;
		struct {
			uint8_t bytes[INSTRUCTION_LENGTH_MAX];
			uint8_t count;
		} code;
		struct {
			uint8_t vector;
		} eoi;
	};
	struct hv_exit exit; /* the last one, which led here */
};

/* ---- memory ------------------------------------------------------------------------ */

struct hv_slot {
	uint32_t id;
	uint64_t gpa, size, hva; /* bytes, all multiples of a page */
	bool read_only;
	uint64_t *dirty; /* one bit for each page, or NULL */
};

struct hv_slots {
	unsigned int count;
	struct hv_slot slots[]; /* by rising gpa */
};

/* The second level of translation: core/table.h. */
struct hv_table {
	const struct table_format *format;
	void *root;
	unsigned int levels;
	uint64_t pages; /* that it consists of */
};

/* Who may hold an input of an interrupt controller; it is high while anyone does. */
enum hv_source {
	HV_SOURCE_VMM,
	HV_SOURCE_RESAMPLED, /* let go by the end of the interrupt */
	HV_SOURCE_TIMER,     /* the 8254 */
};

enum hv_controller {
	HV_PIC,
	HV_IOAPIC,
};

/* Pages for tables, set aside before a lock is taken. */
#define TABLE_LEVELS_MAX 5

struct table_reserve {
	void *pages[TABLE_LEVELS_MAX];
	unsigned int count;
};

/* The guest's clock: core/clock.c. */
struct hv_clock {
	struct host_spinlock *lock; /* also: the VM's tsc_offset */
	/* It said @nanoseconds when the host's counter said @tsc. */
	uint64_t nanoseconds, tsc;
	int64_t offset; /* that this is ahead of the host's clock */
	bool stable;	/* so it goes on by the counter, on every CPU */
	uint32_t changes;
	uint32_t multiplier; /* of the host's counter: core/clock.h */
	int8_t shift;
};

struct hv_vm {
	const struct hv_cpu_ops *ops;
	struct host_rwlock *slots_lock;
	struct hv_slots *slots;
	struct host_spinlock *table_lock; /* also: the three below */
	struct hv_table table;
	unsigned int invalidating; /* ranges of the VMM's memory that are being taken away */
	uint64_t invalidate_sequence;
	uint64_t invalidate_start, invalidate_end;
	bool logging;		 /* shared: a slot has a dirty log that the processor keeps */
	uint64_t tlb_generation; /* shared: counts what every vCPU has to forget */
	struct hv_vcpu *vcpus[HV_VCPU_MAX];
	unsigned int vcpu_count;
	uint64_t slots_generation; /* shared: counts the changes of @slots */
	struct hv_clock clock;
	uint64_t wall_clock; /* KVM_MSR_WALL_CLOCK */
	uint64_t tsc_offset; /* of the vCPU whose counter was set last */
	uint64_t tsc_lost;   /* of hv_tsc_lost: what is in that already */
	uint32_t tsc_khz;    /* of vCPUs that are made */
	uint32_t msr_calls;  /* HV_MSR_*: which MSR accesses go to the VMM */
	/* The VMM's filter: may the guest do this here? NULL: anything. May sleep. */
	bool (*msr_allowed)(struct hv_vm *vm, uint32_t index, bool write);
	bool msrs_closed;	    /* shared: it forbids what guests do without an exit */
	struct hv_irqchip *irqchip; /* core/irqchip.h; NULL: the VMM has the controllers */
	uint32_t bootstrap;	    /* the vCPU that starts; before any is made */
	/* An input that HV_SOURCE_RESAMPLED held was ended, and is low now. No sleep. */
	void (*input_ended)(struct hv_vm *vm, enum hv_controller which, unsigned int input);
	/*
	 * With a vCPU, the page here is neither the VMM's nor the guest's, as the processor
	 * keeps a table there (core/vmx/restricted.c). 0: it needs none.
	 */
	uint64_t identity_map;
	void *cpu;  /* core/svm's or core/vmx's own */
	void *host; /* the host's own */
};

/* Being debugged by the VMM: core/debug.h. */
struct hv_debug {
	bool single_step, breakpoints, watches; /* steps, INT3, the VMM's own dr */
	bool wanted;				/* the first or the last of these */
	bool stepping;				/* TF is not the guest's */
	uint64_t dr[4], dr6, dr7;
};

enum hv_mode {
	HV_OUTSIDE,
	HV_IN_GUEST, /* or so close that only an IPI gets it out */
};

/* Things that a vCPU must see to before it enters: bits of vcpu->requests. */
#define HV_REQUEST_RETURN   (1u << 0) /* leave hv_vcpu_run() */
#define HV_REQUEST_CLOCK    (1u << 1) /* tell the guest the time anew */
#define HV_REQUEST_STEAL    (1u << 2) /* and the time that others had its CPU */
#define HV_REQUEST_SHUTDOWN (1u << 3) /* as after a triple fault */
#define HV_REQUEST_MSRS	    (1u << 4) /* the filter has changed */

/* What a guest has asked for by MSRs of its hypervisor's: core/paravirtual.h. */
struct hv_paravirtual {
	bool enforced;	      /* only what CPUID shows is there */
	uint64_t system_time; /* the MSRs */
	uint64_t steal_time;
	uint64_t eoi;
	bool stopped;		/* it is to be told that it stood still */
	bool eoi_offered;	/* it may have ended an interrupt in its memory */
	uint32_t unhalted;	/* shared: somebody woke it, from this HLT or the next */
	uint32_t clock_changes; /* the host's, when the guest was last told the time */
	uint64_t run_delay;	/* of the thread, up to where the guest has been told */
	uint64_t steal_hva, steal_generation; /* where the host finds the page; 0: nowhere */
};

/* Machine checks: SDM 3, 16.3. */
#define HV_MCE_BANKS_MAX     32u
#define HV_MCE_BANK_WORDS    4u				  /* CTL, STATUS, ADDR, MISC */
#define HV_MCE_CAP_SUPPORTED ((1ull << 8) | (1ull << 24)) /* MCG_CTL_P, MCG_SER_P */

/* AMD's HWCR: a guest may write what stands in a bank, as test programs do (APM 2, 9.3.2). */
#define HV_HWCR_MC_STATUS_WRITE (1ull << 18)

struct hv_machine_check {
	uint64_t cap, status, control;
	uint64_t banks[HV_MCE_BANKS_MAX][HV_MCE_BANK_WORDS];
};

struct hv_vcpu {
	struct hv_vm *vm;
	uint32_t id;

	uint64_t gpr[GPR_COUNT];
	uint64_t rip, rflags;
	uint8_t shadow; /* HV_SHADOW_*, as it was at the exit and shall be at the entry */
	struct hv_pending pending;

	uint64_t dr[4], dr6, dr7;
	bool debug_live; /* the guest has them in the processor, until it is loaded anew */
	uint64_t xcr0, cr8;
	uint32_t pkru;
	bool extended_state; /* the guest can use XCR0 or PKRU: core/extended_state.h */
	uint64_t apic_base, pat, misc_enable, tsc_aux, spec_ctrl;
	uint64_t tsc_offset, tsc_adjust; /* @tsc_offset: shared */
	uint64_t tsc_lost;		 /* of hv_tsc_lost: what is in @tsc_offset already */
	uint64_t tsc_ratio;		 /* shared: to the host's counter; 0: as fast */
	uint32_t tsc_khz;
	struct hv_paravirtual paravirtual;
	uint64_t mtrr_default, mtrr_fixed[11], mtrr_variable[16];

	struct hv_cpuid *cpuid; /* by rising function and index */
	unsigned int cpuid_count, cpuid_last;
	uint8_t address_bits; /* of physical addresses, as that table says; MAXPHYADDR */
	uint8_t linear_bits;  /* of linear addresses, at most: 48 or 57 */
	bool no_1g_pages;

	/* With the host: */
	struct hv_call call;
	int failure; /* what hv_vcpu_run() returns: HOST_OK, or the host could not go on */
	bool (*complete)(
		struct hv_vcpu *vcpu); /* finishes @call at the next run; false: calls again */
	uint8_t *data;		       /* a page for the bytes of port I/O */
	bool wants_window;	       /* the VMM waits for HV_CALL_WINDOW_OPEN */
	struct hv_debug debug;	       /* the VMM debugs the guest */
	bool stepped;		       /* an instruction was carried out here meanwhile */
	bool halted;

	uint32_t mode;		 /* shared: enum hv_mode */
	uint32_t requests;	 /* shared: HV_REQUEST_* */
	uint64_t tlb_seen;	 /* of vm->tlb_generation */
	uint64_t deadline;	 /* the guest leaves when the host's counter is there; 0: never */
	unsigned int cpu_number; /* where it is loaded, or was last */

	uint64_t exits[HV_EXIT_COUNT];
	struct table_reserve reserve;
	struct hv_emulation *emulation;	  /* core/instruction.c's own */
	struct hv_local_apic *local_apic; /* core/irqchip.h; NULL without */
	void *cpu;			  /* core/svm's or core/vmx's own */
	void *host;			  /* the host's own */

	/* Seldom touched, and large: */
	struct hv_machine_check machine_check;
	uint64_t hwcr;
};

/* ---- the processors ----------------------------------------------------------------- */

/* What may be switched off of a processor's abilities; before hv_probe(). */
struct hv_options {
	/* Local APICs in the processor's hands: 1 where it can, 0 never, -1 where it can all of it. */
	int apic_virtualization;
	bool write_log;		 /* the processor notes down which pages are written */
	bool unrestricted_guest; /* guests without paging or protection run by themselves */
	bool preemption_timer;	 /* a guest's timer runs in the processor, while the guest does */
};
extern struct hv_options hv_options;

/*
 * Whether this machine can run guests: the operations of its processor, or NULL with one
 * line in @why that says what is missing or who is in the way.
 */
const struct hv_cpu_ops *hv_probe(char *why, size_t size);

/*
 * Switches virtualization on and off on the CPU where it is called, pinned. Off is fine
 * on one that is not on. Negative: a HOST_ error, and the CPU is as before.
 */
int hv_cpu_enable(const struct hv_cpu_ops *ops);
void hv_cpu_disable(const struct hv_cpu_ops *ops);
/* Around the above, once: pages and tables for all CPUs. May sleep. */
int hv_start(const struct hv_cpu_ops *ops);
void hv_stop(const struct hv_cpu_ops *ops);

/* ---- VMs ------------------------------------------------------------------------------ */

int hv_vm_init(struct hv_vm *vm, const struct hv_cpu_ops *ops);
void hv_vm_free(struct hv_vm *vm); /* without vCPUs */

/*
 * Adds, replaces, moves or (size 0) removes slot @slot->id. HOST_EINVAL, HOST_EEXIST for
 * an overlap, HOST_ENOSPC for too many. May sleep.
 */
int hv_memory_set(struct hv_vm *vm, const struct hv_slot *slot, bool log_dirty);
/* The slot with this id, with @slots_lock held; NULL. */
struct hv_slot *hv_memory_slot(struct hv_vm *vm, uint32_t id);
/* Takes the pages of the slot that are written from now on as new: KVM_GET_DIRTY_LOG. */
void hv_memory_protect(struct hv_vm *vm, const struct hv_slot *slot, uint64_t first_page,
		       uint64_t mask);

/* What the guest has written until now is in the slots' logs. Any, with interrupts on. */
void hv_memory_collect(struct hv_vm *vm);

/*
 * The host takes a range of the VMM's memory away (end: it has); whatever the guest sees
 * of it is gone when begin returns. Any context but interrupts off.
 */
void hv_memory_invalidate_begin(struct hv_vm *vm, uint64_t hva, uint64_t end);
void hv_memory_invalidate_end(struct hv_vm *vm, uint64_t hva, uint64_t end);
/* Whether the guest has touched the range since last asked; forgets it if @clear. */
bool hv_memory_touched(struct hv_vm *vm, uint64_t hva, uint64_t end, bool clear);

/*
 * Where in the VM's physical addresses such a page is, if one is needed; 0: where it is by
 * itself. HOST_EINVAL: not a page below 4 GiB. Before there is a vCPU.
 */
int hv_vm_set_identity_map(struct hv_vm *vm, uint64_t gpa);

/*
 * Sets the VMM's filter of MSRs, which may be asked at any time from then on and may sleep;
 * NULL: none. For vCPUs that are running as well. Not while one is being made.
 */
void hv_vm_filter_msrs(struct hv_vm *vm,
		       bool (*allowed)(struct hv_vm *vm, uint32_t index, bool write));

/* ---- vCPUs ------------------------------------------------------------------------------ */

int hv_vcpu_init(struct hv_vcpu *vcpu, struct hv_vm *vm, uint32_t id, uint8_t *data);
void hv_vcpu_free(struct hv_vcpu *vcpu);
/* As after INIT (SDM 3, table 9-1) or, with @power_on, RESET. */
void hv_vcpu_reset(struct hv_vcpu *vcpu, bool power_on);

/*
 * The vCPU's thread arrives at a CPU, and leaves it; pinned. @sleeps: it waits, or others
 * have its CPU; if not it goes on with something else, such as an answer to its guest.
 */
void hv_vcpu_load(struct hv_vcpu *vcpu, unsigned int cpu);
void hv_vcpu_put(struct hv_vcpu *vcpu, bool sleeps);

/*
 * Finishes what vcpu->call asked for, and runs the guest until vcpu->call asks again.
 * @immediately: the former alone. Returns HOST_OK; HOST_EINTR with HV_CALL_INTERRUPTED;
 * HOST_ENOMEM or HOST_EFAULT where the host has no memory for the guest. Loaded, may sleep.
 */
int hv_vcpu_run(struct hv_vcpu *vcpu, bool immediately);

/* Makes hv_vcpu_run() return soon. From any thread. */
void hv_vcpu_interrupt(struct hv_vcpu *vcpu);
/* Has it see to these HV_REQUEST_* before it enters again. From any context. */
void hv_vcpu_request(struct hv_vcpu *vcpu, uint32_t requests);

/* State, loaded and not running. Setting refuses (false) what no processor can hold. */
void hv_vcpu_get_system(struct hv_vcpu *vcpu, struct hv_system *system);
bool hv_vcpu_set_system(struct hv_vcpu *vcpu, const struct hv_system *system);
bool hv_vcpu_get_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t *value);
bool hv_vcpu_set_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t value);
bool hv_vcpu_set_xcr0(struct hv_vcpu *vcpu, uint64_t value);
void hv_vcpu_set_cpuid(struct hv_vcpu *vcpu, struct hv_cpuid *table, unsigned int count);
/* Whether an interrupt that the VMM gives now will be taken at once. */
bool hv_vcpu_takes_interrupt(struct hv_vcpu *vcpu);

/* ---- time ------------------------------------------------------------------------- */

/* The guest's clock, which begins with its VM, and the host's at the same moment. */
struct hv_clock_reading {
	uint64_t nanoseconds;
	uint64_t wall, tsc; /* the host's, as struct host_clock has them */
	bool stable;	    /* it is the same for all vCPUs, and goes on by their counters */
};
void hv_clock_get(struct hv_vm *vm, struct hv_clock_reading *reading);
/* @wall: when the host's said that, the guest's did; what has gone by since is added. */
void hv_clock_set(struct hv_vm *vm, uint64_t nanoseconds, const uint64_t *wall);
/* The guest stood still, and shall know with its next look. False: it has no clock of ours. */
bool hv_vcpu_clock_stopped(struct hv_vcpu *vcpu);

/* Whether guests' counters can be faster or slower than the host's. */
bool hv_tsc_scales(const struct hv_cpu_ops *ops);
/* The counter's frequency; false: not here. Nearly the host's is the host's. */
bool hv_vcpu_set_tsc_khz(struct hv_vcpu *vcpu, uint32_t khz);
/* The same for vCPUs that are made afterwards. */
bool hv_vm_set_tsc_khz(struct hv_vm *vm, uint32_t khz);
/* What is added to the (scaled) counter of the host's. Loaded. */
void hv_vcpu_set_tsc_offset(struct hv_vcpu *vcpu, uint64_t offset);

/*
 * The host's counter said @before when the host went to sleep and @after when it woke, with
 * one CPU left, interrupts off, and no vCPU loaded.
 */
void hv_tsc_slept(uint64_t before, uint64_t after);

/* ---- machine checks --------------------------------------------------------------- */

/* IA32_MCG_CAP: HV_MCE_CAP_SUPPORTED and 1 to 32 banks, or false. */
bool hv_vcpu_set_machine_check_cap(struct hv_vcpu *vcpu, uint64_t cap);

struct hv_machine_error {
	uint64_t status, address, misc, global_status; /* the last: IA32_MCG_STATUS */
	uint8_t bank;
};
/* The guest's processor finds an error (SDM 3, 16.3.2.2). False: it can't be one. Loaded. */
bool hv_vcpu_machine_check(struct hv_vcpu *vcpu, const struct hv_machine_error *error);

/* ---- interrupt controllers in the core -------------------------------------------- */

/*
 * A local APIC for every vCPU made afterwards, with 8259A pair and IOAPIC; or @split,
 * where these stay the VMM's. HOST_EEXIST if there are any already, HOST_EINVAL with a
 * vCPU. Freed with the VM. May sleep.
 */
int hv_irqchip_create(struct hv_vm *vm, bool split);
void hv_irqchip_free(struct hv_vm *vm);
/* An 8254 beside the 8259A pair; port 0x61 is its, too, if @speaker. HOST_EEXIST. */
int hv_irqchip_create_pit(struct hv_vm *vm, bool speaker);

/* Not for a split one. What became of a level: */
enum hv_delivery {
	HV_MASKED = -1,
	HV_COALESCED = 0, /* it is one with an earlier */
	HV_DELIVERED = 1, /* or more: as many local APICs accepted it */
};
int hv_irqchip_set(struct hv_vm *vm, enum hv_controller which, unsigned int input,
		   enum hv_source source, bool level);
/* Which inputs the 8254 drives: a bit for each. As PCs have it: IRQ 0 and pin 2. */
void hv_irqchip_route_timer(struct hv_vm *vm, uint32_t pic, uint32_t ioapic);

/* A message; returns how many local APICs accepted it. Any but an interrupt's. */
unsigned int hv_irqchip_msi(struct hv_vm *vm, uint64_t address, uint32_t data);
/* The same from any context. False: somebody is at the controllers, and nothing was sent. */
bool hv_irqchip_try_msi(struct hv_vm *vm, uint64_t address, uint32_t data);
/*
 * The address's upper half has bits 31:8 of the destination; and all ones in the lower
 * half are no broadcast for an x2APIC.
 */
void hv_irqchip_wide_messages(struct hv_vm *vm, bool wide, bool no_short_broadcast);
/* An edge on a vCPU's LINT1. */
void hv_irqchip_nmi(struct hv_vcpu *vcpu);

/* The local APIC's page, one word for each of its registers; loaded and not running. */
#define HV_LAPIC_WORDS 64
void hv_vcpu_get_lapic(struct hv_vcpu *vcpu, uint32_t words[HV_LAPIC_WORDS]);
void hv_vcpu_set_lapic(struct hv_vcpu *vcpu, const uint32_t words[HV_LAPIC_WORDS]);
/* Whether the 8259A pair's interrupts get through to this vCPU: split ones, too. */
bool hv_vcpu_accepts_extint(const struct hv_vcpu *vcpu);

/* The models themselves, between these two, for whoever saves and restores them. */
struct hv_irqchip *hv_irqchip_lock(struct hv_vm *vm);
void hv_irqchip_unlock(struct hv_vm *vm);

/* After a change of the 8254 between the two: it may be due at another time. */
void hv_irqchip_pit_changed(struct hv_irqchip *irqchip);

/* The host's timers have run out. The first from any context, the second any but an interrupt's. */
void hv_vcpu_timer_due(struct hv_vcpu *vcpu);
void hv_irqchip_pit_due(struct hv_vm *vm);
/* For host_wait(): there is something to look at. Any. */
bool hv_vcpu_has_attention(const struct hv_vcpu *vcpu);

enum hv_activity { /* KVM_MP_STATE_*, less what two of them have in common */
		   HV_RUNS,
		   HV_HALTED,
		   HV_WAITS_FOR_SIPI,
};
enum hv_activity hv_vcpu_get_activity(struct hv_vcpu *vcpu);
void hv_vcpu_set_activity(struct hv_vcpu *vcpu, enum hv_activity activity);

/* The MSRs that are saved one by one, by position; 0 after the last. */
uint32_t hv_msr_list(unsigned int position);
/* Whether there is such an MSR at all. */
bool hv_msr_exists(uint32_t index);

#endif
