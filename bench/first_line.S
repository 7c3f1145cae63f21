/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The smallest init there is: it writes one line and sleeps. When the line arrives
 * on the console, the kernel has booted; nothing of a user space is measured with it.
 * Assembled with -nostdlib -static, it is the only file of the initramfs.
 */
	.globl	_start
_start:
	mov	$1, %eax		/* write */
	mov	$1, %edi
	lea	line(%rip), %rsi
	mov	$line_end - line, %edx
	syscall
1:	mov	$34, %eax		/* pause */
	syscall
	jmp	1b

	.section .rodata
line:	.ascii	"first line of init\n"
line_end:
	.section .note.GNU-stack, "", @progbits
