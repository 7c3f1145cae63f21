/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_VMM_TERMINAL_H
#define HUTCH_VMM_TERMINAL_H

/*
 * The user's terminal, lent to the guest. A guest's keyboard driver wants every key as
 * it is pressed, Ctrl-C included, so the terminal is put in raw mode; and whatever
 * happens to this process, the user gets back what they had: terminal_restore() runs
 * at exit() and in the handlers of the signals that end a process by accident, which
 * then happens all the same.
 *
 * There is one terminal for a process, so this has no handle.
 */

#include <stdbool.h>

/*
 * Puts the terminal @fd in raw mode, and will restore it. 0 or a negative errno.
 * Called again (after a stop) it does so again.
 */
int terminal_raw(int fd);

/* Sets raw mode on a terminal that is ours alone (a new pseudo-terminal) and need not be restored. */
int terminal_make_raw(int fd);

/* Back to how it was. From anywhere, signal handlers included, any number of times. */
void terminal_restore(void);

/* Whether it is in raw mode now, where a line of text must end in "\r\n". */
bool terminal_is_raw(void);

/*
 * Shows how far long work has come, on standard error if that is a terminal and else
 * nowhere: "@what: 42%". Overwrites itself; @done equal to @total wipes it.
 */
void terminal_progress(const char *what, unsigned long long done, unsigned long long total);

#endif
