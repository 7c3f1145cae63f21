/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/apic_bus.h"

#include <stddef.h>

#include "dev/lapic.h"

/*
 * Who is meant? A physical destination is one id, which is the index of the table. A
 * logical one is a set of bits that each local APIC compares with its own: that is
 * its own business (lapic_matches_logical()). All ones mean everybody, in eight bits
 * or in 32 as the sender speaks.
 *
 * Lowest-priority delivery goes to the one that does the least important work at the
 * moment (SDM 3, 11.6.2.4); among equals to the next after the last winner, so that
 * idle processors take turns.
 */

static bool is_broadcast(const struct apic_message *message)
{
	return message->destination == (message->wide ? APIC_X2APIC_BROADCAST : APIC_BROADCAST);
}

static bool is_addressed(const struct lapic *lapic, const struct lapic *source,
			 const struct apic_message *message)
{
	switch (message->shorthand) {
	case APIC_TO_SELF:
		return lapic == source;
	case APIC_TO_ALL:
		return true;
	case APIC_TO_OTHERS:
		return lapic != source;
	default:
		break;
	}
	if (is_broadcast(message))
		return true;
	if (message->logical)
		return lapic_matches_logical(lapic, message->destination);
	return lapic->id == message->destination;
}

/* The span of the table in which the addressed ones are. */
static void bounds(const struct apic_bus *bus, const struct lapic *source,
		   const struct apic_message *message, unsigned int *first, unsigned int *end)
{
	uint32_t only;

	*first = 0;
	*end = bus->count;
	if (message->shorthand == APIC_TO_SELF)
		only = source ? source->id : bus->count;
	else if (message->shorthand == APIC_TO_DESTINATION && !message->logical &&
		 !is_broadcast(message))
		only = message->destination;
	else
		return;
	*first = only;
	*end = only < bus->count ? only + 1 : only;
}

static unsigned int send_to_all(struct apic_bus *bus, const struct lapic *source,
				const struct apic_message *message)
{
	unsigned int i, end, accepted = 0;

	for (bounds(bus, source, message, &i, &end); i < end; i++) {
		struct lapic *lapic = bus->lapics[i];

		if (lapic && is_addressed(lapic, source, message))
			accepted += lapic_receive(lapic, message);
	}
	return accepted;
}

static unsigned int send_to_lowest(struct apic_bus *bus, const struct lapic *source,
				   const struct apic_message *message)
{
	struct lapic *winner = NULL;
	unsigned int where = 0;

	for (unsigned int i = 1; i <= bus->count; i++) {
		unsigned int at = (bus->last + i) % bus->count;
		struct lapic *lapic = bus->lapics[at];

		if (!lapic || !lapic_enabled(lapic) || !is_addressed(lapic, source, message))
			continue;
		if (winner && lapic_apr(winner) <= lapic_apr(lapic))
			continue;
		winner = lapic;
		where = at;
	}
	if (!winner)
		return 0;
	bus->last = where;
	return lapic_receive(winner, message);
}

unsigned int apic_bus_send(struct apic_bus *bus, const struct lapic *source,
			   const struct apic_message *message)
{
	if (message->delivery == APIC_DELIVERY_LOWEST_PRIORITY)
		return send_to_lowest(bus, source, message);
	return send_to_all(bus, source, message);
}

void apic_bus_end_of_interrupt(struct apic_bus *bus, uint8_t vector)
{
	if (bus->end_of_interrupt)
		bus->end_of_interrupt(bus->owner, vector);
}
