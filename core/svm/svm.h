/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_SVM_SVM_H
#define HUTCH_CORE_SVM_SVM_H

/*
 * AMD-V (APM 2, chapter 15) as this core uses it: nested paging always, one ASID for each
 * vCPU on each CPU, the guest's interrupt flag kept apart from the host's.
 *
 *	svm.c	   is it there; on and off, CPU by CPU; address-space identifiers
 *	vcpu.c	   a vCPU's VMCB: what it intercepts, state in and out
 *	enter.c	   the entry: everything around the world switch
 *	switch.S   the world switch itself
 *	decode.c   what #VMEXIT says, as a struct hv_exit
 *	doctor.c   why VMRUN refused a guest, by check.c and rules.def
 *	vmcb.h	   the VMCB
 */

#include "core/cpu.h"
#include "core/svm/vmcb.h"

struct svm_vcpu {
	struct vmcb *vmcb;
	uint64_t vmcb_physical;
	uint64_t efer;		  /* the guest's; the VMCB's may have less */
	uint64_t asid_generation; /* on which CPU's count @vmcb's ASID stands */
	uint64_t host_save;	  /* the page of the CPU where it is loaded: physical */
	uint64_t host_tsc_aux, tsc_aux_loaded; /* the host's, and what the register holds */
	uint64_t tsc_ratio_loaded;	       /* 0: one to one, as the host has it */
	bool tpr_exits;			       /* a lowered CR8 is waited for */
	/* NMIs without hardware's help: the guest is in a handler until its IRET is done. */
	bool nmi_iret_seen;
	uint64_t nmi_iret_rip;
	bool nmi_stepping; /* TF is ours, to see the end of that IRET */
	/* What the doctor has against the next entry, if he is asked: doctor.c. */
	const char *doubt;
};

/* What this processor offers: CPUID 0x8000000a. Used where present, never needed. */
struct svm_features {
	uint32_t asids;
	bool nrip_save;
	bool clean_bits;
	bool flush_by_asid;
	bool decode_assists;
	enum vmcb_pause_filter pause_filter;
	bool tsc_ratio;
	bool tsc_aux;	       /* RDTSCP or RDPID: there is such an MSR */
	bool spec_ctrl;	       /* IBRS, STIBP or SSBD: there is such an MSR */
	unsigned int barriers; /* what the host wants: core/barriers.h */
};
extern struct svm_features svm_features;

#define SVM_TSC_FRACTION_BITS 32

static inline struct svm_vcpu *svm_vcpu(struct hv_vcpu *vcpu)
{
	return vcpu->cpu;
}

/* A page per CPU for VMSAVE, as physical address. */
uint64_t svm_host_save(unsigned int cpu);

/* Gives the vCPU an ASID under which this CPU remembers nothing. Pinned. */
void svm_new_asid(struct svm_vcpu *svm, unsigned int cpu);
/* Whether the one it has is still its own here. */
bool svm_asid_is_current(const struct svm_vcpu *svm, unsigned int cpu);

/* The permission maps, the same for every guest: physical addresses. */
uint64_t svm_io_map(void);
uint64_t svm_msr_map(bool closed); /* closed: every MSR is an exit */

/* The vCPU was the last to run on this CPU. Sets it so. Pinned. */
bool svm_was_last(const struct svm_vcpu *svm, unsigned int cpu);

/* No CPU thinks of it as its last any more. */
void svm_forget(const struct svm_vcpu *svm);

/* Learns what this processor has; before the others. */
void svm_doctor_start(void);
/* Says in the host's log what VMRUN refused. May sleep. */
void svm_doctor(struct hv_vcpu *vcpu);
/*
 * With all checks on: asks the doctor before an entry, pinned, with interrupts off; and says
 * after one that was taken what he had against it.
 */
void svm_doctor_before(struct hv_vcpu *vcpu);
void svm_doctor_after(struct hv_vcpu *vcpu);

void svm_enter(struct hv_vcpu *vcpu, struct hv_exit *exit);
void svm_decode(struct hv_vcpu *vcpu, struct hv_exit *exit);
void svm_after_exit(struct hv_vcpu *vcpu, struct hv_exit *exit);

/* switch.S: interrupts off, GPRs but RAX and RSP are in @gpr; @barriers: HOST_FILL_RETURNS ... */
void svm_switch(uint64_t vmcb_physical, uint64_t *gpr, uint64_t host_save_physical,
		unsigned int barriers);

int svm_vcpu_init(struct hv_vcpu *vcpu);
void svm_vcpu_free(struct hv_vcpu *vcpu);
void svm_load(struct hv_vcpu *vcpu, unsigned int cpu);
void svm_put(struct hv_vcpu *vcpu);
void svm_inject(struct hv_vcpu *vcpu, const struct hv_event *event);
void svm_interrupt_window(struct hv_vcpu *vcpu, bool wanted);
void svm_nmi_window(struct hv_vcpu *vcpu, bool wanted);
void svm_tpr_exits(struct hv_vcpu *vcpu, unsigned int below);
void svm_exceptions(struct hv_vcpu *vcpu, uint32_t vectors);
void svm_close_msrs(struct hv_vcpu *vcpu, bool closed);
void svm_flush(struct hv_vcpu *vcpu);
uint64_t svm_read_control(struct hv_vcpu *vcpu, enum hv_control which);
void svm_write_control(struct hv_vcpu *vcpu, enum hv_control which, uint64_t value);
void svm_read_segment(struct hv_vcpu *vcpu, unsigned int which, struct segment *segment);
unsigned int svm_cpl(struct hv_vcpu *vcpu);
void svm_set_fault_address(struct hv_vcpu *vcpu, uint64_t address);
void svm_get_system(struct hv_vcpu *vcpu, struct hv_system *system);
void svm_set_system(struct hv_vcpu *vcpu, const struct hv_system *system);
bool svm_read_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t *value);
bool svm_write_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t value);
void svm_set_tsc_offset(struct hv_vcpu *vcpu, uint64_t offset);
unsigned int svm_tsc_fraction_bits(void);
void svm_debug_exits(struct hv_vcpu *vcpu, bool wanted);
void svm_update_debug(struct hv_vcpu *vcpu);

#endif
