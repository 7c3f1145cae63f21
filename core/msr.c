/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/msr.h"

#include "core/control.h"
#include "core/cpu.h"
#include "core/cpuid.h"
#include "core/event.h"
#include "core/instruction.h"
#include "core/irqchip.h"
#include "core/machine_check.h"
#include "core/msr_filter.h"
#include "core/paravirtual.h"
#include "core/tsc.h"
#include "x86/registers.h"

/*
 * Which MSRs there are is a table: each range has a way to read and one to write. Those
 * that the processor keeps for the guest (syscall entry points, bases) are core/svm's or
 * core/vmx's and mostly never an exit. What stands nowhere is #GP, or the VMM's business
 * where it has asked for that (Linux's Documentation/virt/kvm/api.rst,
 * KVM_CAP_X86_USER_SPACE_MSR).
 */

/* Who asks: the VMM may set what the guest may only read. */
struct msr_request {
	struct hv_vcpu *vcpu;
	uint32_t index;
	bool by_host;
};

typedef bool msr_read(const struct msr_request *request, uint64_t *value);
typedef bool msr_write(const struct msr_request *request, uint64_t value);

struct msr_range {
	uint32_t first, last;
	msr_read *read;
	msr_write *write;
};

/* ---- ways to read and write --------------------------------------------------------- */

static bool read_zero(const struct msr_request *request, uint64_t *value)
{
	(void)request;
	*value = 0;
	return true;
}

static bool read_zero_by_host(const struct msr_request *request, uint64_t *value)
{
	*value = 0;
	return request->by_host;
}

static bool write_nothing(const struct msr_request *request, uint64_t value)
{
	(void)request, (void)value;
	return true;
}

static bool write_refused(const struct msr_request *request, uint64_t value)
{
	(void)value;
	return request->by_host;
}

static bool read_processor(const struct msr_request *request, uint64_t *value)
{
	return request->vcpu->vm->ops->read_msr(request->vcpu, request->index, value);
}

/*
 * The bits that no address has are all as the highest that it has: by what the processor can
 * do, whether or not it is using five levels of tables now (SDM 1, 3.3.7.1; 3, 4.5).
 */
static bool is_canonical(const struct hv_vcpu *vcpu, uint64_t address)
{
	unsigned int unused = 64u - vcpu->linear_bits;

	return (uint64_t)((int64_t)(address << unused) >> unused) == address;
}

static bool write_processor(const struct msr_request *request, uint64_t value)
{
	return request->vcpu->vm->ops->write_msr(request->vcpu, request->index, value);
}

static bool write_processor_address(const struct msr_request *request, uint64_t value)
{
	return is_canonical(request->vcpu, value) && write_processor(request, value);
}

static bool read_tsc(const struct msr_request *request, uint64_t *value)
{
	*value = tsc_now(request->vcpu);
	return true;
}

static bool write_tsc(const struct msr_request *request, uint64_t value)
{
	tsc_write(request->vcpu, value, request->by_host);
	return true;
}

static bool read_tsc_adjust(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->tsc_adjust;
	return true;
}

static bool write_tsc_adjust(const struct msr_request *request, uint64_t value)
{
	tsc_write_adjust(request->vcpu, value, request->by_host);
	return true;
}

static bool read_paravirtual(const struct msr_request *request, uint64_t *value)
{
	return paravirtual_read(request->vcpu, request->index, request->by_host, value);
}

static bool write_paravirtual(const struct msr_request *request, uint64_t value)
{
	return paravirtual_write(request->vcpu, request->index, request->by_host, value);
}

static bool read_machine_check(const struct msr_request *request, uint64_t *value)
{
	return machine_check_read(request->vcpu, request->index, request->by_host, value);
}

static bool write_machine_check(const struct msr_request *request, uint64_t value)
{
	return machine_check_write(request->vcpu, request->index, request->by_host, value);
}

static bool read_apic_base(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->apic_base;
	return true;
}

/* Without one here it is the VMM's, which also saves and restores it: nothing to keep. */
static bool read_local_apic(const struct msr_request *request, uint64_t *value)
{
	if (!request->vcpu->local_apic && request->index == IA32_TSC_DEADLINE)
		return read_zero_by_host(request, value);
	return request->vcpu->local_apic &&
	       local_apic_msr(request->vcpu, request->index, false, value);
}

static bool write_local_apic(const struct msr_request *request, uint64_t value)
{
	if (!request->vcpu->local_apic && request->index == IA32_TSC_DEADLINE)
		return request->by_host;
	return request->vcpu->local_apic &&
	       local_apic_msr(request->vcpu, request->index, true, &value);
}

static bool write_apic_base(const struct msr_request *request, uint64_t value)
{
	/* An x2APIC is there for a guest that is told of it. */
	if (!request->by_host && value & IA32_APIC_BASE_EXTD &&
	    !cpuid_bit(request->vcpu, 1, CPUID_ECX, 21))
		return false;
	if (request->vcpu->local_apic)
		return request->by_host ? local_apic_set_base(request->vcpu, value)
					: write_local_apic(request, value);
	if (!request->by_host)
		return false; /* the VMM has the local APIC, and should have filtered this */
	request->vcpu->apic_base = value;
	return true;
}

static bool read_efer(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->vm->ops->read_control(request->vcpu, HV_EFER);
	return true;
}

static bool write_efer(const struct msr_request *request, uint64_t value)
{
	if (!request->by_host)
		return control_write_efer(request->vcpu, value);
	request->vcpu->vm->ops->write_control(request->vcpu, HV_EFER, value);
	return true;
}

static bool read_pat(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->pat;
	return true;
}

/* SDM 3, 12.12.2: eight memory types, of which 2 and 3 don't exist. */
static bool write_pat(const struct msr_request *request, uint64_t value)
{
	for (unsigned int i = 0; i < 8; i++) {
		unsigned int type = value >> (8 * i) & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	request->vcpu->pat = value;
	return write_processor(request, value);
}

static bool read_misc_enable(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->misc_enable;
	return true;
}

static bool write_misc_enable(const struct msr_request *request, uint64_t value)
{
	request->vcpu->misc_enable = value;
	return true;
}

static bool read_tsc_aux(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->tsc_aux;
	return true;
}

static bool write_tsc_aux(const struct msr_request *request, uint64_t value)
{
	if (value >> 32)
		return false;
	request->vcpu->tsc_aux = value;
	return write_processor(request, value);
}

/* Only for a guest that is told of it: CPUID 7 EDX 26, 0x80000008 EBX 14 */
static bool read_spec_ctrl(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->spec_ctrl;
	return request->by_host || cpuid_bit(request->vcpu, 7, CPUID_EDX, 26) ||
	       cpuid_bit(request->vcpu, 0x80000008, CPUID_EBX, 14) ||
	       cpuid_bit(request->vcpu, 0x80000008, CPUID_EBX, 24);
}

#define SPEC_CTRL_KNOWN 7ull /* IBRS, STIBP, SSBD */

static bool write_spec_ctrl(const struct msr_request *request, uint64_t value)
{
	uint64_t before;

	if (!read_spec_ctrl(request, &before) || value & ~SPEC_CTRL_KNOWN)
		return false;
	request->vcpu->spec_ctrl = value;
	return true;
}

#define PRED_CMD_IBPB 1ull

/* CPUID 7 EDX 26, 0x80000008 EBX 12 */
static bool write_pred_cmd(const struct msr_request *request, uint64_t value)
{
	if (!request->by_host && !cpuid_bit(request->vcpu, 7, CPUID_EDX, 26) &&
	    !cpuid_bit(request->vcpu, 0x80000008, CPUID_EBX, 12))
		return false;
	if (value & ~PRED_CMD_IBPB)
		return false;
	if (value)
		host_prediction_barrier();
	return true;
}

/* ---- memory types: kept for the guest, and of no effect, as all its memory is RAM ------- */

#define MTRR_CAP 0x508 /* eight variable ranges, the fixed ones, write-combining */

static bool read_mtrr_cap(const struct msr_request *request, uint64_t *value)
{
	(void)request;
	*value = MTRR_CAP;
	return true;
}

static uint64_t *mtrr(const struct msr_request *request)
{
	struct hv_vcpu *vcpu = request->vcpu;
	uint32_t index = request->index;

	if (index >= IA32_MTRR_PHYSBASE0 && index < IA32_MTRR_PHYSBASE0 + 16)
		return &vcpu->mtrr_variable[index - IA32_MTRR_PHYSBASE0];
	if (index == IA32_MTRR_DEF_TYPE)
		return &vcpu->mtrr_default;
	if (index == IA32_MTRR_FIX64K_00000)
		return &vcpu->mtrr_fixed[0];
	if (index >= IA32_MTRR_FIX4K_C0000)
		return &vcpu->mtrr_fixed[3 + index - IA32_MTRR_FIX4K_C0000];
	return &vcpu->mtrr_fixed[1 + index - IA32_MTRR_FIX16K_80000];
}

static bool read_mtrr(const struct msr_request *request, uint64_t *value)
{
	*value = *mtrr(request);
	return true;
}

/* Uncacheable, write-combining, write-through, write-protected, write-back: SDM 3, table 12-8. */
static bool is_mtrr_type(uint64_t type)
{
	return type < 8 && 0x73u >> type & 1;
}

#define MTRR_DEF_TYPE_KNOWN   0xcffull /* enabled, the fixed ones, too; a type */
#define MTRR_PHYSBASE_IGNORED 0xf00ull
#define MTRR_PHYSMASK_IGNORED 0x7ffull

static bool is_mtrr(const struct msr_request *request, uint64_t value)
{
	unsigned int bits = request->vcpu->address_bits;
	uint64_t beyond = bits < 64 ? ~0ull << bits : 0;
	uint32_t index = request->index;

	if (index == IA32_MTRR_DEF_TYPE)
		return !(value & ~MTRR_DEF_TYPE_KNOWN) && is_mtrr_type(value & 0xff);
	if (index >= IA32_MTRR_PHYSBASE0 && index < IA32_MTRR_PHYSBASE0 + 16) {
		/* What lies beyond its addresses is the VMM's to know better. */
		if (!request->by_host && value & beyond)
			return false;
		if (index & 1)
			return !(value & MTRR_PHYSMASK_IGNORED);
		return !(value & MTRR_PHYSBASE_IGNORED) && is_mtrr_type(value & 0xff);
	}
	for (unsigned int i = 0; i < 8; i++)
		if (!is_mtrr_type(value >> (8 * i) & 0xff))
			return false;
	return true;
}

static bool write_mtrr(const struct msr_request *request, uint64_t value)
{
	if (!is_mtrr(request, value))
		return false;
	*mtrr(request) = value;
	return true;
}

/* ---- what the processors' makers have added --------------------------------------------- */

static bool read_bios_sign_id(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->vm->ops->microcode_revision;
	return true;
}

static bool write_zero(const struct msr_request *request, uint64_t value)
{
	(void)request;
	return !value;
}

static bool read_hwcr(const struct msr_request *request, uint64_t *value)
{
	*value = request->vcpu->hwcr;
	return true;
}

/* Caches' and TLBs' own affairs: FFDIS, IGNNE_EM, TLBCACHEDIS. Set by kernels, and of no effect. */
#define HWCR_IGNORED ((1ull << 6) | (1ull << 8) | (1ull << 3))

static bool write_hwcr(const struct msr_request *request, uint64_t value)
{
	value &= ~HWCR_IGNORED;
	if (value & ~HV_HWCR_MC_STATUS_WRITE)
		return false;
	request->vcpu->hwcr = value;
	return true;
}

#define DE_CFG_LFENCE_SERIALIZES 2ull

static bool read_de_cfg(const struct msr_request *request, uint64_t *value)
{
	(void)request;
	*value = DE_CFG_LFENCE_SERIALIZES;
	return true;
}

#define MC_LAST (IA32_MC0_CTL + HV_MCE_BANKS_MAX * HV_MCE_BANK_WORDS - 1)

/* By rising index, so that it can be halved. */
static const struct msr_range ranges[] = {
	{ IA32_P5_MC_ADDR, IA32_P5_MC_TYPE, read_zero, write_refused },
	{ IA32_TIME_STAMP_COUNTER, IA32_TIME_STAMP_COUNTER, read_tsc, write_tsc },
	{ KVM_MSR_WALL_CLOCK, KVM_MSR_SYSTEM_TIME, read_paravirtual, write_paravirtual },
	{ IA32_PLATFORM_ID, IA32_PLATFORM_ID, read_zero, write_refused },
	{ IA32_APIC_BASE, IA32_APIC_BASE, read_apic_base, write_apic_base },
	{ MSR_EBL_CR_POWERON, MSR_EBL_CR_POWERON, read_zero, write_nothing },
	{ IA32_TSC_ADJUST, IA32_TSC_ADJUST, read_tsc_adjust, write_tsc_adjust },
	{ IA32_SPEC_CTRL, IA32_SPEC_CTRL, read_spec_ctrl, write_spec_ctrl },
	{ IA32_PRED_CMD, IA32_PRED_CMD, NULL, write_pred_cmd },
	{ IA32_BIOS_UPDT_TRIG, IA32_BIOS_UPDT_TRIG, NULL, write_nothing },
	{ IA32_BIOS_SIGN_ID, IA32_BIOS_SIGN_ID, read_bios_sign_id, write_nothing },
	{ IA32_MTRRCAP, IA32_MTRRCAP, read_mtrr_cap, write_refused },
	{ IA32_SYSENTER_CS, IA32_SYSENTER_CS, read_processor, write_processor },
	{ IA32_SYSENTER_ESP, IA32_SYSENTER_EIP, read_processor, write_processor_address },
	{ IA32_MCG_CAP, IA32_MCG_CTL, read_machine_check, write_machine_check },
	{ IA32_MISC_ENABLE, IA32_MISC_ENABLE, read_misc_enable, write_misc_enable },
	{ IA32_DEBUGCTL, IA32_DEBUGCTL, read_zero, write_nothing },
	{ IA32_MTRR_PHYSBASE0, IA32_MTRR_PHYSBASE0 + 15, read_mtrr, write_mtrr },
	{ IA32_MTRR_FIX64K_00000, IA32_MTRR_FIX64K_00000, read_mtrr, write_mtrr },
	{ IA32_MTRR_FIX16K_80000, IA32_MTRR_FIX16K_A0000, read_mtrr, write_mtrr },
	{ IA32_MTRR_FIX4K_C0000, IA32_MTRR_FIX4K_F8000, read_mtrr, write_mtrr },
	{ IA32_PAT, IA32_PAT, read_pat, write_pat },
	{ IA32_MTRR_DEF_TYPE, IA32_MTRR_DEF_TYPE, read_mtrr, write_mtrr },
	{ IA32_MC0_CTL, MC_LAST, read_machine_check, write_machine_check },
	{ IA32_TSC_DEADLINE, IA32_TSC_DEADLINE, read_local_apic, write_local_apic },
	{ IA32_X2APIC_FIRST, IA32_X2APIC_LAST, read_local_apic, write_local_apic },
	{ KVM_MSR_WALL_CLOCK_NEW, KVM_MSR_SYSTEM_TIME_NEW, read_paravirtual, write_paravirtual },
	{ KVM_MSR_STEAL_TIME, KVM_MSR_PV_EOI_EN, read_paravirtual, write_paravirtual },
	{ IA32_EFER, IA32_EFER, read_efer, write_efer },
	{ IA32_STAR, IA32_STAR, read_processor, write_processor },
	{ IA32_LSTAR, IA32_CSTAR, read_processor, write_processor_address },
	{ IA32_FMASK, IA32_FMASK, read_processor, write_processor },
	{ IA32_FS_BASE, IA32_KERNEL_GS_BASE, read_processor, write_processor_address },
	{ IA32_TSC_AUX, IA32_TSC_AUX, read_tsc_aux, write_tsc_aux },
	/* The counters that all of AMD's processors have, whatever CPUID shows: they stand still. */
	{ AMD_PERF_LEGACY_CTL0, AMD_PERF_LEGACY_CTR3, read_zero, write_nothing },
	{ AMD_SYSCFG, AMD_SYSCFG, read_zero, write_nothing },
	{ AMD_HWCR, AMD_HWCR, read_hwcr, write_hwcr },
	{ AMD_NB_CFG, AMD_NB_CFG, read_zero, write_nothing },
	{ AMD_PATCH_LOADER, AMD_PATCH_LOADER, NULL, write_nothing },
	{ AMD_INTERRUPT_PENDING, AMD_INTERRUPT_PENDING, read_zero, write_refused },
	{ AMD_MMIO_CONFIG_BASE, AMD_MMIO_CONFIG_BASE, read_zero, write_zero },
	{ AMD_SMM_ADDR, AMD_SMM_MASK, read_zero, write_refused },
	{ AMD_VM_CR, AMD_VM_CR, read_zero, write_refused },
	{ AMD_VM_HSAVE_PA, AMD_VM_HSAVE_PA, read_zero, write_refused },
	{ AMD_LS_CFG, AMD_DC_CFG, read_zero, write_nothing },
	{ AMD_DE_CFG, AMD_DE_CFG, read_de_cfg, write_nothing },
};
#define RANGES (sizeof(ranges) / sizeof(ranges[0]))

static const struct msr_range *range_of(uint32_t index)
{
	unsigned int low = 0, high = RANGES;

	while (low < high) {
		unsigned int middle = (low + high) / 2;

		if (index < ranges[middle].first)
			high = middle;
		else if (index > ranges[middle].last)
			low = middle + 1;
		else
			return &ranges[middle];
	}
	return NULL;
}

static bool access(const struct msr_request *request, bool write, uint64_t *value)
{
	const struct msr_range *range;

	/* What guests ask for most, by far. */
	if (request->index - IA32_X2APIC_FIRST <= IA32_X2APIC_LAST - IA32_X2APIC_FIRST)
		return write ? write_local_apic(request, *value) : read_local_apic(request, value);
	range = range_of(request->index);
	if (!range)
		return false;
	if (write)
		return range->write && range->write(request, *value);
	return range->read && range->read(request, value);
}

/* ---- who asks ---------------------------------------------------------------------------- */

bool hv_vcpu_get_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t *value)
{
	const struct msr_request request = { vcpu, index, true };

	return access(&request, false, value);
}

bool hv_vcpu_set_msr(struct hv_vcpu *vcpu, uint32_t index, uint64_t value)
{
	const struct msr_request request = { vcpu, index, true };

	return access(&request, true, &value);
}

uint32_t hv_msr_list(unsigned int position)
{
	for (unsigned int i = 0; i < RANGES; i++) {
		uint32_t count = ranges[i].last - ranges[i].first + 1;

		/* The local APIC's registers are saved with it; who sets banks up knows of them. */
		if (!ranges[i].read || ranges[i].first == IA32_X2APIC_FIRST ||
		    ranges[i].first == IA32_MC0_CTL)
			continue;
		if (position < count)
			return ranges[i].first + position;
		position -= count;
	}
	return 0;
}

bool hv_msr_exists(uint32_t index)
{
	return range_of(index);
}

static enum msr_answer ask_vmm(struct hv_vcpu *vcpu, uint32_t index, bool write, uint64_t value,
			       uint32_t why)
{
	if (!(vcpu->vm->msr_calls & why))
		return MSR_INVALID;
	vcpu->call.kind = HV_CALL_MSR;
	vcpu->call.msr.index = index;
	vcpu->call.msr.value = value;
	vcpu->call.msr.write = write;
	vcpu->call.msr.why = why;
	vcpu->call.msr.failed = false;
	return MSR_VMM;
}

enum msr_answer msr_access(struct hv_vcpu *vcpu, uint32_t index, bool write, uint64_t *value)
{
	const struct msr_request request = { vcpu, index, false };

	if (!msr_filter_allows(vcpu->vm, index, write))
		return ask_vmm(vcpu, index, write, *value, HV_MSR_FILTERED);
	if (access(&request, write, value))
		return MSR_DONE;
	return ask_vmm(vcpu, index, write, *value, HV_MSR_INVALID);
}

static void put_result(struct hv_vcpu *vcpu, uint64_t value)
{
	vcpu->gpr[GPR_RAX] = (uint32_t)value;
	vcpu->gpr[GPR_RDX] = value >> 32;
}

static bool complete_msr(struct hv_vcpu *vcpu)
{
	if (vcpu->call.msr.failed) {
		event_raise_gp(vcpu, 0);
		return true;
	}
	if (!vcpu->call.msr.write)
		put_result(vcpu, vcpu->call.msr.value);
	return instruction_skip(vcpu, &vcpu->call.exit) == HV_RESUME;
}

enum hv_verdict msr_instruction(struct hv_vcpu *vcpu, const struct hv_exit *exit)
{
	uint64_t value = (uint32_t)vcpu->gpr[GPR_RAX] | vcpu->gpr[GPR_RDX] << 32;

	switch (msr_access(vcpu, (uint32_t)vcpu->gpr[GPR_RCX], exit->msr.write, &value)) {
	case MSR_DONE:
		if (!exit->msr.write)
			put_result(vcpu, value);
		return instruction_skip(vcpu, exit);
	case MSR_VMM:
		vcpu->complete = complete_msr;
		return HV_TO_HOST;
	default:
		event_raise_gp(vcpu, 0);
		return HV_RESUME;
	}
}
