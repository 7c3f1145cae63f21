/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/lifecycle.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "dev/clock.h"
#include "lib/system.h"
#include "vmm/devices.h"
#include "vmm/monitor.h"
#include "vmm/statistics.h"
#include "vmm/terminal.h"
#include "x86/registers.h"

/*
 * The main thread's part. Signals are read from a descriptor like everything else that
 * happens, so that nothing here runs in a signal handler:
 *
 *	SIGTERM, SIGHUP	press the power button; a second one, or a guest that does not
 *			listen or takes too long, ends the machine
 *	SIGINT, SIGQUIT	end the machine
 *	SIGTSTP		give the terminal back, then stop
 *	SIGCONT		take the terminal again; guests that can be told are told
 *	SIGWINCH, and all whose default is to do nothing: nothing
 */

struct process {
	const struct lifecycle *lifecycle;
	struct machine machine;
	struct console console;
	struct monitor monitor;
	struct io_source signal_source;
	int signal_fd; /* -1: none */
	sigset_t mask_before;
};

static const int handled_signals[] = { SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGTSTP, SIGCONT };

/* ---- signals ---------------------------------------------------------------- */

static void ask_to_power_off(struct process *process, int signal)
{
	struct machine *machine = &process->machine;
	uint64_t now = machine_now(machine);

	while (machine->pause_depth)
		vcpu_resume_all(machine);
	machine_lock(machine);
	if (machine->stop_signal || !process->lifecycle->grace_seconds ||
	    !devices_power_button(machine->devices)) {
		machine_request_locked(machine, MACHINE_SIGNAL, signal);
	} else {
		machine->stop_signal = signal;
		machine->stop_at = now + process->lifecycle->grace_seconds * DEV_NS_PER_SECOND;
		machine_wake_at(machine, machine->stop_at);
	}
	machine_unlock(machine);
}

/* What SIGTSTP does to any process, once its terminal is as the shell wants to find it. */
static void stop_process(void)
{
	terminal_restore();
	raise(SIGSTOP);
}

static void continue_process(struct process *process)
{
	struct machine *machine = &process->machine;

	console_raw_again(&process->console);
	/* Each vCPU tells its guest of the lost time when it leaves the barrier. */
	vcpu_pause_all(machine);
	vcpu_resume_all(machine);
}

static void handle_signal(struct process *process, int signal)
{
	switch (signal) {
	case SIGTERM:
	case SIGHUP:
		ask_to_power_off(process, signal);
		break;
	case SIGTSTP:
		stop_process();
		break;
	case SIGCONT:
		continue_process(process);
		break;
	default:
		machine_request(&process->machine, MACHINE_SIGNAL, signal);
	}
}

static void signal_ready(void *owner, uint32_t events)
{
	struct process *process = owner;
	struct signalfd_siginfo info;

	(void)events;
	while (read(process->signal_fd, &info, sizeof(info)) == sizeof(info))
		handle_signal(process, (int)info.ssi_signo);
}

static int watch_signals(struct process *process)
{
	sigset_t set;
	int error;

	sigemptyset(&set);
	for (size_t i = 0; i < sizeof(handled_signals) / sizeof(handled_signals[0]); i++)
		sigaddset(&set, handled_signals[i]);
	/* A reader that went away is a failed write to us. */
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, &process->mask_before);
	process->signal_source = (struct io_source){ signal_ready, process };
	process->signal_fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (process->signal_fd < 0)
		return -errno;
	error = io_loop_add(&process->machine.loop, process->signal_fd, EPOLLIN,
			    &process->signal_source);
	return error;
}

/* ---- the console's guest ------------------------------------------------------ */

static void guest_lock(void *owner, bool lock)
{
	struct process *process = owner;

	if (lock)
		machine_lock(&process->machine);
	else
		machine_unlock(&process->machine);
}

/* Firmware polls the port without ever saying that it does: it gets what there is. */
static size_t guest_room(void *owner, bool patient)
{
	struct process *process = owner;

	patient = patient && !process->machine.config->firmware;
	return devices_input_room(process->machine.devices, patient);
}

static void guest_receive(void *owner, const uint8_t *bytes, size_t count)
{
	struct process *process = owner;

	devices_input(process->machine.devices, bytes, count);
}

static void guest_output_ready(void *owner, bool ready)
{
	struct process *process = owner;

	devices_output_ready(process->machine.devices, ready);
}

static void guest_wake_at(void *owner, uint64_t when)
{
	struct process *process = owner;

	machine_wake_at(&process->machine, when);
}

static uint64_t guest_now(void *owner)
{
	struct process *process = owner;

	return machine_now(&process->machine);
}

static void guest_command(void *owner, uint8_t key)
{
	struct process *process = owner;

	monitor_command_key(&process->monitor, key);
}

static void guest_monitor(void *owner, uint8_t key)
{
	struct process *process = owner;

	monitor_key(&process->monitor, key);
}

static void guest_gone(void *owner, int error)
{
	struct process *process = owner;
	struct machine *machine = &process->machine;

	/* A terminal that was hung up says EIO. */
	if (error == EPIPE || error == EIO) {
		machine_request_locked(machine, MACHINE_CONSOLE_GONE, 0);
		return;
	}
	if (machine->end <= MACHINE_RESET)
		snprintf(machine->error, sizeof(machine->error), "console: %s", strerror(error));
	machine_request_locked(machine, MACHINE_FAILED, 0);
}

static int attach_console(struct process *process, struct console_guest *guest)
{
	*guest = (struct console_guest){
		.lock = guest_lock,
		.room = guest_room,
		.receive = guest_receive,
		.output_ready = guest_output_ready,
		.wake_at = guest_wake_at,
		.now = guest_now,
		.command = guest_command,
		.monitor = guest_monitor,
		.gone = guest_gone,
		.owner = process,
	};
	process->machine.console = &process->console;
	return console_attach(&process->console, &process->machine.loop, guest);
}

/* ---- running -------------------------------------------------------------------- */

static enum machine_end current_end(struct machine *machine)
{
	enum machine_end end;

	machine_lock(machine);
	end = machine->end;
	machine_unlock(machine);
	return end;
}

/* Until the guest wants a reboot, or everything is over. */
static int run_once(struct process *process)
{
	struct machine *machine = &process->machine;
	int error = machine_start(machine);

	if (error)
		return error;
	io_loop_call(&machine->loop); /* deadlines and input that are there from the start */
	while (!error && current_end(machine) == MACHINE_RUNNING) {
		error = io_loop_turn(&machine->loop);
		monitor_turn(&process->monitor);
	}
	machine_stop(machine);
	machine->pause_depth = 0;
	process->monitor.paused = false;
	return error;
}

static int run_to_the_end(struct process *process)
{
	struct machine *machine = &process->machine;
	int error;

	do {
		error = run_once(process);
		if (!error && machine->end == MACHINE_RESET) {
			error = machine_rebuild(machine);
			if (!error)
				devices_output_ready(machine->devices,
						     !process->console.output_held);
		}
	} while (!error && machine->end == MACHINE_RUNNING);
	return error;
}

/* ---- the end ---------------------------------------------------------------------- */

/*
 * AMD-V leaves a processor's state undefined when it shuts down, so KVM resets the vCPU
 * before we see it (Linux, arch/x86/kvm/svm/svm.c, shutdown_interception()).
 */
static bool state_is_lost(const struct vcpu *vcpu)
{
	struct kvm_regs regs, reset_regs;
	struct kvm_sregs sregs, reset_sregs;

	boot_reset_state(&reset_regs, &reset_sregs);
	return !hutch_vcpu_get_regs(vcpu->hutch, &regs) &&
	       !hutch_vcpu_get_sregs(vcpu->hutch, &sregs) && regs.rip == reset_regs.rip &&
	       sregs.cs.base == reset_sregs.cs.base && !(sregs.cr0 & CR0_PE);
}

static void print_report(struct machine *machine)
{
	char report[4096];

	if (!machine->end_vcpu)
		return;
	if (machine->end == MACHINE_TRIPLE_FAULT && state_is_lost(machine->end_vcpu))
		fprintf(stderr,
			"(the hypervisor has reset the vCPU already: what follows is not its "
			"state at the fault)\n");
	hutch_vcpu_report(machine->end_vcpu->hutch, report, sizeof(report));
	fprintf(stderr, "%s", report);
}

static int end_status(struct machine *machine)
{
	switch (machine->end) {
	case MACHINE_DEBUG_EXIT:
		return machine->end_value & 0xff;
	case MACHINE_TRIPLE_FAULT:
		fprintf(stderr, "hutch: triple fault\n");
		print_report(machine);
		return STATUS_TRIPLE_FAULT;
	case MACHINE_SIGNAL:
		return 128 + machine->end_value;
	case MACHINE_CONSOLE_GONE:
		return 128 + SIGPIPE;
	case MACHINE_FAILED:
		fprintf(stderr, "hutch: %s\n",
			machine->end_vcpu ? "an exit that nobody handles" : machine->error);
		print_report(machine);
		return STATUS_FAILED;
	default:
		return STATUS_OK;
	}
}

static int error_status(const struct machine *machine)
{
	fprintf(stderr, "hutch: %s\n", machine->error);
	return machine->bad_input ? STATUS_BAD_INPUT : STATUS_FAILED;
}

/* The guest's last words are worth waiting for, unless the user is the one who waits. */
static bool waits_for_output(const struct machine *machine)
{
	return machine->end != MACHINE_QUIT && machine->end != MACHINE_SIGNAL;
}

static int run_created(struct process *process)
{
	struct machine *machine = &process->machine;
	struct console_guest guest;
	int error = watch_signals(process);

	if (error) {
		snprintf(machine->error, sizeof(machine->error), "signals: %s", strerror(-error));
		return error;
	}
	error = attach_console(process, &guest);
	if (error) {
		snprintf(machine->error, sizeof(machine->error), "console: %s", strerror(-error));
		return error;
	}
	if (process->console.kind == CONSOLE_PTY)
		fprintf(stderr, "hutch: console: %s\n", process->console.pty);
	error = run_to_the_end(process);
	console_detach(&process->console);
	if (waits_for_output(machine))
		console_drain(&process->console, process->signal_fd);
	return error;
}

int lifecycle_run(const struct lifecycle *lifecycle)
{
	static struct process process;
	struct machine *machine = &process.machine;
	char error[256];
	int status;

	process.lifecycle = lifecycle;
	process.signal_fd = -1;
	if (console_open(&process.console, lifecycle->console, error, sizeof(error))) {
		fprintf(stderr, "hutch: %s\n", error);
		return STATUS_BAD_INPUT;
	}
	if (machine_create(machine, lifecycle->config)) {
		status = error_status(machine);
		goto out_console;
	}
	monitor_init(&process.monitor, machine);
	status = run_created(&process);
	console_close(&process.console);
	status = status ? error_status(machine) : end_status(machine);
	if (lifecycle->statistics)
		statistics_print(machine, stderr);
	if (process.signal_fd >= 0)
		close(process.signal_fd);
	machine_destroy(machine);
	return status;

out_console:
	console_close(&process.console);
	return status;
}
