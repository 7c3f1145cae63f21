/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The guests of hypervisor_interrupts.c: real mode, with the local APIC as an x2APIC, whose
 * registers are MSRs and so within reach of 16 bits. They are copied to GUEST_CODE and begin
 * there:
 *
 *	ipi_ready	waits until the other processor has sent its first IPI
 *	ipi_first	sends an IPI to the other processor and waits for its answer, SI times
 *	ipi_second	sends one, and answers each that comes by another
 *	timer		counts ESI down while the timer ticks every EDI; ticks are in TICKS
 *
 * BX: the other's APIC ID. BP: where this processor counts what it got.
 */

#include "bench/hypervisor_guest.h"

#define AT(label) (GUEST_CODE + label - guest)

	.set IA32_APIC_BASE, 0x1b
	.set X2APIC_EOI, 0x80b
	.set X2APIC_SVR, 0x80f
	.set X2APIC_ICR, 0x830
	.set X2APIC_LVT_TIMER, 0x832
	.set X2APIC_TIMER_INITIAL, 0x838
	.set X2APIC_TIMER_DIVIDE, 0x83e
	.set PERIODIC, 1 << 17
	.set DIVIDE_BY_1, 0xb

	.section .rodata
	.code16
	.globl guest, guest_end, ipi_ready, ipi_first, ipi_second, timer, on_ipi, on_timer
guest:
ipi_ready:
	call	start
	call	wait
	out	%al, $GUEST_END_PORT

ipi_first:
	call	send
	call	wait
	dec	%si
	jnz	ipi_first
	out	%al, $GUEST_END_PORT

ipi_second:
	call	start
1:	call	send
	call	wait
	jmp	1b

timer:
	call	start
	mov	$X2APIC_TIMER_DIVIDE, %ecx
	mov	$DIVIDE_BY_1, %eax
	call	write
	mov	$X2APIC_LVT_TIMER, %ecx
	mov	$PERIODIC | GUEST_TIMER_VECTOR, %eax
	call	write
	mov	$X2APIC_TIMER_INITIAL, %ecx
	mov	%edi, %eax		/* 0: it never ticks */
	call	write
	sti
1:	dec	%esi
	jnz	1b
	cli
	mov	$X2APIC_TIMER_INITIAL, %ecx
	xor	%eax, %eax
	call	write
	sti				/* what has come meanwhile is taken */
	nop
	cli
	out	%al, $GUEST_END_PORT

start:
	mov	$IA32_APIC_BASE, %ecx
	rdmsr
	or	$0xc00, %eax		/* EN and EXTD */
	wrmsr
	mov	$X2APIC_SVR, %ecx
	mov	$0x1ff, %eax
	/* Falls through. */
write:
	xor	%edx, %edx
	wrmsr
	ret

send:
	mov	$X2APIC_ICR, %ecx
	movzwl	%bx, %edx
	mov	$0x4000 | GUEST_IPI_VECTOR, %eax
	wrmsr
	ret

wait:
	cli
	cmpw	$0, (%bp)
	jne	1f
	sti
halt:	hlt
	jmp	wait
1:	decw	(%bp)
	ret

/*
 * Not every emulated processor keeps an interrupt out between STI and HLT: then it would
 * never be woken, so it goes on behind the HLT.
 */
on_ipi:
	incw	(%bp)
	addr32 cmpw	$AT(halt), (%esp)
	jne	end_of_interrupt
	addr32 incw	(%esp)
end_of_interrupt:
	mov	$X2APIC_EOI, %ecx
	xor	%eax, %eax
	call	write
	iret

on_timer:
	incw	(%bp)
	jmp	end_of_interrupt
guest_end:
	.section .note.GNU-stack, "", @progbits
