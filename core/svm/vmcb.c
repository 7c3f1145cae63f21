/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/* The names of AMD-V's exits, for reports and counters. */

#include "core/svm/vmcb.h"

struct exit_name {
	int32_t code;
	const char *name, *text;
};

static const struct exit_name exits[] = {
#define SVM_EXIT(name, code, text) { code, #name, text },
#include "core/svm/exits.def"
};

static const struct exit_name *find(uint64_t code)
{
	for (size_t i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		if ((uint64_t)(int64_t)exits[i].code == code)
			return &exits[i];
	}
	return NULL;
}

const char *svm_exit_name(uint64_t code)
{
	const struct exit_name *found = find(code);

	return found ? found->name : NULL;
}

const char *svm_exit_text(uint64_t code)
{
	const struct exit_name *found = find(code);

	return found ? found->text : NULL;
}

/*
 * APM 2, 15.14.4: a counter that begins at COUNT loses one with each PAUSE, and the one
 * that finds it at 0 is an exit. With a threshold it begins anew when so many ticks went by
 * since the last PAUSE. A lock whose holder runs is free again long before that.
 */
#define PAUSE_COUNT	3000
#define PAUSE_THRESHOLD 128

void vmcb_filter_pauses(struct vmcb *vmcb, enum vmcb_pause_filter filter)
{
	vmcb_intercept(vmcb, SVM_EXIT_PAUSE, filter != VMCB_PAUSE_ALL);
	vmcb->control.pause_filter_count = filter != VMCB_PAUSE_ALL ? PAUSE_COUNT : 0;
	vmcb->control.pause_filter_threshold = filter == VMCB_PAUSE_CLUSTERS ? PAUSE_THRESHOLD : 0;
}
