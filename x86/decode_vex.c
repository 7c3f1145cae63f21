/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/decode_cell.h"

/*
 * The opcode maps behind a VEX prefix (SDM 2, appendix A.3, where the mnemonic begins
 * with a "v"; APM 3, appendix A.1) and behind AMD's XOP prefix (APM 3, appendix A.1).
 */

/* clang-format off */

#define N    COLUMN_N
#define N6   (COLUMN_N | COLUMN_6)
#define N3   (COLUMN_N | COLUMN_3)
#define N63  (COLUMN_N | COLUMN_6 | COLUMN_3)
#define N62  (COLUMN_N | COLUMN_6 | COLUMN_2)
#define N32  (COLUMN_N | COLUMN_3 | COLUMN_2)
#define P6   COLUMN_6
#define P3   COLUMN_3
#define P2   COLUMN_2
#define P63  (COLUMN_6 | COLUMN_3)
#define P62  (COLUMN_6 | COLUMN_2)
#define P32  (COLUMN_3 | COLUMN_2)
#define P632 (COLUMN_6 | COLUMN_3 | COLUMN_2)
#define ALL  COLUMN_ALL
#define V(columns)  CELL_EITHER(columns)
#define VM(columns) CELL_MEMORY_ONLY(columns)
#define VR(columns) CELL_REGISTER_ONLY(columns)
#define F(memory, register) CELL_FORMS(memory, register)
#define G(group)    CELL_GROUP(GROUP_##group)
#define IB	    CELL_IMMEDIATE(IMMEDIATE_B)
#define ID	    CELL_IMMEDIATE(IMMEDIATE_D)
#define O64	    CELL_ONLY_64

const uint32_t decode_map_vex1[256] = {
	[0x10 ... 0x11] = V(ALL),		/* VMOVUPS, VMOVUPD, VMOVSS, VMOVSD */
	[0x12] = F(ALL, N32),		/* VMOVLPS, VMOVHLPS, VMOVLPD, VMOVSLDUP, VMOVDDUP */
	[0x13] = VM(N6),			/* VMOVLPS, VMOVLPD */
	[0x14 ... 0x15] = V(N6),		/* VUNPCKL, VUNPCKH */
	[0x16] = F(N63, N3),		/* VMOVHPS, VMOVLHPS, VMOVHPD, VMOVSHDUP */
	[0x17] = VM(N6),			/* VMOVHPS, VMOVHPD */
	[0x28 ... 0x29] = V(N6),		/* VMOVAPS, VMOVAPD */
	[0x2a] = V(P32),			/* VCVTSI2SS, VCVTSI2SD */
	[0x2b] = VM(N6),			/* VMOVNTPS, VMOVNTPD */
	[0x2c ... 0x2d] = V(P32),		/* VCVTTSS2SI, VCVTSS2SI and their kin */
	[0x2e ... 0x2f] = V(N6),		/* VUCOMISS, VCOMISS */
	[0x41 ... 0x42] = VR(N6),		/* KAND, KANDN */
	[0x44 ... 0x47] = VR(N6),		/* KNOT, KOR, KXNOR, KXOR */
	[0x4a ... 0x4b] = VR(N6),		/* KADD, KUNPCK */
	[0x50] = VR(N6),			/* VMOVMSKPS, VMOVMSKPD */
	[0x51] = V(ALL),			/* VSQRT */
	[0x52 ... 0x53] = V(N3),		/* VRSQRT, VRCP */
	[0x54 ... 0x57] = V(N6),		/* VAND, VANDN, VOR, VXOR */
	[0x58 ... 0x5a] = V(ALL),		/* VADD, VMUL, VCVTPS2PD and its kin */
	[0x5b] = V(N63),			/* VCVTDQ2PS, VCVTPS2DQ, VCVTTPS2DQ */
	[0x5c ... 0x5f] = V(ALL),		/* VSUB, VMIN, VDIV, VMAX */
	[0x60 ... 0x6e] = V(P6),		/* VPUNPCK, VPACK, VPCMPGT, VMOVD */
	[0x6f] = V(P63),			/* VMOVDQA, VMOVDQU */
	[0x70] = V(P632) | IB,			/* VPSHUFD, VPSHUFHW, VPSHUFLW */
	[0x71 ... 0x72] = G(VEX_SHIFT_W) | IB,
	[0x73] = G(VEX_SHIFT_Q) | IB,
	[0x74 ... 0x76] = V(P6),		/* VPCMPEQ */
	[0x77] = CELL_PLAIN(N),			/* VZEROUPPER, VZEROALL */
	[0x7c ... 0x7d] = V(P62),		/* VHADD, VHSUB */
	[0x7e ... 0x7f] = V(P63),		/* VMOVD, VMOVQ, VMOVDQA, VMOVDQU */
	[0x90] = V(N6),				/* KMOV */
	[0x91] = VM(N6),
	[0x92 ... 0x93] = VR(N62),
	[0x98 ... 0x99] = VR(N6),		/* KORTEST, KTEST */
	[0xae] = G(VEX_MXCSR),
	[0xc2] = V(ALL) | IB,			/* VCMPPS, VCMPPD, VCMPSS, VCMPSD */
	[0xc4] = V(P6) | IB,			/* VPINSRW */
	[0xc5] = VR(P6) | IB,			/* VPEXTRW */
	[0xc6] = V(N6) | IB,			/* VSHUFPS, VSHUFPD */
	[0xd0] = V(P62),			/* VADDSUB */
	[0xd1 ... 0xd6] = V(P6),		/* VPSRL, VPADDQ, VPMULLW, VMOVQ */
	[0xd7] = VR(P6),			/* VPMOVMSKB */
	[0xd8 ... 0xe5] = V(P6),		/* VPSUBUS, VPADDUS, VPAND, VPAVG, VPSRA, VPMULH */
	[0xe6] = V(P632),			/* VCVTTPD2DQ, VCVTDQ2PD, VCVTPD2DQ */
	[0xe7] = VM(P6),			/* VMOVNTDQ */
	[0xe8 ... 0xef] = V(P6),		/* VPSUBS, VPOR, VPADDS, VPXOR */
	[0xf0] = VM(P2),			/* VLDDQU */
	[0xf1 ... 0xf6] = V(P6),		/* VPSLL, VPMULUDQ, VPMADDWD, VPSADBW */
	[0xf7] = VR(P6),			/* VMASKMOVDQU */
	[0xf8 ... 0xfe] = V(P6),		/* VPSUB, VPADD */
};

const uint32_t decode_map_vex2[256] = {
	[0x00 ... 0x0f] = V(P6),		/* VPSHUFB, VPHADD, VPSIGN, VPERMILPS, VTESTPS */
	[0x13] = V(P6),				/* VCVTPH2PS */
	[0x16 ... 0x19] = V(P6),		/* VPERMPS, VPTEST, VBROADCASTSS, VBROADCASTSD */
	[0x1a] = VM(P6),			/* VBROADCASTF128 */
	[0x1c ... 0x1e] = V(P6),		/* VPABS */
	[0x20 ... 0x25] = V(P6),		/* VPMOVSX */
	[0x28 ... 0x29] = V(P6),		/* VPMULDQ, VPCMPEQQ */
	[0x2a] = VM(P6),			/* VMOVNTDQA */
	[0x2b] = V(P6),				/* VPACKUSDW */
	[0x2c ... 0x2f] = VM(P6),		/* VMASKMOV */
	[0x30 ... 0x41] = V(P6),		/* VPMOVZX, VPERMD, VPCMPGTQ, VPMIN, VPMAX, VPMULLD */
	[0x45 ... 0x47] = V(P6),		/* VPSRLV, VPSRAVD, VPSLLV */
	[0x49] = G(VEX_TILE) | O64,
	[0x4b] = VM(P632) | CELL_SIB | O64,		/* TILELOADDT1, TILESTORED, TILELOADD */
	[0x50 ... 0x51] = V(ALL),		/* VPDPBUSD, VPDPBUUD, VPDPBSUD, VPDPBSSD */
	[0x52 ... 0x53] = V(P6),		/* VPDPWSSD */
	[0x58 ... 0x59] = V(P6),		/* VPBROADCASTD, VPBROADCASTQ */
	[0x5a] = VM(P6),			/* VBROADCASTI128 */
	[0x5c] = VR(P32) | O64,			/* TDPBF16PS, TDPFP16PS */
	[0x5e] = VR(ALL) | O64,			/* TDPBUUD, TDPBUSD, TDPBSUD, TDPBSSD */
	[0x6c] = VR(N6) | O64,			/* TCMMRLFP16PS, TCMMIMFP16PS */
	[0x72] = V(P3),				/* VCVTNEPS2BF16 */
	[0x78 ... 0x79] = V(P6),		/* VPBROADCASTB, VPBROADCASTW */
	[0x8c] = VM(P6),			/* VPMASKMOV */
	[0x8e] = VM(P6),
	[0x90 ... 0x93] = VM(P6) | CELL_VSIB,	/* VPGATHER, VGATHER */
	[0x96 ... 0x9f] = V(P6),		/* VFMADDSUB132 to VFNMSUB132 */
	[0xa6 ... 0xaf] = V(P6),		/* VFMADDSUB213 to VFNMSUB213 */
	[0xb0] = VM(ALL),			/* VCVTNEOPH2PS, VCVTNEEPH2PS, VCVTNEEBF162PS, ... */
	[0xb1] = VM(P63),			/* VBCSTNESH2PS, VBCSTNEBF162PS */
	[0xb4 ... 0xb5] = V(P6),		/* VPMADD52 */
	[0xb6 ... 0xbf] = V(P6),		/* VFMADDSUB231 to VFNMSUB231 */
	[0xcb ... 0xcd] = VR(P2),		/* VSHA512 */
	[0xcf] = V(P6),				/* VGF2P8MULB */
	[0xd2 ... 0xd3] = V(N63),		/* VPDPWUUD, VPDPWUSD, VPDPWSUD */
	[0xda] = V(ALL),			/* VSM3MSG1, VSM3MSG2, VSM4KEY4, VSM4RNDS4 */
	[0xdb ... 0xdf] = V(P6),		/* VAES */
	[0xe0 ... 0xef] = VM(P6) | O64,		/* CMPccXADD */
	[0xf2] = V(N),				/* ANDN */
	[0xf3] = G(VEX_17),
	[0xf5] = V(N32),			/* BZHI, PEXT, PDEP */
	[0xf6] = V(P2),				/* MULX */
	[0xf7] = V(ALL),			/* BEXTR, SHLX, SARX, SHRX */
};

const uint32_t decode_map_vex3[256] = {
	[0x00 ... 0x02] = V(P6) | IB,		/* VPERMQ, VPERMPD, VPBLENDD */
	[0x04 ... 0x06] = V(P6) | IB,		/* VPERMIL, VPERM2F128 */
	[0x08 ... 0x0f] = V(P6) | IB,		/* VROUND, VBLEND, VPALIGNR */
	[0x14 ... 0x19] = V(P6) | IB,		/* VPEXTR, VEXTRACTPS, VINSERTF128, VEXTRACTF128 */
	[0x1d] = V(P6) | IB,			/* VCVTPS2PH */
	[0x20 ... 0x22] = V(P6) | IB,		/* VPINSR, VINSERTPS */
	[0x30 ... 0x33] = VR(P6) | IB,		/* KSHIFTR, KSHIFTL */
	[0x38 ... 0x39] = V(P6) | IB,		/* VINSERTI128, VEXTRACTI128 */
	[0x40 ... 0x42] = V(P6) | IB,		/* VDPPS, VDPPD, VMPSADBW */
	[0x44] = V(P6) | IB,			/* VPCLMULQDQ */
	[0x46] = V(P6) | IB,			/* VPERM2I128 */
	[0x48 ... 0x49] = V(P6) | IB,		/* VPERMIL2 (XOP) */
	[0x4a ... 0x4c] = V(P6) | IB,		/* VBLENDV, VPBLENDVB */
	[0x5c ... 0x5f] = V(P6) | IB,		/* VFMADDSUB, VFMSUBADD (FMA4) */
	[0x60 ... 0x63] = V(P6) | IB,		/* VPCMPESTRM to VPCMPISTRI */
	[0x68 ... 0x6f] = V(P6) | IB,		/* VFMADD, VFMSUB (FMA4) */
	[0x78 ... 0x7f] = V(P6) | IB,		/* VFNMADD, VFNMSUB (FMA4) */
	[0xce ... 0xcf] = V(P6) | IB,		/* VGF2P8AFFINE */
	[0xde] = V(P6) | IB,			/* VSM3RNDS2 */
	[0xdf] = V(P6) | IB,			/* VAESKEYGENASSIST */
	[0xf0] = V(P2) | IB,			/* RORX */
};

const uint32_t decode_map_vex7[256] = {
	[0xf8] = G(VEX_USER_MSR) | ID | O64,	/* URDMSR, UWRMSR */
};

const uint32_t decode_map_xop8[256] = {
	[0x85 ... 0x87] = V(N) | IB,		/* VPMACSSWW, VPMACSSWD, VPMACSSDQL */
	[0x8e ... 0x8f] = V(N) | IB,		/* VPMACSSDD, VPMACSSDQH */
	[0x95 ... 0x97] = V(N) | IB,		/* VPMACSWW, VPMACSWD, VPMACSDQL */
	[0x9e ... 0x9f] = V(N) | IB,		/* VPMACSDD, VPMACSDQH */
	[0xa2 ... 0xa3] = V(N) | IB,		/* VPCMOV, VPPERM */
	[0xa6] = V(N) | IB,			/* VPMADCSSWD */
	[0xb6] = V(N) | IB,			/* VPMADCSWD */
	[0xc0 ... 0xc3] = V(N) | IB,		/* VPROT */
	[0xcc ... 0xcf] = V(N) | IB,		/* VPCOM */
	[0xec ... 0xef] = V(N) | IB,		/* VPCOMU */
};

const uint32_t decode_map_xop9[256] = {
	[0x01] = G(XOP_1),
	[0x02] = G(XOP_2),
	[0x12] = G(XOP_LWPCB),
	[0x80 ... 0x83] = V(N),			/* VFRCZ */
	[0x90 ... 0x9b] = V(N),			/* VPROT, VPSHL, VPSHA */
	[0xc1 ... 0xc3] = V(N),			/* VPHADDB */
	[0xc6 ... 0xc7] = V(N),			/* VPHADDW */
	[0xcb] = V(N),				/* VPHADDDQ */
	[0xd1 ... 0xd3] = V(N),			/* VPHADDUB */
	[0xd6 ... 0xd7] = V(N),			/* VPHADDUW */
	[0xdb] = V(N),				/* VPHADDUDQ */
	[0xe1 ... 0xe3] = V(N),			/* VPHSUB */
};

const uint32_t decode_map_xopa[256] = {
	[0x10] = V(N) | ID,			/* BEXTR */
	[0x12] = G(XOP_LWP) | ID,
};
