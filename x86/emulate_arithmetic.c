/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Addition, subtraction and logic, and the six flags that they leave behind
 * (SDM 1, 3.4.3.1). Everything here is a few lines because two functions know it all:
 * flags_add() and flags_subtract() compute sum or difference of any size with a carry,
 * and the operations differ only in what they feed them and whether they keep the
 * result.
 */

#include "x86/emulate_handlers.h"

static bool parity_even(uint8_t byte)
{
	byte ^= byte >> 4;
	return !((0x6996 >> (byte & 0xf)) & 1);
}

void flags_result(struct execution *x, uint64_t result, unsigned int size)
{
	set_flag(x, RFLAGS_SF, result & sign_bit(size));
	set_flag(x, RFLAGS_ZF, !(result & size_mask(size)));
	set_flag(x, RFLAGS_PF, parity_even((uint8_t)result));
}

/*
 * The carry out of each bit of a sum is the majority of its two bits and the carry in,
 * which can be told from the result: (a & b) | ((a | b) & ~sum).
 */
uint64_t flags_add(struct execution *x, uint64_t a, uint64_t b, bool carry, unsigned int size)
{
	uint64_t result = (a + b + carry) & size_mask(size);
	uint64_t carries = (a & b) | ((a | b) & ~result);

	flags_result(x, result, size);
	set_flag(x, RFLAGS_CF, carries & sign_bit(size));
	set_flag(x, RFLAGS_AF, carries & 8);
	set_flag(x, RFLAGS_OF, (a ^ result) & (b ^ result) & sign_bit(size));
	return result;
}

uint64_t flags_subtract(struct execution *x, uint64_t a, uint64_t b, bool borrow, unsigned int size)
{
	uint64_t result = (a - b - borrow) & size_mask(size);
	uint64_t borrows = (~a & b) | ((~a | b) & result);

	flags_result(x, result, size);
	set_flag(x, RFLAGS_CF, borrows & sign_bit(size));
	set_flag(x, RFLAGS_AF, borrows & 8);
	set_flag(x, RFLAGS_OF, (a ^ b) & (a ^ result) & sign_bit(size));
	return result;
}

uint64_t flags_logic(struct execution *x, uint64_t result, unsigned int size)
{
	flags_result(x, result, size);
	x->state->rflags &= ~(RFLAGS_CF | RFLAGS_OF | RFLAGS_AF);
	return result;
}

static uint64_t first(const struct execution *x)
{
	return x->operand[0].value;
}

static uint64_t second(const struct execution *x)
{
	return x->operand[1].value;
}

bool emulate_add(struct execution *x)
{
	x->result = flags_add(x, first(x), second(x), false, x->size);
	return true;
}

bool emulate_adc(struct execution *x)
{
	x->result = flags_add(x, first(x), second(x), flag(x, RFLAGS_CF), x->size);
	return true;
}

bool emulate_sub(struct execution *x)
{
	x->result = flags_subtract(x, first(x), second(x), false, x->size);
	return true;
}

bool emulate_sbb(struct execution *x)
{
	x->result = flags_subtract(x, first(x), second(x), flag(x, RFLAGS_CF), x->size);
	return true;
}

bool emulate_cmp(struct execution *x)
{
	flags_subtract(x, first(x), second(x), false, x->size);
	return true;
}

bool emulate_and(struct execution *x)
{
	x->result = flags_logic(x, first(x) & second(x), x->size);
	return true;
}

bool emulate_or(struct execution *x)
{
	x->result = flags_logic(x, first(x) | second(x), x->size);
	return true;
}

bool emulate_xor(struct execution *x)
{
	x->result = flags_logic(x, first(x) ^ second(x), x->size);
	return true;
}

bool emulate_test(struct execution *x)
{
	flags_logic(x, first(x) & second(x), x->size);
	return true;
}

bool emulate_not(struct execution *x)
{
	x->result = ~first(x);
	return true;
}

bool emulate_neg(struct execution *x)
{
	x->result = flags_subtract(x, 0, first(x), false, x->size);
	return true;
}

/* INC and DEC leave CF alone: SDM 2, "INC" */
bool emulate_inc(struct execution *x)
{
	bool carry = flag(x, RFLAGS_CF);

	x->result = flags_add(x, first(x), 1, false, x->size);
	set_flag(x, RFLAGS_CF, carry);
	return true;
}

bool emulate_dec(struct execution *x)
{
	bool carry = flag(x, RFLAGS_CF);

	x->result = flags_subtract(x, first(x), 1, false, x->size);
	set_flag(x, RFLAGS_CF, carry);
	return true;
}

bool emulate_xadd(struct execution *x)
{
	x->result = flags_add(x, first(x), second(x), false, x->size);
	return operand_write(x, 1, first(x));
}

/*
 * Memory is written in either case, if only with what it held (SDM 2, "CMPXCHG"); a
 * register is left alone, upper half and all, where the comparison fails.
 */
bool emulate_cmpxchg(struct execution *x)
{
	const struct operand *destination = &x->operand[0];
	uint64_t accumulator = gpr_read(x, GPR_RAX, x->size);

	if (!operand_read(x, 0, EMULATE_READ_TO_WRITE))
		return false;
	flags_subtract(x, accumulator, first(x), false, x->size);
	if (accumulator == first(x))
		return operand_write(x, 0, second(x));
	gpr_write(x, GPR_RAX, x->size, first(x));
	return destination->place != PLACE_MEMORY || operand_write(x, 0, first(x));
}

/* CMPXCHG8B and CMPXCHG16B: an m64 or m128 against rDX:rAX. */
bool emulate_cmpxchg8b(struct execution *x)
{
	const struct operand *memory = &x->operand[0];
	unsigned int half = x->instruction->rex & REX_W ? 8 : 4;
	uint64_t old[2], new[2], linear;
	bool equal;

	if (memory->place != PLACE_MEMORY)
		return stop_ud(x);
	if (!memory_linear(x, memory->segment, memory->offset, half * 2, half == 8 ? 1 : 8, true,
			   &linear))
		return false;
	if (half == 8 && linear % 16)
		return stop_gp(x);
	for (unsigned int i = 0; i < 2; i++)
		if (!memory_read_linear(x, linear + i * half, half, EMULATE_READ_TO_WRITE, false,
					&old[i]))
			return false;

	equal = old[0] == gpr_read(x, GPR_RAX, half) && old[1] == gpr_read(x, GPR_RDX, half);
	new[0] = equal ? gpr_read(x, GPR_RBX, half) : old[0];
	new[1] = equal ? gpr_read(x, GPR_RCX, half) : old[1];
	set_flag(x, RFLAGS_ZF, equal);
	if (!equal) {
		gpr_write(x, GPR_RAX, half, old[0]);
		gpr_write(x, GPR_RDX, half, old[1]);
	}
	x->has_expected = true;
	for (unsigned int i = 0; i < 2; i++) {
		x->expected[i] = old[i];
		if (!memory_write_linear(x, linear + i * half, half, false, new[i]))
			return false;
	}
	return true;
}

/* CBW, CWDE, CDQE */
bool emulate_sign_extend_accumulator(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;

	gpr_write(x, GPR_RAX, size, sign_extend(x->state->gpr[GPR_RAX], size / 2));
	return true;
}

/* CWD, CDQ, CQO */
bool emulate_sign_into_rdx(struct execution *x)
{
	unsigned int size = x->instruction->operand_size;

	gpr_write(x, GPR_RDX, size, x->state->gpr[GPR_RAX] & sign_bit(size) ? ~0ull : 0);
	return true;
}
