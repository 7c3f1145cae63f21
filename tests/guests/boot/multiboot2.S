/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A Multiboot 2 kernel: it requires the information that it looks at, would like a
 * framebuffer, and, with RELOCATABLE, asks to be moved to its linked address from elsewhere.
 */

#define PROTOCOL "multiboot2"
#define MAGIC	 0xe85250d6
#define LENGTH	 (header_end - header)

	.code32
	.text
	.balign 8
	.global _start
header:
	.long MAGIC, 0, LENGTH, -(MAGIC + LENGTH)
	.short 1, 0 /* information request */
	.long 36, 1, 2, 3, 4, 6, 14, 15
	.balign 8
	.short 5, 1 /* framebuffer, optional */
	.long 20, 1024, 768, 32
	.balign 8
	.short 6, 0 /* module alignment */
	.long 8
	.short 10, 0 /* relocatable, but nowhere else than where it is linked */
	.long 24, image_start, bss_end, 4096, 1
	.short 0, 0
	.long 8
header_end:

_start:
	movl $stack_top, %esp
	movl %eax, %ebp
	jmp 1f
#include "tests/guests/boot/guest.inc"

	/* The payload of the tag of type ECX in EBX; ZF when there is one. Its size in EDX. */
find_tag:
	movl information, %ebx
	movl (%ebx), %eax
	addl %ebx, %eax /* the end */
	addl $8, %ebx
.Lfind:
	cmpl %eax, %ebx
	require b, "the information's length"
	cmpl %ecx, (%ebx)
	je .Ltag
	cmpl $0, (%ebx)
	je .Lno_tag
	movl 4(%ebx), %edx
	addl $7, %edx
	andl $~7, %edx
	addl %edx, %ebx
	jmp .Lfind
.Lno_tag:
	testl %esp, %esp
	ret
.Ltag:
	movl 4(%ebx), %edx
	subl $8, %edx
	addl $8, %ebx
	cmpl %ebx, %ebx
	ret

	.macro need_tag type, what
	movl $\type, %ecx
	call find_tag
	require e, "\what"
	.endm

	.macro need_no_tag type, what
	movl $\type, %ecx
	call find_tag
	require ne, "\what"
	.endm

1:
	require_equal 0x36d76289, %ebp, "EAX"
	movl %ebx, information
	testl $7, %ebx
	require z, "EBX"
	movl %cr0, %eax
	andl $0x80000001, %eax
	require_equal 1, %eax, "CR0"
	pushfl
	popl %eax
	testl $0x20200, %eax
	require z, "EFLAGS"

	need_tag 1, "the command line's tag"
	movl %ebx, %esi
	call check_command_line
	need_tag 2, "the loader name's tag"
	movl %ebx, %ebp
	require_text %ebp, "hutch", "the loader's name"
	need_tag 3, "the module's tag"
	movl (%ebx), %esi
	movl 4(%ebx), %edi
	call check_module
	need_tag 4, "the basic memory information's tag"
	cmpl $600, (%ebx)
	require a, "mem_lower"
	cmpl $1024, 4(%ebx)
	require a, "mem_upper"

	need_tag 6, "the memory map's tag"
	require_equal 0, 4(%ebx), "the memory map's version"
	leal -8(%edx), %eax
	movl (%ebx), %ebp
	xorl %edx, %edx
	divl %ebp
	movl %eax, %ecx
	addl $8, %ebx
	call check_memory_map

	need_tag 14, "the old RSDP's tag"
	require_equal 20, %edx, "the old RSDP's size"
	movl %ebx, %esi
	call check_rsdp
	need_tag 15, "the new RSDP's tag"
	require_equal 36, %edx, "the new RSDP's size"
	movl %ebx, %esi
	call check_rsdp
	need_tag 21, "the load base's tag"
	require_equal image_start, (%ebx), "the load base"
	need_no_tag 7, "that there is no VBE"
	need_no_tag 8, "that there is no framebuffer"
	jmp pass

	.bss
information:
	.long 0
