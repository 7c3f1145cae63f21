/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/vmx.h"

#include "core/processor.h"
#include "core/table.h"
#include "core/text.h"
#include "core/vmx/control.h"
#include "x86/registers.h"

/*
 * VT-x on and off. A CPU has it on between VMXON and VMXOFF, while CR4.VMXE is set; it
 * needs a page of its own for that. What it can do is in the capability MSRs, which are
 * read once: CPUs that differ in what matters are not switched on.
 */

struct vmx_features vmx_features;

const uint32_t vmx_own_msrs[VMX_OWN_COUNT] = {
	[VMX_OWN_STAR] = IA32_STAR,
	[VMX_OWN_LSTAR] = IA32_LSTAR,
	[VMX_OWN_FMASK] = IA32_FMASK,
	[VMX_OWN_CSTAR] = IA32_CSTAR,
	[VMX_OWN_KERNEL_GS_BASE] = IA32_KERNEL_GS_BASE,
};

struct vmx_cpu {
	void *vmxon_region;
	bool enabled;
	struct vmx_host_msrs msrs;
};

static struct vmx_cpu *cpus;

/* With bit 0 of its number, every MSR is an exit; with bit 1, the local APIC's are not. */
#define MSR_MAPS 4
static void *msr_maps[MSR_MAPS];

static struct host_spinlock *vpid_lock;
static uint64_t *vpids; /* one bit for each that is taken */

#define VPID_COUNT    65536u
#define VPID_WORDS    (VPID_COUNT / 64)

#define CPUID_VMX     (1u << 5)	 /* 1 ECX */
#define CPUID_RDTSCP  (1u << 27) /* 0x80000001 EDX */
#define CPUID_LM      (1u << 29)
#define CPUID_RDPID   (1u << 22) /* 7 ECX */
#define CPUID_LA57    (1u << 16)
#define CPUID_BUSLOCK (1u << 24)
#define CPUID_SGX     (1u << 2) /* 7 EBX */
#define CPUID_RTM     (1u << 11)
#define CPUID_LAM     (1u << 26) /* 7.1 EAX */
#define CPUID_MDCLEAR (1u << 10) /* 7 EDX */
#define CPUID_IBRS    (1u << 26)
#define CPUID_L1D     (1u << 28)
#define CPUID_CAPS    (1u << 29)
#define CPUID_SSBD    (1u << 31)

/* ---- is it there ---------------------------------------------------------------------- */

static uint64_t read_msr(void *owner, uint32_t index)
{
	(void)owner;
	return processor_read_msr(index);
}

/* SDM 3, 24.7: without the lock it is not decided yet, and then it is ours to decide. */
static bool is_locked_out(void)
{
	uint64_t control = processor_read_msr(IA32_FEATURE_CONTROL);

	return control & VMX_FEATURE_CONTROL_LOCK && !(control & VMX_FEATURE_CONTROL_OUTSIDE_SMX);
}

/* Facts about the processor that VM entries depend on, beside the MSRs. */
static void read_processor(struct vmx_capability *capability)
{
	struct cpuid_registers extended = processor_cpuid(0x80000001, 0);
	struct cpuid_registers sizes = processor_cpuid(0x80000008, 0);
	struct cpuid_registers features = { 0 };

	if (processor_cpuid(0, 0).eax >= 7)
		features = processor_cpuid(7, 0);
	capability->physical_address_bits = (uint8_t)sizes.eax;
	capability->linear_address_bits = features.ecx & CPUID_LA57 ? 57 : 48;
	capability->has_intel64 = extended.edx & CPUID_LM;
	capability->has_sgx = features.ebx & CPUID_SGX;
	capability->has_rtm = features.ebx & CPUID_RTM;
	capability->has_bus_lock_trap = features.ecx & CPUID_BUSLOCK;
	capability->has_lam = features.eax && processor_cpuid(7, 1).eax & CPUID_LAM;
	capability->efer_supported = IA32_EFER_SCE | IA32_EFER_LME | IA32_EFER_LMA | IA32_EFER_NXE;
	vmx_features.tsc_aux = extended.edx & CPUID_RDTSCP || features.ecx & CPUID_RDPID;
	vmx_features.barriers = host_barriers();
	vmx_features.spec_ctrl = features.edx & (CPUID_IBRS | CPUID_SSBD);
}

/* IA32_ARCH_CAPABILITIES: SDM 4, table 2-2 */
#define CAPABILITY_NO_L1TF_BY_RDCL (1ull << 0)
#define CAPABILITY_SKIP_L1D_FLUSH  (1ull << 3)
#define CAPABILITY_NO_MDS	   (1ull << 5)

/*
 * Whether this processor lets a guest's speculation read what others left in the first
 * cache (L1TF) or in its buffers (MDS), and has the means against it: Intel's "Deep dive:
 * L1 terminal fault" and "Deep dive: microarchitectural data sampling".
 */
static void read_leaks(void)
{
	struct cpuid_registers features = { 0 };
	uint64_t immune = 0;

	if (processor_cpuid(0, 0).eax >= 7)
		features = processor_cpuid(7, 0);
	if (features.edx & CPUID_CAPS)
		immune = processor_read_msr(IA32_ARCH_CAPABILITIES);
	vmx_features.flush_l1d =
		features.edx & CPUID_L1D &&
		!(immune & (CAPABILITY_NO_L1TF_BY_RDCL | CAPABILITY_SKIP_L1D_FLUSH));
	vmx_features.clear_buffers =
		(features.edx & CPUID_MDCLEAR && !(immune & CAPABILITY_NO_MDS)) ||
		vmx_features.barriers & HOST_CLEAR_BUFFERS;
}

/* SDM 3, 29.3.2: what the entries of EPT mean. */
#define EPT_MEMORY_TYPE_SHIFT 3
static struct table_format ept_format = {
	.table = 0x7, /* readable, writable, executable */
	.leaf = 0x5 | VMX_EPTP_WRITE_BACK << EPT_MEMORY_TYPE_SHIFT,
	.present = 0x7,
	.writable = 0x2,
	.large = 0x80,
	.largest = 2,
};

/* What the processor can do, less what it shall not. */
static void read_capability(struct vmx_capability *capability)
{
	vmx_capability_read(capability, read_msr, NULL);
	if (!hv_options.unrestricted_guest)
		capability->procbased_ctls2 &= ~((uint64_t)VMX_SECONDARY_UNRESTRICTED_GUEST << 32);
}

static bool vmx_exists(void)
{
	return processor_cpuid(1, 0).ecx & CPUID_VMX;
}

static bool vmx_probe(char *why, size_t size)
{
	struct vmx_capability *capability = &vmx_features.capability;

	if (!vmx_exists()) {
		text_copy(why, size, "the processor has no VT-x (CPUID 1 ECX bit 5)");
		return false;
	}
	if (is_locked_out()) {
		text_copy(why, size,
			  "VT-x is switched off by the firmware (IA32_FEATURE_CONTROL bit 2)");
		return false;
	}
	read_capability(capability);
	read_processor(capability);
	if (!vmx_control_choose(capability, vmx_features.controls, why, size) ||
	    !vmx_control_ept(capability, why, size))
		return false;
	vmx_features.unrestricted = vmx_features.controls[VMX_WORD_SECONDARY] &
				    VMX_SECONDARY_UNRESTRICTED_GUEST;
	vmx_features.vpid = vmx_features.controls[VMX_WORD_SECONDARY] & VMX_SECONDARY_ENABLE_VPID;
	vmx_features.timer = vmx_features.controls[VMX_WORD_PIN] &
			     VMX_PIN_ACTIVATE_PREEMPTION_TIMER;
	vmx_features.timer_shift = capability->misc & VMX_MISC_TIMER_SHIFT;
	vmx_features.invept = capability->ept_vpid_cap & VMX_EPT_INVEPT_SINGLE
				      ? VMX_INVALIDATE_SINGLE
				      : VMX_INVALIDATE_ALL;
	vmx_features.invvpid = capability->ept_vpid_cap & VMX_VPID_INVVPID_SINGLE
				       ? VMX_INVALIDATE_SINGLE
				       : VMX_INVALIDATE_ALL;
	if (capability->ept_vpid_cap & VMX_EPT_ACCESSED_DIRTY) {
		ept_format.accessed = 1ull << 8;
		ept_format.dirty = 1ull << 9;
	}
	ept_format.largest = capability->ept_vpid_cap & VMX_EPT_1G_PAGES   ? 3
			     : capability->ept_vpid_cap & VMX_EPT_2M_PAGES ? 2
									   : 1;
	vmx_apic_probe();
	vmx_log_probe();
	read_leaks();
	return true;
}

/* ---- pages and tables -------------------------------------------------------------------- */

/* SDM 3, 25.6.9: reads of low MSRs, of high ones, writes of low ones, of high ones. */
static void msr_map_clear(uint8_t *map, uint32_t msr)
{
	uint32_t bit = (msr & 0x1fff) + (msr >= 0xc0000000 ? 8 * 0x400 : 0);

	map[bit / 8] &= (uint8_t) ~(1u << (bit % 8));
	map[0x800 + bit / 8] &= (uint8_t) ~(1u << (bit % 8));
}

/* MSRs that a guest reads and writes by itself: VT-x switches them, but the last. */
static const uint32_t passed_msrs[] = {
	IA32_FS_BASE,
	IA32_GS_BASE,
	IA32_SYSENTER_CS,
	IA32_SYSENTER_ESP,
	IA32_SYSENTER_EIP,
	IA32_KERNEL_GS_BASE,
	0,
};

static void free_msr_maps(void)
{
	for (unsigned int i = 0; i < MSR_MAPS; i++)
		if (msr_maps[i])
			host_pages_free(msr_maps[i], 0);
	host_memset(msr_maps, 0, sizeof(msr_maps));
}

static int alloc_msr_maps(void)
{
	for (unsigned int i = 0; i < MSR_MAPS; i++) {
		msr_maps[i] = host_pages_alloc(0);
		if (!msr_maps[i]) {
			free_msr_maps();
			return HOST_ENOMEM;
		}
		host_memset(msr_maps[i], 0xff, HV_PAGE_SIZE);
		for (unsigned int n = 0; !(i & 1) && passed_msrs[n]; n++)
			msr_map_clear(msr_maps[i], passed_msrs[n]);
		if (i & 2)
			vmx_apic_fill_msr_map(msr_maps[i]);
	}
	return HOST_OK;
}

static void free_cpus(void)
{
	for (unsigned int i = 0; i < host_cpu_count(); i++)
		if (cpus[i].vmxon_region)
			host_pages_free(cpus[i].vmxon_region, 0);
	host_free(cpus, host_cpu_count() * sizeof(*cpus));
	cpus = NULL;
}

static int alloc_cpus(void)
{
	cpus = host_alloc(host_cpu_count() * sizeof(*cpus));
	if (!cpus)
		return HOST_ENOMEM;
	for (unsigned int i = 0; i < host_cpu_count(); i++) {
		cpus[i].vmxon_region = host_pages_alloc(0);
		if (!cpus[i].vmxon_region) {
			free_cpus();
			return HOST_ENOMEM;
		}
		*(uint32_t *)cpus[i].vmxon_region = vmx_features.capability.basic &
						    VMX_BASIC_REVISION;
	}
	return HOST_OK;
}

static int vmx_start(void)
{
	int error = alloc_cpus();

	if (error)
		return error;
	error = vmx_life_start();
	if (error)
		goto err_cpus;
	error = alloc_msr_maps();
	if (error)
		goto err_life;
	error = HOST_ENOMEM;
	vpids = host_alloc(VPID_WORDS * sizeof(*vpids));
	if (!vpids)
		goto err_msr_maps;
	vpid_lock = host_spinlock_new();
	if (!vpid_lock)
		goto err_vpids;
	vpids[0] = 1; /* VPID 0 is the host's */
	vmx_fields_start();
	if (!vmx_features.unrestricted)
		host_log("VT-x without unrestricted guest: real mode is emulated");
	return HOST_OK;
err_vpids:
	host_free(vpids, VPID_WORDS * sizeof(*vpids));
err_msr_maps:
	free_msr_maps();
err_life:
	vmx_life_stop();
err_cpus:
	free_cpus();
	return error;
}

static void vmx_stop(void)
{
	host_spinlock_free(vpid_lock);
	host_free(vpids, VPID_WORDS * sizeof(*vpids));
	free_msr_maps();
	vmx_life_stop();
	free_cpus();
}

uint64_t vmx_msr_map(bool closed, bool x2apic)
{
	return host_physical(msr_maps[closed | x2apic << 1]);
}

uint16_t vmx_vpid_take(void)
{
	uint16_t taken = 0;

	if (!vmx_features.vpid)
		return 0;
	host_spin_lock(vpid_lock);
	for (unsigned int word = 0; word < VPID_WORDS && !taken; word++) {
		if (~vpids[word]) {
			unsigned int bit = (unsigned int)__builtin_ctzll(~vpids[word]);

			vpids[word] |= 1ull << bit;
			taken = (uint16_t)(64 * word + bit);
		}
	}
	host_spin_unlock(vpid_lock);
	return taken;
}

void vmx_vpid_give(uint16_t vpid)
{
	if (!vpid)
		return;
	host_spin_lock(vpid_lock);
	vpids[vpid / 64] &= ~(1ull << (vpid % 64));
	host_spin_unlock(vpid_lock);
}

/* ---- on and off -------------------------------------------------------------------------- */

/* SDM 3, 24.8: what CR0 and CR4 must have in VMX operation. */
static bool can_vmxon(const struct vmx_capability *capability)
{
	uint64_t cr0 = processor_read_cr0(), cr4 = processor_read_cr4() | CR4_VMXE;

	return (cr0 & capability->cr0_fixed0) == capability->cr0_fixed0 &&
	       !(cr0 & ~capability->cr0_fixed1) &&
	       (cr4 & capability->cr4_fixed0) == capability->cr4_fixed0 &&
	       !(cr4 & ~capability->cr4_fixed1);
}

/* Whether this CPU's VT-x is that of the CPU that was asked first. */
static bool is_alike(void)
{
	struct vmx_capability capability;
	uint64_t controls[VMX_WORD_COUNT];
	char why[1];

	read_capability(&capability);
	if (capability.basic != vmx_features.capability.basic ||
	    capability.ept_vpid_cap != vmx_features.capability.ept_vpid_cap ||
	    capability.procbased_ctls2 != vmx_features.capability.procbased_ctls2 ||
	    !vmx_control_choose(&capability, controls, why, sizeof(why)))
		return false;
	for (unsigned int word = 0; word < VMX_WORD_COUNT; word++)
		if (controls[word] != vmx_features.controls[word])
			return false;
	return true;
}

const struct vmx_host_msrs *vmx_host_msrs(unsigned int cpu)
{
	return &cpus[cpu].msrs;
}

static void read_host_msrs(struct vmx_host_msrs *msrs)
{
	for (unsigned int i = 0; i < VMX_OWN_SYSCALL_COUNT; i++)
		msrs->syscall[i] = processor_read_msr(vmx_own_msrs[i]);
	msrs->gs_base = processor_read_msr(IA32_GS_BASE);
	msrs->tsc_aux = vmx_features.tsc_aux ? processor_read_msr(IA32_TSC_AUX) : 0;
}

static int vmx_enable(unsigned int cpu)
{
	uint64_t control = processor_read_msr(IA32_FEATURE_CONTROL);

	/* Somebody else is in VMX operation here, or means to be. */
	if (processor_read_cr4() & CR4_VMXE)
		return HOST_EBUSY;
	if (is_locked_out() || !vmx_exists() || !is_alike()) {
		host_log("a CPU's VT-x is not that of the others, or is switched off");
		return HOST_EOPNOTSUPP;
	}
	if (!can_vmxon(&vmx_features.capability)) {
		host_log("VMX operation is not possible with the host's CR0 and CR4");
		return HOST_EOPNOTSUPP;
	}
	if (!(control & VMX_FEATURE_CONTROL_LOCK))
		processor_write_msr(IA32_FEATURE_CONTROL, control | VMX_FEATURE_CONTROL_LOCK |
								  VMX_FEATURE_CONTROL_OUTSIDE_SMX);
	host_change_cr4(CR4_VMXE, 0);
	if (!vmx_instruction_vmxon(host_physical(cpus[cpu].vmxon_region))) {
		host_change_cr4(0, CR4_VMXE);
		return HOST_EBUSY;
	}
	/* What the CPU remembers from before VMXON is nobody's (SDM 3, 29.4.3.4). */
	vmx_instruction_invept(VMX_INVALIDATE_ALL, 0);
	read_host_msrs(&cpus[cpu].msrs);
	cpus[cpu].enabled = true;
	return HOST_OK;
}

static void vmx_disable(unsigned int cpu)
{
	if (!cpus[cpu].enabled)
		return;
	cpus[cpu].enabled = false;
	vmx_life_end_all(cpu);
	vmx_instruction_vmxoff();
	host_change_cr4(0, CR4_VMXE);
}

/* ---- a VM ------------------------------------------------------------------------------- */

static void vmx_vm_free(struct hv_vm *vm)
{
	vmx_restricted_vm_free(vm);
	vmx_apic_vm_free(vm);
	host_free(vm->cpu, sizeof(struct vmx_vm));
}

static int vmx_vm_init(struct hv_vm *vm)
{
	vm->cpu = host_alloc(sizeof(struct vmx_vm));
	if (!vm->cpu)
		return HOST_ENOMEM;
	if (vmx_apic_vm_init(vm) == HOST_OK && vmx_restricted_vm_init(vm) == HOST_OK)
		return HOST_OK;
	vmx_vm_free(vm);
	return HOST_ENOMEM;
}

const struct hv_cpu_ops vmx_ops = {
	.name = "VT-x",
	.table = &ept_format,
	.long_mode = DECODE_MODE_64,
	.microcode_revision = 0x100000000,
	.exists = vmx_exists,
	.probe = vmx_probe,
	.start = vmx_start,
	.stop = vmx_stop,
	.enable = vmx_enable,
	.disable = vmx_disable,
	.vm_init = vmx_vm_init,
	.vm_free = vmx_vm_free,
	.vcpu_init = vmx_vcpu_init,
	.vcpu_free = vmx_vcpu_free,
	.load = vmx_load,
	.put = vmx_put,
	.enter = vmx_enter,
	.can_enter = vmx_can_enter,
	.after_exit = vmx_after_exit,
	.inject = vmx_inject,
	.interrupt_window = vmx_interrupt_window,
	.nmi_window = vmx_nmi_window,
	.tpr_exits = vmx_tpr_exits,
	.apic_page = vmx_apic_page,
	.apic_mode = vmx_apic_mode,
	.apic_lend = vmx_apic_lend,
	.exceptions = vmx_exceptions,
	.flush = vmx_flush,
	.logs_writes = vmx_logs_writes,
	.read_control = vmx_read_control,
	.write_control = vmx_write_control,
	.read_segment = vmx_read_segment,
	.cpl = vmx_cpl,
	.set_fault_address = vmx_set_fault_address,
	.get_system = vmx_get_system,
	.set_system = vmx_set_system,
	.passed_msrs = passed_msrs,
	.close_msrs = vmx_close_msrs,
	.read_msr = vmx_read_msr,
	.write_msr = vmx_write_msr,
	.has_deadlines = vmx_has_deadlines,
	.set_tsc_offset = vmx_set_tsc_offset,
	.tsc_fraction_bits = vmx_tsc_fraction_bits,
	.set_tsc_ratio = vmx_set_tsc_ratio,
	.debug_exits = vmx_debug_exits,
	.update_debug = vmx_update_debug,
};
