/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_REGISTERS_H
#define HUTCH_X86_REGISTERS_H

/*
 * The processor's control registers, flags and model-specific registers, each
 * under the manual's own name. An MSR is spelled as the SDM spells it (IA32_EFER),
 * so that these names never meet those of an operating system's headers.
 */

#include <stdint.h>

/* RFLAGS: SDM 1, 3.4.3 */
#define RFLAGS_CF    (1ull << 0)
#define RFLAGS_FIXED (1ull << 1)
#define RFLAGS_PF    (1ull << 2)
#define RFLAGS_AF    (1ull << 4)
#define RFLAGS_ZF    (1ull << 6)
#define RFLAGS_SF    (1ull << 7)
#define RFLAGS_TF    (1ull << 8)
#define RFLAGS_IF    (1ull << 9)
#define RFLAGS_DF    (1ull << 10)
#define RFLAGS_OF    (1ull << 11)
#define RFLAGS_IOPL  (3ull << 12)
#define RFLAGS_NT    (1ull << 14)
#define RFLAGS_RF    (1ull << 16)
#define RFLAGS_VM    (1ull << 17)
#define RFLAGS_AC    (1ull << 18)
#define RFLAGS_VIF   (1ull << 19)
#define RFLAGS_VIP   (1ull << 20)
#define RFLAGS_ID    (1ull << 21)

/* CR0: SDM 3, 2.5 */
#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

/* CR4: SDM 3, 2.5 */
#define CR4_VME	       (1ull << 0)
#define CR4_PVI	       (1ull << 1)
#define CR4_TSD	       (1ull << 2)
#define CR4_DE	       (1ull << 3)
#define CR4_PSE	       (1ull << 4)
#define CR4_PAE	       (1ull << 5)
#define CR4_MCE	       (1ull << 6)
#define CR4_PGE	       (1ull << 7)
#define CR4_PCE	       (1ull << 8)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_LA57       (1ull << 12)
#define CR4_VMXE       (1ull << 13)
#define CR4_SMXE       (1ull << 14)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)
#define CR4_PKE	       (1ull << 22)
#define CR4_CET	       (1ull << 23)
#define CR4_PKS	       (1ull << 24)

/* IA32_EFER: SDM 3, 2.2.1; APM 2, 3.1.7 */
#define IA32_EFER_SCE  (1ull << 0)
#define IA32_EFER_LME  (1ull << 8)
#define IA32_EFER_LMA  (1ull << 10)
#define IA32_EFER_NXE  (1ull << 11)
#define IA32_EFER_SVME (1ull << 12)
#define AMD_EFER_FFXSR (1ull << 14)

/* IA32_APIC_BASE: SDM 3, 11.4.3 */
#define IA32_APIC_BASE_BSP     (1ull << 8)
#define IA32_APIC_BASE_EXTD    (1ull << 10)
#define IA32_APIC_BASE_EN      (1ull << 11)
#define IA32_APIC_BASE_ADDRESS 0x000ffffffffff000ull

/* Model-specific registers: SDM 4, 2.1; APM 2, appendix A */
enum x86_msr {
#define MSR(name, number) name = number,
#include "x86/msr.def"
	/* What belongs to the local APIC in x2APIC mode: SDM 3, 11.12.1 */
	IA32_X2APIC_FIRST = 0x800,
	IA32_X2APIC_LAST = 0x8ff,
};

#endif
