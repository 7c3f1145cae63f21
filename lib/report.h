/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_LIB_REPORT_H
#define HUTCH_LIB_REPORT_H

#include <stddef.h>

struct hutch_vcpu;

/* Text that grows in a buffer of the caller, and is counted on when that is full. */
struct report {
	char *buffer;
	size_t size, used;
};

void report_print(struct report *report, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The last exit, its reason first and then what it carries, as one or two lines. */
void report_exit(struct report *report, const struct hutch_vcpu *vcpu);

#endif
