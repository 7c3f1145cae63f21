/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "cli/info.h"
#include "x86/registers.h"

/*
 * VT-x has one bit in CPUID; what it can do is in its capability MSRs (SDM 3,
 * appendix A). Most of them describe a field of controls: the low half has the bits
 * that must be 1, the high half those that may be. A feature is there when its bit
 * may be. An MSR that this processor lacks cannot be read, and has no features.
 */

struct vmx_feature {
	uint32_t msr;
	uint8_t bit;
	const char *name;
};

#define MAY_BE_1(bit) (32 + (bit))

static const struct vmx_feature features[] = {
	{ IA32_VMX_BASIC, 55, "true controls" },
	{ IA32_VMX_PINBASED_CTLS, MAY_BE_1(5), "virtual NMIs" },
	{ IA32_VMX_PINBASED_CTLS, MAY_BE_1(6), "preemption timer" },
	{ IA32_VMX_PINBASED_CTLS, MAY_BE_1(7), "posted interrupts" },
	{ IA32_VMX_PROCBASED_CTLS, MAY_BE_1(3), "TSC offsetting" },
	{ IA32_VMX_PROCBASED_CTLS, MAY_BE_1(21), "TPR shadow" },
	{ IA32_VMX_PROCBASED_CTLS, MAY_BE_1(25), "I/O bitmaps" },
	{ IA32_VMX_PROCBASED_CTLS, MAY_BE_1(27), "monitor trap flag" },
	{ IA32_VMX_PROCBASED_CTLS, MAY_BE_1(28), "MSR bitmaps" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(0), "virtualize APIC accesses" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(1), "EPT" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(2), "descriptor-table exiting" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(3), "RDTSCP" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(4), "virtualize x2APIC mode" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(5), "VPID" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(7), "unrestricted guest" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(8), "APIC-register virtualization" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(9), "virtual-interrupt delivery" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(10), "PAUSE-loop exiting" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(12), "INVPCID" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(13), "VM functions" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(14), "VMCS shadowing" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(17), "page-modification logging" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(18), "EPT-violation #VE" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(20), "XSAVES" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(22), "mode-based execute control" },
	{ IA32_VMX_PROCBASED_CTLS2, MAY_BE_1(25), "TSC scaling" },
	{ IA32_VMX_EPT_VPID_CAP, 0, "EPT execute-only pages" },
	{ IA32_VMX_EPT_VPID_CAP, 7, "EPT with five levels" },
	{ IA32_VMX_EPT_VPID_CAP, 16, "EPT 2M pages" },
	{ IA32_VMX_EPT_VPID_CAP, 17, "EPT 1G pages" },
	{ IA32_VMX_EPT_VPID_CAP, 21, "EPT accessed and dirty flags" },
};

void info_read_vmx(const struct hutch *hutch, struct info_processor *processor)
{
	uint64_t value;

	if (!info_read_msr(hutch, IA32_VMX_BASIC, &value, &processor->vmx_source))
		return;
	processor->vmx_revision = (uint32_t)value & 0x7fffffff;
	for (unsigned int i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		enum info_source source;
		bool present = info_read_msr(hutch, features[i].msr, &value, &source) &&
			       (value >> features[i].bit & 1);

		info_add_feature(&processor->vmx_features, features[i].name, present);
	}
}
