/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Any bytes in any state: the emulator must hold to its contract.
 *
 * Each input is carried out twice on copies of the same machine. Once every access is
 * answered at once, and elements of strings come singly. Once some pages and all ports
 * belong to a VMM, so that the instruction is broken off and begun again, and strings go
 * in runs. Both must end the same way, with the same registers and memory, after the
 * same writes. And an instruction that faults must have changed nothing.
 *
 * Memory has 8 KiB, which repeat through all addresses; whether a page is there, can
 * be written, or is the VMM's is told by a hash of its number.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/x87_model.h"
#include "x86/emulate.h"
#include "x86/exception.h"
#include "x86/registers.h"

#define RAM_SIZE   0x2000u
#define PAGE_BYTES 0x1000u
#define STEPS_MAX  4000

struct machine {
	struct emulation e;
	uint8_t ram[RAM_SIZE];
	uint8_t code[INSTRUCTION_LENGTH_MAX]; /* apart, so that no instruction changes itself */
	uint64_t code_start;
	uint64_t ymm[16][4], mmx[8];
	struct x87_model x87;
	uint64_t inputs;  /* what ports, CRs and MSRs give: it counts up */
	uint64_t outputs; /* a hash of all that left the machine, in order */
	unsigned int changes;
	uint64_t seed;
	bool has_vmm;
	bool interrupted; /* it is not an instruction that is carried out */
};

static struct machine at_once, broken_off;

static void require(bool holds, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "broken: %s\n", what);
	for (unsigned int i = 0; i < INSTRUCTION_LENGTH_MAX; i++)
		(void)fprintf(stderr, " %02x", at_once.code[i]);
	abort();
}

/* ---- pages ---------------------------------------------------------------------------- */

static uint64_t hash(uint64_t value)
{
	value *= 0x9e3779b97f4a7c15ull;
	return value ^ value >> 29;
}

static unsigned int page_kind(const struct machine *m, uint64_t linear)
{
	return (unsigned int)(hash((linear / PAGE_BYTES) ^ m->seed) >> 17) & 15;
}

static bool is_absent(const struct machine *m, uint64_t linear)
{
	return page_kind(m, linear) == 0;
}

static bool is_read_only(const struct machine *m, uint64_t linear)
{
	return page_kind(m, linear) == 1;
}

static bool is_vmm(const struct machine *m, uint64_t linear)
{
	return m->has_vmm && page_kind(m, linear) >= 10;
}

static enum emulate_answer translate(struct machine *m, uint64_t linear, unsigned int size,
				     bool write, bool user, struct emulate_fault *fault)
{
	require(size && linear % PAGE_BYTES + size <= PAGE_BYTES, "an access lies in one page");
	if (!is_absent(m, linear) && !(write && is_read_only(m, linear)))
		return is_vmm(m, linear) ? EMULATE_ANSWER_VMM : EMULATE_ANSWER_DONE;
	*fault = (struct emulate_fault){ EXCEPTION_PF, true, (write ? 2u : 0) | (user ? 4u : 0),
					 linear };
	return EMULATE_ANSWER_FAULT;
}

static void leave_machine(struct machine *m, uint64_t address, uint64_t value)
{
	m->outputs = hash(m->outputs ^ hash(address) ^ value);
	m->changes++;
}

static void copy(struct machine *m, uint64_t linear, void *bytes, unsigned int size, bool write)
{
	for (unsigned int i = 0; i < size; i++) {
		uint8_t *byte = &m->ram[(linear + i) % RAM_SIZE];

		if (write)
			*byte = ((uint8_t *)bytes)[i];
		else
			((uint8_t *)bytes)[i] = *byte;
	}
}

/* ---- operations -------------------------------------------------------------------------- */

static enum emulate_answer op_fetch(void *context, uint64_t linear, unsigned int size,
				    uint8_t *bytes, struct emulate_fault *fault)
{
	struct machine *m = context;

	require(size && size <= INSTRUCTION_LENGTH_MAX, "a fetch is no longer than an instruction");
	require(linear % PAGE_BYTES + size <= PAGE_BYTES, "a fetch lies in one page");
	if (is_absent(m, linear)) {
		*fault = (struct emulate_fault){ EXCEPTION_PF, true, 0x10, linear };
		return EMULATE_ANSWER_FAULT;
	}
	for (unsigned int i = 0; i < size; i++)
		bytes[i] = m->code[(linear + i - m->code_start) % INSTRUCTION_LENGTH_MAX];
	return EMULATE_ANSWER_DONE;
}

/* An access as it is made, at once or by the VMM. */
static void perform(struct machine *m, struct emulate_access *access)
{
	switch (access->kind) {
	case EMULATE_READ:
	case EMULATE_READ_TO_WRITE:
		access->value = 0;
		copy(m, access->address, &access->value, access->size, false);
		break;
	case EMULATE_WRITE:
		copy(m, access->address, &access->value, access->size, true);
		leave_machine(m, access->address, access->value);
		break;
	case EMULATE_PORT_IN:
	case EMULATE_CR_READ:
	case EMULATE_DR_READ:
	case EMULATE_MSR_READ:
		access->value = hash(++m->inputs);
		break;
	default:
		leave_machine(m, access->address, access->value);
		break;
	}
}

static enum emulate_answer op_read(void *context, struct emulate_access *access,
				   struct emulate_fault *fault)
{
	struct machine *m = context;
	bool write = access->kind == EMULATE_READ_TO_WRITE;
	enum emulate_answer answer =
		translate(m, access->address, access->size, write, access->user, fault);

	require(access->size <= 8, "an access has 8 bytes at most");
	require(!access->implicit || !access->user,
		"the processor's own accesses are the system's");
	if (answer == EMULATE_ANSWER_DONE)
		perform(m, access);
	return answer;
}

static enum emulate_answer op_check(void *context, const struct emulate_access *access,
				    struct emulate_fault *fault)
{
	enum emulate_answer answer =
		translate(context, access->address, access->size, true, access->user, fault);

	return answer == EMULATE_ANSWER_VMM ? EMULATE_ANSWER_DONE : answer;
}

static enum emulate_answer op_write(void *context, const struct emulate_access *access,
				    struct emulate_fault *fault)
{
	struct machine *m = context;
	struct emulate_access made = *access;
	enum emulate_answer answer =
		translate(m, access->address, access->size, true, access->user, fault);

	require(access->size <= 8, "an access has 8 bytes at most");
	if (answer == EMULATE_ANSWER_DONE)
		perform(m, &made);
	return answer;
}

/* Leaves the machine as the plain write of the other run does, in its pieces. */
static enum emulate_answer op_exchange(void *context, const struct emulate_exchange *exchange,
				       struct emulate_fault *fault)
{
	struct machine *m = context;
	enum emulate_answer answer =
		translate(m, exchange->address, exchange->size, true, exchange->user, fault);
	uint8_t now[16];

	require(exchange->size <= 16, "an exchange has 16 bytes at most");
	if (answer != EMULATE_ANSWER_DONE)
		return answer;
	copy(m, exchange->address, now, exchange->size, false);
	require(!memcmp(now, exchange->expected, exchange->size), "an exchange expects what is");
	return EMULATE_ANSWER_VMM;
}

static enum emulate_answer op_port(void *context, struct emulate_access *access,
				   struct emulate_fault *fault)
{
	struct machine *m = context;

	(void)fault;
	require(access->address <= 0xffff, "ports have 16 bits");
	require(access->size == 1 || access->size == 2 || access->size == 4, "a port's size");
	if (m->has_vmm)
		return EMULATE_ANSWER_VMM;
	perform(m, access);
	return EMULATE_ANSWER_DONE;
}

static enum emulate_answer op_register(void *context, struct emulate_state *state,
				       struct emulate_access *access, struct emulate_fault *fault)
{
	struct machine *m = context;

	(void)fault;
	if (access->kind == EMULATE_MSR_READ && m->has_vmm)
		return EMULATE_ANSWER_VMM;
	perform(m, access);
	if (access->kind == EMULATE_CR_WRITE && !access->address)
		state->cr0 = access->value;
	return EMULATE_ANSWER_DONE;
}

/* One element of a run, as the emulator would have made it. */
static void perform_element(struct machine *m, const struct emulate_run *run, uint64_t source,
			    uint64_t destination)
{
	struct emulate_access in = { EMULATE_READ, run->size, .address = source };
	struct emulate_access out = { EMULATE_WRITE, run->size, .address = destination };
	uint64_t mask = run->size == 8 ? ~0ull : (1ull << run->size * 8) - 1;

	in.value = run->value;
	if (run->kind == EMULATE_RUN_INS) {
		in.kind = EMULATE_PORT_IN;
		in.address = run->port;
	}
	if (run->kind == EMULATE_RUN_OUTS) {
		out.kind = EMULATE_PORT_OUT;
		out.address = run->port;
	}
	if (run->kind != EMULATE_RUN_STOS)
		perform(m, &in);
	out.value = in.value & mask;
	perform(m, &out);
}

static void perform_run(struct machine *m, struct emulate_run *run, uint32_t count)
{
	uint64_t step = run->backwards ? -(uint64_t)run->size : run->size;

	for (uint32_t i = 0; i < count; i++)
		perform_element(m, run, run->source + i * step, run->destination + i * step);
	run->done = count;
}

/* One at least, all at most. */
static uint32_t part_of_run(const struct machine *m, const struct emulate_run *run)
{
	uint32_t part = 1 + (uint32_t)((m->seed >> 5 & 0xff) * (run->count - 1) / 0xff);

	require(part >= 1 && part <= run->count, "a part of a run");
	return part;
}

static void require_one_page(const struct emulate_run *run, uint64_t first)
{
	uint64_t length = (uint64_t)(run->count - 1) * run->size;
	uint64_t last = run->backwards ? first - length : first + length;

	require(first / PAGE_BYTES == last / PAGE_BYTES, "a run stays in its page");
	require(first % PAGE_BYTES + run->size <= PAGE_BYTES, "a run's elements are whole");
	require(last % PAGE_BYTES + run->size <= PAGE_BYTES, "a run's elements are whole");
}

static enum emulate_answer op_run(void *context, struct emulate_run *run,
				  struct emulate_fault *fault)
{
	struct machine *m = context;
	bool reads = run->kind == EMULATE_RUN_MOVS || run->kind == EMULATE_RUN_OUTS;
	bool writes = run->kind != EMULATE_RUN_OUTS;
	enum emulate_answer answer = EMULATE_ANSWER_DONE;

	require(run->count >= 2, "a run has two elements at least");
	if (reads) {
		require_one_page(run, run->source);
		answer = translate(m, run->source, run->size, false, run->user, fault);
	}
	if (writes) {
		require_one_page(run, run->destination);
		if (answer != EMULATE_ANSWER_FAULT)
			answer = translate(m, run->destination, run->size, true, run->user, fault);
	}
	if (!m->has_vmm || answer == EMULATE_ANSWER_FAULT)
		return EMULATE_ANSWER_DONE; /* singly: the fault is found there */
	if (!writes || run->kind == EMULATE_RUN_INS)
		return EMULATE_ANSWER_VMM;
	perform_run(m, run, part_of_run(m, run));
	return EMULATE_ANSWER_DONE;
}

static void op_cpuid(void *context, uint32_t registers[4])
{
	(void)context;
	for (unsigned int i = 0; i < 4; i++)
		registers[i] = (uint32_t)hash(registers[i] + i);
}

static uint64_t *vector_of(struct machine *m, const struct emulate_vector *vector)
{
	require(vector->index < (vector->kind == EMULATE_VECTOR_MMX ? 8 : 16), "such a register");
	require(vector->size <= (vector->kind == EMULATE_VECTOR_MMX ? 8 : 32), "such a size");
	return vector->kind == EMULATE_VECTOR_MMX ? &m->mmx[vector->index] : m->ymm[vector->index];
}

static void op_vector_read(void *context, struct emulate_vector *vector)
{
	memcpy(vector->value, vector_of(context, vector), vector->size);
}

static void op_vector_write(void *context, const struct emulate_vector *vector)
{
	memcpy(vector_of(context, vector), vector->value, vector->size);
}

static void op_x87(void *context, struct emulate_x87 *x87)
{
	x87_model(&((struct machine *)context)->x87, x87);
}

static const struct emulate_ops ops = {
	.fetch = op_fetch,
	.read = op_read,
	.check = op_check,
	.write = op_write,
	.exchange = op_exchange,
	.run = op_run,
	.port = op_port,
	.control = op_register,
	.debug = op_register,
	.msr = op_register,
	.cpuid = op_cpuid,
	.vector_read = op_vector_read,
	.vector_write = op_vector_write,
	.x87 = op_x87,
};

/* ---- one input ------------------------------------------------------------------------------- */

struct input {
	const uint8_t *bytes;
	size_t left;
};

static uint64_t take(struct input *input, unsigned int size)
{
	uint64_t value = 0;

	if (size > input->left)
		size = (unsigned int)input->left;
	memcpy(&value, input->bytes, size);
	input->bytes += size;
	input->left -= size;
	return value;
}

static void make_segments(struct emulate_state *state, struct input *input)
{
	for (unsigned int i = 0; i < SEGMENT_REGISTER_COUNT; i++) {
		uint32_t odd = (uint32_t)take(input, 4);

		state->segment[i] =
			(struct segment){ .limit = 0xffffffff, .rights = SEGMENT_RIGHTS_DATA32 };
		if (odd & 1)
			state->segment[i] = (struct segment){ odd >> 3, odd >> 12,
							      odd >> 4 & 0x1f0ff,
							      (uint16_t)(odd >> 8) };
	}
	state->segment[SEGMENT_NUMBER_CS].rights = take(input, 1) & 1 ? SEGMENT_RIGHTS_CODE32
								      : SEGMENT_RIGHTS_CODE16;
	state->ldtr = state->segment[SEGMENT_NUMBER_GS];
	state->tr = (struct segment){ 0x3000, 0xfff, SEGMENT_RIGHTS_TSS, 0x28 };
	state->gdtr = (struct descriptor_table){ take(input, 2), (uint16_t)take(input, 2) };
	state->idtr = (struct descriptor_table){ 0, 0x3ff };
}

static void make_state(struct emulate_state *state, struct input *input)
{
	uint8_t mode = (uint8_t)take(input, 1);

	make_segments(state, input);
	state->rflags = (take(input, 3) & 0x3f7fd5) | RFLAGS_FIXED;
	state->rflags &= ~(RFLAGS_VM | (mode & 16 ? 0 : RFLAGS_TF));
	state->cr4 = (mode & 32 ? CR4_UMIP | CR4_TSD | CR4_DE : 0) | CR4_OSFXSR | CR4_OSXSAVE;
	state->xcr0 = 7;
	state->cpl = mode & 8 ? 3 : 0;
	state->cr0 = CR0_PE | CR0_AM;
	switch (mode & 3) {
	case 0:
		state->cr0 = 0;
		state->cpl = 0;
		break;
	case 1:
		break;
	case 2:
		state->rflags |= mode & 4 ? RFLAGS_VM : 0;
		state->cpl = mode & 4 ? 3 : state->cpl;
		break;
	default:
		state->efer = IA32_EFER_LMA | IA32_EFER_LME;
		state->segment[SEGMENT_NUMBER_CS].rights = SEGMENT_RIGHTS_CODE64;
		break;
	}
	for (unsigned int i = 0; i < GPR_COUNT; i++)
		state->gpr[i] = take(input, i == GPR_RCX ? 1 : 4);
	if (mode & 64)
		state->gpr[GPR_RBX] |= take(input, 2) << 48;
	state->rip = take(input, 2);
}

static void make_machine(struct machine *m, const uint8_t *data, size_t size)
{
	struct input input = { data, size };

	memset(&m->e, 0, sizeof(m->e));
	m->inputs = m->outputs = m->changes = 0;
	m->seed = take(&input, 4);
	for (unsigned int i = 0; i < INSTRUCTION_LENGTH_MAX; i++)
		m->code[i] = (uint8_t)take(&input, 1);
	m->e.amd = m->seed >> 9 & 1;
	make_state(&m->e.state, &input);
	for (unsigned int i = 0; i < RAM_SIZE; i += 8)
		memcpy(m->ram + i, &(uint64_t){ hash(m->seed + i) }, 8);
	memset(m->ymm, 0x5a, sizeof(m->ymm));
	memset(m->mmx, 0xa5, sizeof(m->mmx));
	m->x87 = (struct x87_model){ (uint16_t)hash(m->seed), (uint16_t)hash(m->seed + 1) };
	m->interrupted = false;
	m->code_start = m->e.state.rip + m->e.state.segment[SEGMENT_NUMBER_CS].base;
	if (!(m->e.state.efer & IA32_EFER_LMA))
		m->code_start &= 0xffffffffu;
}

static void answer(struct machine *m)
{
	struct emulate_access access = m->e.access;

	if (access.kind == EMULATE_RUN) {
		uint32_t count = part_of_run(m, &m->e.run);

		perform_run(m, &m->e.run, count);
		emulate_answer(&m->e, count);
		return;
	}
	perform(m, &access);
	emulate_answer(&m->e, access.value);
}

static bool same_segment(const struct segment *a, const struct segment *b)
{
	return a->base == b->base && a->limit == b->limit && a->rights == b->rights &&
	       a->selector == b->selector;
}

/* Field by field: what lies between them is nobody's. */
static bool same_state(const struct emulate_state *a, const struct emulate_state *b)
{
	for (unsigned int i = 0; i < SEGMENT_REGISTER_COUNT; i++)
		if (!same_segment(&a->segment[i], &b->segment[i]))
			return false;
	return !memcmp(a->gpr, b->gpr, sizeof(a->gpr)) && a->rip == b->rip &&
	       a->rflags == b->rflags && same_segment(&a->ldtr, &b->ldtr) &&
	       same_segment(&a->tr, &b->tr) && a->gdtr.base == b->gdtr.base &&
	       a->gdtr.limit == b->gdtr.limit && a->idtr.base == b->idtr.base &&
	       a->idtr.limit == b->idtr.limit && a->cr0 == b->cr0 && a->cr4 == b->cr4 &&
	       a->efer == b->efer && a->xcr0 == b->xcr0 && a->cpl == b->cpl;
}

/* REP's elements that are done stay done; else a fault leaves all as it was. */
static void require_unchanged(const struct machine *m, const struct emulate_state *before,
			      unsigned int changes, uint64_t inputs)
{
	require(m->inputs == inputs, "a fault has read no device");
	require(m->changes == changes, "a fault has written nothing");
	require(same_state(&m->e.state, before), "a fault has changed nothing");
}

static enum emulate_status carry_on(struct machine *m)
{
	if (m->interrupted)
		return emulate_interrupt(&m->e, &ops, m, (uint8_t)(m->seed >> 3));
	return emulate(&m->e, &ops, m);
}

/* To the end of the instruction, with all the elements of a repeated one. */
static enum emulate_status carry_out(struct machine *m)
{
	struct emulate_state before;
	enum emulate_status status;
	unsigned int changes;
	uint64_t inputs;

	for (unsigned int step = 0; step < STEPS_MAX; step++) {
		before = m->e.state;
		changes = m->changes;
		inputs = m->inputs;
		status = carry_on(m);
		if (status == EMULATE_NEEDS_VMM) {
			answer(m);
			continue;
		}
		if (status != EMULATE_DONE) {
			/* Not if elements came before it in this call. */
			if (m->e.state.gpr[GPR_RCX] == before.gpr[GPR_RCX] && !m->has_vmm)
				require_unchanged(m, &before, changes, inputs);
			return status;
		}
		if (!m->e.repeating)
			return status;
		require(m->e.state.rip == before.rip, "what repeats stays where it is");
	}
	return EMULATE_DONE;
}

static void require_same(enum emulate_status first, enum emulate_status second)
{
	require(first == second, "both end the same way");
	require(same_state(&at_once.e.state, &broken_off.e.state), "both leave the same registers");
	require(at_once.outputs == broken_off.outputs, "both have written the same, in order");
	require(at_once.inputs == broken_off.inputs, "both have read as often");
	require(!memcmp(at_once.ram, broken_off.ram, RAM_SIZE), "both leave the same memory");
	require(!memcmp(at_once.ymm, broken_off.ymm, sizeof(at_once.ymm)), "the same vectors");
	require(!memcmp(at_once.mmx, broken_off.mmx, sizeof(at_once.mmx)), "the same vectors");
	require(!memcmp(&at_once.x87, &broken_off.x87, sizeof(at_once.x87)), "the same x87");
	require(first != EMULATE_FAULT || at_once.e.fault.vector == broken_off.e.fault.vector,
		"both raise the same fault");
	require(first != EMULATE_UNSUPPORTED || at_once.e.why, "it says why");
	require(first != EMULATE_DONE || at_once.e.event == broken_off.e.event, "the same event");
}

static enum emulate_status carry_out_both(void)
{
	enum emulate_status first = carry_out(&at_once), second = carry_out(&broken_off);

	require_same(first, second);
	return first;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 8)
		return 0;
	make_machine(&at_once, data, size);
	make_machine(&broken_off, data, size);
	broken_off.has_vmm = true;
	if (carry_out_both() != EMULATE_DONE || at_once.e.state.cr0 & CR0_PE)
		return 0;
	at_once.interrupted = broken_off.interrupted = true;
	carry_out_both();
	return 0;
}
