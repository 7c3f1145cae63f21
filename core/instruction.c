/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/instruction.h"

#include "core/cpu.h"
#include "core/debug.h"
#include "core/event.h"
#include "core/guest_memory.h"
#include "core/instruction_internal.h"
#include "core/memory.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * Between a vCPU and the emulator, which knows neither: registers go in and come out,
 * and what only the VMM can answer becomes a call. Then the emulator is left standing in
 * the middle of the instruction, and goes on when the VMM's answer is there.
 */

#define DR6_BS	   (1ull << 14) /* single step: SDM 3, 17.2.3 */
#define OPCODE_INT 0xcd

int instruction_init(struct hv_vcpu *vcpu)
{
	vcpu->emulation = host_alloc(sizeof(*vcpu->emulation));
	if (!vcpu->emulation)
		return HOST_ENOMEM;
	vcpu->emulation->vcpu = vcpu;
	return HOST_OK;
}

void instruction_free(struct hv_vcpu *vcpu)
{
	host_free(vcpu->emulation, sizeof(*vcpu->emulation));
}

void instruction_cancel(struct hv_vcpu *vcpu)
{
	emulate_cancel(&vcpu->emulation->emulation);
}

/* ---- stepping over ------------------------------------------------------------------ */

enum hv_verdict instruction_unemulated(struct hv_vcpu *vcpu)
{
	uint64_t linear = guest_code(vcpu).address;

	vcpu->call.kind = HV_CALL_UNEMULATED;
	vcpu->call.code.count = (uint8_t)guest_read_code(vcpu, linear, vcpu->call.code.bytes,
							 sizeof(vcpu->call.code.bytes));
	return HV_TO_HOST;
}

/*
 * The instructions that leave most are of one form each: where it begins with its opcode,
 * with no prefix before it, there is nothing to decode.
 */
static unsigned int length_of_plain(const struct hv_exit *exit, const uint8_t *bytes)
{
	switch (exit->reason) {
	case HV_EXIT_CPUID:
	case HV_EXIT_MSR:
	case HV_EXIT_RDTSC:
		return bytes[0] == 0x0f ? 2 : 0;
	case HV_EXIT_HLT:
		return bytes[0] == 0xf4 ? 1 : 0;
	default:
		return 0;
	}
}

/* Reads and decodes. */
static unsigned int length_of(struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	uint8_t bytes[INSTRUCTION_LENGTH_MAX];
	struct guest_code code = guest_code(vcpu);
	struct instruction instruction;
	size_t count = guest_read_code(vcpu, code.address, bytes, 1);

	if (count && length_of_plain(exit, bytes))
		return length_of_plain(exit, bytes);
	count = guest_read_code(vcpu, code.address, bytes, sizeof(bytes));
	if (decode(&instruction, code.mode, bytes, count) != DECODE_OK)
		return 0;
	return instruction.length;
}

unsigned int instruction_length(struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	return exit->length ? exit->length : length_of(vcpu, exit);
}

static void after_instruction(struct hv_vcpu *vcpu)
{
	vcpu->shadow = 0;
	vcpu->stepped = true;
	if (vcpu->rflags & RFLAGS_TF)
		event_raise_db(vcpu, DR6_BS);
}

enum hv_verdict instruction_skip(struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	unsigned int length = instruction_length(vcpu, exit);
	uint64_t before = vcpu->rip;

	if (!length)
		return instruction_unemulated(vcpu);
	vcpu->rip += length;
	/* Where 32 bits have not been enough before, it is 64-bit mode. */
	if ((vcpu->rip ^ before) >> 32 && guest_code(vcpu).mode != vcpu->vm->ops->long_mode)
		vcpu->rip = (uint32_t)vcpu->rip;
	after_instruction(vcpu);
	return HV_RESUME;
}

/* ---- in and out --------------------------------------------------------------------------- */

static void load(struct hv_vcpu *vcpu, struct emulate_state *state)
{
	struct hv_system system;

	vcpu->vm->ops->get_system(vcpu, &system);
	host_memcpy(state->gpr, vcpu->gpr, sizeof(state->gpr));
	host_memcpy(state->segment, system.segments, sizeof(state->segment));
	state->rip = vcpu->rip;
	state->rflags = vcpu->rflags;
	state->ldtr = system.ldtr;
	state->tr = system.tr;
	state->gdtr.base = system.gdtr.base;
	state->gdtr.limit = system.gdtr.limit;
	state->idtr.base = system.idtr.base;
	state->idtr.limit = system.idtr.limit;
	state->cr0 = system.cr0;
	state->cr4 = system.cr4;
	state->efer = system.efer;
	state->xcr0 = vcpu->xcr0;
	state->cpl = (uint8_t)vcpu->vm->ops->cpl(vcpu);
}

static bool is_same_segment(const struct segment *a, const struct segment *b)
{
	return a->base == b->base && a->limit == b->limit && a->rights == b->rights &&
	       a->selector == b->selector;
}

static bool is_same_table(const struct descriptor_table *a, const struct hv_table_register *b)
{
	return a->base == b->base && a->limit == b->limit;
}

/* Most instructions leave them all alone. */
static bool has_system(const struct hv_system *system, const struct emulate_state *state)
{
	bool same = is_same_segment(&state->ldtr, &system->ldtr) &&
		    is_same_segment(&state->tr, &system->tr) &&
		    is_same_table(&state->gdtr, &system->gdtr) &&
		    is_same_table(&state->idtr, &system->idtr);

	for (unsigned int i = 0; same && i < HV_SEGMENT_COUNT; i++)
		same = is_same_segment(&state->segment[i], &system->segments[i]);
	return same;
}

/*
 * Only what emulated instructions change: segments and tables, not control registers. The
 * setter also ends what an instruction that was cut short has left in the processor; but
 * where it runs none, there is no such thing.
 */
static void store(struct hv_vcpu *vcpu, const struct emulate_state *state)
{
	struct hv_system system;

	host_memcpy(vcpu->gpr, state->gpr, sizeof(state->gpr));
	vcpu->rip = state->rip;
	vcpu->rflags = state->rflags;
	vcpu->vm->ops->get_system(vcpu, &system);
	if (vcpu->emulation->instead && has_system(&system, state))
		return;
	host_memcpy(system.segments, state->segment, sizeof(state->segment));
	system.ldtr = state->ldtr;
	system.tr = state->tr;
	system.gdtr.base = state->gdtr.base;
	system.gdtr.limit = state->gdtr.limit;
	system.idtr.base = state->idtr.base;
	system.idtr.limit = state->idtr.limit;
	vcpu->vm->ops->set_system(vcpu, &system);
}

static bool advance(struct hv_vcpu *vcpu);

/* The VMM has answered what vcpu->call asked: the emulator goes on from there. */
static bool complete_access(struct hv_vcpu *vcpu)
{
	struct emulation *emulation = &vcpu->emulation->emulation;
	uint64_t value = 0;

	switch (vcpu->call.kind) {
	case HV_CALL_MMIO:
		host_memcpy(&value, vcpu->call.mmio.bytes, vcpu->call.mmio.size);
		break;
	case HV_CALL_MSR:
		if (vcpu->call.msr.failed) {
			emulate_cancel(emulation);
			event_raise_gp(vcpu, 0);
			return true;
		}
		value = vcpu->call.msr.value;
		break;
	default:
		if (emulation->access.kind == EMULATE_RUN) {
			value = vcpu->call.io.count;
			if (vcpu->call.io.in)
				memory_copy_out(vcpu->vm, vcpu->emulation->run_gpa, vcpu->data,
						value * vcpu->call.io.size);
		} else if (vcpu->call.io.in) {
			host_memcpy(&value, vcpu->data, vcpu->call.io.size);
		}
	}
	emulate_answer(emulation, value);
	return advance(vcpu);
}

enum hv_verdict instruction_halt(struct hv_vcpu *vcpu)
{
	const struct hv_pending *pending = &vcpu->pending;

	if (pending->exception.valid || (pending->nmis && !pending->nmi_blocked) ||
	    (pending->interrupt && vcpu->rflags & RFLAGS_IF))
		return HV_RESUME;
	if (vcpu->local_apic) {
		vcpu->halted = true;
		return HV_RESUME; /* it waits before the next entry */
	}
	vcpu->call.kind = HV_CALL_HLT;
	return HV_TO_HOST;
}

static void done(struct hv_vcpu *vcpu)
{
	struct emulation *emulation = &vcpu->emulation->emulation;

	store(vcpu, &emulation->state);
	vcpu->shadow = emulation->shadow == EMULATE_SHADOW_STI	    ? HV_SHADOW_STI
		       : emulation->shadow == EMULATE_SHADOW_MOV_SS ? HV_SHADOW_MOV_SS
								    : 0;
	vcpu->stepped = !emulation->repeating;
	if (emulation->event == EMULATE_EVENT_INVLPG)
		vcpu->vm->ops->flush(vcpu);
	if (emulation->event == EMULATE_EVENT_IRET)
		vcpu->pending.nmi_blocked = false;
	if (vcpu->emulation->delivering)
		vcpu->pending.injecting.valid = false;
	if (emulation->single_step && !emulation->repeating)
		event_raise_db(vcpu, DR6_BS | (vcpu->debug.watches ? 0 : vcpu->emulation->hits));
}

static bool raise(struct hv_vcpu *vcpu, const struct emulate_fault *fault)
{
	if (fault->vector == EXCEPTION_PF) {
		event_raise_pf(vcpu, fault->address, fault->error_code);
		return vcpu->call.kind != HV_CALL_SHUTDOWN;
	}
	return !event_raise(vcpu, fault->vector, fault->has_error_code, fault->error_code);
}

/* INT n and its like: the VMM's to see, or to be delivered like a fault. */
static bool interrupt(struct hv_vcpu *vcpu, const struct emulation *emulation)
{
	uint8_t vector = (uint8_t)emulation->event_address;
	struct hv_event event = {
		.valid = true,
		.type = HV_EVENT_SOFT_INTERRUPT,
		.vector = vector,
		.length = emulation->instruction.length,
	};

	if (emulation->instruction.opcode != OPCODE_INT)
		event.type = vector == EXCEPTION_DB ? HV_EVENT_PRIVILEGED_EXCEPTION
						    : HV_EVENT_SOFT_EXCEPTION;
	if (debug_takes(vcpu, vector))
		return false;
	vcpu->pending.injecting = event;
	return true;
}

static bool finish(struct hv_vcpu *vcpu)
{
	struct hv_emulation *e = vcpu->emulation;

	done(vcpu);
	if (e->emulation.event == EMULATE_EVENT_HLT)
		return instruction_halt(vcpu) == HV_RESUME;
	if (e->emulation.event == EMULATE_EVENT_INTERRUPT)
		return interrupt(vcpu, &e->emulation);
	if (e->called)
		return false;
	if (e->tpr_lowered)
		vcpu->call.kind = HV_CALL_TPR_LOWERED;
	/* A trap: the instruction is over. A step of the guest's own has told of it already. */
	if (e->hits && !vcpu->pending.exception.valid)
		return !debug_hit(vcpu, e->hits);
	return vcpu->call.kind == HV_CALL_NONE;
}

/* An instruction, or what is done instead of one. */
static enum emulate_status step(struct hv_emulation *e)
{
	const struct hv_event *event = &e->vcpu->pending.injecting;

	if (e->delivering)
		return emulate_interrupt(&e->emulation, e->operations, e, event->vector);
	return emulate(&e->emulation, e->operations, e);
}

/* True: the guest goes on; false: vcpu->call has something. */
static bool advance(struct hv_vcpu *vcpu)
{
	struct hv_emulation *e = vcpu->emulation;

	vcpu->call.kind = HV_CALL_NONE;
	switch (step(e)) {
	case EMULATE_DONE:
		return finish(vcpu);
	case EMULATE_FAULT:
		/* An interrupt whose delivery is a fault is lost; an exception may become #DF. */
		if (e->delivering && vcpu->pending.injecting.type != HV_EVENT_EXCEPTION)
			vcpu->pending.injecting.valid = false;
		return raise(vcpu, &e->emulation.fault);
	case EMULATE_NEEDS_VMM:
		vcpu->complete = complete_access;
		return false;
	default:
		instruction_unemulated(vcpu);
		return false;
	}
}

static enum hv_verdict begin(struct hv_vcpu *vcpu, const struct emulate_ops *operations)
{
	struct hv_emulation *e = vcpu->emulation;

	e->emulation.amd = vcpu->vm->ops->long_mode == DECODE_MODE_64_AMD;
	e->emulation.reports_int3 = vcpu->debug.breakpoints;
	e->emulation.byte_count = 0;
	e->called = e->tpr_lowered = false;
	e->hits = 0;
	e->operations = operations;
	load(vcpu, &e->emulation.state);
	/* The handler of INT n and its like comes back to what follows them. */
	if (e->delivering)
		e->emulation.state.rip += vcpu->pending.injecting.length;
	return advance(vcpu) ? HV_RESUME : HV_TO_HOST;
}

enum hv_verdict instruction_emulate(struct hv_vcpu *vcpu)
{
	vcpu->emulation->instead = vcpu->emulation->delivering = false;
	return begin(vcpu, &instruction_operations);
}

enum hv_verdict instruction_emulate_instead(struct hv_vcpu *vcpu)
{
	vcpu->emulation->instead = true;
	vcpu->emulation->delivering = false;
	return begin(vcpu, debug_has_breakpoints(vcpu) ? &instruction_operations_watched
						       : &instruction_operations);
}

enum hv_verdict instruction_deliver_real(struct hv_vcpu *vcpu)
{
	vcpu->emulation->instead = vcpu->emulation->delivering = true;
	return begin(vcpu, &instruction_operations);
}

const struct instruction *instruction_emulated(const struct hv_vcpu *vcpu)
{
	return &vcpu->emulation->emulation.instruction;
}
