/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The one-byte opcodes that are carried out (SDM 2, tables ): for each its
 * handler and its operands, written as the manual's tables write them. Groups, whose
 * operation stands in ModRM.reg, have a table of eight of their own. What has no entry
 * is EMULATE_UNSUPPORTED.
 */

#include "x86/emulate_handlers.h"
#include "x86/emulate_forms.h"

static const struct form group_1_byte[8] = {
	F(emulate_add, MODIFIES, Eb, Ib), F(emulate_or, MODIFIES, Eb, Ib),
	F(emulate_adc, MODIFIES, Eb, Ib), F(emulate_sbb, MODIFIES, Eb, Ib),
	F(emulate_and, MODIFIES, Eb, Ib), F(emulate_sub, MODIFIES, Eb, Ib),
	F(emulate_xor, MODIFIES, Eb, Ib), F(emulate_cmp, READS, Eb, Ib),
};

static const struct form group_1[8] = {
	F(emulate_add, MODIFIES, Ev, Iv), F(emulate_or, MODIFIES, Ev, Iv),
	F(emulate_adc, MODIFIES, Ev, Iv), F(emulate_sbb, MODIFIES, Ev, Iv),
	F(emulate_and, MODIFIES, Ev, Iv), F(emulate_sub, MODIFIES, Ev, Iv),
	F(emulate_xor, MODIFIES, Ev, Iv), F(emulate_cmp, READS, Ev, Iv),
};

static const struct form group_1a[8] = {
	F(emulate_pop, ADDRESS, Ev),
};

/* /6 is the undocumented other name of SHL (APM 3, table A-7). */
#define SHIFTS(to, by)                                                                      \
	{                                                                                   \
		F(emulate_rol, MODIFIES, to, by), F(emulate_ror, MODIFIES, to, by),         \
			F(emulate_rcl, MODIFIES, to, by), F(emulate_rcr, MODIFIES, to, by), \
			F(emulate_shl, MODIFIES, to, by), F(emulate_shr, MODIFIES, to, by), \
			F(emulate_shl, MODIFIES, to, by), F(emulate_sar, MODIFIES, to, by), \
	}

static const struct form group_2_byte_immediate[8] = SHIFTS(Eb, Ib);
static const struct form group_2_immediate[8] = SHIFTS(Ev, Ib);
static const struct form group_2_byte_one[8] = SHIFTS(Eb, One);
static const struct form group_2_one[8] = SHIFTS(Ev, One);
static const struct form group_2_byte_cl[8] = SHIFTS(Eb, CL);
static const struct form group_2_cl[8] = SHIFTS(Ev, CL);

/* /1 is the undocumented other name of TEST. */
static const struct form group_3_byte[8] = {
	F(emulate_test, READS, Eb, Ib), F(emulate_test, READS, Eb, Ib),
	F(emulate_not, MODIFIES, Eb),	F(emulate_neg, MODIFIES, Eb),
	F(emulate_mul, READS, Eb),	F(emulate_imul_accumulator, READS, Eb),
	F(emulate_div, READS, Eb),	F(emulate_idiv, READS, Eb),
};

static const struct form group_3[8] = {
	F(emulate_test, READS, Ev, Iv), F(emulate_test, READS, Ev, Iv),
	F(emulate_not, MODIFIES, Ev),	F(emulate_neg, MODIFIES, Ev),
	F(emulate_mul, READS, Ev),	F(emulate_imul_accumulator, READS, Ev),
	F(emulate_div, READS, Ev),	F(emulate_idiv, READS, Ev),
};

static const struct form group_4[8] = {
	F(emulate_inc, MODIFIES, Eb),
	F(emulate_dec, MODIFIES, Eb),
};

static const struct form group_5[8] = {
	F(emulate_inc, MODIFIES, Ev), F(emulate_dec, MODIFIES, Ev),
	F(emulate_call, READS, Ev),   F(emulate_call_far_memory, ADDRESS, Mv),
	F(emulate_jmp, READS, Ev),    F(emulate_jmp_far_memory, ADDRESS, Mv),
	F(emulate_push, READS, Ev),
};

static const struct form group_11_byte[8] = {
	F(emulate_mov, WRITES, Eb, Ib),
};

static const struct form group_11[8] = {
	F(emulate_mov, WRITES, Ev, Iv),
};

/* Six ways in a row: ADD Eb,Gb; Ev,Gv; Gb,Eb; Gv,Ev; AL,Ib; rAX,Iz */
#define ARITHMETIC(opcode, handler, access)                                                       \
	[opcode] = F(handler, access, Eb, Gb), [(opcode) + 1] = F(handler, access, Ev, Gv),       \
	[(opcode) + 2] = F(handler, access, Gb, Eb), [(opcode) + 3] = F(handler, access, Gv, Ev), \
	[(opcode) + 4] = F(handler, access, AL, Ib), [(opcode) + 5] = F(handler, access, RAX, Iv)

static const struct form forms[256] = {
	ARITHMETIC(0x00, emulate_add, MODIFIES),
	ARITHMETIC(0x08, emulate_or, MODIFIES),
	ARITHMETIC(0x10, emulate_adc, MODIFIES),
	ARITHMETIC(0x18, emulate_sbb, MODIFIES),
	ARITHMETIC(0x20, emulate_and, MODIFIES),
	ARITHMETIC(0x28, emulate_sub, MODIFIES),
	ARITHMETIC(0x30, emulate_xor, MODIFIES),
	ARITHMETIC(0x38, emulate_cmp, READS),
	[0x06] = F(emulate_push_segment, READS),
	[0x07] = F(emulate_pop_segment, READS),
	[0x0e] = F(emulate_push_segment, READS),
	[0x16] = F(emulate_push_segment, READS),
	[0x17] = F(emulate_pop_segment, READS),
	[0x1e] = F(emulate_push_segment, READS),
	[0x1f] = F(emulate_pop_segment, READS),
	[0x27] = F(emulate_daa, READS),
	[0x2f] = F(emulate_das, READS),
	[0x37] = F(emulate_aaa, READS),
	[0x3f] = F(emulate_aas, READS),
	EIGHT(0x40, F(emulate_inc, MODIFIES, Zv)),
	EIGHT(0x48, F(emulate_dec, MODIFIES, Zv)),
	EIGHT(0x50, F(emulate_push, READS, Zv)),
	EIGHT(0x58, F(emulate_pop, ADDRESS, Zv)),
	[0x60] = F(emulate_pusha, READS),
	[0x61] = F(emulate_popa, READS),
	[0x62] = F(emulate_bound, READS, Gv, Ma),
	[0x63] = F(emulate_movsx, WRITES, Gv, Es),
	[0x68] = F(emulate_push, READS, Iv),
	[0x69] = F(emulate_imul_three, WRITES, Gv, Ev, Iv),
	[0x6a] = F(emulate_push, READS, Iv),
	[0x6b] = F(emulate_imul_three, WRITES, Gv, Ev, Iv),
	[0x6c] = F(emulate_ins, ADDRESS, AL),
	[0x6d] = F(emulate_ins, ADDRESS, RAXz),
	[0x6e] = F(emulate_outs, ADDRESS, AL),
	[0x6f] = F(emulate_outs, ADDRESS, RAXz),
	EIGHT(0x70, F(emulate_jcc, READS)),
	EIGHT(0x78, F(emulate_jcc, READS)),
	[0x80] = GROUP(group_1_byte),
	[0x81] = GROUP(group_1),
	[0x82] = GROUP(group_1_byte),
	[0x83] = GROUP(group_1),
	[0x84] = F(emulate_test, READS, Eb, Gb),
	[0x85] = F(emulate_test, READS, Ev, Gv),
	[0x86] = F(emulate_xchg, MODIFIES, Eb, Gb),
	[0x87] = F(emulate_xchg, MODIFIES, Ev, Gv),
	[0x88] = F(emulate_mov, WRITES, Eb, Gb),
	[0x89] = F(emulate_mov, WRITES, Ev, Gv),
	[0x8a] = F(emulate_mov, WRITES, Gb, Eb),
	[0x8b] = F(emulate_mov, WRITES, Gv, Ev),
	[0x8c] = F(emulate_mov, WRITES, Ex, Sw),
	[0x8d] = F(emulate_lea, WRITES, Gv, Ma),
	[0x8e] = F(emulate_mov_to_segment, ADDRESS, Sw, Ew),
	[0x8f] = GROUP(group_1a),
	EIGHT(0x90, F(emulate_xchg_rax, READS, Zv, RAX)),
	[0x98] = F(emulate_sign_extend_accumulator, READS),
	[0x99] = F(emulate_sign_into_rdx, READS),
	[0x9a] = F(emulate_call_far, READS, Iv, I2),
	[0x9b] = F(emulate_wait, READS),
	[0x9c] = F(emulate_pushf, READS),
	[0x9d] = F(emulate_popf, READS),
	[0x9e] = F(emulate_sahf, READS),
	[0x9f] = F(emulate_lahf, READS),
	[0xa0] = F(emulate_mov, WRITES, AL, Ob),
	[0xa1] = F(emulate_mov, WRITES, RAX, Ov),
	[0xa2] = F(emulate_mov, WRITES, Ob, AL),
	[0xa3] = F(emulate_mov, WRITES, Ov, RAX),
	[0xa4] = F(emulate_movs, ADDRESS, AL),
	[0xa5] = F(emulate_movs, ADDRESS, RAX),
	[0xa6] = F(emulate_cmps, ADDRESS, AL),
	[0xa7] = F(emulate_cmps, ADDRESS, RAX),
	[0xa8] = F(emulate_test, READS, AL, Ib),
	[0xa9] = F(emulate_test, READS, RAX, Iv),
	[0xaa] = F(emulate_stos, ADDRESS, AL),
	[0xab] = F(emulate_stos, ADDRESS, RAX),
	[0xac] = F(emulate_lods, ADDRESS, AL),
	[0xad] = F(emulate_lods, ADDRESS, RAX),
	[0xae] = F(emulate_scas, ADDRESS, AL),
	[0xaf] = F(emulate_scas, ADDRESS, RAX),
	EIGHT(0xb0, F(emulate_mov, WRITES, Zb, Ib)),
	EIGHT(0xb8, F(emulate_mov, WRITES, Zv, Iv)),
	[0xc0] = GROUP(group_2_byte_immediate),
	[0xc1] = GROUP(group_2_immediate),
	[0xc2] = F(emulate_ret, READS, Iw),
	[0xc3] = F(emulate_ret, READS, Iw),
	[0xc4] = F(emulate_load_far_pointer, WRITES, Gv, Ma),
	[0xc5] = F(emulate_load_far_pointer, WRITES, Gv, Ma),
	[0xc6] = GROUP(group_11_byte),
	[0xc7] = GROUP(group_11),
	[0xc8] = F(emulate_enter, READS, Iw, I2),
	[0xc9] = F(emulate_leave, READS),
	[0xca] = F(emulate_ret_far, READS, Iw),
	[0xcb] = F(emulate_ret_far, READS, Iw),
	[0xcc] = F(emulate_int3, READS),
	[0xcd] = F(emulate_int, READS, Ib),
	[0xce] = F(emulate_into, READS),
	[0xcf] = F(emulate_iret, READS),
	[0xd0] = GROUP(group_2_byte_one),
	[0xd1] = GROUP(group_2_one),
	[0xd2] = GROUP(group_2_byte_cl),
	[0xd3] = GROUP(group_2_cl),
	[0xd4] = F(emulate_aam, READS, Ib),
	[0xd5] = F(emulate_aad, READS, Ib),
	[0xd6] = F(emulate_salc, READS),
	[0xd7] = F(emulate_xlat, READS),
	[0xd9] = F(emulate_x87, ADDRESS, Ew),
	[0xdb] = F(emulate_x87, ADDRESS, Ew),
	[0xdd] = F(emulate_x87, ADDRESS, Ew),
	[0xdf] = F(emulate_x87, ADDRESS, Ew),
	[0xe0] = F(emulate_loop, READS),
	[0xe1] = F(emulate_loop, READS),
	[0xe2] = F(emulate_loop, READS),
	[0xe3] = F(emulate_jcxz, READS),
	[0xe4] = F(emulate_in, WRITES, AL, Ib),
	[0xe5] = F(emulate_in, WRITES, RAXz, Ib),
	[0xe6] = F(emulate_out, READS, AL, Ib),
	[0xe7] = F(emulate_out, READS, RAXz, Ib),
	[0xe8] = F(emulate_call_relative, READS),
	[0xe9] = F(emulate_jmp_relative, READS),
	[0xea] = F(emulate_jmp_far, READS, Iv, I2),
	[0xeb] = F(emulate_jmp_relative, READS),
	[0xec] = F(emulate_in, WRITES, AL),
	[0xed] = F(emulate_in, WRITES, RAXz),
	[0xee] = F(emulate_out, READS, AL),
	[0xef] = F(emulate_out, READS, RAXz),
	[0xf1] = F(emulate_int1, READS),
	[0xf4] = F(emulate_hlt, READS),
	[0xf5] = F(emulate_carry, READS),
	[0xf6] = GROUP(group_3_byte),
	[0xf7] = GROUP(group_3),
	[0xf8] = F(emulate_carry, READS),
	[0xf9] = F(emulate_carry, READS),
	[0xfa] = F(emulate_cli, READS),
	[0xfb] = F(emulate_sti, READS),
	[0xfc] = F(emulate_direction, READS),
	[0xfd] = F(emulate_direction, READS),
	[0xfe] = GROUP(group_4),
	[0xff] = GROUP(group_5),
};

static const struct form *find(const struct instruction *instruction)
{
	switch (instruction->map) {
	case OPCODE_MAP_ONE_BYTE:
		return &forms[instruction->opcode];
	case OPCODE_MAP_0F:
		return form_find_0f(instruction);
	case OPCODE_MAP_0F38:
		return form_find_0f38(instruction);
	default:
		return NULL;
	}
}

/* Moves of vector registers share no opcode with the rest. */
const struct form *form_find(const struct instruction *instruction, bool in_64_bit_mode)
{
	static const struct form arpl = F(emulate_arpl, ADDRESS, Ew, Gw);
	const struct form *form = NULL;

	if (instruction->encoding == ENCODING_LEGACY)
		form = find(instruction);
	/* MOVSXD in 64-bit mode, and else: */
	if (form == &forms[0x63] && !in_64_bit_mode)
		return &arpl;
	if (form && form->group)
		form = &form->group[instruction->reg & 7];
	if (form && form->handler)
		return form;
	return instruction->map == OPCODE_MAP_ONE_BYTE ? NULL : form_find_vector(instruction);
}
