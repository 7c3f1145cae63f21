/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The engine: from the bytes at CS:RIP to a new state, or to the reason why there is
 * none. Each instruction is one pass through run_once(): fetch, decode, find the form,
 * read the operands, let the handler compute, write. The pass works on a copy of the
 * state, and its reads and writes go through a log, so that it can be broken off
 * anywhere and made again from its start.
 */

#include "x86/emulate_internal.h"

/*
 * How many elements of a repeated string instruction one call moves at most, and how
 * often a locked instruction tries again before others get a turn.
 */
#define PASSES_MAX 64

/* ---- how an instruction ends ------------------------------------------------------ */

bool answered(struct execution *x, enum emulate_answer answer)
{
	switch (answer) {
	case EMULATE_ANSWER_DONE:
		return true;
	case EMULATE_ANSWER_FAULT:
		x->status = EMULATE_FAULT;
		return false;
	case EMULATE_ANSWER_VMM:
		x->status = EMULATE_NEEDS_VMM;
		return false;
	default:
		x->retry = true;
		return false;
	}
}

/* ---- fetch and decode -------------------------------------------------------------- */

static enum execution_mode execution_mode(const struct emulate_state *state)
{
	const struct segment *cs = &state->segment[SEGMENT_NUMBER_CS];

	if (!(state->cr0 & CR0_PE))
		return MODE_REAL;
	if (state->efer & IA32_EFER_LMA)
		return cs->rights & SEGMENT_L ? MODE_64 : MODE_PROTECTED;
	return state->rflags & RFLAGS_VM ? MODE_VIRTUAL_8086 : MODE_PROTECTED;
}

static enum decode_mode decode_mode(const struct execution *x)
{
	if (x->mode == MODE_64)
		return x->emulation->amd ? DECODE_MODE_64_AMD : DECODE_MODE_64;
	if (x->mode == MODE_VIRTUAL_8086)
		return DECODE_MODE_16;
	return x->state->segment[SEGMENT_NUMBER_CS].rights & SEGMENT_DB ? DECODE_MODE_32
									: DECODE_MODE_16;
}

/*
 * How many bytes of code there are from @offset on: to the end of CS or of the page.
 * None is a fault, if the instruction goes on that far.
 */
static bool fetch_room(struct execution *x, uint64_t offset, uint64_t *linear, unsigned int *room)
{
	const struct segment *cs = &x->state->segment[SEGMENT_NUMBER_CS];
	unsigned int wanted = INSTRUCTION_LENGTH_MAX - x->emulation->byte_count;

	*linear = offset;
	if (x->mode == MODE_64) {
		unsigned int unused = x->state->cr4 & CR4_LA57 ? 7 : 16;

		if ((uint64_t)((int64_t)(offset << unused) >> unused) != offset)
			return stop_gp(x);
	} else {
		offset &= 0xffffffffu;
		if (offset > cs->limit)
			return stop_gp(x);
		if (wanted > cs->limit - offset)
			wanted = (unsigned int)(cs->limit - offset) + 1;
		*linear = (cs->base + offset) & 0xffffffffu;
	}
	*room = 4096 - (unsigned int)(*linear % 4096);
	if (*room > wanted)
		*room = wanted;
	return true;
}

static bool fetch_more(struct execution *x)
{
	struct emulation *e = x->emulation;
	enum emulate_answer answer;
	unsigned int room = 0;
	uint64_t linear = 0;

	if (!fetch_room(x, x->state->rip + e->byte_count, &linear, &room))
		return false;
	if (!x->ops->fetch)
		return stop_unsupported(x, "the caller has no operation to fetch it");
	answer = x->ops->fetch(x->context, linear, room, e->bytes + e->byte_count, &e->fault);
	if (answer == EMULATE_ANSWER_VMM || answer == EMULATE_ANSWER_CHANGED)
		return stop_unsupported(x, "its bytes do not lie in memory");
	if (!answered(x, answer))
		return false;
	e->byte_count = (uint8_t)(e->byte_count + room);
	return true;
}

static bool fetch_and_decode(struct execution *x)
{
	struct emulation *e = x->emulation;

	for (;;) {
		switch (decode(&e->instruction, decode_mode(x), e->bytes, e->byte_count)) {
		case DECODE_OK:
			return true;
		case DECODE_INVALID:
			return stop_ud(x);
		case DECODE_TOO_LONG:
			return stop_gp(x);
		default:
			if (!fetch_more(x))
				return false;
			break;
		}
	}
}

/* ---- one pass ------------------------------------------------------------------------- */

static bool lock_allowed(struct execution *x)
{
	const struct instruction *instruction = x->instruction;

	if (!(instruction->prefixes & PREFIX_LOCK) ||
	    (instruction->lockable && instruction->has_memory))
		return true;
	return stop_ud(x);
}

static bool carry_out(struct execution *x)
{
	if (!lock_allowed(x))
		return false;
	x->form = form_find(x->instruction, x->mode == MODE_64);
	if (!x->form)
		return stop_unsupported(x, "no instruction that is carried out here");
	if (!operands_prepare(x))
		return false;
	x->state->rip = x->next_rip;
	if (!x->form->handler(x))
		return false;
	if ((x->form->access == FORM_WRITES || x->form->access == FORM_MODIFIES) &&
	    !operand_write(x, 0, x->result))
		return false;
	return memory_commit(x);
}

static void finish(struct execution *x)
{
	struct emulation *e = x->emulation;

	if (x->has_vector)
		x->ops->vector_write(x->context, &x->vector);
	/* RF spares one instruction, and has done so: SDM 3, 18.3.1.1 */
	if (!e->repeating && !x->keep_rf)
		e->next.rflags &= ~RFLAGS_RF;
	e->state = e->next;
	/* Nothing traps between a load of SS and the instruction after it: SDM 3, 6.8.3 */
	if (e->shadow == EMULATE_SHADOW_MOV_SS)
		e->single_step = false;
}

/* What a pass finds, before it has done anything. */
static void forget(struct emulation *e)
{
	e->single_step = false;
	e->shadow = EMULATE_SHADOW_NONE;
	e->event = EMULATE_EVENT_NONE;
}

static enum emulate_status run_once(struct emulation *e, const struct emulate_ops *ops,
				    void *context, bool *retry)
{
	struct execution x = {
		.emulation = e,
		.ops = ops,
		.context = context,
		.instruction = &e->instruction,
		.state = &e->next,
		.mode = execution_mode(&e->state),
		.status = EMULATE_UNSUPPORTED,
	};

	e->next = e->state;
	e->repeating = false;
	forget(e);
	e->single_step = e->state.rflags & RFLAGS_TF;

	*retry = false;
	if (!fetch_and_decode(&x))
		return x.status;
	x.next_rip = e->state.rip + e->instruction.length;
	if (x.mode != MODE_64)
		x.next_rip &= 0xffffffffu;
	if (carry_out(&x)) {
		finish(&x);
		return EMULATE_DONE;
	}
	*retry = x.retry;
	forget(e);
	return x.status;
}

enum emulate_status emulate_interrupt(struct emulation *e, const struct emulate_ops *ops,
				      void *context, uint8_t vector)
{
	struct execution x = {
		.emulation = e,
		.ops = ops,
		.context = context,
		.instruction = &e->instruction,
		.state = &e->next,
		.next_rip = e->state.rip,
		.mode = MODE_REAL,
		.status = EMULATE_DONE,
	};

	e->next = e->state;
	e->repeating = false;
	forget(e);
	if (interrupt_real(&x, vector) && memory_commit(&x))
		finish(&x);
	if (x.status != EMULATE_NEEDS_VMM)
		emulate_cancel(e);
	return x.status;
}

enum emulate_status emulate(struct emulation *e, const struct emulate_ops *ops, void *context)
{
	enum emulate_status status = EMULATE_DONE;

	for (unsigned int pass = 0; pass < PASSES_MAX; pass++) {
		bool retry;

		status = run_once(e, ops, context, &retry);
		if (status == EMULATE_NEEDS_VMM && !retry)
			return status;
		e->logged = 0;
		if (retry) {
			/* Nothing is done yet, and that is a state to go on from, too. */
			e->repeating = true;
			status = EMULATE_DONE;
			continue;
		}
		if (status != EMULATE_DONE || !e->repeating || e->single_step)
			break;
	}
	e->byte_count = 0;
	return status;
}

void emulate_answer(struct emulation *e, uint64_t value)
{
	if (e->logged == EMULATE_LOG_MAX)
		return;
	e->log[e->logged++] = (struct emulate_log_entry){
		.address = e->access.address,
		.value = value,
		.kind = (uint8_t)e->access.kind,
		.size = e->access.size,
	};
}

void emulate_cancel(struct emulation *e)
{
	e->logged = 0;
	e->byte_count = 0;
}
