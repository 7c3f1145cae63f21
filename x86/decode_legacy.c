/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/decode_cell.h"

/*
 * The opcode maps that need no VEX prefix: SDM 2, appendix A.3; APM 3, appendix A.1. They
 * read like the manuals' own: a row of the one-byte map holds eight opcodes.
 */

/* clang-format off */

#define UD  0					/* empty */
#define X   CELL_PLAIN(COLUMN_ALL)		/* no ModRM */
#define XN  (X | CELL_NOT_64)
#define X8  (X | CELL_OPERAND(OPERAND_STACK))		/* stack operations */
#define Xb  (X | CELL_IMMEDIATE(IMMEDIATE_B))
#define Xz  (X | CELL_IMMEDIATE(IMMEDIATE_Z))
#define Xv  (X | CELL_IMMEDIATE(IMMEDIATE_V))
#define Xw  (X | CELL_IMMEDIATE(IMMEDIATE_W))
#define Xo  (X | CELL_IMMEDIATE(IMMEDIATE_O))
#define XP  (X | CELL_OPERAND(OPERAND_PORT))	/* IN, OUT */
#define XPb (Xb | CELL_OPERAND(OPERAND_PORT))
#define XNb (Xb | CELL_NOT_64)
#define XNp (XN | CELL_IMMEDIATE(IMMEDIATE_P))
#define X8b (X8 | CELL_IMMEDIATE(IMMEDIATE_B))
#define X8z (X8 | CELL_IMMEDIATE(IMMEDIATE_Z))
#define Ent (X8 | CELL_IMMEDIATE(IMMEDIATE_WB))
#define Jb  (Xb | CELL_OPERAND(OPERAND_NEAR_BRANCH))		/* near branches */
#define Jz  (Xz | CELL_OPERAND(OPERAND_NEAR_BRANCH))
#define Jw  (Xw | CELL_OPERAND(OPERAND_NEAR_BRANCH))
#define J   (X | CELL_OPERAND(OPERAND_NEAR_BRANCH))
#define M   CELL_EITHER(COLUMN_ALL)		/* ModRM */
#define ML  (M | CELL_LOCKABLE)
#define Mb  (M | CELL_IMMEDIATE(IMMEDIATE_B))
#define Mz  (M | CELL_IMMEDIATE(IMMEDIATE_Z))
#define Mm  CELL_MEMORY_ONLY(COLUMN_ALL)
#define MmN (Mm | CELL_NOT_64)
#define G(group)  CELL_GROUP(GROUP_##group)
#define Gb(group) (G(group) | CELL_IMMEDIATE(IMMEDIATE_B))
#define Gz(group) (G(group) | CELL_IMMEDIATE(IMMEDIATE_Z))
#define P   CELL_PREFIX

/*
 * D6 (SALC) is a hole in the SDM's map, but no processor has it undefined. Where 0F, C4, C5,
 * 62, 8F and, in 64-bit mode, 40 to 4F are something else, these cells are not asked.
 */
const uint32_t decode_map_one_byte[256] = {
	/*	     0/8    1/9    2/a    3/b    4/c    5/d    6/e    7/f */
	/* 00 */     ML,    ML,    M,     M,     Xb,    Xz,    XN,    XN,	/* ADD, PUSH and POP ES */
	/* 08 */     ML,    ML,    M,     M,     Xb,    Xz,    XN,    UD,	/* OR, PUSH CS, two-byte opcodes */
	/* 10 */     ML,    ML,    M,     M,     Xb,    Xz,    XN,    XN,	/* ADC, PUSH and POP SS */
	/* 18 */     ML,    ML,    M,     M,     Xb,    Xz,    XN,    XN,	/* SBB, PUSH and POP DS */
	/* 20 */     ML,    ML,    M,     M,     Xb,    Xz,    P,     XN,	/* AND, DAA */
	/* 28 */     ML,    ML,    M,     M,     Xb,    Xz,    P,     XN,	/* SUB, DAS */
	/* 30 */     ML,    ML,    M,     M,     Xb,    Xz,    P,     XN,	/* XOR, AAA */
	/* 38 */     M,     M,     M,     M,     Xb,    Xz,    P,     XN,	/* CMP, AAS */
	/* 40 */     XN,    XN,    XN,    XN,    XN,    XN,    XN,    XN,	/* INC */
	/* 48 */     XN,    XN,    XN,    XN,    XN,    XN,    XN,    XN,	/* DEC */
	/* 50 */     X8,    X8,    X8,    X8,    X8,    X8,    X8,    X8,	/* PUSH */
	/* 58 */     X8,    X8,    X8,    X8,    X8,    X8,    X8,    X8,	/* POP */
	/* 60 */     XN,    XN,    MmN,   M,     P,     P,     P,     P,	/* PUSHA, POPA, BOUND, ARPL or MOVSXD */
	/* 68 */     X8z,   Mz,    X8b,   Mb,    X,     XP,    X,     XP,	/* PUSH, IMUL, INS, OUTS */
	/* 70 */     Jb,    Jb,    Jb,    Jb,    Jb,    Jb,    Jb,    Jb,	/* Jcc */
	/* 78 */     Jb,    Jb,    Jb,    Jb,    Jb,    Jb,    Jb,    Jb,
	/* 80 */     Gb(1), Gz(1), Gb(1) | CELL_NOT_64, Gb(1), M, M, ML, ML,	/* group 1, TEST, XCHG */
	/* 88 */     M,     M,     M,     M,     M,     Mm,    M,     G(1A),	/* MOV, LEA, POP */
	/* 90 */     X,     X,     X,     X,     X,     X,     X,     X,	/* XCHG, NOP, PAUSE */
	/* 98 */     X,     X,     XNp,   X,     X8,    X8,    X,     X,	/* CBW, CWD, CALLF, WAIT, PUSHF, POPF, SAHF, LAHF */
	/* a0 */     Xo,    Xo,    Xo,    Xo,    X,     X,     X,     X,	/* MOV, MOVS, CMPS */
	/* a8 */     Xb,    Xz,    X,     X,     X,     X,     X,     X,	/* TEST, STOS, LODS, SCAS */
	/* b0 */     Xb,    Xb,    Xb,    Xb,    Xb,    Xb,    Xb,    Xb,	/* MOV */
	/* b8 */     Xv,    Xv,    Xv,    Xv,    Xv,    Xv,    Xv,    Xv,
	/* c0 */     Gb(2), Gb(2), Jw,    J,     MmN,   MmN,   Gb(11), Gz(11),	/* shifts, RET, LES, LDS, MOV */
	/* c8 */     Ent,   X8,    Xw,    X,     X,     Xb,    XN,    X,	/* ENTER, LEAVE, RETF, INT3, INT, INTO, IRET */
	/* d0 */     G(2),  G(2),  G(2),  G(2),  XNb,   XNb,   XN,    X,	/* shifts, AAM, AAD, SALC, XLAT */
	/* d8 */     G(D8), G(D9), G(DA), G(DB), G(DC), G(DD), G(DE), G(DF),	/* x87 */
	/* e0 */     Jb,    Jb,    Jb,    Jb,    Xb,    XPb,   Xb,    XPb,	/* LOOPcc, JrCXZ, IN, OUT */
	/* e8 */     Jz,    Jz,    XNp,   Jb,    X,     XP,    X,     XP,	/* CALL, JMP, JMPF, JMP, IN, OUT */
	/* f0 */     P,     X,     P,     P,     X,     X,     G(3_BYTE), G(3),	/* INT1, HLT, CMC, group 3 */
	/* f8 */     X,     X,     X,     X,     X,     X,     G(4),  G(5),	/* CLC, STC, CLI, STI, CLD, STD, INC, DEC */
};

/* Sets of columns, and what an instruction may have in them. */
#define N    COLUMN_N
#define N6   (COLUMN_N | COLUMN_6)
#define N3   (COLUMN_N | COLUMN_3)
#define N63  (COLUMN_N | COLUMN_6 | COLUMN_3)
#define P6   COLUMN_6
#define P3   COLUMN_3
#define P2   COLUMN_2
#define N62  (COLUMN_N | COLUMN_6 | COLUMN_2)
#define P63  (COLUMN_6 | COLUMN_3)
#define P62  (COLUMN_6 | COLUMN_2)
#define P32  (COLUMN_3 | COLUMN_2)
#define P632 (COLUMN_6 | COLUMN_3 | COLUMN_2)
#define ALL  COLUMN_ALL
#define V(columns)  CELL_EITHER(columns)
#define VM(columns) CELL_MEMORY_ONLY(columns)
#define VR(columns) CELL_REGISTER_ONLY(columns)
#define F(memory, register) CELL_FORMS(memory, register)
#define IB	    CELL_IMMEDIATE(IMMEDIATE_B)
#define NATURAL	    CELL_OPERAND(OPERAND_NATURAL)
#define R32_64	    CELL_OPERAND(OPERAND_32_64)

const uint32_t decode_map_0f[256] = {
	[0x00] = G(6),				/* SLDT, STR, LLDT, LTR, VERR, VERW, LKGS */
	[0x01] = G(7),				/* SGDT, SIDT, LGDT, LIDT, SMSW, LMSW, INVLPG, many more */
	[0x02 ... 0x03] = M,			/* LAR, LSL */
	[0x05 ... 0x09] = X,			/* SYSCALL, CLTS, SYSRET, INVD, WBINVD */
	[0x0b] = X,				/* UD2 */
	[0x0d] = M,				/* PREFETCH, PREFETCHW */
	[0x0e] = X,				/* FEMMS */
	[0x0f] = M | CELL_IMMEDIATE(IMMEDIATE_SUFFIX),
	[0x10 ... 0x11] = V(ALL),		/* MOVUPS, MOVUPD, MOVSS, MOVSD */
	[0x12] = F(ALL, ALL & ~P6),		/* MOVLPS, MOVHLPS, MOVLPD, MOVSLDUP, MOVDDUP */
	[0x13] = VM(N6),			/* MOVLPS, MOVLPD */
	[0x14 ... 0x15] = V(N6),		/* UNPCKL, UNPCKH */
	[0x16] = F(N63, N3),			/* MOVHPS, MOVLHPS, MOVHPD, MOVSHDUP */
	[0x17] = VM(N6),			/* MOVHPS, MOVHPD */
	[0x18 ... 0x1f] = M,			/* PREFETCHh, NOP; among them MPX, CLDEMOTE, ENDBR, RDSSP */
	[0x20 ... 0x23] = M | CELL_IGNORE_MOD | NATURAL, /* MOV CR, MOV DR */
	[0x28 ... 0x29] = V(N6),		/* MOVAPS, MOVAPD */
	[0x2a] = V(ALL),			/* CVTPI2PS and its kin */
	[0x2b] = VM(ALL),			/* MOVNTPS, MOVNTPD, MOVNTSS, MOVNTSD */
	[0x2c ... 0x2d] = V(ALL),		/* CVTTPS2PI, CVTPS2PI and their kin */
	[0x2e ... 0x2f] = V(N6),		/* UCOMISS, COMISS */
	[0x30 ... 0x35] = X,			/* WRMSR, RDTSC, RDMSR, RDPMC, SYSENTER, SYSEXIT */
	[0x37] = CELL_PLAIN(N),			/* GETSEC */
	[0x40 ... 0x4f] = M,			/* CMOVcc */
	[0x50] = VR(N6),			/* MOVMSKPS, MOVMSKPD */
	[0x51] = V(ALL),			/* SQRT */
	[0x52 ... 0x53] = V(N3),		/* RSQRT, RCP */
	[0x54 ... 0x57] = V(N6),		/* AND, ANDN, OR, XOR */
	[0x58 ... 0x5a] = V(ALL),		/* ADD, MUL, CVTPS2PD and its kin */
	[0x5b] = V(N63),			/* CVTDQ2PS, CVTPS2DQ, CVTTPS2DQ */
	[0x5c ... 0x5f] = V(ALL),		/* SUB, MIN, DIV, MAX */
	[0x60 ... 0x6b] = V(N6),		/* PUNPCK, PACK, PCMPGT */
	[0x6c ... 0x6d] = V(P6),		/* PUNPCKLQDQ, PUNPCKHQDQ */
	[0x6e] = V(N6),				/* MOVD, MOVQ */
	[0x6f] = V(N63),			/* MOVQ, MOVDQA, MOVDQU */
	[0x70] = V(ALL) | IB,			/* PSHUFW, PSHUFD, PSHUFHW, PSHUFLW */
	[0x71 ... 0x72] = Gb(12),		/* shifts of words and doublewords */
	[0x73] = Gb(14),			/* shifts of quadwords */
	[0x74 ... 0x76] = V(N6),		/* PCMPEQ */
	[0x77] = CELL_PLAIN(N),			/* EMMS */
	[0x78] = G(EXTRQ) | NATURAL,		/* VMREAD, EXTRQ, INSERTQ */
	[0x79] = F(N, N | P62) | NATURAL,	/* VMWRITE, EXTRQ, INSERTQ */
	[0x7c ... 0x7d] = V(P62),		/* HADD, HSUB */
	[0x7e ... 0x7f] = V(N63),		/* MOVD, MOVQ, MOVDQA, MOVDQU */
	[0x80 ... 0x8f] = Jz,			/* Jcc */
	[0x90 ... 0x9f] = M,			/* SETcc */
	[0xa0 ... 0xa1] = X8,			/* PUSH FS, POP FS */
	[0xa2] = X,				/* CPUID */
	[0xa3] = M,				/* BT */
	[0xa4] = Mb,				/* SHLD */
	[0xa5] = M,
	[0xa8 ... 0xa9] = X8,			/* PUSH GS, POP GS */
	[0xaa] = X,				/* RSM */
	[0xab] = ML,				/* BTS */
	[0xac] = Mb,				/* SHRD */
	[0xad] = M,
	[0xae] = G(15),				/* FXSAVE, LDMXCSR, XSAVE, CLFLUSH, fences, FS and GS bases */
	[0xaf] = M,				/* IMUL */
	[0xb0 ... 0xb1] = ML,			/* CMPXCHG */
	[0xb2] = Mm,				/* LSS */
	[0xb3] = ML,				/* BTR */
	[0xb4 ... 0xb5] = Mm,			/* LFS, LGS */
	[0xb6 ... 0xb7] = M,			/* MOVZX */
	[0xb8] = V(P3),				/* POPCNT; JMPE, without the prefix, is Itanium's */
	[0xb9] = M,				/* UD1 */
	[0xba] = Gb(8),				/* BT, BTS, BTR, BTC */
	[0xbb] = ML,				/* BTC */
	[0xbc ... 0xbf] = M,			/* BSF, TZCNT, BSR, LZCNT, MOVSX */
	[0xc0 ... 0xc1] = ML,			/* XADD */
	[0xc2] = V(ALL) | IB,			/* CMPPS, CMPPD, CMPSS, CMPSD */
	[0xc3] = VM(N) | R32_64,		/* MOVNTI */
	[0xc4] = V(N6) | IB,			/* PINSRW */
	[0xc5] = VR(N6) | IB,			/* PEXTRW */
	[0xc6] = V(N6) | IB,			/* SHUFPS, SHUFPD */
	[0xc7] = G(9),				/* CMPXCHG8B, VMPTRLD, RDRAND, RDPID */
	[0xc8 ... 0xcf] = X,			/* BSWAP */
	[0xd0] = V(P62),			/* ADDSUB */
	[0xd1 ... 0xd5] = V(N6),		/* PSRL, PADDQ, PMULLW */
	[0xd6] = F(P6, P632),			/* MOVQ, MOVQ2DQ, MOVDQ2Q */
	[0xd7] = VR(N6),			/* PMOVMSKB */
	[0xd8 ... 0xe5] = V(N6),		/* PSUBUS, PADDUS, PAND, PAVG, PSRA, PMULH */
	[0xe6] = V(P632),			/* CVTTPD2DQ, CVTDQ2PD, CVTPD2DQ */
	[0xe7] = VM(N6),			/* MOVNTQ, MOVNTDQ */
	[0xe8 ... 0xef] = V(N6),		/* PSUBS, POR, PADDS, PXOR */
	[0xf0] = VM(P2),			/* LDDQU */
	[0xf1 ... 0xf6] = V(N6),		/* PSLL, PMULUDQ, PMADDWD, PSADBW */
	[0xf7] = VR(N6),			/* MASKMOVQ, MASKMOVDQU */
	[0xf8 ... 0xfe] = V(N6),		/* PSUB, PADD */
	[0xff] = M,				/* UD0 */
};

const uint32_t decode_map_0f38[256] = {
	[0x00 ... 0x0b] = V(N6),		/* PSHUFB, PHADD, PMADDUBSW, PHSUB, PSIGN, PMULHRSW */
	[0x10] = V(P6),				/* PBLENDVB */
	[0x14 ... 0x15] = V(P6),		/* BLENDVPS, BLENDVPD */
	[0x17] = V(P6),				/* PTEST */
	[0x1c ... 0x1e] = V(N6),		/* PABS */
	[0x20 ... 0x25] = V(P6),		/* PMOVSX */
	[0x28 ... 0x29] = V(P6),		/* PMULDQ, PCMPEQQ */
	[0x2a] = VM(P6),			/* MOVNTDQA */
	[0x2b] = V(P6),				/* PACKUSDW */
	[0x30 ... 0x35] = V(P6),		/* PMOVZX */
	[0x37 ... 0x41] = V(P6),		/* PCMPGTQ, PMIN, PMAX, PMULLD, PHMINPOSUW */
	[0x80 ... 0x82] = VM(P6) | NATURAL,	/* INVEPT, INVVPID, INVPCID */
	[0xc8 ... 0xcd] = V(N),			/* SHA */
	[0xcf] = V(P6),				/* GF2P8MULB */
	[0xd8] = G(KEY_LOCKER_WIDE),
	[0xdb] = V(P6),				/* AESIMC */
	[0xdc] = V(P63),			/* AESENC, AESENC128KL, LOADIWKEY */
	[0xdd ... 0xdf] = F(P63, P6),		/* AESENCLAST, AESDEC; Key Locker */
	[0xf0 ... 0xf1] = F(N62, P2),		/* MOVBE, CRC32 */
	[0xf5] = VM(P6) | R32_64,		/* WRUSS */
	[0xf6] = F(N63, P63) | R32_64,		/* WRSS, ADCX, ADOX */
	[0xf8] = F(P632, P32) | CELL_REGISTER_64, /* MOVDIR64B, ENQCMD, ENQCMDS; URDMSR, UWRMSR */
	[0xf9] = VM(N) | R32_64,		/* MOVDIRI */
	[0xfa ... 0xfb] = VR(P3),		/* ENCODEKEY128, ENCODEKEY256 */
	[0xfc] = VM(ALL) | R32_64,		/* AADD, AAND, AXOR, AOR */
};

const uint32_t decode_map_0f3a[256] = {
	[0x08 ... 0x0e] = V(P6) | IB,		/* ROUND, BLEND, PBLENDW */
	[0x0f] = V(N6) | IB,			/* PALIGNR */
	[0x14 ... 0x17] = V(P6) | IB,		/* PEXTR, EXTRACTPS */
	[0x20 ... 0x22] = V(P6) | IB,		/* PINSRB, INSERTPS, PINSRD */
	[0x40 ... 0x42] = V(P6) | IB,		/* DPPS, DPPD, MPSADBW */
	[0x44] = V(P6) | IB,			/* PCLMULQDQ */
	[0x60 ... 0x63] = V(P6) | IB,		/* PCMPESTRM to PCMPISTRI */
	[0xcc] = V(N) | IB,			/* SHA1RNDS4 */
	[0xce ... 0xcf] = V(P6) | IB,		/* GF2P8AFFINE */
	[0xdf] = V(P6) | IB,			/* AESKEYGENASSIST */
	[0xf0] = Gb(HRESET),
};

/* APM 3, appendix A.1.2: PI2FW to PAVGUSB */
const uint32_t decode_3dnow_suffixes[8] = {
	[0x0c >> 5] = 1u << 0x0c | 1u << 0x0d | 1u << 0x1c | 1u << 0x1d,
	[0x80 >> 5] = 1u << 0x0a | 1u << 0x0e | 1u << 0x10 | 1u << 0x14 | 1u << 0x16 | 1u << 0x17 |
		      1u << 0x1a | 1u << 0x1e,
	[0xa0 >> 5] = 1u << 0x00 | 1u << 0x04 | 1u << 0x06 | 1u << 0x07 | 1u << 0x0a | 1u << 0x0e |
		      1u << 0x10 | 1u << 0x14 | 1u << 0x16 | 1u << 0x17 | 1u << 0x1b | 1u << 0x1f,
};
