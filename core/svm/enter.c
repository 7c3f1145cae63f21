/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/svm/svm.h"

#include "core/checks.h"
#include "core/processor.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * Around the world switch: what neither VMRUN nor VMLOAD carries is put in place by hand
 * and taken out again, most of it only where the guest uses it.
 */

#define DR7_ANY_ENABLED 0xffull

/* The host's is one to one; it reads its own counter unscaled either way. */
static void load_tsc_ratio(struct svm_vcpu *svm, uint64_t ratio)
{
	if (svm->tsc_ratio_loaded == ratio)
		return;
	processor_write_msr(AMD_TSC_RATIO, ratio ? ratio : 1ull << SVM_TSC_FRACTION_BITS);
	svm->tsc_ratio_loaded = ratio;
}

/* ---- arriving at a CPU ------------------------------------------------------------------ */

void svm_load(struct hv_vcpu *vcpu, unsigned int cpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	if (vcpu->cpu_number != cpu)
		svm->asid_generation = 0;
	if (!svm_was_last(svm, cpu)) {
		svm->vmcb->control.clean = 0;
		host_prediction_barrier();
	}
	/* The host's FS, GS, TR and LDTR, which are this thread's. */
	svm->host_save = svm_host_save(cpu);
	asm volatile("vmsave %0" : : "a"(svm->host_save) : "memory");
	svm->host_tsc_aux = svm->tsc_aux_loaded = 0;
	if (svm_features.tsc_aux) {
		svm->host_tsc_aux = processor_read_msr(IA32_TSC_AUX);
		svm->tsc_aux_loaded = svm->host_tsc_aux;
	}
}

void svm_put(struct hv_vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct host_selectors host = { 0 };

	if (svm->tsc_aux_loaded != svm->host_tsc_aux)
		processor_write_msr(IA32_TSC_AUX, svm->host_tsc_aux);
	svm->tsc_aux_loaded = svm->host_tsc_aux;
	load_tsc_ratio(svm, 0);
	/*
	 * VMLOAD has brought the LDT as it was when the vCPU was loaded. Another thread may have
	 * moved it since: LLDT reads where it is now.
	 */
	asm volatile("sldt %0" : "=r"(host.ldt));
	if (host.ldt)
		host_restore_selectors(&host);
}

/* ---- entering ------------------------------------------------------------------------------ */

#define OURS_IN_V_INTR (VMCB_V_INTR_MASKING | VMCB_V_TPR)

static void registers_in(struct hv_vcpu *vcpu)
{
	struct vmcb *vmcb = svm_vcpu(vcpu)->vmcb;
	struct vmcb_save *save = &vmcb->save;

	save->rax = vcpu->gpr[GPR_RAX];
	save->rsp = vcpu->gpr[GPR_RSP];
	save->rip = vcpu->rip;
	save->rflags = vcpu->rflags;
	vmcb->control.interrupt_shadow = vcpu->shadow ? VMCB_INTERRUPT_SHADOW : 0;
	/* V_INTR_MASKING keeps the host's interrupts the host's: it is not left to an exit. */
	if ((vmcb->control.v_intr & OURS_IN_V_INTR) != (VMCB_V_INTR_MASKING | vcpu->cr8)) {
		vmcb->control.v_intr = (vmcb->control.v_intr & ~OURS_IN_V_INTR) |
				       VMCB_V_INTR_MASKING | vcpu->cr8;
		vmcb->control.clean &= ~VMCB_CLEAN_TPR;
	}
	if (save->dr6 != vcpu->dr6) {
		save->dr6 = vcpu->dr6;
		vmcb->control.clean &= ~VMCB_CLEAN_DR;
	}
}

static void registers_out(struct hv_vcpu *vcpu)
{
	const struct vmcb *vmcb = svm_vcpu(vcpu)->vmcb;

	vcpu->gpr[GPR_RAX] = vmcb->save.rax;
	vcpu->gpr[GPR_RSP] = vmcb->save.rsp;
	vcpu->rip = vmcb->save.rip;
	vcpu->rflags = vmcb->save.rflags;
	vcpu->shadow = vmcb->control.interrupt_shadow & VMCB_INTERRUPT_SHADOW ? HV_SHADOW_STI : 0;
	vcpu->cr8 = vmcb->control.v_intr & VMCB_V_TPR;
	vcpu->dr6 = vmcb->save.dr6;
	if (vcpu->debug_live) {
		vcpu->dr7 = vmcb->save.dr7;
		processor_read_debug(vcpu->dr);
	}
}

/* What the exit cut short is delivered first at the next entry (APM 2, 15.7.2). */
static void event_out(struct hv_vcpu *vcpu)
{
	uint64_t info = svm_vcpu(vcpu)->vmcb->control.exitintinfo;
	struct hv_event *event = &vcpu->pending.injecting;

	if (!(info & VMCB_EVENT_VALID))
		return;
	*event = (struct hv_event){
		.valid = true,
		.type = (uint8_t)((info & VMCB_EVENT_TYPE) >> VMCB_EVENT_TYPE_SHIFT),
		.vector = (uint8_t)(info & VMCB_EVENT_VECTOR),
		.has_error_code = info & VMCB_EVENT_ERROR_CODE_VALID,
		.error_code = (uint32_t)(info >> VMCB_EVENT_ERROR_CODE_SHIFT),
	};
	/*
	 * RIP stands at INT n, INT3 or INTO itself: it will be executed again, which is as
	 * good as injecting what it raises. It has begun, so no interrupt comes before it.
	 */
	if (event->type == HV_EVENT_SOFT_INTERRUPT ||
	    (event->type == HV_EVENT_EXCEPTION &&
	     (event->vector == EXCEPTION_BP || event->vector == EXCEPTION_OF))) {
		event->valid = false;
		vcpu->shadow = HV_SHADOW_STI;
	}
}

static void nmi_out(struct hv_vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);

	if (svm->nmi_iret_seen && vcpu->rip != svm->nmi_iret_rip) {
		svm->nmi_iret_seen = false;
		vcpu->pending.nmi_blocked = false;
	}
}

static void switch_worlds(struct hv_vcpu *vcpu)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	uint64_t hosts_own = 0;

	if (svm_features.tsc_aux && svm->tsc_aux_loaded != vcpu->tsc_aux) {
		processor_write_msr(IA32_TSC_AUX, vcpu->tsc_aux);
		svm->tsc_aux_loaded = vcpu->tsc_aux;
	}
	load_tsc_ratio(svm, vcpu->tsc_ratio);
	if (vcpu->debug_live || vcpu->dr7 & DR7_ANY_ENABLED)
		processor_write_debug(vcpu->dr);
	if (svm_features.spec_ctrl) {
		hosts_own = host_spec_ctrl();
		if (hosts_own != vcpu->spec_ctrl)
			processor_write_msr(IA32_SPEC_CTRL, vcpu->spec_ctrl);
	}
	if (svm_features.barriers & HOST_CLEAR_BUFFERS)
		processor_clear_buffers();
	svm_switch(svm->vmcb_physical, vcpu->gpr, svm->host_save, svm_features.barriers);
	if (svm_features.spec_ctrl && hosts_own != vcpu->spec_ctrl)
		processor_write_msr(IA32_SPEC_CTRL, hosts_own);
}

void svm_enter(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	struct svm_vcpu *svm = svm_vcpu(vcpu);
	struct vmcb_control *control = &svm->vmcb->control;
	unsigned int cpu = host_cpu();

	if (!svm_asid_is_current(svm, cpu))
		svm_new_asid(svm, cpu);
	registers_in(vcpu);
	if (hv_checks)
		svm_doctor_before(vcpu);
	switch_worlds(vcpu);
	/* What a refused entry leaves in the VMCB may be the host's (QEMU's processor). */
	if ((uint32_t)control->exitcode != (uint32_t)SVM_EXIT_INVALID)
		registers_out(vcpu);
	/* #VMEXIT has switched all breakpoints off: DR7 is 0x400 (APM 2, 15.6). */
	host_debug_restore();
	control->tlb_control = VMCB_TLB_KEEP;
	control->eventinj = 0;
	control->clean = svm_features.clean_bits ? UINT32_MAX : 0;
	if (control->v_intr & VMCB_V_IRQ)
		svm_interrupt_window(vcpu, false);
	event_out(vcpu);
	nmi_out(vcpu);
	svm_decode(vcpu, exit);
}

void svm_after_exit(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	if (exit->reason == HV_EXIT_ENTRY_FAILURE)
		svm_doctor(vcpu);
	else if (hv_checks)
		svm_doctor_after(vcpu);
}
