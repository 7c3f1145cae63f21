/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Listens to the power button, as ACPI asks (ACPI 6.4, 4.8.3.1): enables it, says 'p',
 * and powers off when it is pressed.
 */

#include "tests/guests/flat.h"

#define PM1_STS	    0x600
#define PM1_EN	    0x602
#define PM1_CNT	    0x604
#define PWRBTN	    0x100
#define SLP_S5_NOW  0x3400	/* SLP_TYP 5, SLP_EN */

	movw $PM1_EN, %dx
	movw $PWRBTN, %ax
	outw %ax, %dx
	print 'p
	movw $PM1_STS, %dx
1:	inw %dx, %ax
	testw $PWRBTN, %ax
	jz 1b
	print 'o, 'f, 'f
	movw $PM1_CNT, %dx
	movw $SLP_S5_NOW, %ax
	outw %ax, %dx
2:	jmp 2b
