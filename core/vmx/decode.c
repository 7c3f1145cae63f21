/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "x86/exception.h"
#include "x86/registers.h"

/*
 * From a VM exit's reason and qualification (SDM 3, 28.2 and appendix C) to a struct
 * hv_exit, and from events to the words that VM entries inject (SDM 3, 25.8.3). Nothing
 * is decided here, and nothing is asked of the processor.
 */

struct reason {
	uint8_t reason; /* enum hv_exit_reason */
	uint8_t has;	/* enum vmx_has; 0: no name, as HV_EXIT_HOST_INTERRUPT is 0 */
};

/* An instruction has a length and is never in the middle of an event (SDM 3, 28.2.4 and 28.2.5). */
#define EVENT(name)                                                                   \
	{                                                                             \
		HV_EXIT_##name, VMX_HAS_NAME | VMX_HAS_QUALIFICATION | VMX_CUTS_SHORT \
	}
#define INSTRUCTION(name)                                     \
	{                                                     \
		HV_EXIT_##name, VMX_HAS_NAME | VMX_HAS_LENGTH \
	}
#define DETAILED(name)                                                                \
	{                                                                             \
		HV_EXIT_##name, VMX_HAS_NAME | VMX_HAS_LENGTH | VMX_HAS_QUALIFICATION \
	}
#define DIRECTED(name)                                                            \
	{                                                                         \
		HV_EXIT_##name, VMX_HAS_NAME | VMX_HAS_LENGTH | VMX_HAS_DIRECTION \
	}

static const struct reason reasons[] = {
	[VMX_REASON_EXCEPTION_OR_NMI] = EVENT(EXCEPTION),
	[VMX_REASON_EXTERNAL_INTERRUPT] = EVENT(HOST_INTERRUPT),
	[VMX_REASON_TRIPLE_FAULT] = EVENT(SHUTDOWN),
	[VMX_REASON_INIT] = EVENT(INIT),
	[VMX_REASON_IO_SMI] = EVENT(HOST_INTERRUPT),
	[VMX_REASON_OTHER_SMI] = EVENT(HOST_INTERRUPT),
	[VMX_REASON_INTERRUPT_WINDOW] = EVENT(INTERRUPT_WINDOW),
	[VMX_REASON_NMI_WINDOW] = EVENT(NMI_WINDOW),
	[VMX_REASON_TASK_SWITCH] = EVENT(TASK_SWITCH),
	[VMX_REASON_CPUID] = INSTRUCTION(CPUID),
	[VMX_REASON_GETSEC] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_HLT] = INSTRUCTION(HLT),
	[VMX_REASON_INVD] = INSTRUCTION(INVALIDATE_CACHE),
	[VMX_REASON_INVLPG] = DETAILED(INVALIDATE_PAGE),
	[VMX_REASON_RDPMC] = INSTRUCTION(RDPMC),
	[VMX_REASON_RDTSC] = INSTRUCTION(RDTSC),
	[VMX_REASON_VMCALL] = INSTRUCTION(HYPERCALL),
	[VMX_REASON_VMCLEAR] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_VMLAUNCH] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_VMPTRLD] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_VMPTRST] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_VMREAD] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_VMRESUME] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_VMWRITE] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_VMXOFF] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_VMXON] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_CR_ACCESS] = DETAILED(CONTROL_REGISTER),
	[VMX_REASON_MOV_DR] = DETAILED(DEBUG_REGISTER),
	[VMX_REASON_IO_INSTRUCTION] = DETAILED(IO),
	[VMX_REASON_RDMSR] = DIRECTED(MSR),
	[VMX_REASON_WRMSR] = DIRECTED(MSR),
	[VMX_REASON_MWAIT] = INSTRUCTION(MWAIT),
	[VMX_REASON_MONITOR_TRAP_FLAG] = EVENT(SINGLE_STEP),
	[VMX_REASON_MONITOR] = INSTRUCTION(MONITOR),
	[VMX_REASON_PAUSE] = INSTRUCTION(PAUSE),
	[VMX_REASON_TPR_BELOW_THRESHOLD] = EVENT(TPR_BELOW),
	[VMX_REASON_APIC_ACCESS] = EVENT(APIC_ACCESS),
	[VMX_REASON_VIRTUALIZED_EOI] = EVENT(EOI),
	[VMX_REASON_GDTR_IDTR_ACCESS] = DETAILED(DESCRIPTOR_TABLE),
	[VMX_REASON_LDTR_TR_ACCESS] = DETAILED(DESCRIPTOR_TABLE),
	[VMX_REASON_EPT_VIOLATION] = EVENT(MEMORY),
	[VMX_REASON_INVEPT] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_RDTSCP] = INSTRUCTION(RDTSCP),
	[VMX_REASON_PREEMPTION_TIMER] = EVENT(DEADLINE),
	[VMX_REASON_INVVPID] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_WBINVD] = INSTRUCTION(INVALIDATE_CACHE),
	[VMX_REASON_XSETBV] = INSTRUCTION(XSETBV),
	[VMX_REASON_VMFUNC] = INSTRUCTION(VIRTUALIZATION),
	[VMX_REASON_APIC_WRITE] = EVENT(APIC_WRITE),
	[VMX_REASON_PML_FULL] = EVENT(LOG_FULL),
};

#define REASONS (sizeof(reasons) / sizeof(reasons[0]))

unsigned int vmx_decode_has(uint32_t reason)
{
	uint32_t basic = reason & VMX_REASON_BASIC;

	if (basic >= REASONS || !reasons[basic].has || reason & VMX_REASON_ENTRY_FAILURE)
		return VMX_HAS_QUALIFICATION | VMX_CUTS_SHORT;
	return reasons[basic].has;
}

/* ---- what the exit cut short ------------------------------------------------------------ */

static bool is_software(unsigned int type)
{
	return type == VMX_EVENT_SOFTWARE_INTERRUPT ||
	       type == VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION ||
	       type == VMX_EVENT_SOFTWARE_EXCEPTION;
}

/* It is delivered first at the next entry (SDM 3, 28.2.4 and 25.9.3). */
void vmx_decode_injected(struct hv_vcpu *vcpu, uint32_t information, uint32_t error_code,
			 uint32_t length)
{
	uint8_t type = (uint8_t)vmx_event_type(information);

	if (!(information & VMX_EVENT_VALID))
		return;
	vcpu->pending.injecting = (struct hv_event){
		.valid = true,
		.type = type,
		.vector = (uint8_t)(information & VMX_EVENT_VECTOR),
		.has_error_code = information & VMX_EVENT_ERROR_CODE,
		.error_code = error_code,
		.length = is_software(type) ? (uint8_t)length : 0,
	};
}

/*
 * An IRET has let NMIs in again, and then met a fault: it will be executed once more, and
 * until then they are blocked as before (SDM 3, 28.2.3, "NMI unblocking due to IRET").
 */
static bool iret_failed(const struct vmx_exit_information *information)
{
	if (information->vectoring & VMX_EVENT_VALID)
		return false;
	switch (information->reason & VMX_REASON_BASIC) {
	case VMX_REASON_EXCEPTION_OR_NMI:
		return information->interruption & VMX_EVENT_NMI_UNBLOCKED &&
		       (information->interruption & VMX_EVENT_VECTOR) != EXCEPTION_DF;
	case VMX_REASON_EPT_VIOLATION:
		return information->qualification & VMX_EPT_NMI_UNBLOCKED;
	default:
		return false;
	}
}

/* ---- reasons that say more ----------------------------------------------------------------- */

#define DR6_TRAPS 0xfull       /* B0 to B3: SDM 3, 17.2.3 */
#define DR6_BLD	  (1ull << 11) /* clear when it tells, as is RTM */
#define DR6_BD	  (1ull << 13)
#define DR6_BS	  (1ull << 14)
#define DR6_RTM	  (1ull << 16)
#define DR7_GD	  (1ull << 13)

/*
 * A debug exception that is an exit leaves DR6 and DR7 alone: the qualification holds
 * what would have happened to DR6 (SDM 3, 28.2.1, table 28-1).
 */
static void decode_debug_exception(struct hv_vcpu *vcpu,
				   const struct vmx_exit_information *information)
{
	uint64_t causes = information->qualification;

	vcpu->dr6 = (vcpu->dr6 & ~DR6_TRAPS) | (causes & (DR6_TRAPS | DR6_BD | DR6_BS));
	vcpu->dr6 &= ~(causes & (DR6_BLD | DR6_RTM));
	vcpu->dr7 &= ~DR7_GD;
	/* INT1 is a trap: the handler comes back to what follows it. */
	if (vmx_event_type(information->interruption) == VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION)
		vcpu->rip += information->length;
}

static void decode_exception(struct hv_vcpu *vcpu, const struct vmx_exit_information *information,
			     struct hv_exit *exit)
{
	if (vmx_event_type(information->interruption) == VMX_EVENT_NMI) {
		exit->reason = HV_EXIT_HOST_NMI;
		return;
	}
	exit->details[1] = (uint64_t)information->error_code << 32 | information->interruption;
	exit->exception.vector = (uint8_t)(information->interruption & VMX_EVENT_VECTOR);
	exit->exception.error_code = information->error_code;
	exit->exception.address = information->qualification;
	if (exit->exception.vector == EXCEPTION_DB)
		decode_debug_exception(vcpu, information);
}

static void decode_io(uint64_t qualification, struct hv_exit *exit)
{
	exit->io.port = (uint16_t)(qualification >> VMX_IO_PORT_SHIFT);
	exit->io.size = (uint8_t)(1 + (qualification & VMX_IO_SIZE));
	exit->io.in = qualification & VMX_IO_IN;
	exit->io.string = qualification & VMX_IO_STRING;
}

static void decode_control_register(uint64_t qualification, struct hv_exit *exit)
{
	unsigned int access = (qualification & VMX_CR_ACCESS) >> VMX_CR_ACCESS_SHIFT;

	exit->control.number = (uint8_t)(qualification & VMX_CR_REGISTER);
	exit->control.write = access != VMX_CR_MOV_FROM;
}

static void decode_memory(const struct vmx_exit_information *information, struct hv_exit *exit)
{
	uint64_t qualification = information->qualification;

	exit->details[1] = information->physical_address;
	exit->memory.gpa = information->physical_address;
	exit->memory.write = qualification & VMX_EPT_WRITE;
	exit->memory.fetch = qualification & VMX_EPT_FETCH;
	exit->memory.present = qualification &
			       (VMX_EPT_READABLE | VMX_EPT_WRITABLE | VMX_EPT_EXECUTABLE);
}

/* SDM 3, table 28-2 */
static void decode_task_switch(const struct vmx_exit_information *information, struct hv_exit *exit)
{
	uint64_t qualification = information->qualification;

	exit->task.selector = (uint16_t)(qualification & VMX_TASK_SWITCH_SELECTOR);
	exit->task.source = qualification >> VMX_TASK_SWITCH_SOURCE_SHIFT & 3;
	exit->task.has_error_code = exit->task.source == VMX_TASK_SWITCH_GATE &&
				    information->vectoring & VMX_EVENT_ERROR_CODE;
	exit->task.error_code = information->vectoring_error_code;
	/* A task gate has no instruction behind it, unless INT n or its like came to it. */
	exit->task.instruction = exit->task.source != VMX_TASK_SWITCH_GATE ||
				 is_software(vmx_event_type(information->vectoring));
	if (exit->task.instruction)
		exit->length = (uint8_t)information->length;
}

void vmx_decode_instruction(uint32_t reason, uint32_t length, uint64_t qualification,
			    struct hv_exit *exit)
{
	exit->reason = reasons[reason & VMX_REASON_BASIC].reason;
	exit->length = (uint8_t)length;
	exit->number = reason;
	exit->details[0] = qualification;
	exit->details[1] = 0;
	if (!(reasons[reason & VMX_REASON_BASIC].has & (VMX_HAS_QUALIFICATION | VMX_HAS_DIRECTION)))
		return;
	switch (exit->reason) {
	case HV_EXIT_IO:
		decode_io(qualification, exit);
		break;
	case HV_EXIT_CONTROL_REGISTER:
		decode_control_register(qualification, exit);
		break;
	case HV_EXIT_DEBUG_REGISTER:
		exit->debug.number = (uint8_t)(qualification & VMX_DR_REGISTER);
		exit->debug.write = !(qualification & VMX_DR_MOV_FROM);
		break;
	case HV_EXIT_MSR:
		exit->msr.write = (reason & VMX_REASON_BASIC) == VMX_REASON_WRMSR;
		break;
	default:
		break;
	}
}

static void decode_details(struct hv_vcpu *vcpu, const struct vmx_exit_information *information,
			   struct hv_exit *exit)
{
	switch (exit->reason) {
	case HV_EXIT_EXCEPTION:
		decode_exception(vcpu, information, exit);
		break;
	case HV_EXIT_MEMORY:
		decode_memory(information, exit);
		break;
	case HV_EXIT_EOI:
		exit->apic.vector = (uint8_t)information->qualification;
		break;
	case HV_EXIT_APIC_WRITE:
		exit->apic.offset = (uint16_t)(information->qualification & VMX_APIC_ACCESS_OFFSET);
		break;
	case HV_EXIT_TASK_SWITCH:
		decode_task_switch(information, exit);
		break;
	default:
		break;
	}
}

void vmx_decode(struct hv_vcpu *vcpu, const struct vmx_exit_information *information,
		struct hv_exit *exit)
{
	unsigned int has = vmx_decode_has(information->reason);

	if (!(has & VMX_CUTS_SHORT)) {
		vmx_decode_instruction(information->reason, information->length,
				       information->qualification, exit);
		return;
	}
	exit->reason = HV_EXIT_UNKNOWN;
	exit->length = 0;
	exit->number = information->reason;
	exit->details[0] = information->qualification;
	exit->details[1] = information->physical_address;
	if (information->reason & VMX_REASON_ENTRY_FAILURE) {
		exit->reason = HV_EXIT_ENTRY_FAILURE;
		return;
	}
	vmx_decode_injected(vcpu, information->vectoring, information->vectoring_error_code,
			    information->length);
	if (iret_failed(information))
		vcpu->pending.nmi_blocked = true;
	if (!(has & VMX_HAS_NAME))
		return;
	exit->reason = reasons[information->reason & VMX_REASON_BASIC].reason;
	decode_details(vcpu, information, exit);
}

/* ---- events to inject ------------------------------------------------------------------------ */

uint32_t vmx_decode_event(const struct hv_event *event, bool protected_mode, uint32_t *error_code,
			  uint32_t *length)
{
	enum vmx_event_type type = (enum vmx_event_type)event->type;
	uint32_t information;

	*error_code = *length = 0;
	/* INT3's and INTO's handlers come back to what follows them. */
	if (type == VMX_EVENT_HARDWARE_EXCEPTION &&
	    (event->vector == EXCEPTION_BP || event->vector == EXCEPTION_OF))
		type = VMX_EVENT_SOFTWARE_EXCEPTION;
	information = vmx_event(type, type == VMX_EVENT_NMI ? EXCEPTION_NMI : event->vector);
	if (is_software(type))
		*length = event->length ? event->length : 1;
	/* There is an error code exactly where the vector has one (SDM 3, 27.2.1.3). */
	if (type == VMX_EVENT_HARDWARE_EXCEPTION && protected_mode &&
	    exception_has_error_code(event->vector)) {
		information |= VMX_EVENT_ERROR_CODE;
		*error_code = event->has_error_code ? event->error_code & UINT16_MAX : 0;
	}
	return information;
}
