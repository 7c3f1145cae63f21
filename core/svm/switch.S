/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The world switch of AMD-V. VMRUN loads what the VMCB's save area has and leaves the
 * rest of the registers as they are (APM 2, 15.5.1); VMLOAD and VMSAVE carry FS, GS, TR,
 * LDTR and the system-call registers (15.5.2). So:
 *
 *	GIF off; guest's registers in; VMLOAD guest
 *	VMRUN ... #VMEXIT
 *	VMSAVE guest; guest's registers out; VMLOAD host; GIF on
 *
 * Between VMLOAD guest and VMLOAD host neither FS nor GS is the host's: nothing here may
 * touch them, and with GIF off nothing can come in between, NMIs included.
 *
 * void svm_switch(uint64_t vmcb_physical, uint64_t *gpr, uint64_t host_save_physical,
 *		   unsigned int barriers)
 */

#include "core/switch.def"

	.text
	.globl svm_switch
	.type svm_switch, @function
svm_switch:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rcx			# the barriers
	push %rdx			# the host's page
	push %rsi			# the guest's registers

	clgi
	sti				# an interrupt now ends the guest's run, no more
	mov %rdi, %rax			# the VMCB, for all of the following
	mov GPR_RCX(%rsi), %rcx
	mov GPR_RDX(%rsi), %rdx
	mov GPR_RBX(%rsi), %rbx
	mov GPR_RBP(%rsi), %rbp
	mov GPR_RDI(%rsi), %rdi
	mov GPR_R8(%rsi), %r8
	mov GPR_R8+8(%rsi), %r9
	mov GPR_R8+16(%rsi), %r10
	mov GPR_R8+24(%rsi), %r11
	mov GPR_R8+32(%rsi), %r12
	mov GPR_R8+40(%rsi), %r13
	mov GPR_R8+48(%rsi), %r14
	mov GPR_R8+56(%rsi), %r15
	mov GPR_RSI(%rsi), %rsi
	vmload %rax
	vmrun %rax
	vmsave %rax
	cli

	xchg %rsi, (%rsp)		# its RSI on the stack, our pointer here
	mov %rcx, GPR_RCX(%rsi)
	mov %rdx, GPR_RDX(%rsi)
	mov %rbx, GPR_RBX(%rsi)
	mov %rbp, GPR_RBP(%rsi)
	mov %rdi, GPR_RDI(%rsi)
	mov %r8, GPR_R8(%rsi)
	mov %r9, GPR_R8+8(%rsi)
	mov %r10, GPR_R8+16(%rsi)
	mov %r11, GPR_R8+24(%rsi)
	mov %r12, GPR_R8+32(%rsi)
	mov %r13, GPR_R8+40(%rsi)
	mov %r14, GPR_R8+48(%rsi)
	mov %r15, GPR_R8+56(%rsi)
	pop GPR_RSI(%rsi)
	pop %rax
	vmload %rax			# the host's FS, GS, TR, LDTR

	pop %rdi
	EXIT_BARRIERS %edi
	FORGET_GUEST
	stgi
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	int3
	.size svm_switch, . - svm_switch
	.section .note.GNU-stack, "", @progbits
