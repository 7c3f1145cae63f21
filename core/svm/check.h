/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_SVM_CHECK_H
#define HUTCH_CORE_SVM_CHECK_H

/*
 * The entry doctor of AMD-V: every rule that VMRUN checks before the guest begins (APM 2,
 * 15.5.1 and the sections of the features that add some). The processor answers a broken
 * one with #VMEXIT(INVALID), a few with an exception in the host, and never tells which;
 * here all of them are looked at and named.
 *
 * The check is pure: it looks at a VMCB, at what the processor can do and at a few facts
 * about the host, and touches nothing. The rules are in core/svm/rules.def, one line each.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/svm/vmcb.h"
#include "core/violation.h"

/* What the processor can do. */
struct svm_capability {
	uint8_t physical_address_bits; /* CPUID 0x80000008 EAX 7:0 */
	bool has_long_mode;	       /* CPUID 0x80000001 EDX.LM */
	uint32_t asid_count;	       /* CPUID 0x8000000a EBX */
	uint32_t features;	       /* CPUID 0x8000000a EDX, SVM_FEATURE_... */
	uint64_t cr4_supported;	       /* the bits that may be 1; all others are reserved */
	uint64_t efer_supported;
};

/* CPUID 0x8000000a EDX: APM 3, appendix E */
#define SVM_FEATURE_NP			   (1u << 0)
#define SVM_FEATURE_LBR_VIRT		   (1u << 1)
#define SVM_FEATURE_SVM_LOCK		   (1u << 2)
#define SVM_FEATURE_NRIP_SAVE		   (1u << 3)
#define SVM_FEATURE_TSC_RATE_MSR	   (1u << 4)
#define SVM_FEATURE_VMCB_CLEAN		   (1u << 5)
#define SVM_FEATURE_FLUSH_BY_ASID	   (1u << 6)
#define SVM_FEATURE_DECODE_ASSISTS	   (1u << 7)
#define SVM_FEATURE_PAUSE_FILTER	   (1u << 10)
#define SVM_FEATURE_PAUSE_FILTER_THRESHOLD (1u << 12)
#define SVM_FEATURE_AVIC		   (1u << 13)
#define SVM_FEATURE_VMSAVE_VIRT		   (1u << 15)
#define SVM_FEATURE_VGIF		   (1u << 16)
#define SVM_FEATURE_GMET		   (1u << 17)
#define SVM_FEATURE_X2AVIC		   (1u << 18)
#define SVM_FEATURE_SSS_CHECK		   (1u << 19)
#define SVM_FEATURE_SPEC_CTRL		   (1u << 20)
#define SVM_FEATURE_TLBI_CONTROL	   (1u << 24)
#define SVM_FEATURE_VNMI		   (1u << 25)
#define SVM_FEATURE_IBS_VIRT		   (1u << 26)

/* What VMRUN looks at beside the VMCB. */
struct svm_surroundings {
	bool host_paging;     /* CR0.PG of the host */
	uint64_t host_efer;   /* IA32_EFER of the host */
	uint64_t vm_hsave_pa; /* AMD_VM_HSAVE_PA */
	uint64_t vmcb_pa;     /* RAX: the VMCB's physical address */
};

/* The rules' numbers: SVM_RULE_ASID_0 and so on. */
enum svm_rule {
#define SVM_RULE(NAME, field, value, text, broken) SVM_RULE_##NAME,
#define SVM_BITS(NAME, field, value, text, bits)   SVM_RULE_##NAME,
#include "core/svm/rules.def"
	SVM_RULE_COUNT,
};

/* A rule's name as in the enum, and where it stands in the manual. */
const char *svm_rule_name(enum svm_rule rule);
const char *svm_rule_source(enum svm_rule rule);

/*
 * Judges @vmcb and adds everything that is wrong with it to @diagnosis. Returns true when
 * nothing is.
 */
bool svm_check(const struct vmcb *vmcb, const struct svm_capability *capability,
	       const struct svm_surroundings *around, struct diagnosis *diagnosis);

#endif
