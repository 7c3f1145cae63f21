/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "core/cpuid.h"
#include "core/extended_state.h"
#include "core/memory.h"
#include "core/processor.h"
#include "x86/exception.h"

/*
 * A vCPU on VT-x is its VMCS: what the guest may not do by itself, and its registers
 * while it is out. In CR0 and CR4 some bits are the guest's own; of the others it sees
 * what it has written, in the read shadows, while the processor has what VMX operation
 * wants (SDM 3, 25.6.6).
 */

/* Exceptions that could keep the processor busy for ever, and the host's own. */
#define ALWAYS_SEEN (1u << EXCEPTION_DB | 1u << EXCEPTION_AC | 1u << EXCEPTION_MC)

/* Nothing follows from these that the processor would not do by itself. */
#define CR0_OWNED (CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)

#define RESET_PAT 0x0007040600070406ull /* SDM 3, table 12-12 */

static void set(struct hv_vcpu *vcpu, enum vmcs_index index, uint64_t value)
{
	vmx_set(&vmx_vcpu(vcpu)->fields, index, value);
}

static uint64_t get(struct hv_vcpu *vcpu, enum vmcs_index index)
{
	return vmx_get(&vmx_vcpu(vcpu)->fields, index);
}

/* ---- from its making to its end --------------------------------------------------------- */

static void set_controls(struct hv_vcpu *vcpu)
{
	const uint64_t *controls = vmx_features.controls;
	uint64_t secondary = controls[VMX_WORD_SECONDARY];

	if (!vmx_vcpu(vcpu)->vpid)
		secondary &= ~VMX_SECONDARY_ENABLE_VPID;
	else
		set(vcpu, VMCS_INDEX_VIRTUAL_PROCESSOR_ID, vmx_vcpu(vcpu)->vpid);
	set(vcpu, VMCS_INDEX_PIN_BASED_CONTROLS, controls[VMX_WORD_PIN]);
	set(vcpu, VMCS_INDEX_PRIMARY_CONTROLS, controls[VMX_WORD_PRIMARY]);
	set(vcpu, VMCS_INDEX_SECONDARY_CONTROLS, secondary);
	set(vcpu, VMCS_INDEX_EXIT_CONTROLS, controls[VMX_WORD_EXIT]);
	set(vcpu, VMCS_INDEX_ENTRY_CONTROLS, controls[VMX_WORD_ENTRY]);
	set(vcpu, VMCS_INDEX_PAGE_FAULT_ERROR_CODE_MASK, 0);
	set(vcpu, VMCS_INDEX_PAGE_FAULT_ERROR_CODE_MATCH, 0);
	set(vcpu, VMCS_INDEX_CR3_TARGET_COUNT, 0);
	set(vcpu, VMCS_INDEX_EXIT_MSR_STORE_COUNT, 0);
	set(vcpu, VMCS_INDEX_EXIT_MSR_LOAD_COUNT, 0);
	set(vcpu, VMCS_INDEX_ENTRY_MSR_LOAD_COUNT, 0);
	set(vcpu, VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION, 0);
	set(vcpu, VMCS_INDEX_TSC_OFFSET, 0);
	vmx_set_tsc_ratio(vcpu);
	set(vcpu, VMCS_INDEX_CR0_MASK, ~CR0_OWNED);
	set(vcpu, VMCS_INDEX_CR4_MASK, ~0ull);
	vmx_exceptions(vcpu, 0);
}

/*
 * The VMX-preemption timer (SDM 3, 26.5.1) has two uses. Guests' timers are one: it is set
 * at each entry to what is left until vcpu->deadline (enter.c).
 *
 * For preemption itself it is not needed. A vCPU is a thread like others: the interrupt
 * with which the host ends a thread's turn makes the guest leave, and nothing keeps that
 * back. Still no guest keeps a CPU for longer than this, whatever it does, as there is a
 * processor, an emulated one, that does keep it back: Bochs 2.7 forgets, at an entry with
 * IF clear, that interrupts are exits all the same.
 */
#define LONGEST_RUN_MS 10

static void limit_run(struct hv_vcpu *vcpu)
{
	uint64_t ticks = (uint64_t)host_tsc_khz() * LONGEST_RUN_MS >> vmx_features.timer_shift;

	if (!vmx_features.timer)
		return;
	vmx_vcpu(vcpu)->longest_run = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

bool vmx_has_deadlines(void)
{
	return vmx_features.timer && hv_options.preemption_timer;
}

/*
 * PAUSEs at most GAP ticks apart are one loop, and an exit when that takes longer than
 * WINDOW (SDM 3, 25.6.13): a lock whose holder runs is free again by then.
 */
#define PAUSE_GAP    128
#define PAUSE_WINDOW 4096

static void limit_pauses(struct hv_vcpu *vcpu)
{
	if (!(vmx_features.controls[VMX_WORD_SECONDARY] & VMX_SECONDARY_PAUSE_LOOP_EXITING))
		return;
	set(vcpu, VMCS_INDEX_PLE_GAP, PAUSE_GAP);
	set(vcpu, VMCS_INDEX_PLE_WINDOW, PAUSE_WINDOW);
}

static void set_addresses(struct hv_vcpu *vcpu)
{
	const struct hv_table *table = &vcpu->vm->table;
	uint64_t eptp = host_physical(table->root) | VMX_EPTP_WRITE_BACK |
			(uint64_t)(table->levels - 1) << VMX_EPTP_WALK_LENGTH_SHIFT;

	if (vmx_features.capability.ept_vpid_cap & VMX_EPT_ACCESSED_DIRTY)
		eptp |= VMX_EPTP_ACCESSED_DIRTY;
	set(vcpu, VMCS_INDEX_EPTP, eptp);
	set(vcpu, VMCS_INDEX_MSR_BITMAP_ADDRESS, vmx_msr_map(false, false));
	set(vcpu, VMCS_INDEX_VIRTUAL_APIC_ADDRESS, host_physical(vmx_vcpu(vcpu)->virtual_apic));
	set(vcpu, VMCS_INDEX_VMCS_LINK_POINTER, ~0ull);
}

/* What is the same for all guests, and for all of a host's life. */
static void set_fixed_state(struct hv_vcpu *vcpu)
{
	static const uint8_t null_selectors[] = {
		VMCS_INDEX_HOST_DS_SELECTOR,
		VMCS_INDEX_HOST_ES_SELECTOR,
		VMCS_INDEX_HOST_FS_SELECTOR,
		VMCS_INDEX_HOST_GS_SELECTOR,
	};

	for (unsigned int i = 0; i < sizeof(null_selectors); i++)
		set(vcpu, (enum vmcs_index)null_selectors[i], 0);
	set(vcpu, VMCS_INDEX_HOST_RIP, (uintptr_t)vmx_switch_exit);
	set(vcpu, VMCS_INDEX_GUEST_IA32_DEBUGCTL, 0);
	set(vcpu, VMCS_INDEX_GUEST_IA32_PAT, RESET_PAT);
	set(vcpu, VMCS_INDEX_GUEST_IA32_SYSENTER_CS, 0);
	set(vcpu, VMCS_INDEX_GUEST_IA32_SYSENTER_ESP, 0);
	set(vcpu, VMCS_INDEX_GUEST_IA32_SYSENTER_EIP, 0);
}

int vmx_vcpu_init(struct hv_vcpu *vcpu)
{
	int error = vmx_restricted_vcpu_init(vcpu);
	struct vmx_vcpu *vmx;

	if (error)
		return error;
	vmx = host_alloc(sizeof(*vmx));
	if (!vmx)
		return HOST_ENOMEM;
	vmx->vmcs = host_pages_alloc(0);
	if (!vmx->vmcs)
		goto err_vmx;
	vmx->virtual_apic = host_pages_alloc(0);
	if (!vmx->virtual_apic)
		goto err_vmcs;
	*(uint32_t *)vmx->vmcs = vmx_features.capability.basic & VMX_BASIC_REVISION;
	vmx->vmcs_physical = host_physical(vmx->vmcs);
	vmx->active_on = vmx->host.cpu = VMX_NOWHERE;
	vmx->vpid = vmx_vpid_take();
	vcpu->cpu = vmx;
	set_controls(vcpu);
	set_addresses(vcpu);
	set_fixed_state(vcpu);
	limit_run(vcpu);
	limit_pauses(vcpu);
	if (vmx_log_init(vcpu) == HOST_OK)
		return HOST_OK;
	vmx_vpid_give(vmx->vpid);
	host_pages_free(vmx->virtual_apic, 0);
err_vmcs:
	host_pages_free(vmx->vmcs, 0);
err_vmx:
	host_free(vmx, sizeof(*vmx));
	return HOST_ENOMEM;
}

void vmx_vcpu_free(struct hv_vcpu *vcpu)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	vmx_life_end(vmx);
	vmx_apic_end(vcpu);
	vmx_log_free(vcpu);
	vmx_vpid_give(vmx->vpid);
	host_pages_free(vmx->virtual_apic, 0);
	host_pages_free(vmx->vmcs, 0);
	host_free(vmx, sizeof(*vmx));
}

/* ---- control --------------------------------------------------------------------------- */

static void set_primary(struct hv_vcpu *vcpu, uint64_t control, bool wanted)
{
	uint64_t primary = get(vcpu, VMCS_INDEX_PRIMARY_CONTROLS);

	set(vcpu, VMCS_INDEX_PRIMARY_CONTROLS, wanted ? primary | control : primary & ~control);
}

void vmx_exceptions(struct hv_vcpu *vcpu, uint32_t vectors)
{
	set(vcpu, VMCS_INDEX_EXCEPTION_BITMAP, vectors | ALWAYS_SEEN);
}

void vmx_flush(struct hv_vcpu *vcpu)
{
	vmx_vcpu(vcpu)->flush = true;
}

void vmx_set_tsc_offset(struct hv_vcpu *vcpu, uint64_t offset)
{
	set(vcpu, VMCS_INDEX_TSC_OFFSET, offset);
}

/* SDM 3, 25.6.5 and 26.3: the product's bits from 48 on. Without the control there is no field. */
#define TSC_FRACTION_BITS 48

unsigned int vmx_tsc_fraction_bits(void)
{
	return vmx_features.controls[VMX_WORD_SECONDARY] & VMX_SECONDARY_USE_TSC_SCALING
		       ? TSC_FRACTION_BITS
		       : 0;
}

void vmx_set_tsc_ratio(struct hv_vcpu *vcpu)
{
	if (vmx_tsc_fraction_bits())
		set(vcpu, VMCS_INDEX_TSC_MULTIPLIER,
		    vcpu->tsc_ratio ? vcpu->tsc_ratio : 1ull << TSC_FRACTION_BITS);
}

void vmx_debug_exits(struct hv_vcpu *vcpu, bool wanted)
{
	set_primary(vcpu, VMX_PRIMARY_MOV_DR_EXITING, wanted);
}

/* DR7 goes in with the other registers. */
void vmx_update_debug(struct hv_vcpu *vcpu)
{
	(void)vcpu;
}

/* ---- events --------------------------------------------------------------------------- */

/* Called right before the entry, so it can be written at once. */
static void set_now(struct hv_vcpu *vcpu, enum vmcs_index index, uint32_t encoding, uint32_t value)
{
	vmx_set_known(&vmx_vcpu(vcpu)->fields, index, value);
	vmx_instruction_vmwrite(encoding, value);
}

void vmx_inject(struct hv_vcpu *vcpu, const struct hv_event *event)
{
	/* It matters to an exception alone, and not every event has to ask the processor. */
	bool protected_mode = event->type == HV_EVENT_EXCEPTION &&
			      vmx_read_control(vcpu, HV_CR0) & CR0_PE;
	uint32_t error_code, length;
	uint32_t information = vmx_decode_event(event, protected_mode, &error_code, &length);

	set_now(vcpu, VMCS_INDEX_ENTRY_INTERRUPTION_INFORMATION,
		VMCS_ENTRY_INTERRUPTION_INFORMATION, information);
	if (information & VMX_EVENT_ERROR_CODE)
		set_now(vcpu, VMCS_INDEX_ENTRY_EXCEPTION_ERROR_CODE,
			VMCS_ENTRY_EXCEPTION_ERROR_CODE, error_code);
	if (length)
		set_now(vcpu, VMCS_INDEX_ENTRY_INSTRUCTION_LENGTH, VMCS_ENTRY_INSTRUCTION_LENGTH,
			length);
	/* Nothing is in a shadow any more when it has been delivered (SDM 3, 27.7.1). */
	vcpu->shadow = 0;
}

void vmx_interrupt_window(struct hv_vcpu *vcpu, bool wanted)
{
	set_primary(vcpu, VMX_PRIMARY_INTERRUPT_WINDOW_EXITING, wanted);
}

void vmx_nmi_window(struct hv_vcpu *vcpu, bool wanted)
{
	set_primary(vcpu, VMX_PRIMARY_NMI_WINDOW_EXITING, wanted);
}

/* The guest's TPR is a byte in memory, with a threshold: the TPR shadow (SDM 3, 30.3). */
void vmx_tpr_exits(struct hv_vcpu *vcpu, unsigned int below)
{
	vmx_vcpu(vcpu)->tpr_below = (uint8_t)below;
}

/* ---- control registers -------------------------------------------------------------------- */

uint64_t vmx_read_control(struct hv_vcpu *vcpu, enum hv_control which)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	struct vmx_fields *fields = &vmx->fields;
	uint64_t mask;

	/* Masks and shadows are always known: nobody but us changes them. */
	switch (which) {
	case HV_CR0:
		return (vmx_get(fields, VMCS_INDEX_GUEST_CR0) & CR0_OWNED) |
		       (fields->state.cr0_read_shadow & ~CR0_OWNED);
	case HV_CR3:
		return vmx->unpaged ? vmx->cr3 : vmx_get(fields, VMCS_INDEX_GUEST_CR3);
	case HV_CR4:
		mask = fields->state.cr4_mask;
		return (vmx_get(fields, VMCS_INDEX_GUEST_CR4) & ~mask) |
		       (fields->state.cr4_read_shadow & mask);
	default:
		return vmx->efer;
	}
}

static void set_cr0(struct hv_vcpu *vcpu, uint64_t value)
{
	set(vcpu, VMCS_INDEX_CR0_READ_SHADOW, value);
	set(vcpu, VMCS_INDEX_GUEST_CR0, vmx_real_cr0(value));
}

static void set_cr3(struct hv_vcpu *vcpu, uint64_t value)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);

	if (vmx->unpaged)
		vmx->cr3 = value;
	else
		set(vcpu, VMCS_INDEX_GUEST_CR3, value);
}

/*
 * PGE is flipped by kernels that have no better way to flush, and often. It is theirs if
 * the guest is told of it; it would be #GP else.
 */
static void set_cr4(struct hv_vcpu *vcpu, uint64_t value)
{
	uint64_t owned = cpuid_bit(vcpu, 1, CPUID_EDX, 13) ? CR4_PGE : 0;

	set(vcpu, VMCS_INDEX_CR4_MASK, ~owned);
	set(vcpu, VMCS_INDEX_CR4_READ_SHADOW, value);
	extended_state_follow(vcpu, value);
	set(vcpu, VMCS_INDEX_GUEST_CR4, vmx_real_cr4(value));
}

/* VM entry wants it to follow EFER.LMA, and a TSS of 32 bits or more there (SDM 3, 27.3.1). */
static void set_efer(struct hv_vcpu *vcpu, uint64_t value)
{
	uint64_t entry = get(vcpu, VMCS_INDEX_ENTRY_CONTROLS);
	uint64_t rights;

	entry &= ~VMX_ENTRY_IA32E_MODE_GUEST;
	if (value & IA32_EFER_LMA) {
		entry |= VMX_ENTRY_IA32E_MODE_GUEST;
		rights = get(vcpu, VMCS_INDEX_GUEST_TR_RIGHTS);
		if ((rights & SEGMENT_TYPE) == SEGMENT_TSS16_BUSY)
			set(vcpu, VMCS_INDEX_GUEST_TR_RIGHTS, rights | SEGMENT_TSS_BUSY);
	}
	set(vcpu, VMCS_INDEX_ENTRY_CONTROLS, entry);
	set(vcpu, VMCS_INDEX_GUEST_IA32_EFER, value);
	vmx_vcpu(vcpu)->efer = value;
	vmx_vcpu(vcpu)->syscall_stale = true;
}

/* SDM 3, 4.4.1: the pointers of PAE paging are registers, loaded with CR3. */
#define PDPTE_P	       1ull
#define PDPTE_RESERVED 0x1e6ull

static void load_pdptes(struct hv_vcpu *vcpu)
{
	const uint64_t address = ~0ull << vmx_features.capability.physical_address_bits;
	uint64_t pdptes[4] = { 0 };

	if (!(vmx_read_control(vcpu, HV_CR0) & CR0_PG) ||
	    !(vmx_read_control(vcpu, HV_CR4) & CR4_PAE) ||
	    vmx_read_control(vcpu, HV_EFER) & IA32_EFER_LMA)
		return;
	memory_copy_in(vcpu->vm, vmx_read_control(vcpu, HV_CR3) & 0xffffffe0, pdptes,
		       sizeof(pdptes));
	for (unsigned int i = 0; i < 4; i++) {
		/* One that the processor would refuse is as good as none: its use faults. */
		if (pdptes[i] & PDPTE_P && pdptes[i] & (PDPTE_RESERVED | address))
			pdptes[i] = 0;
		set(vcpu, (enum vmcs_index)(VMCS_INDEX_GUEST_PDPTE0 + i), pdptes[i]);
	}
}

void vmx_write_control(struct hv_vcpu *vcpu, enum hv_control which, uint64_t value)
{
	switch (which) {
	case HV_CR0:
		set_cr0(vcpu, value);
		break;
	case HV_CR3:
		set_cr3(vcpu, value);
		break;
	case HV_CR4:
		set_cr4(vcpu, value);
		break;
	default:
		set_efer(vcpu, value);
		break;
	}
	if (!vmx_features.unrestricted)
		vmx_restricted_paging(vcpu);
	if (which != HV_EFER)
		load_pdptes(vcpu);
}

void vmx_set_fault_address(struct hv_vcpu *vcpu, uint64_t address)
{
	vmx_vcpu(vcpu)->cr2 = address;
}

/* ---- segments ------------------------------------------------------------------------------- */

/* Where a segment's four fields are: those of ES to GS, LDTR and TR lie in this order. */
enum {
	SEGMENT_LDTR = HV_SEGMENT_COUNT,
	SEGMENT_TR,
};
_Static_assert(VMCS_INDEX_GUEST_TR_SELECTOR == VMCS_INDEX_GUEST_ES_SELECTOR + SEGMENT_TR &&
		       VMCS_INDEX_GUEST_TR_LIMIT == VMCS_INDEX_GUEST_ES_LIMIT + SEGMENT_TR &&
		       VMCS_INDEX_GUEST_TR_RIGHTS == VMCS_INDEX_GUEST_ES_RIGHTS + SEGMENT_TR &&
		       VMCS_INDEX_GUEST_TR_BASE == VMCS_INDEX_GUEST_ES_BASE + SEGMENT_TR,
	       "by enum segment_number, then LDTR and TR");

static enum vmcs_index field_of(enum vmcs_index es, unsigned int which)
{
	return (enum vmcs_index)(es + which);
}

static void learn_segment(struct vmx_fields *fields, unsigned int which)
{
	if (which == SEGMENT_NUMBER_CS) {
		vmx_learn_context(fields);
		return;
	}
	vmx_get(fields, field_of(VMCS_INDEX_GUEST_ES_SELECTOR, which));
	vmx_get(fields, field_of(VMCS_INDEX_GUEST_ES_BASE, which));
	vmx_get(fields, field_of(VMCS_INDEX_GUEST_ES_LIMIT, which));
	vmx_get(fields, field_of(VMCS_INDEX_GUEST_ES_RIGHTS, which));
}

void vmx_read_segment(struct hv_vcpu *vcpu, unsigned int which, struct segment *segment)
{
	struct vmx_fields *fields = &vmx_vcpu(vcpu)->fields;
	const uint64_t *state = fields->state.field;

	/* Nobody asks for a selector alone: where it is known, all four are. */
	if (!vmx_knows(fields, field_of(VMCS_INDEX_GUEST_ES_SELECTOR, which)))
		learn_segment(fields, which);
	segment->selector = (uint16_t)state[VMCS_INDEX_GUEST_ES_SELECTOR + which];
	segment->base = state[VMCS_INDEX_GUEST_ES_BASE + which];
	segment->limit = (uint32_t)state[VMCS_INDEX_GUEST_ES_LIMIT + which];
	segment->rights = (uint32_t)state[VMCS_INDEX_GUEST_ES_RIGHTS + which];
}

/*
 * What VM entry asks of a segment that can be used, and VMMs leave out because AMD-V does
 * not: code and data are marked accessed, TR's segment is busy (SDM 3, 27.3.1.2).
 */
static uint32_t proper_rights(unsigned int which, uint32_t rights)
{
	if (which == SEGMENT_TR) {
		rights &= ~SEGMENT_UNUSABLE;
		if (!(rights & SEGMENT_P))
			return SEGMENT_RIGHTS_TSS;
		return rights | (SEGMENT_TSS_BUSY & ~SEGMENT_TSS_AVAILABLE);
	}
	if (rights & SEGMENT_UNUSABLE || which == SEGMENT_LDTR)
		return rights;
	return rights | SEGMENT_ACCESSED;
}

static void write_segment(struct hv_vcpu *vcpu, unsigned int which, const struct segment *segment)
{
	set(vcpu, field_of(VMCS_INDEX_GUEST_ES_SELECTOR, which), segment->selector);
	set(vcpu, field_of(VMCS_INDEX_GUEST_ES_BASE, which), segment->base);
	set(vcpu, field_of(VMCS_INDEX_GUEST_ES_LIMIT, which), segment->limit);
	set(vcpu, field_of(VMCS_INDEX_GUEST_ES_RIGHTS, which),
	    proper_rights(which, segment->rights));
}

/* SDM 3, 25.4.1: the DPL of SS is the CPL, in every mode. */
unsigned int vmx_cpl(struct hv_vcpu *vcpu)
{
	return (get(vcpu, VMCS_INDEX_GUEST_SS_RIGHTS) & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT;
}

/* ---- all of it ------------------------------------------------------------------------------- */

void vmx_get_system(struct hv_vcpu *vcpu, struct hv_system *system)
{
	system->cr0 = vmx_read_control(vcpu, HV_CR0);
	system->cr2 = vmx_vcpu(vcpu)->cr2;
	system->cr3 = vmx_read_control(vcpu, HV_CR3);
	system->cr4 = vmx_read_control(vcpu, HV_CR4);
	system->cr8 = vcpu->cr8;
	system->efer = vmx_read_control(vcpu, HV_EFER);
	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		vmx_read_segment(vcpu, i, &system->segments[i]);
	vmx_read_segment(vcpu, SEGMENT_LDTR, &system->ldtr);
	vmx_read_segment(vcpu, SEGMENT_TR, &system->tr);
	system->gdtr.base = get(vcpu, VMCS_INDEX_GUEST_GDTR_BASE);
	system->gdtr.limit = (uint16_t)get(vcpu, VMCS_INDEX_GUEST_GDTR_LIMIT);
	system->idtr.base = get(vcpu, VMCS_INDEX_GUEST_IDTR_BASE);
	system->idtr.limit = (uint16_t)get(vcpu, VMCS_INDEX_GUEST_IDTR_LIMIT);
}

void vmx_set_system(struct hv_vcpu *vcpu, const struct hv_system *system)
{
	vmx_vcpu(vcpu)->cr2 = system->cr2;
	for (unsigned int i = 0; i < HV_SEGMENT_COUNT; i++)
		write_segment(vcpu, i, &system->segments[i]);
	write_segment(vcpu, SEGMENT_LDTR, &system->ldtr);
	write_segment(vcpu, SEGMENT_TR, &system->tr);
	set(vcpu, VMCS_INDEX_GUEST_GDTR_BASE, system->gdtr.base);
	set(vcpu, VMCS_INDEX_GUEST_GDTR_LIMIT, system->gdtr.limit);
	set(vcpu, VMCS_INDEX_GUEST_IDTR_BASE, system->idtr.base);
	set(vcpu, VMCS_INDEX_GUEST_IDTR_LIMIT, system->idtr.limit);
	/* Nothing of what was before waits or sleeps. */
	set(vcpu, VMCS_INDEX_GUEST_ACTIVITY_STATE, VMX_ACTIVITY_ACTIVE);
	set(vcpu, VMCS_INDEX_GUEST_PENDING_DEBUG_EXCEPTIONS, 0);
	set_cr3(vcpu, system->cr3);
	set_cr0(vcpu, system->cr0);
	set_cr4(vcpu, system->cr4);
	set_efer(vcpu, system->efer & vmx_features.capability.efer_supported);
	if (!vmx_features.unrestricted)
		vmx_restricted_paging(vcpu);
	load_pdptes(vcpu);
}

/* ---- MSRs ------------------------------------------------------------------------------------- */

/* The field that holds it; VMCS_FIELD_COUNT: none. */
static enum vmcs_index msr_field(uint32_t index)
{
	switch (index) {
	case IA32_FS_BASE:
		return VMCS_INDEX_GUEST_FS_BASE;
	case IA32_GS_BASE:
		return VMCS_INDEX_GUEST_GS_BASE;
	case IA32_SYSENTER_CS:
		return VMCS_INDEX_GUEST_IA32_SYSENTER_CS;
	case IA32_SYSENTER_ESP:
		return VMCS_INDEX_GUEST_IA32_SYSENTER_ESP;
	case IA32_SYSENTER_EIP:
		return VMCS_INDEX_GUEST_IA32_SYSENTER_EIP;
	case IA32_PAT:
		return VMCS_INDEX_GUEST_IA32_PAT;
	default:
		return VMCS_FIELD_COUNT;
	}
}

static unsigned int own_msr(uint32_t index)
{
	unsigned int own = 0;

	while (own < VMX_OWN_COUNT && vmx_own_msrs[own] != index)
		own++;
	return own;
}

bool vmx_read_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t *value)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	enum vmcs_index field = msr_field(index);
	unsigned int own = own_msr(index);
	uint64_t flags;

	if (field != VMCS_FIELD_COUNT) {
		*value = get(vcpu, field);
		return true;
	}
	if (own == VMX_OWN_COUNT)
		return false;
	/* The guest has written to the register itself, if it has been here. */
	flags = processor_interrupts_off();
	if (vmx->arrived && own == VMX_OWN_KERNEL_GS_BASE)
		vmx->msrs[own] = processor_read_msr(index);
	*value = vmx->msrs[own];
	processor_interrupts_back(flags);
	return true;
}

/* TSC_AUX is brought in by the next entry. */
bool vmx_write_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct vmx_vcpu *vmx = vmx_vcpu(vcpu);
	enum vmcs_index field = msr_field(index);
	unsigned int own = own_msr(index);
	uint64_t flags;

	if (index == IA32_TSC_AUX)
		return true;
	if (field != VMCS_FIELD_COUNT) {
		set(vcpu, field, value);
		return true;
	}
	if (own == VMX_OWN_COUNT)
		return false;
	flags = processor_interrupts_off();
	vmx->msrs[own] = value;
	vmx->syscall_stale = true;
	if (vmx->arrived && own == VMX_OWN_KERNEL_GS_BASE)
		processor_write_msr(index, value);
	processor_interrupts_back(flags);
	return true;
}
