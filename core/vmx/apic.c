/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "core/memory.h"
#include "core/table.h"
#include "x86/apic.h"

/*
 * APIC virtualization (SDM 3, chapter 30). The registers are in the virtual-APIC page,
 * which is the page of the TPR shadow, too. The guest reaches them in one of two ways:
 *
 *	MSRs	x2APIC mode: the permission map says which of them need no exit
 *	a page	the guest's page at FEE00000H leads to the APIC-access page, of which the
 *		processor knows the address: an access there becomes one to the registers
 *
 * The table of the second level is one for all vCPUs of a VM. So the APIC-access page is
 * in it only while all of them have their local APIC at that address; else accesses there
 * are EPT violations as before, for all, and the model answers.
 */

#define ACCESS_GPA 0xfee00000ull

#define DELIVERY \
	(VMX_SECONDARY_APIC_REGISTER_VIRTUALIZATION | VMX_SECONDARY_VIRTUAL_INTERRUPT_DELIVERY)
#define PAGE_CONTROLS	(DELIVERY | VMX_SECONDARY_VIRTUALIZE_APIC_ACCESSES)
#define X2APIC_CONTROLS (DELIVERY | VMX_SECONDARY_VIRTUALIZE_X2APIC_MODE)
#define ALL_CONTROLS	(PAGE_CONTROLS | VMX_SECONDARY_VIRTUALIZE_X2APIC_MODE)

/*
 * Every processor that was built with all of this can also be posted interrupts. One that
 * can't is emulated, and not to be trusted here unless told so: Bochs 2.7 forgets an
 * interrupt that it was delivering when an EPT violation made it leave, where SDM 3, 28.2.4
 * has IDT-vectoring information.
 */
void vmx_apic_probe(void)
{
	const struct vmx_capability *capability = &vmx_features.capability;
	bool wanted = hv_options.apic_virtualization;

	if (hv_options.apic_virtualization < 0)
		wanted = vmx_controls_allow(capability, VMX_WORD_PIN,
					    VMX_PIN_PROCESS_POSTED_INTERRUPTS);
	vmx_features.apic = wanted &&
			    vmx_controls_allow(capability, VMX_WORD_SECONDARY, ALL_CONTROLS);
}

/* ---- which MSRs ------------------------------------------------------------------------ */

/* SDM 3, 25.6.9: a bit is 0 where there is no exit; writes are half a page further on. */
static void allow(uint8_t *map, unsigned int number, bool write)
{
	unsigned int bit = IA32_X2APIC_FIRST + number + (write ? 8 * 0x800 : 0);

	map[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
}

/*
 * Only what is a register in x2APIC mode, as the processor would not refuse the others;
 * not the timer's count, which no page has, nor ICR, which has 64 bits there.
 */
void vmx_apic_fill_msr_map(uint8_t *map)
{
	static const uint8_t singles[] = {
		LAPIC_ID,  LAPIC_VERSION, LAPIC_TPR,	LAPIC_PPR,	     LAPIC_LDR,
		LAPIC_SVR, LAPIC_ESR,	  LAPIC_DIVIDE, LAPIC_INITIAL_COUNT,
	};

	for (unsigned int i = 0; i < sizeof(singles); i++)
		allow(map, singles[i], false);
	for (unsigned int number = LAPIC_ISR; number < LAPIC_ESR; number++)
		allow(map, number, false);
	for (unsigned int number = LAPIC_LVT_TIMER; number <= LAPIC_LVT_ERROR; number++)
		allow(map, number, false);
	/* Of writes the processor takes care of these: SDM 3, 30.5. */
	allow(map, LAPIC_TPR, true);
	allow(map, LAPIC_EOI, true);
	allow(map, LAPIC_SELF_IPI, true);
}

/* ---- a VM --------------------------------------------------------------------------------- */

int vmx_apic_vm_init(struct hv_vm *vm)
{
	struct vmx_vm *vmx = host_alloc(sizeof(*vmx));

	if (!vmx)
		return HOST_ENOMEM;
	if (vmx_features.apic) {
		vmx->apic_access_page = host_pages_alloc(0);
		if (!vmx->apic_access_page) {
			host_free(vmx, sizeof(*vmx));
			return HOST_ENOMEM;
		}
	}
	vm->cpu = vmx;
	return HOST_OK;
}

/* The table may still lead there; nobody walks it any more. */
void vmx_apic_vm_free(struct hv_vm *vm)
{
	struct vmx_vm *vmx = vm->cpu;

	if (vmx->apic_access_page)
		host_pages_free(vmx->apic_access_page, 0);
	host_free(vmx, sizeof(*vmx));
}

/*
 * One vCPU more, or less, that has its local APIC elsewhere. It does not enter before no
 * other has the page in its translations.
 */
static void count_elsewhere(struct hv_vcpu *vcpu, bool elsewhere)
{
	struct hv_vm *vm = vcpu->vm;
	struct vmx_vm *vmx = vm->cpu;
	bool flush = false;

	if (vmx_vcpu(vcpu)->apic_elsewhere == elsewhere)
		return;
	vmx_vcpu(vcpu)->apic_elsewhere = elsewhere;
	host_spin_lock(vm->table_lock);
	vmx->elsewhere = elsewhere ? vmx->elsewhere + 1 : vmx->elsewhere - 1;
	if (elsewhere && vmx->mapped) {
		flush = table_unmap(&vm->table, ACCESS_GPA, ACCESS_GPA + HV_PAGE_SIZE);
		vmx->mapped = false;
	}
	host_spin_unlock(vm->table_lock);
	if (flush)
		memory_flush(vm);
}

bool vmx_apic_map(struct hv_vcpu *vcpu, uint64_t gpa)
{
	struct hv_vm *vm = vcpu->vm;
	struct vmx_vm *vmx = vm->cpu;
	bool mapped = false;

	if ((gpa & ~(HV_PAGE_SIZE - 1)) != ACCESS_GPA ||
	    vmx_vcpu(vcpu)->apic_mode != HV_APIC_PAGE || !table_reserve(&vcpu->reserve))
		return false;
	host_spin_lock(vm->table_lock);
	if (!vmx->elsewhere) {
		table_map(&vm->table, ACCESS_GPA, host_physical(vmx->apic_access_page), 0, true,
			  &vcpu->reserve);
		mapped = vmx->mapped = true;
	}
	host_spin_unlock(vm->table_lock);
	return mapped;
}

/* ---- a vCPU -------------------------------------------------------------------------------- */

uint8_t *vmx_apic_page(struct hv_vcpu *vcpu)
{
	return vmx_features.apic ? vmx_vcpu(vcpu)->virtual_apic : NULL;
}

static uint64_t controls_of(enum hv_apic_mode mode)
{
	switch (mode) {
	case HV_APIC_PAGE:
		return PAGE_CONTROLS;
	case HV_APIC_X2APIC:
		return X2APIC_CONTROLS;
	default:
		return 0;
	}
}

void vmx_close_msrs(struct hv_vcpu *vcpu, bool closed)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	vmx_set(&vmx->fields, VMCS_INDEX_MSR_BITMAP_ADDRESS,
		vmx_msr_map(closed, vmx->apic_mode == HV_APIC_X2APIC));
}

void vmx_apic_mode(struct hv_vcpu *vcpu, enum hv_apic_mode mode)
{
	struct vmx_fields *fields = &vmx_vcpu(vcpu)->fields;
	const struct vmx_vm *vm = vcpu->vm->cpu;
	uint64_t secondary = fields->state.secondary_controls & ~ALL_CONTROLS;

	vmx_vcpu(vcpu)->apic_mode = mode;
	count_elsewhere(vcpu, mode != HV_APIC_PAGE);
	vmx_set(fields, VMCS_INDEX_SECONDARY_CONTROLS, secondary | controls_of(mode));
	vmx_close_msrs(vcpu, vcpu->vm->msrs_closed);
	vmx_set(fields, VMCS_INDEX_APIC_ACCESS_ADDRESS, host_physical(vm->apic_access_page));
	/* What is remembered knows nothing of this page, or too much (SDM 3, 30.4). */
	vmx_flush(vcpu);
}

void vmx_apic_end(struct hv_vcpu *vcpu)
{
	count_elsewhere(vcpu, false);
}

void vmx_apic_lend(struct hv_vcpu *vcpu, uint8_t requested, uint8_t in_service,
		   const uint32_t watched[8])
{
	struct vmx_fields *fields = &vmx_vcpu(vcpu)->fields;

	vmx_set(fields, VMCS_INDEX_GUEST_INTERRUPT_STATUS, (uint64_t)in_service << 8 | requested);
	for (unsigned int i = 0; i < 4; i++)
		vmx_set(fields, (enum vmcs_index)(VMCS_INDEX_EOI_EXIT_BITMAP_0 + i),
			watched[2 * i] | (uint64_t)watched[2 * i + 1] << 32);
}
