/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/svm/svm.h"

#include "core/extended_state.h"
#include "core/processor.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * A vCPU on AMD-V is its VMCB: what the guest may not do by itself, and its registers
 * while it is out. Whoever changes a field clears its clean bit in the same breath.
 */

/* What leaves the guest: everything that reaches beyond its own registers and memory. */
static const uint16_t intercepts[] = {
	SVM_EXIT_INTR,	   SVM_EXIT_NMI,     SVM_EXIT_SMI,	 SVM_EXIT_INIT,
	SVM_EXIT_RDPMC,	   SVM_EXIT_CPUID,   SVM_EXIT_INVD,	 SVM_EXIT_HLT,
	SVM_EXIT_INVLPGA,  SVM_EXIT_IOIO,    SVM_EXIT_MSR,	 SVM_EXIT_TASK_SWITCH,
	SVM_EXIT_SHUTDOWN, SVM_EXIT_VMRUN,   SVM_EXIT_VMMCALL,	 SVM_EXIT_VMLOAD,
	SVM_EXIT_VMSAVE,   SVM_EXIT_STGI,    SVM_EXIT_CLGI,	 SVM_EXIT_SKINIT,
	SVM_EXIT_WBINVD,   SVM_EXIT_MONITOR, SVM_EXIT_MWAIT,	 SVM_EXIT_MWAIT_CONDITIONAL,
	SVM_EXIT_XSETBV,   SVM_EXIT_RDPRU,   SVM_EXIT_CR0_WRITE, SVM_EXIT_CR4_WRITE,
};

/* Exceptions that could keep the processor busy for ever, the host's own, and VMCALL's. */
#define ALWAYS_SEEN \
	(1u << EXCEPTION_DB | 1u << EXCEPTION_UD | 1u << EXCEPTION_AC | 1u << EXCEPTION_MC)

int svm_vcpu_init(struct hv_vcpu *vcpu)
{
	struct svm_vcpu *svm = host_alloc(sizeof(*svm));
	struct vmcb_control *control;

	if (!svm)
		return HOST_ENOMEM;
	svm->vmcb = host_pages_alloc(0);
	if (!svm->vmcb) {
		host_free(svm, sizeof(*svm));
		return HOST_ENOMEM;
	}
	svm->vmcb_physical = host_physical(svm->vmcb);
	vcpu->cpu = svm;
	control = &svm->vmcb->control;
	for (unsigned int i = 0; i < sizeof(intercepts) / sizeof(intercepts[0]); i++)
		vmcb_intercept(svm->vmcb, intercepts[i], true);
	vmcb_filter_pauses(svm->vmcb, svm_features.pause_filter);
	svm_exceptions(vcpu, 0);
	svm_debug_exits(vcpu, true);
	control->iopm_base_pa = svm_io_map();
	control->msrpm_base_pa = svm_msr_map(false);
	control->v_intr = VMCB_V_INTR_MASKING;
	control->np_control = VMCB_NP_ENABLE;
	control->n_cr3 = host_physical(vcpu->vm->table.root);
	return HOST_OK;
}

void svm_vcpu_free(struct hv_vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	svm_forget(svm);
	host_pages_free(svm->vmcb, 0);
	host_free(svm, sizeof(*svm));
}

/* ---- control --------------------------------------------------------------------------- */

void svm_exceptions(struct hv_vcpu *vcpu, uint32_t vectors)
{
	struct vmcb_control *control = &svm_vcpu(vcpu)->vmcb->control;

	control->intercepts[SVM_EXIT_EXCP0 / 32] = vectors | ALWAYS_SEEN;
	control->clean &= ~VMCB_CLEAN_INTERCEPTS;
}

void svm_close_msrs(struct hv_vcpu *vcpu, bool closed)
{
	struct vmcb_control *control = &svm_vcpu(vcpu)->vmcb->control;

	control->msrpm_base_pa = svm_msr_map(closed);
	control->clean &= ~VMCB_CLEAN_PERMISSIONS;
}

void svm_flush(struct hv_vcpu *vcpu)
{
	svm_vcpu(vcpu)->asid_generation = 0;
}

void svm_set_tsc_offset(struct hv_vcpu *vcpu, uint64_t offset)
{
	struct vmcb_control *control = &svm_vcpu(vcpu)->vmcb->control;

	control->tsc_offset = offset;
	control->clean &= ~VMCB_CLEAN_INTERCEPTS;
}

/* The ratio has 8 bits before the point and 32 behind it: APM 2, 15.30.5. */
unsigned int svm_tsc_fraction_bits(void)
{
	return svm_features.tsc_ratio ? SVM_TSC_FRACTION_BITS : 0;
}

/* DR0 to DR15, reads and writes: one intercept vector of their own. */
void svm_debug_exits(struct hv_vcpu *vcpu, bool wanted)
{
	struct vmcb_control *control = &svm_vcpu(vcpu)->vmcb->control;

	control->intercepts[SVM_EXIT_DR0_READ / 32] = wanted ? UINT32_MAX : 0;
	control->clean &= ~VMCB_CLEAN_INTERCEPTS;
}

void svm_update_debug(struct hv_vcpu *vcpu)
{
	struct vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	vmcb->save.dr7 = vcpu->dr7;
	vmcb->control.clean &= ~VMCB_CLEAN_DR;
}

/* ---- events --------------------------------------------------------------------------- */

void svm_inject(struct hv_vcpu *vcpu, const struct hv_event *event)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	uint8_t type = event->type;

	/* AMD-V injects INT3 and INTO as exceptions, behind which RIP has to stand. */
	if (type == HV_EVENT_SOFT_EXCEPTION || type == HV_EVENT_PRIVILEGED_EXCEPTION)
		type = HV_EVENT_EXCEPTION;
	svm->vmcb->control.eventinj =
		event->has_error_code
			? vmcb_event_with_error(type, event->vector, event->error_code)
			: vmcb_event(type, event->vector);
	if (type == HV_EVENT_NMI)
		vmcb_intercept(svm->vmcb, SVM_EXIT_IRET, true);
}

/*
 * A virtual interrupt of the highest priority, which is never taken: when the guest could
 * take one, it leaves instead (APM 2, 15.21.4).
 */
void svm_interrupt_window(struct hv_vcpu *vcpu, bool wanted)
{
	struct vmcb *vmcb = svm_vcpu(vcpu)->vmcb;
	const uint64_t request = VMCB_V_IRQ | VMCB_V_IGN_TPR | VMCB_V_INTR_PRIO;

	vmcb_intercept(vmcb, SVM_EXIT_VINTR, wanted);
	/* QEMU's processor does not survive a write of CR8 with a virtual interrupt pending. */
	vmcb_intercept(vmcb, SVM_EXIT_CR8_WRITE, wanted || svm_vcpu(vcpu)->tpr_exits);
	vmcb->control.v_intr = wanted ? vmcb->control.v_intr | request
				      : vmcb->control.v_intr & ~request;
	vmcb->control.clean &= ~VMCB_CLEAN_TPR;
}

/*
 * NMIs wait for the end of an IRET or of a shadow, for which there is no exit: a single
 * step there makes one. In an NMI's handler, before its IRET, the intercept of that will do.
 */
void svm_nmi_window(struct hv_vcpu *vcpu, bool wanted)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	if (!wanted || svm->nmi_stepping || (vcpu->pending.nmi_blocked && !svm->nmi_iret_seen) ||
	    vcpu->rflags & RFLAGS_TF)
		return;
	svm->nmi_stepping = true;
	vcpu->rflags |= RFLAGS_TF;
}

void svm_tpr_exits(struct hv_vcpu *vcpu, unsigned int below)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	if (svm->tpr_exits == !!below)
		return;
	svm->tpr_exits = below;
	vmcb_intercept(svm->vmcb, SVM_EXIT_CR8_WRITE, below);
}

/* ---- state ----------------------------------------------------------------------------- */

uint64_t svm_read_control(struct hv_vcpu *vcpu, enum hv_control which)
{
	const struct vmcb_save *save = &svm_vcpu(vcpu)->vmcb->save;

	switch (which) {
	case HV_CR0:
		return save->cr0;
	case HV_CR3:
		return save->cr3;
	case HV_CR4:
		return save->cr4;
	default:
		return svm_vcpu(vcpu)->efer;
	}
}

/*
 * Without paging LME has no effect, and the VMCB need not have it. Nor may it while PAE is
 * off: #VMEXIT on QEMU's processor brings back CR0 before CR4, takes the host's PG for the
 * guest's way into long mode, finds no PAE and leaves the host without paging.
 */
static void place_efer(struct svm_vcpu *svm)
{
	struct vmcb_save *save = &svm->vmcb->save;

	save->efer = svm->efer | IA32_EFER_SVME;
	if (!(save->cr0 & CR0_PG) && !(save->cr4 & CR4_PAE))
		save->efer &= ~(uint64_t)IA32_EFER_LME;
}

void svm_write_control(struct hv_vcpu *vcpu, enum hv_control which, uint64_t value)
{
	struct vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	switch (which) {
	case HV_CR0:
		vmcb->save.cr0 = value;
		break;
	case HV_CR3:
		vmcb->save.cr3 = value;
		break;
	case HV_CR4:
		vmcb->save.cr4 = value;
		extended_state_follow(vcpu, value);
		break;
	default:
		svm_vcpu(vcpu)->efer = value & ~(uint64_t)IA32_EFER_SVME;
	}
	place_efer(svm_vcpu(vcpu));
	vmcb->control.clean &= ~VMCB_CLEAN_CR;
}

void svm_read_segment(struct hv_vcpu *vcpu, unsigned int which, struct segment *segment)
{
	*segment = vmcb_segment_read(&svm_vcpu(vcpu)->vmcb->save.segments[which]);
}

unsigned int svm_cpl(struct hv_vcpu *vcpu)
{
	return svm_vcpu(vcpu)->vmcb->save.cpl;
}

void svm_set_fault_address(struct hv_vcpu *vcpu, uint64_t address)
{
	struct vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	vmcb->save.cr2 = address;
	vmcb->control.clean &= ~VMCB_CLEAN_CR2;
}

void svm_get_system(struct hv_vcpu *vcpu, struct hv_system *system)
{
	struct vmcb_save *save = &svm_vcpu(vcpu)->vmcb->save;

	system->cr0 = save->cr0;
	system->cr2 = save->cr2;
	system->cr3 = save->cr3;
	system->cr4 = save->cr4;
	system->cr8 = vcpu->cr8;
	system->efer = svm_vcpu(vcpu)->efer;
	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		system->segments[i] = vmcb_segment_read(&save->segments[i]);
	system->ldtr = vmcb_segment_read(&save->ldtr);
	system->tr = vmcb_segment_read(&save->tr);
	system->gdtr = (struct hv_table_register){ save->gdtr.base, (uint16_t)save->gdtr.limit };
	system->idtr = (struct hv_table_register){ save->idtr.base, (uint16_t)save->idtr.limit };
}

/* APM 2, 15.5.1: the processor believes the CPL it is given. */
static uint8_t cpl_of(const struct hv_system *system, uint64_t rflags)
{
	if (!(system->cr0 & CR0_PE))
		return 0;
	if (rflags & RFLAGS_VM)
		return 3;
	return (system->segments[SEGMENT_NUMBER_SS].rights & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT;
}

void svm_set_system(struct hv_vcpu *vcpu, const struct hv_system *system)
{
	struct vmcb *vmcb = svm_vcpu(vcpu)->vmcb;
	struct vmcb_save *save = &vmcb->save;

	save->cr0 = system->cr0;
	save->cr2 = system->cr2;
	save->cr3 = system->cr3;
	save->cr4 = system->cr4;
	extended_state_follow(vcpu, system->cr4);
	svm_vcpu(vcpu)->efer = system->efer & ~(uint64_t)IA32_EFER_SVME;
	place_efer(svm_vcpu(vcpu));
	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		save->segments[i] = vmcb_segment_write(&system->segments[i]);
	save->ldtr = vmcb_segment_write(&system->ldtr);
	save->tr = vmcb_segment_write(&system->tr);
	save->gdtr.base = system->gdtr.base;
	save->gdtr.limit = system->gdtr.limit;
	save->idtr.base = system->idtr.base;
	save->idtr.limit = system->idtr.limit;
	save->cpl = cpl_of(system, vcpu->rflags);
	vmcb->control.clean &=
		~(VMCB_CLEAN_CR | VMCB_CLEAN_SEGMENTS | VMCB_CLEAN_DT | VMCB_CLEAN_CR2);
}

/* ---- MSRs that VMRUN, VMLOAD and VMSAVE carry ------------------------------------------------ */

static uint64_t *own_msr(struct vmcb_save *save, uint32_t index)
{
	switch (index) {
	case IA32_STAR:
		return &save->star;
	case IA32_LSTAR:
		return &save->lstar;
	case IA32_CSTAR:
		return &save->cstar;
	case IA32_FMASK:
		return &save->sfmask;
	case IA32_FS_BASE:
		return &save->fs.base;
	case IA32_GS_BASE:
		return &save->gs.base;
	case IA32_KERNEL_GS_BASE:
		return &save->kernel_gs_base;
	case IA32_SYSENTER_CS:
		return &save->sysenter_cs;
	case IA32_SYSENTER_ESP:
		return &save->sysenter_esp;
	case IA32_SYSENTER_EIP:
		return &save->sysenter_eip;
	case IA32_PAT:
		return &save->g_pat;
	default:
		return NULL;
	}
}

bool svm_read_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const uint64_t *msr = own_msr(&svm_vcpu(vcpu)->vmcb->save, index);

	if (msr)
		*value = *msr;
	return msr;
}

/* TSC_AUX is no VMCB field: svm_load() brings it in, at once if the vCPU is there. */
bool svm_write_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct vmcb *vmcb = svm_vcpu(vcpu)->vmcb;
	uint64_t *msr = own_msr(&vmcb->save, index);

	if (index == IA32_TSC_AUX)
		return true;
	if (!msr)
		return false;
	*msr = value;
	vmcb->control.clean &= ~VMCB_CLEAN_NP;
	return true;
}
