/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_DEV_UART_H
#define HUTCH_DEV_UART_H

/*
 * The 16550A serial port (National Semiconductor PC16550D data sheet, June 1995),
 * wired as a PC's COM port: eight byte-wide registers, 1.8432 MHz clock, and the
 * interrupt pin behind a gate that MCR's OUT2 opens.
 *
 * To wire it: give uart_init() the interrupt line and the two callbacks; send the
 * guest's accesses to uart_read() and uart_write() with the offset from the base
 * port; call uart_tick() after each access and at the moment it last returned.
 *
 * Output: the host is faster than any line, so a character leaves through @transmit
 * the moment it is written and the transmitter is always empty (THRE and TEMT read
 * as 1). The THRE interrupt is the data sheet's all the same. A host that cannot take
 * more says so by uart_hold(): the transmitter is then busy until it is let go on. What
 * the guest writes regardless still leaves through @transmit.
 *
 * Input: uart_receive() takes what the receiver has room for and says how much that
 * was; the host keeps the rest, so nothing is lost and nothing grows. When the guest
 * has emptied the receiver, @room is called, from which uart_receive() may be called
 * again. A guest may not be ready for input: its driver resets the receiver when it
 * opens the port. A host that feeds a pipe waits for uart_listening(), as a modem
 * would wait for RTS; one that feeds a keyboard need not.
 *
 * The wire to the host carries whole bytes whatever the guest's word length and rate:
 * a guest that never programmed LCR still prints. Word length holds in loopback, and
 * the rate for the time that the receiver's time-out interrupt takes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dev/line.h"

#define UART_PORT_COUNT 8
#define UART_FIFO_SIZE	16
#define UART_CLOCK_HZ	1843200

/* Offsets (PC16550D, table II). */
#define UART_RBR		   0 /* read: receiver buffer */
#define UART_THR		   0 /* write: transmitter holding */
#define UART_DLL		   0 /* LCR.DLAB: divisor latch, low */
#define UART_IER		   1 /* interrupt enable */
#define UART_DLM		   1 /* LCR.DLAB: divisor latch, high */
#define UART_IIR		   2 /* read: interrupt identification */
#define UART_FCR		   2 /* write: FIFO control */
#define UART_LCR		   3 /* line control */
#define UART_MCR		   4 /* modem control */
#define UART_LSR		   5 /* line status */
#define UART_MSR		   6 /* modem status */
#define UART_SCR		   7 /* scratch */

#define UART_IER_ERBFI		   0x01 /* received data available, and time-out */
#define UART_IER_ETBEI		   0x02 /* transmitter holding register empty */
#define UART_IER_ELSI		   0x04 /* receiver line status */
#define UART_IER_EDSSI		   0x08 /* modem status */

#define UART_IIR_NONE		   0x01
#define UART_IIR_MODEM		   0x00
#define UART_IIR_THRE		   0x02
#define UART_IIR_DATA		   0x04
#define UART_IIR_LINE_STATUS	   0x06
#define UART_IIR_TIMEOUT	   0x0c
#define UART_IIR_ID		   0x0f
#define UART_IIR_FIFO_ENABLED	   0xc0

#define UART_FCR_ENABLE		   0x01
#define UART_FCR_RESET_RECEIVER	   0x02
#define UART_FCR_RESET_TRANSMITTER 0x04
#define UART_FCR_DMA_MODE	   0x08
#define UART_FCR_TRIGGER	   0xc0 /* 1, 4, 8, 14 bytes */

#define UART_LCR_WORD_LENGTH	   0x03 /* 5 to 8 bits */
#define UART_LCR_STOP		   0x04
#define UART_LCR_PARITY		   0x08
#define UART_LCR_BREAK		   0x40
#define UART_LCR_DLAB		   0x80

#define UART_MCR_DTR		   0x01
#define UART_MCR_RTS		   0x02
#define UART_MCR_OUT1		   0x04
#define UART_MCR_OUT2		   0x08
#define UART_MCR_LOOP		   0x10

#define UART_LSR_DR		   0x01 /* data ready */
#define UART_LSR_OE		   0x02 /* overrun error */
#define UART_LSR_PE		   0x04 /* parity error */
#define UART_LSR_FE		   0x08 /* framing error */
#define UART_LSR_BI		   0x10 /* break */
#define UART_LSR_THRE		   0x20
#define UART_LSR_TEMT		   0x40
#define UART_LSR_FIFO_ERROR	   0x80

#define UART_MSR_DCTS		   0x01
#define UART_MSR_DDSR		   0x02
#define UART_MSR_TERI		   0x04
#define UART_MSR_DDCD		   0x08
#define UART_MSR_CTS		   0x10
#define UART_MSR_DSR		   0x20
#define UART_MSR_RI		   0x40
#define UART_MSR_DCD		   0x80

/* What a UART is connected to. The callbacks may be NULL. */
struct uart_wiring {
	struct line irq;
	void (*transmit)(void *owner, uint8_t byte); /* a character leaves */
	void (*room)(void *owner);		     /* the receiver has become empty */
	void *owner;
};

struct uart_character {
	uint8_t byte;
	uint8_t errors; /* UART_LSR_PE, _FE, _BI */
};

struct uart {
	struct uart_wiring wiring;
	struct uart_character fifo[UART_FIFO_SIZE];
	uint8_t first, count; /* received characters; without FIFOs at most one */
	uint8_t ier, fcr, lcr, mcr, lsr_errors, msr, scr;
	uint8_t inputs; /* UART_MSR_CTS and its kin as the other side drives them */
	uint16_t divisor;
	bool irq;	     /* what the line carries */
	bool thre_event;     /* the THRE interrupt, until IIR is read or THR written */
	bool held;	     /* the host takes no more: uart_hold() */
	bool timeout;	     /* the receiver's time-out has happened */
	uint64_t timeout_at; /* when it will, or DEV_NEVER */
	uint64_t pulse_at;   /* when THRE's next edge is due, or DEV_NEVER */
};

/* Connects a UART and resets it. A modem is there and ready: CTS, DSR and DCD are on. */
void uart_init(struct uart *uart, const struct uart_wiring *wiring, uint64_t now);

/* The MR pin (PC16550D, table I). What the other side drives stays. */
void uart_reset(struct uart *uart, uint64_t now);

/* @offset below UART_PORT_COUNT; higher bits are ignored. */
uint8_t uart_read(struct uart *uart, unsigned int offset, uint64_t now);
void uart_write(struct uart *uart, unsigned int offset, uint8_t value, uint64_t now);
uint64_t uart_tick(struct uart *uart, uint64_t now);

/* How many characters uart_receive() would take now: none in loopback. */
size_t uart_room(const struct uart *uart);

/* Characters arrive from the line. Returns how many of the @count were taken. */
size_t uart_receive(struct uart *uart, const uint8_t *bytes, size_t count, uint64_t now);

/* A break arrives from the line. Returns false, and does nothing, without room. */
bool uart_receive_break(struct uart *uart, uint64_t now);

/* The transmitter is busy as long as @hold: no THRE, no TEMT, no THRE interrupt but at the end. */
void uart_hold(struct uart *uart, bool hold, uint64_t now);

/* The other side changes the modem's lines: UART_MSR_CTS, _DSR, _RI, _DCD or-ed. */
void uart_set_modem(struct uart *uart, uint8_t lines, uint64_t now);

/* True when the guest has asked for input: RTS is on, or FIFOs and the receiver interrupt. */
bool uart_listening(const struct uart *uart);

#endif
