/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_VMX_H
#define HUTCH_CORE_VMX_VMX_H

/*
 * VT-x (SDM 3, chapters 24 to 31) as this core uses it: EPT always; and unrestricted guest
 * where it is, so that a guest runs by itself from its first instruction in real mode.
 *
 *	vmx.c		is it there; on and off, CPU by CPU
 *	control.c	the controls: must, wanted, unwanted
 *	vmcs_life.c	where a VMCS is active and current, and how it moves
 *	fields.c	its fields, read and written as seldom as possible
 *	vcpu.c		a vCPU's state in and out
 *	enter.c		the entry: everything around the world switch
 *	switch.S	the world switch itself
 *	decode.c	what a VM exit says, as a struct hv_exit
 *	restricted.c	guests where unrestricted guest is not
 *	log.c		the log of pages that are written
 *	apic.c		local APICs in the processor's hands
 *	doctor.c	why an entry failed
 *	vmcs.h		the VMCS
 */

#include "core/cpu.h"
#include "core/vmx/fields.h"
#include "core/vmx/instructions.h"
#include "x86/registers.h"

#define VMX_NOWHERE		 UINT32_MAX

#define VMX_APIC_TPR		 0x80 /* in the virtual-APIC page: SDM 3, 30.1.1 */
#define VMX_APIC_TPR_CLASS_SHIFT 4

/*
 * MSRs that the guest has to itself, and that VT-x does not switch. Those that SYSCALL uses
 * are in the processor only while the guest's EFER allows that instruction, so the guest
 * reads and writes them by exits; CSTAR never is, as there Intel's processors have no
 * SYSCALL. KERNEL_GS_BASE is there, and the guest's own, from the first entry on.
 */
enum vmx_own_msr {
	VMX_OWN_STAR,
	VMX_OWN_LSTAR,
	VMX_OWN_FMASK,
	VMX_OWN_SYSCALL_COUNT,
	VMX_OWN_CSTAR = VMX_OWN_SYSCALL_COUNT,
	VMX_OWN_KERNEL_GS_BASE,
	VMX_OWN_COUNT,
};
extern const uint32_t vmx_own_msrs[VMX_OWN_COUNT];

/* What the host has in a CPU's MSRs for all of the CPU's life. */
struct vmx_host_msrs {
	uint64_t syscall[VMX_OWN_SYSCALL_COUNT], tsc_aux, gs_base;
};

/* A table register as SGDT stores it. */
struct vmx_table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* What of the host's no VM exit brings back: taken at the first entry, put back at put. */
struct vmx_host {
	const struct vmx_host_msrs *msrs; /* this CPU's */
	uint64_t kernel_gs_base, debugctl;
	struct vmx_table_register gdt, idt;
	struct host_selectors selectors;
	uint16_t ss;
	unsigned int cpu; /* whose host state the VMCS has */
};

/* The fields that every entry and exit deals with: what the VMCS has, once it was launched. */
struct vmx_hot {
	uint64_t rip, rsp, rflags, dr7;
	uint64_t host_cr3, host_cr4, interruptibility, tpr_threshold, cr8, timer;
};

struct vmx_vcpu {
	struct vmx_fields fields;
	struct vmx_hot hot;
	void *vmcs;
	uint8_t *virtual_apic; /* the page: SDM 3, 30.1.1 */
	uint64_t vmcs_physical;
	uint16_t vpid; /* 0: none left */

	/* vmcs_life.c: touched on the CPU where it is active, with interrupts off. */
	unsigned int active_on;
	bool launched;
	struct vmx_vcpu *next, **link;

	uint32_t longest_run; /* of the preemption timer's counts */
	uint8_t tpr_below; /* CR8 is watched for falling below this: the threshold, at most CR8 */
	uint64_t *log;	   /* log.c: a page, or NULL */
	bool logging;
	bool apic_elsewhere; /* not at the first address, or no page: counted in struct vmx_vm */
	enum hv_apic_mode apic_mode;
	bool flush;   /* nothing of the guest's translations shall be left */
	bool arrived; /* this CPU's registers are the guest's, but for what an exit changes */
	struct vmx_host host;
	uint64_t host_rsp; /* what the VMCS has */
	uint64_t msrs[VMX_OWN_COUNT];
	uint64_t tsc_aux_loaded; /* what the processor has while @arrived */
	bool syscall_loaded;	 /* it has @syscall_in; else the host's */
	uint64_t syscall_in[VMX_OWN_SYSCALL_COUNT];
	bool syscall_stale; /* it may have to get the guest's before the next entry */
	uint64_t cr2, efer; /* the guest's */
	bool unpaged;	    /* restricted.c: the processor has our table, and the guest's is in */
	uint64_t cr3;
	/* What the doctor has against the next entry, if he is asked: doctor.c. */
	const char *doubt;
};

/* What this processor offers beyond what is needed. */
struct vmx_features {
	struct vmx_capability capability;
	uint64_t controls[VMX_WORD_COUNT];
	enum vmx_invalidation invept, invvpid;
	bool unrestricted; /* guests without paging or protection run by themselves */
	bool vpid;
	bool tsc_aux;	/* RDTSCP or RDPID: there is such an MSR */
	bool log;	/* of the pages that are written: log.c */
	bool apic;	/* local APICs in the processor's hands: apic.c */
	bool spec_ctrl; /* IBRS, STIBP or SSBD: there is such an MSR */
	bool timer;	/* the preemption timer, which counts once in @timer_shift bits of TSC */
	uint8_t timer_shift;
	/* What a guest may leave the CPU's caches and buffers with, and must not find there. */
	bool flush_l1d, clear_buffers;
	unsigned int barriers; /* what the host wants: core/barriers.h */
};
extern struct vmx_features vmx_features;

/* The bits of CR0 and CR4 that VMX operation wants of a guest: SDM 3, 24.8. */
static inline uint64_t vmx_real_cr0(uint64_t value)
{
	const struct vmx_capability *capability = &vmx_features.capability;
	/* An unrestricted guest may be without protection and paging (SDM 3, A.7). */
	uint64_t choice = vmx_features.unrestricted ? CR0_PE | CR0_PG : 0;

	return ((value & ~(CR0_CD | CR0_NW)) | (capability->cr0_fixed0 & ~choice)) &
	       capability->cr0_fixed1;
}

static inline uint64_t vmx_real_cr4(uint64_t value)
{
	return (value | vmx_features.capability.cr4_fixed0) & vmx_features.capability.cr4_fixed1;
}

static inline struct vmx_vcpu *vmx_vcpu(struct hv_vcpu *vcpu)
{
	return vcpu->cpu;
}

/* Read when virtualization was switched on there. */
const struct vmx_host_msrs *vmx_host_msrs(unsigned int cpu);

/* The permission maps, the same for every guest: physical addresses. */
uint64_t vmx_msr_map(bool closed, bool x2apic);

/* A number for the vCPU's translations; 0: none is left. May sleep. */
uint16_t vmx_vpid_take(void);
void vmx_vpid_give(uint16_t vpid);

/* ---- vmcs_life.c ------------------------------------------------------------------------ */

int vmx_life_start(void);
void vmx_life_stop(void);

/*
 * Makes the VMCS the current one of CPU @cpu, which is this one. False: another one was
 * that before. Pinned, interrupts on.
 */
bool vmx_life_load(struct vmx_vcpu *vmx, unsigned int cpu);
/* It is active nowhere any more: its memory is its own. Interrupts on. */
void vmx_life_end(struct vmx_vcpu *vmx);
/* The same for all VMCSs on this CPU, whose fields stay known. Interrupts off. */
void vmx_life_end_all(unsigned int cpu);

/* ---- apic.c ----------------------------------------------------------------------------- */

/* A VM: what all its vCPUs share. With the VM's table lock held. */
struct vmx_vm {
	void *apic_access_page; /* NULL: none is needed */
	unsigned int elsewhere; /* vCPUs whose local APIC is not at its first address */
	bool mapped;
	uint32_t *identity_table; /* restricted.c: a page, or NULL */
};

/* What of APIC virtualization there is, and may be used. */
void vmx_apic_probe(void);
/* Lets guests read and write what the processor takes care of. */
void vmx_apic_fill_msr_map(uint8_t *map);
int vmx_apic_vm_init(struct hv_vm *vm);
void vmx_apic_vm_free(struct hv_vm *vm);
uint8_t *vmx_apic_page(struct hv_vcpu *vcpu);
void vmx_close_msrs(struct hv_vcpu *vcpu, bool closed);
void vmx_apic_mode(struct hv_vcpu *vcpu, enum hv_apic_mode mode);
void vmx_apic_lend(struct hv_vcpu *vcpu, uint8_t requested, uint8_t in_service,
		   const uint32_t watched[8]);
void vmx_apic_end(struct hv_vcpu *vcpu);
/* An EPT violation where the page shall be: true, it is there now. May sleep. */
bool vmx_apic_map(struct hv_vcpu *vcpu, uint64_t gpa);

/* ---- restricted.c: where guests are not unrestricted -------------------------------------- */

/* All three: nothing to do where they are. */
int vmx_restricted_vm_init(struct hv_vm *vm);
void vmx_restricted_vm_free(struct hv_vm *vm);
/* HOST_EEXIST: the VMM has memory where the VM's own table has to be. */
int vmx_restricted_vcpu_init(struct hv_vcpu *vcpu);

/* An EPT violation at the VM's own table: true, it is there now. May sleep. */
bool vmx_restricted_map(struct hv_vcpu *vcpu, uint64_t gpa);
/* After each change of CR0, CR4 or EFER: what the processor shall have instead. */
void vmx_restricted_paging(struct hv_vcpu *vcpu);
/* Whether VM entry would take the guest as it is now. Any. */
bool vmx_can_enter(struct hv_vcpu *vcpu);
/* It would not: a VM exit of our own, HV_EXIT_EMULATION. */
void vmx_restricted_exit(struct hv_vcpu *vcpu, struct hv_exit *exit);

/* ---- log.c ------------------------------------------------------------------------------ */

/* Whether there is a log, and may be used. */
void vmx_log_probe(void);
bool vmx_logs_writes(void);
int vmx_log_init(struct hv_vcpu *vcpu);
void vmx_log_free(struct hv_vcpu *vcpu);
/* Both: the VMCS is current, interrupts off. */
void vmx_log_switch(struct hv_vcpu *vcpu, bool on);
void vmx_log_empty(struct hv_vcpu *vcpu);

/* ---- enter.c, switch.S, decode.c ---------------------------------------------------------- */

void vmx_load(struct hv_vcpu *vcpu, unsigned int cpu);
void vmx_put(struct hv_vcpu *vcpu);
void vmx_enter(struct hv_vcpu *vcpu, struct hv_exit *exit);
void vmx_after_exit(struct hv_vcpu *vcpu, struct hv_exit *exit);

/*
 * switch.S: all but RSP are in @gpr; interrupts off. @host_rsp is what the VMCS has for
 * the host's RSP, kept up to date. The result is 0 after an exit; 1 or 2 where the
 * instruction failed, without and with a VM-instruction error.
 */
unsigned int vmx_switch(uint64_t *gpr, bool launched, uint64_t *host_rsp, unsigned int barriers);
/* Where the processor goes on after an exit: no function to call. */
void vmx_switch_exit(void);

/* What a VM exit leaves in the VMCS; only what its reason has is there (SDM 3, 25.9). */
struct vmx_exit_information {
	uint32_t reason;
	uint64_t qualification;
	uint32_t interruption, error_code; /* VM-exit interruption information */
	uint32_t vectoring, vectoring_error_code;
	uint32_t length;
	uint64_t physical_address;
};

/* What is worth reading after an exit with this reason: bits. */
enum vmx_has {
	VMX_HAS_NAME = 1 << 0, /* the reason is known here */
	VMX_HAS_LENGTH = 1 << 1,
	VMX_HAS_QUALIFICATION = 1 << 2,
	VMX_CUTS_SHORT = 1 << 3,    /* maybe an event on its way: IDT vectoring, and its length */
	VMX_HAS_DIRECTION = 1 << 4, /* two reasons for one, a read and a write */
};
unsigned int vmx_decode_has(uint32_t reason);

/* vmx_decode() for an instruction: an exit without VMX_CUTS_SHORT. */
void vmx_decode_instruction(uint32_t reason, uint32_t length, uint64_t qualification,
			    struct hv_exit *exit);

/* Pure: looks at @vcpu, and changes its pending events, dr6, dr7 and rip. */
void vmx_decode(struct hv_vcpu *vcpu, const struct vmx_exit_information *information,
		struct hv_exit *exit);
/* The reverse for an event that was to be injected: it is on its way still. */
void vmx_decode_injected(struct hv_vcpu *vcpu, uint32_t information, uint32_t error_code,
			 uint32_t length);
/* The VM-entry interruption information for @event, with its error code and length. */
uint32_t vmx_decode_event(const struct hv_event *event, bool protected_mode, uint32_t *error_code,
			  uint32_t *length);

/* doctor.c: names the rules of the manual that the VMCS breaks, in the host's log. May sleep. */
void vmx_doctor(struct hv_vcpu *vcpu);
/*
 * With all checks on: asks the doctor before an entry, pinned, with interrupts off; and says
 * after one that was taken what he had against it.
 */
void vmx_doctor_before(struct hv_vcpu *vcpu);
void vmx_doctor_after(struct hv_vcpu *vcpu);

/* ---- vcpu.c ------------------------------------------------------------------------------- */

int vmx_vcpu_init(struct hv_vcpu *vcpu);
void vmx_vcpu_free(struct hv_vcpu *vcpu);
void vmx_inject(struct hv_vcpu *vcpu, const struct hv_event *event);
void vmx_interrupt_window(struct hv_vcpu *vcpu, bool wanted);
void vmx_nmi_window(struct hv_vcpu *vcpu, bool wanted);
void vmx_tpr_exits(struct hv_vcpu *vcpu, unsigned int below);
bool vmx_has_deadlines(void);
void vmx_exceptions(struct hv_vcpu *vcpu, uint32_t vectors);
void vmx_flush(struct hv_vcpu *vcpu);
uint64_t vmx_read_control(struct hv_vcpu *vcpu, enum hv_control which);
void vmx_write_control(struct hv_vcpu *vcpu, enum hv_control which, uint64_t value);
/* By enum segment_number, then LDTR and TR: this many. */
#define VMX_SEGMENT_COUNT (HV_SEGMENT_COUNT + 2)
void vmx_read_segment(struct hv_vcpu *vcpu, unsigned int which, struct segment *segment);
unsigned int vmx_cpl(struct hv_vcpu *vcpu);
void vmx_set_fault_address(struct hv_vcpu *vcpu, uint64_t address);
void vmx_get_system(struct hv_vcpu *vcpu, struct hv_system *system);
void vmx_set_system(struct hv_vcpu *vcpu, const struct hv_system *system);
bool vmx_read_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t *value);
bool vmx_write_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t value);
void vmx_set_tsc_offset(struct hv_vcpu *vcpu, uint64_t offset);
unsigned int vmx_tsc_fraction_bits(void);
void vmx_set_tsc_ratio(struct hv_vcpu *vcpu);
void vmx_debug_exits(struct hv_vcpu *vcpu, bool wanted);
void vmx_update_debug(struct hv_vcpu *vcpu);

#endif
