/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_UNIT_X87_MODEL_H
#define HUTCH_TESTS_UNIT_X87_MODEL_H

/* The two words of an FPU that computes nothing: SDM 1, 8.1.3 and 8.1.5. */

#include "x86/emulate.h"

#define X87_CONTROL_INITIAL   0x037fu
#define X87_STATUS_EXCEPTIONS 0x003fu
#define X87_STATUS_STACK      0x0040u
#define X87_STATUS_SUMMARY    0x0080u
#define X87_STATUS_BUSY	      0x8000u

struct x87_model {
	uint16_t control, status;
};

static inline void x87_model(struct x87_model *model, struct emulate_x87 *x87)
{
	const uint16_t waits = X87_STATUS_SUMMARY | X87_STATUS_BUSY;

	switch (x87->kind) {
	case EMULATE_X87_READ:
		x87->control = model->control;
		x87->status = model->status;
		break;
	case EMULATE_X87_CLEAR:
		model->status &= (uint16_t) ~(X87_STATUS_EXCEPTIONS | X87_STATUS_STACK | waits);
		break;
	case EMULATE_X87_RESET:
		*model = (struct x87_model){ .control = X87_CONTROL_INITIAL };
		break;
	case EMULATE_X87_LOAD_CONTROL:
		/* Bits that are not there read as 0, and bit 6 as 1. */
		model->control = (x87->control & 0x1f3f) | 0x40;
		model->status &= (uint16_t)~waits;
		if (model->status & ~model->control & X87_STATUS_EXCEPTIONS)
			model->status |= waits;
		break;
	}
}

#endif
