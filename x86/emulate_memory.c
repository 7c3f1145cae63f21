/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * From an offset in a segment to bytes in memory, and the log that makes an
 * instruction repeatable.
 *
 * An address passes segmentation first: rights, limit or canonical form, alignment.
 * Then it is cut where a page ends, and each piece goes to the caller's operations,
 * which know pages. Reads are made at once. Writes are kept until the instruction can
 * no longer fault; then all of them are checked before the first is made, so that an
 * operand across two pages is written whole or not at all.
 *
 * A port is written like memory, at the end, and read at once.
 */

#include "x86/emulate_internal.h"

#define PAGE_SIZE 4096u

/* ---- segmentation ------------------------------------------------------------- */

static bool segment_fault(struct execution *x, uint8_t segment)
{
	return stop_fault(x, segment == SEGMENT_NUMBER_SS ? EXCEPTION_SS : EXCEPTION_GP, 0);
}

/* Whether bits 63 to 47 (56 with five-level paging) are equal: SDM 1, 3.3.7.1 */
static bool canonical(const struct execution *x, uint64_t linear)
{
	unsigned int unused = x->state->cr4 & CR4_LA57 ? 7 : 16;

	return (uint64_t)((int64_t)(linear << unused) >> unused) == linear;
}

static bool linear_64(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size,
		      uint64_t *linear)
{
	*linear = offset;
	if (segment == SEGMENT_NUMBER_FS || segment == SEGMENT_NUMBER_GS)
		*linear += x->state->segment[segment].base;
	if (canonical(x, *linear) && canonical(x, *linear + size - 1))
		return true;
	return segment_fault(x, segment);
}

/* Type and presence: SDM 3, 5.5. Real and virtual-8086 mode have no types. */
static bool rights_allow(const struct execution *x, uint32_t rights, bool write)
{
	if (!is_protected(x))
		return true;
	if (rights & SEGMENT_UNUSABLE || !(rights & SEGMENT_P))
		return false;
	if (rights & SEGMENT_CODE)
		return !write && rights & SEGMENT_READABLE;
	return !write || rights & SEGMENT_WRITABLE;
}

/* SDM 3, 5.3. A limit of 4G - 1 is none: what reaches beyond it starts again at 0. */
static bool limit_allows(const struct segment *s, uint64_t first, uint64_t last)
{
	bool expand_down = (s->rights & (SEGMENT_CODE | SEGMENT_EXPAND_DOWN)) ==
			   SEGMENT_EXPAND_DOWN;

	if (expand_down)
		return first > s->limit && last <= (s->rights & SEGMENT_DB ? 0xffffffffu : 0xffffu);
	return last <= s->limit || s->limit == 0xffffffffu;
}

bool memory_linear(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size,
		   unsigned int alignment, bool write, uint64_t *linear)
{
	const struct segment *s = &x->state->segment[segment];

	if (x->mode == MODE_64) {
		if (!linear_64(x, segment, offset, size, linear))
			return false;
	} else {
		offset &= 0xffffffffu;
		if (!rights_allow(x, s->rights, write) ||
		    !limit_allows(s, offset, offset + size - 1))
			return segment_fault(x, segment);
		*linear = (s->base + offset) & 0xffffffffu;
	}
	/* SDM 3, 6.15, "Interrupt 17". Processors look at it before they look at pages. */
	if (x->state->cpl == 3 && x->state->cr0 & CR0_AM && flag(x, RFLAGS_AC) &&
	    *linear & (alignment - 1))
		return stop_fault(x, EXCEPTION_AC, 0);
	return true;
}

/* ---- the log -------------------------------------------------------------------- */

static enum emulate_answer ask(struct execution *x, struct emulate_access *access)
{
	const struct emulate_ops *ops = x->ops;
	struct emulate_fault *fault = &x->emulation->fault;

	switch (access->kind) {
	case EMULATE_READ:
	case EMULATE_READ_TO_WRITE:
		return ops->read(x->context, access, fault);
	case EMULATE_WRITE:
		return ops->write(x->context, access, fault);
	case EMULATE_PORT_IN:
	case EMULATE_PORT_OUT:
		return ops->port(x->context, access, fault);
	case EMULATE_CR_READ:
	case EMULATE_CR_WRITE:
		return ops->control(x->context, x->state, access, fault);
	case EMULATE_DR_READ:
	case EMULATE_DR_WRITE:
		return ops->debug(x->context, x->state, access, fault);
	case EMULATE_RUN:
		return ops->run(x->context, &x->emulation->run, fault);
	default:
		return ops->msr(x->context, x->state, access, fault);
	}
}

static bool operation_exists(const struct execution *x, enum emulate_access_kind kind)
{
	const struct emulate_ops *ops = x->ops;

	switch (kind) {
	case EMULATE_READ:
	case EMULATE_READ_TO_WRITE:
		return ops->read;
	case EMULATE_WRITE:
		return ops->write && ops->check;
	case EMULATE_PORT_IN:
	case EMULATE_PORT_OUT:
		return ops->port;
	case EMULATE_CR_READ:
	case EMULATE_CR_WRITE:
		return ops->control;
	case EMULATE_DR_READ:
	case EMULATE_DR_WRITE:
		return ops->debug;
	case EMULATE_RUN:
		return ops->run;
	default:
		return ops->msr;
	}
}

/*
 * An access that the log holds must be the one that is made now. If not, the guest was
 * given other registers in between: the instruction begins anew, without the log.
 */
static bool log_take(struct execution *x, struct emulate_access *access)
{
	const struct emulate_log_entry *entry = &x->emulation->log[x->position];

	if (entry->kind != access->kind || entry->size != access->size ||
	    entry->address != access->address) {
		x->emulation->byte_count = 0;
		x->retry = true;
		return false;
	}
	x->position++;
	access->value = entry->value;
	return true;
}

bool access_make(struct execution *x, struct emulate_access *access)
{
	struct emulation *e = x->emulation;

	if (x->position < e->logged)
		return log_take(x, access);
	if (!operation_exists(x, access->kind))
		return stop_unsupported(x, "the caller has no operation for it");
	if (e->logged == EMULATE_LOG_MAX)
		return stop_unsupported(x, "it makes too many accesses");

	e->access = *access;
	if (!answered(x, ask(x, access)))
		return false;
	if (access->kind == EMULATE_RUN)
		access->value = e->run.done;
	e->log[e->logged++] = (struct emulate_log_entry){
		.address = access->address,
		.value = access->value,
		.kind = (uint8_t)access->kind,
		.size = access->size,
	};
	x->position = e->logged;
	return true;
}

/* ---- reads ------------------------------------------------------------------------ */

static struct emulate_access memory_access(const struct execution *x, enum emulate_access_kind kind,
					   uint64_t linear, unsigned int size, bool implicit)
{
	return (struct emulate_access){
		.kind = kind,
		.size = (uint8_t)size,
		.user = x->state->cpl == 3 && !implicit,
		.implicit = implicit,
		.address = linear,
	};
}

/* How many of @size bytes lie in the first page. */
static unsigned int piece(uint64_t linear, unsigned int size)
{
	unsigned int left = PAGE_SIZE - (unsigned int)(linear % PAGE_SIZE);

	return size < left ? size : left;
}

/* Outside 64-bit mode linear addresses have 32 bits, and begin anew. */
static uint64_t advance(const struct execution *x, uint64_t linear, unsigned int bytes)
{
	linear += bytes;
	return x->mode == MODE_64 ? linear : linear & 0xffffffffu;
}

/* What an instruction is about to write it reads back: ENTER, its own frame pointers. */
static uint64_t forward(const struct execution *x, uint64_t linear, unsigned int size,
			uint64_t value)
{
	for (unsigned int i = 0; i < x->write_count; i++) {
		const struct emulate_access *write = &x->emulation->writes[i];

		for (unsigned int byte = 0; byte < size; byte++) {
			uint64_t offset = linear + byte - write->address;

			if (write->kind != EMULATE_WRITE || offset >= write->size)
				continue;
			value &= ~(0xffull << (byte * 8));
			value |= (write->value >> (offset * 8) & 0xff) << (byte * 8);
		}
	}
	return value;
}

bool memory_read_linear(struct execution *x, uint64_t linear, unsigned int size,
			enum emulate_access_kind kind, bool implicit, uint64_t *value)
{
	unsigned int first = piece(linear, size);
	struct emulate_access access = memory_access(x, kind, linear, first, implicit);

	if (!access_make(x, &access))
		return false;
	*value = access.value & size_mask(first);
	if (first < size) {
		access = memory_access(x, kind, advance(x, linear, first), size - first, implicit);
		if (!access_make(x, &access))
			return false;
		*value |= (access.value & size_mask(size - first)) << (first * 8);
	}
	if (x->write_count)
		*value = forward(x, linear, size, *value);
	return true;
}

bool memory_read(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size,
		 enum emulate_access_kind kind, uint64_t *value)
{
	uint64_t linear;

	return memory_linear(x, segment, offset, size, size, kind != EMULATE_READ, &linear) &&
	       memory_read_linear(x, linear, size, kind, false, value);
}

/* ---- writes ------------------------------------------------------------------------- */

static bool write_later(struct execution *x, const struct emulate_access *access)
{
	if (!operation_exists(x, access->kind))
		return stop_unsupported(x, "the caller has no operation for it");
	if (x->write_count == EMULATE_WRITES_MAX)
		return stop_unsupported(x, "it makes too many writes");
	x->emulation->writes[x->write_count++] = *access;
	return true;
}

bool memory_write_linear(struct execution *x, uint64_t linear, unsigned int size, bool implicit,
			 uint64_t value)
{
	struct emulate_access access = memory_access(x, EMULATE_WRITE, linear, size, implicit);

	access.value = value & size_mask(size);
	return write_later(x, &access);
}

bool memory_write(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size,
		  uint64_t value)
{
	uint64_t linear;

	return memory_linear(x, segment, offset, size, size, true, &linear) &&
	       memory_write_linear(x, linear, size, false, value);
}

/* One write as the one or two that its pages make of it. */
static unsigned int split(const struct execution *x, const struct emulate_access *write,
			  struct emulate_access pieces[2])
{
	unsigned int first;

	pieces[0] = *write;
	if (write->kind != EMULATE_WRITE)
		return 1;
	first = piece(write->address, write->size);
	if (first == write->size)
		return 1;
	pieces[0].size = (uint8_t)first;
	pieces[0].value &= size_mask(first);
	pieces[1] = *write;
	pieces[1].address = advance(x, write->address, first);
	pieces[1].size = (uint8_t)(write->size - first);
	pieces[1].value >>= first * 8;
	return 2;
}

static bool piece_check(struct execution *x, const struct emulate_access *write)
{
	enum emulate_answer answer;

	if (write->kind != EMULATE_WRITE)
		return true;
	answer = x->ops->check(x->context, write, &x->emulation->fault);
	/* Where the VMM writes nothing faults. */
	return answer == EMULATE_ANSWER_VMM || answered(x, answer);
}

static bool write_check(struct execution *x, const struct emulate_access *write)
{
	struct emulate_access pieces[2];
	unsigned int count = split(x, write, pieces);

	return piece_check(x, &pieces[0]) && (count == 1 || piece_check(x, &pieces[1]));
}

bool memory_check(struct execution *x, uint8_t segment, uint64_t offset, unsigned int size)
{
	struct emulate_access access;
	uint64_t linear;

	if (!memory_linear(x, segment, offset, size, size, true, &linear))
		return false;
	if (!x->ops->check)
		return stop_unsupported(x, "the caller has no operation for it");
	/* What the log goes on with has passed this before. */
	if (x->position < x->emulation->logged)
		return true;
	access = memory_access(x, EMULATE_WRITE, linear, size, false);
	return write_check(x, &access);
}

/* ---- ports ---------------------------------------------------------------------------- */

bool port_in(struct execution *x, uint16_t port, unsigned int size, uint64_t *value)
{
	struct emulate_access access = { EMULATE_PORT_IN, (uint8_t)size, .address = port };

	if (!access_make(x, &access))
		return false;
	*value = access.value & size_mask(size);
	return true;
}

bool port_out(struct execution *x, uint16_t port, unsigned int size, uint64_t value)
{
	struct emulate_access access = { EMULATE_PORT_OUT, (uint8_t)size, .address = port };

	access.value = value & size_mask(size);
	return write_later(x, &access);
}

/* ---- all of it at the end ------------------------------------------------------------- */

/*
 * A locked instruction writes by compare and exchange, so that no other processor's
 * write in between is lost. What lies across two pages, or is no memory, is written
 * plainly: no bus can lock it from here.
 */
static bool commit_locked(struct execution *x, bool *written)
{
	const struct emulate_access *write = &x->emulation->writes[0];
	struct emulate_exchange exchange = {
		.address = write->address,
		.size = (uint8_t)(x->write_count * write->size),
		.user = write->user,
		.expected = { x->expected[0], x->expected[1] },
		.desired = { write->value },
	};
	enum emulate_answer answer;

	*written = false;
	if (piece(exchange.address, exchange.size) < exchange.size)
		return true;
	if (x->write_count == 2)
		exchange.desired[1] = x->emulation->writes[1].value;
	if (exchange.size == 8 && x->write_count == 2) {
		exchange.expected[0] |= exchange.expected[1] << 32;
		exchange.desired[0] |= exchange.desired[1] << 32;
	}
	answer = x->ops->exchange(x->context, &exchange, &x->emulation->fault);
	if (answer == EMULATE_ANSWER_VMM)
		return true;
	if (answer == EMULATE_ANSWER_CHANGED) {
		x->retry = true;
		return false;
	}
	*written = true;
	return answered(x, answer);
}

static bool is_locked(const struct execution *x)
{
	const struct instruction *instruction = x->instruction;
	bool xchg = instruction->map == OPCODE_MAP_ONE_BYTE &&
		    (instruction->opcode == 0x86 || instruction->opcode == 0x87);

	return x->has_expected && (xchg || instruction->prefixes & PREFIX_LOCK);
}

static bool log_has_writes(const struct emulation *e)
{
	for (unsigned int i = 0; i < e->logged; i++)
		if (e->log[i].kind == EMULATE_WRITE)
			return true;
	return false;
}

static bool is_one_piece(const struct execution *x)
{
	const struct emulate_access *write = &x->emulation->writes[0];

	return x->write_count == 1 &&
	       (write->kind != EMULATE_WRITE || piece(write->address, write->size) == write->size);
}

bool memory_commit(struct execution *x)
{
	struct emulate_access pieces[2];
	bool written = false;

	/* One alone checks itself, and once one was made the others were checked. */
	if (!is_one_piece(x) && !log_has_writes(x->emulation))
		for (unsigned int i = 0; i < x->write_count; i++)
			if (!write_check(x, &x->emulation->writes[i]))
				return false;

	if (x->write_count && is_locked(x) && x->ops->exchange &&
	    x->position == x->emulation->logged) {
		if (!commit_locked(x, &written))
			return false;
		if (written)
			return true;
	}
	for (unsigned int i = 0; i < x->write_count; i++) {
		unsigned int count = split(x, &x->emulation->writes[i], pieces);

		for (unsigned int j = 0; j < count; j++)
			if (!access_make(x, &pieces[j]))
				return false;
	}
	return true;
}
