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
