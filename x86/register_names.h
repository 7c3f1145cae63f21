/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_X86_REGISTER_NAMES_H
#define HUTCH_X86_REGISTER_NAMES_H

/*
 * Flags and control registers as words: CR0 = 0x80000011 reads "PE ET PG".
 *
 * Each function writes the names of the bits that are set, lowest first, separated
 * by blanks, into @buffer of @size bytes and ends them with a zero byte; a name that
 * no longer fits is left out. REGISTER_NAMES_MAX bytes hold every value.
 */

#include <stddef.h>
#include <stdint.h>

#define REGISTER_NAMES_MAX 160

void rflags_names(uint64_t rflags, char *buffer, size_t size);
void cr0_names(uint64_t cr0, char *buffer, size_t size);
void cr4_names(uint64_t cr4, char *buffer, size_t size);
void efer_names(uint64_t efer, char *buffer, size_t size);

#endif
