/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The two-byte opcodes that are carried out, and three of those of three bytes (SDM 2,
 * tables ). Moves of vector registers have their own table, in
 * emulate_vector.c. Where a mandatory prefix makes another instruction of an opcode,
 * form_find_0f() tells them apart.
 */

#include "x86/emulate_handlers.h"
#include "x86/emulate_forms.h"

static const struct form group_6[8] = {
	F(emulate_sldt, WRITES, Ex),	  F(emulate_str, WRITES, Ex),
	F(emulate_lldt, ADDRESS, Ew),	  F(emulate_ltr, ADDRESS, Ew),
	F(emulate_not_real, ADDRESS, Ew), F(emulate_not_real, ADDRESS, Ew),
};

static const struct form group_8[8] = {
	[4] = F(emulate_bt, ADDRESS, Ev, Ib),
	[5] = F(emulate_bts, ADDRESS, Ev, Ib),
	[6] = F(emulate_btr, ADDRESS, Ev, Ib),
	[7] = F(emulate_btc, ADDRESS, Ev, Ib),
};

static const struct form group_9[8] = {
	[1] = F(emulate_cmpxchg8b, ADDRESS, Ev),
};

static const struct form forms[256] = {
	[0x00] = GROUP(group_6),
	[0x01] = F(emulate_group_0f01, ADDRESS, Ex),
	[0x02] = F(emulate_not_real, ADDRESS, Ew),
	[0x03] = F(emulate_not_real, ADDRESS, Ew),
	[0x06] = F(emulate_clts, READS),
	[0x08] = F(emulate_invd, READS),
	[0x09] = F(emulate_wbinvd, READS),
	[0x0b] = F(emulate_ud, READS),
	[0x0d] = F(emulate_prefetchw, ADDRESS, Ev),
	EIGHT(0x18, F(emulate_nop, ADDRESS, Ev)),
	[0x20] = F(emulate_mov_from_cr, WRITES, Rn),
	[0x21] = F(emulate_mov_from_dr, WRITES, Rn),
	[0x22] = F(emulate_mov_to_cr, READS, Rn),
	[0x23] = F(emulate_mov_to_dr, READS, Rn),
	[0x30] = F(emulate_wrmsr, READS),
	[0x31] = F(emulate_rdtsc, READS),
	[0x32] = F(emulate_rdmsr, READS),
	[0x34] = F(emulate_sysenter, READS),
	[0x35] = F(emulate_sysenter, READS),
	EIGHT(0x40, F(emulate_cmovcc, MODIFIES, Gv, Ev)),
	EIGHT(0x48, F(emulate_cmovcc, MODIFIES, Gv, Ev)),
	EIGHT(0x80, F(emulate_jcc, READS)),
	EIGHT(0x88, F(emulate_jcc, READS)),
	EIGHT(0x90, F(emulate_setcc, WRITES, Eb)),
	EIGHT(0x98, F(emulate_setcc, WRITES, Eb)),
	[0xa0] = F(emulate_push_segment, READS),
	[0xa1] = F(emulate_pop_segment, READS),
	[0xa2] = F(emulate_cpuid, READS),
	[0xa3] = F(emulate_bt, ADDRESS, Ev, Gv),
	[0xa4] = F(emulate_shld, MODIFIES, Ev, Gv, Ib),
	[0xa5] = F(emulate_shld, MODIFIES, Ev, Gv, CL),
	[0xa8] = F(emulate_push_segment, READS),
	[0xa9] = F(emulate_pop_segment, READS),
	[0xaa] = F(emulate_ud, READS), /* RSM: nobody here is in SMM */
	[0xab] = F(emulate_bts, ADDRESS, Ev, Gv),
	[0xac] = F(emulate_shrd, MODIFIES, Ev, Gv, Ib),
	[0xad] = F(emulate_shrd, MODIFIES, Ev, Gv, CL),
	[0xae] = F(emulate_fence, ADDRESS, Eb),
	[0xaf] = F(emulate_imul, MODIFIES, Gv, Ev),
	[0xb0] = F(emulate_cmpxchg, ADDRESS, Eb, Gb),
	[0xb1] = F(emulate_cmpxchg, ADDRESS, Ev, Gv),
	[0xb2] = F(emulate_load_far_pointer, WRITES, Gv, Ma),
	[0xb3] = F(emulate_btr, ADDRESS, Ev, Gv),
	[0xb4] = F(emulate_load_far_pointer, WRITES, Gv, Ma),
	[0xb5] = F(emulate_load_far_pointer, WRITES, Gv, Ma),
	[0xb6] = F(emulate_mov, WRITES, Gv, Eb),
	[0xb7] = F(emulate_mov, WRITES, Gv, Ew),
	[0xb9] = F(emulate_ud, READS),
	[0xba] = GROUP(group_8),
	[0xbb] = F(emulate_btc, ADDRESS, Ev, Gv),
	[0xbc] = F(emulate_bsf, ADDRESS, Gv, Ev),
	[0xbd] = F(emulate_bsr, ADDRESS, Gv, Ev),
	[0xbe] = F(emulate_movsx, WRITES, Gv, Eb),
	[0xbf] = F(emulate_movsx, WRITES, Gv, Ew),
	[0xc0] = F(emulate_xadd, MODIFIES, Eb, Gb),
	[0xc1] = F(emulate_xadd, MODIFIES, Ev, Gv),
	[0xc3] = F(emulate_mov, WRITES, My, Gy),
	[0xc7] = GROUP(group_9),
	EIGHT(0xc8, F(emulate_bswap, MODIFIES, Zv)),
	[0xff] = F(emulate_ud, READS),
};

const struct form *form_find_0f(const struct instruction *instruction)
{
	static const struct form popcnt = F(emulate_popcnt, WRITES, Gv, Ev);
	bool f3 = instruction->mandatory_prefix == MANDATORY_F3;

	switch (instruction->opcode) {
	case 0xb8:
		return f3 ? &popcnt : NULL;
	/* Hints here are any of 0F 1E and 0F 1C, but F3 0F 1E with registers: RDSSP, ENDBR. */
	case 0x1e:
		if (f3 && !instruction->has_memory && instruction->modrm < 0xf0)
			return NULL;
		break;
	/* BNDLDX and its kin, where MPX is absent, are hints, too. */
	case 0xc7: /* group 9 has RDRAND, VMPTRLD and others in the same places */
		if (!instruction->has_memory || (instruction->reg & 7) != 1)
			return NULL;
		break;
	case 0x01: /* F3 makes RSTORSSP and others of it */
		if (instruction->mandatory_prefix >= MANDATORY_F3)
			return NULL;
		break;
	default:
		break;
	}
	return &forms[instruction->opcode];
}

/* MOVBE; F2 makes CRC32 of the same opcodes. */
const struct form *form_find_0f38(const struct instruction *instruction)
{
	static const struct form load = F(emulate_movbe, WRITES, Gv, Mv);
	static const struct form store = F(emulate_movbe, WRITES, Mv, Gv);

	if (instruction->mandatory_prefix > MANDATORY_66)
		return NULL;
	if (instruction->opcode == 0xf0)
		return &load;
	return instruction->opcode == 0xf1 ? &store : NULL;
}
