/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Exceptions by vector: what they are called, and whether they push an error code
 * (SDM 3, table 6-1; APM 2, table 8-1 and 8.4).
 */

#include "x86/exception.h"

struct exception {
	const char *mnemonic;
	const char *name;
	bool error_code;
};

static const struct exception exceptions[EXCEPTION_COUNT] = {
	[EXCEPTION_DE] = { "#DE", "divide error", false },
	[EXCEPTION_DB] = { "#DB", "debug", false },
	[EXCEPTION_NMI] = { "NMI", "non-maskable interrupt", false },
	[EXCEPTION_BP] = { "#BP", "breakpoint", false },
	[EXCEPTION_OF] = { "#OF", "overflow", false },
	[EXCEPTION_BR] = { "#BR", "BOUND range exceeded", false },
	[EXCEPTION_UD] = { "#UD", "invalid opcode", false },
	[EXCEPTION_NM] = { "#NM", "device not available", false },
	[EXCEPTION_DF] = { "#DF", "double fault", true },
	[EXCEPTION_TS] = { "#TS", "invalid TSS", true },
	[EXCEPTION_NP] = { "#NP", "segment not present", true },
	[EXCEPTION_SS] = { "#SS", "stack-segment fault", true },
	[EXCEPTION_GP] = { "#GP", "general protection", true },
	[EXCEPTION_PF] = { "#PF", "page fault", true },
	[EXCEPTION_MF] = { "#MF", "x87 floating-point error", false },
	[EXCEPTION_AC] = { "#AC", "alignment check", true },
	[EXCEPTION_MC] = { "#MC", "machine check", false },
	[EXCEPTION_XM] = { "#XM", "SIMD floating-point exception", false },
	[EXCEPTION_VE] = { "#VE", "virtualization exception", false },
	[EXCEPTION_CP] = { "#CP", "control protection", true },
	[EXCEPTION_HV] = { "#HV", "hypervisor injection", false },
	[EXCEPTION_VC] = { "#VC", "VMM communication", true },
	[EXCEPTION_SX] = { "#SX", "security exception", true },
};

static const struct exception reserved = { "reserved", "reserved", false };

static const struct exception *exception_at(uint8_t vector)
{
	if (vector >= EXCEPTION_COUNT || !exceptions[vector].name)
		return &reserved;
	return &exceptions[vector];
}

const char *exception_mnemonic(uint8_t vector)
{
	return exception_at(vector)->mnemonic;
}

const char *exception_name(uint8_t vector)
{
	return exception_at(vector)->name;
}

bool exception_has_error_code(uint8_t vector)
{
	return exception_at(vector)->error_code;
}
