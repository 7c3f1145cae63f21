/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/registers.h"

#include "host/linux/hutch.h"

#include <linux/uaccess.h>

/*
 * A vCPU's state as the KVM ABI has it, from and to the core's. The vCPU is loaded and
 * runs nothing. Setting believes nothing: what no processor can hold is EINVAL.
 */

/* ---- general registers ---------------------------------------------------------------------- */

/* kvm_regs begins with the general registers, in an order of its own. */
static const uint8_t gpr_order[GPR_COUNT] = {
	GPR_RAX, GPR_RBX, GPR_RCX, GPR_RDX, GPR_RSI, GPR_RDI, GPR_RSP, GPR_RBP,
	GPR_R8,	 GPR_R9,  GPR_R10, GPR_R11, GPR_R12, GPR_R13, GPR_R14, GPR_R15,
};
static_assert(offsetof(struct kvm_regs, rip) == sizeof(uint64_t) * GPR_COUNT);

void regs_get(struct hutch_vcpu *vcpu, struct kvm_regs *regs)
{
	__u64 *value = &regs->rax;
	size_t i;

	for (i = 0; i < GPR_COUNT; i++)
		value[i] = vcpu->hv.gpr[gpr_order[i]];
	regs->rip = vcpu->hv.rip;
	regs->rflags = vcpu->hv.rflags;
}

#define RFLAGS_SETTABLE 0x3f7fd5ull /* SDM 1, 3.4.3: all that is not reserved */

void regs_set(struct hutch_vcpu *vcpu, const struct kvm_regs *regs)
{
	const __u64 *value = &regs->rax;
	size_t i;

	for (i = 0; i < GPR_COUNT; i++)
		vcpu->hv.gpr[gpr_order[i]] = value[i];
	vcpu->hv.rip = regs->rip;
	vcpu->hv.rflags = (regs->rflags & RFLAGS_SETTABLE) | X86_EFLAGS_FIXED;
	/* An exception of the instruction that is left behind is left with it. */
	vcpu->hv.pending.exception.valid = false;
}

VCPU_HANDLER(vcpu_get_regs)
{
	struct kvm_regs regs;

	regs_get(vcpu, &regs);
	return copy_to_user(user_pointer(argument), &regs, sizeof(regs)) ? -EFAULT : 0;
}

VCPU_HANDLER(vcpu_set_regs)
{
	struct kvm_regs regs;

	if (copy_from_user(&regs, user_pointer(argument), sizeof(regs)))
		return -EFAULT;
	regs_set(vcpu, &regs);
	return 0;
}

/* ---- segments and control registers ---------------------------------------------------------- */

static void segment_to_kvm(struct kvm_segment *to, const struct segment *from)
{
	*to = (struct kvm_segment){
		.base = from->base,
		.limit = from->limit,
		.selector = from->selector,
		.type = from->rights & SEGMENT_TYPE,
		.s = !!(from->rights & SEGMENT_S),
		.dpl = (from->rights & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT,
		.present = !!(from->rights & SEGMENT_P),
		.avl = !!(from->rights & SEGMENT_AVL),
		.l = !!(from->rights & SEGMENT_L),
		.db = !!(from->rights & SEGMENT_DB),
		.g = !!(from->rights & SEGMENT_G),
		.unusable = !!(from->rights & SEGMENT_UNUSABLE),
	};
}

static void segment_from_kvm(struct segment *to, const struct kvm_segment *from)
{
	to->base = from->base;
	to->limit = from->limit;
	to->selector = from->selector;
	to->rights = (from->type & SEGMENT_TYPE) | (from->s ? SEGMENT_S : 0) |
		     (from->dpl << SEGMENT_DPL_SHIFT & SEGMENT_DPL) |
		     (from->present ? SEGMENT_P : 0) | (from->avl ? SEGMENT_AVL : 0) |
		     (from->l ? SEGMENT_L : 0) | (from->db ? SEGMENT_DB : 0) |
		     (from->g ? SEGMENT_G : 0) |
		     (from->unusable || !from->present ? SEGMENT_UNUSABLE : 0);
}

static void table_to_kvm(struct kvm_dtable *to, const struct hv_table_register *from)
{
	*to = (struct kvm_dtable){ .base = from->base, .limit = from->limit };
}

static void table_from_kvm(struct hv_table_register *to, const struct kvm_dtable *from)
{
	to->base = from->base;
	to->limit = from->limit;
}

/* Both of the ABI's structs begin with the same fields, up to @apic_base. */
static_assert(offsetof(struct kvm_sregs, interrupt_bitmap) == offsetof(struct kvm_sregs2, flags));

static void system_get(struct hutch_vcpu *vcpu, struct kvm_sregs2 *to)
{
	struct hv_system system;

	hv_vcpu_get_system(&vcpu->hv, &system);
	segment_to_kvm(&to->cs, &system.segments[SEGMENT_NUMBER_CS]);
	segment_to_kvm(&to->ds, &system.segments[SEGMENT_NUMBER_DS]);
	segment_to_kvm(&to->es, &system.segments[SEGMENT_NUMBER_ES]);
	segment_to_kvm(&to->fs, &system.segments[SEGMENT_NUMBER_FS]);
	segment_to_kvm(&to->gs, &system.segments[SEGMENT_NUMBER_GS]);
	segment_to_kvm(&to->ss, &system.segments[SEGMENT_NUMBER_SS]);
	segment_to_kvm(&to->tr, &system.tr);
	segment_to_kvm(&to->ldt, &system.ldtr);
	table_to_kvm(&to->gdt, &system.gdtr);
	table_to_kvm(&to->idt, &system.idtr);
	to->cr0 = system.cr0;
	to->cr2 = system.cr2;
	to->cr3 = system.cr3;
	to->cr4 = system.cr4;
	to->cr8 = system.cr8;
	to->efer = system.efer;
	to->apic_base = vcpu->hv.apic_base;
}

/* Below bit 32 a processor ignores what it does not know (SDM 3, 2.5); so do we. */
#define CR0_IGNORED                                                                                \
	(0xffffffffull & ~(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | \
			   CR0_NW | CR0_CD | CR0_PG))

static int system_set(struct hutch_vcpu *vcpu, const struct kvm_sregs2 *from)
{
	struct hv_system system = {
		.cr0 = (from->cr0 & ~CR0_IGNORED) | CR0_ET,
		.cr2 = from->cr2,
		.cr3 = from->cr3,
		.cr4 = from->cr4,
		.cr8 = from->cr8,
		.efer = from->efer,
	};

	segment_from_kvm(&system.segments[SEGMENT_NUMBER_CS], &from->cs);
	segment_from_kvm(&system.segments[SEGMENT_NUMBER_DS], &from->ds);
	segment_from_kvm(&system.segments[SEGMENT_NUMBER_ES], &from->es);
	segment_from_kvm(&system.segments[SEGMENT_NUMBER_FS], &from->fs);
	segment_from_kvm(&system.segments[SEGMENT_NUMBER_GS], &from->gs);
	segment_from_kvm(&system.segments[SEGMENT_NUMBER_SS], &from->ss);
	segment_from_kvm(&system.tr, &from->tr);
	segment_from_kvm(&system.ldtr, &from->ldt);
	table_from_kvm(&system.gdtr, &from->gdt);
	table_from_kvm(&system.idtr, &from->idt);
	if (!hv_vcpu_set_msr(&vcpu->hv, IA32_APIC_BASE, from->apic_base) ||
	    !hv_vcpu_set_system(&vcpu->hv, &system))
		return -EINVAL;
	return 0;
}

void sregs_get(struct hutch_vcpu *vcpu, struct kvm_sregs *sregs)
{
	const struct hv_pending *pending = &vcpu->hv.pending;
	struct kvm_sregs2 system = { 0 };

	system_get(vcpu, &system);
	memcpy(sregs, &system, offsetof(struct kvm_sregs, interrupt_bitmap));
	memset(sregs->interrupt_bitmap, 0, sizeof(sregs->interrupt_bitmap));
	if (pending->injecting.valid && pending->injecting.type == HV_EVENT_INTERRUPT)
		__set_bit(pending->injecting.vector, (unsigned long *)sregs->interrupt_bitmap);
	else if (pending->interrupt)
		__set_bit(pending->vector, (unsigned long *)sregs->interrupt_bitmap);
}

int sregs_set(struct hutch_vcpu *vcpu, const struct kvm_sregs *sregs)
{
	struct hv_pending *pending = &vcpu->hv.pending;
	struct kvm_sregs2 system = { 0 };
	unsigned long vector;
	int error;

	memcpy(&system, sregs, offsetof(struct kvm_sregs, interrupt_bitmap));
	error = system_set(vcpu, &system);
	if (error)
		return error;
	vector = find_first_bit((const unsigned long *)sregs->interrupt_bitmap, KVM_NR_INTERRUPTS);
	if (vector < KVM_NR_INTERRUPTS) {
		pending->interrupt = true;
		pending->vector = vector;
	}
	return 0;
}

VCPU_HANDLER(vcpu_get_sregs)
{
	struct kvm_sregs sregs = { 0 };

	sregs_get(vcpu, &sregs);
	return copy_to_user(user_pointer(argument), &sregs, sizeof(sregs)) ? -EFAULT : 0;
}

VCPU_HANDLER(vcpu_set_sregs)
{
	struct kvm_sregs sregs;

	if (copy_from_user(&sregs, user_pointer(argument), sizeof(sregs)))
		return -EFAULT;
	return sregs_set(vcpu, &sregs);
}

VCPU_HANDLER(vcpu_get_sregs2)
{
	struct kvm_sregs2 sregs = { 0 };

	system_get(vcpu, &sregs);
	return copy_to_user(user_pointer(argument), &sregs, sizeof(sregs)) ? -EFAULT : 0;
}

/* With nested paging the PAE pointers are read where CR3 says (APM 2, 15.25.10). */
VCPU_HANDLER(vcpu_set_sregs2)
{
	struct kvm_sregs2 sregs;

	if (copy_from_user(&sregs, user_pointer(argument), sizeof(sregs)))
		return -EFAULT;
	if (sregs.flags & ~(uint64_t)KVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	return system_set(vcpu, &sregs);
}

/* ---- debug registers ---------------------------------------------------------------------------- */

VCPU_HANDLER(vcpu_get_debugregs)
{
	struct kvm_debugregs debug = { .dr6 = vcpu->hv.dr6, .dr7 = vcpu->hv.dr7 };

	memcpy(debug.db, vcpu->hv.dr, sizeof(debug.db));
	return copy_to_user(user_pointer(argument), &debug, sizeof(debug)) ? -EFAULT : 0;
}

#define DR6_FIXED    0xffff0ff0ull /* SDM 3, 18.2.3; bits 11 and 16 are clear when they tell */
#define DR6_SETTABLE 0x0001e80full
#define DR7_FIXED    0x400ull /* SDM 3, 18.2.4 */
#define DR7_SETTABLE 0xffff2bffull

VCPU_HANDLER(vcpu_set_debugregs)
{
	struct kvm_debugregs debug;

	if (copy_from_user(&debug, user_pointer(argument), sizeof(debug)))
		return -EFAULT;
	if (debug.flags || debug.dr6 >> 32 || debug.dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->hv.dr, debug.db, sizeof(debug.db));
	vcpu->hv.dr6 = (debug.dr6 & DR6_SETTABLE) | (DR6_FIXED & ~DR6_SETTABLE);
	vcpu->hv.dr7 = (debug.dr7 & DR7_SETTABLE) | DR7_FIXED;
	vcpu->hv.vm->ops->update_debug(&vcpu->hv);
	return 0;
}

/* ---- being debugged ------------------------------------------------------------------------------- */

#define DEBUG_CONTROLS                                                            \
	(KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP | KVM_GUESTDBG_USE_SW_BP | \
	 KVM_GUESTDBG_USE_HW_BP | KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)

#define VECTOR_DB 1
#define VECTOR_BP 3

#define DR7_GD	  (1ull << 13) /* the VMM's breakpoints are not for the guest to touch */

static void debug_set(struct hv_debug *to, const struct kvm_guest_debug *from)
{
	uint32_t control = from->control & KVM_GUESTDBG_ENABLE ? from->control : 0;

	to->single_step = control & KVM_GUESTDBG_SINGLESTEP;
	to->breakpoints = control & KVM_GUESTDBG_USE_SW_BP;
	to->watches = control & KVM_GUESTDBG_USE_HW_BP;
	to->wanted = to->single_step || to->watches;
	memcpy(to->dr, from->arch.debugreg, sizeof(to->dr));
	to->dr7 = (from->arch.debugreg[7] & DR7_SETTABLE & ~DR7_GD) | DR7_FIXED;
}

VCPU_HANDLER(vcpu_set_guest_debug)
{
	struct hv_event *exception = &vcpu->hv.pending.exception;
	struct kvm_guest_debug debug;
	uint32_t control;

	if (copy_from_user(&debug, user_pointer(argument), sizeof(debug)))
		return -EFAULT;
	control = debug.control;
	if (control & ~DEBUG_CONTROLS)
		return -EINVAL;
	if (control & (KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP)) {
		if (exception->valid)
			return -EBUSY;
		*exception = (struct hv_event){
			.valid = true,
			.type = HV_EVENT_EXCEPTION,
			.vector = control & KVM_GUESTDBG_INJECT_DB ? VECTOR_DB : VECTOR_BP,
		};
	}
	debug_set(&vcpu->hv.debug, &debug);
	vcpu->hv.vm->ops->update_debug(&vcpu->hv);
	return 0;
}

/* ---- whether it runs ---------------------------------------------------------------------------------- */

/*
 * With local APICs here a vCPU sleeps here, and waits for its SIPI. The ABI's difference
 * between before and after the INIT is none: either is ended by a SIPI.
 */
VCPU_HANDLER(vcpu_get_mp_state)
{
	static const uint32_t states[] = {
		[HV_RUNS] = KVM_MP_STATE_RUNNABLE,
		[HV_HALTED] = KVM_MP_STATE_HALTED,
		[HV_WAITS_FOR_SIPI] = KVM_MP_STATE_UNINITIALIZED,
	};
	struct kvm_mp_state state = { .mp_state = states[hv_vcpu_get_activity(&vcpu->hv)] };

	return copy_to_user(user_pointer(argument), &state, sizeof(state)) ? -EFAULT : 0;
}

VCPU_HANDLER(vcpu_set_mp_state)
{
	enum hv_activity activity = HV_RUNS;
	struct kvm_mp_state state;

	if (copy_from_user(&state, user_pointer(argument), sizeof(state)))
		return -EFAULT;
	switch (state.mp_state) {
	case KVM_MP_STATE_RUNNABLE:
		break;
	case KVM_MP_STATE_HALTED:
		activity = HV_HALTED;
		break;
	case KVM_MP_STATE_UNINITIALIZED:
	case KVM_MP_STATE_INIT_RECEIVED:
		activity = HV_WAITS_FOR_SIPI;
		break;
	default:
		return -EINVAL;
	}
	if (!vcpu->hv.local_apic && activity != HV_RUNS)
		return -EINVAL;
	hv_vcpu_set_activity(&vcpu->hv, activity);
	return 0;
}
