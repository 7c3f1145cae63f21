/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_EXCEPTION_H
#define HUTCH_X86_EXCEPTION_H

/*
 * The processor's own interrupt vectors, 0 to 31: what it raises by itself when an
 * instruction cannot go on (SDM 3, 6.3.1 and table 6-1; APM 2, table 8-1).
 */

#include <stdbool.h>
#include <stdint.h>

enum exception_vector {
	EXCEPTION_DE = 0,
	EXCEPTION_DB = 1,
	EXCEPTION_NMI = 2,
	EXCEPTION_BP = 3,
	EXCEPTION_OF = 4,
	EXCEPTION_BR = 5,
	EXCEPTION_UD = 6,
	EXCEPTION_NM = 7,
	EXCEPTION_DF = 8,
	EXCEPTION_TS = 10,
	EXCEPTION_NP = 11,
	EXCEPTION_SS = 12,
	EXCEPTION_GP = 13,
	EXCEPTION_PF = 14,
	EXCEPTION_MF = 16,
	EXCEPTION_AC = 17,
	EXCEPTION_MC = 18,
	EXCEPTION_XM = 19,
	EXCEPTION_VE = 20,
	EXCEPTION_CP = 21,
	EXCEPTION_HV = 28,
	EXCEPTION_VC = 29,
	EXCEPTION_SX = 30,
	EXCEPTION_COUNT = 32,
};

/* "#GP", and "general protection"; "reserved" for a vector without a use. */
const char *exception_mnemonic(uint8_t vector);
const char *exception_name(uint8_t vector);

/* Whether an error code is pushed with it. */
bool exception_has_error_code(uint8_t vector);

#endif
