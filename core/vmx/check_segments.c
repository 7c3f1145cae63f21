/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The guest's segment registers: SDM 3, 27.3.1.2. What is asked of one depends on the
 * mode: in virtual-8086 mode everything is fixed; in real mode (which only an
 * unrestricted guest can be in) CS may be a data segment; otherwise types and privilege
 * levels have to be such as loading the register would have left them.
 */

#include "core/vmx/check_internal.h"

/* The registers by the order of their fields, and as sets. */
#define ONLY_ES	      (1u << 0)
#define ONLY_CS	      (1u << 1)
#define ONLY_SS	      (1u << 2)
#define ONLY_DS	      (1u << 3)
#define ONLY_FS	      (1u << 4)
#define ONLY_GS	      (1u << 5)
#define ONLY_LDTR     (1u << 6)
#define ONLY_TR	      (1u << 7)
#define ONLY_DATA     (ONLY_ES | ONLY_DS | ONLY_FS | ONLY_GS)
#define CODE_AND_DATA (ONLY_DATA | ONLY_CS | ONLY_SS)
#define SEGMENT_COUNT 8

#define DATA_ACCESSED (SEGMENT_WRITABLE | SEGMENT_ACCESSED)

struct guest_segment {
	uint64_t base;
	uint32_t limit, rights;
	uint16_t selector;
	uint8_t which; /* ONLY_CS and so on */
	uint8_t type, dpl;
	bool usable;
};

static struct guest_segment guest_segment(const struct vmx_check *check, unsigned int number)
{
	uint32_t rights = (uint32_t)check->state->field[VMCS_INDEX_GUEST_ES_RIGHTS + number];
	struct guest_segment segment = {
		.base = check->state->field[VMCS_INDEX_GUEST_ES_BASE + number],
		.limit = (uint32_t)check->state->field[VMCS_INDEX_GUEST_ES_LIMIT + number],
		.rights = rights,
		.selector = (uint16_t)check->state->field[VMCS_INDEX_GUEST_ES_SELECTOR + number],
		.which = (uint8_t)(1u << number),
		.type = rights & SEGMENT_TYPE,
		.dpl = (rights & SEGMENT_DPL) >> SEGMENT_DPL_SHIFT,
		.usable = !(rights & SEGMENT_UNUSABLE),
	};

	return segment;
}

/* CS is always in use, others unless they are marked unusable. */
static bool needed(const struct guest_segment *segment)
{
	return segment->usable || segment->which & ONLY_CS;
}

/* Whether its rights are looked at one by one. */
static bool judged(const struct vmx_check *check, const struct guest_segment *segment)
{
	return !check->v8086 && needed(segment);
}

static bool is_accessed_code(const struct guest_segment *segment)
{
	return (segment->type & SEGMENT_CODE) && (segment->type & SEGMENT_ACCESSED);
}

/* A limit that no descriptor with this G could have given. */
static bool too_fine(const struct guest_segment *segment)
{
	return (segment->rights & SEGMENT_G) && (segment->limit & 0xfff) != 0xfff;
}

static bool too_big(const struct guest_segment *segment)
{
	return !(segment->rights & SEGMENT_G) && segment->limit >> 20;
}

#define VMX_SEGMENT(NAME, only, PART, text, broken)                            \
	vmx_judge(check, VMX_RULE_##NAME, VMCS_INDEX_GUEST_ES_##PART + number, \
		  (segment->which & (only)) && (broken));

static void check_segment(struct vmx_check *check, unsigned int number,
			  const struct guest_segment *cs, const struct guest_segment *ss)
{
	const struct guest_segment here = guest_segment(check, number), *segment = &here;

#include "core/vmx/rules_segments.def"
}

void vmx_check_guest_segments(struct vmx_check *check)
{
	const struct guest_segment cs = guest_segment(check, 1), ss = guest_segment(check, 2);

	for (unsigned int number = 0; number < SEGMENT_COUNT; number++)
		check_segment(check, number, &cs, &ss);
}
