/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A PVH kernel: ELF, with the note that says where to enter. */

#define PROTOCOL "pvh"

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 4, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long enter

	.code32
	.text
	.global _start
_start: /* not here */
	jmp .

enter:
	movl $stack_top, %esp
	jmp 1f
#include "tests/guests/boot/guest.inc"
1:
	movl %ebx, start_info

	/* pvh.pandoc: CR0 has PE and no more, CR4 nothing */
	movl %cr0, %eax
	andl $~0x10, %eax /* ET cannot be cleared */
	require_equal 1, %eax, "CR0"
	movl %cr4, %eax
	testl %eax, %eax
	require z, "CR4"
	pushfl
	popl %eax
	testl $0x20300, %eax
	require z, "EFLAGS"

	require_equal 0x336ec578, (%ebx), "the start info's magic"
	require_equal 1, 4(%ebx), "the start info's version"
	movl 24(%ebx), %esi
	call check_command_line
	movl start_info, %ebx
	movl 32(%ebx), %esi
	call check_rsdp

	movl start_info, %ebx
	movl 48(%ebx), %ecx
	movl 40(%ebx), %ebx
	movl $24, %ebp
	call check_memory_map

	movl start_info, %ebx
	require_equal 1, 12(%ebx), "the number of modules"
	movl 16(%ebx), %ebx
	movl (%ebx), %esi
	movl 8(%ebx), %edi
	addl %esi, %edi
	call check_module
	jmp pass

	.bss
start_info:
	.long 0
