/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - texts of any bytes, which come from files and plugins, for JSON and for terminals.
 */
#ifndef GENESIS_TOOL_JSON_H
#define GENESIS_TOOL_JSON_H

#include <jansson.h>

/* A string; one that is not UTF-8 gets question marks. */
json_t *json_text(const char *any);

/* Prints a text of at least so many columns; control characters become question marks. */
void print_plain(const char *any, int width);

#endif
