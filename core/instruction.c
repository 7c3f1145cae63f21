/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/instruction.h"

#include "core/control.h"
#include "core/cpu.h"
#include "core/cpuid.h"
#include "core/event.h"
#include "core/guest_memory.h"
#include "core/irqchip.h"
#include "core/memory.h"
#include "core/msr.h"
#include "x86/emulate.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * Between a vCPU and the emulator, which knows neither: registers go in and come out,
 * memory goes through the guest's own page tables, and what only the VMM can answer
 * becomes a call. Then the emulator is left standing in the middle of the instruction,
 * and goes on when the VMM's answer is there.
 */

#define DR6_BS (1ull << 14) /* single step: SDM 3, 17.2.3 */

struct hv_emulation {
	struct emulation emulation;
	struct hv_vcpu *vcpu;
	bool tpr_lowered; /* and the VMM wants to know */
	uint64_t run_gpa; /* where a string from a port goes */
};

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

/* ---- what the emulator asks for -------------------------------------------------------- */

static enum emulate_answer fault(struct emulate_fault *fault, uint8_t vector, bool has_error_code,
				 uint32_t error_code, uint64_t address)
{
	fault->vector = vector;
	fault->has_error_code = has_error_code;
	fault->error_code = error_code;
	fault->address = address;
	return EMULATE_ANSWER_FAULT;
}

static enum emulate_answer translate(struct hv_emulation *e, uint64_t linear, uint32_t access,
				     uint64_t *gpa, struct emulate_fault *out)
{
	struct paging_result result = guest_access(e->vcpu, linear, access);

	*gpa = result.gpa;
	switch (result.status) {
	case PAGING_MAPPED:
		return EMULATE_ANSWER_DONE;
	case PAGING_NOT_CANONICAL:
		return fault(out, EXCEPTION_GP, true, 0, 0);
	default:
		return fault(out, EXCEPTION_PF, true, result.error_code, linear);
	}
}

static uint32_t rights(const struct emulate_access *access)
{
	uint32_t wanted = access->user && !access->implicit ? PAGE_FAULT_U : 0;

	if (access->kind == EMULATE_WRITE || access->kind == EMULATE_READ_TO_WRITE)
		wanted |= PAGE_FAULT_W;
	return wanted;
}

static enum emulate_answer op_fetch(void *context, uint64_t linear, unsigned int size,
				    uint8_t *bytes, struct emulate_fault *out)
{
	struct hv_emulation *e = context;
	uint32_t access = PAGE_FAULT_I | (e->emulation.state.cpl == 3 ? PAGE_FAULT_U : 0);
	uint64_t gpa;

	if (translate(e, linear, access, &gpa, out) != EMULATE_ANSWER_DONE)
		return EMULATE_ANSWER_FAULT;
	/* Code in a device's registers: nothing that could be run. */
	if (!memory_copy_in(e->vcpu->vm, gpa, bytes, size))
		return fault(out, EXCEPTION_UD, false, 0, 0);
	return EMULATE_ANSWER_DONE;
}

/* The access leaves for the VMM; its answer comes with complete_mmio(). */
static enum emulate_answer call_mmio(struct hv_emulation *e, uint64_t gpa, unsigned int size,
				     const uint64_t *value)
{
	struct hv_call *call = &e->vcpu->call;

	call->kind = HV_CALL_MMIO;
	call->mmio.gpa = gpa;
	call->mmio.size = (uint8_t)size;
	call->mmio.write = value;
	if (value)
		host_memcpy(call->mmio.bytes, value, size);
	return EMULATE_ANSWER_VMM;
}

static enum emulate_answer op_read(void *context, struct emulate_access *access,
				   struct emulate_fault *out)
{
	struct hv_emulation *e = context;
	uint64_t gpa;

	if (translate(e, access->address, rights(access), &gpa, out) != EMULATE_ANSWER_DONE)
		return EMULATE_ANSWER_FAULT;
	access->value = 0;
	if (memory_copy_in(e->vcpu->vm, gpa, &access->value, access->size) ||
	    irqchip_mmio(e->vcpu, gpa, access->size, false, &access->value))
		return EMULATE_ANSWER_DONE;
	return call_mmio(e, gpa, access->size, NULL);
}

static enum emulate_answer op_check(void *context, const struct emulate_access *access,
				    struct emulate_fault *out)
{
	uint64_t gpa;

	return translate(context, access->address, rights(access) | PAGE_FAULT_W, &gpa, out);
}

static enum emulate_answer op_write(void *context, const struct emulate_access *access,
				    struct emulate_fault *out)
{
	struct hv_emulation *e = context;
	uint64_t gpa;

	uint64_t value = access->value;

	if (translate(e, access->address, rights(access), &gpa, out) != EMULATE_ANSWER_DONE)
		return EMULATE_ANSWER_FAULT;
	if (memory_copy_out(e->vcpu->vm, gpa, &value, access->size) ||
	    irqchip_mmio(e->vcpu, gpa, access->size, true, &value))
		return EMULATE_ANSWER_DONE;
	return call_mmio(e, gpa, access->size, &access->value);
}

static enum emulate_answer op_port(void *context, struct emulate_access *access,
				   struct emulate_fault *out)
{
	struct hv_vcpu *vcpu = ((struct hv_emulation *)context)->vcpu;

	uint32_t value = (uint32_t)access->value;

	(void)out;
	if (irqchip_port(vcpu, (uint16_t)access->address, access->size,
			 access->kind == EMULATE_PORT_OUT, &value)) {
		access->value = value;
		return EMULATE_ANSWER_DONE;
	}
	vcpu->call.kind = HV_CALL_IO;
	vcpu->call.io.port = (uint16_t)access->address;
	vcpu->call.io.size = access->size;
	vcpu->call.io.in = access->kind == EMULATE_PORT_IN;
	vcpu->call.io.count = 1;
	if (access->kind == EMULATE_PORT_OUT)
		host_memcpy(vcpu->data, &access->value, access->size);
	return EMULATE_ANSWER_VMM;
}

/*
 * A string through a port goes in one call, a page of it at most: upwards only, as the
 * VMM's side of the call has the bytes in that order.
 */
static enum emulate_answer op_run(void *context, struct emulate_run *run, struct emulate_fault *out)
{
	struct hv_emulation *e = context;
	struct hv_vcpu *vcpu = e->vcpu;
	bool in = run->kind == EMULATE_RUN_INS;
	uint32_t access = (in ? PAGE_FAULT_W : 0) | (run->user ? PAGE_FAULT_U : 0);
	uint64_t gpa;

	run->done = 0;
	if (run->kind != EMULATE_RUN_INS && run->kind != EMULATE_RUN_OUTS)
		return EMULATE_ANSWER_DONE;
	if (run->backwards)
		return EMULATE_ANSWER_DONE;
	if (translate(e, in ? run->destination : run->source, access, &gpa, out) !=
	    EMULATE_ANSWER_DONE)
		return EMULATE_ANSWER_FAULT;
	if (in ? !memory_writable(vcpu->vm, gpa, run->size * run->count)
	       : !memory_copy_in(vcpu->vm, gpa, vcpu->data, run->size * run->count))
		return EMULATE_ANSWER_DONE;
	e->run_gpa = gpa;
	vcpu->call.kind = HV_CALL_IO;
	vcpu->call.io.port = run->port;
	vcpu->call.io.size = run->size;
	vcpu->call.io.in = in;
	vcpu->call.io.count = run->count;
	return EMULATE_ANSWER_VMM;
}

static enum emulate_answer gp(struct emulate_fault *out)
{
	return fault(out, EXCEPTION_GP, true, 0, 0);
}

static bool write_cr8(struct hv_vcpu *vcpu, uint64_t value)
{
	uint64_t before = vcpu->cr8;

	if (!control_write_cr8(vcpu, value))
		return false;
	if (vcpu->local_apic)
		local_apic_cr8(vcpu);
	else
		vcpu->emulation->tpr_lowered = vcpu->cr8 < before;
	return true;
}

static bool write_control(struct hv_vcpu *vcpu, unsigned int which, uint64_t value)
{
	switch (which) {
	case 0:
		return control_write_cr0(vcpu, value);
	case 2:
		vcpu->vm->ops->set_fault_address(vcpu, value);
		return true;
	case 3:
		return control_write_cr3(vcpu, value);
	case 4:
		return control_write_cr4(vcpu, value);
	default:
		return write_cr8(vcpu, value);
	}
}

static uint64_t read_control(struct hv_vcpu *vcpu, unsigned int which)
{
	struct hv_system system;

	switch (which) {
	case 0:
		return vcpu->vm->ops->read_control(vcpu, HV_CR0);
	case 2:
		vcpu->vm->ops->get_system(vcpu, &system);
		return system.cr2;
	case 3:
		return vcpu->vm->ops->read_control(vcpu, HV_CR3);
	case 4:
		return vcpu->vm->ops->read_control(vcpu, HV_CR4);
	default:
		return vcpu->cr8;
	}
}

static enum emulate_answer op_control(void *context, struct emulate_state *state,
				      struct emulate_access *access, struct emulate_fault *out)
{
	struct hv_vcpu *vcpu = ((struct hv_emulation *)context)->vcpu;

	if (access->kind == EMULATE_CR_READ) {
		access->value = read_control(vcpu, (unsigned int)access->address);
		return EMULATE_ANSWER_DONE;
	}
	if (!write_control(vcpu, (unsigned int)access->address, access->value))
		return gp(out);
	state->cr0 = vcpu->vm->ops->read_control(vcpu, HV_CR0);
	state->cr4 = vcpu->vm->ops->read_control(vcpu, HV_CR4);
	state->efer = vcpu->vm->ops->read_control(vcpu, HV_EFER);
	return EMULATE_ANSWER_DONE;
}

/* SDM 3, 17.2: DR4 and DR5 are DR6 and DR7 by another name, unless CR4.DE forbids it. */
#define DR6_ONES 0xffff0ff0ull
#define DR7_ONES 0x400ull
#define DR7_GD	 (1ull << 13)
#define DR6_BD	 (1ull << 13)

static enum emulate_answer op_debug(void *context, struct emulate_state *state,
				    struct emulate_access *access, struct emulate_fault *out)
{
	struct hv_vcpu *vcpu = ((struct hv_emulation *)context)->vcpu;
	unsigned int which = (unsigned int)access->address;
	uint64_t *registers[8] = { &vcpu->dr[0], &vcpu->dr[1], &vcpu->dr[2], &vcpu->dr[3],
				   &vcpu->dr6,	 &vcpu->dr7,   &vcpu->dr6,   &vcpu->dr7 };

	if ((which == 4 || which == 5) && state->cr4 & CR4_DE)
		return fault(out, EXCEPTION_UD, false, 0, 0);
	if (vcpu->dr7 & DR7_GD) {
		vcpu->dr7 &= ~DR7_GD;
		vcpu->dr6 |= DR6_BD;
		vcpu->vm->ops->update_debug(vcpu);
		return fault(out, EXCEPTION_DB, false, 0, 0);
	}
	if (access->kind == EMULATE_DR_READ) {
		access->value = *registers[which & 7];
		return EMULATE_ANSWER_DONE;
	}
	if (which >= 4 && access->value >> 32)
		return gp(out);
	if (which == 4 || which == 6)
		access->value = (access->value & 0x1e00f) | DR6_ONES;
	else if (which >= 5)
		access->value = (access->value & 0xffff2bff) | DR7_ONES;
	*registers[which & 7] = access->value;
	vcpu->vm->ops->update_debug(vcpu);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_msr(void *context, struct emulate_state *state,
				  struct emulate_access *access, struct emulate_fault *out)
{
	struct hv_vcpu *vcpu = ((struct hv_emulation *)context)->vcpu;

	switch (msr_access(vcpu, (uint32_t)access->address, access->kind == EMULATE_MSR_WRITE,
			   &access->value)) {
	case MSR_DONE:
		state->efer = vcpu->vm->ops->read_control(vcpu, HV_EFER);
		for (unsigned int i = SEGMENT_NUMBER_FS; i <= SEGMENT_NUMBER_GS; i++)
			vcpu->vm->ops->read_segment(vcpu, i, &state->segment[i]);
		return EMULATE_ANSWER_DONE;
	case MSR_VMM:
		return EMULATE_ANSWER_VMM;
	default:
		return gp(out);
	}
}

static void op_cpuid(void *context, uint32_t registers[4])
{
	cpuid_look(((struct hv_emulation *)context)->vcpu, registers[0], registers[2], registers);
}

static void op_vector_read(void *context, struct emulate_vector *vector)
{
	host_vector_read(((struct hv_emulation *)context)->vcpu, vector->index,
			 vector->kind == EMULATE_VECTOR_MMX, vector->value, vector->size);
}

static void op_vector_write(void *context, const struct emulate_vector *vector)
{
	host_vector_write(((struct hv_emulation *)context)->vcpu, vector->index,
			  vector->kind == EMULATE_VECTOR_MMX, vector->value, vector->size,
			  vector->kind == EMULATE_VECTOR_AVX);
}

static const struct emulate_ops operations = {
	.fetch = op_fetch,
	.read = op_read,
	.check = op_check,
	.write = op_write,
	.run = op_run,
	.port = op_port,
	.control = op_control,
	.debug = op_debug,
	.msr = op_msr,
	.cpuid = op_cpuid,
	.vector_read = op_vector_read,
	.vector_write = op_vector_write,
};

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

/* Only what emulated instructions change: segments and tables, not control registers. */
static void store(struct hv_vcpu *vcpu, const struct emulate_state *state)
{
	struct hv_system system;

	host_memcpy(vcpu->gpr, state->gpr, sizeof(state->gpr));
	vcpu->rip = state->rip;
	vcpu->rflags = state->rflags;
	vcpu->vm->ops->get_system(vcpu, &system);
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
	if (emulation->single_step && !emulation->repeating)
		event_raise_db(vcpu, DR6_BS);
}

static bool raise(struct hv_vcpu *vcpu, const struct emulate_fault *fault)
{
	if (fault->vector == EXCEPTION_PF) {
		event_raise_pf(vcpu, fault->address, fault->error_code);
		return vcpu->call.kind != HV_CALL_SHUTDOWN;
	}
	return !event_raise(vcpu, fault->vector, fault->has_error_code, fault->error_code);
}

/* True: the guest goes on; false: vcpu->call has something. */
static bool advance(struct hv_vcpu *vcpu)
{
	struct hv_emulation *e = vcpu->emulation;

	vcpu->call.kind = HV_CALL_NONE;
	switch (emulate(&e->emulation, &operations, e)) {
	case EMULATE_DONE:
		done(vcpu);
		if (e->emulation.event == EMULATE_EVENT_HLT)
			vcpu->call.kind = HV_CALL_HLT;
		if (e->tpr_lowered)
			vcpu->call.kind = HV_CALL_TPR_LOWERED;
		return vcpu->call.kind == HV_CALL_NONE;
	case EMULATE_FAULT:
		return raise(vcpu, &e->emulation.fault);
	case EMULATE_NEEDS_VMM:
		vcpu->complete = complete_access;
		return false;
	default:
		instruction_unemulated(vcpu);
		return false;
	}
}

enum hv_verdict instruction_emulate(struct hv_vcpu *vcpu)
{
	struct hv_emulation *e = vcpu->emulation;

	e->emulation.amd = vcpu->vm->ops->long_mode == DECODE_MODE_64_AMD;
	e->emulation.byte_count = 0;
	e->tpr_lowered = false;
	load(vcpu, &e->emulation.state);
	return advance(vcpu) ? HV_RESUME : HV_TO_HOST;
}
