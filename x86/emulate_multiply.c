/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Multiplication and division, whose long operand lies in two registers (rDX:rAX; of
 * bytes in AX), and the six instructions for decimal digits.
 *
 * Of the flags multiplication defines CF and OF, division none (SDM 2, "MUL", "DIV"):
 * what is undefined stays as it was.
 */

#include "x86/emulate_handlers.h"

typedef unsigned __int128 uint128;

/* ---- rDX:rAX ------------------------------------------------------------------ */

static uint128 long_operand(const struct execution *x)
{
	unsigned int size = x->size;

	if (size == 1)
		return gpr_read(x, GPR_RAX, 2);
	return (uint128)gpr_read(x, GPR_RDX, size) << (size * 8) | gpr_read(x, GPR_RAX, size);
}

static void long_result(struct execution *x, uint64_t low, uint64_t high)
{
	if (x->size == 1) {
		gpr_write(x, GPR_RAX, 2, (low & 0xff) | (high & 0xff) << 8);
		return;
	}
	gpr_write(x, GPR_RAX, x->size, low);
	gpr_write(x, GPR_RDX, x->size, high);
}

static void multiply_flags(struct execution *x, bool overflow)
{
	set_flag(x, RFLAGS_CF, overflow);
	set_flag(x, RFLAGS_OF, overflow);
}

bool emulate_mul(struct execution *x)
{
	uint128 product = (uint128)gpr_read(x, GPR_RAX, x->size) * x->operand[0].value;
	uint64_t high = (uint64_t)(product >> (x->size * 8));

	long_result(x, (uint64_t)product, high);
	multiply_flags(x, high & size_mask(x->size));
	return true;
}

/* The product of two signed numbers; whether it fits into @size bytes. */
static __int128 signed_product(struct execution *x, uint64_t a, uint64_t b, unsigned int size)
{
	__int128 product = (__int128)(int64_t)sign_extend(a, size) * (int64_t)sign_extend(b, size);

	multiply_flags(x, product != (int64_t)sign_extend((uint64_t)product, size));
	return product;
}

bool emulate_imul_accumulator(struct execution *x)
{
	uint128 product =
		(uint128)signed_product(x, x->state->gpr[GPR_RAX], x->operand[0].value, x->size);

	long_result(x, (uint64_t)product, (uint64_t)(product >> (x->size * 8)));
	return true;
}

bool emulate_imul(struct execution *x)
{
	x->result = (uint64_t)signed_product(x, x->operand[0].value, x->operand[1].value, x->size);
	return true;
}

bool emulate_imul_three(struct execution *x)
{
	x->result = (uint64_t)signed_product(x, x->operand[1].value, x->operand[2].value, x->size);
	return true;
}

/*
 * Divides by long division, bit by bit: 128-bit division is a library's function, and
 * there is no library here. The quotient must fit into 64 bits: dividend's upper half
 * is less than the divisor.
 */
static uint64_t divide(uint128 dividend, uint64_t divisor, uint64_t *remainder)
{
	uint128 rest = dividend >> 64;
	uint64_t quotient = (uint64_t)dividend;

	if (!rest) {
		*remainder = quotient % divisor;
		return quotient / divisor;
	}
	for (unsigned int i = 0; i < 64; i++) {
		rest = rest << 1 | quotient >> 63;
		quotient <<= 1;
		if (rest >= divisor) {
			rest -= divisor;
			quotient |= 1;
		}
	}
	*remainder = (uint64_t)rest;
	return quotient;
}

bool emulate_div(struct execution *x)
{
	uint64_t divisor = x->operand[0].value, remainder, quotient;
	uint128 dividend = long_operand(x);

	/* Also where the divisor is 0. */
	if (dividend >> (x->size * 8) >= divisor)
		return stop_fault(x, EXCEPTION_DE, 0);
	quotient = divide(dividend, divisor, &remainder);
	long_result(x, quotient, remainder);
	return true;
}

bool emulate_idiv(struct execution *x)
{
	unsigned int size = x->size, unused = 128 - 16 * size;
	__int128 dividend = (__int128)(long_operand(x) << unused) >> unused;
	int64_t divisor = (int64_t)sign_extend(x->operand[0].value, size);
	uint128 size_of_dividend = dividend < 0 ? -(uint128)dividend : (uint128)dividend;
	uint64_t size_of_divisor = divisor < 0 ? -(uint64_t)divisor : (uint64_t)divisor;
	bool negative = (dividend < 0) != (divisor < 0);
	uint64_t quotient, remainder;

	if (size_of_dividend >> 64 >= size_of_divisor)
		return stop_fault(x, EXCEPTION_DE, 0);
	quotient = divide(size_of_dividend, size_of_divisor, &remainder);
	if (quotient > sign_bit(size) - !negative)
		return stop_fault(x, EXCEPTION_DE, 0);
	long_result(x, negative ? -quotient : quotient, dividend < 0 ? -remainder : remainder);
	return true;
}

/* ---- decimal digits: SDM 2, "AAA", "AAD", "AAM", "AAS", "DAA", "DAS" ------------ */

/* AL holds one digit, AH the next. A digit above 9 carries over. */
static bool adjust_digit(struct execution *x, int sign)
{
	uint64_t ax = gpr_read(x, GPR_RAX, 2);
	bool carry = (ax & 0xf) > 9 || flag(x, RFLAGS_AF);

	if (carry)
		ax += (uint64_t)(sign * 0x106);
	gpr_write(x, GPR_RAX, 2, ax & 0xff0f);
	set_flag(x, RFLAGS_AF, carry);
	set_flag(x, RFLAGS_CF, carry);
	return true;
}

bool emulate_aaa(struct execution *x)
{
	return adjust_digit(x, 1);
}

bool emulate_aas(struct execution *x)
{
	return adjust_digit(x, -1);
}

/* AL holds two digits, and what was carried out of each stands in AF and CF. */
static bool adjust_packed(struct execution *x, int sign)
{
	uint8_t old = (uint8_t)x->state->gpr[GPR_RAX], al = old;
	bool low = (old & 0xf) > 9 || flag(x, RFLAGS_AF);
	bool high = old > 0x99 || flag(x, RFLAGS_CF);
	bool carry = high;

	if (low) {
		/* DAS also remembers a borrow of this step; DAA's carry implies the next. */
		carry |= sign < 0 ? old < 6 : old > 0xf9;
		al = (uint8_t)(al + sign * 6);
	}
	if (high)
		al = (uint8_t)(al + sign * 0x60);
	gpr_write(x, GPR_RAX, 1, al);
	flags_result(x, al, 1);
	set_flag(x, RFLAGS_AF, low);
	set_flag(x, RFLAGS_CF, carry);
	return true;
}

bool emulate_daa(struct execution *x)
{
	return adjust_packed(x, 1);
}

bool emulate_das(struct execution *x)
{
	return adjust_packed(x, -1);
}

bool emulate_aam(struct execution *x)
{
	uint8_t al = (uint8_t)x->state->gpr[GPR_RAX], base = (uint8_t)x->operand[0].value;

	if (!base)
		return stop_fault(x, EXCEPTION_DE, 0);
	gpr_write(x, GPR_RAX, 2, (uint64_t)(al / base) << 8 | al % base);
	flags_result(x, al % base, 1);
	return true;
}

bool emulate_aad(struct execution *x)
{
	uint64_t ax = gpr_read(x, GPR_RAX, 2);
	uint64_t al = ((ax & 0xff) + (ax >> 8) * x->operand[0].value) & 0xff;

	gpr_write(x, GPR_RAX, 2, al);
	flags_result(x, al, 1);
	return true;
}
