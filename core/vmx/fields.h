/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VMX_FIELDS_H
#define HUTCH_CORE_VMX_FIELDS_H

/*
 * The fields of a VMCS as memory: read when somebody asks for the first time since the
 * guest ran, written when the guest is entered next, and only those that have another
 * value than before. So a setter costs a comparison, an exit costs what its handler
 * wants to know, and all but the reading of a new value goes without the processor.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/vmx/instructions.h"
#include "core/vmx/vmcs.h"

#define VMX_FIELD_WORDS ((VMCS_FIELD_COUNT + 63) / 64)

struct vmx_fields {
	struct vmcs_state state;
	uint64_t known[VMX_FIELD_WORDS];   /* what @state has is what the VMCS has, or will */
	uint64_t changed[VMX_FIELD_WORDS]; /* will have: to be written */
	/*
	 * The VMCS is the current one wherever the thread that owns it runs. Else nothing
	 * can be read: then vmx_fields_read_all() has been there.
	 */
	bool readable;
};

/* Once, before all others. */
void vmx_fields_start(void);

/* Any context; by the thread that owns the vCPU. */
void vmx_learn(struct vmx_fields *fields, enum vmcs_index index);
/*
 * All that it takes to find out what code runs and where its memory is: CS, DS, the CPL
 * and the control registers. Whoever carries out an instruction wants them all.
 */
void vmx_learn_context(struct vmx_fields *fields);
void vmx_set(struct vmx_fields *fields, enum vmcs_index index, uint64_t value);

/* Writes what has changed; the VMCS is current. Interrupts off. */
void vmx_fields_write_changed(struct vmx_fields *fields);
/* Reads what is not known of the guest's state; the VMCS is current. Interrupts off. */
void vmx_fields_read_all(struct vmx_fields *fields);

static inline bool vmx_knows(const struct vmx_fields *fields, enum vmcs_index index)
{
	return fields->known[index / 64] >> (index % 64) & 1;
}

static inline uint64_t vmx_get(struct vmx_fields *fields, enum vmcs_index index)
{
	if (!vmx_knows(fields, index))
		vmx_learn(fields, index);
	return fields->state.field[index];
}

/* The fields that no guest changes by itself. */
extern uint64_t vmx_fields_lasting[VMX_FIELD_WORDS];

/* The guest has run: what it changes is not known any more. Interrupts off. */
static inline void vmx_fields_forget(struct vmx_fields *fields)
{
	_Static_assert(VMX_FIELD_WORDS == 4, "each word has its line: no loop at every exit");
	fields->known[0] &= vmx_fields_lasting[0];
	fields->known[1] &= vmx_fields_lasting[1];
	fields->known[2] &= vmx_fields_lasting[2];
	fields->known[3] &= vmx_fields_lasting[3];
}

/* Whether there is anything to write. */
static inline bool vmx_fields_have_changed(const struct vmx_fields *fields)
{
	uint64_t any = 0;

	for (unsigned int i = 0; i < VMX_FIELD_WORDS; i++)
		any |= fields->changed[i];
	return any;
}

/* vmx_get() where the VMCS is current and interrupts are off. */
static inline uint64_t vmx_get_here_as(struct vmx_fields *fields, enum vmcs_index index,
				       uint32_t encoding)
{
	if (!vmx_knows(fields, index)) {
		fields->state.field[index] = vmx_instruction_vmread(encoding);
		fields->known[index / 64] |= 1ull << (index % 64);
	}
	return fields->state.field[index];
}

static inline uint64_t vmx_get_here(struct vmx_fields *fields, enum vmcs_index index)
{
	return vmx_get_here_as(fields, index, vmcs_fields[index].encoding);
}

/* vmx_set(), likewise. */
static inline void vmx_set_here(struct vmx_fields *fields, enum vmcs_index index, uint64_t value)
{
	const uint64_t bit = 1ull << (index % 64);

	if (fields->known[index / 64] & bit && fields->state.field[index] == value)
		return;
	fields->state.field[index] = value;
	fields->known[index / 64] |= bit;
	fields->changed[index / 64] |= bit;
}

/* The field has this value by the processor's own doing. */
static inline void vmx_set_known(struct vmx_fields *fields, enum vmcs_index index, uint64_t value)
{
	fields->state.field[index] = value;
	fields->known[index / 64] |= 1ull << (index % 64);
	fields->changed[index / 64] &= ~(1ull << (index % 64));
}

#endif
