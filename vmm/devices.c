/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/system.h"
#include "vmm/board.h"

/*
 * Makes the devices and connects their pins: interrupt lines with the interrupt
 * controllers, reset and power with the machine, the serial line with the console.
 */

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

/* ---- what reaches into memory ---------------------------------------------------- */

static bool dma_read(void *owner, uint64_t gpa, void *buffer, size_t size)
{
	const uint8_t *ram = machine_ram(owner, gpa, size);

	if (ram)
		memcpy(buffer, ram, size);
	return ram;
}

static bool dma_write(void *owner, uint64_t gpa, const void *buffer, size_t size)
{
	uint8_t *ram = machine_ram(owner, gpa, size);

	if (ram)
		memcpy(ram, buffer, size);
	return ram;
}

/*
 * The page leaves the guest's second-level tables as soon as the host's mapping of it
 * forbids access, and returns with the next touch.
 */
static void flush_page(void *owner, uint32_t gpa)
{
	void *page = machine_ram(owner, gpa, 4096);

	if (!page || mprotect(page, 4096, PROT_NONE))
		return;
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

/* ---- power ------------------------------------------------------------------------ */

static void power_on(struct devices *devices)
{
	struct machine *machine = devices->machine;
	uint64_t now = machine_now(machine);
	const struct uart_wiring uart = {
		.irq = gsi_line(machine, BOARD_IRQ_COM1),
		.transmit = transmit,
		.owner = devices,
	};
	const struct i8042_wiring i8042 = {
		.irq = gsi_line(machine, BOARD_IRQ_KEYBOARD),
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
	const struct fw_cfg_wiring fw_cfg = {
		.memory_read = dma_read,
		.memory_write = dma_write,
		.owner = machine,
	};

	uart_init(&devices->uart, &uart, now);
	debug_ports_init(&devices->debug_ports, &debug, now);
	acpi_pm_init(&devices->acpi_pm, &acpi, now);
	i8042_init(&devices->i8042, &i8042, now);
	pit_init(&devices->pit, gsi_line(machine, BOARD_IRQ_TIMER), now);
	rtc_init(&devices->rtc, gsi_line(machine, BOARD_IRQ_RTC), (uint64_t)time(NULL), now);
	if (machine->reboots)
		for (unsigned int i = 0; i < RTC_NVRAM_SIZE; i++)
			rtc_set_nvram(&devices->rtc, (uint8_t)i, machine->nvram[i]);
	else
		firmware_config_cmos(machine, &devices->rtc);
	fw_cfg_init(&devices->fw_cfg, &fw_cfg);
	firmware_config_fill(&devices->firmware_config, machine, &devices->fw_cfg);
	devices->system_control_a = SYSTEM_CONTROL_A20;
}

/* Only --testdev has it: 64 KiB that most machines need not pay for. */
static int make_test_memory(struct devices *devices)
{
	struct testdev_wiring wiring = {
		.irq = gsi_line(devices->machine, 0),
		.flush = flush_page,
		.owner = devices->machine,
	};

	if (!devices->machine->config->testdev)
		return 0;
	wiring.memory = system_mmap(NULL, TESTDEV_MMIO_SIZE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (wiring.memory == MAP_FAILED)
		return -errno;
	devices->testdev_memory = wiring.memory;
	testdev_init(&devices->testdev, &wiring, machine_now(devices->machine));
	return 0;
}

int devices_create(struct machine *machine)
{
	struct devices *devices = system_calloc(1, sizeof(*devices));
	int error;

	if (!devices)
		return -ENOMEM;
	devices->machine = machine;
	error = board_plug_in(devices);
	if (error)
		goto err_free;
	error = make_test_memory(devices);
	if (error)
		goto err_free;
	power_on(devices);
	machine->devices = devices;
	return 0;

err_free:
	free(devices);
	return error;
}

void devices_destroy(struct machine *machine)
{
	struct devices *devices = machine->devices;

	/* The battery keeps it. */
	memcpy(machine->nvram, devices->rtc.memory, sizeof(machine->nvram));
	if (devices->testdev_memory)
		munmap(devices->testdev_memory, TESTDEV_MMIO_SIZE);
	free(devices);
	machine->devices = NULL;
}

uint64_t devices_tick(struct devices *devices, uint64_t now)
{
	return board_tick(devices, now);
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
		int irq = board_irq(range);

		fprintf(out, "  port 0x%04x-0x%04x  %s", (unsigned int)range->first,
			(unsigned int)range->last, range->name);
		if (irq != BOARD_IRQ_NONE)
			fprintf(out, ", GSI %d", irq);
		fputc('\n', out);
	}
	for (unsigned int i = 0; i < bus->count[BUS_MMIO]; i++) {
		const struct bus_range *range = &bus->ranges[BUS_MMIO][i];

		fprintf(out, "  memory 0x%08llx-0x%08llx  %s\n", (unsigned long long)range->first,
			(unsigned long long)range->last, range->name);
	}
}
