/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "vmm/irqchip_user.h"

#include "hutch/hutch.h"
#include "vmm/boot/boot.h"
#include "vmm/exits.h"
#include "vmm/machine.h"

/*
 * The processor's end of the interrupt wires, for a hypervisor without interrupt
 * controllers (Linux, Documentation/virt/kvm/api.rst, 4.16 KVM_INTERRUPT and 5). It has
 * a mailbox for one vector and says in kvm_run whether the guest would take it now
 * (RFLAGS.IF, no shadow of STI or MOV SS, nothing half delivered); if not, we ask to be
 * called when it would. NMI has its own mailbox, whose window KVM watches itself.
 *
 * HLT, INIT and waiting for a SIPI are ours, as KVM leaves them to whoever has the
 * local APIC: a processor that has nothing to execute is a thread that sleeps.
 *
 * Most entries have nothing to deliver, and that costs one look at a flag. It is set
 * with the machine's lock held when something is added to what pends, and stays set
 * as long as something waits for the guest to become ready.
 */

static struct user_cpu *cpu_of(struct vcpu *vcpu)
{
	return vcpu->irqchip;
}

static struct kvm_run *run_of(struct vcpu *vcpu)
{
	return hutch_vcpu_run_page(vcpu->hutch);
}

static void check(struct vcpu *vcpu, int error)
{
	if (error < 0)
		machine_fail(vcpu->machine, "%s", hutch_error());
}

/*
 * Lets an instruction that stands in the middle of an access come to its end: all that
 * comes from outside is taken between two.
 */
static bool finish_instruction(struct vcpu *vcpu)
{
	int more;

	while ((more = hutch_vcpu_complete(vcpu->hutch)) > 0) {
		struct hutch_exit exit = *hutch_vcpu_last_exit(vcpu->hutch);

		if (exit_answer(vcpu, &exit) == EXIT_END)
			return false;
	}
	check(vcpu, more);
	return !more;
}

/* ---- INIT and SIPI ------------------------------------------------------------------ */

/* Forgets what was on its way into the guest: interrupts, exceptions, NMI and its blocking. */
static int clear_events(struct vcpu *vcpu)
{
	struct kvm_vcpu_events events = {
		.flags = KVM_VCPUEVENT_VALID_NMI_PENDING | KVM_VCPUEVENT_VALID_SHADOW,
	};
	struct kvm_debugregs debug = { .dr6 = 0xffff0ff0, .dr7 = 0x400 };
	int error =
		hutch_vcpu_ioctl(vcpu->hutch, KVM_SET_VCPU_EVENTS, "KVM_SET_VCPU_EVENTS", &events);

	if (!error)
		error = hutch_vcpu_ioctl(vcpu->hutch, KVM_SET_DEBUGREGS, "KVM_SET_DEBUGREGS",
					 &debug);
	return error;
}

/*
 * SDM 3, table 10-1, the column for INIT: as after RESET, but caches keep their mode,
 * the local APIC its base, and FPU, MTRRs and most other MSRs what they hold.
 */
static int reset_state(struct vcpu *vcpu)
{
	const uint64_t cache_mode = CR0_CD | CR0_NW;
	struct kvm_sregs before, sregs;
	struct kvm_regs regs;
	int error = hutch_vcpu_get_sregs(vcpu->hutch, &before);

	if (error)
		return error;
	boot_reset_state(&regs, &sregs);
	sregs.cr0 = (sregs.cr0 & ~cache_mode) | (before.cr0 & cache_mode);
	sregs.apic_base = cpu_of(vcpu)->lapic.base;
	error = hutch_vcpu_set_sregs(vcpu->hutch, &sregs);
	if (!error)
		error = hutch_vcpu_set_regs(vcpu->hutch, &regs);
	return error ? error : clear_events(vcpu);
}

static void take_init(struct vcpu *vcpu)
{
	struct user_cpu *cpu = cpu_of(vcpu);

	machine_lock(vcpu->machine);
	lapic_take_init(&cpu->lapic);
	machine_unlock(vcpu->machine);
	cpu->halted = false;
	run_of(vcpu)->ready_for_interrupt_injection = 0;
	check(vcpu, reset_state(vcpu));
}

/* SDM 3, 9.4.3: the vector is the number of the page at which the processor begins. */
static void take_sipi(struct vcpu *vcpu)
{
	struct user_cpu *cpu = cpu_of(vcpu);
	struct kvm_sregs sregs;
	struct kvm_regs regs;
	uint8_t vector;
	int error;

	machine_lock(vcpu->machine);
	vector = lapic_take_sipi(&cpu->lapic);
	machine_unlock(vcpu->machine);
	error = hutch_vcpu_get_sregs(vcpu->hutch, &sregs);
	if (!error)
		error = hutch_vcpu_get_regs(vcpu->hutch, &regs);
	if (!error) {
		sregs.cs.selector = (uint16_t)(vector << 8);
		sregs.cs.base = (uint64_t)vector << 12;
		regs.rip = 0;
		error = hutch_vcpu_set_sregs(vcpu->hutch, &sregs);
	}
	if (!error)
		error = hutch_vcpu_set_regs(vcpu->hutch, &regs);
	check(vcpu, error);
}

/* ---- interrupts --------------------------------------------------------------------- */

/*
 * The guest takes an interrupt at its very next instruction, and the mailbox is empty.
 * A halted processor stands behind its HLT, where no shadow reaches.
 */
static bool guest_is_ready(const struct user_cpu *cpu)
{
	const struct kvm_run *run = run_of(cpu->vcpu);

	return run->if_flag && (run->ready_for_interrupt_injection || cpu->halted);
}

/* The 8259A pair's INTR goes past the local APIC and its priorities; so it goes first. */
static uint8_t acknowledge(struct user_irqchip *user, struct lapic *lapic, uint32_t events)
{
	if (!(events & LAPIC_EXTINT))
		return lapic_acknowledge(lapic);
	lapic_take_extint(lapic);
	return pic_acknowledge(&user->pic);
}

static void inject(struct vcpu *vcpu, uint8_t vector)
{
	struct kvm_interrupt interrupt = { .irq = vector };

	run_of(vcpu)->ready_for_interrupt_injection = 0;
	check(vcpu, hutch_vcpu_ioctl(vcpu->hutch, KVM_INTERRUPT, "KVM_INTERRUPT", &interrupt));
}

static void inject_nmi(struct vcpu *vcpu)
{
	check(vcpu, hutch_vcpu_ioctl(vcpu->hutch, KVM_NMI, "KVM_NMI", NULL));
}

/* What one look found to be done; the ioctls for it need no lock. */
struct work {
	uint32_t events; /* what pends still */
	bool nmi, interrupt, waits_for_sipi;
	uint8_t vector;
};

static void look_locked(struct user_irqchip *user, struct user_cpu *cpu, struct work *work)
{
	const uint32_t interrupts = LAPIC_EXTINT | LAPIC_INTERRUPT;
	struct lapic *lapic = &cpu->lapic;
	bool wait_for_window;

	work->events = lapic_pending(lapic);
	work->waits_for_sipi = lapic->waits_for_sipi;
	if (work->events & (LAPIC_INIT | LAPIC_SIPI))
		return;
	if (work->events & LAPIC_NMI) {
		lapic_take_nmi(lapic);
		work->nmi = true;
	}
	if ((work->events & interrupts) && guest_is_ready(cpu)) {
		work->vector = acknowledge(user, lapic, work->events);
		work->interrupt = true;
	}
	/* What is left waits for the guest: KVM tells when it is ready, and we look then. */
	work->events = lapic_pending(lapic);
	wait_for_window = work->events & interrupts;
	run_of(cpu->vcpu)->request_interrupt_window = wait_for_window;
	atomic_store(&cpu->attention, wait_for_window || work->waits_for_sipi);
}

static struct work look(struct user_irqchip *user, struct user_cpu *cpu)
{
	struct work work = { 0 };

	machine_lock(user->machine);
	look_locked(user, cpu, &work);
	machine_unlock(user->machine);
	return work;
}

static void deliver(struct user_irqchip *user, struct user_cpu *cpu)
{
	struct vcpu *vcpu = cpu->vcpu;
	struct work work;

	/* The mailbox is asked about between two instructions, not in the middle of one. */
	if (!finish_instruction(vcpu))
		return;
	work = look(user, cpu);
	/* A SIPI that came after an INIT is for the processor that this INIT has reset. */
	while (work.events & LAPIC_INIT) {
		take_init(vcpu);
		work = look(user, cpu);
	}
	if (work.events & LAPIC_SIPI) {
		take_sipi(vcpu);
		work = look(user, cpu);
	}
	if (work.nmi)
		inject_nmi(vcpu);
	if (work.interrupt)
		inject(vcpu, work.vector);
	if (work.nmi || work.interrupt)
		cpu->halted = false;
}

enum irqchip_state user_before_enter(struct irqchip *irqchip, struct vcpu *vcpu)
{
	struct user_cpu *cpu = cpu_of(vcpu);

	if (atomic_load(&cpu->attention))
		deliver(irqchip->state, cpu);
	run_of(vcpu)->cr8 = lapic_cr8(&cpu->lapic);
	return cpu->halted || cpu->lapic.waits_for_sipi ? IRQCHIP_WAIT : IRQCHIP_RUN;
}

/*
 * What the guest did without an exit of its own: it moved CR8, or IA32_APIC_BASE where
 * that is not filtered. A lowered CR8 may let something through.
 */
void user_after_exit(struct irqchip *irqchip, struct vcpu *vcpu)
{
	struct user_irqchip *user = irqchip->state;
	struct kvm_run *run = run_of(vcpu);
	struct lapic *lapic = &cpu_of(vcpu)->lapic;

	if (run->cr8 == lapic_cr8(lapic) && run->apic_base == lapic->base)
		return;
	machine_lock(user->machine);
	if (run->cr8 != lapic_cr8(lapic))
		lapic_set_cr8(lapic, (uint8_t)run->cr8);
	if (run->apic_base != lapic->base)
		lapic_write_msr(lapic, IA32_APIC_BASE, run->apic_base, machine_now(user->machine));
	machine_unlock(user->machine);
}

void user_halt(struct irqchip *irqchip, struct vcpu *vcpu)
{
	(void)irqchip;
	cpu_of(vcpu)->halted = true;
}
