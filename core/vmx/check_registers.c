/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* The guest's registers, all but the segment registers: SDM 3, 27.3.1.1, 27.3.1.3, 27.3.1.4. */

#include "core/vmx/check_internal.h"

#define VMX_RULE(NAME, FIELD, text, broken) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, broken);
#define VMX_BITS(NAME, FIELD, text, bits) \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_##FIELD, bits);

/* RFLAGS 63:22, 15, 5 and 3: SDM 1, 3.4.3 */
#define RFLAGS_RESERVED (~0x3fffffull | 1ull << 15 | 1ull << 5 | 1ull << 3)

static bool in_64bit_mode(const struct vmx_check *check)
{
	return check->ia32e && FIELD(GUEST_CS_RIGHTS) & SEGMENT_L;
}

/*
 * RIP need not be canonical: the bit below those that must be the same may differ from
 * them, as it does behind the last byte of the lower half.
 */
static bool same_above_width(const struct vmx_check *check, uint64_t address)
{
	uint64_t above = address >> check->capability->linear_address_bits;

	return !above || above == UINT64_MAX >> check->capability->linear_address_bits;
}

void vmx_check_guest_registers(struct vmx_check *check)
{
#include "core/vmx/rules_registers.def"
}
