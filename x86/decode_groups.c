/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/decode_cell.h"

/*
 * Opcodes that ModRM.reg extends: SDM 2, appendix A.4 (groups) and A.5 (x87); APM 3,
 * appendix A.1 and A.1.3. And those few that ModRM.rm extends further.
 */

/* clang-format off */

#define N   COLUMN_N
#define N3  (COLUMN_N | COLUMN_3)
#define N6  (COLUMN_N | COLUMN_6)
#define N63 (COLUMN_N | COLUMN_6 | COLUMN_3)
#define P6  COLUMN_6
#define P3  COLUMN_3
#define P2  COLUMN_2
#define P32 (COLUMN_3 | COLUMN_2)
#define ALL COLUMN_ALL
#define V(columns)  CELL_EITHER(columns)
#define VM(columns) CELL_MEMORY_ONLY(columns)
#define VR(columns) CELL_REGISTER_ONLY(columns)
#define F(memory, register) CELL_FORMS(memory, register)
#define M   V(ALL)
#define ML  (M | CELL_LOCKABLE)
#define Mm  VM(ALL)
#define UD  0
#define RM  CELL_BY_RM
#define O64 CELL_ONLY_64
#define R32_64 CELL_OPERAND(OPERAND_32_64)
#define NEAR (M | CELL_OPERAND(OPERAND_NEAR_BRANCH))
#define STACK (M | CELL_OPERAND(OPERAND_STACK))
#define TABLE (M | RM | CELL_OPERAND(OPERAND_TABLE))
#define FSGSBASE (F(N, P3) | CELL_REGISTER_64 | R32_64)

const uint32_t decode_groups[GROUP_COUNT][8] = {
	[GROUP_1] = { ML, ML, ML, ML, ML, ML, ML, M },	/* ADD, OR, ADC, SBB, AND, SUB, XOR, CMP */
	[GROUP_1A] = { STACK },				/* POP */
	[GROUP_2] = { M, M, M, M, M, M, M, M },		/* ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR */
	[GROUP_3_BYTE] = {
		M | CELL_IMMEDIATE(IMMEDIATE_B),	/* TEST */
		M | CELL_IMMEDIATE(IMMEDIATE_B),
		ML, ML, M, M, M, M,			/* NOT, NEG, MUL, IMUL, DIV, IDIV */
	},
	[GROUP_3] = {
		M | CELL_IMMEDIATE(IMMEDIATE_Z),
		M | CELL_IMMEDIATE(IMMEDIATE_Z),
		ML, ML, M, M, M, M,
	},
	[GROUP_4] = { ML, ML },				/* INC, DEC */
	[GROUP_5] = {
		ML, ML,					/* INC, DEC */
		NEAR, Mm,				/* CALL, CALLF */
		NEAR, Mm,				/* JMP, JMPF */
		STACK,					/* PUSH */
	},
	[GROUP_6] = { M, M, M, M, M, M, V(P2) | O64 },	/* SLDT, STR, LLDT, LTR, VERR, VERW, LKGS */
	[GROUP_7] = {
		TABLE, TABLE, TABLE, TABLE,		/* SGDT, SIDT, LGDT, LIDT */
		M, F(P3, ALL) | RM, M, M | RM,		/* SMSW, RSTORSSP, LMSW, INVLPG */
	},
	[GROUP_8] = { UD, UD, UD, UD, M, ML, ML, ML },	/* BT, BTS, BTR, BTC */
	[GROUP_9] = {
		[1] = Mm | CELL_LOCKABLE | R32_64,	/* CMPXCHG8B, CMPXCHG16B */
		[3] = VM(N), VM(N), VM(N),		/* XRSTORS, XSAVEC, XSAVES */
		[6] = V(N63) | CELL_REGISTER_64,	/* VMPTRLD, VMCLEAR, VMXON, RDRAND, SENDUIPI */
		[7] = F(N, N63),			/* VMPTRST, RDSEED, RDPID */
	},
	[GROUP_11] = { M, [7] = VR(ALL) | RM },		/* MOV, XABORT, XBEGIN */
	[GROUP_12] = { [2] = VR(N6), [4] = VR(N6), [6] = VR(N6) },
	[GROUP_14] = { [2] = VR(N6), VR(P6), [6] = VR(N6), VR(P6) },
	[GROUP_15] = {
		FSGSBASE, FSGSBASE,			/* FXSAVE, FXRSTOR; RDFSBASE, RDGSBASE */
		FSGSBASE, FSGSBASE,			/* LDMXCSR, STMXCSR; WRFSBASE, WRGSBASE */
		F(N3, P3) | R32_64,			/* XSAVE, PTWRITE */
		F(N, N3),				/* XRSTOR, LFENCE, INCSSP */
		F(N63, ALL),				/* XSAVEOPT, CLWB, CLRSSBSY; MFENCE, TPAUSE, UMONITOR, UMWAIT */
		F(N6, N),				/* CLFLUSH, SFENCE, CLFLUSHOPT */
	},
#define VMREAD_INSERTQ (F(N, N | P2) | CELL_IMMEDIATE(IMMEDIATE_BB))
	[GROUP_EXTRQ] = {
		VMREAD_INSERTQ | CELL_REGISTER(P6),
		VMREAD_INSERTQ, VMREAD_INSERTQ, VMREAD_INSERTQ, VMREAD_INSERTQ, VMREAD_INSERTQ,
		VMREAD_INSERTQ, VMREAD_INSERTQ,
	},
	[GROUP_HRESET] = { VR(P3) | RM },
	[GROUP_KEY_LOCKER_WIDE] = { VM(P3), VM(P3), VM(P3), VM(P3) },

	/* In memory; with a register: decode_x87_registers */
#define X (M | RM)
#define R (VR(ALL) | RM)
	[GROUP_D8] = { X, X, X, X, X, X, X, X },
	[GROUP_D9] = { X, R, X, X, X, X, X, X },
	[GROUP_DA] = { X, X, X, X, X, X, X, X },
	[GROUP_DB] = { X, X, X, X, R, X, R, X },
	[GROUP_DC] = { X, X, X, X, X, X, X, X },
	[GROUP_DD] = { X, X, X, X, X, R, X, X },
	[GROUP_DE] = { X, X, X, X, X, X, X, X },
	[GROUP_DF] = { X, X, X, X, X, X, X, X },

	[GROUP_VEX_SHIFT_W] = { [2] = VR(P6), [4] = VR(P6), [6] = VR(P6) },
	[GROUP_VEX_SHIFT_Q] = { [2] = VR(P6), VR(P6), [6] = VR(P6), VR(P6) },
	[GROUP_VEX_MXCSR] = { [2] = VM(N), VM(N) },	/* VLDMXCSR, VSTMXCSR */
#define TILEZERO (VR(P2) | RM)
	[GROUP_VEX_TILE] = {
		F(N6, N | P2) | RM,			/* LDTILECFG, STTILECFG, TILERELEASE */
		TILEZERO, TILEZERO, TILEZERO, TILEZERO, TILEZERO, TILEZERO, TILEZERO,
	},
	[GROUP_VEX_17] = { [1] = V(N), V(N), V(N) },	/* BLSR, BLSMSK, BLSI */
	[GROUP_VEX_USER_MSR] = { VR(P32) },
	[GROUP_XOP_1] = { [1] = V(N), V(N), V(N), V(N), V(N), V(N), V(N) }, /* BLCFILL to BLSIC */
	[GROUP_XOP_2] = { [1] = V(N), [6] = V(N) },	/* BLCMSK, BLCI */
	[GROUP_XOP_LWPCB] = { VR(N), VR(N) },		/* LLWPCB, SLWPCB */
	[GROUP_XOP_LWP] = { V(N), V(N) },		/* LWPINS, LWPVAL */
};

/*
 * Opcodes D8 to DF with a register, a bit for each ST(i). The processors also execute what
 * the maps leave out beside a twin: DC D0 is FCOM as D8 D0 is, DF C0 (FFREEP) is FFREE with
 * a pop. FENI, FDISI and FSETPM (DB E0, E1, E4) do nothing since the 80387 (SDM 3, 23.18.9).
 */
const uint8_t decode_x87_registers[8][8] = {
	/*	     /0    /1    /2    /3    /4    /5    /6    /7 */
	/* d8 */ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	/* d9 */ { 0xff, 0xff, 0x01, 0xff, 0x33, 0x7f, 0xff, 0xff },
	/* da */ { 0xff, 0xff, 0xff, 0xff, 0x00, 0x02, 0x00, 0x00 },
	/* db */ { 0xff, 0xff, 0xff, 0xff, 0x1f, 0xff, 0xff, 0x00 },
	/* dc */ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff },
	/* dd */ { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00 },
	/* de */ { 0xff, 0xff, 0xff, 0x02, 0xff, 0xff, 0xff, 0xff },
	/* df */ { 0xff, 0xff, 0xff, 0xff, 0x01, 0xff, 0xff, 0x00 },
};

/* 0F 01 with a register: columns for each rm, and those that are for 64-bit mode only. */
#define ONLY_64(columns) ((columns) | (columns) << 4)

const uint8_t decode_group_7_registers[8][8] = {
	[0] = {
		N, N, N, N, N, N,			/* ENCLV, VMCALL, VMLAUNCH, VMRESUME, VMXOFF, PCONFIG */
		N | ONLY_64(P32), N,			/* WRMSRNS, RDMSRLIST, WRMSRLIST, PBNDKB */
	},
	[1] = {
		N, N,					/* MONITOR, MWAIT */
		N | ONLY_64(P32), N,			/* CLAC, ERETU, ERETS, STAC */
		P6, ONLY_64(P6),			/* TDCALL, SEAMRET */
		ONLY_64(P6),				/* SEAMOPS */
		N | ONLY_64(P6),			/* ENCLS, SEAMCALL */
	},
	[2] = { N, N, 0, 0, N, N, N, N },		/* XGETBV, XSETBV, VMFUNC, XEND, XTEST, ENCLU */
	/* VMRUN, VMMCALL, VMGEXIT, VMLOAD, VMSAVE, STGI, CLGI, SKINIT, INVLPGA */
	[3] = { ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL },
	[4] = { ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL }, /* SMSW */
	[5] = {
		N | P32, P2, P3, 0,			/* SERIALIZE, SETSSBSY, XSUSLDTRK, XRESLDTRK, SAVEPREVSSP */
		ONLY_64(P3),				/* UIRET */
		ONLY_64(P3),				/* TESTUI */
		N | ONLY_64(P3),			/* RDPKRU, CLUI */
		N | ONLY_64(P3),			/* WRPKRU, STUI */
	},
	[6] = { ALL, ALL, ALL, ALL, ALL, ALL, ALL, ALL }, /* LMSW */
	[7] = {
		ONLY_64(ALL), ALL,			/* SWAPGS, RDTSCP */
		N | P3, ALL, ALL,			/* MONITORX, MCOMMIT, MWAITX, CLZERO */
		ALL,					/* RDPRU, RMPQUERY */
		N | P32, N | P32,			/* INVLPGB, RMPADJUST, RMPUPDATE, TLBSYNC, PSMASH, PVALIDATE */
	},
};
