/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_SVM_VMCB_H
#define HUTCH_CORE_SVM_VMCB_H

/*
 * The virtual machine control block: the page of memory by which AMD-V and its
 * hypervisor talk (APM 2, 15.5 and appendix B). Its first KiB is the control area:
 * what the guest may not do without an exit, what to inject, and, after #VMEXIT, why
 * the guest stopped. The rest is the save area: the guest's registers, all but those
 * that a hypervisor saves by hand.
 *
 * A processor may keep parts of a VMCB in its caches from one VMRUN to the next where
 * the clean bits tell it that nobody wrote there. So whoever writes a field has to
 * clear that field's clean bit, and on any change of processor or VMCB all of them.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "x86/segment.h"

/* #VMEXIT codes: SVM_EXIT_CPUID and so on. */
enum svm_exit_code {
#define SVM_EXIT(name, code, text) SVM_EXIT_##name = code,
#include "core/svm/exits.def"
};

/* The manual's name without VMEXIT_, and a few words; NULL for a code without one. */
const char *svm_exit_name(uint64_t code);
const char *svm_exit_text(uint64_t code);

/* TLB_CONTROL: APM 2, 15.16.1. The last two exist with CPUID FlushByAsid. */
enum vmcb_tlb_control {
	VMCB_TLB_KEEP = 0,
	VMCB_TLB_FLUSH_ALL = 1,		     /* every ASID's entries, the host's too */
	VMCB_TLB_FLUSH_GUEST = 3,	     /* this guest's */
	VMCB_TLB_FLUSH_GUEST_NON_GLOBAL = 7, /* this guest's, but not its global pages */
};
#define VMCB_ALLOW_LARGER_RAP (1u << 8) /* bits 40 and 41 of offset 058h: ERAPS */
#define VMCB_CLEAR_RAP	      (1u << 9)

/* Virtual interrupts, offset 060h: APM 2, 15.21.1, 15.21.10, 15.29, 15.33.1 */
#define VMCB_V_TPR		 0xffull
#define VMCB_V_IRQ		 (1ull << 8)
#define VMCB_V_GIF		 (1ull << 9)
#define VMCB_V_NMI		 (1ull << 11)
#define VMCB_V_NMI_MASK		 (1ull << 12)
#define VMCB_V_INTR_PRIO	 (0xfull << 16)
#define VMCB_V_INTR_PRIO_SHIFT	 16
#define VMCB_V_IGN_TPR		 (1ull << 20)
#define VMCB_V_INTR_MASKING	 (1ull << 24)
#define VMCB_V_GIF_ENABLE	 (1ull << 25)
#define VMCB_V_NMI_ENABLE	 (1ull << 26)
#define VMCB_X2AVIC_ENABLE	 (1ull << 30)
#define VMCB_AVIC_ENABLE	 (1ull << 31)
#define VMCB_V_INTR_VECTOR	 (0xffull << 32)
#define VMCB_V_INTR_VECTOR_SHIFT 32

/* Offset 068h: APM 2, 15.21.5 */
#define VMCB_INTERRUPT_SHADOW	  (1ull << 0)
#define VMCB_GUEST_INTERRUPT_MASK (1ull << 1) /* RFLAGS.IF of an encrypted guest */

/* Offset 090h: APM 2, 15.25, 15.34, 15.35 */
#define VMCB_NP_ENABLE			 (1ull << 0)
#define VMCB_SEV_ENABLE			 (1ull << 1)
#define VMCB_SEV_ES_ENABLE		 (1ull << 2)
#define VMCB_GUEST_MODE_EXECUTE_TRAP	 (1ull << 3)
#define VMCB_SSS_CHECK_ENABLE		 (1ull << 4)
#define VMCB_TRANSPARENT_ENCRYPTION	 (1ull << 5)
#define VMCB_READ_ONLY_GUEST_PAGE_TABLES (1ull << 6)
#define VMCB_INVLPGB_ENABLE		 (1ull << 7)

/* Offset 0b8h: APM 2, 15.23, 15.33.1, 15.38 */
#define VMCB_LBR_VIRTUALIZATION	   (1ull << 0)
#define VMCB_VIRTUAL_VMSAVE_VMLOAD (1ull << 1)
#define VMCB_IBS_VIRTUALIZATION	   (1ull << 2)
#define VMCB_PMC_VIRTUALIZATION	   (1ull << 3)

/* Clean bits, offset 0c0h: APM 2, 15.15.3. Set: what stands there has not changed. */
#define VMCB_CLEAN_INTERCEPTS  (1u << 0) /* also TSC_OFFSET and the PAUSE filter */
#define VMCB_CLEAN_PERMISSIONS (1u << 1) /* IOPM_BASE_PA, MSRPM_BASE_PA */
#define VMCB_CLEAN_ASID	       (1u << 2)
#define VMCB_CLEAN_TPR	       (1u << 3) /* offset 060h */
#define VMCB_CLEAN_NP	       (1u << 4) /* NP_ENABLE, N_CR3, G_PAT */
#define VMCB_CLEAN_CR	       (1u << 5) /* CR0, CR3, CR4, EFER */
#define VMCB_CLEAN_DR	       (1u << 6) /* DR6, DR7 */
#define VMCB_CLEAN_DT	       (1u << 7) /* GDTR, IDTR */
#define VMCB_CLEAN_SEGMENTS    (1u << 8) /* CS, DS, SS, ES, CPL */
#define VMCB_CLEAN_CR2	       (1u << 9)
#define VMCB_CLEAN_LBR	       (1u << 10)
#define VMCB_CLEAN_AVIC	       (1u << 11)
#define VMCB_CLEAN_CET	       (1u << 12) /* S_CET, SSP, ISST_ADDR */

/* EVENTINJ and EXITINTINFO: APM 2, 15.20 and 15.7.2 */
#define VMCB_EVENT_VECTOR	    0xffull
#define VMCB_EVENT_TYPE		    (7ull << 8)
#define VMCB_EVENT_TYPE_SHIFT	    8
#define VMCB_EVENT_ERROR_CODE_VALID (1ull << 11)
#define VMCB_EVENT_VALID	    (1ull << 31)
#define VMCB_EVENT_ERROR_CODE_SHIFT 32
enum vmcb_event_type {
	VMCB_EVENT_INTR = 0, /* external or virtual interrupt */
	VMCB_EVENT_NMI = 2,
	VMCB_EVENT_EXCEPTION = 3,
	VMCB_EVENT_SOFTWARE_INTERRUPT = 4, /* INT n */
};

static inline uint64_t vmcb_event(enum vmcb_event_type type, uint8_t vector)
{
	return VMCB_EVENT_VALID | (uint64_t)type << VMCB_EVENT_TYPE_SHIFT | vector;
}

static inline uint64_t vmcb_event_with_error(enum vmcb_event_type type, uint8_t vector,
					     uint32_t error_code)
{
	return vmcb_event(type, vector) | VMCB_EVENT_ERROR_CODE_VALID |
	       (uint64_t)error_code << VMCB_EVENT_ERROR_CODE_SHIFT;
}

/* EXITINFO1 of SVM_EXIT_IOIO: APM 2, 15.10.2. EXITINFO2 is the RIP behind it. */
#define SVM_IOIO_IN	       (1u << 0) /* clear: OUT */
#define SVM_IOIO_STRING	       (1u << 2)
#define SVM_IOIO_REP	       (1u << 3)
#define SVM_IOIO_SIZE8	       (1u << 4)
#define SVM_IOIO_SIZE16	       (1u << 5)
#define SVM_IOIO_SIZE32	       (1u << 6)
#define SVM_IOIO_ADDRESS16     (1u << 7)
#define SVM_IOIO_ADDRESS32     (1u << 8)
#define SVM_IOIO_ADDRESS64     (1u << 9)
#define SVM_IOIO_SEGMENT       (7u << 10) /* ES CS SS DS FS GS, with decode assists */
#define SVM_IOIO_SEGMENT_SHIFT 10
#define SVM_IOIO_PORT_SHIFT    16

/* EXITINFO1 of SVM_EXIT_MSR */
#define SVM_MSR_WRITE 1u

/* EXITINFO1 of SVM_EXIT_NPF: APM 2, 15.25.6. EXITINFO2 is the guest physical address. */
#define SVM_NPF_PRESENT			(1ull << 0)
#define SVM_NPF_WRITE			(1ull << 1)
#define SVM_NPF_USER			(1ull << 2)
#define SVM_NPF_RESERVED		(1ull << 3)
#define SVM_NPF_FETCH			(1ull << 4)
#define SVM_NPF_SHADOW_STACK		(1ull << 6)
#define SVM_NPF_FINAL			(1ull << 32) /* while translating the final address */
#define SVM_NPF_TABLE			(1ull << 33) /* while walking the guest's page tables */
#define SVM_NPF_SUPERVISOR_SHADOW_STACK (1ull << 37)

/* EXITINFO1 of a CR or DR intercept, with decode assists: APM 2, 15.8.1 */
#define SVM_CR_REGISTER 0xfull
#define SVM_CR_MOV	(1ull << 63) /* clear: CLTS, LMSW or SMSW */

/* EXITINFO2 of SVM_EXIT_TASK_SWITCH: APM 2, 15.14.1. EXITINFO1 is the new TSS's selector. */
#define SVM_TASK_SWITCH_ERROR_CODE	 0xffffffffull
#define SVM_TASK_SWITCH_IRET		 (1ull << 36)
#define SVM_TASK_SWITCH_JUMP		 (1ull << 38)
#define SVM_TASK_SWITCH_ERROR_CODE_VALID (1ull << 44)
#define SVM_TASK_SWITCH_RFLAGS_RF	 (1ull << 48)

/* EXITINFO1 and 2 of SVM_EXIT_AVIC_INCOMPLETE_IPI and _NOACCEL: APM 2, 15.29.9 */
enum svm_avic_ipi_failure {
	SVM_AVIC_IPI_INVALID_TYPE = 0,
	SVM_AVIC_IPI_NOT_RUNNING = 1,
	SVM_AVIC_IPI_INVALID_TARGET = 2,
	SVM_AVIC_IPI_INVALID_BACKING_PAGE = 3,
	SVM_AVIC_IPI_INVALID_VECTOR = 4,
};
#define SVM_AVIC_IPI_FAILURE_SHIFT 32 /* in EXITINFO2; EXITINFO1 is the ICR */
#define SVM_AVIC_NOACCEL_OFFSET	   0xff0ull
#define SVM_AVIC_NOACCEL_WRITE	   (1ull << 32)

/* The intercept permission maps: APM 2, 15.10.1 and 15.11 */
#define SVM_IOPM_SIZE  0x3000u /* bytes: one bit for each port, and a page for 0xffff + 3 */
#define SVM_MSRPM_SIZE 0x2000u /* bytes: two bits for each MSR, the lower one for reads */

/* VM_CR: APM 2, 15.30.1 */
#define AMD_VM_CR_DPD	   (1ull << 0)
#define AMD_VM_CR_R_INIT   (1ull << 1)
#define AMD_VM_CR_DIS_A20M (1ull << 2)
#define AMD_VM_CR_LOCK	   (1ull << 3)
#define AMD_VM_CR_SVMDIS   (1ull << 4)

#define VMCB_FETCHED_MAX   15

/* Offsets 000h to 3ffh: APM 2, appendix B, table B-1 */
struct vmcb_control {
	uint32_t intercepts[6]; /* see vmcb_intercept() */
	uint32_t reserved_018[9];
	uint16_t pause_filter_threshold;
	uint16_t pause_filter_count;
	uint64_t iopm_base_pa;
	uint64_t msrpm_base_pa;
	uint64_t tsc_offset;
	uint32_t asid;
	uint32_t tlb_control; /* enum vmcb_tlb_control, VMCB_..._RAP */
	uint64_t v_intr;      /* VMCB_V_... */
	uint64_t interrupt_shadow;
	uint64_t exitcode; /* enum svm_exit_code */
	uint64_t exitinfo1;
	uint64_t exitinfo2;
	uint64_t exitintinfo; /* VMCB_EVENT_...: what the exit cut short */
	uint64_t np_control;  /* VMCB_NP_ENABLE, VMCB_SEV_ENABLE, ... */
	uint64_t avic_apic_bar;
	uint64_t ghcb_gpa;
	uint64_t eventinj; /* VMCB_EVENT_... */
	uint64_t n_cr3;
	uint64_t virt_control; /* VMCB_LBR_VIRTUALIZATION, ... */
	uint32_t clean;
	uint32_t reserved_0c4;
	uint64_t nrip;
	uint8_t fetched_count; /* with decode assists, of a data #PF or #NPF */
	uint8_t fetched[VMCB_FETCHED_MAX];
	uint64_t avic_backing_page;
	uint64_t reserved_0e8;
	uint64_t avic_logical_table;
	uint64_t avic_physical_table; /* its last index in the lowest bits */
	uint64_t reserved_100;
	uint64_t vmsa_pointer;
	uint64_t vmgexit_rax;
	uint8_t vmgexit_cpl;
	uint8_t reserved_119[7];
	uint16_t bus_lock_threshold;
	uint16_t reserved_122[3];
	uint8_t reserved_128[12];
	uint32_t update_irr;
	uint64_t allowed_sev_features;
	uint64_t guest_sev_features;
	uint64_t reserved_148;
	uint64_t requested_irr[4];
	uint8_t reserved_170[0x3e0 - 0x170];
	uint8_t host_use[0x20]; /* never written by the processor */
};

/* A segment register. The attributes are the descriptor's bits 55:52 and 47:40. */
struct vmcb_segment {
	uint16_t selector;
	uint16_t attributes;
	uint32_t limit; /* in bytes, of the last one */
	uint64_t base;
};

/* Offsets 400h to fffh: APM 2, appendix B, table B-2 */
struct vmcb_save {
	union {
		struct vmcb_segment segments[6]; /* by enum segment_number */
		struct {
			struct vmcb_segment es, cs, ss, ds;
			struct vmcb_segment fs; /* VMSAVE, VMLOAD */
			struct vmcb_segment gs; /* VMSAVE, VMLOAD */
		};
	};
	struct vmcb_segment gdtr;
	struct vmcb_segment ldtr; /* VMSAVE, VMLOAD */
	struct vmcb_segment idtr;
	struct vmcb_segment tr; /* VMSAVE, VMLOAD */
	uint8_t reserved_0a0[0xcb - 0xa0];
	uint8_t cpl;
	uint32_t reserved_0cc;
	uint64_t efer;
	uint64_t reserved_0d8;
	struct {
		uint64_t ctl, ctr;
	} perf[6];
	uint64_t reserved_140;
	uint64_t cr4;
	uint64_t cr3;
	uint64_t cr0;
	uint64_t dr7;
	uint64_t dr6;
	uint64_t rflags;
	uint64_t rip;
	uint64_t reserved_180[8];
	uint64_t instr_retired_ctr;
	uint64_t perf_ctr_global_sts;
	uint64_t perf_ctr_global_ctl;
	uint64_t rsp;
	uint64_t s_cet;
	uint64_t ssp;
	uint64_t isst_addr;
	uint64_t rax;
	uint64_t star;		 /* VMSAVE, VMLOAD */
	uint64_t lstar;		 /* VMSAVE, VMLOAD */
	uint64_t cstar;		 /* VMSAVE, VMLOAD */
	uint64_t sfmask;	 /* VMSAVE, VMLOAD */
	uint64_t kernel_gs_base; /* VMSAVE, VMLOAD */
	uint64_t sysenter_cs;	 /* VMSAVE, VMLOAD */
	uint64_t sysenter_esp;	 /* VMSAVE, VMLOAD */
	uint64_t sysenter_eip;	 /* VMSAVE, VMLOAD */
	uint64_t cr2;
	uint64_t reserved_248[4];
	uint64_t g_pat; /* with nested paging */
	uint64_t dbgctl;
	uint64_t br_from;
	uint64_t br_to;
	uint64_t lastexcpfrom;
	uint64_t lastexcpto;
	uint64_t dbgextnctl;
	uint64_t reserved_2a0[8];
	uint64_t spec_ctrl;
	uint8_t reserved_2e8[0x670 - 0x2e8];
	uint64_t lbr_stack[32]; /* from, to, 16 times */
	uint64_t lbr_select;
	uint64_t ibs_fetch_ctl;
	uint64_t ibs_fetch_linaddr;
	uint64_t ibs_op_ctl;
	uint64_t ibs_op_rip;
	uint64_t ibs_op_data;
	uint64_t ibs_op_data2;
	uint64_t ibs_op_data3;
	uint64_t ibs_dc_linaddr;
	uint64_t bp_ibstgt_rip;
	uint64_t ic_ibs_extd_ctl;
	uint8_t reserved_7c8[0xc00 - 0x7c8];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
};

#define VMCB_AT(area, member, offset)                                    \
	_Static_assert(offsetof(struct vmcb_##area, member) == (offset), \
		       #member " is not where the APM has it")
VMCB_AT(control, pause_filter_threshold, 0x3c);
VMCB_AT(control, pause_filter_count, 0x3e);
VMCB_AT(control, iopm_base_pa, 0x40);
VMCB_AT(control, msrpm_base_pa, 0x48);
VMCB_AT(control, tsc_offset, 0x50);
VMCB_AT(control, asid, 0x58);
VMCB_AT(control, tlb_control, 0x5c);
VMCB_AT(control, v_intr, 0x60);
VMCB_AT(control, interrupt_shadow, 0x68);
VMCB_AT(control, exitcode, 0x70);
VMCB_AT(control, exitinfo1, 0x78);
VMCB_AT(control, exitinfo2, 0x80);
VMCB_AT(control, exitintinfo, 0x88);
VMCB_AT(control, np_control, 0x90);
VMCB_AT(control, avic_apic_bar, 0x98);
VMCB_AT(control, ghcb_gpa, 0xa0);
VMCB_AT(control, eventinj, 0xa8);
VMCB_AT(control, n_cr3, 0xb0);
VMCB_AT(control, virt_control, 0xb8);
VMCB_AT(control, clean, 0xc0);
VMCB_AT(control, nrip, 0xc8);
VMCB_AT(control, fetched_count, 0xd0);
VMCB_AT(control, fetched, 0xd1);
VMCB_AT(control, avic_backing_page, 0xe0);
VMCB_AT(control, avic_logical_table, 0xf0);
VMCB_AT(control, avic_physical_table, 0xf8);
VMCB_AT(control, vmsa_pointer, 0x108);
VMCB_AT(control, vmgexit_rax, 0x110);
VMCB_AT(control, vmgexit_cpl, 0x118);
VMCB_AT(control, bus_lock_threshold, 0x120);
VMCB_AT(control, update_irr, 0x134);
VMCB_AT(control, allowed_sev_features, 0x138);
VMCB_AT(control, guest_sev_features, 0x140);
VMCB_AT(control, requested_irr, 0x150);
VMCB_AT(control, host_use, 0x3e0);
VMCB_AT(save, es, 0x00);
VMCB_AT(save, cs, 0x10);
VMCB_AT(save, ss, 0x20);
VMCB_AT(save, ds, 0x30);
VMCB_AT(save, fs, 0x40);
VMCB_AT(save, gs, 0x50);
VMCB_AT(save, gdtr, 0x60);
VMCB_AT(save, ldtr, 0x70);
VMCB_AT(save, idtr, 0x80);
VMCB_AT(save, tr, 0x90);
VMCB_AT(save, cpl, 0xcb);
VMCB_AT(save, efer, 0xd0);
VMCB_AT(save, perf, 0xe0);
VMCB_AT(save, cr4, 0x148);
VMCB_AT(save, cr3, 0x150);
VMCB_AT(save, cr0, 0x158);
VMCB_AT(save, dr7, 0x160);
VMCB_AT(save, dr6, 0x168);
VMCB_AT(save, rflags, 0x170);
VMCB_AT(save, rip, 0x178);
VMCB_AT(save, instr_retired_ctr, 0x1c0);
VMCB_AT(save, perf_ctr_global_sts, 0x1c8);
VMCB_AT(save, perf_ctr_global_ctl, 0x1d0);
VMCB_AT(save, rsp, 0x1d8);
VMCB_AT(save, s_cet, 0x1e0);
VMCB_AT(save, ssp, 0x1e8);
VMCB_AT(save, isst_addr, 0x1f0);
VMCB_AT(save, rax, 0x1f8);
VMCB_AT(save, star, 0x200);
VMCB_AT(save, lstar, 0x208);
VMCB_AT(save, cstar, 0x210);
VMCB_AT(save, sfmask, 0x218);
VMCB_AT(save, kernel_gs_base, 0x220);
VMCB_AT(save, sysenter_cs, 0x228);
VMCB_AT(save, sysenter_esp, 0x230);
VMCB_AT(save, sysenter_eip, 0x238);
VMCB_AT(save, cr2, 0x240);
VMCB_AT(save, g_pat, 0x268);
VMCB_AT(save, dbgctl, 0x270);
VMCB_AT(save, br_from, 0x278);
VMCB_AT(save, br_to, 0x280);
VMCB_AT(save, lastexcpfrom, 0x288);
VMCB_AT(save, lastexcpto, 0x290);
VMCB_AT(save, dbgextnctl, 0x298);
VMCB_AT(save, spec_ctrl, 0x2e0);
VMCB_AT(save, lbr_stack, 0x670);
VMCB_AT(save, lbr_select, 0x770);
VMCB_AT(save, ibs_fetch_ctl, 0x778);
VMCB_AT(save, ic_ibs_extd_ctl, 0x7c0);
#undef VMCB_AT
_Static_assert(offsetof(struct vmcb, save) == 0x400, "the save area begins at 400h");
_Static_assert(sizeof(struct vmcb) == 4096, "a VMCB is one page");

/*
 * The intercept that leads to an exit: an exit's code is its intercept's place among
 * the vectors, for all codes below SVM_INTERCEPT_COUNT. The setter clears the clean bit.
 */
#define SVM_INTERCEPT_COUNT 192u

/* What of PAUSE loops a processor can tell from single PAUSEs. */
enum vmcb_pause_filter {
	VMCB_PAUSE_ALL,	     /* nothing: each would be an exit, and so none is */
	VMCB_PAUSE_COUNTED,  /* many of them, since the guest was entered */
	VMCB_PAUSE_CLUSTERS, /* many with little time between */
};

/* Has a guest leave that waits in a loop of PAUSEs, where that can be told. */
void vmcb_filter_pauses(struct vmcb *vmcb, enum vmcb_pause_filter filter);

static inline bool vmcb_intercepts(const struct vmcb *vmcb, enum svm_exit_code code)
{
	return vmcb->control.intercepts[(uint32_t)code / 32] >> ((uint32_t)code % 32) & 1;
}

static inline void vmcb_intercept(struct vmcb *vmcb, enum svm_exit_code code, bool wanted)
{
	uint32_t *vector = &vmcb->control.intercepts[(uint32_t)code / 32];
	uint32_t bit = 1u << ((uint32_t)code % 32);

	*vector = wanted ? *vector | bit : *vector & ~bit;
	vmcb->control.clean &= ~VMCB_CLEAN_INTERCEPTS;
}

/* A segment register, to and from the form that both processors share. */
static inline struct segment vmcb_segment_read(const struct vmcb_segment *from)
{
	struct segment segment = {
		.base = from->base,
		.limit = from->limit,
		.rights = segment_rights_from_svm(from->attributes),
		.selector = from->selector,
	};

	return segment;
}

static inline struct vmcb_segment vmcb_segment_write(const struct segment *from)
{
	struct vmcb_segment segment = {
		.selector = from->selector,
		.attributes = segment_rights_to_svm(from->rights),
		.limit = from->limit,
		.base = from->base,
	};

	return segment;
}

#endif
