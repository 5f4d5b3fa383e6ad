/* SPDX-License-Identifier: Apache-2.0 */
/* temp_dir.h - a folder for the files of a test, removed with all that is in it. */
#ifndef GENESIS_TESTS_TEMP_DIR_H
#define GENESIS_TESTS_TEMP_DIR_H

#include <stddef.h>

/* Makes the folder. What fails here ends the program. */
void temp_dir_make(void);
void temp_dir_remove(void);
/* The path of a name in it; "": its own. In a ring of buffers, good for the next few calls. */
const char *temp_dir_path(const char *name);
/* Writes a file there and returns its path; one that ends in .gz is compressed. */
const char *temp_dir_write(const char *name, const void *bytes, size_t n);
/* The number of files in it. */
int temp_dir_count(void);

#endif
