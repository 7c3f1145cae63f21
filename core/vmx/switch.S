/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The world switch of VT-x. VMLAUNCH and VMRESUME load the guest's state from the VMCS,
 * all but the general registers; a VM exit loads the host's from there, RSP and RIP among
 * it, and comes out at vmx_switch_exit with the guest's general registers (SDM 3, 27.3
 * and 28.5). An entry that is refused before anything is loaded goes on behind the
 * instruction, with CF or ZF set.
 *
 * unsigned int vmx_switch(uint64_t *gpr, bool launched, uint64_t *host_rsp,
 *			   unsigned int barriers)
 */

#include "core/switch.def"

	.set VMCS_HOST_RSP, 0x6c14

	.text
	.globl vmx_switch
	.type vmx_switch, @function
vmx_switch:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rcx			# the barriers
	push %rdi			# the guest's registers

	cmp %rsp, (%rdx)		# the same stack as last time, mostly
	je 1f
	mov %rsp, (%rdx)
	mov $VMCS_HOST_RSP, %eax
	vmwrite %rsp, %rax
1:	test %sil, %sil			# nothing below changes ZF
	mov GPR_RAX(%rdi), %rax
	mov GPR_RCX(%rdi), %rcx
	mov GPR_RDX(%rdi), %rdx
	mov GPR_RBX(%rdi), %rbx
	mov GPR_RBP(%rdi), %rbp
	mov GPR_RSI(%rdi), %rsi
	mov GPR_R8(%rdi), %r8
	mov GPR_R8+8(%rdi), %r9
	mov GPR_R8+16(%rdi), %r10
	mov GPR_R8+24(%rdi), %r11
	mov GPR_R8+32(%rdi), %r12
	mov GPR_R8+40(%rdi), %r13
	mov GPR_R8+48(%rdi), %r14
	mov GPR_R8+56(%rdi), %r15
	mov GPR_RDI(%rdi), %rdi
	jnz 2f
	vmlaunch
	jmp 3f
2:	vmresume
3:	pop %rdi			# refused: all is as it was
	pop %rcx
	mov $1, %eax
	jc 4f
	mov $2, %eax
	jmp 4f
	.size vmx_switch, . - vmx_switch

	.globl vmx_switch_exit
	.type vmx_switch_exit, @function
vmx_switch_exit:
	xchg %rdi, (%rsp)		# its RDI on the stack, our pointer here
	mov %rax, GPR_RAX(%rdi)
	mov %rcx, GPR_RCX(%rdi)
	mov %rdx, GPR_RDX(%rdi)
	mov %rbx, GPR_RBX(%rdi)
	mov %rbp, GPR_RBP(%rdi)
	mov %rsi, GPR_RSI(%rdi)
	mov %r8, GPR_R8(%rdi)
	mov %r9, GPR_R8+8(%rdi)
	mov %r10, GPR_R8+16(%rdi)
	mov %r11, GPR_R8+24(%rdi)
	mov %r12, GPR_R8+32(%rdi)
	mov %r13, GPR_R8+40(%rdi)
	mov %r14, GPR_R8+48(%rdi)
	mov %r15, GPR_R8+56(%rdi)
	pop GPR_RDI(%rdi)

	pop %rdi
	EXIT_BARRIERS %edi
	xor %eax, %eax
4:	FORGET_GUEST
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	int3
	.size vmx_switch_exit, . - vmx_switch_exit
	.section .note.GNU-stack, "", @progbits
