/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ORACLES_DECODE_CASE_H
#define HUTCH_TESTS_ORACLES_DECODE_CASE_H

/*
 * One case of the comparison: the bytes, what our decoder says of them, and what the
 * oracles say.
 */

#include <capstone/capstone.h>
#include <Zydis/Zydis.h>

#include "x86/decode.h"

/* As many bytes as an instruction may have, and one that it may not. */
#define CASE_BYTES (INSTRUCTION_LENGTH_MAX + 1)

enum oracle {
	ORACLE_ZYDIS,
	ORACLE_CAPSTONE,
	ORACLE_COUNT,
};

/* What differs. */
enum difference {
	DIFFERS_NOT,
	DIFFERS_VALID_HERE,  /* defined for us, undefined for the oracle */
	DIFFERS_VALID_THERE, /* the other way round */
	DIFFERS_LENGTH,
	DIFFERS_FIELD, /* something else: see @field */
	DIFFERS_COUNT,
};

/* An oracle's word. Capstone does not say why it refuses, nor which mandatory prefix. */
struct verdict {
	bool valid;
	unsigned int length;
	ZyanStatus status; /* Zydis: the reason */
};

struct decode_case {
	enum decode_mode mode;
	uint8_t bytes[CASE_BYTES];
	enum decode_status status;
	struct instruction ours;
	struct verdict verdicts[ORACLE_COUNT];
	ZydisDecodedInstruction zydis;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
	enum difference zydis_differs; /* and a rule says why, once it is Capstone's turn */
	const char *field;	       /* the first one of which Zydis says something else */
	const ZydisDecoder *decoder;   /* for a rule that wants to ask more */
};

#endif
