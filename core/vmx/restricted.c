/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "core/memory.h"
#include "core/table.h"
#include "core/vmx/check.h"

/*
 * Processors whose guests are restricted: the first that had EPT enter no guest without
 * CR0.PE and CR0.PG, nor one with segment registers that protected mode would not have
 * loaded so (SDM 3, 27.3.1.1 and 27.3.1.2). What is left of a guest's life is divided:
 *
 *	real mode		the core carries it out (core/emulation.h)
 *	on the way between	likewise, until all segment registers are loaded anew
 *	without paging		it runs by itself, and what it does not know is that paging
 *				is on: a table of 4 MiB pages leads each address to itself
 *	with paging		as anywhere
 *
 * That table is one page of the VM's own, at a place among its physical addresses that its
 * VMM may choose. While it is in use the guest's CR3, CR4 and EFER are not what the
 * processor has; reading CR3 and writing it are exits.
 *
 * Where guests are unrestricted nothing here is ever asked for.
 */

/* Where VMMs that say nothing expect it: Linux's Documentation/virt/kvm/api.rst, 4.43. */
#define IDENTITY_MAP_DEFAULT 0xfffbc000ull

/* Present, writable, for everybody, accessed, dirty, of 4 MiB: SDM 3, table 4-4. */
#define IDENTITY_ENTRY	     0xe7u
#define IDENTITY_ENTRIES     1024u
#define IDENTITY_ENTRY_SHIFT 22

/* What means something else, or nothing good, to 32-bit paging that nobody knows of. */
#define CR4_OF_PAGING (CR4_PAE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_PKE | CR4_LA57)

#define CR3_EXITS     (VMX_PRIMARY_CR3_LOAD_EXITING | VMX_PRIMARY_CR3_STORE_EXITING)

/* ---- a VM's table ------------------------------------------------------------------------ */

int vmx_restricted_vm_init(struct hv_vm *vm)
{
	struct vmx_vm *vmx = vm->cpu;

	if (vmx_features.unrestricted)
		return HOST_OK;
	vmx->identity_table = host_pages_alloc(0);
	if (!vmx->identity_table)
		return HOST_ENOMEM;
	for (uint32_t i = 0; i < IDENTITY_ENTRIES; i++)
		vmx->identity_table[i] = i << IDENTITY_ENTRY_SHIFT | IDENTITY_ENTRY;
	vm->identity_map = IDENTITY_MAP_DEFAULT;
	return HOST_OK;
}

void vmx_restricted_vm_free(struct hv_vm *vm)
{
	struct vmx_vm *vmx = vm->cpu;

	if (vmx->identity_table)
		host_pages_free(vmx->identity_table, 0);
}

/* The VMM's own memory can't be there, too: core/slots.c sees to those that come later. */
int vmx_restricted_vcpu_init(struct hv_vcpu *vcpu)
{
	struct hv_vm *vm = vcpu->vm;
	bool taken;

	if (vmx_features.unrestricted)
		return HOST_OK;
	host_read_lock(vm->slots_lock);
	taken = memory_slot_at(vm, vm->identity_map);
	host_read_unlock(vm->slots_lock);
	return taken ? HOST_EEXIST : HOST_OK;
}

bool vmx_restricted_map(struct hv_vcpu *vcpu, uint64_t gpa)
{
	struct hv_vm *vm = vcpu->vm;
	struct vmx_vm *vmx = vm->cpu;

	if (!vmx->identity_table || (gpa & ~(HV_PAGE_SIZE - 1)) != vm->identity_map ||
	    !table_reserve(&vcpu->reserve))
		return false;
	host_spin_lock(vm->table_lock);
	table_map(&vm->table, vm->identity_map, host_physical(vmx->identity_table), 0, true,
		  &vcpu->reserve);
	host_spin_unlock(vm->table_lock);
	return true;
}

/* ---- paging behind the guest's back ------------------------------------------------------- */

static void set(struct hv_vcpu *vcpu, enum vmcs_index index, uint64_t value)
{
	vmx_set(&vmx_vcpu(vcpu)->fields, index, value);
}

static uint64_t get(struct hv_vcpu *vcpu, enum vmcs_index index)
{
	return vmx_get(&vmx_vcpu(vcpu)->fields, index);
}

/* From the table to the guest's own CR3, or the reverse. */
static void switch_paging(struct hv_vcpu *vcpu, bool unpaged)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint64_t primary = get(vcpu, VMCS_INDEX_PRIMARY_CONTROLS);

	if (unpaged) {
		vmx->cr3 = get(vcpu, VMCS_INDEX_GUEST_CR3);
		primary |= CR3_EXITS;
	} else {
		primary &= ~CR3_EXITS | vmx_features.controls[VMX_WORD_PRIMARY];
	}
	set(vcpu, VMCS_INDEX_PRIMARY_CONTROLS, primary);
	set(vcpu, VMCS_INDEX_GUEST_CR3, unpaged ? vcpu->vm->identity_map : vmx->cr3);
	vmx->unpaged = unpaged;
}

void vmx_restricted_paging(struct hv_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	uint64_t cr4 = vmx_read_control(vcpu, HV_CR4), efer = vmx->efer;
	bool unpaged = !(vmx_read_control(vcpu, HV_CR0) & CR0_PG);

	if (unpaged != vmx->unpaged)
		switch_paging(vcpu, unpaged);
	if (unpaged) {
		cr4 = (cr4 & ~CR4_OF_PAGING) | CR4_PSE;
		/* With paging LME is LMA (SDM 3, 27.3.1.1). */
		efer &= ~(IA32_EFER_LME | IA32_EFER_LMA);
	}
	set(vcpu, VMCS_INDEX_GUEST_CR4, vmx_real_cr4(cr4));
	set(vcpu, VMCS_INDEX_GUEST_IA32_EFER, efer);
}

/* ---- what can't be entered ------------------------------------------------------------------ */

/*
 * What the guest has done by itself can be entered as it came out; what is not written yet
 * is ours. So it is looked at only where that can make a difference.
 */
static bool is_in_doubt(const struct vmx_fields *fields)
{
	static const struct {
		uint8_t first, last;
	} doubtful[] = {
		{ VMCS_INDEX_GUEST_ES_SELECTOR, VMCS_INDEX_GUEST_TR_SELECTOR },
		{ VMCS_INDEX_GUEST_ES_LIMIT, VMCS_INDEX_GUEST_TR_LIMIT },
		{ VMCS_INDEX_GUEST_ES_RIGHTS, VMCS_INDEX_GUEST_TR_RIGHTS },
		{ VMCS_INDEX_GUEST_ES_BASE, VMCS_INDEX_GUEST_TR_BASE },
		{ VMCS_INDEX_CR0_READ_SHADOW, VMCS_INDEX_CR0_READ_SHADOW },
		{ VMCS_INDEX_ENTRY_CONTROLS, VMCS_INDEX_ENTRY_CONTROLS },
	};

	for (unsigned int i = 0; i < sizeof(doubtful) / sizeof(doubtful[0]); i++)
		for (unsigned int at = doubtful[i].first; at <= doubtful[i].last; at++)
			if (fields->changed[at / 64] >> (at % 64) & 1)
				return true;
	return false;
}

/* By the rules themselves, which the entry doctor knows. */
static bool segments_can_be_entered(struct hv_vcpu *vcpu)
{
	struct vmx_fields *fields = &vmx_vcpu(vcpu)->fields;
	struct segment segment;

	for (unsigned int i = 0; i < VMX_SEGMENT_COUNT; i++)
		vmx_read_segment(vcpu, i, &segment);
	vmx_get(fields, VMCS_INDEX_GUEST_CR0);
	return vmx_check_segments(&fields->state, &vmx_features.capability, vcpu->rflags);
}

bool vmx_can_enter(struct hv_vcpu *vcpu)
{
	const struct vmx_fields *fields = &vmx_vcpu(vcpu)->fields;

	if (vmx_features.unrestricted)
		return true;
	if (!(fields->state.cr0_read_shadow & CR0_PE))
		return false;
	return !is_in_doubt(fields) || segments_can_be_entered(vcpu);
}

void vmx_restricted_exit(struct hv_vcpu *vcpu, struct hv_exit *exit)
{
	const struct vmcs_state *state = &vmx_vcpu(vcpu)->fields.state;

	vmx_decode_injected(vcpu, (uint32_t)state->entry_interruption_information,
			    (uint32_t)state->entry_exception_error_code,
			    (uint32_t)state->entry_instruction_length);
	set(vcpu, VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION, 0);
	*exit = (struct hv_exit){ .reason = HV_EXIT_EMULATION };
}
