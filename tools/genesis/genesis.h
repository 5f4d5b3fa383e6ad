/* SPDX-License-Identifier: Apache-2.0 */
/*
 * genesis.h - what the commands of the program `genesis` share.
 */
#ifndef GENESIS_TOOL_H
#define GENESIS_TOOL_H

#include <stdbool.h>

/* Exit statuses. */
enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* A command gets its arguments from its own name on, and returns an exit status. */
int command_devices(int argc, char **argv);
int command_inspect(int argc, char **argv);
int command_convert(int argc, char **argv);

/* Says what is wrong with the arguments, and how to get help. Returns EXIT_USAGE. */
int usage_error(const char *command, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
