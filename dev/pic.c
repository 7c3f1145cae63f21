/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/pic.h"

/*
 * An 8259A is four registers of eight bits and a rule. The IRR holds who asks, the
 * IMR who may not be heard, the ISR who is being served; the priority resolver picks
 * from those who ask the one that stands above all who are being served, and the INT
 * pin tells the processor. Everything else bends the rule: rotation says who stands
 * highest, special mask mode forgets those in service who are masked, special fully
 * nested mode lets a slave interrupt itself, automatic EOI serves nobody for long.
 *
 * The IRR itself is not stored: for a level-triggered input it is the pin, for an
 * edge-triggered one the latch that the pin's rise sets (data sheet, figure 9).
 */

#define MASTER	 0
#define SLAVE	 1
#define SPURIOUS 7
#define SLAVE_ID 2

enum { NONE = -1 };

static uint8_t chip_irr(const struct pic_chip *chip)
{
	uint8_t level = chip->icw1 & PIC_ICW1_LTIM ? 0xff : chip->elcr;

	return (chip->lines & level) | (chip->edges & ~level);
}

/* The master's input of this number is a slave, as its initialisation told it. */
static bool chip_has_slave(const struct pic_chip *chip, unsigned int input)
{
	return !(chip->icw1 & PIC_ICW1_SNGL) && (chip->icw3 >> input & 1);
}

/* The input at rank @rank of the current rotation; rank 0 is the highest. */
static unsigned int chip_input_at(const struct pic_chip *chip, unsigned int rank)
{
	return (chip->lowest + 1 + rank) & 7;
}

static uint8_t chip_in_service(const struct pic_chip *chip)
{
	return chip->special_mask ? chip->isr & ~chip->imr : chip->isr;
}

/* The priority resolver: the input to be served next, or NONE. */
static int chip_resolve(const struct pic_chip *chip, bool master)
{
	uint8_t requests = chip_irr(chip) & ~chip->imr;
	uint8_t in_service = chip_in_service(chip);

	if (chip->next_icw)
		return NONE;
	for (unsigned int rank = 0; rank < 8; rank++) {
		unsigned int input = chip_input_at(chip, rank);
		bool requested = requests >> input & 1;

		if (in_service >> input & 1) {
			bool nested = master && (chip->icw4 & PIC_ICW4_SFNM) &&
				      chip_has_slave(chip, input);

			return nested && requested ? (int)input : NONE;
		}
		if (requested)
			return (int)input;
	}
	return NONE;
}

static void chip_drive(struct pic_chip *chip, unsigned int input, bool level)
{
	uint8_t bit = (uint8_t)(1u << input);

	if (!level) {
		chip->lines &= ~bit;
		chip->edges &= ~bit;
	} else if (!(chip->lines & bit)) {
		chip->lines |= bit;
		chip->edges |= bit;
	}
}

/* Takes @input into service, as the INTA cycles do. */
static void chip_serve(struct pic_chip *chip, unsigned int input)
{
	chip->edges &= ~(1u << input);
	if (!(chip->icw4 & PIC_ICW4_AEOI))
		chip->isr |= 1u << input;
	else if (chip->rotate_in_aeoi)
		chip->lowest = (uint8_t)input;
}

/* Lets the outputs follow the state: slave to master, master to processor. */
static void pic_update(struct pic *pic)
{
	bool level;

	chip_drive(&pic->chips[MASTER], PIC_CASCADE_IRQ,
		   chip_resolve(&pic->chips[SLAVE], false) != NONE);
	level = pic_intr(pic);
	if (level != pic->intr_level) {
		pic->intr_level = level;
		line_set(&pic->intr, level);
	}
}

bool pic_intr(const struct pic *pic)
{
	return chip_resolve(&pic->chips[MASTER], true) != NONE;
}

/*
 * Serves the best request of one chip. A slave's INT pin goes low in between, so
 * that a further request makes the edge that the master's input waits for.
 */
static int pic_serve(struct pic *pic, unsigned int which)
{
	struct pic_chip *chip = &pic->chips[which];
	int input = chip_resolve(chip, which == MASTER);

	if (input != NONE)
		chip_serve(chip, (unsigned int)input);
	if (which == SLAVE)
		chip_drive(&pic->chips[MASTER], PIC_CASCADE_IRQ, false);
	return input;
}

/* The slave answers the second INTA with the vector, if it was told its number. */
static uint8_t slave_vector(struct pic *pic)
{
	struct pic_chip *slave = &pic->chips[SLAVE];
	int input;

	if ((slave->icw3 & PIC_ICW3_ID) != SLAVE_ID)
		return 0xff; /* nobody drives the data bus */
	input = pic_serve(pic, SLAVE);
	return (uint8_t)(slave->base + (input == NONE ? SPURIOUS : input));
}

uint8_t pic_acknowledge(struct pic *pic)
{
	int input = pic_serve(pic, MASTER);
	uint8_t vector;

	if (input == PIC_CASCADE_IRQ && chip_has_slave(&pic->chips[MASTER], PIC_CASCADE_IRQ))
		vector = slave_vector(pic);
	else
		vector = (uint8_t)(pic->chips[MASTER].base + (input == NONE ? SPURIOUS : input));
	pic_update(pic);
	return vector;
}

void pic_set_irq(struct pic *pic, unsigned int irq, bool level)
{
	struct pic_chip *chip;
	uint8_t held;

	if (irq >= PIC_IRQ_COUNT || irq == PIC_CASCADE_IRQ)
		return;
	chip = &pic->chips[irq >> 3];
	held = chip->holds_edges ? chip->edges : 0;
	chip_drive(chip, irq & 7, level);
	chip->edges |= held;
	pic_update(pic);
}

/* ---- the command words --------------------------------------------------- */

/*
 * ICW1 begins an initialisation: data sheet, "Initialization Command Words 1 and 2".
 * The list there does not name the ISR and rotation in automatic EOI mode; they are
 * cleared as well, so that a second kernel does not inherit the first one's.
 */
static void write_icw1(struct pic_chip *chip, uint8_t value)
{
	chip->icw1 = value;
	chip->edges = 0;
	chip->isr = 0;
	chip->imr = 0;
	chip->lowest = 7;
	chip->special_mask = false;
	chip->read_isr = false;
	chip->poll = false;
	chip->rotate_in_aeoi = false;
	if (!(value & PIC_ICW1_IC4))
		chip->icw4 = 0;
	chip->next_icw = 2;
}

static void write_icw(struct pic_chip *chip, uint8_t value)
{
	uint8_t last = chip->icw1 & PIC_ICW1_IC4 ? 4 : 0;

	switch (chip->next_icw) {
	case 2:
		chip->base = value & PIC_ICW2_BASE;
		chip->next_icw = chip->icw1 & PIC_ICW1_SNGL ? last : 3;
		break;
	case 3:
		chip->icw3 = value;
		chip->next_icw = last;
		break;
	default:
		chip->icw4 = value;
		chip->next_icw = 0;
		break;
	}
}

/* The input that a non-specific EOI ends, or NONE. */
static int highest_in_service(const struct pic_chip *chip)
{
	for (unsigned int rank = 0; rank < 8; rank++) {
		unsigned int input = chip_input_at(chip, rank);

		if (chip_in_service(chip) >> input & 1)
			return (int)input;
	}
	return NONE;
}

static void end_of_interrupt(struct pic_chip *chip, int input, bool rotate)
{
	if (input == NONE)
		return;
	chip->isr &= ~(1u << input);
	if (rotate)
		chip->lowest = (uint8_t)input;
}

static void write_ocw2(struct pic_chip *chip, uint8_t value)
{
	int input = value & PIC_OCW2_LEVEL;

	switch ((enum pic_ocw2)(value & PIC_OCW2_COMMAND)) {
	case PIC_OCW2_EOI:
	case PIC_OCW2_ROTATE_ON_EOI:
		end_of_interrupt(chip, highest_in_service(chip), value & 0x80);
		break;
	case PIC_OCW2_SPECIFIC_EOI:
	case PIC_OCW2_ROTATE_ON_SPECIFIC_EOI:
		end_of_interrupt(chip, input, value & 0x80);
		break;
	case PIC_OCW2_SET_PRIORITY:
		chip->lowest = (uint8_t)input;
		break;
	case PIC_OCW2_ROTATE_IN_AEOI_SET:
	case PIC_OCW2_ROTATE_IN_AEOI_CLEAR:
		chip->rotate_in_aeoi = value & 0x80;
		break;
	case PIC_OCW2_NOP:
		break;
	}
}

static void write_ocw3(struct pic_chip *chip, uint8_t value)
{
	if (value & PIC_OCW3_POLL)
		chip->poll = true;
	if (value & PIC_OCW3_RR)
		chip->read_isr = value & PIC_OCW3_RIS;
	if (value & PIC_OCW3_ESMM)
		chip->special_mask = value & PIC_OCW3_SMM;
}

/* ---- the ports ----------------------------------------------------------- */

/* The poll word, which acknowledges: data sheet, "Poll Command". */
static uint8_t read_poll(struct pic *pic, unsigned int which)
{
	int input = pic_serve(pic, which);

	pic->chips[which].poll = false;
	pic_update(pic);
	return input == NONE ? 0 : (uint8_t)(PIC_POLL_PENDING | input);
}

uint8_t pic_read(struct pic *pic, uint16_t port)
{
	unsigned int which = port >= PIC_SLAVE_PORT ? SLAVE : MASTER;
	struct pic_chip *chip = &pic->chips[which];

	switch (port) {
	case PIC_MASTER_PORT:
	case PIC_SLAVE_PORT:
		if (chip->poll)
			return read_poll(pic, which);
		return chip->read_isr ? chip->isr : chip_irr(chip);
	case PIC_MASTER_PORT + 1:
	case PIC_SLAVE_PORT + 1:
		return chip->poll ? read_poll(pic, which) : chip->imr;
	case PIC_ELCR_PORT:
	case PIC_ELCR_PORT + 1:
		return pic->chips[port - PIC_ELCR_PORT].elcr;
	default:
		return 0xff;
	}
}

void pic_write(struct pic *pic, uint16_t port, uint8_t value)
{
	unsigned int which = port >= PIC_SLAVE_PORT ? SLAVE : MASTER;
	struct pic_chip *chip = &pic->chips[which];

	switch (port) {
	case PIC_MASTER_PORT:
	case PIC_SLAVE_PORT:
		if (value & PIC_ICW1)
			write_icw1(chip, value);
		else if (value & PIC_OCW3)
			write_ocw3(chip, value);
		else
			write_ocw2(chip, value);
		break;
	case PIC_MASTER_PORT + 1:
	case PIC_SLAVE_PORT + 1:
		if (chip->next_icw)
			write_icw(chip, value);
		else
			chip->imr = value;
		break;
	case PIC_ELCR_PORT:
	case PIC_ELCR_PORT + 1:
		which = port - PIC_ELCR_PORT;
		pic->chips[which].elcr = value & pic->chips[which].elcr_writable;
		break;
	default:
		return;
	}
	pic_update(pic);
}

void pic_reset(struct pic *pic)
{
	for (unsigned int which = MASTER; which <= SLAVE; which++)
		pic->chips[which] = (struct pic_chip){
			.lines = pic->chips[which].lines,
			.holds_edges = pic->chips[which].holds_edges,
			.elcr_writable = which == MASTER ? PIC_ELCR_MASTER : PIC_ELCR_SLAVE,
			.base = which == MASTER ? PIC_BIOS_MASTER_BASE : PIC_BIOS_SLAVE_BASE,
			.lowest = 7,
		};
	pic_update(pic);
}

void pic_init(struct pic *pic, struct line intr)
{
	*pic = (struct pic){ .intr = intr };
	pic_reset(pic);
}
