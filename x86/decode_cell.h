/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_DECODE_CELL_H
#define HUTCH_X86_DECODE_CELL_H

/*
 * What the decoder knows of an opcode: one cell of an opcode map, 32 bits wide.
 *
 *	31..26   25..16           15..12     11..8            7..4      3..0
 *	group    attributes       operand    immediates       columns   columns
 *	                          size                        for a     for
 *	                                                      register  memory
 *
 * An opcode is four opcodes at most, told apart by the mandatory prefix: none, 66, F3
 * and F2 are the columns of the manuals' maps (SDM 2, appendix A.2.4). Where no prefix is
 * mandatory all four are there. ModRM.mod doubles them: with 3 it names a register, else
 * memory, and many instructions want only one of the two. An opcode without ModRM counts
 * as one with a register. No column, no instruction: the cell is empty.
 *
 * A group (SDM 2, appendix A.4) is a map of its own, eight cells long, whose opcode is
 * ModRM.reg. What its cell says comes on top of what the opcode's cell says.
 */

#include <stdbool.h>
#include <stdint.h>

/* Sets of columns. The letters are the prefixes': N none, 6 66, 3 F3, 2 F2. */
enum cell_columns {
	COLUMN_N = 1 << 0,
	COLUMN_6 = 1 << 1,
	COLUMN_3 = 1 << 2,
	COLUMN_2 = 1 << 3,
	COLUMN_ALL = 15,
};

#define CELL_MEMORY(columns)   ((uint32_t)(columns))
#define CELL_REGISTER(columns) ((uint32_t)(columns) << 4)
#define CELL_COLUMNS	       0xffu

/* Immediates, by the letters of SDM 2, appendix A.2.2. */
enum cell_immediate {
	IMMEDIATE_NONE,
	IMMEDIATE_B,	  /* a byte */
	IMMEDIATE_W,	  /* two bytes */
	IMMEDIATE_D,	  /* four bytes */
	IMMEDIATE_Z,	  /* two or four bytes: the operand size, at most four */
	IMMEDIATE_V,	  /* two, four or eight bytes: the operand size */
	IMMEDIATE_P,	  /* a far pointer: offset as Z, then a selector */
	IMMEDIATE_O,	  /* moffs: an offset of the address size, which is a displacement */
	IMMEDIATE_WB,	  /* ENTER */
	IMMEDIATE_BB,	  /* EXTRQ and INSERTQ: two bytes; but none in VMREAD's column */
	IMMEDIATE_SUFFIX, /* 3DNow!: the opcode itself (APM 3, A.1.2) */
};

#define CELL_IMMEDIATE(kind)	((uint32_t)(kind) << 8)
#define CELL_IMMEDIATE_OF(cell) ((cell) >> 8 & 15)

/*
 * Operand sizes that mode, 66 and W do not make in the usual way: SDM 2, 2.2.1.7; APM 3,
 * tables B-1, B-4 and B-5.
 */
enum cell_operand {
	OPERAND_USUAL,
	OPERAND_STACK,	     /* 8 in 64-bit mode, 2 with 66 */
	OPERAND_NEAR_BRANCH, /* 8 in 64-bit mode; what 66 does differs: see enum decode_mode */
	OPERAND_TABLE,	     /* 8 in 64-bit mode (LGDT) */
	OPERAND_NATURAL,     /* 8 in 64-bit mode, else 4 (MOV CR) */
	OPERAND_PORT,	     /* 2 or 4, and W counts for nothing (IN) */
	OPERAND_32_64,	     /* 4, or 8 with W, and 66 counts for nothing (MOVNTI) */
};

#define CELL_OPERAND(kind)    ((uint32_t)(kind) << 12)
#define CELL_OPERAND_OF(cell) ((cell) >> 12 & 15)

/* Attributes */
#define CELL_MODRM	    (1u << 16)
#define CELL_PREFIX	    (1u << 17)		  /* not an opcode */
#define CELL_NOT_64	    (1u << 18)		  /* undefined in 64-bit mode */
#define CELL_ONLY_64	    (1u << 19)		  /* undefined in other modes */
#define CELL_LOCKABLE	    (1u << 20)		  /* if it is on memory */
#define CELL_SIB	    (1u << 21)		  /* needs SIB: VSIB, AMX */
#define CELL_VSIB	    (CELL_SIB | 1u << 25) /* whose index is a vector register */
#define CELL_IGNORE_MOD	    (1u << 22) /* MOV to and from CR, DR: a register, whatever mod says */
#define CELL_BY_RM	    (1u << 23) /* with a register, rm extends the opcode: see below */
#define CELL_REGISTER_64    (1u << 24) /* with a register, F3's and F2's columns are 64-bit only */

#define CELL_GROUP(group)   ((uint32_t)(group) << 26 | CELL_MODRM)
#define CELL_GROUP_OF(cell) ((cell) >> 26)

/* Both forms and one form of an instruction with ModRM, and one without. */
#define CELL_FORMS(memory, register) (CELL_MODRM | CELL_MEMORY(memory) | CELL_REGISTER(register))
#define CELL_EITHER(columns)	     CELL_FORMS(columns, columns)
#define CELL_MEMORY_ONLY(columns)    CELL_FORMS(columns, 0)
#define CELL_REGISTER_ONLY(columns)  CELL_FORMS(0, columns)
#define CELL_PLAIN(columns)	     CELL_REGISTER(columns)

/* The groups; those that the manuals number have their numbers. 0: not a group. */
enum decode_group {
	GROUP_1 = 1,
	GROUP_1A,
	GROUP_2,
	GROUP_3_BYTE,
	GROUP_3,
	GROUP_4,
	GROUP_5,
	GROUP_6,
	GROUP_7,
	GROUP_8,
	GROUP_9,
	GROUP_11,
	GROUP_12,
	GROUP_14,
	GROUP_15,
	GROUP_EXTRQ,
	GROUP_HRESET,
	GROUP_KEY_LOCKER_WIDE,
	GROUP_D8, /* x87, to DF */
	GROUP_D9,
	GROUP_DA,
	GROUP_DB,
	GROUP_DC,
	GROUP_DD,
	GROUP_DE,
	GROUP_DF,
	GROUP_VEX_SHIFT_W,
	GROUP_VEX_SHIFT_Q,
	GROUP_VEX_MXCSR,
	GROUP_VEX_TILE,
	GROUP_VEX_17,
	GROUP_VEX_USER_MSR,
	GROUP_XOP_1,
	GROUP_XOP_2,
	GROUP_XOP_LWPCB,
	GROUP_XOP_LWP,
	GROUP_COUNT,
};

extern const uint32_t decode_groups[GROUP_COUNT][8];
extern const uint32_t decode_map_one_byte[256];
extern const uint32_t decode_map_0f[256];
extern const uint32_t decode_map_0f38[256];
extern const uint32_t decode_map_0f3a[256];
extern const uint32_t decode_map_vex1[256];
extern const uint32_t decode_map_vex2[256];
extern const uint32_t decode_map_vex3[256];
extern const uint32_t decode_map_vex7[256];
extern const uint32_t decode_map_xop8[256];
extern const uint32_t decode_map_xop9[256];
extern const uint32_t decode_map_xopa[256];

/*
 * Where rm extends the opcode: a bit for each rm of x87's D8 to DF, columns for 0F 01,
 * the upper four bits being those that are for 64-bit mode only. With other opcodes only an
 * rm of 0 is defined.
 */
extern const uint8_t decode_x87_registers[8][8];
extern const uint8_t decode_group_7_registers[8][8];

/* A bit for each defined suffix of 0F 0F. */
extern const uint32_t decode_3dnow_suffixes[8];

/*
 * EVEX. A column says how an 8-bit displacement is scaled (the tuple type of SDM 2,
 * 2.7.5), which depends on the instruction alone; 0: the column is empty.
 */
enum evex_tuple {
	TUPLE_NONE,
	TUPLE_1, /* so many bytes, always */
	TUPLE_2,
	TUPLE_4,
	TUPLE_8,
	TUPLE_16,
	TUPLE_32,
	TUPLE_WORD_BY_W,    /* 1 byte, or 2 with W */
	TUPLE_QUAD_BY_W,    /* 4 bytes, or 8 with W */
	TUPLE_GPR_BY_W,	    /* the same, but W means nothing outside 64-bit mode */
	TUPLE_FULL,	    /* the vector, or one element to broadcast: 4 bytes, 8 with W */
	TUPLE_FULL_FP16,    /* the same, of 2 bytes */
	TUPLE_HALF,	    /* half the vector, or 4 bytes */
	TUPLE_HALF_FP16,    /* half the vector, or 2 bytes */
	TUPLE_QUARTER_FP16, /* a quarter of the vector, or 2 bytes */
	TUPLE_HALF_OR_FULL, /* HALF, or FULL with W */
	TUPLE_FULL_MEM,	    /* the vector, and nothing is broadcast */
	TUPLE_HALF_MEM,
	TUPLE_QUARTER_MEM,
	TUPLE_EIGHTH_MEM,
	TUPLE_MOVDDUP, /* 8, 32, 64 bytes */
	TUPLE_TYPE = 31,
	TUPLE_MEMORY_ONLY = 32,
	TUPLE_REGISTER_ONLY = 64,
};

struct evex_cell {
	uint8_t column[4];  /* enum evex_tuple */
	uint8_t group;	    /* which values of ModRM.reg are defined, a bit for each; 0: all */
	bool has_immediate; /* a byte */
	bool vsib;
};

extern const struct evex_cell decode_map_evex1[256];
extern const struct evex_cell decode_map_evex2[256];
extern const struct evex_cell decode_map_evex3[256];
extern const struct evex_cell decode_map_evex5[256];
extern const struct evex_cell decode_map_evex6[256];

#endif
