/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_EMULATE_HANDLERS_H
#define HUTCH_X86_EMULATE_HANDLERS_H

/*
 * The handlers, one for each operation, whatever its operands: the tables of forms
 * name them, and files of handlers define them. A handler finds its sources' values in
 * x->operand[], leaves what its first operand becomes in x->result, and changes flags
 * and other registers in x->state.
 */

#include "x86/emulate_internal.h"

/* emulate_arithmetic.c */
emulate_handler emulate_add, emulate_or, emulate_adc, emulate_sbb, emulate_and, emulate_sub,
	emulate_xor, emulate_cmp, emulate_test, emulate_not, emulate_neg, emulate_inc, emulate_dec,
	emulate_xadd, emulate_cmpxchg, emulate_cmpxchg8b, emulate_sign_extend_accumulator,
	emulate_sign_into_rdx;

/* emulate_multiply.c */
emulate_handler emulate_mul, emulate_imul_accumulator, emulate_imul, emulate_imul_three,
	emulate_div, emulate_idiv, emulate_aaa, emulate_aas, emulate_daa, emulate_das, emulate_aam,
	emulate_aad;

/* emulate_shift.c */
emulate_handler emulate_rol, emulate_ror, emulate_rcl, emulate_rcr, emulate_shl, emulate_shr,
	emulate_sar, emulate_shld, emulate_shrd;

/* emulate_bits.c */
emulate_handler emulate_bt, emulate_bts, emulate_btr, emulate_btc, emulate_bsf, emulate_bsr,
	emulate_popcnt, emulate_bswap, emulate_setcc, emulate_cmovcc, emulate_carry,
	emulate_direction, emulate_lahf, emulate_sahf, emulate_salc;

/* emulate_move.c */
emulate_handler emulate_mov, emulate_movsx, emulate_movbe, emulate_xchg, emulate_xchg_rax,
	emulate_lea, emulate_mov_to_segment, emulate_load_far_pointer, emulate_xlat, emulate_nop,
	emulate_prefetchw, emulate_fence;

/* emulate_stack.c */
emulate_handler emulate_push, emulate_pop, emulate_pusha, emulate_popa, emulate_pushf, emulate_popf,
	emulate_push_segment, emulate_pop_segment, emulate_enter, emulate_leave;

/* emulate_branch.c */
emulate_handler emulate_jmp, emulate_jmp_relative, emulate_jcc, emulate_call, emulate_call_relative,
	emulate_ret, emulate_loop, emulate_jcxz, emulate_bound;

/* emulate_far.c */
emulate_handler emulate_jmp_far, emulate_call_far, emulate_jmp_far_memory, emulate_call_far_memory,
	emulate_ret_far, emulate_iret, emulate_int, emulate_int3, emulate_int1, emulate_into;

/* emulate_string.c */
emulate_handler emulate_movs, emulate_stos, emulate_lods, emulate_cmps, emulate_scas, emulate_ins,
	emulate_outs, emulate_in, emulate_out;

/* emulate_system.c */
emulate_handler emulate_cli, emulate_sti, emulate_hlt, emulate_cpuid, emulate_rdmsr, emulate_wrmsr,
	emulate_rdtsc, emulate_clts, emulate_invd, emulate_wbinvd, emulate_ud, emulate_group_0f01,
	emulate_mov_from_cr, emulate_mov_to_cr, emulate_mov_from_dr, emulate_mov_to_dr,
	emulate_sldt, emulate_str, emulate_lldt, emulate_ltr, emulate_smsw, emulate_lmsw,
	emulate_arpl, emulate_not_real, emulate_sysenter;

/* emulate_x87.c */
emulate_handler emulate_x87, emulate_wait;

/* emulate_vector.c: all of its own table */
emulate_handler emulate_vector;

#endif
