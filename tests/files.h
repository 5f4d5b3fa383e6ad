/* SPDX-License-Identifier: Apache-2.0 */
/* files.h - files that tests read: the fixtures, and what the library has written. */
#ifndef GENESIS_TESTS_FILES_H
#define GENESIS_TESTS_FILES_H

#include <stddef.h>

#include <genesis/dict.h>

/* The path of a file of tests/fixtures. Valid until the next call. */
const char *fixture_path(const char *name);
/* What gn_load gives on the default device, which must succeed. */
gn_dict *must_load(const char *path);
/* The n bytes of a small file. Valid until the next call. */
char *read_file(const char *path, size_t *n);

#endif
