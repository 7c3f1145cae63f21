/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/system.h"
#include "tests/unit/irqchip_guest.h"
#include "vmm/irqchip_user.h"
#include "vmm/machine.h"
#include "x86/paging.h"

/*
 * The interrupt controllers, the hypervisor's and ours, under a real guest: one that says on a port
 * what it does and which interrupts it takes, in which order, and that asks on another
 * for wires to be moved.
 */

#define MEMORY	  (2u << 20)
#define CODE_GPA  0x10000u
#define PML4_GPA  0x1000u
#define IDT_GPA	  0x8000u
#define GDT_GPA	  0x9000u
#define STACK_GPA 0xf000u
#define REAL_GPA  0x7000u /* where a processor starts with SIPI vector 7 */

#define PORT_LOG  0xe9
#define PORT_ASK  0xe0 /* bit 7: GSI in bits 0-4 to bit 6; else: press NMI */
#define PORT_END  0xf4
#define LOG_MAX	  64
#define PATIENCE  (60 * DEV_NS_PER_SECOND)

struct fixture {
	struct machine machine;
	struct machine_config config;
	uint8_t log[LOG_MAX];
	unsigned int logged;
	unsigned int ends_of_level; /* how often the level's vector was said */
	uint64_t nmi_at;
	uint64_t patience_ends;
	bool timed_out;
};

static uint32_t at(const uint8_t *label)
{
	return CODE_GPA + (uint32_t)(label - guest_begin);
}

/* ---- the guest's memory and state --------------------------------------------- */

static void put(struct fixture *f, uint64_t gpa, const void *bytes, size_t size)
{
	assert_int_equal(hutch_memory_write(f->machine.vm, gpa, bytes, size), 0);
}

static void put64(struct fixture *f, uint64_t gpa, uint64_t value)
{
	put(f, gpa, &value, sizeof(value));
}

/* The first and the fourth GiB, where the APICs are, map to themselves. */
static void build_page_tables(struct fixture *f)
{
	const uint64_t gibs[] = { 0, 3 };

	put64(f, PML4_GPA, (PML4_GPA + 0x1000) | PAGE_P | PAGE_RW);
	for (unsigned int i = 0; i < 2; i++) {
		uint64_t directory = PML4_GPA + 0x2000 + 0x1000 * i;

		put64(f, PML4_GPA + 0x1000 + 8 * gibs[i], directory | PAGE_P | PAGE_RW);
		for (uint64_t entry = 0; entry < 512; entry++)
			put64(f, directory + 8 * entry,
			      (gibs[i] << 30 | entry << 21) | PAGE_P | PAGE_RW | PAGE_PS);
	}
}

static void put_gate(struct fixture *f, unsigned int vector, uint32_t handler)
{
	const uint64_t interrupt_gate = 0x8eull << 40;

	put64(f, IDT_GPA + 16 * vector,
	      (handler & 0xffff) | 8ull << 16 | interrupt_gate | (uint64_t)(handler >> 16) << 48);
	put64(f, IDT_GPA + 16 * vector + 8, 0);
}

static void build_tables(struct fixture *f)
{
	put64(f, GDT_GPA + 8, 0x00af9b000000ffff);
	put64(f, GDT_GPA + 16, 0x00cf93000000ffff);
	for (unsigned int vector = 0; vector < 256; vector++)
		put_gate(f, vector, at(guest_isr) + 8 * vector);
	put_gate(f, 2, at(guest_nmi));
	put_gate(f, 13, at(guest_gp));
}

static void enter_long_mode(struct hutch_vcpu *vcpu, uint32_t rip)
{
	const struct kvm_regs regs = {
		.rip = rip, .rsp = STACK_GPA, .rflags = RFLAGS_FIXED, .rbx = MEMORY_LAPIC_GPA
	};
	struct kvm_sregs sregs;

	assert_int_equal(hutch_vcpu_get_sregs(vcpu, &sregs), 0);
	sregs.cr0 = CR0_PE | CR0_PG | CR0_ET;
	sregs.cr3 = PML4_GPA;
	sregs.cr4 = CR4_PAE;
	sregs.efer = IA32_EFER_LME | IA32_EFER_LMA;
	sregs.gdt = (struct kvm_dtable){ .base = GDT_GPA, .limit = 23 };
	sregs.idt = (struct kvm_dtable){ .base = IDT_GPA, .limit = 4095 };
	sregs.cs = (struct kvm_segment){
		.selector = 8, .limit = 0xffffffff, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1
	};
	sregs.ds = (struct kvm_segment){ .selector = 16,
					 .limit = 0xffffffff,
					 .type = 3,
					 .present = 1,
					 .s = 1,
					 .db = 1,
					 .g = 1 };
	sregs.es = sregs.ss = sregs.ds;
	assert_int_equal(hutch_vcpu_set_sregs(vcpu, &sregs), 0);
	assert_int_equal(hutch_vcpu_set_regs(vcpu, &regs), 0);
}

/* ---- what the guest says and asks ----------------------------------------------- */

static bool on_log(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct fixture *f = owner;

	(void)vcpu;
	if (f->logged < LOG_MAX)
		f->log[f->logged++] = (uint8_t)access->value;
	/* The device at pin 20 lets go when it has been served twice. */
	if (access->value == 0x43 && ++f->ends_of_level == 2)
		machine_set_gsi(&f->machine, 20, false);
	return true;
}

static bool on_ask(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct fixture *f = owner;

	if (access->value & 0x80) {
		machine_set_gsi(&f->machine, access->value & 0x1f, access->value >> 6 & 1);
	} else if (access->value & 1) {
		f->nmi_at = machine_now(&f->machine) + 20000000;
		machine_wake_at(&f->machine, f->nmi_at);
	} else {
		machine_unlock(&f->machine);
		f->machine.irqchip.ops->nmi(&f->machine.irqchip, vcpu);
		machine_lock(&f->machine);
	}
	return true;
}

static bool on_end(void *owner, struct vcpu *vcpu, struct bus_access *access)
{
	struct fixture *f = owner;

	(void)vcpu;
	machine_request_locked(&f->machine, MACHINE_DEBUG_EXIT, (int)access->value);
	return true;
}

/* What the machine's own loop does, for the interrupt controllers alone. */
static void on_tick(void *owner)
{
	struct fixture *f = owner;
	struct machine *machine = &f->machine;
	struct irqchip *irqchip = &machine->irqchip;
	bool press;
	uint64_t now;

	machine_lock(machine);
	io_loop_forget_deadline(&machine->loop);
	now = machine_now(machine);
	f->timed_out = now >= f->patience_ends;
	press = f->nmi_at && f->nmi_at <= now;
	if (press)
		f->nmi_at = 0;
	machine_wake_at(machine, irqchip->ops->tick(irqchip, now));
	machine_wake_at(machine, f->nmi_at ? f->nmi_at : f->patience_ends);
	machine_unlock(machine);
	if (press)
		irqchip->ops->nmi(irqchip, &machine->vcpus[0]);
}

/* ---- building it ------------------------------------------------------------------ */

static void show_x2apic(struct hutch_vcpu *vcpu, struct kvm_cpuid2 *cpuid)
{
	for (unsigned int i = 0; i < cpuid->nent; i++)
		if (cpuid->entries[i].function == 1)
			cpuid->entries[i].ecx |= 1u << 21 | 1u << 24;
	assert_int_equal(hutch_vcpu_ioctl(vcpu, KVM_SET_CPUID2, "KVM_SET_CPUID2", cpuid), 0);
}

static void build_machine(struct fixture *f, const struct irqchip_ops *ops, unsigned int cpus)
{
	struct machine *machine = &f->machine;

	memset(f, 0, sizeof(*f));
	f->config.irqchip = ops;
	machine->config = &f->config;
	machine->cpu_count = cpus;
	pthread_mutex_init(&machine->lock, NULL);
	pthread_cond_init(&machine->parked, NULL);
	pthread_cond_init(&machine->unparked, NULL);
	assert_int_equal(io_loop_init(&machine->loop, on_tick, on_tick, f), 0);
	machine->hutch = hutch_open(NULL);
	assert_non_null(machine->hutch);
	machine->vm = hutch_vm_create(machine->hutch);
	assert_non_null(machine->vm);
	assert_int_equal(hutch_memory_add(machine->vm, 0, MEMORY, 0), 0);
	machine->vcpus = calloc(cpus, sizeof(machine->vcpus[0]));
	machine->irqchip.ops = ops;
	assert_int_equal(machine->irqchip.ops->create(&machine->irqchip, machine), 0);
	bus_add(&machine->bus, BUS_PORT, PORT_LOG, PORT_LOG, on_log, f, "log");
	bus_add(&machine->bus, BUS_PORT, PORT_ASK, PORT_ASK, on_ask, f, "ask");
	bus_add(&machine->bus, BUS_PORT, PORT_END, PORT_END, on_end, f, "end");
}

static void build_vcpus(struct fixture *f)
{
	struct machine *machine = &f->machine;
	struct kvm_cpuid2 *cpuid = hutch_supported_cpuid(machine->hutch);

	assert_non_null(cpuid);
	for (unsigned int i = 0; i < machine->cpu_count; i++) {
		struct vcpu *vcpu = &machine->vcpus[i];

		vcpu->machine = machine;
		vcpu->id = i;
		vcpu->hutch = hutch_vcpu_create(machine->vm, i);
		assert_non_null(vcpu->hutch);
		show_x2apic(vcpu->hutch, cpuid);
		assert_int_equal(machine->irqchip.ops->add_vcpu(&machine->irqchip, vcpu), 0);
	}
	free(cpuid);
}

static void take_apart(struct fixture *f)
{
	struct machine *machine = &f->machine;

	for (unsigned int i = 0; i < machine->cpu_count; i++)
		if (machine->vcpus[i].hutch)
			hutch_vcpu_destroy(machine->vcpus[i].hutch);
	machine->irqchip.ops->destroy(&machine->irqchip);
	free(machine->vcpus);
	hutch_vm_destroy(machine->vm);
	hutch_close(machine->hutch);
	io_loop_destroy(&machine->loop);
	pthread_cond_destroy(&machine->unparked);
	pthread_cond_destroy(&machine->parked);
	pthread_mutex_destroy(&machine->lock);
}

/* Runs the guest from @entry until it ends the machine; its log is in the fixture then. */
static void run(struct fixture *f, const struct irqchip_ops *ops, unsigned int cpus,
		const uint8_t *entry)
{
	struct machine *machine = &f->machine;

	build_machine(f, ops, cpus);
	build_vcpus(f);
	put(f, CODE_GPA, guest_begin, (size_t)(guest_end - guest_begin));
	put(f, REAL_GPA, guest_real, (size_t)(guest_real_end - guest_real));
	build_page_tables(f);
	build_tables(f);
	enter_long_mode(machine->vcpus[0].hutch, at(entry));
	f->patience_ends = machine_now(machine) + PATIENCE;
	machine_wake_at(machine, f->patience_ends);
	for (unsigned int i = 0; i < cpus; i++)
		assert_int_equal(vcpu_start(&machine->vcpus[i]), 0);
	while (machine->end == MACHINE_RUNNING && !f->timed_out)
		assert_int_equal(io_loop_turn(&machine->loop), 0);
	for (unsigned int i = 0; i < cpus; i++)
		vcpu_stop(&machine->vcpus[i]);
}

static void expect(struct fixture *f, const char *log, size_t length)
{
	char report[8192] = "";

	if (f->machine.end == MACHINE_DEBUG_EXIT && f->logged == length &&
	    !memcmp(f->log, log, length))
		return;
	for (unsigned int i = 0; i < f->logged; i++)
		print_error("%02x ", f->log[i]);
	hutch_vcpu_report(f->machine.vcpus[0].hutch, report, sizeof(report));
	fail_msg("the guest's log is another, or it did not end (%d, %s)\n%s", f->machine.end,
		 f->machine.error, report);
}

#define GUEST_SAYS(cpus, entry, log)                    \
	do {                                            \
		static struct fixture fixture;          \
		run(&fixture, *state, cpus, entry);     \
		expect(&fixture, log, sizeof(log) - 1); \
		take_apart(&fixture);                   \
	} while (0)

/* ---- the tests ---------------------------------------------------------------------- */

static void pic_through_lint0(void **state)
{
	GUEST_SAYS(1, guest_pic,
		   "a\x2c\x24"
		   "b\x24"
		   "c");
}

static void highest_first_and_tpr(void **state)
{
	GUEST_SAYS(1, guest_order,
		   "\x61"
		   "a\x51\x41"
		   "b");
}

static void shadow_of_sti(void **state)
{
	GUEST_SAYS(1, guest_shadow,
		   "a\x41"
		   "bc");
}

static void cr8_is_tpr(void **state)
{
	GUEST_SAYS(1, guest_cr8,
		   "\x61"
		   "a\x50\x07\x51"
		   "b");
}

/* While one NMI is handled one more is latched, however often the button is pressed. */
static void nmi_blocks_itself(void **state)
{
	GUEST_SAYS(1, guest_nmis, "NnNna");
}

static void halted_with_interrupts_off(void **state)
{
	GUEST_SAYS(1, guest_halted,
		   "Nna\x41"
		   "b");
}

static void timer_one_shot(void **state)
{
	GUEST_SAYS(1, guest_one_shot,
		   "a\x71"
		   "b\0");
}

static void timer_periodic(void **state)
{
	GUEST_SAYS(1, guest_periodic,
		   "\x71\x71\x71"
		   "b");
}

static void timer_fetches_a_guest_that_spins(void **state)
{
	GUEST_SAYS(1, guest_spin,
		   "\x71"
		   "b");
}

static bool has_tsc_deadline(const struct irqchip_ops *ops)
{
	static struct fixture fixture;
	bool has;

	build_machine(&fixture, ops, 1);
	has = fixture.machine.irqchip.features.tsc_deadline;
	take_apart(&fixture);
	return has;
}

static void timer_tsc_deadline(void **state)
{
	if (!has_tsc_deadline(*state))
		skip();
	GUEST_SAYS(1, guest_tsc_deadline,
		   "a\x71"
		   "b\0");
}

static void ioapic_level(void **state)
{
	GUEST_SAYS(1, guest_level,
		   "a\x43\x43"
		   "b");
}

static void ioapic_edge_of_the_timer(void **state)
{
	GUEST_SAYS(1, guest_edge,
		   "\x44"
		   "c");
}

static void modes_of_the_local_apic(void **state)
{
	GUEST_SAYS(1, guest_modes, "GGaG\0\xff\x30\0GGG\xff");
}

static void init_and_sipi(void **state)
{
	GUEST_SAYS(2, guest_start_other,
		   "r\x07"
		   "ar\x07");
}

/* Every step of its making fails once, and leaves nothing behind for the sanitizer to find. */
static void creation_unwinds(void **state)
{
	const struct irqchip_ops *ops = *state;
	struct machine machine = { .cpu_count = 4 };
	unsigned int n = 1;
	int error;

	machine.hutch = hutch_open(NULL);
	do {
		machine.vm = hutch_vm_create(machine.hutch);
		memset(&machine.bus, 0, sizeof(machine.bus));
		machine.irqchip = (struct irqchip){ .ops = ops };
		system_fail_at(n);
		error = ops->create(&machine.irqchip, &machine);
		if (!error)
			ops->destroy(&machine.irqchip);
		hutch_vm_destroy(machine.vm);
	} while (system_calls() >= n++);
	system_fail_at(0);
	assert_int_equal(error, 0);
	assert_true(n > 3);
	hutch_close(machine.hutch);
}

#define KERNEL(test)                                                            \
	{                                                                       \
		"kernel: " #test, test, NULL, NULL, (void *)&irqchip_kernel_ops \
	}
#define USER(test)                                                          \
	{                                                                   \
		"user: " #test, test, NULL, NULL, (void *)&irqchip_user_ops \
	}
#define BOTH(test) KERNEL(test), USER(test)

/*
 * Ours alone: a KVM's own local APIC keeps its registers while it is disabled, and one
 * that emulates ring 0 gives a level once too often.
 */
int main(void)
{
	const struct CMUnitTest tests[] = {
		BOTH(pic_through_lint0),
		BOTH(highest_first_and_tpr),
		BOTH(shadow_of_sti),
		BOTH(cr8_is_tpr),
		BOTH(nmi_blocks_itself),
		BOTH(halted_with_interrupts_off),
		BOTH(timer_one_shot),
		BOTH(timer_periodic),
		BOTH(timer_fetches_a_guest_that_spins),
		BOTH(timer_tsc_deadline),
		USER(ioapic_level),
		BOTH(ioapic_edge_of_the_timer),
		USER(modes_of_the_local_apic),
		BOTH(init_and_sipi),
		BOTH(creation_unwinds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
