/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "core/vmx/fields.h"

#include "core/host.h"
#include "core/processor.h"
#include "core/text.h"
#include "core/vmx/instructions.h"

/*
 * A thread may be moved to another CPU between any two instructions. That is no harm to
 * what is here: the host loads the VMCS before the thread goes on. The exception is a
 * CPU that is going down, where nothing can be loaded; so whether there is a VMCS to
 * read is looked at with interrupts off.
 */

/*
 * What a guest changes without an exit: SDM 3, 28.3. What every exit looks at is not here:
 * that is struct vmx_hot.
 */
static const uint8_t changing[] = {
	VMCS_INDEX_GUEST_ES_SELECTOR,
	VMCS_INDEX_GUEST_CS_SELECTOR,
	VMCS_INDEX_GUEST_SS_SELECTOR,
	VMCS_INDEX_GUEST_DS_SELECTOR,
	VMCS_INDEX_GUEST_FS_SELECTOR,
	VMCS_INDEX_GUEST_GS_SELECTOR,
	VMCS_INDEX_GUEST_LDTR_SELECTOR,
	VMCS_INDEX_GUEST_TR_SELECTOR,
	VMCS_INDEX_GUEST_INTERRUPT_STATUS,
	VMCS_INDEX_GUEST_PDPTE0,
	VMCS_INDEX_GUEST_PDPTE1,
	VMCS_INDEX_GUEST_PDPTE2,
	VMCS_INDEX_GUEST_PDPTE3,
	VMCS_INDEX_GUEST_ES_LIMIT,
	VMCS_INDEX_GUEST_CS_LIMIT,
	VMCS_INDEX_GUEST_SS_LIMIT,
	VMCS_INDEX_GUEST_DS_LIMIT,
	VMCS_INDEX_GUEST_FS_LIMIT,
	VMCS_INDEX_GUEST_GS_LIMIT,
	VMCS_INDEX_GUEST_LDTR_LIMIT,
	VMCS_INDEX_GUEST_TR_LIMIT,
	VMCS_INDEX_GUEST_GDTR_LIMIT,
	VMCS_INDEX_GUEST_IDTR_LIMIT,
	VMCS_INDEX_GUEST_ES_RIGHTS,
	VMCS_INDEX_GUEST_CS_RIGHTS,
	VMCS_INDEX_GUEST_SS_RIGHTS,
	VMCS_INDEX_GUEST_DS_RIGHTS,
	VMCS_INDEX_GUEST_FS_RIGHTS,
	VMCS_INDEX_GUEST_GS_RIGHTS,
	VMCS_INDEX_GUEST_LDTR_RIGHTS,
	VMCS_INDEX_GUEST_TR_RIGHTS,
	VMCS_INDEX_GUEST_ACTIVITY_STATE,
	VMCS_INDEX_GUEST_IA32_SYSENTER_CS,
	VMCS_INDEX_GUEST_CR0,
	VMCS_INDEX_GUEST_CR3,
	VMCS_INDEX_GUEST_CR4,
	VMCS_INDEX_GUEST_ES_BASE,
	VMCS_INDEX_GUEST_CS_BASE,
	VMCS_INDEX_GUEST_SS_BASE,
	VMCS_INDEX_GUEST_DS_BASE,
	VMCS_INDEX_GUEST_FS_BASE,
	VMCS_INDEX_GUEST_GS_BASE,
	VMCS_INDEX_GUEST_LDTR_BASE,
	VMCS_INDEX_GUEST_TR_BASE,
	VMCS_INDEX_GUEST_GDTR_BASE,
	VMCS_INDEX_GUEST_IDTR_BASE,
	VMCS_INDEX_GUEST_PENDING_DEBUG_EXCEPTIONS,
	VMCS_INDEX_GUEST_IA32_SYSENTER_ESP,
	VMCS_INDEX_GUEST_IA32_SYSENTER_EIP,
};
_Static_assert(VMCS_FIELD_COUNT <= UINT8_MAX + 1, "an index is a byte");

#define CHANGING (sizeof(changing) / sizeof(changing[0]))

static uint64_t bit_of(enum vmcs_index index)
{
	return 1ull << (index % 64);
}

void vmx_learn(struct vmx_fields *fields, enum vmcs_index index)
{
	uint64_t flags = processor_interrupts_off();

	if (fields->readable)
		vmx_get_here(fields, index);
	processor_interrupts_back(flags);
}

#define CONTEXT(FIELD)           \
	FIELD(GUEST_CS_SELECTOR) \
	FIELD(GUEST_CS_BASE)     \
	FIELD(GUEST_CS_LIMIT)    \
	FIELD(GUEST_CS_RIGHTS)   \
	FIELD(GUEST_DS_SELECTOR) \
	FIELD(GUEST_DS_BASE)     \
	FIELD(GUEST_DS_LIMIT)    \
	FIELD(GUEST_DS_RIGHTS)   \
	FIELD(GUEST_SS_RIGHTS)   \
	FIELD(GUEST_CR0)         \
	FIELD(GUEST_CR3)         \
	FIELD(GUEST_CR4)

/* Written out: the compiler knows each field's place, encoding and bit. */
void vmx_learn_context(struct vmx_fields *fields)
{
	uint64_t flags = processor_interrupts_off();

	if (fields->readable) {
#define FIELD(NAME) vmx_get_here_as(fields, VMCS_INDEX_##NAME, VMCS_##NAME);
		CONTEXT(FIELD)
#undef FIELD
	}
	processor_interrupts_back(flags);
}

void vmx_set(struct vmx_fields *fields, enum vmcs_index index, uint64_t value)
{
	uint64_t flags;

	if (vmx_knows(fields, index) && fields->state.field[index] == value)
		return;
	flags = processor_interrupts_off();
	vmx_set_here(fields, index, value);
	processor_interrupts_back(flags);
}

uint64_t vmx_fields_lasting[VMX_FIELD_WORDS];

void vmx_fields_start(void)
{
	host_memset(vmx_fields_lasting, 0xff, sizeof(vmx_fields_lasting));
	for (unsigned int i = 0; i < CHANGING; i++)
		vmx_fields_lasting[changing[i] / 64] &= ~bit_of((enum vmcs_index)changing[i]);
}

static void report(enum vmcs_index index)
{
	char text[80] = "VMWRITE refused: ";

	text_copy(text + 17, sizeof(text) - 17, vmcs_fields[index].name);
	host_log(text);
}

void vmx_fields_write_changed(struct vmx_fields *fields)
{
	for (unsigned int word = 0; word < VMX_FIELD_WORDS; word++) {
		while (fields->changed[word]) {
			unsigned int bit = (unsigned int)__builtin_ctzll(fields->changed[word]);
			enum vmcs_index index = (enum vmcs_index)(64 * word + bit);

			fields->changed[word] &= fields->changed[word] - 1;
			if (!vmx_instruction_vmwrite(vmcs_fields[index].encoding,
						     fields->state.field[index]))
				report(index);
		}
	}
}

void vmx_fields_read_all(struct vmx_fields *fields)
{
	for (unsigned int i = 0; i < CHANGING; i++)
		vmx_get_here(fields, (enum vmcs_index)changing[i]);
}
