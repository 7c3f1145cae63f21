/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/svm/svm.h"

#include "x86/exception.h"
#include "x86/registers.h"

/*
 * From #VMEXIT's code and two words of information (APM 2, appendix C) to a struct
 * hv_exit. Nothing is decided here, but for NMIs and single steps that AMD-V needs to
 * see their end by and that nobody above knows of.
 */

/* Codes that need no more than their name. */
static const uint8_t reasons[] = {
	[SVM_EXIT_INTR] = HV_EXIT_HOST_INTERRUPT,
	[SVM_EXIT_NMI] = HV_EXIT_HOST_NMI,
	[SVM_EXIT_SMI] = HV_EXIT_HOST_INTERRUPT,
	[SVM_EXIT_INIT] = HV_EXIT_INIT,
	[SVM_EXIT_VINTR] = HV_EXIT_INTERRUPT_WINDOW,
	[SVM_EXIT_CPUID] = HV_EXIT_CPUID,
	[SVM_EXIT_HLT] = HV_EXIT_HLT,
	[SVM_EXIT_PAUSE] = HV_EXIT_PAUSE,
	[SVM_EXIT_RDTSC] = HV_EXIT_RDTSC,
	[SVM_EXIT_RDTSCP] = HV_EXIT_RDTSCP,
	[SVM_EXIT_RDPMC] = HV_EXIT_RDPMC,
	[SVM_EXIT_RDPRU] = HV_EXIT_VIRTUALIZATION,
	[SVM_EXIT_INVD] = HV_EXIT_INVALIDATE_CACHE,
	[SVM_EXIT_WBINVD] = HV_EXIT_INVALIDATE_CACHE,
	[SVM_EXIT_INVLPG] = HV_EXIT_INVALIDATE_PAGE,
	[SVM_EXIT_MONITOR] = HV_EXIT_MONITOR,
	[SVM_EXIT_MWAIT] = HV_EXIT_MWAIT,
	[SVM_EXIT_MWAIT_CONDITIONAL] = HV_EXIT_MWAIT,
	[SVM_EXIT_XSETBV] = HV_EXIT_XSETBV,
	[SVM_EXIT_SHUTDOWN] = HV_EXIT_SHUTDOWN,
	[SVM_EXIT_VMMCALL] = HV_EXIT_HYPERCALL,
	[SVM_EXIT_VMRUN] = HV_EXIT_VIRTUALIZATION,
	[SVM_EXIT_VMLOAD] = HV_EXIT_VIRTUALIZATION,
	[SVM_EXIT_VMSAVE] = HV_EXIT_VIRTUALIZATION,
	[SVM_EXIT_STGI] = HV_EXIT_VIRTUALIZATION,
	[SVM_EXIT_CLGI] = HV_EXIT_VIRTUALIZATION,
	[SVM_EXIT_SKINIT] = HV_EXIT_VIRTUALIZATION,
	[SVM_EXIT_INVLPGA] = HV_EXIT_VIRTUALIZATION,
	[SVM_EXIT_TASK_SWITCH] = HV_EXIT_TASK_SWITCH,
	[SVM_EXIT_IOIO] = HV_EXIT_IO,
	[SVM_EXIT_MSR] = HV_EXIT_MSR,
};

static void decode_io(const struct vmcb_control *control, const struct hv_vcpu *vcpu,
		      struct hv_exit *exit)
{
	uint64_t info = control->exitinfo1;

	exit->reason = HV_EXIT_IO;
	exit->io.port = (uint16_t)(info >> SVM_IOIO_PORT_SHIFT);
	exit->io.size = info & SVM_IOIO_SIZE8 ? 1 : info & SVM_IOIO_SIZE16 ? 2 : 4;
	exit->io.in = info & SVM_IOIO_IN;
	exit->io.string = info & SVM_IOIO_STRING;
	exit->length = (uint8_t)(control->exitinfo2 - vcpu->rip);
}

static void decode_exception(struct hv_vcpu *vcpu, const struct vmcb_control *control,
			     struct hv_exit *exit)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	exit->reason = HV_EXIT_EXCEPTION;
	exit->exception.vector = (uint8_t)(control->exitcode - SVM_EXIT_EXCP0);
	exit->exception.error_code = (uint32_t)control->exitinfo1;
	exit->exception.address = control->exitinfo2;
	if (exit->exception.vector == EXCEPTION_DB && svm->nmi_stepping) {
		/* The step that svm_nmi_window() asked for: the guest knows nothing of it. */
		svm->nmi_stepping = false;
		vcpu->rflags &= ~RFLAGS_TF;
		vcpu->dr6 = svm->vmcb->save.dr6 & ~(1ull << 14);
		exit->reason = HV_EXIT_NMI_WINDOW;
	}
}

static void decode_iret(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	vmcb_intercept(svm->vmcb, SVM_EXIT_IRET, false);
	svm->nmi_iret_seen = true;
	svm->nmi_iret_rip = vcpu->rip;
	exit->reason = HV_EXIT_NMI_WINDOW;
}

static void decode_memory(const struct vmcb_control *control, struct hv_exit *exit)
{
	exit->reason = HV_EXIT_MEMORY;
	exit->memory.gpa = control->exitinfo2;
	exit->memory.write = control->exitinfo1 & SVM_NPF_WRITE;
	exit->memory.fetch = control->exitinfo1 & SVM_NPF_FETCH;
	exit->memory.present = control->exitinfo1 & SVM_NPF_PRESENT;
	exit->memory.table = control->exitinfo1 & SVM_NPF_TABLE;
}

void svm_decode(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	const struct vmcb_control *control = &svm_vcpu(vcpu)->vmcb->control;
	uint64_t code = control->exitcode;

	exit->number = code;
	exit->details[0] = control->exitinfo1;
	exit->details[1] = control->exitinfo2;
	exit->length =
		svm_features.nrip_save && control->nrip ? (uint8_t)(control->nrip - vcpu->rip) : 0;
	if (code == SVM_EXIT_NPF) {
		decode_memory(control, exit);
	} else if (code == SVM_EXIT_IOIO) {
		decode_io(control, vcpu, exit);
	} else if (code == SVM_EXIT_MSR) {
		exit->reason = HV_EXIT_MSR;
		exit->msr.write = control->exitinfo1 & SVM_MSR_WRITE;
	} else if (code >= SVM_EXIT_EXCP0 && code <= SVM_EXIT_EXCP31) {
		decode_exception(vcpu, control, exit);
	} else if (code == SVM_EXIT_IRET) {
		decode_iret(vcpu, exit);
	} else if (code <= SVM_EXIT_CR15_WRITE) {
		exit->reason = HV_EXIT_CONTROL_REGISTER;
		exit->control.number = code & 0xf;
		exit->control.write = code >= SVM_EXIT_CR0_WRITE;
	} else if (code <= SVM_EXIT_DR15_WRITE) {
		exit->reason = HV_EXIT_DEBUG_REGISTER;
		exit->debug.number = code & 0xf;
		exit->debug.write = code >= SVM_EXIT_DR0_WRITE;
	} else if ((uint32_t)code == (uint32_t)SVM_EXIT_INVALID) {
		exit->reason = HV_EXIT_ENTRY_FAILURE;
	} else {
		/* HV_EXIT_HOST_INTERRUPT is 0, and also what stands for what has no name. */
		exit->reason = HV_EXIT_UNKNOWN;
		if (code < sizeof(reasons) &&
		    (reasons[code] || code == SVM_EXIT_INTR || code == SVM_EXIT_SMI))
			exit->reason = reasons[code];
	}
}
