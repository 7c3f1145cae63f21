/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/board.h"

#include "dev/clock.h"
#include "vmm/devices.h"

/*
 * A model knows its registers and nothing of where it is. The board is a table with one
 * row for each range of ports or addresses, and a function for each row that puts an
 * access into the model's own words. After an access the row is ticked once, and says
 * when it wants to be ticked next; the earliest of these moments is what the I/O
 * thread's timer is set to.
 */

#define COM1_PORT		  0x3f8
#define PCI_CONFIGURATION_ADDRESS 0xcf8

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

/*
 * The reset register lies within PCI's configuration address (0xcf8, 32 bits), and only
 * an access to it alone, of a byte, is meant for it (PCI 3.0, 3.2.2.3.2). A guest that
 * looks for PCI writes 32 bits, and finds that there is none.
 */
static void reset_access(struct access *access)
{
	struct acpi_pm *pm = &access->devices->acpi_pm;

	if (access->bus->address != ACPI_RESET_PORT || access->bus->size != 1) {
		access->bus->value = UINT32_MAX;
		return;
	}
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

static void fw_cfg_access(struct access *access)
{
	struct fw_cfg *fw_cfg = &access->devices->fw_cfg;
	struct bus_access *bus = access->bus;

	if (bus->write)
		fw_cfg_write(fw_cfg, access->offset, bus->size, (uint32_t)bus->value);
	else
		bus->value = fw_cfg_read(fw_cfg, access->offset, bus->size);
}

/* ---- for kvm-unit-tests ------------------------------------------------------------- */

static void echo_access(struct access *access)
{
	struct testdev *testdev = &access->devices->testdev;
	struct bus_access *bus = access->bus;

	if (bus->write)
		testdev_echo_write(testdev, access->offset, bus->size, (uint32_t)bus->value);
	else
		bus->value = testdev_echo_read(testdev, access->offset, bus->size);
}

static void flush_access(struct access *access)
{
	if (access->bus->write)
		testdev_flush_write(&access->devices->testdev, (uint32_t)access->bus->value);
	else
		access->bus->value = UINT32_MAX;
}

static void irq_access(struct access *access)
{
	if (access->bus->write)
		testdev_irq_write(&access->devices->testdev, access->offset,
				  (uint8_t)access->bus->value);
	else
		access->bus->value = UINT8_MAX;
}

static void test_memory_access(struct access *access)
{
	struct testdev *testdev = &access->devices->testdev;
	struct bus_access *bus = access->bus;

	if (bus->write)
		testdev_mmio_write(testdev, access->offset, bus->size, bus->value);
	else
		bus->value = testdev_mmio_read(testdev, access->offset, bus->size);
}

static bool has_fw_cfg(const struct machine_config *config)
{
	return config->firmware || config->testdev;
}

static bool has_testdev(const struct machine_config *config)
{
	return config->testdev;
}

/* ---- the board --------------------------------------------------------------------- */

struct board_row {
	const char *name;
	enum bus_space space;
	uint64_t first, last;
	unsigned int width; /* bytes at once */
	int irq;
	void (*access)(struct access *access);
	uint64_t (*due)(struct devices *devices, uint64_t now); /* NULL: keeps no time */
	bool (*present)(const struct machine_config *config);	/* NULL: always */
};

#define PORTS(name, first, size, width) name, BUS_PORT, first, (first) + (size)-1, width

static const struct board_row board[] = {
	{ PORTS("8254 timer", 0x40, PIT_PORT_COUNT, 1), BOARD_IRQ_TIMER, pit_access, pit_due,
	  NULL },
	{ PORTS("8042 keyboard", 0x60, 1, 1), BOARD_IRQ_KEYBOARD, i8042_access, i8042_due, NULL },
	{ PORTS("speaker", 0x61, 1, 1), BOARD_IRQ_NONE, speaker_access, pit_due, NULL },
	{ PORTS("8042 command", 0x64, 1, 1), BOARD_IRQ_NONE, i8042_access, i8042_due, NULL },
	{ PORTS("MC146818 clock", 0x70, 2, 1), BOARD_IRQ_RTC, rtc_access, rtc_due, NULL },
	{ PORTS("POST code", DEBUG_POST_PORT, 1, 1), BOARD_IRQ_NONE, post_access, NULL, NULL },
	{ PORTS("system control", SYSTEM_CONTROL_A, 1, 1), BOARD_IRQ_NONE, system_control_access,
	  NULL, NULL },
	{ PORTS("debug console", DEBUG_CONSOLE_PORT, 1, 1), BOARD_IRQ_NONE, debug_console_access,
	  NULL, NULL },
	{ PORTS("debug exit", DEBUG_EXIT_PORT, 1, 4), BOARD_IRQ_NONE, exit_access, NULL, NULL },
	{ PORTS("time stamp", DEBUG_STAMP_PORT, 1, 1), BOARD_IRQ_NONE, stamp_access, NULL, NULL },
	{ PORTS("16550A serial", COM1_PORT, UART_PORT_COUNT, 1), BOARD_IRQ_COM1, uart_access,
	  uart_due, NULL },
	{ PORTS("firmware configuration", FW_CFG_PORT, FW_CFG_PORT_COUNT, 4), BOARD_IRQ_NONE,
	  fw_cfg_access, NULL, has_fw_cfg },
	{ PORTS("ACPI power management", ACPI_PM1A_EVT_PORT, ACPI_PM_PORT_COUNT, 4), ACPI_SCI_GSI,
	  acpi_access, acpi_due, NULL },
	{ PORTS("reset control", PCI_CONFIGURATION_ADDRESS, 4, 4), BOARD_IRQ_NONE, reset_access,
	  NULL, NULL },
	{ PORTS("test echo", TESTDEV_ECHO_PORT, TESTDEV_ECHO_SIZE, 4), BOARD_IRQ_NONE, echo_access,
	  NULL, has_testdev },
	{ PORTS("test flush", TESTDEV_FLUSH_PORT, 4, 4), BOARD_IRQ_NONE, flush_access, NULL,
	  has_testdev },
	{ PORTS("test interrupts", TESTDEV_IRQ_PORT, TESTDEV_IRQ_COUNT, 1), BOARD_IRQ_NONE,
	  irq_access, NULL, has_testdev },
	{ "test memory", BUS_MMIO, TESTDEV_MMIO_ADDRESS,
	  TESTDEV_MMIO_ADDRESS + TESTDEV_MMIO_SIZE - 1, 8, BOARD_IRQ_NONE, test_memory_access, NULL,
	  has_testdev },
};

#define BOARD_ROWS (sizeof(board) / sizeof(board[0]))
_Static_assert(BOARD_ROWS < BOARD_ROWS_MAX, "struct devices has a slot for each row");

static bool board_access(void *owner, struct vcpu *vcpu, struct bus_access *bus)
{
	struct board_slot *slot = owner;
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

static int claim(struct machine *machine, const struct board_row *row, struct board_slot *slot)
{
	if (row->space == BUS_PORT)
		return bus_add_ports(&machine->bus, (uint16_t)row->first, (uint16_t)row->last,
				     row->width, board_access, slot, row->name);
	return bus_add(&machine->bus, row->space, row->first, row->last, board_access, slot,
		       row->name);
}

int board_plug_in(struct devices *devices)
{
	struct board_slot *slot = devices->slots;

	for (unsigned int i = 0; i < BOARD_ROWS; i++) {
		const struct board_row *row = &board[i];
		int error;

		if (row->present && !row->present(devices->machine->config))
			continue;
		*slot = (struct board_slot){ devices, row, row->due ? 0 : DEV_NEVER };
		error = claim(devices->machine, row, slot++);
		if (error)
			return error;
	}
	return 0;
}

uint64_t board_tick(struct devices *devices, uint64_t now)
{
	uint64_t next = DEV_NEVER;

	for (struct board_slot *slot = devices->slots; slot->row; slot++) {
		if (slot->due <= now)
			slot->due = slot->row->due(devices, now);
		next = clock_earlier(next, slot->due);
	}
	return next;
}

int board_irq(const struct bus_range *range)
{
	const struct board_slot *slot = range->owner;

	return range->handler == board_access ? slot->row->irq : BOARD_IRQ_NONE;
}
