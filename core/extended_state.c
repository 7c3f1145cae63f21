/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/extended_state.h"

#include "core/processor.h"
#include "x86/registers.h"

/*
 * The guest's values count only where its CR4 lets it use them. What the host's are
 * changes with the thread (PKRU) or never (XCR0).
 */

/* What FXSAVE keeps, with CR4.OSXSAVE clear. */
#define XCR0_WITHOUT_XSAVE 3ull

static bool host_has_xcr0, host_has_pkru;
static uint64_t host_xcr0;

static uint32_t read_pkru(void)
{
	uint32_t pkru, high;

	asm volatile("rdpkru" : "=a"(pkru), "=d"(high) : "c"(0));
	return pkru;
}

static void write_pkru(uint32_t pkru)
{
	asm volatile("wrpkru" : : "a"(pkru), "c"(0), "d"(0) : "memory");
}

void extended_state_start(void)
{
	uint64_t cr4 = processor_read_cr4();

	host_has_xcr0 = cr4 & CR4_OSXSAVE;
	host_has_pkru = cr4 & CR4_PKE;
	if (host_has_xcr0)
		host_xcr0 = processor_read_xcr0();
}

uint64_t extended_state_kept(void)
{
	return host_has_xcr0 ? host_xcr0 : XCR0_WITHOUT_XSAVE;
}

uint32_t extended_state_enter(struct hv_vcpu *vcpu)
{
	uint32_t host_pkru;

	if (host_has_xcr0 && vcpu->xcr0 != host_xcr0)
		processor_write_xcr0(vcpu->xcr0);
	if (!host_has_pkru)
		return 0;
	host_pkru = read_pkru();
	if (host_pkru != vcpu->pkru)
		write_pkru(vcpu->pkru);
	return host_pkru;
}

void extended_state_leave(struct hv_vcpu *vcpu, uint32_t host_pkru)
{
	if (host_has_pkru) {
		vcpu->pkru = read_pkru();
		if (host_pkru != vcpu->pkru)
			write_pkru(host_pkru);
	}
	if (!host_has_xcr0)
		return;
	/* Not every processor makes XSETBV an exit, though the manual says so: ask it. */
	vcpu->xcr0 = processor_read_xcr0();
	if (vcpu->xcr0 != host_xcr0)
		processor_write_xcr0(host_xcr0);
}
