/* SPDX-License-Identifier: MIT OR GPL-2.0-only */

/*
 * The last error, as a sentence.
 *
 * An errno says what kind of failure it was; the line kept here says what failed,
 * where, and what to do about it. Each thread has its own line, so that a vCPU's
 * failure is never reported with another's words.
 */

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "hutch/hutch.h"
#include "lib/error.h"

static _Thread_local char last_error[512];

const char *hutch_error(void)
{
	return last_error[0] ? last_error : "no error";
}

int hutch_fail(int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(last_error, sizeof(last_error), format, arguments);
	va_end(arguments);
	errno = error;
	return -error;
}
