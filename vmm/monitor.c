/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/monitor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/devices.h"
#include "vmm/machine.h"
#include "vmm/statistics.h"

/*
 * A line editor of three keys and a table of commands. All of it writes to the
 * terminal, in raw mode, where a line ends in "\r\n".
 */

#define PROMPT	      "(hutch) "
#define REPORT_SIZE   4096

#define KEY_BACKSPACE 0x08
#define KEY_DELETE    0x7f
#define KEY_CTRL_C    0x03
#define KEY_CTRL_D    0x04
#define KEY_CTRL_U    0x15

/* Standard output may be elsewhere, a terminal that is read is almost always written too. */
static void put(const char *text, size_t length)
{
	int fd = isatty(STDERR_FILENO) ? STDERR_FILENO : STDIN_FILENO;

	while (length) {
		const char *newline = memchr(text, '\n', length);
		size_t part = newline ? (size_t)(newline - text) : length;
		ssize_t written = write(fd, text, part);

		if (newline && written >= 0) {
			written = write(fd, "\r\n", 2);
			part++;
		}
		if (written < 0)
			return;
		text += part;
		length -= part;
	}
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	put(text, strlen(text));
}

/* ---- commands ----------------------------------------------------------------- */

static void set_open(struct monitor *monitor, bool open)
{
	struct machine *machine = monitor->machine;

	monitor->open = open;
	monitor->length = 0;
	machine_lock(machine);
	console_set_monitor(machine->console, open);
	machine_unlock(machine);
}

static void resume(struct monitor *monitor)
{
	if (monitor->paused)
		vcpu_resume_all(monitor->machine);
	monitor->paused = false;
}

static void command_console(struct monitor *monitor, const char *argument)
{
	(void)argument;
	set_open(monitor, false);
}

static void command_pause(struct monitor *monitor, const char *argument)
{
	(void)argument;
	if (!monitor->paused)
		vcpu_pause_all(monitor->machine);
	monitor->paused = true;
}

static void command_resume(struct monitor *monitor, const char *argument)
{
	(void)argument;
	resume(monitor);
}

static void command_reset(struct monitor *monitor, const char *argument)
{
	(void)argument;
	resume(monitor);
	machine_request(monitor->machine, MACHINE_RESET, 0);
	set_open(monitor, false);
}

static void command_power(struct monitor *monitor, const char *argument)
{
	struct machine *machine = monitor->machine;
	bool heard;

	(void)argument;
	machine_lock(machine);
	heard = devices_power_button(machine->devices);
	machine_unlock(machine);
	if (!heard)
		say("the guest does not listen to the power button\n");
}

static void command_quit(struct monitor *monitor, const char *argument)
{
	(void)argument;
	machine_request(monitor->machine, MACHINE_QUIT, 0);
}

/* The vCPU named, or @fallback where none is; NULL, and a word about it, for no such vCPU. */
static struct vcpu *find_vcpu(struct monitor *monitor, const char *argument, unsigned int fallback)
{
	struct machine *machine = monitor->machine;
	char *end;
	unsigned long id = fallback;

	if (*argument) {
		id = strtoul(argument, &end, 10);
		if (*end || id >= machine->cpu_count || *argument == '-') {
			say("vCPU %s: there are 0 to %u\n", argument, machine->cpu_count - 1);
			return NULL;
		}
	}
	return &machine->vcpus[id];
}

static void command_nmi(struct monitor *monitor, const char *argument)
{
	struct machine *machine = monitor->machine;
	struct vcpu *vcpu = find_vcpu(monitor, argument, 0);
	bool masked;

	if (!vcpu)
		return;
	machine_lock(machine);
	masked = devices_nmi_masked(machine->devices);
	machine_unlock(machine);
	if (masked)
		say("the guest masks NMI (bit 7 of port 0x70)\n");
	else
		machine->irqchip.ops->nmi(&machine->irqchip, vcpu);
}

static void print_registers(struct vcpu *vcpu)
{
	char text[REPORT_SIZE];
	int length = hutch_vcpu_report(vcpu->hutch, text, sizeof(text));

	put(text, length < REPORT_SIZE ? (size_t)length : REPORT_SIZE - 1);
}

static void command_registers(struct monitor *monitor, const char *argument)
{
	struct machine *machine = monitor->machine;
	struct vcpu *vcpu = find_vcpu(monitor, argument, 0);

	if (!vcpu)
		return;
	vcpu_pause_all(machine);
	for (unsigned int i = 0; i < machine->cpu_count; i++)
		if (!*argument || vcpu == &machine->vcpus[i])
			print_registers(&machine->vcpus[i]);
	vcpu_resume_all(machine);
}

static void command_exits(struct monitor *monitor, const char *argument)
{
	char *text = NULL;
	size_t length = 0;
	FILE *out = open_memstream(&text, &length);

	(void)argument;
	if (!out)
		return;
	statistics_print_exits(monitor->machine, out);
	fclose(out);
	put(text, length);
	free(text);
}

static void command_help(struct monitor *monitor, const char *argument);

struct command {
	const char *name, *arguments, *help;
	void (*run)(struct monitor *monitor, const char *argument);
};

static const struct command commands[] = {
	{ "console", "", "back to the guest's console (also: an empty line)", command_console },
	{ "pause", "", "stop all vCPUs", command_pause },
	{ "resume", "", "let them go on", command_resume },
	{ "reset", "", "reboot the guest", command_reset },
	{ "power", "", "press the power button", command_power },
	{ "nmi", "[VCPU]", "press the NMI button", command_nmi },
	{ "registers", "[VCPU]", "registers of one vCPU, or of all", command_registers },
	{ "exits", "", "exits so far by reason", command_exits },
	{ "quit", "", "end the machine (also: Ctrl-A x)", command_quit },
	{ "help", "", "this list", command_help },
};

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

static void command_help(struct monitor *monitor, const char *argument)
{
	(void)monitor;
	(void)argument;
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		say("  %-10s %-7s %s\n", commands[i].name, commands[i].arguments, commands[i].help);
}

/* The command of that name, or the only one that begins with it. */
static const struct command *find_command(const char *name)
{
	const struct command *found = NULL;

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (!strcmp(commands[i].name, name))
			return &commands[i];
		if (strncmp(commands[i].name, name, strlen(name)))
			continue;
		if (found)
			return NULL;
		found = &commands[i];
	}
	return found;
}

static void run_line(struct monitor *monitor)
{
	char *save = NULL;
	const char *name = strtok_r(monitor->line, " \t", &save);
	const char *argument = strtok_r(NULL, " \t", &save);
	const struct command *command = name ? find_command(name) : &commands[0];

	monitor->length = 0;
	if (!command)
		say("%s: no such command; try help\n", name);
	else
		command->run(monitor, argument ? argument : "");
}

/* ---- keys ---------------------------------------------------------------------- */

static void edit_line(struct monitor *monitor, uint8_t key)
{
	switch (key) {
	case '\r':
	case '\n':
		say("\n");
		monitor->line[monitor->length] = 0;
		run_line(monitor);
		if (monitor->open)
			say(PROMPT);
		break;
	case KEY_BACKSPACE:
	case KEY_DELETE:
		if (monitor->length) {
			monitor->length--;
			say("\b \b");
		}
		break;
	case KEY_CTRL_C:
	case KEY_CTRL_U:
		monitor->length = 0;
		say("\n" PROMPT);
		break;
	case KEY_CTRL_D:
		say("\n");
		set_open(monitor, false);
		break;
	default:
		if (key < ' ' || monitor->length == MONITOR_LINE_SIZE - 1)
			break;
		monitor->line[monitor->length++] = (char)key;
		say("%c", key);
	}
}

static void key_help(void)
{
	say("\n  Ctrl-A x   leave\n"
	    "  Ctrl-A c   monitor\n"
	    "  Ctrl-A a   send Ctrl-A to the guest\n"
	    "  Ctrl-A h   this list\n");
}

void monitor_init(struct monitor *monitor, struct machine *machine)
{
	*monitor = (struct monitor){ .machine = machine };
}

void monitor_key(struct monitor *monitor, uint8_t key)
{
	if (monitor->key_count < sizeof(monitor->keys))
		monitor->keys[monitor->key_count++] = key;
	io_loop_call(&monitor->machine->loop);
}

void monitor_command_key(struct monitor *monitor, uint8_t key)
{
	switch (key) {
	case 'x':
		machine_request_locked(monitor->machine, MACHINE_QUIT, 0);
		break;
	case 'c':
		console_set_monitor(monitor->machine->console, !monitor->open);
		io_loop_call(&monitor->machine->loop);
		break;
	case 'h':
	case '?':
		key_help();
		break;
	default:
		break;
	}
}

/* Ctrl-A c goes in and out. */
static void follow_console(struct monitor *monitor, bool open)
{
	if (open && !monitor->open)
		say("\nhutch: the guest's output waits; help lists commands, an empty line goes "
		    "back\n" PROMPT);
	if (!open && monitor->open)
		say("\n");
	monitor->open = open;
}

void monitor_turn(struct monitor *monitor)
{
	struct machine *machine = monitor->machine;
	uint8_t keys[MONITOR_LINE_SIZE];
	size_t count;
	bool open;

	machine_lock(machine);
	open = machine->console->in_monitor;
	count = monitor->key_count;
	memcpy(keys, monitor->keys, count);
	monitor->key_count = 0;
	machine_unlock(machine);
	follow_console(monitor, open);
	for (size_t i = 0; i < count && monitor->open; i++)
		edit_line(monitor, keys[i]);
}
