/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "x86/decode_cell.h"

/*
 * The opcode maps behind an EVEX prefix: SDM 2, chapters 3 to 5, whose descriptions name
 * the tuple type of each instruction; what a type means is in SDM 2, 2.7.5.
 */

/* clang-format off */

#define B1   TUPLE_1
#define B2   TUPLE_2
#define B4   TUPLE_4
#define B8   TUPLE_8
#define B16  TUPLE_16
#define B32  TUPLE_32
#define BW   TUPLE_WORD_BY_W
#define DQ   TUPLE_QUAD_BY_W
#define GPR  TUPLE_GPR_BY_W
#define FV   TUPLE_FULL
#define FV2  TUPLE_FULL_FP16
#define HV   TUPLE_HALF
#define HV2  TUPLE_HALF_FP16
#define QV2  TUPLE_QUARTER_FP16
#define HFV  TUPLE_HALF_OR_FULL
#define FVM  TUPLE_FULL_MEM
#define HVM  TUPLE_HALF_MEM
#define QVM  TUPLE_QUARTER_MEM
#define OVM  TUPLE_EIGHTH_MEM
#define DUP  TUPLE_MOVDDUP
#define UD   TUPLE_NONE
#define R    TUPLE_REGISTER_ONLY
#define M    TUPLE_MEMORY_ONLY

#define E(...)	     { { __VA_ARGS__ }, 0, false, false }
#define E66(tuple)   { { UD, tuple }, 0, false, false }
#define EI(...)	     { { __VA_ARGS__ }, 0, true, false }
#define EI66(tuple)  { { UD, tuple }, 0, true, false }
#define GATHER	     { { UD, DQ | M }, 0, false, true }
#define GATHER_GROUP { { UD, DQ | M }, 1 << 1 | 1 << 2 | 1 << 5 | 1 << 6, false, true }

const struct evex_cell decode_map_evex1[256] = {
	/*		  none	   66	    F3	     F2 */
	[0x10 ... 0x11] = E(FVM,   FVM,	    B4,	     B8),	/* VMOVUPS, VMOVUPD, VMOVSS, VMOVSD */
	[0x12]		= E(B8,	   B8 | M,  FVM,     DUP),	/* VMOVLPS, VMOVHLPS, VMOVLPD, VMOVSLDUP, VMOVDDUP */
	[0x13]		= E(B8 | M, B8 | M),			/* VMOVLPS, VMOVLPD */
	[0x14 ... 0x15] = E(FV,	   FV),				/* VUNPCKL, VUNPCKH */
	[0x16]		= E(B8,	   B8 | M,  FVM),		/* VMOVHPS, VMOVLHPS, VMOVHPD, VMOVSHDUP */
	[0x17]		= E(B8 | M, B8 | M),			/* VMOVHPS, VMOVHPD */
	[0x28 ... 0x29] = E(FVM,   FVM),			/* VMOVAPS, VMOVAPD */
	[0x2a]		= E(UD,	   UD,	    GPR,     GPR),	/* VCVTSI2SS, VCVTSI2SD */
	[0x2b]		= E(FVM | M, FVM | M),			/* VMOVNTPS, VMOVNTPD */
	[0x2c ... 0x2d] = E(UD,	   UD,	    B4,	     B8),	/* VCVTTSS2SI, VCVTSS2SI and their kin */
	[0x2e ... 0x2f] = E(B4,	   B8),				/* VUCOMISS, VCOMISS */
	[0x51]		= E(FV,	   FV,	    B4,	     B8),	/* VSQRT */
	[0x54 ... 0x57] = E(FV,	   FV),				/* VAND, VANDN, VOR, VXOR */
	[0x58 ... 0x59] = E(FV,	   FV,	    B4,	     B8),	/* VADD, VMUL */
	[0x5a]		= E(HV,	   FV,	    B4,	     B8),	/* VCVTPS2PD, VCVTPD2PS, VCVTSS2SD, VCVTSD2SS */
	[0x5b]		= E(FV,	   FV,	    FV),		/* VCVTDQ2PS, VCVTQQ2PS, VCVTPS2DQ, VCVTTPS2DQ */
	[0x5c ... 0x5f] = E(FV,	   FV,	    B4,	     B8),	/* VSUB, VMIN, VDIV, VMAX */
	[0x60 ... 0x61] = E66(FVM),				/* VPUNPCKLBW, VPUNPCKLWD */
	[0x62]		= E66(FV),				/* VPUNPCKLDQ */
	[0x63 ... 0x65] = E66(FVM),				/* VPACKSSWB, VPCMPGTB, VPCMPGTW */
	[0x66]		= E66(FV),				/* VPCMPGTD */
	[0x67 ... 0x69] = E66(FVM),				/* VPACKUSWB, VPUNPCKHBW, VPUNPCKHWD */
	[0x6a ... 0x6d] = E66(FV),				/* VPUNPCKHDQ, VPACKSSDW, VPUNPCKLQDQ, VPUNPCKHQDQ */
	[0x6e]		= E66(GPR),				/* VMOVD, VMOVQ */
	[0x6f]		= E(UD,	   FVM,	    FVM,     FVM),	/* VMOVDQA, VMOVDQU */
	[0x70]		= EI(UD,   FV,	    FVM,     FVM),	/* VPSHUFD, VPSHUFHW, VPSHUFLW */
	[0x71]		= { { UD, FVM }, 1 << 2 | 1 << 4 | 1 << 6, true, false }, /* VPSRLW, VPSRAW, VPSLLW */
	[0x72]		= { { UD, FV }, 1 << 0 | 1 << 1 | 1 << 2 | 1 << 4 | 1 << 6, true, false }, /* VPROR, VPROL, ... */
	[0x73]		= { { UD, FV }, 1 << 2 | 1 << 3 | 1 << 6 | 1 << 7, true, false }, /* VPSRLQ, VPSRLDQ, ... */
	[0x74 ... 0x75] = E66(FVM),				/* VPCMPEQB, VPCMPEQW */
	[0x76]		= E66(FV),				/* VPCMPEQD */
	[0x78 ... 0x79] = E(FV,	   HFV,	    B4,	     B8),	/* VCVTTPS2UDQ, VCVTTPS2UQQ, VCVTTSS2USI and their kin */
	[0x7a]		= E(UD,	   HFV,	    HFV,     FV),	/* VCVTTPS2QQ, VCVTUDQ2PD, VCVTUDQ2PS */
	[0x7b]		= E(UD,	   HFV,	    GPR,     GPR),	/* VCVTPS2QQ, VCVTUSI2SS, VCVTUSI2SD */
	[0x7e]		= E(UD,	   GPR,	    B8),		/* VMOVD, VMOVQ */
	[0x7f]		= E(UD,	   FVM,	    FVM,     FVM),	/* VMOVDQA, VMOVDQU */
	[0xc2]		= EI(FV,   FV,	    B4,	     B8),	/* VCMP */
	[0xc4]		= EI66(B2),				/* VPINSRW */
	[0xc5]		= EI66(R),				/* VPEXTRW */
	[0xc6]		= EI(FV,   FV),				/* VSHUFPS, VSHUFPD */
	[0xd1 ... 0xd3] = E66(B16),				/* VPSRL */
	[0xd4]		= E66(FV),				/* VPADDQ */
	[0xd5]		= E66(FVM),				/* VPMULLW */
	[0xd6]		= E66(B8),				/* VMOVQ */
	[0xd8 ... 0xda] = E66(FVM),				/* VPSUBUSB, VPSUBUSW, VPMINUB */
	[0xdb]		= E66(FV),				/* VPAND */
	[0xdc ... 0xde] = E66(FVM),				/* VPADDUSB, VPADDUSW, VPMAXUB */
	[0xdf]		= E66(FV),				/* VPANDN */
	[0xe0]		= E66(FVM),				/* VPAVGB */
	[0xe1 ... 0xe2] = E66(B16),				/* VPSRA */
	[0xe3 ... 0xe5] = E66(FVM),				/* VPAVGW, VPMULHUW, VPMULHW */
	[0xe6]		= E(UD,	   FV,	    HFV,     FV),	/* VCVTTPD2DQ, VCVTDQ2PD, VCVTPD2DQ */
	[0xe7]		= E66(FVM | M),				/* VMOVNTDQ */
	[0xe8 ... 0xea] = E66(FVM),				/* VPSUBSB, VPSUBSW, VPMINSW */
	[0xeb]		= E66(FV),				/* VPOR */
	[0xec ... 0xee] = E66(FVM),				/* VPADDSB, VPADDSW, VPMAXSW */
	[0xef]		= E66(FV),				/* VPXOR */
	[0xf1 ... 0xf3] = E66(B16),				/* VPSLL */
	[0xf4]		= E66(FV),				/* VPMULUDQ */
	[0xf5 ... 0xf6] = E66(FVM),				/* VPMADDWD, VPSADBW */
	[0xf8 ... 0xf9] = E66(FVM),				/* VPSUBB, VPSUBW */
	[0xfa ... 0xfb] = E66(FV),				/* VPSUBD, VPSUBQ */
	[0xfc ... 0xfd] = E66(FVM),				/* VPADDB, VPADDW */
	[0xfe]		= E66(FV),				/* VPADDD */
};

const struct evex_cell decode_map_evex2[256] = {
	/*		  none	   66	    F3	     F2 */
	[0x00]		= E66(FVM),				/* VPSHUFB */
	[0x04]		= E66(FVM),				/* VPMADDUBSW */
	[0x0b]		= E66(FVM),				/* VPMULHRSW */
	[0x0c ... 0x0d] = E66(FV),				/* VPERMIL */
	[0x10]		= E(UD,	   FVM,	    HVM),		/* VPSRLVW, VPMOVUSWB */
	[0x11]		= E(UD,	   FVM,	    QVM),		/* VPSRAVW, VPMOVUSDB */
	[0x12]		= E(UD,	   FVM,	    OVM),		/* VPSLLVW, VPMOVUSQB */
	[0x13]		= E(UD,	   HVM,	    HVM),		/* VCVTPH2PS, VPMOVUSDW */
	[0x14]		= E(UD,	   FV,	    QVM),		/* VPRORV, VPMOVUSQW */
	[0x15]		= E(UD,	   FV,	    HVM),		/* VPROLV, VPMOVUSQD */
	[0x16]		= E66(FV),				/* VPERMPS, VPERMPD */
	[0x18]		= E66(B4),				/* VBROADCASTSS */
	[0x19]		= E66(B8),				/* VBROADCASTSD, VBROADCASTF32X2 */
	[0x1a]		= E66(B16 | M),				/* VBROADCASTF32X4, VBROADCASTF64X2 */
	[0x1b]		= E66(B32 | M),				/* VBROADCASTF32X8, VBROADCASTF64X4 */
	[0x1c ... 0x1d] = E66(FVM),				/* VPABSB, VPABSW */
	[0x1e ... 0x1f] = E66(FV),				/* VPABSD, VPABSQ */
	[0x20]		= E(UD,	   HVM,	    HVM),		/* VPMOVSXBW, VPMOVSWB */
	[0x21]		= E(UD,	   QVM,	    QVM),		/* VPMOVSXBD, VPMOVSDB */
	[0x22]		= E(UD,	   OVM,	    OVM),		/* VPMOVSXBQ, VPMOVSQB */
	[0x23]		= E(UD,	   HVM,	    HVM),		/* VPMOVSXWD, VPMOVSDW */
	[0x24]		= E(UD,	   QVM,	    QVM),		/* VPMOVSXWQ, VPMOVSQW */
	[0x25]		= E(UD,	   HVM,	    HVM),		/* VPMOVSXDQ, VPMOVSQD */
	[0x26]		= E(UD,	   FVM,	    FVM),		/* VPTESTMB, VPTESTNMB */
	[0x27]		= E(UD,	   FV,	    FV),		/* VPTESTMD, VPTESTNMD */
	[0x28 ... 0x29] = E(UD,	   FV,	    R),			/* VPMULDQ, VPMOVM2B; VPCMPEQQ, VPMOVB2M */
	[0x2a]		= E(UD,	   FVM | M, R),			/* VMOVNTDQA, VPBROADCASTMB2Q */
	[0x2b ... 0x2c] = E66(FV),				/* VPACKUSDW, VSCALEFPS */
	[0x2d]		= E66(DQ),				/* VSCALEFSS */
	[0x30]		= E(UD,	   HVM,	    HVM),		/* VPMOVZXBW, VPMOVWB */
	[0x31]		= E(UD,	   QVM,	    QVM),		/* VPMOVZXBD, VPMOVDB */
	[0x32]		= E(UD,	   OVM,	    OVM),		/* VPMOVZXBQ, VPMOVQB */
	[0x33]		= E(UD,	   HVM,	    HVM),		/* VPMOVZXWD, VPMOVDW */
	[0x34]		= E(UD,	   QVM,	    QVM),		/* VPMOVZXWQ, VPMOVQW */
	[0x35]		= E(UD,	   HVM,	    HVM),		/* VPMOVZXDQ, VPMOVQD */
	[0x36 ... 0x37] = E66(FV),				/* VPERMD, VPCMPGTQ */
	[0x38]		= E(UD,	   FVM,	    R),			/* VPMINSB, VPMOVM2D */
	[0x39]		= E(UD,	   FV,	    R),			/* VPMINSD, VPMOVD2M */
	[0x3a]		= E(UD,	   FVM,	    R),			/* VPMINUW, VPBROADCASTMW2D */
	[0x3b]		= E66(FV),				/* VPMINUD */
	[0x3c]		= E66(FVM),				/* VPMAXSB */
	[0x3d]		= E66(FV),				/* VPMAXSD */
	[0x3e]		= E66(FVM),				/* VPMAXUW */
	[0x3f ... 0x40] = E66(FV),				/* VPMAXUD, VPMULLD */
	[0x42]		= E66(FV),				/* VGETEXPPS */
	[0x43]		= E66(DQ),				/* VGETEXPSS */
	[0x44 ... 0x47] = E66(FV),				/* VPLZCNT, VPSRLV, VPSRAV, VPSLLV */
	[0x4c]		= E66(FV),				/* VRCP14PS */
	[0x4d]		= E66(DQ),				/* VRCP14SS */
	[0x4e]		= E66(FV),				/* VRSQRT14PS */
	[0x4f]		= E66(DQ),				/* VRSQRT14SS */
	[0x50 ... 0x51] = E66(FV),				/* VPDPBUSD */
	[0x52]		= E(UD,	   FV,	    FV,	     B16 | M),	/* VPDPWSSD, VDPBF16PS, VP4DPWSSD */
	[0x53]		= E(UD,	   FV,	    UD,	     B16 | M),	/* VPDPWSSDS, VP4DPWSSDS */
	[0x54]		= E66(FVM),				/* VPOPCNTB */
	[0x55]		= E66(FV),				/* VPOPCNTD */
	[0x58]		= E66(B4),				/* VPBROADCASTD */
	[0x59]		= E66(B8),				/* VPBROADCASTQ, VBROADCASTI32X2 */
	[0x5a]		= E66(B16 | M),				/* VBROADCASTI32X4, VBROADCASTI64X2 */
	[0x5b]		= E66(B32 | M),				/* VBROADCASTI32X8, VBROADCASTI64X4 */
	[0x62 ... 0x63] = E66(BW),				/* VPEXPANDB, VPCOMPRESSB */
	[0x64 ... 0x65] = E66(FV),				/* VPBLENDMD, VBLENDMPS */
	[0x66]		= E66(FVM),				/* VPBLENDMB */
	[0x68]		= E(UD,	   UD,	    UD,	     FV),	/* VP2INTERSECT */
	[0x70]		= E66(FVM),				/* VPSHLDVW */
	[0x71]		= E66(FV),				/* VPSHLDVD */
	[0x72]		= E(UD,	   FVM,	    FV,	     FV),	/* VPSHRDVW, VCVTNEPS2BF16, VCVTNE2PS2BF16 */
	[0x73]		= E66(FV),				/* VPSHRDVD */
	[0x75]		= E66(FVM),				/* VPERMI2B */
	[0x76 ... 0x77] = E66(FV),				/* VPERMI2D, VPERMI2PS */
	[0x78]		= E66(B1),				/* VPBROADCASTB */
	[0x79]		= E66(B2),				/* VPBROADCASTW */
	[0x7a ... 0x7c] = E66(R),				/* VPBROADCASTB, W, D of a register */
	[0x7d]		= E66(FVM),				/* VPERMT2B */
	[0x7e ... 0x7f] = E66(FV),				/* VPERMT2D, VPERMT2PS */
	[0x83]		= E66(FV),				/* VPMULTISHIFTQB */
	[0x88 ... 0x8b] = E66(DQ),				/* VEXPAND, VPEXPAND, VCOMPRESS, VPCOMPRESS */
	[0x8d]		= E66(FVM),				/* VPERMB */
	[0x8f]		= E66(FVM),				/* VPSHUFBITQMB */
	[0x90 ... 0x93] = GATHER,				/* VPGATHER, VGATHER */
	[0x96 ... 0x98] = E66(FV),				/* VFMADDSUB132, VFMSUBADD132, VFMADD132PS */
	[0x99]		= E66(DQ),				/* VFMADD132SS */
	[0x9a]		= E(UD,	   FV,	    UD,	     B16 | M),	/* VFMSUB132PS, V4FMADDPS */
	[0x9b]		= E(UD,	   DQ,	    UD,	     B16 | M),	/* VFMSUB132SS, V4FMADDSS */
	[0x9c]		= E66(FV),				/* VFNMADD132 */
	[0x9d]		= E66(DQ),
	[0x9e]		= E66(FV),				/* VFNMSUB132 */
	[0x9f]		= E66(DQ),
	[0xa0 ... 0xa3] = GATHER,				/* VPSCATTER, VSCATTER */
	[0xa6 ... 0xa8] = E66(FV),				/* VFMADDSUB213, VFMSUBADD213, VFMADD213PS */
	[0xa9]		= E66(DQ),				/* VFMADD213SS */
	[0xaa]		= E(UD,	   FV,	    UD,	     B16 | M),	/* VFMSUB213PS, V4FNMADDPS */
	[0xab]		= E(UD,	   DQ,	    UD,	     B16 | M),	/* VFMSUB213SS, V4FNMADDSS */
	[0xac]		= E66(FV),				/* VFNMADD213 */
	[0xad]		= E66(DQ),
	[0xae]		= E66(FV),				/* VFNMSUB213 */
	[0xaf]		= E66(DQ),
	[0xb4 ... 0xb5] = E66(FV),				/* VPMADD52 */
	[0xb6 ... 0xb8] = E66(FV),				/* VFMADDSUB231, VFMSUBADD231, VFMADD231PS */
	[0xb9]		= E66(DQ),				/* VFMADD231SS */
	[0xba]		= E66(FV),				/* VFMSUB231 */
	[0xbb]		= E66(DQ),
	[0xbc]		= E66(FV),				/* VFNMADD231 */
	[0xbd]		= E66(DQ),
	[0xbe]		= E66(FV),				/* VFNMSUB231 */
	[0xbf]		= E66(DQ),
	[0xc4]		= E66(FV),				/* VPCONFLICT */
	[0xc6 ... 0xc7] = GATHER_GROUP,				/* VGATHERPF, VSCATTERPF */
	[0xc8]		= E66(FV),				/* VEXP2 */
	[0xca]		= E66(FV),				/* VRCP28PS */
	[0xcb]		= E66(DQ),				/* VRCP28SS */
	[0xcc]		= E66(FV),				/* VRSQRT28PS */
	[0xcd]		= E66(DQ),				/* VRSQRT28SS */
	[0xcf]		= E66(FVM),				/* VGF2P8MULB */
	[0xdc ... 0xdf] = E66(FVM),				/* VAES */
};

const struct evex_cell decode_map_evex3[256] = {
	/*		  none	   66	    F3	     F2 */
	[0x00 ... 0x01] = EI66(FV),				/* VPERMQ, VPERMPD */
	[0x03 ... 0x05] = EI66(FV),				/* VALIGN, VPERMIL */
	[0x08]		= EI(FV2,  FV),				/* VRNDSCALEPH, VRNDSCALEPS */
	[0x09]		= EI66(FV),				/* VRNDSCALEPD */
	[0x0a]		= EI(B2,   B4),				/* VRNDSCALESH, VRNDSCALESS */
	[0x0b]		= EI66(B8),				/* VRNDSCALESD */
	[0x0f]		= EI66(FVM),				/* VPALIGNR */
	[0x14]		= EI66(B1),				/* VPEXTRB */
	[0x15]		= EI66(B2),				/* VPEXTRW */
	[0x16]		= EI66(GPR),				/* VPEXTRD, VPEXTRQ */
	[0x17]		= EI66(B4),				/* VEXTRACTPS */
	[0x18 ... 0x19] = EI66(B16),				/* VINSERTF32X4, VEXTRACTF32X4 */
	[0x1a ... 0x1b] = EI66(B32),				/* VINSERTF32X8, VEXTRACTF32X8 */
	[0x1d]		= EI66(HVM),				/* VCVTPS2PH */
	[0x1e ... 0x1f] = EI66(FV),				/* VPCMPUD, VPCMPD */
	[0x20]		= EI66(B1),				/* VPINSRB */
	[0x21]		= EI66(B4),				/* VINSERTPS */
	[0x22]		= EI66(GPR),				/* VPINSRD, VPINSRQ */
	[0x23]		= EI66(FV),				/* VSHUFF32X4 */
	[0x25]		= EI66(FV),				/* VPTERNLOG */
	[0x26]		= EI(FV2,  FV),				/* VGETMANTPH, VGETMANTPS */
	[0x27]		= EI(B2,   DQ),				/* VGETMANTSH, VGETMANTSS */
	[0x38 ... 0x39] = EI66(B16),				/* VINSERTI32X4, VEXTRACTI32X4 */
	[0x3a ... 0x3b] = EI66(B32),				/* VINSERTI32X8, VEXTRACTI32X8 */
	[0x3e ... 0x3f] = EI66(FVM),				/* VPCMPUB, VPCMPB */
	[0x42]		= EI66(FVM),				/* VDBPSADBW */
	[0x43]		= EI66(FV),				/* VSHUFI32X4 */
	[0x44]		= EI66(FVM),				/* VPCLMULQDQ */
	[0x50]		= EI66(FV),				/* VRANGEPS */
	[0x51]		= EI66(DQ),				/* VRANGESS */
	[0x54]		= EI66(FV),				/* VFIXUPIMMPS */
	[0x55]		= EI66(DQ),				/* VFIXUPIMMSS */
	[0x56]		= EI(FV2,  FV),				/* VREDUCEPH, VREDUCEPS */
	[0x57]		= EI(B2,   DQ),				/* VREDUCESH, VREDUCESS */
	[0x66]		= EI(FV2,  FV),				/* VFPCLASSPH, VFPCLASSPS */
	[0x67]		= EI(B2,   DQ),				/* VFPCLASSSH, VFPCLASSSS */
	[0x70]		= EI66(FVM),				/* VPSHLDW */
	[0x71]		= EI66(FV),				/* VPSHLDD */
	[0x72]		= EI66(FVM),				/* VPSHRDW */
	[0x73]		= EI66(FV),				/* VPSHRDD */
	[0xc2]		= EI(FV2,  UD,	    B2),		/* VCMPPH, VCMPSH */
	[0xce ... 0xcf] = EI66(FV),				/* VGF2P8AFFINE */
};

/* Half-precision floats: SDM 2, 2.7.1 and chapter 5 */
const struct evex_cell decode_map_evex5[256] = {
	/*		  none	   66	    F3	     F2 */
	[0x10 ... 0x11] = E(UD,	   UD,	    B2),		/* VMOVSH */
	[0x1d]		= E(B4,	   FV),				/* VCVTSS2SH, VCVTPS2PHX */
	[0x2a]		= E(UD,	   UD,	    GPR),		/* VCVTSI2SH */
	[0x2c ... 0x2d] = E(UD,	   UD,	    B2),		/* VCVTTSH2SI, VCVTSH2SI */
	[0x2e ... 0x2f] = E(B2),				/* VUCOMISH, VCOMISH */
	[0x51]		= E(FV2,   UD,	    B2),		/* VSQRT */
	[0x58 ... 0x59] = E(FV2,   UD,	    B2),		/* VADD, VMUL */
	[0x5a]		= E(QV2,   FV,	    B2,	     B8),	/* VCVTPH2PD, VCVTPD2PH, VCVTSH2SD, VCVTSD2SH */
	[0x5b]		= E(FV,	   HV2,	    HV2),		/* VCVTDQ2PH, VCVTQQ2PH, VCVTPH2DQ, VCVTTPH2DQ */
	[0x5c ... 0x5f] = E(FV2,   UD,	    B2),		/* VSUB, VMIN, VDIV, VMAX */
	[0x6e]		= E66(B2),				/* VMOVW */
	[0x78 ... 0x79] = E(HV2,   QV2,	    B2),		/* VCVTTPH2UDQ, VCVTTPH2UQQ, VCVTTSH2USI and their kin */
	[0x7a]		= E(UD,	   QV2,	    UD,	     FV),	/* VCVTTPH2QQ, VCVTUDQ2PH, VCVTUQQ2PH */
	[0x7b]		= E(UD,	   QV2,	    GPR),		/* VCVTPH2QQ, VCVTUSI2SH */
	[0x7c]		= E(FV2,   FV2),			/* VCVTTPH2UW, VCVTTPH2W */
	[0x7d]		= E(FV2,   FV2,	    FV2,     FV2),	/* VCVTPH2UW, VCVTPH2W, VCVTW2PH, VCVTUW2PH */
	[0x7e]		= E66(B2),				/* VMOVW */
};

const struct evex_cell decode_map_evex6[256] = {
	/*		  none	   66	    F3	     F2 */
	[0x13]		= E(B2,	   HV2),			/* VCVTSH2SS, VCVTPH2PSX */
	[0x2c]		= E66(FV2),				/* VSCALEFPH */
	[0x2d]		= E66(B2),				/* VSCALEFSH */
	[0x42]		= E66(FV2),				/* VGETEXPPH */
	[0x43]		= E66(B2),				/* VGETEXPSH */
	[0x4c]		= E66(FV2),				/* VRCPPH */
	[0x4d]		= E66(B2),				/* VRCPSH */
	[0x4e]		= E66(FV2),				/* VRSQRTPH */
	[0x4f]		= E66(B2),				/* VRSQRTSH */
	[0x56]		= E(UD,	   UD,	    FV,	     FV),	/* VFMADDCPH, VFCMADDCPH */
	[0x57]		= E(UD,	   UD,	    B4,	     B4),	/* VFMADDCSH, VFCMADDCSH */
	[0x96 ... 0x98] = E66(FV2),				/* VFMADDSUB132, VFMSUBADD132, VFMADD132PH */
	[0x99]		= E66(B2),				/* VFMADD132SH */
	[0x9a]		= E66(FV2),				/* VFMSUB132 */
	[0x9b]		= E66(B2),
	[0x9c]		= E66(FV2),				/* VFNMADD132 */
	[0x9d]		= E66(B2),
	[0x9e]		= E66(FV2),				/* VFNMSUB132 */
	[0x9f]		= E66(B2),
	[0xa6 ... 0xa8] = E66(FV2),				/* VFMADDSUB213, VFMSUBADD213, VFMADD213PH */
	[0xa9]		= E66(B2),				/* VFMADD213SH */
	[0xaa]		= E66(FV2),				/* VFMSUB213 */
	[0xab]		= E66(B2),
	[0xac]		= E66(FV2),				/* VFNMADD213 */
	[0xad]		= E66(B2),
	[0xae]		= E66(FV2),				/* VFNMSUB213 */
	[0xaf]		= E66(B2),
	[0xb6 ... 0xb8] = E66(FV2),				/* VFMADDSUB231, VFMSUBADD231, VFMADD231PH */
	[0xb9]		= E66(B2),				/* VFMADD231SH */
	[0xba]		= E66(FV2),				/* VFMSUB231 */
	[0xbb]		= E66(B2),
	[0xbc]		= E66(FV2),				/* VFNMADD231 */
	[0xbd]		= E66(B2),
	[0xbe]		= E66(FV2),				/* VFNMSUB231 */
	[0xbf]		= E66(B2),
	[0xd6]		= E(UD,	   UD,	    FV,	     FV),	/* VFMULCPH, VFCMULCPH */
	[0xd7]		= E(UD,	   UD,	    B4,	     B4),	/* VFMULCSH, VFCMULCSH */
};
