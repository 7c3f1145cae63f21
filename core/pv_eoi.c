/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/irqchip.h"
#include "core/memory.h"
#include "core/paravirtual.h"

/*
 * The end of an interrupt without an exit (Linux, Documentation/virt/kvm/x86/msr.rst,
 * MSR_KVM_PV_EOI_EN). Where nobody has to hear at once that a handler has ended, a bit in
 * the guest's memory says so; a guest that finds it set clears it, and that was all. At the
 * next exit it is looked at: cleared, the interrupt has ended meanwhile.
 */

#define PAGE_ADDRESS (~3ull)
#define MAY_END	     1u

static uint64_t address(const struct hv_vcpu *vcpu)
{
	return vcpu->paravirtual.eoi & PAGE_ADDRESS;
}

void pv_eoi_offer(struct hv_vcpu *vcpu)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	struct lapic *lapic = &vcpu->local_apic->lapic;
	const uint8_t flag = MAY_END;
	bool offered;

	if (!(vcpu->paravirtual.eoi & 1) || !lapic_is_serving(lapic))
		return;
	host_spin_lock(irqchip->lock);
	offered = lapic_offer_silent_end(lapic);
	host_spin_unlock(irqchip->lock);
	if (!offered)
		return;
	vcpu->paravirtual.eoi_offered = true;
	memory_copy_out(vcpu->vm, address(vcpu), &flag, sizeof(flag));
}

/* Where it lies is no memory, or no more: nothing was offered, so nothing has ended. */
static bool has_ended(struct hv_vcpu *vcpu)
{
	uint8_t flag;

	if (!memory_copy_in(vcpu->vm, address(vcpu), &flag, sizeof(flag)) ||
	    !memory_writable(vcpu->vm, address(vcpu), sizeof(flag)))
		return false;
	if (!(flag & MAY_END))
		return true;
	flag = 0;
	memory_copy_out(vcpu->vm, address(vcpu), &flag, sizeof(flag));
	return false;
}

void pv_eoi_take(struct hv_vcpu *vcpu)
{
	struct hv_irqchip *irqchip = vcpu->vm->irqchip;
	bool ended;

	if (!vcpu->paravirtual.eoi_offered)
		return;
	vcpu->paravirtual.eoi_offered = false;
	ended = has_ended(vcpu);
	host_spin_lock(irqchip->lock);
	lapic_take_silent_end(&vcpu->local_apic->lapic, ended, irqchip_now(irqchip));
	host_spin_unlock(irqchip->lock);
}
