/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The entry doctor of AMD-V: the words in which the rules are written, and the rules.
 * Compared with VT-x there are few: AMD-V takes most of a guest's state as it is, even
 * where no instruction could have made it so (APM 2, 15.5.1).
 */

#include "core/svm/check.h"

#include "x86/exception.h"
#include "x86/registers.h"

#define HIGH_HALF	 (UINT64_MAX << 32)
#define LONG_MODE_BITS	 ((uint64_t)(IA32_EFER_LME | IA32_EFER_LMA))
#define S_CET_SUPPORTED	 3ull /* SH_STK_EN, WR_SHSTK_EN: APM 2, 18.13.1 */
#define AVIC_INDEX_MAX	 0xffu
#define X2AVIC_INDEX_MAX 0x1ffu

/* @bits where the condition holds, else none. */
#define WHERE(condition, bits) ((condition) ? (uint64_t)(bits) : 0)

static const struct {
	const char *name, *text, *source;
	bool has_bits; /* SVM_BITS: what is wrong is single bits */
} rules[SVM_RULE_COUNT] = {
#define SVM_RULE(NAME, field, value, text, broken) { #NAME, text, SVM_SOURCE, false },
#define SVM_BITS(NAME, field, value, text, bits)   { #NAME, text, SVM_SOURCE, true },
#include "core/svm/rules.def"
};

const char *svm_rule_name(enum svm_rule rule)
{
	return rules[rule].name;
}

const char *svm_rule_source(enum svm_rule rule)
{
	return rules[rule].source;
}

static void judge(struct diagnosis *diagnosis, enum svm_rule rule, const char *field,
		  uint64_t value, uint64_t broken)
{
	struct violation violation = {
		.field = field,
		.value = value,
		.rule = rules[rule].text,
		.bits = rules[rule].has_bits ? broken : 0,
		.source = rules[rule].source,
		.number = (uint16_t)rule,
	};

	if (broken)
		diagnosis_add(diagnosis, &violation);
}

static bool ends_beyond(uint64_t address, uint64_t size, uint64_t beyond_width)
{
	uint64_t first = address & ~0xfffull; /* the lower bits are ignored */

	return (first & beyond_width) || ((first + size - 1) & beyond_width);
}

static bool tlb_control_known(const struct vmcb_control *control,
			      const struct svm_capability *capability)
{
	switch (control->tlb_control & 0xff) {
	case VMCB_TLB_KEEP:
	case VMCB_TLB_FLUSH_ALL:
		return true;
	case VMCB_TLB_FLUSH_GUEST:
	case VMCB_TLB_FLUSH_GUEST_NON_GLOBAL:
		return capability->features & SVM_FEATURE_FLUSH_BY_ASID;
	default:
		return false;
	}
}

static unsigned int event_type(const struct vmcb_control *control)
{
	return (control->eventinj & VMCB_EVENT_TYPE) >> VMCB_EVENT_TYPE_SHIFT;
}

static bool event_type_reserved(const struct vmcb_control *control)
{
	unsigned int type = event_type(control);

	return type == 1 || type > VMCB_EVENT_SOFTWARE_INTERRUPT;
}

/* Vectors that AMD has an exception for: APM 2, table 8-1. #VE is Intel's. */
static bool is_exception(uint64_t vector)
{
	const uint64_t known = 1ull << EXCEPTION_DE | 1ull << EXCEPTION_DB | 1ull << EXCEPTION_BP |
			       1ull << EXCEPTION_OF | 1ull << EXCEPTION_BR | 1ull << EXCEPTION_UD |
			       1ull << EXCEPTION_NM | 1ull << EXCEPTION_DF | 1ull << EXCEPTION_TS |
			       1ull << EXCEPTION_NP | 1ull << EXCEPTION_SS | 1ull << EXCEPTION_GP |
			       1ull << EXCEPTION_PF | 1ull << EXCEPTION_MF | 1ull << EXCEPTION_AC |
			       1ull << EXCEPTION_MC | 1ull << EXCEPTION_XM | 1ull << EXCEPTION_CP |
			       1ull << EXCEPTION_HV | 1ull << EXCEPTION_VC | 1ull << EXCEPTION_SX;

	return vector < EXCEPTION_COUNT && known >> vector & 1;
}

/* The bytes of G_PAT that are no memory type: APM 2, 7.8.1 */
static uint64_t invalid_pat(uint64_t pat)
{
	uint64_t invalid = 0;

	for (unsigned int i = 0; i < 64; i += 8) {
		uint64_t type = pat >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			invalid |= 0xffull << i;
	}
	return invalid;
}

bool svm_check(const struct vmcb *vmcb, const struct svm_capability *capability,
	       const struct svm_surroundings *around, struct diagnosis *diagnosis)
{
	const struct vmcb_control *control = &vmcb->control;
	const struct vmcb_save *save = &vmcb->save;
	const uint64_t beyond_width = UINT64_MAX << capability->physical_address_bits;
	const bool long_mode = (save->efer & IA32_EFER_LME) && (save->cr0 & CR0_PG);
	const bool nested = control->np_control & VMCB_NP_ENABLE;
	const bool avic = control->v_intr & VMCB_AVIC_ENABLE;
	const bool x2avic = control->v_intr & VMCB_X2AVIC_ENABLE;
	const uint32_t cs_rights = segment_rights_from_svm(save->cs.attributes);
	const size_t before = diagnosis->count;

#define SVM_RULE(NAME, field, value, text, broken) \
	judge(diagnosis, SVM_RULE_##NAME, field, value, broken);
#define SVM_BITS(NAME, field, value, text, bits) \
	judge(diagnosis, SVM_RULE_##NAME, field, value, bits);
#include "core/svm/rules.def"

	return diagnosis->count == before;
}
