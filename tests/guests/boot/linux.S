/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * A bzImage: a boot sector and one sector of setup, in which there is nothing but the setup
 * header, and behind them the kernel with its 64-bit entry 0x200 bytes in.
 */

#define PROTOCOL "linux"

	/* The two sectors before where the linker script puts the kernel. */
	.section .setup, "ax"
	.ascii "MZ"
	.org 0x1ef
	.byte 0xff /* the sentinel: must not reach the zero page */
	.org 0x1f1
	.byte 1 /* setup_sects */
	.short 0
	.long paragraphs /* syssize */
	.short 0, 0, 0
	.short 0xaa55
	.byte 0xeb, header_end - after_jump
after_jump:
	.ascii "HdrS"
	.short 0x20c /* version */
	.org 0x211
	.byte 1 /* loadflags: LOADED_HIGH */
	.org 0x214
	.long 0x100000 /* code32_start */
	.org 0x22c
	.long 0x7fffffff /* initrd_addr_max */
	.long 0x200000 /* kernel_alignment */
	.byte 1, 21 /* relocatable_kernel, min_alignment */
	.short 1 /* xloadflags: XLF_KERNEL_64 */
	.long 255 /* cmdline_size */
	.org 0x258
	.quad image_start /* pref_address */
	.long 0x200000 /* init_size */
	.long 0
header_end:
	.org 0x400

	.code64
	.text
	.global _start
	hlt /* the 32-bit entry, which nobody uses */
	.org 0x200
_start:
	movl $stack_top, %esp
	movl %esi, zero_page
	jmp 1f
#include "tests/guests/boot/guest.inc"
#include "tests/guests/boot/zero_page.inc"
1:
	call check_long_mode
	movl zero_page, %ebx
	require_equal image_start, 0x214(%ebx), "code32_start"
	require_equal 0x200000, 0x230(%ebx), "kernel_alignment"
	call check_zero_page
	jmp pass
