/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_ORACLES_EMULATE_UNDEFINED_H
#define HUTCH_TESTS_ORACLES_EMULATE_UNDEFINED_H

/*
 * What the manual leaves undefined after an instruction: flags, or its whole result. The
 * source is "Flags Affected" of each instruction in SDM 2 (and SDM 1, appendix A), which
 * the table cites by the instruction's name.
 */

#include <stdbool.h>

#include "tests/oracles/native_run.h"
#include "x86/decode.h"

struct undefined {
	uint64_t flags;
	bool result;
};

struct undefined undefined_of(const struct instruction *instruction,
			      const struct native_result *before);

#endif
