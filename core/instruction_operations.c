/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/instruction_internal.h"

#include "core/control.h"
#include "core/cpu.h"
#include "core/cpuid.h"
#include "core/debug.h"
#include "core/guest_memory.h"
#include "core/irqchip.h"
#include "core/memory.h"
#include "core/msr.h"
#include "x86/exception.h"
#include "x86/registers.h"

/*
 * What the emulator asks for while it carries out an instruction (x86/emulate.h): memory
 * through the guest's page tables, ports, control and debug registers, MSRs, vectors. What
 * the core can't answer becomes a call to the VMM, and the emulator waits for it.
 */

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

static enum emulate_answer op_exchange(void *context, const struct emulate_exchange *exchange,
				       struct emulate_fault *out)
{
	struct hv_emulation *e = context;
	uint32_t access = PAGE_FAULT_W | (exchange->user ? PAGE_FAULT_U : 0);
	uint64_t gpa;

	/* What CMPXCHG16B writes comes in two pieces; and locks across lines stop all others. */
	if (exchange->size > 8 || exchange->address % exchange->size)
		return EMULATE_ANSWER_VMM;
	if (translate(e, exchange->address, access, &gpa, out) != EMULATE_ANSWER_DONE)
		return EMULATE_ANSWER_FAULT;
	switch (memory_exchange(e->vcpu->vm, gpa, exchange->size, exchange->expected[0],
				exchange->desired[0])) {
	case HOST_EXCHANGE_DONE:
		return EMULATE_ANSWER_DONE;
	case HOST_EXCHANGE_OTHER:
		return EMULATE_ANSWER_CHANGED;
	default:
		return EMULATE_ANSWER_VMM;
	}
}

/* SDM 2, table A-2 */
static bool is_out(const struct instruction *instruction)
{
	return (instruction->opcode & 0xf6) == 0xe6;
}

static enum emulate_answer op_port(void *context, struct emulate_access *access,
				   struct emulate_fault *out)
{
	struct hv_emulation *e = context;
	struct hv_vcpu *vcpu = e->vcpu;

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
	if (access->kind == EMULATE_PORT_IN)
		return EMULATE_ANSWER_VMM;
	host_memcpy(vcpu->data, &access->value, access->size);
	/* OUT ends with this, and the VMM finds the guest behind it; OUTS may go on. */
	e->called = is_out(&e->emulation.instruction);
	return e->called ? EMULATE_ANSWER_DONE : EMULATE_ANSWER_VMM;
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

static void op_x87(void *context, struct emulate_x87 *x87)
{
	static const uint8_t actions[] = {
		[EMULATE_X87_READ] = HOST_X87_READ,
		[EMULATE_X87_LOAD_CONTROL] = HOST_X87_LOAD_CONTROL,
		[EMULATE_X87_CLEAR] = HOST_X87_CLEAR,
		[EMULATE_X87_RESET] = HOST_X87_RESET,
	};

	host_x87(((struct hv_emulation *)context)->vcpu, (enum host_x87_action)actions[x87->kind],
		 &x87->control, &x87->status);
}

#define OPERATIONS                                                                          \
	.fetch = op_fetch, .check = op_check, .port = op_port, .control = op_control,       \
	.debug = op_debug, .msr = op_msr, .cpuid = op_cpuid, .vector_read = op_vector_read, \
	.vector_write = op_vector_write, .x87 = op_x87

const struct emulate_ops instruction_operations = {
	OPERATIONS, .read = op_read, .write = op_write, .exchange = op_exchange, .run = op_run,
};

/* ---- with breakpoints ------------------------------------------------------------------------ */

static enum emulate_answer op_read_watched(void *context, struct emulate_access *access,
					   struct emulate_fault *out)
{
	struct hv_emulation *e = context;

	e->hits |= debug_hits(e->vcpu, DEBUG_READ, access->address, access->size);
	return op_read(context, access, out);
}

static enum emulate_answer op_write_watched(void *context, const struct emulate_access *access,
					    struct emulate_fault *out)
{
	struct hv_emulation *e = context;

	e->hits |= debug_hits(e->vcpu, DEBUG_WRITE, access->address, access->size);
	return op_write(context, access, out);
}

/* Strings come element by element, so that each is looked at. */
const struct emulate_ops instruction_operations_watched = {
	OPERATIONS,
	.read = op_read_watched,
	.write = op_write_watched,
};
