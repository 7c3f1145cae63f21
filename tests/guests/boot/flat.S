/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Flat images for protected and long mode (MODE is 32 or 64): entered at their first byte. */

#if MODE == 32
#define PROTOCOL "flat32"
	.code32
#else
#define PROTOCOL "flat64"
	.code64
#endif

	.text
	.global _start
_start:
	movl $stack_top, %esp
	jmp 1f
#include "tests/guests/boot/guest.inc"
#if MODE == 64
#include "tests/guests/boot/zero_page.inc"
#endif
1:
#if MODE == 32
	movl %cr0, %eax
	andl $0x80000001, %eax
	require_equal 1, %eax, "CR0"
	pushfl
	popl %eax
	testl $0x20200, %eax
	require z, "EFLAGS"
	/* The table says the same as the registers. */
	movl %ds, %eax
	movl %eax, %ds
	movl %eax, %ss
	movl %cs, %eax
	pushl %eax
	pushl $.Lreloaded
	lretl
.Lreloaded:
#else
	call check_long_mode
#endif
	jmp pass
