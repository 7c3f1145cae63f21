/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_APIC_H
#define HUTCH_X86_APIC_H

/*
 * The interrupt controllers of a PC as numbers: the local APIC (SDM 3, chapter 11),
 * the IOAPIC (82093AA data sheet) and the pair of 8259A (8259A data sheet; ELCR from
 * the 82371SB's). Here are names only; how they behave is in dev/.
 *
 * A local APIC register has one number in both of its interfaces: the offset in the
 * page is 16 times it (SDM 3, 11.4.1), the MSR is 0x800 plus it (SDM 3, 11.12.1.2).
 */

#include <stdint.h>

/* ---- the local APIC ----------------------------------------------------- */

enum lapic_register {
	LAPIC_ID = 0x02,
	LAPIC_VERSION = 0x03,
	LAPIC_TPR = 0x08, /* task priority */
	LAPIC_APR = 0x09, /* arbitration priority */
	LAPIC_PPR = 0x0a, /* processor priority */
	LAPIC_EOI = 0x0b,
	LAPIC_RRD = 0x0c, /* remote read */
	LAPIC_LDR = 0x0d, /* logical destination */
	LAPIC_DFR = 0x0e, /* destination format */
	LAPIC_SVR = 0x0f, /* spurious interrupt vector */
	LAPIC_ISR = 0x10, /* in service: eight registers */
	LAPIC_TMR = 0x18, /* trigger mode: eight registers */
	LAPIC_IRR = 0x20, /* interrupt request: eight registers */
	LAPIC_ESR = 0x28, /* error status */
	LAPIC_LVT_CMCI = 0x2f,
	LAPIC_ICR = 0x30, /* interrupt command: in x2APIC mode all 64 bits */
	LAPIC_ICR_HIGH = 0x31,
	LAPIC_LVT_TIMER = 0x32,
	LAPIC_LVT_THERMAL = 0x33,
	LAPIC_LVT_PERFORMANCE = 0x34,
	LAPIC_LVT_LINT0 = 0x35,
	LAPIC_LVT_LINT1 = 0x36,
	LAPIC_LVT_ERROR = 0x37,
	LAPIC_INITIAL_COUNT = 0x38,
	LAPIC_CURRENT_COUNT = 0x39,
	LAPIC_DIVIDE = 0x3e,
	LAPIC_SELF_IPI = 0x3f,
	LAPIC_REGISTER_COUNT = 0x40,
};

#define LAPIC_PAGE_SIZE 4096

/* The version register: SDM 3, 11.4.8 */
#define LAPIC_VERSION_INTEGRATED      0x14u
#define LAPIC_VERSION_MAX_LVT_SHIFT   16
#define LAPIC_VERSION_EOI_SUPPRESSION (1u << 24)

/* SVR: SDM 3, 11.9 */
#define LAPIC_SVR_VECTOR	  0xffu
#define LAPIC_SVR_ENABLE	  (1u << 8)
#define LAPIC_SVR_FOCUS_DISABLE	  (1u << 9)
#define LAPIC_SVR_EOI_SUPPRESSION (1u << 12)

/* DFR: SDM 3, 11.6.2.2 */
#define LAPIC_DFR_MODEL	  0xf0000000u
#define LAPIC_DFR_FLAT	  0xf0000000u
#define LAPIC_DFR_CLUSTER 0x00000000u

/* The local vector table: SDM 3, 11.5.1 */
#define LAPIC_LVT_VECTOR	     0xffu
#define LAPIC_LVT_DELIVERY	     (7u << 8) /* enum apic_delivery, shifted */
#define LAPIC_LVT_DELIVERY_STATUS    (1u << 12)
#define LAPIC_LVT_ACTIVE_LOW	     (1u << 13)
#define LAPIC_LVT_REMOTE_IRR	     (1u << 14)
#define LAPIC_LVT_LEVEL		     (1u << 15)
#define LAPIC_LVT_MASK		     (1u << 16)
#define LAPIC_LVT_TIMER_MODE	     (3u << 17)
#define LAPIC_LVT_TIMER_ONE_SHOT     (0u << 17)
#define LAPIC_LVT_TIMER_PERIODIC     (1u << 17)
#define LAPIC_LVT_TIMER_TSC_DEADLINE (2u << 17)

/* ESR: SDM 3, 11.5.3 */
#define LAPIC_ESR_SEND_ILLEGAL_VECTOR	 (1u << 5)
#define LAPIC_ESR_RECEIVE_ILLEGAL_VECTOR (1u << 6)
#define LAPIC_ESR_ILLEGAL_REGISTER	 (1u << 7)

/* ICR: SDM 3, 11.6.1 and 11.12.9 */
#define LAPIC_ICR_VECTOR	   0xffu
#define LAPIC_ICR_DELIVERY	   (7u << 8)
#define LAPIC_ICR_LOGICAL	   (1u << 11)
#define LAPIC_ICR_DELIVERY_STATUS  (1u << 12)
#define LAPIC_ICR_ASSERT	   (1u << 14)
#define LAPIC_ICR_LEVEL		   (1u << 15)
#define LAPIC_ICR_SHORTHAND	   (3u << 18)
#define LAPIC_ICR_SHORTHAND_SELF   (1u << 18)
#define LAPIC_ICR_SHORTHAND_ALL	   (2u << 18)
#define LAPIC_ICR_SHORTHAND_OTHERS (3u << 18)

/* Vectors below 16 are the processor's exceptions: no APIC message may carry one. */
#define APIC_FIRST_VECTOR 16

/* Delivery modes: SDM 3, 11.6.1; 82093AA, 3.2.4 */
enum apic_delivery {
	APIC_DELIVERY_FIXED = 0,
	APIC_DELIVERY_LOWEST_PRIORITY = 1,
	APIC_DELIVERY_SMI = 2,
	APIC_DELIVERY_REMOTE_READ = 3,
	APIC_DELIVERY_NMI = 4,
	APIC_DELIVERY_INIT = 5,
	APIC_DELIVERY_STARTUP = 6,
	APIC_DELIVERY_EXTINT = 7,
};
#define APIC_DELIVERY_SHIFT 8

/* A destination of all ones reaches every local APIC: SDM 3, 11.6.2 */
#define APIC_BROADCAST	      0xffu
#define APIC_X2APIC_BROADCAST 0xffffffffu

/* ---- the IOAPIC: 82093AA, 3.1 and 3.2 ----------------------------------- */

/* Offsets in its page. */
#define IOAPIC_REGSEL	 0x00
#define IOAPIC_WIN	 0x10
#define IOAPIC_EOI	 0x40 /* version 0x20 on: Intel ICH data sheets, EOIR */
#define IOAPIC_PAGE_SIZE 4096

enum ioapic_register {
	IOAPICID = 0x00,
	IOAPICVER = 0x01,
	IOAPICARB = 0x02,
	IOREDTBL = 0x10, /* two registers for each pin, low half first */
};

#define IOAPIC_ID			     0x0f000000u
#define IOAPIC_VERSION_82093AA		     0x11
#define IOAPIC_VERSION_EOI		     0x20 /* the first with an EOI register */
#define IOAPIC_VERSION_MAX_REDIRECTION_SHIFT 16

/* A redirection table entry: 82093AA, 3.2.4 */
#define IOREDTBL_VECTOR		   0xffull
#define IOREDTBL_DELIVERY	   (7ull << 8) /* enum apic_delivery, shifted */
#define IOREDTBL_LOGICAL	   (1ull << 11)
#define IOREDTBL_DELIVERY_STATUS   (1ull << 12)
#define IOREDTBL_ACTIVE_LOW	   (1ull << 13)
#define IOREDTBL_REMOTE_IRR	   (1ull << 14)
#define IOREDTBL_LEVEL		   (1ull << 15)
#define IOREDTBL_MASK		   (1ull << 16)
#define IOREDTBL_DESTINATION_SHIFT 56

/* ---- the 8259A pair: 8259A data sheet ----------------------------------- */

/* Ports. A chip has two: A0 low and A0 high. */
#define PIC_MASTER_PORT 0x20
#define PIC_SLAVE_PORT	0xa0
#define PIC_ELCR_PORT	0x4d0 /* and 0x4d1, the slave's */

#define PIC_CASCADE_IRQ 2 /* the master's input that the slave drives */

/* ICW1, which its bit 4 tells from OCW2 and OCW3 */
#define PIC_ICW1_IC4  0x01
#define PIC_ICW1_SNGL 0x02
#define PIC_ICW1_LTIM 0x08
#define PIC_ICW1      0x10
#define PIC_ICW2_BASE 0xf8
#define PIC_ICW3_ID   0x07 /* a slave's */
#define PIC_ICW4_AEOI 0x02
#define PIC_ICW4_SFNM 0x10

/* OCW2: rotate, specific, end of interrupt */
#define PIC_OCW2_COMMAND 0xe0
#define PIC_OCW2_LEVEL	 0x07
enum pic_ocw2 {
	PIC_OCW2_ROTATE_IN_AEOI_CLEAR = 0x00,
	PIC_OCW2_EOI = 0x20,
	PIC_OCW2_NOP = 0x40,
	PIC_OCW2_SPECIFIC_EOI = 0x60,
	PIC_OCW2_ROTATE_IN_AEOI_SET = 0x80,
	PIC_OCW2_ROTATE_ON_EOI = 0xa0,
	PIC_OCW2_SET_PRIORITY = 0xc0,
	PIC_OCW2_ROTATE_ON_SPECIFIC_EOI = 0xe0,
};

/* OCW3, which its bits 4 and 3 (01) tell from the others */
#define PIC_OCW3	 0x08
#define PIC_OCW3_RIS	 0x01 /* with RR: read the ISR next, else the IRR */
#define PIC_OCW3_RR	 0x02
#define PIC_OCW3_POLL	 0x04
#define PIC_OCW3_SMM	 0x20
#define PIC_OCW3_ESMM	 0x40

#define PIC_POLL_PENDING 0x80

#endif
