/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The history of branches, after a guest that has written it: Linux has a way to fill it
 * with its own, and says itself where that is due (compat_clears_history()).
 */

#include <linux/linkage.h>
#include <asm/cpufeatures.h>

	.text
	.globl host_clear_history
	.type host_clear_history, @function
host_clear_history:
#ifdef X86_FEATURE_CLEAR_BHB_LOOP_ON_VMEXIT
	jmp clear_bhb_loop
#else
	RET
#endif
	.size host_clear_history, . - host_clear_history
	.section .note.GNU-stack, "", @progbits
