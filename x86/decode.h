/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_DECODE_H
#define HUTCH_X86_DECODE_H

/*
 * Takes one instruction apart: how many bytes it has, and what stands in them.
 *
 * A hypervisor needs the length of an instruction whenever the processor does not say
 * where the next one begins (AMD-V without NRIP save), and the operands whenever it
 * must do itself what the guest wanted done (MMIO, string I/O). Bytes in, a struct
 * out: nothing here knows memory, page tables or a vCPU.
 *
 * An instruction is a row of fields, each of which says how to read the next one
 * (SDM 2, 2.1; APM 3, 1.1):
 *
 *	prefixes  REX | VEX | EVEX | XOP  opcode  ModRM  SIB  displacement  immediates
 *
 * How deep the check for validity goes. Opcode maps are tables (SDM 2, appendix A; APM 3,
 * appendix A), and an empty cell is an undefined opcode. A cell here is: encoding, map,
 * opcode, the mandatory prefix where it is one, ModRM.reg of a group, whether ModRM names
 * a register or memory, and ModRM.rm where it extends the opcode (x87, 0F 01). The cells
 * are those of both vendors together: who runs on one that lacks an extension, or may
 * not use it, gets its #UD from whoever executes it. The same holds for finer causes of
 * #UD: LOCK where nothing can be locked (but see @lockable), reserved values of W, L and
 * vvvv, masks and broadcasts that an instruction does not know, register numbers that do
 * not exist (CR1, segment register 6), vector instructions in real mode. For everything
 * that is valid the length is exact. UD0, UD1 and UD2 are instructions like any other.
 *
 * Not known are encodings that neither manual has: Knights Corner's, and APX.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* No instruction is longer: #GP(0) (SDM 3, 6.15, "Interrupt 13"; APM 3, 1.1). */
#define INSTRUCTION_LENGTH_MAX 15

/*
 * The code segment's default sizes. In 64-bit mode the processors differ in one thing:
 * an operand-size prefix on a near branch means nothing to Intel's, and makes the
 * displacement and the new instruction pointer 16 bits wide on AMD's (SDM 2, "JMP" and
 * "CALL", which call it machine-specific; APM 3, 1.2.2 and the same instructions).
 */
enum decode_mode {
	DECODE_MODE_16,	    /* real mode, virtual-8086 mode, CS.D = 0 */
	DECODE_MODE_32,	    /* CS.D = 1 */
	DECODE_MODE_64,	    /* CS.L = 1 */
	DECODE_MODE_64_AMD, /* the same, with AMD's near branches */
};

enum decode_status {
	DECODE_OK,
	DECODE_TRUNCATED, /* the bytes given are the beginning of an instruction: give more */
	DECODE_INVALID,	  /* an undefined opcode: #UD, whatever bytes follow */
	DECODE_TOO_LONG,  /* more than INSTRUCTION_LENGTH_MAX bytes: #GP(0) */
};

enum instruction_encoding {
	ENCODING_LEGACY,
	ENCODING_VEX,
	ENCODING_EVEX,
	ENCODING_XOP,
};

/* Opcode maps, by the number that VEX, EVEX and XOP prefixes have for them. */
enum opcode_map {
	OPCODE_MAP_ONE_BYTE = 0,
	OPCODE_MAP_0F = 1,
	OPCODE_MAP_0F38 = 2,
	OPCODE_MAP_0F3A = 3,
	OPCODE_MAP_5 = 5, /* EVEX: half-precision floats */
	OPCODE_MAP_6 = 6,
	OPCODE_MAP_7 = 7, /* VEX: URDMSR, UWRMSR */
	OPCODE_MAP_XOP8 = 8,
	OPCODE_MAP_XOP9 = 9,
	OPCODE_MAP_XOPA = 10,
	OPCODE_MAP_3DNOW = 15, /* 0F 0F: the opcode stands behind the operands */
};

/* What selects one of an opcode's four columns in the maps, in the order of VEX.pp. */
enum mandatory_prefix {
	MANDATORY_NONE,
	MANDATORY_66,
	MANDATORY_F3,
	MANDATORY_F2,
};

/* Prefixes that were seen, as bits. */
#define PREFIX_LOCK	    (1u << 0) /* F0 */
#define PREFIX_OPERAND_SIZE (1u << 1) /* 66 */
#define PREFIX_ADDRESS_SIZE (1u << 2) /* 67 */
#define PREFIX_REPNE	    (1u << 3) /* F2, and no F3 after it */
#define PREFIX_REP	    (1u << 4) /* F3, and no F2 after it */

/* Bits of @rex: a REX prefix's own, or the same bits of a VEX, EVEX or XOP prefix. */
#define REX_B	    (1u << 0)
#define REX_X	    (1u << 1)
#define REX_R	    (1u << 2)
#define REX_W	    (1u << 3)
#define REX_PRESENT (1u << 6) /* a REX prefix: SPL, BPL, SIL, DIL instead of AH, CH, DH, BH */

/* General-purpose registers by their number in an instruction: SDM 2, 2.1.5, 2.2.1.1 */
enum gpr_number {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R9,
	GPR_R10,
	GPR_R11,
	GPR_R12,
	GPR_R13,
	GPR_R14,
	GPR_R15,
	GPR_COUNT,
	GPR_RIP = 0xfe,	 /* as a base: the address of the next instruction */
	GPR_NONE = 0xff, /* no base, no index */
};

/* Segment registers by their number in an instruction: SDM 2, table B-8 */
enum segment_number {
	SEGMENT_NUMBER_ES,
	SEGMENT_NUMBER_CS,
	SEGMENT_NUMBER_SS,
	SEGMENT_NUMBER_DS,
	SEGMENT_NUMBER_FS,
	SEGMENT_NUMBER_GS,
	SEGMENT_NUMBER_NONE = 0xff,
};

struct instruction {
	uint8_t length;	  /* in bytes, of the whole */
	uint8_t encoding; /* enum instruction_encoding */
	uint8_t map;	  /* enum opcode_map */
	uint8_t opcode;

	uint8_t prefixes;	  /* PREFIX_* */
	uint8_t mandatory_prefix; /* the column of the map: the last of F2 and F3, else 66 */
	uint8_t segment_override; /* enum segment_number: the last prefix that counts */
	uint8_t rex;		  /* REX_*; 0 in 16 and 32-bit mode */

	/*
	 * In bytes: 2, 4 or 8, from mode, prefixes, W and the opcode's own ways (PUSH has 8 in
	 * 64-bit mode). An instruction on bytes has the size that it would have on words, and
	 * of one with a mandatory 66 or on vectors the size says nothing.
	 */
	uint8_t operand_size;
	uint8_t address_size;

	/* ModRM, with reg and rm widened to 4 bits by REX and the like, to 5 by EVEX. */
	bool has_modrm;
	uint8_t modrm; /* the byte itself */
	uint8_t mod;   /* 3, too, where the instruction does not care (MOV CR) */
	uint8_t reg;
	uint8_t rm; /* a register if mod is 3; see @has_memory otherwise */

	/*
	 * The operand in memory that ModRM or a moffs names (not those implied: the stack, a
	 * string). Its address is segment : base + index * scale + displacement. @segment is
	 * set for every instruction: to DS or the override where nothing says SS, so it is
	 * the source segment of a string instruction, and XLAT's, too.
	 */
	bool has_memory;
	uint8_t segment; /* enum segment_number */
	uint8_t base;	 /* enum gpr_number, also GPR_RIP or GPR_NONE */
	uint8_t index;	 /* enum gpr_number or GPR_NONE; a vector register's with @vsib */
	uint8_t scale;	 /* 1, 2, 4, 8 */
	bool has_sib;
	bool vsib;		   /* the index is a vector of indexes: SDM 2, 2.3.12 */
	uint8_t displacement_size; /* in bytes, 0 if there is none; 8: a moffs */
	int64_t displacement;	   /* sign-extended (moffs: not), times disp8_scale */

	/*
	 * Sign-extended from their sizes in bytes (0: there is none); cast to an unsigned type
	 * of that size what is not signed. The second one is ENTER's level, a far pointer's
	 * selector or EXTRQ's and INSERTQ's index. A branch's displacement is the immediate.
	 */
	uint8_t immediate_size;
	uint8_t immediate2_size;
	int64_t immediate;
	int64_t immediate2;

	bool lockable; /* LOCK may stand before it: SDM 2, "LOCK" */

	/* VEX, EVEX, XOP; 0 elsewhere. */
	uint8_t vector_length; /* L or L'L: 0 is 128 bits, 1 is 256, 2 is 512 */
	uint8_t vvvv;	       /* a register's number, not inverted; with V' in bit 4 */

	/* EVEX: SDM 2, 2.7 */
	uint8_t opmask;	     /* aaa */
	bool zeroing;	     /* z */
	bool broadcast;	     /* b: broadcast, rounding control or suppress all exceptions */
	uint8_t disp8_scale; /* N by which an 8-bit displacement was multiplied, else 1 */
};

/*
 * Decodes the instruction at @bytes, of which @available may be read; nothing is read
 * beyond the instruction's end either. *@instruction is complete with DECODE_OK; with
 * DECODE_INVALID it tells a report as much of prefixes, encoding, map and opcode as was read.
 * What a status other than DECODE_TRUNCATED says stays true when more bytes are given.
 */
enum decode_status decode(struct instruction *instruction, enum decode_mode mode,
			  const uint8_t *bytes, size_t available);

/*
 * The offset within its segment of the operand in memory, wrapped to the address size
 * (SDM 1, 3.7.5; APM 2, 1.2 and 4.5.3): add the segment's base for the linear address.
 * @gpr are the registers by their number, @next_rip is where the next instruction begins.
 * Only for an instruction that has_memory; with @vsib, the address without its index.
 */
uint64_t decode_effective_address(const struct instruction *instruction,
				  const uint64_t gpr[GPR_COUNT], uint64_t next_rip);

#endif
