/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "core/checks.h"
#include "core/processor.h"
#include "x86/exception.h"

/*
 * Around the world switch. VM entries and exits carry most of the state; what they don't
 * is put in place by hand: MSRs and tables at the first entry since the vCPU was loaded
 * (they stay until it is put away, as the host's kernel does not use them), and the rest
 * around each switch, most of it only where the guest uses it.
 */

#define DR7_ANY_ENABLED 0xffull
#define DR7_FIXED	0x400ull
#define DR6_NOTHING	0xffff0ff0ull /* SDM 3, table 9-1 */
#define DR7_UPPER	0xffffffff00000000ull

/* Out of line, so that an exit that has no use for it does not pay for its registers. */
#define SELDOM __attribute__((__noinline__))

static void set(struct vmx_vcpu *vmx, enum vmcs_index index, uint64_t value)
{
	vmx_set_here(&vmx->fields, index, value);
}

/* ---- arriving at a CPU, and leaving it -------------------------------------------------- */

void vmx_load(struct hv_vcpu *vcpu, unsigned int cpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	/* What this CPU remembers is from before, when it last ran here. */
	if (vcpu->cpu_number != cpu)
		vmx->flush = true;
	if (!vmx_life_load(vmx, cpu))
		host_prediction_barrier();
}

#define SELECTOR(name)                                                \
	static uint16_t name##_selector(void)                         \
	{                                                             \
		uint16_t selector;                                    \
                                                                      \
		asm volatile("mov %%" #name ", %0" : "=r"(selector)); \
		return selector;                                      \
	}
SELECTOR(cs)
SELECTOR(ss)
SELECTOR(ds)
SELECTOR(es)
SELECTOR(fs)
SELECTOR(gs)

/* SDM 3, 7.2.3: the base of a TSS in 64-bit mode is in four pieces. */
static uint64_t task_base(const struct vmx_table_register *gdt, uint16_t selector)
{
	const uint32_t *words = (const uint32_t *)(uintptr_t)(gdt->base + (selector & 0xfff8));

	return words[0] >> 16 | (words[1] & 0xff) << 16 | (words[1] & 0xff000000) |
	       (uint64_t)words[2] << 32;
}

/* The host's state on this CPU, which is the same for as long as the CPU is up. */
static void take_cpu_state(struct vmx_vcpu *vmx)
{
	uint16_t tr;

	asm volatile("sgdt %0" : "=m"(vmx->host.gdt));
	asm volatile("sidt %0" : "=m"(vmx->host.idt));
	asm volatile("str %0" : "=r"(tr));
	set(vmx, VMCS_INDEX_HOST_GDTR_BASE, vmx->host.gdt.base);
	set(vmx, VMCS_INDEX_HOST_IDTR_BASE, vmx->host.idt.base);
	set(vmx, VMCS_INDEX_HOST_CS_SELECTOR, cs_selector());
	vmx->host.ss = ss_selector();
	set(vmx, VMCS_INDEX_HOST_SS_SELECTOR, vmx->host.ss);
	set(vmx, VMCS_INDEX_HOST_TR_SELECTOR, tr);
	set(vmx, VMCS_INDEX_HOST_TR_BASE, task_base(&vmx->host.gdt, tr));
	set(vmx, VMCS_INDEX_HOST_IA32_SYSENTER_CS, (uint32_t)processor_read_msr(IA32_SYSENTER_CS));
	set(vmx, VMCS_INDEX_HOST_IA32_SYSENTER_ESP, processor_read_msr(IA32_SYSENTER_ESP));
	set(vmx, VMCS_INDEX_HOST_IA32_SYSENTER_EIP, processor_read_msr(IA32_SYSENTER_EIP));
	set(vmx, VMCS_INDEX_HOST_IA32_PAT, processor_read_msr(IA32_PAT));
	set(vmx, VMCS_INDEX_HOST_IA32_EFER, processor_read_msr(IA32_EFER));
	set(vmx, VMCS_INDEX_HOST_GS_BASE, vmx->host.msrs->gs_base);
}

/* The host's state that is this thread's. */
static void take_thread_state(struct vmx_vcpu *vmx)
{
	struct host_selectors *selectors = &vmx->host.selectors;

	asm volatile("sldt %0" : "=r"(selectors->ldt));
	selectors->ds = ds_selector();
	selectors->es = es_selector();
	selectors->fs = fs_selector();
	selectors->gs = gs_selector();
	set(vmx, VMCS_INDEX_HOST_FS_BASE, processor_read_msr(IA32_FS_BASE));
	set(vmx, VMCS_INDEX_HOST_CR0, processor_read_cr0());
}

/* Only KERNEL_GS_BASE is another with each thread. */
static void msrs_in(struct vmx_vcpu *vmx)
{
	struct vmx_host *host = &vmx->host;
	uint64_t guest = vmx->msrs[VMX_OWN_KERNEL_GS_BASE];

	host->kernel_gs_base = processor_read_msr(IA32_KERNEL_GS_BASE);
	if (host->kernel_gs_base != guest)
		processor_write_msr(IA32_KERNEL_GS_BASE, guest);
	host->debugctl = processor_read_msr(IA32_DEBUGCTL);
	vmx->syscall_stale = true;
	vmx->tsc_aux_loaded = host->msrs->tsc_aux;
}

static SELDOM void arrive(struct vmx_vcpu *vmx, unsigned int cpu)
{
	struct vmx_host *host = &vmx->host;

	if (host->cpu != cpu) {
		host->msrs = vmx_host_msrs(cpu);
		take_cpu_state(vmx);
		host->cpu = cpu;
	}
	take_thread_state(vmx);
	msrs_in(vmx);
	/* Others have worked here since: their data is not for the guest's speculation. */
	if (vmx_features.flush_l1d)
		processor_write_msr(IA32_FLUSH_CMD, 1);
	vmx->arrived = true;
}

/* The limits of GDTR and IDTR are FFFFH after a VM exit (SDM 3, 28.5.2). */
static void restore_tables(const struct vmx_vcpu *vmx)
{
	asm volatile("lgdt %0" : : "m"(vmx->host.gdt));
	asm volatile("lidt %0" : : "m"(vmx->host.idt));
}

static void syscall_msrs_out(struct vmx_vcpu *vmx)
{
	const uint64_t *host = vmx->host.msrs->syscall;

	for (unsigned int i = 0; i < VMX_OWN_SYSCALL_COUNT; i++)
		if (vmx->syscall_in[i] != host[i])
			processor_write_msr(vmx_own_msrs[i], host[i]);
	vmx->syscall_loaded = false;
}

static void leave(struct vmx_vcpu *vmx)
{
	const struct vmx_host *host = &vmx->host;

	restore_tables(vmx);
	host_restore_selectors(&host->selectors);
	if (host->selectors.fs)
		processor_write_msr(IA32_FS_BASE, vmx->fields.state.host_fs_base);
	if (vmx->syscall_loaded)
		syscall_msrs_out(vmx);
	/* Restoring GS's selector goes by way of KERNEL_GS_BASE: it is read before. */
	if (host->kernel_gs_base != vmx->msrs[VMX_OWN_KERNEL_GS_BASE] || host->selectors.gs)
		processor_write_msr(IA32_KERNEL_GS_BASE, host->kernel_gs_base);
	if (vmx->tsc_aux_loaded != host->msrs->tsc_aux)
		processor_write_msr(IA32_TSC_AUX, host->msrs->tsc_aux);
	vmx->arrived = false;
}

void vmx_put(struct hv_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint64_t flags = processor_interrupts_off();

	if (vmx->arrived) {
		vmx->msrs[VMX_OWN_KERNEL_GS_BASE] = processor_read_msr(IA32_KERNEL_GS_BASE);
		leave(vmx);
	}
	processor_interrupts_back(flags);
}

/* ---- entering ------------------------------------------------------------------------------ */

/*
 * Blocking as VM entry wants it (SDM 3, 27.3.1.5): not by STI and MOV SS at once, not by
 * STI with IF clear, and not by NMI while one is injected.
 */
static uint32_t interruptibility_of(const struct hv_vcpu *vcpu, uint32_t injected)
{
	bool is_nmi = injected & VMX_EVENT_VALID && vmx_event_type(injected) == VMX_EVENT_NMI;
	uint32_t blocking = 0;

	if (vcpu->shadow & HV_SHADOW_MOV_SS)
		blocking = VMX_BLOCKING_BY_MOV_SS;
	else if (vcpu->shadow & HV_SHADOW_STI && vcpu->rflags & RFLAGS_IF)
		blocking = VMX_BLOCKING_BY_STI;
	if (vcpu->pending.nmi_blocked && !is_nmi)
		blocking |= VMX_BLOCKING_BY_NMI;
	return blocking;
}

/* While interrupts are blocked, a single step is pending exactly if TF is set (SDM 3, 27.3.1.5). */
static void pending_debug_in(struct hv_vcpu *vcpu, uint32_t interruptibility)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint64_t pending;

	if (!(interruptibility & (VMX_BLOCKING_BY_STI | VMX_BLOCKING_BY_MOV_SS)))
		return;
	pending = vmx_get_here(&vmx->fields, VMCS_INDEX_GUEST_PENDING_DEBUG_EXCEPTIONS);
	set(vmx, VMCS_INDEX_GUEST_PENDING_DEBUG_EXCEPTIONS,
	    vcpu->rflags & RFLAGS_TF ? pending | VMX_PENDING_BS : pending & ~VMX_PENDING_BS);
}

/* RFLAGS has bits that are 0 and one that is 1: SDM 1, 3.4.3. */
#define RFLAGS_KNOWN                                                                           \
	(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_TF | RFLAGS_IF |   \
	 RFLAGS_DF | RFLAGS_OF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_RF | RFLAGS_VM | RFLAGS_AC | \
	 RFLAGS_VIF | RFLAGS_VIP | RFLAGS_ID)

/* A field of struct vmx_hot: written where it is another than the VMCS has. */
static inline void write_hot(uint32_t encoding, uint64_t *has, uint64_t value)
{
	if (*has == value)
		return;
	*has = value;
	vmx_instruction_vmwrite(encoding, value);
}

/* A VMCS that was cleared may have been through other hands: all of it. */
static SELDOM void write_all_hot(const struct vmx_hot *hot)
{
	vmx_instruction_vmwrite(VMCS_GUEST_RIP, hot->rip);
	vmx_instruction_vmwrite(VMCS_GUEST_RSP, hot->rsp);
	vmx_instruction_vmwrite(VMCS_GUEST_RFLAGS, hot->rflags);
	vmx_instruction_vmwrite(VMCS_GUEST_DR7, hot->dr7);
	vmx_instruction_vmwrite(VMCS_GUEST_INTERRUPTIBILITY_STATE, hot->interruptibility);
	vmx_instruction_vmwrite(VMCS_HOST_CR3, hot->host_cr3);
	vmx_instruction_vmwrite(VMCS_HOST_CR4, hot->host_cr4);
	vmx_instruction_vmwrite(VMCS_TPR_THRESHOLD, hot->tpr_threshold);
	if (vmx_features.timer)
		vmx_instruction_vmwrite(VMCS_PREEMPTION_TIMER_VALUE, hot->timer);
}

static SELDOM uint64_t blocking_in(struct hv_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint32_t injected = (uint32_t)vmx->fields.state.entry_interruption_information;
	uint32_t interruptibility;

	interruptibility = interruptibility_of(vcpu, injected);
	pending_debug_in(vcpu, interruptibility);
	return interruptibility;
}

/* VM entry wants a threshold that TPR is not below already (SDM 3, 27.2.1.1). */
static inline void tpr_in(const struct hv_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	uint8_t *tpr = &vmx->virtual_apic[VMX_APIC_TPR];

	/* Its lower half is the guest's, and nobody else's. */
	if (vcpu->cr8 != vmx->hot.cr8 && vcpu->cr8 != *tpr >> VMX_APIC_TPR_CLASS_SHIFT)
		*tpr = (uint8_t)(vcpu->cr8 << VMX_APIC_TPR_CLASS_SHIFT);
	write_hot(VMCS_TPR_THRESHOLD, &vmx->hot.tpr_threshold,
		  vmx->tpr_below < vcpu->cr8 ? vmx->tpr_below : vcpu->cr8);
}

/*
 * What is left until the deadline: rather one count too many, as the first one begins
 * somewhere in its middle. With none left the guest leaves before its first instruction.
 */
static SELDOM uint64_t counts_left(const struct hv_vcpu *vcpu)
{
	uint64_t now = processor_tsc();

	if (now >= vcpu->deadline)
		return 0;
	return ((vcpu->deadline - now) >> vmx_features.timer_shift) + 1;
}

/* Without a timer there is no deadline, and the longest run is 0, as is what the VMCS has. */
static inline void timer_in(const struct hv_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	uint64_t counts = vmx->longest_run;

	if (vcpu->deadline) {
		uint64_t left = counts_left(vcpu);

		counts = left < counts ? left : counts;
	}
	write_hot(VMCS_PREEMPTION_TIMER_VALUE, &vmx->hot.timer, counts);
}

static void registers_in(struct hv_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	struct vmx_hot *hot = &vmx->hot;

	write_hot(VMCS_GUEST_RIP, &hot->rip, vcpu->rip);
	write_hot(VMCS_GUEST_RSP, &hot->rsp, vcpu->gpr[GPR_RSP]);
	write_hot(VMCS_GUEST_RFLAGS, &hot->rflags, (vcpu->rflags & RFLAGS_KNOWN) | RFLAGS_FIXED);
	write_hot(VMCS_GUEST_DR7, &hot->dr7, (vcpu->dr7 & ~DR7_UPPER) | DR7_FIXED);
	write_hot(VMCS_GUEST_INTERRUPTIBILITY_STATE, &hot->interruptibility,
		  vcpu->shadow || vcpu->pending.nmi_blocked ? blocking_in(vcpu) : 0);
	/* The host may have got other page tables, or switched features on and off. */
	write_hot(VMCS_HOST_CR3, &hot->host_cr3, processor_read_cr3());
	write_hot(VMCS_HOST_CR4, &hot->host_cr4, processor_read_cr4());
	tpr_in(vcpu, vmx);
	timer_in(vcpu, vmx);
	if (!vmx->launched)
		write_all_hot(hot);
}

static SELDOM void blocking_out(struct hv_vcpu *vcpu, uint64_t interruptibility)
{
	if (interruptibility & VMX_BLOCKING_BY_STI)
		vcpu->shadow |= HV_SHADOW_STI;
	if (interruptibility & VMX_BLOCKING_BY_MOV_SS)
		vcpu->shadow |= HV_SHADOW_MOV_SS;
	vcpu->pending.nmi_blocked = interruptibility & VMX_BLOCKING_BY_NMI;
}

static void registers_out(struct hv_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	struct vmx_hot *hot = &vmx->hot;

	vcpu->rip = hot->rip = vmx_instruction_vmread_known(VMCS_GUEST_RIP);
	vcpu->gpr[GPR_RSP] = hot->rsp = vmx_instruction_vmread_known(VMCS_GUEST_RSP);
	vcpu->rflags = hot->rflags = vmx_instruction_vmread_known(VMCS_GUEST_RFLAGS);
	hot->interruptibility = vmx_instruction_vmread_known(VMCS_GUEST_INTERRUPTIBILITY_STATE);
	vcpu->shadow = 0;
	vcpu->pending.nmi_blocked = false;
	if (hot->interruptibility)
		blocking_out(vcpu, hot->interruptibility);
	vcpu->cr8 = hot->cr8 = vmx->virtual_apic[VMX_APIC_TPR] >> VMX_APIC_TPR_CLASS_SHIFT;
}

/* No VM exit saves or loads any of these but DR7 (SDM 3, 28.5.1). */
static void debug_out(struct hv_vcpu *vcpu)
{
	if (vcpu->debug_live) {
		vcpu->dr7 = vmx_vcpu(vcpu)->hot.dr7 = vmx_instruction_vmread(VMCS_GUEST_DR7);
		vcpu->dr6 = processor_read_dr6();
		processor_read_debug(vcpu->dr);
		processor_write_dr6(DR6_NOTHING);
	}
	/* A VM exit has switched all breakpoints off. */
	host_debug_restore();
}

/* SDM 3, 29.4.3.3: translations of the second level, and of both together. */
static SELDOM void flush(struct vmx_vcpu *vmx)
{
	vmx->flush = false;
	vmx_instruction_invept(vmx_features.invept, vmx->fields.state.eptp);
	if (vmx->vpid)
		vmx_instruction_invvpid(vmx_features.invvpid, vmx->vpid);
}

static SELDOM void syscall_msrs_in(struct vmx_vcpu *vmx)
{
	vmx->syscall_stale = false;
	if (!(vmx->fields.state.guest_ia32_efer & IA32_EFER_SCE))
		return;
	for (unsigned int i = 0; i < VMX_OWN_SYSCALL_COUNT; i++) {
		const uint64_t *has = vmx->syscall_loaded ? vmx->syscall_in
							  : vmx->host.msrs->syscall;

		if (has[i] != vmx->msrs[i])
			processor_write_msr(vmx_own_msrs[i], vmx->msrs[i]);
		vmx->syscall_in[i] = vmx->msrs[i];
	}
	vmx->syscall_loaded = true;
}

static void guest_registers_in(struct hv_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	if (vmx->syscall_stale)
		syscall_msrs_in(vmx);
	if (vmx_features.tsc_aux && vmx->tsc_aux_loaded != vcpu->tsc_aux) {
		processor_write_msr(IA32_TSC_AUX, vcpu->tsc_aux);
		vmx->tsc_aux_loaded = vcpu->tsc_aux;
	}
	if (vcpu->debug_live || vcpu->dr7 & DR7_ANY_ENABLED)
		processor_write_debug(vcpu->dr);
	if (vcpu->debug_live)
		processor_write_dr6(vcpu->dr6);
	if (processor_read_cr2() != vmx->cr2)
		processor_write_cr2(vmx->cr2);
}

static unsigned int switch_worlds(struct hv_vcpu *vcpu, struct vmx_vcpu *vmx)
{
	uint64_t hosts_own = 0;
	unsigned int failed;

	guest_registers_in(vcpu, vmx);
	if (vmx_features.spec_ctrl) {
		hosts_own = host_spec_ctrl();
		if (hosts_own != vcpu->spec_ctrl)
			processor_write_msr(IA32_SPEC_CTRL, vcpu->spec_ctrl);
	}
	if (vmx_features.clear_buffers)
		processor_clear_buffers();
	failed = vmx_switch(vcpu->gpr, vmx->launched, &vmx->host_rsp, vmx_features.barriers);
	if (vmx_features.spec_ctrl && hosts_own != vcpu->spec_ctrl)
		processor_write_msr(IA32_SPEC_CTRL, hosts_own);
	vmx->cr2 = processor_read_cr2();
	/* A VM exit has cleared it (SDM 3, 28.5.1). */
	if (vmx->host.debugctl)
		processor_write_msr(IA32_DEBUGCTL, vmx->host.debugctl);
	return failed;
}

/* ---- what has come out ------------------------------------------------------------------------ */

static void read_interruption(struct vmx_exit_information *information)
{
	information->interruption =
		(uint32_t)vmx_instruction_vmread(VMCS_EXIT_INTERRUPTION_INFORMATION);
	if (information->interruption & VMX_EVENT_ERROR_CODE)
		information->error_code =
			(uint32_t)vmx_instruction_vmread(VMCS_EXIT_INTERRUPTION_ERROR_CODE);
}

static void read_event(uint32_t reason, struct vmx_exit_information *information)
{
	information->reason = reason;
	information->qualification = vmx_instruction_vmread_known(VMCS_EXIT_QUALIFICATION);
	information->physical_address = 0;
	information->interruption = information->error_code = 0;
	information->length = (uint32_t)vmx_instruction_vmread_known(VMCS_EXIT_INSTRUCTION_LENGTH);
	information->vectoring = (uint32_t)vmx_instruction_vmread(VMCS_IDT_VECTORING_INFORMATION);
	information->vectoring_error_code = 0;
	if (information->vectoring & VMX_EVENT_ERROR_CODE)
		information->vectoring_error_code =
			(uint32_t)vmx_instruction_vmread(VMCS_IDT_VECTORING_ERROR_CODE);
	switch (reason & VMX_REASON_BASIC) {
	case VMX_REASON_EXCEPTION_OR_NMI:
		read_interruption(information);
		break;
	case VMX_REASON_EPT_VIOLATION:
	case VMX_REASON_EPT_MISCONFIGURATION:
		information->physical_address = vmx_instruction_vmread(VMCS_GUEST_PHYSICAL_ADDRESS);
		break;
	default:
		break;
	}
}

static bool is_machine_check(const struct vmx_exit_information *information)
{
	switch (information->reason & VMX_REASON_BASIC) {
	case VMX_REASON_ENTRY_FAILURE_MACHINE_CHECK:
		return true;
	case VMX_REASON_EXCEPTION_OR_NMI:
		return (information->interruption & VMX_EVENT_VECTOR) == EXCEPTION_MC &&
		       vmx_event_type(information->interruption) == VMX_EVENT_HARDWARE_EXCEPTION;
	default:
		return false;
	}
}

/* What must not wait until interrupts are on and the thread may go elsewhere. */
static void handle_at_once(const struct vmx_exit_information *information, struct hv_exit *exit)
{
	if (exit->reason == HV_EXIT_HOST_NMI)
		host_handle_nmi();
	if (!is_machine_check(information))
		return;
	host_handle_machine_check();
	if (exit->reason == HV_EXIT_EXCEPTION)
		exit->reason = HV_EXIT_HOST_INTERRUPT;
}

/* What it needs on the stack is not cleared where there is less to say. */
static SELDOM void event_came_out(struct hv_vcpu *vcpu, uint32_t reason, struct hv_exit *exit)
{
	struct vmx_exit_information information;

	read_event(reason, &information);
	vmx_decode(vcpu, &information, exit);
	handle_at_once(&information, exit);
}

static void instruction_came_out(uint32_t reason, unsigned int has, struct hv_exit *exit)
{
	uint32_t length = (uint32_t)vmx_instruction_vmread_known(VMCS_EXIT_INSTRUCTION_LENGTH);
	uint64_t qualification = 0;

	if (has & VMX_HAS_QUALIFICATION)
		qualification = vmx_instruction_vmread_known(VMCS_EXIT_QUALIFICATION);
	vmx_decode_instruction(reason, length, qualification, exit);
}

/* The event has gone in: an exit clears its valid bit (SDM 3, 28.2.5). A failed entry does not. */
static void event_out(struct vmx_vcpu *vmx, bool entered)
{
	const enum vmcs_index field = VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION;
	uint64_t injected = vmx->fields.state.entry_interruption_information;

	if (!injected)
		return;
	vmx_set_known(&vmx->fields, field, entered ? 0 : injected);
	set(vmx, field, 0);
}

static void came_out(struct hv_vcpu *vcpu, struct vmx_vcpu *vmx, struct hv_exit *exit)
{
	uint32_t reason = (uint32_t)vmx_instruction_vmread_known(VMCS_EXIT_REASON);
	unsigned int has = vmx_decode_has(reason);

	vmx_fields_forget(&vmx->fields);
	if (vmx->logging)
		vmx_log_empty(vcpu);
	registers_out(vcpu, vmx);
	debug_out(vcpu);
	if (has & VMX_CUTS_SHORT)
		event_came_out(vcpu, reason, exit);
	else
		instruction_came_out(reason, has, exit);
	vmx->launched |= exit->reason != HV_EXIT_ENTRY_FAILURE;
	event_out(vmx, exit->reason != HV_EXIT_ENTRY_FAILURE);
}

/* VMfail: nothing has been loaded (SDM 3, 27.1 and 27.2). */
static SELDOM void did_not_enter(struct hv_vcpu *vcpu, unsigned int failed, struct hv_exit *exit)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	*exit = (struct hv_exit){
		.reason = HV_EXIT_ENTRY_FAILURE,
		.number = failed == 1 ? 0 : vmx_instruction_vmread(VMCS_VM_INSTRUCTION_ERROR),
	};
	event_out(vmx, false);
}

/* False: VM entry would not take a guest like this. */
static SELDOM bool write_changed(struct hv_vcpu *vcpu)
{
	if (!vmx_can_enter(vcpu))
		return false;
	vmx_fields_write_changed(&vmx_vcpu(vcpu)->fields);
	return true;
}

static void enter_and_leave(struct hv_vcpu *vcpu, struct vmx_vcpu *vmx, struct hv_exit *exit)
{
	unsigned int failed;

	if (hv_checks)
		vmx_doctor_before(vcpu);
	failed = switch_worlds(vcpu, vmx);
	if (failed)
		did_not_enter(vcpu, failed, exit);
	else
		came_out(vcpu, vmx, exit);
}

#define WINDOWS (VMX_PRIMARY_INTERRUPT_WINDOW_EXITING | VMX_PRIMARY_NMI_WINDOW_EXITING)

void vmx_enter(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (!vmx->arrived)
		arrive(vmx, host_cpu());
	if (vmx->logging != __atomic_load_n(&vcpu->vm->logging, __ATOMIC_SEQ_CST))
		vmx_log_switch(vcpu, !vmx->logging);
	registers_in(vcpu, vmx);
	if (vmx->flush)
		flush(vmx);
	/* Most entries find nothing to write. */
	if (vmx_fields_have_changed(&vmx->fields) && !write_changed(vcpu))
		vmx_restricted_exit(vcpu, exit);
	else
		enter_and_leave(vcpu, vmx, exit);
	if (vmx->fields.state.primary_controls & WINDOWS)
		set(vmx, VMCS_INDEX_PRIMARY_CONTROLS,
		    vmx->fields.state.primary_controls & ~WINDOWS);
}

/* ---- an entry that failed ----------------------------------------------------------------------- */

static const char *failure_text(const struct hv_exit *exit)
{
	const char *text;

	if (exit->number & VMX_REASON_ENTRY_FAILURE)
		text = vmx_reason_text((uint32_t)exit->number);
	else
		text = vmx_error_text((uint32_t)exit->number);
	return text ? text : "no current VMCS";
}

static SELDOM void after_failure(struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	host_log(failure_text(exit));
	vmx_doctor(vcpu);
}

static SELDOM void after_memory(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	if (vmx_apic_map(vcpu, exit->memory.gpa) || vmx_restricted_map(vcpu, exit->memory.gpa))
		exit->reason = HV_EXIT_HOST_INTERRUPT; /* it tries again */
}

void vmx_after_exit(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	if (exit->reason == HV_EXIT_MEMORY)
		after_memory(vcpu, exit);
	else if (exit->reason == HV_EXIT_ENTRY_FAILURE)
		after_failure(vcpu, exit);
	else if (hv_checks)
		vmx_doctor_after(vcpu);
}
