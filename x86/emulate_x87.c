/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The few instructions of the x87 FPU that say whether there is one, and make it ready:
 * firmware and boot loaders use them in real mode, long before anybody computes. They are
 * about two words, control and status, which the caller keeps with the rest of the FPU's
 * state (SDM 1, 8.1.3 and 8.1.5).
 */

#include "x86/emulate_handlers.h"

#define STATUS_SUMMARY 0x80u /* an exception that is not masked waits */

/* #NM where the FPU is not there, or has another owner (SDM 3, 2.5). */
static bool x87_read(struct execution *x, struct emulate_x87 *x87)
{
	if (!x->ops->x87)
		return stop_unsupported(x, "the caller has no operation for it");
	if (x->state->cr0 & (CR0_EM | CR0_TS))
		return stop_fault(x, EXCEPTION_NM, 0);
	*x87 = (struct emulate_x87){ .kind = EMULATE_X87_READ };
	x->ops->x87(x->context, x87);
	return true;
}

static bool x87_change(struct execution *x, struct emulate_x87 *x87, enum emulate_x87_kind kind)
{
	x87->kind = kind;
	x->ops->x87(x->context, x87);
	return true;
}

/* #MF, from before: instructions that wait report it (SDM 3, 6.15). */
static bool x87_wait(struct execution *x, const struct emulate_x87 *x87)
{
	return !(x87->status & STATUS_SUMMARY) || stop_fault(x, EXCEPTION_MF, 0);
}

/* #NM if the FPU's owner is to be changed first (SDM 2, "WAIT/FWAIT"). */
bool emulate_wait(struct execution *x)
{
	struct emulate_x87 x87 = { .kind = EMULATE_X87_READ };

	if ((x->state->cr0 & (CR0_MP | CR0_TS)) == (CR0_MP | CR0_TS))
		return stop_fault(x, EXCEPTION_NM, 0);
	if (!x->ops->x87)
		return stop_unsupported(x, "the caller has no operation for it");
	x->ops->x87(x->context, &x87);
	return x87_wait(x, &x87);
}

static bool fldcw(struct execution *x)
{
	struct emulate_x87 x87;
	uint64_t value;

	if (!x87_read(x, &x87) || !x87_wait(x, &x87) ||
	    !memory_read(x, x->operand[0].segment, x->operand[0].offset, 2, EMULATE_READ, &value))
		return false;
	x87.control = (uint16_t)value;
	return x87_change(x, &x87, EMULATE_X87_LOAD_CONTROL);
}

static bool store(struct execution *x, bool status)
{
	struct emulate_x87 x87;

	return x87_read(x, &x87) && memory_write(x, x->operand[0].segment, x->operand[0].offset, 2,
						 status ? x87.status : x87.control);
}

static bool fnstsw_ax(struct execution *x)
{
	struct emulate_x87 x87;

	if (!x87_read(x, &x87))
		return false;
	gpr_write(x, GPR_RAX, 2, x87.status);
	return true;
}

static bool change(struct execution *x, enum emulate_x87_kind kind)
{
	struct emulate_x87 x87;

	return x87_read(x, &x87) && x87_change(x, &x87, kind);
}

/* D9 /5 and /7, DD /7 in memory; DB E2 and E3, DF E0: SDM 2, table A-7 and those behind it */
bool emulate_x87(struct execution *x)
{
	const struct instruction *instruction = x->instruction;
	unsigned int opcode = instruction->opcode, reg = instruction->reg & 7;

	if (instruction->has_memory) {
		if (opcode == 0xd9 && reg == 5)
			return fldcw(x);
		if (reg == 7 && (opcode == 0xd9 || opcode == 0xdd))
			return store(x, opcode == 0xdd);
	} else if (opcode == 0xdb && instruction->modrm == 0xe2) {
		return change(x, EMULATE_X87_CLEAR);
	} else if (opcode == 0xdb && instruction->modrm == 0xe3) {
		return change(x, EMULATE_X87_RESET);
	} else if (opcode == 0xdf && instruction->modrm == 0xe0) {
		return fnstsw_ax(x);
	}
	return stop_unsupported(x, "it computes in the FPU");
}
