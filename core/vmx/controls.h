/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_CONTROLS_H
#define HUTCH_CORE_VMX_CONTROLS_H

/*
 * The controls of VT-x: seven words of single bits that say what a guest may not do
 * without an exit, and what is saved and loaded on the way in and out.
 *
 *	VMX_PRIMARY_HLT_EXITING, VMX_SECONDARY_ENABLE_EPT, VMX_ENTRY_LOAD_IA32_PAT, ...
 *
 * are masks, and their complements are as wide as any word; but one that fits an int is an
 * int, so widen it before it is shifted.
 */

#include <stddef.h>
#include <stdint.h>

enum vmx_control {
#define VMX_CONTROL(word, name, bit, text) VMX_##word##_##name = 1ull << (bit),
#include "core/vmx/controls.def"
	VMX_CONTROL_WIDEST = 1ull << 63, /* the wide ones stay wide in a complement */
};
_Static_assert((uint64_t)~VMX_PIN_NMI_EXITING == ~(1ull << 3) &&
		       (uint64_t)~VMX_PRIMARY_ACTIVATE_SECONDARY_CONTROLS == ~(1ull << 31),
	       "a control's complement has 64 bits");

/* The words, in the order of core/vmx/controls.def. */
enum vmx_control_word {
	VMX_WORD_PIN,
	VMX_WORD_PRIMARY,
	VMX_WORD_SECONDARY,
	VMX_WORD_TERTIARY,
	VMX_WORD_EXIT,
	VMX_WORD_EXIT2,
	VMX_WORD_ENTRY,
	VMX_WORD_COUNT,
};

/* The manual's name of a bit, such as "HLT exiting"; NULL for a reserved one. */
const char *vmx_control_name(enum vmx_control_word word, unsigned int bit);

#endif
