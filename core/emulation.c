/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/emulation.h"

#include "core/cpu.h"
#include "core/debug.h"
#include "core/event.h"
#include "core/guest_memory.h"
#include "core/instruction.h"
#include "core/irqchip.h"
#include "core/run.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * Some processors run no guest in real mode (core/vmx/restricted.c), nor one that has just
 * left it and has old segments still. Such a guest goes round the same loop as any other:
 * what pends is chosen before the entry, the entry says that there is none, and here is
 * done what the processor would have done: an event delivered, then instructions.
 *
 * In real mode that is all there is to do. Between the modes a guest has neither tables
 * for interrupts nor a use for them, and keeps them off: what can wait, waits until the
 * processor takes over; a fault finds no handler and is the end.
 */

#define INSTRUCTIONS_MAX 64

#define IDT_ENTRY	 8u /* bytes: SDM 3, 6.10 */

/* ---- events -------------------------------------------------------------------------- */

static bool is_real(struct hv_vcpu *vcpu)
{
	return !(vcpu->vm->ops->read_control(vcpu, HV_CR0) & CR0_PE);
}

/* From outside, and at no certain moment: it is given back, to be chosen again. */
static bool put_back(struct hv_vcpu *vcpu)
{
	struct hv_pending *pending = &vcpu->pending;

	switch (pending->injecting.type) {
	case HV_EVENT_INTERRUPT:
		pending->interrupt = true;
		pending->vector = pending->injecting.vector;
		break;
	case HV_EVENT_NMI:
		pending->nmis++;
		pending->nmi_blocked = false;
		break;
	default:
		return false;
	}
	pending->injecting.valid = false;
	return true;
}

/* Beyond the table it is a general-protection fault, and that one is, too (SDM 3, 6.15). */
static bool has_handler(struct hv_vcpu *vcpu)
{
	struct hv_system system;

	vcpu->vm->ops->get_system(vcpu, &system);
	return vcpu->pending.injecting.vector * IDT_ENTRY + IDT_ENTRY - 1 <= system.idtr.limit;
}

static enum hv_verdict deliver(struct hv_vcpu *vcpu)
{
	if (is_real(vcpu))
		return instruction_deliver_real(vcpu);
	if (put_back(vcpu))
		return HV_RESUME;
	if (has_handler(vcpu))
		return instruction_unemulated(vcpu);
	vcpu->call.kind = HV_CALL_SHUTDOWN;
	return HV_TO_HOST;
}

/* ---- instructions ---------------------------------------------------------------------- */

/*
 * What would be an exit of its own on the processor, and is nothing that the emulator knows
 * of: 0F 01, by its last byte (SDM 2, table A-6; APM 3, table A-8).
 */
static const struct {
	uint8_t first, last;
	enum hv_exit_reason reason;
} exits[] = {
	{ 0xc1, 0xc1, HV_EXIT_HYPERCALL },	{ 0xc2, 0xc4, HV_EXIT_VIRTUALIZATION },
	{ 0xc8, 0xc8, HV_EXIT_MONITOR },	{ 0xc9, 0xc9, HV_EXIT_MWAIT },
	{ 0xd1, 0xd1, HV_EXIT_XSETBV },		{ 0xd4, 0xd4, HV_EXIT_VIRTUALIZATION },
	{ 0xd8, 0xd8, HV_EXIT_VIRTUALIZATION }, { 0xd9, 0xd9, HV_EXIT_HYPERCALL },
	{ 0xda, 0xdf, HV_EXIT_VIRTUALIZATION },
};

#define OPCODE_0F01  0x01
#define OPCODE_RDPMC 0x33

static bool is_an_exit(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	const struct instruction *instruction = instruction_emulated(vcpu);

	*exit = (struct hv_exit){ .reason = HV_EXIT_RDPMC, .length = instruction->length };
	if (instruction->map != OPCODE_MAP_0F || instruction->encoding != ENCODING_LEGACY)
		return false;
	if (instruction->opcode != OPCODE_0F01 || instruction->has_memory)
		return instruction->opcode == OPCODE_RDPMC;
	for (unsigned int i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		if (instruction->modrm < exits[i].first || instruction->modrm > exits[i].last)
			continue;
		exit->reason = exits[i].reason;
		/* It does not get so far where the system has not asked for XSAVE (SDM 2). */
		if (exit->reason == HV_EXIT_XSETBV &&
		    !(vcpu->vm->ops->read_control(vcpu, HV_CR4) & CR4_OSXSAVE))
			exit->reason = HV_EXIT_VIRTUALIZATION;
		return true;
	}
	return false;
}

/* RF spares the instruction that a breakpoint is at (SDM 3, 17.3.1.1). */
static uint32_t breakpoints_here(struct hv_vcpu *vcpu)
{
	if (!debug_has_breakpoints(vcpu) || vcpu->rflags & RFLAGS_RF)
		return 0;
	return debug_hits(vcpu, DEBUG_FETCH, guest_code(vcpu).address, 1);
}

static enum hv_verdict carry_out(struct hv_vcpu *vcpu)
{
	uint32_t bits = breakpoints_here(vcpu);
	struct hv_exit exit;

	if (bits)
		return debug_hit(vcpu, bits) ? HV_TO_HOST : HV_RESUME;
	if (instruction_emulate_instead(vcpu) == HV_RESUME)
		return HV_RESUME;
	if (vcpu->call.kind != HV_CALL_UNEMULATED || !is_an_exit(vcpu, &exit))
		return HV_TO_HOST;
	return exit_handle(vcpu, &exit);
}

/* Something is to be looked at before the next instruction, as before an entry. */
static bool is_disturbed(const struct hv_vcpu *vcpu)
{
	return event_is_due(vcpu) || vcpu->halted || vcpu->debug.wanted ||
	       __atomic_load_n(&vcpu->requests, __ATOMIC_RELAXED) ||
	       (vcpu->local_apic && hv_vcpu_has_attention(vcpu));
}

enum hv_verdict emulation_run(struct hv_vcpu *vcpu)
{
	enum hv_verdict verdict = HV_RESUME;
	unsigned int count = 0;

	if (vcpu->pending.injecting.valid)
		verdict = deliver(vcpu);
	/* What was put back waits for the instruction that ends this state. */
	if (verdict == HV_TO_HOST || (vcpu->pending.exception.valid))
		return verdict;
	do {
		verdict = carry_out(vcpu);
	} while (++count < INSTRUCTIONS_MAX && verdict == HV_RESUME && !is_disturbed(vcpu) &&
		 !vcpu->vm->ops->can_enter(vcpu));
	vcpu->exits[HV_EXIT_EMULATION] += count - 1;
	return verdict;
}
