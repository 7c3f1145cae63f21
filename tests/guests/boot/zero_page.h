/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_BOOT_ZERO_PAGE_H
#define HUTCH_TESTS_GUESTS_BOOT_ZERO_PAGE_H

	/*
	 * Linux's 64-bit entry: what the processor and the zero page, whose address is in the
	 * variable zero_page, must be like (boot.rst, 1.15; zero-page.rst).
	 */
	.code64
check_long_mode:
	movl $0xc0000080, %ecx /* IA32_EFER: LME and LMA */
	rdmsr
	andl $0x500, %eax
	require_equal 0x500, %eax, "IA32_EFER"
	movq %cr0, %rax
	andl $0x80000001, %eax
	require_equal 0x80000001, %eax, "CR0"
	pushfq
	popq %rax
	testl $0x200, %eax
	require z, "RFLAGS"
	movl %cs, %eax
	require_equal 0x10, %eax, "CS"
	movl %ds, %eax
	require_equal 0x18, %eax, "DS"
	movl %es, %eax
	require_equal 0x18, %eax, "ES"
	movl %ss, %eax
	require_equal 0x18, %eax, "SS"
	/* The table says the same as the registers: loaded again, they still serve. */
	movl %eax, %ds
	movl %eax, %es
	movl %eax, %ss
	pushq $0x10
	pushq $.Lreloaded
	lretq
.Lreloaded:
	ret

check_zero_page:
	movl zero_page, %ebx
	movzwl 0x1fe(%ebx), %eax
	require_equal 0xaa55, %eax, "boot_flag"
	require_equal 0x53726448, 0x202(%ebx), "the header's magic"
	movzbl 0x1ef(%ebx), %eax
	testl %eax, %eax
	require z, "the sentinel"
	movzbl 0x210(%ebx), %eax
	require_equal 0xff, %eax, "type_of_loader"
	testb $0x80, 0x211(%ebx)
	require nz, "CAN_USE_HEAP in loadflags"
	cmpl $0, 0x250(%ebx)
	require e, "setup_data"
	movzbl 0x07(%ebx), %eax
	testl %eax, %eax
	require z, "screen_info"

	movl 0x228(%ebx), %esi
	call check_command_line
	movl zero_page, %ebx
	movl 0x70(%ebx), %esi
	call check_rsdp
	movl zero_page, %ebx
	movl 0x218(%ebx), %esi
	movl 0x21c(%ebx), %edi
	addl %esi, %edi
	call check_module
	movl zero_page, %ebx
	movzbl 0x1e8(%ebx), %ecx
	addl $0x2d0, %ebx
	movl $20, %ebp
	jmp check_memory_map

	.bss
zero_page:
	.long 0

	.text

#endif
