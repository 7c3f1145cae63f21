/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dev/acpi_pm.h"
#include "dev/clock.h"
#include "dev/debug_ports.h"
#include "dev/i8042.h"
#include "dev/pit.h"
#include "dev/rtc.h"
#include "dev/uart.h"
#include "lib/system.h"
#include "vmm/machine.h"

/*
 * A model knows its registers and nothing of where it is; here it gets its ports, its
 * interrupt line and its clock. The board is a table with one row for each range of
 * ports. After an access the row is ticked once, and says when it wants to be ticked
 * next; the earliest of these moments is what the I/O thread's timer is set to.
 */

#define COM1_PORT 0x3f8

/* IBM PS/2 Hardware Interface Technical Reference: system control port A. */
#define SYSTEM_CONTROL_A     0x92
#define SYSTEM_CONTROL_RESET 0x01 /* its rising edge resets */
#define SYSTEM_CONTROL_A20   0x02

/* The ISA lines of a PC. */
enum {
	IRQ_NONE = -1,
	IRQ_TIMER = 0,
	IRQ_KEYBOARD = 1,
	IRQ_COM1 = 4,
	IRQ_RTC = 8,
};

#define ROWS_MAX 16

struct devices;
struct board_row;

/* A row of the board in use, and when it wants to be ticked. */
struct slot {
	struct devices *devices;
	const struct board_row *row;
	uint64_t due;
};

struct devices {
	struct machine *machine;
	struct slot slots[ROWS_MAX];
	struct uart uart;
	struct i8042 i8042;
	struct rtc rtc;
	struct pit pit;
	struct acpi_pm acpi_pm;
	struct debug_ports debug_ports;
	uint8_t system_control_a;
	unsigned int waiting; /* vCPUs that wait for the console */
};

/* ---- the pins that reach out of the case ------------------------------------- */

static void set_gsi(void *owner, unsigned int pin, bool level)
{
	struct machine *machine = owner;

	/* While the board is wired, and for --dry-run, there is nobody to hear it. */
	if (machine->irqchip.ops)
		machine_set_gsi(machine, pin, level);
}

static struct line gsi_line(struct machine *machine, unsigned int gsi)
{
	return (struct line){ .set = set_gsi, .owner = machine, .pin = gsi };
}

static void reset_pin(void *owner, unsigned int pin, bool level)
{
	(void)pin;
	if (level)
		machine_request_locked(owner, MACHINE_RESET, 0);
}

/* S5 is the only sleep there is (vmm/dsdt.asl), and nobody wakes from it. */
static bool sleep_state(void *owner, unsigned int type)
{
	if (type != ACPI_S5_SLP_TYP)
		return false;
	machine_request_locked(owner, MACHINE_POWERED_OFF, 0);
	return true;
}

/*
 * The status that the guest wants this process to end with, as it is. Test suites made
 * for QEMU's isa-debug-exit expect it moved up by a bit, and odd: --testdev.
 */
static void debug_exit(void *owner, uint32_t value)
{
	struct devices *devices = owner;
	struct machine *machine = devices->machine;

	if (machine->config->testdev)
		value = value << 1 | 1;
	machine_request_locked(machine, MACHINE_DEBUG_EXIT, value & 0xff);
}

static void transmit(void *owner, uint8_t byte)
{
	struct devices *devices = owner;
	struct console *console = devices->machine->console;

	/* No room is left only when the machine ends. */
	if (console && console_room(console))
		console_put(console, byte);
}

/* ---- access ----------------------------------------------------------------------- */

/* One access to a row of the board. */
struct access {
	struct devices *devices;
	struct vcpu *vcpu;
	struct bus_access *bus;
	unsigned int offset; /* from the row's first port */
	uint64_t now;
};

/*
 * Before a byte goes to the console: waits until that has room. A guest that asks whether
 * the UART is ready has been told that it is not, and does not come here; one that writes
 * regardless has its vCPU wait, and loses nothing.
 */
static void wait_for_room(struct access *access)
{
	struct devices *devices = access->devices;
	struct console *console = devices->machine->console;

	if (!console || console_room(console))
		return;
	devices->waiting++;
	while (!console_room(console) && vcpu_wait_locked(access->vcpu))
		;
	devices->waiting--;
	access->now = machine_now(devices->machine);
}

static void uart_access(struct access *access)
{
	struct devices *devices = access->devices;
	struct console *console = devices->machine->console;
	struct uart *uart = &devices->uart;

	if (!access->bus->write) {
		access->bus->value = uart_read(uart, access->offset, access->now);
	} else {
		if (access->offset == UART_THR && !(uart->lcr & UART_LCR_DLAB))
			wait_for_room(access);
		uart_write(uart, access->offset, (uint8_t)access->bus->value, access->now);
	}
	if (console)
		console_guest_ready(console);
}

static uint64_t uart_due(struct devices *devices, uint64_t now)
{
	return uart_tick(&devices->uart, now);
}

static void i8042_access(struct access *access)
{
	struct i8042 *i8042 = &access->devices->i8042;
	unsigned int offset = access->bus->address & I8042_COMMAND;

	if (access->bus->write)
		i8042_write(i8042, offset, (uint8_t)access->bus->value, access->now);
	else
		access->bus->value = i8042_read(i8042, offset, access->now);
}

static uint64_t i8042_due(struct devices *devices, uint64_t now)
{
	return i8042_tick(&devices->i8042, now);
}

static void rtc_access(struct access *access)
{
	struct rtc *rtc = &access->devices->rtc;

	if (access->bus->write)
		rtc_write(rtc, access->offset, (uint8_t)access->bus->value, access->now);
	else
		access->bus->value = rtc_read(rtc, access->offset, access->now);
}

static uint64_t rtc_due(struct devices *devices, uint64_t now)
{
	return rtc_tick(&devices->rtc, now);
}

static void pit_access(struct access *access)
{
	struct pit *pit = &access->devices->pit;

	if (access->bus->write)
		pit_write(pit, access->offset, (uint8_t)access->bus->value, access->now);
	else
		access->bus->value = pit_read(pit, access->offset, access->now);
}

static uint64_t pit_due(struct devices *devices, uint64_t now)
{
	return pit_tick(&devices->pit, now);
}

static void speaker_access(struct access *access)
{
	struct pit *pit = &access->devices->pit;

	if (access->bus->write)
		pit_speaker_write(pit, (uint8_t)access->bus->value, access->now);
	else
		access->bus->value = pit_speaker_read(pit, access->now);
}

static void acpi_access(struct access *access)
{
	struct acpi_pm *pm = &access->devices->acpi_pm;
	struct bus_access *bus = access->bus;

	if (bus->write)
		acpi_pm_write(pm, access->offset, bus->size, (uint32_t)bus->value, access->now);
	else
		bus->value = acpi_pm_read(pm, access->offset, bus->size, access->now);
}

static uint64_t acpi_due(struct devices *devices, uint64_t now)
{
	return acpi_pm_tick(&devices->acpi_pm, now);
}

static void reset_access(struct access *access)
{
	struct acpi_pm *pm = &access->devices->acpi_pm;

	if (access->bus->write)
		acpi_pm_reset_write(pm, (uint8_t)access->bus->value);
	else
		access->bus->value = acpi_pm_reset_read(pm);
}

static void debug_access(struct access *access, enum debug_port port)
{
	struct debug_ports *ports = &access->devices->debug_ports;
	struct bus_access *bus = access->bus;

	if (bus->write)
		debug_ports_write(ports, port, (uint32_t)bus->value, access->now);
	else
		bus->value = debug_ports_read(ports, port);
}

static void debug_console_access(struct access *access)
{
	if (access->bus->write)
		wait_for_room(access);
	debug_access(access, DEBUG_CONSOLE);
}

static void post_access(struct access *access)
{
	debug_access(access, DEBUG_POST);
}

static void exit_access(struct access *access)
{
	debug_access(access, DEBUG_EXIT);
}

static void stamp_access(struct access *access)
{
	debug_access(access, DEBUG_STAMP);
}

/* A20 is always open here, as on every PC of this century; the bit remembers what was asked. */
static void system_control_access(struct access *access)
{
	struct devices *devices = access->devices;
	uint8_t before = devices->system_control_a;

	if (!access->bus->write) {
		access->bus->value = before;
		return;
	}
	devices->system_control_a = (uint8_t)access->bus->value &
				    (SYSTEM_CONTROL_RESET | SYSTEM_CONTROL_A20);
	if (devices->system_control_a & ~before & SYSTEM_CONTROL_RESET)
		machine_request_locked(devices->machine, MACHINE_RESET, 0);
}

/* ---- the board --------------------------------------------------------------------- */

struct board_row {
	const char *name;
	uint16_t first, last;
	unsigned int width; /* bytes at once */
	int irq;
	void (*access)(struct access *access);
	uint64_t (*due)(struct devices *devices, uint64_t now); /* NULL: keeps no time */
};

static const struct board_row board[] = {
	{ "8254 timer", 0x40, 0x43, 1, IRQ_TIMER, pit_access, pit_due },
	{ "8042 keyboard", 0x60, 0x60, 1, IRQ_KEYBOARD, i8042_access, i8042_due },
	{ "speaker", 0x61, 0x61, 1, IRQ_NONE, speaker_access, pit_due },
	{ "8042 command", 0x64, 0x64, 1, IRQ_NONE, i8042_access, i8042_due },
	{ "MC146818 clock", 0x70, 0x71, 1, IRQ_RTC, rtc_access, rtc_due },
	{ "POST code", DEBUG_POST_PORT, DEBUG_POST_PORT, 1, IRQ_NONE, post_access, NULL },
	{ "system control", 0x92, 0x92, 1, IRQ_NONE, system_control_access, NULL },
	{ "debug console", DEBUG_CONSOLE_PORT, DEBUG_CONSOLE_PORT, 1, IRQ_NONE,
	  debug_console_access, NULL },
	{ "debug exit", DEBUG_EXIT_PORT, DEBUG_EXIT_PORT, 4, IRQ_NONE, exit_access, NULL },
	{ "time stamp", DEBUG_STAMP_PORT, DEBUG_STAMP_PORT, 1, IRQ_NONE, stamp_access, NULL },
	{ "16550A serial", COM1_PORT, COM1_PORT + 7, 1, IRQ_COM1, uart_access, uart_due },
	{ "ACPI power management", ACPI_PM1A_EVT_PORT, ACPI_PM1A_EVT_PORT + ACPI_PM_PORT_COUNT - 1,
	  4, ACPI_SCI_GSI, acpi_access, acpi_due },
	{ "reset control", ACPI_RESET_PORT, ACPI_RESET_PORT, 1, IRQ_NONE, reset_access, NULL },
};

#define BOARD_ROWS (sizeof(board) / sizeof(board[0]))
_Static_assert(BOARD_ROWS <= ROWS_MAX, "struct devices has a slot for each row");

static bool board_access(void *owner, struct vcpu *vcpu, struct bus_access *bus)
{
	struct slot *slot = owner;
	struct devices *devices = slot->devices;
	struct access access = {
		.devices = devices,
		.vcpu = vcpu,
		.bus = bus,
		.offset = (unsigned int)(bus->address - slot->row->first),
		.now = machine_now(devices->machine),
	};

	slot->row->access(&access);
	if (slot->row->due) {
		slot->due = slot->row->due(devices, access.now);
		machine_wake_at(devices->machine, slot->due);
	}
	return true;
}

static int plug_in(struct devices *devices)
{
	for (unsigned int i = 0; i < BOARD_ROWS; i++) {
		const struct board_row *row = &board[i];
		struct slot *slot = &devices->slots[i];
		int error;

		*slot = (struct slot){ devices, row, row->due ? 0 : DEV_NEVER };
		error = bus_add_ports(&devices->machine->bus, row->first, row->last, row->width,
				      board_access, slot, row->name);
		if (error)
			return error;
	}
	return 0;
}

/* ---- what is on it --------------------------------------------------------------- */

/* The PC AT's CMOS map, as far as firmware asks for it: memory, in units of 1 and 64 KiB. */
static void fill_cmos(struct devices *devices)
{
	const struct memory_map *map = &devices->machine->map;
	uint64_t extended = (map->low_size - MEMORY_EXTENDED_GPA) >> 10;
	uint64_t above_16m = map->low_size > 16 << 20 ? (map->low_size - (16 << 20)) >> 16 : 0;
	uint64_t high = map->high_size >> 16;
	const struct {
		uint8_t index;
		uint64_t value;
	} bytes[] = {
		{ 0x15, 640 & 0xff }, /* base memory, KiB */
		{ 0x16, 640 >> 8 },
		{ 0x17, clock_earlier(extended, 0xffff) & 0xff }, /* from 1 MiB, KiB */
		{ 0x18, clock_earlier(extended, 0xffff) >> 8 },
		{ 0x30, clock_earlier(extended, 0xffff) & 0xff }, /* the same again */
		{ 0x31, clock_earlier(extended, 0xffff) >> 8 },
		{ 0x34, above_16m & 0xff }, /* from 16 MiB, 64 KiB */
		{ 0x35, above_16m >> 8 },
		{ 0x5b, high & 0xff }, /* from 4 GiB, 64 KiB */
		{ 0x5c, high >> 8 & 0xff },
		{ 0x5d, high >> 16 & 0xff },
		{ 0x5f, devices->machine->cpu_count - 1 }, /* further processors */
	};

	for (unsigned int i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++)
		rtc_set_nvram(&devices->rtc, bytes[i].index, (uint8_t)bytes[i].value);
}

static void power_on(struct devices *devices)
{
	struct machine *machine = devices->machine;
	uint64_t now = machine_now(machine);
	const struct uart_wiring uart = {
		.irq = gsi_line(machine, IRQ_COM1),
		.transmit = transmit,
		.owner = devices,
	};
	const struct i8042_wiring i8042 = {
		.irq = gsi_line(machine, IRQ_KEYBOARD),
		.reset = { .set = reset_pin, .owner = machine },
	};
	const struct acpi_pm_wiring acpi = {
		.sci = gsi_line(machine, ACPI_SCI_GSI),
		.reset = { .set = reset_pin, .owner = machine },
		.sleep = sleep_state,
		.owner = machine,
		.timer_bits = 32,
	};
	const struct debug_ports_wiring debug = {
		.print = transmit,
		.exit = debug_exit,
		.owner = devices,
	};

	uart_init(&devices->uart, &uart, now);
	debug_ports_init(&devices->debug_ports, &debug, now);
	acpi_pm_init(&devices->acpi_pm, &acpi, now);
	i8042_init(&devices->i8042, &i8042, now);
	pit_init(&devices->pit, gsi_line(machine, IRQ_TIMER), now);
	rtc_init(&devices->rtc, gsi_line(machine, IRQ_RTC), (uint64_t)time(NULL), now);
	if (machine->reboots)
		for (unsigned int i = 0; i < RTC_NVRAM_SIZE; i++)
			rtc_set_nvram(&devices->rtc, (uint8_t)i, machine->nvram[i]);
	else
		fill_cmos(devices);
	devices->system_control_a = SYSTEM_CONTROL_A20;
}

int devices_create(struct machine *machine)
{
	struct devices *devices = system_calloc(1, sizeof(*devices));
	int error;

	if (!devices)
		return -ENOMEM;
	devices->machine = machine;
	error = plug_in(devices);
	if (error) {
		free(devices);
		return error;
	}
	power_on(devices);
	machine->devices = devices;
	return 0;
}

void devices_destroy(struct machine *machine)
{
	/* The battery keeps it. */
	memcpy(machine->nvram, machine->devices->rtc.memory, sizeof(machine->nvram));
	free(machine->devices);
	machine->devices = NULL;
}

uint64_t devices_tick(struct devices *devices, uint64_t now)
{
	uint64_t next = DEV_NEVER;

	for (unsigned int i = 0; i < BOARD_ROWS; i++) {
		struct slot *slot = &devices->slots[i];

		if (slot->due <= now)
			slot->due = slot->row->due(devices, now);
		next = clock_earlier(next, slot->due);
	}
	return next;
}

/* ---- the serial line's other end ------------------------------------------------- */

size_t devices_input_room(const struct devices *devices, bool patient)
{
	if (patient && !uart_listening(&devices->uart))
		return 0;
	return uart_room(&devices->uart);
}

void devices_input(struct devices *devices, const uint8_t *bytes, size_t count)
{
	uint64_t now = machine_now(devices->machine);

	uart_receive(&devices->uart, bytes, count, now);
	machine_wake_at(devices->machine, uart_tick(&devices->uart, now));
}

void devices_output_ready(struct devices *devices, bool ready)
{
	struct machine *machine = devices->machine;

	uart_hold(&devices->uart, !ready, machine_now(machine));
	if (!ready || !devices->waiting)
		return;
	for (unsigned int i = 0; i < machine->cpu_count; i++)
		vcpu_wake(&machine->vcpus[i]);
}

bool devices_power_button(struct devices *devices)
{
	return acpi_pm_power_button(&devices->acpi_pm, machine_now(devices->machine));
}

bool devices_nmi_masked(const struct devices *devices)
{
	return rtc_nmi_masked(&devices->rtc);
}

void devices_print_stamps(const struct devices *devices, FILE *out)
{
	const struct debug_ports *ports = &devices->debug_ports;

	for (unsigned int i = 0; i < ports->stamp_count; i++)
		fprintf(out, "time stamp %-13u %14.6f s\n", ports->stamps[i].value,
			(double)ports->stamps[i].when / DEV_NS_PER_SECOND);
}

void devices_print(const struct machine *machine, FILE *out)
{
	const struct bus *bus = &machine->bus;

	for (unsigned int i = 0; i < bus->count[BUS_PORT]; i++) {
		const struct bus_range *range = &bus->ranges[BUS_PORT][i];
		const struct slot *slot = range->owner;
		bool ours = range->handler == board_access;

		fprintf(out, "  port 0x%04x-0x%04x  %-20s", (unsigned int)range->first,
			(unsigned int)range->last, range->name);
		if (ours && slot->row->irq != IRQ_NONE)
			fprintf(out, "  GSI %d", slot->row->irq);
		fputc('\n', out);
	}
	for (unsigned int i = 0; i < bus->count[BUS_MMIO]; i++) {
		const struct bus_range *range = &bus->ranges[BUS_MMIO][i];

		fprintf(out, "  memory 0x%08llx-0x%08llx  %s\n", (unsigned long long)range->first,
			(unsigned long long)range->last, range->name);
	}
}
