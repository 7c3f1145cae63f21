/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/exits.h"

#include <string.h>

#include "vmm/machine.h"

/*
 * One handler for each reason that a guest leaves for, in one table. A reason whose
 * row says exit_unhandled is one that this machine has not asked the hypervisor for:
 * it ends the machine, and the report says what it was.
 */

static uint64_t operand_load(const uint8_t *operand, unsigned int size)
{
	uint64_t value = 0;

	memcpy(&value, operand, size);
	return value;
}

/* What ended the machine or reset it is the last thing that this vCPU did. */
static enum exit_answer unlock_and_answer(struct machine *machine)
{
	bool over = machine->end != MACHINE_RUNNING;

	machine_unlock(machine);
	return over ? EXIT_END : EXIT_RESUME;
}

/* IN and OUT have one operand; INS and OUTS with REP come with up to a page of them. */
static enum exit_answer exit_io(struct vcpu *vcpu, struct hutch_exit *exit)
{
	struct machine *machine = vcpu->machine;
	uint8_t *operand = exit->io.data;
	unsigned int size = exit->io.size;

	machine_lock(machine);
	for (uint32_t i = 0; i < exit->io.count; i++, operand += size) {
		struct bus_access access = {
			.address = exit->io.port,
			.size = size,
			.write = exit->io.write,
		};

		if (access.write)
			access.value = operand_load(operand, size);
		bus_access(&machine->bus, BUS_PORT, vcpu, &access);
		if (!access.write)
			memcpy(operand, &access.value, size);
	}
	return unlock_and_answer(machine);
}

static enum exit_answer exit_mmio(struct vcpu *vcpu, struct hutch_exit *exit)
{
	struct machine *machine = vcpu->machine;
	struct bus_access access = {
		.address = exit->mmio.gpa,
		.size = exit->mmio.size,
		.write = exit->mmio.write,
	};

	if (access.write)
		access.value = operand_load(exit->mmio.data, access.size);
	machine_lock(machine);
	bus_access(&machine->bus, BUS_MMIO, vcpu, &access);
	if (!access.write)
		memcpy(exit->mmio.data, &access.value, access.size);
	return unlock_and_answer(machine);
}

/* Only without in-kernel local APICs: with them, KVM waits for the interrupt itself. */
static enum exit_answer exit_hlt(struct vcpu *vcpu, struct hutch_exit *exit)
{
	struct irqchip *irqchip = &vcpu->machine->irqchip;

	(void)exit;
	if (irqchip->ops->halt)
		irqchip->ops->halt(irqchip, vcpu);
	return EXIT_RESUME;
}

/* A triple fault: no processor goes on after it, but a PC's board resets it (SDM 3, 6.15). */
static enum exit_answer exit_shutdown(struct vcpu *vcpu, struct hutch_exit *exit)
{
	struct machine *machine = vcpu->machine;

	(void)exit;
	if (machine->config->reset_on_triple_fault)
		machine_request(machine, MACHINE_RESET, 0);
	else
		machine_request_report(machine, MACHINE_TRIPLE_FAULT, vcpu);
	return EXIT_END;
}

/* KVM answers the calls that it knows itself; what is left over nobody knows. */
static enum exit_answer exit_hypercall(struct vcpu *vcpu, struct hutch_exit *exit)
{
	const uint64_t kvm_enosys = 1000; /* Linux, include/uapi/linux/kvm_para.h */

	(void)vcpu;
	*exit->hypercall.result = -kvm_enosys;
	return EXIT_RESUME;
}

static enum exit_answer exit_msr(struct vcpu *vcpu, struct hutch_exit *exit)
{
	struct machine *machine = vcpu->machine;
	struct bus_access access = {
		.address = exit->msr.index,
		.size = 8,
		.write = exit->reason == HUTCH_EXIT_MSR_WRITE,
	};

	if (access.write)
		access.value = *exit->msr.value;
	machine_lock(machine);
	*exit->msr.fault = !bus_access(&machine->bus, BUS_MSR, vcpu, &access);
	machine_unlock(machine);
	if (!access.write)
		*exit->msr.value = access.value;
	return EXIT_RESUME;
}

/* The turn of the loop has done what there was to do: irqchip_ops.after_exit(). */
static enum exit_answer exit_resume(struct vcpu *vcpu, struct hutch_exit *exit)
{
	(void)vcpu;
	(void)exit;
	return EXIT_RESUME;
}

static enum exit_answer exit_unhandled(struct vcpu *vcpu, struct hutch_exit *exit)
{
	(void)exit;
	machine_request_report(vcpu->machine, MACHINE_FAILED, vcpu);
	return EXIT_END;
}

typedef enum exit_answer exit_handler(struct vcpu *vcpu, struct hutch_exit *exit);

static exit_handler *const handlers[HUTCH_EXIT_COUNT] = {
	[HUTCH_EXIT_IO] = exit_io,
	[HUTCH_EXIT_MMIO] = exit_mmio,
	[HUTCH_EXIT_HLT] = exit_hlt,
	[HUTCH_EXIT_SHUTDOWN] = exit_shutdown,
	[HUTCH_EXIT_HYPERCALL] = exit_hypercall,
	[HUTCH_EXIT_MSR_READ] = exit_msr,
	[HUTCH_EXIT_MSR_WRITE] = exit_msr,
	[HUTCH_EXIT_DEBUG] = exit_unhandled,
	[HUTCH_EXIT_IRQ_WINDOW] = exit_resume,
	[HUTCH_EXIT_TPR] = exit_resume,
	[HUTCH_EXIT_IOAPIC_EOI] = exit_unhandled,
	[HUTCH_EXIT_SYSTEM_EVENT] = exit_unhandled,
	[HUTCH_EXIT_INTERRUPTED] = exit_resume,
	[HUTCH_EXIT_INTERNAL_ERROR] = exit_unhandled,
	[HUTCH_EXIT_ENTRY_FAILURE] = exit_unhandled,
	[HUTCH_EXIT_UNKNOWN] = exit_unhandled,
};

enum exit_answer exit_answer(struct vcpu *vcpu, struct hutch_exit *exit)
{
	return handlers[exit->reason](vcpu, exit);
}
