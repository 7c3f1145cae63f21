/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ORACLES_DECODE_RULES_H
#define HUTCH_TESTS_ORACLES_DECODE_RULES_H

/*
 * Why an oracle may say something else: each rule says where it applies, and which words
 * of the manuals decide for us. What no rule explains is a fault of ours until shown
 * otherwise.
 */

#include <string.h>

#include "tests/oracles/decode_case.h"
#include "tests/oracles/decode_twin.h"

struct decode_rule {
	enum oracle oracle;
	enum difference difference;
	bool (*applies)(const struct decode_case *one);
	const char *name;
	const char *reason; /* what the manual says */
};

static bool is(const struct instruction *ours, enum instruction_encoding encoding,
	       enum opcode_map map, unsigned int first, unsigned int last)
{
	return ours->encoding == encoding && ours->map == map && ours->opcode >= first &&
	       ours->opcode <= last;
}

static bool is_legacy(const struct decode_case *one, enum opcode_map map, unsigned int first,
		      unsigned int last)
{
	return is(&one->ours, ENCODING_LEGACY, map, first, last);
}

/* ---- Zydis refuses ---------------------------------------------------------------- */

static bool lock_without_effect(const struct decode_case *one)
{
	return one->verdicts[ORACLE_ZYDIS].status == ZYDIS_STATUS_ILLEGAL_LOCK &&
	       !one->ours.lockable && has_accepted_twin(one);
}

static bool register_that_is_not(const struct decode_case *one)
{
	return one->verdicts[ORACLE_ZYDIS].status == ZYDIS_STATUS_BAD_REGISTER &&
	       has_accepted_twin(one);
}

static bool reserved_vector_bits(const struct decode_case *one)
{
	return one->ours.encoding != ENCODING_LEGACY && has_accepted_twin(one);
}

static bool mpx(const struct decode_case *one)
{
	return is_legacy(one, OPCODE_MAP_0F, 0x1a, 0x1b);
}

/* Instructions younger than the oracle. */
static const struct {
	uint8_t encoding, map, first, last, columns, regs;
} newer[] = {
	{ ENCODING_LEGACY, OPCODE_MAP_0F, 0x00, 0x00, 8, 1 << 6 }, /* LKGS */
	{ ENCODING_LEGACY, OPCODE_MAP_0F, 0x01, 0x01, 15, 1 << 0 | 1 << 1 | 1 << 7 },
	{ ENCODING_LEGACY, OPCODE_MAP_0F38, 0xf8, 0xf8, 12, 0xff }, /* URDMSR, UWRMSR */
	{ ENCODING_LEGACY, OPCODE_MAP_0F38, 0xfc, 0xfc, 15, 0xff }, /* RAO-INT */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0x50, 0x51, 13, 0xff },    /* AVX-VNNI-INT8 */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0x5c, 0x5c, 8, 0xff },	    /* AMX-FP16 */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0x6c, 0x6c, 3, 0xff },	    /* AMX-COMPLEX */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0x72, 0x72, 4, 0xff },	    /* AVX-NE-CONVERT */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0xb0, 0xb1, 15, 0xff },
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0xb4, 0xb5, 2, 0xff },	 /* AVX-IFMA */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0xcb, 0xcd, 8, 0xff },	 /* SHA512 */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0xd2, 0xd3, 7, 0xff },	 /* AVX-VNNI-INT16 */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0xda, 0xda, 15, 0xff }, /* SM3, SM4 */
	{ ENCODING_VEX, OPCODE_MAP_0F38, 0xe0, 0xef, 2, 0xff },	 /* CMPccXADD */
	{ ENCODING_VEX, OPCODE_MAP_0F3A, 0xde, 0xde, 2, 0xff },	 /* SM3 */
	{ ENCODING_VEX, OPCODE_MAP_7, 0xf8, 0xf8, 12, 1 },	 /* URDMSR, UWRMSR */
};

static bool is_newer(const struct decode_case *one)
{
	const struct instruction *ours = &one->ours;

	for (unsigned int i = 0; i < sizeof(newer) / sizeof(newer[0]); i++)
		if (is(ours, newer[i].encoding, newer[i].map, newer[i].first, newer[i].last) &&
		    newer[i].columns >> ours->mandatory_prefix & 1 &&
		    newer[i].regs >> (ours->modrm >> 3 & 7) & 1)
			return accepts_stand_in(one);
	return false;
}

/* ---- Zydis accepts ---------------------------------------------------------------- */

static bool padlock(const struct decode_case *one)
{
	return one->zydis.meta.isa_ext == ZYDIS_ISA_EXT_PADLOCK;
}

static bool knights_corner(const struct decode_case *one)
{
	return one->zydis.encoding == ZYDIS_INSTRUCTION_ENCODING_MVEX ||
	       one->zydis.meta.isa_ext == ZYDIS_ISA_EXT_KNC ||
	       (one->zydis.meta.isa_set >= ZYDIS_ISA_SET_KNCE &&
		one->zydis.meta.isa_set <= ZYDIS_ISA_SET_KNC_PF_HINT);
}

/* ---- Zydis says something else ------------------------------------------------------ */

static bool field(const struct decode_case *one, const char *name)
{
	return strcmp(one->field, name) == 0;
}

static bool sib_without_base(const struct decode_case *one)
{
	return field(one, "base") && one->ours.has_sib && one->ours.mod == 0 &&
	       one->ours.base == GPR_NONE && one->ours.rex & REX_B;
}

static bool lea(const struct decode_case *one)
{
	return field(one, "segment") && is_legacy(one, OPCODE_MAP_ONE_BYTE, 0x8d, 0x8d);
}

static bool no_track(const struct decode_case *one)
{
	return field(one, "segment") && is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xff, 0xff) &&
	       one->ours.segment_override == SEGMENT_NUMBER_DS;
}

static bool enclave(const struct decode_case *one)
{
	return field(one, "address size") && is_legacy(one, OPCODE_MAP_0F, 0x01, 0x01) &&
	       !one->ours.has_memory;
}

static bool amd_branch(const struct decode_case *one)
{
	const struct instruction *ours = &one->ours;

	return field(one, "operand size") && one->mode == DECODE_MODE_64_AMD &&
	       ours->operand_size == 2 &&
	       (is_legacy(one, OPCODE_MAP_ONE_BYTE, 0x70, 0x7f) ||
		is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xc2, 0xc3) ||
		is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xe0, 0xe3) ||
		is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xeb, 0xeb) ||
		is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xff, 0xff));
}

static bool string_io(const struct decode_case *one)
{
	return field(one, "operand size") && one->ours.rex & REX_W &&
	       is_legacy(one, OPCODE_MAP_ONE_BYTE, 0x6c, 0x6f);
}

static bool vector_operand(const struct decode_case *one)
{
	const struct instruction *ours = &one->ours;

	return field(one, "operand size") && ours->mandatory_prefix >= MANDATORY_F3 &&
	       (is_legacy(one, OPCODE_MAP_0F, 0x10, 0x17) ||
		is_legacy(one, OPCODE_MAP_0F, 0x28, 0x2f) ||
		is_legacy(one, OPCODE_MAP_0F, 0x50, 0x7f) ||
		is_legacy(one, OPCODE_MAP_0F, 0xc2, 0xc2) ||
		is_legacy(one, OPCODE_MAP_0F, 0xd0, 0xfe));
}

static bool fixed_operand(const struct decode_case *one)
{
	return field(one, "operand size") && (is_legacy(one, OPCODE_MAP_0F, 0xae, 0xae) ||
					      is_legacy(one, OPCODE_MAP_0F, 0xc3, 0xc3) ||
					      is_legacy(one, OPCODE_MAP_0F, 0xc7, 0xc7) ||
					      is_legacy(one, OPCODE_MAP_0F38, 0xf5, 0xf9));
}

static bool no_operand(const struct decode_case *one)
{
	return field(one, "operand size") &&
	       (is_legacy(one, OPCODE_MAP_0F, 0x05, 0x05) ||
		(is_legacy(one, OPCODE_MAP_0F, 0x01, 0x01) && !one->ours.has_memory));
}

/* ---- Capstone, where Zydis reads the manual as we do ------------------------------- */

static bool zydis_agrees(const struct decode_case *one)
{
	return one->zydis_differs == DIFFERS_NOT || one->zydis_differs == DIFFERS_FIELD;
}

static bool zydis_refuses_too(const struct decode_case *one)
{
	return one->zydis_differs == DIFFERS_VALID_HERE;
}

static bool zydis_accepts_too(const struct decode_case *one)
{
	return one->zydis_differs == DIFFERS_VALID_THERE;
}

static bool agreed(const struct decode_case *one, enum instruction_encoding encoding)
{
	return zydis_agrees(one) && one->ours.encoding == encoding;
}

static bool evex_alone(const struct decode_case *one)
{
	return agreed(one, ENCODING_EVEX);
}

static bool vex_alone(const struct decode_case *one)
{
	return agreed(one, ENCODING_VEX);
}

static bool xop_alone(const struct decode_case *one)
{
	return agreed(one, ENCODING_XOP);
}

static bool escaped_alone(const struct decode_case *one)
{
	return agreed(one, ENCODING_LEGACY) && one->ours.map != OPCODE_MAP_ONE_BYTE;
}

static bool moffs_or_sreg_alone(const struct decode_case *one)
{
	return zydis_agrees(one) && (is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xa0, 0xa3) ||
				     is_legacy(one, OPCODE_MAP_ONE_BYTE, 0x8c, 0x8c) ||
				     is_legacy(one, OPCODE_MAP_ONE_BYTE, 0x8e, 0x8e));
}

static bool prefix_before_vex(const struct decode_case *one)
{
	return zydis_agrees(one) && one->ours.prefixes &&
	       (is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xc4, 0xc5) ||
		is_legacy(one, OPCODE_MAP_ONE_BYTE, 0x62, 0x62) ||
		is_legacy(one, OPCODE_MAP_ONE_BYTE, 0x8f, 0x8f));
}

/* A length other than ours and Zydis's; that of a twin where Zydis refuses the bytes. */
static bool wrong_length(const struct decode_case *one)
{
	return zydis_agrees(one) || zydis_refuses_too(one);
}

static bool rounding(const struct decode_case *one)
{
	return wrong_length(one) && one->ours.encoding == ENCODING_EVEX && one->ours.mod == 3;
}

static bool r12_or_r13(const struct decode_case *one)
{
	return wrong_length(one) && one->ours.encoding == ENCODING_EVEX &&
	       one->ours.prefixes & PREFIX_ADDRESS_SIZE && one->ours.rex & (REX_B | REX_X) &&
	       ((one->ours.modrm & 7) == 4 || (one->ours.modrm & 7) == 5);
}

static bool bextr(const struct decode_case *one)
{
	return wrong_length(one) && is(&one->ours, ENCODING_XOP, OPCODE_MAP_XOPA, 0x10, 0x10);
}

static bool ud_without_modrm(const struct decode_case *one)
{
	return wrong_length(one) && (is_legacy(one, OPCODE_MAP_0F, 0xb9, 0xb9) ||
				     is_legacy(one, OPCODE_MAP_0F, 0xff, 0xff));
}

static bool narrow_operand(const struct decode_case *one)
{
	return wrong_length(one) && (is_legacy(one, OPCODE_MAP_0F, 0x80, 0x8f) ||
				     is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xe8, 0xe9) ||
				     is_legacy(one, OPCODE_MAP_ONE_BYTE, 0x68, 0x68));
}

static bool ret(const struct decode_case *one)
{
	return wrong_length(one) && is_legacy(one, OPCODE_MAP_ONE_BYTE, 0xc2, 0xc2);
}

static bool extrq(const struct decode_case *one)
{
	return wrong_length(one) && is_legacy(one, OPCODE_MAP_0F, 0x78, 0x78);
}

/* ---- the rules -------------------------------------------------------------------- */

static const struct decode_rule decode_rules[] = {
	{ ORACLE_ZYDIS, DIFFERS_VALID_HERE, lock_without_effect, "LOCK",
	  "SDM 2, LOCK: #UD where nothing can be locked is for the executor; accepted without it" },
	{ ORACLE_ZYDIS, DIFFERS_VALID_HERE, register_that_is_not, "register",
	  "SDM 2, MOV CR, MOV Sreg, 2.3.5.6: the cell is there; accepted with another register" },
	{ ORACLE_ZYDIS, DIFFERS_VALID_HERE, reserved_vector_bits, "vector bits",
	  "SDM 2, 2.4, 2.7.11: the cell is there; accepted with other W, L, vvvv, z, b, aaa" },
	{ ORACLE_ZYDIS, DIFFERS_VALID_HERE, mpx, "MPX",
	  "SDM 2, BNDMK, NOP: reserved NOPs wherever they are not MPX" },
	{ ORACLE_ZYDIS, DIFFERS_VALID_HERE, is_newer, "newer",
	  "SDM 2 (LKGS, RAO-INT, SHA512, ...), APM 3: younger than Zydis 4.0" },
	{ ORACLE_ZYDIS, DIFFERS_VALID_THERE, padlock, "PadLock",
	  "SDM 2, table A-3: 0F A6 and 0F A7 are empty; they are VIA's" },
	{ ORACLE_ZYDIS, DIFFERS_VALID_THERE, knights_corner, "Knights Corner",
	  "SDM 2, 2.7.11.2: EVEX has P0[3] clear and P1[2] set; appendix A has none of these" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, sib_without_base, "SIB without base",
	  "SDM 2, table 2-5: with mod 0, base 101 there is none, and REX.B does not care" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, lea, "LEA", "SDM 2, LEA: only the offset, no segment" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, no_track, "NOTRACK",
	  "SDM 2, 2.1.1: outside 64-bit mode 3E stays DS's override, too" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, mpx, "MPX in 64-bit mode",
	  "SDM 2, NOP: a reserved NOP takes 67 as every instruction does" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, enclave, "ENCLS",
	  "SDM 2, ENCLS, ENCLU: no operand has an address size; Zydis says that of the leaf's "
	  "registers" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, amd_branch, "AMD's branches",
	  "APM 3, table B-1: 66 makes all near branches narrow, not those with rel32 only" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, string_io, "string I/O",
	  "SDM 1, 19.2: ports have 8, 16 or 32 bits" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, vector_operand, "vectors",
	  "SDM 2, 2.1.1: 66 beside a mandatory F2 or F3 says nothing; see @operand_size" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, fixed_operand, "32 and 64 bits",
	  "SDM 2, MOVNTI, CMPXCHG8B, ADOX, WRSS, RDFSBASE: m32 and r32, m64 and r64 with W" },
	{ ORACLE_ZYDIS, DIFFERS_FIELD, no_operand, "no operand",
	  "SDM 2, SYSCALL; APM 3, VMRUN: nothing has an operand size" },

	{ ORACLE_CAPSTONE, DIFFERS_VALID_HERE, zydis_refuses_too, "as Zydis",
	  "for the reason that holds for Zydis" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_THERE, zydis_accepts_too, "as Zydis",
	  "for the reason that holds for Zydis" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_HERE, evex_alone, "Capstone, EVEX",
	  "SDM 2, chapters 3 to 5: defined; Capstone 4.0 knows a part of AVX-512 only" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_HERE, vex_alone, "Capstone, VEX",
	  "SDM 2, KAND, TILEZERO, VAESENC, VPDPBUSD, ...: defined; younger than Capstone 4.0" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_HERE, xop_alone, "Capstone, LWP",
	  "APM 3, LLWPCB, LWPINS: defined" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_HERE, escaped_alone, "Capstone, 0F",
	  "SDM 2, tables A-3 to A-6: defined; Capstone 4.0 lacks NOPs, and SSE in 16-bit mode" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_HERE, moffs_or_sreg_alone, "Capstone, MOV",
	  "SDM 2, MOV: W, R and a repeat prefix change nothing for moffs and Sreg" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_THERE, escaped_alone, "Capstone, columns",
	  "SDM 2, A.2.4: the column of a mandatory prefix is empty; Capstone drops the prefix" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_THERE, prefix_before_vex, "Capstone, 66 before VEX",
	  "SDM 2, 2.3.2 to 2.3.4, 2.7.11.1: #UD" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_THERE, vex_alone, "Capstone, VSIB",
	  "SDM 2, 2.3.12: #UD with 16-bit addresses" },
	{ ORACLE_CAPSTONE, DIFFERS_VALID_THERE, evex_alone, "Capstone, VMOVLPD",
	  "SDM 2, VMOVLPD: in memory only; VMOVDDUP is in F2's column" },
	{ ORACLE_CAPSTONE, DIFFERS_LENGTH, rounding, "Capstone, rounding",
	  "SDM 2, 2.7.8: rounding control is in L'L; no byte follows" },
	{ ORACLE_CAPSTONE, DIFFERS_LENGTH, r12_or_r13, "Capstone, R12 and R13",
	  "SDM 2, tables 2-5 and 2-31: neither B nor X changes that SIB or a displacement "
	  "follows" },
	{ ORACLE_CAPSTONE, DIFFERS_LENGTH, bextr, "Capstone, BEXTR",
	  "APM 3, BEXTR: the immediate has four bytes" },
	{ ORACLE_CAPSTONE, DIFFERS_LENGTH, ud_without_modrm, "Capstone, UD0 and UD1",
	  "SDM 2, UD: ModRM follows" },
	{ ORACLE_CAPSTONE, DIFFERS_LENGTH, narrow_operand, "Capstone, 66",
	  "SDM 2, JMP, Jcc, CALL, PUSH: rel32 in 64-bit mode, else by operand size" },
	{ ORACLE_CAPSTONE, DIFFERS_LENGTH, ret, "Capstone, RET",
	  "SDM 2, RET: the immediate has two bytes, whatever the operand size" },
	{ ORACLE_CAPSTONE, DIFFERS_LENGTH, extrq, "Capstone, EXTRQ",
	  "APM 4, EXTRQ, INSERTQ: two immediates" },
};

#define DECODE_RULES (sizeof(decode_rules) / sizeof(decode_rules[0]))

#endif
