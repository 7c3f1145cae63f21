/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_FOOTPRINT_H
#define HUTCH_VMM_FOOTPRINT_H

/*
 * Lets go of the program's own pages that were touched only to build the machine. They are
 * pages of a file: those that are needed again come back from the page cache. Does nothing
 * under a debugger, whose breakpoints are kept in just these pages. Errors do not matter.
 */
void footprint_trim(void);

#endif
