/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CORE_VIOLATION_H
#define HUTCH_CORE_VIOLATION_H

/*
 * What is wrong with a guest that cannot be entered.
 *
 * When a processor refuses a VMCS or VMCB it says so, but not why: one number stands
 * for a hundred and more rules of the manual. core/vmx/check.h and core/svm/check.h
 * have these rules as code and judge a snapshot by them; what they find is a list of
 * violations, each of which is one line to a reader:
 *
 *	guest CR0 0x80000001: PG without PE (SDM 3, 27.3.1.1)
 */

#include <stddef.h>
#include <stdint.h>

struct violation {
	const char *field; /* whose value breaks the rule: "guest CR0" */
	uint64_t value;
	const char *rule;   /* what is wrong: "PG without PE" */
	uint64_t bits;	    /* where the rule is about single bits, those that break it */
	const char *bit;    /* the name of the lowest of them, or NULL */
	const char *source; /* where the rule stands: "SDM 3, 27.3.1.1" */
	uint16_t number;    /* of the rule: enum vmx_rule or enum svm_rule */
};

/*
 * A list of violations in memory that the caller owns. @count goes on counting when
 * @size is reached; the first @size are kept. @size may be 0.
 */
struct diagnosis {
	struct violation *violations;
	size_t size;
	size_t count;
};

/* How many of the violations are there to be read. */
static inline size_t diagnosis_kept(const struct diagnosis *diagnosis)
{
	return diagnosis->count < diagnosis->size ? diagnosis->count : diagnosis->size;
}

void diagnosis_add(struct diagnosis *diagnosis, const struct violation *violation);

/*
 * A violation as one line without an end of line, written into @buffer of @size bytes,
 * ended by a zero byte and cut short where it does not fit; VIOLATION_TEXT_MAX bytes
 * hold every one. Returns the length of what was written.
 */
#define VIOLATION_TEXT_MAX 256
size_t violation_text(const struct violation *violation, char *buffer, size_t size);

#endif
