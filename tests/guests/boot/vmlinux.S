/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A kernel as Linux links it: a 64-bit ELF file that is entered in long mode. */

#define PROTOCOL "vmlinux"

	.code64
	.text
	.global _start
_start:
	movl $stack_top, %esp
	movl %esi, zero_page
	jmp 1f
#include "tests/guests/boot/guest.inc"
#include "tests/guests/boot/zero_page.inc"
1:
	call check_long_mode
	call check_zero_page
	jmp pass
