/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/ioapic.h"

/*
 * A pin's life. Edge-triggered: when it rises, and is not masked, the message goes out
 * and that is all; an edge on a masked pin is lost (82093AA, 3.2.4, Interrupt Mask).
 * Level-triggered: while it is high, not masked and not in service, the message goes
 * out; the local APIC that accepts it sets Remote IRR, which says "in service", and its
 * EOI clears it, upon which a pin that is still high asks again.
 *
 * A level that nobody accepts keeps its delivery status at "pending" and is sent again
 * whenever the entry or any pin changes.
 */

static bool is_level(uint64_t entry)
{
	enum apic_delivery delivery =
		(enum apic_delivery)((entry & IOREDTBL_DELIVERY) >> APIC_DELIVERY_SHIFT);

	/* NMI, INIT and ExtINT are edge-triggered whatever the entry says. */
	return (entry & IOREDTBL_LEVEL) &&
	       (delivery == APIC_DELIVERY_FIXED || delivery == APIC_DELIVERY_LOWEST_PRIORITY);
}

static bool send_entry(struct ioapic *ioapic, uint64_t entry)
{
	const struct apic_message message = {
		.destination = (uint32_t)(entry >> IOREDTBL_DESTINATION_SHIFT),
		.delivery =
			(enum apic_delivery)((entry & IOREDTBL_DELIVERY) >> APIC_DELIVERY_SHIFT),
		.vector = entry & IOREDTBL_VECTOR,
		.logical = entry & IOREDTBL_LOGICAL,
		.level = is_level(entry),
	};

	/* 3 and 6 are reserved here: 6 would be a SIPI, which no pin can send. */
	if (message.delivery == APIC_DELIVERY_REMOTE_READ ||
	    message.delivery == APIC_DELIVERY_STARTUP)
		return false;
	return ioapic->send(ioapic->owner, &message) > 0;
}

static void send_level(struct ioapic *ioapic, unsigned int pin)
{
	uint64_t *entry = &ioapic->redirection[pin];
	uint32_t bit = 1u << pin;

	ioapic->waiting &= ~bit;
	if (!(ioapic->lines & bit) || (*entry & (IOREDTBL_MASK | IOREDTBL_REMOTE_IRR)) ||
	    !is_level(*entry))
		return;
	/* Set before it is sent: the receiver may end it at once. */
	*entry |= IOREDTBL_REMOTE_IRR;
	if (send_entry(ioapic, *entry))
		return;
	*entry &= ~IOREDTBL_REMOTE_IRR;
	ioapic->waiting |= bit;
}

static void retry_waiting(struct ioapic *ioapic)
{
	for (unsigned int pin = 0; ioapic->waiting >> pin; pin++)
		if (ioapic->waiting >> pin & 1)
			send_level(ioapic, pin);
}

void ioapic_set_irq(struct ioapic *ioapic, unsigned int pin, bool level)
{
	uint64_t entry;
	bool rises;

	if (pin >= IOAPIC_PIN_COUNT)
		return;
	entry = ioapic->redirection[pin];
	rises = level && !(ioapic->lines >> pin & 1);
	ioapic->lines = (ioapic->lines & ~(1u << pin)) | (uint32_t)level << pin;
	if (!level)
		ioapic->waiting &= ~(1u << pin);
	if (is_level(entry))
		send_level(ioapic, pin);
	else if (rises && !(entry & IOREDTBL_MASK))
		send_entry(ioapic, entry);
	retry_waiting(ioapic);
}

void ioapic_end_of_interrupt(struct ioapic *ioapic, uint8_t vector)
{
	for (unsigned int pin = 0; pin < IOAPIC_PIN_COUNT; pin++) {
		uint64_t *entry = &ioapic->redirection[pin];

		if (!(*entry & IOREDTBL_REMOTE_IRR) || (*entry & IOREDTBL_VECTOR) != vector)
			continue;
		*entry &= ~IOREDTBL_REMOTE_IRR;
		send_level(ioapic, pin);
	}
}

/* ---- registers ------------------------------------------------------------ */

static uint32_t read_entry(const struct ioapic *ioapic, unsigned int number)
{
	unsigned int pin = (number - IOREDTBL) / 2;
	uint64_t entry = ioapic->redirection[pin];

	if (ioapic->waiting >> pin & 1)
		entry |= IOREDTBL_DELIVERY_STATUS;
	return (uint32_t)(number & 1 ? entry >> 32 : entry);
}

static uint32_t read_register(const struct ioapic *ioapic, unsigned int number)
{
	switch (number) {
	case IOAPICID:
	case IOAPICARB: /* loaded from the id whenever that is written: 3.2.3 */
		return ioapic->id;
	case IOAPICVER:
		return ioapic->version | (IOAPIC_PIN_COUNT - 1)
						 << IOAPIC_VERSION_MAX_REDIRECTION_SHIFT;
	default:
		if (number >= IOREDTBL && number < IOREDTBL + 2 * IOAPIC_PIN_COUNT)
			return read_entry(ioapic, number);
		return 0;
	}
}

/*
 * An entry that is edge-triggered now has nothing in service: kernels clear Remote IRR
 * by turning an entry to edge and back where there is no EOI register.
 */
static void write_entry(struct ioapic *ioapic, unsigned int number, uint32_t value)
{
	const uint64_t read_only = IOREDTBL_DELIVERY_STATUS | IOREDTBL_REMOTE_IRR;
	const uint64_t low_writable = IOREDTBL_VECTOR | IOREDTBL_DELIVERY | IOREDTBL_LOGICAL |
				      IOREDTBL_ACTIVE_LOW | IOREDTBL_LEVEL | IOREDTBL_MASK;
	unsigned int pin = (number - IOREDTBL) / 2;
	uint64_t *entry = &ioapic->redirection[pin];

	if (number & 1)
		*entry = (uint32_t)*entry | (uint64_t)(value & 0xff000000) << 32;
	else
		*entry = (*entry & (0xffffffffull << 32 | read_only)) | (value & low_writable);
	if (!is_level(*entry))
		*entry &= ~IOREDTBL_REMOTE_IRR;
	send_level(ioapic, pin);
}

static void write_register(struct ioapic *ioapic, unsigned int number, uint32_t value)
{
	if (number == IOAPICID)
		ioapic->id = value & IOAPIC_ID;
	else if (number >= IOREDTBL && number < IOREDTBL + 2 * IOAPIC_PIN_COUNT)
		write_entry(ioapic, number, value);
}

uint32_t ioapic_read(const struct ioapic *ioapic, uint32_t offset, unsigned int size)
{
	unsigned int byte = offset & 3;
	uint32_t value = 0;

	if (byte + size > 4)
		return 0;
	if ((offset & ~3u) == IOAPIC_REGSEL)
		value = ioapic->select;
	else if ((offset & ~3u) == IOAPIC_WIN)
		value = read_register(ioapic, ioapic->select);
	value >>= 8 * byte;
	return size < 4 ? value & ((1u << (8 * size)) - 1) : value;
}

void ioapic_write(struct ioapic *ioapic, uint32_t offset, unsigned int size, uint32_t value)
{
	if (offset == IOAPIC_REGSEL)
		ioapic->select = (uint8_t)value;
	else if (offset == IOAPIC_WIN && size == 4)
		write_register(ioapic, ioapic->select, value);
	else if (offset == IOAPIC_EOI && size == 4 && ioapic->version >= IOAPIC_VERSION_EOI)
		ioapic_end_of_interrupt(ioapic, (uint8_t)value);
	retry_waiting(ioapic);
}

void ioapic_reset(struct ioapic *ioapic)
{
	for (unsigned int pin = 0; pin < IOAPIC_PIN_COUNT; pin++)
		ioapic->redirection[pin] = IOREDTBL_MASK;
	ioapic->waiting = 0;
	ioapic->id = 0;
	ioapic->select = 0;
}

void ioapic_init(struct ioapic *ioapic, uint8_t version,
		 unsigned int (*send)(void *owner, const struct apic_message *message), void *owner)
{
	*ioapic = (struct ioapic){ .version = version, .send = send, .owner = owner };
	ioapic_reset(ioapic);
}
