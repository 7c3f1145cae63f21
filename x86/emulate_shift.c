/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Shifts and rotates (SDM 2, "RCL/RCR/ROL/ROR", "SAL/SAR/SHL/SHR", "SHLD", "SHRD").
 *
 * The processor looks at the low five bits of the count, six for a 64-bit operand. With
 * nothing left of it no flag changes. OF is defined only for a count of one; here it is
 * computed for every count by the same rule, which is what processors do.
 */

#include "x86/emulate_handlers.h"

static unsigned int masked_count(const struct execution *x, unsigned int index)
{
	return x->operand[index].value & (x->size == 8 ? 63 : 31);
}

static unsigned int width(const struct execution *x)
{
	return x->size * 8;
}

static bool top(const struct execution *x, uint64_t value)
{
	return value & sign_bit(x->size);
}

static bool bit_of(uint64_t value, unsigned int bit)
{
	return bit < 64 && (value >> bit & 1);
}

static uint64_t shift_left(uint64_t value, unsigned int count)
{
	return count < 64 ? value << count : 0;
}

static uint64_t shift_right(uint64_t value, unsigned int count)
{
	return count < 64 ? value >> count : 0;
}

/* ---- shifts --------------------------------------------------------------------- */

static bool shift_finish(struct execution *x, uint64_t result, bool carry, bool overflow)
{
	x->result = result & size_mask(x->size);
	flags_result(x, x->result, x->size);
	set_flag(x, RFLAGS_AF, false);
	set_flag(x, RFLAGS_CF, carry);
	set_flag(x, RFLAGS_OF, overflow);
	return true;
}

static bool keep(struct execution *x)
{
	x->result = x->operand[0].value;
	return true;
}

bool emulate_shl(struct execution *x)
{
	uint64_t value = x->operand[0].value;
	unsigned int count = masked_count(x, 1);
	bool carry;

	if (!count)
		return keep(x);
	carry = count <= width(x) && bit_of(value, width(x) - count);
	return shift_finish(x, value << count, carry, top(x, value << count) != carry);
}

bool emulate_shr(struct execution *x)
{
	uint64_t value = x->operand[0].value;
	unsigned int count = masked_count(x, 1);

	if (!count)
		return keep(x);
	return shift_finish(x, value >> count, bit_of(value, count - 1), top(x, value));
}

bool emulate_sar(struct execution *x)
{
	int64_t value = (int64_t)sign_extend(x->operand[0].value, x->size);
	unsigned int count = masked_count(x, 1);

	if (!count)
		return keep(x);
	return shift_finish(x, (uint64_t)(value >> count), value >> (count - 1) & 1, false);
}

/*
 * SHLD and SHRD fill up from a second operand. Of 16 bits a count above 16 is
 * undefined; what comes in then is the first operand again.
 */
bool emulate_shld(struct execution *x)
{
	uint64_t a = x->operand[0].value, b = x->operand[1].value, result;
	unsigned int count = masked_count(x, 2), bits = width(x);
	bool carry;

	if (!count)
		return keep(x);
	if (bits == 16) {
		uint64_t both = a << 32 | b << 16 | a;

		result = both << count >> 32;
		carry = both >> (48 - count) & 1;
	} else {
		result = a << count | shift_right(b, bits - count);
		carry = bit_of(a, bits - count);
	}
	return shift_finish(x, result, carry, top(x, result ^ a));
}

bool emulate_shrd(struct execution *x)
{
	uint64_t a = x->operand[0].value, b = x->operand[1].value, result;
	unsigned int count = masked_count(x, 2), bits = width(x);
	bool carry;

	if (!count)
		return keep(x);
	if (bits == 16) {
		uint64_t both = a << 32 | b << 16 | a;

		result = both >> count;
		carry = both >> (count - 1) & 1;
	} else {
		result = a >> count | shift_left(b, bits - count);
		carry = bit_of(a, count - 1);
	}
	return shift_finish(x, result, carry, top(x, result ^ a));
}

/* ---- rotates: of the flags only CF and OF change -------------------------------- */

static uint64_t rotate_left(const struct execution *x, uint64_t value, unsigned int count)
{
	count %= width(x);
	if (!count)
		return value;
	return (value << count | value >> (width(x) - count)) & size_mask(x->size);
}

bool emulate_rol(struct execution *x)
{
	unsigned int count = masked_count(x, 1);

	if (!count)
		return keep(x);
	x->result = rotate_left(x, x->operand[0].value, count);
	set_flag(x, RFLAGS_CF, x->result & 1);
	set_flag(x, RFLAGS_OF, top(x, x->result) != (x->result & 1));
	return true;
}

bool emulate_ror(struct execution *x)
{
	unsigned int count = masked_count(x, 1);

	if (!count)
		return keep(x);
	x->result = rotate_left(x, x->operand[0].value, width(x) - count % width(x));
	set_flag(x, RFLAGS_CF, top(x, x->result));
	set_flag(x, RFLAGS_OF, top(x, x->result) != top(x, x->result << 1));
	return true;
}

/* Through CF: a rotation of one bit more than the operand has. */
static bool rotate_through_carry(struct execution *x, unsigned int left)
{
	unsigned int bits = width(x), right = bits + 1 - left;
	uint64_t value = x->operand[0].value, carry = flag(x, RFLAGS_CF);

	/* The @left - 1 bits above those that CF and the upper bits push out come last. */
	x->result = shift_left(value, left) | carry << (left - 1) | shift_right(value, right);
	x->result &= size_mask(x->size);
	set_flag(x, RFLAGS_CF, bit_of(value, bits - left));
	return true;
}

bool emulate_rcl(struct execution *x)
{
	unsigned int count = masked_count(x, 1) % (width(x) + 1);

	if (!count)
		return keep(x);
	rotate_through_carry(x, count);
	set_flag(x, RFLAGS_OF, top(x, x->result) != flag(x, RFLAGS_CF));
	return true;
}

bool emulate_rcr(struct execution *x)
{
	unsigned int count = masked_count(x, 1) % (width(x) + 1);

	if (!count)
		return keep(x);
	rotate_through_carry(x, width(x) + 1 - count);
	set_flag(x, RFLAGS_OF, top(x, x->result) != top(x, x->result << 1));
	return true;
}
