/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/uart.h"

#include "dev/clock.h"

/*
 * A UART is a shift register in each direction with a queue before or behind it, and
 * four reasons to interrupt, each with its own way to be silenced:
 *
 *	line status	reading LSR
 *	data, time-out	reading RBR until below the trigger level
 *	THRE		reading IIR while it says so, or writing THR
 *	modem status	reading MSR
 *
 * IIR shows the highest of them and the pin is their OR. The pin is a level but the
 * PC's interrupt controllers listen to edges, so it matters when it falls: see
 * transmit_event().
 */

/* Four characters at 50 baud, the slowest rate in use; a divisor left at nonsense waits no longer. */
#define TIMEOUT_MAX DEV_NS_PER_SECOND

#define LSR_ERRORS  (UART_LSR_OE | UART_LSR_PE | UART_LSR_FE | UART_LSR_BI)
#define MSR_DELTAS  (UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_TERI | UART_MSR_DDCD)
#define MSR_LINES   (UART_MSR_CTS | UART_MSR_DSR | UART_MSR_RI | UART_MSR_DCD)

static bool fifo_enabled(const struct uart *uart)
{
	return uart->fcr & UART_FCR_ENABLE;
}

static bool in_loopback(const struct uart *uart)
{
	return uart->mcr & UART_MCR_LOOP;
}

/* As the host sees it: in loopback it is shut. */
static bool receiver_empty(const struct uart *uart)
{
	return !uart->count && !in_loopback(uart);
}

static unsigned int trigger_level(const struct uart *uart)
{
	static const uint8_t levels[] = { 1, 4, 8, 14 };

	return fifo_enabled(uart) ? levels[uart->fcr >> 6] : 1;
}

/*
 * The time of @characters on the line: start bit, word, parity, stop bits (PC16550D,
 * 8.1), of 16 clocks times the divisor each. Counted in half bits, for a five-bit
 * word has one and a half stop bits. A divisor of 0 counts as a 16-bit counter would.
 */
static uint64_t character_time(const struct uart *uart, unsigned int characters)
{
	unsigned int word = 5 + (uart->lcr & UART_LCR_WORD_LENGTH);
	unsigned int half_bits = 2 * (1 + word + !!(uart->lcr & UART_LCR_PARITY)) + 2;
	uint64_t divisor = uart->divisor ? uart->divisor : 0x10000;

	if (uart->lcr & UART_LCR_STOP)
		half_bits += word == 5 ? 1 : 2;
	return clock_earlier(clock_moment(divisor * half_bits * 8 * characters, UART_CLOCK_HZ),
			     TIMEOUT_MAX);
}

/* The host holds the line up; what loops back does not get that far. */
static bool transmitter_busy(const struct uart *uart)
{
	return uart->held && !in_loopback(uart);
}

/* The highest interrupt that is pending and enabled (PC16550D, table IV). */
static uint8_t interrupt_id(const struct uart *uart)
{
	if ((uart->ier & UART_IER_ELSI) && uart->lsr_errors)
		return UART_IIR_LINE_STATUS;
	if ((uart->ier & UART_IER_ERBFI) && uart->count >= trigger_level(uart))
		return UART_IIR_DATA;
	if ((uart->ier & UART_IER_ERBFI) && uart->timeout)
		return UART_IIR_TIMEOUT;
	if ((uart->ier & UART_IER_ETBEI) && uart->thre_event && !transmitter_busy(uart))
		return UART_IIR_THRE;
	if ((uart->ier & UART_IER_EDSSI) && (uart->msr & MSR_DELTAS))
		return UART_IIR_MODEM;
	return UART_IIR_NONE;
}

static void drive_irq(struct uart *uart, bool level)
{
	if (uart->irq == level)
		return;
	uart->irq = level;
	line_set(&uart->wiring.irq, level);
}

/*
 * The PC's gate: OUT2 lets the interrupt through. In loopback the chip's own OUT2 pin
 * is off, yet PCs deliver interrupts there (the data sheet calls them fully
 * operational), so it is the register's bit that counts.
 */
static void update_irq(struct uart *uart)
{
	drive_irq(uart, (uart->mcr & UART_MCR_OUT2) && interrupt_id(uart) != UART_IIR_NONE);
}

/* Four character times with data waiting and nobody moving it (PC16550D, 8.4.1). */
static void restart_timeout(struct uart *uart, uint64_t now)
{
	uart->timeout = false;
	uart->timeout_at = DEV_NEVER;
	if (fifo_enabled(uart) && uart->count)
		uart->timeout_at = now + character_time(uart, 4);
}

static void empty_receiver(struct uart *uart, uint64_t now)
{
	uart->first = 0;
	uart->count = 0;
	restart_timeout(uart, now);
}

/* Its errors show in LSR once a character is the next to be read. */
static void show_errors(struct uart *uart)
{
	if (uart->count)
		uart->lsr_errors |= uart->fifo[uart->first].errors;
}

/*
 * The receiver's shift register holds a whole character. Without room it is lost:
 * with FIFOs the new one, without them the one in RBR, which is written over.
 */
static void receive_character(struct uart *uart, uint8_t byte, uint8_t errors, uint64_t now)
{
	unsigned int size = fifo_enabled(uart) ? UART_FIFO_SIZE : 1;
	unsigned int last;

	if (uart->count == size) {
		uart->lsr_errors |= UART_LSR_OE;
		if (fifo_enabled(uart))
			return;
		uart->count = 0;
	}
	last = (uart->first + uart->count) % UART_FIFO_SIZE;
	uart->fifo[last] = (struct uart_character){ byte, errors };
	uart->count++;
	if (uart->count == 1)
		show_errors(uart);
	restart_timeout(uart, now);
}

static uint8_t read_rbr(struct uart *uart, uint64_t now)
{
	uint8_t byte = uart->fifo[uart->first].byte;

	if (!uart->count)
		return byte; /* the last one again, as the latch still holds it */
	uart->count--;
	if (uart->count)
		uart->first = (uart->first + 1) % UART_FIFO_SIZE;
	show_errors(uart);
	restart_timeout(uart, now);
	return byte;
}

/*
 * THR was written, which silences the THRE interrupt, and is empty again, which raises
 * it: the pin falls and rises. A driver that answers an interrupt by reading IIR has
 * seen it fall already. For one that only writes, the edge must come or it would wait
 * for ever; it comes a character time later, as it would from the chip, rather than
 * with each of the sixteen bytes by which a driver fills the FIFO.
 */
static void transmit_event(struct uart *uart, uint64_t now)
{
	if (uart->thre_event && uart->irq && uart->pulse_at == DEV_NEVER)
		uart->pulse_at = now + character_time(uart, 1);
	uart->thre_event = (uart->ier & UART_IER_ETBEI) && !transmitter_busy(uart);
}

static void write_thr(struct uart *uart, uint8_t value, uint64_t now)
{
	uint8_t word = 0xff >> (3 - (uart->lcr & UART_LCR_WORD_LENGTH));

	transmit_event(uart, now);
	/* A line held in break carries nothing else. */
	if (uart->lcr & UART_LCR_BREAK)
		return;
	if (in_loopback(uart))
		receive_character(uart, value & word, 0, now);
	else if (uart->wiring.transmit)
		uart->wiring.transmit(uart->wiring.owner, value);
}

/* Enabling the interrupt while THR is empty, as it is unless held, raises it at once. */
static void write_ier(struct uart *uart, uint8_t value)
{
	uint8_t changed = uart->ier ^ value;

	uart->ier = value & 0x0f;
	if (changed & UART_IER_ETBEI)
		uart->thre_event = (uart->ier & UART_IER_ETBEI) && !transmitter_busy(uart);
}

static uint8_t read_iir(struct uart *uart)
{
	uint8_t id = interrupt_id(uart);

	if (id == UART_IIR_THRE)
		uart->thre_event = false;
	return id | (fifo_enabled(uart) ? UART_IIR_FIFO_ENABLED : 0);
}

/*
 * PC16550D, 8.3: the other bits count only if the enable bit is set with them, and
 * changing that bit empties both FIFOs. The reset bits clear themselves.
 */
static void write_fcr(struct uart *uart, uint8_t value, uint64_t now)
{
	bool change = (uart->fcr ^ value) & UART_FCR_ENABLE;

	uart->fcr = 0;
	if (value & UART_FCR_ENABLE)
		uart->fcr = value & (UART_FCR_ENABLE | UART_FCR_DMA_MODE | UART_FCR_TRIGGER);
	if (change || (value & (UART_FCR_ENABLE | UART_FCR_RESET_RECEIVER)) ==
			      (UART_FCR_ENABLE | UART_FCR_RESET_RECEIVER))
		empty_receiver(uart, now);
}

/* In loopback a break that begins comes back to the receiver. */
static void write_lcr(struct uart *uart, uint8_t value, uint64_t now)
{
	bool begins = value & ~uart->lcr & UART_LCR_BREAK;

	uart->lcr = value;
	if (begins && in_loopback(uart))
		receive_character(uart, 0, UART_LSR_BI | UART_LSR_FE, now);
}

/* The modem inputs: the pins, or in loopback the outputs (PC16550D, 8.7). */
static void update_modem(struct uart *uart)
{
	uint8_t old = uart->msr & MSR_LINES, lines = uart->inputs;

	if (in_loopback(uart))
		lines = (uart->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0) |
			(uart->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0) |
			(uart->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0) |
			(uart->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0);
	/* Each delta bit stands four below its line; RI's tells of the trailing edge only. */
	uart->msr |= ((old ^ lines) & ~UART_MSR_RI) >> 4;
	uart->msr |= (old & ~lines & UART_MSR_RI) >> 4;
	uart->msr = (uart->msr & MSR_DELTAS) | lines;
}

static uint8_t read_lsr(struct uart *uart)
{
	uint8_t lsr = uart->lsr_errors;

	if (!transmitter_busy(uart))
		lsr |= UART_LSR_THRE | UART_LSR_TEMT;
	if (uart->count)
		lsr |= UART_LSR_DR;
	if (fifo_enabled(uart)) {
		for (unsigned int i = 0; i < uart->count; i++)
			if (uart->fifo[(uart->first + i) % UART_FIFO_SIZE].errors)
				lsr |= UART_LSR_FIFO_ERROR;
	}
	uart->lsr_errors = 0;
	uart->fifo[uart->first].errors = 0; /* told */
	return lsr;
}

static uint8_t read_msr(struct uart *uart)
{
	uint8_t msr = uart->msr;

	uart->msr &= MSR_LINES;
	return msr;
}

/* What time has brought about by @now. */
static void advance(struct uart *uart, uint64_t now)
{
	if (uart->timeout_at <= now) {
		uart->timeout = true;
		uart->timeout_at = DEV_NEVER;
	}
	if (uart->pulse_at <= now) {
		uart->pulse_at = DEV_NEVER;
		if (interrupt_id(uart) == UART_IIR_THRE)
			drive_irq(uart, false);
	}
	update_irq(uart);
}

static uint8_t read_register(struct uart *uart, unsigned int offset, uint64_t now)
{
	bool divisor_latch = uart->lcr & UART_LCR_DLAB;

	switch (offset) {
	case UART_RBR:
		return divisor_latch ? uart->divisor & 0xff : read_rbr(uart, now);
	case UART_IER:
		return divisor_latch ? uart->divisor >> 8 : uart->ier;
	case UART_IIR:
		return read_iir(uart);
	case UART_LCR:
		return uart->lcr;
	case UART_MCR:
		return uart->mcr;
	case UART_LSR:
		return read_lsr(uart);
	case UART_MSR:
		return read_msr(uart);
	default:
		return uart->scr;
	}
}

static void write_register(struct uart *uart, unsigned int offset, uint8_t value, uint64_t now)
{
	bool divisor_latch = uart->lcr & UART_LCR_DLAB;

	switch (offset) {
	case UART_THR:
		if (divisor_latch)
			uart->divisor = (uart->divisor & 0xff00) | value;
		else
			write_thr(uart, value, now);
		break;
	case UART_IER:
		if (divisor_latch)
			uart->divisor = (uint16_t)((uart->divisor & 0xff) | value << 8);
		else
			write_ier(uart, value);
		break;
	case UART_FCR:
		write_fcr(uart, value, now);
		break;
	case UART_LCR:
		write_lcr(uart, value, now);
		break;
	case UART_MCR:
		uart->mcr = value & 0x1f;
		update_modem(uart);
		break;
	case UART_SCR:
		uart->scr = value;
		break;
	default: /* LSR and MSR are meant to be read (PC16550D, 8.5) */
		break;
	}
}

/* Tells the host that the receiver has become empty; the last thing an access does. */
static void offer_room(const struct uart *uart, bool was_empty)
{
	if (!was_empty && receiver_empty(uart) && uart->wiring.room)
		uart->wiring.room(uart->wiring.owner);
}

uint8_t uart_read(struct uart *uart, unsigned int offset, uint64_t now)
{
	bool was_empty = receiver_empty(uart);
	uint8_t value;

	advance(uart, now);
	value = read_register(uart, offset % UART_PORT_COUNT, now);
	if (!uart->thre_event)
		uart->pulse_at = DEV_NEVER;
	update_irq(uart);
	offer_room(uart, was_empty);
	return value;
}

void uart_write(struct uart *uart, unsigned int offset, uint8_t value, uint64_t now)
{
	bool was_empty = receiver_empty(uart);

	advance(uart, now);
	write_register(uart, offset % UART_PORT_COUNT, value, now);
	if (!uart->thre_event)
		uart->pulse_at = DEV_NEVER;
	update_irq(uart);
	offer_room(uart, was_empty);
}

uint64_t uart_tick(struct uart *uart, uint64_t now)
{
	uint64_t timeout_at = DEV_NEVER;

	advance(uart, now);
	if ((uart->ier & UART_IER_ERBFI) && uart->count < trigger_level(uart))
		timeout_at = uart->timeout_at;
	return clock_earlier(timeout_at, uart->pulse_at);
}

size_t uart_room(const struct uart *uart)
{
	if (in_loopback(uart))
		return 0;
	return (fifo_enabled(uart) ? UART_FIFO_SIZE : 1u) - uart->count;
}

size_t uart_receive(struct uart *uart, const uint8_t *bytes, size_t count, uint64_t now)
{
	size_t taken;

	advance(uart, now);
	for (taken = 0; taken < count && uart_room(uart); taken++)
		receive_character(uart, bytes[taken], 0, now);
	update_irq(uart);
	return taken;
}

bool uart_receive_break(struct uart *uart, uint64_t now)
{
	if (!uart_room(uart))
		return false;
	advance(uart, now);
	receive_character(uart, 0, UART_LSR_BI | UART_LSR_FE, now);
	update_irq(uart);
	return true;
}

void uart_hold(struct uart *uart, bool hold, uint64_t now)
{
	advance(uart, now);
	if (uart->held && !hold)
		uart->thre_event = uart->ier & UART_IER_ETBEI;
	uart->held = hold;
	if (transmitter_busy(uart)) {
		uart->thre_event = false;
		uart->pulse_at = DEV_NEVER;
	}
	update_irq(uart);
}

void uart_set_modem(struct uart *uart, uint8_t lines, uint64_t now)
{
	advance(uart, now);
	uart->inputs = lines & MSR_LINES;
	update_modem(uart);
	update_irq(uart);
}

/*
 * The interrupt alone is not enough: drivers that look for a UART switch it on to see
 * whether it stays, and enable it before the FIFOs, which empties them.
 */
bool uart_listening(const struct uart *uart)
{
	return (uart->mcr & UART_MCR_RTS) || ((uart->ier & UART_IER_ERBFI) && fifo_enabled(uart));
}

/*
 * Table I leaves the divisor and the scratch register as they were; at power-on that is
 * 9600 baud and 0 here.
 */
void uart_reset(struct uart *uart, uint64_t now)
{
	uart->ier = 0;
	uart->fcr = 0;
	uart->lcr = 0;
	uart->mcr = 0;
	uart->lsr_errors = 0;
	uart->msr = uart->inputs;
	uart->thre_event = false;
	uart->pulse_at = DEV_NEVER;
	empty_receiver(uart, now);
	update_irq(uart);
}

void uart_init(struct uart *uart, const struct uart_wiring *wiring, uint64_t now)
{
	*uart = (struct uart){
		.wiring = *wiring,
		.inputs = UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD,
		.divisor = 12,
	};
	uart_reset(uart, now);
}
