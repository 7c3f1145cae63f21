/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_VMCS_H
#define HUTCH_CORE_VMX_VMCS_H

/*
 * The virtual-machine control structure: what VT-x keeps of a guest, of the host to
 * come back to, and of what is to happen between them (SDM 3, 25). Nobody but the
 * processor knows how it lies in memory; its fields are reached by number through
 * VMREAD and VMWRITE. core/vmx/fields.def lists them; out of that one list come
 *
 *	VMCS_GUEST_CR0		the encoding: what VMREAD wants
 *	VMCS_INDEX_GUEST_CR0	the place in the list, without gaps
 *	state.guest_cr0		the member of struct vmcs_state
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/vmx/capability.h"
#include "core/vmx/controls.h"
#include "core/vmx/reasons.h"

enum vmcs_encoding {
#define VMCS_FIELD(NAME, member, encoding, text, exists) VMCS_##NAME = encoding,
#include "core/vmx/fields.def"
};

enum vmcs_index {
#define VMCS_FIELD(NAME, member, encoding, text, exists) VMCS_INDEX_##NAME,
#include "core/vmx/fields.def"
	VMCS_FIELD_COUNT,
};

/* SDM 3, 25.11.2, table 25-21: what an encoding says about its field */
enum vmcs_width {
	VMCS_WIDTH_16 = 0,
	VMCS_WIDTH_64 = 1,
	VMCS_WIDTH_32 = 2,
	VMCS_WIDTH_NATURAL = 3, /* as wide as the processor's registers */
};

enum vmcs_kind {
	VMCS_KIND_CONTROL = 0,
	VMCS_KIND_READ_ONLY = 1, /* VM-exit information */
	VMCS_KIND_GUEST = 2,
	VMCS_KIND_HOST = 3,
};

#define VMCS_WIDTH(encoding) ((enum vmcs_width)((encoding) >> 13 & 3u))
#define VMCS_KIND(encoding)  ((enum vmcs_kind)((encoding) >> 10 & 3u))

struct vmcs_field {
	uint32_t encoding;
	const char *name; /* "guest CR0" */
};

/* By enum vmcs_index, which is also the order of the encodings. */
extern const struct vmcs_field vmcs_fields[VMCS_FIELD_COUNT];

/*
 * All of a VMCS: each field once by name and once by enum vmcs_index, zero-extended.
 * A field that the processor lacks is zero. More than a KiB: keep it off small stacks.
 */
struct vmcs_state {
	union {
		struct {
#define VMCS_FIELD(NAME, member, encoding, text, exists) uint64_t member;
#include "core/vmx/fields.def"
		};
		uint64_t field[VMCS_FIELD_COUNT];
	};
};
_Static_assert(sizeof(struct vmcs_state) == sizeof(uint64_t[VMCS_FIELD_COUNT]),
	       "a member for each field, and nothing else");

/* The index of the field with this encoding, or VMCS_FIELD_COUNT. */
enum vmcs_index vmcs_field_find(uint32_t encoding);

/* Whether a processor with these capabilities has the field (SDM 3, appendix B's notes). */
bool vmcs_field_exists(const struct vmx_capability *capability, enum vmcs_index index);

/* The bits that a field can hold, on a processor with 64-bit registers. */
static inline uint64_t vmcs_field_mask(enum vmcs_index index)
{
	switch (VMCS_WIDTH(vmcs_fields[index].encoding)) {
	case VMCS_WIDTH_16:
		return UINT16_MAX;
	case VMCS_WIDTH_32:
		return UINT32_MAX;
	default:
		return UINT64_MAX;
	}
}

/*
 * Reads every field that exists through @read, which is given an encoding: VMREAD on the
 * machine itself. Zeroes the others.
 */
void vmcs_state_read(struct vmcs_state *state, const struct vmx_capability *capability,
		     uint64_t (*read)(void *owner, uint32_t encoding), void *owner);

#endif
