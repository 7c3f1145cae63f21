/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "host/linux/hutch.h"

#include <linux/cpumask.h>

/*
 * What this hypervisor can do, as KVM_CHECK_EXTENSION asks for it (Linux,
 * Documentation/virt/kvm/api.rst, 4.4): a number, mostly 1. What does not stand here is 0.
 */

struct capability {
	unsigned int number;
	unsigned int value;
};

static const struct capability capabilities[] = {
	/* Memory */
	{ KVM_CAP_USER_MEMORY, 1 },
	{ KVM_CAP_DESTROY_MEMORY_REGION_WORKS, 1 },
	{ KVM_CAP_JOIN_MEMORY_REGIONS_WORKS, 1 },
	{ KVM_CAP_NR_MEMSLOTS, HV_SLOT_MAX },
	{ KVM_CAP_READONLY_MEM, 1 },
	{ KVM_CAP_SYNC_MMU, 1 },
	{ KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, KVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE },
	{ KVM_CAP_SET_TSS_ADDR, 1 },
	{ KVM_CAP_SET_IDENTITY_MAP_ADDR, 1 },
	{ KVM_CAP_MMU_SHADOW_CACHE_CONTROL, 1 },

	/* vCPUs */
	{ KVM_CAP_HLT, 1 },
	{ KVM_CAP_EXT_CPUID, 1 },
	{ KVM_CAP_EXT_EMUL_CPUID, 1 },
	{ KVM_CAP_MAX_VCPUS, HV_VCPU_MAX },
	{ KVM_CAP_MAX_VCPU_ID, HV_VCPU_MAX },
	{ KVM_CAP_IMMEDIATE_EXIT, 1 },
	{ KVM_CAP_SYNC_REGS, SYNC_FIELDS },
	{ KVM_CAP_MP_STATE, 1 },
	{ KVM_CAP_VCPU_EVENTS, 1 },
	{ KVM_CAP_DEBUGREGS, 1 },
	{ KVM_CAP_XSAVE, 1 },
	{ KVM_CAP_XCRS, 1 },
	{ KVM_CAP_SREGS2, 1 },
	{ KVM_CAP_INTR_SHADOW, 1 },
	{ KVM_CAP_USER_NMI, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG, 1 },
	{ KVM_CAP_SET_GUEST_DEBUG2, KVM_GUESTDBG_ENABLE | KVM_GUESTDBG_SINGLESTEP |
					    KVM_GUESTDBG_USE_SW_BP | KVM_GUESTDBG_USE_HW_BP |
					    KVM_GUESTDBG_INJECT_DB | KVM_GUESTDBG_INJECT_BP },
	{ KVM_CAP_INTERNAL_ERROR_DATA, 1 },
	{ KVM_CAP_SET_BOOT_CPU_ID, 1 },

	/* MSRs and time */
	{ KVM_CAP_X86_USER_SPACE_MSR,
	  KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN | KVM_MSR_EXIT_REASON_FILTER },
	{ KVM_CAP_X86_MSR_FILTER, 1 },
	{ KVM_CAP_GET_MSR_FEATURES, 1 },
	{ KVM_CAP_GET_TSC_KHZ, 1 },
	{ KVM_CAP_ADJUST_CLOCK, KVM_CLOCK_TSC_STABLE | KVM_CLOCK_REALTIME | KVM_CLOCK_HOST_TSC },
	{ KVM_CAP_CLOCKSOURCE, 1 },
	{ KVM_CAP_KVMCLOCK_CTRL, 1 },
	{ KVM_CAP_VCPU_ATTRIBUTES, 1 },
	{ KVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1 },
	{ KVM_CAP_MCE, HV_MCE_BANKS_MAX },

	/* Interrupt controllers */
	{ KVM_CAP_IRQCHIP, 1 },
	{ KVM_CAP_SPLIT_IRQCHIP, 1 },
	{ KVM_CAP_IRQ_INJECT_STATUS, 1 },
	{ KVM_CAP_IRQ_ROUTING, 4096 },
	{ KVM_CAP_SIGNAL_MSI, 1 },
	{ KVM_CAP_IRQFD, 1 },
	{ KVM_CAP_IRQFD_RESAMPLE, 1 },
	{ KVM_CAP_PIT, 1 },
	{ KVM_CAP_PIT2, 1 },
	{ KVM_CAP_PIT_STATE2, 1 },
	{ KVM_CAP_REINJECT_CONTROL, 1 },
	{ KVM_CAP_X2APIC_API, X2APIC_FLAGS },
	{ KVM_CAP_TSC_DEADLINE_TIMER, 1 },

	/* Writes that wake nobody, or somebody else */
	{ KVM_CAP_IOEVENTFD, 1 },
	{ KVM_CAP_IOEVENTFD_NO_LENGTH, 1 },
	{ KVM_CAP_IOEVENTFD_ANY_LENGTH, 1 },
	{ KVM_CAP_COALESCED_MMIO, KVM_COALESCED_MMIO_PAGE_OFFSET },
	{ KVM_CAP_COALESCED_PIO, 1 },

	{ KVM_CAP_CHECK_EXTENSION_VM, 1 },
	{ KVM_CAP_ENABLE_CAP, 1 },
	{ KVM_CAP_ENABLE_CAP_VM, 1 },
};

long capability_value(unsigned long capability)
{
	size_t i;

	switch (capability) {
	case KVM_CAP_NR_VCPUS:
		return num_online_cpus();
	case KVM_CAP_TSC_CONTROL:
	case KVM_CAP_VM_TSC_CONTROL:
		return hv_tsc_scales(hutch_ops);
	case KVM_CAP_XSAVE2:
		return fpu_size();
	case KVM_CAP_VM_GPA_BITS:
		return boot_cpu_data.x86_phys_bits;
	}
	for (i = 0; i < ARRAY_SIZE(capabilities); i++)
		if (capabilities[i].number == capability)
			return capabilities[i].value;
	return 0;
}

SYSTEM_HANDLER(system_check_extension)
{
	return capability_value(argument);
}

VM_HANDLER(vm_check_extension)
{
	return capability_value(argument);
}
