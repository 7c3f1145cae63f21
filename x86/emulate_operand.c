/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * Operands: from the letters of a form (Ev,Gv) to places, from places to values, and
 * the result back to its place. After this stage a handler neither knows nor cares
 * whether it computes with registers, memory or a number in the instruction.
 */

#include "x86/emulate_internal.h"

uint64_t gpr_read(const struct execution *x, unsigned int number, unsigned int size)
{
	return x->state->gpr[number & 15] & size_mask(size);
}

/* A 32-bit result clears the upper half, smaller ones keep the rest: SDM 1, 3.4.1.1 */
void gpr_write(struct execution *x, unsigned int number, unsigned int size, uint64_t value)
{
	uint64_t *gpr = &x->state->gpr[number & 15];
	uint64_t mask = size_mask(size);

	*gpr = size >= 4 ? value & mask : (*gpr & ~mask) | (value & mask);
}

static unsigned int operand_size(const struct execution *x, const struct operand_form *form,
				 bool memory)
{
	unsigned int size = x->instruction->operand_size;

	switch (form->width) {
	case WIDTH_B:
		return 1;
	case WIDTH_W:
		return 2;
	case WIDTH_Z:
		return size > 4 ? 4 : size;
	case WIDTH_S:
		return size == 2 && !x->emulation->amd ? 2 : 4;
	case WIDTH_Y:
		return size < 4 ? 4 : size;
	case WIDTH_N:
		return x->mode == MODE_64 ? 8 : 4;
	case WIDTH_X:
		return memory ? 2 : size;
	default:
		return size;
	}
}

/* Without REX, byte registers 4 to 7 are AH, CH, DH and BH: SDM 2, 2.2.1.2 */
static void place_gpr(const struct execution *x, struct operand *operand, uint8_t number)
{
	operand->place = PLACE_GPR;
	operand->number = number & 15;
	if (operand->size == 1 && number >= 4 && number < 8 && !x->instruction->rex) {
		operand->place = PLACE_HIGH_BYTE;
		operand->number = number - 4;
	}
}

void operand_place_memory(const struct execution *x, struct operand *operand)
{
	operand->place = PLACE_MEMORY;
	operand->segment = x->instruction->segment;
	operand->offset = decode_effective_address(x->instruction, x->state->gpr, x->next_rip);
}

/* CS is never a destination, and there are only six: SDM 2, "MOV" */
static bool place_segment(struct execution *x, struct operand *operand)
{
	operand->place = PLACE_SEGMENT;
	operand->number = x->instruction->reg & 7; /* REX.R does not count: SDM 2, 2.2.1.2 */
	if (operand->number >= SEGMENT_REGISTER_COUNT ||
	    (operand == &x->operand[0] && operand->number == SEGMENT_NUMBER_CS))
		return stop_ud(x);
	return true;
}

static void place_value(struct operand *operand, int64_t value)
{
	operand->place = PLACE_IMMEDIATE;
	operand->value = (uint64_t)value & size_mask(operand->size);
}

static bool place(struct execution *x, struct operand *operand, const struct operand_form *form)
{
	const struct instruction *instruction = x->instruction;
	bool memory = instruction->has_memory;

	operand->size = (uint8_t)operand_size(x, form, memory);
	switch (form->kind) {
	case KIND_M:
	case KIND_ADDRESS:
		if (!memory)
			return stop_ud(x);
		operand_place_memory(x, operand);
		break;
	case KIND_E:
	case KIND_O:
		if (memory)
			operand_place_memory(x, operand);
		else
			place_gpr(x, operand, instruction->rm);
		break;
	case KIND_R:
		place_gpr(x, operand, instruction->rm);
		break;
	case KIND_G:
		place_gpr(x, operand, instruction->reg);
		break;
	case KIND_S:
		return place_segment(x, operand);
	case KIND_Z:
		place_gpr(x, operand,
			  (instruction->opcode & 7) | (instruction->rex & REX_B ? 8 : 0));
		break;
	case KIND_RAX:
		place_gpr(x, operand, GPR_RAX);
		break;
	case KIND_CL:
		place_gpr(x, operand, GPR_RCX);
		break;
	case KIND_I:
		place_value(operand, instruction->immediate);
		break;
	case KIND_IMMEDIATE2:
		place_value(operand, instruction->immediate2);
		break;
	case KIND_ONE:
		place_value(operand, 1);
		break;
	default:
		operand->place = PLACE_NONE;
		break;
	}
	return true;
}

bool operand_read(struct execution *x, unsigned int index, enum emulate_access_kind kind)
{
	struct operand *operand = &x->operand[index];

	switch (operand->place) {
	case PLACE_GPR:
		operand->value = gpr_read(x, operand->number, operand->size);
		return true;
	case PLACE_HIGH_BYTE:
		operand->value = gpr_read(x, operand->number, 2) >> 8;
		return true;
	case PLACE_SEGMENT:
		operand->value = x->state->segment[operand->number].selector;
		return true;
	case PLACE_MEMORY:
		if (!memory_read(x, operand->segment, operand->offset, operand->size, kind,
				 &operand->value))
			return false;
		/* What a locked write expects to find. */
		x->has_expected |= kind == EMULATE_READ_TO_WRITE;
		x->expected[0] = operand->value;
		return true;
	default:
		return true;
	}
}

bool operand_write(struct execution *x, unsigned int index, uint64_t value)
{
	const struct operand *operand = &x->operand[index];
	uint64_t gpr;

	switch (operand->place) {
	case PLACE_GPR:
		gpr_write(x, operand->number, operand->size, value);
		return true;
	case PLACE_HIGH_BYTE:
		gpr = x->state->gpr[operand->number];
		x->state->gpr[operand->number] = (gpr & ~0xff00ull) | (value & 0xff) << 8;
		return true;
	case PLACE_MEMORY:
		return memory_write(x, operand->segment, operand->offset, operand->size, value);
	default:
		return stop_unsupported(x, "its operand cannot be written");
	}
}

bool operands_prepare(struct execution *x)
{
	const struct form *form = x->form;

	for (unsigned int i = 0; i < 3; i++) {
		enum emulate_access_kind kind = EMULATE_READ;

		if (!place(x, &x->operand[i], &form->operand[i]))
			return false;
		if (!i && form->access == FORM_MODIFIES)
			kind = EMULATE_READ_TO_WRITE;
		if (!i && (form->access == FORM_WRITES || form->access == FORM_ADDRESS))
			continue;
		if (form->operand[i].kind != KIND_ADDRESS && !operand_read(x, i, kind))
			return false;
	}
	x->size = x->operand[0].size;
	return true;
}
