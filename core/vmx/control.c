/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/control.h"

#include "core/text.h"

/*
 * The controls are data: for each word, what must be on, what is switched on where it can
 * be, what will be switched on and off while the guest runs, and what does no harm where
 * an older processor insists on it (SDM 3, A.2 to A.5). All else that has a name is
 * unwanted; what has none is as the processor wants it (SDM 3, 32.5.1).
 */

struct choice {
	uint64_t must;	    /* on, always */
	uint64_t wanted;    /* on, where there */
	uint64_t later;	    /* off to begin with, but it must be there */
	uint64_t tolerated; /* off, where it can be */
};

static const struct choice choices[VMX_WORD_COUNT] = {
	[VMX_WORD_PIN] = {
		.must = VMX_PIN_EXTERNAL_INTERRUPT_EXITING | VMX_PIN_NMI_EXITING |
			VMX_PIN_VIRTUAL_NMIS,
		.wanted = VMX_PIN_ACTIVATE_PREEMPTION_TIMER,
	},
	[VMX_WORD_PRIMARY] = {
		.must = VMX_PRIMARY_USE_TSC_OFFSETTING | VMX_PRIMARY_HLT_EXITING |
			VMX_PRIMARY_MWAIT_EXITING | VMX_PRIMARY_RDPMC_EXITING |
			VMX_PRIMARY_USE_TPR_SHADOW | VMX_PRIMARY_MOV_DR_EXITING |
			VMX_PRIMARY_UNCONDITIONAL_IO_EXITING | VMX_PRIMARY_USE_MSR_BITMAPS |
			VMX_PRIMARY_MONITOR_EXITING | VMX_PRIMARY_ACTIVATE_SECONDARY_CONTROLS,
		.later = VMX_PRIMARY_INTERRUPT_WINDOW_EXITING | VMX_PRIMARY_NMI_WINDOW_EXITING |
			 VMX_PRIMARY_CR3_LOAD_EXITING | VMX_PRIMARY_CR3_STORE_EXITING,
		/* These the emulator carries out, if it must be: slow, but right. */
		.tolerated = VMX_PRIMARY_CR3_LOAD_EXITING | VMX_PRIMARY_CR3_STORE_EXITING |
			     VMX_PRIMARY_INVLPG_EXITING | VMX_PRIMARY_RDTSC_EXITING |
			     VMX_PRIMARY_CR8_LOAD_EXITING | VMX_PRIMARY_CR8_STORE_EXITING |
			     VMX_PRIMARY_PAUSE_EXITING,
	},
	[VMX_WORD_SECONDARY] = {
		.must = VMX_SECONDARY_ENABLE_EPT,
		/* Without the first, core/vmx/restricted.c has something to do. */
		.wanted = VMX_SECONDARY_UNRESTRICTED_GUEST | VMX_SECONDARY_ENABLE_RDTSCP | VMX_SECONDARY_ENABLE_VPID |
			  VMX_SECONDARY_WBINVD_EXITING | VMX_SECONDARY_ENABLE_INVPCID |
			  VMX_SECONDARY_PAUSE_LOOP_EXITING | VMX_SECONDARY_USE_TSC_SCALING,
	},
	[VMX_WORD_EXIT] = {
		/* What the guest has in PAT and EFER is known: writing them is an exit. */
		.must = VMX_EXIT_SAVE_DEBUG_CONTROLS | VMX_EXIT_HOST_ADDRESS_SPACE_SIZE |
			VMX_EXIT_LOAD_IA32_PAT | VMX_EXIT_LOAD_IA32_EFER,
		.tolerated = VMX_EXIT_SAVE_IA32_PAT | VMX_EXIT_SAVE_IA32_EFER,
	},
	[VMX_WORD_ENTRY] = {
		.must = VMX_ENTRY_LOAD_DEBUG_CONTROLS | VMX_ENTRY_LOAD_IA32_PAT |
			VMX_ENTRY_LOAD_IA32_EFER,
		.later = VMX_ENTRY_IA32E_MODE_GUEST,
	},
};

static const char *const word_names[VMX_WORD_COUNT] = {
	[VMX_WORD_PIN] = "pin-based",	    [VMX_WORD_PRIMARY] = "primary",
	[VMX_WORD_SECONDARY] = "secondary", [VMX_WORD_TERTIARY] = "tertiary",
	[VMX_WORD_EXIT] = "VM-exit",	    [VMX_WORD_EXIT2] = "secondary VM-exit",
	[VMX_WORD_ENTRY] = "VM-entry",
};

static size_t append(char *to, size_t size, size_t at, const char *text)
{
	text_copy(to + at, size - at, text);
	while (at < size && to[at])
		at++;
	return at;
}

/* "VT-x lacks the pin-based controls NMI exiting, virtual NMIs" */
static void name_bits(enum vmx_control_word word, uint64_t bits, const char *what, char *why,
		      size_t size)
{
	size_t at = 0;

	if (!size)
		return;
	at = append(why, size, at, what);
	at = append(why, size, at, word_names[word]);
	at = append(why, size, at, " controls ");
	for (const char *comma = ""; bits; bits &= bits - 1, comma = ", ") {
		at = append(why, size, at, comma);
		at = append(why, size, at,
			    vmx_control_name(word, (unsigned int)__builtin_ctzll(bits)));
	}
}

/* The bits that have a name. */
static uint64_t named(enum vmx_control_word word, uint64_t bits)
{
	for (uint64_t left = bits; left; left &= left - 1)
		if (!vmx_control_name(word, (unsigned int)__builtin_ctzll(left)))
			bits &= ~(left & -left);
	return bits;
}

static bool choose_word(const struct vmx_capability *capability, enum vmx_control_word word,
			uint64_t *chosen, char *why, size_t size)
{
	const struct choice *choice = &choices[word];
	struct vmx_controls can = vmx_controls(capability, word);
	uint64_t known = choice->must | choice->wanted | choice->tolerated;
	uint64_t missing = (choice->must | choice->later) & ~can.may_be_one;
	uint64_t forced = named(word, can.must_be_one & ~known);

	if (missing) {
		name_bits(word, missing, "VT-x lacks the ", why, size);
		return false;
	}
	if (forced) {
		name_bits(word, forced, "VT-x insists on the ", why, size);
		return false;
	}
	*chosen = choice->must | (choice->wanted & can.may_be_one) | can.must_be_one;
	return true;
}

bool vmx_control_choose(const struct vmx_capability *capability, uint64_t words[VMX_WORD_COUNT],
			char *why, size_t size)
{
	const uint64_t invvpid = VMX_VPID_INVVPID_SINGLE | VMX_VPID_INVVPID_ALL;

	/* The secondary ones first: what they lack is what a reader has heard of. */
	if (!choose_word(capability, VMX_WORD_SECONDARY, &words[VMX_WORD_SECONDARY], why, size))
		return false;
	for (enum vmx_control_word word = 0; word < VMX_WORD_COUNT; word++)
		if (!choose_word(capability, word, &words[word], why, size))
			return false;
	/* Identifiers whose translations can't be forgotten are of no use. */
	if (!(capability->ept_vpid_cap & VMX_VPID_INVVPID) || !(capability->ept_vpid_cap & invvpid))
		words[VMX_WORD_SECONDARY] &= ~VMX_SECONDARY_ENABLE_VPID;
	return true;
}

bool vmx_control_ept(const struct vmx_capability *capability, char *why, size_t size)
{
	static const struct {
		uint64_t any;
		const char *text;
	} needed[] = {
		{ VMX_EPT_4_LEVELS, "VT-x lacks EPT of 4 levels (IA32_VMX_EPT_VPID_CAP bit 6)" },
		{ VMX_EPT_WRITE_BACK,
		  "VT-x lacks EPT in write-back memory (IA32_VMX_EPT_VPID_CAP bit 14)" },
		{ VMX_EPT_INVEPT, "VT-x lacks INVEPT (IA32_VMX_EPT_VPID_CAP bit 20)" },
		{ VMX_EPT_INVEPT_SINGLE | VMX_EPT_INVEPT_ALL,
		  "VT-x has INVEPT of no use (IA32_VMX_EPT_VPID_CAP bits 25, 26)" },
	};

	for (unsigned int i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		if (!(capability->ept_vpid_cap & needed[i].any)) {
			text_copy(why, size, needed[i].text);
			return false;
		}
	}
	return true;
}
