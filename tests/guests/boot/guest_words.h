/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_TESTS_GUESTS_BOOT_GUEST_WORDS_H
#define HUTCH_TESTS_GUESTS_BOOT_GUEST_WORDS_H

/* What the guests expect to be started with. */

#define COMMAND_LINE "hutch-boot-test"
#define MODULE_SIZE  5000
#define MODULE_BEGIN "hutch boot module"
#define MODULE_END   "the end" /* its last seven bytes */

#endif
