/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * String instructions and ports.
 *
 * A handler here moves one element. With a REP prefix the element is an instruction's
 * worth: rCX, rSI and rDI advance, and as long as elements are left RIP stays where it
 * is, so that an interrupt or a fault in between finds a state to go on from (SDM 2,
 * "REP"). Where the caller can move many elements at once (ops->run), as many as lie in
 * one page at each end and within the segments' limits go in one step.
 */

#include "x86/emulate_handlers.h"

#define PAGE_SIZE 4096u

/* One end of a string: a segment and the register that walks through it. */
struct end {
	uint8_t segment;
	uint8_t gpr;
};

static struct end source(const struct execution *x)
{
	return (struct end){ x->instruction->segment, GPR_RSI };
}

static struct end destination(void)
{
	return (struct end){ SEGMENT_NUMBER_ES, GPR_RDI };
}

static unsigned int address_size(const struct execution *x)
{
	return x->instruction->address_size;
}

static uint64_t end_offset(const struct execution *x, struct end end)
{
	return gpr_read(x, end.gpr, address_size(x));
}

static void end_advance(struct execution *x, struct end end, uint64_t elements)
{
	uint64_t bytes = elements * x->size;

	gpr_write(x, end.gpr, address_size(x),
		  x->state->gpr[end.gpr] + (flag(x, RFLAGS_DF) ? -bytes : bytes));
}

static bool end_read(struct execution *x, struct end end, uint64_t *value)
{
	return memory_read(x, end.segment, end_offset(x, end), x->size, EMULATE_READ, value);
}

/* ---- repetition -------------------------------------------------------------------- */

static bool is_repeated(const struct execution *x)
{
	return x->instruction->prefixes & (PREFIX_REP | PREFIX_REPNE);
}

/* Whether rCX leaves nothing to do. */
static bool is_over(const struct execution *x)
{
	return is_repeated(x) && !gpr_read(x, GPR_RCX, address_size(x));
}

/* Elements were moved: RIP goes on only if they were the last. */
static bool count_down(struct execution *x, uint64_t elements, bool again)
{
	uint64_t left;

	if (!is_repeated(x))
		return true;
	left = gpr_read(x, GPR_RCX, address_size(x)) - elements;
	gpr_write(x, GPR_RCX, address_size(x), left);
	if (left && again) {
		x->emulation->repeating = true;
		x->state->rip = x->emulation->state.rip;
	}
	return true;
}

/* REPE goes on while ZF is set, REPNE while it is clear. */
static bool compare_again(const struct execution *x)
{
	return flag(x, RFLAGS_ZF) == !(x->instruction->prefixes & PREFIX_REPNE);
}

/* ---- many elements at once ---------------------------------------------------------- */

/*
 * How many of @count elements lie in the first one's page, before the offset wraps and
 * within the segment; and the linear address of the first.
 */
static uint32_t end_room(struct execution *x, struct end end, uint32_t count, bool write,
			 uint64_t *linear)
{
	uint64_t offset = end_offset(x, end), lowest = offset, room;
	unsigned int size = x->size;

	if (!memory_linear(x, end.segment, offset, size, size, write, linear))
		return 0;
	if (*linear % PAGE_SIZE + size > PAGE_SIZE)
		return 0;
	if (flag(x, RFLAGS_DF)) {
		room = *linear % PAGE_SIZE < offset ? *linear % PAGE_SIZE : offset;
		room = room / size + 1;
	} else {
		uint64_t wrap = size_mask(address_size(x)) - offset;

		room = PAGE_SIZE - *linear % PAGE_SIZE;
		room = (room - 1 < wrap ? room : wrap + 1) / size;
	}
	if (room < count)
		count = (uint32_t)room;
	if (count < 2)
		return 0;
	if (flag(x, RFLAGS_DF))
		lowest -= (count - 1) * size;
	/* Of a segment that ends in between the elements come singly, up to the fault. */
	return memory_linear(x, end.segment, lowest, count * size, 1, write, &lowest) ? count : 0;
}

static uint32_t run_room(struct execution *x, struct emulate_run *run)
{
	uint64_t left = gpr_read(x, GPR_RCX, address_size(x));
	uint32_t count = left < PAGE_SIZE ? (uint32_t)left : PAGE_SIZE;

	if (run->kind == EMULATE_RUN_MOVS || run->kind == EMULATE_RUN_OUTS)
		count = end_room(x, source(x), count, false, &run->source);
	if (count && run->kind != EMULATE_RUN_OUTS)
		count = end_room(x, destination(), count, true, &run->destination);
	return count;
}

/*
 * Tries to move many; sets @done to how many it were, 0 if they are to come singly.
 * Single-stepped, each element ends in a trap (SDM 3, 18.3.1.4).
 */
static bool run_try(struct execution *x, enum emulate_run_kind kind, uint64_t *done)
{
	struct emulation *e = x->emulation;
	struct emulate_access access = { .kind = EMULATE_RUN, .size = (uint8_t)x->size };
	struct emulate_run run = {
		.kind = kind,
		.size = (uint8_t)x->size,
		.backwards = flag(x, RFLAGS_DF),
		.user = x->state->cpl == 3,
		.port = (uint16_t)x->state->gpr[GPR_RDX],
		.value = gpr_read(x, GPR_RAX, x->size),
	};

	*done = 0;
	if (!x->ops->run || !is_repeated(x) || flag(x, RFLAGS_TF))
		return true;
	/* They came singly before this element's access went to the VMM. */
	if (x->position < e->logged && e->log[x->position].kind != EMULATE_RUN)
		return true;
	run.count = run_room(x, &run);
	if (run.count < 2)
		return true;
	access.address = kind == EMULATE_RUN_OUTS ? run.source : run.destination;
	if (x->position == e->logged)
		e->run = run;
	if (!access_make(x, &access))
		return false;
	*done = access.value < run.count ? access.value : run.count;
	/* What was declined need not be remembered. */
	if (!*done)
		x->position = --e->logged;
	return true;
}

/* ---- the seven instructions ------------------------------------------------------------ */

bool emulate_movs(struct execution *x)
{
	uint64_t value, moved = 1;

	if (is_over(x))
		return true;
	if (!run_try(x, EMULATE_RUN_MOVS, &moved))
		return false;
	if (!moved) {
		if (!end_read(x, source(x), &value) ||
		    !memory_write(x, SEGMENT_NUMBER_ES, end_offset(x, destination()), x->size,
				  value))
			return false;
		moved = 1;
	}
	end_advance(x, source(x), moved);
	end_advance(x, destination(), moved);
	return count_down(x, moved, true);
}

bool emulate_stos(struct execution *x)
{
	uint64_t moved;

	if (is_over(x))
		return true;
	if (!run_try(x, EMULATE_RUN_STOS, &moved))
		return false;
	if (!moved) {
		if (!memory_write(x, SEGMENT_NUMBER_ES, end_offset(x, destination()), x->size,
				  x->state->gpr[GPR_RAX]))
			return false;
		moved = 1;
	}
	end_advance(x, destination(), moved);
	return count_down(x, moved, true);
}

bool emulate_lods(struct execution *x)
{
	uint64_t value;

	if (is_over(x))
		return true;
	if (!end_read(x, source(x), &value))
		return false;
	gpr_write(x, GPR_RAX, x->size, value);
	end_advance(x, source(x), 1);
	return count_down(x, 1, true);
}

bool emulate_cmps(struct execution *x)
{
	uint64_t first, second;

	if (is_over(x))
		return true;
	if (!end_read(x, source(x), &first) || !end_read(x, destination(), &second))
		return false;
	flags_subtract(x, first, second, false, x->size);
	end_advance(x, source(x), 1);
	end_advance(x, destination(), 1);
	return count_down(x, 1, compare_again(x));
}

bool emulate_scas(struct execution *x)
{
	uint64_t value;

	if (is_over(x))
		return true;
	if (!end_read(x, destination(), &value))
		return false;
	flags_subtract(x, gpr_read(x, GPR_RAX, x->size), value, false, x->size);
	end_advance(x, destination(), 1);
	return count_down(x, 1, compare_again(x));
}

/* ---- ports ------------------------------------------------------------------------------ */

/*
 * Whether the program may use the port: by IOPL, else by the I/O permission bitmap in
 * its TSS, of which always two bytes are read (SDM 1, 19.5.2).
 */
static bool port_allowed(struct execution *x, uint16_t port)
{
	const struct segment *tr = &x->state->tr;
	uint64_t base, bits, byte;

	if (x->mode == MODE_REAL || (x->mode != MODE_VIRTUAL_8086 && x->state->cpl <= iopl(x)))
		return true;
	if ((tr->rights & SEGMENT_TYPE) != SEGMENT_TSS_BUSY || tr->limit < 103)
		return stop_gp(x);
	if (!memory_read_linear(x, tr->base + 102, 2, EMULATE_READ, true, &base))
		return false;
	byte = base + port / 8;
	if (byte + 1 > tr->limit)
		return stop_gp(x);
	if (!memory_read_linear(x, tr->base + byte, 2, EMULATE_READ, true, &bits))
		return false;
	if (bits >> port % 8 & ((1u << x->size) - 1))
		return stop_gp(x);
	return true;
}

bool emulate_ins(struct execution *x)
{
	uint16_t port = (uint16_t)x->state->gpr[GPR_RDX];
	uint64_t value, moved, offset = end_offset(x, destination());

	if (!port_allowed(x, port))
		return false;
	if (is_over(x))
		return true;
	if (!run_try(x, EMULATE_RUN_INS, &moved))
		return false;
	if (!moved) {
		/* What a device has given away must not be lost by a fault. */
		if (!memory_check(x, SEGMENT_NUMBER_ES, offset, x->size) ||
		    !port_in(x, port, x->size, &value) ||
		    !memory_write(x, SEGMENT_NUMBER_ES, offset, x->size, value))
			return false;
		moved = 1;
	}
	end_advance(x, destination(), moved);
	return count_down(x, moved, true);
}

bool emulate_outs(struct execution *x)
{
	uint16_t port = (uint16_t)x->state->gpr[GPR_RDX];
	uint64_t value, moved;

	if (!port_allowed(x, port))
		return false;
	if (is_over(x))
		return true;
	if (!run_try(x, EMULATE_RUN_OUTS, &moved))
		return false;
	if (!moved) {
		if (!end_read(x, source(x), &value) || !port_out(x, port, x->size, value))
			return false;
		moved = 1;
	}
	end_advance(x, source(x), moved);
	return count_down(x, moved, true);
}

/* The port stands in the second operand, a byte, or else in DX. */
static uint16_t port_number(const struct execution *x)
{
	if (x->operand[1].place == PLACE_IMMEDIATE)
		return (uint8_t)x->operand[1].value;
	return (uint16_t)x->state->gpr[GPR_RDX];
}

bool emulate_in(struct execution *x)
{
	uint16_t port = port_number(x);

	return port_allowed(x, port) && port_in(x, port, x->size, &x->result);
}

bool emulate_out(struct execution *x)
{
	uint16_t port = port_number(x);

	return port_allowed(x, port) && port_out(x, port, x->size, x->operand[0].value);
}
