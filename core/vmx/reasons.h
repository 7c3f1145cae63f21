/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_REASONS_H
#define HUTCH_CORE_VMX_REASONS_H

/*
 * What VT-x says when a guest stops: the exit reason, and the forms of the fields that
 * go with it (SDM 3, 25.9, 28.2.1 and appendix C).
 */

#include <stdint.h>

/* Basic exit reasons, the low 16 bits of the field: VMX_REASON_CPUID and so on. */
enum vmx_reason {
#define VMX_REASON(name, number, text) VMX_REASON_##name = number,
#include "core/vmx/reasons.def"
};
#define VMX_REASON_BASIC	     0xffffu
#define VMX_REASON_BUSY_SHADOW_STACK (1u << 25)
#define VMX_REASON_BUS_LOCK_ASSERTED (1u << 26)
#define VMX_REASON_ENCLAVE	     (1u << 27)
#define VMX_REASON_PENDING_MTF	     (1u << 28)
#define VMX_REASON_ROOT		     (1u << 29) /* an exit from VMX root operation */
#define VMX_REASON_ENTRY_FAILURE     (1u << 31)

/*
 * The name of a basic exit reason as in the enum, and a few words; what a VM-instruction
 * error number means. NULL for a number without a meaning.
 */
const char *vmx_reason_name(uint32_t reason);
const char *vmx_reason_text(uint32_t reason);
const char *vmx_error_text(uint32_t number);

/*
 * Interruption information: on entry what to inject (SDM 3, 25.8.3), on exit what came
 * (25.9.2) or what it cut short (25.9.3, IDT vectoring).
 */
#define VMX_EVENT_VECTOR	0xffu
#define VMX_EVENT_TYPE		(7u << 8)
#define VMX_EVENT_TYPE_SHIFT	8
#define VMX_EVENT_ERROR_CODE	(1u << 11) /* deliver one, or one is valid */
#define VMX_EVENT_NMI_UNBLOCKED (1u << 12) /* on exit: by IRET */
#define VMX_EVENT_NESTED	(1u << 13) /* with FRED */
#define VMX_EVENT_VALID		(1u << 31)
enum vmx_event_type {
	VMX_EVENT_EXTERNAL_INTERRUPT = 0,
	VMX_EVENT_NMI = 2,
	VMX_EVENT_HARDWARE_EXCEPTION = 3,
	VMX_EVENT_SOFTWARE_INTERRUPT = 4,
	VMX_EVENT_PRIVILEGED_SOFTWARE_EXCEPTION = 5, /* INT1 */
	VMX_EVENT_SOFTWARE_EXCEPTION = 6,	     /* INT3, INTO */
	VMX_EVENT_OTHER = 7, /* vector 0: monitor trap flag; FRED: SYSCALL */
};

static inline uint32_t vmx_event(enum vmx_event_type type, uint8_t vector)
{
	return VMX_EVENT_VALID | (uint32_t)type << VMX_EVENT_TYPE_SHIFT | vector;
}

static inline enum vmx_event_type vmx_event_type(uint32_t information)
{
	return (enum vmx_event_type)((information & VMX_EVENT_TYPE) >> VMX_EVENT_TYPE_SHIFT);
}

/* Guest interruptibility state: SDM 3, 25.4.2, table 25-3 */
#define VMX_BLOCKING_BY_STI	 (1u << 0)
#define VMX_BLOCKING_BY_MOV_SS	 (1u << 1)
#define VMX_BLOCKING_BY_SMI	 (1u << 2)
#define VMX_BLOCKING_BY_NMI	 (1u << 3)
#define VMX_ENCLAVE_INTERRUPTION (1u << 4)

/* Guest activity state: SDM 3, 25.4.2 */
enum vmx_activity {
	VMX_ACTIVITY_ACTIVE = 0,
	VMX_ACTIVITY_HLT = 1,
	VMX_ACTIVITY_SHUTDOWN = 2,
	VMX_ACTIVITY_WAIT_FOR_SIPI = 3,
};

/* Guest pending debug exceptions: SDM 3, 25.4.2, table 25-4 */
#define VMX_PENDING_B0_TO_B3   0xfull
#define VMX_PENDING_BLD	       (1ull << 11) /* a bus lock */
#define VMX_PENDING_BREAKPOINT (1ull << 12) /* enabled breakpoint */
#define VMX_PENDING_BS	       (1ull << 14)
#define VMX_PENDING_RTM	       (1ull << 16)

/* Exit qualifications: SDM 3, 28.2.1 */
#define VMX_CR_REGISTER	    0xfull /* of a control-register access: table 28-3 */
#define VMX_CR_ACCESS	    (3ull << 4)
#define VMX_CR_ACCESS_SHIFT 4
enum vmx_cr_access {
	VMX_CR_MOV_TO = 0,
	VMX_CR_MOV_FROM = 1,
	VMX_CR_CLTS = 2,
	VMX_CR_LMSW = 3,
};
#define VMX_CR_LMSW_MEMORY	     (1ull << 6)
#define VMX_CR_GPR_SHIFT	     8
#define VMX_CR_LMSW_SOURCE_SHIFT     16

#define VMX_DR_REGISTER		     7ull /* of a MOV DR: table 28-4 */
#define VMX_DR_MOV_FROM		     (1ull << 4)
#define VMX_DR_GPR_SHIFT	     8

#define VMX_IO_SIZE		     7ull /* of an I/O instruction: table 28-5; bytes - 1 */
#define VMX_IO_IN		     (1ull << 3)
#define VMX_IO_STRING		     (1ull << 4)
#define VMX_IO_REP		     (1ull << 5)
#define VMX_IO_IMMEDIATE	     (1ull << 6)
#define VMX_IO_PORT_SHIFT	     16

#define VMX_TASK_SWITCH_SELECTOR     0xffffull /* of a task switch: table 28-2 */
#define VMX_TASK_SWITCH_SOURCE_SHIFT 30
enum vmx_task_switch_source {
	VMX_TASK_SWITCH_CALL = 0,
	VMX_TASK_SWITCH_IRET = 1,
	VMX_TASK_SWITCH_JMP = 2,
	VMX_TASK_SWITCH_GATE = 3, /* a task gate in the IDT */
};

#define VMX_APIC_ACCESS_OFFSET	     0xfffull /* of an APIC access: table 28-6 */
#define VMX_APIC_ACCESS_TYPE_SHIFT   12

#define VMX_EPT_READ		     (1ull << 0) /* of an EPT violation: table 28-7 */
#define VMX_EPT_WRITE		     (1ull << 1)
#define VMX_EPT_FETCH		     (1ull << 2)
#define VMX_EPT_READABLE	     (1ull << 3)
#define VMX_EPT_WRITABLE	     (1ull << 4)
#define VMX_EPT_EXECUTABLE	     (1ull << 5)
#define VMX_EPT_USER_EXECUTABLE	     (1ull << 6)
#define VMX_EPT_LINEAR_ADDRESS_VALID (1ull << 7)
#define VMX_EPT_FINAL		     (1ull << 8) /* clear: while walking the guest's tables */
#define VMX_EPT_NMI_UNBLOCKED	     (1ull << 12)
#define VMX_EPT_SHADOW_STACK	     (1ull << 13)

/* Of an entry failure, VMX_REASON_ENTRY_FAILURE_GUEST_STATE: SDM 3, 27.8 */
enum vmx_entry_failure {
	VMX_ENTRY_FAILURE_PDPTE = 2,
	VMX_ENTRY_FAILURE_NMI_INJECTION = 3,
	VMX_ENTRY_FAILURE_LINK_POINTER = 4,
};

#endif
