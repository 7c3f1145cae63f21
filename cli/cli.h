/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#ifndef HUTCH_CLI_CLI_H
#define HUTCH_CLI_CLI_H

/* The commands of hutch. argv[0] is the command's own name; they return the exit status. */

int cli_run(int argc, char **argv);
int cli_info(int argc, char **argv);

#endif
