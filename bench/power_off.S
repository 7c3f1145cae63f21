/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * An init that switches the machine off at once: how long a machine runs with it is how long
 * its kernel takes to boot. Assembled with -nostdlib -static, it is the only file of the
 * initramfs.
 */
	.globl	_start
_start:
	mov	$169, %eax		/* reboot */
	mov	$0xfee1dead, %edi
	mov	$0x28121969, %esi
	mov	$0x4321fedc, %edx	/* LINUX_REBOOT_CMD_POWER_OFF */
	syscall
1:	jmp	1b
	.section .note.GNU-stack, "", @progbits
