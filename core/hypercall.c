/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/cpu.h"
#include "core/guest_memory.h"
#include "core/irqchip.h"
#include "core/paravirtual.h"
#include "x86/registers.h"

/*
 * Calls from a guest's kernel to its hypervisor (Linux,
 * Documentation/virt/kvm/x86/hypercalls.rst): the number in RAX, arguments in RBX, RCX, RDX
 * and RSI, and the answer in RAX. All are optional, and those that are not here say so.
 */

enum {
	HYPERCALL_POLL_INTERRUPTS = 1,
	HYPERCALL_KICK_CPU = 5,
	HYPERCALL_SEND_IPI = 10,
};

/* Answers, of a guest's Linux's numbers. */
#define ANSWER_NOT_ALLOWED ((uint64_t)-1)
#define ANSWER_INVALID	   ((uint64_t)-22)
#define ANSWER_NOT_HERE	   ((uint64_t)-95)
#define ANSWER_UNKNOWN	   ((uint64_t)-1000)

/* The ICR's bits that such an IPI may have: a vector and how it is delivered. */
#define ICR_VECTOR	   0xffu
#define ICR_DELIVERY	   0x700u
#define ICR_DELIVERY_SHIFT 8
#define ICR_ALLOWED	   (ICR_VECTOR | ICR_DELIVERY | 1u << 14) /* asserted */

struct arguments {
	uint64_t number, a0, a1, a2, a3;
	unsigned int bits; /* of each */
};

static struct arguments arguments_of(struct hv_vcpu *vcpu)
{
	if (guest_code(vcpu).mode == vcpu->vm->ops->long_mode)
		return (struct arguments){ vcpu->gpr[GPR_RAX], vcpu->gpr[GPR_RBX],
					   vcpu->gpr[GPR_RCX], vcpu->gpr[GPR_RDX],
					   vcpu->gpr[GPR_RSI], 64 };
	return (struct arguments){ (uint32_t)vcpu->gpr[GPR_RAX], (uint32_t)vcpu->gpr[GPR_RBX],
				   (uint32_t)vcpu->gpr[GPR_RCX], (uint32_t)vcpu->gpr[GPR_RDX],
				   (uint32_t)vcpu->gpr[GPR_RSI], 32 };
}

/* The vCPU with that APIC id need not be asleep yet: then its next HLT ends at once. */
static uint64_t kick_cpu(struct hv_vcpu *vcpu, uint64_t id)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	struct hv_local_apic *local;

	host_spin_lock(irqchip->lock);
	if (id < irqchip->bus.count && irqchip->lapics[id]) {
		local = (struct hv_local_apic *)irqchip->lapics[id];
		__atomic_store_n(&local->vcpu->paravirtual.unhalted, 1, __ATOMIC_SEQ_CST);
		local_apic_wake(local->vcpu);
	}
	host_spin_unlock(irqchip->lock);
	return 0;
}

static uint64_t send_to(struct hv_irqchip *irqchip, uint64_t mask, uint64_t first,
			struct apic_message *message)
{
	uint64_t accepted = 0;

	for (; mask; mask &= mask - 1) {
		uint64_t id = first + (uint64_t)__builtin_ctzll(mask);

		if (id >= irqchip->bus.count)
			break;
		message->destination = (uint32_t)id;
		accepted += apic_bus_send(&irqchip->bus, NULL, message);
	}
	return accepted;
}

/* To every APIC id whose bit is set in one of two words, counted from @a2; says how many took it. */
static uint64_t send_ipi(struct hv_vcpu *vcpu, const struct arguments *arguments)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	uint64_t icr = arguments->a3, first = (uint32_t)arguments->a2, accepted;
	struct apic_message message = {
		.delivery = (enum apic_delivery)((icr & ICR_DELIVERY) >> ICR_DELIVERY_SHIFT),
		.vector = (uint8_t)(icr & ICR_VECTOR),
		.wide = true,
	};

	if (icr & ~(uint64_t)ICR_ALLOWED)
		return ANSWER_INVALID;
	host_spin_lock(irqchip->lock);
	accepted = send_to(irqchip, arguments->a0, first, &message);
	accepted += send_to(irqchip, arguments->a1, first + arguments->bits, &message);
	host_spin_unlock(irqchip->lock);
	return accepted;
}

static uint64_t answer(struct hv_vcpu *vcpu, const struct arguments *arguments)
{
	switch (arguments->number) {
	case HYPERCALL_POLL_INTERRUPTS:
		return 0; /* they are looked at before the next entry, as always */
	case HYPERCALL_KICK_CPU:
		if (!paravirtual_has(vcpu, PARAVIRTUAL_UNHALT))
			break;
		return vcpu->local_apic ? kick_cpu(vcpu, arguments->a1) : ANSWER_NOT_HERE;
	case HYPERCALL_SEND_IPI:
		if (!paravirtual_has(vcpu, PARAVIRTUAL_SEND_IPI))
			break;
		return vcpu->local_apic ? send_ipi(vcpu, arguments) : ANSWER_NOT_HERE;
	}
	return ANSWER_UNKNOWN;
}

void hypercall_answer(struct hv_vcpu *vcpu)
{
	struct arguments arguments = arguments_of(vcpu);
	uint64_t result = ANSWER_NOT_ALLOWED;

	if (!vcpu->vm->ops->cpl(vcpu))
		result = answer(vcpu, &arguments);
	vcpu->gpr[GPR_RAX] = arguments.bits == 64 ? result : (uint32_t)result;
}
