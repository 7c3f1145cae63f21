/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "dev/acpi_pm.h"

#include "dev/clock.h"

/*
 * Status, enable, and their AND on a level-triggered line: all of ACPI's fixed events
 * work so. The timer is nothing but the time in another unit; what it adds is an event
 * each time its highest bit changes, by which a guest that slept may count the wraps.
 */

#define STATUS_BITS                                                                       \
	(ACPI_PM1_TMR | ACPI_PM1_GBL | ACPI_PM1_PWRBTN | ACPI_PM1_SLPBTN | ACPI_PM1_RTC | \
	 ACPI_PM1_WAK)
#define ENABLE_BITS (STATUS_BITS & ~ACPI_PM1_WAK)
#define RESET_BITS  (ACPI_RESET_SYS_RST | ACPI_RESET_RST_CPU | ACPI_RESET_FULL_RST)

static uint64_t timer(uint64_t now)
{
	return clock_ticks(now, ACPI_PM_TIMER_HZ);
}

static void update_sci(struct acpi_pm *pm)
{
	bool level = pm->status & pm->enable;

	if (pm->sci == level)
		return;
	pm->sci = level;
	line_set(&pm->wiring.sci, level);
}

static void advance(struct acpi_pm *pm, uint64_t now)
{
	uint64_t wraps = timer(now) >> (pm->wiring.timer_bits - 1);

	if (wraps != pm->wraps)
		pm->status |= ACPI_PM1_TMR;
	pm->wraps = wraps;
	update_sci(pm);
}

static uint8_t read_byte(const struct acpi_pm *pm, unsigned int offset, uint32_t ticks)
{
	unsigned int shift = (offset & 1) * 8;

	switch (offset & ~1u) {
	case ACPI_PM1_STS:
		return (uint8_t)(pm->status >> shift);
	case ACPI_PM1_EN:
		return (uint8_t)(pm->enable >> shift);
	case ACPI_PM1_CNT:
		return (uint8_t)(pm->control >> shift);
	case ACPI_PM_TMR:
	case ACPI_PM_TMR + 2:
		return (uint8_t)(ticks >> (offset - ACPI_PM_TMR) * 8);
	default:
		return 0;
	}
}

uint32_t acpi_pm_read(struct acpi_pm *pm, unsigned int offset, unsigned int size, uint64_t now)
{
	uint32_t ticks = (uint32_t)timer(now), value = 0;

	advance(pm, now);
	if (pm->wiring.timer_bits < 32)
		ticks &= (1u << pm->wiring.timer_bits) - 1;
	for (unsigned int i = 0; i < size && i < 4; i++)
		value |= (uint32_t)read_byte(pm, offset + i, ticks) << (8 * i);
	return value;
}

/* SLP_EN and GBL_RLS ask for something and keep nothing; SCI_EN stays. */
static void write_control(struct acpi_pm *pm, unsigned int shift, uint8_t value)
{
	uint16_t mask = ACPI_PM1_BM_RLD | ACPI_PM1_SLP_TYP;
	uint16_t bits = (uint16_t)(value << shift);

	mask &= (uint16_t)(0xff << shift);
	pm->control = (uint16_t)((pm->control & ~mask) | (bits & mask));
}

static void write_byte(struct acpi_pm *pm, unsigned int offset, uint8_t value)
{
	unsigned int shift = (offset & 1) * 8;
	uint16_t bits = (uint16_t)(value << shift);

	switch (offset & ~1u) {
	case ACPI_PM1_STS:
		pm->status &= (uint16_t)~bits;
		break;
	case ACPI_PM1_EN:
		pm->enable = (uint16_t)((pm->enable & ~(0xff << shift)) | (bits & ENABLE_BITS));
		break;
	case ACPI_PM1_CNT:
		write_control(pm, shift, value);
		break;
	default: /* the timer is read-only */
		break;
	}
}

static void request_sleep(struct acpi_pm *pm)
{
	unsigned int type = (pm->control & ACPI_PM1_SLP_TYP) >> ACPI_PM1_SLP_TYP_SHIFT;

	if (pm->wiring.sleep && pm->wiring.sleep(pm->wiring.owner, type))
		return;
	pm->status |= ACPI_PM1_WAK;
}

void acpi_pm_write(struct acpi_pm *pm, unsigned int offset, unsigned int size, uint32_t value,
		   uint64_t now)
{
	bool sleep = false;

	advance(pm, now);
	for (unsigned int i = 0; i < size && i < 4; i++) {
		uint8_t byte = (uint8_t)(value >> (8 * i));

		write_byte(pm, offset + i, byte);
		if (offset + i == ACPI_PM1_CNT + 1)
			sleep = byte & ACPI_PM1_SLP_EN >> 8;
	}
	update_sci(pm);
	if (sleep)
		request_sleep(pm);
}

uint64_t acpi_pm_tick(struct acpi_pm *pm, uint64_t now)
{
	advance(pm, now);
	if (!(pm->enable & ACPI_PM1_TMR) || (pm->status & ACPI_PM1_TMR))
		return DEV_NEVER;
	return clock_moment((pm->wraps + 1) << (pm->wiring.timer_bits - 1), ACPI_PM_TIMER_HZ);
}

bool acpi_pm_power_button(struct acpi_pm *pm, uint64_t now)
{
	advance(pm, now);
	pm->status |= ACPI_PM1_PWRBTN;
	update_sci(pm);
	return pm->enable & ACPI_PM1_PWRBTN;
}

uint8_t acpi_pm_reset_read(const struct acpi_pm *pm)
{
	return pm->reset_control;
}

void acpi_pm_reset_write(struct acpi_pm *pm, uint8_t value)
{
	bool resets = value & ~pm->reset_control & ACPI_RESET_RST_CPU;

	pm->reset_control = value & RESET_BITS;
	if (!resets)
		return;
	line_set(&pm->wiring.reset, true);
	line_set(&pm->wiring.reset, false);
}

void acpi_pm_reset(struct acpi_pm *pm, uint64_t now)
{
	pm->wraps = timer(now) >> (pm->wiring.timer_bits - 1);
	pm->status = 0;
	pm->enable = 0;
	pm->control = ACPI_PM1_SCI_EN;
	pm->reset_control = 0;
	update_sci(pm);
}

void acpi_pm_init(struct acpi_pm *pm, const struct acpi_pm_wiring *wiring, uint64_t now)
{
	*pm = (struct acpi_pm){ .wiring = *wiring };
	if (pm->wiring.timer_bits != 24)
		pm->wiring.timer_bits = 32;
	acpi_pm_reset(pm, now);
}
