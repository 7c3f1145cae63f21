/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/control.h"

#include "core/cpu.h"
#include "core/cpuid.h"
#include "x86/registers.h"

/* What every processor knows of CR0 (SDM 3, 2.5): all else below bit 32 is ignored. */
#define CR0_KNOWN                                                                                  \
	(CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | \
	 CR0_PG)

static uint64_t control(struct hv_vcpu *vcpu, enum hv_control which)
{
	return vcpu->vm->ops->read_control(vcpu, which);
}

/* Paging begins or ends: long mode becomes or stops being active (SDM 3, 10.8.5). */
static bool switch_long_mode(struct hv_vcpu *vcpu, bool paging)
{
	uint64_t efer = control(vcpu, HV_EFER);
	struct segment cs;

	if (!(efer & IA32_EFER_LME))
		return true;
	vcpu->vm->ops->read_segment(vcpu, SEGMENT_NUMBER_CS, &cs);
	if (paging && (!(control(vcpu, HV_CR4) & CR4_PAE) || cs.rights & SEGMENT_L))
		return false;
	if (!paging && cs.rights & SEGMENT_L)
		return false;
	vcpu->vm->ops->write_control(vcpu, HV_EFER,
				     paging ? efer | IA32_EFER_LMA : efer & ~IA32_EFER_LMA);
	return true;
}

bool control_write_cr0(struct hv_vcpu *vcpu, uint64_t value)
{
	uint64_t before = control(vcpu, HV_CR0);

	if (value >> 32 || (value & CR0_PG && !(value & CR0_PE)) ||
	    (value & CR0_NW && !(value & CR0_CD)))
		return false;
	if (before & CR0_PG && !(value & CR0_PG) && control(vcpu, HV_CR4) & CR4_PCIDE)
		return false;
	if ((before ^ value) & CR0_PG && !switch_long_mode(vcpu, value & CR0_PG))
		return false;
	vcpu->vm->ops->write_control(vcpu, HV_CR0, (value & CR0_KNOWN) | CR0_ET);
	if ((before ^ value) & (CR0_PG | CR0_WP))
		vcpu->vm->ops->flush(vcpu);
	return true;
}

bool control_write_cr3(struct hv_vcpu *vcpu, uint64_t value)
{
	bool keep = value >> 63 && control(vcpu, HV_CR4) & CR4_PCIDE;

	value &= ~(1ull << 63);
	if (control(vcpu, HV_EFER) & IA32_EFER_LMA && value >> vcpu->address_bits)
		return false;
	vcpu->vm->ops->write_control(vcpu, HV_CR3, value);
	if (!keep)
		vcpu->vm->ops->flush(vcpu);
	return true;
}

/* The bits of CR4 for which the guest's CPUID shows the feature: SDM 3, 2.5. */
static uint64_t cr4_allowed(struct hv_vcpu *vcpu)
{
	static const struct {
		uint64_t bits;
		uint32_t function;
		enum cpuid_register result;
		uint8_t bit;
	} features[] = {
		{ CR4_VME | CR4_PVI, 1, CPUID_EDX, 1 },
		{ CR4_TSD, 1, CPUID_EDX, 4 },
		{ CR4_DE, 1, CPUID_EDX, 2 },
		{ CR4_PSE, 1, CPUID_EDX, 3 },
		{ CR4_PAE, 1, CPUID_EDX, 6 },
		{ CR4_MCE, 1, CPUID_EDX, 7 },
		{ CR4_PGE, 1, CPUID_EDX, 13 },
		{ CR4_OSFXSR, 1, CPUID_EDX, 24 },
		{ CR4_OSXMMEXCPT, 1, CPUID_EDX, 25 },
		{ CR4_PCIDE, 1, CPUID_ECX, 17 },
		{ CR4_OSXSAVE, 1, CPUID_ECX, 26 },
		{ CR4_FSGSBASE, 7, CPUID_EBX, 0 },
		{ CR4_SMEP, 7, CPUID_EBX, 7 },
		{ CR4_SMAP, 7, CPUID_EBX, 20 },
		{ CR4_UMIP, 7, CPUID_ECX, 2 },
		{ CR4_PKE, 7, CPUID_ECX, 3 },
		{ CR4_LA57, 7, CPUID_ECX, 16 },
	};
	uint64_t allowed = CR4_PCE;

	for (unsigned int i = 0; i < sizeof(features) / sizeof(features[0]); i++)
		if (cpuid_bit(vcpu, features[i].function, features[i].result, features[i].bit))
			allowed |= features[i].bits;
	return allowed;
}

bool control_write_cr4(struct hv_vcpu *vcpu, uint64_t value)
{
	uint64_t before = control(vcpu, HV_CR4), changed = before ^ value;
	bool long_mode = control(vcpu, HV_EFER) & IA32_EFER_LMA;

	if (value & ~cr4_allowed(vcpu))
		return false;
	if (long_mode && (!(value & CR4_PAE) || changed & CR4_LA57))
		return false;
	if (changed & value & CR4_PCIDE && (!long_mode || control(vcpu, HV_CR3) & 0xfff))
		return false;
	vcpu->vm->ops->write_control(vcpu, HV_CR4, value);
	if (changed & (CR4_PGE | CR4_PSE | CR4_PAE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE))
		vcpu->vm->ops->flush(vcpu);
	return true;
}

bool control_write_efer(struct hv_vcpu *vcpu, uint64_t value)
{
	uint64_t before = control(vcpu, HV_EFER), allowed = 0;

	if (cpuid_bit(vcpu, 0x80000001, CPUID_EDX, 11))
		allowed |= IA32_EFER_SCE;
	if (cpuid_bit(vcpu, 0x80000001, CPUID_EDX, 20))
		allowed |= IA32_EFER_NXE;
	if (cpuid_bit(vcpu, 0x80000001, CPUID_EDX, 29))
		allowed |= IA32_EFER_LME | IA32_EFER_LMA;
	if (cpuid_bit(vcpu, 0x80000001, CPUID_EDX, 25))
		allowed |= AMD_EFER_FFXSR;
	if (value & ~allowed)
		return false;
	if (control(vcpu, HV_CR0) & CR0_PG && (before ^ value) & IA32_EFER_LME)
		return false;
	/* LMA is the processor's to say. */
	value = (value & ~IA32_EFER_LMA) | (before & IA32_EFER_LMA);
	vcpu->vm->ops->write_control(vcpu, HV_EFER, value);
	if ((before ^ value) & IA32_EFER_NXE)
		vcpu->vm->ops->flush(vcpu);
	return true;
}

bool control_write_cr8(struct hv_vcpu *vcpu, uint64_t value)
{
	if (value > 0xf)
		return false;
	vcpu->cr8 = value;
	return true;
}
