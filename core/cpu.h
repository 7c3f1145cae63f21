/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_CPU_H
#define HUTCH_CORE_CPU_H

/*
 * The two processors behind one table of operations: all that core/ asks of core/svm or
 * core/vmx. Chosen once, by hv_probe(); nobody above asks which one it is.
 */

#include "core/hv.h"

enum hv_control {
	HV_CR0,
	HV_CR3,
	HV_CR4,
	HV_EFER,
};

#define HV_TPR_ANY 16 /* CR8 is less, always */

/* Who keeps a vCPU's local APIC. */
enum hv_apic_mode {
	HV_APIC_EMULATED, /* the model of dev/, for each access */
	HV_APIC_PAGE,	  /* the processor; the guest sees the page at its first address */
	HV_APIC_X2APIC,	  /* the processor; MSRs */
};

struct hv_cpu_ops {
	const char *name; /* "AMD-V" */
	const struct table_format *table;
	/* Of how many levels the tables are, on this host. NULL: four. */
	unsigned int (*table_levels)(void);
	/*
	 * Near branches in 64-bit mode go AMD's way or Intel's (x86/decode.h); an instruction
	 * of the other vendor's hypercall is patched or refused by nobody: both are taken.
	 */
	enum decode_mode long_mode;
	/* What IA32_BIOS_SIGN_ID says: microcode newer than any erratum's that is asked for. */
	uint64_t microcode_revision;

	/* Whether it is this kind of processor at all. */
	bool (*exists)(void);
	/* Whether this CPU can; pinned. False, with @why, where it can't. */
	bool (*probe)(char *why, size_t size);
	int (*start)(void);
	void (*stop)(void);
	int (*enable)(unsigned int cpu);
	void (*disable)(unsigned int cpu);

	int (*vm_init)(struct hv_vm *vm);
	void (*vm_free)(struct hv_vm *vm);
	int (*vcpu_init)(struct hv_vcpu *vcpu);
	void (*vcpu_free)(struct hv_vcpu *vcpu);
	void (*load)(struct hv_vcpu *vcpu, unsigned int cpu); /* pinned, as is put */
	void (*put)(struct hv_vcpu *vcpu);

	/*
	 * Into the guest and out of it again; loaded, interrupts off. On return gpr, rip,
	 * rflags, shadow and pending.injecting are the guest's, and *@exit says why.
	 */
	void (*enter)(struct hv_vcpu *vcpu, struct hv_exit *exit);
	/*
	 * Whether it could enter the guest as it is. Where not, @enter leaves it alone, puts
	 * what was to be injected into pending.injecting, and says HV_EXIT_EMULATION. NULL:
	 * always. Any.
	 */
	bool (*can_enter)(struct hv_vcpu *vcpu);
	/* What the exit says beyond its reason; interrupts on. May be NULL. */
	void (*after_exit)(struct hv_vcpu *vcpu, struct hv_exit *exit);

	/* For the next entry: an event to inject; nothing but it is. */
	void (*inject)(struct hv_vcpu *vcpu, const struct hv_event *event);
	/* For the next entry: exit as soon as an interrupt, an NMI can be taken. */
	void (*interrupt_window)(struct hv_vcpu *vcpu, bool wanted);
	void (*nmi_window)(struct hv_vcpu *vcpu, bool wanted);
	/*
	 * Exit when the guest lowers CR8 to less than @below, for which an interrupt waits; 0:
	 * it may, HV_TPR_ANY: whenever it does at all. Stays so. An exit too many is no harm.
	 */
	void (*tpr_exits)(struct hv_vcpu *vcpu, unsigned int below);
	/*
	 * Local APICs in the processor's hands (core/local_apic_virtual.c). The page that holds
	 * the registers, as the xAPIC has them, or NULL: it can't, and then neither of the
	 * others is called. May be NULL itself.
	 */
	uint8_t *(*apic_page)(struct hv_vcpu *vcpu);
	/* Both: any, and not while it runs. */
	void (*apic_mode)(struct hv_vcpu *vcpu, enum hv_apic_mode mode);
	/*
	 * The page has been filled in. The highest vectors of its IRR and ISR, and those whose
	 * end shall be HV_EXIT_EOI, a bit for each.
	 */
	void (*apic_lend)(struct hv_vcpu *vcpu, uint8_t requested, uint8_t in_service,
			  const uint32_t watched[8]);
	/* Which exceptions of the guest's are exits, one bit for each vector. */
	void (*exceptions)(struct hv_vcpu *vcpu, uint32_t vectors);
	/* The processor notes down which pages are written while vm->logging. NULL: never. */
	bool (*logs_writes)(void);
	/* Before the next entry, nothing is left of the guest's translations. */
	void (*flush)(struct hv_vcpu *vcpu);

	uint64_t (*read_control)(struct hv_vcpu *vcpu, enum hv_control which);
	/* Takes it as it is; core/control.c has checked it. */
	void (*write_control)(struct hv_vcpu *vcpu, enum hv_control which, uint64_t value);
	void (*read_segment)(struct hv_vcpu *vcpu, unsigned int which, struct segment *segment);
	unsigned int (*cpl)(struct hv_vcpu *vcpu);
	void (*set_fault_address)(struct hv_vcpu *vcpu, uint64_t address); /* CR2 */
	void (*get_system)(struct hv_vcpu *vcpu, struct hv_system *system);
	void (*set_system)(struct hv_vcpu *vcpu, const struct hv_system *system);
	/* MSRs that the guest reads and writes without an exit, up to a 0; and whether it may not. */
	const uint32_t *passed_msrs;
	void (*close_msrs)(struct hv_vcpu *vcpu, bool closed);
	/* MSRs that the processor itself keeps for the guest. False: not one of them. */
	bool (*read_msr)(struct hv_vcpu *vcpu, uint32_t index, uint64_t *value);
	bool (*write_msr)(struct hv_vcpu *vcpu, uint32_t index, uint64_t value);
	/* Whether vcpu->deadline makes the guest leave, with HV_EXIT_DEADLINE. NULL: no. */
	bool (*has_deadlines)(void);
	void (*set_tsc_offset)(struct hv_vcpu *vcpu, uint64_t offset);
	/*
	 * Of how many bits the fraction of vcpu->tsc_ratio consists; 0: this processor's
	 * counter can't be scaled. NULL: none can.
	 */
	unsigned int (*tsc_fraction_bits)(void);
	/* vcpu->tsc_ratio has changed; 0 is one to one. NULL: the next entry looks itself. */
	void (*set_tsc_ratio)(struct hv_vcpu *vcpu);
	/*
	 * Whether the guest leaves when it touches its debug registers. If not, they are in the
	 * processor while it runs, and are read back at each exit. NULL: it always leaves.
	 */
	void (*debug_exits)(struct hv_vcpu *vcpu, bool wanted);
	/* The debug registers: those of @vcpu if it has breakpoints on, else none. */
	void (*update_debug)(struct hv_vcpu *vcpu);
};

extern const struct hv_cpu_ops svm_ops;
extern const struct hv_cpu_ops vmx_ops;

#endif
