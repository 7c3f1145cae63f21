/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_LIB_ERROR_H
#define HUTCH_LIB_ERROR_H

/*
 * Keeps one line for hutch_error() and returns -@error, so that a failure is told
 * and returned in one statement. Sets errno too, for functions that return a pointer.
 */
int hutch_fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
