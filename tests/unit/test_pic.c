/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "tests/unit/device_test.h"

#include "dev/pic.h"

/* The 8259A pair against its data sheet: priorities, modes, the cascade and spurious requests. */

#define MASTER	   PIC_MASTER_PORT
#define SLAVE	   PIC_SLAVE_PORT
#define BASE	   0x20
#define SLAVE_BASE 0x28
#define READ_IRR   (PIC_OCW3 | PIC_OCW3_RR)
#define READ_ISR   (PIC_OCW3 | PIC_OCW3_RR | PIC_OCW3_RIS)

struct fixture {
	struct pic pic;
	struct probe intr;
};

/* As a PC's BIOS or kernel does it: edge-triggered, cascade on IRQ2. */
static void initialise(struct pic *pic, uint8_t icw4_master, uint8_t icw4_slave)
{
	pic_write(pic, MASTER, PIC_ICW1 | PIC_ICW1_IC4);
	pic_write(pic, MASTER + 1, BASE);
	pic_write(pic, MASTER + 1, 1 << PIC_CASCADE_IRQ);
	pic_write(pic, MASTER + 1, 0x01 | icw4_master);
	pic_write(pic, SLAVE, PIC_ICW1 | PIC_ICW1_IC4);
	pic_write(pic, SLAVE + 1, SLAVE_BASE);
	pic_write(pic, SLAVE + 1, PIC_CASCADE_IRQ);
	pic_write(pic, SLAVE + 1, 0x01 | icw4_slave);
}

static int set_up(void **state)
{
	static struct fixture fixture;

	memset(&fixture, 0, sizeof(fixture));
	pic_init(&fixture.pic, probe_line(&fixture.intr, 0));
	initialise(&fixture.pic, 0, 0);
	*state = &fixture;
	return 0;
}

static uint8_t read_register(struct pic *pic, uint16_t port, uint8_t ocw3)
{
	pic_write(pic, port, ocw3);
	return pic_read(pic, port);
}

static void eoi(struct pic *pic, uint16_t port)
{
	pic_write(pic, port, PIC_OCW2_EOI);
}

/* An edge on an input that stays high: the request remains until it is served. */
static void raise(struct pic *pic, unsigned int irq)
{
	pic_set_irq(pic, irq, false);
	pic_set_irq(pic, irq, true);
}

static void edge_is_served_once(void **state)
{
	struct fixture *f = *state;

	assert_false(f->intr.level);
	raise(&f->pic, 3);
	assert_true(f->intr.level);
	assert_int_equal(read_register(&f->pic, MASTER, READ_IRR), 0x08);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 3);
	assert_false(f->intr.level);
	assert_int_equal(read_register(&f->pic, MASTER, READ_IRR), 0);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0x08);
	eoi(&f->pic, MASTER);
	assert_int_equal(pic_read(&f->pic, MASTER), 0);
	assert_false(f->intr.level); /* the pin is still high: no new edge */
	raise(&f->pic, 3);
	assert_true(f->intr.level);
}

static void priorities_are_fully_nested(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 5);
	raise(&f->pic, 1);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 1);
	assert_false(f->intr.level); /* 5 stands below 1 */
	raise(&f->pic, 0);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 0);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0x03);
	eoi(&f->pic, MASTER);
	assert_int_equal(pic_read(&f->pic, MASTER), 0x02);
	eoi(&f->pic, MASTER);
	assert_true(f->intr.level);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 5);
}

static void mask_holds_back_and_lets_go(void **state)
{
	struct fixture *f = *state;

	pic_write(&f->pic, MASTER + 1, 0x10);
	assert_int_equal(pic_read(&f->pic, MASTER + 1), 0x10);
	raise(&f->pic, 4);
	assert_false(f->intr.level);
	assert_int_equal(read_register(&f->pic, MASTER, READ_IRR), 0x10);
	pic_write(&f->pic, MASTER + 1, 0);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 4);
}

/* Data sheet, "Edge and level triggered modes": an input that falls gives the default IR7. */
static void fallen_request_is_spurious(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 4);
	pic_set_irq(&f->pic, 4, false);
	assert_false(f->intr.level);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 7);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0);
}

/* The slave's default IR7 is IRQ15; the master has its IRQ2 in service all the same. */
static void slave_without_request_is_spurious(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 12);
	f->pic.chips[1].edges = 0; /* it is withdrawn between the two INTA cycles */
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 7);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0x04);
	assert_int_equal(read_register(&f->pic, SLAVE, READ_ISR), 0);
}

static void level_asks_until_it_is_low(void **state)
{
	struct fixture *f = *state;

	pic_write(&f->pic, PIC_ELCR_PORT + 1, 0xff);
	assert_int_equal(pic_read(&f->pic, PIC_ELCR_PORT + 1), 0xde);
	pic_write(&f->pic, PIC_ELCR_PORT, 0xff);
	assert_int_equal(pic_read(&f->pic, PIC_ELCR_PORT), 0xf8);

	pic_set_irq(&f->pic, 11, true);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 3);
	assert_int_equal(read_register(&f->pic, SLAVE, READ_IRR), 0x08);
	eoi(&f->pic, SLAVE);
	eoi(&f->pic, MASTER);
	assert_true(f->intr.level);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 3);
	pic_set_irq(&f->pic, 11, false);
	eoi(&f->pic, SLAVE);
	eoi(&f->pic, MASTER);
	assert_false(f->intr.level);
}

static void ltim_makes_all_inputs_level(void **state)
{
	struct fixture *f = *state;

	pic_write(&f->pic, MASTER, PIC_ICW1 | PIC_ICW1_LTIM | PIC_ICW1_IC4);
	pic_write(&f->pic, MASTER + 1, BASE);
	pic_write(&f->pic, MASTER + 1, 4);
	pic_write(&f->pic, MASTER + 1, 1);
	pic_set_irq(&f->pic, 0, true);
	assert_int_equal(pic_acknowledge(&f->pic), BASE);
	eoi(&f->pic, MASTER);
	assert_int_equal(pic_acknowledge(&f->pic), BASE);
}

static void slave_goes_through_the_cascade(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 14);
	raise(&f->pic, 8);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 0);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0x04);
	assert_int_equal(read_register(&f->pic, SLAVE, READ_ISR), 0x01);
	assert_false(f->intr.level);
	eoi(&f->pic, SLAVE);
	assert_false(f->intr.level); /* the master still serves its IRQ2 */
	eoi(&f->pic, MASTER);
	assert_true(f->intr.level);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 6);
	raise(&f->pic, 1); /* IRQ1 stands above the whole slave */
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 1);
}

static void irq2_is_the_slaves(void **state)
{
	struct fixture *f = *state;

	pic_set_irq(&f->pic, PIC_CASCADE_IRQ, true);
	pic_set_irq(&f->pic, PIC_IRQ_COUNT, true);
	assert_int_equal(f->intr.rises, 0);
}

static void slave_with_wrong_number_is_silent(void **state)
{
	struct fixture *f = *state;

	pic_write(&f->pic, SLAVE, PIC_ICW1);
	pic_write(&f->pic, SLAVE + 1, SLAVE_BASE);
	pic_write(&f->pic, SLAVE + 1, 5);
	raise(&f->pic, 8);
	assert_int_equal(pic_acknowledge(&f->pic), 0xff);
}

/* Without SFNM the master holds all of the slave back; with it only what stands lower. */
static void special_fully_nested_mode(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 12);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 4);
	raise(&f->pic, 9);
	assert_false(f->intr.level);

	initialise(&f->pic, PIC_ICW4_SFNM, 0);
	raise(&f->pic, 12);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 4);
	raise(&f->pic, 13);
	raise(&f->pic, 3);
	assert_false(f->intr.level);
	raise(&f->pic, 9);
	assert_true(f->intr.level);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 1);
	assert_int_equal(read_register(&f->pic, SLAVE, READ_ISR), 0x12);
}

static void automatic_eoi(void **state)
{
	struct fixture *f = *state;

	initialise(&f->pic, PIC_ICW4_AEOI, PIC_ICW4_AEOI);
	raise(&f->pic, 12);
	raise(&f->pic, 14);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 4);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0);
	assert_int_equal(read_register(&f->pic, SLAVE, READ_ISR), 0);
	assert_true(f->intr.level);
	assert_int_equal(pic_acknowledge(&f->pic), SLAVE_BASE + 6);
	assert_false(f->intr.level);
}

static void automatic_rotation(void **state)
{
	struct fixture *f = *state;

	initialise(&f->pic, PIC_ICW4_AEOI, 0);
	pic_write(&f->pic, MASTER, PIC_OCW2_ROTATE_IN_AEOI_SET);
	raise(&f->pic, 4);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 4);
	raise(&f->pic, 4);
	raise(&f->pic, 6);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 6); /* 4 is the lowest now */
	pic_write(&f->pic, MASTER, PIC_OCW2_ROTATE_IN_AEOI_CLEAR);
	raise(&f->pic, 7);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 7); /* 6 is the lowest */
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 4);
}

static void rotation_on_eoi(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 4);
	pic_acknowledge(&f->pic);
	pic_write(&f->pic, MASTER, PIC_OCW2_ROTATE_ON_EOI);
	raise(&f->pic, 4);
	raise(&f->pic, 5);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 5);
	pic_write(&f->pic, MASTER, PIC_OCW2_ROTATE_ON_SPECIFIC_EOI | 5);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0);
	raise(&f->pic, 6);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 6);
	assert_int_equal(pic_read(&f->pic, MASTER), 0x40);
	eoi(&f->pic, MASTER);
	pic_write(&f->pic, MASTER, PIC_OCW2_ROTATE_ON_EOI); /* nothing in service: nothing turns */
	raise(&f->pic, 5);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 4);
}

static void set_priority(void **state)
{
	struct fixture *f = *state;

	pic_write(&f->pic, MASTER, PIC_OCW2_SET_PRIORITY | 5);
	raise(&f->pic, 0);
	raise(&f->pic, 5);
	raise(&f->pic, 6);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 6);
	eoi(&f->pic, MASTER);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 0);
	pic_write(&f->pic, MASTER, PIC_OCW2_NOP | 3);
	eoi(&f->pic, MASTER);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 5);
}

static void specific_eoi(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 4);
	pic_acknowledge(&f->pic);
	raise(&f->pic, 1);
	pic_acknowledge(&f->pic);
	pic_write(&f->pic, MASTER, PIC_OCW2_SPECIFIC_EOI | 4);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0x02);
}

static void special_mask_mode(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 1);
	pic_acknowledge(&f->pic);
	raise(&f->pic, 6);
	pic_write(&f->pic, MASTER + 1, 0x02);
	assert_false(f->intr.level);
	pic_write(&f->pic, MASTER, PIC_OCW3 | PIC_OCW3_ESMM | PIC_OCW3_SMM);
	assert_true(f->intr.level);
	assert_int_equal(pic_acknowledge(&f->pic), BASE + 6);
	eoi(&f->pic, MASTER); /* ends 6: a masked one is not ended by a non-specific EOI */
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0x02);
	eoi(&f->pic, MASTER);
	assert_int_equal(pic_read(&f->pic, MASTER), 0x02);
	raise(&f->pic, 7);
	assert_true(f->intr.level);
	pic_write(&f->pic, MASTER, PIC_OCW3 | PIC_OCW3_ESMM);
	assert_false(f->intr.level);
}

static void poll_acknowledges(void **state)
{
	struct fixture *f = *state;

	pic_write(&f->pic, MASTER, PIC_OCW3 | PIC_OCW3_POLL);
	assert_int_equal(pic_read(&f->pic, MASTER), 0);
	raise(&f->pic, 13);
	pic_write(&f->pic, MASTER, PIC_OCW3 | PIC_OCW3_POLL);
	assert_int_equal(pic_read(&f->pic, MASTER), PIC_POLL_PENDING | 2);
	pic_write(&f->pic, SLAVE, PIC_OCW3 | PIC_OCW3_POLL);
	assert_int_equal(pic_read(&f->pic, SLAVE + 1), PIC_POLL_PENDING | 5);
	assert_int_equal(read_register(&f->pic, MASTER, READ_ISR), 0x04);
	assert_int_equal(read_register(&f->pic, SLAVE, READ_ISR), 0x20);
	assert_int_equal(pic_read(&f->pic, MASTER), 0x04); /* one read only was a poll */
	assert_false(f->intr.level);
}

static void icw1_begins_anew(void **state)
{
	struct fixture *f = *state;

	raise(&f->pic, 0);
	pic_acknowledge(&f->pic);
	raise(&f->pic, 4);
	pic_write(&f->pic, MASTER + 1, 0x40);
	pic_write(&f->pic, MASTER, READ_ISR);
	pic_write(&f->pic, MASTER, PIC_ICW1 | PIC_ICW1_SNGL);
	raise(&f->pic, 1);
	assert_false(f->intr.level);	      /* not before it is initialised */
	pic_write(&f->pic, MASTER + 1, 0x77); /* ICW2; SNGL and no IC4: it is the last */
	assert_true(f->intr.level);
	assert_int_equal(pic_read(&f->pic, MASTER + 1), 0); /* IMR */
	assert_int_equal(pic_read(&f->pic, MASTER), 0x02);  /* IRR: the edge of IRQ4 is forgotten */
	assert_int_equal(pic_acknowledge(&f->pic), 0x70 + 1);
	raise(&f->pic, 8);
	eoi(&f->pic, MASTER);
	assert_int_equal(pic_acknowledge(&f->pic), 0x70 + 2); /* SNGL: input 2 is like any other */
}

static void reset_keeps_the_wires(void **state)
{
	struct fixture *f = *state;

	pic_write(&f->pic, PIC_ELCR_PORT, 0x20);
	pic_set_irq(&f->pic, 5, true);
	assert_true(f->intr.level);
	pic_reset(&f->pic);
	assert_false(f->intr.level);
	initialise(&f->pic, 0, 0);
	assert_false(f->intr.level);
	pic_write(&f->pic, PIC_ELCR_PORT, 0x20);
	assert_true(f->intr.level);
}

static void other_ports_are_not_ours(void **state)
{
	struct fixture *f = *state;
	struct pic before = f->pic;

	for (unsigned int port = 0; port < 0x600; port++) {
		if (port == MASTER || port == MASTER + 1 || port == SLAVE || port == SLAVE + 1 ||
		    port == PIC_ELCR_PORT || port == PIC_ELCR_PORT + 1)
			continue;
		assert_int_equal(pic_read(&f->pic, (uint16_t)port), 0xff);
		pic_write(&f->pic, (uint16_t)port, 0x5a);
	}
	assert_memory_equal(&before, &f->pic, sizeof(before));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(edge_is_served_once, set_up),
		cmocka_unit_test_setup(priorities_are_fully_nested, set_up),
		cmocka_unit_test_setup(mask_holds_back_and_lets_go, set_up),
		cmocka_unit_test_setup(fallen_request_is_spurious, set_up),
		cmocka_unit_test_setup(slave_without_request_is_spurious, set_up),
		cmocka_unit_test_setup(level_asks_until_it_is_low, set_up),
		cmocka_unit_test_setup(ltim_makes_all_inputs_level, set_up),
		cmocka_unit_test_setup(slave_goes_through_the_cascade, set_up),
		cmocka_unit_test_setup(irq2_is_the_slaves, set_up),
		cmocka_unit_test_setup(slave_with_wrong_number_is_silent, set_up),
		cmocka_unit_test_setup(special_fully_nested_mode, set_up),
		cmocka_unit_test_setup(automatic_eoi, set_up),
		cmocka_unit_test_setup(automatic_rotation, set_up),
		cmocka_unit_test_setup(rotation_on_eoi, set_up),
		cmocka_unit_test_setup(set_priority, set_up),
		cmocka_unit_test_setup(specific_eoi, set_up),
		cmocka_unit_test_setup(special_mask_mode, set_up),
		cmocka_unit_test_setup(poll_acknowledges, set_up),
		cmocka_unit_test_setup(icw1_begins_anew, set_up),
		cmocka_unit_test_setup(reset_keeps_the_wires, set_up),
		cmocka_unit_test_setup(other_ports_are_not_ours, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
