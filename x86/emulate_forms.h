/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_EMULATE_FORMS_H
#define HUTCH_X86_EMULATE_FORMS_H

/*
 * The vocabulary in which the tables of forms are written: the manual's names of
 * operands (SDM 2, A.2), and F(), which makes a form of a handler, what it does to its
 * first operand, and the operands.
 */

#include "x86/emulate_internal.h"

/* clang-format off */
#define OPERAND_Eb   { KIND_E, WIDTH_B }
#define OPERAND_Ew   { KIND_E, WIDTH_W }
#define OPERAND_Ev   { KIND_E, WIDTH_V }
#define OPERAND_Ex   { KIND_E, WIDTH_X }
#define OPERAND_Es   { KIND_E, WIDTH_S }
#define OPERAND_Gb   { KIND_G, WIDTH_B }
#define OPERAND_Gw   { KIND_G, WIDTH_W }
#define OPERAND_Gv   { KIND_G, WIDTH_V }
#define OPERAND_Gy   { KIND_G, WIDTH_Y }
#define OPERAND_Mv   { KIND_M, WIDTH_V }
#define OPERAND_My   { KIND_M, WIDTH_Y }
#define OPERAND_Ma   { KIND_ADDRESS, WIDTH_V } /* memory whose address is all that counts */
#define OPERAND_Rn   { KIND_R, WIDTH_N }
#define OPERAND_Ob   { KIND_O, WIDTH_B }
#define OPERAND_Ov   { KIND_O, WIDTH_V }
#define OPERAND_Sw   { KIND_S, WIDTH_W }
#define OPERAND_Zb   { KIND_Z, WIDTH_B }
#define OPERAND_Zv   { KIND_Z, WIDTH_V }
#define OPERAND_Ib   { KIND_I, WIDTH_B }
#define OPERAND_Iw   { KIND_I, WIDTH_W }
#define OPERAND_Iv   { KIND_I, WIDTH_V } /* sign-extended to the operand size */
#define OPERAND_I2   { KIND_IMMEDIATE2, WIDTH_W }
#define OPERAND_One  { KIND_ONE, WIDTH_B }
#define OPERAND_CL   { KIND_CL, WIDTH_B }
#define OPERAND_AL   { KIND_RAX, WIDTH_B }
#define OPERAND_RAX  { KIND_RAX, WIDTH_V }
#define OPERAND_RAXz { KIND_RAX, WIDTH_Z } /* of ports: EAX at most */

#define F_0(function, what)	     { function, NULL, { { KIND_NONE, 0 } }, FORM_##what }
#define F_1(function, what, a)	     { function, NULL, { OPERAND_##a }, FORM_##what }
#define F_2(function, what, a, b)    { function, NULL, { OPERAND_##a, OPERAND_##b }, FORM_##what }
#define F_3(function, what, a, b, c) \
	{ function, NULL, { OPERAND_##a, OPERAND_##b, OPERAND_##c }, FORM_##what }
#define F_PICK(_0, _1, _2, _3, _4, name, ...) name
#define F(...)	     F_PICK(__VA_ARGS__, F_3, F_2, F_1, F_0, F_0)(__VA_ARGS__)
#define GROUP(table) { NULL, table, { { KIND_NONE, 0 } }, FORM_READS }

/* The same form for eight opcodes in a row. */
#define EIGHT(opcode, form)                                                                    \
	[opcode] = form, [(opcode) + 1] = form, [(opcode) + 2] = form, [(opcode) + 3] = form,  \
	[(opcode) + 4] = form, [(opcode) + 5] = form, [(opcode) + 6] = form, [(opcode) + 7] = form
/* clang-format on */

#endif
