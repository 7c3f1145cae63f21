/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/control.h"
#include "core/cpu.h"
#include "core/extended_state.h"
#include "core/instruction.h"
#include "core/irqchip.h"
#include "core/machine_check.h"
#include "core/msr_filter.h"
#include "core/paravirtual.h"
#include "core/table.h"
#include "core/tsc.h"
#include "x86/registers.h"

/*
 * A virtual processor from power-on: what it holds then (SDM 3, table 9-1), and how its
 * state is looked at and set from outside while it does not run.
 */

#define RESET_CS_BASE		 0xffff0000ull
#define RESET_CS		 0xf000
#define RESET_RIP		 0xfff0
#define RESET_DR6		 0xffff0ff0ull
#define RESET_DR7		 0x400ull
#define RESET_APIC_BASE		 (0xfee00000ull | IA32_APIC_BASE_EN)
#define RESET_PAT		 0x0007040600070406ull /* SDM 3, table 12-12 */
#define MISC_ENABLE_FAST_STRINGS 1ull

static const struct segment real_mode_data = {
	.limit = 0xffff,
	.rights = SEGMENT_RIGHTS_DATA16,
};

static void reset_system(struct hv_vcpu *vcpu, bool power_on)
{
	struct hv_system system = {
		/* CD and NW stay as they were at an INIT. */
		.cr0 = CR0_ET | CR0_CD | CR0_NW,
		.ldtr = { .limit = 0xffff, .rights = SEGMENT_RIGHTS_LDT },
		.tr = { .limit = 0xffff, .rights = SEGMENT_RIGHTS_TSS },
		.gdtr.limit = 0xffff,
		.idtr.limit = 0xffff,
	};

	if (!power_on)
		system.cr0 = CR0_ET |
			     (vcpu->vm->ops->read_control(vcpu, HV_CR0) & (CR0_CD | CR0_NW));
	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		system.segments[i] = real_mode_data;
	system.segments[SEGMENT_NUMBER_CS].selector = RESET_CS;
	system.segments[SEGMENT_NUMBER_CS].base = RESET_CS_BASE;
	system.segments[SEGMENT_NUMBER_CS].rights = SEGMENT_RIGHTS_CODE16;
	vcpu->cr8 = 0;
	vcpu->vm->ops->set_system(vcpu, &system);
}

void hv_vcpu_reset(struct hv_vcpu *vcpu, bool power_on)
{
	host_memset(vcpu->gpr, 0, sizeof(vcpu->gpr));
	host_memset(&vcpu->pending, 0, sizeof(vcpu->pending));
	vcpu->gpr[GPR_RDX] = 0x600; /* family 6: what old kernels look for */
	vcpu->rip = RESET_RIP;
	vcpu->rflags = RFLAGS_FIXED;
	vcpu->shadow = 0;
	host_memset(vcpu->dr, 0, sizeof(vcpu->dr));
	vcpu->dr6 = RESET_DR6;
	vcpu->dr7 = RESET_DR7;
	reset_system(vcpu, power_on);
	paravirtual_reset(vcpu);
	if (power_on) {
		tsc_start(vcpu);
		machine_check_start(vcpu);
		vcpu->xcr0 = 1;
		if (!vcpu->local_apic)
			vcpu->apic_base =
				RESET_APIC_BASE |
				(vcpu->id == vcpu->vm->bootstrap ? IA32_APIC_BASE_BSP : 0);
		vcpu->misc_enable = MISC_ENABLE_FAST_STRINGS;
		hv_vcpu_set_msr(vcpu, IA32_PAT, RESET_PAT);
	}
	vcpu->vm->ops->update_debug(vcpu);
}

int hv_vcpu_init(struct hv_vcpu *vcpu, struct hv_vm *vm, uint32_t id, uint8_t *data)
{
	int error;

	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->data = data;
	vcpu->cpu_number = HOST_CPU_MAX;
	hv_vcpu_set_cpuid(vcpu, NULL, 0);
	error = instruction_init(vcpu);
	if (error)
		return error;
	error = vm->ops->vcpu_init(vcpu);
	if (error)
		goto err_instruction;
	vm->ops->tpr_exits(vcpu, vm->irqchip ? 0 : HV_TPR_ANY);
	error = local_apic_init(vcpu);
	if (error)
		goto err_processor;
	if (vm->msrs_closed)
		msr_filter_update(vcpu);
	return HOST_OK;
err_processor:
	vm->ops->vcpu_free(vcpu);
err_instruction:
	instruction_free(vcpu);
	return error;
}

void hv_vcpu_free(struct hv_vcpu *vcpu)
{
	local_apic_free(vcpu);
	vcpu->vm->ops->vcpu_free(vcpu);
	instruction_free(vcpu);
	table_reserve_free(&vcpu->reserve);
}

void hv_vcpu_get_system(struct hv_vcpu *vcpu, struct hv_system *system)
{
	vcpu->vm->ops->get_system(vcpu, system);
	system->cr8 = vcpu->cr8;
}

/* What VMRUN and VM entry would refuse, or take for something else: SDM 3, 27.3.1.1. */
static bool is_possible(const struct hv_system *system)
{
	uint64_t cr0 = system->cr0, efer = system->efer;

	if (cr0 >> 32 || (cr0 & CR0_PG && !(cr0 & CR0_PE)) || (cr0 & CR0_NW && !(cr0 & CR0_CD)))
		return false;
	if (system->cr8 > 0xf)
		return false;
	if (efer & IA32_EFER_LMA)
		return efer & IA32_EFER_LME && cr0 & CR0_PG && system->cr4 & CR4_PAE;
	return !(efer & IA32_EFER_LME && cr0 & CR0_PG);
}

bool hv_vcpu_set_system(struct hv_vcpu *vcpu, const struct hv_system *system)
{
	if (!is_possible(system))
		return false;
	instruction_cancel(vcpu);
	vcpu->complete = NULL;
	vcpu->cr8 = system->cr8;
	if (vcpu->local_apic)
		local_apic_cr8(vcpu);
	vcpu->vm->ops->set_system(vcpu, system);
	vcpu->vm->ops->flush(vcpu);
	return true;
}

/* XCR0: SDM 1, 13.3. What is not here, or not whole, is refused. */
#define XCR0_X87    (1ull << 0)
#define XCR0_SSE    (1ull << 1)
#define XCR0_AVX    (1ull << 2)
#define XCR0_MPX    (3ull << 3)
#define XCR0_AVX512 (7ull << 5)
#define XCR0_PKRU   (1ull << 9)
#define XCR0_AMX    (3ull << 17)

static bool is_whole(uint64_t value, uint64_t group)
{
	return !(value & group) || (value & group) == group;
}

bool hv_vcpu_set_xcr0(struct hv_vcpu *vcpu, uint64_t value)
{
	uint64_t offered = extended_state_kept() & ~XCR0_AMX;

	if (!(value & XCR0_X87) || value & ~offered)
		return false;
	if (value & XCR0_AVX && !(value & XCR0_SSE))
		return false;
	if (!is_whole(value, XCR0_MPX) || !is_whole(value, XCR0_AVX512))
		return false;
	if (value & XCR0_AVX512 && !(value & XCR0_AVX))
		return false;
	vcpu->xcr0 = value;
	return true;
}
