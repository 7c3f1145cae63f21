/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_IRQCHIP_H
#define HUTCH_CORE_IRQCHIP_H

/*
 * A PC's interrupt controllers inside the core: the models of dev/ (8259A pair, IOAPIC,
 * 8254, a local APIC for each vCPU), so that an interrupt on its way costs no call to the
 * VMM.
 *
 *	irqchip.c     the VM's half: wires, addresses, what comes from outside
 *	local_apic.c  the vCPU's half: what pends, before each entry; timer; INIT and SIPI
 *	local_apic_virtual.c  the same in the processor's own hands, where it can
 *	local_apic_state.c  its registers, as they are saved and restored
 *
 * One lock is around all of it (dev/lapic.h says why). Most entries have nothing to look
 * for, and then nobody takes it: whoever adds something to what pends raises the vCPU's
 * @attention and fetches it.
 */

#include "core/cpu.h"
#include "core/hv.h"
#include "dev/apic_bus.h"
#include "dev/ioapic.h"
#include "dev/lapic.h"
#include "dev/pic.h"
#include "dev/pit.h"

struct hv_irqchip {
	struct hv_vm *vm;
	struct host_spinlock *lock;
	bool split; /* @pic and @ioapic are the VMM's, and here is none */
	struct pic pic;
	struct ioapic ioapic;
	uint8_t pic_sources[PIC_IRQ_COUNT], ioapic_sources[IOAPIC_PIN_COUNT]; /* enum hv_source */
	struct apic_bus bus;
	struct lapic *lapics[HV_VCPU_MAX];
	struct hv_vcpu *accessing; /* whose registers are being written */
	bool wide_messages, no_short_broadcast;
	bool has_pit, has_speaker;
	bool pit_detached; /* an HPET has taken its place */
	struct pit pit;
	uint32_t pit_pic, pit_ioapic; /* inputs that it drives */
	struct host_timer *pit_timer;
	uint64_t epoch; /* of dev/line.h's time, in the host's nanoseconds */
};

struct hv_local_apic {
	struct lapic lapic; /* first: the bus's table leads here */
	struct hv_vcpu *vcpu;
	struct host_timer *timer;
	uint64_t due;		/* when the model is to be looked at, in the models' time */
	bool in_processor;	/* by vcpu->deadline, while the guest runs */
	bool timer_set;		/* by @timer: always, or since the vCPU last slept */
	uint32_t attention;	/* shared: there may be something to do before an entry */
	uint32_t timer_due;	/* shared */
	uint8_t *page;		/* for the processor's own, or NULL */
	enum hv_apic_mode mode; /* who has the registers while the guest runs */
	bool looking;		/* the vCPU itself, at what pends */
	bool window;		/* something waits for the guest to take interrupts */
	bool ended;		/* @ended_vector, and the VMM has the IOAPIC */
	uint8_t ended_vector;
};

/* The time that the models of this VM know. */
uint64_t irqchip_now(const struct hv_irqchip *irqchip);

/* Accesses by the guest; false: not one of ours. */
bool irqchip_port(struct hv_vcpu *vcpu, uint16_t port, unsigned int size, bool write,
		  uint32_t *value);
bool irqchip_mmio(struct hv_vcpu *vcpu, uint64_t gpa, unsigned int size, bool write,
		  uint64_t *value);

int local_apic_init(struct hv_vcpu *vcpu);
void local_apic_free(struct hv_vcpu *vcpu);

/* x2APIC registers, IA32_APIC_BASE, IA32_TSC_DEADLINE. False: #GP. */
bool local_apic_msr(struct hv_vcpu *vcpu, uint32_t index, bool write, uint64_t *value);
/* IA32_APIC_BASE as the VMM sets it: from any mode to any other. */
bool local_apic_set_base(struct hv_vcpu *vcpu, uint64_t value);
/* The guest's counter says something else, or goes at another rate. By the vCPU's thread. */
void local_apic_tsc_changed(struct hv_vcpu *vcpu);
/* The guest wrote CR8 by itself, or through us. */
void local_apic_cr8(struct hv_vcpu *vcpu);
/* Something was added to what pends for this one; the lock is held. */
void local_apic_wake(struct hv_vcpu *vcpu);
/* After the guest's hand was on it; the lock is held. */
void local_apic_timer_changed(struct hv_vcpu *vcpu);
/* vcpu->deadline has come; or the host's counter is not what it was. By the vCPU's thread. */
void local_apic_deadline(struct hv_vcpu *vcpu);
/* The vCPU will sleep, and be woken by its timer, too. */
void local_apic_sleeps(struct hv_vcpu *vcpu);

/* local_apic_virtual.c; all but the last two with the lock held. */
void local_apic_virtual_init(struct hv_vcpu *vcpu);
/* After a change of mode: who shall have the registers; only with a page for them. */
void local_apic_choose(struct hv_vcpu *vcpu);
static inline bool local_apic_is_virtual(const struct hv_vcpu *vcpu)
{
	return vcpu->local_apic->mode != HV_APIC_EMULATED;
}
void local_apic_lend(struct hv_vcpu *vcpu);
/* Before the model is looked at or changed by the vCPU itself, or while it does not run. */
void local_apic_take_back(struct hv_vcpu *vcpu);
static inline void local_apic_recall(struct hv_vcpu *vcpu)
{
	if (vcpu->local_apic->lapic.lent)
		local_apic_take_back(vcpu);
}
/* The processor has ended an interrupt, taken a write: by itself, but for what follows. */
void local_apic_ended(struct hv_vcpu *vcpu, uint8_t vector);
void local_apic_written(struct hv_vcpu *vcpu, uint16_t offset);

/* What the vCPU shall do next. */
enum local_apic_next {
	LOCAL_APIC_ENTER,
	LOCAL_APIC_WAIT, /* halted, or waiting for a SIPI */
};
enum local_apic_next local_apic_before_entry(struct hv_vcpu *vcpu);
/* After each of the above that said ENTER, whether it was entered or not. */
void local_apic_after_exit(struct hv_vcpu *vcpu);
/* True: vcpu->call says what the VMM has to hear of before the next entry. */
bool local_apic_calls(struct hv_vcpu *vcpu);

#endif
