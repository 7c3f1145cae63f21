/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_CAPABILITY_H
#define HUTCH_CORE_VMX_CAPABILITY_H

/*
 * What a processor's VT-x can do: the capability MSRs (SDM 3, appendix A) and the few
 * facts about the processor itself that VM entries depend on.
 *
 * A word of controls is described by an MSR of two halves: a bit that is 1 in the low
 * one must be 1 in the word, a bit that is 0 in the high one must be 0. The first
 * processors wanted some bits to be 1 for no reason; where IA32_VMX_BASIC says so, the
 * TRUE MSRs tell which of those may be 0 after all. Read the words through
 * vmx_controls(), which knows all that.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vmx/controls.h"

/* IA32_VMX_BASIC: SDM 3, A.1 */
#define VMX_BASIC_REVISION	    0x7fffffffull
#define VMX_BASIC_SIZE_SHIFT	    32 /* of the VMXON region and of a VMCS, in bytes */
#define VMX_BASIC_SIZE		    (0x1fffull << VMX_BASIC_SIZE_SHIFT)
#define VMX_BASIC_32BIT_ADDRESSES   (1ull << 48)
#define VMX_BASIC_DUAL_MONITOR	    (1ull << 49)
#define VMX_BASIC_MEMORY_TYPE_SHIFT 50
#define VMX_BASIC_MEMORY_TYPE	    (0xfull << VMX_BASIC_MEMORY_TYPE_SHIFT)
#define VMX_BASIC_INS_OUTS	    (1ull << 54) /* instruction information on exit */
#define VMX_BASIC_TRUE_CONTROLS	    (1ull << 55)
#define VMX_BASIC_ANY_ERROR_CODE    (1ull << 56) /* with or without, as one likes */
#define VMX_BASIC_NESTED_EXCEPTION  (1ull << 58) /* FRED */

/* IA32_VMX_MISC: SDM 3, A.6 */
#define VMX_MISC_TIMER_SHIFT	     0x1full /* the preemption timer ticks every 2^n of TSC */
#define VMX_MISC_EXIT_SAVES_LMA	     (1ull << 5)
#define VMX_MISC_ACTIVITY_HLT	     (1ull << 6)
#define VMX_MISC_ACTIVITY_SHUTDOWN   (1ull << 7)
#define VMX_MISC_ACTIVITY_SIPI	     (1ull << 8)
#define VMX_MISC_PT_IN_VMX	     (1ull << 14)
#define VMX_MISC_RDMSR_SMBASE	     (1ull << 15)
#define VMX_MISC_CR3_TARGETS_SHIFT   16
#define VMX_MISC_CR3_TARGETS	     (0x1ffull << VMX_MISC_CR3_TARGETS_SHIFT)
#define VMX_MISC_MSR_LIST_SHIFT	     25 /* at most 512 * (n + 1) MSRs in a list */
#define VMX_MISC_MSR_LIST	     (7ull << VMX_MISC_MSR_LIST_SHIFT)
#define VMX_MISC_SMM_MONITOR_CTL     (1ull << 28)
#define VMX_MISC_VMWRITE_ANY	     (1ull << 29) /* also to read-only fields */
#define VMX_MISC_INJECT_LENGTH_0     (1ull << 30)
#define VMX_MISC_MSEG_REVISION_SHIFT 32

/* IA32_VMX_EPT_VPID_CAP: SDM 3, A.10. Bits 53:48 are the longest HLAT prefix. */
#define VMX_EPT_EXECUTE_ONLY		   (1ull << 0)
#define VMX_EPT_4_LEVELS		   (1ull << 6)
#define VMX_EPT_5_LEVELS		   (1ull << 7)
#define VMX_EPT_UNCACHEABLE		   (1ull << 8)
#define VMX_EPT_WRITE_BACK		   (1ull << 14)
#define VMX_EPT_2M_PAGES		   (1ull << 16)
#define VMX_EPT_1G_PAGES		   (1ull << 17)
#define VMX_EPT_INVEPT			   (1ull << 20)
#define VMX_EPT_ACCESSED_DIRTY		   (1ull << 21)
#define VMX_EPT_ADVANCED_INFORMATION	   (1ull << 22)
#define VMX_EPT_SUPERVISOR_SHADOW_STACK	   (1ull << 23)
#define VMX_EPT_INVEPT_SINGLE		   (1ull << 25)
#define VMX_EPT_INVEPT_ALL		   (1ull << 26)
#define VMX_VPID_INVVPID		   (1ull << 32)
#define VMX_VPID_INVVPID_ADDRESS	   (1ull << 40)
#define VMX_VPID_INVVPID_SINGLE		   (1ull << 41)
#define VMX_VPID_INVVPID_ALL		   (1ull << 42)
#define VMX_VPID_INVVPID_SINGLE_NON_GLOBAL (1ull << 43)

/* VM functions, in IA32_VMX_VMFUNC and in the VMCS: SDM 3, A.11 and 25.6.14 */
#define VMX_VM_FUNCTION_EPTP_SWITCHING (1ull << 0)

/* The EPTP: SDM 3, 25.6.11 */
#define VMX_EPTP_MEMORY_TYPE		 7ull
#define VMX_EPTP_UNCACHEABLE		 0ull
#define VMX_EPTP_WRITE_BACK		 6ull
#define VMX_EPTP_WALK_LENGTH_SHIFT	 3 /* levels - 1 */
#define VMX_EPTP_WALK_LENGTH		 (7ull << VMX_EPTP_WALK_LENGTH_SHIFT)
#define VMX_EPTP_ACCESSED_DIRTY		 (1ull << 6)
#define VMX_EPTP_SUPERVISOR_SHADOW_STACK (1ull << 7)

/* IA32_FEATURE_CONTROL: SDM 3, 24.7 */
#define VMX_FEATURE_CONTROL_LOCK	(1ull << 0)
#define VMX_FEATURE_CONTROL_INSIDE_SMX	(1ull << 1)
#define VMX_FEATURE_CONTROL_OUTSIDE_SMX (1ull << 2)

struct vmx_capability {
	/* The MSRs; 0 for one that the processor lacks. */
	uint64_t basic;
	uint64_t pinbased_ctls, procbased_ctls, exit_ctls, entry_ctls;
	uint64_t misc;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint64_t vmcs_enum;
	uint64_t procbased_ctls2;
	uint64_t ept_vpid_cap;
	uint64_t true_pinbased_ctls, true_procbased_ctls, true_exit_ctls, true_entry_ctls;
	uint64_t vmfunc;
	uint64_t procbased_ctls3;
	uint64_t exit_ctls2;

	/* The processor: CPUID 0x80000008 EAX 7:0 and 15:8, CPUID 0x80000001 EDX.LM, ... */
	uint8_t physical_address_bits;
	uint8_t linear_address_bits; /* 48, or 57 with five levels of paging */
	bool has_intel64;
	bool has_sgx;		/* CPUID 7 EBX.SGX */
	bool has_rtm;		/* CPUID 7 EBX.RTM */
	bool has_bus_lock_trap; /* CPUID 7 ECX.BUS_LOCK_DETECT */
	bool has_lam;		/* CPUID 7.1 EAX.LAM */

	/* The bits that may be 1 in these MSRs; all others are reserved. All 1: not known. */
	uint64_t efer_supported;
	uint64_t debugctl_supported;
	uint64_t perf_global_ctrl_supported;
	uint64_t rtit_ctl_supported;
	uint64_t lbr_ctl_supported;
	uint64_t spec_ctrl_supported;
};

/*
 * Fills the MSRs through @rdmsr, which is asked only for those that exist; what is not
 * an MSR of VT-x is left alone.
 */
void vmx_capability_read(struct vmx_capability *capability,
			 uint64_t (*rdmsr)(void *owner, uint32_t index), void *owner);

/* What a word of controls may be: 1 is forced where @must_be_one, allowed in @may_be_one. */
struct vmx_controls {
	uint64_t must_be_one, may_be_one;
};
struct vmx_controls vmx_controls(const struct vmx_capability *capability,
				 enum vmx_control_word word);

/* Whether the bits may all be 1. */
static inline bool vmx_controls_allow(const struct vmx_capability *capability,
				      enum vmx_control_word word, uint64_t bits)
{
	return (vmx_controls(capability, word).may_be_one & bits) == bits;
}

#endif
