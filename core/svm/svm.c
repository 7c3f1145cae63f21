/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/svm/svm.h"

#include "core/processor.h"
#include "core/table.h"
#include "core/text.h"
#include "x86/registers.h"

/*
 * AMD-V on and off. A CPU has it on while EFER.SVME is set, and needs a page of its own
 * where VMRUN puts the host's state (VM_HSAVE_PA). Guests' translations are told apart by
 * ASIDs: each CPU counts them up, and when they run out it forgets everything once and
 * begins a new generation.
 */

struct svm_features svm_features;

struct svm_cpu {
	void *hsave;	 /* the processor's, for VMRUN */
	void *host_save; /* ours, for VMSAVE */
	uint64_t generation;
	uint32_t next_asid;
	bool enabled;
	const struct svm_vcpu *last;
};

static struct svm_cpu *cpus;
static void *io_map, *msr_map, *msr_map_closed;

#define IO_MAP_ORDER  2 /* 12K, and what is left of 16K stays set, too */
#define MSR_MAP_ORDER 1

/* CPUID 0x80000001 ECX, 0x8000000a EBX and EDX: APM 3, appendix E */
#define CPUID_SVM	      (1u << 2)
#define CPUID_NESTED_PAGING   (1u << 0)
#define CPUID_NRIP_SAVE	      (1u << 3)
#define CPUID_TSC_RATE_MSR    (1u << 4)
#define CPUID_CLEAN_BITS      (1u << 5)
#define CPUID_FLUSH_BY_ASID   (1u << 6)
#define CPUID_DECODE_ASSISTS  (1u << 7)
#define CPUID_PAUSE_FILTER    (1u << 10)
#define CPUID_PAUSE_THRESHOLD (1u << 12)

#define CPUID_RDTSCP	      (1u << 27) /* 0x80000001 EDX */
#define CPUID_IBRS	      (1u << 14) /* 0x80000008 EBX */
#define CPUID_STIBP	      (1u << 15)
#define CPUID_SSBD	      (1u << 24)

#define ASIDS_MIN	      2 /* 0 is the host's */

/* ---- is it there ---------------------------------------------------------------------- */

static bool svm_exists(void)
{
	return processor_cpuid(0x80000000, 0).eax >= 0x8000000a &&
	       processor_cpuid(0x80000001, 0).ecx & CPUID_SVM;
}

static bool svm_probe(char *why, size_t size)
{
	struct cpuid_registers r;

	if (!svm_exists()) {
		text_copy(why, size, "the processor has no AMD-V (CPUID 0x80000001 ECX bit 2)");
		return false;
	}
	if (processor_read_msr(AMD_VM_CR) & AMD_VM_CR_SVMDIS) {
		text_copy(why, size, "AMD-V is switched off by the firmware (VM_CR.SVMDIS)");
		return false;
	}
	r = processor_cpuid(0x8000000a, 0);
	if (!(r.edx & CPUID_NESTED_PAGING)) {
		text_copy(why, size, "AMD-V has no nested paging (CPUID 0x8000000a EDX bit 0)");
		return false;
	}
	if (r.ebx < ASIDS_MIN) {
		text_copy(why, size, "AMD-V has no ASIDs for guests (CPUID 0x8000000a EBX)");
		return false;
	}
	svm_features.asids = r.ebx;
	svm_features.nrip_save = r.edx & CPUID_NRIP_SAVE;
	svm_features.clean_bits = r.edx & CPUID_CLEAN_BITS;
	svm_features.flush_by_asid = r.edx & CPUID_FLUSH_BY_ASID;
	svm_features.decode_assists = r.edx & CPUID_DECODE_ASSISTS;
	svm_features.pause_filter = !(r.edx & CPUID_PAUSE_FILTER)   ? VMCB_PAUSE_ALL
				    : r.edx & CPUID_PAUSE_THRESHOLD ? VMCB_PAUSE_CLUSTERS
								    : VMCB_PAUSE_COUNTED;
	svm_features.tsc_ratio = r.edx & CPUID_TSC_RATE_MSR;
	svm_features.tsc_aux = processor_cpuid(0x80000001, 0).edx & CPUID_RDTSCP;
	svm_features.spec_ctrl = processor_cpuid(0x80000000, 0).eax >= 0x80000008 &&
				 processor_cpuid(0x80000008, 0).ebx &
					 (CPUID_IBRS | CPUID_STIBP | CPUID_SSBD);
	svm_features.barriers = host_barriers();
	return true;
}

/* ---- on and off -------------------------------------------------------------------------- */

/* MSRs that a guest has to itself, since VMLOAD and VMSAVE switch them. */
static const uint32_t own_msrs[] = {
	IA32_STAR,
	IA32_LSTAR,
	IA32_CSTAR,
	IA32_FMASK,
	IA32_FS_BASE,
	IA32_GS_BASE,
	IA32_KERNEL_GS_BASE,
	IA32_SYSENTER_CS,
	IA32_SYSENTER_ESP,
	IA32_SYSENTER_EIP,
	0,
};

/* APM 2, 15.11: three ranges of 8,192 MSRs with two bits each. */
static void msr_map_clear(uint8_t *map, uint32_t msr)
{
	uint32_t bit = 2 * (msr & 0x1fff);

	if (msr >= 0xc0010000)
		bit += 8 * 0x1000;
	else if (msr >= 0xc0000000)
		bit += 8 * 0x800;
	map[bit / 8] &= (uint8_t) ~(3u << (bit % 8));
}

static void free_cpus(void)
{
	for (unsigned int i = 0; i < host_cpu_count(); i++) {
		if (cpus[i].hsave)
			host_pages_free(cpus[i].hsave, 0);
		if (cpus[i].host_save)
			host_pages_free(cpus[i].host_save, 0);
	}
	host_free(cpus, host_cpu_count() * sizeof(*cpus));
	cpus = NULL;
}

static int alloc_cpus(void)
{
	cpus = host_alloc(host_cpu_count() * sizeof(*cpus));
	if (!cpus)
		return HOST_ENOMEM;
	for (unsigned int i = 0; i < host_cpu_count(); i++) {
		cpus[i].hsave = host_pages_alloc(0);
		cpus[i].host_save = host_pages_alloc(0);
		if (!cpus[i].hsave || !cpus[i].host_save) {
			free_cpus();
			return HOST_ENOMEM;
		}
	}
	return HOST_OK;
}

static int svm_start(void)
{
	int error = alloc_cpus();

	if (error)
		return error;
	error = HOST_ENOMEM;
	io_map = host_pages_alloc(IO_MAP_ORDER);
	if (!io_map)
		goto err_cpus;
	msr_map = host_pages_alloc(MSR_MAP_ORDER);
	if (!msr_map)
		goto err_io_map;
	msr_map_closed = host_pages_alloc(MSR_MAP_ORDER);
	if (!msr_map_closed)
		goto err_msr_map;
	host_memset(io_map, 0xff, HV_PAGE_SIZE << IO_MAP_ORDER);
	host_memset(msr_map, 0xff, HV_PAGE_SIZE << MSR_MAP_ORDER);
	host_memset(msr_map_closed, 0xff, HV_PAGE_SIZE << MSR_MAP_ORDER);
	for (unsigned int i = 0; own_msrs[i]; i++)
		msr_map_clear(msr_map, own_msrs[i]);
	svm_doctor_start();
	return HOST_OK;
err_msr_map:
	host_pages_free(msr_map, MSR_MAP_ORDER);
err_io_map:
	host_pages_free(io_map, IO_MAP_ORDER);
err_cpus:
	free_cpus();
	return error;
}

static void svm_stop(void)
{
	host_pages_free(msr_map_closed, MSR_MAP_ORDER);
	host_pages_free(msr_map, MSR_MAP_ORDER);
	host_pages_free(io_map, IO_MAP_ORDER);
	free_cpus();
}

static int svm_enable(unsigned int cpu)
{
	uint64_t efer = processor_read_msr(IA32_EFER);

	/* Somebody else's guests would lose their host state under them. */
	if (efer & IA32_EFER_SVME)
		return HOST_EBUSY;
	processor_write_msr(IA32_EFER, efer | IA32_EFER_SVME);
	processor_write_msr(AMD_VM_HSAVE_PA, host_physical(cpus[cpu].hsave));
	cpus[cpu].generation = 1;
	cpus[cpu].next_asid = svm_features.asids; /* begin by forgetting */
	cpus[cpu].last = NULL;
	cpus[cpu].enabled = true;
	return HOST_OK;
}

static void svm_disable(unsigned int cpu)
{
	if (!cpus[cpu].enabled)
		return;
	cpus[cpu].enabled = false;
	processor_write_msr(AMD_VM_HSAVE_PA, 0);
	processor_write_msr(IA32_EFER, processor_read_msr(IA32_EFER) & ~IA32_EFER_SVME);
}

/* ---- what a CPU has for its vCPUs ---------------------------------------------------------- */

uint64_t svm_host_save(unsigned int cpu)
{
	return host_physical(cpus[cpu].host_save);
}

uint64_t svm_io_map(void)
{
	return host_physical(io_map);
}

uint64_t svm_msr_map(bool closed)
{
	return host_physical(closed ? msr_map_closed : msr_map);
}

void svm_new_asid(struct svm_vcpu *svm, unsigned int cpu)
{
	struct svm_cpu *own = &cpus[cpu];
	struct vmcb_control *control = &svm->vmcb->control;

	control->tlb_control = VMCB_TLB_KEEP;
	if (own->next_asid >= svm_features.asids) {
		own->generation++;
		own->next_asid = 1;
		control->tlb_control = VMCB_TLB_FLUSH_ALL;
	}
	control->asid = own->next_asid++;
	control->clean &= ~VMCB_CLEAN_ASID;
	svm->asid_generation = own->generation;
}

bool svm_asid_is_current(const struct svm_vcpu *svm, unsigned int cpu)
{
	return svm->asid_generation == cpus[cpu].generation;
}

bool svm_was_last(const struct svm_vcpu *svm, unsigned int cpu)
{
	bool was = cpus[cpu].last == svm;

	cpus[cpu].last = svm;
	return was;
}

void svm_forget(const struct svm_vcpu *svm)
{
	for (unsigned int i = 0; i < host_cpu_count(); i++)
		if (cpus[i].last == svm)
			cpus[i].last = NULL;
}

static int svm_vm_init(struct hv_vm *vm)
{
	(void)vm;
	return HOST_OK;
}

static void svm_vm_free(struct hv_vm *vm)
{
	(void)vm;
}

/* APM 2, 15.25.5: the nested table's entries are those of long mode, seen from user mode. */
static const struct table_format npt_format = {
	.table = 0x7, /* present, writable, user */
	.leaf = 0x5,
	.present = 0x1,
	.writable = 0x2,
	.large = 0x80,
	.largest = 3,
	.accessed = 0x20,
	.dirty = 0x40,
};

/* APM 2, 15.25.3: nested tables are walked as the host's own are at VMRUN. */
static unsigned int table_levels(void)
{
	return processor_read_cr4() & CR4_LA57 ? 5 : 4;
}

const struct hv_cpu_ops svm_ops = {
	.name = "AMD-V",
	.table = &npt_format,
	.table_levels = table_levels,
	.long_mode = DECODE_MODE_64_AMD,
	.microcode_revision = 0x1000065,
	.exists = svm_exists,
	.probe = svm_probe,
	.start = svm_start,
	.stop = svm_stop,
	.enable = svm_enable,
	.disable = svm_disable,
	.vm_init = svm_vm_init,
	.vm_free = svm_vm_free,
	.vcpu_init = svm_vcpu_init,
	.vcpu_free = svm_vcpu_free,
	.load = svm_load,
	.put = svm_put,
	.enter = svm_enter,
	.after_exit = svm_after_exit,
	.inject = svm_inject,
	.interrupt_window = svm_interrupt_window,
	.nmi_window = svm_nmi_window,
	.tpr_exits = svm_tpr_exits,
	.exceptions = svm_exceptions,
	.flush = svm_flush,
	.read_control = svm_read_control,
	.write_control = svm_write_control,
	.read_segment = svm_read_segment,
	.cpl = svm_cpl,
	.set_fault_address = svm_set_fault_address,
	.get_system = svm_get_system,
	.set_system = svm_set_system,
	.passed_msrs = own_msrs,
	.close_msrs = svm_close_msrs,
	.read_msr = svm_read_msr,
	.write_msr = svm_write_msr,
	.set_tsc_offset = svm_set_tsc_offset,
	.tsc_fraction_bits = svm_tsc_fraction_bits,
	.debug_exits = svm_debug_exits,
	.update_debug = svm_update_debug,
};
